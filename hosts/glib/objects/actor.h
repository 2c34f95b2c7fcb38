/* actor.h - private to hosts/glib/objects: how a tree's actors come to be. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tree.h"

/* What is to be started, or found. */
typedef struct {
  Tree *tree; /* (transfer full) */
  char *name;
  TractorGlibLauncher *launcher; /* (transfer full) (nullable): of what is to be started */
  TractorGlibActor
      *actor; /* (transfer full) (nullable): once it is there, until it has been handed over */
} ActorRequest;

G_GNUC_INTERNAL ActorRequest *tractor__actor_request_new (Tree *tree, const char *name);
G_GNUC_INTERNAL void tractor__actor_request_free (gpointer request);

/* TractorGlibFuncs of an ActorRequest, for a task of its tree. */
G_GNUC_INTERNAL gpointer tractor__actor_spawn (gpointer request, GError **error);
G_GNUC_INTERNAL gpointer tractor__actor_find (gpointer request, GError **error);

G_GNUC_INTERNAL Tree *tractor__actor_get_tree (TractorGlibActor *self);
