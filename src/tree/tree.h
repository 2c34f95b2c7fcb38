/* tree.h - what peers may ask about the tree below this actor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-actor.h"

/* Lets peers ask. */
G_GNUC_INTERNAL void tractor__tree_serve (TractorRuntime *runtime);
