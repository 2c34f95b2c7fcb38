/* tree.c - what a tree of actors looks like, now and whenever that changes.
 *
 * An actor knows its children, and counts what happens to them (runtime->tree_version). While its tree is
 * watched, each child is followed by a task of the runtime's services, which has a stream of the child's
 * own tree; so one question at the top becomes one for each actor. With the last watch these tasks are
 * cancelled, and not waited for: a child that is stuck holds nobody up.
 *
 * What goes over a stream is the whole tree below, each time anew: a reader that is slow misses states, but
 * never has a wrong one. It is flat, with depths: nested, it would be too deep to be let in (bounds.h).
 *
 * "self:tree" is ours; upstream knows no such function, so Python children are not asked. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tree.h"

#include <unistd.h>

#include "bounds.h"
#include "child-portal.h"
#include "escape.h"
#include "exports.h"
#include "runtime.h"
#include "tractor-stream.h"
#include "tractor-tree.h"

/* depth, name, uuid, pid, state, restarts */
#define ENTRY_TYPE "(xssxxx)"
#define TREE_TYPE  "a" ENTRY_TYPE

/* What to do with a tree; FALSE ends the watch. */
typedef gboolean (*TreeSink) (GVariant *tree, gpointer data, GError **error);

/* --- what others say ----------------------------------------------------------------------------- */

static gboolean
has_only_names (GVariant *tree)
{
  GVariantIter iter;
  const char *name, *uuid;
  gboolean ok = TRUE;

  g_variant_iter_init (&iter, tree);
  while (ok && g_variant_iter_next (&iter, "(x&s&sxxx)", NULL, &name, &uuid, NULL, NULL, NULL))
    ok = tractor__is_name (name) && tractor__is_name (uuid);
  return ok;
}

/* (transfer full): @tree, (transfer full) (nullable), as it can be shown; NULL if it is none. */
static GVariant *
take_tree (GVariant *tree)
{
  GVariantBuilder builder;
  GVariantIter iter;
  const char *name, *uuid;
  gint64 depth, pid, state, n_restarts;

  if (tree == NULL || !g_variant_is_of_type (tree, G_VARIANT_TYPE (TREE_TYPE))) {
    g_clear_pointer (&tree, g_variant_unref);
    return NULL;
  }
  if (has_only_names (tree))
    return tree;
  g_variant_builder_init (&builder, G_VARIANT_TYPE (TREE_TYPE));
  g_variant_iter_init (&iter, tree);
  while (
      g_variant_iter_next (&iter, "(x&s&sxxx)", &depth, &name, &uuid, &pid, &state, &n_restarts)) {
    g_autofree char *shown_name = tractor__escape_name (name);
    g_autofree char *shown_uuid = tractor__escape_name (uuid);

    g_variant_builder_add (&builder, ENTRY_TYPE, depth, shown_name, shown_uuid, pid, state,
                           n_restarts);
  }
  g_variant_unref (tree);
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* --- what is below a child ----------------------------------------------------------------------- */

/* @tree: (transfer full) (nullable): only what was agreed on is believed. */
static void
set_below (Child *child, GVariant *tree)
{
  g_clear_pointer (&child->below, g_variant_unref);
  child->below = take_tree (tree);
  child->is_known = TRUE;
  tractor__runtime_tree_changed (child->runtime);
}

/* How it ends is told by others: the child is gone. */
static gboolean
follow (gpointer data, G_GNUC_UNUSED GError **error)
{
  Child *child = data;
  g_autoptr (GError) failure = NULL;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorPortal) portal = tractor__child_portal_new (child);
  g_autoptr (TractorStream) stream = NULL;
  GVariant *tree;

  if (child->runtime->n_watches == 0 || child->following != NULL)
    return TRUE; /* it had been cancelled before it ran */
  child->following = scope;
  stream = tractor_portal_open_stream (portal, "self:tree", NULL, NULL, &failure);
  while (stream != NULL && tractor_stream_receive (stream, &tree, &failure))
    set_below (child, tree);
  g_clear_pointer (&stream, tractor_stream_close);
  child->following = NULL;
  set_below (child, NULL);
  return TRUE;
}

