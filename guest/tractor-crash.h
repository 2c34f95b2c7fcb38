/* tractor-crash.h - which task has crashed, and where. siginfo_t needs POSIX visibility: compile with
 * -D_GNU_SOURCE or -std=gnu11. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <signal.h>

#include "tractor-error.h"

G_BEGIN_DECLS

/**
 * tractor_report_stack_overflows:
 *
 * From now on a task that overflows its stack is named on stderr, with the size that it had and the
 * innermost of its frames, before the process ends by SIGSEGV as it would have anyway. Installs a handler
 * for that signal, and an alternate signal stack for the calling thread if it has none; so have the threads of
 * tractor_to_thread() from then on. What overflows such a thread's stack, or the calling thread's outside any task,
 * is told as well.
 *
 * A thread in which a guest is made has this by default, unless the program handles SIGSEGV itself by then
 * (a runtime of another language may, or a sanitizer). Then this adds it: after its report, the handler that
 * was there before has its turn. In an actor an overflow, as any crash, is in its parent's error.
 *
 * Suspends: no. Thread: any.
 */
TRACTOR_API void tractor_report_stack_overflows (void);

/**
 * tractor_is_reporting_stack_overflows:
 *
 * Returns: whether the process's handler of SIGSEGV is the one of tractor_report_stack_overflows(), which had found none.
 * Suspends: no. Thread: any.
 */
TRACTOR_API gboolean tractor_is_reporting_stack_overflows (void);

/**
 * tractor_dump_crash:
 * @info: what the handler was given
 * @context: its third argument
 *
 * For the program's own handler of SIGSEGV, SIGABRT and the like, which has SA_SIGINFO, and SA_ONSTACK to
 * see overflows: writes which task it was, whether it has overflowed its stack, and of what size that was,
 * and the frames with their names; those of static functions too if the file is not stripped.
 *
 * Allocates nothing if backtrace() has been called before, but takes the lock of the dynamic loader.
 *
 * Suspends: no. Thread: the one that the signal interrupted, in its handler.
 */
TRACTOR_API void tractor_dump_crash (int fd, const siginfo_t *info, const void *context);

/**
 * tractor_dup_function_name:
 * @address: in the code of this process; of a frame that has called another, one byte before where that returns to
 *
 * The name that dladdr() does not know: it is read from the file's own table of symbols, so that static functions have
 * one, and those of a program that is not linked with -rdynamic.
 *
 * Returns: (transfer full) (nullable): %NULL if no function is there, or the file is stripped or cannot be read
 * Suspends: no, but reads a file. Thread: any, not in a handler of a signal.
 */
TRACTOR_API char *tractor_dup_function_name (gconstpointer address);

G_END_DECLS
