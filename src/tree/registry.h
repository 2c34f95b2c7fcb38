/* registry.h - who is where: the table that a registrar keeps. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "address.h"
#include "link.h"

typedef struct _Registry Registry;

G_GNUC_INTERNAL Registry *tractor__registry_new (TractorRuntime *runtime);
G_GNUC_INTERNAL void tractor__registry_free (Registry *registry);
/* The actor at the other end of @link says that it listens at @address. @link: (nullable): this actor
 * does. Returns: FALSE with AUTH if it is another's, or LIMIT. */
G_GNUC_INTERNAL gboolean tractor__registry_enter (Registry *registry,
                                                  Link *link,
                                                  const Address *address,
                                                  GError **error);
/* What this actor asks of itself: find_actor, wait_for_actor, get_registry, delete_addr. */
G_GNUC_INTERNAL gboolean tractor__registry_ask (Registry *registry,
                                                const char *function,
                                                GVariant *kwargs,
                                                GVariant **ret_result,
                                                GError **error);
