/* context-end.c - a dialog ends, and what comes out of it.
 *
 * Joining waits in the body's scope, leaves it, sees to it that the other end ends too, and settles which of
 * the two outcomes is reported, or both. That is all in settle(): what comes out of a dialog is decided
 * there and nowhere else. A context that is closed without a join hands a failure on to what is around it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "context.h"

#include <string.h>

#include "bounds.h"
#include "patience.h"
#include "remote-error.h"
#include "rpc.h"

void
tractor_context_cancel (TractorContext *context)
{
  g_return_if_fail (context != NULL);

  if (context->task != NULL) {
    tractor__rpc_task_cancel (context->task, &context->link->runtime->id);
    return;
  }
  if (context->cancel_called || context->is_final)
    return;
  context->cancel_called = TRUE;
  tractor__request_send_cancel (&context->request);
}

static gboolean
check_is_opener (TractorContext *context, GError **error)
{
  if (context->task == NULL)
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                       "The function's side of a context has no result to wait for");
  return FALSE;
}

/* Waits for the last message; what has streamed in and still does is thrown away. */
static gboolean
wait_until_final (TractorContext *context, GError **error)
{
  tractor__stream_discard (&context->stream);
  tractor__stream_wake (&context->stream);
  if (context->is_final || context->failure != NULL)
    tractor_cancel_shielded_checkpoint (NULL);
  while (!context->is_final && context->failure == NULL)
    if (!tractor_parking_lot_park (context->progress, error))
      return FALSE;
  return TRUE;
}

gboolean
tractor_context_wait_result (TractorContext *context, GVariant **ret_result, GError **error)
{
  if (!tractor_error_check_given (context, "context", error))
    return FALSE;

  if (!check_is_opener (context, error))
    return FALSE;
  /* How it failed says more than that the body is cancelled because of it. */
  if (context->failure == NULL &&
      (!tractor_checkpoint_if_cancelled (error) || !wait_until_final (context, error)))
    return FALSE;
  if (context->failure != NULL) {
    g_propagate_error (error, g_error_copy (context->failure));
    return FALSE;
  }
  if (ret_result != NULL)
    *ret_result = context->result != NULL ? g_variant_ref (context->result) : NULL;
  return TRUE;
}

/* Whether @failure is what the body failed with, or part of it. */
static gboolean
is_in (const GError *failure, const GError *body)
{
  const GPtrArray *members = tractor_error_get_children (body);

  if (members == NULL)
    return tractor__remote_error_is_same (failure, body);
  for (guint i = 0; i < members->len; i++)
    if (is_in (failure, members->pdata[i]))
      return TRUE;
  return FALSE;
}

/* Whether @failure is what the body itself has told the other end, as of a bad item, come back. */
static gboolean
is_echo (TractorContext *context, const GError *failure, const GError *body)
{
  const TractorRemoteError *remote = tractor_error_get_remote (failure);
  g_autofree char *self = actor_id_to_string (&context->link->runtime->id);

  return remote != NULL && remote->domain != NULL && strcmp (remote->origin, self) == 0 &&
         tractor_error_matches (body, g_quark_from_string (remote->domain), remote->code);
}

static GError *
group (GError *body, const GError *failure)
{
  GPtrArray *failures = g_ptr_array_new ();

  g_ptr_array_add (failures, body);
  g_ptr_array_add (failures, g_error_copy (failure));
  return tractor_error_new_group (failures);
}

/* Whether all that the body failed with is that the other end had closed the stream. */
static gboolean
is_broken (TractorContext *context, const GError *body)
{
  g_autoptr (GError) rest = g_error_copy (body);

  return context->stream.has_broken && tractor__stream_strip_end (&context->stream, &rest) &&
         rest == NULL;
}

/* The function has closed its stream under the body, and is on its way to its end: how it ends may be why. */
static void
wait_for_cause (TractorContext *context)
{
  g_autoptr (TractorCancelScope) scope = tractor__patience_open (PATIENCE_ACK_USEC);

  wait_until_final (context, NULL);
}

/* @error: (inout): the body's failure, with the other end's. */
static void
settle (TractorContext *context, GError **error)
{
  const GError *failure = context->failure;

  if (failure == NULL)
    return;
  if (tractor__context_is_own_cancel (context, failure)) {
    /* As asked for; and so it is if a receive of the body's has reported it, or of a task in it. */
    tractor__remote_error_strip (error, failure);
    return;
  }
  if (context->stream.has_broken) /* because of this */
    tractor__stream_strip_end (&context->stream, error);
  if (*error == NULL) {
    g_propagate_error (error, g_error_copy (failure));
  } else if (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED)) {
    /* The body was cancelled from outside: that the other end was too is no news. */
    if (!g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED)) {
      g_clear_error (error);
      g_propagate_error (error, g_error_copy (failure));
    }
  } else if (!is_in (failure, *error) && !is_echo (context, failure, *error) &&
             !g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED)) {
    *error = group (g_steal_pointer (error), failure);
  }
}

/* The body has ended. */
static void
end_other_side (TractorContext *context)
{
  gboolean is_left = !context->is_final;

  context->is_withdrawn = context->is_withdrawn || is_left;
  tractor__stream_end (&context->stream);
  if (is_left)
    tractor__request_withdraw (&context->request);
}

gboolean
tractor_context_join (TractorContext *context, GVariant **ret_result, GError **error)
{
  g_return_val_if_fail (error != NULL, FALSE);
  if (!tractor_error_check_given (context, "context", error))
    return FALSE;

  if (context->is_joined || (*error == NULL && !check_is_opener (context, error)))
    return *error == NULL;
  if (!tractor_cancel_scope_close_inside (context->scope, error))
    return FALSE;
  context->is_joined = TRUE;
  /* In the body's scope: who cancels that gives the function up too, however late, and whether or not the
   * body has noticed. */
  if (tractor_cancel_scope_take_failures (context->scope, error)) {
    tractor__stream_end (&context->stream);
    wait_until_final (context, error);
  } else if (is_broken (context, *error)) {
    tractor__stream_end (&context->stream);
    wait_for_cause (context);
  }
  tractor_cancel_scope_absorb (context->scope, error);
  end_other_side (context);
  settle (context, error);
  if (*error != NULL)
    return FALSE;
  if (ret_result != NULL)
    *ret_result = g_steal_pointer (&context->result);
  return TRUE;
}

static gboolean
fail_with (gpointer data, GError **error)
{
  g_propagate_error (error, g_error_copy (data));
  return FALSE;
}

/* A nursery that nobody joins hands a failure on to what is around it. */
static void
report_unjoined (const GError *failure)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "unjoined context", fail_with, g_error_copy (failure),
                         (GDestroyNotify) g_error_free, NULL);
}

void
tractor__context_end (gpointer data)
{
  TractorContext *context = data;
  g_autoptr (GError) failure = NULL;

  if (context->is_joined)
    return;
  context->is_joined = TRUE;
  end_other_side (context);
  settle (context, &failure);
  if (failure != NULL)
    report_unjoined (failure);
}

void
tractor_context_close (TractorContext *context)
{
  if (context == NULL)
    return;
  g_return_if_fail (context->task == NULL);

  if (!tractor_cancel_scope_close_inside (context->scope, NULL))
    return;
  tractor_cancel_scope_close (context->scope);
  tractor__context_end (context);
  if (context->stream.is_open && !context->stream.is_given_back)
    tractor__context_keep_stream (context);
  else
    tractor__context_free (context);
}
