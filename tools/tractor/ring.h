/* ring.h - what an actor has noted in a trace, read from the file that it was written to. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-actor-trace.h"

typedef struct {
  gint pid;
  char *title;
  GArray *records;   /* (element-type TractorTraceRecord): the oldest first */
  gboolean is_whole; /* none has been written over */
} Ring;

/* @fd: may still be written to. @name: of the file, for people. Returns: (transfer full): NULL with a G_FILE_ERROR. */
Ring *ring_read (int fd, const char *name, GError **error);
void ring_free (gpointer ring);

/* The record at *@at, and its text, in @text; *@at goes behind it. Returns: FALSE at the end. */
gboolean ring_next (const Ring *ring, guint *at, TractorTraceRecord *ret_record, GString *text);

/* How ticks become nanoseconds, by what all of some rings say of it. */
typedef struct {
  guint64 ticks;
  gint64 nsec; /* of CLOCK_MONOTONIC at these */
  double nsec_a_tick;
} RingClock;

/* @rings: (element-type Ring): of one machine */
void ring_clock_init (RingClock *clock, const GPtrArray *rings);
gint64 ring_clock_get_nsec (const RingClock *clock, guint64 ticks);
