/* test-process.c - programs that are no actors: what they write, how they end, and how they are ended.
 *
 * The programs are lines for sh. Where one has to be seen to do something, it says so on stdout, and
 * where one has to wait, it reads from a pipe that the test writes to or closes. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "scripts.h"

/* What only SIGKILL ends; it says when it has got that far. */
#define DEAF_SCRIPT "trap '' TERM INT; echo ready; exec sleep 1000"

/* --- what the actors serve ----------------------------------------------------------------------- */

/* Runs what cannot be asked to end, which inherits descriptor 5. */
static gboolean
run_deaf_program (G_GNUC_UNUSED GVariant *kwargs,
                  G_GNUC_UNUSED GVariant **ret_result,
                  GError **error)
{
  return tractor_run_process (
      (const char *[]){ "sh", "-c", "trap '' TERM; echo ready >&5; exec sleep 1000", NULL },
      &(TractorProcessOptions){ .fds = &(TractorFdMapping){ 5, 5 }, .n_fds = 1 }, error);
}

static const TractorExport exports[] = {
  { "run_deaf_program", TRACTOR_EXPORT_CALL, run_deaf_program },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- helpers ------------------------------------------------------------------------------------- */

/* Waits until every other end of the pipe is closed, whatever is in it. */
static void
wait_for_hang_up (int fd)
{
  g_autoptr (GError) error = NULL;
  char bytes[64];

  do {
    tractor_wait_fd (fd, G_IO_IN, NULL, &error);
    g_assert_no_error (error);
  } while (read (fd, bytes, sizeof bytes) > 0);
}

static void
assert_prompt (gint64 since, gint64 patience)
{
  g_assert_cmpint (tractor_now () - since, <, patience * harness_get_patience ());
}

/* Reaps what has been left to us, a subreaper. */
static void
wait_for_descendants (GError **error)
{
  gint64 since = tractor_now ();

  for (;;) {
    while (waitpid (-1, NULL, WNOHANG) > 0)
      ;
    if (errno == ECHILD || is_only_child (find_fork_server ()))
      return;
    assert_prompt (since, 2 * SECOND);
    g_assert_true (tractor_sleep_until (tractor_now () + 10000, error));
  }
}

/* --- output -------------------------------------------------------------------------------------- */

static void
collect_log (G_GNUC_UNUSED const char *domain,
             GLogLevelFlags level,
             const char *message,
             gpointer data)
{
  g_assert_true ((level & G_LOG_LEVEL_MESSAGE) != 0);
  g_ptr_array_add (data, g_strdup (message));
}

static void
assert_logged (const char *script, const char *expected)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  guint handler = g_log_set_handler ("tractor", G_LOG_LEVEL_MASK, collect_log, lines);
  g_autoptr (GError) error = NULL;
  g_autofree char *all = NULL;

  run_script (script, &(TractorProcessOptions){ .label = "job" }, &error);
  g_log_remove_handler ("tractor", handler);
  g_assert_no_error (error);
  g_ptr_array_add (lines, NULL);
  all = g_strjoinv ("|", (char **) lines->pdata);
  g_assert_cmpstr (all, ==, expected);
}

static gboolean
test_lines_with_label (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  assert_logged ("echo one; echo; echo three; printf four",
                 "[job:out] one|[job:out] |[job:out] three|[job:out] four");
  assert_logged ("echo one >&2; printf two >&2", "[job:err] one|[job:err] two");
  assert_logged ("true", "");
  return TRUE;
}

static gboolean
test_log_is_escaped (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  assert_logged ("printf 'red \\033[31m\\n'", "[job:out] red \\x1b[31m");
  assert_logged ("printf 'h\\303\\251 \\377\\n'", "[job:out] h\xc3\xa9 \xef\xbf\xbd");
  return TRUE;
}

static gboolean
test_many_lines_in_order (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);

  g_assert_true (run_script (
      "seq 100000", &(TractorProcessOptions){ .on_stdout = add_line, .data = lines }, error));
  g_assert_cmpuint (lines->len, ==, 100000);
  for (guint i = 0; i < lines->len; i++)
    g_assert_cmpint (atoi (lines->pdata[i]), ==, (int) i + 1);
  return TRUE;
}

