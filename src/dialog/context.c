/* context.c - one side of a dialog: what it is, and what becomes of it by what the other end says.
 *
 * The opener's side is a request (request.c) whose messages are Started, the stream's, and one last
 * one: Return or Error. Its body is a cancel scope in the opening task. When the other end fails,
 * whoever waits for it is told; if nobody does, the body is interrupted by that scope. How it is opened
 * is in context-open.c, how it ends, and with what, in context-end.c.
 *
 * The endpoint's side is run by rpc.c, whose task's scope is the body's. Its outcome is what the
 * function returns. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "context.h"

#include "bounds.h"
#include "link-write.h"
#include "log.h"
#include "remote-error.h"
#include "value.h"

/* --- life -------------------------------------------------------------------------------------- */

TractorContext *
tractor__context_new (const char *payload_spec)
{
  TractorContext *context = g_new0 (TractorContext, 1);

  context->payload_spec = g_strdup (payload_spec);
  context->progress = tractor_parking_lot_new ();
  tractor__stream_init (&context->stream, context);
  return context;
}

TractorContext *
tractor__context_new_endpoint (
    RpcTask *task, Link *link, const char *cid, const char *function, const char *payload_spec)
{
  TractorContext *context = tractor__context_new (payload_spec);

  context->task = task;
  context->link = tractor__link_ref (link);
  context->cid = cid;
  context->function = function;
  context->stream.room = link->peer_credit;
  return context;
}

static void
context_clear (TractorContext *context)
{
  tractor__stream_clear (&context->stream);
  g_clear_pointer (&context->progress, tractor_parking_lot_free);
  g_clear_pointer (&context->first, g_variant_unref);
  g_clear_pointer (&context->result, g_variant_unref);
  g_clear_error (&context->failure);
  g_clear_pointer (&context->payload_spec, g_free);
  g_clear_pointer (&context->link, tractor__link_unref);
  context->is_cleared = TRUE;
}

void
tractor__context_release (TractorContext *context)
{
  if (!context->is_closed || context->stream.n_inside > 0)
    return;
  if (!context->is_cleared)
    context_clear (context);
  if (!context->is_kept)
    g_free (context);
}

/* Nothing goes out or comes in any more. Who is in a call with the stream will find it closed. */
static void
close_for_good (TractorContext *context)
{
  context->is_closed = TRUE;
  context->is_final = TRUE;
  context->task = NULL;
  context->cid = NULL;
  context->function = NULL;
  tractor__request_clear (&context->request);
  g_clear_pointer (&context->asked_function, g_free);
  context->stream.sent_stop = TRUE;
  if (context->stream.n_inside > 0)
    tractor__stream_wake (&context->stream);
  tractor__context_release (context);
}

void
tractor__context_free (TractorContext *context)
{
  if (context != NULL)
    close_for_good (context);
}

/* --- a stream that the program has not closed ------------------------------------------------------ */

static void
free_kept (gpointer data)
{
  TractorContext *context = data;

  context->is_kept = FALSE;
  tractor__context_release (context);
}

/* It may do so yet, for g_autoptr does if the stream was declared first; or never, for the context has closed
 * it. So the memory is kept, and nothing else, until then, or until the task ends. */
void
tractor__context_keep_stream (TractorContext *context)
{
  static const TractorScopeContent content = { NULL, NULL, NULL, free_kept };
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  context->is_kept = TRUE;
  close_for_good (context);
  /* A scope that is left with the one around it is the task's until its end. */
  context->scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_content (context->scope, &content, context);
}

void
tractor__context_free_rest (TractorContext *context)
{
  tractor_cancel_scope_close (context->scope);
  free_kept (context);
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

gboolean
tractor__context_is_own_cancel (const TractorContext *context, const GError *failure)
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

void
tractor__context_interrupt_body (TractorContext *context)
{
  if (context->scope != NULL && !tractor__context_is_own_cancel (context, context->failure))
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
  log_debug (LOG_CALL, "the other end of context %s, actor '%s', has failed: %s",
             context->task != NULL ? context->cid : context->request.cid, context->link->peer.name,
             failure->message);
  wake_all (context);
  if (!somebody_waits)
    tractor__context_interrupt_body (context);
}

/* Nothing more comes. */
static void
finish (TractorContext *context)
{
  context->is_final = TRUE;
  log_debug (LOG_CALL, "call %s of actor '%s' has ended", context->request.cid,
             context->link->peer.name);
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
    log_debug (LOG_LINK, "actor '%s' started a context twice", context->link->peer.name);
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

const RequestClass tractor__context_class = { context_deliver, context_fail, context_is_full,
                                              context_get_payload_spec };

/* --- the endpoint's side -------------------------------------------------------------------------- */

static gboolean
fail_first (const TractorContext *context, GError **error)
{
  g_prefix_error (error, "The first value of '%s': ", context->function);
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
  if (!tractor__link_write_payload (context->link, MSG_STARTED, context->cid, owned, error))
    return fail_first (context, error);
  g_clear_pointer (&owned, g_variant_unref);
  context->is_started = TRUE;
  context->started_at = link_get_position (context->link);
  tractor__link_flush (context->link);
  tractor_cancel_shielded_checkpoint (NULL);
  return TRUE;
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
