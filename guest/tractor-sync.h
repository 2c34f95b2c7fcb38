/* tractor-sync.h - tasks that wait for one another. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

typedef struct _TractorEvent TractorEvent;
typedef struct _TractorLock TractorLock;
typedef struct _TractorCondition TractorCondition;
typedef struct _TractorSemaphore TractorSemaphore;
typedef struct _TractorLimiter TractorLimiter;
typedef struct _TractorParkingLot TractorParkingLot;
typedef struct _TractorWaker TractorWaker;

/* --- events ------------------------------------------------------------------------------------ */

/**
 * tractor_event_new:
 *
 * Something that happens once. It cannot be cleared: a new happening is a new event.
 *
 * Returns: (transfer full): the event.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API TractorEvent *tractor_event_new (void);

/**
 * tractor_event_set_static_name:
 * @name: (nullable): what happens, as a noun ("bank to be open"); it is not copied, and must stay until nobody waits any more.
 *   NULL is none
 *
 * Names what whoever begins to wait from now on waits for: tractor_guest_dump(), `tractor dump` and gdb say so in place of
 * "event".
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API void tractor_event_set_static_name (TractorEvent *event, const char *name);

/**
 * tractor_event_set:
 *
 * Wakes all that wait, and lets all that come later pass.
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API void tractor_event_set (TractorEvent *event);

/**
 * tractor_event_is_set:
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_event_is_set (TractorEvent *event);

/**
 * tractor_event_wait:
 *
 * Waits until the event is set.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_checkpoint().
 * Suspends: yes, a checkpoint, also if the event is set. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_event_wait (TractorEvent *event, GError **error);

/**
 * tractor_event_free:
 * @event: (transfer full) (nullable): nobody may be waiting for it
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_event_free (TractorEvent *event);

/* --- locks ------------------------------------------------------------------------------------- */

/**
 * tractor_lock_new:
 *
 * For what a task does in several steps between which it waits, and nobody may see half done. What
 * is done without waiting needs no lock: tasks do not interrupt each other.
 *
 * Returns: (transfer full): a lock that nobody holds.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorLock *tractor_lock_new (void);

/**
 * tractor_lock_acquire:
 *
 * Takes the lock, waiting in line for it. It is not recursive.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; MISUSE if the calling task holds it; or
 *   BROKEN if a task has ended with it, now or ever.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_lock_acquire (TractorLock *lock, GError **error);

/**
 * tractor_lock_acquire_nowait:
 *
 * Takes the lock if nobody holds it.
 *
 * Returns: TRUE; or FALSE with @error set to WOULD_BLOCK, MISUSE or BROKEN.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_lock_acquire_nowait (TractorLock *lock, GError **error);

/**
 * tractor_lock_release:
 *
 * Gives the lock to whoever has waited longest.
 *
 * Suspends: no. Thread: guest, in the task that holds it.
 */
TRACTOR_API void tractor_lock_release (TractorLock *lock);

/**
 * tractor_lock_free:
 * @lock: (transfer full) (nullable): nobody may hold it or wait for it
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_lock_free (TractorLock *lock);

/* --- conditions -------------------------------------------------------------------------------- */

/**
 * tractor_condition_new:
 * @lock: stays the caller's, and must outlive the condition
 *
 * For waiting until what @lock guards has become what one needs.
 *
 * Returns: (transfer full): the condition.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorCondition *tractor_condition_new (TractorLock *lock);

/**
 * tractor_condition_wait:
 *
 * Releases the lock, waits to be notified, and takes the lock again. It is held when this returns,
 * also after a cancel, unless the error is BROKEN.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; MISUSE without the lock; or BROKEN.
 * Suspends: yes, a checkpoint. Thread: guest, in the task that holds the lock.
 */
TRACTOR_API gboolean tractor_condition_wait (TractorCondition *condition, GError **error);

/**
 * tractor_condition_notify:
 * @n: how many at most; G_MAXUINT: all
 *
 * Lets those who have waited longest go on, once the lock is released.
 *
 * Suspends: no. Thread: guest, in the task that holds the lock.
 */
TRACTOR_API void tractor_condition_notify (TractorCondition *condition, guint n);

/**
 * tractor_condition_free:
 * @condition: (transfer full) (nullable): nobody may be waiting for it
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_condition_free (TractorCondition *condition);

/* --- semaphores -------------------------------------------------------------------------------- */

