/* invocation.c - TractorGlibInvocation: a call from another actor, served by a callback of the program.
 *
 * A call is a task (src/dialog/rpc.c). It calls the program's function on the host's stack, and then waits for its
 * answer, which may come then or later, from any callback. What was asked of the program may be dropped
 * without an answer, and that is one too. A call that is withdrawn does not wait for the program: it tells
 * it by the GCancellable, and an answer that comes after that is thrown away.
 *
 * The invocation is the program's; of the task it knows the Pending on that one's stack, while it waits. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "invocation.h"

#include "host-stack.h"
#include "tractor.h"

/* On the stack of a call's task. */
typedef struct {
  TractorEvent *answered;
  GVariant *result; /* (nullable) */
  GError *error;    /* (nullable) */
} Pending;

struct _TractorGlibInvocation {
  GObject parent_instance;
  char *function;
  GVariant *kwargs;
  GCancellable *cancellable;
  Pending *pending; /* (nullable): until it is answered, or withdrawn */
};

G_DEFINE_TYPE (TractorGlibInvocation, tractor_glib_invocation, G_TYPE_OBJECT)

/* --- what is exported -------------------------------------------------------------------------------------- */

typedef struct {
  guint refs;
  TractorGlibServeFunc func;
  gpointer user_data;
  GDestroyNotify destroy; /* (nullable) */
} Export;

struct _Exports {
  GHashTable *table;     /* (element-type utf8 Export) */
  GMainContext *context; /* borrowed */
};

static void
export_unref (gpointer data)
{
  Export *export = data;

  if (--export->refs > 0)
    return;
  if (export->destroy != NULL)
    export->destroy (export->user_data);
  g_free (export);
}

Exports *
tractor__exports_new (GMainContext *context)
{
  Exports *exports = g_new0 (Exports, 1);

  exports->table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, export_unref);
  exports->context = context;
  return exports;
}

void
tractor__exports_clear (Exports *exports)
{
  g_hash_table_remove_all (exports->table);
}

void
tractor__exports_free (Exports *exports)
{
  g_hash_table_unref (exports->table);
  g_free (exports);
}

void
tractor__exports_set (Exports *exports,
                      const char *function,
                      TractorGlibServeFunc func,
                      gpointer user_data,
                      GDestroyNotify destroy)
{
  Export *export;

  if (func == NULL) {
    g_hash_table_remove (exports->table, function);
    return;
  }
  export = g_new0 (Export, 1);
  export->refs = 1;
  export->func = func;
  export->user_data = user_data;
  export->destroy = destroy;
  g_hash_table_replace (exports->table, g_strdup (function), export);
}

/* --- serving ----------------------------------------------------------------------------------------------- */

typedef struct {
  Export *export;
  TractorGlibInvocation *invocation;
} Serving;

static void
call_export (gpointer data)
{
  Serving *serving = data;

  serving->export->func (serving->invocation, serving->export->user_data);
  g_clear_object (&serving->invocation); /* if the program does not hold it, that is the answer */
  export_unref (serving->export);
}

static void
cancel (gpointer invocation)
{
  g_cancellable_cancel (TRACTOR_GLIB_INVOCATION (invocation)->cancellable);
  g_object_unref (invocation);
}

static gboolean
wait_for_answer (Exports *exports, Serving *serving, Pending *pending, GError **error)
{
  TractorGlibInvocation *invocation = serving->invocation;
  gboolean ok;

  tractor__glib_call_on_host_stack (exports->context, call_export, serving);
  ok = tractor_event_wait (pending->answered, error);
  if (tractor_event_is_set (pending->answered))
    return ok;
  /* Withdrawn, so it is there still: who drops it answers. */
  invocation->pending = NULL;
  tractor__glib_call_on_host_stack (exports->context, cancel, g_object_ref (invocation));
  return FALSE;
}

