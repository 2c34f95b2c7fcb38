/* test-restart.c - actors that are started again when they die. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include "actors.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
get_pid (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_int64 (getpid ());
  return TRUE;
}

static gboolean
sleep_forever (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* Takes a while to end. */
static gboolean
end_slowly (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;

  tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  scope = tractor_cancel_scope_open (tractor_now () + SECOND / 4);
  tractor_cancel_scope_set_shield (scope, TRUE);
  tractor_sleep_until (TRACTOR_NO_DEADLINE, NULL);
  return FALSE;
}

/* Says that it has failed, and sleeps then. */
static gboolean
fail (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (GError) failure = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "disk full");
  g_autoptr (GError) later = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_IO, "too late");

  g_assert_true (tractor_actor_fail (failure, error));
  g_assert_true (tractor_actor_fail (later, error)); /* the first reason is the reason */
  return sleep_forever (kwargs, ret_result, error);
}

/* Its caller may cancel it before it has ended. */
static gboolean
fail_and_return (G_GNUC_UNUSED GVariant *kwargs,
                 G_GNUC_UNUSED GVariant **ret_result,
                 GError **error)
{
  g_autoptr (GError) failure = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "disk full");

  return tractor_actor_fail (failure, error);
}

static void
rest (void)
{
  g_usleep (SECOND / 5);
}

/* The same, but its process takes longer to end than is usual after its connection. */
static gboolean
fail_and_end_slowly (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  atexit (rest);
  return fail (kwargs, ret_result, error);
}

