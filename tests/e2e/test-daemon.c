/* test-daemon.c - programs that run until they are told to end, by whatever that is; and what an actor has asked
 * to be done when it ends. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "registries.h"
#include "strangers.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

/* Returns more than is queued for somebody who does not read. */
static gboolean
get_much (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gsize size = 3 * 1024 * 1024;
  g_autofree char *bytes = g_malloc0 (size);

  *ret_result = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, size, 1);
  return TRUE;
}

static void
remove_file (gpointer path)
{
  unlink (path);
}

static gboolean
remove_at_exit (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  static char path[256];
  const char *given = "";
  gboolean fail = FALSE;

  g_variant_lookup (kwargs, "path", "&s", &given);
  g_variant_lookup (kwargs, "fail", "b", &fail);
  g_strlcpy (path, given, sizeof path);
  if (!tractor_actor_at_exit (remove_file, path, error))
    return FALSE;
  if (fail)
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return !fail;
}

static const TractorExport exports[] = {
  { "get_much", TRACTOR_EXPORT_CALL, get_much },
  { "remove_at_exit", TRACTOR_EXPORT_CALL, remove_at_exit },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- daemons ------------------------------------------------------------------------------------- */

/* The body of a daemon: has an actor for as long as it runs. */
static gboolean
keep_actor (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (nursery, "kept", NULL, error);

  if (portal != NULL) {
    g_print ("ready\n");
    fflush (stdout);
    tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  }
  return tractor_actor_nursery_join (nursery, error);
}

/* As whoever started the program may have. */
static void
block_signals (void)
{
  sigset_t all;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, NULL);
}

/* Whatever it has of its own has ended then, and whatever was blocked when it started is heard. */
static gboolean
test_daemon_ends_when_told (gpointer name, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;

  start_daemon (&daemon, nursery, name, registry);
  kill (daemon.pid, SIGTERM);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (daemon.signal_number, ==, SIGTERM);
  tractor_event_free (daemon.ready);
  return TRUE;
}

static gboolean
fail_when_ready (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_print ("ready\n");
  fflush (stdout);
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "disk full");
  return FALSE;
}

static gboolean
test_daemon_ends_with_its_body (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;

  start_daemon (&daemon, nursery, "fails", registry);
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_nonnull (strstr ((*error)->message, "disk full"));
  g_clear_error (error);
  tractor_event_free (daemon.ready);
  return TRUE;
}

/* Somebody who asks for much and does not take it does not keep a daemon from ending. */
static gboolean
test_daemon_ends_past_one_who_does_not_read (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gint64 started;
  Daemon daemon;
  Stranger stranger;

  start_daemon (&daemon, nursery, "daemon", registry);
  stranger = stranger_connect (registry);
  g_assert_true (stranger_say (&stranger, AID));
  for (int i = 0; i < 8; i++) {
    g_autofree char *call = g_strdup_printf (
        "{'msg_type': <'Start'>, 'cid': <'%d'>, 'ns': <'test'>, 'func': <'get_much'>, " NO_KWARGS
            UID "}",
        i);

    g_assert_true (stranger_say (&stranger, call));
  }
  g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 4, error));
  started = tractor_now ();
  kill (daemon.pid, SIGTERM);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (tractor_now () - started, <, 2 * SECOND * harness_get_patience ());
  g_assert_cmpint (daemon.signal_number, ==, SIGTERM);
  tractor_event_free (daemon.ready);
  stranger_close (&stranger);
  return TRUE;
}

/* --- at the exit --------------------------------------------------------------------------------- */

/* When all is well, when a function has failed, and not when it is killed. */
static gboolean
test_exit_callbacks (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "scratch", NULL);

  for (int i = 0; i < 3; i++) {
    gboolean fail = i == 1;
    gboolean is_killed = i == 2;
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = start (nursery, "tidy", error);

    g_file_set_contents (path, "x", -1, NULL);
    g_assert_cmpint (
        tractor_portal_call (portal, "test:remove_at_exit",
                             g_variant_new_parsed ("{'path': <%s>, 'fail': <%b>}", path, fail),
                             NULL, error),
        ==, !fail);
    g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
    if (is_killed)
      tractor_actor_nursery_kill (nursery);
    else
      tractor_actor_nursery_cancel (nursery);
    tractor_actor_nursery_join (nursery, error);
    g_clear_error (error);
    g_assert_cmpint (g_file_test (path, G_FILE_TEST_EXISTS), ==, is_killed);
  }
  unlink (path);
  return TRUE;
}

static int
run_as_daemon (char **argv)
{
  TractorTaskFunc body = NULL;

  if (strcmp (argv[2], "keeps-an-actor") == 0)
    body = keep_actor;
  else if (strcmp (argv[2], "fails") == 0)
    body = fail_when_ready;
  else if (strcmp (argv[2], "started-deaf") == 0)
    block_signals ();
  return daemon_main (argv, modules, body);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (is_daemon (argc, argv))
    return run_as_daemon (argv);
  harness_init (&argc, &argv);
  add_row_on_sockets ("/e2e/discovery/%s/daemon-has-actors-of-its-own", test_daemon_ends_when_told,
                      "keeps-an-actor");
  add_on_sockets ("/e2e/discovery/%s/daemon-ends-with-its-body", test_daemon_ends_with_its_body);
  add_row_on_sockets ("/e2e/discovery/%s/daemon-hears-signals-that-were-blocked",
                      test_daemon_ends_when_told, "started-deaf");
  add_on_sockets ("/e2e/discovery/%s/daemon-ends-past-one-who-does-not-read",
                  test_daemon_ends_past_one_who_does_not_read);
  harness_add_real_task ("/e2e/discovery/row-12-exit-callbacks", test_exit_callbacks);
  return harness_run ();
}
