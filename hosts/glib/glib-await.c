/* glib-await.c - from a task: GIO's operations.
 *
 * An operation is started on the task's stack, and its callback comes from the loop; in between the
 * task waits on a waker. GIO reports to the context that is the thread-default one when it is started,
 * so the guest's is pushed for that long and no longer: pushed across a wait it would be everybody's.
 *
 * Each wait has a GCancellable of its own. A cancel of the task cancels it, and then the task goes on
 * waiting: the operation may still use what it was given, and it alone knows whether it has happened.
 * So the result that comes back is what decides. A G_IO_ERROR_CANCELLED in it becomes the CANCELLED
 * that scopes absorb; a success stays one, and the next checkpoint tells of the cancel. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "glib-host.h"

typedef struct {
  TractorWaker *waker;
  GCancellable *cancellable;
  GAsyncResult *result; /* (transfer full) */
} Await;

static void
on_ready (G_GNUC_UNUSED GObject *source, GAsyncResult *result, gpointer data)
{
  Await *await = data;

  await->result = g_object_ref (result);
  tractor_waker_wake (await->waker, NULL);
}

static gboolean
cancel_operation (gpointer data)
{
  Await *await = data;

  g_cancellable_cancel (await->cancellable);
  return FALSE; /* its callback still comes */
}

static GMainContext *
get_context (GError **error)
{
  GMainContext *context = NULL;

  /* Once it is started there is no way back: what would refuse the wait is asked before. */
  if (!tractor_checkpoint_if_cancelled (error))
    return NULL;
  context = tractor__glib_get_context (tractor_guest_get_current ());
  if (context == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "GIO can only be waited for by a task whose host is a GMainContext");
  return context;
}

GAsyncResult *
tractor_glib_await (TractorGlibStart start, gpointer data, GError **error)
{
  GMainContext *context;
  g_autoptr (TractorWaker) waker = NULL;
  g_autoptr (GCancellable) cancellable = NULL;
  Await await = { 0 };

  if (!tractor_error_check_given ((gconstpointer) start, "function", error))
    return NULL;

  context = get_context (error);
  if (context == NULL)
    return NULL;
  await.waker = waker = tractor_waker_new ();
  await.cancellable = cancellable = g_cancellable_new ();

  g_main_context_push_thread_default (context);
  start (cancellable, on_ready, &await, data);
  g_main_context_pop_thread_default (context);

  if (!tractor_waker_wait (waker, cancel_operation, &await, error))
    return NULL;
  return await.result;
}

gboolean
tractor_glib_await_finish (gboolean is_ok, GError **error)
{
  GError *cancelled = NULL;

  if (!is_ok && error != NULL && g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_CANCELLED) &&
      !tractor_checkpoint_if_cancelled (&cancelled)) {
    g_clear_error (error);
    g_propagate_error (error, cancelled);
  }
  return is_ok;
}
