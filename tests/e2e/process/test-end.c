/* test-end.c - how actors end: joined, dead, cancelled, or in spite of themselves; and always gone in the end.
 *
 * The harness sees to it that no process, descriptor or file is left. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "served.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

/* Ends the actor as its host would: from above. */
static gboolean
cancel_guest (G_GNUC_UNUSED GVariant *kwargs,
              G_GNUC_UNUSED GVariant **ret_result,
              G_GNUC_UNUSED GError **error)
{
  tractor_guest_cancel (tractor_guest_get_current (), "enough");
  return TRUE;
}

/* Says that it runs, and takes its time when it is cancelled. */
static gboolean
end_slowly (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorCancelScope) shield = NULL;
  const char *path = "";

  g_variant_lookup (kwargs, "path", "&s", &path);
  g_file_set_contents (path, "running", -1, NULL);
  sleep_forever (NULL, NULL, error);
  shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_shield (shield, TRUE);
  return tractor_sleep_until (tractor_now () + SECOND / 10, error);
}

static gboolean
send_garbage (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_assert_cmpint (write (find_socket (), "\4\0\0\0\xdd\xff\xff\xff", 8), ==, 8);
  return sleep_forever (NULL, NULL, error);
}

static gboolean
crash_in_cleanup (G_GNUC_UNUSED GVariant *kwargs,
                  G_GNUC_UNUSED GVariant **ret_result,
                  GError **error)
{
  sleep_forever (NULL, NULL, error);
  kill (getpid (), SIGKILL);
  return FALSE;
}

static gboolean
fail_in_cleanup (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  touch_when_cancelled (kwargs, ret_result, error);
  g_clear_error (error);
  return fail (NULL, NULL, error);
}

/* Fails with the words of its cancel. */
static gboolean
say_why (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (GError) cancelled = NULL;

  tractor_sleep_until (TRACTOR_NO_DEADLINE, &cancelled);
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_INTR, cancelled->message);
  return FALSE;
}

static const TractorExport exports[] = {
  { "say_why", TRACTOR_EXPORT_CALL, say_why },
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "fail", TRACTOR_EXPORT_CALL, fail },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "touch_when_cancelled", TRACTOR_EXPORT_CALL, touch_when_cancelled },
  { "end_slowly", TRACTOR_EXPORT_CALL, end_slowly },
  { "cancel_guest", TRACTOR_EXPORT_CALL, cancel_guest },
  { "leave", TRACTOR_EXPORT_CALL, leave },
  { "hog", TRACTOR_EXPORT_CALL, hog },
  { "hog_deaf", TRACTOR_EXPORT_CALL, hog_deaf },
  { "hang_up", TRACTOR_EXPORT_CALL, hang_up },
  { "send_garbage", TRACTOR_EXPORT_CALL, send_garbage },
  { "crash_in_cleanup", TRACTOR_EXPORT_CALL, crash_in_cleanup },
  { "fail_in_cleanup", TRACTOR_EXPORT_CALL, fail_in_cleanup },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- joined -------------------------------------------------------------------------------------- */

