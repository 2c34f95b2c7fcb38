/* link.c - one connection to another actor.
 *
 * While a link runs, its own task reads: what has come in one large read is cut into frames, and
 * each is dealt with at once, without waiting. A second task writes: whoever has something to send
 * appends a frame to link->out and wakes it if it rests, so everything that becomes ready in one
 * round of tasks goes out in one write. A task that sends item after item has a turn of others behind
 * each, and so the writer too: the first few go at once, and then it gathers while more comes in every
 * round. So a function's progress is seen as it is sent, and a flood is not a system call an item.
 * Frames are whole in link->out or not there, so a cancelled
 * sender cannot leave half a frame behind. What is said about the dialogs and not in them, a cancel
 * or room for more, goes to link->urgent and overtakes what is queued, at the next end of a frame:
 * so it does not wait behind megabytes of data.
 *
 * Functions that the peer calls run as tasks in the link's nursery (rpc.c), so they end with the
 * link. Requests to the peer (request.c) get their messages by call id; when nothing more comes,
 * whoever watches the peer says what became of it, and every request that is open gets that as its
 * outcome (tractor__link_fail). So no request outlives its peer, nor keeps the link from ending.
 *
 * A peer that does not count what it streams is not read from while the next item is for a stream that
 * is full, so that its socket holds it back, but never for longer than a cancel may wait that stands
 * behind the item.
 *
 * A peer that breaks the protocol ends its own link and nothing else. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bounds.h"
#include "escape.h"
#include "remote-error.h"
#include "request.h"
#include "shortage.h"

/* --- life -------------------------------------------------------------------------------------- */

static WireBuffer *
make_buffer (const Link *link)
{
  WireBuffer *buffer = tractor__wire_buffer_new ();

  buffer->frame_limit = link->runtime->limits.frame_bytes;
  return buffer;
}

static gboolean
is_unix_socket (int fd)
{
  int domain;
  socklen_t size = sizeof domain;

  return getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

Link *
tractor__link_new (TractorRuntime *runtime, const LinkServer *server, int fd, const ActorId *peer)
{
  Link *link = g_new0 (Link, 1);

  link->refs = 1;
  link->runtime = runtime;
  link->server = server;
  link->fd = fd;
  link->is_unix = is_unix_socket (fd);
  /* It holds 208 KiB otherwise, so that a megabyte takes five turns of filling it and waiting. TCP finds
   * its own measure, unless it is told one. */
  if (link->is_unix)
    setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &(int){ SEND_BYTES }, sizeof (int));
  actor_id_copy (peer, &link->peer);
  link->out = make_buffer (link);
  link->urgent = make_buffer (link);
  link->reader.limit = runtime->limits.frame_bytes;
  link->ended = tractor_event_new ();
  link->idle = tractor_parking_lot_new ();
  return link;
}

Link *
tractor__link_ref (Link *link)
{
  link->refs++;
  return link;
}

void
tractor__link_unref (Link *link)
{
  if (link == NULL || --link->refs > 0)
    return;

  g_assert (link->nursery == NULL && link->requests.n_entries == 0);
  tractor_parking_lot_free (link->idle);
  if (link->fd >= 0)
    close (link->fd);
  tractor__frame_reader_clear (&link->reader);
  tractor__skim_free (link->skim);
  tractor__fd_inbox_clear (&link->fds);
  tractor__wire_buffer_free (link->out);
  tractor__wire_buffer_free (link->urgent);
  tractor__cid_table_clear (&link->requests);
  tractor__cid_table_clear (&link->rpc_tasks);
  tractor_event_free (link->ended);
  actor_id_clear (&link->peer);
  tractor__identity_unref (link->identity);
  g_clear_pointer (&link->peer_addresses, g_ptr_array_unref);
  g_clear_pointer (&link->stop_cid, g_free);
  g_clear_error (&link->read_failure);
  g_clear_error (&link->last_words);
  g_clear_error (&link->failure);
  g_free (link);
}

static void
fail_request (gpointer owner, gpointer data)
{
  Request *request = owner;
  Link *link = data;

  tractor__cid_table_remove (&link->requests, &request->entry);
  request->class->fail (request, link->failure);
  tractor_event_set (request->done);
}

