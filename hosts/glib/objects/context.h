/* context.h - private to hosts/glib/objects: the task behind a TractorGlibContext, and its stream. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tree.h"

/* On the stack of the context's task. */
typedef struct {
  TractorGlibContext *self; /* (nullable): until it is dropped */
  Tree *tree;
  TractorContext *context;   /* (nullable): of a stream that goes one way */
  TractorCancelScope *scope; /* around all of it */
  TractorEvent *leave;       /* the body is to end */
  TractorNursery *io;        /* (nullable): for what is sent and received, until then */
  TractorStream *stream;     /* (nullable): once it is open */
} Dialog;

/* In a task: opens one, which then lives in @nursery. Returns: (transfer full) (nullable). */
G_GNUC_INTERNAL TractorGlibContext *tractor__context_open (Tree *tree,
                                                           TractorPortal *portal,
                                                           TractorNursery *nursery,
                                                           const char *function,
                                                           GVariant *kwargs,
                                                           GError **error);

/* The same with a stream that goes one way. Returns: (transfer full) (nullable). */
G_GNUC_INTERNAL TractorGlibStream *tractor__stream_open (Tree *tree,
                                                         TractorPortal *portal,
                                                         TractorNursery *nursery,
                                                         const char *function,
                                                         GVariant *kwargs,
                                                         GError **error);

/* As tractor__tree_call(), for @func in the body. When that is over, @late is called in its place, in the tree. */
G_GNUC_INTERNAL void tractor__context_call (TractorGlibContext *self,
                                            GTask *task,
                                            TractorGlibFunc func,
                                            TractorGlibFunc late,
                                            gpointer data,
                                            GDestroyNotify data_free,
                                            GDestroyNotify result_free,
                                            GCancellable *cancellable);
/* In a task, when the body is over. Returns: NULL with @error set to what the function has failed with; to
 * CLOSED if it has not. */
G_GNUC_INTERNAL gpointer tractor__context_explain (TractorGlibContext *self, GError **error);
/* The same, after the items that came before the failure: then TRUE, with one of those. */
G_GNUC_INTERNAL gboolean tractor__context_take_rest (TractorGlibContext *self,
                                                     GVariant **ret_item,
                                                     GError **error);

/* Returns: (transfer none) (nullable): NULL once the function has ended. */
G_GNUC_INTERNAL Dialog *tractor__context_get_dialog (TractorGlibContext *self);
G_GNUC_INTERNAL Tree *tractor__context_get_tree (TractorGlibContext *self);

/* (transfer full): an object for @stream, which belongs to the dialog of @context. */
G_GNUC_INTERNAL TractorGlibStream *tractor__stream_new (TractorGlibContext *context,
                                                        TractorStream *stream);
