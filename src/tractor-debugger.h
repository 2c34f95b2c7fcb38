/* tractor-debugger.h - stopping for a debugger, anywhere in a tree of actors. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-error.h"

G_BEGIN_DECLS

/* Debug mode is asked for by the environment of the program that is the root of a tree, TRACTOR_DEBUG:
 *
 *   1 (or "all")   whoever calls tractor_pause(), crashes, or fails, stops for gdb, one at a time, on the terminal
 *   pause, crash, error
 *                  one of these, or several with commas between them
 *   origins        with these: it is noted where errors are made
 *   0, or empty    none, as if it were not set
 *   terminal=COMMAND
 *                  as the last of them, or alone: 1, and the debugger is on a terminal that COMMAND opens for what is put
 *                  behind it ("tmux new-window", "x-terminal-emulator -e")
 *
 * It is the root's word that counts: its actors have it from their parents. A program that has more rights than who
 * runs it takes no notice of it.
 *
 * In debug mode, and if TRACTOR_DUMP is 1, which stops nobody, SIGUSR1 to an actor has all tasks shown of it and of those
 * below it, on stderr and in a file beside the actors' sockets; unless the program handles that signal itself. If it is
 * "all", the library's own tasks are shown, too. */

/**
 * tractor_pause:
 *
 * Stops here, and has gdb look: on the terminal of the program, in the function that has called this. "continue" goes
 * on, with breakpoints under gdb; "quit" has this fail; "help tractor" there says more. If others of the tree are being
 * looked at, they come first. Meanwhile no actor of the tree loses patience with another; deadlines of the program's own
 * scopes pass as ever.
 *
 * In a task it lets others have their turn while it waits for its own, and a cancel ends that. Anywhere else (a thread, a
 * callback of the host) it blocks the thread. Once gdb looks, the whole process is stopped.
 *
 * Without debug mode, and where no actor runtime is open, with which that begins, it goes on at once, and says once on
 * stderr how to turn that on.
 *
 * Returns: TRUE; or FALSE with @error set to DEBUG_QUIT, or CANCELLED if the task is: see tractor_pause_shielded().
 * Suspends: yes, in a task. Thread: any; not in a handler of a signal.
 */
TRACTOR_API gboolean tractor_pause (GError **error);

/**
 * tractor_pause_shielded:
 *
 * tractor_pause() that a cancel of the task does not keep from stopping: in its cleanup.
 *
 * Returns: TRUE; or FALSE with @error set to DEBUG_QUIT.
 * Suspends: yes, in a task. Thread: any; not in a handler of a signal.
 */
TRACTOR_API gboolean tractor_pause_shielded (GError **error);

/**
 * tractor_post_mortem:
 * @failure: what has gone wrong
 *
 * Stops as debug mode does when a task ends with @failure: for one that the program sees to itself. A failure that only
 * says that somebody was cancelled, or was quit in the debugger, does not stop.
 *
 * Suspends: yes, in a task. Thread: any; not in a handler of a signal.
 */
TRACTOR_API void tractor_post_mortem (const GError *failure);

/**
 * tractor_debug_is_on:
 *
 * Returns: whether tractor_pause() stops in this process, as it is now.
 * Suspends: no. Thread: any.
 */
TRACTOR_API gboolean tractor_debug_is_on (void);

G_END_DECLS