void
tractor__link_fail (Link *link, GError *failure)
{
  g_clear_error (&link->failure);
  link->failure = failure;
  tractor__cid_table_foreach (&link->requests, fail_request, link);
}

gboolean
tractor__link_has_credit (const Link *link)
{
  return link->peer_credit.items > 0 && link->runtime->credit.items > 0;
}

/* --- writing ----------------------------------------------------------------------------------- */

void
tractor__link_flush (Link *link)
{
  if (!link->is_handling)
    tractor_parking_lot_unpark (link->idle, 1);
}

gboolean
tractor__link_wait_for_room (Link *link, GError **error)
{
  while (link->out->len > LIMIT_QUEUED_BYTES && !link->is_ending) {
    if (link->room == NULL)
      link->room = tractor_event_new ();
    if (!tractor_event_wait (link->room, error))
      return FALSE;
  }
  return TRUE;
}

const char *
tractor__errno_get_name (int error_number)
{
  const char *name = NULL;

#ifdef __GLIBC__
  name = strerrorname_np (error_number);
#endif
  return name != NULL ? name : g_strerror (error_number);
}

static gboolean
set_transport_error (Link *link, GError **error, const char *what)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
               "The connection to actor '%s' is closed: %s", link->peer.name,
               link->last_words != NULL ? link->last_words->message : what);
  return FALSE;
}

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
      return set_transport_error (link, error, g_strerror (errno));
    }
  }
  return TRUE;
}

