/* tractor-uv.h - tasks on a uv_loop_t, so that libuv servers get actors.
 *
 * The program keeps its loop: attach a guest to it, and its tasks run in between the loop's own
 * callbacks, on the loop's thread. What a task may wait for on the loop is in tractor-uv-await.h.
 *
 * A client that reads no more must not end a server: uv_write() to it raises SIGPIPE. So from
 * tractor_uv_attach() on that signal is held back in the loop's thread, for good, for libuv may write when the
 * guest is gone; and what is written there, by whomever, fails with EPIPE (UV_EPIPE). What the process does
 * about the signal is not changed, and in other threads it is as it was. Only those that the loop's thread starts
 * afterwards hold it back too, as do programs that it starts by system() and its like: not by uv_spawn(),
 * tractor_run_process(), or as actors. Three things are left to the program, which ends them all by ignoring
 * SIGPIPE. One that handles, ignores or holds it back when it attaches is left alone. libuv's pool, which runs
 * uv_fs_write(), has threads with what the thread had that used it first. And a loop with UV_LOOP_BLOCK_SIGNAL
 * waits with a mask of its own, which lets the signal in.
 *
 * <uv.h> needs POSIX visibility: compile with -D_GNU_SOURCE or -std=gnu11. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <uv.h>

#include "tractor-host.h"

G_BEGIN_DECLS

/**
 * tractor_uv_attach:
 * @loop: stays the program's: it is never run or stopped from here
 * @main: the main task
 * @done: called in @loop when @main and all that it started have ended and the guest's handles are
 *   closed, so that uv_loop_close() may follow
 *
 * Runs @main as a task on @loop. While it lives, uv_run() does not return by itself, unless
 * tractor_uv_set_ref() says so. The guest is
 * freed by itself, before @done.
 *
 * A program whose stdin, stdout or stderr is closed has to open something there, such as /dev/null, before it makes its
 * loop: else the loop's own descriptors land there, and uv_loop_close() ends the program by an assertion, as uv_close()
 * may do of handles. The guest's descriptors keep off these numbers, but the loop's are nobody's to move.
 *
 * Returns: (transfer none): the guest, for cancelling it; or NULL with @error set as by
 *   tractor_guest_new(). Then @done is not called.
 * Suspends: no. Thread: the one that runs @loop.
 */
TRACTOR_API TractorGuest *tractor_uv_attach (uv_loop_t *loop,
                                             TractorTaskFunc main,
                                             gpointer data,
                                             TractorDoneFunc done,
                                             gpointer done_data,
                                             GError **error);

/**
 * tractor_uv_set_ref:
 * @guest: from tractor_uv_attach()
 * @ref: TRUE, as it is at first: uv_run() goes on while the guest lives. FALSE: only while one of its
 *   tasks is runnable, or something else keeps the loop alive
 *
 * As uv_ref() and uv_unref(). A task that sleeps, or waits for a descriptor, a thread or an actor, is not
 * runnable. When uv_run() has returned the guest is still there: to end it, cancel it, give it @ref again,
 * and run the loop until it is done.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_uv_set_ref (TractorGuest *guest, gboolean ref);

/**
 * tractor_uv_owns_handle:
 * @guest: from tractor_uv_attach()
 * @handle: one that uv_walk() has come to
 *
 * For programs that end by closing every handle of their loop: the guest's are to be left to it. Cancel it
 * instead; it closes them when its tasks have ended, and then says that it is done. If they are closed all the
 * same, its tasks stand still; once uv_run() has returned, tractor_guest_shutdown() ends them, and the guest.
 *
 * Returns: whether @handle is one of the guest's own, and its data not the program's.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_uv_owns_handle (TractorGuest *guest, const uv_handle_t *handle);

/**
 * tractor_uv_get_loop:
 *
 * Returns: (transfer none) (nullable): the loop that the running task is on; NULL outside a guest, and on
 *   another host.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API uv_loop_t *tractor_uv_get_loop (void);

/**
 * tractor_uv_run:
 * @main: the main task
 *
 * Runs @main on a loop of its own. Afterwards SIGPIPE is in this thread what it was before. If stdin, stdout or stderr is
 * closed, /dev/null is in its place meanwhile.
 *
 * Returns: as tractor_run(); or FALSE with @error set to a G_FILE_ERROR.
 * Suspends: no, it blocks the thread. Thread: any.
 */
TRACTOR_API gboolean tractor_uv_run (TractorTaskFunc main, gpointer data, GError **error);

G_END_DECLS