static gboolean
test_run_in_actor (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GVariant) answer = NULL;

  g_assert_true (tractor_run_in_actor (
      "once", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, "test:echo",
      g_variant_new_parsed ("{'value': <%x>}", (gint64) 7), &answer, error));
  g_assert_cmpint (g_variant_get_int64 (answer), ==, 7);
  assert_no_child_process ();
  g_assert_false (tractor_run_in_actor ("once", NULL, "test:fail", NULL, NULL, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

typedef struct {
  TractorEvent *is_up;
  TractorActorNursery *nursery;
  gboolean is_joined;
} Joining;

static gboolean
start_and_join (gpointer data, GError **error)
{
  Joining *joining = data;
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

  g_assert_no_error (*error);
  joining->nursery = nursery;
  tractor_event_set (joining->is_up);
  joining->is_joined = tractor_actor_nursery_join (nursery, error);
  return joining->is_joined;
}

/* Until they are told to end. */
static gboolean
test_join_waits_for_actors (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) is_up = tractor_event_new ();
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  Joining joining = { .is_up = is_up };

  tractor_nursery_spawn (tasks, "joins", start_and_join, &joining, NULL, error);
  g_assert_true (tractor_event_wait (is_up, error));
  g_assert_true (tractor_wait_all_tasks_blocked (10000, error));
  g_assert_false (joining.is_joined);
  tractor_actor_nursery_cancel (joining.nursery);
  g_assert_true (tractor_nursery_join (tasks, error));
  g_assert_true (joining.is_joined);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_early_return_ends_actors (G_GNUC_UNUSED gpointer data, GError **error)
{
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

    g_assert_nonnull (portal);
  }
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_one_cancels_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", error);
  g_autoptr (TractorPortal) b = start (nursery, "b", error);
  g_autoptr (TractorPortal) c = start (nursery, "c", error);

  g_assert_false (tractor_portal_call (b, "test:fail", NULL, NULL, error));
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  /* One failure is not wrapped. */
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_cancel_called (G_GNUC_UNUSED gpointer data, GError **error)
{
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

    g_assert_false (tractor_actor_nursery_get_cancel_called (nursery));
    tractor_actor_nursery_cancel (nursery);
    g_assert_true (tractor_actor_nursery_get_cancel_called (nursery));
    g_assert_true (tractor_actor_nursery_join (nursery, error));
    g_assert_true (tractor_actor_nursery_get_cancel_called (nursery));
  }
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

    g_assert_true (tractor_actor_nursery_join (nursery, error));
    g_assert_false (tractor_actor_nursery_get_cancel_called (nursery));
  }
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = start (nursery, "victim", error);

    kill (tractor_portal_get_pid (portal), SIGKILL);
    g_assert_true (tractor_portal_wait_until_gone (portal, NULL));
    tractor_checkpoint (NULL); /* the nursery hears of it */
    g_assert_true (tractor_actor_nursery_get_cancel_called (nursery));
    g_assert_false (tractor_actor_nursery_join (nursery, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  }
  return TRUE;
}

/* --- dead ---------------------------------------------------------------------------------------- */

static gboolean
test_killed_in_a_call (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) victim = start (nursery, "victim", error);
  g_autoptr (TractorPortal) sibling = start (nursery, "sibling", error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { victim, "test:sleep_forever", NULL };
  gint64 killed_at;

  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  assert_echo (victim, "1", "int64 1"); /* by now the other call is there too */
  killed_at = tractor_now ();
  kill (tractor_portal_get_pid (victim), SIGKILL);
  g_assert_false (tractor_nursery_join (callers, error));
  g_assert_cmpint (tractor_now () - killed_at, <, SECOND / 2 * harness_get_patience ());
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE));
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  /* The body and the nursery tell of the same death: it comes back once. */
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_nonnull (strstr ((*error)->message, "signal 9"));
  g_assert_nonnull (strstr ((*error)->message, "'victim'"));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_idle_death (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "idle", error);

  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error)); /* the body is interrupted */
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_clear_error (error);
  g_assert_false (tractor_portal_call (portal, "test:echo", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

static gboolean
test_exit_in_a_call (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (gint64 status = 0; status <= 3; status += 3) {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = start (nursery, "leaver", error);
    g_autofree char *expected =
        g_strdup_printf ("exited with status %d, with 1 call open", (int) status);

    g_assert_false (tractor_portal_call (
        portal, "test:leave", g_variant_new_parsed ("{'status': <%x>}", status), NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
    g_assert_nonnull (strstr ((*error)->message, expected));
    g_assert_false (tractor_actor_nursery_join (nursery, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
    g_clear_error (error);
  }
  return TRUE;
}

/* Each of many deaths at once is told, once. */
static gboolean
test_many_deaths (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  gint pids[16];

  for (guint i = 0; i < G_N_ELEMENTS (pids); i++) {
    g_autoptr (TractorPortal) portal = start (nursery, "victim", error);

    g_assert_no_error (*error);
    pids[i] = tractor_portal_get_pid (portal);
  }
  for (guint i = 0; i < G_N_ELEMENTS (pids); i++)
    kill (pids[i], SIGKILL);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_GROUP);
  g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, G_N_ELEMENTS (pids));
  g_clear_error (error);
  return TRUE;
}

static gboolean
test_sigchld_ignored (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = NULL;
  g_autoptr (TractorPortal) portal = NULL;

  signal (SIGCHLD, SIG_IGN);
  nursery = tractor_actor_nursery_open (error);
  portal = start (nursery, "worker", error);
  g_assert_no_error (*error);
  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  signal (SIGCHLD, SIG_DFL);
  return TRUE;
}

static gboolean
test_no_chatter_on_sigpipe (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

  signal (SIGPIPE, SIG_DFL);
  kill (tractor_portal_get_pid (portal), SIGKILL);
  for (int i = 0; i < 3; i++) { /* into a socket that nobody reads */
    g_assert_false (tractor_portal_call (portal, "test:echo", NULL, NULL, error));
    g_clear_error (error);
  }
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

/* --- cancelled ----------------------------------------------------------------------------------- */

/* Cancels an actor that is in @function, and says how long that took, in usec. */
static gint64
cancel_in (const char *function, guint n_actors, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  g_autofree Calling *callings = g_new0 (Calling, n_actors);
  gint64 started;
  GError *ignored = NULL;

  for (guint i = 0; i < n_actors; i++) {
    callings[i] = (Calling){ start (actors, "stuck", error), function, NULL };
    g_assert_no_error (*error);
    tractor_nursery_spawn (callers, "caller", call_in_task, &callings[i], NULL, error);
  }
  g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 5, error)); /* it is in it */
  started = tractor_now ();
  tractor_actor_nursery_cancel (actors);
  tractor_nursery_join (callers, &ignored);
  g_clear_error (&ignored);
  tractor_actor_nursery_join (actors, error);
  for (guint i = 0; i < n_actors; i++)
    tractor_portal_unref (callings[i].portal);
  assert_no_child_process ();
  return tractor_now () - started;
}

static gboolean
test_cancel_is_prompt (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 took = cancel_in ("test:sleep_forever", 1, error);

  g_assert_no_error (*error);
  g_assert_cmpint (took, <, SECOND / 2 * harness_get_patience ());
  return TRUE;
}

static gboolean
test_stuck_actors_are_ended_together (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 took = cancel_in ("test:hog", 4, error);

  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE));
  g_clear_error (error);
  g_assert_cmpint (took, >=, SECOND / 2);
  g_assert_cmpint (took, <, 31 * SECOND / 10 + (harness_get_patience () - 1) * SECOND);
  return TRUE;
}

static gboolean
test_deaf_actor_is_killed (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 took = cancel_in ("test:hog_deaf", 1, error);

  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_nonnull (strstr ((*error)->message, "ignored its cancel and SIGTERM, and was killed"));
  g_clear_error (error);
  g_assert_cmpint (took, >=, 21 * SECOND / 10);
  g_assert_cmpint (took, <, 31 * SECOND / 10 + (harness_get_patience () - 1) * SECOND);
  return TRUE;
}

static gboolean
test_stopped_actor_is_killed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "stopped", error);
  gint64 started = tractor_now ();

  kill (tractor_portal_get_pid (portal), SIGSTOP);
  tractor_actor_nursery_cancel (nursery);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_cmpint (tractor_now () - started, <,
                   31 * SECOND / 10 + (harness_get_patience () - 1) * SECOND);
  return TRUE;
}