gboolean
tractor__exports_dispatch (
    const char *function, GVariant *kwargs, gpointer data, GVariant **ret_result, GError **error)
{
  Exports *exports = data;
  Export *export = g_hash_table_lookup (exports->table, function);
  g_autoptr (TractorEvent) answered = NULL;
  Pending pending = { 0 };
  Serving serving;

  if (export == NULL) {
    g_autofree char *shown = g_utf8_substring (function, 0, MIN (g_utf8_strlen (function, -1), 64));

    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED, "It does not serve '%s'", shown);
    return FALSE;
  }
  pending.answered = answered = tractor_event_new ();
  export->refs++;
  serving.export = export;
  serving.invocation = g_object_new (TRACTOR_GLIB_TYPE_INVOCATION, NULL);
  serving.invocation->function = g_strdup (function);
  serving.invocation->kwargs = g_variant_ref (kwargs);
  serving.invocation->pending = &pending;
  if (!wait_for_answer (exports, &serving, &pending, error)) {
    g_clear_pointer (&pending.result, g_variant_unref);
    g_clear_error (&pending.error);
    return FALSE;
  }
  *ret_result = pending.result;
  if (pending.error == NULL)
    return TRUE;
  g_propagate_error (error, pending.error);
  return FALSE;
}

/* --- the class ------------------------------------------------------------------------------------------- */

static void
tractor_glib_invocation_init (TractorGlibInvocation *self)
{
  self->cancellable = g_cancellable_new ();
}

static void
dispose (GObject *object)
{
  TractorGlibInvocation *self = TRACTOR_GLIB_INVOCATION (object);

  if (self->pending != NULL) {
    g_autoptr (GError) error = g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                                            "'%s' was dropped without an answer", self->function);

    tractor_glib_invocation_return_error (self, error);
  }
  G_OBJECT_CLASS (tractor_glib_invocation_parent_class)->dispose (object);
}

static void
finalize (GObject *object)
{
  TractorGlibInvocation *self = TRACTOR_GLIB_INVOCATION (object);

  g_free (self->function);
  g_variant_unref (self->kwargs);
  g_object_unref (self->cancellable);
  G_OBJECT_CLASS (tractor_glib_invocation_parent_class)->finalize (object);
}

static void
tractor_glib_invocation_class_init (TractorGlibInvocationClass *class)
{
  G_OBJECT_CLASS (class)->dispose = dispose;
  G_OBJECT_CLASS (class)->finalize = finalize;
}

/* --- public ---------------------------------------------------------------------------------------------- */

const char *
tractor_glib_invocation_get_function (TractorGlibInvocation *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_INVOCATION (self), NULL);

  return self->function;
}

GVariant *
tractor_glib_invocation_get_kwargs (TractorGlibInvocation *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_INVOCATION (self), NULL);

  return self->kwargs;
}

GCancellable *
tractor_glib_invocation_get_cancellable (TractorGlibInvocation *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_INVOCATION (self), NULL);

  return self->cancellable;
}

/* Returns: (nullable): where the answer goes, once. */
static Pending *
take_pending (TractorGlibInvocation *self)
{
  Pending *pending = g_steal_pointer (&self->pending);

  if (pending != NULL)
    tractor_event_set (pending->answered);
  return pending;
}

void
tractor_glib_invocation_return_value (TractorGlibInvocation *self, GVariant *value)
{
  g_autoptr (GVariant) owned = value != NULL ? g_variant_ref_sink (value) : NULL;
  Pending *pending;

  g_return_if_fail (TRACTOR_GLIB_IS_INVOCATION (self));

  pending = take_pending (self);
  if (pending != NULL && owned != NULL)
    pending->result = tractor_value_hold_fds (owned, &pending->error);
}

void
tractor_glib_invocation_return_error (TractorGlibInvocation *self, const GError *error)
{
  Pending *pending;

  g_return_if_fail (TRACTOR_GLIB_IS_INVOCATION (self) && error != NULL);

  pending = take_pending (self);
  if (pending != NULL)
    pending->error = g_error_copy (error);
}
