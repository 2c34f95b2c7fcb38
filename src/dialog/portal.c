/* portal.c - the calling side.
 *
 * A call is a request (request.c) that lives on its caller's stack: the caller waits until its
 * outcome has come. A cancelled caller withdraws it, and waits for the outcome all the same: when it
 * returns, the remote task is over too. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "portal.h"

#include <string.h>

#include "actor-trace.h"
#include "bounds.h"
#include "log.h"
#include "packed.h"
#include "remote-error.h"
#include "request.h"
#include "value.h"

struct _TractorPortal {
  const PortalActor *kind;
  gpointer actor;
};

TractorPortal *
tractor__portal_new (const PortalActor *kind, gpointer actor)
{
  TractorPortal *portal = g_new (TractorPortal, 1);

  portal->kind = kind;
  portal->actor = actor;
  return portal;
}

void
tractor_portal_unref (TractorPortal *portal)
{
  if (portal == NULL)
    return;

  portal->kind->release (portal->actor);
  g_free (portal);
}

const char *
tractor_portal_get_name (TractorPortal *portal)
{
  g_return_val_if_fail (portal != NULL, NULL);

  return portal->kind->get_id (portal->actor)->name;
}

const char *
tractor_portal_get_uuid (TractorPortal *portal)
{
  g_return_val_if_fail (portal != NULL, NULL);

  return portal->kind->get_id (portal->actor)->uuid;
}

gint
tractor_portal_get_pid (TractorPortal *portal)
{
  g_return_val_if_fail (portal != NULL, -1);

  return portal->kind->get_pid (portal->actor);
}

Link *
tractor__portal_get_link (TractorPortal *portal, GError **error)
{
  return portal->kind->get_link (portal->actor, error);
}

/* --- a call ------------------------------------------------------------------------------------ */

typedef struct {
  Request request;
  const char *function; /* the caller's, who waits */
  char *payload_spec;   /* (nullable): of the result */
  GVariant *result;     /* (nullable) */
  GBytes *packed;       /* (nullable): the result, of a packed call */
  GError *error;        /* (nullable) */
} Call;

static void
take_result (Call *call, const Msg *msg)
{
  const char *spec = call->payload_spec;

  if (!call->request.class->takes_packed) {
    if (!tractor__msg_unpack_as (msg, FIELD_PLD, spec != NULL ? G_VARIANT_TYPE (spec) : NULL,
                                 &call->result, &call->error))
      g_prefix_error (&call->error, "The result of '%s': ", call->function);
  } else if (tractor__msg_check_whole (msg, &call->error)) {
    call->packed = tractor__packed_new (msg->fields[FIELD_PLD]);
  } else {
    g_prefix_error (&call->error, "The result of '%s': ", call->function);
  }
}

static gboolean
call_deliver (Request *request, const Msg *msg, G_GNUC_UNUSED GError **error)
{
  Call *call = (Call *) request;

  switch (msg->type) {
  case MSG_ERROR:
    call->error = tractor__remote_error_read (msg, &request->link->peer);
    break;
  case MSG_RETURN:
  case MSG_CANCEL_ACK:
    take_result (call, msg);
    break;
  case MSG_START_ACK:
    g_free (call->payload_spec);
    call->payload_spec = tractor__msg_dup_payload_spec (msg);
    return TRUE;
  case MSG_STARTED:
  case MSG_YIELD:
  case MSG_STOP:
    /* Not a function that is called, but a context or a stream: it is ended, and so is the call. */
    tractor__request_send_cancel (request);
    g_set_error (&call->error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "'%s' is not to be called, but to be opened, with tractor_portal_open_%s()",
                 call->function, msg->type == MSG_STARTED ? "context" : "stream");
    break;
  default:
    return TRUE;
  }
  tractor__request_finish (request);
  return TRUE;
}

static void
call_fail (Request *request, const GError *failure)
{
  Call *call = (Call *) request;

  call->error = g_error_copy (failure);
}

static const char *
call_get_payload_spec (const Request *request)
{
  return ((const Call *) request)->payload_spec;
}

