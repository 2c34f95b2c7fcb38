/* tractor-task.h - what code inside a task may do.
 *
 * Every call is made on the thread of the guest. A call that can suspend is a checkpoint: it takes
 * a GError last, and fails with TRACTOR_ERROR_CANCELLED again and again while an enclosing scope
 * is cancelled. A CANCELLED that comes back means that the operation did not happen. Deadlines are
 * absolute, monotonic, in microseconds. Out parameters are named ret_* and are set only on
 * success. Objects that open also close; closing waits, so nothing outlives its scope. What is
 * opened by a task is closed by the same task, innermost first: g_autoptr does that by itself when
 * variables are declared in the order of opening.
 *
 * What a task sets for its thread it sets back before it suspends, for others run there too: what uselocale() sets is
 * looked at after each tick, and told with g_critical(), once for each guest, and taken away. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-error.h"

G_BEGIN_DECLS

#define TRACTOR_NO_DEADLINE G_MAXINT64

typedef struct _TractorCancelScope TractorCancelScope;
typedef struct _TractorNursery TractorNursery;
typedef struct _TractorFdWatch TractorFdWatch;
typedef struct _TractorTaskStatus TractorTaskStatus;

/**
 * TractorTaskFunc:
 * @error: never NULL
 *
 * A task's body. Returns: TRUE; or FALSE with *@error set.
 */
typedef gboolean (*TractorTaskFunc) (gpointer data, GError **error);

/**
 * TractorRunFunc:
 *
 * Runs @main as the main task of a fresh loop, until it and all that it started have ended:
 * tractor_run(), tractor_glib_run(), tractor_uv_run().
 */
typedef gboolean (*TractorRunFunc) (TractorTaskFunc main, gpointer data, GError **error);

/* --- time and checkpoints ---------------------------------------------------------------------- */

/**
 * tractor_now:
 *
 * Returns: the clock that deadlines are measured by, in usec: monotonic, or a test's virtual one.
 * Suspends: no. Thread: any; outside a guest's thread it is the monotonic clock.
 */
TRACTOR_API gint64 tractor_now (void);

/**
 * tractor_checkpoint:
 *
 * Lets every other runnable task have its turn, then reports a cancel. A long computation calls it
 * now and then, so that it can be cancelled and the rest of the program goes on.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, MISUSE outside a task, or NESTED_HOST_LOOP.
 * Suspends: yes, a checkpoint. Thread: guest.
 */
TRACTOR_API gboolean tractor_checkpoint (GError **error);

/**
 * tractor_checkpoint_if_cancelled:
 *
 * Reports a cancel, without letting others have their turn.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_checkpoint().
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_checkpoint_if_cancelled (GError **error);

/**
 * tractor_cancel_shielded_checkpoint:
 *
 * Lets every other runnable task have its turn, without looking for a cancel: for after something
 * that has happened and must be reported as such.
 *
 * Returns: TRUE; or FALSE with @error set to MISUSE outside a task, or NESTED_HOST_LOOP.
 * Suspends: yes, but is no cancel point. Thread: guest.
 */
TRACTOR_API gboolean tractor_cancel_shielded_checkpoint (GError **error);

/**
 * tractor_current_effective_deadline:
 *
 * Returns: when the running task will be cancelled by a deadline at the latest, in usec: the
 *   earliest of all scopes around it that no shield hides; TRACTOR_NO_DEADLINE if there is none, or
 *   outside a task; G_MININT64 if it is cancelled already.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gint64 tractor_current_effective_deadline (void);

/**
 * tractor_wait_all_tasks_blocked:
 * @cushion_usec: on the real clock: how long that has to last; 0 is enough for tasks and descriptors
 *   of this process
 *
 * For tests: waits until every other task of the guest waits for something, so that what was
 * started has come as far as it can. Of several such calls the one with the shortest cushion returns
 * first, and the others begin to count anew. Under a virtual clock it comes before any jump.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_checkpoint().
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_wait_all_tasks_blocked (gint64 cushion_usec, GError **error);

/**
 * tractor_sleep_until:
 * @deadline: in usec; TRACTOR_NO_DEADLINE sleeps until cancelled
 *
 * Sleeps, never shorter than asked. A deadline that has passed makes it a tractor_checkpoint().
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_checkpoint().
 * Suspends: yes, a checkpoint. Thread: guest.
 */
