/* test-channel.c - channels and events. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"
#include "tractor-channel.h"
#include "tractor-sync.h"

typedef struct {
  TractorSender *sender;
  TractorReceiver *receiver;
  GArray *received;
  guint n;
} Story;

static gboolean
send_numbers (gpointer data, GError **error)
{
  Story *story = data;

  for (guint i = 0; i < story->n; i++)
    if (!tractor_sender_send (story->sender, GUINT_TO_POINTER (i), error))
      return FALSE;
  return TRUE;
}

static gboolean
receive_numbers (gpointer data, GError **error)
{
  Story *story = data;
  gpointer item;

  while (tractor_receiver_receive (story->receiver, &item, error)) {
    guint number = GPOINTER_TO_UINT (item);

    g_array_append_val (story->received, number);
  }
  return *error == NULL;
}

static gboolean
pass_all (guint capacity, GError **error)
{
  g_autoptr (GArray) received = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autoptr (TractorNursery) receivers = NULL;
  Story story = { .received = received, .n = 100 };

  tractor_channel_open (capacity, NULL, &story.sender, &story.receiver);
  receivers = tractor_nursery_open ();
  tractor_nursery_spawn (receivers, "receiver", receive_numbers, &story, NULL, error);
  {
    g_autoptr (TractorNursery) senders = tractor_nursery_open ();

    tractor_nursery_spawn (senders, "sender", send_numbers, &story, NULL, error);
    g_assert_true (tractor_nursery_join (senders, error));
  }
  tractor_sender_close (story.sender);
  g_assert_true (tractor_nursery_join (receivers, error));
  tractor_receiver_close (story.receiver);
  g_assert_cmpuint (received->len, ==, 100);
  for (guint i = 0; i < 100; i++)
    g_assert_cmpuint (g_array_index (received, guint, i), ==, i);
  return TRUE;
}

static gboolean
test_all_capacities (G_GNUC_UNUSED gpointer data, GError **error)
{
  return pass_all (0, error) && pass_all (1, error) && pass_all (7, error) &&
         pass_all (1000, error);
}

static gboolean
test_full_blocks (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorSender) sender = NULL;
  g_autoptr (TractorReceiver) receiver = NULL;
  g_autoptr (TractorCancelScope) scope = NULL;
  char a[] = "a";
  char b[] = "b";
  char c[] = "c";
  gpointer item;

  tractor_channel_open (2, NULL, &sender, &receiver);
  g_assert_true (tractor_sender_send (sender, a, error));
  g_assert_true (tractor_sender_send (sender, b, error));
  g_assert_false (tractor_sender_send_nowait (sender, c, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK);

  /* A cancelled send leaves the channel as it was. */
  scope = tractor_cancel_scope_open (tractor_now () + 1000);
  g_assert_false (tractor_sender_send (sender, c, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_true (tractor_receiver_receive (receiver, &item, error));
  g_assert_cmpstr (item, ==, "a");
  g_assert_true (tractor_receiver_receive (receiver, &item, error));
  g_assert_cmpstr (item, ==, "b");
  g_assert_false (tractor_receiver_receive_nowait (receiver, &item, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK);
  return TRUE;
}

static gboolean
receive_one (gpointer data, GError **error)
{
  Story *story = data;
  gpointer item;
  guint number;

  if (!tractor_receiver_receive (story->receiver, &item, error))
    return FALSE;
  number = GPOINTER_TO_UINT (item);
  g_array_append_val (story->received, number);
  return TRUE;
}

static gboolean
test_waiting_receivers_are_served_first (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GArray) received = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { .received = received };
  gpointer item;

  tractor_channel_open (5, NULL, &story.sender, &story.receiver);
  tractor_nursery_spawn (nursery, "first", receive_one, &story, NULL, error);
  tractor_nursery_spawn (nursery, "second", receive_one, &story, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  g_assert_true (tractor_sender_send_nowait (story.sender, GUINT_TO_POINTER (1), error));
  g_assert_true (tractor_sender_send_nowait (story.sender, GUINT_TO_POINTER (2), error));
  /* Both are on their way to those who waited: a newcomer cannot take them. */
  g_assert_false (tractor_receiver_receive_nowait (story.receiver, &item, error));
  g_clear_error (error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (g_array_index (received, guint, 0), ==, 1);
  g_assert_cmpuint (g_array_index (received, guint, 1), ==, 2);
  tractor_sender_close (story.sender);
  tractor_receiver_close (story.receiver);
  return TRUE;
}

static gboolean
expect_broken (gpointer data, GError **error)
{
  Story *story = data;
  char item[] = "x";

  g_assert_false (tractor_sender_send (story->sender, item, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  return TRUE;
}

static gboolean
test_receiver_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { 0 };

  tractor_channel_open (1, g_free, &story.sender, &story.receiver);
  g_assert_true (tractor_sender_send (story.sender, g_strdup ("freed by the channel"), error));
  tractor_nursery_spawn (nursery, "sender", expect_broken, &story, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  tractor_receiver_close (story.receiver);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (expect_broken (&story, error));
  tractor_sender_close (story.sender);
  return TRUE;
}

static gboolean
send_own_number (gpointer data, GError **error)
{
  g_autoptr (TractorSender) mine = data; /* each has an end of its own, and closes it */

  for (guint i = 0; i < 10; i++)
    if (!tractor_sender_send (mine, GUINT_TO_POINTER (i), error))
      return FALSE;
  return TRUE;
}

/* The end of the channel comes with the last of its senders, after the last item. */
static gboolean
test_clones (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GArray) received = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { .received = received };
  Story other = { .received = received };

  tractor_channel_open (2, NULL, &story.sender, &story.receiver);
  other.receiver = tractor_receiver_clone (story.receiver);
  for (int i = 0; i < 3; i++)
    tractor_nursery_spawn (nursery, "sender", send_own_number, tractor_sender_clone (story.sender),
                           NULL, error);
  tractor_sender_close (story.sender);
  tractor_nursery_spawn (nursery, "receiver", receive_numbers, &story, NULL, error);
  tractor_nursery_spawn (nursery, "receiver", receive_numbers, &other, NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (received->len, ==, 30);
  tractor_receiver_close (story.receiver);
  tractor_receiver_close (other.receiver);
  return TRUE;
}

static gboolean
send_one (gpointer data, GError **error)
{
  Story *story = data;

  return tractor_sender_send (story->sender, NULL, error);
}

static gboolean
expect_send_closed (gpointer data, GError **error)
{
  Story *story = data;

  g_assert_false (tractor_sender_send (story->sender, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

/* Closing one end says so to those who wait at it, and to nobody else. */
static gboolean
test_one_of_two_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  TractorChannelStatistics statistics;
  Story one = { 0 };
  Story other = { 0 };
  gpointer item;

  tractor_channel_open (0, NULL, &one.sender, &one.receiver);
  other.sender = tractor_sender_clone (one.sender);
  tractor_nursery_spawn (nursery, "one", expect_send_closed, &one, NULL, error);
  tractor_nursery_spawn (nursery, "other", send_one, &other, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  tractor_sender_get_statistics (one.sender, &statistics);
  g_assert_cmpuint (statistics.n_sending, ==, 2);
  g_assert_cmpuint (statistics.n_senders, ==, 2);
  tractor_sender_close (one.sender);
  tractor_receiver_get_statistics (one.receiver, &statistics);
  g_assert_cmpuint (statistics.n_sending, ==, 1);
  g_assert_cmpuint (statistics.n_senders, ==, 1);
  g_assert_cmpuint (statistics.n_receiving, ==, 0);
  g_assert_true (tractor_receiver_receive (one.receiver, &item, error));
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_sender_close (other.sender);
  tractor_receiver_close (one.receiver);
  return TRUE;
}

static gboolean
test_statistics (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorSender) sender = NULL;
  g_autoptr (TractorReceiver) receiver = NULL;
  TractorChannelStatistics statistics;
  gpointer item;

  tractor_channel_open (5, NULL, &sender, &receiver);
  for (int i = 0; i < 3; i++)
    g_assert_true (tractor_sender_send_nowait (sender, NULL, error));
  g_assert_true (tractor_receiver_receive_nowait (receiver, &item, error));
  tractor_receiver_get_statistics (receiver, &statistics);
  g_assert_cmpuint (statistics.capacity, ==, 5);
  g_assert_cmpuint (statistics.length, ==, 2);
  g_assert_cmpuint (statistics.peak, ==, 3);
  g_assert_cmpuint (statistics.n_receivers, ==, 1);
  return TRUE;
}

static void
close_sender_of_item (gpointer item)
{
  tractor_sender_close (*(TractorSender **) item);
  g_free (item);
}

/* Items may own the channel's own end. */
static gboolean
test_item_owns_the_sender (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorSender **item = g_new0 (TractorSender *, 1);
  TractorReceiver *receiver;

  tractor_channel_open (1, close_sender_of_item, item, &receiver);
  g_assert_true (tractor_sender_send (*item, item, error));
  tractor_receiver_close (receiver);
  return TRUE;
}

static gboolean
test_end_after_the_last_item (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorSender *sender;
  g_autoptr (TractorReceiver) receiver = NULL;
  char last[] = "last";
  gpointer item;

  tractor_channel_open (2, NULL, &sender, &receiver);
  g_assert_true (tractor_sender_send (sender, last, error));
  tractor_sender_close (sender);
  g_assert_true (tractor_receiver_receive (receiver, &item, error));
  g_assert_cmpstr (item, ==, "last");
  g_assert_false (tractor_receiver_receive (receiver, &item, error));
  g_assert_no_error (*error);
  g_assert_false (tractor_receiver_receive_nowait (receiver, &item, error));
  g_assert_no_error (*error);
  return TRUE;
}

static gboolean
expect_closed (gpointer data, GError **error)
{
  Story *story = data;
  gpointer item;

  g_assert_false (tractor_receiver_receive (story->receiver, &item, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

static gboolean
test_own_end_closed_while_waiting (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { 0 };

  tractor_channel_open (1, NULL, &story.sender, &story.receiver);
  tractor_nursery_spawn (nursery, "receiver", expect_closed, &story, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  tractor_receiver_close (story.receiver);
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_sender_close (story.sender);
  return TRUE;
}

static gboolean
wait_for_event (gpointer data, GError **error)
{
  return tractor_event_wait (data, error);
}

static gboolean
test_event (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) event = tractor_event_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  for (int i = 0; i < 3; i++)
    tractor_nursery_spawn (nursery, "waiter", wait_for_event, event, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  g_assert_false (tractor_event_is_set (event));
  tractor_event_set (event);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (tractor_event_is_set (event));
  return tractor_event_wait (event, error);
}

static gboolean
test_cancelled_event_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) event = tractor_event_new ();
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + 1000);

  g_assert_false (tractor_event_wait (event, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  tractor_event_set (event); /* nobody is in its line any more */
  return TRUE;
}

static void
pass_some (Story *story, guint *sent, guint *received, guint n_send, guint n_receive)
{
  gpointer item;

  for (guint i = 0; i < n_send; i++)
    g_assert_true (tractor_sender_send_nowait (story->sender, GUINT_TO_POINTER ((*sent)++), NULL));
  for (guint i = 0; i < n_receive; i++) {
    g_assert_true (tractor_receiver_receive_nowait (story->receiver, &item, NULL));
    g_assert_cmpuint (GPOINTER_TO_UINT (item), ==, (*received)++);
  }
}

/* There is no more memory in use than for what is in it, and it grows wherever it begins. */
static gboolean
test_huge_capacities (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const guint capacities[] = { 20000, 50000, G_MAXUINT };

  for (guint i = 0; i < G_N_ELEMENTS (capacities); i++) {
    Story story = { 0 };
    guint sent = 0;
    guint received = 0;

    tractor_channel_open (capacities[i], NULL, &story.sender, &story.receiver);
    pass_some (&story, &sent, &received, 4096, 1000);
    pass_some (&story, &sent, &received, 10000, 3000);
    pass_some (&story, &sent, &received, 9904, 0);
    if (capacities[i] == sent - received) {
      g_assert_false (tractor_sender_send_nowait (story.sender, NULL, error));
      harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK);
    }
    pass_some (&story, &sent, &received, 0, 20000);
    tractor_sender_close (story.sender);
    tractor_receiver_close (story.receiver);
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/channel/A89-all-capacities", test_all_capacities);
  harness_add_task ("/guest/channel/huge-capacities", test_huge_capacities);
  harness_add_task ("/guest/channel/A93-A94-full-blocks", test_full_blocks);
  harness_add_task ("/guest/channel/A90-waiting-receivers-first",
                    test_waiting_receivers_are_served_first);
  harness_add_task ("/guest/channel/A92-receiver-closed", test_receiver_closed);
  harness_add_task ("/guest/channel/A91-end-after-the-last-item", test_end_after_the_last_item);
  harness_add_task ("/guest/channel/A91-clones", test_clones);
  harness_add_task ("/guest/channel/A92-one-of-two-closed", test_one_of_two_closed);
  harness_add_task ("/guest/channel/A95-statistics", test_statistics);
  harness_add_task ("/guest/channel/A92-item-owns-the-sender", test_item_owns_the_sender);
  harness_add_task ("/guest/channel/A92-own-end-closed", test_own_end_closed_while_waiting);
  harness_add_task ("/guest/event/A85-wakes-all", test_event);
  harness_add_task ("/guest/event/A85-cancelled", test_cancelled_event_wait);
  return harness_run ();
}