/* Takes what is queued, leaving the room of what has been sent in its place. */
static void
take_queued (Link *link, Writing *writing)
{
  WireBuffer *spare = writing->frames;

  if (spare->size > 4 * LIMIT_QUEUED_BYTES) { /* one huge frame is no reason to keep its room */
    tractor__wire_buffer_free (spare);
    spare = make_buffer (link);
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

static void
tell_of_room (Link *link)
{
  TractorEvent *room = g_steal_pointer (&link->room);

  if (room == NULL)
    return;
  tractor_event_set (room); /* which takes all that wait out of it */
  tractor_event_free (room);
}

static gboolean
has_queued (const Link *link)
{
  return link->out->len + link->urgent->len > 0;
}

/* Returns: FALSE with CANCELLED; or with @error unset when there is nothing more to do. */
static gboolean
wait_for_queued (Link *link, GError **error)
{
  if (!tractor_checkpoint_if_cancelled (error))
    return FALSE;
  while (!has_queued (link))
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

static gboolean
run_writer (gpointer data, GError **error)
{
  Link *link = data;
  Writing writing = { .frames = make_buffer (link), .urgent = make_buffer (link) };

  while (wait_for_queued (link, error)) {
    gather (link);
    take_queued (link, &writing);
    tell_of_room (link);
    if (!write_all (link, &writing, error))
      break;
    link->written_at = tractor_now ();
    put_away (&writing);
  }
  tractor__wire_buffer_free (writing.frames);
  tractor__wire_buffer_free (writing.urgent);
  tell_of_room (link);

  if (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED)) {
    /* The peer is gone, or no longer reads. What it has sent is still read, to the end if there is
     * one, and for a while otherwise. */
    if (link->reading != NULL)
      tractor_cancel_scope_set_deadline (link->reading, tractor_now () + PATIENCE_ACK_USEC);
    g_clear_error (error);
  }
  return *error == NULL;
}

/* --- requests ---------------------------------------------------------------------------------- */

void
tractor__link_make_cid (Link *link, char cid[CID_BYTES])
{
  guint64 number = ++link->runtime->last_cid;
  gsize length = strnlen (link->runtime->id.uuid, 8); /* a Python parent may have made it */

  /* Unlike any that a peer makes, and unlike any on another connection of ours: a Python actor keeps
   * one table for all. Hexadecimal, the least first: printf() is a tenth of a call. */
  memcpy (cid, link->runtime->id.uuid, length);
  cid += length;
  *cid++ = '.';
  do
    *cid++ = "0123456789abcdef"[number & 0xf];
  while ((number >>= 4) > 0);
  *cid = '\0';
}

void
tractor__link_introduce (Link *link)
{
  tractor__msg_write_aid (
      link->out, &(AidMsg){ .id = &link->runtime->id,
                            .is_registrar = link->runtime->registry != NULL,
                            .credit = link->runtime->credit,
                            .addresses = link->is_to_parent ? link->runtime->addresses : NULL,
                            .key = link->runtime->identity->key });
  link->introduction_at = link_get_position (link);
}

void
tractor__link_send_cancel (Link *link, gint64 patience_usec)
{
  /* Upstream's takes no arguments. */
  gboolean is_to_python = link->has_peer_aid && !link->is_to_ours;
  g_autoptr (GVariant) kwargs =
      is_to_python
          ? NULL
          : g_variant_ref_sink (g_variant_new_parsed ("{'patience_usec': <%x>}", patience_usec));

  if (link->cancel_cid[0] != '\0')
    return;
  tractor__link_make_cid (link, link->cancel_cid);
  tractor__msg_write_start (link_get_urgent (link, 0), link->cancel_cid, "self:cancel", kwargs,
                            &link->runtime->id, NULL);
  tractor__link_flush (link);
}

static void
report_late_message (Link *link, const char *cid, gsize length)
{
  g_autofree char *text = g_strndup (cid, length);
  g_autofree char *shown = tractor__escape_name (text);

  g_debug ("actor '%s' sent a message for call '%s', which nobody waits for", link->peer.name,
           shown);
}

/* Whoever cancels a call does not wait for long. That it was cancelled then, is no news; what else has gone
 * wrong in its end, as that an actor below had to be killed, is told to nobody any more. */
static void
report_late_outcome (Link *link, const Msg *msg)
{
  g_autoptr (GError) error =
      msg->type == MSG_ERROR ? tractor__remote_error_read (msg, &link->peer) : NULL;

  if (error != NULL && !g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED))
    g_warning ("Actor '%s' has failed in a call that nobody waits for any more: %s",
               link->peer.name, error->message);
}

/* A message of a dialog that either end has opened. */
static gboolean
deliver (Link *link, const Msg *msg, GError **error)
{
  gsize length;
  const char *cid = tractor__msg_get_string (msg, FIELD_CID, &length);
  Request *request;
  RpcTask *task;

  if (cid == NULL) {
    if (link->on_cancelled != NULL &&
        tractor__msg_string_equals (msg, FIELD_BOXED_TYPE, "ContextCancelled"))
      link->on_cancelled (link, link->data);
    else if (msg->type == MSG_ERROR && link->last_words == NULL)
      link->last_words = tractor__remote_error_read (msg, &link->peer);
    else
      g_debug ("actor '%s' sent a message without a call id", link->peer.name);
    return TRUE;
  }
  request = tractor__cid_table_find (&link->requests, cid, length);
  if (request != NULL)
    return request->class->deliver (request, msg, error);
  task = tractor__cid_table_find (&link->rpc_tasks, cid, length);
  if (task != NULL)
    return link->server->deliver (task, msg, error);
  if (link->n_given_up > 0 && (msg->type == MSG_ERROR || msg->type == MSG_RETURN)) {
    link->n_given_up--;
    report_late_outcome (link, msg);
  } else if (msg->type != MSG_START_ACK && msg->type != MSG_CANCEL_ACK) { /* courtesies */
    report_late_message (link, cid, length);
  }
  return TRUE;
}

/* --- a peer that does not count ------------------------------------------------------------------ */

void
tractor__link_read_on (Link *link)
{
  link->has_waited_in_vain = FALSE;
  if (link->taken != NULL)
    tractor_event_set (link->taken);
}

/* Whether the item in @msg would be lost. Asked anew each time: what it is for may have ended. */
static gboolean
is_full (Link *link, const Msg *msg)
{
  gsize length;
  const char *cid = tractor__msg_get_string (msg, FIELD_CID, &length);
  Request *request;
  RpcTask *task;

  if (cid == NULL)
    return FALSE;
  request = tractor__cid_table_find (&link->requests, cid, length);
  if (request != NULL)
    return request->class->is_full != NULL && request->class->is_full (request);
  task = tractor__cid_table_find (&link->rpc_tasks, cid, length);
  return task != NULL && link->server->is_full (task);
}

/* While the reader waits: what others send goes out. */
static void
stop_handling (Link *link)
{
  link->is_handling = FALSE;
  if (has_queued (link))
    tractor__link_flush (link);
}

/* Gives the receiver of the item in @msg a turn, if it needs one, and some time, unless all receivers
 * have just had that. What is queued is sent meanwhile. Returns: FALSE with CANCELLED. */
static gboolean
wait_for_receiver (Link *link, const Msg *msg, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;

  if (msg->type != MSG_YIELD || tractor__link_has_credit (link) || link->has_waited_in_vain ||
      !is_full (link, msg))
    return TRUE;
  stop_handling (link);
  scope = tractor_cancel_scope_open (tractor_now () + PATIENCE_RECEIVER_USEC);
  do {
    link->taken = tractor_event_new ();
    tractor_event_wait (link->taken, error);
    g_clear_pointer (&link->taken, tractor_event_free);
  } while (*error == NULL && is_full (link, msg));
  link->is_handling = TRUE;
  link->has_waited_in_vain = *error != NULL;
  return tractor_cancel_scope_absorb (scope, error);
}

/* --- who it is ---------------------------------------------------------------------------------- */

gboolean
tractor__link_claim_identity (Link *link, const char *key, GError **error)
{
  TractorRuntime *runtime = link->runtime;
  g_autoptr (Origin) origin = NULL;

  if (link->identity != NULL)
    return TRUE;
  origin = tractor__origin_of_socket (runtime->origins, link->fd);
  link->identity = tractor__identity_claim (runtime->identities, &link->peer, origin, key, error);
  return link->identity != NULL;
}

void
tractor__link_take_introduction (Link *link, Introduction *introduction)
{
  if (introduction->identity != NULL)
    link->identity = g_steal_pointer (&introduction->identity);
  link->has_peer_aid = TRUE;
  link->peer_pid = introduction->pid;
  link->is_to_ours = introduction->is_ours;
  link->is_to_registrar = introduction->is_registrar;
  link->peer_credit = introduction->credit;
  link->takes_fds = link->out->takes_fds = link->is_unix && introduction->takes_fds;
  if (introduction->reader.bytes != NULL) {
    tractor__frame_reader_clear (&link->reader);
    link->reader = introduction->reader;
    link->reader.limit = link->runtime->limits.frame_bytes;
    introduction->reader = (FrameReader){ 0 };
  }
  link->reader.skipped = LIMIT_SKIPPED_BYTES;
}

static gboolean
check_peer_aid (Link *link, const Msg *msg, GError **error)
{
  g_auto (Introduction) introduction = { 0 };

  if (!tractor__introduction_take (&introduction, msg, error))
    return FALSE;
  if (!actor_id_equal (&introduction.id, &link->peer)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                         "it did not introduce itself as the actor that it was spawned to be");
    return FALSE;
  }
  tractor__link_take_introduction (link, &introduction);
  if (msg->fields[FIELD_ADDRESSES].bytes != NULL) {
    link->peer_addresses = tractor__address_read_list (msg->fields[FIELD_ADDRESSES], error);
    if (link->peer_addresses == NULL)
      return FALSE;
  }
  if (link->on_peer_aid != NULL)
    link->on_peer_aid (link, link->data);
  return TRUE;
}

