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
#include "tractor-broadcast.h"

typedef struct {
  gboolean is_closed; /* nothing more will be sent */
  GError *failure;    /* (nullable): why */
  guint n_subscribers;
  TractorItemCopyFunc item_copy;
  GDestroyNotify item_free;
  GQueue subscribers; /* for waking */
  guint64 n_sent;
  guint capacity;
  guint n_places;  /* of @items, which has room for @capacity in the end */
  gpointer *items; /* item n is at n % capacity */
} Ring;

/* More are only made when they are needed. */
#define PLACES_AT_FIRST 4096

struct _TractorBroadcaster {
  Ring *ring;
};

struct _TractorSubscriber {
  Ring *ring;
  GList link; /* in the ring's subscribers */
  guint64 next;
  guint64 n_lost;
  ParkingLot waiting;
};

/* --- the ring ------------------------------------------------------------------------------------ */

static guint64
ring_get_oldest (const Ring *ring)
{
  return ring->n_sent > ring->capacity ? ring->n_sent - ring->capacity : 0;
}

static gpointer *
ring_place (Ring *ring, guint64 number)
{
  return &ring->items[number % ring->capacity];
}

static void
free_item (Ring *ring, gpointer item)
{
  if (ring->item_free != NULL)
    ring->item_free (item);
}

static void
ring_free_if_unused (Ring *ring)
{
  if (!ring->is_closed || ring->subscribers.length > 0)
    return;

  for (guint64 number = ring_get_oldest (ring); number < ring->n_sent; number++)
    free_item (ring, *ring_place (ring, number));
  g_clear_error (&ring->failure);
  g_free (ring->items);
  g_free (ring);
}

/* --- sending ------------------------------------------------------------------------------------- */

TractorBroadcaster *
tractor_broadcaster_new (guint capacity, TractorItemCopyFunc item_copy, GDestroyNotify item_free)
{
  TractorBroadcaster *broadcaster;
  Ring *ring;

  g_return_val_if_fail (capacity > 0, NULL);

  ring = g_new0 (Ring, 1);
  ring->capacity = capacity;
  ring->n_places = MIN (capacity, PLACES_AT_FIRST);
  ring->items = g_new0 (gpointer, ring->n_places);
  ring->item_copy = item_copy;
  ring->item_free = item_free;
  broadcaster = g_new (TractorBroadcaster, 1);
  broadcaster->ring = ring;
  return broadcaster;
}

static gpointer
take_next (TractorSubscriber *subscriber)
{
  Ring *ring = subscriber->ring;
  gpointer item = *ring_place (ring, subscriber->next++);

  return ring->item_copy != NULL ? ring->item_copy (item) : item;
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
  Ring *ring;
  gpointer *place;
  gpointer displaced;
  gboolean displaces;

  g_return_if_fail (broadcaster != NULL);

  ring = broadcaster->ring;
  if (ring->subscribers.length == 0) { /* and whoever subscribes later will not want it */
    free_item (ring, item);
    return;
  }
  displaces = ring->n_sent >= ring->capacity;
  if (!displaces && ring->n_sent == ring->n_places) { /* nothing has gone round yet */
    ring->n_places = ring->n_places > ring->capacity / 2 ? ring->capacity : 2 * ring->n_places;
    ring->items = g_renew (gpointer, ring->items, ring->n_places);
  }
  place = ring_place (ring, ring->n_sent);
  displaced = displaces ? *place : NULL;
  *place = item;
  ring->n_sent++;
  for (GList *link = ring->subscribers.head; link != NULL; link = link->next)
    hand_over (link->data);
  if (displaces)
    free_item (ring, displaced); /* last: it may do anything */
}

/* (transfer full) (nullable) */
static GError *
dup_failure (const Ring *ring)
{
  return ring->failure != NULL ? g_error_copy (ring->failure) : NULL;
}

/* Each is handed its own: it may find its subscriber closed when it runs. */
static void
tell_end (TractorSubscriber *subscriber)
{
  Parked *parked;

  while ((parked = parking_lot_unpark (&subscriber->waiting, WAKE_BROKEN)) != NULL)
    parked->value = dup_failure (subscriber->ring);
}

/* @failure: (transfer full) (nullable) */
static void
end (TractorBroadcaster *broadcaster, GError *failure)
{
  Ring *ring = broadcaster->ring;

  g_free (broadcaster);
  ring->is_closed = TRUE;
  ring->failure = failure;
  for (GList *link = ring->subscribers.head; link != NULL; link = link->next)
    tell_end (link->data);
  ring_free_if_unused (ring);
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
  subscriber->ring = broadcaster->ring;
  subscriber->link.data = subscriber;
  subscriber->next = broadcaster->ring->n_sent;
  g_queue_push_tail_link (&broadcaster->ring->subscribers, &subscriber->link);
  return subscriber;
}

static void
set_lagged (TractorSubscriber *subscriber, GError **error)
{
  guint64 oldest = ring_get_oldest (subscriber->ring);
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
  return subscriber->ring->failure != NULL ? task_get_suspendable (error) : task_begin (error);
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
  if (subscriber->next < ring_get_oldest (subscriber->ring)) {
    set_lagged (subscriber, error);
    tractor__task_yield (task); /* who sends too much runs, and whoever else */
    return FALSE;
  }
  if (subscriber->next < subscriber->ring->n_sent) {
    *ret_item = take_next (subscriber);
    tractor__task_yield (task);
    return TRUE;
  }
  if (subscriber->ring->is_closed) {
    GError *failure = dup_failure (subscriber->ring);

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
  Ring *ring;

  if (subscriber == NULL)
    return;

  ring = subscriber->ring;
  parking_lot_unpark_all (&subscriber->waiting, WAKE_CLOSED);
  g_queue_unlink (&ring->subscribers, &subscriber->link);
  g_free (subscriber);
  ring_free_if_unused (ring);
}
