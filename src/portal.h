/* portal.h - the calling side. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "supervise.h"

/* (transfer full): a portal to a child. */
G_GNUC_INTERNAL TractorPortal *tractor__portal_new (Child *child);
/* (transfer full): the link to talk over; NULL with TRANSPORT_CLOSED if the actor has been cancelled. */
G_GNUC_INTERNAL Link *tractor__portal_get_link (TractorPortal *portal, GError **error);
/* (transfer full): a portal to any other actor. @link: (transfer full). @is_own_connection: it is
 * closed with the portal. */
G_GNUC_INTERNAL TractorPortal *tractor__portal_new_for_link (Link *link,
                                                             gboolean is_own_connection);
/* What tractor_portal_call() does. */
G_GNUC_INTERNAL gboolean tractor__call (
    Link *link, const char *function, GVariant *kwargs, GVariant **ret_result, GError **error);
