/* test-lifetimes.c - what is left of processes that were killed, and what they inherit: sockets, signals,
 * namespaces.
 *
 * Some of it needs a root of its own, whose end is looked at from outside: this program is that too. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "actors.h"

/* --- dying at a certain point --------------------------------------------------------------------- */

#define DIES_AT_LISTEN "TEST_DIES_AT_LISTEN"

/* Stands before libc's, in the library too: the socket is there, and nobody has been told of it. */
int
listen (int fd, int backlog)
{
  if (g_getenv (DIES_AT_LISTEN) != NULL)
    kill (getpid (), SIGKILL);
  return (int) syscall (SYS_listen, fd, backlog);
}

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
get_pid (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_int64 (getpid ());
  return TRUE;
}

/* Leaves its loop no turn, and is deaf to the alarm that it may have set itself. */
static gboolean
hog (G_GNUC_UNUSED GVariant *kwargs,
     G_GNUC_UNUSED GVariant **ret_result,
     G_GNUC_UNUSED GError **error)
{
  sigset_t alarms;

  signal (SIGALRM, SIG_IGN);
  sigemptyset (&alarms);
  sigaddset (&alarms, SIGALRM);
  pthread_sigmask (SIG_BLOCK, &alarms, NULL);
  while (TRUE) {
    alarm (0);
    usleep (1); /* where ThreadSanitizer lets handlers of signals run */
  }
  g_assert_not_reached ();
}

/* "namespace": whether the actor is to be the first of a new one. */
static gboolean
have_hog (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  gboolean in_namespace = FALSE;

  g_variant_lookup (kwargs, "namespace", "b", &in_namespace);
  if (in_namespace)
    g_assert_cmpint (unshare (CLONE_NEWPID), ==, 0);
  return tractor_run_in_actor ("hog", NULL, "test:hog", NULL, ret_result, error);
}

static const TractorExport exports[] = { { "get_pid", TRACTOR_EXPORT_CALL, get_pid },
                                         { "hog", TRACTOR_EXPORT_CALL, hog },
                                         { "have_hog", TRACTOR_EXPORT_CALL, have_hog },
                                         { NULL } };
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- sockets of those that were killed ----------------------------------------------------------- */

static guint
count_sockets (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "tractor", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  guint n = 0;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    n += g_str_has_suffix (name, ".sock");
  return n;
}

static gboolean
test_killed_while_booting (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const env[] = { DIES_AT_LISTEN "=1", NULL };
  g_autofree char *given = g_strdup_printf ("unix:%s/given.sock", g_getenv ("XDG_RUNTIME_DIR"));
  const char *const listen_addresses[] = { given, NULL };
  TractorSpawnOptions options = { .host = harness_get_host ()->name, .env = env };
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  guint n = count_sockets ();

  for (int i = 0; i < 2; i++) {
    g_assert_null (tractor_actor_nursery_start (nursery, "victim", &options, error));
    g_assert_nonnull (strstr ((*error)->message, "signal 9"));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
    g_assert_cmpuint (count_sockets (), ==, n);
    g_assert_cmpint (access (given + strlen ("unix:"), F_OK), ==, -1);
    options.listen_addresses = listen_addresses;
  }
  return tractor_actor_nursery_join (nursery, error);
}

/* A root that is killed leaves its socket, and so do actors whose parent is killed while they boot. */
static gboolean
be_killed (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const env[] = { DIES_AT_LISTEN "=1", NULL };
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  g_assert_no_error (*error);
  tractor_actor_nursery_start (nursery, "victim", &(TractorSpawnOptions){ .env = env }, NULL);
  kill (getpid (), SIGKILL);
  return TRUE;
}

/* A root starts, and only its own socket is there. */
static gboolean
sweep (GError **error)
{
  {
    g_autoptr (TractorRuntime) runtime = tractor_runtime_open (NULL, error);

    g_assert_no_error (*error);
    g_assert_cmpuint (count_sockets (), ==, 1);
  }
  g_assert_cmpuint (count_sockets (), ==, 0);
  return TRUE;
}

static gboolean
test_killed_roots_are_swept_up_after (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const char *argv[] = { self, "--be-killed", NULL };

  for (int i = 0; i < 3; i++) {
    g_assert_false (tractor_run_process (argv, NULL, error));
    g_clear_error (error);
  }
  g_assert_cmpuint (count_sockets (), >=, 1);
  return sweep (error);
}

