/* actor.h - the life of a runtime. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "runtime.h"

/* @key: (nullable): its own (identity.h); NULL makes one up. */
G_GNUC_INTERNAL void
tractor__runtime_init (TractorRuntime *runtime, const ActorId *id, const char *key, guint depth);
G_GNUC_INTERNAL void tractor__runtime_clear (TractorRuntime *runtime);

/* Opens, ends and closes the nursery of what runs in the background; in one task. Ending runs the exit
 * callbacks and takes the actor out of the registry. */
G_GNUC_INTERNAL gboolean tractor__runtime_open_services (TractorRuntime *runtime, GError **error);
G_GNUC_INTERNAL void tractor__runtime_close_services (TractorRuntime *runtime);
/* Cancels what runs here for others, on the wish of whoever wants this actor to end, waits until it
 * is over, and tells those who wanted it. */
G_GNUC_INTERNAL void tractor__runtime_end_rpc_tasks (TractorRuntime *runtime,
                                                     const ActorId *canceller);
