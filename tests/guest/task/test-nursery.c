/* test-nursery.c - tasks and nurseries: who waits for whom, and where failures go. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fenv.h>

#include "harness.h"
#include "tractor-sync.h"
#include "tractor-task.h"

#define MSEC G_GINT64_CONSTANT (1000)

static gboolean
set_true (gpointer data, G_GNUC_UNUSED GError **error)
{
  *(gboolean *) data = TRUE;
  return TRUE;
}

static gboolean
sleep_forever (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
fail_noent (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "no such thing");
  return FALSE;
}

static gboolean
fail_perm_when_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (sleep_forever (NULL, error));
  g_clear_error (error);
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_PERM, "cleanup failed");
  return FALSE;
}

static gboolean
test_join_waits (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gboolean ran = FALSE;

  tractor_nursery_spawn (nursery, "child", set_true, &ran, NULL, error);
  g_assert_false (ran); /* A8: not before the spawn returns */
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (ran);
  return TRUE;
}

static gboolean
return_early (gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "sleeper", sleep_forever, NULL, NULL, error);
  tractor_nursery_spawn (nursery, "child", set_true, data, NULL, error);
  return tractor_checkpoint (error); /* and no join: closing cancels, and waits */
}

static gboolean
test_early_return_cancels_and_waits (G_GNUC_UNUSED gpointer data, GError **error)
{
  gboolean ran = FALSE;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "parent", return_early, &ran, NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (ran);
  return TRUE;
}

static gboolean
test_one_failure_is_a_group (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "child", fail_noent, NULL, NULL, error);
  tractor_nursery_spawn (nursery, "sibling", sleep_forever, NULL, NULL, error);
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_GROUP);
  g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, 1);
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
  g_clear_error (error);
  return TRUE;
}

static gboolean
test_all_failures_in_order (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  const GPtrArray *children;

  tractor_nursery_spawn (nursery, "later", fail_perm_when_cancelled, NULL, NULL, error);
  tractor_nursery_spawn (nursery, "first", fail_noent, NULL, NULL, error);
  g_assert_false (tractor_nursery_join (nursery, error));
  children = tractor_error_get_children (*error);
  g_assert_cmpuint (children->len, ==, 2);
  g_assert_error ((GError *) children->pdata[0], G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_error ((GError *) children->pdata[1], G_FILE_ERROR, G_FILE_ERROR_PERM);
  g_clear_error (error);
  return TRUE;
}

static gboolean
test_failure_interrupts_body (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "child", fail_noent, NULL, NULL, error);
  g_assert_false (sleep_forever (NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_nonnull (strstr ((*error)->message, "child failed"));
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, 1);
  g_clear_error (error);
  return TRUE;
}

static gboolean
test_body_failure_cancels_children (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "child", fail_perm_when_cancelled, NULL, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  g_assert_false (fail_noent (NULL, error));
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, 2);
  g_clear_error (error);
  return TRUE;
}

static gboolean
fail_without_join (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "child", fail_noent, NULL, NULL, error);
  tractor_checkpoint (NULL);
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_PERM, "early return");
  return FALSE;
}

static gboolean
test_unjoined_failure_is_not_lost (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "parent", fail_without_join, NULL, NULL, error);
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_PERM));
  g_clear_error (error);
  return TRUE;
}

static gboolean
open_nursery_and_leave (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "sleeper", sleep_forever, NULL, NULL, error);
  return sleep_forever (NULL, error);
}

/* A timeout around a function that leaves a nursery by an early return: nothing of it is left. */
static gboolean
test_timeout_around_early_return (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + MSEC);

  g_assert_false (open_nursery_and_leave (NULL, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  return tractor_checkpoint (error);
}

static gboolean
test_unjoined_failure_comes_out_of_scope (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    tractor_nursery_spawn (nursery, "child", fail_noent, NULL, NULL, error);
    tractor_checkpoint (NULL);
  }
  g_assert_false (tractor_cancel_scope_absorb (scope, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
  g_clear_error (error);
  return TRUE;
}

/* What interrupted its children is told at the next checkpoint, and not as a failure of theirs. */
static gboolean
test_unjoined_cancel_is_no_failure (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) cancelled = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorCancelScope) inner = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    tractor_nursery_spawn (nursery, "sleeper", sleep_forever, NULL, NULL, error);
    g_assert_true (tractor_checkpoint (error));
    tractor_cancel_scope_cancel (cancelled, NULL);
  }
  g_assert_true (tractor_cancel_scope_absorb (inner, error));
  g_assert_no_error (*error);
  g_assert_true (tractor_cancel_scope_absorb (cancelled, error));
  g_assert_false (tractor_cancel_scope_get_cancelled_caught (cancelled));
  return TRUE;
}