/* --- what is inherited ------------------------------------------------------------------------------- */

/* Whether the test is about the first process of a PID namespace, which is spared most signals. */
static gboolean
is_in_namespace (void)
{
  return strstr (g_test_get_path (), "namespace") != NULL;
}

static gboolean
have_hog_in_task (gpointer portal, GError **error)
{
  GVariant *kwargs = g_variant_new_parsed ("{'namespace': <%b>}", is_in_namespace ());

  return tractor_portal_call (portal, "test:have_hog", kwargs, NULL, error);
}

/* Whether hog() has come so far: it is deaf to alarms then. */
static gboolean
is_hogging (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/status", pid);
  g_autofree char *status = NULL;
  const char *ignored;

  g_assert_true (g_file_get_contents (path, &status, NULL, NULL));
  ignored = strstr (status, "SigIgn:");
  return (g_ascii_strtoull (ignored + strlen ("SigIgn:"), NULL, 16) >> (SIGALRM - 1) & 1) != 0;
}

/* Returns: a pidfd of the only child of @portal's actor, once there is one, and it hogs. */
static int
open_pidfd_of_hog (TractorPortal *portal, GError **error)
{
  g_autofree char *path =
      g_strdup_printf ("/proc/%d/task/%d/children", tractor_portal_get_pid (portal),
                       tractor_portal_get_pid (portal));
  g_autofree char *children = NULL;
  int fd;

  do {
    g_clear_pointer (&children, g_free);
    g_assert_true (tractor_sleep_until (tractor_now () + 10000, error));
    g_assert_true (g_file_get_contents (path, &children, NULL, NULL));
  } while (atoi (children) == 0 || !is_hogging (atoi (children)));
  fd = (int) syscall (SYS_pidfd_open, atoi (children), 0);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static gboolean
orphan_hog (GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) middle = tractor_actor_nursery_start (nursery, "middle", NULL, error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  gint64 patience = 2 * SECOND * harness_get_patience ();
  int hog_fd;

  tractor_nursery_spawn (callers, "caller", have_hog_in_task, middle, NULL, error);
  hog_fd = open_pidfd_of_hog (middle, error);
  kill (tractor_portal_get_pid (middle), SIGKILL);
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + patience);

    tractor_cancel_scope_set_shield (scope, TRUE); /* the caller has failed */
    g_assert_true (tractor_wait_fd (hog_fd, G_IO_IN, NULL, error));
  }
  close (hog_fd);
  g_assert_cmpint (waitpid (-1, NULL, 0), >, 0);
  g_assert_false (tractor_nursery_join (callers, error));
  g_clear_error (error);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

static gboolean
test_stuck_orphan (G_GNUC_UNUSED gpointer data, GError **error)
{
  if (is_in_namespace () && geteuid () != 0) {
    g_test_skip ("only root can make namespaces");
    return TRUE;
  }
  prctl (PR_SET_CHILD_SUBREAPER, 1);
  return orphan_hog (error) && sweep (error);
}

/* The file for an actor's first words is not to be larger than a file may be. */
static gboolean
test_little_room_for_files (G_GNUC_UNUSED gpointer data, GError **error)
{
  struct rlimit before;
  struct rlimit little;
  gboolean ok;

  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  little = before;
  little.rlim_cur = 4096;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &little), ==, 0);
  ok = tractor_run_in_actor ("kid", NULL, "test:get_pid", NULL, NULL, error);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  return ok;
}

/* Whose processes do not see their parent's number; the first of them is besides spared most signals. */
static gboolean
test_new_pid_namespace (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const nothing[] = { "true", NULL };
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (GVariant) pid = NULL;

  /* Leaks are looked for by a process of this one, which can have none any more then. */
  if (harness_get_slowness () > 1 || unshare (CLONE_NEWPID) != 0) {
    g_test_skip ("only root can make namespaces, and no sanitizer works in them");
    return tractor_actor_nursery_join (nursery, error);
  }
  portal = tractor_actor_nursery_start (nursery, "first", NULL, error);
  g_assert_no_error (*error);
  tractor_portal_call (portal, "test:get_pid", NULL, &pid, error);
  g_assert_no_error (*error);
  g_assert_cmpint (g_variant_get_int64 (pid), ==, 1);
  tractor_run_process (nothing, NULL, error);
  g_assert_no_error (*error);
  tractor_actor_nursery_cancel (nursery);
  g_assert_true (tractor_actor_nursery_join (nursery, error));

  g_assert_false (tractor_run_process (nothing, NULL, error));
  g_assert_nonnull (strstr ((*error)->message, "PID namespace"));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOMEM);
  return TRUE;
}

