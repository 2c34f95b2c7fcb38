/* test-debug.c - instruments, the watchdog, overflows, dumps, statistics, and stacks. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-builtin.h"
#include "tractor-crash.h"
#include "tractor-debug.h"
#include "tractor-virtual.h"

#define MSEC G_GINT64_CONSTANT (1000)

/* --- instruments ------------------------------------------------------------------------------- */

/* A letter for each event that is of no task, or of one whose name begins with @first. */
typedef struct {
  char first;
  GString *seen;
  TractorInstrumentEvent spawned;
  guint64 max_id;
} Record;

static void
record (const TractorInstrumentEvent *event, gpointer data)
{
  static const char letters[] = "RpcbexwWE"; /* in the order of the points' bits */
  Record *it = data;

  it->max_id = MAX (it->max_id, event->task_id);
  if (event->task_name != NULL && event->task_name[0] != it->first)
    return;
  if (event->point == TRACTOR_INSTRUMENT_TASK_SPAWNED)
    it->spawned = *event;
  g_string_append_c (it->seen, letters[g_bit_nth_lsf (event->point, -1)]);
}

static gboolean
one_step (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
two_steps (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_checkpoint (error);
}

static gboolean
sleep_a_while (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (tractor_now () + 5 * MSEC, error);
}

static gboolean
run_children (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  (void) data;
  tractor_nursery_spawn (nursery, "a child", one_step, NULL, NULL, error);
  tractor_nursery_spawn (nursery, "b child", two_steps, NULL, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static Record
run_recorded (TractorTaskFunc main, char first, TractorInstrumentPoint points)
{
  g_autoptr (TractorVirtual) host = tractor_virtual_new (main, NULL, NULL);
  Record it = { .first = first, .seen = g_string_new (NULL) };
  const GError *error;

  tractor_guest_add_instrument (tractor_virtual_get_guest (host), points, record, &it);
  tractor_virtual_turn (host);
  tractor_virtual_advance (host, G_USEC_PER_SEC);
  g_assert_true (tractor_virtual_is_done (host, &error));
  g_assert_no_error (error);
  return it;
}

static void
assert_seen (Record it, const char *expected)
{
  g_assert_cmpstr (it.seen->str, ==, expected);
  g_string_free (it.seen, TRUE);
}

static void
test_order (void)
{
  Record it;

  assert_seen (run_recorded (one_step, 'm', TRACTOR_INSTRUMENT_ALL), "RbxeE");
  assert_seen (run_recorded (two_steps, 'm', TRACTOR_INSTRUMENT_ALL), "RbcebxeE");
  it = run_recorded (run_children, 'a', TRACTOR_INSTRUMENT_ALL);
  g_assert_cmpuint (it.spawned.parent_id, ==, 1);
  g_assert_cmpuint (it.spawned.task_id, ==, 2);
  g_assert_cmpuint (it.max_id, ==, 3);
  assert_seen (it, "RpcbxeE");
  assert_seen (run_recorded (run_children, 'b', TRACTOR_INSTRUMENT_ALL), "RpcbcebxeE");
  assert_seen (run_recorded (sleep_a_while, 'm', TRACTOR_INSTRUMENT_ALL), "RbewWcbxeE");
}

static void
test_only_what_is_asked_for (void)
{
  assert_seen (run_recorded (run_children, 'b',
                             TRACTOR_INSTRUMENT_TASK_SPAWNED | TRACTOR_INSTRUMENT_TASK_EXITED),
               "px");
  assert_seen (run_recorded (sleep_a_while, 'm', TRACTOR_INSTRUMENT_WAIT_BEGINS), "w");
}

static void
count (G_GNUC_UNUSED const TractorInstrumentEvent *event, gpointer data)
{
  ++*(guint *) data;
}

/* From the middle of a run, at each host; and what is gone is not called any more. */
static gboolean
test_mid_run (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorGuest *guest = tractor_guest_get_current ();
  GError *failure = NULL;
  guint n = 0;
  guint n_other = 0;

  tractor_guest_add_instrument (guest, TRACTOR_INSTRUMENT_STEP_BEGINS, count, &n);
  tractor_guest_add_instrument (guest, TRACTOR_INSTRUMENT_STEP_BEGINS, count, &n); /* the same */
  tractor_guest_add_instrument (guest, TRACTOR_INSTRUMENT_TASK_EXITED, count, &n_other);
  for (int i = 0; i < 10; i++)
    g_assert_true (tractor_checkpoint (error));
  g_assert_cmpuint (n, ==, 10);
  g_assert_true (tractor_guest_remove_instrument (guest, count, &n, error));
  g_assert_true (tractor_checkpoint (error));
  g_assert_true (tractor_checkpoint (error));
  g_assert_cmpuint (n, ==, 10);
  g_assert_cmpuint (n_other, ==, 0);

  g_assert_false (tractor_guest_remove_instrument (guest, count, &n, &failure));
  harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return tractor_guest_remove_instrument (guest, count, &n_other, error);
}

typedef struct {
  TractorGuest *guest;
  guint n_called;
  guint n_other;
} Changing;

static void
change (G_GNUC_UNUSED const TractorInstrumentEvent *event, gpointer data)
{
  Changing *it = data;

  it->n_called++;
  g_assert_true (tractor_guest_remove_instrument (it->guest, change, it, NULL));
  g_assert_true (tractor_guest_remove_instrument (it->guest, count, &it->n_other, NULL));
  tractor_guest_add_instrument (it->guest, TRACTOR_INSTRUMENT_STEP_ENDED, count, &it->n_other);
}

static gboolean
test_changed_from_within (G_GNUC_UNUSED gpointer data, GError **error)
{
  Changing it = { .guest = tractor_guest_get_current () };

  tractor_guest_add_instrument (it.guest, TRACTOR_INSTRUMENT_STEP_BEGINS, change, &it);
  tractor_guest_add_instrument (it.guest, TRACTOR_INSTRUMENT_STEP_BEGINS, count, &it.n_other);
  for (int i = 0; i < 5; i++)
    g_assert_true (tractor_checkpoint (error));
  g_assert_cmpuint (it.n_called, ==, 1);
  g_assert_cmpuint (it.n_other, ==, 4); /* the last step has not ended */
  return tractor_guest_remove_instrument (it.guest, count, &it.n_other, error);
}

/* What was said to be scheduled is what steps are begun of, in whatever order. */
typedef struct {
  guint64 n_scheduled[64];
  guint64 n_begun[64];
} Counts;

static void
count_scheduled (const TractorInstrumentEvent *event, gpointer data)
{
  Counts *counts = data;

  if (event->point == TRACTOR_INSTRUMENT_TASK_SCHEDULED)
    counts->n_scheduled[event->task_id]++;
  else
    counts->n_begun[event->task_id]++;
}

static gboolean
yield_often (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (int i = 0; i < 30; i++)
    if (!tractor_checkpoint (error))
      return FALSE;
  return TRUE;
}

static gboolean
yield_and_sleep (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  (void) data;
  for (int i = 0; i < 10; i++) {
    tractor_nursery_spawn (nursery, "yields", yield_often, NULL, NULL, error);
    tractor_nursery_spawn (nursery, "sleeps", sleep_a_while, NULL, NULL, error);
  }
  return tractor_nursery_join (nursery, error);
}

static void
test_scheduled_when_shuffled (void)
{
  for (guint64 seed = 0; seed < 20; seed++) {
    g_autoptr (TractorVirtual) host = tractor_virtual_new (yield_and_sleep, NULL, NULL);
    TractorGuest *guest = tractor_virtual_get_guest (host);
    Counts counts = { { 0 }, { 0 } };

    tractor_guest_set_shuffle (guest, seed);
    tractor_guest_add_instrument (
        guest, TRACTOR_INSTRUMENT_TASK_SCHEDULED | TRACTOR_INSTRUMENT_STEP_BEGINS, count_scheduled,
        &counts);
    tractor_virtual_advance (host, G_USEC_PER_SEC);
    g_assert_true (tractor_virtual_is_done (host, NULL));
    for (guint id = 2; id <= 21; id++)
      g_assert_cmpuint (counts.n_scheduled[id], ==, counts.n_begun[id]);
  }
}

/* --- what is written to stderr -------------------------------------------------------------------- */

/* Runs @func in a process of its own. Returns: (transfer full): what it wrote to stderr. */
static char *
run_and_read_stderr (void (*func) (void), int *ret_status)
{
  GString *text = g_string_new (NULL);
  char buffer[4096];
  gssize n;
  int fds[2];
  pid_t pid;

  prctl (PR_SET_CHILD_SUBREAPER, 1);
  g_assert_cmpint (pipe (fds), ==, 0);
  pid = fork ();
  if (pid == 0) {
    dup2 (fds[1], STDERR_FILENO);
    close (fds[0]);
    close (fds[1]);
    func ();
    exit (0);
  }
  close (fds[1]);
  while ((n = read (fds[0], buffer, sizeof buffer)) > 0)
    g_string_append_len (text, buffer, n);
  close (fds[0]);
  g_assert_cmpint (waitpid (pid, ret_status, 0), ==, pid);
  while (waitpid (-1, NULL, 0) >
         0) /* a sanitizer that sees a fault starts a program to explain it */
    ;
  return g_string_free (text, FALSE);
}

/* @text is on exactly @n lines of @output. */
static void
assert_lines (const char *output, const char *text, guint n)
{
  guint found = 0;

  for (const char *at = output; (at = strstr (at, text)) != NULL; at++)
    found++;
  if (found != n)
    g_error ("'%s' is there %u times, not %u:\n%s", text, found, n, output);
}

/* --- the watchdog ------------------------------------------------------------------------------- */

static void G_NO_INLINE
hog_the_loop (gint64 usec)
{
  gint64 until = g_get_monotonic_time () + usec;

  while (g_get_monotonic_time () < until)
    ;
}

static gboolean
hog (G_GNUC_UNUSED gpointer data, GError **error)
{
  hog_the_loop (300 * MSEC);
  return tractor_checkpoint (error);
}

static gboolean
do_little (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (int i = 0; i < 100; i++)
    if (!tractor_sleep_until (tractor_now () + MSEC, error))
      return FALSE;
  return TRUE;
}

static gboolean
run_watched (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_guest_set_watchdog (tractor_guest_get_current (), 50 * MSEC);
  tractor_nursery_spawn (nursery, "modest", do_little, NULL, NULL, error);
  tractor_nursery_spawn (nursery, "greedy", hog, NULL, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static const HarnessHost *watched_host;

static void
run_watched_on_host (void)
{
  g_assert_true (watched_host->run (run_watched, NULL, NULL));
}

static void
test_watchdog (void)
{
  for (watched_host = harness_hosts; watched_host->has_real_time; watched_host++) {
    int status;
    g_autofree char *output = run_and_read_stderr (run_watched_on_host, &status);

    g_assert_cmpint (status, ==, 0);
    assert_lines (output, "task 'greedy' keeps the loop", 1);
    assert_lines (output, "modest", 0);
    if (strstr (output, "hog_the_loop") == NULL)
      g_error ("the backtrace does not say where it is:\n%s", output);
  }
}

/* The guest has waited for so long that the watchdog has gone to sleep. */
static gboolean
hog_after_a_rest (gpointer data, GError **error)
{
  tractor_guest_set_watchdog (tractor_guest_get_current (), 50 * MSEC);
  return tractor_sleep_until (tractor_now () + 300 * MSEC, error) && hog (data, error);
}

static void
run_hog_after_a_rest_on_host (void)
{
  g_assert_true (watched_host->run (hog_after_a_rest, NULL, NULL));
}

static void
test_watchdog_wakes_up (void)
{
  for (watched_host = harness_hosts; watched_host->has_real_time; watched_host++) {
    int status;
    g_autofree char *output = run_and_read_stderr (run_hog_after_a_rest_on_host, &status);

    g_assert_cmpint (status, ==, 0);
    assert_lines (output, "task 'main' keeps the loop", 1);
  }
}

static int n_urgent;

static void
on_urgent (G_GNUC_UNUSED int signal_number)
{
  n_urgent++;
}

static void
on_urgent_with_info (G_GNUC_UNUSED int signal_number,
                     G_GNUC_UNUSED siginfo_t *info,
                     G_GNUC_UNUSED void *context)
{
  n_urgent += 10;
}

/* What the program does with SIGURG it does also while the watchdog uses it, and after that. */
static gboolean
test_watchdog_lets_signals_through (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  const struct sigaction handlers[] = {
    { .sa_handler = on_urgent },
    { .sa_sigaction = on_urgent_with_info, .sa_flags = SA_SIGINFO },
    { .sa_handler = SIG_IGN },
    { .sa_handler = SIG_DFL },
  };

  n_urgent = 0;
  for (guint i = 0; i < G_N_ELEMENTS (handlers); i++) {
    struct sigaction now;

    sigaction (SIGURG, &handlers[i], NULL);
    tractor_guest_set_watchdog (tractor_guest_get_current (), 50 * MSEC);
    kill (getpid (), SIGURG);
    tractor_guest_set_watchdog (tractor_guest_get_current (), 0);
    sigaction (SIGURG, NULL, &now);
    g_assert_true (now.sa_handler == handlers[i].sa_handler);
  }
  g_assert_cmpint (n_urgent, ==, 11);
  return TRUE;
}

/* How often the other threads of this process have begun to sleep. */
static guint
count_rests (void)
{
  g_autoptr (GDir) threads = g_dir_open ("/proc/self/task", 0, NULL);
  const char *name;
  guint n_rests = 0;

  while ((name = g_dir_read_name (threads)) != NULL) {
    g_autofree char *path = g_build_filename ("/proc/self/task", name, "status", NULL);
    g_autofree char *status = NULL;
    const char *line;

    if (atoi (name) == getpid () || !g_file_get_contents (path, &status, NULL, NULL))
      continue;
    line = strstr (status, "\nvoluntary_ctxt_switches:");
    g_assert_nonnull (line);
    n_rests += (guint) atoi (strchr (line, ':') + 1);
  }
  return n_rests;
}

/* A guest that waits is not looked at. */
static gboolean
test_watchdog_is_idle (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 used;
  guint n_rests;

  tractor_guest_set_watchdog (tractor_guest_get_current (), MSEC);
  g_assert_true (tractor_sleep_until (tractor_now () + 20 * MSEC, error));
  used = harness_get_cpu_usec ();
  n_rests = count_rests ();
  g_assert_true (tractor_sleep_until (tractor_now () + 200 * MSEC, error));
  used = harness_get_cpu_usec () - used;
  n_rests = count_rests () - n_rests;
  g_assert_cmpint (used, <, 20 * MSEC * harness_get_slowness ());
  g_assert_cmpuint (n_rests, <,
                    50); /* of 200, if it looked each millisecond; a few before it has settled */
  tractor_guest_set_watchdog (tractor_guest_get_current (), 0);
  return TRUE;
}

/* A step is noticed by a counter, and wakes the watchdog only if that sleeps. */
static gboolean
test_watchdog_is_woken_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  const guint n_steps = 1000;
  guint before;

  tractor_guest_set_watchdog (tractor_guest_get_current (), 20 * MSEC);
  g_assert_true (tractor_sleep_until (tractor_now () + 200 * MSEC, error)); /* it sleeps now */
  before = count_rests ();
  for (guint i = 0; i < n_steps; i++) {
    g_assert_true (tractor_checkpoint (error));
    g_usleep (20); /* so that it can take its turn each time */
  }
  g_assert_cmpuint (count_rests () - before, <, n_steps / 2);
  tractor_guest_set_watchdog (tractor_guest_get_current (), 0);
  return TRUE;
}

/* --- overflows ------------------------------------------------------------------------------------ */

static guint G_NO_INLINE
recurse_too_deep (guint depth)
{
  volatile char room[1024];

  room[depth % sizeof room] = (char) depth;
  if (depth == 0)
    return 0;
  return recurse_too_deep (depth - 1) + (guint) room[depth % sizeof room];
}

static gboolean
overflow (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  recurse_too_deep (1000000);
  return TRUE;
}

static gboolean
run_overflow (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "innocent", sleep_a_while, NULL, NULL, error);
  tractor_nursery_spawn (nursery, "deep", overflow, NULL, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static const HarnessHost *overflow_host;

static void
overflow_by_default (void)
{
  overflow_host->run (run_overflow, NULL, NULL);
}

static gpointer
run_overflow_in_thread (G_GNUC_UNUSED gpointer data)
{
  tractor_run (run_overflow, NULL, NULL);
  return NULL;
}

static void
overflow_in_thread (void)
{
  g_thread_join (g_thread_new ("other", run_overflow_in_thread, NULL));
}

static void
overflow_asked_for (void)
{
  tractor_report_stack_overflows ();
  tractor_report_stack_overflows (); /* no harm */
  tractor_run (run_overflow, NULL, NULL);
}

static void
assert_overflow_told (void (*func) (void), guint kib)
{
  int status;
  g_autofree char *output = run_and_read_stderr (func, &status);
  g_autofree char *told = g_strdup_printf ("task 'deep' has overflowed its stack of %u KiB", kib);

  g_assert_cmpint (status, !=, 0);
  assert_lines (output, told, 1);
  if (strstr (output, "(recurse_too_deep") == NULL)
    g_error ("the frames do not say where it is:\n%s", output);
}

static void
test_overflow (void)
{
  for (overflow_host = harness_hosts; overflow_host->name != NULL; overflow_host++)
    assert_overflow_told (overflow_by_default,
                          strcmp (overflow_host->name, "glib") == 0 ? 1024 : 256);
  assert_overflow_told (overflow_in_thread, 256);
}

static void
test_overflow_asked_for (void)
{
  assert_overflow_told (overflow_asked_for, 256);
}

static void
fault_elsewhere (void)
{
  tractor_report_stack_overflows ();
  kill (getpid (), SIGSEGV); /* sent, and no instruction's */
}

static void
test_other_fault (void)
{
  int status;
  g_autofree char *output = run_and_read_stderr (fault_elsewhere, &status);

  g_assert_cmpint (status, !=, 0);
  assert_lines (output, "overflowed its stack of", 0);
}

/* --- a handler of the program's own --------------------------------------------------------------- */

static void
on_fault_alone (G_GNUC_UNUSED int signal_number)
{
  _exit (7);
}

static void
on_fault_with_dump (G_GNUC_UNUSED int signal_number, siginfo_t *info, void *context)
{
  tractor_dump_crash (STDERR_FILENO, info, context);
  _exit (7);
}

static void
overflow_without_stack (void)
{
  struct sigaction action = { .sa_handler = on_fault_alone };

  sigaction (SIGSEGV, &action, NULL);
  tractor_run (run_overflow, NULL, NULL);
}

static void
overflow_with_dump (void)
{
  struct sigaction action = { .sa_sigaction = on_fault_with_dump,
                              .sa_flags = SA_SIGINFO | SA_ONSTACK };

  sigaction (SIGSEGV, &action, NULL);
  tractor_run (run_overflow, NULL, NULL);
}

/* Who handles it already is left alone: this one without a stack, so that nothing can be said, but it is
 * a fault all the same, and no silent corruption. */
static void
test_left_to_others (void)
{
  int status;
  g_autofree char *output = run_and_read_stderr (overflow_without_stack, &status);

  g_assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGSEGV);
  g_assert_cmpstr (output, ==, "");
}

static void
check_alternate (void)
{
  struct sigaction action = { .sa_handler = on_fault_alone };
  stack_t alternate = { .ss_flags = SS_DISABLE };

  sigaltstack (&alternate, NULL); /* a sanitizer's */
  sigaction (SIGSEGV, &action, NULL);
  tractor_run (one_step, NULL, NULL);
  sigaltstack (NULL, &alternate);
  _exit ((alternate.ss_flags & SS_DISABLE) != 0 ? 7 : 1);
}

/* Nor is memory spent on a stack that it would not use. */
static void
test_no_stack_for_others (void)
{
  int status;
  g_autofree char *output = run_and_read_stderr (check_alternate, &status);

  g_assert_cmpstr (output, ==, "");
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 7);
}

static void
test_own_handler (void)
{
  int status;
  g_autofree char *output = run_and_read_stderr (overflow_with_dump, &status);

  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 7);
  assert_lines (output, "task 'deep' has overflowed its stack of 256 KiB", 1);
  if (strstr (output, "(recurse_too_deep") == NULL)
    g_error ("the frames do not say where it is:\n%s", output);
}

static G_NORETURN void G_NO_INLINE
stop_here (void)
{
  __builtin_trap ();
}

/* Its last instruction is a call that does not return: what it would return to is another function's. */
static G_NORETURN void G_NO_INLINE
give_up (void)
{
  stop_here ();
}

static gboolean
give_up_in_task (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  give_up ();
}

static void
crash_with_dump (void)
{
  struct sigaction action = { .sa_sigaction = on_fault_with_dump, .sa_flags = SA_SIGINFO };

  sigaction (SIGILL, &action, NULL);
  sigaction (SIGTRAP, &action, NULL); /* some processors' */
  tractor_run (give_up_in_task, NULL, NULL);
}

static void
test_call_without_return (void)
{
  int status;
  g_autofree char *output = run_and_read_stderr (crash_with_dump, &status);

  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 7);
  if (strstr (output, "(stop_here+") == NULL || strstr (output, "(give_up+") == NULL)
    g_error ("the frames do not say where it is:\n%s", output);
}

/* --- exit with tasks alive ------------------------------------------------------------------------ */

static gboolean
exit_in_task (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  exit (3);
}

static void
exit_alive (void)
{
  tractor_run (exit_in_task, NULL, NULL);
}

static void
exit_in_order (void)
{
  tractor_run (one_step, NULL, NULL);
}

static void
test_exit_with_tasks_alive (void)
{
  int status;
  g_autofree char *output = run_and_read_stderr (exit_alive, &status);
  g_autofree char *nothing = NULL;

  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) != 0);
  assert_lines (output, "tractor: the process exits while a guest has tasks alive", 1);
  nothing = run_and_read_stderr (exit_in_order, &status);
  g_assert_cmpint (status, ==, 0);
  assert_lines (nothing, "tractor", 0);
}

