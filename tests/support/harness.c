/* harness.c - every test in a process of its own, and checked for what it leaves behind.
 *
 * The runner forks while it has a single thread and no guest, so the fork is sound. The forked
 * process takes a snapshot, runs the test, takes another, and compares; the runner then looks for
 * descendants that outlived it. What libraries open once a process, and keep, is opened before the
 * first snapshot. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tractor-builtin.h"
#include "tractor-glib.h"
#include "tractor-uv.h"
#include "tractor-virtual.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN 1
#endif
#ifdef HAS_ASAN
#include <sanitizer/lsan_interface.h>
#endif
#ifdef HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#define TIMEOUT_SECONDS  20
#define IDLE_WINDOW_USEC 50000

const HarnessHost harness_hosts[] = {
  { "builtin", tractor_run, TRUE },
  { "glib", tractor_glib_run, TRUE },
  { "uv", tractor_uv_run, TRUE },
  { "virtual", tractor_virtual_run, FALSE },
  { NULL, NULL, FALSE },
};

typedef struct {
  HarnessFunc func;
  TractorTaskFunc task_func;
  gconstpointer row; /* (nullable): that it is given */
  const HarnessHost *host;
} Test;

static const HarnessHost *current_host;
static TractorGuest *current_guest; /* for the dump of a test that hangs */
static HarnessFunc prepare;         /* (nullable) */
static GPtrArray *tests;

/* --- small things ------------------------------------------------------------------------------ */

const HarnessHost *
harness_get_host (void)
{
  return current_host;
}

guint
harness_get_slowness (void)
{
  if (RUNNING_ON_VALGRIND)
    return 10;
#if defined(HAS_ASAN) || defined(HAS_TSAN)
  return 4;
#else
  return 1;
#endif
}

guint
harness_get_patience (void)
{
  const char *load = g_getenv ("TRACTOR_TEST_LOAD");

  return harness_get_slowness () * (load != NULL ? (guint) atoi (load) : 1);
}

gboolean
harness_has_tsan (void)
{
#ifdef HAS_TSAN
  return TRUE;
#else
  return FALSE;
#endif
}

gint64
harness_get_cpu_usec (void)
{
  struct timespec used;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &used);
  return (gint64) used.tv_sec * G_USEC_PER_SEC + used.tv_nsec / 1000;
}

void
harness_run_shuffled (TractorTaskFunc main, gpointer data, guint64 seed)
{
  g_autoptr (TractorVirtual) host = tractor_virtual_new (main, data, NULL);
  const GError *error;

  tractor_guest_set_shuffle (tractor_virtual_get_guest (host), seed);
  tractor_virtual_turn (host);
  g_assert_true (tractor_virtual_is_done (host, &error));
  g_assert_no_error (error);
}

void
harness_wait_until_host_sleeps (void)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%d/stat", (int) getpid ());
  char state = 'R';

  while (state != 'S') { /* proc_pid_stat(5): the state follows the name in parentheses */
    g_autofree char *stat = NULL;

    g_assert_true (g_file_get_contents (path, &stat, NULL, NULL));
    state = strrchr (stat, ')')[2];
    g_thread_yield ();
  }
}

void
harness_set_guest (TractorGuest *guest)
{
  current_guest = guest;
}

/* --- what a test may leave behind --------------------------------------------------------------- */

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* (transfer full): one line an entry, each a name and, for links, where it points. */
static GPtrArray *
list_directory (const char *path, gboolean follow)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  DIR *directory = opendir (path);
  struct dirent *entry;

  while (directory != NULL && (entry = readdir (directory)) != NULL) {
    g_autofree char *full = g_build_filename (path, entry->d_name, NULL);
    char target[256] = "";
    gssize n = follow ? readlink (full, target, sizeof target - 1) : 0;

    if (entry->d_name[0] == '.' || (follow && atoi (entry->d_name) == dirfd (directory)))
      continue;
    target[MAX (n, 0)] = '\0';
    g_ptr_array_add (names, g_strdup_printf ("%s %s", entry->d_name, target));
  }
  if (directory != NULL)
    closedir (directory);
  g_ptr_array_sort (names, compare_strings);
  return names;
}

