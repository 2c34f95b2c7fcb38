/* context.h - private to hosts/glib/objects: the task behind a TractorGlibContext, and its stream. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tree.h"

/* On the stack of the context's task. */
typedef struct {
  TractorGlibContext *self; /* (nullable): until it is dropped */
  Tree *tree;
  TractorContext *context;
  TractorCancelScope *scope; /* around all of it */
  TractorEvent *leave;       /* the body is to end */
  TractorNursery *io;        /* (nullable): for what is sent and received, until then */
} Dialog;

/* In a task: opens one, which then lives in @nursery. Returns: (transfer full) (nullable). */
G_GNUC_INTERNAL TractorGlibContext *tractor__context_open (Tree *tree,
                                                           TractorPortal *portal,
                                                           TractorNursery *nursery,
                                                           const char *function,
                                                           GVariant *kwargs,
                                                           GError **error);

/* Returns: (transfer none) (nullable): NULL once the function has ended. */
G_GNUC_INTERNAL Dialog *tractor__context_get_dialog (TractorGlibContext *self);
G_GNUC_INTERNAL Tree *tractor__context_get_tree (TractorGlibContext *self);

/* (transfer full): an object for @stream, which belongs to the dialog of @context. */
G_GNUC_INTERNAL TractorGlibStream *tractor__stream_new (TractorGlibContext *context,
                                                        TractorStream *stream);
