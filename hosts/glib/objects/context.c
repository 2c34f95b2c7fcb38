/* context.c - TractorGlibContext: a dialog with a function in an actor, as an object.
 *
 * A context has to be opened, left and joined by one task, so behind each object stands one, with the
 * context on its stack. Its body is to wait until somebody wants to leave. In the body there is a nursery for
 * what is sent and received: it is inside the context's scope, so a failure of the function ends that too,
 * and it is joined before the context is, so nothing uses a stream that is gone.
 *
 * When the function fails, and nobody is just waiting for it, its failure ends the body before the program has
 * asked for anything more. Then what it had sent is kept for that (the rest), and what is asked for afterwards
 * gets the rest, and the failure.
 *
 * A stream that goes one way has such an object behind it, too, which the program does not see. No failure ends
 * its body: what came stays in the stream for as long as that is there.
 *
 * A scope around all is for cancelling, at any time: by the program, or because the object is dropped. The
 * task does not hold the object. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "context.h"

struct _TractorGlibContext {
  GObject parent_instance;
  Tree *tree;
  GVariant *started; /* (nullable) */
  Dialog *dialog;    /* (nullable): of the task, until the function has ended */
  TractorEvent *over;
  GQueue rest;      /* of GVariants, (nullable): items that came before the body was interrupted */
  GError *rest_end; /* (nullable): what comes behind them */
  GVariant *result; /* (nullable): once it is over */
  GError *error;    /* (nullable): once it is over */
};

enum {
  PROP_STARTED = 1
};

G_DEFINE_TYPE (TractorGlibContext, tractor_glib_context, G_TYPE_OBJECT)

Dialog *
tractor__context_get_dialog (TractorGlibContext *self)
{
  return self->dialog;
}

Tree *
tractor__context_get_tree (TractorGlibContext *self)
{
  return self->tree;
}

/* --- the task -------------------------------------------------------------------------------------------- */

typedef struct {
  Tree *tree;
  TractorPortal *portal;
  const char *function;
  GVariant *kwargs;            /* (nullable) */
  TractorGlibContext *context; /* (transfer full) (nullable): once it is there */
  TractorGlibStream *stream;   /* the same, of what goes one way */
} Opening;

static TractorGlibContext *
context_new (Dialog *dialog, GVariant *started)
{
  TractorGlibContext *self = g_object_new (TRACTOR_GLIB_TYPE_CONTEXT, NULL);

  self->tree = tractor__tree_ref (dialog->tree);
  self->started = started;
  self->over = tractor_event_new ();
  self->dialog = dialog;
  return self;
}

/* The function has failed. */
static void
keep_rest (Dialog *dialog)
{
  TractorGlibContext *self = dialog->self;
  GVariant *item;

  if (self == NULL || dialog->stream == NULL)
    return;
  while (tractor_stream_receive_nowait (dialog->stream, &item, &self->rest_end))
    g_queue_push_tail (&self->rest, item);
}

/* The body. */
static void
talk (Dialog *dialog, TractorTaskStatus *status, GError **error)
{
  g_autoptr (TractorNursery) io = tractor_nursery_open ();
  gboolean is_left;

  dialog->io = io;
  tractor_task_started (status, NULL, NULL);
  is_left = tractor_event_wait (dialog->leave, error);
  dialog->io = NULL;
  tractor_nursery_join (io, error);
  if (!is_left && dialog->context != NULL && tractor_context_get_outcome (dialog->context) != NULL)
    keep_rest (dialog);
}

/* @result, @error: (transfer full) (nullable) */
static void
settle (Dialog *dialog, GVariant *result, GError *error)
{
  TractorGlibContext *self = dialog->self;

  if (self == NULL) {
    g_clear_pointer (&result, g_variant_unref);
    g_clear_error (&error);
    return;
  }
  self->dialog = NULL;
  self->result = result;
  self->error = error;
  tractor_event_set (self->over);
}