/* --- dump and statistics -------------------------------------------------------------------------- */

gboolean wait_to_be_dumped (gpointer data, GError **error);

G_NO_INLINE gboolean
wait_to_be_dumped (gpointer data, GError **error)
{
  gboolean ok = tractor_event_wait (data, error);

  tractor_checkpoint (NULL); /* not a tail call, which would leave no frame */
  return ok;
}

static gboolean
sleep_until (gpointer data, GError **error)
{
  return tractor_sleep_until (*(gint64 *) data, error);
}

static gboolean
wait_for_pipe (gpointer data, GError **error)
{
  return tractor_wait_fd (*(int *) data, G_IO_IN, NULL, error);
}

static gboolean
test_dump_and_statistics (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorGuest *guest = tractor_guest_get_current ();
  g_autoptr (TractorEvent) event = tractor_event_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gint64 deadline = tractor_now () + 3600 * 1000 * MSEC;
  TractorGuestStatistics now;
  char text[16384] = "";
  int fds[2];

  g_assert_cmpint (pipe (fds), ==, 0);
  tractor_event_set_static_name (event, "dump");
  tractor_nursery_spawn (nursery, "one that waits", wait_to_be_dumped, event, NULL, error);
  tractor_nursery_spawn (nursery, "a sleeper", sleep_until, &deadline, NULL, error);
  tractor_nursery_spawn (nursery, "a reader", wait_for_pipe, &fds[0], NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  tractor_nursery_spawn (nursery, "a new one", one_step, NULL, NULL, error);

  tractor_guest_get_statistics (guest, &now);
  g_assert_cmpuint (now.n_tasks, ==, 5);
  g_assert_cmpuint (now.n_runnable, ==, 1);
  g_assert_cmpuint (now.n_deadlines, ==, 1);
  g_assert_cmpuint (now.n_fd_waits, ==, 1);
  g_assert_cmpuint (now.n_calls, ==, 0);
  g_assert_cmpuint (now.n_stacks, >=, 5);
  g_assert_cmpint (now.next_deadline, ==, deadline);

  tractor_guest_dump (guest, fds[1]);
  g_assert_cmpint (read (fds[0], text, sizeof text - 1), >, 0);
  assert_lines (text, "'one that waits' waiting for dump", 1);
  assert_lines (text, "'a sleeper' waiting for sleep", 1);
  assert_lines (text, "'a new one' runnable", 1);
#ifdef TRACTOR_SWITCH_ASM
  if (strstr (text, "wait_to_be_dumped") == NULL)
    g_error ("the dump does not say where it waits:\n%s", text);
#endif

  tractor_event_set (event);
  g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "woken");
  g_assert_true (tractor_nursery_join (nursery, error));
  close (fds[0]);
  close (fds[1]);
  return TRUE;
}

