/* codec.h - payloads: GVariant to msgpack and back. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "wire.h"

/* Appends @value; NULL is nil. Returns: FALSE with MSG_TYPE if it cannot be sent: then nothing has
 * been appended. */
G_GNUC_INTERNAL gboolean tractor__codec_pack (WireBuffer *buffer, GVariant *value, GError **error);
/* @bytes must have passed tractor__wire_check(). nil gives NULL. */
G_GNUC_INTERNAL gboolean tractor__codec_unpack (WireValue value,
                                                GVariant **ret_value,
                                                GError **error);
/* The same for keyword arguments: a map with string keys, as an a{sv}. */
G_GNUC_INTERNAL gboolean tractor__codec_unpack_kwargs (WireValue value,
                                                       GVariant **ret_kwargs,
                                                       GError **error);
