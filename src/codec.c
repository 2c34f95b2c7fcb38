/* codec.c - payloads: GVariant to msgpack and back. The only file that includes msgpack-c.
 *
 * To msgpack: integers of any width, d, s, ay (as bytes), other arrays and tuples (as arrays),
 * dictionaries (as maps), v (what is inside), m (what is inside, or nil).
 * From msgpack: see tractor-actor.h. Both directions recurse, bounded by LIMIT_DEPTH: on the way
 * in by the check, on the way out here. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec.h"

#include <msgpack.h>

#include "bounds.h"
#include "tractor-error.h"

/* --- to msgpack -------------------------------------------------------------------------------- */

static int
write_to_buffer (void *data, const char *bytes, size_t length)
{
  wire_append (data, bytes, length);
  return 0;
}

/* What the message around a payload has of its own. */
#define ENVELOPE_ELEMENTS 64

typedef struct {
  msgpack_packer packer;
  guint n_elements;
} Packer;

static gboolean pack (Packer *packer, GVariant *value, guint depth, GError **error);

static gboolean
pack_children (Packer *packer, GVariant *value, guint depth, GError **error)
{
  gsize n_children = g_variant_n_children (value);

  for (gsize i = 0; i < n_children; i++) {
    g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

    if (!pack (packer, child, depth, error))
      return FALSE;
  }
  return TRUE;
}

static void
pack_string (Packer *packer, GVariant *value)
{
  gsize length;
  const char *string = g_variant_get_string (value, &length);

  msgpack_pack_str_with_body (&packer->packer, string, length);
}

static gboolean
pack_array (Packer *packer, GVariant *value, guint depth, GError **error)
{
  gsize length;

  if (g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING)) {
    const void *bytes = g_variant_get_fixed_array (value, &length, 1);

    msgpack_pack_bin_with_body (&packer->packer, bytes, length);
    return TRUE;
  }

  length = g_variant_n_children (value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_DICTIONARY))
    msgpack_pack_map (&packer->packer, length);
  else
    msgpack_pack_array (&packer->packer, length);
  return pack_children (packer, value, depth + 1, error);
}

static gboolean
pack_maybe (Packer *packer, GVariant *value, guint depth, GError **error)
{
  if (g_variant_n_children (value) > 0)
    return pack_children (packer, value, depth, error);
  msgpack_pack_nil (&packer->packer);
  return TRUE;
}

/* What has no msgpack of its own, but for what is inside. */
static gboolean
is_only_a_wrapper (GVariant *value)
{
  GVariantClass class = g_variant_classify (value);

  return class == G_VARIANT_CLASS_VARIANT || class == G_VARIANT_CLASS_DICT_ENTRY ||
         class == G_VARIANT_CLASS_MAYBE;
}

