/* stream.c - TractorGlibStream: one end of a stream, as an object.
 *
 * Each send and each receive is a task in the nursery of the context's body (context.c), where tasks begin
 * in the order in which they were asked for, and wait for room in that order. A stream that flows has one
 * task more, which receives and emits in turn; so a slow handler slows the sender down.
 *
 * One that is closed while there are sends in line ends behind them. Until then a task throws away what comes, so
 * that the other end can take them.
 *
 * The stream belongs to the context's task, and is used only while that has its dialog. What is asked for
 * afterwards is a task of the tree, and the context answers it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "context.h"

/* Of the task that emits, and freed with it. */
typedef struct {
  TractorGlibStream *self;   /* (transfer full) */
  TractorCancelScope *scope; /* (nullable): while it runs */
  gboolean is_stopped;
  gboolean is_late; /* the body was over already */
} Flow;

struct _TractorGlibStream {
  GObject parent_instance;
  TractorGlibContext *context; /* (transfer full) */
  TractorStream *stream;
  Flow *flow;      /* (nullable): while it flows */
  guint n_sending; /* that are in line */
  gboolean is_closed;
};

enum {
  PROP_FLOWING = 1
};

enum {
  MESSAGE,
  FINISHED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_TYPE (TractorGlibStream, tractor_glib_stream, G_TYPE_OBJECT)

TractorGlibStream *
tractor__stream_new (TractorGlibContext *context, TractorStream *stream)
{
  TractorGlibStream *self = g_object_new (TRACTOR_GLIB_TYPE_STREAM, NULL);

  self->context = g_object_ref (context);
  self->stream = stream;
  return self;
}

/* Returns: (nullable): where tasks may use the stream. */
static TractorNursery *
get_io (TractorGlibStream *self)
{
  Dialog *dialog = tractor__context_get_dialog (self->context);

  return dialog != NULL ? dialog->io : NULL;
}

/* While it has its dialog. */
static gboolean
is_one_way (TractorGlibStream *self)
{
  return tractor__context_get_dialog (self->context)->context == NULL;
}

/* --- requests -------------------------------------------------------------------------------------------- */

typedef struct {
  TractorGlibStream *self; /* (transfer full) */
  GVariant *item;          /* (nullable) */
  gboolean is_late;        /* behind the end */
} Send;

/* Behind the last that was in line. */
static void
end (TractorGlibStream *self)
{
  if (tractor__context_get_dialog (self->context) != NULL && !is_one_way (self))
    tractor_stream_close (self->stream);
}

static void
send_free (gpointer data)
{
  Send *send = data;

  if (--send->self->n_sending == 0 && send->self->is_closed)
    end (send->self);
  g_object_unref (send->self);
  g_clear_pointer (&send->item, g_variant_unref);
  g_free (send);
}

static void
set_closed_error (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                       "This end of the stream is closed");
}

static gpointer
send_item (gpointer data, GError **error)
{
  Send *send = data;

  if (send->is_late)
    set_closed_error (error);
  else if (is_one_way (send->self))
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "This stream goes one way: nothing is sent to its function");
  else
    tractor_stream_send (send->self->stream, send->item, error);
  return NULL;
}

static gpointer
send_late (gpointer data, GError **error)
{
  return tractor__context_explain (((Send *) data)->self->context, error);
}

/* What receive_finish() gives: NULL is the end. */
typedef struct {
  GVariant *item; /* (nullable): a nil */
} Received;

static void
received_free (gpointer data)
{
  Received *received = data;

  g_clear_pointer (&received->item, g_variant_unref);
  g_free (received);
}

static Received *
received_new (GVariant *item)
{
  Received *received = g_new (Received, 1);

  received->item = item;
  return received;
}

/* What comes when it is closed is thrown away, also before its end has been sent. */
static gboolean
receive (TractorGlibStream *self, GVariant **ret_item, GError **error)
{
  if (!tractor_stream_receive (self->stream, ret_item, error))
    return FALSE;
  if (!self->is_closed)
    return TRUE;
  g_clear_pointer (ret_item, g_variant_unref);
  set_closed_error (error);
  return FALSE;
}

