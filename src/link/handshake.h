/* handshake.h - two actors on a fresh connection tell each other who they are. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "address.h"
#include "frame.h"
#include "identity.h"
#include "msg.h"

/* What the other end has said of itself, and what is known of it; zeroed memory is nothing yet. */
typedef struct {
  Identity *identity; /* (nullable): that it is who it says */
  ActorId id;
  gint64 pid;       /* as it says, and in its own pid namespace */
  gboolean is_ours; /* not upstream's: it understands our extensions */
  gboolean is_registrar;
  gboolean is_probe;
  Credit credit;
  char *key; /* (nullable): what it is known by */
  gboolean takes_fds;
  FrameReader reader; /* what has come after that */
} Introduction;

G_GNUC_INTERNAL void tractor__introduction_clear (Introduction *introduction);
/* Takes what an Aid says. Returns: FALSE with PROTOCOL. */
G_GNUC_INTERNAL gboolean tractor__introduction_take (Introduction *introduction,
                                                     const Msg *msg,
                                                     GError **error);
/* Sends @ours, unless that is NULL, and waits for theirs. Returns: FALSE with CANCELLED, TRANSPORT_CLOSED, PROTOCOL,
 * ACTOR_TOO_SLOW at @deadline; or, if it refuses us, LIMIT, AUTH or TRANSPORT_CLOSED. */
G_GNUC_INTERNAL gboolean tractor__handshake (
    int fd, const AidMsg *ours, gint64 deadline, Introduction *ret_introduction, GError **error);
/* Tells whoever is at the other end why it is refused, if it takes that at once. */
G_GNUC_INTERNAL void tractor__refuse (int fd, const ActorId *self, const GError *reason);
/* Connects to @address, and waits until it is. Returns: FALSE with CANCELLED, TRANSPORT_CLOSED, AUTH,
 * or ACTOR_TOO_SLOW at @deadline. */
G_GNUC_INTERNAL gboolean tractor__connect (const Address *address,
                                           gint64 deadline,
                                           int *ret_fd,
                                           GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Introduction, tractor__introduction_clear)
