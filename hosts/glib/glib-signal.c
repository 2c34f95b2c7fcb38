/* glib-signal.c - from a task: waiting for a signal of a GObject.
 *
 * A handler of our own, which goes with the wait: the first emission takes it away, or the cancel. The
 * object is held meanwhile, so it cannot take the signal with it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-glib-waits.h"

typedef struct {
  TractorWaker *waker;
  GObject *object; /* (transfer full) */
  gulong handler;
  GArray
      *values; /* (transfer full) (nullable) (element-type GValue): what came with the emission */
} SignalWait;

static void
stop_listening (SignalWait *wait)
{
  gulong handler = wait->handler;

  wait->handler = 0;
  g_signal_handler_disconnect (wait->object, handler);
}

static gboolean
give_up (gpointer data)
{
  stop_listening (data);
  return TRUE;
}

static GArray *
copy_values (guint n, const GValue *values)
{
  GArray *copies = g_array_sized_new (FALSE, TRUE, sizeof (GValue), n);

  g_array_set_clear_func (copies, (GDestroyNotify) g_value_unset);
  g_array_set_size (copies, n);
  for (guint i = 0; i < n; i++) {
    GValue *copy = &g_array_index (copies, GValue, i);

    g_value_init (copy, G_VALUE_TYPE (&values[i]));
    g_value_copy (&values[i], copy);
  }
  return copies;
}

/* A GClosureMarshal: it takes whatever the signal has, and leaves the return value as it is. */
static void
on_emitted (GClosure *closure,
            G_GNUC_UNUSED GValue *return_value,
            guint n_values,
            const GValue *values,
            G_GNUC_UNUSED gpointer hint,
            G_GNUC_UNUSED gpointer unused)
{
  SignalWait *wait = closure->data;

  if (wait->handler == 0) /* a second emission, by a handler of the first */
    return;
  wait->values = copy_values (n_values - 1, values + 1); /* the first is the object */
  stop_listening (wait);
  tractor_waker_wake (wait->waker, NULL);
}

static void
listen_to (SignalWait *wait, guint signal, GQuark detail)
{
  GClosure *closure = g_closure_new_simple (sizeof (GClosure), wait);

  g_closure_set_marshal (closure, on_emitted);
  wait->handler = g_signal_connect_closure_by_id (wait->object, signal, detail, closure, FALSE);
}

gboolean
tractor_glib_wait_signal (gpointer instance,
                          const char *detailed_signal,
                          GArray **ret_values,
                          GError **error)
{
  g_autoptr (TractorWaker) waker = NULL;
  g_autoptr (GObject) object = NULL;
  g_autoptr (GArray) values = NULL;
  SignalWait wait = { 0 };
  GQuark detail = 0;
  guint signal;

  if (!tractor_error_check_given (instance, "object", error) ||
      !tractor_error_check_given (detailed_signal, "signal", error))
    return FALSE;
  g_return_val_if_fail (G_IS_OBJECT (instance), FALSE);

  if (!tractor_checkpoint_if_cancelled (error))
    return FALSE;
  if (!g_signal_parse_name (detailed_signal, G_OBJECT_TYPE (instance), &signal, &detail, TRUE)) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "A %s has no signal '%s'",
                 G_OBJECT_TYPE_NAME (instance), detailed_signal);
    return FALSE;
  }

  wait.waker = waker = tractor_waker_new ();
  wait.object = object = g_object_ref (instance);
  listen_to (&wait, signal, detail);
  if (!tractor_waker_wait (waker, give_up, &wait, error))
    return FALSE;
  values = wait.values;
  if (ret_values != NULL)
    *ret_values = g_steal_pointer (&values);
  return TRUE;
}
