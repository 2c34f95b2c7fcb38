/* peer.c - an actor that is neither our parent nor our child, and the connection to it.
 *
 * Such a connection is symmetric: both ends may call, whoever dialled it. It is served by a task in
 * the runtime's own nursery, so it ends with the runtime at the latest; before that when whoever
 * dialled it closes it, or when the other end does. Then everything that is open on it fails. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "peer.h"

#include <unistd.h>

#include "bounds.h"
#include "rpc.h"

static void
fail_what_is_open (Link *link, G_GNUC_UNUSED gpointer data)
{
  if (link->read_failure != NULL)
    tractor__link_fail (link, g_error_copy (link->read_failure));
  else
    tractor__link_fail (link, g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
                                           "The connection to actor '%s' has been closed",
                                           link->peer.name));
}

static Link *
link_new (TractorRuntime *runtime, int fd, Introduction *introduction)
{
  Link *link = tractor__link_new (runtime, &tractor__rpc_server, fd, &introduction->id);

  tractor__link_take_introduction (link, introduction);
  link->on_read_end = fail_what_is_open;
  /* Only if somebody hears it: it takes a page of the stack that is kept for each connection. */
  if (!g_log_writer_default_would_drop (G_LOG_LEVEL_DEBUG, G_LOG_DOMAIN))
    g_debug ("actor '%s' is connected", link->peer.name);
  return link;
}

/* Whatever befalls a connection is told to those who use it: it is no failure of the runtime's. */
static gboolean
run_link_quietly (gpointer data, GError **error)
{
  Link *link = data;

  tractor__link_run (link, error);
  g_debug ("the connection to actor '%s' has ended", link->peer.name);
  if (!g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    g_clear_error (error);
  return *error == NULL;
}

/* Returns: (transfer full): NULL with @error, and @fd is closed */
static Link *
introduce (TractorRuntime *runtime, int fd, gint64 deadline, GError **error)
{
  g_auto (Introduction) introduction = { 0 };

  if (tractor__handshake (fd,
                          &(AidMsg){ .id = &runtime->id,
                                     .is_registrar = runtime->registry != NULL,
                                     .credit = runtime->credit,
                                     .key = runtime->identity->key },
                          deadline, &introduction, error)) {
    if (tractor__identity_check (runtime->identities, &introduction.id, runtime->origins, fd,
                                 error))
      return link_new (runtime, fd, &introduction);
  }
  close (fd);
  return NULL;
}

Link *
tractor__peer_dial (TractorRuntime *runtime, const Address *address, GError **error)
{
  gint64 deadline = tractor_now () + (gint64) runtime->limits.handshake_usec;
  g_autoptr (Link) link = NULL;
  int fd;

  if (!tractor__connect (address, deadline, &fd, error))
    return NULL;
  link = introduce (runtime, fd, deadline, error);
  if (link == NULL || !tractor_nursery_spawn (runtime->services, "link to peer", run_link_quietly,
                                              tractor__link_ref (link),
                                              (GDestroyNotify) tractor__link_unref, error))
    return NULL;
  return g_steal_pointer (&link);
}

void
tractor__peer_serve (TractorRuntime *runtime, int fd, Introduction *introduction)
{
  g_autoptr (Link) link = link_new (runtime, fd, introduction);
  g_autoptr (GError) error = NULL;

  tractor__link_run (link, &error);
}
