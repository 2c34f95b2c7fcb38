/* remote-error.h - a failure boxed for the wire, and taken out of the box. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "msg.h"

/* Writes @error as the outcome of call @cid, sent by @self. @where: (nullable): the function that
 * failed. */
G_GNUC_INTERNAL void tractor__remote_error_write (WireBuffer *buffer,
                                                  const char *cid,
                                                  const GError *error,
                                                  const ActorId *self,
                                                  const char *where);
/* Writes that the task of call @cid, or, NULL, all of @self, was cancelled on the wish of @canceller. */
G_GNUC_INTERNAL void tractor__remote_error_write_cancelled (WireBuffer *buffer,
                                                            const char *cid,
                                                            const ActorId *self,
                                                            const ActorId *canceller);
/* The same under a name of Python's that @error alone does not have. */
G_GNUC_INTERNAL void tractor__remote_error_write_as (WireBuffer *buffer,
                                                     const char *cid,
                                                     const char *type_name,
                                                     const GError *error,
                                                     const ActorId *self);
/* Writes that @sender's items of stream @cid were too many for @self. */
G_GNUC_INTERNAL void tractor__remote_error_write_overrun (WireBuffer *buffer,
                                                          const char *cid,
                                                          const GError *overrun,
                                                          const ActorId *self,
                                                          const ActorId *sender);
/* @error: (transfer full). Returns: (transfer full): a group of one as that one. */
G_GNUC_INTERNAL GError *tractor__collapse_group (GError *error);
/* Whether the two tell of one and the same event. */
G_GNUC_INTERNAL gboolean tractor__remote_error_is_same (const GError *a, const GError *b);
/* (transfer full): the error that an Error message from the actor @peer tells of. */
G_GNUC_INTERNAL GError *tractor__remote_error_read (const Msg *msg, const ActorId *peer);