static gboolean
run_context (TractorTaskStatus *status, gpointer data, GError **error)
{
  Opening *opening = data; /* until the task has started */
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorEvent) leave = tractor_event_new ();
  Dialog dialog = { .tree = opening->tree, .scope = scope, .leave = leave };
  GVariant *started = NULL;
  g_autoptr (TractorContext) context = tractor_portal_open_context (
      opening->portal, opening->function, opening->kwargs, NULL, &started, error);
  GVariant *result = NULL;
  GError *failure = NULL;

  if (context == NULL)
    return FALSE;
  dialog.context = context;
  dialog.self = opening->context = context_new (&dialog, started);
  talk (&dialog, status, &failure);
  tractor_context_join (context, &result, &failure);
  tractor_cancel_scope_absorb (scope, &failure);
  settle (&dialog, result, failure);
  return TRUE;
}

static gboolean
run_stream (TractorTaskStatus *status, gpointer data, GError **error)
{
  Opening *opening = data; /* until the task has started */
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorEvent) leave = tractor_event_new ();
  Dialog dialog = { .tree = opening->tree, .scope = scope, .leave = leave };
  g_autoptr (TractorStream) stream =
      tractor_portal_open_stream (opening->portal, opening->function, opening->kwargs, NULL, error);
  GError *failure = NULL;

  if (stream == NULL)
    return FALSE;
  dialog.stream = stream;
  dialog.self = opening->context = context_new (&dialog, NULL);
  opening->stream = tractor__stream_new (opening->context, stream);
  talk (&dialog, status, &failure);
  tractor_cancel_scope_absorb (scope, &failure);
  settle (&dialog, NULL, failure);
  return TRUE;
}

static gboolean
start (Opening *opening, TractorNursery *nursery, TractorStartFunc func, GError **error)
{
  if (nursery != NULL)
    return tractor_nursery_start (nursery, opening->function, func, opening, NULL, NULL, error);
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED, "The actor has ended");
  return FALSE;
}

TractorGlibContext *
tractor__context_open (Tree *tree,
                       TractorPortal *portal,
                       TractorNursery *nursery,
                       const char *function,
                       GVariant *kwargs,
                       GError **error)
{
  Opening opening = { tree, portal, function, kwargs, NULL, NULL };

  if (!start (&opening, nursery, run_context, error))
    g_clear_object (&opening.context);
  return opening.context;
}

TractorGlibStream *
tractor__stream_open (Tree *tree,
                      TractorPortal *portal,
                      TractorNursery *nursery,
                      const char *function,
                      GVariant *kwargs,
                      GError **error)
{
  Opening opening = { tree, portal, function, kwargs, NULL, NULL };

  if (!start (&opening, nursery, run_stream, error))
    g_clear_object (&opening.stream);
  g_clear_object (&opening.context); /* which the stream holds */
  return opening.stream;
}

/* --- requests -------------------------------------------------------------------------------------------- */

static gpointer
open_stream (gpointer data, GError **error)
{
  TractorGlibContext *self = data;
  TractorStream *stream = tractor_context_open_stream (self->dialog->context, error);

  if (stream == NULL)
    return NULL;
  self->dialog->stream = stream;
  return tractor__stream_new (self, stream);
}

gpointer
tractor__context_explain (TractorGlibContext *self, GError **error)
{
  if (!tractor_event_wait (self->over, error))
    return NULL;
  if (self->error != NULL)
    g_propagate_error (error, g_error_copy (self->error));
  else
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED, "This has been closed");
  return NULL;
}

static gpointer
explain (gpointer self, GError **error)
{
  return tractor__context_explain (self, error);
}

gboolean
tractor__context_take_rest (TractorGlibContext *self, GVariant **ret_item, GError **error)
{
  if (!tractor_event_wait (self->over, error))
    return FALSE;
  if (self->rest.length > 0) {
    *ret_item = g_queue_pop_head (&self->rest);
    return TRUE;
  }
  if (self->rest_end != NULL)
    g_propagate_error (error, g_error_copy (self->rest_end));
  else
    tractor__context_explain (self, error);
  return FALSE;
}

void
tractor__context_call (TractorGlibContext *self,
                       GTask *task,
                       TractorGlibFunc func,
                       TractorGlibFunc late,
                       gpointer data,
                       GDestroyNotify data_free,
                       GDestroyNotify result_free,
                       GCancellable *cancellable)
{
  Dialog *dialog = self->dialog;

  /* One that has been left is closed, however long the function still runs. */
  if (dialog != NULL && (dialog->io != NULL || tractor_event_is_set (dialog->leave)))
    tractor__glib_call (task, dialog->io, func, data, data_free, result_free, cancellable);
  else
    tractor__tree_call (self->tree, task, late, data, data_free, result_free, cancellable);
}

