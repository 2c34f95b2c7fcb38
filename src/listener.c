/* listener.c - where other actors can connect to this one.
 *
 * One task accepts at each address. It looks at who is at the other end before it reads a byte, and
 * gives each connection to a task of its own, which exchanges introductions: within ten seconds, and
 * while not too many of them are at that. While too many are, or there are too many connections, nobody
 * else is accepted.
 * A probe gets our introduction and nothing more. An actor that we have spawned, and that was to
 * connect to us, is handed to whoever waits for it. Everybody else becomes a peer. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "listener.h"

#include <errno.h>
#include <unistd.h>

#include "bounds.h"
#include "handshake.h"
#include "peer.h"
#include "runtime-dir.h"
#include "socket.h"
#include "supervise.h"

typedef struct {
  TractorRuntime *runtime;
  Address address;
  int fd;
  guint n_half_open;
  TractorParkingLot *room;
  gboolean is_stopped;
  TractorCancelScope *scope; /* while it accepts */
} Listener;

typedef struct {
  Listener *listener; /* NULL once it is known who it is */
  TractorRuntime *runtime;
  int fd;
} Accepted;

/* --- one connection -------------------------------------------------------------------------------- */

static void
stop_being_half_open (Accepted *accepted)
{
  Listener *listener = g_steal_pointer (&accepted->listener);

  if (listener == NULL)
    return;
  listener->n_half_open--;
  tractor_parking_lot_unpark (listener->room, 1);
}

static void
accepted_free (gpointer data)
{
  Accepted *accepted = data;

  stop_being_half_open (accepted);
  if (accepted->fd >= 0)
    close (accepted->fd);
  g_free (accepted);
}

static gboolean
serve_accepted (gpointer data, GError **error)
{
  Accepted *accepted = data;
  Listener *listener = accepted->listener;
  TractorRuntime *runtime = accepted->runtime;
  g_auto (Introduction) introduction = { 0 };
  GError *problem = NULL;
  gboolean ok = tractor__handshake (accepted->fd,
                                    &(AidMsg){ .id = &runtime->id,
                                               .is_registrar = runtime->registry != NULL,
                                               .credit = runtime->credit },
                                    tractor_now () + (gint64) runtime->limits.handshake_usec,
                                    &introduction, &problem);

  stop_being_half_open (accepted);
  if (!ok) {
    if (g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED)) {
      g_propagate_error (error, problem);
      return FALSE;
    }
    g_debug ("somebody who connected was turned away: %s", problem->message);
    g_error_free (problem);
    return TRUE;
  }
  if (!introduction.is_probe) {
    int fd = accepted->fd;

    accepted->fd = -1;
    if (!tractor__child_adopt (runtime, fd, &introduction)) {
      tractor__peer_serve (runtime, fd, &introduction);
      tractor_parking_lot_unpark (listener->room, 1); /* there is one connection less */
    }
  }
  return TRUE;
}

/* @fd: (transfer full). Whom there is no room for is turned away like anybody else. */
static void
take_connection (Listener *listener, int fd)
{
  g_autoptr (GError) problem = NULL;
  Accepted *accepted;

  if (tractor__socket_check_peer (fd, &problem)) {
    accepted = g_new (Accepted, 1);
    *accepted = (Accepted){ listener, listener->runtime, fd };
    listener->n_half_open++;
    tractor_nursery_spawn (listener->runtime->services, "accepted", serve_accepted, accepted,
                           accepted_free, &problem);
  } else {
    close (fd);
  }
  if (problem != NULL)
    g_debug ("somebody who connected was turned away: %s", problem->message);
}

/* --- accepting --------------------------------------------------------------------------------------- */

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

/* As many connections as there may be: then others wait in the kernel's queue until one ends. */
static gboolean
is_full (const Listener *listener)
{
  const TractorRuntime *runtime = listener->runtime;

  return listener->n_half_open >= runtime->limits.half_open ||
         listener->n_half_open + g_hash_table_size (runtime->links) >= runtime->limits.connections;
}

static gboolean
accept_all (Listener *listener, GError **error)
{
  gboolean ok = TRUE;

  while (ok) {
    int fd;

    if (is_full (listener)) {
      ok = tractor_parking_lot_park (listener->room, error);
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
  tractor__address_copy (address, &listener->address);
  g_ptr_array_add (runtime->addresses, address);
  g_ptr_array_add (runtime->listeners, listener);
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
