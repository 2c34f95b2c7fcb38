/* codec.c - payloads: GVariant to msgpack and back. The only file that includes msgpack-c.
 *
 * To msgpack, by msgpack-c: integers of any width in their smallest form, d, s, ay (as bytes),
 * other arrays and tuples (as arrays), dictionaries (as maps), v (what is inside), m (what is
 * inside, or nil), and "(nay)" with a code that fits (as an extension; see tractor-value.h).
 * From msgpack, by ourselves, straight from the bytes: msgpack-c would first build a tree of its
 * own, which costs more than the GVariant does. What a value becomes is decided by two things: the
 * kind that came and the type that is expected. '*' expects nothing, and gives what
 * tractor-actor.h says; every other type gives exactly itself, or a fault that says where.
 *
 * Values under construction are floating until the container around them takes them; each is
 * dropped where its neighbour fails. Both directions recurse: on the way in bounded by LIMIT_DEPTH,
 * by the check; on the way out here, by that and by LIMIT_LEVELS. The bytes of a string or a binary are copied once. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec.h"

#include <msgpack.h>

#include "bounds.h"
#include "tractor-error.h"
#include "value-fd.h"
#include "value.h"

/* --- to msgpack -------------------------------------------------------------------------------- */

static int
write_to_buffer (void *data, const char *bytes, size_t length)
{
  if (length > 0) /* a GVariant without bytes has no place for them */
    wire_append (data, bytes, length);
  return 0;
}

/* What the message around a payload has of its own. */
#define ENVELOPE_ELEMENTS 64

typedef struct {
  msgpack_packer packer;
  guint n_elements;
  guint n_levels; /* around what is being packed */
  guint n_fds;
} Packer;

static gboolean pack (Packer *packer, GVariant *value, guint depth, GError **error);

static gboolean
pack_children (Packer *packer, GVariant *value, guint depth, GError **error)
{
  gsize n_children = g_variant_n_children (value);

  packer->n_levels++;
  for (gsize i = 0; i < n_children; i++) {
    g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

    if (!pack (packer, child, depth, error))
      return FALSE;
  }
  packer->n_levels--;
  return TRUE;
}

/* Before it is copied: the frame around it would be refused anyway, and msgpack's lengths have 32
 * bits. */
static gboolean
check_length (const Packer *packer, gsize length, GError **error)
{
  const WireBuffer *buffer = packer->packer.data;
  gsize limit = buffer->frame_limit != 0 ? buffer->frame_limit : LIMIT_FRAME_BYTES;

  if (length <= limit)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
               "A value of %" G_GSIZE_FORMAT " bytes cannot be sent: %" G_GSIZE_FORMAT
               " are allowed",
               length, limit);
  return FALSE;
}

static gboolean
pack_string (Packer *packer, GVariant *value, GError **error)
{
  gsize length;
  const char *string = g_variant_get_string (value, &length);

  if (!check_length (packer, length, error))
    return FALSE;
  msgpack_pack_str_with_body (&packer->packer, string, length);
  return TRUE;
}

static gboolean
pack_bytes (Packer *packer, GVariant *value, GError **error)
{
  gsize length;
  const void *bytes = g_variant_get_fixed_array (value, &length, 1);

  if (!check_length (packer, length, error))
    return FALSE;
  msgpack_pack_bin_with_body (&packer->packer, bytes, length);
  return TRUE;
}

static gboolean
pack_array (Packer *packer, GVariant *value, guint depth, GError **error)
{
  gsize length = g_variant_n_children (value);

  if (g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING))
    return pack_bytes (packer, value, error);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_DICTIONARY))
    msgpack_pack_map (&packer->packer, length);
  else
    msgpack_pack_array (&packer->packer, length);
  return pack_children (packer, value, depth + 1, error);
}

/* @mark: of this process's: one that has been received is taken first. */
static gboolean
pack_fd (Packer *packer, const guint8 *mark, GError **error)
{
  int fd = tractor__value_fd_get (mark);

  if (fd < 0) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                         "A descriptor that was received is to be taken before it is sent on");
    return FALSE;
  }
  if (++packer->n_fds > LIMIT_FDS_OF_MESSAGE) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A message of more than %d descriptors cannot be sent", LIMIT_FDS_OF_MESSAGE);
    return FALSE;
  }
  return tractor__fds_append (packer->packer.data, fd, error);
}

