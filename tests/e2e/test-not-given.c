/* test-not-given.c - portals, scopes and the like that a caller does not have, and calls outside a task.
 *
 * Whoever does not look at what a start returned goes on with NULL. That is an error where there is one to
 * be had, and the first one stays. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "actors.h"

static const TractorModule modules[] = { { NULL } };

static void
count_free (gpointer data)
{
  ++*(guint *) data;
}

static gboolean
never_run (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_assert_not_reached ();
}

static gboolean
never_start (G_GNUC_UNUSED TractorTaskStatus *status,
             G_GNUC_UNUSED gpointer data,
             G_GNUC_UNUSED GError **error)
{
  g_assert_not_reached ();
}

static void
expect_misuse (gboolean ok, GError **error)
{
  g_assert_false (ok);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

/* --- NULL ------------------------------------------------------------------------------------------- */

static void
use_no_nursery (GError **error)
{
  guint n_freed = 0;

  expect_misuse (tractor_nursery_spawn (NULL, "x", never_run, &n_freed, count_free, error), error);
  expect_misuse (
      tractor_nursery_spawn_with_stack (NULL, "x", 1, never_run, &n_freed, count_free, error),
      error);
  expect_misuse (tractor_nursery_start (NULL, "x", never_start, &n_freed, count_free, NULL, error),
                 error);
  g_assert_cmpuint (n_freed, ==, 3);
  expect_misuse (tractor_nursery_join (NULL, error), error);
  expect_misuse (tractor_cancel_scope_absorb (NULL, error), error);
  expect_misuse (tractor_cancel_scope_absorb_or_fail (NULL, error), error);
  expect_misuse (tractor_fd_watch_wait (NULL, G_IO_IN, error), error);
}

static void
use_no_portal (GError **error)
{
  TractorContext *context;

  expect_misuse (tractor_portal_call (NULL, "m:f", g_variant_new_parsed ("@a{sv} {}"), NULL, error),
                 error);
  expect_misuse (tractor_portal_open_context (NULL, "m:f", NULL, NULL, NULL, error) != NULL, error);
  expect_misuse (tractor_portal_open_stream (NULL, "m:f", NULL, NULL, error) != NULL, error);
  expect_misuse (
      tractor_open_contexts (&(TractorContextRequest){ NULL, "m:f" }, 1, &context, NULL, error),
      error);
  expect_misuse (tractor_portal_cancel_actor (NULL, TRACTOR_NO_DEADLINE, error), error);
  expect_misuse (tractor_portal_wait_until_gone (NULL, error), error);
  expect_misuse (tractor_portal_wait_until_restarted (NULL, &(guint){ 0 }, error), error);
  expect_misuse (
      tractor_subscription_open (NULL, "m:f", (const char *const[]){ NULL }, error) != NULL, error);
}

static void
use_no_context (GError **error)
{
  TractorSubscriber *const no_subscriber = NULL;
  TractorStream *const no_stream = NULL;
  GVariant *item;
  gpointer pointer;

  expect_misuse (tractor_context_started (NULL, NULL, error), error);
  expect_misuse (tractor_context_wait_result (NULL, NULL, error), error);
  expect_misuse (tractor_context_join (NULL, NULL, error), error);
  expect_misuse (tractor_context_open_stream (NULL, error) != NULL, error);
  expect_misuse (tractor_stream_send (no_stream, g_variant_new_int32 (1), error), error);
  expect_misuse (tractor_stream_receive (no_stream, &item, error), error);
  expect_misuse (tractor_stream_receive_nowait (no_stream, &item, error), error);
  expect_misuse (tractor_stream_subscribe (no_stream, error) != NULL, error);
  expect_misuse (tractor_subscriber_receive (no_subscriber, &pointer, error), error);
}

static void
use_no_primitive (GError **error)
{
  TractorSender *const no_sender = NULL;

  expect_misuse (tractor_sender_send (no_sender, NULL, error), error);
  expect_misuse (tractor_sender_send_nowait (no_sender, NULL, error), error);
  expect_misuse (tractor_event_wait (NULL, error), error);
  expect_misuse (tractor_lock_acquire (NULL, error), error);
  expect_misuse (tractor_condition_wait (NULL, error), error);
  expect_misuse (tractor_semaphore_acquire (NULL, error), error);
  expect_misuse (tractor_limiter_acquire (NULL, NULL, error), error);
  expect_misuse (tractor_parking_lot_park (NULL, error), error);
}