typedef struct {
  GPtrArray *lines;
  TractorEvent *go_on;
} SlowReader;

static void
add_line_when_told (const char *line, gsize length, gpointer data)
{
  SlowReader *reader = data;

  tractor_event_wait (reader->go_on, NULL);
  add_line (line, length, reader->lines);
}

static gboolean
let_go_on_when_blocked (gpointer data, GError **error)
{
  SlowReader *reader = data;

  /* Longer than a dead program's output is listened to: the delay is what is tested. */
  if (!tractor_sleep_until (tractor_now () + 7 * SECOND / 10, error))
    return FALSE;
  tractor_event_set (reader->go_on);
  return TRUE;
}

static gboolean
test_slow_function_loses_nothing (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  SlowReader reader = { lines, tractor_event_new () };

  tractor_nursery_spawn (nursery, "go on", let_go_on_when_blocked, &reader, NULL, error);
  g_assert_true (run_script (
      "seq 1000", &(TractorProcessOptions){ .on_stdout = add_line_when_told, .data = &reader },
      error));
  g_assert_cmpuint (lines->len, ==, 1000);
  tractor_nursery_join (nursery, error);
  tractor_event_free (reader.go_on);
  return *error == NULL;
}

static gboolean
test_stdio_is_null (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_true (run_script (
      "[ /proc/self/fd/0 -ef /dev/null ] && [ /proc/self/fd/1 -ef /dev/null ]", NULL, error));
  return TRUE;
}

typedef struct {
  gsize n_bytes;
  guint n_pieces;
  gsize longest;
} Pieces;

static void
count_piece (G_GNUC_UNUSED const char *line, gsize length, gpointer data)
{
  Pieces *pieces = data;

  pieces->n_bytes += length;
  pieces->n_pieces++;
  pieces->longest = MAX (pieces->longest, length);
}

static Pieces
count_pieces (const char *script)
{
  Pieces pieces = { 0 };
  g_autoptr (GError) error = NULL;

  run_script (script,
              &(TractorProcessOptions){
                  .on_stdout = count_piece, .on_stderr = count_piece, .data = &pieces },
              &error);
  g_assert_no_error (error);
  return pieces;
}

static gboolean
test_megabyte_without_newline (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  Pieces out = count_pieces ("head -c 1048576 /dev/zero");
  Pieces both = count_pieces ("head -c 1048576 /dev/zero; head -c 1048576 /dev/zero >&2");

  g_assert_cmpuint (out.n_bytes, ==, 1024 * KIB);
  g_assert_cmpuint (out.longest, ==, 64 * KIB);
  g_assert_cmpuint (out.n_pieces, ==, 16);
  g_assert_cmpuint (both.n_bytes, ==, 2 * 1024 * KIB);
  g_assert_true (run_script ("head -c 1048576 /dev/zero >&2", NULL, error)); /* nobody wants it */
  return TRUE;
}

static gboolean
test_line_as_long_as_a_piece (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  Pieces exact = count_pieces ("head -c 65536 /dev/zero; echo; echo");
  Pieces more = count_pieces ("head -c 65537 /dev/zero; echo");

  g_assert_cmpuint (exact.n_pieces, ==, 2); /* the second is the empty line */
  g_assert_cmpuint (exact.n_bytes, ==, 64 * KIB);
  g_assert_cmpuint (more.n_pieces, ==, 2);
  g_assert_cmpuint (more.n_bytes, ==, 64 * KIB + 1);
  return TRUE;
}

/* --- its end ------------------------------------------------------------------------------------- */

static gboolean
test_exit_status (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (run_script ("echo unseen; echo 'no \033[31m luck' >&2; exit 7", NULL, error));
  g_assert_error (*error, G_SPAWN_EXIT_ERROR, 7);
  g_assert_true (g_str_has_prefix ((*error)->message, "Program 'sh' (pid "));
  g_assert_true (
      g_str_has_suffix ((*error)->message, "exited with status 7; it wrote: no \\x1b[31m luck"));
  g_clear_error (error);
  assert_no_child_process ();

  g_assert_false (run_script ("exit 3", NULL, error));
  g_assert_true (g_str_has_suffix ((*error)->message, "exited with status 3"));
  harness_assert_error (*error, G_SPAWN_EXIT_ERROR, 3);
  return TRUE;
}

