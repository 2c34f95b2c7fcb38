/* test-discovery.c - actors found by their names: those who live are, at once or when they come, and whoever is
 * not found, or cannot be connected to, is an error that says so. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/resource.h>

#include "registries.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static const TractorExport exports[] = {
  { "whoami", TRACTOR_EXPORT_CALL, whoami },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- who is found -------------------------------------------------------------------------------- */

static gboolean
test_registered_while_it_lives (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = start (nursery, "worker", error);
  g_autoptr (TractorPortal) found = tractor_find_actor ("worker", error);
  g_autoptr (TractorPortal) by_uuid = tractor_find_actor (tractor_portal_get_uuid (child), error);

  g_assert_cmpstr (tractor_portal_get_uuid (found), ==, tractor_portal_get_uuid (child));
  g_assert_cmpstr (tractor_portal_get_uuid (by_uuid), ==, tractor_portal_get_uuid (child));
  g_assert_cmpint (tractor_portal_get_pid (found), ==, -1);
  g_assert_true (tractor_portal_cancel_actor (child, tractor_now () + 5 * SECOND, error));
  g_assert_cmpuint (count_actors ("worker", error), ==, 0);
  g_assert_null (tractor_find_actor ("worker", error));
  g_assert_no_error (*error);
  g_assert_false (tractor_portal_call (found, "test:whoami", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  return end (nursery, error);
}

static gboolean
test_killed_one_is_not_found (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal =
      tractor_actor_nursery_start (nursery, "victim",
                                   &(TractorSpawnOptions){ .host = harness_get_host ()->name,
                                                           .on_death = TRACTOR_ON_DEATH_IGNORE },
                                   error);
  g_autoptr (TractorPortal) other = tractor_find_actor ("victim", error);

  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_false (tractor_portal_call (other, "test:sleep_forever", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  while (count_actors ("victim", error) > 0)
    g_assert_true (tractor_checkpoint (error));
  g_assert_null (tractor_find_actor ("victim", error));
  g_assert_no_error (*error);
  return tractor_actor_nursery_join (nursery, error); /* its death is ignored */
}

/* By any registrar, in whichever process it is: not a moment later. */
static gboolean
test_not_listed_after_the_join (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;

  start_daemon (&daemon, nursery, "registrar", registry);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);

    for (int i = 0; i < 20; i++) {
      g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
      g_autoptr (TractorPortal) worker = start (actors, "worker", error);

      g_assert_cmpuint (count_actors ("worker", error), ==, 1);
      if (i % 2 == 0) {
        g_assert_true (end (actors, error));
      } else {
        kill (tractor_portal_get_pid (worker), SIGKILL);
        g_assert_false (tractor_actor_nursery_join (actors, error));
        g_clear_error (error);
      }
      g_assert_cmpuint (count_actors ("worker", error), ==, 0);
    }
  }
  kill (daemon.pid, SIGTERM);
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_event_free (daemon.ready);
  return TRUE;
}

static gboolean
test_newest_first (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) first = start (nursery, "twin", error);
  g_autoptr (TractorPortal) second = start (nursery, "twin", error);
  g_autoptr (TractorPortal) found = tractor_find_actor ("twin", error);
  g_autoptr (GPtrArray) all = tractor_find_actors ("twin", error);

  g_assert_cmpstr (tractor_portal_get_uuid (found), ==, tractor_portal_get_uuid (second));
  g_assert_cmpuint (all->len, ==, 2);
  g_assert_cmpstr (tractor_portal_get_uuid (all->pdata[0]), ==, tractor_portal_get_uuid (second));
  g_assert_cmpstr (tractor_portal_get_uuid (all->pdata[1]), ==, tractor_portal_get_uuid (first));
  return end (nursery, error);
}

static gboolean
test_names_that_are_not_utf8 (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);

  g_assert_null (tractor_find_actor ("\xff", error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_null (tractor_find_actors ("\xff", error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_null (tractor_wait_for_actor ("\xff", TRACTOR_NO_DEADLINE, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

/* --- who is waited for --------------------------------------------------------------------------- */

static gboolean
wait_for_late (gpointer data, GError **error)
{
  TractorPortal **ret_found = data;

  *ret_found = tractor_wait_for_actor ("late", TRACTOR_NO_DEADLINE, error);
  return *ret_found != NULL;
}

static gboolean
test_waits (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  g_autoptr (TractorPortal) late = NULL;
  g_autoptr (TractorPortal) found = NULL;

  g_assert_null (tractor_wait_for_actor ("late", tractor_now () + SECOND / 20, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  tractor_nursery_spawn (tasks, "waiting", wait_for_late, &found, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  late = start (actors, "late", error);
  g_assert_true (tractor_nursery_join (tasks, error));
  g_assert_cmpstr (tractor_portal_get_uuid (found), ==, tractor_portal_get_uuid (late));
  return end (actors, error);
}

typedef struct {
  int listening;
  guint n;
} WebServer;

/* Speaks no protocol of ours. */
static gboolean
run_web_server (gpointer data, GError **error)
{
  WebServer *server = data;

  while (tractor_wait_fd (server->listening, G_IO_IN, NULL, error)) {
    int fd = accept4 (server->listening, NULL, NULL, SOCK_CLOEXEC);

    send (fd, "HTTP/1.1 400 \r\n\r\n", 17, MSG_NOSIGNAL); /* to one who may have gone */
    close (fd);
    server->n++;
  }
  return FALSE;
}

/* Somebody else is where the registrar says that the actor is: that is asked now and then. */
static gboolean
test_waits_for_a_wrong_one (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "ghost", error);
  g_autoptr (GPtrArray) infos = tractor_list_actors ("ghost", error);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  const char *address = ((TractorActorInfo *) infos->pdata[0])->addresses[0];
  WebServer server = { 0 };

  unlink (address + strlen ("unix:"));
  server.listening = raw_socket (address, TRUE);
  tractor_nursery_spawn (tasks, "web server", run_web_server, &server, NULL, error);
  g_assert_null (tractor_wait_for_actor ("ghost", tractor_now () + SECOND / 2, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  g_assert_cmpuint (server.n, >=, 1);
  g_assert_cmpuint (server.n, <=, 20);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (tasks), NULL);
  tractor_nursery_join (tasks, error);
  close (server.listening);
  return end (nursery, error);
}

/* --- who cannot be connected to ------------------------------------------------------------------ */

/* Whoever asks for @name hears why, and never that there is no such actor. */
static void
assert_cannot_be_connected_to (const char *name, GQuark domain, int code)
{
  GError *error = NULL;

  g_assert_null (tractor_find_actor (name, &error));
  harness_assert_error (error, domain, code);
  g_assert_null (tractor_find_actors (name, &error));
  harness_assert_error (error, domain, code);
  g_assert_null (tractor_wait_for_actor (name, tractor_now () + SECOND / 2, &error));
  g_assert_nonnull (strstr (error->message, "could be connected to"));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  /* While it is tried for the first time. */
  g_assert_null (tractor_wait_for_actor (name, tractor_now () + SECOND / 1000, &error));
  g_assert_null (strstr (error->message, "has registered"));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
}

static gboolean
test_no_descriptor_to_find_with (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autoptr (TractorPortal) found = NULL;
  struct rlimit before;

  g_assert_true (
      tractor_sleep_until (tractor_now () + 1, error)); /* has its descriptor from now on */
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &(struct rlimit){ 4, before.rlim_max }), ==, 0);
  assert_cannot_be_connected_to ("worker", G_FILE_ERROR, G_FILE_ERROR_MFILE);
  g_assert_null (tractor_find_actor ("nobody", error));
  g_assert_no_error (*error);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  found = tractor_find_actor ("worker", error);
  g_assert_nonnull (found);
  return end (nursery, error);
}

static gboolean
test_finds_one_that_hangs (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .limits = &(TractorLimits){ .handshake_usec = SECOND / 10 } },
      error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autoptr (TractorPortal) found = NULL;

  g_assert_no_error (*error);
  kill (tractor_portal_get_pid (portal), SIGSTOP);
  assert_cannot_be_connected_to ("worker", TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  kill (tractor_portal_get_pid (portal), SIGCONT);
  found = tractor_wait_for_actor ("worker", TRACTOR_NO_DEADLINE, error);
  g_assert_nonnull (found);
  return end (nursery, error);
}

static gboolean
test_has_its_share_of_connections (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .limits = &(TractorLimits){ .connections = 6 } }, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autoptr (GPtrArray) portals =
      g_ptr_array_new_with_free_func ((GDestroyNotify) tractor_portal_unref);
  TractorPortal *found;

  g_assert_no_error (*error);
  while ((found = tractor_find_actor ("worker", error)) != NULL)
    g_ptr_array_add (portals, found);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  assert_cannot_be_connected_to ("worker", TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  g_ptr_array_set_size (portals, 0);
  found = tractor_wait_for_actor ("worker", TRACTOR_NO_DEADLINE, error);
  g_assert_nonnull (found);
  tractor_portal_unref (found);
  return end (nursery, error);
}

/* --- without an address --------------------------------------------------------------------------- */

static guint
count_sockets (void)
{
  g_autofree char *path = tractor_dup_socket_directory ();
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  guint n = 0;

  while (dir != NULL && g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

/* Who only asks others leaves nothing where others look, and takes nothing away that is there. */
static gboolean
test_without_address (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;

  start_daemon (&daemon, nursery, "daemon", registry);
  {
    g_autofree char *dir = tractor_dup_socket_directory ();
    g_autofree char *left = g_strconcat ("unix:", dir, "/0123456789abcdef.sock", NULL);
    guint n_before = count_sockets () + 1;
    g_autoptr (TractorRuntime) runtime = NULL;
    g_autoptr (TractorPortal) portal = NULL;
    g_auto (GStrv) addresses = NULL;

    close (raw_socket (left, TRUE)); /* as a dead actor leaves its own */
    runtime = tractor_runtime_open (&(TractorRuntimeOptions){ .without_address = TRUE }, error);
    g_assert_no_error (*error);
    addresses = tractor_actor_dup_addresses ();
    g_assert_cmpuint (g_strv_length (addresses), ==, 0);
    g_assert_cmpuint (count_sockets (), ==, n_before);
    g_assert_false (tractor_actor_is_registrar ());
    portal = tractor_connect (registry, error);
    g_assert_no_error (*error);
    g_assert_true (tractor_portal_call (portal, "test:whoami", NULL, NULL, error));
    g_assert_null (tractor_actor_nursery_open (error)); /* nobody could reach it */
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
    g_assert_true (tractor_portal_cancel_actor (portal, tractor_now () + 5 * SECOND, error));
    unlink (left + strlen ("unix:"));
  }
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_event_free (daemon.ready);
  return TRUE;
}

static gboolean
test_without_address_and_with_one (G_GNUC_UNUSED gpointer data, GError **error)
{
  const char *const addresses[] = { "tcp://127.0.0.1:0", NULL };
  const TractorRuntimeOptions options[] = {
    { .without_address = TRUE, .registry_addresses = addresses },
    { .without_address = TRUE, .listen_addresses = addresses },
    { .without_address = TRUE, .must_be_registrar = TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (options); i++) {
    g_assert_null (tractor_runtime_open (&options[i], error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  return TRUE;
}

/* --- without a runtime --------------------------------------------------------------------------- */

static gboolean
test_without_runtime (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_null (tractor_find_actor ("x", error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  g_assert_null (tractor_list_actors (NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  g_assert_null (tractor_get_parent ());
  return TRUE;
}

static gboolean
wait_for_nobody (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GError) failure = NULL;

  g_assert_null (tractor_wait_for_actor ("nobody", TRACTOR_NO_DEADLINE, &failure));
  g_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  return TRUE;
}

/* There is nobody any more who could come. */
static gboolean
test_waits_while_the_runtime_is_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

    tractor_nursery_spawn (tasks, NULL, wait_for_nobody, NULL, NULL, error);
    g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  }
  return tractor_nursery_join (tasks, error);
}

static gboolean
connect_to_silence (gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GError) failure = NULL;

  g_assert_null (tractor_connect (data, &failure));
  harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  return TRUE;
}

/* Whoever uses the runtime is not left with one that is gone, nor waited for until it gives up. */
static gboolean
test_connects_while_the_runtime_is_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *address = make_free_address ();
  int listening = raw_socket (address, TRUE); /* and nobody there who takes it */
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  gint64 closed_at;

  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

    tractor_nursery_spawn (tasks, NULL, connect_to_silence, address, NULL, error);
    g_assert_true (tractor_wait_all_tasks_blocked (0, error));
    closed_at = tractor_now ();
  }
  g_assert_cmpint (tractor_now () - closed_at, <, SECOND * harness_get_patience ());
  close (listening);
  unlink (address + strlen ("unix:"));
  return tractor_nursery_join (tasks, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (is_daemon (argc, argv))
    return daemon_main (argv, modules, NULL);
  harness_init (&argc, &argv);
  add_on_sockets ("/e2e/discovery/%s/row-83-registered-while-it-lives",
                  test_registered_while_it_lives);
  add_on_sockets ("/e2e/discovery/%s/row-84-D-05-D-07-killed-one-is-not-found",
                  test_killed_one_is_not_found);
  add_on_sockets ("/e2e/discovery/%s/not-listed-after-the-join", test_not_listed_after_the_join);
  add_on_sockets ("/e2e/discovery/%s/row-87-D-06-newest-first", test_newest_first);
  add_on_sockets ("/e2e/discovery/%s/names-that-are-not-utf8", test_names_that_are_not_utf8);
  add_on_sockets ("/e2e/discovery/%s/row-85-waits", test_waits);
  harness_add_real_task ("/e2e/discovery/row-85-waits-for-a-wrong-one", test_waits_for_a_wrong_one);
  harness_add_real_task ("/e2e/discovery/no-descriptor-to-find-with",
                         test_no_descriptor_to_find_with);
  harness_add_real_task ("/e2e/discovery/finds-one-that-hangs", test_finds_one_that_hangs);
  harness_add_real_task ("/e2e/discovery/has-its-share-of-connections",
                         test_has_its_share_of_connections);
  harness_add_real_task ("/e2e/discovery/unix/without-address", test_without_address);
  harness_add_real_task ("/e2e/discovery/without-address-and-with-one",
                         test_without_address_and_with_one);
  harness_add_real_task ("/e2e/discovery/row-4-without-runtime", test_without_runtime);
  harness_add_real_task ("/e2e/discovery/row-85-waits-while-the-runtime-is-closed",
                         test_waits_while_the_runtime_is_closed);
  harness_add_real_task ("/e2e/discovery/unix/connects-while-the-runtime-is-closed",
                         test_connects_while_the_runtime_is_closed);
  return harness_run ();
}
