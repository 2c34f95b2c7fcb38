/* test-hold.c - what a task has to give back that is no scope. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "harness.h"
#include "tractor-task.h"

/* An object of a library's. */
typedef struct {
  TractorHold *hold;
  GString *story; /* what became of it, by whom */
  char name;
} Thing;

static void
close_left_open (gpointer data)
{
  Thing *thing = data;
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  g_assert_true (tractor_checkpoint (NULL)); /* it may wait */
  thing->hold = NULL;
  g_string_append_printf (thing->story, " left %c", thing->name);
}

static void
thing_open (Thing *thing)
{
  thing->hold = tractor_task_hold ("a thing", close_left_open, thing);
  g_assert_nonnull (thing->hold);
}

static void
thing_close (Thing *thing)
{
  tractor_hold_release (g_steal_pointer (&thing->hold));
  g_string_append_printf (thing->story, " closed %c", thing->name);
}

typedef struct {
  Thing things[3];
  gboolean closes_with_data;
  GString *story;
} Things;

static Things
things_make (GString *story)
{
  return (
      Things){ { { NULL, story, 'a' }, { NULL, story, 'b' }, { NULL, story, 'c' } }, FALSE, story };
}

static void
free_data (gpointer data)
{
  Things *things = data;

  g_string_append (things->story, " data");
  if (things->closes_with_data)
    for (guint i = 0; i < G_N_ELEMENTS (things->things); i++) /* the oldest first */
      thing_close (&things->things[i]);
}

static gboolean
open_all (gpointer data, G_GNUC_UNUSED GError **error)
{
  Things *things = data;

  for (guint i = 0; i < G_N_ELEMENTS (things->things); i++)
    thing_open (&things->things[i]);
  return TRUE;
}

/* Each is a mistake of the task's, and closed once the data is free; the newest first. */
static gboolean
test_left_open (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GString) story = g_string_new (NULL);
  g_autofree char *words = NULL;
  Things things = things_make (story);

  tractor_nursery_spawn (nursery, "offender", open_all, &things, free_data, error);
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  words = tractor_error_describe (*error);
  g_assert_nonnull (strstr (
      words,
      "Task 'offender' left its function while a thing that it opened inside was still open"));
  g_assert_cmpstr (story->str, ==, " data left c left b left a");
  g_clear_error (error);
  return TRUE;
}

static gboolean
test_closed_with_the_data (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GString) story = g_string_new (NULL);
  Things things = things_make (story);

  things.closes_with_data = TRUE;
  tractor_nursery_spawn (nursery, "opener", open_all, &things, free_data, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpstr (story->str, ==, " data closed a closed b closed c");
  return TRUE;
}

static gboolean
close_of_another (gpointer thing, G_GNUC_UNUSED GError **error)
{
  thing_close (thing);
  return TRUE;
}

static gboolean
test_closed_by_another_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GString) story = g_string_new (NULL);
  Thing thing = { NULL, story, 'a' };

  thing_open (&thing);
  tractor_nursery_spawn (nursery, "other", close_of_another, &thing, NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpstr (story->str, ==, " closed a");
  return TRUE;
}

/* What was taken after a mark is a mistake of who was called there; what was taken before stays. */
static gboolean
test_abandoned_since_a_mark (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (GString) story = g_string_new (NULL);
  Things things = things_make (story);
  guint64 mark;

  thing_open (&things.things[0]);
  mark = tractor_task_mark_holds ();
  g_assert_false (tractor_task_has_holds (mark));
  thing_open (&things.things[1]);
  thing_open (&things.things[2]);
  g_assert_true (tractor_task_has_holds (mark));
  thing_close (&things.things[1]);
  tractor_task_abandon_holds (mark);
  g_assert_false (tractor_task_has_holds (mark));
  g_assert_cmpstr (story->str, ==, " closed b left c");
  g_assert_false (tractor_cancel_scope_absorb (scope, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_clear_error (error);
  thing_close (&things.things[0]);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/hold/left-open", test_left_open);
  harness_add_task ("/guest/hold/closed-with-the-data", test_closed_with_the_data);
  harness_add_task ("/guest/hold/closed-by-another-task", test_closed_by_another_task);
  harness_add_task ("/guest/hold/abandoned-since-a-mark", test_abandoned_since_a_mark);
  return harness_run ();
}
