/* test-surroundings.c - a process with actors is not alone: signals interrupt it, others in it reap its children,
 * a terminal interrupts all of it, and somebody reads what it logs. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include "served.h"
#include "tractor-signal.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

/* Writes to its log, which it makes a file. */
static gboolean
chatter (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  const char *path = "";
  int fd;

  g_variant_lookup (kwargs, "path", "&s", &path);
  fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  g_assert_cmpint (dup2 (fd, 2), ==, 2);
  g_assert_cmpint (dup2 (fd, 1), ==, 1);
  close (fd);
  g_log_structured ("x", G_LOG_LEVEL_INFO, "MESSAGE", "%s", "some detail");
  g_log_structured ("x", G_LOG_LEVEL_MESSAGE, "MESSAGE", "%s", "some message");
  g_log_structured ("x", G_LOG_LEVEL_WARNING, "MESSAGE", "%s", "some warning");
  fflush (NULL);
  return TRUE;
}

static gboolean
chatter_below (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  const char *level = NULL;

  g_variant_lookup (kwargs, "level", "&s", &level);
  return tractor_run_in_actor ("chatterer",
                               &(TractorSpawnOptions){ .host = own_host (), .log_level = level },
                               "test:chatter", kwargs, ret_result, error);
}

static const TractorExport exports[] = {
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "chatter", TRACTOR_EXPORT_CALL, chatter },
  { "chatter_below", TRACTOR_EXPORT_CALL, chatter_below },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- signals ------------------------------------------------------------------------------------- */

static void
do_nothing (G_GNUC_UNUSED int number)
{
}

static gboolean
test_interrupted_system_calls (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  struct sigaction action = { .sa_handler = do_nothing };
  struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
  struct itimerval never = { 0 };
  gint64 until = tractor_now () + SECOND / 4;

  sigaction (SIGALRM, &action, NULL);
  setitimer (ITIMER_REAL, &often, NULL);
  while (tractor_now () < until) {
    g_assert_true (tractor_portal_call (peer.portal, "test:echo", NULL, NULL, error));
    g_assert_true (tractor_sleep_until (tractor_now () + 2000, error));
  }
  setitimer (ITIMER_REAL, &never, NULL);
  signal (SIGALRM, SIG_DFL);
  return end_peer (&peer, error);
}

/* Somebody in this process takes the status of every child that ends. */
static gpointer
wait_for_all (gpointer is_over)
{
  while (!g_atomic_int_get ((int *) is_over)) {
    waitpid (-1, NULL, WNOHANG);
    g_usleep (100);
  }
  return NULL;
}

static gboolean
test_reaped_by_others (G_GNUC_UNUSED gpointer data, GError **error)
{
  int is_over = 0;
  GThread *thread = g_thread_new ("reaper", wait_for_all, &is_over);

  for (int i = 0; i < 20; i++) {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

    g_assert_true (tractor_portal_call (portal, "test:echo", NULL, NULL, error));
    if (i % 2 == 0) {
      tractor_actor_nursery_cancel (nursery);
      g_assert_true (tractor_actor_nursery_join (nursery, error));
    } else {
      kill (tractor_portal_get_pid (portal), SIGKILL);
      g_assert_false (tractor_actor_nursery_join (nursery, error));
      harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
    }
  }
  g_atomic_int_set (&is_over, 1);
  g_thread_join (thread);
  return TRUE;
}

/* --- a terminal ---------------------------------------------------------------------------------- */

/* A program with actors that a terminal interrupts: it is this one, started with --foreground, and
 * the leader of a process group, as a shell would have it. */
