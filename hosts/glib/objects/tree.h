/* tree.h - private to hosts/glib/objects: the guest behind a TractorGlibRuntime. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "glib-call.h"
#include "host-stack.h"
#include "invocation.h"
#include "tractor-glib-objects.h"
#include "tractor.h"

/* What a tree tells its runtime, on the host's stack. */
typedef struct {
  void (*state_changed) (gpointer object);
  void (*child_added) (gpointer object, TractorGlibActor *actor);
  void (*child_removed) (gpointer object, TractorGlibActor *actor);
  void (*closed) (gpointer object, const GError *error);
} TreeOps;

typedef struct {
  guint refs;
  const TreeOps *ops;
  gpointer object; /* (nullable): the TractorGlibRuntime, until it is dropped */
  char *name;
  char **registry_addresses; /* (nullable), as the next two are */
  char **listen_addresses;
  char *transport;
  char **addresses; /* (nullable): where it listens, while it is open */
  Exports *exports;
  GMainContext *context; /* (transfer full) */
  TractorGuest *guest;   /* (nullable): until it has ended */
  TractorGlibState state;
  TractorCancelScope *scope; /* (nullable): of the main task, while it runs */
  TractorNursery *nursery;   /* (nullable): for requests, while it is open */
  GQueue *requests;          /* that wait for it to be open */
  GError *error;             /* (nullable): what it failed with */
} Tree;

/* To be filled in, and then opened, which needs a turn of the context. */
G_GNUC_INTERNAL Tree *tractor__tree_new (const TreeOps *ops, gpointer object);
G_GNUC_INTERNAL void tractor__tree_open (Tree *tree);
G_GNUC_INTERNAL Tree *tractor__tree_ref (Tree *tree);
G_GNUC_INTERNAL void tractor__tree_unref (Tree *tree);
G_GNUC_INTERNAL void tractor__tree_close (Tree *tree);

/* (transfer full): for one request of @source. */
G_GNUC_INTERNAL GTask *
tractor__request_new (gpointer source, GAsyncReadyCallback callback, gpointer user_data);
/* What a request keeps of a value of the program's, which may close what is in it when the call has returned.
 * @value: (nullable). Returns: (transfer full) (nullable): NULL with @error set if that cannot be kept. */
G_GNUC_INTERNAL GVariant *tractor__request_hold (GVariant *value, GError **error);
/* As tractor__glib_call(), in the tree; if it is not open yet, then later. */
G_GNUC_INTERNAL void tractor__tree_call (Tree *tree,
                                         GTask *task,
                                         TractorGlibFunc func,
                                         gpointer data,
                                         GDestroyNotify data_free,
                                         GDestroyNotify result_free,
                                         GCancellable *cancellable);
G_GNUC_INTERNAL gpointer tractor__request_finish (gpointer source,
                                                  GAsyncResult *result,
                                                  GError **error);
/* For a request that has no result: whether it succeeded. */
G_GNUC_INTERNAL gboolean tractor__request_finish_boolean (gpointer source,
                                                          GAsyncResult *result,
                                                          GError **error);
/* For tractor_glib_get_remote_error_of_result(). @failure: what is given away by the _finish() of @result. */
G_GNUC_INTERNAL void tractor__request_keep_failure (GAsyncResult *result, const GError *failure);
