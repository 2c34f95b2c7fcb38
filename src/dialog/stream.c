/* stream.c - items sent from task to task across processes.
 *
 * What comes in is kept, one block of memory an item, until a task receives it. Between two peers
 * that both count, the sender knows how much room the receiver has, in items and in bytes: it starts
 * with what the receiver's Aid offered, takes from that what it sends, and waits when there is none
 * left; the receiver tells in a Credit what has been taken, in lots of half its room. A peer that
 * sends more than there is room for breaks the protocol. So memory is bounded at both ends, and
 * nothing is lost.
 *
 * A peer that does not count, such as a Python actor, has the same room and does not know it. It is
 * held back by its socket: while the next item is for a stream that is full, nothing more is read
 * (link-read.c), for as long as a receiver may be away for. An item that there is still no room for then is
 * lost, and with it the stream: its sender is told, once, and so is its receiver, behind the last item
 * that came before the hole. Where overruns are allowed nobody waits: the oldest item goes.
 *
 * A stream may be closed while other tasks are in a call with it: they get CLOSED, and its memory goes
 * with the last of them.
 *
 * Either side may close first, with a Stop; the other then gets the rest, and the end, and sends no
 * Stop of its own. What comes after one's own Stop is thrown away. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "actor-trace.h"
#include "bounds.h"
#include "context.h"
#include "link-write.h"
#include "remote-error.h"
#include "value.h"

struct _StreamItem {
  StreamItem *next;
  PassedFds *fds;  /* (nullable): that came with it */
  GError *refusal; /* (nullable): instead of bytes, for it is above a limit */
  gsize length;
  guint8 bytes[];
};

void
tractor__stream_init (TractorStream *stream, TractorContext *context)
{
  stream->context = context;
  stream->receivers = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (stream->receivers, "stream receive");
  stream->senders = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (stream->senders, "stream send");
}

/* So many items more, or fewer, wait to be taken. */
static void
hold (TractorStream *stream, gint64 n_items, gint64 weight)
{
  stream->held.items += n_items;
  stream->held.bytes += weight;
  stream->context->link->untaken_bytes += weight;
}

static StreamItem *
pop (TractorStream *stream)
{
  StreamItem *item = stream->first;

  if (item == NULL)
    return NULL;
  stream->first = item->next;
  if (stream->first == NULL)
    stream->last = NULL;
  return item;
}

static void
item_free (gpointer data)
{
  StreamItem *item = data;

  tractor__passed_fds_unref (item->fds);
  g_clear_error (&item->refusal);
  g_free (item);
}

static void
drop_all (TractorStream *stream)
{
  StreamItem *item;

  while ((item = pop (stream)) != NULL)
    item_free (item);
}

void
tractor__stream_clear (TractorStream *stream)
{
  tractor__stream_unshare (stream);
  drop_all (stream);
  if (stream->context->link != NULL) {
    hold (stream, 0, -stream->held.bytes);
    tractor__link_read_on (stream->context->link); /* it may have waited for this one's room */
  }
  g_clear_error (&stream->overrun);
  tractor_parking_lot_free (stream->receivers);
  tractor_parking_lot_free (stream->senders);
}

static void
set_closed_error (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                       "This end of the stream is closed");
}

void
tractor__stream_enter (TractorStream *stream)
{
  stream->n_inside++;
}

void
tractor__stream_leave (TractorStream *stream)
{
  if (--stream->n_inside == 0)
    tractor__context_release (stream->context);
}

gboolean
tractor__stream_end_call (TractorStream *stream, gboolean ok, GError **error)
{
  gboolean is_closed = stream->context->is_closed;

  tractor__stream_leave (stream);
  if (ok && is_closed)
    set_closed_error (error);
  return ok && !is_closed;
}

void
tractor__stream_wake (TractorStream *stream)
{
  tractor_parking_lot_unpark (stream->receivers, G_MAXUINT);
  tractor_parking_lot_unpark (stream->senders, G_MAXUINT);
  tractor__link_tell_of_room (stream->context->link); /* for which some of them wait */
}

