/* channel.c - values handed from task to task, in order, with a bound.
 *
 * Items are in a ring of fixed size, made with the channel. At any time either receivers wait,
 * and then the ring is empty and no sender waits, or senders wait, and then the ring is full. So
 * whoever comes knows at once whom to serve: an item goes to the receiver that has waited longest
 * without touching the ring, and a freed place goes to the sender that has waited longest, whose
 * item moves in at once. Newcomers cannot push in.
 *
 * An item has one owner at any time: the caller until a send succeeds, then the channel, then who
 * receives it. The channel itself goes when both ends are closed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "parking-lot.h"
#include "tractor-channel.h"

typedef struct _Channel Channel;

struct _TractorSender {
  Channel *channel;
  gboolean is_open;
};

struct _TractorReceiver {
  Channel *channel;
  gboolean is_open;
};

struct _Channel {
  TractorSender sender;
  TractorReceiver receiver;
  ParkingLot senders;   /* each with its item */
  ParkingLot receivers; /* each with room for one */
  GDestroyNotify item_free;
  gboolean is_draining; /* items are being freed, which may close the sender */
  guint capacity;
  guint length;
  guint first;
  gpointer items[];
};

void
tractor_channel_open (guint capacity,
                      GDestroyNotify item_free,
                      TractorSender **ret_sender,
                      TractorReceiver **ret_receiver)
{
  Channel *channel = g_malloc0 (sizeof (Channel) + sizeof (gpointer) * (gsize) capacity);

  channel->capacity = capacity;
  channel->item_free = item_free;
  channel->sender = (TractorSender){ channel, TRUE };
  channel->receiver = (TractorReceiver){ channel, TRUE };
  *ret_sender = &channel->sender;
  *ret_receiver = &channel->receiver;
}

static void
ring_push (Channel *channel, gpointer item)
{
  guint place = channel->first + channel->length++;

  channel->items[place >= channel->capacity ? place - channel->capacity : place] = item;
}

static gpointer
ring_pop (Channel *channel)
{
  gpointer item = channel->items[channel->first];

  channel->first = channel->first + 1 == channel->capacity ? 0 : channel->first + 1;
  channel->length--;
  return item;
}

/* Returns: whether @item found a receiver or a place. */
static gboolean
put (Channel *channel, gpointer item)
{
  Parked *receiver = parking_lot_unpark (&channel->receivers, WAKE_NORMAL);

  if (receiver != NULL) {
    receiver->value = item;
    return TRUE;
  }
  if (channel->length == channel->capacity)
    return FALSE;
  ring_push (channel, item);
  return TRUE;
}

/* Returns: whether there was one. */
static gboolean
take (Channel *channel, gpointer *ret_item)
{
  Parked *sender;

  if (channel->length > 0) {
    *ret_item = ring_pop (channel);
    sender = parking_lot_unpark (&channel->senders, WAKE_NORMAL);
    if (sender != NULL)
      ring_push (channel, sender->value);
    return TRUE;
  }

  sender = parking_lot_unpark (&channel->senders, WAKE_NORMAL); /* no capacity: hand to hand */
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
  Parked parked = { .value = item };
  Channel *channel;

  g_return_val_if_fail (sender != NULL, FALSE);

  if (task == NULL)
    return FALSE;
  channel = sender->channel;
  if (!channel->receiver.is_open)
    return set_broken (error);
  if (put (channel, item)) {
    tractor__task_yield (task);
    return TRUE;
  }

  switch (tractor__parking_lot_park (&channel->senders, task, &parked, "channel send")) {
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
  g_return_val_if_fail (sender != NULL, FALSE);

  if (!sender->channel->receiver.is_open)
    return set_broken (error);
  return put (sender->channel, item) || set_would_block (error, "full");
}

gboolean
tractor_receiver_receive (TractorReceiver *receiver, gpointer *ret_item, GError **error)
{
  Task *task = task_begin (error);
  Parked parked = { 0 };
  Channel *channel;

  g_return_val_if_fail (receiver != NULL && ret_item != NULL, FALSE);

  if (task == NULL)
    return FALSE;
  channel = receiver->channel;
  if (take (channel, ret_item)) {
    tractor__task_yield (task);
    return TRUE;
  }
  if (!channel->sender.is_open) {
    tractor__task_yield (task);
    return FALSE; /* the end */
  }

  switch (tractor__parking_lot_park (&channel->receivers, task, &parked, "channel receive")) {
  case WAKE_NORMAL:
    *ret_item = parked.value;
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
  g_return_val_if_fail (receiver != NULL && ret_item != NULL, FALSE);

  if (take (receiver->channel, ret_item))
    return TRUE;
  if (!receiver->channel->sender.is_open)
    return FALSE;
  return set_would_block (error, "empty");
}

static void
free_if_closed (Channel *channel)
{
  if (!channel->sender.is_open && !channel->receiver.is_open && !channel->is_draining)
    g_free (channel);
}

void
tractor_sender_close (TractorSender *sender)
{
  if (sender == NULL)
    return;

  sender->is_open = FALSE;
  parking_lot_unpark_all (&sender->channel->senders, WAKE_CLOSED);
  parking_lot_unpark_all (&sender->channel->receivers, WAKE_BROKEN);
  free_if_closed (sender->channel);
}

void
tractor_receiver_close (TractorReceiver *receiver)
{
  Channel *channel;

  if (receiver == NULL)
    return;

  channel = receiver->channel;
  receiver->is_open = FALSE;
  parking_lot_unpark_all (&channel->receivers, WAKE_CLOSED);
  parking_lot_unpark_all (&channel->senders, WAKE_BROKEN);
  channel->is_draining = TRUE;
  while (channel->length > 0) {
    gpointer item = ring_pop (channel);

    if (channel->item_free != NULL)
      channel->item_free (item);
  }
  channel->is_draining = FALSE;
  free_if_closed (channel);
}
