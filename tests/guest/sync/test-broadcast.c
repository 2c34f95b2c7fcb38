/* test-broadcast.c - each value to every receiver. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"
#include "tractor-broadcast.h"

static guint n_items; /* alive */

static gpointer
item_new (guint number)
{
  guint *item = g_new (guint, 1);

  *item = number;
  n_items++;
  return item;
}

static gpointer
item_copy (gpointer item)
{
  return item_new (*(guint *) item);
}

static void
item_free (gpointer item)
{
  n_items--;
  g_free (item);
}

static void
assert_next (TractorSubscriber *subscriber, guint number)
{
  gpointer item;

  g_assert_true (tractor_subscriber_receive (subscriber, &item, NULL));
  g_assert_cmpuint (*(guint *) item, ==, number);
  item_free (item);
}

static void
assert_end (TractorSubscriber *subscriber)
{
  GError *error = NULL;
  gpointer item;

  g_assert_false (tractor_subscriber_receive (subscriber, &item, &error));
  g_assert_no_error (error);
}

static gboolean
test_all_get_all (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (TractorBroadcaster) broadcaster = tractor_broadcaster_new (4, item_copy, item_free);
  g_autoptr (TractorSubscriber) one = NULL;
  g_autoptr (TractorSubscriber) other = NULL;

  tractor_broadcaster_send (broadcaster, item_new (1)); /* to nobody */
  one = tractor_broadcaster_subscribe (broadcaster);
  tractor_broadcaster_send (broadcaster, item_new (2));
  other = tractor_broadcaster_subscribe (broadcaster);
  tractor_broadcaster_send (broadcaster, item_new (3));
  assert_next (one, 2);
  assert_next (one, 3);
  assert_next (other, 3);
  tractor_broadcaster_send (broadcaster, item_new (4));
  tractor_broadcaster_close (g_steal_pointer (&broadcaster));
  assert_next (one, 4);
  assert_end (one);
  assert_next (other, 4);
  assert_end (other);
  tractor_subscriber_close (g_steal_pointer (&one));
  tractor_subscriber_close (g_steal_pointer (&other));
  g_assert_cmpuint (n_items, ==, 0);
  return TRUE;
}

static gboolean
test_lag_is_reported (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorBroadcaster) broadcaster = tractor_broadcaster_new (3, item_copy, item_free);
  g_autoptr (TractorSubscriber) slow = tractor_broadcaster_subscribe (broadcaster);
  g_autoptr (TractorSubscriber) fast = tractor_broadcaster_subscribe (broadcaster);
  GError *error = NULL;
  gpointer item;

  for (guint i = 0; i < 8; i++) {
    tractor_broadcaster_send (broadcaster, item_new (i));
    assert_next (fast, i);
  }
  g_assert_false (tractor_subscriber_receive (slow, &item, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LAGGED);
  g_assert_cmpuint (tractor_subscriber_get_n_lost (slow), ==, 5);
  g_assert_cmpuint (tractor_subscriber_get_n_lost (fast), ==, 0);
  assert_next (slow, 5);
  assert_next (slow, 6);
  assert_next (slow, 7);
  g_assert_cmpuint (n_items, ==, 3); /* what the ring holds, and no more */
  return TRUE;
}

typedef struct {
  TractorSubscriber *subscriber;
  guint sum;
  guint n_ends;
} Reader;

static gboolean
read_all (gpointer data, GError **error)
{
  Reader *reader = data;
  GError *failure = NULL;
  gpointer item;

  while (tractor_subscriber_receive (reader->subscriber, &item, &failure)) {
    reader->sum += *(guint *) item;
    item_free (item);
  }
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  reader->n_ends++;
  return TRUE;
}

/* Tasks that share a subscriber get each item once, between them. */
static gboolean
test_waiting_receivers (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorBroadcaster) broadcaster = tractor_broadcaster_new (2, item_copy, item_free);
  g_autoptr (TractorSubscriber) shared = tractor_broadcaster_subscribe (broadcaster);
  g_autoptr (TractorSubscriber) own = tractor_broadcaster_subscribe (broadcaster);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Reader sharing = { .subscriber = shared };
  Reader alone = { .subscriber = own };

  for (int i = 0; i < 3; i++)
    tractor_nursery_spawn (nursery, "sharer", read_all, &sharing, NULL, error);
  tractor_nursery_spawn (nursery, "reader", read_all, &alone, NULL, error);
  for (guint i = 1; i <= 100; i++) {
    tractor_broadcaster_send (broadcaster, item_new (i));
    g_assert_true (tractor_wait_all_tasks_blocked (0, error)); /* until they wait for the next */
  }
  tractor_broadcaster_close (g_steal_pointer (&broadcaster));
  g_assert_true (tractor_nursery_join (nursery, error));
  /* The first was sent before they ran, so it is the ring that they had it from. */
  g_assert_cmpuint (sharing.sum, ==, 5050);
  g_assert_cmpuint (sharing.n_ends, ==, 3);
  g_assert_cmpuint (alone.sum, ==, 5050);
  return TRUE;
}

