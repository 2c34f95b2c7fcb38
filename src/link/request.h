/* request.h - something asked of a peer, until nothing more comes for it: a call or a context. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "link.h"

typedef struct {
  /* A message for it has come. Returns: FALSE with PROTOCOL. */
  gboolean (*deliver) (Request *request, const Msg *msg, GError **error);
  /* The link has ended; the request is off it. @failure is borrowed. */
  void (*fail) (Request *request, const GError *failure);
  /* (nullable): whether an item for it, of a peer that does not count, would be lost. */
  gboolean (*is_full) (const Request *request);
  /* (transfer none) (nullable): of which type what it gets is, if that is known. */
  const char *(*get_payload_spec) (const Request *request);
  gboolean takes_packed; /* what it gets is not unpacked */
} RequestClass;

/* The first member of what it is part of. */
struct _Request {
  const RequestClass *class;
  Link *link;
  const char *function; /* for debuggers: it stays while more comes */
  char cid[CID_BYTES];
  CidEntry entry;     /* while more comes */
  guint64 start_at;   /* where its Start ends, in what the link sends */
  TractorEvent *done; /* nothing more comes */
};

/* Sends a Start of @function, "module:function", which stays until @request is cleared; waits while the link has no room.
 * @kwargs: (nullable).
 * Returns: FALSE with CANCELLED, MISUSE, MSG_TYPE, or the link's failure: then nothing was sent, and
 * @request needs no clearing. */
G_GNUC_INTERNAL gboolean tractor__request_start (Request *request,
                                                 const RequestClass *class,
                                                 Link *link,
                                                 const char *function,
                                                 GVariant *kwargs,
                                                 GError **error);
/* The same with keyword arguments that are msgpack already. */
G_GNUC_INTERNAL gboolean tractor__request_start_packed (Request *request,
                                                        const RequestClass *class,
                                                        Link *link,
                                                        const char *function,
                                                        WireValue kwargs,
                                                        GError **error);
/* The message that was delivered is its last. */
G_GNUC_INTERNAL void tractor__request_finish (Request *request);
/* Asks the peer to cancel what runs for it. */
G_GNUC_INTERNAL void tractor__request_send_cancel (Request *request);
/* The same, and waits until nothing more comes; shielded, and for a bounded time. */
G_GNUC_INTERNAL void tractor__request_withdraw (Request *request);
/* Whatever still comes for it is ignored. */
G_GNUC_INTERNAL void tractor__request_clear (Request *request);
