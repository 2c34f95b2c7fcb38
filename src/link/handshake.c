/* handshake.c - two actors on a fresh connection tell each other who they are.
 *
 * Both send an Aid at once and then read the other's; neither waits for the other first. Whoever has
 * not said who it is costs little: one small frame is read from it, for a bounded time, and nothing
 * of ours is kept for it but the descriptor. Nothing behind the frame is read: it may come with
 * descriptors, which are the link's that takes over, and until then are nobody's. Who is
 * refused is told why by an Error that is about no call, in place of our Aid or after it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "handshake.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "error-types.h"
#include "escape.h"
#include "remote-error.h"
#include "shortage.h"
#include "socket.h"
#include "tractor-task.h"

void
tractor__introduction_clear (Introduction *introduction)
{
  g_clear_pointer (&introduction->identity, tractor__identity_unref);
  actor_id_clear (&introduction->id);
  g_clear_pointer (&introduction->key, g_free);
  tractor__frame_reader_clear (&introduction->reader);
}

gboolean
tractor__introduction_take (Introduction *introduction, const Msg *msg, GError **error)
{
  if (msg->type != MSG_AID) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                         "it did not begin by introducing itself");
    return FALSE;
  }
  actor_id_clear (&introduction->id);
  introduction->id.name = tractor__msg_dup_string (msg, FIELD_NAME);
  introduction->id.uuid = tractor__msg_dup_string (msg, FIELD_UUID);
  /* The registrar's list has a dot between the two. */
  if (!tractor__is_name (introduction->id.name) || !tractor__is_name (introduction->id.uuid) ||
      strchr (introduction->id.uuid, '.') != NULL) {
    g_set_error_literal (
        error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
        "its name or uuid is too long, or has characters in it that it cannot have");
    return FALSE;
  }
  introduction->pid = tractor__msg_get_integer (msg, FIELD_PID);
  introduction->is_ours = msg->fields[FIELD_CREDIT_ITEMS].bytes != NULL;
  introduction->is_registrar = tractor__msg_get_boolean (msg, FIELD_IS_REGISTRAR);
  introduction->is_probe = tractor__msg_get_boolean (msg, FIELD_IS_PROBE);
  introduction->credit = tractor__msg_get_credit (msg);
  introduction->key = tractor__msg_dup_string (msg, FIELD_KEY);
  introduction->takes_fds = tractor__msg_get_boolean (msg, FIELD_FDS);
  return TRUE;
}

/* --- within a deadline ----------------------------------------------------------------------------- */

/* What of *@error was the deadline's becomes ACTOR_TOO_SLOW. */
static gboolean
leave_deadline (TractorCancelScope *scope, gboolean ok, const char *what, GError **error)
{
  if (ok) {
    tractor_cancel_scope_absorb (scope, error);
    return TRUE;
  }
  if (tractor_cancel_scope_absorb (scope, error))
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW, "%s took too long", what);
  return FALSE;
}

static gboolean
set_closed_error (GError **error, const char *why)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
               "The connection ended before the other end had introduced itself: %s", why);
  return FALSE;
}

/* --- the exchange ------------------------------------------------------------------------------------ */

static gboolean
send_aid (int fd, const AidMsg *ours, GError **error)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  gsize sent = 0;

  tractor__msg_write_aid (buffer, ours);
  while (sent < buffer->len) {
    gssize n = send (fd, buffer->data + sent, buffer->len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n >= 0)
      sent += (gsize) n;
    else if (errno == EAGAIN) {
      if (!tractor_wait_fd (fd, G_IO_OUT, NULL, error))
        return FALSE;
    } else if (errno_is_shortage (errno)) {
      if (!wait_out_shortage (error))
        return FALSE;
    } else if (errno != EINTR) {
      return set_closed_error (error, g_strerror (errno));
    }
  }
  return TRUE;
}

static gboolean
receive_more (int fd, Introduction *introduction, GError **error)
{
  FrameReader *reader = &introduction->reader;
  gsize room;
  guint8 *at = tractor__frame_reader_get_room (reader, &room);
  gssize n;

  if (at == NULL)
    return set_closed_error (error, "no memory");
  for (;;) {
    n = recv (fd, at, tractor__frame_reader_get_missing (reader), MSG_DONTWAIT);
    if (n > 0) {
      tractor__frame_reader_received (reader, (gsize) n);
      return TRUE;
    }
    if (n == 0)
      return set_closed_error (error, "the other end closed it");
    if (errno == EAGAIN) {
      if (!tractor_wait_fd (fd, G_IO_IN, NULL, error))
        return FALSE;
    } else if (errno_is_shortage (errno)) {
      if (!wait_out_shortage (error))
        return FALSE;
    } else if (errno != EINTR) {
      return set_closed_error (error, g_strerror (errno));
    }
  }
}

