/* tractor-topics.h - one publisher, and subscribers in other actors who get the topics they ask for.
 *
 * A publisher is an object of an actor. Subscribers reach it by a context that the actor's module
 * exports, of which the program writes two lines:
 *
 *     static gboolean
 *     feed (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
 *     {
 *       return tractor_publisher_serve (publisher, context, kwargs, error);
 *     }
 *
 * On the wire a subscriber opens that context with {"topics": [...]}, gets [topic, value] for each
 * item and an integer, a number of items, where it has lost some, and may send another list of topics
 * at any time. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-stream.h"

G_BEGIN_DECLS

typedef struct _TractorPublisher TractorPublisher;
typedef struct _TractorSubscription TractorSubscription;

/* --- publishing -------------------------------------------------------------------------------- */

/**
 * TractorPublishFunc:
 * @error: never NULL
 *
 * Runs for as long as somebody subscribes: it is started with the first subscriber and cancelled when
 * the last has left, as often as that happens. If it returns TRUE before, that is the end for those who
 * subscribe now. If it fails they get that failure too.
 */
typedef gboolean (*TractorPublishFunc) (TractorPublisher *publisher, gpointer data, GError **error);

/**
 * tractor_publisher_open:
 * @capacity: at least 1; how many items a subscriber may fall behind before it loses the oldest. What
 *   its stream has room for comes on top of that, once others have had a turn: whoever publishes more than
 *   @capacity of one's topics without a checkpoint loses that one the oldest of them.
 * @nursery: (nullable): where @func runs; the publisher must be closed before it is joined
 * @func: (nullable): what publishes; NULL: only others do, with tractor_publisher_send()
 *
 * Returns: (transfer full): a publisher without subscribers.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API TractorPublisher *tractor_publisher_open (guint capacity,
                                                      TractorNursery *nursery,
                                                      TractorPublishFunc func,
                                                      gpointer data);

/**
 * tractor_publisher_serve:
 * @context: of the function that calls this, which has not said tractor_context_started() yet
 * @kwargs: its arguments, with an array of strings "topics"
 *
 * Serves one subscriber until it leaves or there is nothing more to get. To be called by a function
 * that is exported as TRACTOR_EXPORT_CONTEXT, with nothing behind it but the return.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; CLOSED if the publisher is; MSG_TYPE if what
 *   the subscriber sends is no list of topics, or if a value cannot be sent; a G_FILE_ERROR if a
 *   descriptor in one cannot; LIMIT; or to what the publisher's function failed with.
 * Suspends: yes, a checkpoint. Thread: guest, in the task of the context's function.
 */
TRACTOR_API gboolean tractor_publisher_serve (TractorPublisher *publisher,
                                              TractorContext *context,
                                              GVariant *kwargs,
                                              GError **error);

/**
 * tractor_publisher_send:
 * @topic: in UTF-8
 * @value: (nullable): a floating one is consumed
 *
 * Gives a value to all who subscribe to @topic now. It never waits: where a subscriber is too slow, its
 * oldest item makes room, and it is told so (LAGGED).
 *
 * Descriptors in @value have to be open until this has returned: what waits to be sent has duplicates of its own.
 * If there is no free number for one, or it is not open, all who subscribe to @topic get that failure when it is
 * the value's turn, and tractor_publisher_serve() fails with it.
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API void
tractor_publisher_send (TractorPublisher *publisher, const char *topic, GVariant *value);

/**
 * tractor_publisher_is_wanted:
 *
 * Returns: whether somebody subscribes to @topic.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_publisher_is_wanted (TractorPublisher *publisher, const char *topic);

/**
 * tractor_publisher_wait_topics:
 * @topics: (inout) (transfer full) (nullable) (array zero-terminated=1): those that the caller knows of;
 *   afterwards those that somebody subscribes to, sorted
 *
 * Waits until other topics are wanted than the caller knows. With a NULL there it only asks.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, or to BROKEN if the publisher is closed
 *   meanwhile.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_publisher_wait_topics (TractorPublisher *publisher,
                                                    char ***topics,
                                                    GError **error);

/**
 * tractor_publisher_close:
 * @publisher: (transfer full) (nullable)
 *
 * Nothing more will be sent. Subscribers get what is left, then the end; the function is cancelled.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_publisher_close (TractorPublisher *publisher);

/* --- subscribing ------------------------------------------------------------------------------- */

/**
 * tractor_subscription_open:
 * @function: "module:function", which calls tractor_publisher_serve()
 * @topics: (array zero-terminated=1): what to get; MISUSE if one is not UTF-8
 *
 * Subscribes to topics of a publisher in another actor: everything that is sent there after this has
 * returned. It is a context (tractor-context.h): what the calling task does from now on, until it joins
 * or closes the subscription, is its body, which a failure of the publisher interrupts.
 *
 * Returns: (transfer full): to be joined or closed by the same task; or NULL with @error set as by
 *   tractor_portal_open_context().
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API TractorSubscription *tractor_subscription_open (TractorPortal *portal,
                                                            const char *function,
                                                            const char *const *topics,
                                                            GError **error);

/**
 * tractor_subscription_receive:
 * @ret_topic: (out) (optional) (transfer full): what it is about
 * @ret_value: (out) (transfer full) (nullable): what was sent; NULL is a nil
 *
 * Waits for the next item.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; to LAGGED if items were lost, once for each
 *   gap, and then the next call gets the oldest that is left; to MSG_TYPE if the other end is no
 *   publisher; or to how the other end failed; or FALSE with @error unset if nothing more comes.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_subscription_receive (TractorSubscription *subscription,
                                                   char **ret_topic,
                                                   GVariant **ret_value,
                                                   GError **error);

/**
 * tractor_subscription_set_topics:
 * @topics: (array zero-terminated=1): what to get from now on, instead of what it was before
 *
 * Asks for other topics. What has been on its way is received first.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_stream_send(), or to MISUSE if a topic is
 *   not UTF-8.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_subscription_set_topics (TractorSubscription *subscription,
                                                      const char *const *topics,
                                                      GError **error);

/**
 * tractor_subscription_get_n_lost:
 *
 * Returns: how many items were lost in all, as far as LAGGED has told.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API guint64 tractor_subscription_get_n_lost (TractorSubscription *subscription);

/**
 * tractor_subscription_join:
 * @error: (inout): the body's own failure if it has one; afterwards all that failed. Never NULL.
 *
 * Unsubscribes, and waits until the other end knows. What tractor_subscription_receive() has failed
 * with is part of that, and comes out once, whether it is in *@error or not.
 *
 * Returns: TRUE if nothing is left in *@error.
 * Suspends: yes; as tractor_context_join(). Thread: guest, the task that opened the subscription.
 */
TRACTOR_API gboolean tractor_subscription_join (TractorSubscription *subscription, GError **error);

/**
 * tractor_subscription_close:
 * @subscription: (transfer full) (nullable)
 *
 * What g_autoptr does on an early return: unsubscribes, if that has not been done, and frees the
 * subscription. A failure at the other end that nobody joined is not lost, as with
 * tractor_context_close().
 *
 * Suspends: if the subscription was not joined. Thread: guest, the task that opened it.
 */
TRACTOR_API void tractor_subscription_close (TractorSubscription *subscription);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorPublisher, tractor_publisher_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorSubscription, tractor_subscription_close)

G_END_DECLS
