/* test-scope.c - cancel scopes: what is cancelled, when it shows, and who absorbs it.
 *
 * Each test runs in a task on every host. Deadlines are far apart, so that only their order
 * matters, and on the virtual host they pass at once. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "harness.h"
#include "tractor-task.h"

#define MSEC G_GINT64_CONSTANT (1000)

static gint64
in_msec (gint64 msec)
{
  return tractor_now () + msec * MSEC;
}

static void
assert_cancelled_checkpoint (void)
{
  GError *error = NULL;

  g_assert_false (tractor_checkpoint (&error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
}

static gboolean
sleep_forever (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
test_absorbs_own_cancel (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_cancel (scope, "enough");
  g_assert_false (sleep_forever (NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_nonnull (strstr ((*error)->message, "enough"));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_true (tractor_cancel_scope_get_cancelled_caught (scope));
  return tractor_checkpoint (error); /* outside, nothing is cancelled */
}

static gboolean
test_cancel_without_checkpoint_is_not_caught (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_true (tractor_cancel_scope_get_cancel_called (scope));
  g_assert_false (tractor_cancel_scope_get_cancelled_caught (scope));
  return tractor_checkpoint (error);
}

static gboolean
test_level_triggered (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_cancel (scope, NULL);
  for (int i = 0; i < 3; i++)
    assert_cancelled_checkpoint ();
  return tractor_cancel_scope_absorb (scope, error);
}

static gboolean
test_first_reason_stays (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_cancel (scope, "first");
  tractor_cancel_scope_cancel (scope, "second");
  tractor_cancel_scope_set_deadline (scope, tractor_now ());
  g_assert_false (tractor_checkpoint (error));
  g_assert_cmpstr ((*error)->message, ==, "Cancelled: first");
  return tractor_cancel_scope_absorb (scope, error);
}

/* Where 63 bytes end inside one of its characters, all of that one goes. */
static gboolean
test_reason_is_cut_at_a_character (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const characters[] = { "\u00e9", "\u20ac", "\U0001f69c" };

  for (guint i = 0; i < G_N_ELEMENTS (characters); i++) {
    for (gsize n_kept = 0; n_kept < strlen (characters[i]); n_kept++) {
      g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
      g_autofree char *whole = g_strnfill (63 - n_kept, 'x');
      g_autofree char *reason = g_strconcat (whole, characters[i], NULL);
      const char *kept;

      tractor_cancel_scope_cancel (scope, reason);
      tractor_cancel_scope_get_source (scope, &kept);
      g_assert_cmpstr (kept, ==, whole);
      g_assert_true (tractor_cancel_scope_absorb (scope, error));
    }
  }
  return TRUE;
}

static gboolean
test_inherited (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (in_msec (10));
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  g_assert_true (tractor_nursery_spawn (nursery, "a", sleep_forever, NULL, NULL, error));
  g_assert_true (tractor_nursery_spawn (nursery, "b", sleep_forever, NULL, NULL, error));
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  return tractor_cancel_scope_absorb (outer, error);
}

static gboolean
test_deep_nest (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (GPtrArray) scopes =
      g_ptr_array_new_with_free_func ((GDestroyNotify) tractor_cancel_scope_close);

  for (int i = 0; i < 5000; i++)
    g_ptr_array_add (scopes, tractor_cancel_scope_open (TRACTOR_NO_DEADLINE));
  tractor_cancel_scope_cancel (outer, NULL);
  assert_cancelled_checkpoint ();
  while (scopes->len > 0)
    g_ptr_array_remove_index (scopes, scopes->len - 1);
  return tractor_cancel_scope_absorb (outer, error);
}

static gboolean
test_outermost_absorbs (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorCancelScope) inner = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_cancel (inner, "inner");
  tractor_cancel_scope_cancel (outer, "outer");
  g_assert_false (tractor_checkpoint (error));
  g_assert_false (tractor_cancel_scope_absorb (inner, error));
  g_assert_false (tractor_cancel_scope_get_cancelled_caught (inner));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_true (tractor_cancel_scope_absorb (outer, error));
  g_assert_true (tractor_cancel_scope_get_cancelled_caught (outer));
  return TRUE;
}