static gboolean
test_outer_reason_is_kept (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "innocent", sleep_forever, NULL, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  tractor_cancel_scope_cancel (scope, "user pressed stop");
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_cmpstr ((*error)->message, ==, "Cancelled: user pressed stop");
  return tractor_cancel_scope_absorb (scope, error);
}

static gboolean
join_foreign (gpointer data, GError **error)
{
  g_assert_false (tractor_nursery_join (data, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_clear_error (error);
  return TRUE;
}

static gboolean
test_joined_by_another_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "stranger", join_foreign, nursery, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static gboolean
return_four (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return 4;
}

static gboolean
test_any_true_is_true (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "child", return_four, NULL, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_checkpoint_if_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gboolean ran = FALSE;

  tractor_nursery_spawn (nursery, "other", set_true, &ran, NULL, error);
  g_assert_true (tractor_checkpoint_if_cancelled (error));
  g_assert_false (ran);
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_false (tractor_checkpoint_if_cancelled (error));
  return tractor_cancel_scope_absorb (scope, error);
}

static gboolean
test_cancelled_scope_empties_groups (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "child", fail_perm_when_cancelled, NULL, NULL, error);
  tractor_nursery_spawn (nursery, "sleeper", sleep_forever, NULL, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, 2); /* one is CANCELLED */
  g_assert_false (tractor_cancel_scope_absorb (scope, error));
  g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, 1);
  g_assert_false (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED));
  g_clear_error (error);
  return TRUE;
}

/* (transfer full): a group of @error: (transfer full), alone. */
static GError *
in_a_group (GError *error)
{
  GPtrArray *failures = g_ptr_array_new ();

  g_ptr_array_add (failures, error);
  return tractor_error_new_group (failures);
}

/* Of a group that holds nothing but the cancel nothing is left. */
static gboolean
test_cancelled_scope_takes_groups_of_cancels (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  GError *cancelled = NULL;

  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_false (tractor_checkpoint (&cancelled));
  *error = in_a_group (in_a_group (cancelled));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_no_error (*error);
  g_assert_true (tractor_cancel_scope_get_cancelled_caught (scope));
  return TRUE;
}

static gboolean
test_empty_join_is_no_cancel_point (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_false (tractor_cancel_scope_get_cancelled_caught (scope));
  return TRUE;
}

static gboolean
test_spawn_into_cancelled_starts (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gboolean ran = FALSE;

  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_spawn (nursery, "child", set_true, &ran, NULL, error));
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (ran);
  return TRUE;
}

