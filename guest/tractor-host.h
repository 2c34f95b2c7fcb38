/* tractor-host.h - for authors of hosts. The whole contract: poll one fd, call tick.
 *
 * A guest owns its own poller, which watches every fd, deadline and cross-thread wakeup of its
 * tasks and is itself one pollable fd. So a host does two things: it calls tractor_guest_tick()
 * when that fd is readable, and soon after the guest asks for it through ops->schedule(). There is
 * no state to mirror, and a tick too many is harmless.
 *
 * Programs do not need this header: they attach through tractor-glib.h, tractor-uv.h, or call
 * tractor_run(). */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-thread.h"

G_BEGIN_DECLS

#define TRACTOR_HOST_VERSION 2

typedef struct _TractorGuest TractorGuest;

/**
 * TractorHostOps:
 *
 * What a guest asks of its host. All are called on the host's thread; schedule() on the stack of
 * whoever gives the guest something to do, which may be a task of another guest on that thread.
 */
typedef struct {
  guint version; /* TRACTOR_HOST_VERSION: members past what it names are never read */

  /* Tick soon, but after this returns. Repeated calls coalesce.
   * @yielded: the tick ran out of budget, so let everything else in the loop have its turn first. */
  void (*schedule) (gpointer host, gboolean yielded);
  /* (nullable): how deep in its own dispatching the host is now, so that a checkpoint reached
   * inside a callback that a nested loop ran can be refused. NULL if the host cannot nest: then a
   * tick inside a tick is put off until the outer one ends. */
  guint (*depth) (gpointer host);
  /* (nullable): the clock, monotonic, in usec. NULL is CLOCK_MONOTONIC. A host with a clock of its
   * own calls tractor_guest_tick() by tractor_guest_get_deadline(), for the fd cannot know. */
  gint64 (*now) (gpointer host);
  /* Since version 2: how large the stacks are of its tasks, for a host whose callbacks' libraries need
   * deep ones; 0: 256 KiB. */
  gsize stack_bytes;
} TractorHostOps;

/**
 * TractorDoneFunc:
 * @error: (transfer none) (nullable): NULL if the main task succeeded
 *
 * Called once, last, on the host's thread and stack: the guest may be freed, the host quit, or
 * another guest started from here.
 */
typedef void (*TractorDoneFunc) (const GError *error, gpointer data);

/**
 * tractor_guest_new:
 * @ops: must stay valid as long as the guest
 * @done: called once, when @main and all that it started have ended
 *
 * Makes a guest whose first tick will run @main. Belongs to the calling thread. No task runs
 * before this returns, but everything else can be used.
 *
 * Returns: (transfer full): the guest; or NULL with @error set to MISUSE inside a task, LIMIT, or
 *   a G_FILE_ERROR if the kernel has no descriptor to spare. Then @done is never called.
 * Suspends: no. Thread: any, from then on the guest's.
 */
TRACTOR_API TractorGuest *tractor_guest_new (const TractorHostOps *ops,
                                             gpointer host,
                                             TractorTaskFunc main,
                                             gpointer data,
                                             TractorDoneFunc done,
                                             gpointer done_data,
                                             GError **error);

/**
 * tractor_guest_get_fd:
 *
 * Returns: a descriptor that polls readable, level-triggered, when a tick is due. The guest's own;
 *   only to be polled. Needed for a host that polls by itself, not with tractor_guest_wait().
 * Suspends: no. Thread: guest.
 */
TRACTOR_API int tractor_guest_get_fd (TractorGuest *guest);

/**
 * tractor_guest_tick:
 *
 * Runs what is due: callbacks, deadlines, ready descriptors, runnable tasks; for a few milliseconds
 * at most, then asks for another tick. Harmless at any time. Inside a running tick it is put off,
 * unless the host says by its depth() that a task's own call is running a nested loop: then the
 * other tasks go on.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_guest_tick (TractorGuest *guest);

/**
 * tractor_guest_is_due:
 *
 * For a host that is asked before it polls, also by a nested loop inside a tick, whether a tick is
 * due whatever the descriptor says: one was asked for, or tasks are runnable.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_guest_is_due (TractorGuest *guest);

/**
 * tractor_guest_note_held_up:
 *
 * For a host that has something to call which it puts off because a task's own call is running a nested
 * loop, so that the task would be below it on the stack. If that loop still runs three seconds later, it is
 * told with g_warning(), with the task's name: it may be waiting for just that. Harmless at any time.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_guest_note_held_up (TractorGuest *guest);

/**
 * tractor_guest_wait:
 * @deadline: in usec: when to come back at the latest; TRACTOR_NO_DEADLINE
 *
 * For a loop that has nothing else to do: waits on the guest's own poller until a tick is due,
 * without the extra descriptor.
 *
 * Returns: whether a tick is due; FALSE if @deadline has come first, or a signal.
 * Suspends: no, it blocks the thread. Thread: guest.
 */
TRACTOR_API gboolean tractor_guest_wait (TractorGuest *guest, gint64 deadline);

