/* peer-limits.h - the bounds that a program may set, for what peers do to an actor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-actor.h"
#include "wire.h"

/* @given: (nullable): what is 0 there is the default. Returns: FALSE with MISUSE. */
G_GNUC_INTERNAL gboolean tractor__limits_fill (const TractorLimits *given,
                                               TractorLimits *ret_limits,
                                               GError **error);
/* For a child, which has the same; an array, that grows at its end. @limits: (nullable): the defaults */
G_GNUC_INTERNAL void tractor__limits_write (WireBuffer *buffer, const TractorLimits *limits);
/* @value: bytes NULL is none. What makes no sense is the default. */
G_GNUC_INTERNAL void tractor__limits_read (WireValue value, TractorLimits *ret_limits);
