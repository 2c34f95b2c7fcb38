/* link-read.c - what comes in over a link.
 *
 * What has come in one large read is cut into frames, and each is dealt with at once, without
 * waiting: what the peer asks of us goes to the link's server, what it says of a request of ours to
 * that, by its call id. The first frame is its introduction, and nothing behind that is read before
 * it is known who that is.
 *
 * A peer that does not count what it streams is not read from while the next item is for a stream that
 * is full, so that its socket holds it back, but never for longer than a cancel may wait that stands
 * behind the item.
 *
 * A peer that breaks the protocol ends its own link and nothing else. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "link-read.h"

#include <errno.h>
#include <sys/socket.h>

#include "actor-trace.h"
#include "bounds.h"
#include "escape.h"
#include "link-write.h"
#include "log.h"
#include "remote-error.h"
#include "request.h"
#include "shortage.h"

/* --- a message of a dialog --------------------------------------------------------------------- */

static void
report_late_message (Link *link, const char *cid, gsize length)
{
  g_autofree char *text = NULL;
  g_autofree char *shown = NULL;

  if (!log_is_wanted (LOG_LINK, G_LOG_LEVEL_DEBUG))
    return;
  text = g_strndup (cid, length);
  shown = tractor__escape_name (text);
  log_debug (LOG_LINK, "actor '%s' sent a message for call '%s', which nobody waits for",
             link->peer.name, shown);
}

/* Whoever cancels a call does not wait for long. That it was cancelled then, is no news; what else has gone
 * wrong in its end, as that an actor below had to be killed, is told to nobody any more. */
static void
report_late_outcome (Link *link, const Msg *msg)
{
  g_autoptr (GError) error =
      msg->type == MSG_ERROR ? tractor__remote_error_read (msg, &link->peer) : NULL;

  if (error != NULL && !g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED))
    log_warning (LOG_CALL, "actor '%s' has failed in a call that nobody waits for any more: %s",
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
      log_debug (LOG_LINK, "actor '%s' sent a message without a call id", link->peer.name);
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

/* --- a peer that does not count ---------------------------------------------------------------- */

gboolean
tractor__link_has_credit (const Link *link)
{
  return link->peer_credit.items > 0 && link->runtime->credit.items > 0;
}

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
  if (link_has_queued (link))
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
    tractor_event_set_static_name (link->taken, "room for a message");
    tractor_event_wait (link->taken, error);
    g_clear_pointer (&link->taken, tractor_event_free);
  } while (*error == NULL && is_full (link, msg));
  link->is_handling = TRUE;
  link->has_waited_in_vain = *error != NULL;
  return tractor_cancel_scope_absorb (scope, error);
}

/* --- who it is --------------------------------------------------------------------------------- */

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
  log_debug (LOG_LINK, "actor '%s' is connected, and says that it is process %d%s%s",
             link->peer.name, (int) link->peer_pid, link->is_to_registrar ? ", a registrar" : "",
             link->is_to_ours ? "" : ", of another make");
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

/* A stream counts its own. */
static void
note_message (const Link *link, const Msg *msg)
{
  gsize length;
  const char *cid = tractor__msg_get_string (msg, FIELD_CID, &length);

  if (cid != NULL && msg->type != MSG_YIELD && msg->type != MSG_CREDIT)
    tractor__trace_came (TRACTOR_TRACE_RECEIVED, msg->type, cid, length, 0, link->peer.uuid);
}

static gboolean
handle_message (Link *link, const Msg *msg, GError **error)
{
  if (!link->has_peer_aid)
    return check_peer_aid (link, msg, error);
  if (trace_is_on ())
    note_message (link, msg);

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

/* (nullable): whose outcome it is. */
static Request *
find_request (Link *link, const Msg *msg)
{
  gsize length;
  const char *cid = tractor__msg_get_string (msg, FIELD_CID, &length);

  return cid != NULL ? tractor__cid_table_find (&link->requests, cid, length) : NULL;
}

/* @request: (nullable): whose it is. */
static gboolean
is_taken_packed (Link *link, const Msg *msg, const Request *request)
{
  return msg->type == MSG_START ? link->server->takes_packed (link, msg)
                                : request != NULL && request->class->takes_packed;
}

/* What is large is unpacked first, and only then looked up what it is for: that may end meanwhile. */
static void
unpack_ahead (Link *link, Msg *msg, Unpacked *unpacked)
{
  g_autofree char *payload_spec = NULL;
  Request *request;

  if (G_LIKELY (!tractor__msg_is_large (msg)))
    return;
  request = find_request (link, msg);
  if (is_taken_packed (link, msg, request))
    return;
  if (request != NULL)
    payload_spec = g_strdup (request->class->get_payload_spec (request));
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

gboolean
tractor__link_read_until_end (Link *link, GError **error)
{
  gboolean ok = handle_frames (link, error); /* what came along with the introduction */

  while (ok) {
    gsize room;
    guint8 *at = get_room (link, &room);
    gboolean is_all;
    gssize n;

    if (at == NULL)
      return tractor__link_set_transport_error (link, error, "no memory for what it sends");
    n = receive (link, at, room, &is_all);
    if (n > 0) {
      link->runtime->debug_actor.received_bytes += (guint64) n;
      tractor__frame_reader_received (&link->reader, (gsize) n);
      ok = handle_frames (link, error) &&
           (is_all ? wait_for_more (link, error) : tractor_checkpoint (error));
    } else if (n == 0) {
      return tractor__link_set_transport_error (link, error,
                                                tractor__frame_reader_is_inside (&link->reader)
                                                    ? "it ended in the middle of a frame"
                                                    : "the other end closed it");
    } else if (errno == EAGAIN) {
      ok = wait_for_more (link, error);
    } else if (errno_is_shortage (errno)) {
      ok = wait_out_shortage (error);
    } else if (errno != EINTR) {
      link->read_errno = errno;
      return tractor__link_set_transport_error (link, error, g_strerror (errno));
    }
  }

  if (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL))
    g_prefix_error (error, "Actor '%s' broke the protocol: ", link->peer.name);
  return FALSE;
}
