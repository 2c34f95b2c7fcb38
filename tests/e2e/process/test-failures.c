/* test-failures.c - deaths and failures somewhere in a tree of actors: who hears of them, how often, and who
 * ends with whom. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/prctl.h>

#include "served.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

/* Sends "n" items, and is killed when they have gone out. */
static gboolean
send_and_die (TractorContext *context,
              GVariant *kwargs,
              G_GNUC_UNUSED GVariant **ret_result,
              GError **error)
{
  TractorStream *stream;
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  for (gint64 i = 0; i < n; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error))
      return FALSE;
  for (int i = 0; i < 10; i++) /* the writer has its turn */
    tractor_checkpoint (NULL);
  kill (getpid (), SIGKILL);
  return TRUE;
}

/* Three children that do the same, down to "depth"; the last leaf of all fails, the others sleep. */
static gboolean
tree (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  gboolean fails = FALSE;
  gint64 depth = 0;

  g_variant_lookup (kwargs, "depth", "x", &depth);
  g_variant_lookup (kwargs, "fails", "b", &fails);
  if (depth == 0)
    return fails ? fail (NULL, NULL, error) : sleep_forever (NULL, NULL, error);
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorNursery) callers = tractor_nursery_open ();
    Calling callings[3] = { 0 };

    for (int i = 0; i < 3 && *error == NULL; i++) {
      callings[i] =
          (Calling){ tractor_actor_nursery_start (
                         nursery, "branch", &(TractorSpawnOptions){ .host = own_host () }, error),
                     "test:tree",
                     g_variant_ref_sink (g_variant_new_parsed ("{'depth': <%x>, 'fails': <%b>}",
                                                               depth - 1, fails && i == 2)) };
      if (callings[i].portal != NULL)
        tractor_nursery_spawn (callers, "caller", call_in_task, &callings[i], NULL, error);
    }
    tractor_nursery_join (callers, error);
    tractor_actor_nursery_join (nursery, error);
    for (int i = 0; i < 3; i++) {
      g_clear_pointer (&callings[i].portal, tractor_portal_unref);
      g_clear_pointer (&callings[i].kwargs, g_variant_unref);
    }
    return *error == NULL;
  }
}

/* A chain of "hops" actors, whose last kills the one before it. */
static gboolean
chain (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autofree char *name = NULL;
  gint64 hops = 0;

  g_variant_lookup (kwargs, "hops", "x", &hops);
  if (hops == 0) {
    kill (getppid (), SIGKILL);
    return sleep_forever (NULL, NULL, error);
  }
  name = g_strdup_printf ("hop-%d", (int) hops - 1);
  return tractor_run_in_actor (name, &(TractorSpawnOptions){ .host = own_host () }, "test:chain",
                               g_variant_new_parsed ("{'hops': <%x>}", hops - 1), ret_result,
                               error);
}

/* Starts a child that does the same, until no deeper one can be started. */
static gboolean
nest (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  return tractor_run_in_actor ("deeper", &(TractorSpawnOptions){ .host = own_host () }, "test:nest",
                               NULL, ret_result, error);
}