static gboolean
test_unshielded_on_the_way (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorCancelScope) inner = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (inner, TRUE);
  tractor_cancel_scope_cancel (outer, NULL);
  tractor_cancel_scope_cancel (inner, NULL);
  g_assert_false (tractor_checkpoint (error));
  tractor_cancel_scope_set_shield (inner, FALSE); /* now the outer one's cancel is visible */
  g_assert_false (tractor_cancel_scope_absorb (inner, error));
  return tractor_cancel_scope_absorb (outer, error);
}

static gboolean
test_foreign_cancelled_passes (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED, "from elsewhere");
  g_assert_false (tractor_cancel_scope_absorb (scope, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  return TRUE;
}

static gboolean
test_error_passes_cancelled_scope (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_cancel (scope, NULL);
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "a real one");
  g_assert_false (tractor_cancel_scope_absorb (scope, error));
  g_assert_false (tractor_cancel_scope_get_cancelled_caught (scope));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  return TRUE;
}

static gboolean
test_shield_hides_outer (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_cancel (outer, NULL);
  assert_cancelled_checkpoint ();
  {
    g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

    tractor_cancel_scope_set_shield (shield, TRUE);
    g_assert_true (tractor_sleep_until (in_msec (1), error));
    tractor_cancel_scope_cancel (shield, NULL); /* its own still acts */
    g_assert_false (tractor_checkpoint (error));
    g_assert_true (tractor_cancel_scope_absorb (shield, error));
  }
  assert_cancelled_checkpoint ();
  return tractor_cancel_scope_absorb (outer, error);
}

typedef struct {
  TractorCancelScope *outer;
  TractorCancelScope *shield;
  gboolean woke;
} ShieldStory;

static gboolean
sleep_shielded (gpointer data, GError **error)
{
  ShieldStory *story = data;
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  story->shield = shield;
  tractor_cancel_scope_set_shield (shield, TRUE);
  g_assert_false (sleep_forever (NULL, error));
  story->woke = TRUE;
  return tractor_cancel_scope_absorb (shield, error);
}

static gboolean
test_lowering_shield_wakes (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  ShieldStory story = { 0 };

  tractor_nursery_spawn (nursery, "sleeper", sleep_shielded, &story, NULL, error);
  g_assert_true (tractor_sleep_until (in_msec (1), error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_false (story.woke);
  tractor_cancel_scope_set_shield (story.shield, FALSE);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (story.woke);
  return TRUE;
}

static gboolean
test_deadline_cancels_sleep (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 deadline = in_msec (10);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (deadline);

  g_assert_false (sleep_forever (NULL, error));
  g_assert_cmpint (tractor_now (), >=, deadline);
  g_assert_true (tractor_cancel_scope_get_cancel_called (scope));
  return tractor_cancel_scope_absorb (scope, error);
}

static gboolean
test_expired_deadline_fails_first_checkpoint (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now ());

  assert_cancelled_checkpoint ();
  return tractor_cancel_scope_absorb (scope, error);
}

static gboolean
test_deadline_moves_earlier (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (in_msec (3600 * 1000));
  gint64 started = tractor_now ();

  tractor_cancel_scope_set_deadline (scope, in_msec (5));
  g_assert_false (sleep_forever (NULL, error));
  g_assert_cmpint (tractor_now () - started, <, 3600 * 1000 * MSEC);
  return tractor_cancel_scope_absorb (scope, error);
}

/* Of a deadline that does not come after all. One that has come before it was @withdrawn, on a machine that stood still
 * meanwhile, shows nothing: then there is another one, with twice the time. */
static gboolean
test_withdrawn_deadline (void (*withdraw) (TractorCancelScope *scope), GError **error)
{
  for (gint64 msec = 5;; msec *= 2) {
    gint64 deadline = in_msec (msec);
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (deadline);

    withdraw (scope);
    if (tractor_now () >= deadline)
      continue;
    g_assert_true (tractor_sleep_until (deadline + 10 * MSEC, error));
    g_assert_false (tractor_cancel_scope_get_cancel_called (scope));
    return TRUE;
  }
}

static void
move_far_away (TractorCancelScope *scope)
{
  tractor_cancel_scope_set_deadline (scope, TRACTOR_NO_DEADLINE);
}

static gboolean
test_deadline_moves_later (G_GNUC_UNUSED gpointer data, GError **error)
{
  return test_withdrawn_deadline (move_far_away, error);
}

static void
leave (TractorCancelScope *scope)
{
  g_autoptr (GError) error = NULL;

  tractor_cancel_scope_absorb (scope, &error);
}

static gboolean
test_deadline_after_exit_never_fires (G_GNUC_UNUSED gpointer data, GError **error)
{
  return test_withdrawn_deadline (leave, error);
}

static gboolean
test_checkpoint_sees_passed_deadline (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 deadline = in_msec (2);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (deadline);

  if (!harness_get_host ()->has_real_time)
    return TRUE; /* a clock that stands still passes nothing */
  while (tractor_now () < deadline)
    ;
  assert_cancelled_checkpoint ();
  return tractor_cancel_scope_absorb (scope, error);
}

static gboolean
test_deadline_moved_often (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (in_msec (3600 * 1000));

  for (int i = 0; i < 2000; i++)
    tractor_cancel_scope_set_deadline (scope, in_msec (1000 * 1000 + i % 7 * 1000));
  tractor_cancel_scope_set_deadline (scope, in_msec (3));
  g_assert_false (sleep_forever (NULL, error));
  return tractor_cancel_scope_absorb (scope, error);
}

static gboolean
leave_outer_first (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorCancelScope *outer = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  TractorCancelScope *inner = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_close (outer);
  tractor_cancel_scope_close (inner);
  return tractor_checkpoint (error); /* contained: the task is where it was before */
}

static gboolean
leave_scope_open (G_GNUC_UNUSED gpointer data, GError **error)
{
  tractor_cancel_scope_open (in_msec (5));
  return tractor_checkpoint (error);
}

/* --- what is more than a scope ------------------------------------------------------------------- */

/* Of an object with a scope: what has been called, a letter each. */
static GString *calls;

static void
note_end (gpointer data)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  g_assert_true (tractor_sleep_until (in_msec (1), NULL)); /* it may wait */
  g_string_append_printf (calls, "end %s ", (char *) data);
}

