/* stream-send.c - items are sent.
 *
 * To a peer that counts there is room for so many items and bytes as it has said; who has none left waits
 * for a Credit. In any case nobody sends more than the link may have in its queue. A send is a checkpoint,
 * also where there is room, but one that does not wait is none: what is sent in one turn goes out in one
 * write. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "actor-trace.h"
#include "bounds.h"
#include "context.h"
#include "link-write.h"
#include "packed.h"
#include "value.h"

static gboolean
has_room (const TractorStream *stream)
{
  return !tractor__link_has_credit (stream->context->link) ||
         (stream->room.items > 0 && stream->room.bytes > 0);
}

static gboolean
check_may_send (TractorStream *stream, GError **error)
{
  TractorContext *context = stream->context;

  if (context->failure != NULL) {
    g_propagate_error (error, g_error_copy (context->failure));
    return FALSE;
  }
  if (stream->sent_stop || stream->got_stop || context->is_final) {
    stream->has_broken = stream->has_broken || !stream->sent_stop;
    g_set_error_literal (error, TRACTOR_ERROR,
                         stream->sent_stop ? TRACTOR_ERROR_CLOSED : TRACTOR_ERROR_BROKEN,
                         stream->sent_stop ? "This end of the stream is closed" : OTHER_END_CLOSED);
    return FALSE;
  }
  return TRUE;
}

/* Also in the link's queue. */
static gboolean
may_send_now (const TractorStream *stream)
{
  return has_room (stream) && stream->context->link->out->len <= LIMIT_QUEUED_BYTES;
}

static gboolean
wait_for_room (TractorStream *stream, GError **error)
{
  Link *link = stream->context->link;

  if (!check_may_send (stream, error) || !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  while (!may_send_now (stream)) {
    if (link->is_ending) { /* nobody writes any more; the failure is on its way */
      g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
                   "The connection to actor '%s' is closed", link->peer.name);
      return FALSE;
    }
    if (!(has_room (stream) ? tractor__link_wait_for_news_of_room (link, error)
                            : tractor_parking_lot_park (stream->senders, error)))
      return FALSE;
    if (!check_may_send (stream, error))
      return FALSE;
  }
  return TRUE;
}

/* How much had been written before an item. */
typedef struct {
  guint n_bytes;
  guint n_fds;
} Written;

static Written
get_written (const TractorStream *stream)
{
  const WireBuffer *out = stream->context->link->out;

  return (Written){ out->len, wire_count_fds (out) };
}

/* An item has been written. */
static void
take_room (TractorStream *stream, Written before)
{
  Written now = get_written (stream);

  if (stream->overhead_bytes == 0)
    stream->overhead_bytes = tractor__msg_get_yield_overhead (stream->context->cid);
  stream->room.items--;
  stream->room.bytes -= stream_weigh (now.n_bytes - before.n_bytes - stream->overhead_bytes,
                                      now.n_fds - before.n_fds);
  trace_sent (MSG_YIELD, stream->context->cid, stream->n_sent++, NULL);
  tractor__link_flush (stream->context->link);
}

/* It is the others' turn now, whether there was room at once or not: also of the writer's, which gathers what
 * is sent in a hurry. */
static gboolean
finish_send (TractorStream *stream, Written before)
{
  take_room (stream, before);
  tractor_cancel_shielded_checkpoint (NULL);
  return TRUE;
}

/* Takes @item if it could be sent, and leaves it to be refused if not. */
static gboolean
send_item (TractorStream *stream, GVariant **item, GError **error)
{
  TractorContext *context = stream->context;
  g_autoptr (WireBuffer) aside = NULL;
  Written before;

  if (!wait_for_room (stream, error))
    return FALSE;
  before = get_written (stream);
  if (!tractor__link_pack (context->link, MSG_YIELD, context->cid, *item, &aside, error))
    return FALSE;
  if (aside != NULL) { /* others have had their turns, and perhaps the room */
    if (!wait_for_room (stream, error))
      return FALSE;
    before = get_written (stream);
    tractor__wire_buffer_take (context->link->out, aside);
  }
  g_clear_pointer (item, g_variant_unref);
  return finish_send (stream, before);
}

gboolean
tractor_stream_send (TractorStream *stream, GVariant *item, GError **error)
{
  g_autoptr (RefusedValue) owned = item != NULL ? g_variant_ref_sink (item) : NULL;
  gboolean ok;

  if (!tractor__stream_check_given (stream, error))
    return FALSE;

  tractor__stream_enter (stream);
  ok = send_item (stream, &owned, error);
  return tractor__stream_end_call (stream, ok, error);
}

gboolean
tractor_stream_send_nowait (TractorStream *stream, GVariant *item, GError **error)
{
  g_autoptr (RefusedValue) owned = item != NULL ? g_variant_ref_sink (item) : NULL;
  TractorContext *context;
  Written before;

  if (!tractor__stream_check_given (stream, error))
    return FALSE;

  context = stream->context;
  if (!check_may_send (stream, error))
    return FALSE;
  if (!may_send_now (stream)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK,
                         "There is no room for an item");
    return FALSE;
  }
  before = get_written (stream);
  if (!tractor__msg_write_payload (context->link->out, MSG_YIELD, context->cid, owned, PACK_AT_ONCE,
                                   error))
    return FALSE;
  g_clear_pointer (&owned, g_variant_unref);
  take_room (stream, before);
  return TRUE;
}

/* @value: must stay while this waits. */
static gboolean
send_value (TractorStream *stream, WireValue value, GError **error)
{
  TractorContext *context = stream->context;
  Written before;

  if (!wait_for_room (stream, error))
    return FALSE;
  before = get_written (stream);
  return tractor__msg_write_packed (context->link->out, MSG_YIELD, context->cid, value, error) &&
         finish_send (stream, before);
}

gboolean
tractor_stream_send_packed (TractorStream *stream, GBytes *item, GError **error)
{
  WireValue value;
  gboolean ok;

  if (!tractor__stream_check_given (stream, error) ||
      !tractor_error_check_given (item, "item", error) ||
      !tractor__packed_check (item, "A packed item", &value, error))
    return FALSE;

  tractor__stream_enter (stream);
  ok = send_value (stream, value, error);
  return tractor__stream_end_call (stream, ok, error);
}
