/* parking-lot.c - waiting in line, and leaving the line when cancelled. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "parking-lot.h"

static gboolean
leave (G_GNUC_UNUSED Task *task, gpointer data)
{
  parking_lot_remove (data); /* whichever line it stands in by now */
  return TRUE;
}

TaskWake
tractor__parking_lot_park (ParkingLot *lot, Task *task, Parked *parked, const char *waiting_for)
{
  parked->task = task;
  parking_lot_append (lot, parked);
  return tractor__task_park (task, leave, parked, lot->name != NULL ? lot->name : waiting_for);
}

const Task *
tractor__parking_lot_find_holder (const Task *task)
{
  const Parked *parked = task->abort_data;

  return task->state == TASK_PARKED && task->abort == leave ? parked->lot->holder : NULL;
}

/* --- for programs that make their own primitives ------------------------------------------------- */

TractorParkingLot *
tractor_parking_lot_new (void)
{
  return g_new0 (TractorParkingLot, 1);
}

void
tractor_parking_lot_set_static_name (TractorParkingLot *lot, const char *name)
{
  g_return_if_fail (lot != NULL);

  lot->name = name;
}

void
tractor_parking_lot_free (TractorParkingLot *lot)
{
  if (lot == NULL)
    return;

  g_return_if_fail (lot->first == NULL);
  g_free (lot);
}

static gboolean
set_broken (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN, "The parking lot is broken");
  return FALSE;
}

gboolean
tractor_parking_lot_park (TractorParkingLot *lot, GError **error)
{
  Task *task = task_begin (error);
  Parked parked = { 0 };

  if (!tractor_error_check_given (lot, "lot", error))
    return FALSE;

  if (task == NULL)
    return FALSE;
  if (lot->is_broken)
    return set_broken (error);
  switch (tractor__parking_lot_park (lot, task, &parked, "parking lot")) {
  case WAKE_NORMAL:
    return TRUE;
  case WAKE_CANCELLED:
    tractor__task_set_cancelled (task, error);
    return FALSE;
  default:
    return set_broken (error);
  }
}

guint
tractor_parking_lot_unpark (TractorParkingLot *lot, guint n)
{
  guint n_unparked = 0;

  g_return_val_if_fail (lot != NULL, 0);

  while (n_unparked < n && parking_lot_unpark (lot, WAKE_NORMAL) != NULL)
    n_unparked++;
  return n_unparked;
}

guint
tractor_parking_lot_repark (TractorParkingLot *lot, TractorParkingLot *to, guint n)
{
  guint n_moved = 0;

  g_return_val_if_fail (lot != NULL && to != NULL && lot != to, 0);

  if (to->is_broken) {
    while (n_moved < n && parking_lot_unpark (lot, WAKE_BROKEN) != NULL)
      n_moved++;
    return n_moved;
  }
  for (; n_moved < n && lot->first != NULL; n_moved++)
    parking_lot_repark (lot, to);
  return n_moved;
}

void
tractor_parking_lot_break (TractorParkingLot *lot)
{
  g_return_if_fail (lot != NULL);

  lot->is_broken = TRUE;
  parking_lot_unpark_all (lot, WAKE_BROKEN);
}

guint
tractor_parking_lot_get_length (TractorParkingLot *lot)
{
  g_return_val_if_fail (lot != NULL, 0);

  return parking_lot_get_length (lot);
}
