/* bench-memory.c - what a task costs in memory, and the first use of a stack. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define STACK_BYTES (320 * 1024)
#define GUARD_BYTES (64 * 1024)

static gint64
get_resident_bytes (void)
{
  long total = 0;
  long resident = 0;
  FILE *file = fopen ("/proc/self/statm", "r");

  if (file == NULL || fscanf (file, "%ld %ld", &total, &resident) != 2)
    g_error ("/proc/self/statm cannot be read");
  fclose (file);
  return (gint64) resident * sysconf (_SC_PAGESIZE);
}

/* What a file of /proc/PID says in a line "NAME: N kB". */
static gint64
get_bytes_of (pid_t pid, const char *file, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", (int) pid, file);
  g_autofree char *content = NULL;
  const char *line = NULL;

  if (g_file_get_contents (path, &content, NULL, NULL))
    line = strstr (content, name);
  if (line == NULL)
    g_error ("%s has no %s that can be read", path, name);
  return g_ascii_strtoll (line + strlen (name), NULL, 10) * 1024;
}

static gint64
get_page_table_bytes (void)
{
  return get_bytes_of (getpid (), "status", "VmPTE:");
}

/* --- idle tasks ------------------------------------------------------------------------------------ */

typedef struct {
  const char *host;
  guint n_tasks;
  gsize stack_bytes; /* that the host gives */
  double bytes;
  double page_table_bytes;
} Crowd;

static gboolean
wait_for_end (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  tractor_sleep_until (TRACTOR_NO_DEADLINE, NULL);
  return TRUE;
}

static gboolean
weigh_tasks (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Crowd *crowd = data;
  gint64 before = get_resident_bytes ();
  gint64 page_table_before = get_page_table_bytes ();

  for (guint i = 0; i < crowd->n_tasks; i++)
    if (!tractor_nursery_spawn (nursery, "idler", wait_for_end, NULL, NULL, error))
      return FALSE;
  if (!tractor_wait_all_tasks_blocked (0, error))
    return FALSE;
  crowd->bytes = (double) (get_resident_bytes () - before) / crowd->n_tasks;
  crowd->page_table_bytes = (double) (get_page_table_bytes () - page_table_before) / crowd->n_tasks;
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error);
}

static double
measure_memory (gconstpointer data)
{
  Crowd crowd = *(const Crowd *) data;

  bench_run (crowd.host, weigh_tasks, &crowd);
  return crowd.bytes;
}

static double
measure_page_tables (gconstpointer data)
{
  Crowd crowd = *(const Crowd *) data;

  bench_run (crowd.host, weigh_tasks, &crowd);
  return crowd.page_table_bytes;
}

/* An entry for each page, also for those that nobody touches. */
static double
measure_entries (gconstpointer data)
{
  const Crowd *crowd = data;

  return (double) (crowd->stack_bytes + GUARD_BYTES) / (double) sysconf (_SC_PAGESIZE) *
         sizeof (guint64);
}

static double
measure_page (G_GNUC_UNUSED gconstpointer data)
{
  return (double) sysconf (_SC_PAGESIZE);
}

/* --- an idle actor ----------------------------------------------------------------------------------- */

/* Whatever the system has to give to this process alone. */
static double
get_private_bytes (pid_t pid)
{
  return (double) (get_bytes_of (pid, "smaps_rollup", "Private_Dirty:") +
                   get_bytes_of (pid, "status", "VmPTE:"));
}

static gboolean
weigh_actor (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (actors, "idler", NULL, error);

  /* It has answered, so that what it needs for an answer is there. */
  if (portal != NULL && tractor_portal_call (portal, "bench:echo", NULL, NULL, error)) {
    *(double *) data = get_private_bytes (tractor_portal_get_pid (portal));
    tractor_actor_nursery_cancel (actors);
  }
  return tractor_actor_nursery_join (actors, error);
}

static double
measure_actor (gconstpointer host)
{
  double bytes;

  bench_run (host, weigh_actor, &bytes);
  return bytes;
}

static gboolean
weigh_copy (gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime =
      tractor_runtime_open (&(TractorRuntimeOptions){ .fork_server = TRUE }, error);

  return runtime != NULL && weigh_actor (data, error);
}

static double
measure_copy (gconstpointer host)
{
  double bytes;

  bench_run (host, weigh_copy, &bytes);
  return bytes;
}

static double
measure_bare_process (G_GNUC_UNUSED gconstpointer data)
{
  pid_t pid = bench_spawn_bare ();
  double bytes = get_private_bytes (pid);

  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
  return bytes;
}

/* --- fresh stacks ------------------------------------------------------------------------------------ */

#define N_STACKS 2000

static gboolean
end_at_once (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
time_first_use (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < N_STACKS; i++) /* all at once, so that none is used again */
    if (!tractor_nursery_spawn (nursery, "child", end_at_once, NULL, NULL, error))
      return FALSE;
  if (!tractor_nursery_join (nursery, error))
    return FALSE;
  *(double *) data = (double) (bench_now_nsec () - started) / N_STACKS;
  return TRUE;
}

static double
measure_first_use (G_GNUC_UNUSED gconstpointer data)
{
  double nsec;

  bench_run ("builtin", time_first_use, &nsec);
  return nsec;
}

static double
measure_mmap (G_GNUC_UNUSED gconstpointer data)
{
  char *stacks[N_STACKS];
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < N_STACKS; i++) {
    stacks[i] = mmap (NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (madvise (stacks[i], GUARD_BYTES, MADV_GUARD_INSTALL) != 0)
      mprotect (stacks[i], GUARD_BYTES, PROT_NONE);
    stacks[i][STACK_BYTES - 64] = 1;
  }
  started = bench_now_nsec () - started;
  for (guint i = 0; i < N_STACKS; i++)
    munmap (stacks[i], STACK_BYTES);
  return (double) started / N_STACKS;
}

static const Crowd hundred_thousand = { "builtin", 100000, 256 * 1024, 0, 0 };
static const Crowd ten_thousand_on_glib = { "glib", 10000, 1024 * 1024, 0, 0 };

const BenchRow bench_memory_rows[] = {
  { "memory of an idle task, of 100,000", BENCH_BYTES, "one page", 1.15, FALSE, 3, measure_memory,
    measure_page, &hundred_thousand },
  { "page tables of an idle task, of 100,000", BENCH_BYTES, "entries", 1.15, FALSE, 1,
    measure_page_tables, measure_entries, &hundred_thousand },
  { "memory of an idle task on GLib", BENCH_BYTES, "one page", 1.15, FALSE, 3, measure_memory,
    measure_page, &ten_thousand_on_glib },
  { "page tables of an idle task on GLib", BENCH_BYTES, "entries", 1.15, FALSE, 1,
    measure_page_tables, measure_entries, &ten_thousand_on_glib },
  { "private memory of an idle actor, builtin", BENCH_BYTES, "the same binary, bare", 1.2, FALSE, 3,
    measure_actor, measure_bare_process, "builtin" },
  { "private memory of an idle actor by fork server", BENCH_BYTES, "an idle one by exec", 0.5,
    FALSE, 3, measure_copy, measure_actor, "builtin" },
  { "first use of a stack", BENCH_NSEC, "mmap, guard, touch", 1.4, TRUE, 11, measure_first_use,
    measure_mmap, NULL },
  { NULL },
};
