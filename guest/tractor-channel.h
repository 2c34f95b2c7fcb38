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
 * Makes a channel. Its two ends are closed one by one, in any order, by any task. Several tasks
 * may send or receive at one end at the same time, first come first served.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_channel_open (guint capacity,
                                       GDestroyNotify item_free,
                                       TractorSender **ret_sender,
                                       TractorReceiver **ret_receiver);

/**
 * tractor_sender_send:
 * @item: (transfer full): the channel's on success, still the caller's on failure
 *
 * Puts an item in, waiting while the channel is full.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, BROKEN if the receiver is closed, or
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
 * Nothing more will be sent: the receiver gets what is in the channel, then the end. Tasks that
 * are waiting to send get CLOSED.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_sender_close (TractorSender *sender);

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
 * Nothing more will be taken: items in the channel are freed, and senders get BROKEN.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_receiver_close (TractorReceiver *receiver);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorSender, tractor_sender_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorReceiver, tractor_receiver_close)

G_END_DECLS
