/* channel.c - values handed from task to task, in order, with a bound.
 *
 * Items are in a ring of a bounded size. At any time either receivers wait, and then the ring is empty
 * and no sender waits, or senders wait, and then the ring is full. So whoever comes knows at once whom
 * to serve: an item goes to the receiver that has waited longest without touching the ring, and a freed
 * place goes to the sender that has waited longest, whose item moves in at once. Newcomers cannot push in.
 *
 * An item has one owner at any time: the caller until a send succeeds, then the channel, then who
 * receives it. The channel itself goes when all ends are closed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "parking-lot.h"
#include "ring.h"
#include "tractor-channel.h"

typedef struct _Channel Channel;

struct _TractorSender {
  Channel *channel;
};

struct _TractorReceiver {
  Channel *channel;
};

/* A task in one of the lines; on its stack. */
typedef struct {
  Parked parked;     /* first */
  gconstpointer end; /* the sender or receiver that it waits at */
} Wait;

struct _Channel {
  guint n_senders; /* open ones */
  guint n_receivers;
  ParkingLot sending;   /* each with its item */
  ParkingLot receiving; /* each with room for one */
  GDestroyNotify item_free;
  gboolean is_draining; /* items are being freed, which may close a sender */
  Ring items;
  guint peak; /* of their number */
};

/* --- ends ---------------------------------------------------------------------------------------- */

static TractorSender *
sender_new (Channel *channel)
{
  TractorSender *sender = g_new (TractorSender, 1);

  sender->channel = channel;
  channel->n_senders++;
  return sender;
}

static TractorReceiver *
receiver_new (Channel *channel)
{
  TractorReceiver *receiver = g_new (TractorReceiver, 1);

  receiver->channel = channel;
  channel->n_receivers++;
  return receiver;
}

void
tractor_channel_open (guint capacity,
                      GDestroyNotify item_free,
                      TractorSender **ret_sender,
                      TractorReceiver **ret_receiver)
{
  Channel *channel = g_new0 (Channel, 1);

  ring_init (&channel->items, capacity);
  channel->item_free = item_free;
  *ret_sender = sender_new (channel);
  *ret_receiver = receiver_new (channel);
}

TractorSender *
tractor_sender_clone (TractorSender *sender)
{
  g_return_val_if_fail (sender != NULL, NULL);

  return sender_new (sender->channel);
}

TractorReceiver *
tractor_receiver_clone (TractorReceiver *receiver)
{
  g_return_val_if_fail (receiver != NULL, NULL);

  return receiver_new (receiver->channel);
}

/* --- handing over -------------------------------------------------------------------------------- */

static void
push (Channel *channel, gpointer item)
{
  ring_push (&channel->items, item);
  channel->peak = MAX (channel->peak, channel->items.length);
}

/* Returns: whether @item found a receiver or a place. */
static gboolean
put (Channel *channel, gpointer item)
{
  Parked *receiver = parking_lot_unpark (&channel->receiving, WAKE_NORMAL);

  if (receiver != NULL) {
    receiver->value = item;
    return TRUE;
  }
  if (ring_is_full (&channel->items))
    return FALSE;
  push (channel, item);
  return TRUE;
}

/* Returns: whether there was one. */
static gboolean
take (Channel *channel, gpointer *ret_item)
{
  Parked *sender;

  if (channel->items.length > 0) {
    *ret_item = ring_pop (&channel->items);
    sender = parking_lot_unpark (&channel->sending, WAKE_NORMAL);
    if (sender != NULL)
      push (channel, sender->value);
    return TRUE;
  }

  sender = parking_lot_unpark (&channel->sending, WAKE_NORMAL); /* no capacity: hand to hand */
  if (sender == NULL)
    return FALSE;
  *ret_item = sender->value;
  return TRUE;
}

static gboolean
set_closed (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                       "This end of the channel was closed");
  return FALSE;
}

static gboolean
set_broken (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN,
                       "The receiving end of the channel is closed");
  return FALSE;
}

static gboolean
set_would_block (GError **error, const char *what)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK, "The channel is %s", what);
  return FALSE;
}

gboolean
tractor_sender_send (TractorSender *sender, gpointer item, GError **error)
{
  Task *task = task_begin (error);
  Wait wait = { .parked.value = item, .end = sender };
  Channel *channel;

  if (!tractor_error_check_given (sender, "sender", error))
    return FALSE;

  if (task == NULL)
    return FALSE;
  channel = sender->channel;
  if (channel->n_receivers == 0)
    return set_broken (error);
  if (put (channel, item)) {
    tractor__task_yield (task);
    return TRUE;
  }

  switch (tractor__parking_lot_park (&channel->sending, task, &wait.parked, "channel send")) {
  case WAKE_NORMAL:
    return TRUE;
  case WAKE_CANCELLED:
    tractor__task_set_cancelled (task, error);
    return FALSE;
  case WAKE_CLOSED:
    return set_closed (error);
  case WAKE_BROKEN:
    return set_broken (error);
  }
  g_assert_not_reached ();
}

