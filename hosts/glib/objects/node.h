/* node.h - private to hosts/glib/objects: what a runtime does with the nodes of its tree. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-glib-tree.h"

/* In a task: as tractor_glib_node_watch(), with the signals from @context. */
G_GNUC_INTERNAL gboolean tractor__node_watch (TractorGlibNode *node,
                                              GMainContext *context,
                                              GError **error);