/**
 * tractor_guest_get_deadline:
 *
 * Returns: the earliest deadline of any task, in usec, or TRACTOR_NO_DEADLINE. For a host that
 *   brings its own clock.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gint64 tractor_guest_get_deadline (TractorGuest *guest);

/**
 * tractor_guest_is_settling:
 *
 * Returns: whether a task waits in tractor_wait_all_tasks_blocked(). A host that brings its own clock
 *   lets real time pass then, until the descriptor is ready, and does not jump ahead.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_guest_is_settling (TractorGuest *guest);

/**
 * tractor_guest_run_soon:
 *
 * As tractor_token_run_soon(), for who knows that the guest has not been freed.
 *
 * Returns: FALSE if the run has finished, and then @func will not be called.
 * Suspends: no. Thread: any, also in a signal handler.
 */
TRACTOR_API gboolean tractor_guest_run_soon (TractorGuest *guest,
                                             TractorSoonFunc func,
                                             gpointer data);

/**
 * tractor_guest_get_token:
 *
 * Returns: (transfer full): what other threads and signal handlers reach the guest by, also when it
 *   may have been freed.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorToken *tractor_guest_get_token (TractorGuest *guest);

/**
 * tractor_guest_cancel:
 * @reason: (nullable): as for tractor_cancel_scope_cancel()
 *
 * Cancels the main task and all below it.
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API void tractor_guest_cancel (TractorGuest *guest, const char *reason);

/**
 * tractor_guest_shutdown:
 * @deadline: in usec, on the real clock
 *
 * For a host whose loop is ending: cancels, then ticks and waits by itself until all is done.
 *
 * Returns: TRUE if the run has finished; or FALSE with @error set to TOO_SLOW, naming the tasks
 *   that are left.
 * Suspends: no, it blocks the thread. Thread: guest, outside any tick.
 */
TRACTOR_API gboolean tractor_guest_shutdown (TractorGuest *guest, gint64 deadline, GError **error);

/**
 * tractor_guest_free:
 * @guest: (transfer full) (nullable)
 *
 * Frees a guest that is done. One that is not is reported with g_critical() and the names of its
 * tasks, which are dropped without running again: their arguments are freed, but what they hold
 * on their stacks is not. In a forked copy of the process this is the only call that may be made,
 * outside any task: it is quiet, and harms the original in nothing.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_guest_free (TractorGuest *guest);

/**
 * tractor_run_in_host:
 * @func: called on the host's own stack, outside any tick and any task
 *
 * For code that a task must not run itself: what needs a deep stack (drivers, codecs, printing), or
 * runs a nested loop of the host (a modal dialog), in which all tasks then go on. Also for a toolkit
 * that finishes its work, such as a layout, only at the end of a handler of its own.
 *
 * Returns: TRUE when @func has returned; or FALSE with @error set to CANCELLED, and then it has not
 *   been called.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_run_in_host (TractorSoonFunc func, gpointer data, GError **error);

/**
 * tractor_guest_get_current:
 *
 * Returns: (transfer none) (nullable): the guest that is in a tick, or in tractor_guest_wait(), on
 *   this thread.
 * Suspends: no. Thread: any.
 */
TRACTOR_API TractorGuest *tractor_guest_get_current (void);

/**
 * tractor_guest_set_shuffle:
 * @seed: 0 runs tasks in the order in which they became runnable
 *
 * For tests: runs the tasks of each round in an order drawn from @seed, so that nothing comes to
 * rely on one order, and a failure can be replayed.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_guest_set_shuffle (TractorGuest *guest, guint64 seed);

/**
 * tractor_guest_set_stack_size:
 * @stack_bytes: rounded up to pages, at least 16 KiB
 *
 * How large the stacks are of tasks that are spawned from now on; the main task has one already: see
 * tractor_set_default_stack_size().
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_guest_set_stack_size (TractorGuest *guest, gsize stack_bytes);

/**
 * tractor_guest_notify_closing:
 *
 * tractor_notify_closing(), for a callback of the host between ticks.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_guest_notify_closing (TractorGuest *guest, int fd);

/**
 * tractor_guest_get_host:
 *
 * Returns: (transfer none) (nullable): what tractor_guest_new() was given as host together with @ops;
 *   NULL if that was another kind of host.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gpointer tractor_guest_get_host (TractorGuest *guest, const TractorHostOps *ops);

/**
 * TractorGuestStatistics:
 * @n_tasks: alive
 * @n_runnable: of them, waiting for their turn
 * @n_deadlines: of scopes and sleeping tasks
 * @n_fd_waits: tasks that wait for descriptors
 * @n_calls: from outside, not yet called
 * @n_stacks: mapped, in use or kept for later
 * @next_deadline: the earliest, in usec, or TRACTOR_NO_DEADLINE
 */
typedef struct {
  guint n_tasks;
  guint n_runnable;
  guint n_deadlines;
  guint n_fd_waits;
  guint n_calls;
  guint n_stacks;
  gint64 next_deadline;
  /*< private >*/
  gpointer padding[8];
} TractorGuestStatistics;

/**
 * tractor_guest_get_statistics:
 * @ret_statistics: (out): how the guest stands
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_guest_get_statistics (TractorGuest *guest,
                                               TractorGuestStatistics *ret_statistics);

/**
 * tractor_guest_dump:
 *
 * Writes every task with its state, what it waits for, and its stack, as text. Takes no locks and
 * allocates nothing, so that a handler of a signal may call it on a hanging process.
 *
 * Suspends: no. Thread: guest, also in a signal handler on that thread.
 */
TRACTOR_API void tractor_guest_dump (TractorGuest *guest, int fd);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorGuest, tractor_guest_free)

G_END_DECLS