static gboolean
set_refused_error (GError **error, const Msg *msg)
{
  g_auto (ActorId) id = { 0 };
  g_autofree char *name = NULL;
  g_autoptr (GError) refusal = NULL;
  TractorError code = TRACTOR_ERROR_TRANSPORT_CLOSED;

  tractor__msg_get_id (msg, FIELD_SRC_UID, &id);
  name = tractor__escape_name (id.name);
  refusal = tractor__remote_error_read (msg, &(ActorId){ name, NULL });

  if (tractor_error_matches (refusal, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT))
    code = TRACTOR_ERROR_LIMIT;
  else if (tractor_error_matches (refusal, TRACTOR_ERROR, TRACTOR_ERROR_AUTH))
    code = TRACTOR_ERROR_AUTH;
  g_set_error (error, TRACTOR_ERROR, code, "The connection is refused by %s", refusal->message);
  return FALSE;
}

static gboolean
receive_aid (int fd, Introduction *introduction, GError **error)
{
  FrameReader *reader = &introduction->reader;
  WireValue body;
  Msg msg;

  reader->limit = LIMIT_FIRST_FRAME_BYTES;
  for (;;) {
    switch (tractor__frame_reader_next (reader, &body, error)) {
    case FRAME_COMPLETE:
      reader->limit = 0;
      if (!tractor__msg_read (body, &msg, error))
        return FALSE;
      if (msg.type == MSG_ERROR)
        return set_refused_error (error, &msg);
      return tractor__introduction_take (introduction, &msg, error);
    case FRAME_INVALID:
    case FRAME_OVERSIZED: /* only after the introduction */
      return FALSE;
    case FRAME_INCOMPLETE:
      if (!receive_more (fd, introduction, error))
        return FALSE;
    }
  }
}

gboolean
tractor__handshake (
    int fd, const AidMsg *ours, gint64 deadline, Introduction *ret_introduction, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (deadline);
  g_auto (Introduction) introduction = { 0 };
  GError *failure = NULL;
  gboolean ok =
      (ours == NULL || send_aid (fd, ours, &failure)) && receive_aid (fd, &introduction, &failure);

  if (!leave_deadline (scope, ok, "The other end's introduction", &failure)) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  *ret_introduction = introduction;
  introduction = (Introduction){ 0 };
  return TRUE;
}

void
tractor__refuse (int fd, const ActorId *self, const GError *reason)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  g_autofree char *self_text = actor_id_to_string (self);
  const char *relays[] = { self_text, NULL };
  const char *type = tractor__error_type_get_name (reason);
  gssize n;

  tractor__msg_write_error (buffer, &(ErrorMsg){
                                        .src_uid = self_text,
                                        .src_type = type,
                                        .boxed_type = type,
                                        .relay_path = relays,
                                        .message = reason->message,
                                        .backtrace = reason->message, /* which Python shows */
                                        .domain = g_quark_to_string (reason->domain),
                                        .code = reason->code,
                                    });
  n = send (fd, buffer->data, buffer->len, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void) n;
}

/* --- connecting ---------------------------------------------------------------------------------- */

/* As inet_ntop() writes them. */
static gboolean
is_any_host (const Address *address)
{
  return strcmp (address->host, "0.0.0.0") == 0 || strcmp (address->host, "::") == 0;
}

/* Nothing is sent to another machine. */
static gboolean
check_is_near (const Address *address, GError **error)
{
  g_autofree char *text = NULL;

  if (address->kind != ADDRESS_TCP || tractor__address_is_loopback (address))
    return TRUE;
  text = tractor__address_to_string (address);
  if (is_any_host (address))
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
                 "%s is an address to listen at, and not to connect to; this machine is at "
                 "127.0.0.1 and [::1]",
                 text);
  else
    g_set_error (
        error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
        "%s is on another machine: that needs an authenticated transport, which is not there yet",
        text);
  return FALSE;
}

/* A full queue of the listener's is waited for. */
static gboolean
begin_connect (const Address *address, int *ret_fd, gboolean *ret_in_progress, GError **error)
{
  gint64 pause_usec = 1000;

  for (;;) {
    GError *failure = NULL;

    if (tractor__socket_begin_connect (address, ret_fd, ret_in_progress, &failure))
      return TRUE;
    if (!g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_BUSY)) {
      g_propagate_error (error, failure);
      return FALSE;
    }
    g_error_free (failure);
    if (!tractor_sleep_until (tractor_now () + pause_usec, error))
      return FALSE;
    pause_usec = MIN (pause_usec * 2, G_USEC_PER_SEC / 10);
  }
}

static gboolean
connect_to (const Address *address, int *ret_fd, GError **error)
{
  gboolean in_progress;

  if (!begin_connect (address, ret_fd, &in_progress, error))
    return FALSE;
  if ((!in_progress || (tractor_wait_fd (*ret_fd, G_IO_OUT, NULL, error) &&
                        tractor__socket_finish_connect (*ret_fd, address, error))) &&
      tractor__socket_check_peer (*ret_fd, error))
    return TRUE;
  close (*ret_fd);
  return FALSE;
}

gboolean
tractor__connect (const Address *address, gint64 deadline, int *ret_fd, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;
  GError *failure = NULL;
  gboolean ok;

  if (!check_is_near (address, error))
    return FALSE;
  scope = tractor_cancel_scope_open (deadline);
  ok = connect_to (address, ret_fd, &failure);

  if (leave_deadline (scope, ok, "Connecting to an actor", &failure))
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}
