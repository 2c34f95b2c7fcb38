/* context-open.c - dialogs are opened: contexts, one or several at a time, and one-way streams.
 *
 * Each begins with a Start, and is the caller's once the other end has said that it has started; until
 * then it is withdrawn if that fails, or is not wanted any more. From there on a context's body is a scope
 * of the calling task. A one-way stream has none: its task only holds it, and is reported if it does not
 * close it. Several contexts are asked for before any is waited for, and all start or none does. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "actor-trace.h"
#include "context.h"
#include "portal.h"
#include "value.h"

/* --- opening ----------------------------------------------------------------------------------- */

static gboolean
check_payload_spec (const char *payload_spec, GError **error)
{
  if (payload_spec == NULL || g_variant_type_string_is_valid (payload_spec))
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
               "A payload spec is a GVariant type string, which \"%s\" is not", payload_spec);
  return FALSE;
}

/* Asks for it. Returns: (transfer full): NULL with @error set: then nothing was sent. */
static TractorContext *
begin (TractorPortal *portal,
       const char *function,
       GVariant *kwargs,
       const TractorDialogOptions *options,
       gboolean is_one_way,
       GError **error)
{
  const char *payload_spec = options != NULL ? options->payload_spec : NULL;
  g_autoptr (Link) link = NULL;
  TractorContext *context;
  GError *failure = NULL;

  if (!tractor_error_check_given (portal, "portal", error) ||
      !tractor_error_check_given (function, "function", error))
    return NULL;
  link = tractor__portal_get_link (portal, error);
  if (link == NULL || !check_payload_spec (payload_spec, error))
    return NULL;
  context = tractor__context_new (payload_spec);
  context->function = context->asked_function = g_strdup (function);
  tractor_parking_lot_set_static_name (context->progress, context->asked_function);
  context->stream.is_one_way = is_one_way;
  context->stream.allow_overruns = options != NULL && options->allow_overruns;
  if (!tractor__request_start (&context->request, &tractor__context_class, link,
                               context->asked_function, kwargs, &failure)) {
    g_propagate_error (error, failure);
    tractor__context_free (context);
    return NULL;
  }
  context->cid = context->request.cid;
  context->stream.room = link->peer_credit;
  context->link = g_steal_pointer (&link);
  return context;
}

/* It did not come to start, or is not wanted any more. @error: (inout): why not, of which the other
 * end's failure is worth more than a cancel that it came in. */
static void
abandon (TractorContext *context, GError **error)
{
  if (!context->is_final) {
    context->is_withdrawn = TRUE;
    tractor__stream_discard (&context->stream);
    tractor__request_withdraw (&context->request);
  }
  if (context->failure != NULL &&
      (*error == NULL || g_error_matches (context->failure, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE))) {
    g_clear_error (error);
    g_propagate_error (error, g_error_copy (context->failure));
  }
  tractor__context_free (context);
}

/* Whether it is known if it starts. What comes after that is for the body. */
static gboolean
is_settled (const TractorContext *context)
{
  return context->is_started || context->failure != NULL;
}

static void
note_started (const TractorContext *context)
{
  if (trace_is_on ())
    tractor__trace_came (TRACTOR_TRACE_TAKEN, MSG_STARTED, context->cid, strlen (context->cid), 0,
                         context->link->peer.uuid);
}

/* Starts it, and waits for the acknowledgement, or for Started if @is_one_way is not set. Returns:
 * (transfer full). */
static TractorContext *
open_started (TractorPortal *portal,
              const char *function,
              GVariant *kwargs,
              const TractorDialogOptions *options,
              gboolean is_one_way,
              GError **error)
{
  TractorContext *context = begin (portal, function, kwargs, options, is_one_way, error);
  GError *failure = NULL;

  if (context == NULL)
    return NULL;
  while (!is_settled (context))
    if (!tractor_parking_lot_park (context->progress, &failure))
      break;
  if (context->is_started && failure == NULL) {
    note_started (context);
    context->function = NULL; /* it is the caller's */
    return context;
  }
  abandon (context, &failure);
  g_propagate_error (error, failure);
  return NULL;
}

static void
free_left_open (gpointer context)
{
  tractor__context_free (context);
}

/* From now on the calling task is in its body. */
static void
enter_body (TractorContext *context, GVariant **ret_first)
{
  static const TractorScopeContent content = { "context", tractor__context_end, NULL,
                                               free_left_open };

  context->scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_content (context->scope, &content, context);
  if (context->failure != NULL)
    tractor__context_interrupt_body (context);
  if (ret_first != NULL)
    *ret_first = g_steal_pointer (&context->first);
}

