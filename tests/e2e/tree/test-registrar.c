/* test-registrar.c - who becomes the registrar of a tree, who joins it, and how a tree gets on without one that
 * hangs, has died, or is not there yet. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "registries.h"
#include "strangers.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static const TractorExport exports[] = {
  { "whoami", TRACTOR_EXPORT_CALL, whoami },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "ask_other", TRACTOR_EXPORT_CALL, ask_other },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- a registrar of our own ---------------------------------------------------------------------- */

static gboolean
test_twice_in_a_row (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();

  for (int i = 0; i < 2; i++) {
    TractorRuntime *runtime = open_at (registry, modules, error);

    g_assert_no_error (*error);
    g_assert_true (tractor_actor_is_registrar ());
    tractor_runtime_close (runtime);
    g_assert_null (tractor_actor_get_name ());
  }
  return TRUE;
}

static gboolean
test_becomes_registrar (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_auto (GStrv) addresses = tractor_actor_dup_addresses ();
  g_autofree char *self = own_id ();
  g_autofree char *found = NULL;
  g_autoptr (TractorPortal) portal = NULL;

  g_assert_true (tractor_actor_is_registrar ());
  g_assert_true (tractor_actor_is_root ());
  g_assert_cmpstr (addresses[0], ==, registry);
  g_assert_null (addresses[1]);
  /* To oneself too: it is a connection like any other. */
  portal = tractor_connect (registry, error);
  found = call_for_id (portal, "test:whoami", NULL, error);
  g_assert_cmpstr (found, ==, self);
  return TRUE;
}

static gboolean
test_listens_at_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autofree char *more = make_free_address ();
  const char *registries[] = { registry, NULL };
  const char *listen[] = { more, "/ip4/127.0.0.1/tcp/0", NULL };
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){
          .registry_addresses = registries, .listen_addresses = listen, .modules = modules },
      error);
  g_auto (GStrv) addresses = tractor_actor_dup_addresses ();

  g_assert_cmpuint (g_strv_length (addresses), ==, 3);
  for (char **address = addresses; *address != NULL; address++) {
    g_autoptr (TractorPortal) portal = tractor_connect (*address, error);
    g_autofree char *id = call_for_id (portal, "test:whoami", NULL, error);

    g_assert_nonnull (id);
  }
  return TRUE;
}

