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

gboolean
tractor__request_start (Request *request,
                        const RequestClass *class,
                        Link *link,
                        const char *function,
                        GVariant *kwargs,
                        GError **error)
{
  if (!tractor_checkpoint_if_cancelled (error))
    return FALSE; /* nothing is sent: CANCELLED means that it did not happen */
  if (!check_function (function, error) || !check_kwargs (kwargs, error) ||
      !tractor__link_wait_for_room (link, error))
    return FALSE;
  if (link->failure != NULL) {
    g_propagate_error (error, g_error_copy (link->failure));
    return FALSE;
  }
  tractor__link_make_cid (link, request->cid);
  if (!tractor__msg_write_start (link->out, request->cid, function, kwargs, &link->runtime->id,
                                 error))
    return FALSE;
  request->class = class;
  request->link = tractor__link_ref (link);
  request->start_at = link_get_position (link);
  request->done = tractor_event_new ();
  tractor__cid_table_add (&link->requests, &request->entry, request->cid, request);
  tractor__link_flush (link);
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
  kwargs = g_variant_ref_sink (g_variant_new_parsed ("{'cid': <%s>}", request->cid));
  tractor__link_make_cid (link, cid);
  /* It must not come before the Start: then there would be nothing to cancel yet. */
  tractor__msg_write_start (link_get_urgent (link, request->start_at), cid, "self:_cancel_task",
                            kwargs, &link->runtime->id, NULL);
  tractor__link_flush (link);
}

void
tractor__request_withdraw (Request *request)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + PATIENCE_ACK_USEC);

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