static gboolean
pack_extension (Packer *packer, gint16 code, GVariant *data, GError **error)
{
  gsize length;
  const void *bytes = g_variant_get_fixed_array (data, &length, 1);

  if (is_fd_extension (code, length))
    return pack_fd (packer, bytes, error);
  if (!check_length (packer, length, error))
    return FALSE;
  msgpack_pack_ext_with_body (&packer->packer, bytes, length, (int8_t) code);
  return TRUE;
}

static gboolean
pack_tuple (Packer *packer, GVariant *value, guint depth, GError **error)
{
  if (g_variant_is_of_type (value, EXTENSION_TYPE)) {
    g_autoptr (GVariant) data = NULL;
    gint16 code;

    g_variant_get (value, "(n@ay)", &code, &data);
    if (code >= G_MININT8 && code <= G_MAXINT8)
      return pack_extension (packer, code, data, error);
  }
  msgpack_pack_array (&packer->packer, g_variant_n_children (value));
  return pack_children (packer, value, depth + 1, error);
}

/* What has no msgpack of its own, but for what is inside. */
static gboolean
is_only_a_wrapper (GVariant *value)
{
  GVariantClass class = g_variant_classify (value);

  return class == G_VARIANT_CLASS_VARIANT || class == G_VARIANT_CLASS_DICT_ENTRY ||
         (class == G_VARIANT_CLASS_MAYBE && g_variant_n_children (value) > 0);
}

/* A peer would refuse the whole frame, and close the connection. */
static gboolean
check_limits (Packer *packer, GVariant *value, guint depth, GError **error)
{
  if (depth > LIMIT_DEPTH - 2) { /* the envelope around it is two deep */
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value nested more than %d deep cannot be sent", LIMIT_DEPTH - 2);
    return FALSE;
  }
  if (packer->n_levels > LIMIT_LEVELS) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value of variants nested more than %d deep cannot be sent", LIMIT_LEVELS);
    return FALSE;
  }
  if (!is_only_a_wrapper (value) && ++packer->n_elements > LIMIT_ELEMENTS - ENVELOPE_ELEMENTS) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value of more than %d elements cannot be sent",
                 LIMIT_ELEMENTS - ENVELOPE_ELEMENTS);
    return FALSE;
  }
  return TRUE;
}

static void
pack_integer (Packer *packer, GVariant *value, GVariantClass class)
{
  switch ((int) class) {
  case G_VARIANT_CLASS_BYTE:
    msgpack_pack_uint8 (&packer->packer, g_variant_get_byte (value));
    return;
  case G_VARIANT_CLASS_INT16:
    msgpack_pack_int16 (&packer->packer, g_variant_get_int16 (value));
    return;
  case G_VARIANT_CLASS_UINT16:
    msgpack_pack_uint16 (&packer->packer, g_variant_get_uint16 (value));
    return;
  case G_VARIANT_CLASS_INT32:
    msgpack_pack_int32 (&packer->packer, g_variant_get_int32 (value));
    return;
  case G_VARIANT_CLASS_UINT32:
    msgpack_pack_uint32 (&packer->packer, g_variant_get_uint32 (value));
    return;
  case G_VARIANT_CLASS_INT64:
    msgpack_pack_int64 (&packer->packer, g_variant_get_int64 (value));
    return;
  default:
    msgpack_pack_uint64 (&packer->packer, g_variant_get_uint64 (value));
    return;
  }
}

