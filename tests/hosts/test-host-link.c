/* test-host-link.c - a task linked with callbacks of its host: who ended first, and what comes out.
 *
 * Each story is played on every loop, whose own timers are the host's side, and on the built-in host, whose
 * callbacks are what tractor_guest_run_soon() calls. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "harness.h"
#include "loops.h"
#include "tractor-builtin.h"
#include "tractor-host-link.h"
#include "tractor-sync.h"

typedef struct _Show Show;
typedef void (*Act) (Show *show);

/* The host's side does what its acts say, one in each callback, and notes what it is told. */
struct _Show {
  const Loop *kind; /* NULL: the built-in host */
  gpointer loop;
  TractorGuest *guest;
  const Act *acts; /* after start(); NULL ends them */
  Act on_stop;
  Act on_room;
  TractorHostEnd *end; /* valid while the link is */
  guint n_stops;
  guint n_rooms;
  guint n_sent;
  guint n_received;
  TractorHostStop reason;
  GError *cause;    /* what stop() was called with */
  gboolean is_over; /* the host's side has told its end */
  int n_alive;      /* items, both ways */
  GError *done;
  guint n_done;
  TractorEvent *happened; /* all acts, or the end of an errand */
  TractorNursery *nursery;
  TractorCancelScope *scope;
  TractorTaskFunc play;
};

/* --- the host's side ------------------------------------------------------------------------------- */

typedef struct {
  Show *show;
  guint number;
} Item;

static Item *
item_new (Show *show, guint number)
{
  Item *item = g_new (Item, 1);

  *item = (Item){ show, number };
  show->n_alive++;
  return item;
}

static void
item_free (gpointer data)
{
  Item *item = data;

  item->show->n_alive--;
  g_free (item);
}

static void
later (Show *show, TractorSoonFunc func)
{
  if (show->kind != NULL)
    show->kind->call_later (show->loop, 1, func, show);
  else
    g_assert_true (tractor_guest_run_soon (show->guest, func, show));
}

static void
act (gpointer data)
{
  Show *show = data;
  Act next = *show->acts++;

  g_assert_false (tractor_in_task ());
  next (show);
  if (*show->acts != NULL)
    later (show, act);
  else
    tractor_event_set (show->happened);
}

static void
start (TractorHostEnd *end, gpointer data)
{
  Show *show = data;

  g_assert_false (tractor_in_task ());
  g_assert_null (tractor_guest_get_current ()); /* outside any tick */
  show->end = end;
  later (show, act);
}

static void
receive (TractorHostEnd *end, gpointer data, gpointer user_data)
{
  Show *show = user_data;
  Item *item = data;

  g_assert_true (end == show->end);
  g_assert_null (tractor_guest_get_current ());
  g_assert_cmpuint (item->number, ==, show->n_received);
  g_assert_cmpuint (show->n_stops, ==, 0);
  show->n_received++;
  item_free (item);
}

static void
act_on_stop (gpointer data)
{
  Show *show = data;

  show->on_stop (show);
}

static void
stop (TractorHostEnd *end, TractorHostStop reason, const GError *error, gpointer data)
{
  Show *show = data;

  g_assert_true (end == show->end);
  g_assert_null (tractor_guest_get_current ());
  show->n_stops++;
  show->reason = reason;
  show->cause = error != NULL ? g_error_copy (error) : NULL;
  later (show, act_on_stop); /* a while after it was asked */
}

static void
room (G_GNUC_UNUSED TractorHostEnd *end, gpointer data)
{
  Show *show = data;

  g_assert_null (tractor_guest_get_current ());
  show->n_rooms++;
  show->on_room (show);
}

static const TractorHostLinkOps ops = { start, receive, stop, room, item_free, item_free };

static void
say_started (Show *show)
{
  tractor_host_end_started (show->end, item_new (show, 100));
}

static void
send_item (Show *show)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor_host_end_send (show->end, item_new (show, show->n_sent++), &error));
  g_assert_no_error (error);
}

static void
finish (Show *show)
{
  show->is_over = TRUE;
  tractor_host_end_finish (show->end, item_new (show, 200));
}

static void
fail (Show *show)
{
  show->is_over = TRUE;
  tractor_host_end_fail (show->end, g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "full"));
}

static void
fail_alike (Show *show)
{
  show->is_over = TRUE;
  tractor_host_end_fail (show->end, g_error_copy (show->cause));
}

static void
cancel_itself (Show *show)
{
  show->is_over = TRUE;
  tractor_host_end_cancelled (show->end);
}

static void
cancel_scope (Show *show)
{
  tractor_cancel_scope_cancel (show->scope, "the host wants it");
}

static void
do_nothing (G_GNUC_UNUSED Show *show)
{
}

static const Act only_start[] = { say_started, NULL };
static const Act nothing[] = { do_nothing, NULL };

/* --- playing it ------------------------------------------------------------------------------------ */

static gboolean
play_main (gpointer data, GError **error)
{
  Show *show = data;
  g_autoptr (TractorEvent) happened = tractor_event_new ();

  show->guest = tractor_guest_get_current ();
  show->happened = happened;
  return show->play (show, error);
}

static void
on_done (const GError *error, gpointer data)
{
  Show *show = data;

  g_assert_no_error (error);
  show->kind->stop (show->loop);
}

static void
play_on_loop (Show *show)
{
  g_autoptr (GError) error = NULL;

  show->loop = show->kind->new ();
  harness_set_guest (show->kind->attach (show->loop, play_main, show, on_done, show, &error));
  g_assert_no_error (error);
  show->kind->run (show->loop);
  show->kind->free (show->loop);
}

