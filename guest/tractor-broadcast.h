/* tractor-broadcast.h - each value to every receiver, without waiting for any. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

typedef struct _TractorBroadcaster TractorBroadcaster;
typedef struct _TractorSubscriber TractorSubscriber;

/**
 * TractorItemCopyFunc:
 *
 * Returns: (transfer full): another hold on @item, such as a reference or a copy.
 */
typedef gpointer (*TractorItemCopyFunc) (gpointer item);

/**
 * tractor_broadcaster_new:
 * @capacity: at least 1; how far a subscriber may fall behind before it loses items
 * @item_copy: (nullable): makes each subscriber's own; NULL: all get the same pointer
 * @item_free: (nullable): for the broadcaster's own, when nobody can want it any more
 *
 * Returns: (transfer full): a broadcaster without subscribers.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorBroadcaster *
tractor_broadcaster_new (guint capacity, TractorItemCopyFunc item_copy, GDestroyNotify item_free);

/**
 * tractor_broadcaster_send:
 * @item: (transfer full)
 *
 * Gives the item to all who subscribe now. It never waits: the oldest item makes room, and whoever
 * has not received that one is told so (LAGGED).
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API void tractor_broadcaster_send (TractorBroadcaster *broadcaster, gpointer item);

/**
 * tractor_broadcaster_close:
 * @broadcaster: (transfer full) (nullable)
 *
 * Nothing more will be sent. Subscribers get what is left, then the end.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_broadcaster_close (TractorBroadcaster *broadcaster);

/**
 * tractor_broadcaster_fail:
 * @broadcaster: (transfer full)
 * @failure: (transfer full)
 *
 * As tractor_broadcaster_close(), but what comes after what is left is @failure instead of the end.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_broadcaster_fail (TractorBroadcaster *broadcaster, GError *failure);

/**
 * tractor_broadcaster_subscribe:
 *
 * Returns: (transfer full): a receiver of what is sent from now on.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorSubscriber *tractor_broadcaster_subscribe (TractorBroadcaster *broadcaster);

/**
 * tractor_subscriber_receive:
 * @ret_item: (out) (transfer full): the oldest item that this subscriber has not had
 *
 * Waits for the next item. Several tasks may share a subscriber: each item goes to one of them.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; to LAGGED if items were lost, once for each
 *   gap, and then the next call gets the oldest that is left; to CLOSED if the subscriber was closed
 *   while waiting; or to what the broadcaster has failed with, after all that came before, also in a scope
 *   that is cancelled; or FALSE with @error unset at the end.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_subscriber_receive (TractorSubscriber *subscriber,
                                                 gpointer *ret_item,
                                                 GError **error);

/**
 * tractor_subscriber_get_n_lost:
 *
 * Returns: how many items this subscriber has lost in all, as far as LAGGED has told.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API guint64 tractor_subscriber_get_n_lost (TractorSubscriber *subscriber);

/**
 * tractor_subscriber_close:
 * @subscriber: (transfer full) (nullable)
 *
 * Tasks that are waiting at it get CLOSED.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_subscriber_close (TractorSubscriber *subscriber);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorBroadcaster, tractor_broadcaster_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorSubscriber, tractor_subscriber_close)

G_END_DECLS