static gboolean
test_null (G_GNUC_UNUSED gpointer data, GError **error)
{
  use_no_nursery (error);
  use_no_portal (error);
  use_no_context (error);
  use_no_primitive (error);
  expect_misuse (tractor_actor_nursery_start (NULL, "x", NULL, error) != NULL, error);
  expect_misuse (tractor_actor_nursery_join (NULL, error), error);
  expect_misuse (tractor_cluster_call (NULL, "m:f", NULL, NULL, error), error);
  expect_misuse (tractor_cluster_join (NULL, error), error);
  return TRUE;
}

/* As in a program that does not look. */
static gboolean
go_on_regardless (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal =
      tractor_actor_nursery_start (nursery, "a/bad/name", NULL, error);
  g_autoptr (TractorContext) context =
      tractor_portal_open_context (portal, "m:f", NULL, NULL, NULL, error);
  g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);

  tractor_stream_send (stream, NULL, error);
  return tractor_context_join (context, NULL, error);
}

static gboolean
test_first_error_stays (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GError) failure = NULL;

  tractor_nursery_spawn (nursery, "careless", go_on_regardless, NULL, NULL, &failure);
  g_assert_false (tractor_nursery_join (nursery, &failure));
  g_assert_nonnull (strstr (failure->message, "name"));
  g_assert_null (strstr (failure->message, "NULL was given"));
  return TRUE;
}

static gboolean
test_without_an_error (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "There is no portal*");
  g_assert_false (tractor_portal_wait_until_gone (NULL, NULL));
  g_test_assert_expected_messages ();
  return TRUE;
}

/* --- outside a task ---------------------------------------------------------------------------------- */

static TractorPortal *kept; /* (nullable) */

/* On the host's stack. */
static void
use_all_outside (G_GNUC_UNUSED gpointer data)
{
  GError *error = NULL;

  expect_misuse (tractor_actor_nursery_open (&error) != NULL, &error);
  expect_misuse (tractor_runtime_open (NULL, &error) != NULL, &error);
  expect_misuse (tractor_portal_call (kept, "m:f", NULL, NULL, &error), &error);
  expect_misuse (tractor_portal_open_context (kept, "m:f", NULL, NULL, NULL, &error) != NULL,
                 &error);
  expect_misuse (tractor_portal_open_stream (kept, "m:f", NULL, NULL, &error) != NULL, &error);
  expect_misuse (tractor_portal_cancel_actor (kept, TRACTOR_NO_DEADLINE, &error), &error);
  expect_misuse (tractor_portal_wait_until_gone (kept, &error), &error);
  expect_misuse (tractor_find_actor ("x", &error) != NULL, &error);
  expect_misuse (tractor_wait_for_actor ("x", TRACTOR_NO_DEADLINE, &error) != NULL, &error);
  expect_misuse (tractor_run_in_actor ("x", NULL, "m:f", NULL, NULL, &error), &error);
  expect_misuse (tractor_cluster_open (1, NULL, NULL, &error) != NULL, &error);
  expect_misuse (tractor_fd_watch_open (0, &error) != NULL, &error);
  expect_misuse (tractor_run_process ((const char *const[]){ "true", NULL }, NULL, &error), &error);

  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "tractor_cancel_scope_open:*");
  expect_misuse (tractor_cancel_scope_absorb (tractor_cancel_scope_open (0), &error), &error);
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "tractor_nursery_open:*");
  expect_misuse (tractor_nursery_join (tractor_nursery_open (), &error), &error);
  g_test_assert_expected_messages ();
}

static gboolean
test_outside_a_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (
      nursery, "child", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);

  kept = portal;
  g_assert_true (tractor_run_in_host (use_all_outside, NULL, error));
  g_assert_false (tractor_actor_nursery_get_cancel_called (nursery));
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/not-given/null-is-an-error", test_null);
  harness_add_real_task ("/e2e/not-given/first-error-stays", test_first_error_stays);
  harness_add_real_task ("/e2e/not-given/without-an-error-it-is-told", test_without_an_error);
  harness_add_real_task ("/e2e/not-given/outside-a-task", test_outside_a_task);
  return harness_run ();
}
