/* broadcast.c - each value to every receiver, without waiting for any.
 *
 * Items are numbered from the first that was ever sent. The ring holds the newest ones; each
 * subscriber knows the number that it is to get next. If that one is not in the ring any more, the
 * subscriber has fallen behind: it is told how far, and goes on with the oldest there is. Whoever waits
 * has had all there is, so the next item is handed over as it is sent.
 *
 * The ring goes when the broadcaster is closed and the last subscriber too. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "parking-lot.h"
#include "ring.h"
#include "tractor-broadcast.h"

typedef struct {
  gboolean is_closed; /* nothing more will be sent */
  GError *failure;    /* (nullable): why */
  guint n_subscribers;
  TractorItemCopyFunc item_copy;
  GDestroyNotify item_free;
  GQueue subscribers; /* for waking */
  guint64 n_sent;
  Ring items; /* the newest of those */
} Broadcast;

struct _TractorBroadcaster {
  Broadcast *broadcast;
};

struct _TractorSubscriber {
  Broadcast *broadcast;
  GList link; /* in the broadcast's subscribers */
  guint64 next;
  guint64 n_lost;
  ParkingLot waiting;
};

/* --- what is kept -------------------------------------------------------------------------------- */

static guint64
get_oldest (const Broadcast *broadcast)
{
  return broadcast->n_sent - broadcast->items.length;
}

static void
free_item (Broadcast *broadcast, gpointer item)
{
  if (broadcast->item_free != NULL)
    broadcast->item_free (item);
}

static void
free_if_unused (Broadcast *broadcast)
{
  if (!broadcast->is_closed || broadcast->subscribers.length > 0)
    return;

  while (broadcast->items.length > 0)
    free_item (broadcast, ring_pop (&broadcast->items));
  g_clear_error (&broadcast->failure);
  ring_clear (&broadcast->items);
  g_free (broadcast);
}

/* --- sending ------------------------------------------------------------------------------------- */

TractorBroadcaster *
tractor_broadcaster_new (guint capacity, TractorItemCopyFunc item_copy, GDestroyNotify item_free)
{
  TractorBroadcaster *broadcaster;
  Broadcast *broadcast;

  g_return_val_if_fail (capacity > 0, NULL);

  broadcast = g_new0 (Broadcast, 1);
  ring_init (&broadcast->items, capacity);
  broadcast->item_copy = item_copy;
  broadcast->item_free = item_free;
  broadcaster = g_new (TractorBroadcaster, 1);
  broadcaster->broadcast = broadcast;
  return broadcaster;
}

static gpointer
take_next (TractorSubscriber *subscriber)
{
  Broadcast *broadcast = subscriber->broadcast;
  guint i = (guint) (subscriber->next++ - get_oldest (broadcast));
  gpointer item = *ring_place (&broadcast->items, i);

  return broadcast->item_copy != NULL ? broadcast->item_copy (item) : item;
}

static void
hand_over (TractorSubscriber *subscriber)
{
  Parked *parked = parking_lot_unpark (&subscriber->waiting, WAKE_NORMAL);

  if (parked != NULL)
    parked->value = take_next (subscriber);
}

void
tractor_broadcaster_send (TractorBroadcaster *broadcaster, gpointer item)
{
  Broadcast *broadcast;
  gpointer displaced = NULL;
  gboolean displaces;

  g_return_if_fail (broadcaster != NULL);

  broadcast = broadcaster->broadcast;
  if (broadcast->subscribers.length == 0) { /* and whoever subscribes later will not want it */
    free_item (broadcast, item);
    return;
  }
  displaces = ring_is_full (&broadcast->items);
  if (displaces)
    displaced = ring_replace (&broadcast->items, item);
  else
    ring_push (&broadcast->items, item);
  broadcast->n_sent++;
  for (GList *link = broadcast->subscribers.head; link != NULL; link = link->next)
    hand_over (link->data);
  if (displaces)
    free_item (broadcast, displaced); /* last: it may do anything */
}

/* (transfer full) (nullable) */
static GError *
dup_failure (const Broadcast *broadcast)
{
  return broadcast->failure != NULL ? g_error_copy (broadcast->failure) : NULL;
}

/* Each is handed its own: it may find its subscriber closed when it runs. */
static void
tell_end (TractorSubscriber *subscriber)
{
  Parked *parked;

  while ((parked = parking_lot_unpark (&subscriber->waiting, WAKE_BROKEN)) != NULL)
    parked->value = dup_failure (subscriber->broadcast);
}

