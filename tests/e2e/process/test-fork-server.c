/* test-fork-server.c - actors that are copies of a process that has begun: each is what an exec would have made, and
 * whatever becomes of the fork server, actors are started.
 *
 * Where the program has a thread of its own from the start, as some sanitizers have, there are no copies: what is shown there
 * is that nobody misses them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "inherited.h"

static gboolean has_copies;

/* ThreadSanitizer starts a process for it, which outlives the crash. */
#define says_where_by_itself FALSE
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef says_where_by_itself
#define says_where_by_itself TRUE
#endif
#endif
static pid_t pid_of_main; /* of the process that main() began in */

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
is_copy (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_boolean (getpid () != pid_of_main);
  return TRUE;
}

static gboolean
draw (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_int64 (g_random_int ());
  return TRUE;
}

/* Where libc keeps the number of its thread, if it tells. */
static gboolean
check_numbers (G_GNUC_UNUSED GVariant *kwargs,
               G_GNUC_UNUSED GVariant **ret_result,
               G_GNUC_UNUSED GError **error)
{
  pid_t *tid = NULL;
  void *robust_list = NULL;
  size_t bytes;

  g_assert_cmpint (prctl (PR_GET_TID_ADDRESS, &tid), ==, 0);
  g_assert_cmpint (*tid, ==, (pid_t) syscall (SYS_gettid));
  g_assert_cmpint (getpid (), ==, (pid_t) syscall (SYS_gettid));
  g_assert_cmpint (syscall (SYS_get_robust_list, 0, &robust_list, &bytes), ==, 0);
  g_assert_nonnull (robust_list);
  return TRUE;
}

static gboolean
fault (G_GNUC_UNUSED GVariant *kwargs,
       G_GNUC_UNUSED GVariant **ret_result,
       G_GNUC_UNUSED GError **error)
{
  *(volatile int *) NULL = 1;
  return TRUE;
}

static gboolean
write_to (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 fd = -1;

  g_variant_lookup (kwargs, "fd", "x", &fd);
  g_assert_cmpint (write ((int) fd, "x", 1), ==, 1);
  return TRUE;
}

