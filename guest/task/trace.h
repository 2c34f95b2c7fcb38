/* trace.h - what tasks do, noted in a ring of memory that others may look at. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "instrument.h"
#include "tractor-trace.h"

typedef struct _TractorCancelScope Scope;

/* Of one guest: who writes is one thread. */
typedef struct _Trace {
  TractorTraceHeader *header;
  TractorTraceRecord *records;
  guint64 mask;
  guint64 n_written;
  guint64 named_at;       /* of those: when all tasks were named last */
  gint steps_left;        /* until somebody looks at the clock, instead of the guest's */
  guint64 clock_interval; /* after which it is noted again */
  guint64 clock_ticks;    /* when the clock was last noted */
  gsize ready_bytes;      /* of those that are mapped: that there is memory for already */
  gsize bytes;            /* that are mapped */
} Trace;

#if defined(__x86_64__)
G_GNUC_INTERNAL extern gboolean tractor__trace_has_counter;
#endif
G_GNUC_INTERNAL guint64 tractor__trace_get_nsec (void);

/* Of the clock that is read fastest; all processors have the same, or it is not taken (trace.c). */
static inline guint64
trace_get_ticks (void)
{
#if defined(__aarch64__)
  guint64 ticks;

  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
#if defined(__x86_64__)
  if (G_LIKELY (tractor__trace_has_counter))
    return __builtin_ia32_rdtsc ();
#endif
  return tractor__trace_get_nsec ();
#endif
}

static inline void
trace_add_at (Trace *trace, TractorTracePoint point, guint32 arg, guint64 id, guint64 ticks)
{
  TractorTraceRecord *record = &trace->records[trace->n_written & trace->mask];

  *record = (TractorTraceRecord){ (guint32) point, arg, id, ticks };
  __atomic_store_n (&trace->header->n_written, ++trace->n_written, __ATOMIC_RELEASE);
}

static inline void
trace_add (Trace *trace, TractorTracePoint point, guint32 arg, guint64 id)
{
  trace_add_at (trace, point, arg, id, trace_get_ticks ());
}

/* @memory: for a header, which is there, and @n_records; unmapped at the end. Returns: (transfer full) */
G_GNUC_INTERNAL Trace *
tractor__trace_begin (TractorGuest *guest, gpointer memory, guint32 n_records);
/* @trace: (transfer full) */
G_GNUC_INTERNAL void tractor__trace_end (Trace *trace);
/* What the last record goes with. Async-signal-safe. */
G_GNUC_INTERNAL void tractor__trace_add_text (Trace *trace, const char *text);
/* The next steps begin: what has to be said again now and then is. */
G_GNUC_INTERNAL void tractor__trace_begin_steps (TractorGuest *guest);
G_GNUC_INTERNAL void tractor__trace_spawned (Trace *trace, const Task *task, const Scope *scope);
G_GNUC_INTERNAL void tractor__trace_cancelled (Trace *trace, const Scope *scope);
/* @trace: (transfer full) (nullable): nobody writes it to its end. */
G_GNUC_INTERNAL void tractor__trace_free (Trace *trace);