/* --- who is told ------------------------------------------------------------------------------------- */

/* The call is given up after half a second; what its end was like is known later. */
static gboolean
withdraw_call_of_hog (GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = tractor_actor_nursery_start (nursery, "child", NULL, error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();

  tractor_nursery_spawn (callers, "caller", have_hog_in_task, child, NULL, error);
  close (open_pidfd_of_hog (child, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (callers), "enough");
  g_assert_true (tractor_nursery_join (callers, error));
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static GString *lines; /* of what is logged, without who tells it */

static GLogWriterOutput
collect (G_GNUC_UNUSED GLogLevelFlags level,
         const GLogField *fields,
         G_GNUC_UNUSED gsize n_fields,
         G_GNUC_UNUSED gpointer data)
{
  const char *message;

  while (strcmp (fields->key, "MESSAGE") != 0)
    fields++;
  message = fields->value;
  g_string_append_printf (lines, "%s\n", strstr (message, "] ") + strlen ("] "));
  return G_LOG_WRITER_HANDLED;
}

/* Until the end of the test, which has a process of its own. */
static void
collect_lines (void)
{
  lines = g_string_new (NULL);
  g_log_set_writer_func (collect, NULL, NULL);
}

/* @wanted: a pattern: in this order, with whatever else between. */
static void
assert_log (const char *wanted)
{
  if (!g_pattern_match_simple (wanted, lines->str))
    g_error ("%s", lines->str);
  g_string_set_size (lines, 0);
}

static gboolean
test_killed_below_a_cancelled_call (G_GNUC_UNUSED gpointer data, GError **error)
{
  collect_lines ();
  g_assert_true (withdraw_call_of_hog (error));
  assert_log ("call: actor 'child' has failed *Actor 'hog' (pid *) ignored its cancel*\n");
  return sweep (error);
}

/* What TRACTOR_LOG=supervise:info shows. */
static gboolean
test_lives_are_told (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorSpawnOptions options = { .on_death = TRACTOR_ON_DEATH_RESTART };
  g_autoptr (TractorActorNursery) nursery = NULL;
  g_autoptr (TractorPortal) portal = NULL;
  guint n_restarts = 0;

  g_log_set_debug_enabled (TRUE);
  g_assert_true (tractor_log_set_spec ("message,supervise:info", error));
  collect_lines ();
  nursery = tractor_actor_nursery_open (error);
  portal = tractor_actor_nursery_start (nursery, "kid", &options, error);
  assert_log ("*'kid' (pid *) is started\n*'kid' (pid *) answers, after * ms\n");
  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_true (tractor_portal_wait_until_restarted (portal, &n_restarts, error));
  assert_log ("*'kid' (pid *) was killed by signal 9*it is started again\n*answers*");
  g_assert_false (tractor_portal_cancel_actor (portal, 0, error));
  g_clear_error (error);
  g_assert_true (tractor_actor_nursery_join (nursery, error));
  assert_log ("*'kid' (pid *) is cancelled, and has * ms\n*'kid' (pid *) exited with status 0\n");
  return TRUE;
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (argc == 2 && strcmp (argv[1], "--be-killed") == 0)
    return !tractor_run (be_killed, NULL, NULL);
  harness_init (&argc, &argv);

  harness_add_real_task ("/e2e/lifetime/killed-while-booting-leaves-no-socket",
                         test_killed_while_booting);
  harness_add_real_task ("/e2e/lifetime/killed-roots-are-swept-up-after",
                         test_killed_roots_are_swept_up_after);
  harness_add_real_task ("/e2e/lifetime/P-05-orphan-that-is-deaf-to-alarms", test_stuck_orphan);
  harness_add_real_task ("/e2e/lifetime/P-05-orphan-that-is-first-of-a-namespace",
                         test_stuck_orphan);
  harness_add_real_task ("/e2e/lifetime/little-room-for-files", test_little_room_for_files);
  harness_add_real_task ("/e2e/lifetime/new-pid-namespace", test_new_pid_namespace);
  harness_add_real_task ("/e2e/lifetime/killed-below-a-cancelled-call-is-told",
                         test_killed_below_a_cancelled_call);
  harness_add_real_task ("/e2e/lifetime/lives-are-told", test_lives_are_told);
  return harness_run ();
}
