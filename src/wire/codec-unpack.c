/* codec-unpack.c - payloads: msgpack to GVariant.
 *
 * By ourselves, straight from the bytes: msgpack-c would first build a tree of its own. And straight to
 * bytes (serial.c), without a GVariant for each element, since it is the peer who says how many there
 * are. What a value becomes is decided by two things: the kind that came and the type that is expected.
 * '*' expects nothing, and gives what tractor-actor.h says; every other type gives exactly itself, or a
 * fault that says where.
 *
 * Only what is definite can be written at once (codec-unpack-write.c): of "(*s)" it is known where the string
 * goes when the first member is there. Such types are the program's own, and short: the value is made of
 * GVariants then, here, each of what is definite in it.
 *
 * Many small values take a while, and so does a long one; who is to wait for that is not the peer's choice.
 * Where that is possible, others have a turn after every few of them, and after each part of it.
 *
 * All recurse, bounded by LIMIT_DEPTH: by the check that comes before. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec-unpack.h"

#include "kept-types.h"

/* --- what is not definite --- */

/* An indefinite type has no nothing: the plainest that is of it stands in. */
static GVariant *
new_nothing (const GVariantType *type)
{
  g_autofree char *text = g_variant_type_dup_string (type);
  g_auto (GStrv) parts = NULL;
  g_autofree char *definite = NULL;

  if (g_variant_type_is_definite (type))
    return g_variant_new_maybe (type, NULL);
  g_strdelimit (g_strdelimit (text, "*", 'v'), "?", 's');
  parts = g_strsplit (text, "r", -1);
  definite = g_strjoinv ("()", parts);
  return g_variant_new_maybe (G_VARIANT_TYPE (definite), NULL);
}

static GVariant *unpack_item (Unpacker *unpacker, const WireItem *item, const GVariantType *type);
static GVariant *unpack_value (Unpacker *unpacker, const GVariantType *type);

static GVariant *
unpack_tuple (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  const GVariantType *member_type = g_variant_type_first (type);
  g_autoptr (GPtrArray) members = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);

  if (item->type != WIRE_ARRAY || item->length != g_variant_type_n_items (type)) {
    tractor__unpacker_refuse (unpacker, item, type);
    return NULL;
  }
  for (guint32 i = 0; i < item->length; i++) {
    GVariant *member = unpack_value (unpacker, member_type);

    if (member == NULL) {
      tractor__unpacker_note_place (unpacker, g_strdup_printf ("[%u]", i));
      return NULL;
    }
    g_ptr_array_add (members, g_variant_ref_sink (member));
    member_type = g_variant_type_next (member_type);
  }
  return g_variant_new_tuple ((GVariant **) members->pdata, members->len);
}

static GVariant *
unpack_maybe (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  const GVariantType *inner_type = g_variant_type_element (type);
  GVariant *inner;

  if (item->type == WIRE_NIL)
    return new_nothing (inner_type);
  inner = unpack_item (unpacker, item, inner_type);
  return inner != NULL ? g_variant_new_maybe (NULL, inner) : NULL;
}

/* Returns: (transfer floating) */
static GVariant *
unpack_item (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  char kind = get_kind (type);

  if ((kind != '(' && kind != 'm') || g_variant_type_is_definite (type))
    return tractor__unpacker_make_at_once (unpacker, item, type);
  if (kind == 'm')
    return unpack_maybe (unpacker, item, type);
  if (item->type == WIRE_EXTENSION)
    return tractor__unpacker_make_at_once (unpacker, item, type);
  return unpack_tuple (unpacker, item, type);
}

static GVariant *
unpack_value (Unpacker *unpacker, const GVariantType *type)
{
  WireItem item;

  return unpacker_read_item (unpacker, &item) ? unpack_item (unpacker, &item, type) : NULL;
}

/* --- the whole --- */

static void
fail (Unpacker *unpacker, GError **error)
{
  if (unpacker->place == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, unpacker->code, unpacker->fault);
  else
    g_set_error (error, TRACTOR_ERROR, unpacker->code, "at %s: %s", unpacker->place,
                 unpacker->fault);
  tractor__value_fds_clear (&unpacker->value_fds);
}

gboolean
tractor__codec_unpack_as (WireValue value,
                          PassedFds *fds,
                          const GVariantType *type,
                          UnpackPace pace,
                          GVariant **ret_value,
                          GError **error)
{
  g_auto (Unpacker) unpacker = { .reader = wire_reader (value),
                                 .whole = wire_reader (value),
                                 .fds = fds,
                                 .pace = pace,
                                 .n_until_turn =
                                     pace == UNPACK_IN_TURNS ? VALUES_A_TURN : G_MAXUINT,
                                 .code = TRACTOR_ERROR_MSG_TYPE };
  GVariant *unpacked;

  if (type == NULL)
    type = G_VARIANT_TYPE_ANY;
  if (value.length == 1 && value.bytes[0] == 0xc0 && get_kind (type) == '*') { /* nil */
    *ret_value = NULL;
    return TRUE;
  }
  unpacked = unpack_value (&unpacker, type);
  if (unpacked == NULL) {
    fail (&unpacker, error);
    return FALSE;
  }
  *ret_value = tractor__value_fds_attach (&unpacker.value_fds, g_variant_ref_sink (unpacked));
  return TRUE;
}

gboolean
tractor__codec_unpack (WireValue value, GVariant **ret_value, GError **error)
{
  return tractor__codec_unpack_as (value, NULL, NULL, UNPACK_AT_ONCE, ret_value, error);
}

gboolean
tractor__codec_unpack_kwargs (
    WireValue value, PassedFds *fds, UnpackPace pace, GVariant **ret_kwargs, GError **error)
{
  if (value.length == 1 && value.bytes[0] == 0x80) {
    *ret_kwargs = tractor__ref_no_kwargs ();
    return TRUE;
  }
  if (tractor__codec_unpack_as (value, fds, G_VARIANT_TYPE_VARDICT, pace, ret_kwargs, error))
    return TRUE;
  g_prefix_error (error, "Keyword arguments, which are a map with string keys: ");
  return FALSE;
}