static void
note_left (gpointer data)
{
  g_string_append_printf (calls, "left %s ", (char *) data);
}

static void
note_free (gpointer data)
{
  g_string_append_printf (calls, "free %s ", (char *) data);
}

static const TractorScopeContent object = { "example", note_end, note_left, note_free };
static const TractorScopeContent part = { NULL, note_end, note_left, note_free };

static gboolean
leave_objects_open (gpointer cancelled, GError **error)
{
  TractorCancelScope *outer = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  TractorCancelScope *inner = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_content (outer, &part, (char *) "a");
  tractor_cancel_scope_set_content (inner, &object, (char *) "b");
  if (cancelled != NULL)
    tractor_cancel_scope_cancel (outer, NULL);
  return tractor_checkpoint (error);
}

static gboolean
close_object_after_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  TractorCancelScope *inner = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_content (inner, &object, (char *) "b");
  g_assert_false (tractor_cancel_scope_absorb (outer, error));
  g_assert_cmpstr (calls->str, ==, "end b left b ");
  g_assert_true (tractor_cancel_scope_close_inside (inner, NULL)); /* nothing is */
  tractor_cancel_scope_close (inner); /* and so nothing is freed later */
  return FALSE;
}

static gboolean
close_object_in_order (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorCancelScope *scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_content (scope, &object, (char *) "a");
  g_assert_true (tractor_cancel_scope_close_inside (scope, error));
  tractor_cancel_scope_close (scope);
  return TRUE;
}

static gboolean
fail (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return FALSE;
}

/* Something in the body of an object has failed, and nobody has joined it: it is known before the object waits. */
static gboolean
test_failures_inside (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  g_assert_true (tractor_cancel_scope_take_failures (scope, error));
  tractor_nursery_spawn (tractor_nursery_open (), NULL, fail, NULL, NULL, error);
  g_assert_true (tractor_cancel_scope_close_inside (scope, error));
  g_assert_false (tractor_cancel_scope_take_failures (scope, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  return tractor_cancel_scope_absorb (scope, error); /* it is told once */
}

static char *
run_with_objects (TractorTaskFunc func, gpointer data)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GError) error = NULL;

  calls = g_string_new (NULL);
  tractor_nursery_spawn (nursery, "offender", func, data, NULL, &error);
  if (!tractor_nursery_join (nursery, &error)) {
    g_autofree char *words = tractor_error_describe (error);

    g_string_append (calls, strstr (words, "an example") != NULL ? "misuse" : words);
  }
  return g_string_free (calls, FALSE);
}