TRACTOR_API gboolean tractor_sleep_until (gint64 deadline, GError **error);

/**
 * tractor_in_task:
 *
 * Returns: whether this code runs inside a task and may suspend: FALSE in a host's callback.
 * Suspends: no. Thread: any.
 */
TRACTOR_API gboolean tractor_in_task (void);

/**
 * tractor_task_get_stack:
 * @ret_touched_bytes: (out) (optional): how much of it has been in use at some time, in whole pages,
 *   by this task and by those that had it before
 *
 * For finding out how large stacks have to be.
 *
 * Returns: the size of the running task's stack in bytes, 0 outside a task.
 * Suspends: no. Thread: any.
 */
TRACTOR_API gsize tractor_task_get_stack (gsize *ret_touched_bytes);

/**
 * tractor_set_default_stack_size:
 * @stack_bytes: rounded up to pages, at least 16 KiB; 0: what the host gives: 1 MiB on GLib's, where
 *   toolkits run, 256 KiB on the others
 *
 * How large the stacks are of all tasks, the main task's too, in guests that are made from now on in this
 * process, on any host; in main(), before tractor_child_main(), also an actor's. Only pages that are used
 * cost memory, and the page tables: up to 4 KiB for each 2 MiB of addresses.
 *
 * Suspends: no. Thread: any.
 */
TRACTOR_API void tractor_set_default_stack_size (gsize stack_bytes);

/**
 * tractor_task_get_name:
 *
 * Returns: (transfer none) (nullable): the running task's name, NULL outside a task.
 * Suspends: no. Thread: any.
 */
TRACTOR_API const char *tractor_task_get_name (void);

/**
 * tractor_task_get_id:
 *
 * Returns: the number of the calling task: it counts from 1, and is never used again in this run. 0 outside a task.
 * Suspends: no. Thread: any; also in a handler of a signal.
 */
TRACTOR_API guint64 tractor_task_get_id (void);

/* --- file descriptors -------------------------------------------------------------------------- */

/**
 * tractor_wait_fd:
 * @events: G_IO_IN, G_IO_OUT or both
 * @ret_ready: (out) (optional): which of them hold now; a hang-up or error makes both hold, so
 *   that the read or write that follows reports it
 *
 * Waits until @fd is ready; level-triggered. One task may wait for reading and another for
 * writing. A descriptor that the kernel cannot poll, such as a regular file, is always ready. For
 * a descriptor that is waited for again and again, a TractorFdWatch is cheaper.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, BUSY if that direction has a waiter,
 *   CLOSED after tractor_notify_closing(), or G_FILE_ERROR (G_FILE_ERROR_BADF).
 * Suspends: yes, a checkpoint. Thread: guest.
 */
TRACTOR_API gboolean tractor_wait_fd (int fd,
                                      GIOCondition events,
                                      GIOCondition *ret_ready,
                                      GError **error);

/**
 * tractor_notify_closing:
 *
 * To be called before close(): wakes every waiter of @fd with CLOSED and forgets the descriptor.
 *
 * Suspends: no. Thread: guest, in a task or in a callback of its host during a tick.
 */
TRACTOR_API void tractor_notify_closing (int fd);

