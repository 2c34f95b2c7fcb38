/* bench-tasks.c - what a task costs. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"
#include "floor.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tractor-trace.h"

/* Private to guest/; linked in from its own object. */
void tractor__switch (void **from_sp, void *to_sp);
void *tractor__switch_prepare (void *top, void (*entry) (void *arg), void *arg);

/* --- switch ------------------------------------------------------------------------------------ */

typedef struct {
  void *sp;
  void *other;
  guint n_left;
} Side;

static void *outside;

/* As the guest does it: all switches come from one place. */
static G_NO_INLINE void
switch_from_one_place (void **from, void *to)
{
  tractor__switch (from, to);
}

static void
bounce (void *arg)
{
  Side *side = arg;
  Side *other = side->other;

  while (side->n_left-- > 0)
    switch_from_one_place (&side->sp, other->sp);
  switch_from_one_place (&side->sp, outside);
}

static double
measure_switch (G_GNUC_UNUSED gconstpointer data)
{
  const guint n = 5000000;
  Side sides[2] = { { .other = &sides[1], .n_left = n }, { .other = &sides[0], .n_left = n } };
  char *stacks = malloc (2 * 65536);
  gint64 started;

  for (guint i = 0; i < 2; i++) {
    guintptr top = (guintptr) stacks + (i + 1) * 65536 - i * 64;

    sides[i].sp = tractor__switch_prepare ((void *) (top & ~(guintptr) 63), bounce, &sides[i]);
  }
  started = bench_now_nsec ();
  switch_from_one_place (&outside, sides[0].sp);
  started = bench_now_nsec () - started;
  free (stacks);
  return (double) started / n;
}

static double
measure_switch_floor (G_GNUC_UNUSED gconstpointer data)
{
  return floor_switch_there_and_back (5000000);
}

/* --- checkpoint -------------------------------------------------------------------------------- */

typedef struct {
  guint n_tasks;
  guint n_rounds;
  double nsec;
  gboolean is_traced;
  gboolean are_unlike; /* every second task has other code */
} Checkpoints;

/* As `tractor trace` has it. */
#define TRACE_BYTES (TRACTOR_TRACE_HEADER_BYTES + ((gsize) 1 << 20) * sizeof (TractorTraceRecord))

static gboolean
start_trace (GError **error)
{
  int fd = memfd_create ("bench-trace", MFD_CLOEXEC);
  gboolean ok = ftruncate (fd, TRACE_BYTES) == 0 && tractor_run_start_trace (fd, "bench", error);

  close (fd);
  return ok;
}

static gboolean
spin (gpointer data, GError **error)
{
  for (guint n = GPOINTER_TO_UINT (data); n > 0; n--)
    if (!tractor_checkpoint (error))
      return FALSE;
  return TRUE;
}

/* The same from elsewhere. */
static gboolean
spin_elsewhere (gpointer data, GError **error)
{
  guint n_left = GPOINTER_TO_UINT (data);

  while (n_left > 0 && tractor_checkpoint (error))
    n_left--;
  return n_left == 0;
}

static gboolean
time_checkpoints (gpointer data, GError **error)
{
  Checkpoints *run = data;
  gint64 started = 0;

  if (run->is_traced && !start_trace (error))
    return FALSE;
  for (int round = 0; round < 2; round++) { /* once to touch every stack */
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    for (guint i = 0; i < run->n_tasks; i++)
      if (!tractor_nursery_spawn (nursery, "spinner",
                                  run->are_unlike && i % 2 == 1 ? spin_elsewhere : spin,
                                  GUINT_TO_POINTER (round == 0 ? 1 : run->n_rounds), NULL, error))
        return FALSE;
    started = bench_now_nsec ();
    if (!tractor_nursery_join (nursery, error))
      return FALSE;
    started = bench_now_nsec () - started;
  }
  run->nsec = (double) started / ((double) run->n_tasks * run->n_rounds);
  return TRUE;
}

static double
measure_checkpoints (gconstpointer data)
{
  Checkpoints run = *(const Checkpoints *) data;

  run.n_rounds = bench_n (run.n_rounds);
  bench_run ("builtin", time_checkpoints, &run);
  return run.nsec;
}

static double
measure_checkpoints_floor (gconstpointer data)
{
  const Checkpoints *run = data;

  return floor_yield (run->n_tasks, bench_n (run->n_rounds));
}

static double
measure_checkpoints_unlike_floor (gconstpointer data)
{
  return floor_yield_unlike (bench_n (((const Checkpoints *) data)->n_rounds));
}

static double
measure_checkpoints_untraced (gconstpointer data)
{
  Checkpoints run = *(const Checkpoints *) data;

  run.is_traced = FALSE;
  return measure_checkpoints (&run);
}

/* --- spawn and join ---------------------------------------------------------------------------- */

