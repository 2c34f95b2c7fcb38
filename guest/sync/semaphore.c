/* semaphore.c - a number of places, handed to whoever has waited longest. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "parking-lot.h"
#include "tractor-sync.h"

struct _TractorSemaphore {
  guint value;
  guint max;
  ParkingLot waiting; /* only while value is 0 */
};

TractorSemaphore *
tractor_semaphore_new (guint value, guint max)
{
  TractorSemaphore *semaphore;

  g_return_val_if_fail (value <= max, NULL);

  semaphore = g_new0 (TractorSemaphore, 1);
  semaphore->value = value;
  semaphore->max = max;
  return semaphore;
}

void
tractor_semaphore_free (TractorSemaphore *semaphore)
{
  if (semaphore == NULL)
    return;

  g_return_if_fail (semaphore->waiting.first == NULL);
  g_free (semaphore);
}

gboolean
tractor_semaphore_acquire (TractorSemaphore *semaphore, GError **error)
{
  Task *task = task_begin (error);
  Parked parked = { 0 };

  if (!tractor_error_check_given (semaphore, "semaphore", error))
    return FALSE;

  if (task == NULL)
    return FALSE;
  if (semaphore->value > 0) {
    semaphore->value--;
    tractor__task_yield (task);
    return TRUE;
  }
  if (tractor__parking_lot_park (&semaphore->waiting, task, &parked, "semaphore") == WAKE_NORMAL)
    return TRUE; /* the place was handed over */
  tractor__task_set_cancelled (task, error);
  return FALSE;
}

gboolean
tractor_semaphore_acquire_nowait (TractorSemaphore *semaphore, GError **error)
{
  if (!tractor_error_check_given (semaphore, "semaphore", error))
    return FALSE;

  if (semaphore->value == 0) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK,
                         "The semaphore has no place left");
    return FALSE;
  }
  semaphore->value--;
  return TRUE;
}

gboolean
tractor_semaphore_release (TractorSemaphore *semaphore, GError **error)
{
  if (!tractor_error_check_given (semaphore, "semaphore", error))
    return FALSE;

  if (parking_lot_unpark (&semaphore->waiting, WAKE_NORMAL) != NULL)
    return TRUE;
  if (semaphore->value == semaphore->max) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "The semaphore is released more often than acquired: its maximum is %u",
                 semaphore->max);
    return FALSE;
  }
  semaphore->value++;
  return TRUE;
}

guint
tractor_semaphore_get_value (TractorSemaphore *semaphore)
{
  g_return_val_if_fail (semaphore != NULL, 0);

  return semaphore->value;
}
