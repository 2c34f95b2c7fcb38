/* instrument.c - functions that are called when something happens to a task.
 *
 * What nobody asks for costs nothing: there are no hooks where tasks switch among themselves, or
 * where they are woken. If somebody wants to see steps, the tick hands out one step at a time
 * (guest.c), and is back on the host's stack after each. Which tasks have become runnable is then
 * read off the run queue: they are those behind where it ended the last time.
 *
 * An instrument may remove any, itself too, while it is called: that one is marked, and freed when no
 * call is under way. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "instrument.h"

#include "guest.h"
#include "task.h"
#include "trace.h"

struct _Instrument {
  Instrument *next;
  TractorInstrumentPoint points; /* 0: removed */
  TractorInstrumentFunc func;
  gpointer data;
};

static void
free_removed (Instruments *instruments)
{
  Instrument **link = &instruments->first;

  while (*link != NULL) {
    Instrument *instrument = *link;

    if (instrument->points == 0) {
      *link = instrument->next;
      g_free (instrument);
    } else {
      link = &instrument->next;
    }
  }
}

void
tractor__instruments_add_up (TractorGuest *guest)
{
  Instruments *instruments = &guest->instruments;
  gboolean saw_steps = instruments_see_steps (instruments);
  gboolean wanted_steps = instruments_want_steps (instruments);

  instruments->points = guest->trace != NULL ? INSTRUMENT_TRACE : 0;
  for (Instrument *instrument = instruments->first; instrument != NULL;
       instrument = instrument->next)
    instruments->points |= instrument->points;
  /* The step that is running is the last one of its kind. */
  if (!wanted_steps && instruments_want_steps (instruments)) {
    instruments->seen_tail = guest->run_queue.tail;
    if (guest->trace != NULL)
      guest->trace->steps_left = 0;
  }
  if (!saw_steps && instruments_see_steps (instruments))
    guest->steps_left = 0;
}

static Instrument *
find (Instruments *instruments, TractorInstrumentFunc func, gpointer data)
{
  Instrument *instrument = instruments->first;

  while (instrument != NULL &&
         (instrument->points == 0 || instrument->func != func || instrument->data != data))
    instrument = instrument->next;
  return instrument;
}

void
tractor_guest_add_instrument (TractorGuest *guest,
                              TractorInstrumentPoint points,
                              TractorInstrumentFunc func,
                              gpointer data)
{
  Instrument *instrument;
  Instrument **link;

  g_return_if_fail (guest != NULL && func != NULL);
  g_return_if_fail ((points & TRACTOR_INSTRUMENT_ALL) != 0);

  instrument = find (&guest->instruments, func, data);
  if (instrument == NULL) {
    instrument = g_new0 (Instrument, 1);
    instrument->func = func;
    instrument->data = data;
    for (link = &guest->instruments.first; *link != NULL; link = &(*link)->next)
      ;
    *link = instrument;
  }
  instrument->points = points & TRACTOR_INSTRUMENT_ALL;
  tractor__instruments_add_up (guest);
}

gboolean
tractor_guest_remove_instrument (TractorGuest *guest,
                                 TractorInstrumentFunc func,
                                 gpointer data,
                                 GError **error)
{
  Instrument *instrument;

  if (!tractor_error_check_given (guest, "guest", error) ||
      !tractor_error_check_given ((gconstpointer) func, "function", error))
    return FALSE;

  instrument = find (&guest->instruments, func, data);
  if (instrument == NULL) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "There is no such instrument to remove");
    return FALSE;
  }
  instrument->points = 0;
  if (guest->instruments.n_emitting == 0)
    free_removed (&guest->instruments);
  tractor__instruments_add_up (guest);
  return TRUE;
}

void
tractor__instruments_emit (TractorGuest *guest,
                           TractorInstrumentPoint point,
                           const TractorInstrumentEvent *event)
{
  Instruments *instruments = &guest->instruments;
  TractorInstrumentEvent seen = *event;

  if ((instruments->points & point) == 0)
    return;
  seen.point = point;
  instruments->n_emitting++;
  for (Instrument *instrument = instruments->first; instrument != NULL;
       instrument = instrument->next)
    if ((instrument->points & point) != 0)
      instrument->func (&seen, instrument->data);
  if (--instruments->n_emitting == 0)
    free_removed (instruments);
}

void
tractor__instruments_emit_scheduled (TractorGuest *guest)
{
  RunQueue *queue = &guest->run_queue;

  for (guint *seen = &guest->instruments.seen_tail; *seen != queue->tail;) {
    Task *task = queue->ring[(*seen)++ & (queue->size - 1)];

    tractor__instruments_emit (
        guest, TRACTOR_INSTRUMENT_TASK_SCHEDULED,
        &(TractorInstrumentEvent){ .task_id = task->id, .task_name = task->name });
  }
}

void
tractor__instruments_clear (Instruments *instruments)
{
  for (Instrument *instrument = instruments->first; instrument != NULL;
       instrument = instrument->next)
    instrument->points = 0;
  free_removed (instruments);
}
