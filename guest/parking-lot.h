/* parking-lot.h - tasks that wait in line. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "task.h"

/* One task's place in the line; on that task's stack. */
typedef struct _Parked Parked;
struct _Parked {
  Parked *previous;
  Parked *next;
  Task *task;
  gpointer value; /* what is handed over, either way */
};

typedef struct {
  Parked *first; /* who has waited longest */
  Parked *last;
} ParkingLot;

static inline void
parking_lot_append (ParkingLot *lot, Parked *parked)
{
  parked->next = NULL;
  parked->previous = lot->last;
  if (lot->last != NULL)
    lot->last->next = parked;
  else
    lot->first = parked;
  lot->last = parked;
}

static inline void
parking_lot_remove (ParkingLot *lot, Parked *parked)
{
  if (parked->previous != NULL)
    parked->previous->next = parked->next;
  else
    lot->first = parked->next;
  if (parked->next != NULL)
    parked->next->previous = parked->previous;
  else
    lot->last = parked->previous;
}

/* Takes the first out of the line and wakes it. Returns: (nullable): it, valid until the next
 * switch. */
static inline Parked *
parking_lot_unpark (ParkingLot *lot, TaskWake wake)
{
  Parked *parked = lot->first;

  if (parked != NULL) {
    parking_lot_remove (lot, parked);
    task_wake (parked->task, wake);
  }
  return parked;
}

static inline void
parking_lot_unpark_all (ParkingLot *lot, TaskWake wake)
{
  while (parking_lot_unpark (lot, wake) != NULL)
    ;
}

/* Waits in line for an unpark. */
G_GNUC_INTERNAL TaskWake tractor__parking_lot_park (ParkingLot *lot,
                                                    Task *task,
                                                    Parked *parked,
                                                    const char *waiting_for);
