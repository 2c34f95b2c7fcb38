/* parking-lot.h - tasks that wait in line. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "task.h"

typedef struct _Parked Parked;
typedef struct _TractorParkingLot ParkingLot;

/* One task's place in a line; on that task's stack. */
struct _Parked {
  ParkingLot *lot; /* the line that it stands in now */
  Parked *previous;
  Parked *next;
  Task *task;
  gpointer value; /* what is handed over, either way */
};

struct _TractorParkingLot {
  Parked *first; /* who has waited longest */
  Parked *last;
  Task *holder; /* (nullable): of a lock's: who has it */
  /* Only for those that programs make. */
  gboolean is_broken;
  const char *name; /* (nullable): of what is waited for, in place of what it is */
};

static inline void
parking_lot_append (ParkingLot *lot, Parked *parked)
{
  parked->lot = lot;
  parked->next = NULL;
  parked->previous = lot->last;
  if (lot->last != NULL)
    lot->last->next = parked;
  else
    lot->first = parked;
  lot->last = parked;
}

static inline void
parking_lot_remove (Parked *parked)
{
  ParkingLot *lot = parked->lot;

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
    parking_lot_remove (parked);
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

/* Moves the first of @from to the end of @to, still waiting. */
static inline void
parking_lot_repark (ParkingLot *from, ParkingLot *to)
{
  Parked *parked = from->first;

  parking_lot_remove (parked);
  parking_lot_append (to, parked);
}

static inline guint
parking_lot_get_length (const ParkingLot *lot)
{
  guint n = 0;

  for (const Parked *parked = lot->first; parked != NULL; parked = parked->next)
    n++;
  return n;
}

/* Returns: (transfer none) (nullable): the task that has the lock that @task waits for, if it does. */
G_GNUC_INTERNAL const Task *tractor__parking_lot_find_holder (const Task *task);
/* Waits in line for an unpark. */
G_GNUC_INTERNAL TaskWake tractor__parking_lot_park (ParkingLot *lot,
                                                    Task *task,
                                                    Parked *parked,
                                                    const char *waiting_for);