/* Once in each life of a child. */
static void
follow_children (TractorRuntime *runtime)
{
  for (guint i = 0; i < runtime->children->len; i++) {
    Child *child = runtime->children->pdata[i];

    if (child->has_booted && !child->is_down && !child->is_followed && child->following == NULL &&
        !child->plan->options.is_python && runtime->services != NULL)
      child->is_followed =
          tractor_nursery_spawn (runtime->services, "tree", follow, tractor__child_ref (child),
                                 (GDestroyNotify) tractor__child_unref, NULL);
  }
}

static void
stop_following (TractorRuntime *runtime)
{
  for (guint i = 0; i < runtime->children->len; i++) {
    Child *child = runtime->children->pdata[i];

    child->is_followed = child->is_known = FALSE;
    if (child->following != NULL)
      tractor_cancel_scope_cancel (child->following, "nobody watches the tree");
  }
}

/* --- the whole ----------------------------------------------------------------------------------- */

static TractorActorState
get_state (const Child *child)
{
  if (child->cancel_requested)
    return TRACTOR_ACTOR_ENDING;
  if (child->is_down || (child->n_restarts > 0 && !child->has_booted))
    return TRACTOR_ACTOR_RESTARTING;
  return child->has_booted ? TRACTOR_ACTOR_RUNNING : TRACTOR_ACTOR_BOOTING;
}

/* What is below the actor that @tree begins with, which is known better from here. */
static void
add_below (GVariantBuilder *builder, GVariant *tree, gsize *n_entries)
{
  GVariantIter iter;
  const char *name, *uuid;
  gint64 depth, pid, state, n_restarts;

  g_variant_iter_init (&iter, tree);
  while (*n_entries < LIMIT_TREE_ENTRIES &&
         g_variant_iter_next (&iter, "(x&s&sxxx)", &depth, &name, &uuid, &pid, &state, &n_restarts))
    if (depth > 0 && depth < LIMIT_TREE_DEPTH) {
      g_variant_builder_add (builder, ENTRY_TYPE, depth + 1, name, uuid, pid, state, n_restarts);
      ++*n_entries;
    }
}

/* (transfer full) */
static GVariant *
build_tree (TractorRuntime *runtime)
{
  gsize n_entries = 1;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE (TREE_TYPE));
  g_variant_builder_add (
      &builder, ENTRY_TYPE, (gint64) 0, runtime->id.name, runtime->id.uuid, (gint64) getpid (),
      (gint64) (runtime->is_ending ? TRACTOR_ACTOR_ENDING : TRACTOR_ACTOR_RUNNING), (gint64) 0);
  for (guint i = 0; i < runtime->children->len && n_entries < LIMIT_TREE_ENTRIES; i++) {
    Child *child = runtime->children->pdata[i];

    g_variant_builder_add (&builder, ENTRY_TYPE, (gint64) 1, child->id.name, child->id.uuid,
                           (gint64) child->process.pid, (gint64) get_state (child),
                           (gint64) child->n_restarts);
    n_entries++;
    if (child->below != NULL)
      add_below (&builder, child->below, &n_entries);
  }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* Returns: FALSE with CANCELLED. */
static gboolean
wait_for_change (TractorRuntime *runtime, guint64 version, GError **error)
{
  if (!tractor_sleep_until (tractor_now () + TREE_INTERVAL_USEC, error))
    return FALSE;
  while (runtime->tree_version == version)
    if (!tractor_parking_lot_park (runtime->tree_changed, error))
      return FALSE;
  return TRUE;
}

static gboolean
is_whole (const TractorRuntime *runtime)
{
  for (guint i = 0; i < runtime->children->len; i++) {
    const Child *child = runtime->children->pdata[i];

    if (child->is_followed && !child->is_known)
      return FALSE;
  }
  return TRUE;
}

/* Until all that were asked have answered, so that what is told first is all that there is; but none that is
 * stuck holds that up for long, and those who are asked by others less long than these. Returns: FALSE with
 * CANCELLED. */
static gboolean
wait_until_whole (TractorRuntime *runtime, GError **error)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + PATIENCE_TREE_USEC / (runtime->depth + 1));

  while (!is_whole (runtime) && tractor_parking_lot_park (runtime->tree_changed, error))
    ;
  return tractor_cancel_scope_absorb (scope, error);
}