static gboolean
pack (Packer *packer, GVariant *value, guint depth, GError **error)
{
  GVariantClass class = g_variant_classify (value);

  if (!check_limits (packer, value, depth, error))
    return FALSE;

  switch (class) {
  case G_VARIANT_CLASS_BOOLEAN:
    if (g_variant_get_boolean (value))
      msgpack_pack_true (&packer->packer);
    else
      msgpack_pack_false (&packer->packer);
    return TRUE;
  case G_VARIANT_CLASS_BYTE:
  case G_VARIANT_CLASS_INT16:
  case G_VARIANT_CLASS_UINT16:
  case G_VARIANT_CLASS_INT32:
  case G_VARIANT_CLASS_UINT32:
  case G_VARIANT_CLASS_INT64:
  case G_VARIANT_CLASS_UINT64:
    pack_integer (packer, value, class);
    return TRUE;
  case G_VARIANT_CLASS_DOUBLE:
    msgpack_pack_double (&packer->packer, g_variant_get_double (value));
    return TRUE;
  case G_VARIANT_CLASS_STRING:
  case G_VARIANT_CLASS_OBJECT_PATH:
  case G_VARIANT_CLASS_SIGNATURE:
    return pack_string (packer, value, error);
  case G_VARIANT_CLASS_VARIANT:
  case G_VARIANT_CLASS_DICT_ENTRY:
    return pack_children (packer, value, depth, error);
  case G_VARIANT_CLASS_MAYBE:
    if (g_variant_n_children (value) > 0)
      return pack_children (packer, value, depth, error);
    msgpack_pack_nil (&packer->packer);
    return TRUE;
  case G_VARIANT_CLASS_ARRAY:
    return pack_array (packer, value, depth, error);
  case G_VARIANT_CLASS_TUPLE:
    return pack_tuple (packer, value, depth, error);
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
  wire_truncate (buffer, length_before);
  return FALSE;
}

/* --- from msgpack ------------------------------------------------------------------------------ */

typedef struct {
  WireReader reader;
  gsize n_elements;
  PassedFds *fds; /* (nullable): that came with it */
  ValueFds value_fds;
  TractorError code; /* MSG_TYPE, unless it is another */
  char *fault;       /* what is wrong */
  char *place;       /* and where: it grows at its front on the way out of the containers */
} Unpacker;

/* All that make a value: (transfer floating), or NULL with a fault. */
static GVariant *unpack (Unpacker *unpacker, const GVariantType *type);
static GVariant *unpack_item (Unpacker *unpacker, const WireItem *item, const GVariantType *type);

static char
get_kind (const GVariantType *type)
{
  return *g_variant_type_peek_string (type);
}

static gboolean
has_nul (const WireItem *string)
{
  return memchr (string->bytes, '\0', string->length) != NULL;
}

static gint8
get_extension_code (const WireItem *item)
{
  return (gint8) item->bytes[0];
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

static GVariant *
refuse (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  g_autofree char *expected = g_variant_type_dup_string (type);
  g_autofree char *came = describe (item);

  unpacker->fault = g_strdup_printf ("expected '%s', got %s", expected, came);
  return NULL;
}

/* @outer: (transfer full) */
static void
note_place (Unpacker *unpacker, char *outer)
{
  char *inner = unpacker->place;

  unpacker->place = g_strconcat (outer, inner, NULL);
  g_free (inner);
  g_free (outer);
}

/* Keys are the peer's: only short ones are worth showing. */
static char *
name_pair (GVariant *key, guint32 index)
{
  g_autofree char *text = NULL;

  if (key == NULL)
    return g_strdup_printf ("[key %u]", index);
  if (g_variant_get_size (key) > 64)
    return g_strdup_printf ("[pair %u]", index);
  text = g_variant_print (key, FALSE);
  return g_strdup_printf ("[%s]", text);
}

static void
drop (GVariant **values, gsize n)
{
  for (gsize i = 0; i < n; i++)
    g_variant_unref (values[i]);
}

/* --- one value, of the type that it has by itself --- */

static double
get_double (const WireItem *item)
{
  double value;

  memcpy (&value, &item->integer, sizeof value);
  return value;
}

/* The check has seen a string's UTF-8, so that GLib need not look at it again. */
static GVariant *
new_from_copy (const GVariantType *type, const WireItem *item, gsize n_bytes_after)
{
  gsize size = item->length + n_bytes_after;
  guint8 *copy = g_malloc (size + 1);

  memcpy (copy, item->bytes, item->length);
  copy[item->length] = '\0';
  return g_variant_new_from_data (type, copy, size, TRUE, g_free, copy);
}

static GVariant *
new_bytes (const WireItem *item)
{
  return new_from_copy (G_VARIANT_TYPE_BYTESTRING, item, 0);
}

/* @type: one of a string, and @item is right for it. */
static GVariant *
new_text (const GVariantType *type, const WireItem *item)
{
  return new_from_copy (type, item, 1);
}

/* A GVariant string has no room for a NUL; as bytes it gets through whole. */
static GVariant *
new_string_or_bytes (const WireItem *item)
{
  return has_nul (item) ? new_bytes (item) : new_text (G_VARIANT_TYPE_STRING, item);
}

static GVariant *
unpack_fd (Unpacker *unpacker, const WireItem *item)
{
  GVariant *value = tractor__value_fds_add (&unpacker->value_fds, unpacker->fds, item->bytes + 1);

  if (value == NULL) {
    unpacker->code = TRACTOR_ERROR_LIMIT;
    unpacker->fault =
        g_strdup ("this process had no room for a descriptor that came (RLIMIT_NOFILE)");
  }
  return value;
}

static gboolean
is_fd (const WireItem *item)
{
  return is_fd_extension (get_extension_code (item), item->length - 1);
}

static GVariant *
unpack_extension (Unpacker *unpacker, const WireItem *item)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  if (is_fd (item))
    return unpack_fd (unpacker, item);
  value =
      tractor__ext_unpack (get_extension_code (item), item->bytes + 1, item->length - 1, &error);
  if (value == NULL)
    unpacker->fault = g_strdup (error->message);
  return value;
}

/* --- containers --- */

/* Returns: (transfer container floating): @n values of one type. */
static GVariant **
unpack_elements (Unpacker *unpacker, const GVariantType *type, guint32 n)
{
  g_autofree GVariant **elements = g_new (GVariant *, MAX (n, 1));

  for (guint32 i = 0; i < n; i++) {
    elements[i] = unpack (unpacker, type);
    if (elements[i] == NULL) {
      note_place (unpacker, g_strdup_printf ("[%u]", i));
      drop (elements, i);
      return NULL;
    }
  }
  return g_steal_pointer (&elements);
}

static GVariant *
unpack_array (Unpacker *unpacker, const GVariantType *element_type, guint32 n)
{
  g_autofree GVariant **elements = unpack_elements (unpacker, element_type, n);

  return elements != NULL ? g_variant_new_array (element_type, elements, n) : NULL;
}

static GVariant *
unpack_tuple (Unpacker *unpacker, const GVariantType *type, guint32 n)
{
  const GVariantType *member_type = g_variant_type_first (type);
  g_autofree GVariant **members = g_new (GVariant *, MAX (n, 1));

  for (guint32 i = 0; i < n; i++) {
    members[i] = unpack (unpacker, member_type);
    if (members[i] == NULL) {
      note_place (unpacker, g_strdup_printf ("[%u]", i));
      drop (members, i);
      return NULL;
    }
    member_type = g_variant_type_next (member_type);
  }
  return g_variant_new_tuple (members, n);
}

/* Returns: (transfer container floating): @n keys, each followed by its value. */
static GVariant **
unpack_pairs (Unpacker *unpacker,
              const GVariantType *key_type,
              const GVariantType *value_type,
              guint32 n)
{
  g_autofree GVariant **pairs = g_new (GVariant *, MAX ((gsize) n * 2, 1));

  for (guint32 i = 0; i < n; i++) {
    GVariant **pair = pairs + (gsize) i * 2;

    pair[0] = unpack (unpacker, key_type);
    pair[1] = pair[0] != NULL ? unpack (unpacker, value_type) : NULL;
    if (pair[1] == NULL) {
      note_place (unpacker, name_pair (pair[0], i));
      drop (pairs, (gsize) i * 2 + (pair[0] != NULL ? 1 : 0));
      return NULL;
    }
  }
  return g_steal_pointer (&pairs);
}

/* @type: of an entry; "(vv)" boxes the keys. */
static GVariant *
new_dictionary (const GVariantType *type, GVariant **pairs, guint32 n)
{
  gboolean has_entries = g_variant_type_is_dict_entry (type);

  for (guint32 i = 0; i < n; i++) { /* in place: an entry is never beyond its pair */
    GVariant **pair = pairs + (gsize) i * 2;

    if (has_entries)
      pairs[i] = g_variant_new_dict_entry (pair[0], pair[1]);
    else
      pairs[i] =
          g_variant_new_tuple ((GVariant *[]){ g_variant_new_variant (pair[0]), pair[1] }, 2);
  }
  return g_variant_new_array (type, pairs, n);
}

static GVariant *
unpack_dictionary (Unpacker *unpacker, const GVariantType *entry_type, guint32 n)
{
  g_autofree GVariant **pairs = unpack_pairs (unpacker, g_variant_type_key (entry_type),
                                              g_variant_type_value (entry_type), n);

  return pairs != NULL ? new_dictionary (entry_type, pairs, n) : NULL;
}

static gboolean
have_all_keys (GVariant **pairs, guint32 n, const GVariantType *type)
{
  for (guint32 i = 0; i < n; i++)
    if (!g_variant_is_of_type (pairs[(gsize) i * 2], type))
      return FALSE;
  return TRUE;
}

static GVariant *
unpack_map (Unpacker *unpacker, guint32 n)
{
  g_autofree GVariant **pairs =
      unpack_pairs (unpacker, G_VARIANT_TYPE_ANY, G_VARIANT_TYPE_VARIANT, n);

  if (pairs == NULL)
    return NULL;
  if (have_all_keys (pairs, n, G_VARIANT_TYPE_STRING))
    return new_dictionary (G_VARIANT_TYPE ("{sv}"), pairs, n);
  if (have_all_keys (pairs, n, G_VARIANT_TYPE_INT64))
    return new_dictionary (G_VARIANT_TYPE ("{xv}"), pairs, n);
  return new_dictionary (G_VARIANT_TYPE ("(vv)"), pairs, n);
}

static GVariant *
unpack_free (Unpacker *unpacker, const WireItem *item)
{
  switch (item->type) {
  case WIRE_BOOLEAN:
    return g_variant_new_boolean (item->integer != 0);
  case WIRE_INTEGER:
    return g_variant_new_int64 (item->integer);
  case WIRE_UNSIGNED:
    return g_variant_new_uint64 ((guint64) item->integer);
  case WIRE_DOUBLE:
    return g_variant_new_double (get_double (item));
  case WIRE_STRING:
    return new_string_or_bytes (item);
  case WIRE_BINARY:
    return new_bytes (item);
  case WIRE_ARRAY:
    return unpack_array (unpacker, G_VARIANT_TYPE_VARIANT, item->length);
  case WIRE_MAP:
    return unpack_map (unpacker, item->length);
  case WIRE_EXTENSION:
    return unpack_extension (unpacker, item);
  case WIRE_NIL:
  default:
    return g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL);
  }
}