/* Has a fork server of its own. Returns: its pid */
static gboolean
start_below (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (
      nursery, "below", &(TractorSpawnOptions){ .host = own_host () }, error);

  *ret_result = g_variant_new_int64 (find_fork_server ());
  if (portal != NULL)
    tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static const TractorExport exports[] = {
  { "describe", TRACTOR_EXPORT_CALL, describe },
  { "is_copy", TRACTOR_EXPORT_CALL, is_copy },
  { "draw", TRACTOR_EXPORT_CALL, draw },
  { "check_numbers", TRACTOR_EXPORT_CALL, check_numbers },
  { "fault", TRACTOR_EXPORT_CALL, fault },
  { "write_to", TRACTOR_EXPORT_CALL, write_to },
  { "start_below", TRACTOR_EXPORT_CALL, start_below },
  { "whoami", TRACTOR_EXPORT_CALL, whoami },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- a tree with a fork server --------------------------------------------------------------------- */

static const TractorRuntimeOptions with_server = { .fork_server = TRUE };

/* (transfer full) (nullable): what @function of an actor returns that is started and ended for it. */
static GVariant *
ask_one (const TractorSpawnOptions *options, const char *function)
{
  TractorSpawnOptions all = options != NULL ? *options : (TractorSpawnOptions){ 0 };
  GError *error = NULL;
  GVariant *answer = NULL;

  all.host = harness_get_host ()->name;
  tractor_run_in_actor ("worker", &all, function, NULL, &answer, &error);
  g_assert_no_error (error);
  return answer;
}

static gboolean
one_is_copy (const TractorSpawnOptions *options)
{
  g_autoptr (GVariant) answer = ask_one (options, "test:is_copy");

  return g_variant_get_boolean (answer);
}

static char *
describe_one (gboolean has_server)
{
  GError *error = NULL;
  g_autoptr (TractorRuntime) runtime =
      tractor_runtime_open (has_server ? &with_server : NULL, &error);
  g_autoptr (GVariant) text = ask_one (NULL, "test:describe");

  g_assert_true (has_server || find_fork_server () == 0);
  g_assert_true (!has_server || one_is_copy (NULL) == has_copies);
  return g_variant_dup_string (text, NULL);
}

/* --- each is what an exec would have made ------------------------------------------------------------- */

static gboolean
test_like_exec (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *by_exec = NULL;
  g_autofree char *by_copy = NULL;
  int fd = make_peculiar ();

  by_exec = describe_one (FALSE);
  by_copy = describe_one (TRUE);
  g_assert_cmpstr (by_copy, ==, by_exec);
  g_assert_nonnull (strstr (by_copy, "TEST_PECULIAR=yes\n"));
  close (fd);
  return TRUE;
}

/* What changes while the server runs is not missed by anyone: one actor is started by exec, and then there is another
 * server. */
static gboolean
test_changes (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);

  for (guint i = 0; i < G_N_ELEMENTS (changes); i++) {
    g_autoptr (GVariant) first = NULL;
    g_autoptr (GVariant) before = ask_one (NULL, "test:describe");
    g_autoptr (GVariant) by_exec = NULL;
    g_autoptr (GVariant) by_copy = NULL;
    gboolean is_other;

    g_assert_true (one_is_copy (NULL) == has_copies);
    is_other = changes[i]();
    by_exec = ask_one (NULL, "test:describe");
    by_copy = ask_one (NULL, "test:describe");
    g_assert_true (one_is_copy (NULL) == has_copies);
    g_assert_cmpvariant (by_copy, by_exec);
    g_assert_true (g_variant_equal (before, by_exec) != is_other);
  }
  return TRUE;
}

/* --- what two copies do not share ------------------------------------------------------------------------ */

static gboolean
test_numbers (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = NULL;
  g_autoptr (GHashTable) drawn = g_hash_table_new (NULL, NULL);

  g_setenv ("TEST_DRAWS_AT_START", "1", TRUE);
  runtime = tractor_runtime_open (&with_server, error);
  for (int i = 0; i < 5; i++) {
    g_autoptr (GVariant) number = ask_one (NULL, "test:draw");
    g_autoptr (GVariant) nothing = ask_one (NULL, "test:check_numbers");

    g_assert_true (
        g_hash_table_add (drawn, GSIZE_TO_POINTER ((gsize) g_variant_get_int64 (number))));
  }
  g_assert_true (one_is_copy (NULL) == has_copies);
  return TRUE;
}

/* What main() has printed, and is not written yet, is not written by each copy. */
static gboolean
test_buffers (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "printed", NULL);
  g_autofree char *printed = NULL;
  int stdout_before = fcntl (STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

  g_setenv ("TEST_PRINTS_AT_START", "1", TRUE);
  fflush (stdout);
  dup2 (fd, STDOUT_FILENO);
  close (fd);
  {
    g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);

    for (int i = 0; i < 3; i++)
      g_assert_true (one_is_copy (NULL) == has_copies);
  }
  dup2 (stdout_before, STDOUT_FILENO);
  close (stdout_before);
  g_assert_true (g_file_get_contents (path, &printed, NULL, error));
  if (has_copies)
    g_assert_cmpstr (printed, ==, "printed\n");
  g_unlink (path);
  return TRUE;
}

/* --- who is started by exec ------------------------------------------------------------------------------- */

static gboolean
test_not_for_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const words[] = { "word", NULL };
  static const char *const env[] = { "TEST_OWN=1", NULL };
  const TractorResourceLimit limit = { RLIMIT_CORE, 0, 0 };
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const TractorSpawnOptions options[] = {
    { .program = self }, { .argv = words }, { .env = env },
    { .cwd = "/" },      { .nice = 1 },     { .limits = &limit, .n_limits = 1 },
  };
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);
  int server;

  g_assert_true (one_is_copy (NULL) == has_copies);
  server = find_fork_server ();
  for (guint i = 0; i < G_N_ELEMENTS (options); i++)
    g_assert_false (one_is_copy (&options[i]));
  g_assert_true (one_is_copy (NULL) == has_copies);
  g_assert_cmpint (find_fork_server (), ==, server); /* it is the same */
  return TRUE;
}

static gboolean
test_given_descriptors (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  TractorFdMapping mapping = { .there = 9 };
  TractorSpawnOptions options = { .host = harness_get_host ()->name, .fds = &mapping, .n_fds = 1 };
  int ends[2];
  char byte;

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  mapping.here = ends[1];
  portal = tractor_actor_nursery_start (nursery, "writer", &options, error);
  g_assert_no_error (*error);
  close (ends[1]);
  g_assert_true (tractor_portal_call (portal, "test:write_to",
                                      g_variant_new_parsed ("{'fd': <int64 9>}"), NULL, error));
  g_assert_true (end (nursery, error));
  g_assert_cmpint (read (ends[0], &byte, 1), ==, 1);
  g_assert_cmpint (read (ends[0], &byte, 1), ==, 0); /* the server has not kept it */
  close (ends[0]);
  return TRUE;
}

