/* link.c - one connection to another actor.
 *
 * While a link runs, its own task reads (link-read.c) and a second one writes (link-write.c).
 *
 * Functions that the peer calls run as tasks in the link's nursery (rpc.c), so they end with the
 * link. Requests to the peer (request.c) get their messages by call id; when nothing more comes,
 * whoever watches the peer says what became of it, and every request that is open gets that as its
 * outcome (tractor__link_fail). So no request outlives its peer, nor keeps the link from ending. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "link.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bounds.h"
#include "link-read.h"
#include "link-write.h"
#include "log.h"
#include "patience.h"
#include "request.h"

/* --- life -------------------------------------------------------------------------------------- */

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
  link->runtime = tractor__runtime_ref (runtime);
  link->server = server;
  link->fd = fd;
  link->is_unix = is_unix_socket (fd);
  /* It holds 208 KiB otherwise, so that a megabyte takes five turns of filling it and waiting. TCP finds
   * its own measure, unless it is told one. */
  if (link->is_unix)
    setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &(int){ SEND_BYTES }, sizeof (int));
  actor_id_copy (peer, &link->peer);
  link->out = tractor__link_make_buffer (link);
  link->urgent = tractor__link_make_buffer (link);
  link->reader.limit = runtime->limits.frame_bytes;
  link->ended = tractor_event_new ();
  tractor_event_set_static_name (link->ended, "end of link");
  link->idle = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (link->idle, "something to send");
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
  tractor__runtime_unref (link->runtime);
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

const char *
tractor__errno_get_name (int error_number)
{
  const char *name = NULL;

#ifdef __GLIBC__
  name = strerrorname_np (error_number);
#endif
  return name != NULL ? name : g_strerror (error_number);
}

/* --- what it says of itself -------------------------------------------------------------------- */

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
tractor__runtime_write_introduction (const TractorRuntime *runtime,
                                     WireBuffer *buffer,
                                     const GPtrArray *addresses)
{
  tractor__msg_write_aid (buffer, &(AidMsg){ .id = &runtime->id,
                                             .is_registrar = runtime->registry != NULL,
                                             .credit = runtime->credit,
                                             .addresses = addresses,
                                             .key = runtime->identity->key });
}

void
tractor__link_introduce (Link *link)
{
  tractor__runtime_write_introduction (link->runtime, link->out,
                                       link->is_to_parent ? link->runtime->addresses : NULL);
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
                            &link->runtime->id, PACK_AT_ONCE, NULL);
  tractor__link_flush (link);
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
  tractor__link_read_until_end (link, error);
  link->reading = NULL;
  if (tractor_cancel_scope_absorb (scope, error)) {
    if (link->is_closing)
      return;
    tractor__link_set_transport_error (link, error, "it does not take what is sent to it");
  }
  if (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    return;
  link->read_failure = g_steal_pointer (error);
  if (link->on_lost != NULL)
    link->on_lost (link, link->data);
}

static void
log_end (const Link *link)
{
  log_debug (LOG_LINK, "the connection to actor '%s' has ended: %s", link->peer.name,
             link->read_failure != NULL ? link->read_failure->message
             : link->is_closing         ? "it was closed here"
                                        : "nobody here reads it any more");
}

/* Debuggers read that list, too. */
static void
enlist (Link *link)
{
  Link **first = &link->runtime->first_link;

  link->next = *first;
  link->link_in_runtime = first;
  if (link->next != NULL)
    link->next->link_in_runtime = &link->next;
  *first = link;
  link->runtime->n_links++;
}

/* Harmless if it has not come to be in it. */
static void
delist (Link *link)
{
  if (link->link_in_runtime == NULL)
    return;
  *link->link_in_runtime = link->next;
  if (link->next != NULL)
    link->next->link_in_runtime = link->link_in_runtime;
  link->link_in_runtime = NULL;
  link->runtime->n_links--;
}

gboolean
tractor__link_run (gpointer data, GError **error)
{
  Link *link = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  link->watch = tractor_fd_watch_open (link->fd, error);
  if (link->watch != NULL) {
    link->nursery = nursery;
    enlist (link);
    if (tractor_nursery_spawn (nursery, "link writer", tractor__link_run_writer, link, NULL,
                               error)) {
      tractor__link_flush (link);
      read_in_scope (link, error);
    }
    link->server->end (link);
    /* The writer ends when it has written what is queued, or can no longer wait for that. */
    link->is_ending = TRUE;
    tractor__link_flush (link);
    /* Those who wait for it, and those the writer will not come to any more. */
    tractor__link_tell_of_room (link);
    tractor__patience_set (tractor_nursery_get_scope (nursery), PATIENCE_ACK_USEC);
  }
  /* What runs for the peer may wait, shielded, for its answer to something. */
  if (link->on_read_end != NULL)
    link->on_read_end (link, link->data);

  tractor_nursery_join (nursery, error);
  log_end (link);
  link->nursery = NULL;
  delist (link);
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
