/* tractor-stream.h - items sent from task to task across processes, in order.
 *
 * A stream has room for some items that nobody has received yet: 4096 of them, or 4 MiB. Between actors
 * of this library its sender waits for that: a slow receiver slows its sender down, and nothing is lost.
 *
 * A Python actor does not count. While there is no room for what it sends, in a stream or, with 64 MiB, in
 * all of one connection, that holds it back, for a second. An item that there is still no room for is lost,
 * and both ends are told so with OVERRUN: the receiver after all the items that came before. And a Python
 * actor must not be sent more than 64 items that it has not received: it drops what is more, and says so. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-broadcast.h"
#include "tractor-context.h"

G_BEGIN_DECLS

/**
 * tractor_context_open_stream:
 *
 * Opens this side's end of the context's stream, which goes both ways. Once on each side; the
 * function must have said tractor_context_started() before.
 *
 * It does not matter how late that is. Items that have come are received first, and then how the other end
 * ended: also if it has failed by now, which interrupts what else the body waits for, but no
 * tractor_stream_receive() while there are items.
 *
 * The stream is the context's: closing that closes it too, and all calls with it fail with MISUSE from then
 * on. Its memory is there until tractor_stream_close(), or until the task that opened the context ends.
 *
 * Returns: (transfer full): to be closed before the context; or NULL with @error set to CANCELLED;
 *   to MISUSE before the start; to CLOSED if it has been opened before; or to how the other end
 *   failed, if it did and no item is left.
 * Suspends: yes, a checkpoint. Thread: guest, in a task of this side.
 */
TRACTOR_API TractorStream *tractor_context_open_stream (TractorContext *context, GError **error);

/**
 * tractor_portal_open_stream:
 * @function: "module:function", exported as TRACTOR_EXPORT_STREAM; a generator of a Python actor
 * @kwargs: (nullable): an a{sv}; a floating one is consumed
 * @options: (nullable): NULL is all defaults
 *
 * Starts a function of the actor that sends items one way. The stream belongs to the calling task, though
 * others may receive from it: if the task ends and it is still open it is closed, and the task ends with
 * MISUSE.
 *
 * Returns: (transfer full): closing it cancels the function if it has not ended; or NULL with @error
 *   set as by tractor_portal_open_context().
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API TractorStream *tractor_portal_open_stream (TractorPortal *portal,
                                                       const char *function,
                                                       GVariant *kwargs,
                                                       const TractorDialogOptions *options,
                                                       GError **error);

/**
 * tractor_stream_send:
 * @item: (nullable): a floating one is consumed
 *
 * Sends an item, waiting while the other end has no room for more. Several tasks may send; items of
 * one task arrive in its order, and each whole. It is on its way when this returns, unless many have been
 * sent in a row: then those of one moment go together, at the next checkpoints.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; BROKEN if the other end has closed its stream
 *   or has ended; CLOSED if this end is closed; MSG_TYPE if @item cannot be sent; OVERRUN, boxed, if a
 *   peer that does not count lost items; or to how the other end failed.
 * Suspends: yes, a checkpoint. Thread: guest, in a task of this side.
 */
TRACTOR_API gboolean tractor_stream_send (TractorStream *stream, GVariant *item, GError **error);

/**
 * tractor_stream_send_nowait:
 * @item: (nullable): a floating one is consumed, also on failure
 *
 * Sends an item if there is room for it at once. Who sends many, and gives others no turn, holds them up.
 *
 * Returns: TRUE; or FALSE with @error set to WOULD_BLOCK, or otherwise as by tractor_stream_send().
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_stream_send_nowait (TractorStream *stream,
                                                 GVariant *item,
                                                 GError **error);

/**
 * tractor_stream_receive:
 * @ret_item: (out) (transfer full) (nullable): the next item; NULL is a nil
 *
 * Waits for the next item. Several tasks may receive: each item goes to one of them.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; MSG_TYPE for an item that breaks the payload
 *   spec or is above the limits, which the sender is told too; CLOSED if this end is closed; OVERRUN where
 *   items of a peer that does not count were lost, which is told too; or to how the other end failed; or
 *   FALSE with @error unset at the end of the stream.
 * Suspends: yes, a checkpoint. Thread: guest, in a task of this side.
 */