static gpointer
wait_for_end (gpointer data, GError **error)
{
  TractorGlibContext *self = data;

  if (!tractor_event_wait (self->over, error))
    return NULL;
  if (self->error != NULL)
    g_propagate_error (error, g_error_copy (self->error));
  return self->result != NULL ? g_variant_ref (self->result) : NULL;
}

/* --- the class ------------------------------------------------------------------------------------------- */

static void
tractor_glib_context_init (G_GNUC_UNUSED TractorGlibContext *self)
{
}

static void
dispose (GObject *object)
{
  TractorGlibContext *self = TRACTOR_GLIB_CONTEXT (object);
  Dialog *dialog = g_steal_pointer (&self->dialog);

  if (dialog != NULL) {
    dialog->self = NULL;
    tractor_cancel_scope_cancel (dialog->scope, "dropped");
  }
  G_OBJECT_CLASS (tractor_glib_context_parent_class)->dispose (object);
}

/* @item: (nullable): a nil */
static void
clear_item (GVariant *item)
{
  g_clear_pointer (&item, g_variant_unref);
}

static void
finalize (GObject *object)
{
  TractorGlibContext *self = TRACTOR_GLIB_CONTEXT (object);

  g_clear_pointer (&self->started, g_variant_unref);
  g_clear_pointer (&self->result, g_variant_unref);
  g_clear_error (&self->error);
  while (self->rest.length > 0)
    clear_item (g_queue_pop_head (&self->rest));
  g_clear_error (&self->rest_end);
  tractor_event_free (self->over);
  tractor__tree_unref (self->tree);
  G_OBJECT_CLASS (tractor_glib_context_parent_class)->finalize (object);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  if (id == PROP_STARTED)
    g_value_set_variant (value, TRACTOR_GLIB_CONTEXT (object)->started);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
tractor_glib_context_class_init (TractorGlibContextClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);

  object_class->dispose = dispose;
  object_class->finalize = finalize;
  object_class->get_property = get_property;
  g_object_class_install_property (
      object_class, PROP_STARTED,
      g_param_spec_variant ("started", NULL, NULL, G_VARIANT_TYPE_ANY, NULL,
                            G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

/* --- public ---------------------------------------------------------------------------------------------- */

GVariant *
tractor_glib_context_get_started (TractorGlibContext *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_CONTEXT (self), NULL);

  return self->started;
}

void
tractor_glib_context_open_stream_async (TractorGlibContext *self,
                                        GCancellable *cancellable,
                                        GAsyncReadyCallback callback,
                                        gpointer user_data)
{
  g_return_if_fail (TRACTOR_GLIB_IS_CONTEXT (self));

  tractor__context_call (self, tractor__request_new (self, callback, user_data), open_stream,
                         explain, g_object_ref (self), g_object_unref, g_object_unref, cancellable);
}

TractorGlibStream *
tractor_glib_context_open_stream_finish (TractorGlibContext *self,
                                         GAsyncResult *result,
                                         GError **error)
{
  return tractor__request_finish (self, result, error);
}

void
tractor_glib_context_wait_async (TractorGlibContext *self,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_return_if_fail (TRACTOR_GLIB_IS_CONTEXT (self));

  if (self->dialog != NULL)
    tractor_event_set (self->dialog->leave);
  tractor__tree_call (self->tree, tractor__request_new (self, callback, user_data), wait_for_end,
                      g_object_ref (self), g_object_unref, (GDestroyNotify) g_variant_unref,
                      cancellable);
}

GVariant *
tractor_glib_context_wait_finish (TractorGlibContext *self, GAsyncResult *result, GError **error)
{
  return tractor__request_finish (self, result, error);
}

void
tractor_glib_context_cancel (TractorGlibContext *self)
{
  g_return_if_fail (TRACTOR_GLIB_IS_CONTEXT (self));

  if (self->dialog != NULL)
    tractor_cancel_scope_cancel (self->dialog->scope, "tractor_glib_context_cancel()");
}