static GPtrArray *
list_sockets (void)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *text = NULL;
  g_auto (GStrv) split = NULL;

  if (!g_file_get_contents ("/proc/net/unix", &text, NULL, NULL))
    return lines;
  split = g_strsplit (text, "\n", -1);
  for (char **line = split; *line != NULL; line++)
    if (strstr (*line, g_getenv ("XDG_RUNTIME_DIR")) != NULL) /* ours, not another test's */
      g_ptr_array_add (lines, g_strdup (strrchr (*line, ' ')));
  g_ptr_array_sort (lines, compare_strings);
  return lines;
}

/* Whether thread @id is one of GLib's own: its workers, and those of its pool. */
static gboolean
is_thread_of_glib (const char *id)
{
  static const char *const names[] = { "pool-", "gmain", "gdbus" };
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%d/comm", atoi (id));
  g_autofree char *name = NULL;

  if (!g_file_get_contents (path, &name, NULL, NULL))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_has_prefix (name, names[i]))
      return TRUE;
  return FALSE;
}

static GPtrArray *
list_threads (void)
{
  GPtrArray *threads = list_directory ("/proc/self/task", FALSE);

  for (guint i = threads->len; prepare != NULL && i-- > 0;)
    if (is_thread_of_glib (threads->pdata[i]))
      g_ptr_array_remove_index (threads, i);
  return threads;
}

enum {
  KEPT_FDS,
  KEPT_THREADS,
  KEPT_SOCKETS,
  KEPT_FILES,
  KEPT_SHM,
  N_KEPT
};

static const char *const kept_names[] = { "descriptors", "threads", "Unix sockets",
                                          "files in the runtime directory", "files in /dev/shm" };

typedef struct {
  GPtrArray *kept[N_KEPT];
} Snapshot;

static void
snapshot_take (Snapshot *snapshot)
{
  g_autofree char *sockets_dir = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "tractor", NULL);

  snapshot->kept[KEPT_FDS] = list_directory ("/proc/self/fd", TRUE);
  snapshot->kept[KEPT_THREADS] = list_threads ();
  snapshot->kept[KEPT_SOCKETS] = list_sockets ();
  /* Where actors keep their sockets: it may stay, but only empty. */
  rmdir (sockets_dir);
  snapshot->kept[KEPT_FILES] = list_directory (g_getenv ("XDG_RUNTIME_DIR"), FALSE);
  snapshot->kept[KEPT_SHM] = list_directory ("/dev/shm", FALSE);
}

static void
snapshot_clear (Snapshot *snapshot)
{
  for (int i = 0; i < N_KEPT; i++)
    g_ptr_array_unref (snapshot->kept[i]);
}

static gboolean
contains (GPtrArray *lines, const char *line)
{
  return g_ptr_array_find_with_equal_func (lines, line, g_str_equal, NULL);
}

/* Returns: the number of differences, each of them printed. */
static guint
snapshot_compare (Snapshot *before, Snapshot *after)
{
  guint n = 0;

  for (int i = 0; i < N_KEPT; i++) {
    for (guint j = 0; j < after->kept[i]->len; j++)
      if (!contains (before->kept[i], after->kept[i]->pdata[j])) {
        g_printerr ("# left behind, %s: %s\n", kept_names[i], (char *) after->kept[i]->pdata[j]);
        n++;
      }
    for (guint j = 0; j < before->kept[i]->len; j++)
      if (!contains (after->kept[i], before->kept[i]->pdata[j])) {
        g_printerr ("# taken away, %s: %s\n", kept_names[i], (char *) before->kept[i]->pdata[j]);
        n++;
      }
  }
  return n;
}