/* --- reading ----------------------------------------------------------------------------------- */

static gboolean
handle_message (Link *link, const Msg *msg, GError **error)
{
  if (!link->has_peer_aid)
    return check_peer_aid (link, msg, error);

  switch (msg->type) {
  case MSG_START:
    return link->server->start (link, msg, error);
  case MSG_START_ACK:
    if (link->cancel_cid[0] != '\0' && link->on_ack != NULL &&
        tractor__msg_string_equals (msg, FIELD_CID, link->cancel_cid))
      link->on_ack (link, link->data);
    return deliver (link, msg, error);
  case MSG_STARTED:
  case MSG_YIELD:
  case MSG_STOP:
  case MSG_RETURN:
  case MSG_ERROR:
  case MSG_CANCEL_ACK:
  case MSG_CREDIT:
    return deliver (link, msg, error);
  case MSG_AID:
  case MSG_SPAWN_SPEC:
  default:
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                         "it introduced itself twice");
    return FALSE;
  }
}

static const char *
find_payload_spec (Link *link, const Msg *msg)
{
  gsize length;
  const char *cid = tractor__msg_get_string (msg, FIELD_CID, &length);
  Request *request = cid != NULL ? tractor__cid_table_find (&link->requests, cid, length) : NULL;

  return request != NULL ? request->class->get_payload_spec (request) : NULL;
}

