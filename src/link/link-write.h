/* link-write.h - what goes out over a link. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "link.h"

/* (transfer full): for frames of the size that the runtime allows. */
G_GNUC_INTERNAL WireBuffer *tractor__link_make_buffer (const Link *link);
/* Returns: FALSE with TRANSPORT_CLOSED: what the peer has said of its end, or @what. */
G_GNUC_INTERNAL gboolean tractor__link_set_transport_error (const Link *link,
                                                            GError **error,
                                                            const char *what);
/* (transfer full): for one message to the peer, to be packed before it goes to link->out. */
G_GNUC_INTERNAL WireBuffer *tractor__link_make_aside (const Link *link);
/* Writes a Started, Yield or Return to link->out, unless it is large. It does not suspend. Returns: FALSE as
 * tractor__msg_write_payload(), or with @error unset if it is large. */
G_GNUC_INTERNAL gboolean tractor__link_write_if_small (
    Link *link, MsgType type, const char *cid, GVariant *value, GError **error);
/* One that is large, to link->out too, after turns in which it suspends. Returns: FALSE as
 * tractor__msg_write_payload(). */
G_GNUC_INTERNAL gboolean tractor__link_write_large (
    Link *link, MsgType type, const char *cid, GVariant *value, GError **error);
/* Either of them: what is small to link->out; but what is large, in turns, to *@ret_aside, (transfer full):
 * that is to go to link->out too. It suspends then. Returns: FALSE as tractor__msg_write_payload(). */
G_GNUC_INTERNAL gboolean tractor__link_pack (Link *link,
                                             MsgType type,
                                             const char *cid,
                                             GVariant *value,
                                             WireBuffer **ret_aside,
                                             GError **error);
/* The same, where nothing can have changed by then that would forbid it. */
G_GNUC_INTERNAL gboolean tractor__link_write_payload (
    Link *link, MsgType type, const char *cid, GVariant *value, GError **error);
static inline gboolean
link_has_queued (const Link *link)
{
  return link->out->len + link->urgent->len > 0;
}
/* A task's body (@data is the Link): writes what is queued, until the link is ending and all is written. */
G_GNUC_INTERNAL gboolean tractor__link_run_writer (gpointer data, GError **error);
/* Until less is queued, or something else has changed for who waits. */
G_GNUC_INTERNAL gboolean tractor__link_wait_for_news_of_room (Link *link, GError **error);
/* To those who wait until less is queued. */
G_GNUC_INTERNAL void tractor__link_tell_of_room (Link *link);
