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
 * TractorTreeEntry:
 * @depth: 0: the actor that is asked; 1: its children; and so on
 * @name: what it is called
 * @uuid: which one it is; another one after a restart
 * @pid: its process id
 * @state: how far it is, as its parent sees it
 * @n_restarts: how often it has been started again
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
 * second at most; then it comes without what is below that one. Of a tree of more than 16,384 actors not all are told.
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