gboolean
tractor__stream_check_given (const TractorStream *stream, GError **error)
{
  if (!tractor_error_check_given (stream, "stream", error))
    return FALSE;
  if (!stream->context->is_closed)
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                       "The context of this stream has been closed");
  return FALSE;
}

/* --- counting ---------------------------------------------------------------------------------- */

static gint64
weigh_item (const StreamItem *item)
{
  return stream_weigh (item->length, tractor__passed_fds_get_n (item->fds));
}

/* An item has been taken, or thrown away. */
static void
give_back (TractorStream *stream, gint64 weight)
{
  Link *link = stream->context->link;
  Credit room = link->runtime->credit;

  if (!tractor__link_has_credit (link)) {
    hold (stream, -1, -weight);
    tractor__link_read_on (link);
    return;
  }
  stream->owed.items++;
  stream->owed.bytes += weight;
  if (stream->owed.items * 2 < room.items && stream->owed.bytes * 2 < room.bytes)
    return;
  hold (stream, -stream->owed.items, -stream->owed.bytes);
  if (!stream->got_stop && !stream->context->is_final) {
    tractor__msg_write_credit (link_get_urgent (link, 0), stream->context->cid, stream->owed);
    tractor__link_flush (link);
  }
  stream->owed = (Credit){ 0 };
}

void
tractor__stream_discard (TractorStream *stream)
{
  StreamItem *item;

  stream->is_discarding = TRUE;
  while ((item = pop (stream)) != NULL) {
    give_back (stream, weigh_item (item));
    item_free (item);
  }
  tractor__link_read_on (stream->context->link);
}

/* --- what comes -------------------------------------------------------------------------------- */

static StreamItem *
item_new (const Msg *yield)
{
  WireValue payload = yield->fields[FIELD_PLD];
  StreamItem *item = g_malloc (sizeof *item + payload.length);

  *item = (StreamItem){ .fds = tractor__passed_fds_ref (yield->fds),
                        .length = payload.length + yield->left_out.n_bytes };
  if (tractor__msg_check_whole (yield, &item->refusal))
    memcpy (item->bytes, payload.bytes, payload.length);
  return item;
}

/* Takes @item. */
static void
append (TractorStream *stream, StreamItem *item)
{
  if (stream->last != NULL)
    stream->last->next = item;
  else
    stream->first = item;
  stream->last = item;
  tractor_parking_lot_unpark (stream->receivers, 1);
}

static gboolean
receive_counted (TractorStream *stream, const Msg *yield, GError **error)
{
  Credit room = stream->context->link->runtime->credit;
  StreamItem *item;

  if (stream->held.items >= room.items || stream->held.bytes >= room.bytes) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                         "more items of a stream than it was given room for");
    return FALSE;
  }
  item = item_new (yield);
  hold (stream, 1, weigh_item (item));
  if (!stream->is_discarding) {
    append (stream, item);
    return TRUE;
  }
  give_back (stream, weigh_item (item));
  item_free (item);
  return TRUE;
}

/* Whether there is room for one more item of a peer that does not count: here, and in all its streams. */
static gboolean
has_uncounted_room (const TractorStream *stream)
{
  const Link *link = stream->context->link;
  const TractorLimits *limits = &link->runtime->limits;

  return stream->held.items < (gint64) limits->stream_items &&
         stream->held.bytes < (gint64) limits->stream_bytes &&
         link->untaken_bytes < LIMIT_UNTAKEN_BYTES;
}

gboolean
tractor__stream_is_full (const TractorStream *stream)
{
  return !stream->is_discarding && !stream->allow_overruns && stream->overrun == NULL &&
         !has_uncounted_room (stream);
}