static gboolean
test_stderr_tail_is_bounded (G_GNUC_UNUSED gpointer data, GError **error)
{
  gsize length;

  g_assert_false (run_script ("seq 1000000 >&2; echo last words >&2; exit 1", NULL, error));
  length = strlen ((*error)->message);
  g_assert_cmpuint (length, >, 16 * KIB - 16);
  g_assert_cmpuint (length, <, 16 * KIB + 128);
  g_assert_null (strchr ((*error)->message, '\n'));
  g_assert_true (g_str_has_suffix ((*error)->message, " | 1000000 | last words"));
  harness_assert_error (*error, G_SPAWN_EXIT_ERROR, 1);
  return TRUE;
}

static gboolean
test_killed_by_signal (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (run_script ("echo bye >&2; kill -KILL $$", NULL, error));
  g_assert_nonnull (strstr ((*error)->message, "was killed by signal 9"));
  g_assert_true (g_str_has_suffix ((*error)->message, "; it wrote: bye"));
  harness_assert_error (*error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED);
  return TRUE;
}

static gboolean
test_signals_are_default (G_GNUC_UNUSED gpointer data, GError **error)
{
  signal (SIGPIPE, SIG_IGN);
  g_assert_false (run_script ("kill -PIPE $$", NULL, error));
  signal (SIGPIPE, SIG_DFL);
  g_assert_nonnull (strstr ((*error)->message, "was killed by signal 13"));
  g_clear_error (error);
  g_assert_false (run_script ("kill -INT $$", NULL, error));
  g_assert_nonnull (strstr ((*error)->message, "was killed by signal 2"));
  g_clear_error (error);
  return TRUE;
}

/* Ignored above us: a program is to be asked to end by it all the same, and to hear of its own children. */
static gboolean
test_only_signals_of_shells_stay_ignored (G_GNUC_UNUSED gpointer data, GError **error)
{
  signal (SIGTERM, SIG_IGN);
  signal (SIGCHLD, SIG_IGN);
  signal (SIGHUP, SIG_IGN);
  signal (SIGRTMAX, SIG_IGN);
  g_assert_false (run_script ("kill -TERM $$", NULL, error));
  g_assert_nonnull (strstr ((*error)->message, "was killed by signal 15"));
  g_clear_error (error);
  run_script ("grep -q 'SigIgn:.0*1$' /proc/self/status", NULL,
              error); /* SIGHUP, and nothing else */
  g_assert_no_error (*error);
  signal (SIGTERM, SIG_DFL);
  signal (SIGCHLD, SIG_DFL);
  signal (SIGHUP, SIG_DFL);
  signal (SIGRTMAX, SIG_DFL);
  return TRUE;
}