/* --- one value, of the type that is expected --- */

/* It has one type by itself; that is the one, or it is the wrong value. */
static GVariant *
unpack_matching (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  GVariant *value = unpack_free (unpacker, item);

  if (value == NULL || g_variant_is_of_type (value, type))
    return value;
  g_variant_unref (value);
  return refuse (unpacker, item, type);
}

static gboolean
is_in_range (gint64 integer, char kind)
{
  switch (kind) {
  case 'y':
    return integer >= 0 && integer <= G_MAXUINT8;
  case 'n':
    return integer >= G_MININT16 && integer <= G_MAXINT16;
  case 'q':
    return integer >= 0 && integer <= G_MAXUINT16;
  case 'i':
    return integer >= G_MININT32 && integer <= G_MAXINT32;
  case 'u':
    return integer >= 0 && integer <= G_MAXUINT32;
  case 't':
    return integer >= 0;
  default:
    return TRUE;
  }
}

static GVariant *
unpack_integer (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  char kind = get_kind (type);

  if (item->type == WIRE_UNSIGNED && kind == 't')
    return g_variant_new_uint64 ((guint64) item->integer);
  if (item->type != WIRE_INTEGER || !is_in_range (item->integer, kind))
    return refuse (unpacker, item, type);

  switch (kind) {
  case 'y':
    return g_variant_new_byte ((guint8) item->integer);
  case 'n':
    return g_variant_new_int16 ((gint16) item->integer);
  case 'q':
    return g_variant_new_uint16 ((guint16) item->integer);
  case 'i':
    return g_variant_new_int32 ((gint32) item->integer);
  case 'u':
    return g_variant_new_uint32 ((guint32) item->integer);
  case 't':
    return g_variant_new_uint64 ((guint64) item->integer);
  default:
    return g_variant_new_int64 (item->integer);
  }
}