/**
 * tractor_semaphore_new:
 * @value: places that are free at first
 * @max: places in all; G_MAXUINT: any number
 *
 * Returns: (transfer full): the semaphore.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorSemaphore *tractor_semaphore_new (guint value, guint max);

/**
 * tractor_semaphore_acquire:
 *
 * Takes a place, waiting in line for it.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_checkpoint().
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_semaphore_acquire (TractorSemaphore *semaphore, GError **error);

/**
 * tractor_semaphore_acquire_nowait:
 *
 * Takes a place if one is free.
 *
 * Returns: TRUE; or FALSE with @error set to WOULD_BLOCK.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API gboolean tractor_semaphore_acquire_nowait (TractorSemaphore *semaphore, GError **error);

/**
 * tractor_semaphore_release:
 *
 * Gives a place back, or to whoever has waited longest. Any task may do so.
 *
 * Returns: TRUE; or FALSE with @error set to MISUSE if all places were free.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API gboolean tractor_semaphore_release (TractorSemaphore *semaphore, GError **error);

/**
 * tractor_semaphore_get_value:
 *
 * Returns: how many places are free.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API guint tractor_semaphore_get_value (TractorSemaphore *semaphore);

/**
 * tractor_semaphore_free:
 * @semaphore: (transfer full) (nullable): nobody may be waiting for it
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_semaphore_free (TractorSemaphore *semaphore);

/* --- limiters ---------------------------------------------------------------------------------- */

/**
 * tractor_limiter_new:
 * @total: how many borrowers at the same time; G_MAXUINT: any number
 *
 * A semaphore that knows who has a token, for holding back how much is done at once, such as threads
 * or connections.
 *
 * Returns: (transfer full): the limiter.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorLimiter *tractor_limiter_new (guint total);

/**
 * tractor_limiter_acquire:
 * @borrower: (nullable): any address that stands for who gets the token; NULL: the calling task
 *
 * Borrows a token, waiting in line for it.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, or MISUSE if @borrower has one.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_limiter_acquire (TractorLimiter *limiter,
                                              gconstpointer borrower,
                                              GError **error);

/**
 * tractor_limiter_acquire_nowait:
 * @borrower: (nullable): as for tractor_limiter_acquire()
 *
 * Borrows a token if one is free.
 *
 * Returns: TRUE; or FALSE with @error set to WOULD_BLOCK, or MISUSE if @borrower has one.
 * Suspends: no. Thread: guest, in a task; with a @borrower also in a callback of its host.
 */
TRACTOR_API gboolean tractor_limiter_acquire_nowait (TractorLimiter *limiter,
                                                     gconstpointer borrower,
                                                     GError **error);

/**
 * tractor_limiter_release:
 * @borrower: (nullable): as for tractor_limiter_acquire(); a task that ends does not give its token
 *   back by itself
 *
 * Gives the token back, or to whoever has waited longest.
 *
 * Returns: TRUE; or FALSE with @error set to MISUSE if @borrower has none.
 * Suspends: no. Thread: guest, in a task; with a @borrower also in a callback of its host.
 */
TRACTOR_API gboolean tractor_limiter_release (TractorLimiter *limiter,
                                              gconstpointer borrower,
                                              GError **error);

/**
 * tractor_limiter_set_total:
 *
 * Changes how many tokens there are. More let as many of those who wait go on; fewer take none away,
 * but nobody gets one until enough have come back.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_limiter_set_total (TractorLimiter *limiter, guint total);

/**
 * TractorLimiterStatistics:
 * @total: tokens in all
 * @n_borrowed: tokens that somebody has; may be more than @total after that was made smaller
 * @n_waiting: tasks that wait for one
 */
typedef struct {
  guint total;
  guint n_borrowed;
  guint n_waiting;
} TractorLimiterStatistics;

/**
 * tractor_limiter_get_statistics:
 * @ret_statistics: (out): how the limiter stands
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_limiter_get_statistics (TractorLimiter *limiter,
                                                 TractorLimiterStatistics *ret_statistics);

/**
 * tractor_limiter_free:
 * @limiter: (transfer full) (nullable): nobody may be waiting for it
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_limiter_free (TractorLimiter *limiter);

/* --- for making other primitives ---------------------------------------------------------------- */