/**
 * tractor_fd_watch_open:
 * @fd: non-blocking; stays the caller's, and stays open until the watch is closed
 *
 * Registers @fd with the kernel once, edge-triggered, so that waiting for it costs no system call.
 * Only one watch, and no tractor_wait_fd() beside it, can be had on one descriptor.
 *
 * Returns: (transfer full): the watch, or NULL with @error set to BUSY or a G_FILE_ERROR.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorFdWatch *tractor_fd_watch_open (int fd, GError **error);

/**
 * tractor_fd_watch_set_static_name:
 * @name: (nullable): as of tractor_event_set_static_name()
 *
 * What a task waits for that waits on the watch, in dumps and debuggers, in place of "fd in" or "fd out".
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_fd_watch_set_static_name (TractorFdWatch *watch, const char *name);

/**
 * tractor_fd_watch_wait:
 * @condition: G_IO_IN or G_IO_OUT
 *
 * Waits for the next change to readable or writable, or returns at once for one that came since
 * the last wait. To be called only after a read or write was short or said EAGAIN: what is left
 * unread from before does not wake the task again. After a hang-up it returns at once, for the
 * next read or write to report it.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, BUSY or CLOSED.
 * Suspends: yes, a checkpoint. Thread: guest.
 */
TRACTOR_API gboolean tractor_fd_watch_wait (TractorFdWatch *watch,
                                            GIOCondition condition,
                                            GError **error);

/**
 * tractor_fd_watch_close:
 *
 * Forgets the descriptor, without closing it. A task that waits on the watch gets CLOSED.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_fd_watch_close (TractorFdWatch *watch);

/* --- cancel scopes ----------------------------------------------------------------------------- */

/**
 * tractor_cancel_scope_open:
 * @deadline: in usec; when it passes the scope cancels itself. TRACTOR_NO_DEADLINE: never
 *
 * Opens a scope around what the calling task does from now on, until it is closed or absorbed.
 *
 * Returns: (transfer full): to be closed by the same task, after every scope and nursery opened
 *   inside it. NULL, with a g_critical(), outside a task: what it is given to then fails with MISUSE.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API TractorCancelScope *tractor_cancel_scope_open (gint64 deadline);

/**
 * tractor_cancel_scope_cancel:
 * @reason: (nullable): a few words for the error; up to 63 bytes are kept, in whole characters. The first
 *   reason stays.
 *
 * Cancels everything inside the scope, children's children too: whoever waits there wakes up with
 * CANCELLED, and every checkpoint there fails, until the scope is left. Asking twice is harmless.
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API void tractor_cancel_scope_cancel (TractorCancelScope *scope, const char *reason);

/**
 * tractor_cancel_scope_set_deadline:
 *
 * Moves the deadline, earlier or later. A cancel that has happened stays.
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API void tractor_cancel_scope_set_deadline (TractorCancelScope *scope, gint64 deadline);

/**
 * TractorStandstillFunc:
 *
 * Returns: for how long, in usec and all in all, a clock has stood still so far: never less than before.
 */
typedef gint64 (*TractorStandstillFunc) (void);

/**
 * tractor_cancel_scope_set_standstill: (skip)
 * @func: (nullable): %NULL: its clock never stands still
 *
 * Has the deadline, as it is and as it will be set, come as much later as @func says that the clock has stood still from
 * then on: for patience with somebody who cannot answer meanwhile, as an actor that a debugger holds. It may come some
 * hundredths of a second later than that. @func is called when the deadline would come, and must not wait.
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API void tractor_cancel_scope_set_standstill (TractorCancelScope *scope,
                                                      TractorStandstillFunc func);

/**
 * tractor_cancel_scope_set_shield:
 *
 * A shielded scope does not see a cancel from outside it; its own cancel and deadline still act.
 * For cleanup that needs to wait: open a scope with a deadline, and shield it.
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API void tractor_cancel_scope_set_shield (TractorCancelScope *scope, gboolean shield);

/**
 * tractor_cancel_scope_get_cancel_called:
 *
 * Returns: whether the scope was cancelled, by request or by its deadline.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_cancel_scope_get_cancel_called (TractorCancelScope *scope);

/**
 * tractor_cancel_scope_get_cancelled_caught:
 *
 * Returns: whether tractor_cancel_scope_absorb() took a CANCELLED away: FALSE if the body ended by
 *   itself although the scope was cancelled.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_cancel_scope_get_cancelled_caught (TractorCancelScope *scope);

/**
 * TractorCancelSource:
 * @TRACTOR_CANCEL_NONE: not cancelled
 * @TRACTOR_CANCEL_EXPLICIT: by tractor_cancel_scope_cancel() or tractor_guest_cancel()
 * @TRACTOR_CANCEL_DEADLINE: its time was up
 * @TRACTOR_CANCEL_NURSERY: the body or a child of the nursery failed, or it was closed without a join
 * @TRACTOR_CANCEL_SHUTDOWN: the host's loop is ending
 */
