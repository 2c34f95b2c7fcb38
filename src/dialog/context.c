/* context.c - one side of a dialog: the opener's, or the endpoint's.
 *
 * The opener's side is a request (request.c) whose messages are Started, the stream's, and one last
 * one: Return or Error. Its body is a cancel scope in the opening task. When the other end fails,
 * whoever waits for it is told; if nobody does, the body is interrupted by that scope. Joining waits
 * in the scope, leaves it, sees to it that the other end ends too, and settles which of the two
 * outcomes is reported, or both. That is all in settle(): what comes out of a dialog is decided there and nowhere
 * else.
 *
 * The endpoint's side is run by rpc.c, whose task's scope is the body's. Its outcome is what the
 * function returns. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "context.h"

#include <string.h>

#include "bounds.h"
#include "portal.h"
#include "remote-error.h"
#include "rpc.h"
#include "value.h"

/* --- life -------------------------------------------------------------------------------------- */

static TractorContext *
context_new (const char *payload_spec)
{
  TractorContext *context = g_new0 (TractorContext, 1);

  context->payload_spec = g_strdup (payload_spec);
  context->progress = tractor_parking_lot_new ();
  tractor__stream_init (&context->stream, context);
  return context;
}

TractorContext *
tractor__context_new_endpoint (RpcTask *task, Link *link, const char *cid, const char *payload_spec)
{
  TractorContext *context = context_new (payload_spec);

  context->task = task;
  context->link = link;
  context->cid = cid;
  context->stream.room = link->peer_credit;
  return context;
}

static void
context_clear (TractorContext *context)
{
  tractor__stream_clear (&context->stream);
  tractor__request_clear (&context->request); /* and with it, perhaps, the link */
  tractor_parking_lot_free (context->progress);
  g_clear_pointer (&context->first, g_variant_unref);
  g_clear_pointer (&context->result, g_variant_unref);
  g_clear_error (&context->failure);
  g_free (context->payload_spec);
}

void
tractor__context_free (TractorContext *context)
{
  if (context == NULL)
    return;

  context_clear (context);
  g_free (context);
}

/* --- a stream that the program has not closed ------------------------------------------------------ */

/* It may do so yet, for g_autoptr does if the stream was declared first; or never, for the context has closed
 * it. So the memory is kept, and nothing else, until then, or until the task ends. */
static void
keep_stream (TractorContext *context)
{
  static const TractorScopeContent content = { NULL, NULL, NULL, g_free };
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  context_clear (context);
  context->stream.context = NULL;
  /* A scope that is left with the one around it is the task's until its end. */
  context->scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_content (context->scope, &content, context);
}

void
tractor__context_free_rest (TractorContext *context)
{
  tractor_cancel_scope_close (context->scope);
  g_free (context);
}

/* --- waiting for the other end ------------------------------------------------------------------- */

/* One who has been woken by something else does not wait any more, though it may not have run yet. But
 * whoever shares the stream does until its end, and tells all who subscribe to it. */
static gboolean
has_waiters (TractorContext *context)
{
  return context->stream.broadcaster != NULL ||
         tractor_parking_lot_get_length (context->progress) > 0 ||
         tractor_parking_lot_get_length (context->stream.receivers) > 0 ||
         tractor_parking_lot_get_length (context->stream.senders) > 0;
}

static void
wake_all (TractorContext *context)
{
  tractor_parking_lot_unpark (context->progress, G_MAXUINT);
  if (context->gathering != NULL)
    tractor_parking_lot_unpark (context->gathering, G_MAXUINT);
  tractor__stream_wake (&context->stream);
}

const GVariantType *
tractor__context_get_payload_type (const TractorContext *context)
{
  return context->payload_spec != NULL ? G_VARIANT_TYPE (context->payload_spec) : NULL;
}

static gboolean
unpack_payload (TractorContext *context, const Msg *msg, GVariant **ret_value, GError **error)
{
  return tractor__msg_unpack_as (msg, FIELD_PLD, tractor__context_get_payload_type (context),
                                 ret_value, error);
}

/* --- how the other end failed --------------------------------------------------------------------- */

/* Whether @failure is the other end's answer to a cancel by this opener, and by nothing else. */
static gboolean
is_own_cancel (TractorContext *context, const GError *failure)
{
  const TractorRemoteError *remote = tractor_error_get_remote (failure);
  const char *canceller = tractor_error_get_canceller (failure);
  g_autofree char *self = NULL;
  g_autofree char *peer = NULL;

  if (!context->cancel_called && !context->is_withdrawn)
    return FALSE;
  if (!g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED) || remote == NULL)
    return FALSE;
  self = actor_id_to_string (&context->link->runtime->id);
  peer = actor_id_to_string (&context->link->peer);
  return g_strcmp0 (canceller, self) == 0 && g_strcmp0 (remote->origin, peer) == 0;
}

static void
interrupt_body (TractorContext *context)
{
  if (context->scope != NULL && !is_own_cancel (context, context->failure))
    tractor_cancel_scope_cancel (context->scope, "the other end of the context failed");
}