static gboolean
test_bad_addresses (G_GNUC_UNUSED gpointer data, GError **error)
{
  const char *bad[] = { "udp://127.0.0.1:1", "unix:@hidden", "unix:relative", "1616", NULL };

  for (char **text = (char **) bad; *text != NULL; text++) {
    g_assert_null (open_at (*text, modules, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  {
    const char *listen[] = { "tcp://0.0.0.0:0", NULL };

    g_assert_null (
        tractor_runtime_open (&(TractorRuntimeOptions){ .listen_addresses = listen }, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
    /* Nor is another machine asked, who could say anything. */
    g_assert_null (open_at ("tcp://192.0.2.1:1616", modules, error));
    g_assert_nonnull (strstr ((*error)->message, "on another machine"));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
    g_assert_null (open_at ("tcp://[0::0]:1616", modules, error));
    g_assert_nonnull (strstr ((*error)->message, "to listen at, and not to connect to"));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
    g_assert_null (open_at ("tcp://0.0.0.0:1616", modules, error));
    g_assert_nonnull (strstr ((*error)->message, "to listen at, and not to connect to"));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
  }
  return TRUE;
}

static gboolean
test_occupied (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  int fd = raw_socket (registry, TRUE);
  gint64 started = tractor_now ();

  g_assert_null (open_at (registry, modules, error));
  g_assert_nonnull (strstr ((*error)->message, "took too long")); /* and not who it is */
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY);
  g_assert_cmpint (tractor_now () - started, <, 7 * SECOND / 2 * harness_get_patience ());
  close (fd);
  remove_socket (registry);
  return TRUE;
}

static gboolean
start_and_let_it_find_itself (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autofree char *id = NULL;
  g_autofree char *found = NULL;

  g_assert_no_error (*error);
  portal = start (nursery, data, error);
  g_assert_no_error (*error);
  id = portal_id (portal);
  found = call_for_id (portal, "test:ask_other", data, error);
  g_assert_cmpstr (found, ==, id);
  return end (nursery, error);
}

static gboolean
start_again_and_again (gpointer data, GError **error)
{
  for (int i = 0; i < 4; i++)
    if (!start_and_let_it_find_itself (data, error))
      return FALSE;
  return TRUE;
}

/* Two tasks open the first nursery: one of them the runtime, in which the other is not before it is
 * open, nor while it is closed. */
static gboolean
test_opened_by_two (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, NULL, start_again_and_again, (gpointer) "one", NULL, error);
  tractor_nursery_spawn (nursery, NULL, start_again_and_again, (gpointer) "two", NULL, error);
  return tractor_nursery_join (nursery, error);
}

/* --- another's ----------------------------------------------------------------------------------- */

static gboolean
test_joins (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;

  start_daemon (&daemon, nursery, "first", registry);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
    g_auto (GStrv) addresses = tractor_actor_dup_addresses ();
    g_autoptr (TractorPortal) portal = NULL;

    g_assert_no_error (*error);
    g_assert_false (tractor_actor_is_registrar ());
    g_assert_cmpstr (addresses[0], !=, registry);
    g_assert_cmpuint (count_actors (NULL, error), ==, 2);
    portal = tractor_find_actor ("first", error);
    g_assert_cmpstr (tractor_portal_get_name (portal), ==, "first");
    g_assert_true (tractor_portal_cancel_actor (portal, tractor_now () + 5 * SECOND, error));
  }
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (daemon.signal_number, ==, 0);
  tractor_event_free (daemon.ready);
  return TRUE;
}

static gboolean
test_must_be_registrar (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  const char *registries[] = { registry, NULL };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;
  gint64 told_at;

  start_daemon (&daemon, nursery, "first", registry);
  g_assert_null (tractor_runtime_open (
      &(TractorRuntimeOptions){ .registry_addresses = registries, .must_be_registrar = TRUE },
      error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY);
  told_at = tractor_now ();
  kill (daemon.pid, SIGINT);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (tractor_now () - told_at, <, 2 * SECOND * harness_get_patience ());
  g_assert_cmpint (daemon.signal_number, ==, SIGINT);
  if (g_str_has_prefix (registry, "unix:"))
    g_assert_false (g_file_test (registry + strlen ("unix:"), G_FILE_TEST_EXISTS));
  tractor_event_free (daemon.ready);
  return TRUE;
}

static gboolean
test_several_registrars (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *one = make_free_address ();
  g_autofree char *two = make_free_address ();
  const char *registries[] = { one, two, NULL };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon first;
  Daemon second;

  start_daemon (&first, nursery, "service", one);
  start_daemon (&second, nursery, "service", two);
  {
    g_autoptr (TractorRuntime) runtime =
        tractor_runtime_open (&(TractorRuntimeOptions){ .registry_addresses = registries }, error);
    g_autoptr (GPtrArray) all = tractor_find_actors ("service", error);

    g_assert_cmpuint (all->len, ==, 2);
    for (guint i = 0; i < 2; i++)
      g_assert_true (
          tractor_portal_cancel_actor (all->pdata[i], tractor_now () + 5 * SECOND, error));
  }
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_event_free (first.ready);
  tractor_event_free (second.ready);
  return TRUE;
}

/* What a portal leads to goes on without the registrar, and whoever used a program lives on without it. */
static gboolean
test_other_trees_live_on (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon registrar;
  Daemon service;

  start_daemon (&registrar, nursery, "registrar", registry);
  start_daemon (&service, nursery, "service", registry);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
    g_autoptr (TractorPortal) first = tractor_find_actor ("registrar", error);
    g_autoptr (TractorPortal) portal = tractor_find_actor ("service", error);
    g_autoptr (GPtrArray) infos = tractor_list_actors ("service", error);
    g_autofree char *before = call_for_id (portal, "test:whoami", NULL, error);
    g_autofree char *after = NULL;
    g_autoptr (TractorCancelScope) shield = NULL;
    g_autoptr (TractorActorNursery) actors = NULL;
    g_autoptr (TractorPortal) own = NULL;
    g_autofree char *id = NULL;
    const char *address = ((TractorActorInfo *) infos->pdata[0])->addresses[0];

    g_assert_true (tractor_portal_cancel_actor (first, tractor_now () + 5 * SECOND, error));
    after = call_for_id (portal, "test:whoami", NULL, error);
    g_assert_cmpstr (after, ==, before);
    while (kill (registrar.pid, 0) == 0) /* or what comes now would end it once more */
      g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 100, error));
    shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    tractor_cancel_scope_set_shield (shield, TRUE); /* the nursery interrupts its body */
    kill (service.pid, SIGKILL);
    g_assert_false (tractor_portal_call (portal, "test:sleep_forever", NULL, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
    actors = tractor_actor_nursery_open (error);
    own = start (actors, "own", error);
    id = call_for_id (own, "test:whoami", NULL, error);
    g_assert_true (end (actors, error));
    remove_socket (address); /* which it could not take away */
  }
  g_assert_false (tractor_nursery_join (nursery, error)); /* for the one that was killed */
  g_clear_error (error);
  tractor_event_free (registrar.ready);
  tractor_event_free (service.ready);
  return TRUE;
}

/* --- one that hangs ------------------------------------------------------------------------------ */

/* Introduces itself as a registrar, and does nothing more. */
static gboolean
run_dead_registrar (gpointer data, GError **error)
{
  int *listening = data;
  Stranger strangers[8];
  guint n = 0;

  while (tractor_wait_fd (*listening, G_IO_IN, NULL, error)) {
    strangers[n] = stranger_accept (*listening);
    stranger_say (&strangers[n++], "{'msg_type': <'Aid'>, 'name': <'stranger'>, 'uuid': <'u-1'>,"
                                   " 'is_registrar': <true>}");
    g_assert_cmpuint (n, <, G_N_ELEMENTS (strangers));
  }
  while (n > 0)
    stranger_close (&strangers[--n]);
  return FALSE;
}

/* A registrar that hangs does not keep an actor from coming up. */
static gboolean
test_registrar_hangs (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  int listening = raw_socket (registry, TRUE);
  gint64 started = tractor_now ();

  tractor_nursery_spawn (tasks, "dead registrar", run_dead_registrar, &listening, NULL, error);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);

    g_assert_no_error (*error);
    g_assert_nonnull (runtime);
    g_assert_false (tractor_actor_is_registrar ());
  }
  g_assert_cmpint (tractor_now () - started, <, 4 * SECOND * harness_get_patience ());
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (tasks), NULL);
  tractor_nursery_join (tasks, error);
  close (listening);
  remove_socket (registry);
  return TRUE;
}

