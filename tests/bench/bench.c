/* bench.c - every hot path against its floor, measured in the same run.
 *
 * These machines are noisy, so value and floor are measured in turn, several times, and what counts
 * is the medians and the ratio of each pair. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tractor-builtin.h"
#include "tractor-glib.h"
#include "tractor-uv.h"

#define MAX_ROUNDS 21

gint64
bench_now_nsec (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

guint
bench_n (guint n)
{
  const char *other = getenv ("TRACTOR_BENCH_N");

  return other != NULL ? (guint) g_ascii_strtoull (other, NULL, 10) : n;
}

void
bench_run (const char *host, TractorTaskFunc main, gpointer data)
{
  g_autoptr (GError) error = NULL;
  TractorRunFunc run = strcmp (host, "glib") == 0 ? tractor_glib_run
                       : strcmp (host, "uv") == 0 ? tractor_uv_run
                                                  : tractor_run;

  if (!run (main, data, &error)) {
    g_autofree char *description = tractor_error_describe (error);

    g_error ("on %s: %s", host, description);
  }
}

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  double one = *(const double *) a;
  double other = *(const double *) b;

  return (one > other) - (one < other);
}

static double
median (double *values, guint n)
{
  qsort (values, n, sizeof *values, compare_doubles);
  return values[n / 2];
}

typedef struct {
  double value;
  double floor;
  double ratio;
} Result;

static void
pin (gboolean to_one_core)
{
  cpu_set_t cpus;

  CPU_ZERO (&cpus);
  for (guint i = 0; i < (to_one_core ? 1 : (guint) sysconf (_SC_NPROCESSORS_CONF)); i++)
    CPU_SET (i, &cpus);
  sched_setaffinity (0, sizeof cpus, &cpus);
}

static gboolean
measure (const BenchRow *row, Result *result)
{
  double values[MAX_ROUNDS];
  double floors[MAX_ROUNDS];
  double ratios[MAX_ROUNDS];

  pin (row->is_pinned);
  for (guint i = 0; i < row->n_rounds; i++) {
    floors[i] = row->measure_floor (row->data);
    values[i] = row->measure (row->data);
    if (floors[i] < 0 || values[i] < 0)
      return FALSE;
    ratios[i] = values[i] / floors[i];
  }
  pin (FALSE);
  result->value = median (values, row->n_rounds);
  result->floor = median (floors, row->n_rounds);
  result->ratio = median (ratios, row->n_rounds);
  return TRUE;
}

static double
to_unit (double nsec, BenchUnit unit)
{
  return nsec / (unit <= BENCH_NSEC ? 1 : unit == BENCH_USEC ? 1e3 : 1e6);
}

static void
report (const BenchRow *row, const Result *result, FILE *json, gboolean *is_first)
{
  static const char *const units[] = { "B ", "ns", "us", "ms" };
  double value = to_unit (result->value, row->unit);
  double floor = to_unit (result->floor, row->unit);

  printf ("%-38s %9.1f %s  %9.1f %s %-26s %6.2f  %6.2f  %s\n", row->name, value, units[row->unit],
          floor, units[row->unit], row->floor_name, result->ratio, row->target,
          result->ratio <= row->target ? "met" : "MISSED");
  fflush (stdout);
  if (json == NULL)
    return;
  fprintf (json,
           "%s\n  {\"row\": \"%s\", \"unit\": \"%s\", \"value\": %.3f, \"floor\": %.3f, "
           "\"floor_name\": \"%s\", \"ratio\": %.3f, \"target\": %.3f}",
           *is_first ? "" : ",", row->name, units[row->unit], value, floor, row->floor_name,
           result->ratio, row->target);
  *is_first = FALSE;
}

static gboolean
is_wanted (const char *name, char **wanted)
{
  if (wanted == NULL || wanted[0] == NULL)
    return TRUE;
  for (; *wanted != NULL; wanted++)
    if (strstr (name, *wanted) != NULL)
      return TRUE;
  return FALSE;
}

int
main (int argc, char **argv)
{
  const BenchRow *const tables[] = { bench_task_rows,    bench_sync_rows,      bench_memory_rows,
                                     bench_loop_rows,    bench_wake_rows,      bench_actor_rows,
                                     bench_by_hand_rows, bench_callback_rows,  bench_stream_rows,
                                     bench_end_rows,     bench_discovery_rows, bench_dbus_rows,
                                     bench_frame_rows };
  g_autofree char *json_path = NULL;
  g_auto (GStrv) wanted = NULL;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_FILENAME, &json_path, "Write the table as JSON too", "FILE" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &wanted, NULL,
      "[PART-OF-A-ROW'S-NAME...]" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = NULL;
  g_autoptr (GError) error = NULL;
  FILE *json = NULL;
  gboolean is_first = TRUE;
  int status;

  g_unsetenv ("TRACTOR_DEBUG"); /* nobody is to stop at an error that is measured */
  if (bench_actor_main (argc, argv, &status))
    return status;
  context = g_option_context_new ("- every hot path against its floor");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("%s\n", error->message);
    return 2;
  }
  if (json_path != NULL && (json = fopen (json_path, "w")) == NULL) {
    perror (json_path);
    return 2;
  }

  printf ("%-38s %12s  %39s %6s  %6s\n", "row", "value", "floor", "ratio", "target");
  if (json != NULL)
    fputc ('[', json);
  for (guint i = 0; i < G_N_ELEMENTS (tables); i++)
    for (const BenchRow *row = tables[i]; row->name != NULL; row++) {
      Result result;

      if (!is_wanted (row->name, wanted))
        continue;
      if (measure (row, &result))
        report (row, &result, json, &is_first);
      else
        printf ("%-38s not on this machine\n", row->name);
    }
  if (json != NULL) {
    fputs ("\n]\n", json);
    fclose (json);
  }
  return 0;
}