static gboolean
run_foreground (gpointer data, GError **error)
{
  gboolean *was_interrupted = data;
  const int signals[] = { SIGINT };
  g_autoptr (TractorSignalReceiver) receiver = tractor_signal_receiver_open (signals, 1, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) one = tractor_actor_nursery_start (nursery, "one", NULL, error);
  g_autoptr (TractorPortal) two = tractor_actor_nursery_start (nursery, "two", NULL, error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling callings[] = { { one, "test:sleep_forever", NULL }, { two, "test:sleep_forever", NULL } };
  int number;

  for (int i = 0; i < 2; i++)
    tractor_nursery_spawn (callers, "caller", call_in_task, &callings[i], NULL, error);
  g_assert_true (tractor_portal_call (two, "test:echo", NULL, NULL, error));
  g_print ("ready\n");
  fflush (stdout);
  *was_interrupted = tractor_signal_receiver_receive (receiver, &number, error);
  /* They are all well: none of them has heard of the interrupt but by us. */
  g_assert_true (tractor_portal_call (one, "test:echo", NULL, NULL, error));
  g_assert_true (tractor_portal_call (two, "test:echo", NULL, NULL, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (callers), "interrupted");
  tractor_nursery_join (callers, error);
  return end (nursery, error);
}

static int
foreground_main (void)
{
  g_autoptr (GError) error = NULL;
  gboolean was_interrupted = FALSE;

  setpgid (0, 0);
  if (tractor_run (run_foreground, &was_interrupted, &error) && was_interrupted)
    return 128 + SIGINT;
  g_printerr ("%s\n", error != NULL ? error->message : "not interrupted");
  return EXIT_FAILURE;
}

typedef struct {
  gint pid;
  gint64 interrupted_at;
} Foreground;

static void
interrupt_group (const char *line, G_GNUC_UNUSED gsize length, gpointer data)
{
  Foreground *foreground = data;

  g_assert_cmpstr (line, ==, "ready");
  foreground->interrupted_at = tractor_now ();
  g_assert_cmpint (kill (-foreground->pid, SIGINT), ==, 0);
}

static gboolean
test_interrupted_group (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const char *argv[] = { self, "--foreground", NULL };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Foreground foreground = { 0 };

  prctl (PR_SET_CHILD_SUBREAPER, 1); /* an actor that outlived the program would come to us */
  g_assert_true (tractor_nursery_start_process (
      nursery, argv, &(TractorProcessOptions){ .on_stdout = interrupt_group, .data = &foreground },
      &foreground.pid, error));
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_cmpint (tractor_now () - foreground.interrupted_at, <,
                   2 * SECOND * harness_get_patience ());
  g_assert_true (tractor_error_matches (*error, G_SPAWN_EXIT_ERROR, 128 + SIGINT));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

/* --- logs ---------------------------------------------------------------------------------------- */

static void
assert_logged (TractorPortal *portal,
               const char *function,
               const char *level,
               gboolean has_detail,
               gboolean has_message)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "log", NULL);
  g_autofree char *text = NULL;
  GError *error = NULL;
  GVariantDict kwargs;

  g_variant_dict_init (&kwargs, NULL);
  g_variant_dict_insert (&kwargs, "path", "s", path);
  if (level != NULL)
    g_variant_dict_insert (&kwargs, "level", "s", level);
  g_assert_true (
      tractor_portal_call (portal, function, g_variant_dict_end (&kwargs), NULL, &error));
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_true ((strstr (text, "some detail") != NULL) == has_detail);
  g_assert_true ((strstr (text, "some message") != NULL) == has_message);
  g_assert_nonnull (strstr (text, "some warning"));
  unlink (path);
}

static gboolean
test_log_level (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;

  hand_on_host ();
  portal = tractor_actor_nursery_start (
      nursery, "quiet",
      &(TractorSpawnOptions){ .host = harness_get_host ()->name, .log_level = "message" }, error);
  g_assert_no_error (*error);
  assert_logged (portal, "test:chatter_below", NULL, FALSE, TRUE);
  assert_logged (portal, "test:chatter_below", "info", TRUE, TRUE);
  assert_logged (portal, "test:chatter_below", "warning", FALSE, FALSE);
  assert_logged (portal, "test:chatter", NULL, FALSE, TRUE);
  return end (nursery, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (argc == 2 && strcmp (argv[1], "--foreground") == 0)
    return foreground_main ();
  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/fault/P-19-interrupted-system-calls", test_interrupted_system_calls);
  harness_add_real_task ("/e2e/fault/P-16-reaped-by-others", test_reaped_by_others);
  harness_add_real_task ("/e2e/fault/row-78-P-20-P-21-interrupted-group", test_interrupted_group);
  harness_add_real_task ("/e2e/fault/row-38-log-level", test_log_level);
  return harness_run ();
}