static void
play_on_builtin (Show *show)
{
  g_autoptr (GError) error = NULL;

  tractor_run (play_main, show, &error);
  g_assert_no_error (error);
}

/* And afterwards nothing is left. */
static void
play_on (const Loop *kind, const Show *script)
{
  Show show = *script;

  show.kind = kind;
  g_test_message ("on %s", kind != NULL ? kind->name : "builtin");
  if (kind != NULL)
    play_on_loop (&show);
  else
    play_on_builtin (&show);
  g_assert_cmpint (show.n_alive, ==, 0);
  g_clear_error (&show.cause);
  g_clear_error (&show.done);
}

static void
play (const Show *script)
{
  for (const Loop *kind = loops; kind->name != NULL; kind++)
    play_on (kind, script);
  play_on (NULL, script);
}

static TractorHostLink *
open_with (Show *show, guint capacity, TractorHostLinkFlags flags)
{
  g_autoptr (GError) error = NULL;
  gpointer first = NULL;
  TractorHostLink *link = tractor_host_link_open (&ops, show, capacity, flags, &first, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (((Item *) first)->number, ==, 100);
  item_free (first);
  return link;
}

static TractorHostLink *
open_link (Show *show)
{
  return open_with (show, 4, TRACTOR_HOST_LINK_DEFAULT);
}

static void
assert_outcome (TractorHostLink *link, Show *show, TractorHostOutcome outcome, guint n_stops)
{
  g_assert_cmpint (tractor_host_link_get_outcome (link), ==, outcome);
  g_assert_cmpuint (show->n_stops, ==, n_stops);
  g_assert_true (show->is_over);
}

static void
assert_open_fails (Show *show, GQuark domain, int code)
{
  GError *error = NULL;

  g_assert_null (tractor_host_link_open (&ops, show, 4, TRACTOR_HOST_LINK_DEFAULT, NULL, &error));
  harness_assert_error (error, domain, code);
  g_assert_true (show->is_over);
}

static void
assert_calls_fail (TractorHostLink *link, Show *show, GQuark domain, int code)
{
  Item *item = item_new (show, 0);
  GError *error = NULL;
  gpointer got;

  g_assert_false (tractor_host_link_receive (link, &got, &error));
  harness_assert_error (error, domain, code);
  g_assert_false (tractor_host_link_send (link, item, &error));
  harness_assert_error (error, domain, code);
  item_free (item);
}

static void
assert_member (const GError *group, guint index, GQuark domain, int code)
{
  const GError *member;

  g_assert_error (group, TRACTOR_ERROR, TRACTOR_ERROR_GROUP);
  g_assert_cmpuint (tractor_error_get_children (group)->len, >, index);
  member = tractor_error_get_children (group)->pdata[index];
  g_assert_error (member, domain, code);
}

static gboolean
sleep_forever (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* --- the host's side fails --------------------------------------------------------------------------- */

static gboolean
see_it_fail (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorHostLink) link = open_link (show);
  GError *error = NULL;

  /* Whatever the task is doing. */
  g_assert_false (sleep_forever (NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  assert_calls_fail (link, show, G_FILE_ERROR, G_FILE_ERROR_NOSPC); /* not the items first */
  g_assert_false (tractor_host_link_wait (link, NULL, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_false (tractor_host_link_leave (link, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  assert_outcome (link, show, TRACTOR_HOST_OUTCOME_HOST_FAILED, 0);
  return TRUE;
}

static void
test_host_fails (void)
{
  static const Act acts[] = { say_started, send_item, fail, NULL };

  play (&(Show){ .acts = acts, .play = see_it_fail });
}

/* In each call that waits, and in none. */
static gboolean
see_it_fail_in_receive (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorHostLink) link = open_link (show);
  GError *error = NULL;
  gpointer item;

  g_assert_false (tractor_host_link_receive (link, &item, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_false (tractor_host_link_leave (link, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  assert_outcome (link, show, TRACTOR_HOST_OUTCOME_HOST_FAILED, 0);
  return TRUE;
}

static gboolean
see_it_fail_in_wait (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorHostLink) link = open_link (show);
  GError *error = NULL;

  g_assert_false (tractor_host_link_wait (link, NULL, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  return TRUE; /* and it has been told, so closing need not tell it again */
}

/* Nobody asked, so it comes out further up. */
static gboolean
see_it_fail_above (gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  GError *error = NULL;
  {
    g_autoptr (TractorHostLink) link = open_link (data);

    g_assert_false (sleep_forever (NULL, NULL));
  }
  g_assert_false (tractor_cancel_scope_absorb (scope, &error));
  assert_member (error, 0, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_cmpuint (tractor_error_get_children (error)->len, ==, 1);
  g_clear_error (&error);
  return TRUE;
}

static void
test_host_fails_while (void)
{
  static const Act acts[] = { say_started, fail, NULL };

  play (&(Show){ .acts = acts, .play = see_it_fail_in_receive });
  play (&(Show){ .acts = acts, .play = see_it_fail_in_wait });
  play (&(Show){ .acts = acts, .play = see_it_fail_above });
}

static gboolean
see_it_fail_to_start (gpointer data, G_GNUC_UNUSED GError **unused)
{
  assert_open_fails (data, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_cmpuint (((Show *) data)->n_stops, ==, 0);
  return TRUE;
}

static void
start_and_fail (Show *show)
{
  say_started (show);
  send_item (show);
  fail (show);
}

/* What counts is what the host's side said first, not when the task hears of it. */
static void
test_host_fails_before_started (void)
{
  static const Act unstarted[] = { fail, NULL };
  static const Act at_once[] = { start_and_fail, NULL };

  play (&(Show){ .acts = unstarted, .play = see_it_fail_to_start });
  play (&(Show){ .acts = at_once, .play = see_it_fail });
}

/* --- it cancels itself ------------------------------------------------------------------------------- */

/* It is no CANCELLED: the scope, which is cancelled, does not take it away. */
static gboolean
see_it_cancel_itself (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorHostLink) link = open_link (show);
  GError *error = NULL;
  gpointer item;

  g_assert_false (tractor_host_link_receive (link, &item, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_HOST_CANCELLED);
  assert_calls_fail (link, show, TRACTOR_ERROR, TRACTOR_ERROR_HOST_CANCELLED);
  g_assert_false (tractor_host_link_wait (link, NULL, &error));
  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_false (tractor_host_link_leave (link, &error));
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_HOST_CANCELLED);
  assert_outcome (link, show, TRACTOR_HOST_OUTCOME_HOST_CANCELLED, 0);
  g_assert_false (tractor_cancel_scope_absorb (scope, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_HOST_CANCELLED);
  return TRUE;
}

static gboolean
see_it_not_start (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;

  g_assert_null (tractor_host_link_open (&ops, data, 0, TRACTOR_HOST_LINK_DEFAULT, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  assert_open_fails (data, TRACTOR_ERROR, TRACTOR_ERROR_HOST_CANCELLED);
  return TRUE;
}

static void
test_host_is_cancelled (void)
{
  static const Act acts[] = { say_started, cancel_itself, NULL };
  static const Act unstarted[] = { cancel_itself, NULL };

  play (&(Show){ .acts = acts, .play = see_it_cancel_itself });
  play (&(Show){ .acts = unstarted, .play = see_it_not_start });
}

/* --- it finishes early ------------------------------------------------------------------------------- */

static void
receive_numbers (TractorHostLink *link, guint from, guint to)
{
  for (guint i = from; i < to; i++) {
    g_autoptr (GError) error = NULL;
    gpointer item;

    g_assert_true (tractor_host_link_receive (link, &item, &error));
    g_assert_cmpuint (((Item *) item)->number, ==, i);
    item_free (item);
  }
}

static gboolean
see_it_finish (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;

  g_autoptr (TractorHostLink) link = open_link (show);
  gpointer result = NULL;
  gpointer item;
  GError *error = NULL;

  g_assert_true (tractor_host_link_wait (link, &result, &error));
  g_assert_cmpuint (((Item *) result)->number, ==, 200);
  receive_numbers (link, 0, 2);
  assert_calls_fail (link, show, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  g_assert_false (tractor_host_link_receive (link, &item, &error));
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  g_prefix_error (&error, "while reading: ");
  g_assert_true (tractor_host_link_leave (link, &error));
  g_assert_no_error (error);
  assert_outcome (link, show, TRACTOR_HOST_OUTCOME_HOST_FINISHED, 0);
  assert_calls_fail (link, show, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

/* A task that waits when it comes. */
static gboolean
see_it_finish_and_mind (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;

  g_autoptr (TractorHostLink) link = open_with (show, 4, TRACTOR_HOST_LINK_REPORT_END);
  gpointer item;
  GError *error = NULL;

  receive_numbers (link, 0, 2);
  g_assert_false (tractor_host_link_receive (link, &item, &error));
  g_assert_false (tractor_host_link_leave (link, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  assert_outcome (link, show, TRACTOR_HOST_OUTCOME_HOST_FINISHED, 0);
  return TRUE;
}

static gboolean
child_receives (gpointer data, GError **error)
{
  gpointer item;

  return tractor_host_link_receive (data, &item, error);
}

/* The end comes in a group, and somebody else's CLOSED is not taken for it. */
static gboolean
see_it_finish_in_a_group (gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorHostLink) link = open_link (data);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *error = NULL;

  receive_numbers (link, 0, 2);
  tractor_nursery_spawn (nursery, NULL, child_receives, link, NULL, NULL);
  g_assert_false (sleep_forever (NULL, NULL)); /* it has failed */
  g_set_error_literal (&error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED, "a door");
  tractor_nursery_join (nursery, &error);
  assert_member (error, 1, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  g_assert_false (tractor_host_link_leave (link, &error));
  g_assert_cmpuint (tractor_error_get_children (error)->len, ==, 1);
  g_assert_nonnull (strstr (error->message, "a door"));
  g_clear_error (&error);
  return TRUE;
}

static gboolean
see_it_finish_unstarted (gpointer data, G_GNUC_UNUSED GError **unused)
{
  assert_open_fails (data, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

static void
test_host_finishes_early (void)
{
  static const Act acts[] = { say_started, send_item, send_item, finish, NULL };
  static const Act unstarted[] = { finish, NULL };

  play (&(Show){ .acts = acts, .play = see_it_finish });
  play (&(Show){ .acts = acts, .play = see_it_finish_and_mind });
  play (&(Show){ .acts = acts, .play = see_it_finish_in_a_group });
  play (&(Show){ .acts = unstarted, .play = see_it_finish_unstarted });
}

/* --- the task is cancelled --------------------------------------------------------------------------- */

static gboolean
be_cancelled (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorHostLink) link = NULL;
  GError *error = NULL;
  gpointer item;

  show->scope = scope;
  link = open_link (show);
  g_assert_false (tractor_host_link_receive (link, &item, &error));
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_false (show->is_over);
  g_assert_false (tractor_host_link_leave (link, &error));
  assert_outcome (link, show, TRACTOR_HOST_OUTCOME_TASK_CANCELLED, 1);
  g_assert_cmpint (show->reason, ==, TRACTOR_HOST_STOP_TASK_CANCELLED);
  g_assert_no_error (show->cause);
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_true (tractor_cancel_scope_absorb (scope, &error));
  return TRUE;
}

/* By g_autoptr, too. */
static gboolean
be_cancelled_and_return (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  GError *error = NULL;

  show->scope = scope;
  {
    g_autoptr (TractorHostLink) link = open_link (show);

    g_assert_false (tractor_host_link_wait (link, NULL, &error));
  }
  g_assert_true (show->is_over);
  g_assert_cmpint (show->reason, ==, TRACTOR_HOST_STOP_TASK_CANCELLED);
  g_assert_true (tractor_cancel_scope_absorb (scope, &error));
  return TRUE;
}

static void
test_task_is_cancelled (void)
{
  static const Act acts[] = { say_started, cancel_scope, NULL };

  play (&(Show){ .acts = acts, .on_stop = cancel_itself, .play = be_cancelled });
  play (&(Show){ .acts = acts, .on_stop = finish, .play = be_cancelled });
  play (&(Show){ .acts = acts, .on_stop = cancel_itself, .play = be_cancelled_and_return });
}

static gboolean
be_cancelled_while_opening (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  GError *error = NULL;

  show->scope = scope;
  assert_open_fails (show, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_cmpuint (show->n_stops, ==, 1);
  g_assert_cmpint (show->reason, ==, TRACTOR_HOST_STOP_TASK_CANCELLED);
  /* And if it is cancelled already, nothing is begun. */
  show->end = NULL;
  assert_open_fails (show, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_null (show->end);
  g_assert_true (tractor_cancel_scope_absorb (scope, &error));
  return TRUE;
}

static void
start_late_and_finish (Show *show)
{
  say_started (show); /* no mistake: who is to know? */
  finish (show);
}

static void
test_task_is_cancelled_before_started (void)
{
  static const Act acts[] = { cancel_scope, NULL };

  play (&(Show){ .acts = acts, .on_stop = cancel_itself, .play = be_cancelled_while_opening });
  play (&(Show){
      .acts = acts, .on_stop = start_late_and_finish, .play = be_cancelled_while_opening });
}

/* --- the task exits first ---------------------------------------------------------------------------- */

static gboolean
exit_first (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorHostLink) link = open_link (show);
  GError *error = NULL;

  for (guint i = 0; i < 3; i++)
    g_assert_true (tractor_host_link_send (link, item_new (show, i), NULL));
  g_assert_cmpint (tractor_host_link_get_outcome (link), ==, TRACTOR_HOST_OUTCOME_OPEN);
  g_assert_true (tractor_host_link_leave (link, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (show->n_received, ==, 3); /* it is told of the end after them */
  g_assert_cmpint (show->reason, ==, TRACTOR_HOST_STOP_TASK_EXITED);
  g_assert_no_error (show->cause);
  assert_outcome (link, show, TRACTOR_HOST_OUTCOME_TASK_EXITED, 1);
  g_assert_true (tractor_host_link_leave (link, &error)); /* again does nothing */
  return TRUE;
}

static gboolean
exit_first_by_return (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  {
    g_autoptr (TractorHostLink) link = open_link (show);
  }
  g_assert_true (show->is_over);
  g_assert_cmpint (show->reason, ==, TRACTOR_HOST_STOP_TASK_EXITED);
  return TRUE;
}

/* What comes too late for the task is refused, and that is no mistake. */
static void
send_too_late (Show *show)
{
  Item *item = item_new (show, 0);
  GError *error = NULL;

  g_assert_false (tractor_host_end_send (show->end, item, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  item_free (item);
  finish (show);
}

static void
test_task_exits_first (void)
{
  play (&(Show){ .acts = only_start, .on_stop = cancel_itself, .play = exit_first });
  play (&(Show){ .acts = only_start, .on_stop = send_too_late, .play = exit_first });
  play (&(Show){ .acts = only_start, .on_stop = finish, .play = exit_first_by_return });
}

/* Before it is told to: it is its own doing, although the task has left. */
static void
receive_and_cancel (TractorHostEnd *end, gpointer item, gpointer data)
{
  receive (end, item, data);
  cancel_itself (data);
}

static gboolean
exit_when_it_cancels_itself (gpointer data, G_GNUC_UNUSED GError **unused)
{
  static const TractorHostLinkOps gives_up = { start, receive_and_cancel, stop,
                                               room,  item_free,          item_free };
  Show *show = data;
  g_autoptr (TractorHostLink) link =
      tractor_host_link_open (&gives_up, show, 4, TRACTOR_HOST_LINK_DEFAULT, NULL, NULL);
  GError *error = NULL;

  g_assert_true (tractor_host_link_send (link, item_new (show, 0), NULL));
  g_assert_false (tractor_host_link_leave (link, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_HOST_CANCELLED);
  assert_outcome (link, show, TRACTOR_HOST_OUTCOME_TASK_EXITED, 0);
  return TRUE;
}

static void
test_task_exits_as_host_is_cancelled (void)
{
  play (&(Show){ .acts = only_start, .play = exit_when_it_cancels_itself });
}

/* --- failures of the task, and of both --------------------------------------------------------------- */

static GError *
out_of_ideas (void)
{
  return g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOENT, "no ideas");
}

static gboolean
fail_first (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorHostLink) link = open_link (show);
  GError *error = out_of_ideas ();

  g_assert_false (tractor_host_link_leave (link, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_cmpint (show->reason, ==, TRACTOR_HOST_STOP_TASK_FAILED);
  g_assert_error (show->cause, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  assert_outcome (link, show, TRACTOR_HOST_OUTCOME_TASK_FAILED, 1);
  return TRUE;
}

static void
test_task_fails (void)
{
  play (&(Show){ .acts = only_start, .on_stop = cancel_itself, .play = fail_first });
  play (&(Show){ .acts = only_start, .on_stop = finish, .play = fail_first });
}

static void
assert_both (GError *error, int first, int second)
{
  assert_member (error, 0, G_FILE_ERROR, first);
  assert_member (error, 1, G_FILE_ERROR, second);
  g_assert_cmpuint (tractor_error_get_children (error)->len, ==, 2);
  g_error_free (error);
}

static gboolean
fail_before_the_host (gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorHostLink) link = open_link (data);
  GError *error = out_of_ideas ();

  g_assert_false (tractor_host_link_leave (link, &error));
  assert_both (error, G_FILE_ERROR_NOENT, G_FILE_ERROR_NOSPC);
  assert_outcome (link, data, TRACTOR_HOST_OUTCOME_TASK_FAILED, 1);
  return TRUE;
}

static gboolean
fail_after_the_host (gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorHostLink) link = open_link (data);
  GError *error = NULL;

  g_assert_false (sleep_forever (NULL, NULL)); /* it has, and we do not know */
  error = out_of_ideas ();
  g_assert_false (tractor_host_link_leave (link, &error));
  assert_both (error, G_FILE_ERROR_NOSPC, G_FILE_ERROR_NOENT);
  assert_outcome (link, data, TRACTOR_HOST_OUTCOME_HOST_FAILED, 0);
  return TRUE;
}

/* Nobody told anybody: two, although they look alike. */
static gboolean
fail_alike_by_chance (gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorHostLink) link = open_link (data);
  GError *error = NULL;

  g_assert_false (sleep_forever (NULL, NULL));
  g_set_error_literal (&error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "full");
  g_assert_false (tractor_host_link_leave (link, &error));
  assert_both (error, G_FILE_ERROR_NOSPC, G_FILE_ERROR_NOSPC);
  return TRUE;
}

/* Of a cancelled task the CANCELLED is a part, which its own scope takes away. */
static gboolean
be_cancelled_by_then (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorHostLink) link = open_link (show);
  GError *error = NULL;

  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_false (tractor_checkpoint (&error));
  g_assert_false (tractor_host_link_leave (link, &error));
  assert_member (error, 0, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  assert_member (error, 1, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  assert_outcome (link, show, TRACTOR_HOST_OUTCOME_TASK_CANCELLED, 1);
  g_assert_false (tractor_cancel_scope_absorb (scope, &error));
  assert_member (error, 0, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_clear_error (&error);
  return TRUE;
}

static void
test_both_fail (void)
{
  static const Act fails[] = { say_started, fail, NULL };

  play (&(Show){ .acts = only_start, .on_stop = fail, .play = fail_before_the_host });
  play (&(Show){ .acts = fails, .play = fail_after_the_host });
  play (&(Show){ .acts = fails, .play = fail_alike_by_chance });
  play (&(Show){ .acts = only_start, .on_stop = fail, .play = be_cancelled_by_then });
}

/* --- echoes ------------------------------------------------------------------------------------------ */

static gboolean
echo_what_the_host_failed_with (gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorHostLink) link = open_link (data);
  GError *error = NULL;
  gpointer item;

  g_assert_false (tractor_host_link_receive (link, &item, &error));
  g_prefix_error (&error, "while reading: ");
  g_assert_false (tractor_host_link_leave (link, &error));
  g_assert_cmpstr (error->message, ==, "while reading: full");
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  return TRUE;
}

/* It came by way of a child. */
static gboolean
echo_in_a_group (gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorHostLink) link = open_link (data);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *error = NULL;

  tractor_nursery_spawn (nursery, NULL, child_receives, link, NULL, NULL);
  g_assert_false (tractor_nursery_join (nursery, &error));
  g_assert_false (tractor_host_link_leave (link, &error));
  assert_member (error, 0, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_cmpuint (tractor_error_get_children (error)->len, ==, 1);
  g_clear_error (&error);
  return TRUE;
}

/* fail_first() is met with its own error. */
static void
test_echo (void)
{
  static const Act fails[] = { say_started, fail, NULL };

  play (&(Show){ .acts = fails, .play = echo_what_the_host_failed_with });
  play (&(Show){ .acts = fails, .play = echo_in_a_group });
  play (&(Show){ .acts = only_start, .on_stop = fail_alike, .play = fail_first });
}

/* --- items ------------------------------------------------------------------------------------------- */

#define N_ITEMS 10

/* As many as there is room for; the rest when room() is called. */
static void
send_what_fits (Show *show)
{
  while (show->n_sent < N_ITEMS) {
    Item *item = item_new (show, show->n_sent);
    GError *error = NULL;

    if (!tractor_host_end_send (show->end, item, &error)) {
      harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK);
      item_free (item);
      return;
    }
    show->n_sent++;
  }
  finish (show);
}

static gboolean
receive_slowly (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorHostLink) link = open_with (show, 2, TRACTOR_HOST_LINK_DEFAULT);
  GError *error = NULL;

  g_assert_true (tractor_event_wait (show->happened, NULL));
  g_assert_cmpuint (show->n_sent, ==, 2);
  g_assert_cmpuint (show->n_rooms, ==, 0);
  for (guint i = 0; i < N_ITEMS; i++) {
    receive_numbers (link, i, i + 1);
    g_assert_cmpuint (show->n_sent, <=, i + 3); /* one in hand, two in between */
  }
  g_assert_true (tractor_host_link_wait (link, NULL, NULL));
  g_assert_cmpuint (show->n_rooms, >=, 1);
  g_assert_true (tractor_host_link_leave (link, &error));
  return TRUE;
}

static void
test_bounded (void)
{
  static const Act acts[] = { say_started, send_what_fits, NULL };

  play (&(Show){ .acts = acts, .on_room = send_what_fits, .play = receive_slowly });
}

static gboolean
leave_items_behind (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorHostLink) link = open_link (show);
  GError *error = NULL;

  g_assert_true (tractor_event_wait (show->happened, NULL));
  tractor_host_link_send (link, item_new (show, 0), NULL);
  g_assert_true (tractor_host_link_leave (link, &error));
  g_assert_cmpint (show->n_alive, ==, 0);
  return TRUE;
}

/* The host's side ends in a receive(), before it has got all. */
static void
receive_one_and_finish (TractorHostEnd *end, gpointer item, gpointer data)
{
  receive (end, item, data);
  finish (data);
}

static gboolean
send_more_than_is_wanted (gpointer data, G_GNUC_UNUSED GError **unused)
{
  static const TractorHostLinkOps wants_one = { start,     receive_one_and_finish,
                                                stop,      room,
                                                item_free, item_free };
  Show *show = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (TractorHostLink) link =
      tractor_host_link_open (&wants_one, show, 4, TRACTOR_HOST_LINK_DEFAULT, NULL, &error);

  for (guint i = 0; i < 3; i++)
    g_assert_true (tractor_host_link_send (link, item_new (show, i), NULL));
  g_assert_true (tractor_host_link_leave (link, &error));
  g_assert_cmpuint (show->n_received, ==, 1);
  g_assert_cmpuint (show->n_stops, ==, 0);
  return TRUE;
}

static void
test_items_under_way (void)
{
  static const Act acts[] = { say_started, send_item, send_item, NULL };

  play (&(Show){ .acts = acts, .on_stop = finish, .play = leave_items_behind });
  play (&(Show){ .acts = only_start, .play = send_more_than_is_wanted });
}

static gboolean
expect_closed (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;
  gpointer item;

  g_assert_false (tractor_host_link_receive (data, &item, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

static gboolean
expect_closed_in_wait (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;

  g_assert_false (tractor_host_link_wait (data, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

/* A task outside the link waits at it, and it is closed. */
static gboolean
close_under_another (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  {
    g_autoptr (TractorHostLink) link = open_link (data);

    tractor_nursery_spawn (nursery, NULL, expect_closed, link, NULL, error);
    tractor_nursery_spawn (nursery, NULL, expect_closed_in_wait, link, NULL, error);
    g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  }
  return tractor_nursery_join (nursery, error);
}

static void
test_closed_under_another (void)
{
  play (&(Show){ .acts = only_start, .on_stop = finish, .play = close_under_another });
}

/* --- loops inside callbacks --------------------------------------------------------------------------- */

static void
do_little (G_GNUC_UNUSED gpointer data)
{
}

/* Everything that comes later comes in here: the rest of the items, and that the task leaves. */
static void
receive_in_nested_loop (TractorHostEnd *end, gpointer item, gpointer data)
{
  Show *show = data;
  gboolean is_first = ((Item *) item)->number == 0;

  receive (end, item, data);
  while (is_first && show->n_stops == 0)
    g_main_context_iteration (g_main_loop_get_context (show->loop), TRUE);
}

static gboolean
send_one_by_one (gpointer data, G_GNUC_UNUSED GError **unused)
{
  static const TractorHostLinkOps nests = { start,    receive_in_nested_loop, stop, room, item_free,
                                            item_free };
  Show *show = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (TractorHostLink) link =
      tractor_host_link_open (&nests, show, 4, TRACTOR_HOST_LINK_DEFAULT, NULL, &error);

  for (guint i = 0; i < 3; i++) {
    g_assert_true (tractor_host_link_send (link, item_new (show, i), NULL));
    g_assert_true (tractor_checkpoint (NULL));
  }
  g_assert_true (tractor_run_in_host (do_little, show, NULL)); /* in there, too */
  g_assert_cmpuint (show->n_received, ==, 3);
  g_assert_true (tractor_host_link_leave (link, &error));
  g_assert_cmpuint (show->n_received, ==, 3);
  assert_outcome (link, show, TRACTOR_HOST_OUTCOME_TASK_EXITED, 1);
  return TRUE;
}

static void
test_nested_loop (void)
{
  play_on (&loops[LOOP_GLIB],
           &(Show){ .acts = only_start, .on_stop = finish, .play = send_one_by_one });
}

/* --- mistakes ---------------------------------------------------------------------------------------- */

static void
expect_mistake (const char *pattern)
{
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, pattern);
}

static void
say_all_too_late (gpointer data)
{
  Show *show = data;
  Item *item = item_new (show, 0);
  GError *error = NULL;

  expect_mistake ("*'started' after its end*");
  tractor_host_end_started (show->end, item_new (show, 0));
  expect_mistake ("*'send' after its end*");
  g_assert_false (tractor_host_end_send (show->end, item, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  item_free (item);
  expect_mistake ("*'finish' after its end*");
  tractor_host_end_finish (show->end, item_new (show, 0));
  expect_mistake ("*'fail' after its end*");
  tractor_host_end_fail (show->end, out_of_ideas ());
  expect_mistake ("*'cancelled' after its end*");
  tractor_host_end_cancelled (show->end);
  g_test_assert_expected_messages ();
}

static void
start_twice (Show *show)
{
  say_started (show);
  expect_mistake ("*'started' a second time*");
  say_started (show);
  g_test_assert_expected_messages ();
}

static gpointer
finish_elsewhere (gpointer end)
{
  expect_mistake ("*thread that is not its own*");
  tractor_host_end_finish (end, NULL);
  g_test_assert_expected_messages ();
  return NULL;
}

static gboolean
see_mistakes (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorHostEnd) end = NULL;
  GError *error = NULL;
  {
    g_autoptr (TractorHostLink) link = open_link (show);

    end = tractor_host_end_ref (show->end);
    expect_mistake ("*task says 'finish'*callbacks of the host*");
    tractor_host_end_finish (end, NULL);
    g_test_assert_expected_messages ();
    g_thread_join (g_thread_new ("elsewhere", finish_elsewhere, end));
    g_assert_true (tractor_host_link_leave (link, &error));
    g_assert_true (tractor_run_in_host (say_all_too_late, show, NULL));
    assert_outcome (link, show, TRACTOR_HOST_OUTCOME_TASK_EXITED, 1);
  }
  g_assert_true (tractor_run_in_host (say_all_too_late, show, NULL)); /* the link is freed */
  return TRUE;
}

static void
test_mistakes (void)
{
  static const Act acts[] = { start_twice, NULL };

  play (&(Show){ .acts = acts, .on_stop = finish, .play = see_mistakes });
}

static gboolean
leave_it_open (gpointer data, G_GNUC_UNUSED GError **error)
{
  open_link (data);
  return TRUE;
}

/* The host's side is told all the same, before the task ends with the mistake, and nothing leaks. */
static gboolean
see_it_left_open (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *error = NULL;

  tractor_nursery_spawn (nursery, "sloppy", leave_it_open, show, NULL, NULL);
  g_assert_false (tractor_nursery_join (nursery, &error));
  g_assert_nonnull (strstr (error->message, "while a link that it opened"));
  g_assert_true (tractor_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_assert_true (tractor_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (&error);
  g_assert_cmpuint (show->n_stops, ==, 1);
  g_assert_true (show->is_over);
  return TRUE;
}

static gboolean
close_what_is_around (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  TractorCancelScope *scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  TractorHostLink *link = open_link (show);
  GError *error = NULL;

  g_assert_false (tractor_cancel_scope_absorb (scope, &error));
  g_assert_true (tractor_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_clear_error (&error);
  g_assert_true (show->is_over);
  tractor_host_link_close (link);
  tractor_cancel_scope_close (scope);
  return TRUE;
}

static void
test_left_open (void)
{
  play (&(Show){ .acts = only_start, .on_stop = finish, .play = close_what_is_around });
  play (&(Show){ .acts = only_start, .on_stop = fail, .play = see_it_left_open });
}

/* --- tasks from callbacks ---------------------------------------------------------------------------- */

static void
note_done (const GError *error, gpointer data)
{
  Show *show = data;

  g_assert_false (tractor_in_task ());
  g_assert_cmpint (show->n_alive, ==, 0); /* the data first */
  show->n_done++;
  show->done = error != NULL ? g_error_copy (error) : NULL;
  tractor_event_set (show->happened);
}

static gboolean
succeed (gpointer data, GError **error)
{
  g_assert_cmpuint (((Item *) data)->number, ==, 7);
  g_assert_cmpstr (tractor_task_get_name (), ==, "errand");
  return tractor_checkpoint (error);
}

static gboolean
run_out_of_ideas (gpointer data, GError **error)
{
  if (!succeed (data, error))
    return FALSE;
  g_propagate_error (error, out_of_ideas ());
  return FALSE;
}

/* What a nursery that nobody joins has lost belongs to the errand. */
static gboolean
lose_a_failure (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "errand", run_out_of_ideas, data, NULL, error);
  sleep_forever (NULL, NULL); /* until it has failed */
  return TRUE;
}

static void
spawn (Show *show, TractorTaskFunc func)
{
  tractor_spawn_from_host (show->nursery, "errand", func, item_new (show, 7), item_free, note_done,
                           show);
}

static void
spawn_success (gpointer data)
{
  spawn (data, succeed);
}

static void
spawn_failure (gpointer data)
{
  spawn (data, run_out_of_ideas);
}

static void
spawn_loser (gpointer data)
{
  spawn (data, lose_a_failure);
}

static void
spawn_sleeper (gpointer data)
{
  spawn (data, sleep_forever);
}

static void
cancel_nursery (gpointer data)
{
  Show *show = data;

  g_assert_cmpuint (show->n_done, ==, 0);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (show->nursery), "enough");
}

/* Waits until the errand has been told of. */
static void
run_errand (Show *show, TractorSoonFunc spawn_it)
{
  g_autoptr (TractorEvent) happened = tractor_event_new ();

  show->happened = happened;
  show->n_done = 0;
  g_clear_error (&show->done);
  later (show, spawn_it);
  g_assert_true (tractor_event_wait (happened, NULL));
}

static gboolean
send_errands (gpointer data, GError **error)
{
  Show *show = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  show->nursery = nursery;
  run_errand (show, spawn_success);
  g_assert_no_error (show->done);
  run_errand (show, spawn_failure);
  g_assert_error (show->done, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  run_errand (show, spawn_loser);
  g_assert_true (tractor_error_matches (show->done, G_FILE_ERROR, G_FILE_ERROR_NOENT));
  g_assert_true (tractor_checkpoint (error)); /* the nursery does not mind */
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (show->n_done, ==, 1);
  return TRUE;
}

/* The nursery is not left before the host knows. */
static gboolean
cancel_errand (gpointer data, GError **error)
{
  Show *show = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  show->nursery = nursery;
  later (show, spawn_sleeper);
  later (show, cancel_nursery);
  sleep_forever (NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (show->n_done, ==, 1);
  g_assert_error (show->done, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  return TRUE;
}

static void
spawn_in_vain (gpointer data)
{
  Show *show = data;

  spawn_success (show);
  g_assert_cmpuint (show->n_done, ==, 1); /* before it returns */
}

static gboolean
send_errand_too_late (gpointer data, GError **error)
{
  Show *show = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  show->nursery = nursery;
  g_assert_true (tractor_nursery_join (nursery, error));
  run_errand (show, spawn_in_vain);
  g_assert_error (show->done, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

static void
test_spawn_from_host (void)
{
  play (&(Show){ .acts = nothing, .play = send_errands });
  play (&(Show){ .acts = nothing, .play = cancel_errand });
  play (&(Show){ .acts = nothing, .play = send_errand_too_late });
}

/* A guest that is freed before its time, which is a mistake: the host waits for an answer all the same. */

static TractorNursery *dropped; /* the task's, which will not free it */
static TractorHostLink *dropped_link;

static void
schedule (G_GNUC_UNUSED gpointer host, G_GNUC_UNUSED gboolean yielded)
{
}

static gboolean
open_and_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  dropped = tractor_nursery_open ();
  return sleep_forever (NULL, error);
}

static void
note_dropped (const GError *error, gpointer data)
{
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_RUN_FINISHED);
  ++*(guint *) data;
}

static void
never_done (G_GNUC_UNUSED const GError *error, G_GNUC_UNUSED gpointer data)
{
  g_assert_not_reached ();
}

static void
test_dropped_errand (void)
{
  static const TractorHostOps host = { .version = TRACTOR_HOST_VERSION, .schedule = schedule };
  guint n_dropped = 0;
  TractorGuest *guest =
      tractor_guest_new (&host, NULL, open_and_wait, NULL, never_done, NULL, NULL);

  tractor_guest_tick (guest);
  tractor_spawn_from_host (dropped, "errand", sleep_forever, NULL, NULL, note_dropped, &n_dropped);
  tractor_guest_tick (guest);
  g_assert_cmpuint (n_dropped, ==, 0);
  expect_mistake ("*errand*");
  tractor_guest_free (guest);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (n_dropped, ==, 1);
}

static TractorHostEnd *kept; /* (nullable): by a callback of the host */

static void
start_and_keep (TractorHostEnd *end, G_GNUC_UNUSED gpointer data)
{
  kept = tractor_host_end_ref (end);
  tractor_host_end_started (end, NULL);
}

static gboolean
open_link_and_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const TractorHostLinkOps keeping = { .start = start_and_keep, .item_free = g_free };

  dropped_link = tractor_host_link_open (&keeping, NULL, 1, TRACTOR_HOST_LINK_DEFAULT, NULL, error);
  return sleep_forever (NULL, error);
}

/* A callback that comes after the guest was freed, with a link open: it is told, and nothing is touched. */
static void
test_guest_freed_with_a_link (void)
{
  static const TractorHostOps host = { .version = TRACTOR_HOST_VERSION, .schedule = schedule };
  TractorGuest *guest =
      tractor_guest_new (&host, NULL, open_link_and_wait, NULL, never_done, NULL, NULL);
  GError *error = NULL;
  char *item = g_strdup ("for nobody");

  while (dropped_link == NULL)
    tractor_guest_tick (guest);
  expect_mistake ("*freed while*");
  tractor_guest_free (guest);
  g_test_assert_expected_messages ();
  expect_mistake ("*'send', but its guest was freed");
  g_assert_false (tractor_host_end_send (kept, item, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_free (item);
  expect_mistake ("*'finish', but its guest was freed");
  tractor_host_end_finish (kept, g_strdup ("for nobody"));
  g_test_assert_expected_messages ();
  tractor_host_end_unref (kept);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/hosts/link/row-106-host-fails", test_host_fails);
  harness_add ("/hosts/link/row-106-host-fails-while-the-task", test_host_fails_while);
  harness_add ("/hosts/link/row-106-host-fails-before-started", test_host_fails_before_started);
  harness_add ("/hosts/link/row-106-host-is-cancelled", test_host_is_cancelled);
  harness_add ("/hosts/link/row-106-host-finishes-early", test_host_finishes_early);
  harness_add ("/hosts/link/row-106-task-is-cancelled", test_task_is_cancelled);
  harness_add ("/hosts/link/row-106-task-is-cancelled-before-started",
               test_task_is_cancelled_before_started);
  harness_add ("/hosts/link/row-106-task-exits-first", test_task_exits_first);
  harness_add ("/hosts/link/row-106-task-exits-as-host-is-cancelled",
               test_task_exits_as_host_is_cancelled);
  harness_add ("/hosts/link/row-106-task-fails", test_task_fails);
  harness_add ("/hosts/link/row-106-both-fail", test_both_fail);
  harness_add ("/hosts/link/row-106-echo", test_echo);
  harness_add ("/hosts/link/bounded", test_bounded);
  harness_add ("/hosts/link/items-under-way", test_items_under_way);
  harness_add ("/hosts/link/closed-under-another", test_closed_under_another);
  harness_add ("/hosts/link/glib/nested-loop", test_nested_loop);
  harness_add ("/hosts/link/mistakes", test_mistakes);
  harness_add ("/hosts/link/left-open", test_left_open);
  harness_add ("/hosts/link/spawn-from-host", test_spawn_from_host);
  harness_add ("/hosts/link/spawn-from-host-dropped", test_dropped_errand);
  harness_add ("/hosts/link/guest-freed-with-a-link", test_guest_freed_with_a_link);
  return harness_run ();
}