static gboolean
pack (Packer *packer, GVariant *value, guint depth, GError **error)
{
  if (depth > LIMIT_DEPTH - 2) { /* the envelope around it is two deep */
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value nested more than %d deep cannot be sent", LIMIT_DEPTH - 2);
    return FALSE;
  }

  if (!is_only_a_wrapper (value) && ++packer->n_elements > LIMIT_ELEMENTS - ENVELOPE_ELEMENTS) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value of more than %d elements cannot be sent",
                 LIMIT_ELEMENTS - ENVELOPE_ELEMENTS);
    return FALSE;
  }

  switch (g_variant_classify (value)) {
  case G_VARIANT_CLASS_BOOLEAN:
    if (g_variant_get_boolean (value))
      msgpack_pack_true (&packer->packer);
    else
      msgpack_pack_false (&packer->packer);
    return TRUE;
  case G_VARIANT_CLASS_BYTE:
    msgpack_pack_uint8 (&packer->packer, g_variant_get_byte (value));
    return TRUE;
  case G_VARIANT_CLASS_INT16:
    msgpack_pack_int16 (&packer->packer, g_variant_get_int16 (value));
    return TRUE;
  case G_VARIANT_CLASS_UINT16:
    msgpack_pack_uint16 (&packer->packer, g_variant_get_uint16 (value));
    return TRUE;
  case G_VARIANT_CLASS_INT32:
    msgpack_pack_int32 (&packer->packer, g_variant_get_int32 (value));
    return TRUE;
  case G_VARIANT_CLASS_UINT32:
    msgpack_pack_uint32 (&packer->packer, g_variant_get_uint32 (value));
    return TRUE;
  case G_VARIANT_CLASS_INT64:
    msgpack_pack_int64 (&packer->packer, g_variant_get_int64 (value));
    return TRUE;
  case G_VARIANT_CLASS_UINT64:
    msgpack_pack_uint64 (&packer->packer, g_variant_get_uint64 (value));
    return TRUE;
  case G_VARIANT_CLASS_DOUBLE:
    msgpack_pack_double (&packer->packer, g_variant_get_double (value));
    return TRUE;
  case G_VARIANT_CLASS_STRING:
  case G_VARIANT_CLASS_OBJECT_PATH:
  case G_VARIANT_CLASS_SIGNATURE:
    pack_string (packer, value);
    return TRUE;
  case G_VARIANT_CLASS_VARIANT:
  case G_VARIANT_CLASS_DICT_ENTRY:
    return pack_children (packer, value, depth, error);
  case G_VARIANT_CLASS_MAYBE:
    return pack_maybe (packer, value, depth, error);
  case G_VARIANT_CLASS_ARRAY:
    return pack_array (packer, value, depth, error);
  case G_VARIANT_CLASS_TUPLE:
    msgpack_pack_array (&packer->packer, g_variant_n_children (value));
    return pack_children (packer, value, depth + 1, error);
  case G_VARIANT_CLASS_HANDLE:
  default:
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value of type '%s' cannot be sent", g_variant_get_type_string (value));
    return FALSE;
  }
}

gboolean
tractor__codec_pack (WireBuffer *buffer, GVariant *value, GError **error)
{
  guint length_before = buffer->len;
  Packer packer = { .n_elements = 0 };

  if (value == NULL) {
    wire_write_nil (buffer);
    return TRUE;
  }

  msgpack_packer_init (&packer.packer, buffer, write_to_buffer);
  if (pack (&packer, value, 1, error))
    return TRUE;
  g_byte_array_set_size (buffer, length_before);
  return FALSE;
}

/* --- from msgpack ------------------------------------------------------------------------------ */

#define COMPACT_BYTES 4096

static GVariant *unpack (const msgpack_object *object);

/* (transfer floating) */
static GVariant *
unpack_bytes (const void *bytes, gsize length)
{
  return g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, length, 1);
}

/* msgpack-c has no pointer to the bytes of an empty string. */
static gboolean
has_nul (const msgpack_object_str *string)
{
  return string->size > 0 && memchr (string->ptr, '\0', string->size) != NULL;
}

static GVariant *
unpack_string (const msgpack_object_str *string)
{
  /* A GVariant string has no room for a NUL; as bytes it gets through whole. */
  if (has_nul (string))
    return unpack_bytes (string->ptr, string->size);
  if (string->size == 0)
    return g_variant_new_string ("");
  return g_variant_new_take_string (g_strndup (string->ptr, string->size));
}

static GVariant *
unpack_array (const msgpack_object_array *array)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
  for (guint32 i = 0; i < array->size; i++)
    g_variant_builder_add (&builder, "v", unpack (&array->ptr[i]));
  return g_variant_builder_end (&builder);
}

typedef enum {
  KEYS_MIXED,
  KEYS_STRINGS,
  KEYS_INTEGERS
} Keys;

static Keys
get_key_type (const msgpack_object *key)
{
  if (key->type == MSGPACK_OBJECT_STR && !has_nul (&key->via.str))
    return KEYS_STRINGS;
  if (key->type == MSGPACK_OBJECT_NEGATIVE_INTEGER ||
      (key->type == MSGPACK_OBJECT_POSITIVE_INTEGER && key->via.u64 <= G_MAXINT64))
    return KEYS_INTEGERS;
  return KEYS_MIXED;
}

static Keys
get_common_key_type (const msgpack_object_map *map)
{
  Keys keys = map->size > 0 ? get_key_type (&map->ptr[0].key) : KEYS_STRINGS;

  for (guint32 i = 1; i < map->size; i++)
    if (get_key_type (&map->ptr[i].key) != keys)
      return KEYS_MIXED;
  return keys;
}

