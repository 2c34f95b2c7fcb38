/* request.c - something asked of a peer, until nothing more comes for it.
 *
 * A Start goes out; from then on the link hands over every message with its call id, until one is
 * the last, or the link itself ends. A request can be withdrawn: the peer cancels what runs for it,
 * and still answers with one last message, so whoever withdraws waits for that, shielded and for a
 * bounded time. What a request is for, a call (portal.c) or a context (context.c), is its class. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "request.h"

#include <string.h>

#include "bounds.h"
#include "escape.h"
#include "link-write.h"
#include "log.h"
#include "patience.h"

static gboolean
check_kwargs (GVariant *kwargs, GError **error)
{
  if (kwargs == NULL || g_variant_is_of_type (kwargs, G_VARIANT_TYPE_VARDICT))
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
               "Keyword arguments must be an a{sv}, not of type '%s'",
               g_variant_get_type_string (kwargs));
  return FALSE;
}

/* Here, for a string that is not UTF-8 would cost the whole connection at the other end. */
static gboolean
check_function (const char *function, GError **error)
{
  const char *colon = strchr (function, ':');
  g_autofree char *valid = NULL;
  g_autofree char *shown = NULL;

  if (colon != NULL && colon != function && colon[1] != '\0' &&
      g_utf8_validate (function, -1, NULL))
    return TRUE;
  valid = g_utf8_make_valid (function, -1);
  shown = tractor__escape_name (valid);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
               "A function is named \"module:function\" in UTF-8, not \"%s\"", shown);
  return FALSE;
}

static gboolean
check_works (const Link *link, GError **error)
{
  if (link->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_error_copy (link->failure));
  return FALSE;
}

/* What is large is packed in turns, with which the link may be lost. */
static gboolean
write_start (Link *link, const char *cid, const char *function, GVariant *kwargs, GError **error)
{
  const ActorId *self = &link->runtime->id;
  g_autoptr (WireBuffer) aside = NULL;
  GError *failure = NULL;

  if (!check_works (link, error))
    return FALSE;
  if (tractor__msg_write_start (link->out, cid, function, kwargs, self, PACK_UNLESS_LARGE,
                                &failure))
    return TRUE;
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  aside = tractor__link_make_aside (link);
  if (!tractor__msg_write_start (aside, cid, function, kwargs, self, PACK_IN_TURNS, error) ||
      !check_works (link, error))
    return FALSE;
  tractor__wire_buffer_take (link->out, aside);
  return TRUE;
}

/* Nothing is sent: CANCELLED means that it did not happen. */
static gboolean
may_start (const char *function, GError **error)
{
  return tractor_checkpoint_if_cancelled (error) && check_function (function, error);
}

/* Its Start has been written. */
static void
register_started (Request *request, const RequestClass *class, Link *link, const char *function)
{
  request->class = class;
  request->link = tractor__link_ref (link);
  request->function = function;
  request->start_at = link_get_position (link);
  request->done = tractor_event_new ();
  tractor_event_set_static_name (request->done, function);
  tractor__cid_table_add (&link->requests, &request->entry, request->cid, request);
  tractor__link_flush (link);
  log_debug (LOG_CALL, "'%s' is asked of actor '%s', as call %s", function, link->peer.name,
             request->cid);
}

gboolean
tractor__request_start (Request *request,
                        const RequestClass *class,
                        Link *link,
                        const char *function,
                        GVariant *kwargs,
                        GError **error)
{
  if (!may_start (function, error) || !check_kwargs (kwargs, error) ||
      !tractor__link_wait_for_room (link, error))
    return FALSE;
  tractor__link_make_cid (link, request->cid);
  if (!write_start (link, request->cid, function, kwargs, error))
    return FALSE;
  register_started (request, class, link, function);
  return TRUE;
}

gboolean
tractor__request_start_packed (Request *request,
                               const RequestClass *class,
                               Link *link,
                               const char *function,
                               WireValue kwargs,
                               GError **error)
{
  if (!may_start (function, error) || !tractor__link_wait_for_room (link, error))
    return FALSE;
  tractor__link_make_cid (link, request->cid);
  if (!check_works (link, error) ||
      !tractor__msg_write_start_packed (link->out, request->cid, function, kwargs,
                                        &link->runtime->id, error))
    return FALSE;
  register_started (request, class, link, function);
  return TRUE;
}

void
tractor__request_finish (Request *request)
{
  tractor__cid_table_remove (&request->link->requests, &request->entry);
  tractor_event_set (request->done);
}

void
tractor__request_send_cancel (Request *request)
{
  Link *link = request->link;
  g_autoptr (GVariant) kwargs = NULL;
  char cid[CID_BYTES];

  if (tractor_event_is_set (request->done))
    return;
  log_debug (LOG_CALL, "actor '%s' is asked to cancel call %s", link->peer.name, request->cid);
  kwargs = g_variant_ref_sink (g_variant_new_parsed ("{'cid': <%s>}", request->cid));
  tractor__link_make_cid (link, cid);
  /* It must not come before the Start: then there would be nothing to cancel yet. */
  tractor__msg_write_start (link_get_urgent (link, request->start_at), cid, "self:_cancel_task",
                            kwargs, &link->runtime->id, PACK_AT_ONCE, NULL);
  tractor__link_flush (link);
}

void
tractor__request_withdraw (Request *request)
{
  g_autoptr (TractorCancelScope) scope = tractor__patience_open (PATIENCE_ACK_USEC);

  tractor_cancel_scope_set_shield (scope, TRUE);
  tractor__request_send_cancel (request);
  tractor_event_wait (request->done, NULL);
}

void
tractor__request_clear (Request *request)
{
  if (request->link == NULL)
    return;

  if (!tractor_event_is_set (request->done))
    request->link->n_given_up++;
  tractor__cid_table_remove (&request->link->requests, &request->entry);
  g_clear_pointer (&request->done, tractor_event_free);
  g_clear_pointer (&request->link, tractor__link_unref);
}
