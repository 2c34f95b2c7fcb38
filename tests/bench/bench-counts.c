/* bench-counts.c - how many system calls and how many allocations one operation of a row makes.
 *
 * They are counted, so they are the same on a machine that is busy. A row is run once more, in a process of its own, in
 * which the clock of the benchmarks (bench_now_nsec()) does not say how late it is but how much has been counted: what
 * the row then takes for nanoseconds of one operation is its count. So no row knows of this, and what it does before
 * and after its measurement is left out as it is from the time. Of a row of several processes all are counted.
 *
 * Who counts is a library that comes before the C library in each of these processes; counting.c says what it sees
 * and what it does not. It stops nobody: traced by ptrace(2), which sees all, an empty call had 6.3 to 6.7 system calls,
 * for who is stopped runs later than the other end; as it is timed it has six. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench-counts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* Enough for what happens only at first to be below a hundredth. */
#define N_COUNTED 1000

static const guint64 *counter; /* NULL: bench_now_nsec() is a clock */

gboolean
bench_is_counted (gint64 *ret_count)
{
  if (counter == NULL)
    return FALSE;
  *ret_count = (gint64) __atomic_load_n (counter, __ATOMIC_RELAXED);
  return TRUE;
}

/* --- in the process that is counted ---------------------------------------------------------------- */

static BenchCounts *
open_page (const char *path)
{
  int fd = open (path, O_RDWR | O_CLOEXEC);
  BenchCounts *page = mmap (NULL, sizeof (BenchCounts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  close (fd);
  return page == MAP_FAILED ? NULL : page;
}

int
bench_run_once (const BenchRow *row, const char *what)
{
  const char *path = getenv (BENCH_COUNTS_VARIABLE);
  BenchCounts *page = path != NULL ? open_page (path) : NULL;
  double per_operation;

  if (page != NULL)
    counter = g_str_equal (what, "system-calls") ? &page->n_system_calls : &page->n_allocations;
  per_operation = row->measure (row->data);
  if (page != NULL)
    page->per_operation = per_operation;
  return 0;
}

static void
become_counted (const BenchRow *row, const char *what, int counts_fd)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *directory = g_path_get_dirname (self);
  g_autofree char *library = g_build_filename (directory, "libbench-counting.so", NULL);
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd/%d", (int) getppid (), counts_fd);
  g_autofree char *n = g_strdup_printf ("%d", N_COUNTED);

  g_setenv (BENCH_COUNTS_VARIABLE, path, TRUE);
  g_setenv (BENCH_N_VARIABLE, n, FALSE);
  g_setenv ("LD_PRELOAD", library, TRUE);
  execl (self, "bench", "--once", row->name, what, NULL);
  _exit (127);
}

/* --- in the one that wants to know ------------------------------------------------------------------- */

double
bench_count (const BenchRow *row, const char *what)
{
  int fd = memfd_create ("bench-counts", MFD_CLOEXEC);
  BenchCounts *page;
  double per_operation = -1;
  int status;
  pid_t pid;

  g_assert (fd >= 0 && ftruncate (fd, sizeof *page) == 0);
  page = mmap (NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  g_assert (page != MAP_FAILED);
  pid = fork ();
  if (pid == 0)
    become_counted (row, what, fd);
  if (waitpid (pid, &status, 0) == pid && WIFEXITED (status) && WEXITSTATUS (status) == 0 &&
      page->n_allocations > 0) /* else nobody has counted: the library is not there */
    per_operation = page->per_operation;
  munmap (page, sizeof *page);
  close (fd);
  return per_operation;
}
