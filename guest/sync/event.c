/* event.c - something that happens once. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "parking-lot.h"
#include "tractor-sync.h"

struct _TractorEvent {
  ParkingLot waiting;
  gboolean is_set;
};

TractorEvent *
tractor_event_new (void)
{
  return g_new0 (TractorEvent, 1);
}

void
tractor_event_set_static_name (TractorEvent *event, const char *name)
{
  g_return_if_fail (event != NULL);

  event->waiting.name = name;
}

void
tractor_event_set (TractorEvent *event)
{
  g_return_if_fail (event != NULL);

  event->is_set = TRUE;
  parking_lot_unpark_all (&event->waiting, WAKE_NORMAL);
}

gboolean
tractor_event_is_set (TractorEvent *event)
{
  g_return_val_if_fail (event != NULL, FALSE);

  return event->is_set;
}

gboolean
tractor_event_wait (TractorEvent *event, GError **error)
{
  Task *task = task_begin (error);
  Parked parked = { 0 };

  if (!tractor_error_check_given (event, "event", error))
    return FALSE;

  if (task == NULL)
    return FALSE;
  if (event->is_set) {
    tractor__task_yield (task); /* it has happened: a cancel that comes now cannot undo that */
    return TRUE;
  }
  if (tractor__parking_lot_park (&event->waiting, task, &parked, "event") == WAKE_NORMAL)
    return TRUE;
  tractor__task_set_cancelled (task, error);
  return FALSE;
}

void
tractor_event_free (TractorEvent *event)
{
  if (event == NULL)
    return;

  g_return_if_fail (event->waiting.first == NULL);
  g_free (event);
}
