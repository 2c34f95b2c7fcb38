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

guint bench_n_most = G_MAXUINT;

gint64
bench_now_nsec (void)
{
  struct timespec now;
  gint64 count;

  if (bench_is_counted (&count))
    return count;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
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
  double n_system_calls; /* of one operation; negative: not counted */
  double n_allocations;
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

/* In processes of their own, so this one is not changed by it. */
static void
count (const BenchRow *row, Result *result)
{
  gboolean is_countable = row->unit != BENCH_BYTES && !row->is_uncountable;

  pin (row->is_pinned);
  result->n_system_calls = is_countable ? bench_count (row, "system-calls") : -1;
  result->n_allocations = is_countable ? bench_count (row, "allocations") : -1;
  pin (FALSE);
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
print_count (double count)
{
  if (count < 0)
    printf (" %9s", "-");
  else
    printf (" %9.2f", count);
}

static void
report (const BenchRow *row, const Result *result, FILE *json, gboolean *is_first)
{
  static const char *const units[] = { "B ", "ns", "us", "ms" };
  double value = to_unit (result->value, row->unit);
  double floor = to_unit (result->floor, row->unit);

  printf ("%-44s %9.1f %s  %9.1f %s %-26s %6.2f  %6.2f  %-6s", row->name, value, units[row->unit],
          floor, units[row->unit], row->floor_name, result->ratio, row->target,
          result->ratio <= row->target ? "met" : "MISSED");
  print_count (result->n_system_calls);
  print_count (result->n_allocations);
  putchar ('\n');
  fflush (stdout);
  if (json == NULL)
    return;
  fprintf (json,
           "%s\n  {\"row\": \"%s\", \"unit\": \"%s\", \"value\": %.3f, \"floor\": %.3f, "
           "\"floor_name\": \"%s\", \"ratio\": %.3f, \"target\": %.3f, "
           "\"system_calls\": %.2f, \"allocations\": %.2f}",
           *is_first ? "" : ",", row->name, units[row->unit], value, floor, row->floor_name,
           result->ratio, row->target, result->n_system_calls, result->n_allocations);
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

static const BenchRow *const tables[] = {
  bench_task_rows,      bench_sync_rows,    bench_memory_rows,   bench_loop_rows,   bench_wake_rows,
  bench_actor_rows,     bench_by_hand_rows, bench_callback_rows, bench_stream_rows, bench_end_rows,
  bench_discovery_rows, bench_dbus_rows,    bench_frame_rows,    bench_shm_rows
};

const BenchRow *
bench_find_row (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (tables); i++)
    for (const BenchRow *row = tables[i]; row->name != NULL; row++)
      if (g_str_equal (row->name, name))
        return row;
  g_error ("there is no row '%s'", name);
}

static void
measure_rows_of (
    const BenchRow *row, char **wanted, FILE *json, gboolean *is_first, gboolean with_counts)
{
  for (; row->name != NULL; row++) {
    Result result = { .n_system_calls = -1, .n_allocations = -1 };

    if (!is_wanted (row->name, wanted))
      continue;
    if (!measure (row, &result)) {
      printf ("%-44s not on this machine: %s\n", row->name, row->floor_name);
      continue;
    }
    if (with_counts)
      count (row, &result);
    report (row, &result, json, is_first);
  }
}

static void
measure_rows (char **wanted, FILE *json, gboolean with_counts, gboolean with_peers)
{
  gboolean is_first = TRUE;

  printf ("%-44s %12s  %39s %6s  %6s  %-6s %9s %9s\n", "row", "value", "floor", "ratio", "target",
          "", "sys.calls", "allocs");
  for (guint i = 0; i < G_N_ELEMENTS (tables); i++)
    measure_rows_of (tables[i], wanted, json, &is_first, with_counts);
  if (with_peers)
    measure_rows_of (bench_peer_rows, wanted, json, &is_first, FALSE);
}

static void
count_rows (char **wanted)
{
  for (guint i = 0; i < G_N_ELEMENTS (tables); i++)
    for (const BenchRow *row = tables[i]; row->name != NULL; row++) {
      Result result;

      if (!is_wanted (row->name, wanted))
        continue;
      count (row, &result);
      printf ("%s\t%.3f\t%.3f\n", row->name, result.n_system_calls, result.n_allocations);
      fflush (stdout);
    }
}

/* What the instructions of an operation depend on. */
static void
print_makers (void)
{
#ifdef __clang__
  printf ("clang %d.%d", __clang_major__, __clang_minor__);
#else
  printf ("gcc %d.%d", __GNUC__, __GNUC_MINOR__);
#endif
  printf (", GLib %u.%u.%u\n", glib_major_version, glib_minor_version, glib_micro_version);
}

int
main (int argc, char **argv)
{
  g_autofree char *json_path = NULL;
  g_auto (GStrv) wanted = NULL;
  gboolean without_counts = FALSE;
  gboolean only_counts = FALSE;
  gboolean with_peers = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_FILENAME, &json_path, "Write the table as JSON too", "FILE" },
    { "no-counts", 0, 0, G_OPTION_ARG_NONE, &without_counts, "Measure only times", NULL },
    { "counts", 0, 0, G_OPTION_ARG_NONE, &only_counts,
      "Only count: lines of a name, system calls and allocations of one operation", NULL },
    { "peers", 0, 0, G_OPTION_ARG_NONE, &with_peers,
      "Others beside ours, too, where they are there", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &wanted, NULL,
      "[PART-OF-A-ROW'S-NAME...]" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = NULL;
  g_autoptr (GError) error = NULL;
  const char *n_most = getenv (BENCH_N_VARIABLE);
  FILE *json = NULL;
  int status;

  g_unsetenv ("TRACTOR_DEBUG"); /* nobody is to stop at an error that is measured */
  if (n_most != NULL)
    bench_n_most = (guint) g_ascii_strtoull (n_most, NULL, 10);
  if (bench_actor_main (argc, argv, &status))
    return status;
  if (argc >= 3 && g_str_equal (argv[1], "--once"))
    return bench_run_once (bench_find_row (argv[2]), argc > 3 ? argv[3] : NULL);
  if (argc == 2 && g_str_equal (argv[1], "--made-by")) {
    print_makers ();
    return 0;
  }
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

  if (only_counts) {
    count_rows (wanted);
    return 0;
  }
  if (json != NULL)
    fputc ('[', json);
  measure_rows (wanted, json, !without_counts, with_peers);
  if (json != NULL) {
    fputs ("\n]\n", json);
    fclose (json);
  }
  return 0;
}
