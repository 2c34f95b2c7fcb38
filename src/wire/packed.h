/* packed.h - values that a program has packed itself, or unpacks itself. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "wire.h"

/* *@ret_value points into @packed. @what: "a packed item", for the error. Returns: FALSE with MSG_TYPE if it is
 * not exactly one value, or has a descriptor. */
G_GNUC_INTERNAL gboolean tractor__packed_check (GBytes *packed,
                                                const char *what,
                                                WireValue *ret_value,
                                                GError **error);
/* The same of keyword arguments: it must be a map. NULL is an empty one. */
G_GNUC_INTERNAL gboolean tractor__packed_check_kwargs (GBytes *packed,
                                                       WireValue *ret_value,
                                                       GError **error);
/* (transfer full): a copy of @value; of nothing it is a nil. */
G_GNUC_INTERNAL GBytes *tractor__packed_new (WireValue value);