/* Python says 1 where it means 1.0. */
static GVariant *
unpack_double (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  switch ((int) item->type) {
  case WIRE_DOUBLE:
    return g_variant_new_double (get_double (item));
  case WIRE_INTEGER:
    return g_variant_new_double ((double) item->integer);
  case WIRE_UNSIGNED:
    return g_variant_new_double ((double) (guint64) item->integer);
  default:
    return refuse (unpacker, item, type);
  }
}

static GVariant *
unpack_text (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  GVariant *value;
  const char *text;

  if (item->type != WIRE_STRING || has_nul (item))
    return refuse (unpacker, item, type);
  value = new_text (G_VARIANT_TYPE_STRING, item);
  if (get_kind (type) == 's')
    return value;

  text = g_variant_get_string (value, NULL);
  if (get_kind (type) == 'o' ? g_variant_is_object_path (text) : g_variant_is_signature (text)) {
    g_variant_unref (value);
    return new_text (type, item);
  }
  g_variant_unref (value);
  return refuse (unpacker, item, type);
}

static GVariant *
unpack_array_as (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  const GVariantType *element_type = g_variant_type_element (type);

  if (!g_variant_type_is_definite (type))
    return unpack_matching (unpacker, item, type);
  if (item->type == WIRE_BINARY && get_kind (element_type) == 'y')
    return new_bytes (item);
  if (item->type == WIRE_MAP && g_variant_type_is_dict_entry (element_type))
    return unpack_dictionary (unpacker, element_type, item->length);
  if (item->type == WIRE_ARRAY && !g_variant_type_is_dict_entry (element_type))
    return unpack_array (unpacker, element_type, item->length);
  return refuse (unpacker, item, type);
}

