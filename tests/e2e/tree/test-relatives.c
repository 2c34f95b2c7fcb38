/* test-relatives.c - actors that talk to others than their parents and children: what they may ask of them, whom
 * they may cancel, and what is not served to anybody. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "registries.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
serve (TractorContext *context,
       G_GNUC_UNUSED GVariant *kwargs,
       G_GNUC_UNUSED GVariant **ret_result,
       GError **error)
{
  return tractor_context_started (context, NULL, error) && sleep_forever (NULL, NULL, error);
}

static gboolean
ask_parent (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorPortal) portal = tractor_get_parent ();

  return tractor_portal_call (portal, "test:whoami", NULL, ret_result, error);
}

/* Calls "function" of its parent. */
static gboolean
call_parent (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorPortal) portal = tractor_get_parent ();
  const char *function = "";

  g_variant_lookup (kwargs, "function", "&s", &function);
  return tractor_portal_call (portal, function, g_variant_new_parsed ("{'n': <20>}"), ret_result,
                              error);
}

static gboolean
ask_root (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorPortal) portal = tractor_find_root (error);

  return portal != NULL && tractor_portal_call (portal, "test:whoami", NULL, ret_result, error);
}

/* Starts an actor of its own called "name", calls ask_other of it, and returns the answer. */
static gboolean
ask_by_child (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  return tractor_run_in_actor ("grandchild", &(TractorSpawnOptions){ .host = own_host () },
                               "test:ask_other", kwargs, ret_result, error);
}

static gboolean
cancel_other (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  const char *name = "";
  g_autoptr (TractorPortal) portal = NULL;

  g_variant_lookup (kwargs, "name", "&s", &name);
  portal = tractor_find_actor (name, error);
  return portal != NULL &&
         tractor_portal_cancel_actor (portal, tractor_now () + 10 * SECOND, error);
}

/* Writes "done" into a file when it has been cancelled. */
static gboolean
finish_slowly (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  const char *path = "";
  g_autoptr (TractorCancelScope) shield = NULL;

  g_variant_lookup (kwargs, "path", "&s", &path);
  g_file_set_contents (path, "running", -1, NULL);
  sleep_forever (NULL, NULL, error);
  shield = tractor_cancel_scope_open (tractor_now () + SECOND / 10);
  tractor_cancel_scope_set_shield (shield, TRUE);
  sleep_forever (NULL, NULL, NULL);
  g_file_set_contents (path, "done", -1, NULL);
  return FALSE;
}

static const TractorExport exports[] = {
  { "whoami", TRACTOR_EXPORT_CALL, whoami },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "serve", TRACTOR_EXPORT_CONTEXT, .context = serve },
  { "ask_other", TRACTOR_EXPORT_CALL, ask_other },
  { "ask_parent", TRACTOR_EXPORT_CALL, ask_parent },
  { "call_parent", TRACTOR_EXPORT_CALL, call_parent },
  { "ask_root", TRACTOR_EXPORT_CALL, ask_root },
  { "ask_by_child", TRACTOR_EXPORT_CALL, ask_by_child },
  { "cancel_other", TRACTOR_EXPORT_CALL, cancel_other },
  { "finish_slowly", TRACTOR_EXPORT_CALL, finish_slowly },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- asked --------------------------------------------------------------------------------------- */

static gboolean
test_siblings_and_relatives (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) one = start (nursery, "one", error);
  g_autoptr (TractorPortal) two = start (nursery, "two", error);
  g_autofree char *self = own_id ();
  g_autofree char *one_id = portal_id (one);
  g_autofree char *sibling = call_for_id (two, "test:ask_other", "one", error);
  g_autofree char *parent = call_for_id (two, "test:ask_parent", NULL, error);
  g_autofree char *root = call_for_id (two, "test:ask_root", NULL, error);
  g_autofree char *uncle = call_for_id (two, "test:ask_by_child", "one", error);

  g_assert_cmpstr (sibling, ==, one_id);
  g_assert_cmpstr (parent, ==, self);
  g_assert_cmpstr (root, ==, self);
  g_assert_cmpstr (uncle, ==, one_id);
  return end (nursery, error);
}

static gboolean
test_only_listed_methods (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = start (nursery, "child", error);
  static const char *const refused[] = { "self:register_actor", "self:get_registry",
                                         "self:__init__",       "self:stop",
                                         "os:system",           NULL };

  for (const char *const *function = refused; *function != NULL; function++) {
    g_assert_false (tractor_portal_call (child, *function, NULL, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED));
    g_clear_error (error);
  }
  return end (nursery, error);
}

typedef struct {
  GString *calls;
  TractorCancelScope *to_cancel; /* once it hangs */
  gboolean was_cancelled;
} Dispatched;

