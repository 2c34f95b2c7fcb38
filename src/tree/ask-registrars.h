/* ask-registrars.h - what registrars are asked, and who they name is connected to. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "registration.h"

static inline gboolean
error_is_cancelled (const GError *error)
{
  return g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
}

/* Not the registrar's fault: no descriptor is free here, for example. */
static inline gboolean
error_is_local (const GError *error)
{
  return error != NULL && error->domain == G_FILE_ERROR;
}

/* To ask about @name; tractor__runtime_leave() in any case. Returns: FALSE with @error set: MISUSE for what no
 * actor can be called. */
G_GNUC_INTERNAL gboolean tractor__registrars_enter (RuntimeUse *use,
                                                    const char *name,
                                                    GError **error);
/* Returns: how many there are to ask; (nullable) *@ret_registrar is number @i, NULL for ourselves. */
G_GNUC_INTERNAL guint tractor__registrars_get (TractorRuntime *runtime,
                                               guint i,
                                               Registrar **ret_registrar);
/* @registrar: NULL is this actor itself. */
G_GNUC_INTERNAL gboolean tractor__registrars_ask (TractorRuntime *runtime,
                                                  Registrar *registrar,
                                                  const char *function,
                                                  GVariant *kwargs,
                                                  GVariant **ret_result,
                                                  GError **error);
/* @problem: (nullable): of the last one. Returns: FALSE with REGISTRY. */
G_GNUC_INTERNAL gboolean tractor__registrars_set_unreachable (GError **error,
                                                              const GError *problem);
/* Tries @addresses, which @registrar has named and which it uses up, until one answers. Returns: (transfer full)
 * (nullable): NULL with @error unset if nobody is at any of them. */
G_GNUC_INTERNAL TractorPortal *tractor__registrars_connect (TractorRuntime *runtime,
                                                            Registrar *registrar,
                                                            GPtrArray *addresses,
                                                            GError **error);