static gboolean
interrupt_then_hang (gpointer data, GError **error)
{
  if (!tractor_wait_fd (*(int *) data, G_IO_IN, NULL, error))
    return FALSE;
  kill (getpid (), SIGINT);
  return run_dead_registrar (data, error);
}

/* A signal that comes while a daemon still registers is not lost: it ends when it has come up. */
static gboolean
test_daemon_is_interrupted_as_it_opens (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  const char *registries[] = { registry, NULL };
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  int listening = raw_socket (registry, TRUE);
  int signal_number = 0;

  tractor_nursery_spawn (tasks, "dead registrar", interrupt_then_hang, &listening, NULL, error);
  g_assert_true (tractor_run_daemon (&(TractorRuntimeOptions){ .registry_addresses = registries },
                                     &signal_number, error));
  g_assert_cmpint (signal_number, ==, SIGINT);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (tasks), NULL);
  tractor_nursery_join (tasks, error);
  close (listening);
  remove_socket (registry);
  return TRUE;
}

/* --- one that is not there ----------------------------------------------------------------------- */

static gboolean
test_registrar_dies_and_returns (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon first;
  Daemon second;

  start_daemon (&first, nursery, "first", registry);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
    g_autoptr (TractorPortal) portal = tractor_find_actor ("first", error);
    g_autoptr (TractorPortal) self = NULL;
    gint64 asked;

    g_assert_true (tractor_portal_cancel_actor (portal, tractor_now () + 5 * SECOND, error));
    asked = tractor_now ();
    g_assert_null (tractor_find_actor ("root", error)); /* nobody to ask: nobody known */
    g_assert_no_error (*error);
    g_assert_cmpint (tractor_now () - asked, <, SECOND * harness_get_patience ());
    g_assert_null (tractor_list_actors (NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY);
    start_daemon (&second, nursery, "second", registry);
    /* We register again without being told to. */
    while (self == NULL) {
      self = tractor_find_actor ("root", error);
      g_assert_no_error (*error);
      g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 50, error));
    }
  }
  kill (second.pid, SIGTERM);
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_event_free (first.ready);
  tractor_event_free (second.ready);
  return TRUE;
}