static void
watch (TractorRuntime *runtime, TreeSink sink, gpointer data, GError **error)
{
  g_autoptr (GVariant) last = NULL;
  guint64 version;

  follow_children (runtime);
  if (!wait_until_whole (runtime, error))
    return;
  do {
    g_autoptr (GVariant) tree = NULL;

    version = runtime->tree_version;
    follow_children (runtime);
    tree = build_tree (runtime);
    if (last != NULL && g_variant_equal (tree, last))
      continue;
    if (!sink (tree, data, error))
      return;
    g_clear_pointer (&last, g_variant_unref);
    last = g_steal_pointer (&tree);
  } while (wait_for_change (runtime, version, error));
}

static gboolean
watch_own_tree (TreeSink sink, gpointer data, GError **error)
{
  GError *failure = NULL;
  RuntimeUse use;
  TractorRuntime *runtime = tractor__runtime_enter (&use, &failure);

  if (runtime != NULL) {
    runtime->n_watches++;
    watch (runtime, sink, data, &failure);
    if (--runtime->n_watches == 0)
      stop_following (runtime);
  }
  if (failure == NULL) {
    tractor__runtime_leave (&use, NULL, NULL);
    return TRUE;
  }
  tractor__runtime_leave (&use, failure, error);
  return FALSE;
}

/* --- for peers ------------------------------------------------------------------------------------ */

static gboolean
send_tree (GVariant *tree, gpointer stream, GError **error)
{
  return tractor_stream_send (stream, tree, error);
}

static gboolean
serve_tree (TractorStream *stream, G_GNUC_UNUSED GVariant *kwargs, GError **error)
{
  return watch_own_tree (send_tree, stream, error);
}

void
tractor__tree_serve (TractorRuntime *runtime)
{
  static const TractorExport entry = { "tree", TRACTOR_EXPORT_STREAM, .stream = serve_tree,
                                       .payload_spec = TREE_TYPE };

  tractor__exports_add (runtime->exports, NAMESPACE_SELF, &(Served){ .entry = &entry });
}

/* --- for this program ----------------------------------------------------------------------------- */

typedef struct {
  TractorTreeFunc func;
  gpointer data;
} Watcher;

static gboolean
tell (GVariant *tree, gpointer data, GError **error)
{
  Watcher *watcher = data;
  gsize n_entries = g_variant_n_children (tree);
  g_autofree TractorTreeEntry *entries = g_new (TractorTreeEntry, n_entries);
  const char *name, *uuid;
  gint64 depth, pid, state, n_restarts;

  for (gsize i = 0; i < n_entries; i++) {
    g_variant_get_child (tree, i, "(x&s&sxxx)", &depth, &name, &uuid, &pid, &state, &n_restarts);
    entries[i] =
        (TractorTreeEntry){ .depth = (guint) CLAMP (depth, 0, LIMIT_TREE_DEPTH),
                            .name = name,
                            .uuid = uuid,
                            .pid = (gint) CLAMP (pid, 0, G_MAXINT),
                            .state = (TractorActorState) CLAMP (state, 0, TRACTOR_ACTOR_ENDING),
                            .n_restarts = (guint) CLAMP (n_restarts, 0, G_MAXINT) };
  }
  return watcher->func (entries, n_entries, watcher->data, error);
}

/* Returns: TRUE at its end, or when nobody watches any more. */
static gboolean
watch_other_tree (TractorPortal *portal, Watcher *watcher, GError **error)
{
  g_autoptr (TractorStream) stream =
      tractor_portal_open_stream (portal, "self:tree", NULL, NULL, error);
  GError *failure = NULL;
  GVariant *item;

  if (stream == NULL)
    return FALSE;
  while (tractor_stream_receive (stream, &item, &failure)) {
    g_autoptr (GVariant) tree = take_tree (item);

    if (tree == NULL || g_variant_n_children (tree) == 0)
      g_set_error_literal (&failure, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE, "This is no tree");
    else if (tell (tree, watcher, &failure))
      continue;
    break;
  }
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

gboolean
tractor_watch_tree (TractorPortal *portal, TractorTreeFunc func, gpointer data, GError **error)
{
  Watcher watcher = { func, data };

  if (!tractor_error_check_given ((gconstpointer) func, "function", error))
    return FALSE;

  return portal != NULL ? watch_other_tree (portal, &watcher, error)
                        : watch_own_tree (tell, &watcher, error);
}
