/* test-start.c - tasks that say when they are ready, and move into their nursery then. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"
#include "tractor-sync.h"

#define MSEC G_GINT64_CONSTANT (1000)

typedef struct {
  gboolean is_cancelled;
  gboolean is_over;
  TractorEvent *go_on;
  TractorCancelScope *to_shield; /* (nullable): when it has said that it is ready */
} Story;

static gboolean
be_ready_and_stay (TractorTaskStatus *status, gpointer data, GError **error)
{
  Story *story = data;

  if (!tractor_sleep_until (tractor_now () + MSEC, error) ||
      !tractor_task_started (status, GINT_TO_POINTER (42), error))
    return FALSE;
  story->is_cancelled = !tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  story->is_over = TRUE;
  return FALSE;
}

static gboolean
test_value_and_move (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { 0 };
  gpointer value = NULL;

  {
    /* A scope around the start has no effect on the task once it has moved. */
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

    g_assert_true (
        tractor_nursery_start (nursery, "server", be_ready_and_stay, &story, NULL, &value, error));
    g_assert_cmpint (GPOINTER_TO_INT (value), ==, 42);
    tractor_cancel_scope_cancel (scope, NULL);
  }
  g_assert_true (tractor_sleep_until (tractor_now () + MSEC, error));
  g_assert_false (story.is_over);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (story.is_cancelled);
  return TRUE;
}

static gboolean
fail_early (G_GNUC_UNUSED TractorTaskStatus *status, G_GNUC_UNUSED gpointer data, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "cannot start");
  return FALSE;
}

static gboolean
end_early (G_GNUC_UNUSED TractorTaskStatus *status,
           G_GNUC_UNUSED gpointer data,
           G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
test_failure_before_ready (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  g_assert_false (tractor_nursery_start (nursery, "s", fail_early, NULL, NULL, NULL, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT); /* as it is, in no group */
  return tractor_nursery_join (nursery, error);                    /* and not the nursery's */
}

static gboolean
test_end_before_ready (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  g_assert_false (tractor_nursery_start (nursery, "s", end_early, NULL, NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return tractor_nursery_join (nursery, error);
}

static gboolean
fail_late (TractorTaskStatus *status, G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_true (tractor_task_started (status, NULL, error));
  return fail_early (NULL, NULL, error);
}

static gboolean
test_failure_after_ready (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  g_assert_true (tractor_nursery_start (nursery, "s", fail_late, NULL, NULL, NULL, error));
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_GROUP);
  g_clear_error (error);
  return TRUE;
}

static gboolean
be_ready_twice (TractorTaskStatus *status, G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_true (tractor_task_started (status, NULL, error));
  if (!tractor_checkpoint (error))
    return FALSE;
  g_assert_false (tractor_task_started (status, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

static gboolean
test_ready_twice (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  g_assert_true (tractor_nursery_start (nursery, "s", be_ready_twice, NULL, NULL, NULL, error));
  return tractor_nursery_join (nursery, error);
}

static gboolean
be_ready_when_told (TractorTaskStatus *status, gpointer data, GError **error)
{
  Story *story = data;
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  if (!tractor_event_wait (story->go_on, error))
    return FALSE;
  g_clear_pointer (&shield, tractor_cancel_scope_close);
  g_assert_true (tractor_task_started (status, NULL, error)); /* does nothing: too late */
  story->is_cancelled = !tractor_checkpoint (error);
  story->is_over = TRUE;
  return FALSE;
}

static gboolean
set_event_soon (gpointer data, GError **error)
{
  if (!tractor_sleep_until (tractor_now () + 5 * MSEC, error))
    return FALSE;
  tractor_event_set (data);
  return TRUE;
}

static gboolean
test_cancelled_start (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) event = tractor_event_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { .go_on = event };

  tractor_nursery_spawn (nursery, "setter", set_event_soon, event, NULL, error);
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + MSEC);

    g_assert_false (
        tractor_nursery_start (nursery, "s", be_ready_when_told, &story, NULL, NULL, error));
    g_assert_true (story.is_over); /* its end has been waited for */
    g_assert_true (story.is_cancelled);
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  return tractor_nursery_join (nursery, error);
}

/* Takes its cancel for a reason to end well. */
static gboolean
end_when_cancelled (G_GNUC_UNUSED TractorTaskStatus *status,
                    G_GNUC_UNUSED gpointer data,
                    G_GNUC_UNUSED GError **error)
{
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, NULL));
  return TRUE;
}

static gboolean
fail_when_cancelled (G_GNUC_UNUSED TractorTaskStatus *status,
                     G_GNUC_UNUSED gpointer data,
                     GError **error)
{
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, NULL));
  return fail_early (NULL, NULL, error);
}

