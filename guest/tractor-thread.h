/* tractor-thread.h - between tasks and other threads, and from signal handlers. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-sync.h"

G_BEGIN_DECLS

typedef struct _TractorToken TractorToken;
typedef void (*TractorSoonFunc) (gpointer data);

/* --- from anywhere ------------------------------------------------------------------------------ */

/**
 * tractor_token_get_current:
 *
 * Returns: (transfer full) (nullable): what other threads and signal handlers reach this guest by;
 *   NULL outside a guest.
 * Suspends: no. Thread: guest, in a task or a callback of its host during a tick.
 */
TRACTOR_API TractorToken *tractor_token_get_current (void);

/**
 * tractor_token_ref:
 *
 * Returns: (transfer full): @token.
 * Suspends: no. Thread: any.
 */
TRACTOR_API TractorToken *tractor_token_ref (TractorToken *token);

/**
 * tractor_token_unref:
 * @token: (transfer full) (nullable)
 *
 * Suspends: no. Thread: any.
 */
TRACTOR_API void tractor_token_unref (TractorToken *token);

/**
 * tractor_token_run_soon:
 *
 * Calls @func in a tick soon, on the host's stack, outside any task: there it may set events, send
 * to channels without waiting, spawn, and cancel. Calls from one thread keep their order, and many
 * calls before a tick cost one wakeup.
 *
 * Returns: FALSE if the run has finished, or in a forked copy; then @func will not be called.
 *   Otherwise it will be, unless the guest is freed while tasks are alive.
 * Suspends: no. Thread: any, also in a signal handler.
 */
TRACTOR_API gboolean tractor_token_run_soon (TractorToken *token,
                                             TractorSoonFunc func,
                                             gpointer data);

/**
 * tractor_token_run_soon_once:
 *
 * As tractor_token_run_soon(), but calls that wait together and have the same @func and @data become
 * one. A call that has begun is not one that waits: what is asked for then is called again.
 *
 * Returns: as tractor_token_run_soon().
 * Suspends: no. Thread: any, also in a signal handler.
 */
TRACTOR_API gboolean tractor_token_run_soon_once (TractorToken *token,
                                                  TractorSoonFunc func,
                                                  gpointer data);

/* --- to a thread and back ----------------------------------------------------------------------- */

/**
 * TractorThreadFlags:
 * @TRACTOR_THREAD_WAIT: a cancel waits for the function; what it was given stays valid till then
 * @TRACTOR_THREAD_ABANDON: a cancel leaves the function to itself: the task goes on with CANCELLED,
 *   and what the function returns is dropped. For what may hang, such as a name lookup; and what it
 *   is given must not be on the task's stack.
 */
typedef enum {
  TRACTOR_THREAD_WAIT = 0,
  TRACTOR_THREAD_ABANDON = 1
} TractorThreadFlags;

TRACTOR_DEFINE_FLAG_OPERATORS (TractorThreadFlags)

/**
 * tractor_to_thread:
 * @func: runs in a thread of its own, in which nothing of the guest may be used but
 *   tractor_from_thread() and tokens
 * @data_free: (nullable): called once with @data, when @func has returned, in that thread; or at
 *   once on failure
 * @limiter: (nullable): how many such threads at the same time; NULL: 40 in this guest
 *
 * Runs what blocks, or computes for long, while other tasks go on. Threads are kept for a while and
 * used again.
 *
 * A call that is made for @func, by tractor_from_thread(), wants a second token of @limiter while @func has
 * one: if all who have one do that, they wait for each other until they are cancelled. Give what is nested
 * a limiter of its own.
 *
 * Returns: TRUE; or FALSE with @error set to what @func failed with; to CANCELLED, and then @func
 *   has not been called, or was abandoned; or to LIMIT if the system has no more threads.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_to_thread (TractorTaskFunc func,
                                        gpointer data,
                                        GDestroyNotify data_free,
                                        TractorThreadFlags flags,
                                        TractorLimiter *limiter,
                                        GError **error);

/**
 * tractor_from_thread:
 * @func: runs in the task that waits in tractor_to_thread(), inside its cancel scopes; may suspend
 *
 * Returns: what @func returned; or FALSE with @error set to CANCELLED if that task does not wait any
 *   more, to RUN_FINISHED, or to MISUSE in a thread that was not started by tractor_to_thread().
 * Suspends: no, it blocks the thread. Thread: inside tractor_to_thread()'s function.
 */
TRACTOR_API gboolean tractor_from_thread (TractorTaskFunc func, gpointer data, GError **error);

/**
 * tractor_from_thread_check_cancelled:
 *
 * For a long computation: whether the task that waits for it has been cancelled.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, or to MISUSE as tractor_from_thread().
 * Suspends: no. Thread: inside tractor_to_thread()'s function.
 */
TRACTOR_API gboolean tractor_from_thread_check_cancelled (GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorToken, tractor_token_unref)

G_END_DECLS