void
tractor__context_set_failure (TractorContext *context, GError *failure)
{
  gboolean somebody_waits = has_waiters (context);

  if (context->failure != NULL) { /* the first is the cause */
    g_error_free (failure);
    return;
  }
  context->failure = failure;
  wake_all (context);
  if (!somebody_waits)
    interrupt_body (context);
}

/* Nothing more comes. */
static void
finish (TractorContext *context)
{
  context->is_final = TRUE;
  tractor__request_finish (&context->request);
  wake_all (context);
}

/* --- messages to the opener ----------------------------------------------------------------------- */

static GError *
new_other_kind_error (const TractorContext *context)
{
  g_autofree char *function = context->function != NULL
                                  ? g_strdup_printf ("'%s'", context->function)
                                  : g_strdup ("that function");

  return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "Actor '%s' does not serve %s as a %s",
                      context->link->peer.name, function,
                      context->stream.is_one_way ? "stream" : "context");
}

static void
handle_start_ack (TractorContext *context, const Msg *msg)
{
  const char *wanted = context->stream.is_one_way ? "asyncgen" : "context";

  if (!tractor__msg_string_equals (msg, FIELD_FUNCTYPE, wanted)) {
    tractor__request_send_cancel (&context->request);
    tractor__context_set_failure (context, new_other_kind_error (context));
    finish (context);
    return;
  }
  if (context->payload_spec == NULL)
    context->payload_spec = tractor__msg_dup_payload_spec (msg);
  if (context->stream.is_one_way)
    context->is_started = TRUE;
  wake_all (context);
}

static void
handle_started (TractorContext *context, const Msg *msg)
{
  GError *failure = NULL;

  if (context->is_started || context->stream.is_one_way) {
    g_debug ("actor '%s' started a context twice", context->link->peer.name);
    return;
  }
  if (unpack_payload (context, msg, &context->first, &failure)) {
    context->is_started = TRUE;
  } else {
    g_prefix_error (&failure, "The first value of '%s': ", context->function);
    tractor__context_set_failure (context, failure);
  }
  wake_all (context);
}

static void
handle_return (TractorContext *context, const Msg *msg)
{
  GError *failure = NULL;

  if (!context->is_started)
    g_set_error_literal (&failure, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "The function returned without having said that it had started");
  else if (!unpack_payload (context, msg, &context->result, &failure))
    g_prefix_error (&failure, "The result of a context of actor '%s': ", context->link->peer.name);
  if (failure != NULL)
    tractor__context_set_failure (context, failure);
  finish (context);
}

static void
handle_error (TractorContext *context, const Msg *msg)
{
  tractor__context_set_failure (context, tractor__remote_error_read (msg, &context->link->peer));
  /* What we sent was too much for it: it says so, and goes on. */
  if (!tractor__msg_string_equals (msg, FIELD_BOXED_TYPE, "StreamOverrun") ||
      !tractor__msg_id_equals (msg, FIELD_SENDER, &context->link->runtime->id))
    finish (context);
}

static gboolean
context_deliver (Request *request, const Msg *msg, GError **error)
{
  TractorContext *context = (TractorContext *) request;

  switch (msg->type) {
  case MSG_START_ACK:
    handle_start_ack (context, msg);
    return TRUE;
  case MSG_STARTED:
    handle_started (context, msg);
    return TRUE;
  case MSG_RETURN:
    handle_return (context, msg);
    return TRUE;
  case MSG_ERROR:
    handle_error (context, msg);
    return TRUE;
  case MSG_STOP:
    if (!tractor__stream_deliver (&context->stream, msg, error))
      return FALSE;
    if (context->stream.is_one_way) {
      context->is_started = TRUE; /* a Stop is urgent: it may come before the StartAck */
      finish (context);
    }
    return TRUE;
  default:
    return tractor__stream_deliver (&context->stream, msg, error);
  }
}

static void
context_fail (Request *request, const GError *failure)
{
  TractorContext *context = (TractorContext *) request;

  context->is_final = TRUE;
  tractor__context_set_failure (context, g_error_copy (failure));
}

static gboolean
context_is_full (const Request *request)
{
  return tractor__stream_is_full (&((const TractorContext *) request)->stream);
}

static const char *
context_get_payload_spec (const Request *request)
{
  return ((const TractorContext *) request)->payload_spec;
}

