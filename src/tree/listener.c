/* listener.c - where other actors can connect to this one.
 *
 * One task accepts at each address. It looks at who is at the other end before it reads a byte, and
 * gives each connection to a task of its own, which exchanges introductions. That takes an actor a
 * millisecond, and it has ten seconds for it: but only as long as there is room. While too many are at
 * it, whoever comes takes the place of another, who has had its time: the oldest of the process that has
 * most of them. So a thousand strangers who say nothing delay nobody for long, and those of other
 * processes least. TCP does not say whose a connection is: there all are one process's.
 *
 * How many connections there are is bounded; while there are so many, nobody else is accepted. No process
 * has more than are left for all others: so there are always some left.
 *
 * A probe gets our introduction and nothing more. An actor that we have spawned, and that was to
 * connect to us, is handed to whoever waits for it. Everybody else becomes a peer, unless it says that
 * it is somebody else (identity.c). Who is refused is told why. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "listener.h"

#include <errno.h>
#include <unistd.h>

#include "bounds.h"
#include "handshake.h"
#include "log.h"
#include "peer.h"
#include "runtime-dir.h"
#include "socket.h"
#include "supervise.h"
#include "unix-name.h"

typedef struct {
  TractorRuntime *runtime;
  Address address;
  int fd;
  GQueue half_open; /* (element-type Accepted): the oldest first */
  TractorParkingLot *room;
  gboolean is_stopped;
  TractorCancelScope *scope; /* while it accepts */
} Listener;

typedef struct {
  GList in_half_open;
  Listener *listener; /* NULL once it is known who it is */
  TractorRuntime *runtime;
  Origin *origin;
  int fd;
  gint64 since;
  TractorCancelScope *scope; /* (nullable): while it introduces itself */
  GError
      *refusal; /* (nullable): what it will be told when it has; nothing of ours is said before */
} Accepted;

static void
log_listening (const Address *address)
{
  g_autofree char *text = NULL;

  if (!log_is_wanted (LOG_REGISTRY, G_LOG_LEVEL_INFO))
    return;
  text = tractor__address_to_string (address);
  log_info (LOG_REGISTRY, "it listens at %s", text);
}

/* @origin: (nullable): of whom */
static void
log_turned_away (const Origin *origin, const GError *problem)
{
  log_debug (LOG_LINK, "somebody who connected (process %d) was turned away: %s",
             origin != NULL ? (int) origin->pid : 0, problem->message);
}

/* --- one connection -------------------------------------------------------------------------------- */

static void
begin_being_half_open (Accepted *accepted, Listener *listener)
{
  accepted->listener = listener;
  accepted->in_half_open.data = accepted;
  g_queue_push_tail_link (&listener->half_open, &accepted->in_half_open);
  accepted->runtime->n_half_open++;
  accepted->origin->n_half_open++;
}

static void
stop_being_half_open (Accepted *accepted)
{
  Listener *listener = g_steal_pointer (&accepted->listener);

  if (listener == NULL)
    return;
  g_queue_unlink (&listener->half_open, &accepted->in_half_open);
  accepted->runtime->n_half_open--;
  accepted->origin->n_half_open--;
  tractor_parking_lot_unpark (listener->room, 1);
}

static void
accepted_free (gpointer data)
{
  Accepted *accepted = data;

  stop_being_half_open (accepted);
  accepted->origin->n_connections--;
  tractor__origin_unref (accepted->origin);
  g_clear_error (&accepted->refusal);
  if (accepted->fd >= 0)
    close (accepted->fd);
  g_free (accepted);
}

/* Returns: FALSE with LIMIT if it had to give way, or is refused; or for the reasons of
 * tractor__handshake(). */
static gboolean
exchange_introductions (Accepted *accepted, Introduction *introduction, GError **error)
{
  TractorRuntime *runtime = accepted->runtime;
  const AidMsg ours = { .id = &runtime->id,
                        .is_registrar = runtime->registry != NULL,
                        .credit = runtime->credit };
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  gboolean ok;

  accepted->scope = scope;
  ok = tractor__handshake (accepted->fd, accepted->refusal == NULL ? &ours : NULL,
                           tractor_now () + (gint64) runtime->limits.handshake_usec, introduction,
                           error);
  accepted->scope = NULL;
  stop_being_half_open (accepted);
  if (!ok && tractor_cancel_scope_absorb (scope, error))
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT,
                         "Too many others have connected and not introduced themselves");
  if (ok && accepted->refusal != NULL)
    g_propagate_error (error, g_steal_pointer (&accepted->refusal));
  return *error == NULL;
}

