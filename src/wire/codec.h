/* codec.h - payloads: GVariant to msgpack and back. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "passed-fds.h"
#include "wire.h"

typedef enum {
  PACK_AT_ONCE,
  PACK_UNLESS_LARGE, /* what would hold up others is not packed */
  PACK_IN_TURNS,     /* of others, in between: each is a checkpoint, where it may be CANCELLED */
} PackPace;

/* Appends @value; NULL is nil. Returns: FALSE with MSG_TYPE if it cannot be sent, or CANCELLED; or with
 * @error unset if it is large, with that pace: then nothing has been appended. */
G_GNUC_INTERNAL gboolean tractor__codec_pack (WireBuffer *buffer,
                                              GVariant *value,
                                              PackPace pace,
                                              GError **error);

/* Whether so much may go into one frame of @buffer's. Returns: FALSE with MSG_TYPE. */
G_GNUC_INTERNAL gboolean tractor__codec_check_length (const WireBuffer *buffer,
                                                      gsize length,
                                                      GError **error);

/* Whether others get their turns while something large is unpacked. */
typedef enum {
  UNPACK_AT_ONCE,
  UNPACK_IN_TURNS, /* by a task: it suspends, but is no cancel point */
} UnpackPace;

/* For all that unpack: @value must have passed tractor__wire_check(), and is not needed after. @fds
 * (nullable) came with it: what it has marks for belongs to what is made of it from then on; if one was
 * lost for want of room here, nothing is made, and the error is LIMIT. */

/* To the type that it has by itself; nil gives NULL. Returns: FALSE with MSG_TYPE if the function of
 * a registered extension fails. */
G_GNUC_INTERNAL gboolean tractor__codec_unpack (WireValue value,
                                                GVariant **ret_value,
                                                GError **error);
/* To exactly @type: integers of each width, d also from an integer, o and g if they are valid, ay
 * from bytes or an array of small integers, tuples from arrays of their length, dictionaries from
 * maps, m from nil or what is inside; "(nay)" from an extension, registered or not. v, and where it
 * stands any indefinite type (also an array of one), is what the value has by itself; that must then
 * be of the type. nil is only for m, v and '*'. @type NULL: "*".
 * *@ret_value is NULL for nil with "*". Returns: FALSE with MSG_TYPE that says what was expected and
 * what came, and where: "at [2]['name']: expected 'i', got a string". */
G_GNUC_INTERNAL gboolean tractor__codec_unpack_as (WireValue value,
                                                   PassedFds *fds,
                                                   const GVariantType *type,
                                                   UnpackPace pace,
                                                   GVariant **ret_value,
                                                   GError **error);
/* To an a{sv}: a map with string keys. */
G_GNUC_INTERNAL gboolean tractor__codec_unpack_kwargs (
    WireValue value, PassedFds *fds, UnpackPace pace, GVariant **ret_kwargs, GError **error);

/* For a sender: whether @value, where NULL is nil, arrives as @type at a peer that unpacks it so and
 * has our extensions. What is of that type already may still be too large to pack. */
G_GNUC_INTERNAL gboolean tractor__codec_check (GVariant *value,
                                               const GVariantType *type,
                                               GError **error);