static GVariant *
unpack_tuple_as (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  if (item->type != WIRE_ARRAY || item->length != g_variant_type_n_items (type))
    return refuse (unpacker, item, type);
  return unpack_tuple (unpacker, type, item->length);
}

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

static GVariant *
unpack_maybe_as (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  GVariant *inner;

  if (item->type == WIRE_NIL)
    return new_nothing (g_variant_type_element (type));
  inner = unpack_item (unpacker, item, g_variant_type_element (type));
  return inner != NULL ? g_variant_new_maybe (NULL, inner) : NULL;
}

static GVariant *
unpack_boxed (Unpacker *unpacker, const WireItem *item)
{
  GVariant *inner = unpack_free (unpacker, item);

  return inner != NULL ? g_variant_new_variant (inner) : NULL;
}

/* Who expects "(nay)" wants the bytes, whatever else is made of them elsewhere. */
static GVariant *
unpack_extension_as (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  if (g_variant_type_equal (type, EXTENSION_TYPE) && !is_fd (item))
    return tractor__ext_new_raw (get_extension_code (item), item->bytes + 1, item->length - 1);
  return unpack_matching (unpacker, item, type);
}

static GVariant *
unpack_item (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  char kind = get_kind (type);

  if (kind == '*')
    return unpack_free (unpacker, item);
  if (kind == 'v')
    return unpack_boxed (unpacker, item);
  if (kind == 'm')
    return unpack_maybe_as (unpacker, item, type);
  if (item->type == WIRE_EXTENSION)
    return unpack_extension_as (unpacker, item, type);

  switch (kind) {
  case 'y':
  case 'n':
  case 'q':
  case 'i':
  case 'u':
  case 'x':
  case 't':
    return unpack_integer (unpacker, item, type);
  case 'd':
    return unpack_double (unpacker, item, type);
  case 's':
  case 'o':
  case 'g':
    return unpack_text (unpacker, item, type);
  case 'a':
    return unpack_array_as (unpacker, item, type);
  case '(':
    return unpack_tuple_as (unpacker, item, type);
  default: /* b ? r; and h, which nothing is */
    return unpack_matching (unpacker, item, type);
  }
}