/* What is large is unpacked first, and only then looked up what it is for: that may end meanwhile. */
static void
unpack_ahead (Link *link, Msg *msg, Unpacked *unpacked)
{
  g_autofree char *payload_spec = NULL;

  if (G_LIKELY (!tractor__msg_is_large (msg)))
    return;
  payload_spec = g_strdup (find_payload_spec (link, msg));
  stop_handling (link);
  tractor__msg_unpack_ahead (msg, payload_spec != NULL ? G_VARIANT_TYPE (payload_spec) : NULL,
                             unpacked);
  link->is_handling = TRUE;
  msg->ahead = unpacked;
}

/* @marked: what tells the descriptors that came with it. */
static gboolean
handle_with_fds (Link *link, Msg *msg, WireValue marked, GError **error)
{
  g_autoptr (PassedFds) fds = NULL;
  g_auto (Unpacked) unpacked = { 0 };

  if (G_UNLIKELY (!fd_inbox_is_empty (&link->fds)))
    msg->fds = fds = tractor__fds_claim (&link->fds, marked);
  if (!wait_for_receiver (link, msg, error))
    return FALSE;
  unpack_ahead (link, msg, &unpacked);
  return handle_message (link, msg, error);
}

static gboolean
handle_frame (Link *link, WireValue body, GError **error)
{
  gboolean ok;
  Msg msg;

  ok = link->has_peer_aid ? tractor__msg_read_tolerantly (body, &msg, error)
                          : tractor__msg_read (body, &msg, error);
  return ok && handle_with_fds (link, &msg, body, error);
}

/* Takes part of a frame that is too large; at its end, what is small of it is handled. */
static gboolean
handle_part (Link *link, WireValue part, GError **error)
{
  g_autoptr (Skim) skim = g_steal_pointer (&link->skim);
  gsize n_taken;
  Msg msg;

  if (skim == NULL)
    skim = tractor__skim_new (link->reader.rest, link->reader.limit);
  if (!tractor__skim_feed (skim, part, &n_taken, error))
    return FALSE;
  tractor__frame_reader_skip (&link->reader, n_taken);
  if (!tractor__skim_is_done (skim)) {
    link->skim = g_steal_pointer (&skim);
    return TRUE;
  }
  return tractor__skim_read (skim, &msg, error) &&
         handle_with_fds (link, &msg, tractor__skim_get_marked (skim), error);
}

static gboolean
handle_each (Link *link, GError **error)
{
  WireValue body;

  for (;;) {
    switch (tractor__frame_reader_next (&link->reader, &body, error)) {
    case FRAME_INCOMPLETE:
      return TRUE;
    case FRAME_INVALID:
      return FALSE;
    case FRAME_OVERSIZED:
      if (!handle_part (link, body, error))
        return FALSE;
      if (link->skim != NULL)
        return TRUE; /* more has to come */
      break;
    case FRAME_COMPLETE:
      if (!handle_frame (link, body, error))
        return FALSE;
    }
  }
}

/* Deals with every whole frame that has come. The link is flushed at the end, for then the writer
 * comes after all the tasks that these frames wake, and what they send goes out in one write. */
static gboolean
handle_frames (Link *link, GError **error)
{
  gboolean ok;

  link->is_handling = TRUE;
  ok = handle_each (link, error);
  stop_handling (link);
  return ok;
}

/* As recv(). Of one who has not introduced itself yet only that is read, for what is behind it may come
 * with descriptors. *@ret_is_all: nothing is left: a short read took all that there was, unless it
 * stopped behind a descriptor. */
static gssize
receive (Link *link, guint8 *at, gsize room, gboolean *ret_is_all)
{
  guint64 n_before = link->fds.n_batches;
  gssize n;

  if (!link->has_peer_aid)
    room = tractor__frame_reader_get_missing (&link->reader);
  if (link->takes_fds)
    n = tractor__fds_receive (&link->fds, link->fd, at, room);
  else
    n = recv (link->fd, at, room, MSG_DONTWAIT);
  *ret_is_all = n >= 0 && (gsize) n < room && link->fds.n_batches == n_before;
  return n;
}

