/* remote-error.h - a failure boxed for the wire, and taken out of the box. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "link.h"

/* Writes to @link, for its next round, @error as the outcome of call @cid. @where: (nullable): the
 * function that failed. */
G_GNUC_INTERNAL void
tractor__remote_error_write (Link *link, const char *cid, const GError *error, const char *where);
/* The same under a name of Python's that @error alone does not have. */
G_GNUC_INTERNAL void tractor__remote_error_write_as (Link *link,
                                                     const char *cid,
                                                     const char *type_name,
                                                     const GError *error);
/* The same: the peer's items of stream @cid were too many. */
G_GNUC_INTERNAL void
tractor__remote_error_write_overrun (Link *link, const char *cid, const GError *overrun);
/* Writes to @buffer, which is one of @link's, that the task of call @cid, or, NULL, all of this actor,
 * was cancelled on the wish of @canceller. */
G_GNUC_INTERNAL void tractor__remote_error_write_cancelled (Link *link,
                                                            WireBuffer *buffer,
                                                            const char *cid,
                                                            const ActorId *canceller);
/* @error: (transfer full). Returns: (transfer full): a group of one as that one. */
G_GNUC_INTERNAL GError *tractor__collapse_group (GError *error);
/* Whether the two tell of one and the same event. */
G_GNUC_INTERNAL gboolean tractor__remote_error_is_same (const GError *a, const GError *b);
/* Takes what is the same as @part away from *@error, in groups too; clears it if nothing is left. Returns:
 * whether there was any. */
G_GNUC_INTERNAL gboolean tractor__remote_error_strip (GError **error, const GError *part);
/* (transfer full): the error that an Error message from the actor @peer tells of. */
G_GNUC_INTERNAL GError *tractor__remote_error_read (const Msg *msg, const ActorId *peer);