static gboolean
read_until_failed (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;

  g_assert_false (read_all (data, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_IO);
  return TRUE;
}

/* A failure comes after all items, to each who waits, to those who are late, and as often as they ask. */
static gboolean
test_failure (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorBroadcaster *broadcaster = tractor_broadcaster_new (2, item_copy, item_free);
  TractorSubscriber *shared = tractor_broadcaster_subscribe (broadcaster);
  g_autoptr (TractorSubscriber) late = tractor_broadcaster_subscribe (broadcaster);
  Reader sharing = { .subscriber = shared };
  Reader alone = { .subscriber = late };
  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    for (int i = 0; i < 3; i++)
      tractor_nursery_spawn (nursery, "sharer", read_until_failed, &sharing, NULL, error);
    g_assert_true (tractor_wait_all_tasks_blocked (0, error));
    tractor_broadcaster_send (broadcaster, item_new (1));
    tractor_broadcaster_send (broadcaster, item_new (2));
    tractor_broadcaster_fail (
        broadcaster, g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_IO, "the disk is broken"));
    g_assert_true (tractor_nursery_join (nursery, error));
  }
  g_assert_cmpuint (sharing.sum, ==, 3);
  tractor_subscriber_close (shared);
  for (int i = 0; i < 2; i++) {
    g_assert_false (read_all (&alone, error));
    harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_IO);
  }
  g_assert_cmpuint (alone.sum, ==, 3);
  return TRUE;
}

/* Often it is what the cancel comes of: it says more. */
static gboolean
test_failure_before_cancel (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  TractorBroadcaster *broadcaster = tractor_broadcaster_new (2, item_copy, item_free);
  g_autoptr (TractorSubscriber) subscriber = tractor_broadcaster_subscribe (broadcaster);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (GError) error = NULL;
  gpointer item;

  tractor_broadcaster_send (broadcaster, item_new (1));
  tractor_broadcaster_send (broadcaster, item_new (2));
  tractor_broadcaster_fail (
      broadcaster, g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_IO, "the disk is broken"));
  tractor_cancel_scope_cancel (scope, NULL);
  assert_next (subscriber, 1);
  assert_next (subscriber, 2);
  g_assert_false (tractor_subscriber_receive (subscriber, &item, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_IO);
  return TRUE;
}

/* Whoever was woken by the failure does not need the subscriber any more. */
static gboolean
test_failure_and_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorBroadcaster *broadcaster = tractor_broadcaster_new (2, item_copy, item_free);
  TractorSubscriber *subscriber = tractor_broadcaster_subscribe (broadcaster);
  Reader reader = { .subscriber = subscriber };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "reader", read_until_failed, &reader, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  tractor_broadcaster_fail (
      broadcaster, g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_IO, "the disk is broken"));
  tractor_subscriber_close (subscriber);
  return tractor_nursery_join (nursery, error);
}

static gboolean
wait_until_closed (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;
  gpointer item;

  g_assert_false (tractor_subscriber_receive (data, &item, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

static gboolean
test_closed_while_waiting (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorBroadcaster) broadcaster = tractor_broadcaster_new (1, NULL, NULL);
  TractorSubscriber *subscriber = tractor_broadcaster_subscribe (broadcaster);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "waiter", wait_until_closed, subscriber, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  g_assert_true (tractor_checkpoint (error));
  tractor_subscriber_close (subscriber);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_cancelled (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorBroadcaster) broadcaster = tractor_broadcaster_new (1, item_copy, item_free);
  g_autoptr (TractorSubscriber) subscriber = tractor_broadcaster_subscribe (broadcaster);
  GError *error = NULL;
  gpointer item;

  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + 1000);

    g_assert_false (tractor_subscriber_receive (subscriber, &item, &error));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  }
  tractor_broadcaster_send (broadcaster, item_new (7)); /* nobody waits: it stays in the ring */
  assert_next (subscriber, 7);
  return TRUE;
}

/* There is no more memory in use than for what has been sent. */
static gboolean
test_huge_capacities (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const guint capacities[] = { 5000, 20000, G_MAXUINT };

  for (guint i = 0; i < G_N_ELEMENTS (capacities); i++) {
    TractorBroadcaster *broadcaster = tractor_broadcaster_new (capacities[i], item_copy, item_free);
    TractorSubscriber *subscriber = tractor_broadcaster_subscribe (broadcaster);
    guint first = capacities[i] < 20000 ? 20000 - capacities[i] : 0;
    GError *problem = NULL;
    gpointer item;

    for (guint number = 0; number < 20000; number++)
      tractor_broadcaster_send (broadcaster, item_new (number));
    if (first > 0) {
      g_assert_false (tractor_subscriber_receive (subscriber, &item, &problem));
      harness_assert_error (problem, TRACTOR_ERROR, TRACTOR_ERROR_LAGGED);
    }
    for (guint number = first; number < 20000; number++)
      assert_next (subscriber, number);
    tractor_subscriber_close (subscriber);
    tractor_broadcaster_close (broadcaster);
    g_assert_cmpuint (n_items, ==, 0);
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/broadcast/all-get-all", test_all_get_all);
  harness_add_task ("/guest/broadcast/lag-is-reported", test_lag_is_reported);
  harness_add_task ("/guest/broadcast/huge-capacities", test_huge_capacities);
  harness_add_task ("/guest/broadcast/waiting-receivers", test_waiting_receivers);
  harness_add_task ("/guest/broadcast/closed-while-waiting", test_closed_while_waiting);
  harness_add_task ("/guest/broadcast/A44-cancelled", test_cancelled);
  harness_add_task ("/guest/broadcast/failure-comes-last", test_failure);
  harness_add_task ("/guest/broadcast/failure-before-cancel", test_failure_before_cancel);
  harness_add_task ("/guest/broadcast/failure-and-closed", test_failure_and_closed);
  return harness_run ();
}