static const RequestClass context_class = { context_deliver, context_fail, context_is_full,
                                            context_get_payload_spec };

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
begin (Link *link,
       const char *function,
       GVariant *kwargs,
       const TractorDialogOptions *options,
       gboolean is_one_way,
       GError **error)
{
  const char *payload_spec = options != NULL ? options->payload_spec : NULL;
  TractorContext *context;
  GError *failure = NULL;

  if (!check_payload_spec (payload_spec, error))
    return NULL;
  context = context_new (payload_spec);
  context->function = function;
  context->stream.is_one_way = is_one_way;
  context->stream.allow_overruns = options != NULL && options->allow_overruns;
  if (!tractor__request_start (&context->request, &context_class, link, function, kwargs,
                               &failure)) {
    g_propagate_error (error, failure);
    tractor__context_free (context);
    return NULL;
  }
  context->link = link;
  context->cid = context->request.cid;
  context->stream.room = link->peer_credit;
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

TractorContext *
tractor__context_open (Link *link,
                       const char *function,
                       GVariant *kwargs,
                       const TractorDialogOptions *options,
                       gboolean is_one_way,
                       GError **error)
{
  TractorContext *context = begin (link, function, kwargs, options, is_one_way, error);
  GError *failure = NULL;

  if (context == NULL)
    return NULL;
  while (!is_settled (context))
    if (!tractor_parking_lot_park (context->progress, &failure))
      break;
  if (context->is_started && failure == NULL) {
    context->function = NULL; /* it is the caller's */
    return context;
  }
  abandon (context, &failure);
  g_propagate_error (error, failure);
  return NULL;
}

static void end (gpointer context);

static void
free_left_open (gpointer context)
{
  tractor__context_free (context);
}

/* From now on the calling task is in its body. */
static void
enter_body (TractorContext *context, GVariant **ret_first)
{
  static const TractorScopeContent content = { "context", end, NULL, free_left_open };

  context->scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_content (context->scope, &content, context);
  if (context->failure != NULL)
    interrupt_body (context);
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
  g_autoptr (Link) link = NULL;
  TractorContext *context;

  if (!tractor_error_check_given (portal, "portal", error) ||
      !tractor_error_check_given (function, "function", error))
    return NULL;

  link = tractor__portal_get_link (portal, error);
  if (link == NULL)
    return NULL;
  context = tractor__context_open (link, function, owned, options, FALSE, error);
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
  g_autoptr (Link) link = NULL;
  TractorContext *context;

  if (!tractor_error_check_given (request->portal, "portal", error) ||
      !tractor_error_check_given (request->function, "function", error))
    return NULL;
  link = tractor__portal_get_link (request->portal, error);
  if (link == NULL)
    return NULL;
  context = begin (link, request->function, request->kwargs, request->options, FALSE, error);
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

/* --- the endpoint's side -------------------------------------------------------------------------- */

static gboolean
fail_first (const TractorContext *context, GError **error)
{
  g_prefix_error (error,
                  "The first value of '%s': ", tractor__rpc_task_get_function (context->task));
  return FALSE;
}

gboolean
tractor_context_started (TractorContext *context, GVariant *first, GError **error)
{
  g_autoptr (RefusedValue) owned = first != NULL ? g_variant_ref_sink (first) : NULL;

  if (!tractor_error_check_given (context, "context", error))
    return FALSE;

  if (context->task == NULL || context->is_started) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         context->task == NULL
                             ? "Only the function says that it has started, not its opener"
                             : "The function has said already that it has started");
    return FALSE;
  }
  if (!tractor_checkpoint_if_cancelled (error))
    return FALSE;
  if (context->payload_spec != NULL &&
      !tractor__codec_check (owned, G_VARIANT_TYPE (context->payload_spec), error))
    return fail_first (context, error);
  if (!tractor__link_wait_for_room (context->link, error))
    return FALSE;
  if (!tractor__msg_write_payload (context->link->out, MSG_STARTED, context->cid, owned, error))
    return fail_first (context, error);
  g_clear_pointer (&owned, g_variant_unref);
  context->is_started = TRUE;
  context->started_at = link_get_position (context->link);
  tractor__link_flush (context->link);
  tractor_cancel_shielded_checkpoint (NULL);
  return TRUE;
}

/* --- the end ----------------------------------------------------------------------------------- */

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
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + PATIENCE_ACK_USEC);

  wait_until_final (context, NULL);
}

/* @error: (inout): the body's failure, with the other end's. */
static void
settle (TractorContext *context, GError **error)
{
  const GError *failure = context->failure;

  if (failure == NULL)
    return;
  if (is_own_cancel (context, failure)) {
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

/* Nobody has joined it. */
static void
end (gpointer data)
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
  end (context);
  if (context->stream.is_open && !context->stream.is_given_back)
    keep_stream (context);
  else
    tractor__context_free (context);
}

/* --- what is known of it ---------------------------------------------------------------------------- */

const GError *
tractor_context_get_outcome (TractorContext *context)
{
  g_return_val_if_fail (context != NULL, NULL);

  return context->failure;
}

TractorCancelScope *
tractor_context_get_scope (TractorContext *context)
{
  g_return_val_if_fail (context != NULL, NULL);

  return context->scope;
}

const char *
tractor_context_get_peer_name (TractorContext *context)
{
  g_return_val_if_fail (context != NULL, NULL);

  return context->link->peer.name;
}

const char *
tractor_context_get_peer_uuid (TractorContext *context)
{
  g_return_val_if_fail (context != NULL, NULL);

  return context->link->peer.uuid;
}
