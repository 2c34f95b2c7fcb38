/* lock.c - one task at a time, and waiting for something to become true meanwhile.
 *
 * A lock is handed over: who releases it gives it to whoever has waited longest, and cannot take it
 * again before. A task that ends with a lock in its hands leaves what the lock guards in an unknown
 * state; nobody gets it any more, and all are told (BROKEN).
 *
 * A condition's waiter is moved, when notified, from the condition's line to the lock's: it goes on
 * when it has the lock, and not before. A cancelled waiter takes the lock again too, shielded,
 * because its caller believes that it has it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "parking-lot.h"
#include "task.h"
#include "tractor-sync.h"

struct _TractorLock {
  Held held;          /* by its holder */
  ParkingLot waiting; /* and who that is */
  gboolean is_broken;
  TractorCondition *conditions; /* on it */
};

struct _TractorCondition {
  TractorLock *lock;
  TractorCondition *next; /* on the same lock */
  ParkingLot waiting;
};

/* --- locks -------------------------------------------------------------------------------------- */

static void break_lock (Held *held);

TractorLock *
tractor_lock_new (void)
{
  TractorLock *lock = g_new0 (TractorLock, 1);

  lock->held.abandoned = break_lock;
  return lock;
}

void
tractor_lock_free (TractorLock *lock)
{
  if (lock == NULL)
    return;

  g_return_if_fail (lock->waiting.holder == NULL && lock->waiting.first == NULL);
  g_return_if_fail (lock->conditions == NULL);
  g_free (lock);
}

static void
give (TractorLock *lock, Task *task)
{
  lock->waiting.holder = task;
  task_hold (task, &lock->held);
}

static void
take_away (TractorLock *lock)
{
  task_unhold (lock->waiting.holder, &lock->held);
  lock->waiting.holder = NULL;
}

static void
hand_over (TractorLock *lock)
{
  Parked *next;

  take_away (lock);
  next = parking_lot_unpark (&lock->waiting, WAKE_NORMAL);
  if (next != NULL)
    give (lock, next->task);
}

static gboolean
set_broken (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN,
                       "The task that held the lock has ended without releasing it");
  return FALSE;
}

static gboolean
check_acquirable (TractorLock *lock, Task *task, GError **error)
{
  if (lock->is_broken)
    return set_broken (error);
  if (lock->waiting.holder == task) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "Task '%s' already holds this lock",
                 task->name);
    return FALSE;
  }
  return TRUE;
}

static gboolean
park_for_lock (TractorLock *lock, Task *task, GError **error)
{
  Parked parked = { 0 };

  switch (tractor__parking_lot_park (&lock->waiting, task, &parked, "lock")) {
  case WAKE_NORMAL:
    return TRUE; /* whoever released it has given it to us */
  case WAKE_CANCELLED:
    tractor__task_set_cancelled (task, error);
    return FALSE;
  case WAKE_CLOSED:
  case WAKE_BROKEN:
  default:
    return set_broken (error);
  }
}

gboolean
tractor_lock_acquire (TractorLock *lock, GError **error)
{
  Task *task = task_begin (error);

  if (!tractor_error_check_given (lock, "lock", error))
    return FALSE;

  if (task == NULL || !check_acquirable (lock, task, error))
    return FALSE;
  if (lock->waiting.holder != NULL)
    return park_for_lock (lock, task, error);
  give (lock, task);
  tractor__task_yield (task);
  return TRUE;
}

gboolean
tractor_lock_acquire_nowait (TractorLock *lock, GError **error)
{
  Task *task = task_get_suspendable (error);

  if (!tractor_error_check_given (lock, "lock", error))
    return FALSE;

  if (task == NULL || !check_acquirable (lock, task, error))
    return FALSE;
  if (lock->waiting.holder != NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK, "Task '%s' holds the lock",
                 lock->waiting.holder->name);
    return FALSE;
  }
  give (lock, task);
  return TRUE;
}

static gboolean
is_mine (TractorLock *lock)
{
  TractorGuest *guest = tractor__current_guest;

  return guest != NULL && guest->current != NULL && lock->waiting.holder == guest->current;
}

void
tractor_lock_release (TractorLock *lock)
{
  g_return_if_fail (lock != NULL && is_mine (lock));

  hand_over (lock);
}

static void
break_lock (Held *held)
{
  TractorLock *lock = (TractorLock *) held; /* its first member */

  take_away (lock);
  lock->is_broken = TRUE;
  parking_lot_unpark_all (&lock->waiting, WAKE_BROKEN);
  for (TractorCondition *on = lock->conditions; on != NULL; on = on->next)
    parking_lot_unpark_all (&on->waiting, WAKE_BROKEN); /* they would want the lock */
}

/* --- conditions --------------------------------------------------------------------------------- */

TractorCondition *
tractor_condition_new (TractorLock *lock)
{
  TractorCondition *condition;

  g_return_val_if_fail (lock != NULL, NULL);

  condition = g_new0 (TractorCondition, 1);
  condition->lock = lock;
  condition->next = lock->conditions;
  lock->conditions = condition;
  return condition;
}

void
tractor_condition_free (TractorCondition *condition)
{
  TractorCondition **link;

  if (condition == NULL)
    return;

  g_return_if_fail (condition->waiting.first == NULL);
  for (link = &condition->lock->conditions; *link != condition; link = &(*link)->next)
    ;
  *link = condition->next;
  g_free (condition);
}

static gboolean
reacquire (TractorLock *lock, GError **error)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  return tractor_lock_acquire (lock, error);
}

gboolean
tractor_condition_wait (TractorCondition *condition, GError **error)
{
  Task *task = task_begin (error);
  Parked parked = { 0 };
  GError *failure = NULL;

  if (!tractor_error_check_given (condition, "condition", error))
    return FALSE;

  if (task == NULL)
    return FALSE;
  if (!is_mine (condition->lock)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A condition is waited for with its lock held");
    return FALSE;
  }

  hand_over (condition->lock);
  switch (tractor__parking_lot_park (&condition->waiting, task, &parked, "condition")) {
  case WAKE_NORMAL:
    return TRUE; /* with the lock */
  case WAKE_CANCELLED:
    tractor__task_set_cancelled (task, &failure);
    if (!reacquire (condition->lock, error)) { /* broken meanwhile: there is no lock to hold */
      g_clear_error (&failure);
      return FALSE;
    }
    g_propagate_error (error, failure);
    return FALSE;
  case WAKE_CLOSED:
  case WAKE_BROKEN:
  default:
    return set_broken (error);
  }
}

void
tractor_condition_notify (TractorCondition *condition, guint n)
{
  g_return_if_fail (condition != NULL && is_mine (condition->lock));

  for (; n > 0 && condition->waiting.first != NULL; n--)
    parking_lot_repark (&condition->waiting, &condition->lock->waiting);
}
