/* forest.h - the trees of this user's actors, as they say and as the kernel says. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "command.h"
#include "holds.h"
#include "tractor-tree.h"

typedef struct _Actor Actor;

struct _Actor {
  Actor *parent;       /* (nullable) */
  GPtrArray *children; /* (element-type Actor) */
  gint pid;
  char *name;    /* (nullable): it could not be found out */
  char *uuid;    /* (nullable): likewise */
  char *address; /* (nullable): where it listens, if it was asked */
  TractorActorState state;
  guint n_restarts;
  TractorTreeView view;
  char process_state;          /* as in ps(1); 0: it is gone */
  const Hold *hold;            /* (nullable): the debugger has it */
  gboolean waits_for_debugger; /* while that has another one */
};

/* Asks them, which takes a second or two if some do not answer.
 *
 * @pid: only the tree that it belongs to; 0: all of them. Returns: (transfer full) (element-type Actor): the roots, at
 * least one; NULL with @error, and *@ret_status says what to end with. */
GPtrArray *forest_find (gint pid, Status *ret_status, GError **error);
/* (transfer none) (nullable) */
Actor *forest_find_actor (GPtrArray *roots, gint pid);
/* Calls @func for @actor and all below it, each before its children. */
void forest_walk (Actor *actor, void (*func) (Actor *actor, gpointer data), gpointer data);
guint actor_get_depth (const Actor *actor);
/* Whether it answers: -1: it is not asked. */
int actor_answers (const Actor *actor);
/* (transfer none): how its state is called. */
const char *actor_describe_state (const Actor *actor);