gboolean
tractor_sender_send_nowait (TractorSender *sender, gpointer item, GError **error)
{
  if (!tractor_error_check_given (sender, "sender", error))
    return FALSE;

  if (sender->channel->n_receivers == 0)
    return set_broken (error);
  return put (sender->channel, item) || set_would_block (error, "full");
}

gboolean
tractor_receiver_receive (TractorReceiver *receiver, gpointer *ret_item, GError **error)
{
  Task *task = task_begin (error);
  Wait wait = { .end = receiver };
  Channel *channel;

  if (!tractor_error_check_given (receiver, "receiver", error) ||
      !tractor_error_check_given (ret_item, "place for the item", error))
    return FALSE;

  if (task == NULL)
    return FALSE;
  channel = receiver->channel;
  if (take (channel, ret_item)) {
    tractor__task_yield (task);
    return TRUE;
  }
  if (channel->n_senders == 0) {
    tractor__task_yield (task);
    return FALSE; /* the end */
  }

  switch (tractor__parking_lot_park (&channel->receiving, task, &wait.parked, "channel receive")) {
  case WAKE_NORMAL:
    *ret_item = wait.parked.value;
    return TRUE;
  case WAKE_CANCELLED:
    tractor__task_set_cancelled (task, error);
    return FALSE;
  case WAKE_CLOSED:
    return set_closed (error);
  case WAKE_BROKEN:
    return FALSE; /* the end */
  }
  g_assert_not_reached ();
}

gboolean
tractor_receiver_receive_nowait (TractorReceiver *receiver, gpointer *ret_item, GError **error)
{
  if (!tractor_error_check_given (receiver, "receiver", error) ||
      !tractor_error_check_given (ret_item, "place for the item", error))
    return FALSE;

  if (take (receiver->channel, ret_item))
    return TRUE;
  if (receiver->channel->n_senders == 0)
    return FALSE;
  return set_would_block (error, "empty");
}

/* --- closing ------------------------------------------------------------------------------------- */

static void
free_if_closed (Channel *channel)
{
  if (channel->n_senders > 0 || channel->n_receivers > 0 || channel->is_draining)
    return;

  ring_clear (&channel->items);
  g_free (channel);
}

/* Those who wait at this very end. */
static void
wake_closed (ParkingLot *lot, gconstpointer end)
{
  Parked *next;

  for (Parked *parked = lot->first; parked != NULL; parked = next) {
    next = parked->next;
    if (((Wait *) parked)->end == end) {
      parking_lot_remove (parked);
      task_wake (parked->task, WAKE_CLOSED);
    }
  }
}

void
tractor_sender_close (TractorSender *sender)
{
  Channel *channel;

  if (sender == NULL)
    return;

  channel = sender->channel;
  wake_closed (&channel->sending, sender);
  g_free (sender);
  if (--channel->n_senders == 0)
    parking_lot_unpark_all (&channel->receiving, WAKE_BROKEN);
  free_if_closed (channel);
}

static void
drain (Channel *channel)
{
  channel->is_draining = TRUE;
  while (channel->items.length > 0) {
    gpointer item = ring_pop (&channel->items);

    if (channel->item_free != NULL)
      channel->item_free (item);
  }
  channel->is_draining = FALSE;
}

void
tractor_receiver_close (TractorReceiver *receiver)
{
  Channel *channel;

  if (receiver == NULL)
    return;

  channel = receiver->channel;
  wake_closed (&channel->receiving, receiver);
  g_free (receiver);
  if (--channel->n_receivers == 0) {
    parking_lot_unpark_all (&channel->sending, WAKE_BROKEN);
    drain (channel);
  }
  free_if_closed (channel);
}

/* --- looking ------------------------------------------------------------------------------------- */

static void
get_statistics (const Channel *channel, TractorChannelStatistics *ret_statistics)
{
  *ret_statistics = (TractorChannelStatistics){
    .capacity = channel->items.capacity,
    .length = channel->items.length,
    .peak = channel->peak,
    .n_senders = channel->n_senders,
    .n_receivers = channel->n_receivers,
    .n_sending = parking_lot_get_length (&channel->sending),
    .n_receiving = parking_lot_get_length (&channel->receiving),
  };
}

void
tractor_sender_get_statistics (TractorSender *sender, TractorChannelStatistics *ret_statistics)
{
  g_return_if_fail (sender != NULL && ret_statistics != NULL);

  get_statistics (sender->channel, ret_statistics);
}

void
tractor_receiver_get_statistics (TractorReceiver *receiver,
                                 TractorChannelStatistics *ret_statistics)
{
  g_return_if_fail (receiver != NULL && ret_statistics != NULL);

  get_statistics (receiver->channel, ret_statistics);
}
