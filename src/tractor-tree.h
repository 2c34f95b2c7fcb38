/* tractor-tree.h - what a tree of actors looks like, now and whenever that changes.
 *
 * Each actor knows its children only. Who watches a tree asks its root, which asks each child for what
 * is below that, and so on down; nothing is asked for while nobody watches. What is below a Python actor
 * is not seen. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-actor.h"

G_BEGIN_DECLS

/**
 * TractorActorState:
 * @TRACTOR_ACTOR_BOOTING: its process has been started, and does not answer yet
 * @TRACTOR_ACTOR_RUNNING: it answers
 * @TRACTOR_ACTOR_RESTARTING: it has died, and is to be started again
 * @TRACTOR_ACTOR_ENDING: it has been asked to end
 */
typedef enum {
  TRACTOR_ACTOR_BOOTING,
  TRACTOR_ACTOR_RUNNING,
  TRACTOR_ACTOR_RESTARTING,
  TRACTOR_ACTOR_ENDING
} TractorActorState;

/**
 * TractorTreeView:
 * @TRACTOR_TREE_VIEW_WHOLE: it has told what is below it, and that is in the tree
 * @TRACTOR_TREE_VIEW_AWAITED: it has been asked, and has not answered yet
 * @TRACTOR_TREE_VIEW_SILENT: it has been asked, and has not answered for half a second: it is stopped, stuck or busy.
 *   When it answers all the same, that is told
 * @TRACTOR_TREE_VIEW_NONE: it is not asked: it does not answer yet, or not any more
 * @TRACTOR_TREE_VIEW_PYTHON: a Python actor, which is not asked
 *
 * What is known of the tree below an actor. A tree is settled, and need not be waited for any longer by who only wants
 * to see it once, if none of its actors is awaited.
 */
typedef enum {
  TRACTOR_TREE_VIEW_WHOLE,
  TRACTOR_TREE_VIEW_AWAITED,
  TRACTOR_TREE_VIEW_SILENT,
  TRACTOR_TREE_VIEW_NONE,
  TRACTOR_TREE_VIEW_PYTHON
} TractorTreeView;

/**
 * TractorTreeEntry:
 * @depth: 0: the actor that is asked; 1: its children; and so on
 * @name: what it is called
 * @uuid: which one it is; another one after a restart
 * @pid: its process id
 * @state: how far it is, as its parent sees it
 * @n_restarts: how often it has been started again
 * @view: whether what is below it is known
 *
 * One actor of a tree.
 */
typedef struct {
  guint depth;
  const char *name;
  const char *uuid;
  gint pid;
  TractorActorState state;
  guint n_restarts;
  TractorTreeView view;
} TractorTreeEntry;

/**
 * TractorTreeFunc:
 * @entries: (array length=n_entries): each actor before its children, and those in the order of their
 *   start; valid until this returns
 *
 * Called in the task that watches; may suspend, and what changes meanwhile is told after that, at once.
 *
 * Returns: TRUE to go on; FALSE to end the watching: with @error set it fails with that.
 */
typedef gboolean (*TractorTreeFunc) (const TractorTreeEntry *entries,
                                     gsize n_entries,
                                     gpointer data,
                                     GError **error);

/**
 * tractor_watch_tree:
 * @portal: (nullable): the actor whose tree it is; NULL: this one
 *
 * Calls @func with the whole tree below an actor, as soon as all of it have answered, and again when something
 * has changed, but not more often than 20 times a second. An actor that is stuck holds the first call up for half a
 * second at most; then it comes without what is below that one, whose entry says so. Whoever wants to see all of a tree
 * once waits until it is settled, which takes half a second for each of its levels at most. Of a tree of more
 * than 16,384 actors not all are told.
 *
 * Returns: TRUE if @func has ended it, or the actor of @portal has ended well; or FALSE with @error set to
 *   CANCELLED; NO_RUNTIME; NOT_EXPOSED, boxed, for a Python actor; what @func has failed with; or, of
 *   another actor, as by tractor_stream_receive().
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_watch_tree (TractorPortal *portal,
                                         TractorTreeFunc func,
                                         gpointer data,
                                         GError **error);

G_END_DECLS