static GVariant *
unpack_map (const msgpack_object_map *map)
{
  static const char *const types[] = {
    [KEYS_MIXED] = "a(vv)", [KEYS_STRINGS] = "a{sv}", [KEYS_INTEGERS] = "a{xv}"
  };
  Keys keys = get_common_key_type (map);
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE (types[keys]));
  for (guint32 i = 0; i < map->size; i++) {
    GVariant *key = unpack (&map->ptr[i].key);
    GVariant *value = g_variant_new_variant (unpack (&map->ptr[i].val));

    if (keys == KEYS_MIXED)
      g_variant_builder_add (&builder, "(v@v)", key, value);
    else
      g_variant_builder_add_value (&builder, g_variant_new_dict_entry (key, value));
  }
  return g_variant_builder_end (&builder);
}

/* (transfer floating) */
static GVariant *
unpack (const msgpack_object *object)
{
  switch (object->type) {
  case MSGPACK_OBJECT_BOOLEAN:
    return g_variant_new_boolean (object->via.boolean);
  case MSGPACK_OBJECT_POSITIVE_INTEGER:
    if (object->via.u64 > G_MAXINT64)
      return g_variant_new_uint64 (object->via.u64);
    return g_variant_new_int64 ((gint64) object->via.u64);
  case MSGPACK_OBJECT_NEGATIVE_INTEGER:
    return g_variant_new_int64 (object->via.i64);
  case MSGPACK_OBJECT_FLOAT32:
  case MSGPACK_OBJECT_FLOAT64:
    return g_variant_new_double (object->via.f64);
  case MSGPACK_OBJECT_STR:
    return unpack_string (&object->via.str);
  case MSGPACK_OBJECT_BIN:
    return unpack_bytes (object->via.bin.ptr, object->via.bin.size);
  case MSGPACK_OBJECT_ARRAY:
    return unpack_array (&object->via.array);
  case MSGPACK_OBJECT_MAP:
    return unpack_map (&object->via.map);
  case MSGPACK_OBJECT_EXT:
    return g_variant_new ("(n@ay)", (gint16) object->via.ext.type,
                          unpack_bytes (object->via.ext.ptr, object->via.ext.size));
  case MSGPACK_OBJECT_NIL:
  default:
    return g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL);
  }
}

static gboolean
unpack_whole (WireValue value, msgpack_unpacked *unpacked, GError **error)
{
  size_t offset = 0;

  if (msgpack_unpack_next (unpacked, (const char *) value.bytes, value.length, &offset) ==
      MSGPACK_UNPACK_SUCCESS)
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                       "A payload could not be decoded");
  return FALSE;
}

gboolean
tractor__codec_unpack (WireValue value, GVariant **ret_value, GError **error)
{
  msgpack_unpacked unpacked;
  gboolean ok;

  msgpack_unpacked_init (&unpacked);
  ok = unpack_whole (value, &unpacked, error);
  if (ok) {
    *ret_value = unpacked.data.type == MSGPACK_OBJECT_NIL
                     ? NULL
                     : g_variant_ref_sink (unpack (&unpacked.data));
    /* A large tree of small values is kept as one block: that is a twentieth of its memory. */
    if (*ret_value != NULL && value.length > COMPACT_BYTES)
      g_variant_get_data (*ret_value);
  }
  msgpack_unpacked_destroy (&unpacked);
  return ok;
}

gboolean
tractor__codec_unpack_kwargs (WireValue value, GVariant **ret_kwargs, GError **error)
{
  g_autoptr (GVariant) kwargs = NULL;

  if (value.length == 1 && value.bytes[0] == 0x80) { /* none */
    *ret_kwargs = g_variant_ref_sink (g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0));
    return TRUE;
  }
  if (!tractor__codec_unpack (value, &kwargs, error))
    return FALSE;
  if (kwargs == NULL || !g_variant_is_of_type (kwargs, G_VARIANT_TYPE_VARDICT)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                         "Keyword arguments must be a map with string keys");
    return FALSE;
  }
  *ret_kwargs = g_steal_pointer (&kwargs);
  return TRUE;
}