/* To be told to end is no failure: returns whether that is refused. */
static gboolean
fail_by_cancel (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  static const int codes[] = { TRACTOR_ERROR_CANCELLED, TRACTOR_ERROR_CONTEXT_CANCELLED };
  gboolean is_refused = TRUE;

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++) {
    g_autoptr (GError) cancelled = g_error_new_literal (TRACTOR_ERROR, codes[i], "go");
    g_autoptr (GError) refused = NULL;

    is_refused = is_refused && !tractor_actor_fail (cancelled, &refused) &&
                 g_error_matches (refused, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  *ret_result = g_variant_new_boolean (is_refused);
  return TRUE;
}

/* Crashes while it ends. */
static gboolean
abort_when_cancelled (G_GNUC_UNUSED GVariant *kwargs,
                      G_GNUC_UNUSED GVariant **ret_result,
                      G_GNUC_UNUSED GError **error)
{
  tractor_sleep_until (TRACTOR_NO_DEADLINE, NULL);
  raise (SIGABRT);
  return TRUE;
}

static const TractorExport exports[] = {
  { "abort_when_cancelled", TRACTOR_EXPORT_CALL, abort_when_cancelled },
  { "fail", TRACTOR_EXPORT_CALL, fail },
  { "fail_and_return", TRACTOR_EXPORT_CALL, fail_and_return },
  { "fail_and_end_slowly", TRACTOR_EXPORT_CALL, fail_and_end_slowly },
  { "fail_by_cancel", TRACTOR_EXPORT_CALL, fail_by_cancel },
  { "get_pid", TRACTOR_EXPORT_CALL, get_pid },
  { "end_slowly", TRACTOR_EXPORT_CALL, end_slowly },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { NULL }
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- helpers -------------------------------------------------------------------------------------- */

static TractorPortal *
start (TractorActorNursery *nursery, const char *name, TractorOnDeath on_death, GError **error)
{
  TractorPortal *portal = tractor_actor_nursery_start (
      nursery, name,
      &(TractorSpawnOptions){ .host = harness_get_host ()->name, .on_death = on_death }, error);

  g_assert_no_error (*error);
  return portal;
}

/* Waits until it is up. */
static gint64
ask_pid (TractorPortal *portal, GError **error)
{
  g_autoptr (GVariant) pid = NULL;

  g_assert_true (tractor_portal_call (portal, "test:get_pid", NULL, &pid, error));
  return g_variant_get_int64 (pid);
}

/* Kills it, and returns when its nursery knows. */
static void
kill_and_wait (TractorPortal *portal, GError **error)
{
  kill ((pid_t) ask_pid (portal, error), SIGKILL);
  g_assert_false (tractor_portal_call (portal, "test:sleep_forever", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
}

static gboolean
end (TractorActorNursery *nursery, GError **error)
{
  tractor_actor_nursery_cancel (nursery);
  tractor_actor_nursery_join (nursery, error);
  assert_no_child_process ();
  return *error == NULL;
}

/* --- tests ------------------------------------------------------------------------------------------ */

static gboolean
test_one (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) dies = start (nursery, "dies", TRACTOR_ON_DEATH_RESTART, error);
  g_autoptr (TractorPortal) lives = start (nursery, "lives", TRACTOR_ON_DEATH_RESTART, error);
  g_autofree char *uuid = g_strdup (tractor_portal_get_uuid (dies));
  gint64 pid = ask_pid (dies, error);
  gint64 other_pid = ask_pid (lives, error);
  g_autoptr (TractorPortal) found = NULL;

  kill_and_wait (dies, error);
  g_assert_cmpint (ask_pid (dies, error), !=, pid);
  g_assert_cmpint (ask_pid (lives, error), ==, other_pid);
  g_assert_cmpstr (tractor_portal_get_uuid (dies), !=, uuid);
  g_assert_cmpstr (tractor_portal_get_name (dies), ==, "dies");
  found = tractor_find_actor ("dies", error); /* the registry knows too */
  g_assert_cmpstr (tractor_portal_get_uuid (found), ==, tractor_portal_get_uuid (dies));
  return end (nursery, error);
}

static gboolean
restart_with (TractorRestartStrategy strategy, const gboolean is_restarted[3], GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open_with_restarts (
      &(TractorRestartOptions){ .strategy = strategy }, error);
  TractorPortal *portals[3];
  gint64 pids[3];

  for (int i = 0; i < 3; i++) {
    portals[i] = start (nursery, "worker", TRACTOR_ON_DEATH_RESTART, error);
    pids[i] = ask_pid (portals[i], error);
  }
  kill_and_wait (portals[1], error);
  ask_pid (portals[1], error);
  for (int i = 0; i < 3; i++)
    g_assert_cmpint (ask_pid (portals[i], error) != pids[i], ==, is_restarted[i]);
  for (int i = 0; i < 3; i++)
    tractor_portal_unref (portals[i]);
  return end (nursery, error);
}

static gboolean
test_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  return restart_with (TRACTOR_RESTART_ALL, (gboolean[]){ TRUE, TRUE, TRUE }, error);
}

static gboolean
test_rest (G_GNUC_UNUSED gpointer data, GError **error)
{
  return restart_with (TRACTOR_RESTART_REST, (gboolean[]){ FALSE, TRUE, TRUE }, error);
}

static gboolean
test_too_often (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open_with_restarts (
      &(TractorRestartOptions){ .max_restarts = 2, .period_usec = 60 * SECOND }, error);
  g_autoptr (TractorPortal) portal = start (nursery, "unlucky", TRACTOR_ON_DEATH_RESTART, error);
  g_autoptr (TractorPortal) other = start (nursery, "other", TRACTOR_ON_DEATH_FAIL, error);

  for (int i = 0; i < 3; i++)
    kill_and_wait (portal, error);
  g_assert_false (tractor_actor_nursery_join (nursery, error)); /* one ends all */
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_nonnull (strstr ((*error)->message, "After 2 restarts in 60.0 s"));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_ignored (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) dies = start (nursery, "dies", TRACTOR_ON_DEATH_IGNORE, error);
  g_autoptr (TractorPortal) lives = start (nursery, "lives", TRACTOR_ON_DEATH_FAIL, error);

  kill_and_wait (dies, error);
  g_assert_false (tractor_portal_call (dies, "test:get_pid", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  ask_pid (lives, error);
  return end (nursery, error);
}

/* Its parent cannot know yet. */
static void
kill_unnoticed (TractorPortal *portal, GError **error)
{
  pid_t pid = (pid_t) ask_pid (portal, error);
  struct pollfd ended = { .fd = (int) syscall (SYS_pidfd_open, pid, 0), .events = POLLIN };

  g_assert_cmpint (ended.fd, >=, 0);
  kill (pid, SIGKILL);
  g_assert_cmpint (poll (&ended, 1, -1), ==, 1);
  close (ended.fd);
}

/* Whether a nursery whose actor has died just before is cancelled without a failure; in its scope, or by name. */
static gboolean
ends_well_after_death (TractorOnDeath on_death, gboolean by_scope, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) dies = start (nursery, "dies", on_death, error);
  g_autoptr (TractorPortal) lives = start (nursery, "lives", TRACTOR_ON_DEATH_FAIL, error);

  ask_pid (lives, error);
  kill_unnoticed (dies, error);
  if (by_scope)
    tractor_cancel_scope_cancel (scope, NULL);
  else
    tractor_actor_nursery_cancel (nursery);
  tractor_actor_nursery_join (nursery, error);
  assert_no_child_process ();
  if (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    g_clear_error (error); /* ours */
  return *error == NULL;
}

static gboolean
test_ignored_just_before_cancel (G_GNUC_UNUSED gpointer data, GError **error)
{
  return ends_well_after_death (TRACTOR_ON_DEATH_IGNORE, FALSE, error) &&
         ends_well_after_death (TRACTOR_ON_DEATH_IGNORE, TRUE, error);
}

/* It would have been started again. */
static gboolean
test_restarted_just_before_cancel (G_GNUC_UNUSED gpointer data, GError **error)
{
  return ends_well_after_death (TRACTOR_ON_DEATH_RESTART, FALSE, error) &&
         ends_well_after_death (TRACTOR_ON_DEATH_RESTART, TRUE, error);
}

static gboolean
test_fails_just_before_cancel (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (ends_well_after_death (TRACTOR_ON_DEATH_FAIL, FALSE, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

typedef struct {
  TractorPortal *portal;
  const char *function;
} Calling;

static gboolean
call_in_task (gpointer data, G_GNUC_UNUSED GError **error)
{
  const Calling *calling = data;

  g_assert_false (tractor_portal_call (calling->portal, calling->function, NULL, NULL, NULL));
  return TRUE;
}

/* Cancels an actor that is in @function. Returns: whether its nursery has no failure. */
static gboolean
cancel_in (const char *function, TractorOnDeath on_death, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "dies", on_death, error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { portal, function };

  g_assert_true (tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error));
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  ask_pid (portal, error); /* behind the call: it is in it */
  tractor_actor_nursery_cancel (nursery);
  g_assert_true (tractor_nursery_join (callers, error));
  tractor_actor_nursery_join (nursery, error);
  assert_no_child_process ();
  return *error == NULL;
}

/* Nobody can tell that from a crash just before. */
static gboolean
test_ignored_while_it_ends (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_true (cancel_in ("test:abort_when_cancelled", TRACTOR_ON_DEATH_IGNORE, error));
  g_assert_true (cancel_in ("test:abort_when_cancelled", TRACTOR_ON_DEATH_RESTART, error));
  g_assert_false (cancel_in ("test:abort_when_cancelled", TRACTOR_ON_DEATH_FAIL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

/* That it has to be killed is no death of its own. */
static gboolean
test_ignored_does_not_end (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) stopped = start (nursery, "stopped", TRACTOR_ON_DEATH_IGNORE, error);

  kill ((pid_t) ask_pid (stopped, error), SIGSTOP);
  tractor_actor_nursery_cancel (nursery);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_nonnull (strstr ((*error)->message, "ignored its cancel"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

static gboolean
test_cancelled_while_down (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "dies", TRACTOR_ON_DEATH_RESTART, error);

  kill_and_wait (portal, error);
  return end (nursery, error);
}

static gboolean
call_end_slowly (gpointer portal, G_GNUC_UNUSED GError **error)
{
  tractor_portal_call (portal, "test:end_slowly", NULL, NULL, NULL);
  return TRUE;
}

/* One that is to be started again with others, and is cancelled before it is gone, is not waited for. */
static gboolean
test_cancelled_while_it_ends_for_another (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open_with_restarts (
      &(TractorRestartOptions){ .strategy = TRACTOR_RESTART_ALL }, error);
  g_autoptr (TractorPortal) dies = start (nursery, "dies", TRACTOR_ON_DEATH_RESTART, error);
  g_autoptr (TractorPortal) ends = start (nursery, "ends", TRACTOR_ON_DEATH_RESTART, error);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  gint64 pid = ask_pid (dies, error);

  tractor_nursery_spawn (tasks, NULL, call_end_slowly, ends, NULL, error);
  ask_pid (ends, error);
  kill_and_wait (dies, error);
  g_assert_true (tractor_portal_cancel_actor (ends, tractor_now () + 5 * SECOND, error));
  g_assert_cmpint (ask_pid (dies, error), !=, pid);
  g_assert_true (tractor_nursery_join (tasks, error));
  return end (nursery, error);
}

static gboolean
wait_until_restarted (gpointer portal, GError **error)
{
  guint n_restarts = 0;

  return tractor_portal_wait_until_restarted (portal, &n_restarts, error) && n_restarts == 1;
}

static gboolean
test_wait_until_restarted (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) dies = start (nursery, "dies", TRACTOR_ON_DEATH_RESTART, error);
  g_autoptr (TractorPortal) found = tractor_find_actor ("dies", error);
  g_autofree char *uuid = g_strdup (tractor_portal_get_uuid (dies));
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  guint n_restarts = 0;

  g_assert_false (tractor_portal_wait_until_restarted (found, &n_restarts, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  for (int i = 0; i < 2; i++)
    tractor_nursery_spawn (tasks, NULL, wait_until_restarted, dies, NULL, error);
  kill_and_wait (dies, error);
  g_assert_true (tractor_nursery_join (tasks, error));
  g_assert_cmpstr (tractor_portal_get_uuid (dies), !=, uuid); /* it is up, and another one */
  g_assert_true (tractor_portal_wait_until_restarted (dies, &n_restarts, error)); /* it has been */
  g_assert_cmpuint (n_restarts, ==, 1);
  g_assert_true (tractor_portal_cancel_actor (dies, tractor_now () + 5 * SECOND, error));
  g_assert_false (tractor_portal_wait_until_restarted (dies, &n_restarts, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  return end (nursery, error);
}

static gboolean
test_first_boot_is_no_restart (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  g_assert_null (tractor_actor_nursery_start (
      nursery, "never",
      &(TractorSpawnOptions){ .program = "/bin/false", .on_death = TRACTOR_ON_DEATH_RESTART },
      error));
  g_assert_nonnull (strstr ((*error)->message, "tractor_child_main()?"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return tractor_actor_nursery_join (nursery, error);
}

/* --- actors that say that they have failed --------------------------------------------------------- */

static gboolean
assert_failure_is_told (const char *function, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "fails", TRACTOR_ON_DEATH_FAIL, error);

  g_assert_false (tractor_portal_call (portal, function, NULL, NULL, error));
  g_clear_error (error);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_assert_nonnull (strstr ((*error)->message, "has failed"));
  g_assert_nonnull (strstr ((*error)->message, "disk full"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_actor_fails (G_GNUC_UNUSED gpointer data, GError **error)
{
  return assert_failure_is_told ("test:fail", error);
}

static gboolean
test_actor_fails_and_ends_slowly (G_GNUC_UNUSED gpointer data, GError **error)
{
  return assert_failure_is_told ("test:fail_and_end_slowly", error);
}

static gboolean
test_actor_that_fails_and_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (tractor_run_in_actor ("fails", NULL, "test:fail_and_return", NULL, NULL, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_assert_nonnull (strstr ((*error)->message, "has failed"));
  g_clear_error (error);
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = start (nursery, "fails", TRACTOR_ON_DEATH_IGNORE, error);

    g_assert_true (tractor_portal_call (portal, "test:fail_and_return", NULL, NULL, error));
    tractor_actor_nursery_cancel (nursery);
    g_assert_true (tractor_actor_nursery_join (nursery, error));
  }
  return TRUE;
}

static gboolean
test_actor_that_fails_is_restarted (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorRestartOptions options = { .max_restarts = 1, .period_usec = 60 * SECOND };
  g_autoptr (TractorActorNursery) nursery =
      tractor_actor_nursery_open_with_restarts (&options, error);
  g_autoptr (TractorPortal) portal = start (nursery, "fails", TRACTOR_ON_DEATH_RESTART, error);
  gint64 pid = ask_pid (portal, error);
  guint n_restarts = 0;

  g_assert_false (tractor_portal_call (portal, "test:fail", NULL, NULL, error));
  g_clear_error (error);
  g_assert_true (tractor_portal_wait_until_restarted (portal, &n_restarts, error));
  g_assert_cmpint (ask_pid (portal, error), !=, pid);
  g_assert_false (tractor_portal_call (portal, "test:fail", NULL, NULL, error));
  g_clear_error (error);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_nonnull (strstr ((*error)->message, "After 1 restart in "));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  return TRUE;
}

static gboolean
test_what_is_no_failure (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "lives", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (GVariant) is_refused = NULL;
  g_autoptr (GError) failure = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "disk full");

  g_assert_true (tractor_portal_call (portal, "test:fail_by_cancel", NULL, &is_refused, error));
  g_assert_true (g_variant_get_boolean (is_refused));
  g_assert_false (tractor_actor_fail (failure, error)); /* we have a body of our own */
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return end (nursery, error);
}

static gboolean
fail_daemon (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GError) failure = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "disk full");
  g_autoptr (TractorActorNursery) nursery = NULL;

  while (tractor_actor_get_name () == NULL)
    g_assert_true (tractor_checkpoint (error));
  nursery = tractor_actor_nursery_open (error); /* waits until the daemon has opened its runtime */
  g_assert_true (tractor_actor_nursery_join (nursery, error));
  while (!tractor_actor_fail (failure, error)) { /* before it is ready to be ended */
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
    g_assert_true (tractor_checkpoint (error));
  }
  return TRUE;
}

static gboolean
test_daemon_fails (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();

  tractor_nursery_spawn (tasks, "fails", fail_daemon, NULL, NULL, error);
  g_assert_no_error (*error);
  g_assert_false (tractor_run_daemon (NULL, NULL, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  return tractor_nursery_join (tasks, error);
}

/* --- starts that fail ------------------------------------------------------------------------------- */

/* (transfer full): a file; while it is there, actors do what it says instead of booting. */
static char *
get_order_path (void)
{
  return g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "order", NULL);
}

static void
follow_order (void)
{
  g_autofree char *path = get_order_path ();
  g_autofree char *order = NULL;

  if (g_getenv ("TRACTOR_PARENT_FD") == NULL || !g_file_get_contents (path, &order, NULL, NULL))
    return;
  if (strcmp (order, "exit") == 0)
    _exit (9);
  while (TRUE)
    pause ();
}

/* An actor that does not boot any more after its first death: a call that waits until it is up is told. */
static gboolean
restart_under_order (const char *order, const char *complaint, GError **error)
{
  TractorRestartOptions options = { .max_restarts = 2, .period_usec = 1 };
  g_autoptr (TractorActorNursery) nursery =
      tractor_actor_nursery_open_with_restarts (&options, error);
  g_autoptr (TractorPortal) portal = start (nursery, "dies", TRACTOR_ON_DEATH_RESTART, error);
  gint64 pid = ask_pid (portal, error);
  g_autofree char *path = get_order_path ();
  g_autoptr (TractorCancelScope) shield = NULL;
  g_autoptr (GError) failure = NULL;

  g_assert_true (g_file_set_contents (path, order, -1, NULL));
  kill ((pid_t) pid, SIGKILL);
  g_assert_false (tractor_portal_call (portal, "test:sleep_forever", NULL, NULL, error));
  g_clear_error (error); /* of the first death, or what is asserted below, if that came first */
  shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_shield (shield, TRUE); /* from the failure of the nursery */
  g_assert_false (tractor_portal_call (portal, "test:get_pid", NULL, NULL, error));
  g_assert_false (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED));
  g_clear_error (error);
  g_clear_pointer (&shield, tractor_cancel_scope_close);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_nonnull (strstr ((*error)->message, complaint));
  g_clear_error (error);
  g_unlink (path);
  return TRUE;
}

static gboolean
test_starts_that_fail (G_GNUC_UNUSED gpointer data, GError **error)
{
  return restart_under_order ("exit", "After 2 failed starts in a row: Actor 'dies'", error);
}

/* Takes as long as a boot is waited for. */
static gboolean
test_start_that_hangs (G_GNUC_UNUSED gpointer data, GError **error)
{
  return restart_under_order ("hang", "After 1 failed start in a row: Actor 'dies'", error);
}

static gboolean
test_options_that_make_no_sense (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const TractorRestartOptions bad[] = {
    { .max_restarts = 1, .period_usec = -1 },
    { .max_restarts = 1, .period_usec = G_MININT64 },
    { .strategy = TRACTOR_RESTART_REST + 1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_assert_null (tractor_actor_nursery_open_with_restarts (&bad[i], error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  int status;

  follow_order ();
  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  harness_add_real_task ("/e2e/restart/one", test_one);
  harness_add_real_task ("/e2e/restart/all", test_all);
  harness_add_real_task ("/e2e/restart/rest", test_rest);
  harness_add_real_task ("/e2e/restart/too-often", test_too_often);
  harness_add_real_task ("/e2e/restart/ignored", test_ignored);
  harness_add_real_task ("/e2e/restart/ignored-just-before-cancel",
                         test_ignored_just_before_cancel);
  harness_add_real_task ("/e2e/restart/restarted-just-before-cancel",
                         test_restarted_just_before_cancel);
  harness_add_real_task ("/e2e/restart/fails-just-before-cancel", test_fails_just_before_cancel);
  harness_add_real_task ("/e2e/restart/ignored-while-it-ends", test_ignored_while_it_ends);
  harness_add_real_task ("/e2e/restart/ignored-does-not-end", test_ignored_does_not_end);
  harness_add_real_task ("/e2e/restart/cancelled-while-down", test_cancelled_while_down);
  harness_add_real_task ("/e2e/restart/cancelled-while-it-ends-for-another",
                         test_cancelled_while_it_ends_for_another);
  harness_add_real_task ("/e2e/restart/wait-until-restarted", test_wait_until_restarted);
  harness_add_real_task ("/e2e/restart/first-boot-is-no-restart", test_first_boot_is_no_restart);
  harness_add_real_task ("/e2e/restart/actor-fails", test_actor_fails);
  harness_add_real_task ("/e2e/restart/actor-that-fails-and-is-cancelled",
                         test_actor_that_fails_and_is_cancelled);
  harness_add_real_task ("/e2e/restart/actor-fails-and-ends-slowly",
                         test_actor_fails_and_ends_slowly);
  harness_add_real_task ("/e2e/restart/actor-that-fails-is-restarted",
                         test_actor_that_fails_is_restarted);
  harness_add_real_task ("/e2e/restart/what-is-no-failure", test_what_is_no_failure);
  harness_add_real_task ("/e2e/restart/daemon-fails", test_daemon_fails);
  harness_add_real_task ("/e2e/restart/options-that-make-no-sense",
                         test_options_that_make_no_sense);
  harness_add_real_task ("/e2e/restart/starts-that-fail-whatever-the-period",
                         test_starts_that_fail);
  harness_add_glib_task ("/e2e/restart/start-that-hangs-counts-twice", test_start_that_hangs);
  return harness_run ();
}