static gboolean
throw_away (gpointer data, G_GNUC_UNUSED GError **error)
{
  TractorGlibStream *self = data;
  g_autoptr (GError) problem = NULL;
  GVariant *item;

  do {
    g_clear_error (&problem);
    while (tractor_stream_receive (self->stream, &item, &problem))
      g_clear_pointer (&item, g_variant_unref);
  } while (g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  return TRUE;
}

static gpointer
receive_item (gpointer data, GError **error)
{
  TractorGlibStream *self = data;
  GVariant *item;

  if (self->is_closed) {
    set_closed_error (error);
    return NULL;
  }
  return receive (self, &item, error) ? received_new (item) : NULL;
}

static gboolean
take_rest (TractorGlibStream *self, GVariant **ret_item, GError **error)
{
  if (!self->is_closed)
    return tractor__context_take_rest (self->context, ret_item, error);
  tractor__context_explain (self->context, error);
  return FALSE;
}

static gpointer
receive_late (gpointer data, GError **error)
{
  GVariant *item;

  return take_rest (data, &item, error) ? received_new (item) : NULL;
}

/* --- flowing --------------------------------------------------------------------------------------------- */

typedef struct {
  TractorGlibStream *self;
  GVariant *item; /* (nullable) */
  GError *error;  /* (nullable) */
} Emission;

static void
emit_message (gpointer data)
{
  Emission *emission = data;

  g_signal_emit (emission->self, signals[MESSAGE], 0, emission->item);
}

static void
emit_finished (gpointer data)
{
  Emission *emission = data;

  g_object_notify (G_OBJECT (emission->self), "flowing");
  g_signal_emit (emission->self, signals[FINISHED], 0, emission->error);
}

static gboolean
receive_next (Flow *flow, GVariant **ret_item, GError **error)
{
  return flow->is_late ? take_rest (flow->self, ret_item, error)
                       : receive (flow->self, ret_item, error);
}

static void
emit_all (Flow *flow, GError **error)
{
  GMainContext *context = tractor__context_get_tree (flow->self->context)->context;
  Emission emission = { .self = flow->self };

  while (!flow->is_stopped && receive_next (flow, &emission.item, error)) {
    tractor__glib_call_on_host_stack (context, emit_message, &emission);
    g_clear_pointer (&emission.item, g_variant_unref);
  }
}

static void
tell_finished (TractorGlibStream *self, GError *error)
{
  Emission emission = { .self = self, .error = error };

  if (g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED)) {
    g_clear_error (&emission.error);
    emission.error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "Cancelled");
  }
  tractor__glib_call_on_host_stack (tractor__context_get_tree (self->context)->context,
                                    emit_finished, &emission);
  g_clear_error (&emission.error);
}

static gboolean
run_flow (gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  Flow *flow = data;
  GError *error = NULL;

  if (flow->is_stopped)
    return TRUE;
  flow->scope = scope;
  emit_all (flow, &error);
  flow->scope = NULL;
  tractor_cancel_scope_absorb (scope, &error);
  if (flow->is_stopped) {
    g_clear_error (&error);
    return TRUE;
  }
  flow->self->flow = NULL;
  tell_finished (flow->self, error);
  return TRUE;
}

static void
flow_free (gpointer data)
{
  Flow *flow = data;

  if (flow->self->flow == flow)
    flow->self->flow = NULL;
  g_object_unref (flow->self);
  g_free (flow);
}

static void
start_flow (TractorGlibStream *self)
{
  TractorNursery *io = get_io (self);
  TractorNursery *nursery = io != NULL ? io : tractor__context_get_tree (self->context)->nursery;
  Flow *flow;

  if (nursery == NULL)
    return;
  flow = g_new0 (Flow, 1);
  flow->self = g_object_ref (self);
  flow->is_late = io == NULL;
  self->flow = flow;
  tractor_nursery_spawn (nursery, "flow", run_flow, flow, flow_free, NULL);
}

static void
stop_flow (TractorGlibStream *self)
{
  Flow *flow = g_steal_pointer (&self->flow);

  flow->is_stopped = TRUE;
  if (flow->scope != NULL)
    tractor_cancel_scope_cancel (flow->scope, "stopped");
}

/* --- the class ------------------------------------------------------------------------------------------- */

static void
tractor_glib_stream_init (G_GNUC_UNUSED TractorGlibStream *self)
{
}

static void
dispose (GObject *object)
{
  tractor_glib_stream_close (TRACTOR_GLIB_STREAM (object));
  G_OBJECT_CLASS (tractor_glib_stream_parent_class)->dispose (object);
}

