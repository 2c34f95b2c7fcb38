/* msg-payload.c - what a message carries for the program: its payload, or keyword arguments.
 *
 * It is unpacked when it is known what it is for, and so of which type it is to be. What is large is
 * unpacked before, with turns for others in between; then what it is for is looked up, which may have
 * ended meanwhile. What was above a limit has been left out, and is an error of who asks for it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "msg.h"

#include "bounds.h"
#include "codec.h"
#include "tractor-error.h"

gboolean
tractor__msg_check_whole (const Msg *msg, GError **error)
{
  if (msg->left_out.limit == NULL)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE, "A value is refused: %s",
               msg->left_out.limit);
  return FALSE;
}

void
tractor__unpacked_clear (Unpacked *unpacked)
{
  g_clear_pointer (&unpacked->value, g_variant_unref);
  g_clear_error (&unpacked->error);
}

/* Which field of @msg is unpacked, if any. */
static Field
get_packed_field (const Msg *msg)
{
  switch ((int) msg->type) {
  case MSG_START:
    return FIELD_KWARGS;
  case MSG_STARTED:
  case MSG_RETURN:
  case MSG_CANCEL_ACK:
    return FIELD_PLD;
  default: /* an item of a stream is unpacked by who receives it */
    return N_FIELDS;
  }
}

gboolean
tractor__msg_is_large (const Msg *msg)
{
  Field field = get_packed_field (msg);

  return field != N_FIELDS && msg->left_out.limit == NULL &&
         msg->fields[field].length > LARGE_PAYLOAD_BYTES;
}

void
tractor__msg_unpack_ahead (const Msg *msg, const GVariantType *payload_type, Unpacked *ret_unpacked)
{
  if (get_packed_field (msg) == FIELD_KWARGS)
    tractor__codec_unpack_kwargs (msg->fields[FIELD_KWARGS], msg->fds, UNPACK_IN_TURNS,
                                  &ret_unpacked->value, &ret_unpacked->error);
  else
    tractor__codec_unpack_as (msg->fields[FIELD_PLD], msg->fds, payload_type, UNPACK_IN_TURNS,
                              &ret_unpacked->value, &ret_unpacked->error);
}

static gboolean
take_ahead (const Unpacked *ahead, GVariant **ret_value, GError **error)
{
  if (ahead->error != NULL) {
    g_propagate_error (error, g_error_copy (ahead->error));
    return FALSE;
  }
  *ret_value = ahead->value != NULL ? g_variant_ref (ahead->value) : NULL;
  return TRUE;
}

gboolean
tractor__msg_unpack_as (
    const Msg *msg, Field field, const GVariantType *type, GVariant **ret_value, GError **error)
{
  if (msg->ahead != NULL)
    return take_ahead (msg->ahead, ret_value, error);
  return tractor__msg_check_whole (msg, error) &&
         tractor__codec_unpack_as (msg->fields[field], msg->fds, type, UNPACK_AT_ONCE, ret_value,
                                   error);
}

gboolean
tractor__msg_unpack_kwargs (const Msg *msg, GVariant **ret_kwargs, GError **error)
{
  if (msg->ahead != NULL)
    return take_ahead (msg->ahead, ret_kwargs, error);
  return tractor__msg_check_whole (msg, error) &&
         tractor__codec_unpack_kwargs (msg->fields[FIELD_KWARGS], msg->fds, UNPACK_AT_ONCE,
                                       ret_kwargs, error);
}