static gboolean
test_dump_for_nobody (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  int fds[2];

  signal (SIGPIPE, SIG_DFL);
  g_assert_cmpint (pipe (fds), ==, 0);
  close (fds[0]);
  tractor_guest_dump (tractor_guest_get_current (), fds[1]);
  close (fds[1]);
  return TRUE;
}

/* --- stacks --------------------------------------------------------------------------------------- */

typedef struct {
  gsize size;
  gsize touched_before;
  gsize touched_after;
  guint depth;
} Stack;

static gboolean
use_stack (gpointer data, G_GNUC_UNUSED GError **error)
{
  Stack *stack = data;

  stack->size = tractor_task_get_stack (&stack->touched_before);
  recurse_too_deep (stack->depth);
  tractor_task_get_stack (&stack->touched_after);
  return TRUE;
}

/* Toolkits need deep ones: GTK 4 touches 532 KiB to load a theme. */
static gsize
get_host_stack_kib (void)
{
  return strcmp (harness_get_host ()->name, "glib") == 0 ? 1024 : 256;
}

/* But for what the task itself has on it. */
static void
assert_stack_size (gsize bytes, gsize kib)
{
  g_assert_cmpuint (bytes, >, (kib - 4) * 1024);
  g_assert_cmpuint (bytes, <=, kib * 1024);
}

