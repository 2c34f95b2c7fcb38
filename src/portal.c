/* portal.c - the calling side.
 *
 * A call lives on its caller's stack: a Start frame goes out, and the caller waits for the event
 * that the link sets with the outcome. A cancelled caller withdraws the call at the peer, and waits
 * for the outcome all the same, shielded and for a bounded time: when it returns, the remote task
 * is over too. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "portal.h"

#include <string.h>

#include "bounds.h"

struct _TractorPortal {
  Child *child;
};

TractorPortal *
tractor__portal_new (Child *child)
{
  TractorPortal *portal = g_new (TractorPortal, 1);

  portal->child = tractor__child_ref (child);
  return portal;
}

void
tractor_portal_unref (TractorPortal *portal)
{
  if (portal == NULL)
    return;

  tractor__child_unref (portal->child);
  g_free (portal);
}

const char *
tractor_portal_get_name (TractorPortal *portal)
{
  g_return_val_if_fail (portal != NULL, NULL);

  return portal->child->id.name;
}

const char *
tractor_portal_get_uuid (TractorPortal *portal)
{
  g_return_val_if_fail (portal != NULL, NULL);

  return portal->child->id.uuid;
}

gint
tractor_portal_get_pid (TractorPortal *portal)
{
  g_return_val_if_fail (portal != NULL, -1);

  return (gint) portal->child->process.pid;
}

/* --- a call ------------------------------------------------------------------------------------ */

static gboolean
write_start (Link *link, const char *cid, const char *function, GVariant *kwargs, GError **error)
{
  const char *colon = strchr (function, ':');
  g_autofree char *ns = NULL;

  if (colon == NULL || colon == function || colon[1] == '\0') {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "A function is named \"module:function\", not \"%s\"", function);
    return FALSE;
  }
  if (kwargs != NULL && !g_variant_is_of_type (kwargs, G_VARIANT_TYPE_VARDICT)) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "Keyword arguments must be an a{sv}, not of type '%s'",
                 g_variant_get_type_string (kwargs));
    return FALSE;
  }
  ns = g_strndup (function, (gsize) (colon - function));
  return tractor__msg_write_start (link->out, cid, ns, colon + 1, kwargs, &link->runtime->id,
                                   error);
}

static void
withdraw (Link *link, Call *call)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + PATIENCE_ACK_USEC);
  g_autoptr (GVariant) kwargs = NULL;
  char cid[CID_BYTES];

  tractor_cancel_scope_set_shield (scope, TRUE);
  kwargs = g_variant_ref_sink (g_variant_new_parsed ("{'cid': <%s>}", call->cid));
  tractor__link_make_cid (link, cid);
  tractor__msg_write_start (link->out, cid, "self", "_cancel_task", kwargs, &link->runtime->id,
                            NULL);
  tractor__link_flush (link);
  tractor_event_wait (call->done, NULL);
}

/* Waits for the outcome. Returns: FALSE with CANCELLED; then there may be one, or not. */
static gboolean
wait_for_outcome (Link *link, Call *call, GError **error)
{
  gboolean ok = tractor_event_wait (call->done, error);

  if (!ok && g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    withdraw (link, call);
  g_hash_table_remove (link->calls, call->cid);
  return ok;
}

static gboolean
call_on_link (
    Link *link, const char *function, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  Call call = { 0 };
  gboolean ok;

  if (!tractor_checkpoint_if_cancelled (error))
    return FALSE; /* nothing is sent: CANCELLED means that it did not happen */
  if (link->failure != NULL) {
    g_propagate_error (error, g_error_copy (link->failure));
    return FALSE;
  }
  if (!tractor__link_wait_for_room (link, error))
    return FALSE;
  tractor__link_make_cid (link, call.cid);
  if (!write_start (link, call.cid, function, kwargs, error))
    return FALSE;
  call.done = tractor_event_new ();
  g_hash_table_insert (link->calls, call.cid, &call);
  tractor__link_flush (link);

  ok = wait_for_outcome (link, &call, error);
  tractor_event_free (call.done);
  /* A cancelled call that failed there all the same has failed: an error is worth more. */
  if (call.error != NULL &&
      (ok || g_error_matches (call.error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE))) {
    g_clear_error (error);
    g_propagate_error (error, g_steal_pointer (&call.error));
    ok = FALSE;
  }
  if (ok && ret_result != NULL)
    *ret_result = g_steal_pointer (&call.result);
  g_clear_pointer (&call.result, g_variant_unref);
  g_clear_error (&call.error);
  return ok;
}

gboolean
tractor_portal_call (TractorPortal *portal,
                     const char *function,
                     GVariant *kwargs,
                     GVariant **ret_result,
                     GError **error)
{
  g_autoptr (GVariant) owned = kwargs != NULL ? g_variant_ref_sink (kwargs) : NULL;
  g_autoptr (GError) failure = NULL;
  Link *link;
  gboolean ok;

  g_return_val_if_fail (portal != NULL && function != NULL, FALSE);

  if (portal->child->cancel_requested && portal->child->link->failure == NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
                 "Actor '%s' has been cancelled", portal->child->id.name);
    return FALSE;
  }
  link = tractor__link_ref (portal->child->link);
  ok = call_on_link (link, function, owned, ret_result, &failure);
  tractor__link_unref (link);
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&failure));
  return ok;
}

gboolean
tractor_portal_cancel_actor (TractorPortal *portal, gint64 deadline, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;
  GError *failure = NULL;

  g_return_val_if_fail (portal != NULL, FALSE);

  tractor__child_cancel (portal->child);
  scope = tractor_cancel_scope_open (deadline);
  if (tractor_event_wait (portal->child->gone, &failure))
    return TRUE;
  if (!tractor_cancel_scope_absorb (scope, &failure)) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW,
               "Actor '%s' has been cancelled, but is not gone yet", portal->child->id.name);
  return FALSE;
}
