/* tree.h - what peers may ask about the tree below this actor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "msg.h"
#include "tractor-actor.h"

/* (nullable): NULL if a Start names none of it. */
G_GNUC_INTERNAL const TractorExport *tractor__tree_find_export (const Msg *start);
