/* spawn-plan.h - a copy of what somebody wants an actor to be started with. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-actor.h"

typedef struct {
  TractorSpawnOptions options; /* whose pointers are ours */
  GPtrArray *listen;           /* (element-type Address): its listen_addresses */
} SpawnPlan;

/* @options: (nullable). Returns: (transfer full); or NULL with MISUSE, or a G_FILE_ERROR for a
 * descriptor that is none. */
G_GNUC_INTERNAL SpawnPlan *tractor__spawn_plan_new (const TractorSpawnOptions *options,
                                                    GError **error);
G_GNUC_INTERNAL void tractor__spawn_plan_free (SpawnPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpawnPlan, tractor__spawn_plan_free)
