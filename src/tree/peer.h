/* peer.h - an actor that is neither our parent nor our child, and the connection to it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "address.h"
#include "handshake.h"
#include "link.h"

/* Connects to the actor at @address, and serves the connection in the runtime's nursery until it
 * ends. Returns: (transfer full): the link; to be closed by whoever asked for it. NULL with
 * CANCELLED, TRANSPORT_CLOSED, PROTOCOL, AUTH or ACTOR_TOO_SLOW. */
G_GNUC_INTERNAL Link *
tractor__peer_dial (TractorRuntime *runtime, const Address *address, GError **error);
/* Serves a connection that has been accepted, until it ends. @fd: (transfer full). */
G_GNUC_INTERNAL void
tractor__peer_serve (TractorRuntime *runtime, int fd, Introduction *introduction);
