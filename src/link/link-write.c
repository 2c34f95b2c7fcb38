/* link-write.c - what goes out over a link.
 *
 * Whoever has something to send appends a frame to link->out and wakes the writer, a task, if it
 * rests, so everything that becomes ready in one round of tasks goes out in one write. A task that
 * sends item after item has a turn of others behind each, and so the writer too: the first few go at
 * once, and then it gathers while more comes in every round. So a function's progress is seen as it
 * is sent, and a flood is not a system call an item.
 *
 * Frames are whole in link->out or not there, so a cancelled sender cannot leave half a frame behind.
 * What is said about the dialogs and not in them, a cancel or room for more, goes to link->urgent and
 * overtakes what is queued, at the next end of a frame: so it does not wait behind megabytes of data. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "link-write.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "bounds.h"
#include "patience.h"
#include "shortage.h"

WireBuffer *
tractor__link_make_buffer (const Link *link)
{
  WireBuffer *buffer = tractor__wire_buffer_new ();

  buffer->frame_limit = link->runtime->limits.frame_bytes;
  return buffer;
}

WireBuffer *
tractor__link_make_aside (const Link *link)
{
  WireBuffer *aside = tractor__link_make_buffer (link);

  aside->takes_fds = link->takes_fds;
  return aside;
}

gboolean
tractor__link_write_if_small (
    Link *link, MsgType type, const char *cid, GVariant *value, GError **error)
{
  return tractor__msg_write_payload (link->out, type, cid, value, PACK_UNLESS_LARGE, error);
}

/* Returns: (transfer full): what is to go to link->out; or NULL as tractor__msg_write_payload(). */
static WireBuffer *
pack_large (Link *link, MsgType type, const char *cid, GVariant *value, GError **error)
{
  g_autoptr (WireBuffer) aside = tractor__link_make_aside (link);

  if (!tractor__msg_write_payload (aside, type, cid, value, PACK_IN_TURNS, error))
    return NULL;
  return g_steal_pointer (&aside);
}

gboolean
tractor__link_write_large (
    Link *link, MsgType type, const char *cid, GVariant *value, GError **error)
{
  g_autoptr (WireBuffer) aside = pack_large (link, type, cid, value, error);

  if (aside == NULL)
    return FALSE;
  tractor__wire_buffer_take (link->out, aside);
  return TRUE;
}

gboolean
tractor__link_pack (Link *link,
                    MsgType type,
                    const char *cid,
                    GVariant *value,
                    WireBuffer **ret_aside,
                    GError **error)
{
  GError *failure = NULL;

  if (tractor__link_write_if_small (link, type, cid, value, &failure))
    return TRUE;
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  *ret_aside = pack_large (link, type, cid, value, error);
  return *ret_aside != NULL;
}

gboolean
tractor__link_write_payload (
    Link *link, MsgType type, const char *cid, GVariant *value, GError **error)
{
  GError *failure = NULL;

  if (tractor__link_write_if_small (link, type, cid, value, &failure))
    return TRUE;
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  return tractor__link_write_large (link, type, cid, value, error);
}

gboolean
tractor__link_set_transport_error (const Link *link, GError **error, const char *what)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
               "The connection to actor '%s' is closed: %s", link->peer.name,
               link->last_words != NULL ? link->last_words->message : what);
  return FALSE;
}

/* --- what is queued ---------------------------------------------------------------------------- */

void
tractor__link_flush (Link *link)
{
  if (!link->is_handling)
    tractor_parking_lot_unpark (link->idle, 1);
}

gboolean
tractor__link_wait_for_news_of_room (Link *link, GError **error)
{
  if (link->room == NULL) {
    link->room = tractor_event_new ();
    tractor_event_set_static_name (link->room, "room in link");
  }
  return tractor_event_wait (link->room, error);
}

gboolean
tractor__link_wait_for_room (Link *link, GError **error)
{
  while (link->out->len > LIMIT_QUEUED_BYTES && !link->is_ending)
    if (!tractor__link_wait_for_news_of_room (link, error))
      return FALSE;
  return TRUE;
}

void
tractor__link_tell_of_room (Link *link)
{
  TractorEvent *room = g_steal_pointer (&link->room);

  if (room == NULL)
    return;
  tractor_event_set (room); /* which takes all that wait out of it */
  tractor_event_free (room);
}

/* --- one write --------------------------------------------------------------------------------- */

/* What the writer is at. */
typedef struct {
  WireBuffer *frames;
  gsize sent;
  gsize frame_end; /* of a frame of @frames: at or before the end of the one being sent */
  WireBuffer *urgent;
  gsize urgent_sent;
} Writing;

static gboolean
has_more (Link *link, const Writing *writing)
{
  return writing->sent < writing->frames->len || writing->urgent_sent < writing->urgent->len ||
         link->urgent->len > 0;
}

static void
take_urgent (Link *link, Writing *writing)
{
  WireBuffer *done = writing->urgent;

  if (writing->urgent_sent < done->len || link->urgent->len == 0)
    return;
  writing->urgent = link->urgent;
  writing->urgent_sent = 0;
  tractor__wire_buffer_rest (done);
  link->urgent = done;
}

