/* tractor-glib-tree.h - the live tree of actors as a GListModel, for programs with tasks of their own. What has
 * a TractorGlibRuntime has tractor_glib_runtime_get_tree(). */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-glib-objects.h"

G_BEGIN_DECLS

/**
 * tractor_glib_node_new: (skip)
 *
 * Returns: (transfer full): a node for this process; empty until it is watched.
 */
TRACTOR_API TractorGlibNode *tractor_glib_node_new (void);

/**
 * tractor_glib_node_watch: (skip)
 * @node: from tractor_glib_node_new()
 *
 * Keeps @node as the tree of this process is, until it is cancelled or the runtime closed: the body of a
 * task, say. Its signals come from @context, the thread-default one, with no task below them on the stack.
 *
 * Returns: FALSE with @error set to CANCELLED or NO_RUNTIME.
 * Suspends: yes, a checkpoint. Thread: guest, in a task; where it is the GLib host's.
 */
TRACTOR_API gboolean tractor_glib_node_watch (TractorGlibNode *node, GError **error);

G_END_DECLS