typedef enum {
  TRACTOR_CANCEL_NONE,
  TRACTOR_CANCEL_EXPLICIT,
  TRACTOR_CANCEL_DEADLINE,
  TRACTOR_CANCEL_NURSERY,
  TRACTOR_CANCEL_SHUTDOWN
} TractorCancelSource;

/**
 * tractor_cancel_scope_get_source:
 * @ret_reason: (out) (optional) (transfer none) (nullable): the words that came with it; valid until
 *   the scope is closed
 *
 * Returns: what cancelled the scope: itself, or else the nearest one around it whose cancel it sees.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorCancelSource tractor_cancel_scope_get_source (TractorCancelScope *scope,
                                                                 const char **ret_reason);

/**
 * tractor_cancel_scope_absorb:
 * @error: (inout): the body's result; what of it was this scope's own cancel coming home is taken
 *   away, also from inside a GROUP, and failures of nurseries inside that nobody joined are added.
 *   Never NULL.
 *
 * Leaves the scope. If an enclosing scope is cancelled too, the CANCELLED is that one's, and stays.
 *
 * What the task has left open inside is closed first: nurseries, contexts, a runtime. Unless it was
 * joined that is a mistake, of which a MISUSE is added.
 *
 * Returns: TRUE if nothing is left in *@error.
 * Suspends: if something was left open inside whose closing does; but is no cancel point. Thread:
 *   guest, the task that opened the scope.
 */
TRACTOR_API gboolean tractor_cancel_scope_absorb (TractorCancelScope *scope, GError **error);

/**
 * tractor_cancel_scope_absorb_or_fail:
 * @error: (inout): as for tractor_cancel_scope_absorb()
 *
 * As tractor_cancel_scope_absorb(), for work that must not be late: where a CANCELLED was taken away
 * and nothing else is left, *@error says TOO_SLOW instead.
 *
 * Returns: TRUE if the body was in time, and nothing is left in *@error.
 * Suspends: as tractor_cancel_scope_absorb(). Thread: guest, the task that opened the scope.
 */
TRACTOR_API gboolean tractor_cancel_scope_absorb_or_fail (TractorCancelScope *scope,
                                                          GError **error);

/**
 * tractor_cancel_scope_close:
 * @scope: (transfer full) (nullable)
 *
 * Leaves the scope, if tractor_cancel_scope_absorb() has not, and frees it.
 *
 * Suspends: as tractor_cancel_scope_absorb(). Thread: guest, the task that opened the scope.
 */
TRACTOR_API void tractor_cancel_scope_close (TractorCancelScope *scope);

/* --- for libraries: what is more than a scope -------------------------------------------------- */

/* An object that a task opens and closes, as it does a nursery, and that stands for more than tasks: a
 * connection, say, that must be told of the end. It opens a scope or a nursery, which gives it its place
 * in the task, and says here what else there is to do if the task leaves what is around without having
 * closed it. */

/**
 * TractorScopeContent:
 * @name: (nullable): what the MISUSE of a task that has left it open calls it, such as "context"; NULL
 *   if that is no mistake of the task's
 * @end: (nullable): called before the scope is left for its owner: ends what lives in there. It may wait,
 *   in a shielded scope
 * @left: (nullable): called after that
 * @free: frees it: the task has ended without having closed it
 */
typedef struct {
  const char *name;
  void (*end) (gpointer data);
  void (*left) (gpointer data);
  void (*free) (gpointer data);
} TractorScopeContent;

/**
 * tractor_cancel_scope_set_content:
 * @content: must stay valid as long as the scope
 * @data: for its functions
 *
 * Says what else there is to do if the scope is left open. If it is closed in order, by the object's own
 * function for that, none of @content is called.
 *
 * Suspends: no. Thread: guest, the task that opened the scope.
 */