/**
 * tractor_parking_lot_new:
 *
 * A line of waiting tasks, first come first served, and nothing else.
 *
 * Returns: (transfer full): an empty one.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorParkingLot *tractor_parking_lot_new (void);

/**
 * tractor_parking_lot_set_static_name:
 * @name: (nullable): as of tractor_event_set_static_name()
 *
 * Names what whoever begins to wait from now on waits for, in place of "parking lot".
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_parking_lot_set_static_name (TractorParkingLot *lot, const char *name);

/**
 * tractor_parking_lot_park:
 *
 * Waits at the end of the line until unparked.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, or to BROKEN after
 *   tractor_parking_lot_break().
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_parking_lot_park (TractorParkingLot *lot, GError **error);

/**
 * tractor_parking_lot_unpark:
 * @n: how many at most; G_MAXUINT: all
 *
 * Lets those who have waited longest go on.
 *
 * Returns: how many.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API guint tractor_parking_lot_unpark (TractorParkingLot *lot, guint n);

/**
 * tractor_parking_lot_repark:
 * @to: another one
 * @n: how many at most; G_MAXUINT: all
 *
 * Moves those who have waited longest to the end of the line of @to, in their order, without waking
 * them.
 *
 * Returns: how many.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API guint tractor_parking_lot_repark (TractorParkingLot *lot,
                                              TractorParkingLot *to,
                                              guint n);

/**
 * tractor_parking_lot_break:
 *
 * Says that nobody will unpark any more, such as when what the line is for has ended: all who wait,
 * and all who come later, get BROKEN.
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API void tractor_parking_lot_break (TractorParkingLot *lot);

/**
 * tractor_parking_lot_get_length:
 *
 * Returns: how many tasks wait.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API guint tractor_parking_lot_get_length (TractorParkingLot *lot);

/**
 * tractor_parking_lot_free:
 * @lot: (transfer full) (nullable): nobody may be waiting in it
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_parking_lot_free (TractorParkingLot *lot);

/**
 * TractorAbortFunc:
 *
 * Called off the waiting task's stack, once, when it is cancelled: takes back what it waits for.
 *
 * Returns: TRUE if that is done: tractor_waker_wake() will not be called any more. FALSE if it is
 *   too late, or takes time: then the wait goes on until tractor_waker_wake() ends it.
 */
typedef gboolean (*TractorAbortFunc) (gpointer data);

/**
 * tractor_waker_new:
 *
 * One wait for something that reports by a callback: make a waker, start the operation with it as
 * the callback's data, wait; and the callback wakes.
 *
 * Returns: (transfer full): a waker for one wait and one wake.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorWaker *tractor_waker_new (void);

/**
 * tractor_waker_wake:
 * @failure: (transfer full) (nullable): what the wait is to fail with
 *
 * Ends the wait, also one that has not begun. A second time is a mistake, and reported with
 * g_critical().
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host; other threads go by
 *   tractor_token_run_soon().
 */
TRACTOR_API void tractor_waker_wake (TractorWaker *waker, GError *failure);

/**
 * tractor_waker_wait:
 * @abort: (nullable): how to take back what is waited for; NULL: it cannot be, and the wait cannot
 *   be cancelled
 *
 * Waits for tractor_waker_wake(). If the task is cancelled already, @abort is called at once.
 *
 * Returns: TRUE; or FALSE with @error set to what tractor_waker_wake() was given; to CANCELLED if
 *   @abort returned TRUE; to MISUSE if it has been waited for before; or to NESTED_HOST_LOOP.
 * Suspends: yes; but a wake that has come already is reported also to a cancelled task. Thread:
 *   guest, in a task.
 */
TRACTOR_API gboolean tractor_waker_wait (TractorWaker *waker,
                                         TractorAbortFunc abort,
                                         gpointer data,
                                         GError **error);

/**
 * tractor_waker_free:
 * @waker: (transfer full) (nullable): nobody may be waiting for it
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_waker_free (TractorWaker *waker);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorEvent, tractor_event_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorLock, tractor_lock_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorCondition, tractor_condition_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorSemaphore, tractor_semaphore_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorLimiter, tractor_limiter_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorParkingLot, tractor_parking_lot_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorWaker, tractor_waker_free)

G_END_DECLS
