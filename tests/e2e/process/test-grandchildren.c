/* test-grandchildren.c - actors that have actors: what is handed down, what comes up over several hops, and that
 * nobody is left when one in the middle is gone. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/prctl.h>

#include "served.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

/* Starts a child of its own that does @function, calls it, and returns what it returned. */
static gboolean
relay (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  const char *function = "";
  gint64 hops = 0;
  const char *name = tractor_actor_get_name ();
  g_autofree char *child_name = g_strconcat (name, ".x", NULL);

  g_variant_lookup (kwargs, "function", "&s", &function);
  g_variant_lookup (kwargs, "hops", "x", &hops);
  if (hops > 0)
    return tractor_run_in_actor (
        child_name, &(TractorSpawnOptions){ .host = own_host () }, "test:relay",
        g_variant_new_parsed ("{'function': <%s>, 'hops': <%x>}", function, hops - 1), ret_result,
        error);
  return tractor_run_in_actor (child_name, &(TractorSpawnOptions){ .host = own_host () }, function,
                               NULL, ret_result, error);
}

/* What it talks to its parent over, and where it listens: "tcp tcp", or "unix unix". */
static gboolean
list_transports (G_GNUC_UNUSED GVariant *kwargs,
                 GVariant **ret_result,
                 G_GNUC_UNUSED GError **error)
{
  const int link_fd = 3; /* TRACTOR_PARENT_FD */
  g_auto (GStrv) addresses = tractor_actor_dup_addresses ();
  int domain = 0;
  socklen_t size = sizeof domain;

  getsockopt (link_fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  *ret_result =
      g_variant_new_take_string (g_strdup_printf ("%s %.*s",
                                                  domain == AF_UNIX   ? "unix"
                                                  : domain == AF_INET ? "tcp"
                                                                      : "?",
                                                  (int) strcspn (addresses[0], ":"), addresses[0]));
  return TRUE;
}

/* Of a file in which who is called says how far it is. */
static char *
get_state_path (void)
{
  return g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
}

/* Obeys a cancel, but never ends. */
static gboolean
clean_up_forever (G_GNUC_UNUSED GVariant *kwargs,
                  G_GNUC_UNUSED GVariant **ret_result,
                  GError **error)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autofree char *path = get_state_path ();

  tractor_cancel_scope_set_shield (shield, TRUE);
  g_file_set_contents (path, "running", -1, NULL);
  return sleep_forever (NULL, NULL, error);
}

/* Calls its parent once it has been cancelled, and says what came of that. */
static gboolean
call_parent_in_cleanup (G_GNUC_UNUSED GVariant *kwargs,
                        G_GNUC_UNUSED GVariant **ret_result,
                        GError **error)
{
  g_autofree char *path = get_state_path ();
  g_autoptr (TractorPortal) parent = tractor_get_parent ();
  g_autoptr (TractorCancelScope) shield = NULL;
  g_autoptr (GError) failure = NULL;

  g_file_set_contents (path, "running", -1, NULL);
  sleep_forever (NULL, NULL, error);
  shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_shield (shield, TRUE);
  tractor_portal_call (parent, "test:echo", NULL, NULL, &failure);
  g_file_set_contents (path, failure != NULL ? failure->message : "answered", -1, NULL);
  return FALSE;
}

/* Once it runs, not even SIGTERM ends it. */
static gboolean
hog_deaf_and_say_so (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autofree char *path = get_state_path ();

  signal (SIGTERM, SIG_IGN);
  g_file_set_contents (path, "running", -1, NULL);
  return hog_deaf (kwargs, ret_result, error);
}

static const TractorExport exports[] = {
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "whoami", TRACTOR_EXPORT_CALL, whoami },
  { "fail", TRACTOR_EXPORT_CALL, fail },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "leave", TRACTOR_EXPORT_CALL, leave },
  { "hog", TRACTOR_EXPORT_CALL, hog },
  { "hog_deaf_and_say_so", TRACTOR_EXPORT_CALL, hog_deaf_and_say_so },
  { "hang_up", TRACTOR_EXPORT_CALL, hang_up },
  { "relay", TRACTOR_EXPORT_CALL, relay },
  { "list_transports", TRACTOR_EXPORT_CALL, list_transports },
  { "clean_up_forever", TRACTOR_EXPORT_CALL, clean_up_forever },
  { "call_parent_in_cleanup", TRACTOR_EXPORT_CALL, call_parent_in_cleanup },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

static gboolean
call_relay (const char *function, gint64 hops, GVariant **ret_result, GError **error)
{
  hand_on_host ();
  return tractor_run_in_actor (
      "top", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, "test:relay",
      g_variant_new_parsed ("{'function': <%s>, 'hops': <%x>}", function, hops), ret_result, error);
}

/* --- handed down --------------------------------------------------------------------------------- */

