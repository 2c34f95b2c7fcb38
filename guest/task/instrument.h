/* instrument.h - functions that are called when something happens to a task. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "tractor-debug.h"

typedef struct _Task Task;
typedef struct _Instrument Instrument;

typedef struct {
  Instrument *first;
  TractorInstrumentPoint points; /* that anybody wants */
  guint n_emitting;              /* calls in which instruments may be removed */
  guint seen_tail;               /* up to where the run queue has been reported */
} Instruments;

G_GNUC_INTERNAL void tractor__instruments_emit (TractorGuest *guest,
                                                TractorInstrumentPoint point,
                                                const TractorInstrumentEvent *event);
/* Has a trace that has begun or ended looked for by who looks for instruments. */
G_GNUC_INTERNAL void tractor__instruments_add_up (TractorGuest *guest);
/* Reports the tasks that have become runnable since the last time. */
G_GNUC_INTERNAL void tractor__instruments_emit_scheduled (TractorGuest *guest);
G_GNUC_INTERNAL void tractor__instruments_clear (Instruments *instruments);

/* No instrument, but a trace (trace.h): it is looked for by the same branches. */
#define INSTRUMENT_TRACE ((TractorInstrumentPoint) (1 << 30))

/* Whether each step has to be seen, and tasks may not switch among themselves. */
static inline gboolean
instruments_see_steps (const Instruments *instruments)
{
  return (instruments->points & (INSTRUMENT_TRACE | TRACTOR_INSTRUMENT_TASK_SCHEDULED |
                                 TRACTOR_INSTRUMENT_STEP_BEGINS | TRACTOR_INSTRUMENT_STEP_ENDED)) !=
         0;
}

/* Whether an instrument is to be called for each. */
static inline gboolean
instruments_want_steps (const Instruments *instruments)
{
  return (instruments->points & (TRACTOR_INSTRUMENT_TASK_SCHEDULED |
                                 TRACTOR_INSTRUMENT_STEP_BEGINS | TRACTOR_INSTRUMENT_STEP_ENDED)) !=
         0;
}