/* Returns: FALSE with AUTH if it is not who it says. */
static gboolean
look_at_identity (Accepted *accepted, Introduction *introduction, GError **error)
{
  introduction->identity = tractor__identity_claim (
      accepted->runtime->identities, &introduction->id, accepted->origin, introduction->key, error);
  return introduction->identity != NULL;
}

static void
serve_peer (Accepted *accepted, Listener *listener, Introduction *introduction)
{
  int fd = accepted->fd;

  accepted->fd = -1;
  if (tractor__child_adopt (accepted->runtime, fd, introduction))
    return;
  tractor__peer_serve (accepted->runtime, fd, introduction);
  tractor_parking_lot_unpark (listener->room, 1); /* there is one connection less */
}

static gboolean
serve_accepted (gpointer data, GError **error)
{
  Accepted *accepted = data;
  Listener *listener = accepted->listener;
  g_auto (Introduction) introduction = { 0 };
  GError *problem = NULL;

  if (exchange_introductions (accepted, &introduction, &problem) &&
      (introduction.is_probe || look_at_identity (accepted, &introduction, &problem))) {
    if (!introduction.is_probe)
      serve_peer (accepted, listener, &introduction);
    return TRUE;
  }
  if (g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED)) {
    g_propagate_error (error, problem);
    return FALSE;
  }
  log_turned_away (accepted->origin, problem);
  tractor__refuse (accepted->fd, &accepted->runtime->id, problem);
  g_error_free (problem);
  return TRUE;
}

/* --- accepting --------------------------------------------------------------------------------------- */

static guint
count_connections (const TractorRuntime *runtime)
{
  return runtime->n_links + runtime->n_half_open;
}

/* (transfer full) (nullable): why @origin gets no more connections */
static GError *
check_share (const TractorRuntime *runtime, const Origin *origin)
{
  guint64 n_left = runtime->limits.connections - count_connections (runtime);

  if (origin->n_connections < n_left)
    return NULL;
  return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_LIMIT,
                      "It has %u connections from this process, and no more than that left for "
                      "others",
                      origin->n_connections);
}

/* Returns: (transfer full): NULL, and @fd is closed, if it is not to be talked to */
static Accepted *
accepted_new (TractorRuntime *runtime, int fd, GError **error)
{
  Accepted *accepted;

  if (!tractor__socket_check_peer (fd, error)) {
    close (fd);
    return NULL;
  }
  accepted = g_new0 (Accepted, 1);
  accepted->runtime = runtime;
  accepted->fd = fd;
  accepted->since = tractor_now ();
  accepted->origin = tractor__origin_of_socket (runtime->origins, fd);
  accepted->refusal = check_share (runtime, accepted->origin);
  accepted->origin->n_connections++;
  return accepted;
}

/* @fd: (transfer full). Whom there is no room for is turned away like anybody else. */
static void
take_connection (Listener *listener, int fd)
{
  g_autoptr (GError) problem = NULL;
  Accepted *accepted = accepted_new (listener->runtime, fd, &problem);

  if (accepted != NULL) {
    begin_being_half_open (accepted, listener);
    tractor_nursery_spawn (listener->runtime->services, "accepted", serve_accepted, accepted,
                           accepted_free, &problem);
  }
  if (problem != NULL)
    log_turned_away (NULL, problem);
}

static gboolean
wait_for_somebody (Listener *listener, GError **error)
{
  if (errno == EAGAIN)
    return tractor_wait_fd (listener->fd, G_IO_IN, NULL, error);
  if (errno == EINTR || errno == ECONNABORTED)
    return tractor_checkpoint (error);
  /* Out of descriptors or memory: the descriptor stays readable, so it is not waited for. */
  return tractor_sleep_until (tractor_now () + G_USEC_PER_SEC / 10, error);
}

static gboolean
is_crowded (const Listener *listener)
{
  return listener->half_open.length >= listener->runtime->limits.half_open;
}

/* (transfer none): the oldest of the process that has most. */
static Accepted *
find_who_gives_way (const Listener *listener)
{
  Accepted *found = NULL;

  for (GList *at = listener->half_open.head; at != NULL; at = at->next) {
    Accepted *accepted = at->data;

    if (found == NULL || accepted->origin->n_half_open > found->origin->n_half_open)
      found = accepted;
  }
  return found;
}

/* Until when it is let alone, even if there is no room. */
static gint64
get_grace_end (const Accepted *accepted)
{
  return accepted->since +
         MAX (PATIENCE_CROWDED_USEC / accepted->origin->n_half_open, PATIENCE_CROWDED_LEAST_USEC);
}