/* The whole tree talks over what its root was told, or its environment says. */
static gboolean
test_transport_is_handed_down (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const struct {
    const char *option;
    const char *variable;
    const char *expected;
  } cases[] = {
    { "tcp", NULL, "tcp tcp" },     { "unix", NULL, "unix unix" }, { NULL, "tcp", "tcp tcp" },
    { "unix", "tcp", "unix unix" }, { NULL, "", "unix unix" },     { NULL, NULL, "unix unix" },
  };
  g_autofree char *before = g_strdup (g_getenv ("TRACTOR_TRANSPORT"));

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (TractorRuntime) runtime = NULL;
    g_autoptr (GVariant) answer = NULL;

    if (cases[i].variable != NULL)
      g_setenv ("TRACTOR_TRANSPORT", cases[i].variable, TRUE);
    else
      g_unsetenv ("TRACTOR_TRANSPORT");
    runtime =
        tractor_runtime_open (&(TractorRuntimeOptions){ .transport = cases[i].option }, error);
    g_assert_no_error (*error);
    g_unsetenv ("TRACTOR_TRANSPORT"); /* it is the root's word that counts */
    call_relay ("test:list_transports", 0, &answer, error);
    g_assert_no_error (*error);
    g_assert_cmpstr (g_variant_get_string (answer, NULL), ==, cases[i].expected);
  }
  if (before != NULL)
    g_setenv ("TRACTOR_TRANSPORT", before, TRUE);
  return TRUE;
}