/* --- in the forked process ---------------------------------------------------------------------- */

static void
on_quit_signal (G_GNUC_UNUSED int signal_number)
{
  if (current_guest != NULL)
    tractor_guest_dump (current_guest, STDERR_FILENO);
}

/* *@ret_cpu_usec: what the process uses of the processor while nothing is to be done. */
static gboolean
watch_idle (gint64 *ret_cpu_usec, GError **error)
{
  gint64 before = harness_get_cpu_usec ();

  if (!tractor_sleep_until (tractor_now () + IDLE_WINDOW_USEC, error))
    return FALSE;
  *ret_cpu_usec = harness_get_cpu_usec () - before;
  return TRUE;
}

/* The main task around the test: watches what it leaves in the poller. A loop that is busy is so for ever; once,
 * it may be the machine's doing, for what another takes of a virtual processor counts as used. */
static gboolean
run_test_task (gpointer data, GError **error)
{
  const gint64 limit = IDLE_WINDOW_USEC / 4 * (gint64) harness_get_slowness ();
  const Test *test = data;
  gint64 cpu_usec = G_MAXINT64;

  current_guest = tractor_guest_get_current ();
  if (!test->task_func ((gpointer) test->row, error))
    return FALSE;
  if (!test->host->has_real_time)
    return TRUE;

  for (int i = 0; i < 3 && cpu_usec >= limit; i++)
    if (!watch_idle (&cpu_usec, error))
      return FALSE;
  g_assert_cmpint (cpu_usec, <, limit);
  return TRUE;
}

/* A thread that has been joined is listed for a moment longer. */
static void
wait_for_threads (guint n_threads)
{
  gint64 give_up_at = g_get_monotonic_time () + G_USEC_PER_SEC;
  guint n;

  do {
    GPtrArray *threads = list_threads ();

    n = threads->len;
    g_ptr_array_unref (threads);
  } while (n > n_threads && g_get_monotonic_time () < give_up_at);
}

static void
prepare_libraries (void)
{
  GPtrArray *threads = list_threads ();

  prepare ();
  wait_for_threads (threads->len); /* until those that are GLib's are called so */
  g_ptr_array_unref (threads);
}

static void
run_test (Test *test)
{
  g_autoptr (GError) error = NULL;

  if (test->func != NULL) {
    test->func ();
  } else {
    current_host = test->host;
    if (!test->host->run (run_test_task, test, &error)) {
      g_autofree char *description =
          error != NULL ? tractor_error_describe (error) : g_strdup ("failed without an error");

      g_error ("the test's main task failed: %s", description);
    }
  }
  current_guest = NULL;
}

#ifdef HAS_TSAN
static gpointer
return_own_tid (G_GNUC_UNUSED gpointer data)
{
  return GINT_TO_POINTER ((int) syscall (SYS_gettid));
}

/* With the first thread after a fork it starts some of its own, which stay. */
static void
start_threads_of_tsan (void)
{
  int tid = GPOINTER_TO_INT (g_thread_join (g_thread_new ("first", return_own_tid, NULL)));
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%d", tid);

  while (access (path, F_OK) == 0) /* joined, and listed for a moment longer */
    g_thread_yield ();
}
#endif

