/* actor-nursery.h - places for actors to live in. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-actor.h"

/* Its runtime is being closed: it fails with NO_RUNTIME, and so ends. */
G_GNUC_INTERNAL void tractor__actor_nursery_fail (TractorActorNursery *self);
