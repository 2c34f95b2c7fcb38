/* portal.h - the calling side. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "link.h"

/* The actor that a portal leads to, and what can be done with it: a child, somebody at the other end of a link. */
typedef struct {
  const ActorId *(*get_id) (gpointer actor);
  gint (*get_pid) (gpointer actor); /* -1: not known */
  /* (transfer full): to talk over. Waits while the actor is started again. NULL with TRANSPORT_CLOSED if it has
   * been cancelled. */
  Link *(*get_link) (gpointer actor, GError **error);
  TractorEvent *(*get_gone) (gpointer actor); /* set once it has ended */
  /* As tractor_portal_wait_until_restarted(). */
  gboolean (*wait_until_restarted) (gpointer actor, guint *n_restarts, GError **error);
  /* Tells it to end, and waits until it has. @deadline: when whoever wants that gives up waiting, by a
   * cancel */
  gboolean (*end) (gpointer actor, gint64 deadline, GError **error);
  void (*release) (gpointer actor);
} PortalActor;

/* (transfer full). @actor: (transfer full): for @kind */
G_GNUC_INTERNAL TractorPortal *tractor__portal_new (const PortalActor *kind, gpointer actor);
/* (transfer full): the link to talk over; NULL with TRANSPORT_CLOSED if the actor has been cancelled. */
G_GNUC_INTERNAL Link *tractor__portal_get_link (TractorPortal *portal, GError **error);
/* (transfer full): a portal to an actor that is no child of ours. @link: (transfer full).
 * @is_own_connection: it is closed with the portal. */
G_GNUC_INTERNAL TractorPortal *tractor__portal_new_for_link (Link *link,
                                                             gboolean is_own_connection);
/* What tractor_portal_call() does. */
G_GNUC_INTERNAL gboolean tractor__call (
    Link *link, const char *function, GVariant *kwargs, GVariant **ret_result, GError **error);