static gboolean
test_spawn_into_closed_fails (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  char *argument = g_strdup ("freed once");

  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_false (tractor_nursery_spawn (nursery, "late", sleep_forever, argument, g_free, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

typedef struct {
  TractorNursery *nursery;
  gboolean sibling_ran;
} SiblingStory;

static gboolean
spawn_sibling (gpointer data, GError **error)
{
  SiblingStory *story = data;

  if (!tractor_sleep_until (tractor_now () + MSEC, error))
    return FALSE;
  return tractor_nursery_spawn (story->nursery, "sibling", set_true, &story->sibling_ran, NULL,
                                error);
}

static gboolean
test_children_spawn_while_joined (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  SiblingStory story = { nursery, FALSE };

  tractor_nursery_spawn (nursery, "child", spawn_sibling, &story, NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (story.sibling_ran);
  return TRUE;
}

static gboolean
test_spawner_scope_does_not_apply (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gboolean ran = FALSE;

  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

    tractor_nursery_spawn (nursery, "child", set_true, &ran, NULL, error);
    tractor_cancel_scope_cancel (scope, NULL);
  }
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (ran);
  return TRUE;
}

static gboolean
leave_nursery_open (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorNursery *nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "child", sleep_forever, NULL, NULL, error);
  return tractor_checkpoint (error);
}

static gboolean
close_outer_nursery_first (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorNursery *outer = tractor_nursery_open ();
  TractorNursery *inner = tractor_nursery_open ();

  tractor_nursery_spawn (inner, "child", sleep_forever, NULL, NULL, error);
  tractor_nursery_close (outer);
  tractor_nursery_close (inner);
  return tractor_checkpoint (error);
}

static gboolean
assert_misuse (TractorTaskFunc func, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "offender", func, NULL, NULL, error);
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_clear_error (error);
  return TRUE;
}

static gboolean
test_left_open (G_GNUC_UNUSED gpointer data, GError **error)
{
  return assert_misuse (leave_nursery_open, error);
}

static gboolean
test_misnested (G_GNUC_UNUSED gpointer data, GError **error)
{
  return assert_misuse (close_outer_nursery_first, error);
}

static gboolean
return_false_without_error (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return FALSE;
}

static gboolean
test_false_without_error (G_GNUC_UNUSED gpointer data, GError **error)
{
  return assert_misuse (return_false_without_error, error);
}

static void
count_free (gpointer data)
{
  ++*(guint *) data;
}

static gboolean
return_true (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
test_argument_freed_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  guint n_freed = 0;

  for (int i = 0; i < 10; i++)
    tractor_nursery_spawn (nursery, "child", return_true, &n_freed, count_free, error);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (n_freed, ==, 10);
  return TRUE;
}

typedef struct {
  TractorNursery *nursery;
  guint n_freed;
} Refused;

static gpointer
spawn_from_thread (gpointer data)
{
  Refused *refused = data;
  g_autoptr (GError) error = NULL;

  g_assert_false (tractor_nursery_spawn (refused->nursery, "child", return_true, &refused->n_freed,
                                         count_free, &error));
  return NULL;
}

/* It is given away, whatever becomes of the task. */
static gboolean
test_argument_of_refused_freed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Refused refused = { nursery, 0 };

  g_thread_join (g_thread_new ("other", spawn_from_thread, &refused));
  g_assert_cmpuint (refused.n_freed, ==, 1);
  g_assert_false (tractor_nursery_spawn_with_stack (nursery, "huge", G_MAXSIZE / 4, return_true,
                                                    &refused.n_freed, count_free, error));
  g_clear_error (error);
  g_assert_cmpuint (refused.n_freed, ==, 2);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_false (
      tractor_nursery_spawn (nursery, "late", return_true, &refused.n_freed, count_free, error));
  g_clear_error (error);
  g_assert_cmpuint (refused.n_freed, ==, 3);
  return TRUE;
}

static gboolean
check_name (gpointer data, G_GNUC_UNUSED GError **error)
{
  g_assert_cmpstr (tractor_task_get_name (), ==, data);
  return TRUE;
}

