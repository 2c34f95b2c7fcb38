/* codec-unpack-state.c - a payload while it is unpacked: who waits for it, and what is wrong with it.
 *
 * A fault says what was expected and what came: "at [2]['name']: expected 'i', got a string". The place
 * is put together on the way out of the containers, so that a value without a fault pays nothing for it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec-unpack.h"

#include "tractor-task.h"

void
tractor__unpacker_clear (Unpacker *unpacker)
{
  g_clear_pointer (&unpacker->extension, g_variant_unref);
  g_clear_pointer (&unpacker->maps, g_byte_array_unref);
  g_clear_pointer (&unpacker->fault, g_free);
  g_clear_pointer (&unpacker->place, g_free);
}

void
tractor__unpacker_take_turn (Unpacker *unpacker)
{
  tractor_cancel_shielded_checkpoint (NULL);
  unpacker->n_until_turn = VALUES_A_TURN;
}

/* --- faults --- */

static char *
describe (const WireItem *item)
{
  switch (item->type) {
  case WIRE_NIL:
    return g_strdup ("nil");
  case WIRE_BOOLEAN:
    return g_strdup ("a boolean");
  case WIRE_INTEGER:
    return g_strdup_printf ("the integer %" G_GINT64_FORMAT, item->integer);
  case WIRE_UNSIGNED:
    return g_strdup_printf ("the integer %" G_GUINT64_FORMAT, (guint64) item->integer);
  case WIRE_DOUBLE:
    return g_strdup ("a double");
  case WIRE_STRING:
    return g_strdup (has_nul (item) ? "a string with a NUL" : "a string");
  case WIRE_BINARY:
    return g_strdup ("bytes");
  case WIRE_ARRAY:
    return g_strdup_printf ("an array of %u", item->length);
  case WIRE_MAP:
    return g_strdup_printf ("a map of %u", item->length);
  case WIRE_EXTENSION:
  default:
    return g_strdup_printf ("an extension of type %d", get_extension_code (item));
  }
}

gboolean
tractor__unpacker_refuse (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  g_autofree char *expected = g_variant_type_dup_string (type);
  g_autofree char *came = describe (item);

  unpacker->fault = g_strdup_printf ("expected '%s', got %s", expected, came);
  return FALSE;
}

gboolean
tractor__unpacker_note_place (Unpacker *unpacker, char *outer)
{
  char *inner = unpacker->place;

  unpacker->place = g_strconcat (outer, inner, NULL);
  g_free (inner);
  g_free (outer);
  return FALSE;
}