static gboolean
test_missing_program (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (
      tractor_run_process ((const char *[]){ "no-such-program-here", NULL }, NULL, error));
  g_assert_nonnull (strstr ((*error)->message, "no-such-program-here"));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_false (tractor_run_process ((const char *[]){ "/nonexistent/x", NULL }, NULL, error));
  g_assert_nonnull (strstr ((*error)->message, "/nonexistent/x"));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_false (tractor_run_process ((const char *[]){ "/etc/passwd", NULL }, NULL, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_ACCES);
  g_assert_false (tractor_run_process ((const char *[]){ "/", NULL }, NULL, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_ACCES);
  g_assert_false (tractor_run_process ((const char *[]){ "", NULL }, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_run_process ((const char *[]){ NULL }, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  assert_no_child_process ();
  return TRUE;
}

static void
do_nothing (G_GNUC_UNUSED int number)
{
}

/* What has become of a process that could run nothing is waited for, through all signals. */
static gboolean
test_missing_program_among_signals (G_GNUC_UNUSED gpointer data, GError **error)
{
  const suseconds_t usec = 100 * (suseconds_t) harness_get_slowness ();
  struct sigaction action = { .sa_handler = do_nothing };
  struct itimerval often = { { 0, usec }, { 0, usec } };
  struct itimerval never = { 0 };

  sigaction (SIGALRM, &action, NULL);
  setitimer (ITIMER_REAL, &often, NULL);
  for (int i = 0; i < 200; i++) {
    g_assert_false (tractor_run_process ((const char *[]){ "/nonexistent/x", NULL }, NULL, error));
    g_clear_error (error);
  }
  setitimer (ITIMER_REAL, &never, NULL);
  signal (SIGALRM, SIG_DFL);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_out_of_fds (G_GNUC_UNUSED gpointer data, GError **error)
{
  struct rlimit before;
  int next_fd = dup (2);
  guint n_run = 0;

  close (next_fd);
  getrlimit (RLIMIT_NOFILE, &before);
  for (guint room = 0; room < 20; room++) {
    struct rlimit few = { (rlim_t) next_fd + room, before.rlim_max };
    gboolean ok;

    g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &few), ==, 0);
    ok = run_script ("exit 0", &(TractorProcessOptions){ .label = "job" }, error);
    g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
    if (!ok)
      g_assert_true ((*error)->domain == G_FILE_ERROR || (*error)->domain == G_SPAWN_EXIT_ERROR);
    n_run += ok;
    g_clear_error (error);
    assert_no_child_process ();
  }
  g_assert_cmpuint (n_run, >, 0);
  g_assert_cmpuint (n_run, <, 20);
  return TRUE;
}

/* --- ending it ----------------------------------------------------------------------------------- */

typedef struct {
  TractorCancelScope *scope;
  GPtrArray *lines;
} Ender;

static void
cancel_when_ready (const char *line, gsize length, gpointer data)
{
  Ender *ender = data;

  if (g_str_equal (line, "ready"))
    tractor_cancel_scope_cancel (ender->scope, "the test wants it");
  else
    add_line (line, length, ender->lines);
}

/* Runs a script that says "ready", and cancels it then. Returns: how long that took. */
static gint64
run_and_cancel (const char *script, GPtrArray *lines, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  Ender ender = { scope, lines };
  gint64 since = tractor_now ();

  g_assert_false (run_script (
      script, &(TractorProcessOptions){ .on_stdout = cancel_when_ready, .data = &ender }, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  assert_no_child_process ();
  return tractor_now () - since;
}

static gboolean
test_cancel_terminates (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 took = run_and_cancel ("echo ready; exec sleep 1000", NULL, error);

  g_assert_cmpint (took, <, SECOND * harness_get_patience ());
  return TRUE;
}

static gboolean
test_cancel_kills_deaf_program (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 took = run_and_cancel (DEAF_SCRIPT, NULL, error);

  g_assert_cmpint (took, >=, 16 * SECOND / 10);
  g_assert_cmpint (took, <, 3 * SECOND * harness_get_patience ());
  return TRUE;
}

/* More than a pipe holds, so that somebody has to read it. */
static gboolean
test_last_words_are_read (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  gint64 took = run_and_cancel ("sleep 1000 & "
                                "trap 'kill $!; wait $!; seq 100000; exit 0' TERM; "
                                "echo ready; wait",
                                lines, error);

  g_assert_cmpint (took, <, SECOND * harness_get_patience ());
  g_assert_cmpuint (lines->len, ==, 100000);
  g_assert_cmpstr (lines->pdata[99999], ==, "100000");
  return TRUE;
}

static void
wait_for_ever (const char *line, gsize length, gpointer data)
{
  cancel_when_ready (line, length, data);
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, NULL));
}

static gboolean
test_cancel_reaches_functions (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  Ender ender = { scope, NULL };

  g_assert_false (
      run_script ("echo ready; exec sleep 1000",
                  &(TractorProcessOptions){ .on_stdout = wait_for_ever, .data = &ender }, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_not_started_when_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *directory = g_dir_make_tmp ("tractor-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "touched", NULL);
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (G_MININT64);

    tractor_cancel_scope_cancel (scope, NULL);
    g_assert_false (tractor_run_process ((const char *[]){ "touch", path, NULL }, NULL, error));
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_rmdir (directory);
  return TRUE;
}

/* Its exit status could not be known if it had not been waited for. */
static gboolean
test_closed_output_is_no_end (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int ends[2];

  make_pipe (ends);
  g_assert_true (tractor_nursery_start_process (
      nursery, (const char *[]){ "sh", "-c", "exec >&- 2>&-; read word <&5; exit $word", NULL },
      &(TractorProcessOptions){
          .label = "job", .fds = &(TractorFdMapping){ ends[0], 5 }, .n_fds = 1 },
      NULL, error));
  close (ends[0]);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  g_assert_cmpint (write (ends[1], "9\n", 2), ==, 2);
  close (ends[1]);
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_true (tractor_error_matches (*error, G_SPAWN_EXIT_ERROR, 9));
  g_clear_error (error);
  return TRUE;
}

/* It holds both outputs, and another pipe by which it is told to end, and seen to have. */
static void
run_with_survivor (const char *script, TractorProcessOptions options, GError **error)
{
  int told[2];
  int seen[2];
  gint64 since = tractor_now ();

  prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  make_pipe (told);
  make_pipe (seen);
  options.fds = (TractorFdMapping[]){ { told[0], 5 }, { seen[1], 6 } };
  options.n_fds = 2;
  g_assert_true (run_script (script, &options, error));
  assert_prompt (since, 2 * SECOND);
  close (told[0]);
  close (seen[1]);
  close (told[1]);
  wait_for_hang_up (seen[0]);
  close (seen[0]);
  wait_for_descendants (error);
}

static gboolean
test_survivor_does_not_hold_us_up (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);

  run_with_survivor ("cat <&5 & echo done",
                     (TractorProcessOptions){ .on_stdout = add_line, .data = lines }, error);
  g_assert_cmpuint (lines->len, ==, 1);
  g_assert_cmpstr (lines->pdata[0], ==, "done");
  run_with_survivor ("cat <&5 & true", (TractorProcessOptions){ 0 }, error);
  return TRUE;
}

/* It writes without end, until nobody reads it any more. */
static gboolean
test_chatty_survivor_does_not_hold_us_up (G_GNUC_UNUSED gpointer data, GError **error)
{
  Pieces pieces = { 0 };

  run_with_survivor ("yes & true",
                     (TractorProcessOptions){ .on_stdout = count_piece, .data = &pieces }, error);
  g_assert_cmpuint (pieces.n_pieces, >, 0);
  return TRUE;
}

/* --- in a nursery -------------------------------------------------------------------------------- */

static gboolean
test_start_in_nursery (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autofree char *label = g_strdup ("job"); /* gone before the program is */
  gint pid = 0;

  g_assert_true (tractor_nursery_start_process (nursery, (const char *[]){ "sleep", "1000", NULL },
                                                &(TractorProcessOptions){ .label = label }, &pid,
                                                error));
  g_clear_pointer (&label, g_free);
  g_assert_cmpint (kill (pid, 0), ==, 0);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "enough");
  g_assert_true (tractor_nursery_join (nursery, error));
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_start_of_missing_program (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  g_assert_false (tractor_nursery_start_process (
      nursery, (const char *[]){ "/nonexistent/x", NULL }, NULL, NULL, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_failure_cancels_siblings (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  g_assert_true (tractor_nursery_start_process (nursery, (const char *[]){ "sleep", "1000", NULL },
                                                NULL, NULL, error));
  g_assert_true (tractor_nursery_start_process (
      nursery, (const char *[]){ "sh", "-c", "exit 7", NULL }, NULL, NULL, error));
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, 1);
  g_assert_true (tractor_error_matches (*error, G_SPAWN_EXIT_ERROR, 7));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

/* --- in an actor --------------------------------------------------------------------------------- */

static gboolean
call_deaf_program (gpointer data, GError **error)
{
  return tractor_portal_call (data, "test:run_deaf_program", NULL, NULL, error);
}

/* Starts an actor that runs a program which holds the pipe. Returns: when it does. */
static TractorPortal *
start_with_deaf_program (TractorActorNursery *actors,
                         TractorNursery *callers,
                         int *ret_pipe,
                         GError **error)
{
  TractorPortal *portal;
  int ends[2];
  char bytes[6];

  make_pipe (ends);
  portal = start_actor (
      actors, (TractorSpawnOptions){ .fds = &(TractorFdMapping){ ends[1], 5 }, .n_fds = 1 }, error);
  g_assert_no_error (*error);
  close (ends[1]);
  tractor_nursery_spawn (callers, "call", call_deaf_program, portal, NULL, error);
  g_assert_true (tractor_wait_fd (ends[0], G_IO_IN, NULL, error));
  g_assert_cmpint (read (ends[0], bytes, sizeof bytes), ==, 6);
  *ret_pipe = ends[0];
  return portal;
}

static gboolean
test_program_dies_with_actor (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  int pipe_fd;

  prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  portal = start_with_deaf_program (actors, callers, &pipe_fd, error);
  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_false (tractor_nursery_join (callers, error));
  g_clear_error (error);
  g_assert_false (tractor_actor_nursery_join (actors, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  wait_for_hang_up (pipe_fd);
  close (pipe_fd);
  wait_for_descendants (error);
  return TRUE;
}

/* Within the time that the actor is given itself: it is not killed. */
static gboolean
test_actor_ends_with_deaf_program (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  int pipe_fd;

  portal = start_with_deaf_program (actors, callers, &pipe_fd, error);
  tractor_actor_nursery_cancel (actors);
  tractor_nursery_join (callers, error);
  g_clear_error (error);
  g_assert_true (tractor_actor_nursery_join (actors, error));
  wait_for_hang_up (pipe_fd);
  close (pipe_fd);
  return TRUE;
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;

  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/process/row-40-lines-in-order-with-label", test_lines_with_label);
  harness_add_real_task ("/e2e/process/S18-log-is-escaped", test_log_is_escaped);
  harness_add_real_task ("/e2e/process/row-40-many-lines-in-order", test_many_lines_in_order);
  harness_add_real_task ("/e2e/process/slow-function-loses-nothing",
                         test_slow_function_loses_nothing);
  harness_add_real_task ("/e2e/process/stdin-and-stdout-are-null", test_stdio_is_null);
  harness_add_real_task ("/e2e/process/row-40-megabyte-without-newline",
                         test_megabyte_without_newline);
  harness_add_real_task ("/e2e/process/line-as-long-as-a-piece", test_line_as_long_as_a_piece);
  harness_add_real_task ("/e2e/process/row-40-exit-7-with-stderr", test_exit_status);
  harness_add_real_task ("/e2e/process/stderr-tail-is-bounded", test_stderr_tail_is_bounded);
  harness_add_real_task ("/e2e/process/killed-by-signal", test_killed_by_signal);
  harness_add_real_task ("/e2e/process/signals-are-default", test_signals_are_default);
  harness_add_real_task ("/e2e/process/only-signals-of-shells-stay-ignored",
                         test_only_signals_of_shells_stay_ignored);
  harness_add_real_task ("/e2e/process/S-01-missing-program", test_missing_program);
  harness_add_real_task ("/e2e/process/missing-program-among-signals",
                         test_missing_program_among_signals);
  harness_add_real_task ("/e2e/process/S-03-out-of-fds", test_out_of_fds);
  harness_add_real_task ("/e2e/process/cancel-terminates", test_cancel_terminates);
  harness_add_real_task ("/e2e/process/P-10-deaf-program-is-killed",
                         test_cancel_kills_deaf_program);
  harness_add_real_task ("/e2e/process/last-words-are-read", test_last_words_are_read);
  harness_add_real_task ("/e2e/process/cancel-reaches-functions", test_cancel_reaches_functions);
  harness_add_real_task ("/e2e/process/S-07-not-started-when-cancelled",
                         test_not_started_when_cancelled);
  harness_add_real_task ("/e2e/process/closed-output-is-no-end", test_closed_output_is_no_end);
  harness_add_real_task ("/e2e/process/survivor-does-not-hold-us-up",
                         test_survivor_does_not_hold_us_up);
  harness_add_real_task ("/e2e/process/chatty-survivor-does-not-hold-us-up",
                         test_chatty_survivor_does_not_hold_us_up);
  harness_add_real_task ("/e2e/process/start-in-nursery", test_start_in_nursery);
  harness_add_real_task ("/e2e/process/start-of-missing-program", test_start_of_missing_program);
  harness_add_real_task ("/e2e/process/failure-cancels-siblings", test_failure_cancels_siblings);
  harness_add_real_task ("/e2e/process/P-13-dies-with-its-actor", test_program_dies_with_actor);
  harness_add_real_task ("/e2e/process/actor-ends-in-order-with-deaf-program",
                         test_actor_ends_with_deaf_program);
  return harness_run ();
}
