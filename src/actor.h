/* actor.h - the life of a runtime. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "runtime.h"

/* (transfer full): @key: (nullable): its own (identity.h); NULL makes one up. */
G_GNUC_INTERNAL TractorRuntime *
tractor__runtime_new (const ActorId *id, const char *key, guint depth);
/* All that it has. Its memory, and who it was, stay for the links that somebody still has. */
G_GNUC_INTERNAL void tractor__runtime_free (TractorRuntime *runtime);

/* Opens, ends and closes the nursery of what runs in the background; in one task. Ending runs the exit
 * callbacks and takes the actor out of the registry. */
G_GNUC_INTERNAL gboolean tractor__runtime_open_services (TractorRuntime *runtime, GError **error);
G_GNUC_INTERNAL void tractor__runtime_close_services (TractorRuntime *runtime);
/* Ends what runs in the background, but for the nursery that it is in. */
G_GNUC_INTERNAL void tractor__runtime_end_services (TractorRuntime *runtime);
/* Waits, for actor nurseries of other tasks. */
G_GNUC_INTERNAL void tractor__runtime_wait_for_nurseries (TractorRuntime *runtime);
/* A registrar that is reached over the link to the parent lets go of it. */
G_GNUC_INTERNAL void tractor__runtime_forget_linked_registrars (TractorRuntime *runtime);
/* Cancels what runs here for others, on the wish of whoever wants this actor to end, waits until it
 * is over, and tells those who wanted it. */
G_GNUC_INTERNAL void tractor__runtime_end_rpc_tasks (TractorRuntime *runtime,
                                                     const ActorId *canceller);
