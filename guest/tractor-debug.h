/* tractor-debug.h - seeing what tasks do. As tractor-crash.h, which is part of it, it needs POSIX visibility:
 * compile with -D_GNU_SOURCE or -std=gnu11. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-crash.h"
#include "tractor-host.h"

G_BEGIN_DECLS

/* --- instruments ------------------------------------------------------------------------------- */

/**
 * TractorInstrumentPoint:
 * @TRACTOR_INSTRUMENT_RUN_BEGINS: the first tick, before any task
 * @TRACTOR_INSTRUMENT_TASK_SPAWNED: there is a new task
 * @TRACTOR_INSTRUMENT_TASK_SCHEDULED: a task has become runnable
 * @TRACTOR_INSTRUMENT_STEP_BEGINS: a task gets the processor
 * @TRACTOR_INSTRUMENT_STEP_ENDED: it waits, lets others have their turn, or has ended
 * @TRACTOR_INSTRUMENT_TASK_EXITED: a task has ended
 * @TRACTOR_INSTRUMENT_WAIT_BEGINS: nothing is runnable: the host has the thread
 * @TRACTOR_INSTRUMENT_WAIT_ENDED: there is a tick again
 * @TRACTOR_INSTRUMENT_RUN_ENDED: the last task has ended
 * @TRACTOR_INSTRUMENT_ALL: all of these
 */
typedef enum {
  TRACTOR_INSTRUMENT_RUN_BEGINS = 1 << 0,
  TRACTOR_INSTRUMENT_TASK_SPAWNED = 1 << 1,
  TRACTOR_INSTRUMENT_TASK_SCHEDULED = 1 << 2,
  TRACTOR_INSTRUMENT_STEP_BEGINS = 1 << 3,
  TRACTOR_INSTRUMENT_STEP_ENDED = 1 << 4,
  TRACTOR_INSTRUMENT_TASK_EXITED = 1 << 5,
  TRACTOR_INSTRUMENT_WAIT_BEGINS = 1 << 6,
  TRACTOR_INSTRUMENT_WAIT_ENDED = 1 << 7,
  TRACTOR_INSTRUMENT_RUN_ENDED = 1 << 8,
  TRACTOR_INSTRUMENT_ALL = (1 << 9) - 1
} TractorInstrumentPoint;

TRACTOR_DEFINE_FLAG_OPERATORS (TractorInstrumentPoint)

/**
 * TractorInstrumentEvent:
 * @point: what happens
 * @task_id: (of a task) counts from 1, and is never used again in this guest; 0: of no task
 * @task_name: (of a task) (nullable): valid until the function returns
 * @parent_id: (TASK_SPAWNED) the task that owns the nursery; 0 for the main task
 * @timeout_usec: (WAIT_BEGINS) until the earliest deadline, or TRACTOR_NO_DEADLINE
 */
typedef struct {
  TractorInstrumentPoint point;
  guint64 task_id;
  const char *task_name;
  guint64 parent_id;
  gint64 timeout_usec;
} TractorInstrumentEvent;

/**
 * TractorInstrumentFunc:
 *
 * Called outside any task or, for TASK_SPAWNED and TASK_EXITED, inside the one that spawns or ends. It
 * must not suspend. It may add and remove instruments.
 */
typedef void (*TractorInstrumentFunc) (const TractorInstrumentEvent *event, gpointer data);

/**
 * tractor_guest_add_instrument:
 * @points: which events; those that nobody asks for cost nothing
 *
 * Has @func called with @data at each of @points from now on. Once for all: adding the same @func and
 * @data again only changes @points.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_guest_add_instrument (TractorGuest *guest,
                                               TractorInstrumentPoint points,
                                               TractorInstrumentFunc func,
                                               gpointer data);

/**
 * tractor_guest_remove_instrument:
 *
 * Returns: TRUE; or FALSE with @error set to MISUSE if there is no such instrument.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_guest_remove_instrument (TractorGuest *guest,
                                                      TractorInstrumentFunc func,
                                                      gpointer data,
                                                      GError **error);

/* --- tasks that do not let go ------------------------------------------------------------------- */

/**
 * tractor_guest_set_watchdog:
 * @max_step_usec: how long a task may keep the thread without waiting; 0: as long as it likes
 *
 * Reports on stderr, with its name and its stack, a task that runs for longer without letting others
 * have their turn, while it still does; at most twice as late, and once for each such step. Costs a
 * thread, a handler for SIGURG (it calls the one that it finds), and some time for each step.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_guest_set_watchdog (TractorGuest *guest, gint64 max_step_usec);

G_END_DECLS