static GError *
new_overrun_error (const TractorStream *stream)
{
  const Link *link = stream->context->link;

  if (link->untaken_bytes >= LIMIT_UNTAKEN_BYTES)
    return g_error_new (
        TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN,
        "Actor '%s' did not receive what actor '%s' streamed to it: %" G_GINT64_FORMAT
        " bytes of all its streams waited, and the next item was lost",
        link->runtime->id.name, link->peer.name, link->untaken_bytes);
  return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN,
                      "Actor '%s' did not receive what actor '%s' streamed to it: %" G_GINT64_FORMAT
                      " items, of %" G_GINT64_FORMAT " bytes, waited%s, and the next was lost",
                      link->runtime->id.name, link->peer.name, stream->held.items,
                      stream->held.bytes, stream->is_open ? "" : " for it to open its end");
}

/* An item is lost: both ends are told, and nothing that comes behind it is of use. */
static void
fail_with_overrun (TractorStream *stream)
{
  Link *link = stream->context->link;

  stream->overrun = new_overrun_error (stream);
  tractor__remote_error_write_overrun (link, stream->context->cid, stream->overrun);
  tractor__link_flush (link);
}

static void
drop_oldest (TractorStream *stream)
{
  StreamItem *item = pop (stream);

  hold (stream, -1, -weigh_item (item));
  stream->n_dropped++;
  item_free (item);
}

static void
receive_uncounted (TractorStream *stream, const Msg *yield)
{
  StreamItem *item;

  if (stream->is_discarding || stream->overrun != NULL)
    return;
  while (stream->allow_overruns && stream->first != NULL && !has_uncounted_room (stream))
    drop_oldest (stream);
  if (!has_uncounted_room (stream)) {
    if (stream->allow_overruns) /* others have it all */
      stream->n_dropped++;
    else
      fail_with_overrun (stream);
    return;
  }
  item = item_new (yield);
  hold (stream, 1, weigh_item (item));
  append (stream, item);
}

static void
note_yield (TractorStream *stream)
{
  guint64 n_before = stream->n_came++;
  const TractorContext *context = stream->context;

  if (trace_is_on ())
    tractor__trace_came (TRACTOR_TRACE_RECEIVED, MSG_YIELD, context->cid, strlen (context->cid),
                         n_before, context->link->peer.uuid);
}

gboolean
tractor__stream_deliver (TractorStream *stream, const Msg *msg, GError **error)
{
  Credit credit;

  switch (msg->type) {
  case MSG_YIELD:
    note_yield (stream);
    if (stream->got_stop)
      return TRUE; /* too late: it said itself that nothing more would come */
    if (tractor__link_has_credit (stream->context->link))
      return receive_counted (stream, msg, error);
    receive_uncounted (stream, msg);
    return TRUE;
  case MSG_STOP:
    stream->got_stop = TRUE;
    tractor__stream_wake (stream);
    return TRUE;
  case MSG_CREDIT:
    credit = tractor__msg_get_credit (msg);
    stream->room.items += credit.items;
    stream->room.bytes += credit.bytes;
    tractor_parking_lot_unpark (stream->senders, G_MAXUINT);
    return TRUE;
  default:
    return TRUE;
  }
}

/* --- opening and closing -------------------------------------------------------------------------- */

/* A failure comes after what has been sent before it, and says more than that the body is cancelled because
 * of it. */
static gboolean
check_may_open (TractorContext *context, GError **error)
{
  gboolean has_rest = context->stream.first != NULL && !context->stream.is_open;

  if (context->failure != NULL && !has_rest) {
    g_propagate_error (error, g_error_copy (context->failure));
    return FALSE;
  }
  if (context->failure == NULL && !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  if (!context->is_started || context->cancel_called) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         context->cancel_called
                             ? "The context has been cancelled"
                             : "A stream is opened after tractor_context_started()");
    return FALSE;
  }
  if (context->stream.is_open || context->stream.sent_stop) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                         "The stream of this context has been opened before");
    return FALSE;
  }
  return TRUE;
}

