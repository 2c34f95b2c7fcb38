/* peer.c - an actor that is neither our parent nor our child, and the connection to it.
 *
 * Such a connection is symmetric: both ends may call, whoever dialled it. It is served by a task in
 * the runtime's own nursery, so it ends with the runtime at the latest; before that when whoever
 * dialled it closes it, or when the other end does. Then everything that is open on it fails. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "peer.h"

#include <unistd.h>

#include "bounds.h"
#include "log.h"
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
  return link;
}

/* Whatever befalls a connection is told to those who use it: it is no failure of the runtime's. */
static gboolean
run_link_quietly (gpointer data, GError **error)
{
  Link *link = data;

  tractor__link_run (link, error);
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

/* @failure: (nullable) */
static void
log_dial (const Address *address, const GError *failure)
{
  g_autofree char *text = NULL;

  if (!log_is_wanted (LOG_LINK, G_LOG_LEVEL_DEBUG))
    return;
  text = tractor__address_to_string (address);
  if (failure == NULL)
    log_debug (LOG_LINK, "connecting to %s", text);
  else
    log_debug (LOG_LINK, "could not connect to %s: %s", text, failure->message);
}

/* Returns: (transfer full) */
static Link *
connect_and_introduce (TractorRuntime *runtime, const Address *address, GError **error)
{
  gint64 deadline = tractor_now () + (gint64) runtime->limits.handshake_usec;
  int fd;

  return tractor__connect (address, deadline, &fd, error) ? introduce (runtime, fd, deadline, error)
                                                          : NULL;
}

Link *
tractor__peer_dial (TractorRuntime *runtime, const Address *address, GError **error)
{
  g_autoptr (Link) link = NULL;
  GError *failure = NULL;

  log_dial (address, NULL);
  link = connect_and_introduce (runtime, address, &failure);
  if (link == NULL) {
    log_dial (address, failure);
    g_propagate_error (error, failure);
    return NULL;
  }
  if (!tractor_nursery_spawn (runtime->services, "link to peer", run_link_quietly,
                              tractor__link_ref (link), (GDestroyNotify) tractor__link_unref,
                              error))
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