static gboolean
test_unknown_transport_is_refused (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_null (tractor_runtime_open (&(TractorRuntimeOptions){ .transport = "udp" }, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_nonnull (strstr ((*error)->message, "must be \"unix\" or \"tcp\", not \"udp\""));
  g_clear_error (error);
  return TRUE;
}

/* The leaf acknowledges its cancel and never ends. Each level gives those below it less time than it
 * has itself, so the middle has killed it and is not blamed. */
static gboolean
test_deadlines_are_handed_down (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) middle = start_without_leak_check (nursery, "middle", error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { middle, "test:relay",
                      g_variant_ref_sink (g_variant_new_parsed (
                          "{'function': <'test:clean_up_forever'>, 'hops': <int64 0>}")) };
  g_autofree char *path = get_state_path ();
  gint64 started;
  GError *ignored = NULL;

  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  wait_for_text (path, "running");
  unlink (path);
  started = tractor_now ();
  tractor_actor_nursery_cancel (nursery);
  tractor_nursery_join (callers, &ignored);
  g_assert_nonnull (strstr (ignored->message, "'middle.x'"));
  g_assert_nonnull (strstr (ignored->message, "acknowledged its cancel, but did not end"));
  g_clear_error (&ignored);
  tractor_actor_nursery_join (nursery, error);
  g_assert_no_error (*error);
  g_assert_cmpint (tractor_now () - started, <, 31 * SECOND / 10 * harness_get_patience ());
  g_variant_unref (calling.kwargs);
  assert_no_child_process ();
  return TRUE;
}

/* --- over several hops --------------------------------------------------------------------------- */

static gboolean
test_depth_of_five (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GVariant) answer = NULL;
  const char *name;

  g_assert_true (call_relay ("test:whoami", 3, &answer, error));
  g_assert_true (g_variant_lookup (answer, "name", "&s", &name));
  g_assert_cmpstr (name, ==, "top.x.x.x.x");
  return TRUE;
}

static gboolean
test_error_over_three_hops (G_GNUC_UNUSED gpointer data, GError **error)
{
  const TractorRemoteError *remote;

  g_assert_false (call_relay ("test:fail", 1, NULL, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  remote = tractor_error_get_remote (*error);
  g_assert_nonnull (remote);
  g_assert_true (g_str_has_prefix (remote->origin, "top.x.x@"));
  g_assert_true (g_str_has_prefix (remote->relays[0], "top.x.x@"));
  g_assert_true (g_str_has_prefix (remote->relays[1], "top.x@"));
  g_assert_true (g_str_has_prefix (remote->relays[2], "top@"));
  g_assert_null (remote->relays[3]);
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_grandchild_death_is_told (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (call_relay ("test:leave", 0, NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE));
  g_clear_error (error);
  return TRUE;
}

static gboolean
test_tree_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 2);
  gint64 started = tractor_now ();

  g_assert_false (call_relay ("test:sleep_forever", 2, NULL, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_cmpint (tractor_now () - started, <, 2 * SECOND * harness_get_patience ());
  assert_no_child_process ();
  return TRUE;
}

/* --- orphans ------------------------------------------------------------------------------------- */

/* The middle of a chain is killed: all that is below it is gone too, soon, without anybody's help.
 * It would be left to this process, which makes itself a subreaper. */
static gboolean
test_orphans_leave (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) middle = start (nursery, "middle", error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { middle, "test:relay",
                      g_variant_ref_sink (
                          g_variant_new_parsed ("{'function': <'test:hog'>, 'hops': <int64 1>}")) };
  g_autofree char *children_path =
      g_strdup_printf ("/proc/%d/task/%d/children", tractor_portal_get_pid (middle),
                       tractor_portal_get_pid (middle));
  g_autofree char *children = NULL;
  gint64 killed_at;

  prctl (PR_SET_CHILD_SUBREAPER, 1);
  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  do {
    g_clear_pointer (&children, g_free);
    g_assert_true (tractor_sleep_until (tractor_now () + 10000, error));
    g_assert_true (g_file_get_contents (children_path, &children, NULL, NULL));
  } while (atoi (children) == 0);
  kill (tractor_portal_get_pid (middle), SIGKILL);
  killed_at = tractor_now ();

  g_assert_false (tractor_nursery_join (callers, error));
  g_clear_error (error);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  while (has_descendant ()) {
    g_assert_cmpint (tractor_now () - killed_at, <, 2 * SECOND * harness_get_patience ());
    g_assert_true (tractor_sleep_until (tractor_now () + 10000, error));
  }
  g_variant_unref (calling.kwargs);
  return TRUE;
}

/* What an orphan still asks of its parent fails, and does not keep it waiting. */
static gboolean
test_orphan_calls_its_parent (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) middle = start (nursery, "middle", error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { middle, "test:relay",
                      g_variant_ref_sink (g_variant_new_parsed (
                          "{'function': <'test:call_parent_in_cleanup'>, 'hops': <int64 0>}")) };
  g_autofree char *path = get_state_path ();
  g_autofree char *state = NULL;

  prctl (PR_SET_CHILD_SUBREAPER, 1);
  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  wait_for_text (path, "running");
  kill (tractor_portal_get_pid (middle), SIGKILL);
  g_assert_false (tractor_nursery_join (callers, error));
  g_clear_error (error);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_clear_error (error);
  while (has_descendant ())
    g_assert_true (tractor_sleep_until (tractor_now () + 10000, error));
  g_assert_true (g_file_get_contents (path, &state, NULL, NULL));
  g_assert_cmpstr (state, !=, "running");
  g_assert_cmpstr (state, !=, "answered");
  unlink (path);
  g_variant_unref (calling.kwargs);
  return TRUE;
}

static void
terminate (TractorPortal *portal)
{
  kill (tractor_portal_get_pid (portal), SIGTERM);
}

static void
make_hang_up (TractorPortal *portal)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (tractor_portal_call (portal, "test:hang_up", NULL, NULL, &error));
}

typedef struct {
  const char *path;
  void (*end_middle) (TractorPortal *middle);
} Ending;

static const Ending endings[] = {
  { "/e2e/tree/P-13-terminated-actor-leaves-no-orphans", terminate },
  { "/e2e/tree/P-13-cut-off-actor-leaves-no-orphans", make_hang_up },
};

/* The middle of a chain is ended: it takes what is below it along, whatever that does, before its
 * own time is up. */
static gboolean
test_leaves_no_orphans (gpointer data, GError **error)
{
  const Ending *ending = data;
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) middle = start (nursery, "middle", error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { middle, "test:relay",
                      g_variant_ref_sink (g_variant_new_parsed (
                          "{'function': <'test:hog_deaf_and_say_so'>, 'hops': <int64 0>}")) };
  g_autofree char *path = get_state_path ();
  gint64 ended_at;

  prctl (PR_SET_CHILD_SUBREAPER, 1);
  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  wait_for_text (path, "running");
  unlink (path);
  ended_at = tractor_now ();
  ending->end_middle (middle);

  g_assert_false (tractor_nursery_join (callers, error));
  g_clear_error (error);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  while (has_descendant ()) {
    g_assert_cmpint (tractor_now () - ended_at, <, 2 * SECOND * harness_get_patience ());
    g_assert_true (tractor_sleep_until (tractor_now () + 10000, error));
  }
  g_variant_unref (calling.kwargs);
  return TRUE;
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/tree/transport-is-handed-down", test_transport_is_handed_down);
  harness_add_real_task ("/e2e/tree/unknown-transport-is-refused",
                         test_unknown_transport_is_refused);
  harness_add_real_task ("/e2e/tree/deadlines-are-handed-down", test_deadlines_are_handed_down);
  harness_add_real_task ("/e2e/tree/depth-of-five", test_depth_of_five);
  harness_add_real_task ("/e2e/tree/row-80-error-over-three-hops", test_error_over_three_hops);
  harness_add_real_task ("/e2e/tree/grandchild-death-is-told", test_grandchild_death_is_told);
  harness_add_real_task ("/e2e/tree/cancelled", test_tree_is_cancelled);
  harness_add_real_task ("/e2e/tree/row-33-P-05-P-13-orphans-leave", test_orphans_leave);
  harness_add_real_task ("/e2e/tree/P-13-orphan-calls-its-parent", test_orphan_calls_its_parent);
  for (guint i = 0; i < G_N_ELEMENTS (endings); i++)
    harness_add_real_row (endings[i].path, test_leaves_no_orphans, &endings[i]);
  return harness_run ();
}