static G_NORETURN void
run_in_child (Test *test)
{
  Snapshot before;
  Snapshot after;
  guint n_problems = 0;

  signal (SIGQUIT, on_quit_signal);
#ifdef HAS_TSAN
  start_threads_of_tsan ();
#endif
  if (prepare != NULL)
    prepare_libraries ();
  snapshot_take (&before);
  run_test (test);
  wait_for_threads (before.kept[KEPT_THREADS]->len);
  snapshot_take (&after);

  n_problems += snapshot_compare (&before, &after);
  snapshot_clear (&before);
  snapshot_clear (&after);
  if (waitpid (-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
    g_printerr ("# left behind: a child process\n");
    n_problems++;
  }
#ifdef HAS_ASAN
  if (__lsan_do_recoverable_leak_check () != 0)
    n_problems++;
#endif
  fflush (NULL);
  _exit (n_problems > 0 ? 1 : 0);
}

/* --- in the runner ------------------------------------------------------------------------------ */

static gboolean
has_exited (pid_t pid)
{
  siginfo_t info = { 0 };

  return waitid (P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

static gboolean
wait_for_exit (pid_t pid, int timeout_msec)
{
  int pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
  struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };
  gint64 give_up_at = g_get_monotonic_time () + timeout_msec * G_GINT64_CONSTANT (1000);

  if (pidfd >= 0) {
    poll (&pollfd, 1, timeout_msec);
    close (pidfd);
  } else { /* Valgrind does not know that call */
    while (!has_exited (pid) && g_get_monotonic_time () < give_up_at)
      poll (NULL, 0, 5);
  }
  return has_exited (pid);
}

static void
dump_hanging (pid_t group)
{
  g_autofree char *command =
      g_strdup_printf ("for p in $(pgrep -g %d); do echo \"# process $p\"; gdb -p $p -batch -nx "
                       "-ex 'thread apply all bt' 2>/dev/null | grep -E '^(#|Thread)'; done 1>&2",
                       (int) group);
  int ignored;

  kill (group, SIGQUIT); /* its tasks */
  wait_for_exit (group, 1000);
  ignored = system (command); /* and its stacks */
  (void) ignored;
}

/* Returns: how many descendants of the test outlived it. */
static guint
reap_escaped (pid_t group)
{
  guint n = 0;
  pid_t pid;

  while ((pid = waitpid (-1, NULL, WNOHANG)) >= 0) {
    if (pid == 0) {
      g_printerr ("# a process outlived the test\n");
      kill (-group, SIGKILL);
      pid = waitpid (-1, NULL, 0);
    } else {
      g_printerr ("# process %d was left to the runner to reap\n", (int) pid);
    }
    n++;
  }
  return n;
}

static void
run_test_case (gconstpointer data)
{
  Test *test = (Test *) data;
  char runtime_dir[] =
      "/tmp/tractor-test-XXXXXX"; /* on the heap, the forked process would have leaked it */
  g_autofree char *remove = NULL;
  const char *seconds = g_getenv ("TRACTOR_TEST_SECONDS");
  int timeout_msec =
      (seconds != NULL ? atoi (seconds) : TIMEOUT_SECONDS) * 1000 * (int) harness_get_patience ();
  int status = 0;
  pid_t pid;
  int ignored;

  g_assert_nonnull (g_mkdtemp (runtime_dir));
  g_setenv ("XDG_RUNTIME_DIR", runtime_dir, TRUE);
  fflush (NULL);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0) {
    setpgid (0, 0);
    run_in_child (test);
  }
  setpgid (pid, pid);

  if (!wait_for_exit (pid, timeout_msec)) {
    g_printerr ("# no end after %d s\n", timeout_msec / 1000);
    dump_hanging (pid);
    kill (-pid, SIGKILL);
    g_test_fail ();
  }
  waitpid (pid, &status, 0);
  if (reap_escaped (pid) > 0)
    g_test_fail ();
  if (WIFSIGNALED (status)) {
    g_printerr ("# ended by signal %d (%s)\n", WTERMSIG (status), strsignal (WTERMSIG (status)));
    g_test_fail ();
  } else if (WEXITSTATUS (status) != 0) {
    g_printerr ("# ended with status %d\n", WEXITSTATUS (status));
    g_test_fail ();
  }

  remove = g_strdup_printf ("rm -rf '%s'", runtime_dir);
  ignored = system (remove);
  (void) ignored;
}

void
harness_init (int *argc, char ***argv)
{
  uv_loop_t loop;

  g_test_init (argc, argv, NULL);
  prctl (PR_SET_CHILD_SUBREAPER, 1);
  tests = g_ptr_array_new_with_free_func (g_free);

  /* What these libraries open once and keep. */
  uv_loop_init (&loop);
  uv_loop_close (&loop);
  g_main_context_default ();
  tractor_error_quark (); /* GLib's once is not seen by ThreadSanitizer */
}

/* Of a program that is run in parts (TEST_PART): whether the next test is in ours. */
static gboolean
is_in_part (void)
{
  static guint n_asked;
  const char *text = g_getenv ("TEST_PART");
  guint part = 1;
  guint n_parts = 1;

  if (text != NULL && (sscanf (text, "%u/%u", &part, &n_parts) != 2 || part < 1 || part > n_parts))
    g_error ("TEST_PART is '%s', and not '1/2' or the like", text);
  return n_asked++ % n_parts == part - 1;
}

static void
add (const char *path, const Test *test)
{
  Test *copy;

  if (!is_in_part ())
    return;
  copy = g_new (Test, 1);
  *copy = *test;
  g_ptr_array_add (tests, copy);
  g_test_add_data_func (path, copy, run_test_case);
}

void
harness_add (const char *path, HarnessFunc func)
{
  add (path, &(Test){ .func = func });
}

/* By TRACTOR_TEST_HOST, of @n_hosts those that the test of @path is run on: all without it; the one that it names; one for
 * each test if it is "turn", and for each number in TRACTOR_TEST_TURN another (without a number, all). */
static gboolean
is_wanted_on (const HarnessHost *host, guint i, guint n_hosts, const char *path)
{
  const char *only = g_getenv ("TRACTOR_TEST_HOST");
  const char *turn = g_getenv ("TRACTOR_TEST_TURN");

  if (only == NULL || (g_str_equal (only, "turn") && turn == NULL))
    return TRUE;
  if (g_str_equal (only, "turn"))
    return (g_str_hash (path) + (guint) g_ascii_strtoull (turn, NULL, 10)) % n_hosts == i;
  return g_str_equal (only, host->name);
}

static void
add_on_hosts (const char *path, TractorTaskFunc func, gconstpointer row, gboolean only_real)
{
  const HarnessHost *fitting[8];
  guint n_hosts = 0;

  for (const HarnessHost *host = harness_hosts; host->name != NULL; host++)
    if (host->has_real_time || !only_real) {
      g_assert_cmpuint (n_hosts, <, G_N_ELEMENTS (fitting));
      fitting[n_hosts++] = host;
    }
  for (guint i = 0; i < n_hosts; i++) {
    g_autofree char *full = g_strdup_printf ("%s/%s", path, fitting[i]->name);

    if (is_wanted_on (fitting[i], i, n_hosts, path))
      add (full, &(Test){ .task_func = func, .row = row, .host = fitting[i] });
  }
}

void
harness_add_task (const char *path, TractorTaskFunc func)
{
  add_on_hosts (path, func, NULL, FALSE);
}

void
harness_add_real_task (const char *path, TractorTaskFunc func)
{
  add_on_hosts (path, func, NULL, TRUE);
}

void
harness_add_real_row (const char *path, TractorTaskFunc func, gconstpointer row)
{
  add_on_hosts (path, func, row, TRUE);
}

static void
add_on (TractorRunFunc run, const char *path, TractorTaskFunc func)
{
  const HarnessHost *host = harness_hosts;

  while (host->run != run)
    host++;
  add (path, &(Test){ .task_func = func, .host = host });
}

void
harness_add_glib_task (const char *path, TractorTaskFunc func)
{
  add_on (tractor_glib_run, path, func);
}

void
harness_add_uv_task (const char *path, TractorTaskFunc func)
{
  add_on (tractor_uv_run, path, func);
}

void
harness_set_prepare (HarnessFunc func)
{
  prepare = func;
}

int
harness_run (void)
{
  int result = g_test_run ();

  g_ptr_array_unref (tests);
  return result;
}