static GVariant *
unpack (Unpacker *unpacker, const GVariantType *type)
{
  WireItem item;

  if (!tractor__wire_read (&unpacker->reader, &item)) {
    unpacker->fault = g_strdup ("cut short"); /* not after a check */
    return NULL;
  }
  unpacker->n_elements++;
  return unpack_item (unpacker, &item, type);
}

/* A tree of many small values takes twenty times the memory of one block. Large values stay as they
 * are: they would be copied once more. */
static void
compact (GVariant *value, gsize n_elements, gsize n_bytes)
{
  if (n_elements >= 256 && n_bytes / n_elements < 1024)
    g_variant_get_data (value);
}

static void
fail (Unpacker *unpacker, GError **error)
{
  if (unpacker->place == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, unpacker->code, unpacker->fault);
  else
    g_set_error (error, TRACTOR_ERROR, unpacker->code, "at %s: %s", unpacker->place,
                 unpacker->fault);
  tractor__value_fds_clear (&unpacker->value_fds);
  g_free (unpacker->fault);
  g_free (unpacker->place);
}

gboolean
tractor__codec_unpack_as (
    WireValue value, PassedFds *fds, const GVariantType *type, GVariant **ret_value, GError **error)
{
  Unpacker unpacker = { .reader = wire_reader (value), .fds = fds, .code = TRACTOR_ERROR_MSG_TYPE };
  GVariant *unpacked;

  if (type == NULL)
    type = G_VARIANT_TYPE_ANY;
  if (value.length == 1 && value.bytes[0] == 0xc0 && get_kind (type) == '*') { /* nil */
    *ret_value = NULL;
    return TRUE;
  }

  unpacked = unpack (&unpacker, type);
  if (unpacked == NULL) {
    fail (&unpacker, error);
    return FALSE;
  }
  *ret_value = g_variant_ref_sink (unpacked);
  compact (*ret_value, unpacker.n_elements, value.length);
  *ret_value = tractor__value_fds_attach (&unpacker.value_fds, *ret_value);
  return TRUE;
}

gboolean
tractor__codec_unpack (WireValue value, GVariant **ret_value, GError **error)
{
  return tractor__codec_unpack_as (value, NULL, NULL, ret_value, error);
}

/* (transfer full): one for all, since making it is a fifth of what a small call costs. */
static GVariant *
ref_no_kwargs (void)
{
  static gsize none;

  if (g_once_init_enter (&none))
    g_once_init_leave (
        &none, (gsize) g_variant_ref_sink (g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)));
  return g_variant_ref ((GVariant *) none);
}

gboolean
tractor__codec_unpack_kwargs (WireValue value,
                              PassedFds *fds,
                              GVariant **ret_kwargs,
                              GError **error)
{
  if (value.length == 1 && value.bytes[0] == 0x80) {
    *ret_kwargs = ref_no_kwargs ();
    return TRUE;
  }
  if (tractor__codec_unpack_as (value, fds, G_VARIANT_TYPE_VARDICT, ret_kwargs, error))
    return TRUE;
  g_prefix_error (error, "Keyword arguments, which are a map with string keys: ");
  return FALSE;
}

/* --- the check of a sender --------------------------------------------------------------------- */

/* Every definite type arrives as itself, but for what is inside a v, which the peer makes of it. */
static gboolean
arrives_as_it_is (GVariant *value, const GVariantType *type)
{
  return value != NULL && g_variant_is_of_type (value, type) && g_variant_type_is_definite (type) &&
         strpbrk (g_variant_get_type_string (value), "vh") == NULL;
}

gboolean
tractor__codec_check (GVariant *value, const GVariantType *type, GError **error)
{
  WireBuffer *buffer;
  g_autoptr (GVariant) arrived = NULL;
  gboolean ok;

  if (type == NULL || arrives_as_it_is (value, type))
    return TRUE;

  buffer = tractor__wire_buffer_new ();
  buffer->takes_fds = TRUE; /* whether they can be sent is found out then */
  ok = tractor__codec_pack (buffer, value, error) &&
       tractor__codec_unpack_as ((WireValue){ buffer->data, buffer->len }, NULL, type, &arrived,
                                 error);
  tractor__wire_buffer_free (buffer);
  return ok;
}
