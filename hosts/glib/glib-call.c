/* glib-call.c - from a callback: a function as a task, in GIO's manner.
 *
 * The task runs the function in a scope of its own, which the GCancellable cancels. It may do so in any
 * thread, so its handler only leaves word with the guest. What the function fails with, cancels included,
 * is the caller's to know: the GTask gets it, and the nursery does not.
 *
 * The task ends only after the callback has returned (host-stack.c). There is one way past that: a guest
 * that is freed with its tasks alive runs none of them to its end, and then the callback is called
 * without them.
 *
 * Three hold a Call: the task, the handler while it is connected, and each word that is on its way. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "glib-call.h"

#include "host-stack.h"

typedef struct {
  gatomicrefcount refs;
  GTask *task;               /* (transfer full) (nullable): until it has returned */
  GCancellable *cancellable; /* (transfer full) (nullable) */
  TractorGlibFunc func;
  gpointer data;
  GDestroyNotify data_free;
  GDestroyNotify result_free;
  TractorToken *token;       /* (transfer full) */
  TractorCancelScope *scope; /* (nullable): while the function runs */
  gpointer result;
  GError *error;
} Call;

static Call *
call_ref (Call *call)
{
  g_atomic_ref_count_inc (&call->refs);
  return call;
}

static void
call_unref (gpointer data)
{
  Call *call = data;

  if (!g_atomic_ref_count_dec (&call->refs))
    return;
  g_clear_pointer (&call->token, tractor_token_unref);
  g_clear_object (&call->cancellable);
  g_free (call);
}

static void
free_data (Call *call)
{
  if (call->data_free != NULL)
    call->data_free (g_steal_pointer (&call->data));
  call->data_free = NULL;
}

/* --- the answer ------------------------------------------------------------------------------------ */

/* On the host's stack, in a later iteration than that in which the GTask was made: so it calls back now. */
static void
answer (gpointer data)
{
  Call *call = data;
  g_autoptr (GTask) task = g_steal_pointer (&call->task);

  if (call->error != NULL)
    g_task_return_error (task, g_steal_pointer (&call->error));
  else
    g_task_return_pointer (task, g_steal_pointer (&call->result), call->result_free);
}

static void
answer_and_unref (gpointer data)
{
  answer (data);
  call_unref (data);
}

/* What the task held, also if it was dropped without having run. */
static void
call_dropped (gpointer data)
{
  Call *call = data;

  free_data (call);
  if (call->task == NULL) {
    call_unref (call);
    return;
  }
  if (call->error == NULL)
    call->error =
        g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "The guest has been freed");
  tractor__glib_post_to_host_stack (g_task_get_context (call->task), answer_and_unref, call);
}

/* --- cancelling ------------------------------------------------------------------------------------ */

static void
cancel_scope (gpointer data)
{
  Call *call = data;

  if (call->scope != NULL)
    tractor_cancel_scope_cancel (call->scope, "GCancellable");
  call_unref (call);
}

/* In the thread that cancels. */
static void
on_cancelled (G_GNUC_UNUSED GCancellable *cancellable, gpointer data)
{
  Call *call = data;

  call_ref (call);
  if (!tractor_token_run_soon (call->token, cancel_scope, call))
    call_unref (call);
}

/* --- in the task ----------------------------------------------------------------------------------- */

static void
run_func (Call *call, GError **error)
{
  gulong handler = 0;

  if (g_cancellable_set_error_if_cancelled (call->cancellable, error))
    return;
  call->token = tractor_token_get_current ();
  if (call->cancellable != NULL)
    handler = g_cancellable_connect (call->cancellable, G_CALLBACK (on_cancelled), call_ref (call),
                                     call_unref);
  call->result = call->func (call->data, error);
  g_cancellable_disconnect (call->cancellable, handler);
}

/* What the function has opened ends with the task, before the callback: also what it returns. */
static void
close_left_open (Call *call, guint64 mark)
{
  gpointer result = NULL;

  if (!tractor_task_has_holds (mark))
    return;
  result = g_steal_pointer (&call->result);
  if (result != NULL && call->result_free != NULL)
    call->result_free (result);
  if (!tractor_task_has_holds (mark) && call->error == NULL)
    g_set_error_literal (
        &call->error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
        "What a call returns cannot be what its task has to close, such as a stream");
  tractor_task_abandon_holds (mark);
}

static gboolean
run_call (gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  const guint64 mark = tractor_task_mark_holds ();
  Call *call = data;

  call->scope = scope;
  run_func (call, &call->error);
  call->scope = NULL;
  free_data (call);
  close_left_open (call, mark);
  tractor_cancel_scope_absorb (scope, &call->error);
  if (tractor_cancel_scope_get_cancelled_caught (scope) ||
      g_error_matches (call->error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED)) {
    g_clear_error (&call->error);
    call->error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "Operation was cancelled");
  }
  tractor__glib_call_on_host_stack (g_task_get_context (call->task), answer, call);
  return TRUE;
}

/* --- the call --------------------------------------------------------------------------------------- */

static gboolean
spawn (TractorNursery *nursery, Call *call, GError **error)
{
  if (nursery != NULL)
    return tractor_nursery_spawn (nursery, "GTask", run_call, call, call_dropped, error);
  call_dropped (call);
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED, "This has been closed");
  return FALSE;
}

void
tractor__glib_call (GTask *task,
                    TractorNursery *nursery,
                    TractorGlibFunc func,
                    gpointer data,
                    GDestroyNotify data_free,
                    GDestroyNotify result_free,
                    GCancellable *cancellable)
{
  Call *call = g_new0 (Call, 1);
  GError *error = NULL;

  g_atomic_ref_count_init (&call->refs);
  call->task = task;
  g_set_object (&call->cancellable, cancellable);
  call->func = func;
  call->data = data;
  call->data_free = data_free;
  call->result_free = result_free;
  call_ref (call);
  if (!spawn (nursery, call, &error)) {
    g_clear_error (&call->error); /* what call_dropped() has supposed */
    g_propagate_error (&call->error, error);
  }
  call_unref (call);
}

void
tractor__glib_refuse (GTask *task, GError *error)
{
  Call *call = g_new0 (Call, 1);

  g_atomic_ref_count_init (&call->refs);
  call->task = task;
  call->error = error;
  tractor__glib_post_to_host_stack (g_task_get_context (task), answer_and_unref, call);
}

void
tractor_glib_call_async (TractorNursery *nursery,
                         TractorGlibFunc func,
                         gpointer data,
                         GDestroyNotify data_free,
                         GDestroyNotify result_free,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  GError *error = NULL;
  GTask *task;

  /* Without the cancellable, which would have it call back later, and report what has not happened. */
  task = g_task_new (NULL, NULL, callback, user_data);
  g_task_set_source_tag (task, tractor_glib_call_async);
  if (tractor_error_check_given (nursery, "nursery", &error) &&
      tractor_error_check_given ((gconstpointer) func, "function", &error)) {
    tractor__glib_call (task, nursery, func, data, data_free, result_free, cancellable);
    return;
  }
  if (data_free != NULL)
    data_free (data);
  tractor__glib_refuse (task, error);
}

gpointer
tractor_glib_call_finish (GAsyncResult *result, GError **error)
{
  if (!tractor_error_check_given (result, "result", error))
    return NULL;
  g_return_val_if_fail (g_async_result_is_tagged (result, (gpointer) tractor_glib_call_async),
                        NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