static gboolean
wait_for_second (gpointer data, GError **error)
{
  TractorPortal **ret_found = data;

  *ret_found = tractor_wait_for_actor ("second", tractor_now () + 20 * SECOND, error);
  return *ret_found != NULL;
}

/* Whoever waits goes on to while there is no registrar, and finds who comes with the next. */
static gboolean
test_waits_through_an_absence (gpointer data, GError **error)
{
  gboolean is_asked_before = GPOINTER_TO_INT (data);
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) daemons = tractor_nursery_open ();
  TractorPortal *found = NULL;
  Daemon first;
  Daemon second;

  start_daemon (&first, daemons, "first", registry);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
    g_autoptr (TractorPortal) portal = tractor_find_actor ("first", error);
    g_autoptr (TractorNursery) tasks = tractor_nursery_open ();

    if (is_asked_before)
      tractor_nursery_spawn (tasks, "waiting", wait_for_second, &found, NULL, error);
    g_assert_true (tractor_portal_cancel_actor (portal, tractor_now () + 5 * SECOND, error));
    g_assert_null (tractor_wait_for_actor ("second", tractor_now () + SECOND / 5, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY);
    if (!is_asked_before)
      tractor_nursery_spawn (tasks, "waiting", wait_for_second, &found, NULL, error);
    g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 10, error)); /* some attempts */
    start_daemon (&second, daemons, "second", registry);
    tractor_nursery_join (tasks, error);
    g_assert_no_error (*error);
    g_assert_cmpstr (tractor_portal_get_name (found), ==, "second");
    /* It is asked, and knows nobody. */
    g_assert_null (tractor_wait_for_actor ("third", tractor_now () + SECOND / 5, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
    g_assert_true (tractor_portal_cancel_actor (found, tractor_now () + 5 * SECOND, error));
    tractor_portal_unref (found);
  }
  g_assert_true (tractor_nursery_join (daemons, error));
  tractor_event_free (first.ready);
  tractor_event_free (second.ready);
  return TRUE;
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
  add_on_sockets ("/e2e/discovery/%s/row-1-twice-in-a-row", test_twice_in_a_row);
  add_on_sockets ("/e2e/discovery/%s/row-5-row-48-becomes-registrar", test_becomes_registrar);
  add_on_sockets ("/e2e/discovery/%s/row-91-listens-at-all", test_listens_at_all);
  harness_add_real_task ("/e2e/discovery/row-3-S10-bad-addresses", test_bad_addresses);
  add_on_sockets ("/e2e/discovery/%s/row-7-occupied", test_occupied);
  harness_add_real_task ("/e2e/discovery/row-2-opened-by-two", test_opened_by_two);
  add_on_sockets ("/e2e/discovery/%s/row-6-row-9-joins", test_joins);
  add_on_sockets ("/e2e/discovery/%s/row-8-row-13-must-be-registrar", test_must_be_registrar);
  add_on_sockets ("/e2e/discovery/%s/row-87-several-registrars", test_several_registrars);
  add_on_sockets ("/e2e/discovery/%s/row-88-row-89-other-trees-live-on", test_other_trees_live_on);
  harness_add_real_task ("/e2e/discovery/row-9-registrar-hangs", test_registrar_hangs);
  add_on_sockets ("/e2e/discovery/%s/daemon-is-interrupted-as-it-opens",
                  test_daemon_is_interrupted_as_it_opens);
  add_on_sockets ("/e2e/discovery/%s/row-86-row-88-row-89-D-01-D-02-registrar-dies-and-returns",
                  test_registrar_dies_and_returns);
  add_row_on_sockets ("/e2e/discovery/%s/D-01-waits-for-a-registrar", test_waits_through_an_absence,
                      GINT_TO_POINTER (FALSE));
  add_row_on_sockets ("/e2e/discovery/%s/D-01-registrar-dies-while-asked",
                      test_waits_through_an_absence, GINT_TO_POINTER (TRUE));
  return harness_run ();
}