TRACTOR_API void tractor_cancel_scope_set_content (TractorCancelScope *scope,
                                                   const TractorScopeContent *content,
                                                   gpointer data);

/**
 * tractor_cancel_scope_close_inside:
 *
 * How a function begins that closes such an object: closes what the task has left open inside @scope. If
 * @scope has been left already there is nothing to do.
 *
 * Returns: TRUE; or FALSE with MISUSE if the calling task has not opened the scope, or NESTED_HOST_LOOP:
 *   then nothing is to be closed. It is in *@error; or, without one or with one that is set, the calling
 *   task ends with it.
 * Suspends: as tractor_cancel_scope_absorb(). Thread: guest, the task that opened the scope.
 */
TRACTOR_API gboolean tractor_cancel_scope_close_inside (TractorCancelScope *scope, GError **error);

/**
 * tractor_cancel_scope_take_failures:
 * @error: (inout): the body's own failure; afterwards with those of what was left unjoined inside @scope
 *
 * For a function that closes such an object, and waits in its scope before it leaves that: what
 * tractor_cancel_scope_absorb() would give out of failures in there, now.
 *
 * Returns: TRUE if nothing is in *@error.
 * Suspends: no. Thread: guest, the task that opened the scope.
 */
TRACTOR_API gboolean tractor_cancel_scope_take_failures (TractorCancelScope *scope, GError **error);

/* --- for libraries: what a task has to give back -------------------------------------------------- */

/* An object that a task opens and closes, but that is no scope: several are closed in any order, and by
 * any task. It takes a hold when it is opened and releases that when it is closed, and says what to do if
 * the task ends without. */

typedef struct _TractorHold TractorHold;

/**
 * TractorHoldFunc:
 *
 * The task has ended and the object is still open: that has been reported as MISUSE, with which the task
 * ends. Closes and frees the object, whose hold is gone already. It runs in the task, after the task's data
 * has been freed, and may wait, in a shielded scope.
 */
typedef void (*TractorHoldFunc) (gpointer data);

/**
 * tractor_task_hold:
 * @kind: a constant: what the MISUSE calls the object, with its article: "a stream"
 * @abandoned: called if the calling task ends before tractor_hold_release()
 * @data: for @abandoned
 *
 * Notes that the calling task has something to close before it ends.
 *
 * Returns: (transfer full): to be released when the object is closed; or NULL, with a g_critical(), outside
 *   a task.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API TractorHold *
tractor_task_hold (const char *kind, TractorHoldFunc abandoned, gpointer data);

/**
 * tractor_hold_release:
 * @hold: (transfer full) (nullable)
 *
 * The object is closed: by the task that opened it, by another, or by what frees the task's data.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_hold_release (TractorHold *hold);

/**
 * tractor_task_mark_holds:
 *
 * For who calls another's function in a task of its own, and says itself how that ended: what is held is
 * to be given back when the function returns, and not only with the task.
 *
 * Returns: a mark of what has been held until now.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API guint64 tractor_task_mark_holds (void);

/**
 * tractor_task_has_holds:
 *
 * Returns: whether the calling task holds something that it has taken after @mark.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_task_has_holds (guint64 mark);

/**
 * tractor_task_abandon_holds:
 *
 * Does what the end of the calling task would, for all that it has taken after @mark: each is closed, and is a
 * MISUSE that comes out of the scope that the task is in.
 *
 * Suspends: as their functions. Thread: guest, in a task.
 */
TRACTOR_API void tractor_task_abandon_holds (guint64 mark);

/* --- for libraries: what a task is taken for ------------------------------------------------------ */

/**
 * tractor_task_set_function:
 * @function: the function that the calling task is there for, of whatever type, as by G_CALLBACK()
 *
 * For who calls another's function in a task of its own, as a binding does: gdb's `info tractor` shows that as the
 * task's, in place of the one that it was spawned with. By it gdb and `tractor dump --own` also tell tasks of the user
 * from those of the library.
 *
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API void tractor_task_set_function (void (*function) (void));

/* --- nurseries --------------------------------------------------------------------------------- */

