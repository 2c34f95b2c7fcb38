/* actor-trace.h - what actors do with each other, noted in the trace of their run, if it has one.
 *
 * While no run of this process is traced, each costs a load and a branch. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-actor-trace.h"

/* How many runs of this process are traced. */
G_GNUC_INTERNAL extern guint tractor__n_traces;

static inline gboolean
trace_is_on (void)
{
  return G_UNLIKELY (__atomic_load_n (&tractor__n_traces, __ATOMIC_RELAXED) != 0);
}

/* This run is that of an actor: it is traced if the environment says so. What is wrong with that is told on stderr. */
G_GNUC_INTERNAL void tractor__trace_actor (const char *name, const char *uuid);
/* The same, in memory that others can be given. Returns: a descriptor of it; -1 with MISUSE if the run is traced already,
 * or a G_FILE_ERROR. */
G_GNUC_INTERNAL int
tractor__trace_actor_in_memory (const char *name, const char *uuid, GError **error);
/* Harmless if this run is not traced. */
G_GNUC_INTERNAL void tractor__trace_actor_end (void);

/* Messages are known by what both ends know of them: who sends it, in which dialog, of which type, and how many of them were
 * before. Only of Yields there are several. @function: (nullable) */
G_GNUC_INTERNAL void
tractor__trace_sent (guint type, const char *cid, guint64 n_before, const char *function)
    __attribute__ ((cold));
/* @sender: its uuid */
G_GNUC_INTERNAL void tractor__trace_came (TractorActorTracePoint point,
                                          guint type,
                                          const char *cid,
                                          gsize cid_length,
                                          guint64 n_before,
                                          const char *sender) __attribute__ ((cold));

static inline void
trace_sent (guint type, const char *cid, guint64 n_before, const char *function)
{
  if (trace_is_on ())
    tractor__trace_sent (type, cid, n_before, function);
}

/* @text: (nullable) */
static inline void
trace_note (TractorActorTracePoint point, guint64 id, const char *text)
{
  if (trace_is_on ())
    tractor_run_trace (point, 0, id, text);
}