static gboolean
wait_for_more (Link *link, GError **error)
{
  tractor__frame_reader_rest (&link->reader, &link->runtime->spare_room);
  return tractor_fd_watch_wait (link->watch, G_IO_IN, error);
}

static guint8 *
get_room (Link *link, gsize *ret_room)
{
  tractor__frame_reader_wake (&link->reader, &link->runtime->spare_room);
  return tractor__frame_reader_get_room (&link->reader, ret_room);
}

/* Ends only with an error: the peer's, or CANCELLED. */
static gboolean
read_until_end (Link *link, GError **error)
{
  gboolean ok = handle_frames (link, error); /* what came along with the introduction */

  while (ok) {
    gsize room;
    guint8 *at = get_room (link, &room);
    gboolean is_all;
    gssize n;

    if (at == NULL)
      return set_transport_error (link, error, "no memory for what it sends");
    n = receive (link, at, room, &is_all);
    if (n > 0) {
      tractor__frame_reader_received (&link->reader, (gsize) n);
      ok = handle_frames (link, error) &&
           (is_all ? wait_for_more (link, error) : tractor_checkpoint (error));
    } else if (n == 0) {
      return set_transport_error (link, error,
                                  tractor__frame_reader_is_inside (&link->reader)
                                      ? "it ended in the middle of a frame"
                                      : "the other end closed it");
    } else if (errno == EAGAIN) {
      ok = wait_for_more (link, error);
    } else if (errno_is_shortage (errno)) {
      ok = wait_out_shortage (error);
    } else if (errno != EINTR) {
      link->read_errno = errno;
      return set_transport_error (link, error, g_strerror (errno));
    }
  }

  if (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL))
    g_prefix_error (error, "Actor '%s' broke the protocol: ", link->peer.name);
  return FALSE;
}

/* --- running ----------------------------------------------------------------------------------- */

/* Leaves @error set only if the link's task is cancelled itself. */
static void
read_in_scope (Link *link, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  link->reading = scope;
  if (link->is_closing)
    tractor_cancel_scope_cancel (scope, "link closed");
  read_until_end (link, error);
  link->reading = NULL;
  if (tractor_cancel_scope_absorb (scope, error)) {
    if (link->is_closing)
      return;
    set_transport_error (link, error, "it does not take what is sent to it");
  }
  if (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    return;
  link->read_failure = g_steal_pointer (error);
  if (link->on_lost != NULL)
    link->on_lost (link, link->data);
}

gboolean
tractor__link_run (gpointer data, GError **error)
{
  Link *link = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  link->watch = tractor_fd_watch_open (link->fd, error);
  if (link->watch != NULL) {
    link->nursery = nursery;
    g_hash_table_add (link->runtime->links, link);
    if (tractor_nursery_spawn (nursery, "link writer", run_writer, link, NULL, error)) {
      tractor__link_flush (link);
      read_in_scope (link, error);
    }
    link->server->end (link);
    /* The writer ends when it has written what is queued, or can no longer wait for that. */
    link->is_ending = TRUE;
    tractor__link_flush (link);
    tell_of_room (link); /* those who wait for it, and those the writer will not come to any more */
    tractor_cancel_scope_set_deadline (tractor_nursery_get_scope (nursery),
                                       tractor_now () + PATIENCE_ACK_USEC);
  }
  /* What runs for the peer may wait, shielded, for its answer to something. */
  if (link->on_read_end != NULL)
    link->on_read_end (link, link->data);

  tractor_nursery_join (nursery, error);
  link->nursery = NULL;
  g_hash_table_remove (link->runtime->links, link);
  g_clear_pointer (&link->identity, tractor__identity_unref);
  if (link->runtime->link_ended != NULL)
    link->runtime->link_ended (link->runtime, link);
  g_clear_pointer (&link->watch, tractor_fd_watch_close);
  close (link->fd);
  link->fd = -1;
  tractor_event_set (link->ended);
  return *error == NULL;
}

void
tractor__link_close (Link *link)
{
  link->is_closing = TRUE;
  if (link->reading != NULL)
    tractor_cancel_scope_cancel (link->reading, "link closed");
}