/**
 * tractor_nursery_open:
 *
 * Opens a place for tasks to live in. What the calling task does from now on, until it joins or
 * closes the nursery, is its body. The first failure, of the body or of a child, cancels the rest.
 *
 * Returns: (transfer full): to be closed by the same task. NULL, with a g_critical(), outside a task: what
 *   it is given to then fails with MISUSE.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API TractorNursery *tractor_nursery_open (void);

/**
 * tractor_nursery_spawn:
 * @name: (nullable): for errors and dumps; up to 31 bytes are kept, in whole characters; NULL
 *   is "unnamed"
 * @data_free: (nullable): called once with @data: when the task ends, or at once on failure
 *
 * Starts a task. It runs @func on a stack of its own, not before this call returns.
 *
 * Returns: TRUE; or FALSE with @error set to CLOSED if the nursery is, or to LIMIT if there is no
 *   memory for a stack.
 * Suspends: no. Thread: guest, in any task or in a callback of its host.
 */
TRACTOR_API gboolean tractor_nursery_spawn (TractorNursery *nursery,
                                            const char *name,
                                            TractorTaskFunc func,
                                            gpointer data,
                                            GDestroyNotify data_free,
                                            GError **error);

/**
 * tractor_nursery_spawn_with_stack:
 * @stack_bytes: for code that needs more than usual, or for very many tasks that need less; rounded
 *   up to pages, at least 16 KiB
 *
 * As tractor_nursery_spawn(), on a stack of another size. Such stacks are not kept for the next
 * task, so this is slower.
 *
 * Returns: as tractor_nursery_spawn().
 * Suspends: no. Thread: guest, in any task or in a callback of its host.
 */
TRACTOR_API gboolean tractor_nursery_spawn_with_stack (TractorNursery *nursery,
                                                       const char *name,
                                                       gsize stack_bytes,
                                                       TractorTaskFunc func,
                                                       gpointer data,
                                                       GDestroyNotify data_free,
                                                       GError **error);

/**
 * TractorStartFunc:
 * @status: (nullable): for tractor_task_started(), which is to be called once; NULL if nobody waits
 *   for that
 * @error: never NULL
 *
 * A task's body, for tractor_nursery_start().
 */
typedef gboolean (*TractorStartFunc) (TractorTaskStatus *status, gpointer data, GError **error);

/**
 * tractor_nursery_start:
 * @name: (nullable): as for tractor_nursery_spawn()
 * @data_free: (nullable): as for tractor_nursery_spawn()
 * @ret_value: (out) (optional): what the task passed to tractor_task_started(). The task may have ended
 *   by the time this returns: what is on its stack, or goes with it, is no value to pass
 *
 * Starts a task and waits until it says that it is ready. Until then the task lives under the
 * calling one, with its cancel scopes; afterwards it has moved, with all that it has opened, into
 * @nursery, which stays open meanwhile: also if it is cancelled or has failed, which does not end the
 * start. Whoever does not live in @nursery sets the start a deadline, or its join may wait for ever.
 *
 * Returns: TRUE; or FALSE with @error set to what the task failed with before it was ready, as it
 *   is; to MISUSE if it ended without being ready; to CANCELLED, and then the task is over too; or
 *   as by tractor_nursery_spawn().
 * Suspends: yes, a checkpoint. Thread: guest, in any task.
 */
TRACTOR_API gboolean tractor_nursery_start (TractorNursery *nursery,
                                            const char *name,
                                            TractorStartFunc func,
                                            gpointer data,
                                            GDestroyNotify data_free,
                                            gpointer *ret_value,
                                            GError **error);

/**
 * tractor_task_started:
 * @status: (nullable): NULL does nothing
 * @value: for whoever waits in tractor_nursery_start()
 *
 * Says that the calling task is ready. If whoever waits for that has been cancelled meanwhile, the
 * task stays where it is, and hears of the cancel at its next checkpoint.
 *
 * Returns: TRUE; or FALSE with @error set to MISUSE if it has been called before.
 * Suspends: no. Thread: guest, in the task that was started.
 */