/* A start that is cut short by a cancel does not say that the task forgot to be ready. */
static gboolean
test_cancelled_before_ready (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + MSEC);

  g_assert_false (
      tractor_nursery_start (nursery, "s", end_when_cancelled, NULL, NULL, NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  return tractor_nursery_join (nursery, error);
}

/* Says that it is ready when whoever waits is cancelled, and then ends well: its value goes with it. */
static gboolean
be_ready_too_late (TractorTaskStatus *status, gpointer data, GError **error)
{
  Story *story = data;
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  g_assert_true (tractor_event_wait (story->go_on, error));
  g_assert_true (tractor_task_started (status, &shield, error));
  if (story->to_shield != NULL)
    tractor_cancel_scope_set_shield (story->to_shield, TRUE);
  g_assert_true (tractor_sleep_until (tractor_now () + MSEC, error));
  story->is_over = TRUE;
  return TRUE;
}

static gboolean
test_ready_too_late (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) event = tractor_event_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + MSEC);
  Story story = { .go_on = event };
  gpointer value = NULL;

  tractor_nursery_spawn (nursery, "setter", set_event_soon, event, NULL, error);
  g_assert_false (
      tractor_nursery_start (nursery, "s", be_ready_too_late, &story, NULL, &value, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_null (value);
  g_assert_true (story.is_over);
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  return tractor_nursery_join (nursery, error);
}

/* The cancel that it came too late for is not visible any more when the start returns. */
static gboolean
test_ready_too_late_in_a_shield (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) event = tractor_event_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (tractor_now () + MSEC);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  Story story = { .go_on = event, .to_shield = scope };

  tractor_nursery_spawn (nursery, "setter", set_event_soon, event, NULL, error);
  g_assert_false (
      tractor_nursery_start (nursery, "s", be_ready_too_late, &story, NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  tractor_cancel_scope_close (g_steal_pointer (&scope));
  tractor_cancel_scope_close (g_steal_pointer (&outer));
  return tractor_nursery_join (nursery, error);
}

static gboolean
fail_soon (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (tractor_now () + MSEC, error) && fail_early (NULL, NULL, error);
}

static gboolean
start_there (gpointer nursery, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + 20 * MSEC);

  g_assert_false (
      tractor_nursery_start (nursery, "s", end_when_cancelled, NULL, NULL, NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  return tractor_cancel_scope_absorb (scope, error);
}

/* A start from elsewhere holds a failed nursery until it gives up. */
static gboolean
test_start_into_a_failed_nursery (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) elsewhere = tractor_nursery_open ();
  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    gint64 began = tractor_now ();

    tractor_nursery_spawn (elsewhere, "starter", start_there, nursery, NULL, error);
    tractor_nursery_spawn (nursery, "fails", fail_soon, NULL, NULL, error);
    g_assert_false (tractor_nursery_join (nursery, error));
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
    g_assert_cmpint (tractor_now () - began, >=, 20 * MSEC);
    g_clear_error (error);
  }
  return tractor_nursery_join (elsewhere, error);
}

static gboolean
test_own_failure_is_kept (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + MSEC);

  g_assert_false (
      tractor_nursery_start (nursery, "s", fail_when_cancelled, NULL, NULL, NULL, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  tractor_cancel_scope_close (g_steal_pointer (&scope));
  return tractor_nursery_join (nursery, error);
}

static gboolean
fail_with_no_space (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return FALSE;
}

/* The failure of a sibling, which cancels the start, comes out alone. */
static gboolean
test_sibling_failure_is_not_masked (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "sibling", fail_with_no_space, NULL, NULL, error);
  g_assert_false (
      tractor_nursery_start (nursery, "s", end_when_cancelled, NULL, NULL, NULL, error));
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, 1);
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  return TRUE;
}

typedef struct {
  TractorNursery *nursery;
  Story *story;
} Starter;

static gboolean
start_in_foreign_nursery (gpointer data, GError **error)
{
  Starter *starter = data;

  return tractor_nursery_start (starter->nursery, "late", be_ready_and_stay, starter->story, NULL,
                                NULL, error);
}