static int n_told; /* messages about the fork server */

static GLogWriterOutput
count_messages (G_GNUC_UNUSED GLogLevelFlags level,
                const GLogField *fields,
                gsize n_fields,
                G_GNUC_UNUSED gpointer data)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, "MESSAGE") == 0)
      n_told += strstr (fields[i].value, "fork server") != NULL;
  return G_LOG_WRITER_HANDLED;
}

/* A program that cannot be copied any more when it gets there. */
static gboolean
test_not_in_every_program (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const variables[] = { "TEST_HAS_THREAD", "TEST_HAS_DESCRIPTOR",
                                           "TEST_HAS_SHARED_MEMORY" };

  g_log_set_writer_func (count_messages, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (variables); i++) {
    g_autoptr (TractorRuntime) runtime = NULL;

    n_told = 0;
    g_setenv (variables[i], "1", TRUE);
    runtime = tractor_runtime_open (&with_server, error);
    for (int j = 0; j < 3; j++)
      g_assert_false (one_is_copy (NULL));
    g_assert_cmpint (n_told, ==, 1);
    g_assert_cmpint (find_fork_server (), ==, 0);
    g_unsetenv (variables[i]);
  }
  return TRUE;
}

/* Who may write no file at all has none for the server either, and is not ended for that. */
static gboolean
test_without_files (G_GNUC_UNUSED gpointer data, GError **error)
{
  const struct rlimit none = { 0, 0 };
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);

  g_log_set_writer_func (count_messages, NULL, NULL);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &none), ==, 0);
  for (int i = 0; i < 5; i++)
    g_assert_false (one_is_copy (NULL));
  return TRUE;
}

/* A copy that cannot be watched, for there is no descriptor left to do it by, is none; and later there are some again. */
static gboolean
test_without_descriptors (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);
  struct rlimit limit;
  rlim_t before;

  g_log_set_writer_func (count_messages, NULL, NULL);
  g_assert_true (one_is_copy (NULL) == has_copies);
  getrlimit (RLIMIT_NOFILE, &limit);
  before = limit.rlim_cur;
  for (int n_free = 0; n_free < 12; n_free++) {
    g_autoptr (GError) failure = NULL;
    int lowest = open ("/dev/null", O_RDONLY | O_CLOEXEC);

    close (lowest);
    limit.rlim_cur = (rlim_t) (lowest + n_free);
    g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
    tractor_run_in_actor ("worker", &(TractorSpawnOptions){ .host = harness_get_host ()->name },
                          "test:is_copy", NULL, NULL, &failure);
    limit.rlim_cur = before;
    g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
    assert_no_child_process ();
    one_is_copy (NULL);
  }
  assert_no_child_process ();
  return TRUE;
}

/* --- its end ------------------------------------------------------------------------------------------------ */

static gboolean
test_killed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);
  int server;

  g_log_set_writer_func (count_messages, NULL, NULL);
  g_assert_true (one_is_copy (NULL) == has_copies);
  server = find_fork_server ();
  if (!has_copies)
    return TRUE;
  n_told = 0;
  kill (server, SIGKILL);
  one_is_copy (NULL); /* or not */
  while (n_told == 0)
    g_assert_true (tractor_sleep_until (tractor_now () + 1000, error));
  g_assert_true (one_is_copy (NULL));
  g_assert_cmpint (find_fork_server (), !=, server);
  g_assert_cmpint (n_told, ==, 1);
  assert_no_child_process ();
  return TRUE;
}

/* Which one, as it is known at rest: a copy that has just been made cannot be told from it. -1: it is over. */
static int to_be_killed;

static gpointer
kill_again_and_again (gpointer data)
{
  int killed = 0;
  int pid;

  while ((pid = g_atomic_int_get (&to_be_killed)) >= 0) {
    g_usleep (
        (gulong) g_random_int_range (1, 1500)); /* nothing is waited for: the moment is drawn */
    if (pid > 0 && pid != killed)
      kill (pid, SIGKILL);
    killed = pid;
  }
  return data;
}

/* At whatever it is: no actor is lost, and none is left that nobody reaps. */
static gboolean
test_killed_at_work (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);
  GThread *thread;

  g_log_set_writer_func (count_messages, NULL, NULL);
  thread = g_thread_new ("killer", kill_again_and_again, NULL);
  for (int i = 0; i < 60; i++) {
    g_atomic_int_set (&to_be_killed, find_fork_server ());
    one_is_copy (NULL);
  }
  g_atomic_int_set (&to_be_killed, -1);
  g_thread_join (thread);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_stopped (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);

  g_log_set_writer_func (count_messages, NULL, NULL);
  g_assert_true (one_is_copy (NULL) == has_copies);
  if (!has_copies)
    return TRUE;
  kill (find_fork_server (), SIGSTOP);
  g_assert_false (one_is_copy (NULL));
  g_assert_true (one_is_copy (NULL));
  return TRUE;
}