/* What is to be sent next: what is urgent, after the frame that has been begun. Returns: how many. */
static int
lay_out (Writing *writing, struct iovec parts[2])
{
  struct iovec urgent = { writing->urgent->data + writing->urgent_sent,
                          writing->urgent->len - writing->urgent_sent };
  struct iovec frames = { writing->frames->data + writing->sent,
                          writing->frames->len - writing->sent };

  if (urgent.iov_len == 0 || frames.iov_len == 0) {
    parts[0] = urgent.iov_len > 0 ? urgent : frames;
    return 1;
  }
  while (writing->frame_end < writing->sent)
    writing->frame_end += tractor__frame_get_size (writing->frames->data + writing->frame_end);
  if (writing->frame_end > writing->sent) {
    frames.iov_len = writing->frame_end - writing->sent;
    parts[0] = frames;
    parts[1] = urgent;
  } else {
    parts[0] = urgent;
    parts[1] = frames;
  }
  return 2;
}

static void
count_sent (Link *link, Writing *writing, const struct iovec *parts, int n_parts, gsize sent)
{
  link->runtime->debug_actor.sent_bytes += sent;
  for (int i = 0; i < n_parts && sent > 0; i++) {
    gsize n = MIN (sent, parts[i].iov_len);

    if (parts[i].iov_base == writing->urgent->data + writing->urgent_sent) {
      writing->urgent_sent += n;
    } else {
      writing->sent += n;
      link->sent_bytes += n;
    }
    sent -= n;
  }
}

static gssize
send_parts (Link *link, Writing *writing, struct iovec *parts, int n_parts)
{
  struct msghdr message = { .msg_iov = parts, .msg_iovlen = (gsize) n_parts };

  if (G_UNLIKELY (writing->frames->fds != NULL))
    for (int i = 0; i < n_parts; i++)
      if (parts[i].iov_base == writing->frames->data + writing->sent)
        return tractor__fds_send (link->fd, &link->n_fd_batches, writing->frames, writing->sent,
                                  parts, n_parts, &parts[i]);
  if (n_parts == 1) /* usually; then it is cheaper */
    return send (link->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sendmsg (link->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* @frames: what has been taken from link->out. What becomes urgent meanwhile goes along. */
static gboolean
write_all (Link *link, Writing *writing, GError **error)
{
  while (has_more (link, writing)) {
    struct iovec parts[2];
    int n_parts;
    gssize n;

    take_urgent (link, writing);
    n_parts = lay_out (writing, parts);
    n = send_parts (link, writing, parts, n_parts);
    if (n >= 0) {
      count_sent (link, writing, parts, n_parts, (gsize) n);
    } else if (errno == EAGAIN) {
      if (!tractor_fd_watch_wait (link->watch, G_IO_OUT, error))
        return FALSE;
    } else if (errno_is_shortage (errno)) {
      if (!wait_out_shortage (error))
        return FALSE;
    } else if (errno != EINTR) {
      return tractor__link_set_transport_error (link, error, g_strerror (errno));
    }
  }
  return TRUE;
}

/* --- the writer -------------------------------------------------------------------------------- */

/* Takes what is queued, leaving the room of what has been sent in its place. */
static void
take_queued (Link *link, Writing *writing)
{
  WireBuffer *spare = writing->frames;

  if (spare->size > 4 * LIMIT_QUEUED_BYTES) { /* one huge frame is no reason to keep its room */
    tractor__wire_buffer_free (spare);
    spare = tractor__link_make_buffer (link);
  }
  wire_truncate (spare, 0);
  spare->takes_fds = link->takes_fds;
  writing->frames = link->out;
  writing->sent = 0;
  writing->frame_end = 0;
  link->taken_bytes += writing->frames->len;
  link->out = spare;
}

/* All has been sent. */
static void
put_away (Writing *writing)
{
  tractor__wire_buffer_rest (writing->frames);
  tractor__wire_buffer_rest (writing->urgent);
  writing->sent = 0;
  writing->frame_end = 0;
  writing->urgent_sent = 0;
}

/* Returns: FALSE with CANCELLED; or with @error unset when there is nothing more to do. */
static gboolean
wait_for_queued (Link *link, GError **error)
{
  if (!tractor_checkpoint_if_cancelled (error))
    return FALSE;
  while (!link_has_queued (link))
    if (link->is_ending || !tractor_parking_lot_park (link->idle, error))
      return FALSE;
  return TRUE;
}

/* Waits while more and more is queued, if that has been so. */
static void
gather (Link *link)
{
  guint length = 0;

  if (tractor_now () - link->written_at >= QUICK_USEC)
    link->n_quick_writes = 0;
  if (++link->n_quick_writes <= QUICK_WRITES)
    return;
  for (guint round = 0; round < ROUNDS_A_GATHER; round++) {
    if (link->out->len == length || link->out->len >= READ_BYTES || link->urgent->len > 0 ||
        link->is_ending)
      return;
    length = link->out->len;
    tractor_cancel_shielded_checkpoint (NULL);
  }
}

gboolean
tractor__link_run_writer (gpointer data, GError **error)
{
  Link *link = data;
  Writing writing = { .frames = tractor__link_make_buffer (link),
                      .urgent = tractor__link_make_buffer (link) };

  while (wait_for_queued (link, error)) {
    gather (link);
    take_queued (link, &writing);
    tractor__link_tell_of_room (link);
    if (!write_all (link, &writing, error))
      break;
    link->written_at = tractor_now ();
    put_away (&writing);
  }
  tractor__wire_buffer_free (writing.frames);
  tractor__wire_buffer_free (writing.urgent);
  tractor__link_tell_of_room (link);

  if (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED)) {
    /* The peer is gone, or no longer reads. What it has sent is still read, to the end if there is
     * one, and for a while otherwise. */
    if (link->reading != NULL)
      tractor__patience_set (link->reading, PATIENCE_ACK_USEC);
    g_clear_error (error);
  }
  return *error == NULL;
}
