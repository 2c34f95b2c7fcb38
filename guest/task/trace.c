/* trace.c - what tasks do, noted in a ring of memory that others may look at.
 *
 * A record is 24 bytes, written in place by the thread that runs the tasks, and counted when it is there: so whoever maps the
 * same file reads it while it is written, and has the last of it when the process is killed. A step is one record, since the
 * next one ends it. Where tasks switch among themselves nobody looks for a trace (next_task(), in task.c): the guest has no steps
 * left to give out then, and where it has none, it is looked whether a trace has.
 *
 * A ring has to explain itself from any half of it on, because what is older is written over. So all tasks that there are are
 * named again when it has been filled to the half, and the clock is noted every few milliseconds.
 *
 * The clock is the processor's counter, which is read in a third of the time that the system's takes, where it runs
 * at one speed, whatever the processor does. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "trace.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "guest.h"
#include "task.h"

/* A text is in so many records at most: a name, or a reason. */
#define MAX_TEXTS 8
/* So much memory is made ready at a time: some tens of microseconds. */
#define READY_BYTES ((gsize) 65536)
/* How often the clock is noted: after a tenth of a millisecond at first, or so, for who does not live long; then each time
 * after twice as long, until it is some milliseconds, with a counter of 1 to 4 GHz. */
#define FIRST_CLOCK_TICKS (G_GUINT64_CONSTANT (1) << 18)
#define MAX_CLOCK_TICKS   (G_GUINT64_CONSTANT (1) << 24)

G_STATIC_ASSERT (sizeof (TractorTraceRecord) == 24);
G_STATIC_ASSERT (sizeof (TractorTraceHeader) <= TRACTOR_TRACE_HEADER_BYTES);

/* --- the clock --------------------------------------------------------------------------------- */

#if defined(__x86_64__)
gboolean tractor__trace_has_counter;

static void
look_for_counter (void)
{
  static gsize is_known;
  guint a, b, c, d;

  if (!g_once_init_enter (&is_known))
    return;
  /* "Invariant TSC": it runs at one speed, and the kernel has set them all to one time. */
  tractor__trace_has_counter =
      __get_cpuid (0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
  g_once_init_leave (&is_known, 1);
}
#else
static void
look_for_counter (void)
{
}
#endif

guint64
tractor__trace_get_nsec (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (guint64) now.tv_sec * G_GUINT64_CONSTANT (1000000000) + (guint64) now.tv_nsec;
}

static void
note_clock (Trace *trace)
{
  guint64 nsec = tractor__trace_get_nsec ();

  trace->clock_ticks = trace_get_ticks ();
  trace_add_at (trace, TRACTOR_TRACE_CLOCK, 0, nsec, trace->clock_ticks);
}

/* --- memory ------------------------------------------------------------------------------------ */

/* Memory that is not there yet costs more than all that is written to it. It is asked for in pieces, a little before it is
 * written to, which is less than half of what each page by itself would be. */
static void
make_ready (Trace *trace)
{
  gsize bytes = MIN (READY_BYTES, trace->bytes - trace->ready_bytes);

#ifdef MADV_POPULATE_WRITE
  madvise ((char *) trace->header + trace->ready_bytes, bytes, MADV_POPULATE_WRITE);
#endif
  trace->ready_bytes += bytes;
}

static gsize
get_written_bytes (const Trace *trace)
{
  return TRACTOR_TRACE_HEADER_BYTES + trace->n_written * sizeof (TractorTraceRecord);
}

/* --- records ----------------------------------------------------------------------------------- */

void
tractor__trace_add_text (Trace *trace, const char *text)
{
  gsize left = strlen (text);

  for (guint n = 0; left > 0 && n < MAX_TEXTS; n++) {
    TractorTraceRecord record = { .point = TRACTOR_TRACE_TEXT };
    gsize length = MIN (left, TRACTOR_TRACE_TEXT_BYTES);

    memcpy ((char *) &record + sizeof record.point, text, length);
    trace_add_at (trace, (TractorTracePoint) record.point, record.arg, record.id, record.ticks);
    text += length;
    left -= length;
  }
}

static void
name_tasks (TractorGuest *guest, Trace *trace)
{
  trace->named_at = trace->n_written;
  note_clock (trace); /* so that each half of a ring has one, however fast it was filled */
  if (guest->n_tasks > trace->mask / 16) /* with their names they would be most of what is in it */
    return;
  for (const Scope *scope = &guest->root; scope != NULL; scope = scope_get_next (scope))
    for (const Task *task = scope->first_task; task != NULL; task = task->next_in_scope) {
      trace_add (trace, TRACTOR_TRACE_TASK, 0, task->id);
      tractor__trace_add_text (trace, task->name);
    }
}

void
tractor__trace_begin_steps (TractorGuest *guest)
{
  Trace *trace = guest->trace;

  if (G_UNLIKELY (trace->ready_bytes < trace->bytes &&
                  get_written_bytes (trace) + READY_BYTES / 2 > trace->ready_bytes))
    make_ready (trace);
  if (G_UNLIKELY (trace_get_ticks () - trace->clock_ticks >= trace->clock_interval)) {
    note_clock (trace);
    trace->clock_interval = MIN (trace->clock_interval * 2, MAX_CLOCK_TICKS);
  }
  if (G_UNLIKELY (trace->n_written - trace->named_at > trace->mask / 2))
    name_tasks (guest, trace);
}

void
tractor__trace_spawned (Trace *trace, const Task *task, const Scope *scope)
{
  if (guest_is_forked (task->guest))
    return; /* the ring is the original's */
  trace_add (trace, TRACTOR_TRACE_TASK_SPAWNED,
             scope->owner != NULL ? (guint32) scope->owner->id : 0, task->id);
  tractor__trace_add_text (trace, task->name);
}

void
tractor__trace_cancelled (Trace *trace, const Scope *scope)
{
  if (guest_is_forked (scope->guest))
    return;
  trace_add (trace, TRACTOR_TRACE_CANCELLED, scope->source,
             scope->owner != NULL ? scope->owner->id : 0);
  tractor__trace_add_text (trace, scope->reason);
}

/* --- its life ------------------------------------------------------------------------------------ */

Trace *
tractor__trace_begin (TractorGuest *guest, gpointer memory, guint32 n_records)
{
  Trace *trace = g_new0 (Trace, 1);

  look_for_counter ();
  trace->header = memory;
  trace->records = (gpointer) ((char *) memory + TRACTOR_TRACE_HEADER_BYTES);
  trace->mask = n_records - 1;
  trace->bytes = TRACTOR_TRACE_HEADER_BYTES + n_records * sizeof (TractorTraceRecord);
  trace->clock_interval = FIRST_CLOCK_TICKS;
  note_clock (trace);
  name_tasks (guest, trace);
  trace_add (trace, TRACTOR_TRACE_STEP, 0, guest->current != NULL ? guest->current->id : 0);
  return trace;
}

void
tractor__trace_end (Trace *trace)
{
  trace_add (trace, TRACTOR_TRACE_STEP, 0, 0);
  note_clock (trace);
  tractor__trace_free (trace);
}

void
tractor__trace_free (Trace *trace)
{
  if (trace == NULL)
    return;
  munmap (trace->header, trace->bytes);
  g_free (trace);
}