static gboolean
dispatch (
    const char *function, GVariant *kwargs, gpointer data, GVariant **ret_result, GError **error)
{
  Dispatched *dispatched = data;
  gint64 n = 0;

  g_string_append_printf (dispatched->calls, "%s ", function);
  g_variant_lookup (kwargs, "n", "x", &n);
  if (g_str_has_prefix (function, "fail:")) {
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no paper");
    return FALSE;
  }
  if (g_str_has_suffix (function, ":forever")) {
    tractor_cancel_scope_set_deadline (dispatched->to_cancel, tractor_now () + SECOND / 20);
    tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
    dispatched->was_cancelled = TRUE;
    return FALSE;
  }
  if (!g_str_has_prefix (function, "any:")) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED, "no %s", function);
    return FALSE;
  }
  *ret_result = g_variant_new_int64 (n + 1);
  return TRUE;
}

static gboolean
make_call_parent (TractorPortal *child, const char *function, GVariant **ret_result, GError **error)
{
  return tractor_portal_call (child, "test:call_parent",
                              g_variant_new_parsed ("{'function': <%s>}", function), ret_result,
                              error);
}

static gboolean
test_dispatch (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GString) calls = g_string_new (NULL);
  Dispatched dispatched = { .calls = calls };
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){
          .modules = modules, .dispatch = dispatch, .dispatch_data = &dispatched },
      error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = tractor_actor_nursery_start (
      nursery, "child", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
  g_autoptr (GVariant) result = NULL;
  g_autoptr (TractorCancelScope) scope = NULL;

  g_assert_no_error (*error);
  g_assert_true (make_call_parent (child, "any:add_one", &result, error));
  g_assert_cmpint (g_variant_get_int64 (result), ==, 21);
  g_clear_pointer (&result, g_variant_unref);
  g_assert_true (make_call_parent (child, "test:whoami", &result, error)); /* a module's own */
  g_assert_false (make_call_parent (child, "fail:always", NULL, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  g_assert_false (make_call_parent (child, "no:such", NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED));
  g_clear_error (error);
  g_assert_false (make_call_parent (child, "any:\x1b[2J", NULL, error)); /* is asked of nobody */
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED));
  g_clear_error (error);
  g_assert_false (make_call_parent (child, "self:nonsense", NULL, error)); /* is the runtime's */
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED));
  g_clear_error (error);
  dispatched.to_cancel = scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_assert_false (make_call_parent (child, "any:forever", NULL, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_clear_pointer (&scope, tractor_cancel_scope_close);
  g_assert_true (dispatched.was_cancelled);
  g_assert_cmpstr (calls->str, ==, "any:add_one fail:always no:such any:forever ");
  return end (nursery, error);
}

/* --- cancelled ----------------------------------------------------------------------------------- */

static gboolean
test_third_party_cancels (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) victim = start (nursery, "victim", error);
  g_autoptr (TractorPortal) killer = start (nursery, "killer", error);
  g_autofree char *killer_id = portal_id (killer);
  {
    g_autoptr (TractorContext) other =
        tractor_portal_open_context (killer, "test:serve", NULL, NULL, NULL, error);
    {
      g_autoptr (TractorContext) context =
          tractor_portal_open_context (victim, "test:serve", NULL, NULL, NULL, error);

      /* Which interrupts this, for it is the context's body. */
      tractor_portal_call (killer, "test:cancel_other",
                           g_variant_new_parsed ("{'name': <'victim'>}"), NULL, NULL);
      g_assert_false (tractor_context_join (context, NULL, error));
      g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED);
      g_assert_cmpstr (tractor_error_get_canceller (*error), ==, killer_id);
      g_clear_error (error);
    }
    g_assert_null (tractor_context_get_outcome (other)); /* not affected */
    tractor_context_cancel (other);
    g_assert_true (tractor_context_join (other, NULL, error));
  }
  return end (nursery, error);
}

typedef struct {
  TractorPortal *portal;
  const char *victim;
} Killing;

static gboolean
kill_other (gpointer data, GError **error)
{
  Killing *killing = data;

  tractor_portal_call (killing->portal, "test:cancel_other",
                       g_variant_new_parsed ("{'name': <%s>}", killing->victim), NULL, error);
  g_clear_error (error); /* it may be cancelled before it has its answer */
  return TRUE;
}

/* Whoever is cancelled hears that it was the other; and at least one is. */
static gboolean
test_cancel_each_other (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) one = start (actors, "one", error);
  g_autoptr (TractorPortal) two = start (actors, "two", error);
  TractorPortal *portals[] = { one, two };
  Killing killings[] = { { one, "two" }, { two, "one" } };
  TractorContext *contexts[2];
  guint n_cancelled = 0;

  for (int i = 0; i < 2; i++)
    contexts[i] = tractor_portal_open_context (portals[i], "test:serve", NULL, NULL, NULL, error);
  {
    g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    tractor_cancel_scope_set_shield (shield, TRUE); /* the contexts interrupt their body */
    for (int i = 0; i < 2; i++)
      tractor_nursery_spawn (nursery, "killer", kill_other, &killings[i], NULL, error);
    g_assert_true (tractor_nursery_join (nursery, error));
  }
  for (int i = 1; i >= 0; i--) {
    g_autofree char *other = portal_id (portals[1 - i]);
    const GError *outcome;

    tractor_context_cancel (contexts[i]);
    tractor_context_join (contexts[i], NULL, error);
    g_clear_error (error);
    outcome = tractor_context_get_outcome (contexts[i]);
    g_assert_error (outcome, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED);
    n_cancelled += g_strcmp0 (tractor_error_get_canceller (outcome), other) == 0;
    tractor_context_close (contexts[i]);
  }
  g_assert_cmpuint (n_cancelled, >, 0);
  return end (actors, error);
}

