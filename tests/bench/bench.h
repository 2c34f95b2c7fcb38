/* bench.h - rows: a value, its floor or peer, and what their ratio is to be at most. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-actor.h"

typedef enum {
  BENCH_BYTES,
  BENCH_NSEC,
  BENCH_USEC,
  BENCH_MSEC
} BenchUnit;

typedef struct {
  const char *name;
  BenchUnit unit;
  const char *floor_name;
  double target;      /* the ratio is to be at most this */
  gboolean is_pinned; /* to one core, with all processes of the row */
  guint n_rounds;     /* of value and floor in turn; the medians count */
  /* Nanoseconds, or bytes, for one operation; negative: not on this machine. */
  double (*measure) (gconstpointer data);
  double (*measure_floor) (gconstpointer data);
  gconstpointer data;
  gboolean is_uncountable; /* what it does depends on the clock */
} BenchRow;

extern const BenchRow bench_task_rows[]; /* a NULL name ends each */
extern const BenchRow bench_sync_rows[];
extern const BenchRow bench_memory_rows[];
extern const BenchRow bench_loop_rows[];
extern const BenchRow bench_wake_rows[];
extern const BenchRow bench_actor_rows[];
extern const BenchRow bench_by_hand_rows[];
extern const BenchRow bench_callback_rows[];
extern const BenchRow bench_stream_rows[];
extern const BenchRow bench_shm_rows[];
extern const BenchRow bench_end_rows[];
extern const BenchRow bench_dbus_rows[];
extern const BenchRow bench_frame_rows[];
extern const BenchRow bench_peer_rows[]; /* with --peers only */
extern const BenchRow bench_discovery_rows[];

/* The one of this name, which there is. */
const BenchRow *bench_find_row (const char *name);

gint64 bench_now_nsec (void);
/* How many operations a row does that would do @n to be timed: fewer where they are counted instead. */
#define BENCH_N_VARIABLE "TRACTOR_BENCH_N"
extern guint bench_n_most;
static inline guint
bench_n (guint n)
{
  return MIN (n, bench_n_most);
}

/* How many "system-calls" or "allocations" one operation of @row makes; negative: not on this machine. */
double bench_count (const BenchRow *row, const char *what);
/* Runs @row once, without its floor, for somebody else to count. */
int bench_run_once (const BenchRow *row, const char *what);
/* Whether this is such a process, and what it has counted until now. */
gboolean bench_is_counted (gint64 *ret_count);

/* Runs @main on the host called @host; a failure ends the program. */
void bench_run (const char *host, TractorTaskFunc main, gpointer data);

/* What the other processes of a row do; called first in main(). TRUE: this was one. */
gboolean bench_actor_main (int argc, char **argv, int *ret_status);
extern const TractorExport bench_stream_exports[];
extern const TractorExport bench_shm_exports[];
extern const TractorExport bench_end_exports[];
extern const TractorExport bench_frame_exports[];

/* An argument that makes this program write a byte to its stdout and do nothing more. */
#define BENCH_WAIT "--wait"

/* Such a process of this program; returns when it runs. Who calls it kills and reaps it. */
pid_t bench_spawn_bare (void);

/* The words of an error that is measured. */
#define BENCH_REFUSAL "there is no such thing here"

/* Nanoseconds for a request and an answer of so many bytes between two processes. */
double bench_round_trip_bare (gsize request_bytes, gsize answer_bytes);
/* The same for a call that does nothing; @data is the name of its host. */
double bench_measure_calls (gconstpointer data);
/* A call with a number and back, by D-Bus from one process to another. */
double bench_measure_sd_bus_number (gconstpointer data);
double bench_measure_gdbus_number (gconstpointer data);
