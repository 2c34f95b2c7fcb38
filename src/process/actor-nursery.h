/* actor-nursery.h - places for actors to live in. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "runtime.h"

/* @restart_options: (nullable). @close_runtime: (nullable): for @runtime, when the nursery is closed. */
G_GNUC_INTERNAL TractorActorNursery *
tractor__actor_nursery_new (TractorRuntime *runtime,
                            const TractorRestartOptions *restart_options,
                            void (*close_runtime) (TractorRuntime *runtime));

/* Its runtime is being closed: it fails with NO_RUNTIME, and so ends. */
G_GNUC_INTERNAL void tractor__actor_nursery_fail (TractorActorNursery *self);