TRACTOR_API gboolean tractor_stream_receive (TractorStream *stream,
                                             GVariant **ret_item,
                                             GError **error);

/**
 * tractor_stream_receive_nowait:
 * @ret_item: (out) (transfer full) (nullable): the next item; NULL is a nil
 *
 * Takes the next item if it has come.
 *
 * Returns: TRUE; or FALSE with @error set to WOULD_BLOCK, or otherwise as by
 *   tractor_stream_receive().
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_stream_receive_nowait (TractorStream *stream,
                                                    GVariant **ret_item,
                                                    GError **error);

/**
 * tractor_stream_send_packed:
 * @item: one whole msgpack value
 *
 * As tractor_stream_send(), for programs that encode themselves: no GVariant is made.
 *
 * Returns: as tractor_stream_send(); MSG_TYPE if @item is not exactly one msgpack value.
 * Suspends: yes, a checkpoint. Thread: guest, in a task of this side.
 */
TRACTOR_API gboolean tractor_stream_send_packed (TractorStream *stream,
                                                 GBytes *item,
                                                 GError **error);

/**
 * tractor_stream_receive_packed:
 * @ret_item: (out) (transfer full): the next item, as one msgpack value; checked to be whole and
 *   within the limits, but against no payload spec
 *
 * As tractor_stream_receive(), for programs that decode themselves.
 *
 * Returns: as tractor_stream_receive().
 * Suspends: yes, a checkpoint. Thread: guest, in a task of this side.
 */
TRACTOR_API gboolean tractor_stream_receive_packed (TractorStream *stream,
                                                    GBytes **ret_item,
                                                    GError **error);

/**
 * tractor_stream_share:
 * @nursery: where to run the task that receives, until the stream ends or is closed
 * @capacity: at least 1; how many items a subscriber may fall behind before it loses some
 *
 * From now on every item goes to all subscribers, instead of to one receiver. Sending stays as it is.
 *
 * Returns: TRUE; or FALSE with @error set to CLOSED if the stream or @nursery is; MISUSE if the
 *   stream is shared already, or @capacity is 0; or LIMIT.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_stream_share (TractorStream *stream,
                                           TractorNursery *nursery,
                                           guint capacity,
                                           GError **error);

/**
 * tractor_stream_subscribe:
 *
 * For tractor_subscriber_receive(), which gives a GVariant, (transfer full) (nullable): every item
 * that comes from now on. At the end of the stream it ends too; if the stream fails, each subscriber gets
 * that error, after all items that came before it, and so does the nursery that it is shared in. If that
 * nursery is cancelled, or this end of the stream is closed, subscribers get the end.
 *
 * Returns: (transfer full): a subscriber; or NULL with @error set to MISUSE if the stream is not shared;
 *   to how the other end failed; or to CLOSED if the stream has ended.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorSubscriber *tractor_stream_subscribe (TractorStream *stream, GError **error);

/**
 * tractor_stream_get_n_dropped:
 *
 * Returns: how many items were dropped on arrival, because nobody received them: only with
 *   allow_overruns.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API guint64 tractor_stream_get_n_dropped (TractorStream *stream);

/**
 * tractor_stream_close:
 * @stream: (transfer full) (nullable)
 *
 * Ends this side's end: the other side gets what has been sent, then the end of the stream. What
 * still comes from there is thrown away; tasks that are in a call with this end get CLOSED. A stream of
 * tractor_portal_open_stream() cancels its function besides, and waits for that, for half a second at
 * most: unless the function has closed its own end, which is its end for who opened it; how it fails after
 * that is told to the log.
 *
 * Suspends: only a stream of tractor_portal_open_stream() that has not ended. Thread: guest; such a
 *   stream in a task.
 */
TRACTOR_API void tractor_stream_close (TractorStream *stream);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorStream, tractor_stream_close)

G_END_DECLS
