/* exports.h - the tables of what an actor serves. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-actor.h"

/* @modules: (nullable). Returns: TRUE; or FALSE with @error set to MISUSE if a function is not there, is not of
 * the kind that its export says, or has a payload_spec that is none: what would only be found by a call, or
 * crash in it. */
G_GNUC_INTERNAL gboolean tractor__modules_check (const TractorModule *modules, GError **error);