static const RequestClass call_class = { call_deliver, call_fail, NULL, call_get_payload_spec };
static const RequestClass packed_call_class = { call_deliver, call_fail, NULL,
                                                call_get_payload_spec, .takes_packed = TRUE };

static void
call_clear (Call *call)
{
  tractor__request_clear (&call->request);
  g_free (call->payload_spec);
  g_clear_pointer (&call->result, g_variant_unref);
  g_clear_pointer (&call->packed, g_bytes_unref);
  g_clear_error (&call->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Call, call_clear)

/* Of a call that has been started. @give_up: of a caller that is cancelled. @error: never NULL. */
static gboolean
wait_for_outcome (Call *call, void (*give_up) (Request *request), GError **error)
{
  Request *request = &call->request;
  gboolean ok = tractor_event_wait (request->done, error);

  if (!ok && g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    give_up (request);
  if (trace_is_on ())
    tractor__trace_came (TRACTOR_TRACE_TAKEN, call->error != NULL ? MSG_ERROR : MSG_RETURN,
                         request->cid, strlen (request->cid), 0, request->link->peer.uuid);
  /* A cancelled call that failed there all the same has failed: an error is worth more. */
  if (call->error != NULL &&
      (ok || g_error_matches (call->error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE))) {
    g_clear_error (error);
    g_propagate_error (error, g_steal_pointer (&call->error));
    ok = FALSE;
  }
  log_debug (LOG_CALL, "call %s of '%s' %s%s", request->cid, call->function,
             ok ? "has returned" : "has failed: ", ok ? "" : (*error)->message);
  return ok;
}

static gboolean
call_or_give_up (Link *link,
                 const char *function,
                 GVariant *kwargs,
                 void (*give_up) (Request *request),
                 GVariant **ret_result,
                 GError **error)
{
  g_auto (Call) call = { .function = function };

  if (!tractor__request_start (&call.request, &call_class, link, function, kwargs, error) ||
      !wait_for_outcome (&call, give_up, error))
    return FALSE;
  if (ret_result != NULL)
    *ret_result = g_steal_pointer (&call.result);
  return TRUE;
}

gboolean
tractor__call (
    Link *link, const char *function, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  return call_or_give_up (link, function, kwargs, tractor__request_withdraw, ret_result, error);
}

gboolean
tractor_portal_call (TractorPortal *portal,
                     const char *function,
                     GVariant *kwargs,
                     GVariant **ret_result,
                     GError **error)
{
  g_autoptr (RefusedValue) owned = kwargs != NULL ? g_variant_ref_sink (kwargs) : NULL;
  g_autoptr (GError) failure = NULL;
  g_autoptr (Link) link = NULL;

  if (!tractor_error_check_given (portal, "portal", error) ||
      !tractor_error_check_given (function, "function", error))
    return FALSE;

  link = tractor__portal_get_link (portal, error);
  if (link == NULL)
    return FALSE;
  if (tractor__call (link, function, owned, ret_result, &failure)) {
    g_clear_pointer (&owned, g_variant_unref);
    return TRUE;
  }
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
call_packed (
    Link *link, const char *function, WireValue kwargs, GBytes **ret_result, GError **error)
{
  g_auto (Call) call = { .function = function };

  if (!tractor__request_start_packed (&call.request, &packed_call_class, link, function, kwargs,
                                      error) ||
      !wait_for_outcome (&call, tractor__request_withdraw, error))
    return FALSE;
  if (ret_result != NULL)
    *ret_result = g_steal_pointer (&call.packed);
  return TRUE;
}

gboolean
tractor_portal_call_packed (TractorPortal *portal,
                            const char *function,
                            GBytes *kwargs,
                            GBytes **ret_result,
                            GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (Link) link = NULL;
  WireValue packed;

  if (!tractor_error_check_given (portal, "portal", error) ||
      !tractor_error_check_given (function, "function", error) ||
      !tractor__packed_check_kwargs (kwargs, &packed, error))
    return FALSE;

  link = tractor__portal_get_link (portal, error);
  if (link == NULL)
    return FALSE;
  if (call_packed (link, function, packed, ret_result, &failure))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

/* --- its life ---------------------------------------------------------------------------------- */

gboolean
tractor_portal_wait_until_gone (TractorPortal *portal, GError **error)
{
  if (!tractor_error_check_given (portal, "portal", error))
    return FALSE;

  return tractor_event_wait (portal->kind->get_gone (portal->actor), error);
}

gboolean
tractor_portal_wait_until_restarted (TractorPortal *portal, guint *n_restarts, GError **error)
{
  if (!tractor_error_check_given (portal, "portal", error) ||
      !tractor_error_check_given (n_restarts, "count of restarts", error))
    return FALSE;

  return tractor_checkpoint (error) &&
         portal->kind->wait_until_restarted (portal->actor, n_restarts, error);
}

static GError *
new_too_slow_error (TractorPortal *portal)
{
  return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW,
                      "Actor '%s' has been cancelled, but is not gone yet",
                      portal->kind->get_id (portal->actor)->name);
}

gboolean
tractor_portal_cancel_actor (TractorPortal *portal, gint64 deadline, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;
  GError *failure = NULL;

  if (!tractor_error_check_given (portal, "portal", error))
    return FALSE;
  if (!tractor_checkpoint_if_cancelled (error))
    return FALSE;
  scope = tractor_cancel_scope_open (deadline);
  if (portal->kind->end (portal->actor, deadline, &failure))
    return TRUE;
  if (tractor_cancel_scope_absorb (scope, &failure) &&
      !tractor_event_is_set (portal->kind->get_gone (portal->actor)))
    failure = new_too_slow_error (portal);
  if (failure == NULL)
    return TRUE; /* too late to see it, but not for it */
  g_propagate_error (error, failure);
  return FALSE;
}

/* --- an actor that is no child of ours: we see only its connection ------------------------------------ */

static const ActorId *
peer_get_id (gpointer actor)
{
  return &((Link *) actor)->peer;
}

static gint
peer_get_pid (G_GNUC_UNUSED gpointer actor)
{
  return -1;
}

static Link *
peer_get_link (gpointer actor, G_GNUC_UNUSED GError **error)
{
  return tractor__link_ref (actor);
}

static TractorEvent *
peer_get_gone (gpointer actor)
{
  return ((Link *) actor)->ended;
}

static gboolean
peer_wait_until_restarted (gpointer actor, G_GNUC_UNUSED guint *n_restarts, GError **error)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
               "Actor '%s' is no child of this one, which does not see it restart",
               peer_get_id (actor)->name);
  return FALSE;
}

/* Whoever gives up waiting for its end does not wait for an answer about that either. */
static gboolean
peer_end (gpointer actor, gint64 deadline, GError **error)
{
  Link *link = actor;
  GError *failure = NULL;

  if (link->failure == NULL && deadline <= tractor_now ()) /* no answer is waited for */
    tractor__link_send_cancel (link, PATIENCE_TOTAL_USEC);
  else if (link->failure == NULL)
    call_or_give_up (link, "self:cancel", NULL, tractor__request_send_cancel, NULL, &failure);
  if (failure == NULL || g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED)) {
    g_clear_error (&failure);
    return tractor_event_wait (link->ended, error);
  }
  g_propagate_error (error, failure);
  return FALSE;
}

static void
peer_release (gpointer actor)
{
  tractor__link_unref (actor);
}

static void
connection_release (gpointer actor)
{
  tractor__link_close (actor);
  tractor__link_unref (actor);
}

static const PortalActor peer = {
  peer_get_id, peer_get_pid, peer_get_link, peer_get_gone, peer_wait_until_restarted,
  peer_end,    peer_release
};
static const PortalActor connection = {
  peer_get_id, peer_get_pid,      peer_get_link, peer_get_gone, peer_wait_until_restarted,
  peer_end,    connection_release
};

TractorPortal *
tractor__portal_new_for_link (Link *link, gboolean is_own_connection)
{
  return tractor__portal_new (is_own_connection ? &connection : &peer, link);
}