static gboolean
test_cancel_actor (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) one = start (nursery, "one", error);
  g_autoptr (TractorPortal) other = start (nursery, "other", error);

  g_assert_true (tractor_portal_cancel_actor (one, tractor_now () + 10 * SECOND, error));
  g_assert_true (tractor_portal_cancel_actor (one, tractor_now () + 10 * SECOND, error));
  g_assert_false (tractor_portal_call (one, "test:echo", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  assert_echo (other, "1", "int64 1");
  return end (nursery, error);
}

static gboolean
test_terminated_actor_leaves_in_order (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { portal, "test:touch_when_cancelled",
                      g_variant_ref_sink (g_variant_new_parsed ("{'path': <%s>}", path)) };
  g_autofree char *found = NULL;

  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  wait_for_text (path, "running");
  kill (tractor_portal_get_pid (portal), SIGTERM);
  g_assert_false (tractor_nursery_join (callers, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED));
  g_clear_error (error);
  g_assert_true (g_file_get_contents (path, &found, NULL, NULL));
  g_assert_cmpstr (found, ==, "cancelled");
  unlink (path);
  g_variant_unref (calling.kwargs);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

/* Its callers hear what has become of their calls first. */
static gboolean
test_cancelled_actor_leaves_in_order (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { portal, "test:end_slowly",
                      g_variant_ref_sink (g_variant_new_parsed ("{'path': <%s>}", path)) };

  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  wait_for_text (path, "running");
  g_assert_true (tractor_portal_call (portal, "test:cancel_guest", NULL, NULL, error));
  g_assert_false (tractor_nursery_join (callers, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED));
  g_clear_error (error);
  unlink (path);
  g_variant_unref (calling.kwargs);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

/* --- an actor that misbehaves -------------------------------------------------------------------- */

typedef struct {
  const char *path;
  const char *function; /* that it does, and is ended for */
  int code;             /* of the error that is told */
} Rogue;

static const Rogue rogues[] = {
  { "/e2e/rogue/hangs-up", "test:hang_up", TRACTOR_ERROR_ACTOR_FAILURE },
  { "/e2e/rogue/S19-breaks-the-protocol", "test:send_garbage", TRACTOR_ERROR_PROTOCOL },
};

static gboolean
test_rogue_is_ended (gpointer data, GError **error)
{
  const Rogue *rogue = data;
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "rogue", error);
  g_autoptr (TractorPortal) other = start (nursery, "other", error);

  g_assert_false (tractor_portal_call (portal, rogue->function, NULL, NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, rogue->code);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, rogue->code);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_crash_in_cleanup_is_told (G_GNUC_UNUSED gpointer data, GError **error)
{
  cancel_in ("test:crash_in_cleanup", 1, error);
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_nonnull (strstr ((*error)->message, "signal 9"));
  g_clear_error (error);
  return TRUE;
}

/* An error is worth more than the cancel that it came after. */
static gboolean
test_failure_in_cleanup_is_told (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "worker", error);
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
  {
    g_autoptr (TractorNursery) canceller = tractor_nursery_open ();
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    WhenItRuns when = { path, scope };

    tractor_nursery_spawn (canceller, "canceller", cancel_when_it_runs, &when, NULL, error);
    g_assert_false (tractor_portal_call (portal, "test:fail_in_cleanup",
                                         g_variant_new_parsed ("{'path': <%s>}", path), NULL,
                                         error));
    g_assert_false (tractor_cancel_scope_absorb (scope, error));
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
    g_clear_error (error);
  }
  unlink (path);
  return end (actors, error);
}

static gboolean
call_say_why (gpointer portal, GError **error)
{
  GError *failure = NULL;

  g_assert_false (tractor_portal_call (portal, "test:say_why", NULL, NULL, &failure));
  g_assert_true (tractor_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_INTR));
  g_assert_nonnull (strstr (failure->message, "Cancelled: the actor is ending"));
  g_clear_error (&failure);
  return tractor_checkpoint (error);
}

/* Not that its caller did not want it any more. */
static gboolean
test_function_is_told_why (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autoptr (TractorNursery) calls = tractor_nursery_open ();

  tractor_nursery_spawn (calls, "call", call_say_why, portal, NULL, error);
  g_assert_true (tractor_portal_call (portal, "test:echo", g_variant_new_parsed ("{'value': <1>}"),
                                      NULL, error));
  tractor_actor_nursery_cancel (nursery);
  g_assert_true (tractor_nursery_join (calls, error));
  return tractor_actor_nursery_join (nursery, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/end/row-25-run-in-actor", test_run_in_actor);
  harness_add_real_task ("/e2e/end/row-17-join-waits-for-actors", test_join_waits_for_actors);
  harness_add_real_task ("/e2e/end/row-17-early-return-ends-actors", test_early_return_ends_actors);
  harness_add_real_task ("/e2e/end/row-18-one-cancels-all", test_one_cancels_all);
  harness_add_real_task ("/e2e/end/cancel-called", test_cancel_called);
  harness_add_real_task ("/e2e/end/row-46-P-01-killed-in-a-call", test_killed_in_a_call);
  harness_add_real_task ("/e2e/end/row-22-idle-death", test_idle_death);
  harness_add_real_task ("/e2e/end/P-02-P-03-exit-in-a-call", test_exit_in_a_call);
  harness_add_real_task ("/e2e/end/P-14-many-deaths", test_many_deaths);
  harness_add_real_task ("/e2e/host/P-15-sigchld-ignored", test_sigchld_ignored);
  harness_add_real_task ("/e2e/host/P-18-no-sigpipe", test_no_chatter_on_sigpipe);
  harness_add_real_task ("/e2e/end/row-29-cancel-is-prompt", test_cancel_is_prompt);
  harness_add_real_task ("/e2e/end/row-30-stuck-actors-are-ended-together",
                         test_stuck_actors_are_ended_together);
  harness_add_real_task ("/e2e/end/P-10-deaf-actor-is-killed", test_deaf_actor_is_killed);
  harness_add_real_task ("/e2e/end/row-32-P-09-stopped-actor-is-killed",
                         test_stopped_actor_is_killed);
  harness_add_real_task ("/e2e/end/row-49-cancel-actor", test_cancel_actor);
  harness_add_real_task ("/e2e/end/function-is-told-why", test_function_is_told_why);
  harness_add_real_task ("/e2e/end/terminated-actor-leaves-in-order",
                         test_terminated_actor_leaves_in_order);
  harness_add_real_task ("/e2e/end/cancelled-actor-leaves-in-order",
                         test_cancelled_actor_leaves_in_order);
  for (guint i = 0; i < G_N_ELEMENTS (rogues); i++)
    harness_add_real_row (rogues[i].path, test_rogue_is_ended, &rogues[i]);
  harness_add_real_task ("/e2e/rogue/crash-in-cleanup-is-told", test_crash_in_cleanup_is_told);
  harness_add_real_task ("/e2e/rogue/row-79-failure-in-cleanup-is-told",
                         test_failure_in_cleanup_is_told);
  return harness_run ();
}