static gboolean
test_pending_start_keeps_nursery_open (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) starters = tractor_nursery_open ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCancelScope) scope = NULL;
  Story story = { 0 };
  Starter starter = { nursery, &story };

  tractor_nursery_spawn (starters, "starter", start_in_foreign_nursery, &starter, NULL, error);
  g_assert_true (tractor_checkpoint (error)); /* the start is pending now */
  tractor_cancel_scope_set_deadline (tractor_nursery_get_scope (nursery),
                                     tractor_now () + 10 * MSEC);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (story.is_cancelled); /* it was let in, and was waited for */
  return tractor_nursery_join (starters, error);
}

static gboolean
move_while_target_cancelled (TractorTaskStatus *status, gpointer data, GError **error)
{
  TractorNursery *nursery = data;

  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_checkpoint (error)); /* not yet ours */
  g_assert_true (tractor_task_started (status, NULL, error));
  g_assert_false (tractor_checkpoint (error)); /* but now */
  return FALSE;
}

static gboolean
start_mover (gpointer data, GError **error)
{
  return tractor_nursery_start (data, "mover", move_while_target_cancelled, data, NULL, NULL,
                                error);
}

static gboolean
test_moved_into_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) starters = tractor_nursery_open ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (starters, "starter", start_mover, nursery, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  g_assert_true (tractor_nursery_join (nursery, error));
  return tractor_nursery_join (starters, error);
}

static gboolean
sleep_forever (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* With a nursery of its own, and a task in it: they come along. */
static gboolean
be_ready_with_family (TractorTaskStatus *status, G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) family = tractor_nursery_open ();

  tractor_nursery_spawn (family, "child", sleep_forever, NULL, NULL, error);
  if (tractor_checkpoint (error))
    tractor_task_started (status, NULL, error);
  return tractor_nursery_join (family, error);
}

static gboolean
test_family_moves_too (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  g_assert_true (
      tractor_nursery_start (nursery, "parent", be_ready_with_family, NULL, NULL, NULL, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error);
}

static gboolean
ready_once (TractorTaskStatus *status, G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_task_started (status, NULL, error);
}

static gboolean
test_without_status (G_GNUC_UNUSED gpointer data, GError **error)
{
  return ready_once (NULL, NULL, error);
}

static void
count_free (gpointer data)
{
  ++*(guint *) data;
}

static gboolean
test_closed_nursery (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  guint n_freed = 0;

  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_false (
      tractor_nursery_start (nursery, "late", ready_once, &n_freed, count_free, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  g_assert_cmpuint (n_freed, ==, 1);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/start/A26-value-and-move", test_value_and_move);
  harness_add_task ("/guest/start/A26-family-moves-too", test_family_moves_too);
  harness_add_task ("/guest/start/A27-failure-before-ready", test_failure_before_ready);
  harness_add_task ("/guest/start/A27-failure-after-ready", test_failure_after_ready);
  harness_add_task ("/guest/start/A28-row-110-end-before-ready", test_end_before_ready);
  harness_add_task ("/guest/start/row-110-cancelled-before-ready", test_cancelled_before_ready);
  harness_add_task ("/guest/start/row-110-own-failure-is-kept", test_own_failure_is_kept);
  harness_add_task ("/guest/start/row-110-sibling-failure-is-not-masked",
                    test_sibling_failure_is_not_masked);
  harness_add_task ("/guest/start/A29-ready-twice", test_ready_twice);
  harness_add_task ("/guest/start/A30-cancelled-start", test_cancelled_start);
  harness_add_task ("/guest/start/A31-pending-start-keeps-nursery-open",
                    test_pending_start_keeps_nursery_open);
  harness_add_task ("/guest/start/A31-closed-nursery", test_closed_nursery);
  harness_add_task ("/guest/start/A32-moved-into-cancelled", test_moved_into_cancelled);
  harness_add_task ("/guest/start/A33-without-status", test_without_status);
  harness_add_task ("/guest/start/ready-too-late-is-cancelled", test_ready_too_late);
  harness_add_task ("/guest/start/ready-too-late-is-cancelled-in-a-shield",
                    test_ready_too_late_in_a_shield);
  harness_add_task ("/guest/start/into-a-failed-nursery", test_start_into_a_failed_nursery);
  return harness_run ();
}
