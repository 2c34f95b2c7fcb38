/* tractor-channel.h - values handed from task to task, in order, with a bound. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

typedef struct _TractorSender TractorSender;
typedef struct _TractorReceiver TractorReceiver;

/**
 * tractor_channel_open:
 * @capacity: how many items may wait in between; 0 makes each send wait for its receive
 * @item_free: (nullable): for items that nobody will receive any more
 * @ret_sender: (out) (transfer full): the end to put items in
 * @ret_receiver: (out) (transfer full): the end to take them out
 *
 * Makes a channel. Its ends are closed one by one, in any order, by any task. Several tasks may send
 * or receive at one end at the same time, first come first served; an end of its own, a clone, is
 * for a task that is to close it by itself.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_channel_open (guint capacity,
                                       GDestroyNotify item_free,
                                       TractorSender **ret_sender,
                                       TractorReceiver **ret_receiver);

/**
 * tractor_sender_clone:
 *
 * Returns: (transfer full): another end to put items in. Receivers see the end of the channel when
 *   the last is closed.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorSender *tractor_sender_clone (TractorSender *sender);

/**
 * tractor_sender_send:
 * @item: (transfer full): the channel's on success, still the caller's on failure
 *
 * Puts an item in, waiting while the channel is full.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, BROKEN if every receiver is closed, or
 *   CLOSED if this end was closed while waiting.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_sender_send (TractorSender *sender, gpointer item, GError **error);

/**
 * tractor_sender_send_nowait:
 * @item: (transfer full): the channel's on success, still the caller's on failure
 *
 * Puts an item in if there is room or a task is waiting for it.
 *
 * Returns: TRUE; or FALSE with @error set to WOULD_BLOCK or BROKEN.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API gboolean tractor_sender_send_nowait (TractorSender *sender,
                                                 gpointer item,
                                                 GError **error);

/**
 * tractor_sender_close:
 * @sender: (transfer full) (nullable)
 *
 * Nothing more will be sent here. With the last sender, receivers get what is in the channel, then
 * the end. Tasks that are waiting to send at this end get CLOSED.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_sender_close (TractorSender *sender);

/**
 * tractor_receiver_clone:
 *
 * Returns: (transfer full): another end to take items out; each item goes to one of them.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorReceiver *tractor_receiver_clone (TractorReceiver *receiver);

/**
 * tractor_receiver_receive:
 * @ret_item: (out) (transfer full): the oldest item
 *
 * Takes an item out, waiting while there is none.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, or CLOSED if this end was closed while
 *   waiting; or FALSE with @error unset at the end of the channel.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_receiver_receive (TractorReceiver *receiver,
                                               gpointer *ret_item,
                                               GError **error);

/**
 * tractor_receiver_receive_nowait:
 * @ret_item: (out) (transfer full): the oldest item
 *
 * Takes an item out if there is one.
 *
 * Returns: TRUE; or FALSE with @error set to WOULD_BLOCK; or FALSE with @error unset at the end.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API gboolean tractor_receiver_receive_nowait (TractorReceiver *receiver,
                                                      gpointer *ret_item,
                                                      GError **error);

/**
 * tractor_receiver_close:
 * @receiver: (transfer full) (nullable)
 *
 * Nothing more will be taken here. With the last receiver, items in the channel are freed, and
 * senders get BROKEN. Tasks that are waiting to receive at this end get CLOSED.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_receiver_close (TractorReceiver *receiver);

/**
 * TractorChannelStatistics:
 * @capacity: items that it has room for
 * @length: items in it
 * @peak: the most that were in it at one time
 * @n_senders: open ends to put items in
 * @n_receivers: open ends to take items out
 * @n_sending: tasks that wait for room
 * @n_receiving: tasks that wait for an item
 */
typedef struct {
  guint capacity;
  guint length;
  guint peak;
  guint n_senders;
  guint n_receivers;
  guint n_sending;
  guint n_receiving;
} TractorChannelStatistics;

/**
 * tractor_sender_get_statistics:
 * @ret_statistics: (out): how the channel stands
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_sender_get_statistics (TractorSender *sender,
                                                TractorChannelStatistics *ret_statistics);

/**
 * tractor_receiver_get_statistics:
 * @ret_statistics: (out): how the channel stands
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_receiver_get_statistics (TractorReceiver *receiver,
                                                  TractorChannelStatistics *ret_statistics);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorSender, tractor_sender_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorReceiver, tractor_receiver_close)

G_END_DECLS