TractorContext *
tractor_portal_open_context (TractorPortal *portal,
                             const char *function,
                             GVariant *kwargs,
                             const TractorDialogOptions *options,
                             GVariant **ret_first,
                             GError **error)
{
  g_autoptr (RefusedValue) owned = kwargs != NULL ? g_variant_ref_sink (kwargs) : NULL;
  TractorContext *context = open_started (portal, function, owned, options, FALSE, error);

  if (context == NULL)
    return NULL;
  g_clear_pointer (&owned, g_variant_unref);
  enter_body (context, ret_first);
  return context;
}

/* --- opening several ----------------------------------------------------------------------------- */

static TractorContext *
begin_request (const TractorContextRequest *request, TractorParkingLot *gathering, GError **error)
{
  TractorContext *context =
      begin (request->portal, request->function, request->kwargs, request->options, FALSE, error);

  if (context != NULL)
    context->gathering = gathering;
  return context;
}

/* Returns: TRUE once all have started; FALSE once one has failed, or with CANCELLED. */
static gboolean
wait_for_all (TractorContext **contexts, gsize n, TractorParkingLot *gathering, GError **error)
{
  for (gsize i = 0; i < n;) {
    const GError *failure = NULL;

    for (gsize j = i; j < n && failure == NULL; j++)
      failure = contexts[j]->is_started ? NULL : contexts[j]->failure;
    if (failure != NULL) {
      g_propagate_error (error, g_error_copy (failure));
      return FALSE;
    }
    if (contexts[i]->is_started)
      i++;
    else if (!tractor_parking_lot_park (gathering, error))
      return FALSE;
  }
  return TRUE;
}

/* All are told before any is waited for. @error: (inout) */
static void
abandon_all (TractorContext **contexts, gsize n, GError **error)
{
  for (gsize i = 0; i < n; i++)
    if (!contexts[i]->is_final) {
      contexts[i]->is_withdrawn = TRUE;
      tractor__request_send_cancel (&contexts[i]->request);
    }
  for (gsize i = 0; i < n; i++) {
    g_autoptr (GError) more = g_error_copy (*error); /* the first failure is the one to tell of */

    contexts[i]->gathering = NULL;
    abandon (contexts[i], &more);
    if (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED) &&
        g_error_matches (more, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE)) {
      g_clear_error (error);
      *error = g_steal_pointer (&more);
    }
  }
}

gboolean
tractor_open_contexts (const TractorContextRequest *requests,
                       gsize n_requests,
                       TractorContext **ret_contexts,
                       GVariant **ret_firsts,
                       GError **error)
{
  g_autoptr (TractorParkingLot) gathering = tractor_parking_lot_new ();
  GError *failure = NULL;
  gsize n = 0;

  tractor_parking_lot_set_static_name (gathering, "contexts to start");
  if (!tractor_error_check_given (requests, "list of requests", error) ||
      !tractor_error_check_given (ret_contexts, "place for the contexts", error))
    return FALSE;

  if (n_requests == 0) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "No contexts to open");
    return FALSE;
  }
  for (gsize i = 0; i < n_requests; i++)
    if (requests[i].kwargs != NULL)
      g_variant_ref_sink (requests[i].kwargs);
  while (n < n_requests &&
         (ret_contexts[n] = begin_request (&requests[n], gathering, &failure)) != NULL)
    n++;
  if (failure == NULL && wait_for_all (ret_contexts, n, gathering, &failure))
    for (gsize i = 0; i < n; i++) {
      ret_contexts[i]->gathering = NULL;
      ret_contexts[i]->function = NULL;
      enter_body (ret_contexts[i], ret_firsts != NULL ? &ret_firsts[i] : NULL);
    }
  else
    abandon_all (ret_contexts, n, &failure);
  for (gsize i = 0; i < n_requests; i++)
    if (requests[i].kwargs != NULL)
      tractor__refused_value_unref (requests[i].kwargs);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

/* --- one way ----------------------------------------------------------------------------------- */

TractorStream *
tractor_portal_open_stream (TractorPortal *portal,
                            const char *function,
                            GVariant *kwargs,
                            const TractorDialogOptions *options,
                            GError **error)
{
  g_autoptr (RefusedValue) owned = kwargs != NULL ? g_variant_ref_sink (kwargs) : NULL;
  TractorContext *context = open_started (portal, function, owned, options, TRUE, error);

  if (context == NULL)
    return NULL;
  g_clear_pointer (&owned, g_variant_unref);
  context->stream.is_open = TRUE;
  context->stream.hold =
      tractor_task_hold ("a stream", tractor__stream_close_one_way, &context->stream);
  return &context->stream;
}