static gboolean
test_stack_size (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Stack usual = { 0 };
  Stack small = { 0 };
  Stack large = { .depth = 2000 }; /* two megabytes, and more with a sanitizer */

  g_assert_true (tractor_nursery_spawn (nursery, "usual", use_stack, &usual, NULL, error));
  g_assert_true (
      tractor_nursery_spawn_with_stack (nursery, "small", 1, use_stack, &small, NULL, error));
  g_assert_true (tractor_nursery_spawn_with_stack (nursery, "large", 16 * 1024 * 1024, use_stack,
                                                   &large, NULL, error));
  g_assert_true (tractor_nursery_join (nursery, error));
  assert_stack_size (usual.size, get_host_stack_kib ());
  g_assert_cmpuint (small.size, >, 10 * 1024);
  g_assert_cmpuint (small.size, <=, 16 * 1024);
  g_assert_cmpuint (large.size, >, 15 * 1024 * 1024);
  g_assert_cmpuint (large.touched_before, <, 64 * 1024);
  g_assert_cmpuint (large.touched_after, >=, 2000 * 1024);
  g_assert_cmpuint (large.touched_after, <=, large.size + 4096);
  return TRUE;
}

static gboolean
test_stack_too_large (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *failure = NULL;

  g_assert_false (tractor_nursery_spawn_with_stack (nursery, "huge", G_MAXSIZE / 4, use_stack, NULL,
                                                    NULL, &failure));
  harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  g_assert_false (tractor_nursery_spawn_with_stack (nursery, "endless", G_MAXSIZE, use_stack, NULL,
                                                    NULL, &failure));
  harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_guest_stack_size (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorGuest *guest = tractor_guest_get_current ();
  Stack stacks[3] = { { 0 } };

  assert_stack_size (tractor_task_get_stack (NULL), get_host_stack_kib ());
  for (guint i = 0; i < 3; i++) {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    if (i > 0)
      tractor_guest_set_stack_size (guest, i == 1 ? 2048 * 1024 : 0);
    g_assert_true (tractor_nursery_spawn (nursery, "child", use_stack, &stacks[i], NULL, error));
    g_assert_true (tractor_nursery_join (nursery, error));
  }
  assert_stack_size (stacks[0].size, get_host_stack_kib ());
  assert_stack_size (stacks[1].size, 2048);
  assert_stack_size (stacks[2].size, 16);
  return TRUE;
}

static gboolean
note_stack_sizes (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Stack child = { 0 };
  gsize *sizes = data;

  sizes[0] = tractor_task_get_stack (NULL);
  g_assert_true (tractor_nursery_spawn (nursery, "child", use_stack, &child, NULL, error));
  g_assert_true (tractor_nursery_join (nursery, error));
  sizes[1] = child.size;
  return TRUE;
}

/* The main task's too, on whatever host; and back. */
static void
test_default_stack_size (void)
{
  for (const HarnessHost *host = harness_hosts; host->name != NULL; host++) {
    gsize usual[2];
    gsize large[2];

    tractor_set_default_stack_size (3 * 1024 * 1024);
    g_assert_true (host->run (note_stack_sizes, large, NULL));
    tractor_set_default_stack_size (0);
    g_assert_true (host->run (note_stack_sizes, usual, NULL));
    for (guint i = 0; i < 2; i++) {
      assert_stack_size (large[i], 3 * 1024);
      assert_stack_size (usual[i], strcmp (host->name, "glib") == 0 ? 1024 : 256);
    }
  }
}

/* Stacks are used again: no new ones for tasks that come after others. */
static gboolean
test_stacks_are_kept (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorGuest *guest = tractor_guest_get_current ();
  guint n_stacks = 0;

  for (int round = 0; round < 10; round++) {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    TractorGuestStatistics now;

    for (int i = 0; i < 100; i++)
      tractor_nursery_spawn (nursery, "child", two_steps, NULL, NULL, error);
    g_assert_true (tractor_nursery_join (nursery, error));
    tractor_guest_get_statistics (guest, &now);
    if (round == 0)
      n_stacks = now.n_stacks;
    g_assert_cmpuint (now.n_stacks, ==, n_stacks);
  }
  return TRUE;
}

/* --- threads that it does not belong to ------------------------------------------------------------ */

static gpointer
misuse_from_thread (gpointer data)
{
  TractorNursery *nursery = data;
  GError *error = NULL;

  g_assert_false (tractor_nursery_spawn (nursery, "child", one_step, NULL, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_WRONG_THREAD);
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*from a thread that is not its own*");
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_test_assert_expected_messages ();
  return NULL;
}

static gboolean
test_wrong_thread (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  TractorCancelScope *scope = tractor_nursery_get_scope (nursery);

  g_thread_join (g_thread_new ("other", misuse_from_thread, nursery));
  g_assert_false (tractor_cancel_scope_get_cancel_called (scope));
  return tractor_nursery_join (nursery, error);
}

/* One that dladdr() does not know, of a library and of nothing. */
static void
test_names_of_functions (void)
{
  g_autofree char *own = tractor_dup_function_name ((gconstpointer) test_names_of_functions);
  g_autofree char *of_library = tractor_dup_function_name ((gconstpointer) tractor_dump_crash);
  g_autofree char *nothing = tractor_dup_function_name (&own);

  g_assert_cmpstr (own, ==, "test_names_of_functions");
  g_assert_cmpstr (of_library, ==, "tractor_dump_crash");
  g_assert_null (nothing);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/guest/instrument/A107-order", test_order);
  harness_add ("/guest/instrument/A107-only-what-is-asked-for", test_only_what_is_asked_for);
  harness_add ("/guest/instrument/A107-A77-scheduled-when-shuffled", test_scheduled_when_shuffled);
  harness_add_task ("/guest/instrument/A107-mid-run", test_mid_run);
  harness_add_task ("/guest/instrument/A107-changed-from-within", test_changed_from_within);
  harness_add ("/guest/watchdog/B46-names-who-hogs", test_watchdog);
  harness_add ("/guest/watchdog/wakes-up-after-a-rest", test_watchdog_wakes_up);
  harness_add_real_task ("/guest/watchdog/is-woken-once-for-many-steps",
                         test_watchdog_is_woken_once);
  harness_add_real_task ("/guest/watchdog/signals-of-the-program",
                         test_watchdog_lets_signals_through);
  harness_add_real_task ("/guest/watchdog/B6-idle", test_watchdog_is_idle);
  if (!HARNESS_HAS_SANITIZER) /* which handles these itself */
    harness_add ("/guest/stack/A110-overflow-names-the-task", test_overflow);
  harness_add ("/guest/stack/A110-overflow-asked-for", test_overflow_asked_for);
  harness_add ("/guest/stack/A110-other-faults", test_other_fault);
  harness_add ("/guest/stack/A110-left-to-others", test_left_to_others);
  harness_add ("/guest/stack/A110-no-stack-for-others", test_no_stack_for_others);
  harness_add ("/guest/stack/A110-own-handler", test_own_handler);
  harness_add ("/guest/stack/A110-call-without-return", test_call_without_return);
  harness_add ("/guest/run/B27-exit-with-tasks-alive", test_exit_with_tasks_alive);
  harness_add_task ("/guest/run/A108-A109-dump-and-statistics", test_dump_and_statistics);
  harness_add_task ("/guest/run/dump-for-nobody", test_dump_for_nobody);
  harness_add_task ("/guest/stack/A111-size-of-one", test_stack_size);
  harness_add ("/guest/debug/names-of-functions", test_names_of_functions);
  harness_add_task ("/guest/stack/A14-too-large", test_stack_too_large);
  harness_add_task ("/guest/stack/A111-size-of-all", test_guest_stack_size);
  harness_add ("/guest/stack/A111-size-of-the-main-task", test_default_stack_size);
  harness_add_task ("/guest/stack/A114-A116-kept", test_stacks_are_kept);
  harness_add_task ("/guest/run/B37-wrong-thread", test_wrong_thread);
  return harness_run ();
}