/* @failure: (transfer full) (nullable) */
static void
end (TractorBroadcaster *broadcaster, GError *failure)
{
  Broadcast *broadcast = broadcaster->broadcast;

  g_free (broadcaster);
  broadcast->is_closed = TRUE;
  broadcast->failure = failure;
  for (GList *link = broadcast->subscribers.head; link != NULL; link = link->next)
    tell_end (link->data);
  free_if_unused (broadcast);
}

void
tractor_broadcaster_close (TractorBroadcaster *broadcaster)
{
  if (broadcaster != NULL)
    end (broadcaster, NULL);
}

void
tractor_broadcaster_fail (TractorBroadcaster *broadcaster, GError *failure)
{
  g_return_if_fail (broadcaster != NULL && failure != NULL);

  end (broadcaster, failure);
}

/* --- receiving ----------------------------------------------------------------------------------- */

TractorSubscriber *
tractor_broadcaster_subscribe (TractorBroadcaster *broadcaster)
{
  TractorSubscriber *subscriber;

  g_return_val_if_fail (broadcaster != NULL, NULL);

  subscriber = g_new0 (TractorSubscriber, 1);
  subscriber->broadcast = broadcaster->broadcast;
  subscriber->link.data = subscriber;
  subscriber->next = broadcaster->broadcast->n_sent;
  g_queue_push_tail_link (&broadcaster->broadcast->subscribers, &subscriber->link);
  return subscriber;
}

static void
set_lagged (TractorSubscriber *subscriber, GError **error)
{
  guint64 oldest = get_oldest (subscriber->broadcast);
  guint64 n_lost = oldest - subscriber->next;

  subscriber->next = oldest;
  subscriber->n_lost += n_lost;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LAGGED,
               "The subscriber was too slow and has lost %" G_GUINT64_FORMAT " items", n_lost);
}

/* Nothing more comes, and nothing is left. @failure: (transfer full) (nullable) */
static gboolean
set_ended (GError *failure, GError **error)
{
  if (failure != NULL)
    g_propagate_error (error, failure);
  return FALSE;
}

/* What the broadcaster has failed with, and what came before that, says more than a cancel, which it is
 * often the cause of. */
static Task *
begin_receive (const TractorSubscriber *subscriber, GError **error)
{
  return subscriber->broadcast->failure != NULL ? task_get_suspendable (error) : task_begin (error);
}

gboolean
tractor_subscriber_receive (TractorSubscriber *subscriber, gpointer *ret_item, GError **error)
{
  Task *task;
  Parked parked = { 0 };

  if (!tractor_error_check_given (subscriber, "subscriber", error) ||
      !tractor_error_check_given (ret_item, "place for the item", error))
    return FALSE;

  task = begin_receive (subscriber, error);
  if (task == NULL)
    return FALSE;
  if (subscriber->next < get_oldest (subscriber->broadcast)) {
    set_lagged (subscriber, error);
    tractor__task_yield (task); /* who sends too much runs, and whoever else */
    return FALSE;
  }
  if (subscriber->next < subscriber->broadcast->n_sent) {
    *ret_item = take_next (subscriber);
    tractor__task_yield (task);
    return TRUE;
  }
  if (subscriber->broadcast->is_closed) {
    GError *failure = dup_failure (subscriber->broadcast);

    tractor__task_yield (task);
    return set_ended (failure, error);
  }

  switch (tractor__parking_lot_park (&subscriber->waiting, task, &parked, "broadcast")) {
  case WAKE_NORMAL:
    *ret_item = parked.value;
    return TRUE;
  case WAKE_CANCELLED:
    tractor__task_set_cancelled (task, error);
    return FALSE;
  case WAKE_CLOSED:
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                         "The subscriber was closed while waiting at it");
    return FALSE;
  case WAKE_BROKEN:
    return set_ended (parked.value, error);
  }
  g_assert_not_reached ();
}

guint64
tractor_subscriber_get_n_lost (TractorSubscriber *subscriber)
{
  g_return_val_if_fail (subscriber != NULL, 0);

  return subscriber->n_lost;
}

void
tractor_subscriber_close (TractorSubscriber *subscriber)
{
  Broadcast *broadcast;

  if (subscriber == NULL)
    return;

  broadcast = subscriber->broadcast;
  parking_lot_unpark_all (&subscriber->waiting, WAKE_CLOSED);
  g_queue_unlink (&broadcast->subscribers, &subscriber->link);
  g_free (subscriber);
  free_if_unused (broadcast);
}