/* Who is killed leaves no fork server, and a terminal's signals are not for one. */
static gboolean
test_dies_with_its_parent (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *host = g_strconcat ("TEST_HOST=", harness_get_host ()->name, NULL);
  const char *const env[] = { "TRACTOR_FORK_SERVER=1", host, NULL };
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (
      nursery, "parent",
      &(TractorSpawnOptions){
          .host = harness_get_host ()->name, .env = env, .on_death = TRACTOR_ON_DEATH_IGNORE },
      error);
  g_autoptr (GVariant) pid = NULL;
  int pidfd;

  prctl (PR_SET_CHILD_SUBREAPER, 1);
  g_assert_true (tractor_portal_call (portal, "test:start_below", NULL, &pid, error));
  if (has_copies) {
    pidfd = (int) syscall (SYS_pidfd_open, (pid_t) g_variant_get_int64 (pid), 0);
    g_assert_cmpint (pidfd, >=, 0);
    kill ((pid_t) g_variant_get_int64 (pid), SIGINT);
    kill ((pid_t) g_variant_get_int64 (pid), SIGTERM);
    g_assert_true (is_fork_server ((int) g_variant_get_int64 (pid)));
    kill (tractor_portal_get_pid (portal), SIGKILL);
    g_assert_true (tractor_wait_fd (pidfd, G_IO_IN, NULL, error));
    close (pidfd);
    g_assert_true (tractor_portal_wait_until_gone (portal, error));
    g_assert_cmpint (waitpid ((pid_t) g_variant_get_int64 (pid), NULL, 0), >, 0);
  }
  return end (nursery, error);
}

/* --- as others ------------------------------------------------------------------------------------------------ */

/* (transfer full): what is said of the crash of one, without its numbers. */
static char *
describe_crash (gboolean has_server)
{
  g_autoptr (GRegex) numbers = g_regex_new ("0x[0-9a-f]+|[0-9]+", 0, 0, NULL);
  GError *error = NULL;
  g_autoptr (TractorRuntime) runtime =
      tractor_runtime_open (has_server ? &with_server : NULL, &error);
  g_autofree char *description = NULL;

  g_assert_true (one_is_copy (NULL) == (has_server && has_copies));
  g_assert_false (tractor_run_in_actor ("worker",
                                        &(TractorSpawnOptions){ .host = harness_get_host ()->name },
                                        "test:fault", NULL, NULL, &error));
  g_assert_true (g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE));
  description = tractor_error_describe (error);
  g_clear_error (&error);
  return g_regex_replace_literal (numbers, description, -1, 0, "N", 0, NULL);
}

static gboolean
test_crash (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *by_exec = describe_crash (FALSE);
  g_autofree char *by_copy = describe_crash (TRUE);

  g_assert_cmpstr (by_copy, ==, by_exec);
  return TRUE;
}

/* Of many that live at a time; and each is started again as a copy. */
static gboolean
test_many (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GPtrArray) portals =
      g_ptr_array_new_with_free_func ((GDestroyNotify) tractor_portal_unref);
  TractorSpawnOptions options = { .host = harness_get_host ()->name,
                                  .on_death = TRACTOR_ON_DEATH_RESTART };

  for (int i = 0; i < 5; i++)
    g_ptr_array_add (portals, tractor_actor_nursery_start (nursery, "one", &options, error));
  for (int i = 0; i < 3; i++) {
    g_autoptr (GVariant) answer = NULL;
    guint n_restarts = 0;

    kill (tractor_portal_get_pid (portals->pdata[i]), SIGKILL);
    g_assert_true (tractor_portal_wait_until_restarted (portals->pdata[i], &n_restarts, error));
    g_assert_true (tractor_portal_call (portals->pdata[i], "test:is_copy", NULL, &answer, error));
    g_assert_true (g_variant_get_boolean (answer) == has_copies);
  }
  return end (nursery, error);
}