static gboolean
end_at_once (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
time_spawn_and_join (gpointer data, GError **error)
{
  const guint n = bench_n (500000);
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < n; i++) {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    if (!tractor_nursery_spawn (nursery, "child", end_at_once, NULL, NULL, error) ||
        !tractor_nursery_join (nursery, error))
      return FALSE;
  }
  *(double *) data = (double) (bench_now_nsec () - started) / n;
  return TRUE;
}

static double
measure_spawn_and_join (G_GNUC_UNUSED gconstpointer data)
{
  double nsec;

  bench_run ("builtin", time_spawn_and_join, &nsec);
  return nsec;
}

static double
measure_spawn_and_join_floor (G_GNUC_UNUSED gconstpointer data)
{
  return floor_spawn_and_join (bench_n (500000));
}

static gboolean
fail_at_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, BENCH_REFUSAL);
  return FALSE;
}

static gboolean
time_failures (gpointer data, G_GNUC_UNUSED GError **error)
{
  const guint n = bench_n (200000);
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < n; i++) {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    g_autoptr (GError) failure = NULL;

    tractor_nursery_spawn (nursery, "child", fail_at_once, NULL, NULL, NULL);
    g_assert (!tractor_nursery_join (nursery, &failure));
  }
  *(double *) data = (double) (bench_now_nsec () - started) / n;
  return TRUE;
}

static double
measure_failures (G_GNUC_UNUSED gconstpointer data)
{
  double nsec;

  bench_run ("builtin", time_failures, &nsec);
  return nsec;
}

/* The bare task, and beside it an error that is made and freed. */
static double
measure_failures_floor (G_GNUC_UNUSED gconstpointer data)
{
  const guint n = bench_n (200000);
  double nsec = floor_spawn_and_join (n);
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < n; i++)
    g_error_free (g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_FAILED, BENCH_REFUSAL));
  return nsec < 0 ? nsec : nsec + (double) (bench_now_nsec () - started) / n;
}

static gboolean
time_spawn_and_join_1000 (gpointer data, GError **error)
{
  const guint n = 500;
  gint64 started = 0;

  for (guint i = 0; i <= n; i++) { /* the first one touches the stacks */
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    if (i == 1)
      started = bench_now_nsec ();
    for (guint j = 0; j < 1000; j++)
      if (!tractor_nursery_spawn (nursery, "child", end_at_once, NULL, NULL, error))
        return FALSE;
    if (!tractor_nursery_join (nursery, error))
      return FALSE;
  }
  *(double *) data = (double) (bench_now_nsec () - started) / n / 1000;
  return TRUE;
}

static double
measure_spawn_and_join_1000 (G_GNUC_UNUSED gconstpointer data)
{
  double nsec;

  bench_run ("builtin", time_spawn_and_join_1000, &nsec);
  return nsec;
}

static const Checkpoints two = { 2, 2000000, 0 };
static const Checkpoints two_unlike = { 2, 2000000, 0, .are_unlike = TRUE };
static const Checkpoints two_traced = { 2, 2000000, 0, .is_traced = TRUE };
static const Checkpoints thousand = { 1000, 4000, 0 };
static const Checkpoints hundred_thousand = { 100000, 400, 0 };

const BenchRow bench_task_rows[] = {
  { "switch there and back", BENCH_NSEC, "asm, indirect jump", 1.3, TRUE, 11, measure_switch,
    measure_switch_floor, NULL },
  { "checkpoint, 2 tasks", BENCH_NSEC, "ring and switch", 2.5, TRUE, 11, measure_checkpoints,
    measure_checkpoints_floor, &two },
  { "checkpoint, 2 tasks of different code", BENCH_NSEC, "ring and switch, the same", 3, TRUE, 11,
    measure_checkpoints, measure_checkpoints_unlike_floor, &two_unlike },
  { "checkpoint, 2 tasks, traced", BENCH_NSEC, "the same, not traced", 3, TRUE, 11,
    measure_checkpoints, measure_checkpoints_untraced, &two_traced },
  { "checkpoint, 1,000 tasks", BENCH_NSEC, "ring and switch", 3, TRUE, 11, measure_checkpoints,
    measure_checkpoints_floor, &thousand },
  { "checkpoint, 100,000 tasks", BENCH_NSEC, "ring and switch", 3, TRUE, 5, measure_checkpoints,
    measure_checkpoints_floor, &hundred_thousand },
  { "spawn and join, one", BENCH_NSEC, "stack and switch", 3.5, TRUE, 11, measure_spawn_and_join,
    measure_spawn_and_join_floor, NULL },
  { "spawn and join, one that fails", BENCH_NSEC, "stack, switch, GError", 4, TRUE, 11,
    measure_failures, measure_failures_floor, NULL },
  { "spawn and join, 1,000 in a nursery", BENCH_NSEC, "stack and switch", 3.5, TRUE, 11,
    measure_spawn_and_join_1000, measure_spawn_and_join_floor, NULL },
  { NULL },
};