/* 31 bytes are kept, and they would end inside the last one. */
static gboolean
test_name_is_cut_at_a_character (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autofree char *whole = g_strnfill (30, 'x');
  g_autofree char *name = g_strconcat (whole, "\u00e9", NULL);

  tractor_nursery_spawn (nursery, name, check_name, whole, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static gboolean
add_id (gpointer data, G_GNUC_UNUSED GError **error)
{
  g_string_append_printf (data, " %" G_GUINT64_FORMAT, tractor_task_get_id ());
  return TRUE;
}

/* Of one name, and told apart. */
static gboolean
test_ids (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GString) ids = g_string_new (NULL);

  for (int i = 0; i < 2; i++) {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    tractor_nursery_spawn (nursery, "worker", add_id, ids, NULL, error);
    tractor_nursery_spawn (nursery, "worker", add_id, ids, NULL, error);
    g_assert_true (tractor_nursery_join (nursery, error));
  }
  add_id (ids, error);
  g_assert_cmpstr (ids->str, ==, " 2 3 4 5 1");
  return TRUE;
}

static gboolean
test_names (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_assert_true (tractor_in_task ());
  g_assert_cmpstr (tractor_task_get_name (), ==, "main");
  return TRUE;
}

static void
test_outside_a_task (void)
{
  GError *error = NULL;

  g_assert_false (tractor_in_task ());
  g_assert_null (tractor_task_get_name ());
  g_assert_cmpuint (tractor_task_get_id (), ==, 0);
  g_assert_false (tractor_checkpoint (&error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

static gboolean
keep_errno_and_rounding (gpointer data, GError **error)
{
  int mine = GPOINTER_TO_INT (data);

  fesetround (mine % 2 ? FE_UPWARD : FE_DOWNWARD);
  for (int i = 0; i < 100; i++) {
    errno = mine;
    if (!tractor_checkpoint (error))
      return FALSE;
    g_assert_cmpint (errno, ==, mine);
    g_assert_cmpint (fegetround (), ==, mine % 2 ? FE_UPWARD : FE_DOWNWARD);
  }
  return TRUE;
}

static gboolean
test_errno_and_rounding_kept (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  for (int i = 1; i <= 5; i++)
    tractor_nursery_spawn (nursery, "child", keep_errno_and_rounding, GINT_TO_POINTER (i), NULL,
                           error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (fegetround (), ==, FE_TONEAREST);
  return TRUE;
}

typedef struct {
  guint turns[20];
} Fairness;

typedef struct {
  Fairness *fairness;
  guint index;
} Runner;

static gboolean
take_turns (gpointer data, GError **error)
{
  Runner *runner = data;
  guint *turns = runner->fairness->turns;

  for (int i = 0; i < 200; i++) {
    turns[runner->index]++;
    for (guint other = 0; other < 20; other++)
      g_assert_cmpuint (turns[other] + 1, >=, turns[runner->index] - 1);
    if (!tractor_checkpoint (error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
test_nobody_runs_twice_before_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Fairness fairness = { 0 };
  Runner runners[20];

  for (guint i = 0; i < 20; i++) {
    runners[i] = (Runner){ &fairness, i };
    tractor_nursery_spawn (nursery, "runner", take_turns, &runners[i], NULL, error);
  }
  return tractor_nursery_join (nursery, error);
}

static gboolean
sleep_until_mine (gpointer data, GError **error)
{
  gint64 deadline = tractor_now () + GPOINTER_TO_INT (data) * MSEC;

  if (!tractor_sleep_until (deadline, error))
    return FALSE;
  g_assert_cmpint (tractor_now (), >=, deadline);
  return TRUE;
}

static gboolean
test_sleep_is_never_early (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  for (int i = 0; i < 200; i++)
    tractor_nursery_spawn (nursery, "sleeper", sleep_until_mine, GINT_TO_POINTER (i * 7 % 41), NULL,
                           error);
  return tractor_nursery_join (nursery, error);
}

typedef struct {
  TractorEvent *event;
  guint n_woken;
} Crowd;

static gboolean
run_twice (gpointer data, GError **error)
{
  Crowd *crowd = data;

  if (!tractor_event_wait (crowd->event, error))
    return FALSE;
  crowd->n_woken++;
  if (!tractor_checkpoint (error))
    return FALSE;
  g_assert_cmpuint (crowd->n_woken, ==, 2000);
  return TRUE;
}

/* Of those who wake together each has run once before any has run twice. */
static gboolean
test_all_wake_at_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) event = tractor_event_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Crowd crowd = { .event = event };

  for (int i = 0; i < 2000; i++)
    g_assert_true (tractor_nursery_spawn (nursery, "one of many", run_twice, &crowd, NULL, error));
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  g_assert_cmpuint (crowd.n_woken, ==, 0);
  tractor_event_set (event);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_many_tasks (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  for (int i = 0; i < 2000; i++)
    g_assert_true (tractor_nursery_spawn (nursery, "sleeper", sleep_forever, NULL, NULL, error));
  g_assert_true (tractor_checkpoint (error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error);
}

static gboolean
fail_main (G_GNUC_UNUSED gpointer data, GError **error)
{
  return fail_noent (NULL, error);
}

static void
test_main_error_is_unwrapped (void)
{
  for (const HarnessHost *host = harness_hosts; host->name != NULL; host++) {
    GError *error = NULL;

    g_assert_false (host->run (fail_main, NULL, &error));
    harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  }
}

static gboolean
test_run_inside_run (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (harness_get_host ()->run (return_true, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

static gboolean
test_run_local (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static char key;
  char value[] = "value";

  g_assert_null (tractor_run_local_get (&key));
  tractor_run_local_set (&key, value);
  g_assert_cmpstr (tractor_run_local_get (&key), ==, "value");
  tractor_run_local_set (&key, NULL);
  g_assert_null (tractor_run_local_get (&key));
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/guest/run/A1-main-error-is-unwrapped", test_main_error_is_unwrapped);
  harness_add_task ("/guest/run/A3-run-inside-run-is-refused", test_run_inside_run);
  harness_add ("/guest/run/A4-outside-a-task", test_outside_a_task);
  harness_add_task ("/guest/run/A13-names", test_names);
  harness_add_task ("/guest/run/numbers-tell-tasks-apart", test_ids);
  harness_add_task ("/guest/run/name-is-cut-at-a-character", test_name_is_cut_at_a_character);
  harness_add_task ("/guest/run/run-local", test_run_local);
  harness_add_task ("/guest/nursery/A15-join-waits", test_join_waits);
  harness_add_task ("/guest/nursery/A15-early-return-cancels-and-waits",
                    test_early_return_cancels_and_waits);
  harness_add_task ("/guest/nursery/A21-one-failure-is-a-group", test_one_failure_is_a_group);
  harness_add_task ("/guest/nursery/A22-all-failures-in-order", test_all_failures_in_order);
  harness_add_task ("/guest/nursery/A18-failure-interrupts-body", test_failure_interrupts_body);
  harness_add_task ("/guest/nursery/A18-body-failure-cancels-children",
                    test_body_failure_cancels_children);
  harness_add_task ("/guest/nursery/A20-unjoined-failure-is-not-lost",
                    test_unjoined_failure_is_not_lost);
  harness_add_task ("/guest/nursery/A46-timeout-around-early-return",
                    test_timeout_around_early_return);
  harness_add_task ("/guest/nursery/A20-unjoined-failure-comes-out-of-scope",
                    test_unjoined_failure_comes_out_of_scope);
  harness_add_task ("/guest/nursery/A20-unjoined-cancel-is-no-failure",
                    test_unjoined_cancel_is_no_failure);
  harness_add_task ("/guest/nursery/A43-outer-reason-is-kept", test_outer_reason_is_kept);
  harness_add_task ("/guest/nursery/A51-joined-by-another-task", test_joined_by_another_task);
  harness_add_task ("/guest/nursery/any-true-is-true", test_any_true_is_true);
  harness_add_task ("/guest/task/A67-checkpoint-if-cancelled", test_checkpoint_if_cancelled);
  harness_add_task ("/guest/nursery/A23-cancelled-scope-empties-groups",
                    test_cancelled_scope_empties_groups);
  harness_add_task ("/guest/nursery/A23-cancelled-scope-takes-groups-of-cancels",
                    test_cancelled_scope_takes_groups_of_cancels);
  harness_add_task ("/guest/nursery/A16-empty-join-is-no-cancel-point",
                    test_empty_join_is_no_cancel_point);
  harness_add_task ("/guest/nursery/A10-spawn-into-cancelled-starts",
                    test_spawn_into_cancelled_starts);
  harness_add_task ("/guest/nursery/A11-spawn-into-closed-fails", test_spawn_into_closed_fails);
  harness_add_task ("/guest/nursery/A11-children-spawn-while-joined",
                    test_children_spawn_while_joined);
  harness_add_task ("/guest/nursery/A9-spawners-scope-does-not-apply",
                    test_spawner_scope_does_not_apply);
  harness_add_task ("/guest/nursery/A19-left-open", test_left_open);
  harness_add_task ("/guest/nursery/A19-misnested", test_misnested);
  harness_add_task ("/guest/nursery/false-without-error", test_false_without_error);
  harness_add_task ("/guest/nursery/A115-argument-freed-once", test_argument_freed_once);
  harness_add_task ("/guest/nursery/A115-argument-of-one-refused-is-freed",
                    test_argument_of_refused_freed);
  harness_add_task ("/guest/task/A79-A113-errno-and-rounding-kept", test_errno_and_rounding_kept);
  harness_add_task ("/guest/task/A76-nobody-runs-twice-before-all",
                    test_nobody_runs_twice_before_all);
  harness_add_task ("/guest/task/A65-sleep-is-never-early", test_sleep_is_never_early);
  harness_add_task ("/guest/task/C-13-two-thousand-sleepers", test_many_tasks);
  harness_add_task ("/guest/task/C-13-all-wake-at-once", test_all_wake_at_once);
  return harness_run ();
}
