/* invocation.h - private to hosts/glib/objects: calls that are served by the program's own callbacks. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-glib-objects.h"

/* What a runtime exports: shared with its tasks, which do not hold it. */
typedef struct _Exports Exports;

G_GNUC_INTERNAL Exports *tractor__exports_new (GMainContext *context);
G_GNUC_INTERNAL void tractor__exports_free (Exports *exports);
G_GNUC_INTERNAL void tractor__exports_clear (Exports *exports);
/* @func: NULL takes it away. */
G_GNUC_INTERNAL void tractor__exports_set (Exports *exports,
                                           const char *function,
                                           TractorGlibServeFunc func,
                                           gpointer user_data,
                                           GDestroyNotify destroy);
/* A TractorDispatchFunc; @data: the Exports. */
G_GNUC_INTERNAL gboolean tractor__exports_dispatch (
    const char *function, GVariant *kwargs, gpointer data, GVariant **ret_result, GError **error);