TractorStream *
tractor_context_open_stream (TractorContext *context, GError **error)
{
  if (!tractor_error_check_given (context, "context", error))
    return NULL;

  if (!check_may_open (context, error))
    return NULL;
  context->stream.is_open = TRUE;
  tractor_cancel_shielded_checkpoint (NULL);
  return &context->stream;
}

void
tractor__stream_close_one_way (gpointer data)
{
  TractorStream *stream = data;

  stream->hold = NULL;
  stream->sent_stop = TRUE;
  tractor__stream_discard (stream);
  tractor__stream_wake (stream);
  if (!stream->context->is_final)
    tractor__request_withdraw (&stream->context->request);
  tractor__context_free (stream->context);
}

void
tractor__stream_end (TractorStream *stream)
{
  TractorContext *context = stream->context;

  tractor__stream_discard (stream);
  if (!stream->sent_stop && !stream->got_stop && !context->is_final && context->is_started &&
      !context->cancel_called && !context->is_withdrawn && context->link->failure == NULL) {
    tractor__msg_write_stop (context->link->out, context->cid);
    tractor__link_flush (context->link);
  }
  stream->sent_stop = TRUE;
  tractor__stream_wake (stream);
}

void
tractor_stream_close (TractorStream *stream)
{
  if (stream == NULL)
    return;

  if (stream->hold != NULL) {
    tractor_hold_release (stream->hold);
    tractor__stream_close_one_way (stream);
  } else if (stream->context->is_closed) {
    tractor__context_free_rest (stream->context);
  } else {
    stream->is_given_back = TRUE;
    tractor__stream_end (stream);
  }
}

guint64
tractor_stream_get_n_dropped (TractorStream *stream)
{
  g_return_val_if_fail (stream != NULL, 0);

  return stream->n_dropped;
}

gboolean
tractor__stream_strip_end (const TractorStream *stream, GError **error)
{
  g_autoptr (GError) end = NULL;

  if (!stream->got_stop || *error == NULL)
    return FALSE;
  /* Made, for what an error of ours has besides stands before it in memory. */
  end = g_error_new_literal (TRACTOR_ERROR, TRACTOR_ERROR_BROKEN, OTHER_END_CLOSED);
  return tractor__remote_error_strip (error, end);
}

/* --- receiving --------------------------------------------------------------------------------- */

/* Returns: (transfer full): NULL with @error set; or unset at the end, or with *@ret_is_empty. */
static StreamItem *
take (TractorStream *stream, gboolean *ret_is_empty, GError **error)
{
  TractorContext *context = stream->context;
  StreamItem *item;

  *ret_is_empty = FALSE;
  if (stream->sent_stop) {
    set_closed_error (error);
    return NULL;
  }
  item = pop (stream);
  if (item != NULL) {
    give_back (stream, weigh_item (item));
    return item;
  }
  if (stream->overrun != NULL) /* before all that came of it */
    g_propagate_error (error, g_error_copy (stream->overrun));
  else if (context->failure != NULL)
    g_propagate_error (error, g_error_copy (context->failure));
  else if (!stream->got_stop && !context->is_final)
    *ret_is_empty = TRUE;
  return NULL;
}

static StreamItem *
wait_and_take (TractorStream *stream, GError **error)
{
  gboolean is_empty;
  StreamItem *item;

  /* What came before a failure is received first, and the failure says more than that the body is
   * cancelled because of it. */
  if (stream->context->failure == NULL && !tractor_checkpoint_if_cancelled (error))
    return NULL;
  item = take (stream, &is_empty, error);
  if (!is_empty)
    tractor_cancel_shielded_checkpoint (NULL);
  while (item == NULL && is_empty) {
    if (!tractor_parking_lot_park (stream->receivers, error))
      return NULL;
    item = take (stream, &is_empty, error);
  }
  return item;
}

/* The sender of an item that breaks the spec, but not one that there is no room for, hears of it; from a
 * function by how that ends. */
