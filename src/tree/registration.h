/* registration.h - other registrars, and this actor's place in them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "link.h"

/* A registrar that is reached over a link that is there already. */
G_GNUC_INTERNAL void
tractor__registrar_add_linked (TractorRuntime *runtime, const Address *address, Link *link);
/* A registrar to join. */
G_GNUC_INTERNAL void tractor__registrar_add (TractorRuntime *runtime, const Address *address);
/* Registers with all of them, and goes on to as long as the runtime runs, also after one has died and
 * come back. Waits until the first attempt with each is over. Returns: FALSE with CANCELLED. */
G_GNUC_INTERNAL gboolean tractor__registrars_join (TractorRuntime *runtime, GError **error);
/* Takes this actor out again; for a bounded time. */
G_GNUC_INTERNAL void tractor__registrars_leave (TractorRuntime *runtime);
G_GNUC_INTERNAL void tractor__registrar_free (gpointer registrar);

/* Finds the registrars at @addresses, to be joined, or, if there is none, becomes one and listens there.
 * @must_be_first: it is an error if there is one. Returns: FALSE with REGISTRY, CANCELLED, ... */
G_GNUC_INTERNAL gboolean tractor__registrars_elect (TractorRuntime *runtime,
                                                    const GPtrArray *addresses,
                                                    gboolean must_be_first,
                                                    GError **error);