/* One that is started again needs a server as one that is started: another, if the last has been killed. */
static gboolean
test_restarts (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  TractorSpawnOptions options = { .host = harness_get_host ()->name,
                                  .on_death = TRACTOR_ON_DEATH_RESTART };
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (nursery, "one", &options, error);
  g_autoptr (GVariant) answer = NULL;
  guint n_restarts = 0;

  g_log_set_writer_func (count_messages, NULL, NULL);
  if (has_copies) {
    n_told = 0;
    kill (find_fork_server (), SIGKILL);
    while (n_told == 0)
      g_assert_true (tractor_sleep_until (tractor_now () + 1000, error));
    g_assert_cmpint (find_fork_server (), ==, 0);
  }
  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_true (tractor_portal_wait_until_restarted (portal, &n_restarts, error));
  g_assert_true (tractor_portal_call (portal, "test:is_copy", NULL, &answer, error));
  g_assert_true (g_variant_get_boolean (answer) == has_copies);
  return end (nursery, error);
}

/* While another server is waited for, for whom it is may be told to end: that does not wait. */
static gboolean
test_restart_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&with_server, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  TractorSpawnOptions options = { .host = harness_get_host ()->name,
                                  .on_death = TRACTOR_ON_DEATH_RESTART };
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (nursery, "one", &options, error);
  siginfo_t info = { 0 };

  g_log_set_writer_func (count_messages, NULL, NULL);
  if (!has_copies)
    return end (nursery, error);
  n_told = 0;
  kill (find_fork_server (), SIGKILL);
  while (n_told == 0)
    g_assert_true (tractor_sleep_until (tractor_now () + 1000, error));
  g_setenv ("TEST_STOPS_AS_SERVER", "1", TRUE);
  kill (tractor_portal_get_pid (portal), SIGKILL);
  while (waitid (P_ALL, 0, &info, WSTOPPED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
    g_assert_true (tractor_sleep_until (tractor_now () + 1000, error));
  n_told = 0;
  g_assert_true (end (nursery, error));
  g_assert_cmpint (n_told, ==, 0); /* that it does not answer */
  return TRUE;
}

static gpointer
sleep_in_thread (gpointer data)
{
  while (TRUE)
    pause ();
  return data;
}

int
main (int argc, char **argv)
{
  int status;

  struct stat tasks;

  pid_of_main = getpid ();
  has_copies = stat ("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3;
  if (g_getenv ("TEST_DRAWS_AT_START") != NULL)
    g_random_int ();
  if (g_getenv ("TEST_PRINTS_AT_START") != NULL)
    printf ("printed\n");
  if (g_getenv ("TEST_STOPS_AS_SERVER") != NULL && g_getenv ("TRACTOR_IS_FORK_SERVER") != NULL)
    raise (SIGSTOP);
  if (g_getenv ("TEST_HAS_THREAD") != NULL)
    g_thread_unref (g_thread_new ("early", sleep_in_thread, NULL));
  if (g_getenv ("TEST_HAS_DESCRIPTOR") != NULL)
    g_assert_cmpint (open ("/dev/null", O_RDONLY), >, 2);
  if (g_getenv ("TEST_HAS_SHARED_MEMORY") != NULL)
    g_assert_true (mmap (NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) !=
                   MAP_FAILED);
  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  g_unsetenv ("TRACTOR_FORK_SERVER"); /* it is what is shown here that decides */
  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/fork-server/like-exec", test_like_exec);
  harness_add_real_task ("/e2e/fork-server/changes", test_changes);
  harness_add_real_task ("/e2e/fork-server/numbers", test_numbers);
  harness_add_real_task ("/e2e/fork-server/buffers", test_buffers);
  harness_add_real_task ("/e2e/fork-server/not-for-all", test_not_for_all);
  harness_add_real_task ("/e2e/fork-server/given-descriptors", test_given_descriptors);
  harness_add_real_task ("/e2e/fork-server/not-in-every-program", test_not_in_every_program);
  if (!harness_has_tsan ()) /* which has a file of its own in each process */
    harness_add_real_task ("/e2e/fork-server/without-files", test_without_files);
  harness_add_real_task ("/e2e/fork-server/without-descriptors", test_without_descriptors);
  harness_add_real_task ("/e2e/fork-server/killed", test_killed);
  harness_add_real_task ("/e2e/fork-server/killed-at-work", test_killed_at_work);
  harness_add_real_task ("/e2e/fork-server/stopped", test_stopped);
  harness_add_real_task ("/e2e/fork-server/dies-with-its-parent", test_dies_with_its_parent);
  if (!says_where_by_itself)
    harness_add_real_task ("/e2e/fork-server/crash", test_crash);
  harness_add_real_task ("/e2e/fork-server/many", test_many);
  harness_add_real_task ("/e2e/fork-server/restarts", test_restarts);
  harness_add_real_task ("/e2e/fork-server/restart-is-cancelled", test_restart_is_cancelled);
  return harness_run ();
}