static void
tell_bad_item (TractorStream *stream, const GError *problem)
{
  Link *link = stream->context->link;

  if (stream->context->is_final || stream->context->task != NULL ||
      !g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE))
    return;
  tractor__remote_error_write (link, stream->context->cid, problem, NULL);
  tractor__link_flush (link);
}

/* Takes @item, which cannot be received, and @problem. */
static gboolean
fail_item (TractorStream *stream, StreamItem *item, GError *problem, GError **error)
{
  item_free (item);
  tell_bad_item (stream, problem);
  g_propagate_error (error, problem);
  return FALSE;
}

/* Says where an item that cannot be received was to go, or came from. */
static void
prefix_place (const TractorStream *stream, GError **problem)
{
  const TractorContext *context = stream->context;

  if (context->task != NULL)
    g_prefix_error (problem, "An item for '%s': ", context->function);
  else
    g_prefix_error (problem, "An item from actor '%s': ", context->link->peer.name);
}

/* Takes @item. */
static gboolean
unpack_item (
    TractorStream *stream, StreamItem *item, UnpackPace pace, GVariant **ret_item, GError **error)
{
  GError *problem = g_steal_pointer (&item->refusal);

  if (problem != NULL ||
      !tractor__codec_unpack_as ((WireValue){ item->bytes, item->length }, item->fds,
                                 tractor__context_get_payload_type (stream->context), pace,
                                 ret_item, &problem)) {
    prefix_place (stream, &problem);
    return fail_item (stream, item, problem, error);
  }
  item_free (item);
  return TRUE;
}

gboolean
tractor_stream_receive (TractorStream *stream, GVariant **ret_item, GError **error)
{
  g_autoptr (RefusedValue) value = NULL;
  StreamItem *item;
  gboolean ok;

  if (!tractor__stream_check_given (stream, error) ||
      !tractor_error_check_given (ret_item, "place for the item", error))
    return FALSE;

  tractor__stream_enter (stream);
  item = wait_and_take (stream, error);
  ok = item != NULL && unpack_item (stream, item, UNPACK_IN_TURNS, &value, error);
  ok = tractor__stream_end_call (stream, ok, error);
  if (ok)
    *ret_item = g_steal_pointer (&value);
  return ok;
}

gboolean
tractor_stream_receive_nowait (TractorStream *stream, GVariant **ret_item, GError **error)
{
  gboolean is_empty;
  StreamItem *item;

  if (!tractor__stream_check_given (stream, error) ||
      !tractor_error_check_given (ret_item, "place for the item", error))
    return FALSE;

  item = take (stream, &is_empty, error);
  if (item != NULL)
    return unpack_item (stream, item, UNPACK_AT_ONCE, ret_item, error);
  if (is_empty)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK, "No item has come");
  return FALSE;
}

/* Takes @item. */
static gboolean
wrap_item (TractorStream *stream, StreamItem *item, GBytes **ret_item, GError **error)
{
  if (item->refusal != NULL)
    return fail_item (stream, item, g_steal_pointer (&item->refusal), error);
  tractor__passed_fds_unref (g_steal_pointer (&item->fds)); /* nothing leads to them any more */
  *ret_item = g_bytes_new_with_free_func (item->bytes, item->length, item_free, item);
  return TRUE;
}

gboolean
tractor_stream_receive_packed (TractorStream *stream, GBytes **ret_item, GError **error)
{
  g_autoptr (GBytes) value = NULL;
  StreamItem *item;
  gboolean ok;

  if (!tractor__stream_check_given (stream, error) ||
      !tractor_error_check_given (ret_item, "place for the item", error))
    return FALSE;

  tractor__stream_enter (stream);
  item = wait_and_take (stream, error);
  ok = item != NULL && wrap_item (stream, item, &value, error);
  ok = tractor__stream_end_call (stream, ok, error);
  if (ok)
    *ret_item = g_steal_pointer (&value);
  return ok;
}
