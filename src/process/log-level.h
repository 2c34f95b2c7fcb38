/* log-level.h - how much an actor writes to its log. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* @name: (nullable): "debug" to "error". Returns: FALSE with MISUSE for another. */
G_GNUC_INTERNAL gboolean tractor__log_level_check (const char *name, GError **error);
/* From now on this process writes nothing to its log that is less important. @name: (nullable): one
 * that has been checked; NULL changes nothing. */
G_GNUC_INTERNAL void tractor__log_level_apply (const char *name);
/* (transfer none) (nullable): what was applied last. */
G_GNUC_INTERNAL const char *tractor__log_level_get (void);
/* (transfer none) (nullable): what shows as much in a Python actor. @name: (nullable) */
G_GNUC_INTERNAL const char *tractor__log_level_to_python (const char *name);
/* (transfer none) (nullable): the other way round; NULL for a level that Python does not have either. */
G_GNUC_INTERNAL const char *tractor__log_level_from_python (const char *name);