static gboolean
fail_often (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  for (int i = 0; i < 300; i++)
    tractor_nursery_spawn (nursery, "failing", fail_as_task, NULL, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static const TractorExport exports[] = {
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "fail", TRACTOR_EXPORT_CALL, fail },
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "send_and_die", TRACTOR_EXPORT_CONTEXT, .context = send_and_die },
  { "tree", TRACTOR_EXPORT_CALL, tree },
  { "chain", TRACTOR_EXPORT_CALL, chain },
  { "nest", TRACTOR_EXPORT_CALL, nest },
  { "fail_often", TRACTOR_EXPORT_CALL, fail_often },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- one that dies ------------------------------------------------------------------------------- */

static gboolean
test_killed_while_streaming (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) victim = start (nursery, "victim", error);
  g_autoptr (TractorPortal) sibling = start (nursery, "sibling", error);
  {
    g_autoptr (TractorContext) context = open_context (
        victim, "test:send_and_die", g_variant_new_parsed ("{'n': <int64 100>}"), error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    GVariant *item;
    gint64 n = 0;

    while (tractor_stream_receive (stream, &item, error)) {
      g_assert_cmpint (g_variant_get_int64 (item), ==, n++);
      g_variant_unref (item);
    }
    g_assert_cmpint (n, ==, 100);
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE));
    g_assert_nonnull (strstr ((*error)->message, "signal 9"));
  }
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE); /* once */
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

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
test_killed_one_leaves_no_socket (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  const char *registries[] = { registry, NULL };
  g_autoptr (TractorRuntime) runtime =
      tractor_runtime_open (&(TractorRuntimeOptions){ .registry_addresses = registries }, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  guint n_before = count_sockets ();
  g_autoptr (TractorPortal) victim = start (nursery, "victim", error);

  g_assert_cmpuint (count_sockets (), ==, n_before + 1);
  kill (tractor_portal_get_pid (victim), SIGKILL);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_cmpuint (count_sockets (), ==, n_before);
  return TRUE;
}

static gboolean
test_dead_hop (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autofree char *description = NULL;

  hand_on_host ();
  prctl (PR_SET_CHILD_SUBREAPER, 1);
  g_assert_false (tractor_run_in_actor (
      "hop-5", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, "test:chain",
      g_variant_new_parsed ("{'hops': <int64 5>}"), NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE));
  description = tractor_error_describe (*error);
  g_assert_nonnull (strstr (description, "hop-1")); /* which died */
  g_assert_nonnull (strstr (description, "hop-2")); /* which saw it */
  g_assert_nonnull (strstr (description, "hop-5"));
  g_clear_error (error);
  g_assert_true (tractor_actor_nursery_join (nursery, error));
  while (has_descendant ()) /* the last of them, an orphan, leaves too */
    g_assert_true (tractor_sleep_until (tractor_now () + 1000, error));
  return TRUE;
}

/* --- one that fails ------------------------------------------------------------------------------ */

static gboolean
test_one_leaf_fails (G_GNUC_UNUSED gpointer data, GError **error)
{
  /* Three for each: 39 processes, all of which would look for leaks at the same time as they end. */
  gint64 depth = harness_get_slowness () > 1 ? 2 : 3;
  GVariant *kwargs = g_variant_new_parsed ("{'depth': <%x>, 'fails': <true>}", depth);
  GVariant *result = NULL;

  hand_on_host ();
  g_assert_false (tree (g_variant_ref_sink (kwargs), &result, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_assert_cmpuint (g_strv_length ((char **) tractor_error_get_remote (*error)->relays), ==, depth);
  g_clear_error (error);
  g_variant_unref (kwargs);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
run_in_actor (gpointer function, GError **error)
{
  return tractor_run_in_actor ("once", &(TractorSpawnOptions){ .host = harness_get_host ()->name },
                               function, NULL, NULL, error);
}

static gboolean
test_sibling_is_ended (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (NULL, error);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gint64 began = tractor_now ();

  tractor_nursery_spawn (nursery, "sleeping", run_in_actor, (gpointer) "test:sleep_forever", NULL,
                         error);
  tractor_nursery_spawn (nursery, "failing", run_in_actor, (gpointer) "test:fail", NULL, error);
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  g_assert_cmpint (tractor_now () - began, <, 2 * SECOND * harness_get_patience ());
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_bad_arguments_start_nothing (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (tractor_run_in_actor ("a", NULL, "no-colon", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  assert_no_child_process ();
  g_assert_false (tractor_run_in_actor ("a/b", NULL, "test:echo", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_too_deep (G_GNUC_UNUSED gpointer data, GError **error)
{
  hand_on_host ();
  g_assert_false (tractor_run_in_actor ("first",
                                        &(TractorSpawnOptions){ .host = harness_get_host ()->name },
                                        "test:nest", NULL, NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

/* --- several that fail --------------------------------------------------------------------------- */

static gboolean
test_two_failures_are_a_group (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) one = start (nursery, "one", error);
  g_autoptr (TractorPortal) two = start (nursery, "two", error);

  kill (tractor_portal_get_pid (one), SIGKILL);
  kill (tractor_portal_get_pid (two), SIGKILL);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_GROUP);
  g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, 2);
  g_clear_error (error);
  return TRUE;
}

static guint
count_leaves (const GError *error)
{
  const TractorRemoteError *remote = tractor_error_get_remote (error);
  guint n = 0;

  if (remote == NULL || remote->members == NULL)
    return 1;
  for (guint i = 0; i < remote->members->len; i++)
    n += count_leaves (remote->members->pdata[i]);
  return n;
}

static gboolean
test_many_failures (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  g_assert_false (tractor_portal_call (peer.portal, "test:fail_often", NULL, NULL, error));
  g_assert_cmpuint (count_leaves (*error), ==, 256);
  g_assert_nonnull (strstr ((*error)->message, "300"));
  g_clear_error (error);
  g_assert_true (tractor_portal_call (peer.portal, "test:echo", NULL, NULL, error));
  return end_peer (&peer, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/fault/P-01-killed-while-streaming", test_killed_while_streaming);
  harness_add_real_task ("/e2e/fault/unix/row-34-killed-one-leaves-no-socket",
                         test_killed_one_leaves_no_socket);
  harness_add_real_task ("/e2e/fault/C-09-dead-hop", test_dead_hop);
  harness_add_real_task ("/e2e/fault/C-14-one-leaf-fails", test_one_leaf_fails);
  harness_add_real_task ("/e2e/fault/row-28-sibling-is-ended", test_sibling_is_ended);
  harness_add_real_task ("/e2e/fault/row-26-bad-arguments-start-nothing",
                         test_bad_arguments_start_nothing);
  harness_add_real_task ("/e2e/fault/S-15-too-deep", test_too_deep);
  harness_add_real_task ("/e2e/fault/row-19-two-failures-are-a-group",
                         test_two_failures_are_a_group);
  harness_add_real_task ("/e2e/fault/C-08-many-failures", test_many_failures);
  return harness_run ();
}