static void
assert_calls (TractorTaskFunc func, gpointer data, const char *wanted)
{
  g_autofree char *got = run_with_objects (func, data);

  g_assert_cmpstr (got, ==, wanted);
}

static gboolean
test_content (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  assert_calls (leave_objects_open, NULL, "end b left b end a left a free b free a misuse");
  assert_calls (leave_objects_open, &calls, "end b left b end a left a free b free a misuse");
  assert_calls (close_object_after_all, NULL, "end b left b misuse");
  assert_calls (close_object_in_order, NULL, "");
  return TRUE;
}

static gboolean
close_foreign_scope (gpointer data, GError **error)
{
  tractor_cancel_scope_close (data);
  return tractor_checkpoint (error);
}

static void
assert_task_misuses (TractorTaskFunc func, gpointer data)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *error = NULL;

  tractor_nursery_spawn (nursery, "offender", func, data, NULL, &error);
  g_assert_false (tractor_nursery_join (nursery, &error));
  g_assert_true (tractor_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_clear_error (&error);
}

static gboolean
test_misnesting (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  assert_task_misuses (leave_outer_first, NULL);
  return TRUE;
}

static gboolean
test_scope_left_open (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  assert_task_misuses (leave_scope_open, NULL);
  return TRUE;
}

static gboolean
test_closed_by_another_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  assert_task_misuses (close_foreign_scope, scope);
  tractor_cancel_scope_cancel (scope, NULL); /* and it still works */
  assert_cancelled_checkpoint ();
  return tractor_cancel_scope_absorb (scope, error);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/scope/A46-absorbs-its-own-cancel", test_absorbs_own_cancel);
  harness_add_task ("/guest/scope/A41-cancel-without-checkpoint-is-not-caught",
                    test_cancel_without_checkpoint_is_not_caught);
  harness_add_task ("/guest/scope/A40-level-triggered", test_level_triggered);
  harness_add_task ("/guest/scope/A35-first-reason-stays", test_first_reason_stays);
  harness_add_task ("/guest/scope/reason-is-cut-at-a-character", test_reason_is_cut_at_a_character);
  harness_add_task ("/guest/scope/A37-children-inherit", test_inherited);
  harness_add_task ("/guest/scope/A38-five-thousand-deep", test_deep_nest);
  harness_add_task ("/guest/scope/A47-outermost-absorbs", test_outermost_absorbs);
  harness_add_task ("/guest/scope/A48-unshielded-on-the-way", test_unshielded_on_the_way);
  harness_add_task ("/guest/scope/A50-foreign-cancelled-passes", test_foreign_cancelled_passes);
  harness_add_task ("/guest/scope/A24-error-passes-cancelled-scope",
                    test_error_passes_cancelled_scope);
  harness_add_task ("/guest/scope/A52-shield-hides-outer-only", test_shield_hides_outer);
  harness_add_task ("/guest/scope/A53-lowering-the-shield-wakes", test_lowering_shield_wakes);
  harness_add_task ("/guest/scope/A57-deadline-cancels-sleep", test_deadline_cancels_sleep);
  harness_add_task ("/guest/scope/A59-expired-deadline-fails-first-checkpoint",
                    test_expired_deadline_fails_first_checkpoint);
  harness_add_task ("/guest/scope/A60-deadline-moves-earlier", test_deadline_moves_earlier);
  harness_add_task ("/guest/scope/A60-deadline-moves-later", test_deadline_moves_later);
  harness_add_task ("/guest/scope/A61-no-deadline-after-exit",
                    test_deadline_after_exit_never_fires);
  harness_add_task ("/guest/scope/A62-checkpoint-sees-passed-deadline",
                    test_checkpoint_sees_passed_deadline);
  harness_add_task ("/guest/scope/A64-deadline-moved-often", test_deadline_moved_often);
  harness_add_task ("/guest/scope/A51-misnesting-is-contained", test_misnesting);
  harness_add_task ("/guest/scope/A51-left-open-by-its-task", test_scope_left_open);
  harness_add_task ("/guest/scope/A51-closed-by-another-task", test_closed_by_another_task);
  harness_add_task ("/guest/scope/what-is-more-than-a-scope", test_content);
  harness_add_task ("/guest/scope/failures-inside", test_failures_inside);
  return harness_run ();
}
