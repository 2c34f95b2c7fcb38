/* parking-lot.c - waiting in line, and leaving the line when cancelled. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "parking-lot.h"

typedef struct {
  ParkingLot *lot;
  Parked *parked;
} Place;

static gboolean
leave (G_GNUC_UNUSED Task *task, gpointer data)
{
  Place *place = data;

  parking_lot_remove (place->lot, place->parked);
  return TRUE;
}

TaskWake
tractor__parking_lot_park (ParkingLot *lot, Task *task, Parked *parked, const char *waiting_for)
{
  Place place = { lot, parked };

  parked->task = task;
  parking_lot_append (lot, parked);
  return tractor__task_park (task, leave, &place, waiting_for);
}
