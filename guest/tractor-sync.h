/* tractor-sync.h - tasks that wait for one another. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

typedef struct _TractorEvent TractorEvent;
typedef struct _TractorLock TractorLock;
typedef struct _TractorCondition TractorCondition;
typedef struct _TractorSemaphore TractorSemaphore;

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

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorEvent, tractor_event_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorLock, tractor_lock_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorCondition, tractor_condition_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorSemaphore, tractor_semaphore_free)

G_END_DECLS