TRACTOR_API gboolean tractor_task_started (TractorTaskStatus *status,
                                           gpointer value,
                                           GError **error);

/**
 * tractor_nursery_get_scope:
 *
 * Returns: (transfer none): the scope around the body and all children, for cancelling them.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorCancelScope *tractor_nursery_get_scope (TractorNursery *nursery);

/**
 * tractor_nursery_join:
 * @error: (inout): the body's own failure if it has one, which cancels the children; afterwards
 *   all that failed. Never NULL.
 *
 * Ends the body and waits for every child. While it waits, a cancel from outside reaches the
 * children only. All failures come back as one GROUP, also if there is just one; CANCELLED that
 * the nursery caused itself is absorbed.
 *
 * Returns: TRUE if nothing is left in *@error.
 * Suspends: yes, but is no cancel point. Thread: guest, the task that opened the nursery.
 */
TRACTOR_API gboolean tractor_nursery_join (TractorNursery *nursery, GError **error);

/**
 * tractor_nursery_close:
 * @nursery: (transfer full) (nullable)
 *
 * What g_autoptr does on an early return: cancels the children that are left, waits for them, and
 * frees the nursery. Failures of children that nobody joined are not lost: they come out of the
 * tractor_cancel_scope_absorb() or tractor_nursery_join() around it, or the calling task ends with
 * them.
 *
 * Suspends: if the nursery was not joined. Thread: guest, the task that opened the nursery.
 */
TRACTOR_API void tractor_nursery_close (TractorNursery *nursery);

/* --- what belongs to the whole run -------------------------------------------------------------- */

/**
 * tractor_run_local_get:
 * @key: any address that the caller owns, such as that of a static variable
 *
 * Returns: (transfer none) (nullable): what was set for @key in this guest.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gpointer tractor_run_local_get (gconstpointer key);

/**
 * tractor_run_local_set:
 * @data: (nullable): NULL forgets the key
 *
 * Keeps a pointer for the whole guest, as a global variable would for the process.
 *
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API void tractor_run_local_set (gconstpointer key, gpointer data);

/**
 * TractorAlarm: (skip)
 *
 * Has a function called at a time, though no task waits for that.
 */
typedef struct _TractorAlarm TractorAlarm;

/**
 * TractorAlarmFunc: (skip)
 *
 * Called in a tick, on the host's stack, outside any task: it does not suspend, and may set and free the alarm.
 */
typedef void (*TractorAlarmFunc) (gpointer data);

/**
 * tractor_alarm_new: (skip)
 *
 * For what has to be tried again though its caller cannot wait. It is not set.
 *
 * Returns: (transfer full): of this guest, and to be freed before that is.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API TractorAlarm *tractor_alarm_new (TractorAlarmFunc func, gpointer data);

/**
 * tractor_alarm_set: (skip)
 * @when: in microseconds of tractor_now(), in place of what was set before; TRACTOR_NO_DEADLINE: never
 *
 * Has the function called once, at @when or soon after. Allocates nothing, so it cannot fail. It does not keep
 * the run from its end.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_alarm_set (TractorAlarm *alarm, gint64 when);

/**
 * tractor_alarm_free: (skip)
 * @alarm: (transfer full) (nullable)
 *
 * The function is not called any more.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_alarm_free (TractorAlarm *alarm);

/**
 * TractorRunEndedFunc: (skip)
 * @failure: (nullable): what the main task's function has failed with
 *
 * Called in the main task, when its function has returned. It may suspend, but is cancelled if the run is.
 */
typedef void (*TractorRunEndedFunc) (const GError *failure);

/**
 * tractor_run_set_ended_func: (skip)
 * @func: (nullable): instead of what was there before
 *
 * Has @func called when the main task of this run ends, whatever it ends with.
 *
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API void tractor_run_set_ended_func (TractorRunEndedFunc func);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorAlarm, tractor_alarm_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorFdWatch, tractor_fd_watch_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorCancelScope, tractor_cancel_scope_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorNursery, tractor_nursery_close)

G_END_DECLS