/* Waits until somebody comes, and then until there is room for him, or it is time to make some. */
static gboolean
make_room (Listener *listener, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;
  Accepted *accepted;

  if (!tractor_wait_fd (listener->fd, G_IO_IN, NULL, error))
    return FALSE;
  if (!is_crowded (listener))
    return TRUE;
  accepted = find_who_gives_way (listener);
  if (get_grace_end (accepted) <= tractor_now () && accepted->scope != NULL) {
    tractor_cancel_scope_cancel (accepted->scope, "somebody else waits");
    return tractor_parking_lot_park (listener->room, error);
  }
  scope = tractor_cancel_scope_open (get_grace_end (accepted));
  return tractor_parking_lot_park (listener->room, error) ||
         tractor_cancel_scope_absorb (scope, error);
}

static gboolean
accept_all (Listener *listener, GError **error)
{
  const TractorRuntime *runtime = listener->runtime;
  gboolean ok = TRUE;

  while (ok) {
    int fd;

    if (count_connections (runtime) >= runtime->limits.connections) {
      ok = tractor_parking_lot_park (listener->room, error);
    } else if (is_crowded (listener)) {
      ok = make_room (listener, error);
    } else if (tractor__socket_accept (listener->fd, &fd) == 0) {
      take_connection (listener, fd);
      ok = tractor_checkpoint (error);
    } else {
      ok = wait_for_somebody (listener, error);
    }
  }
  return FALSE;
}

static void
close_listener (Listener *listener)
{
  if (listener->address.kind == ADDRESS_UNIX)
    tractor__unix_close (listener->address.path, listener->fd);
  else
    close (listener->fd);
  listener->fd = -1;
}

static gboolean
run_listener (gpointer data, GError **error)
{
  Listener *listener = data;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  listener->scope = scope;
  if (listener->is_stopped)
    tractor_cancel_scope_cancel (scope, "no more connections");
  accept_all (listener, error);
  listener->scope = NULL;
  close_listener (listener);
  return tractor_cancel_scope_absorb (scope, error);
}

void
tractor__listener_free (gpointer data)
{
  Listener *listener = data;

  tractor_parking_lot_free (listener->room);
  tractor__address_clear (&listener->address);
  g_free (listener);
}

/* --- listening --------------------------------------------------------------------------------------- */

/* Other programs may be at the same directory at the same moment. */
static gboolean
listen_unix (const char *path, int *ret_fd, GError **error)
{
  for (int attempt = 0;; attempt++) {
    GError *problem = NULL;

    if (tractor__unix_listen (path, ret_fd, &problem))
      return TRUE;
    if (!g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_BUSY) || attempt == 200) {
      g_propagate_error (error, problem);
      return FALSE;
    }
    g_error_free (problem);
    if (!tractor_sleep_until (tractor_now () + G_USEC_PER_SEC / 200, error))
      return FALSE;
  }
}

static gboolean
listen_at (TractorRuntime *runtime,
           const Address *wanted,
           Address *ret_address,
           int *ret_fd,
           GError **error)
{
  g_auto (RuntimeDir) dir = { NULL, -1 };

  if (wanted->kind == ADDRESS_TCP)
    return tractor__tcp_listen (wanted, ret_fd, ret_address, error);
  *ret_address = (Address){ .kind = ADDRESS_UNIX };
  if (wanted->path != NULL) {
    ret_address->path = g_strdup (wanted->path);
  } else {
    if (!tractor__runtime_dir_open (&dir, error))
      return FALSE;
    ret_address->path = tractor__runtime_dir_make_socket_path (&dir, runtime->id.uuid);
  }
  if (listen_unix (ret_address->path, ret_fd, error))
    return TRUE;
  tractor__address_clear (ret_address);
  return FALSE;
}

gboolean
tractor__listen (TractorRuntime *runtime, const Address *wanted, GError **error)
{
  Address *address = g_new0 (Address, 1);
  Listener *listener;
  int fd;

  if (!listen_at (runtime, wanted, address, &fd, error)) {
    g_free (address);
    return FALSE;
  }
  listener = g_new0 (Listener, 1);
  listener->runtime = runtime;
  listener->fd = fd;
  listener->room = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (listener->room, "room for a connection");
  tractor__address_copy (address, &listener->address);
  g_ptr_array_add (runtime->addresses, address);
  g_ptr_array_add (runtime->listeners, listener);
  log_listening (address);
  if (tractor_nursery_spawn (runtime->services, "listener", run_listener, listener, NULL, error))
    return TRUE;
  close_listener (listener);
  return FALSE;
}

void
tractor__stop_listening (TractorRuntime *runtime)
{
  for (guint i = 0; i < runtime->listeners->len; i++) {
    Listener *listener = runtime->listeners->pdata[i];

    listener->is_stopped = TRUE;
    if (listener->scope != NULL)
      tractor_cancel_scope_cancel (listener->scope, "no more connections");
  }
  g_ptr_array_set_size (runtime->addresses, 0);
}