static void
finalize (GObject *object)
{
  g_object_unref (TRACTOR_GLIB_STREAM (object)->context);
  G_OBJECT_CLASS (tractor_glib_stream_parent_class)->finalize (object);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  if (id == PROP_FLOWING)
    g_value_set_boolean (value, TRACTOR_GLIB_STREAM (object)->flow != NULL);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  if (id == PROP_FLOWING)
    tractor_glib_stream_set_flowing (TRACTOR_GLIB_STREAM (object), g_value_get_boolean (value));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
tractor_glib_stream_class_init (TractorGlibStreamClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);

  object_class->dispose = dispose;
  object_class->finalize = finalize;
  object_class->get_property = get_property;
  object_class->set_property = set_property;
  g_object_class_install_property (
      object_class, PROP_FLOWING,
      g_param_spec_boolean ("flowing", NULL, NULL, FALSE,
                            G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY));
  signals[MESSAGE] = g_signal_new ("message", TRACTOR_GLIB_TYPE_STREAM, G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 1, G_TYPE_VARIANT);
  signals[FINISHED] = g_signal_new ("finished", TRACTOR_GLIB_TYPE_STREAM, G_SIGNAL_RUN_LAST, 0,
                                    NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

/* --- public ---------------------------------------------------------------------------------------------- */

void
tractor_glib_stream_send_async (TractorGlibStream *self,
                                GVariant *item,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data)
{
  GError *error = NULL;
  GVariant *held;
  Send *send;

  g_return_if_fail (TRACTOR_GLIB_IS_STREAM (self));

  held = tractor__request_hold (item, &error);
  if (error != NULL) {
    tractor__glib_refuse (tractor__request_new (self, callback, user_data), error);
    return;
  }
  send = g_new0 (Send, 1);
  send->self = g_object_ref (self);
  send->item = held;
  send->is_late = self->is_closed;
  self->n_sending++;
  tractor__context_call (self->context, tractor__request_new (self, callback, user_data), send_item,
                         send_late, send, send_free, NULL, cancellable);
}

gboolean
tractor_glib_stream_send_finish (TractorGlibStream *self, GAsyncResult *result, GError **error)
{
  return tractor__request_finish_boolean (self, result, error);
}

void
tractor_glib_stream_receive_async (TractorGlibStream *self,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data)
{
  g_return_if_fail (TRACTOR_GLIB_IS_STREAM (self));

  tractor__context_call (self->context, tractor__request_new (self, callback, user_data),
                         receive_item, receive_late, g_object_ref (self), g_object_unref,
                         received_free, cancellable);
}

gboolean
tractor_glib_stream_receive_finish (TractorGlibStream *self,
                                    GAsyncResult *result,
                                    GVariant **ret_item,
                                    GError **error)
{
  Received *received;

  if (!tractor_error_check_given (ret_item, "place for the item", error))
    return FALSE;
  received = tractor__request_finish (self, result, error);
  *ret_item = NULL; /* also at the end: bindings look at it */
  if (received == NULL)
    return FALSE;
  *ret_item = g_steal_pointer (&received->item);
  received_free (received);
  return TRUE;
}

void
tractor_glib_stream_set_flowing (TractorGlibStream *self, gboolean flowing)
{
  g_return_if_fail (TRACTOR_GLIB_IS_STREAM (self));

  if (flowing == (self->flow != NULL))
    return;
  if (flowing)
    start_flow (self);
  else
    stop_flow (self);
  g_object_notify (G_OBJECT (self), "flowing");
}

gboolean
tractor_glib_stream_get_flowing (TractorGlibStream *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_STREAM (self), FALSE);

  return self->flow != NULL;
}

void
tractor_glib_stream_close (TractorGlibStream *self)
{
  g_return_if_fail (TRACTOR_GLIB_IS_STREAM (self));

  if (self->is_closed)
    return;
  self->is_closed = TRUE;
  if (tractor__context_get_dialog (self->context) == NULL)
    return;
  if (is_one_way (self)) { /* its task closes it, which takes time */
    tractor_glib_context_cancel (self->context);
    return;
  }
  if (self->n_sending == 0)
    tractor_stream_close (self->stream);
  else if (get_io (self) != NULL)
    tractor_nursery_spawn (get_io (self), "closing", throw_away, g_object_ref (self),
                           g_object_unref, NULL);
}
