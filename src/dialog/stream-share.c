/* stream-share.c - one stream received by many tasks.
 *
 * A task of the caller's nursery receives, and hands each item to a broadcaster, where every
 * subscriber takes it at its own pace; who falls too far behind loses the oldest and is told. So the
 * slowest subscriber holds up nobody, and the sender neither. How the stream ends is the end for each of
 * them, a failure too; but not that the task here was cancelled, which is this side's own doing.
 *
 * The task counts as one who waits for the other end, also while it is about an item: a failure of that
 * end is for it to tell, and does not interrupt the body, in which the subscribers may be. It is inside
 * the stream as long as it runs: closing that ends it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "context.h"

static gpointer
copy_item (gpointer item)
{
  return item != NULL ? g_variant_ref (item) : NULL; /* nil is an item too */
}

static void
free_item (gpointer item)
{
  if (item != NULL)
    g_variant_unref (item);
}

/* Woken by a cancel, and then the other end has failed: that is still to be told. */
static gboolean
receive (TractorStream *stream, GVariant **ret_item, GError **error)
{
  if (tractor_stream_receive (stream, ret_item, error))
    return TRUE;
  if (stream->context->failure == NULL ||
      !g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    return FALSE;
  g_clear_error (error);
  return tractor_stream_receive (stream, ret_item, error);
}

static gboolean
run_pump (gpointer data, GError **error)
{
  TractorStream *stream = data;
  GVariant *item;

  while (receive (stream, &item, error))
    tractor_broadcaster_send (stream->broadcaster, item);
  if (stream->sent_stop) /* closed by this side, which is no failure */
    g_clear_error (error);
  if (*error != NULL && !g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    tractor_broadcaster_fail (g_steal_pointer (&stream->broadcaster), g_error_copy (*error));
  tractor__stream_unshare (stream);
  return *error == NULL;
}

/* The task is over, or did not come to run. */
static void
leave (gpointer stream)
{
  tractor__stream_leave (stream);
}

gboolean
tractor_stream_share (TractorStream *stream,
                      TractorNursery *nursery,
                      guint capacity,
                      GError **error)
{
  if (!tractor__stream_check_given (stream, error) ||
      !tractor_error_check_given (nursery, "nursery", error))
    return FALSE;
  if (capacity == 0) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A stream is shared with room for one item at least");
    return FALSE;
  }

  if (stream->is_shared || stream->sent_stop) {
    g_set_error_literal (
        error, TRACTOR_ERROR, stream->is_shared ? TRACTOR_ERROR_MISUSE : TRACTOR_ERROR_CLOSED,
        stream->is_shared ? "The stream is shared already" : "This end of the stream is closed");
    return FALSE;
  }
  stream->broadcaster = tractor_broadcaster_new (capacity, copy_item, free_item);
  tractor__stream_enter (stream);
  stream->is_shared =
      tractor_nursery_spawn (nursery, "shared stream", run_pump, stream, leave, error);
  if (!stream->is_shared)
    tractor__stream_unshare (stream);
  return stream->is_shared;
}

TractorSubscriber *
tractor_stream_subscribe (TractorStream *stream, GError **error)
{
  if (!tractor__stream_check_given (stream, error))
    return NULL;

  if (stream->broadcaster == NULL && stream->is_shared && stream->context->failure != NULL) {
    g_propagate_error (error, g_error_copy (stream->context->failure));
    return NULL;
  }
  if (stream->broadcaster == NULL) {
    g_set_error_literal (error, TRACTOR_ERROR,
                         stream->is_shared ? TRACTOR_ERROR_CLOSED : TRACTOR_ERROR_MISUSE,
                         stream->is_shared ? "The shared stream has ended"
                                           : "The stream is not shared: tractor_stream_share()");
    return NULL;
  }
  return tractor_broadcaster_subscribe (stream->broadcaster);
}

void
tractor__stream_unshare (TractorStream *stream)
{
  g_clear_pointer (&stream->broadcaster, tractor_broadcaster_close);
}