static gboolean
test_children_do_not_cancel_parents (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = start (nursery, "child", error);

  g_assert_false (tractor_portal_call (child, "test:cancel_other",
                                       g_variant_new_parsed ("{'name': <'root'>}"), NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH));
  g_clear_error (error);
  return end (nursery, error);
}

static gboolean
test_acknowledged_after_all_has_ended (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = start (nursery, "slow", error);
  g_autoptr (TractorPortal) portal = tractor_find_actor ("slow", error);
  g_autofree char *state = NULL;
  {
    g_autoptr (TractorNursery) canceller = tractor_nursery_open ();
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    WhenItRuns when = { path, scope };

    tractor_nursery_spawn (canceller, "canceller", cancel_when_it_runs, &when, NULL, error);
    tractor_portal_call (child, "test:finish_slowly", g_variant_new_parsed ("{'path': <%s>}", path),
                         NULL, error);
    g_clear_error (error);
  }
  g_assert_true (tractor_portal_cancel_actor (portal, tractor_now () + 5 * SECOND, error));
  g_assert_true (g_file_get_contents (path, &state, NULL, NULL));
  g_assert_cmpstr (state, ==, "done");
  unlink (path);
  /* Once more: it is gone, and says so quickly. */
  g_assert_true (tractor_portal_cancel_actor (portal, tractor_now () + 5 * SECOND, error));
  return end (nursery, error);
}

/* It is asked all the same; and whether it is gone does not depend on how long one wanted to wait. */
static gboolean
test_cancel_actor_without_waiting (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  g_assert_false (tractor_portal_cancel_actor (peer.portal, 0, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  g_assert_true (tractor_portal_wait_until_gone (peer.portal, error));
  g_assert_true (tractor_portal_cancel_actor (peer.portal, 0, error));
  return end_peer (&peer, error);
}

typedef struct {
  TractorPortal *portal;
  TractorCancelScope *scope; /* around the call */
  gboolean is_over;
} Withdrawing;

static gboolean
call_until_cancelled (gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  Withdrawing *withdrawing = data;

  withdrawing->scope = scope;
  g_assert_false (
      tractor_portal_call (withdrawing->portal, "test:sleep_forever", NULL, NULL, error));
  withdrawing->is_over = TRUE;
  return tractor_cancel_scope_absorb (scope, error);
}

/* Of one that does not answer, a deadline is not followed by the wait that a cancelled call ends with: it is
 * over before such a call is that was cancelled earlier. */
static gboolean
test_cancel_found_in_time (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, modules, error);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = start (actors, "stopped", error);
  g_autoptr (TractorPortal) found = tractor_find_actor ("stopped", error);
  g_autoptr (TractorNursery) calls = tractor_nursery_open ();
  Withdrawing withdrawing = { .portal = found };

  tractor_nursery_spawn (calls, "call", call_until_cancelled, &withdrawing, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  kill (tractor_portal_get_pid (child), SIGSTOP);
  tractor_cancel_scope_cancel (withdrawing.scope, NULL);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error)); /* it is being withdrawn */
  g_assert_false (tractor_portal_cancel_actor (found, tractor_now () + SECOND / 20, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  g_assert_false (withdrawing.is_over);
  kill (tractor_portal_get_pid (child), SIGCONT);
  g_assert_true (tractor_portal_wait_until_gone (child, error)); /* it was asked */
  g_assert_true (tractor_nursery_join (calls, error));
  return tractor_actor_nursery_join (actors, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  add_on_sockets ("/e2e/discovery/%s/row-11-siblings-and-relatives", test_siblings_and_relatives);
  add_on_sockets ("/e2e/discovery/%s/row-36-row-47-only-listed-methods", test_only_listed_methods);
  harness_add_real_task ("/e2e/discovery/served-by-name", test_dispatch);
  add_on_sockets ("/e2e/discovery/%s/row-57-T12-third-party-cancels", test_third_party_cancels);
  add_on_sockets ("/e2e/discovery/%s/C-10-cancel-each-other", test_cancel_each_other);
  add_on_sockets ("/e2e/discovery/%s/children-do-not-cancel-parents",
                  test_children_do_not_cancel_parents);
  add_on_sockets ("/e2e/discovery/%s/row-14-row-49-acknowledged-after-all-has-ended",
                  test_acknowledged_after_all_has_ended);
  add_on_transports ("/e2e/end/%s/cancel-actor-without-waiting", test_cancel_actor_without_waiting);
  harness_add_real_task ("/e2e/end/cancel-found-in-time", test_cancel_found_in_time);
  return harness_run ();
}
