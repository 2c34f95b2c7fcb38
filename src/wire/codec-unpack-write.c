/* codec-unpack-write.c - one value of a payload, written where it goes in the bytes of the whole.
 *
 * Of the type that it has by itself, as tractor-actor.h says, or of the one that is expected: then it comes
 * out as exactly that, or is a fault. That type is definite. The two are one file, since they are in one
 * another's containers: what is expected of a member may be a variant, and what is in that is as it is by
 * itself. Both recurse, bounded by LIMIT_DEPTH: by the check that comes before. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec-unpack.h"

#include "value.h"

static gboolean write_value (Unpacker *unpacker, const GVariantType *type);
static gboolean write_item (Unpacker *unpacker, const WireItem *item, const GVariantType *type);

/* --- containers --- */

/* @type: of an element. */
static gboolean
write_array (Unpacker *unpacker, const GVariantType *type, guint32 n)
{
  Serial *serial = unpacker->serial;
  SerialLayout layout = tractor__serial_get_layout (type);
  SerialContainer container = serial_open (serial);

  tractor__serial_reserve (serial, layout, n);
  for (guint32 i = 0; i < n; i++) {
    serial_align (serial, layout.alignment);
    if (!write_value (unpacker, type))
      return tractor__unpacker_note_place (unpacker, g_strdup_printf ("[%u]", i));
    if (layout.size == 0)
      serial_note_end (serial, container);
  }
  tractor__serial_close_array (serial, container);
  return TRUE;
}

/* @key: where it is to be read. They are the peer's: only short ones are worth showing. */
G_GNUC_NO_INLINE static char * /* it takes stack that is seldom needed */
name_pair (WireReader key, const GVariantType *type, guint32 index)
{
  g_auto (Unpacker) unpacker = { .reader = key, .whole = key, .n_until_turn = G_MAXUINT };
  g_autoptr (GVariant) value = NULL;
  g_autofree char *text = NULL;
  WireItem item;

  if (unpacker_read_item (&unpacker, &item))
    value = tractor__unpacker_make_at_once (
        &unpacker, &item, g_variant_type_is_basic (type) ? type : G_VARIANT_TYPE_ANY);
  if (value != NULL)
    g_variant_ref_sink (value);
  if (value == NULL || g_variant_get_size (value) > 64)
    return g_strdup_printf ("[pair %u]", index);
  text = g_variant_print (value, FALSE);
  return g_strdup_printf ("[%s]", text);
}

/* What is the same of all pairs of a dictionary. */
typedef struct {
  const GVariantType *key_type;
  const GVariantType *value_type;
  SerialLayout layout;
  SerialLayout key_layout;
  SerialLayout value_layout;
} PairSpec;

static gboolean
write_pair (Unpacker *unpacker, const PairSpec *spec, guint32 index)
{
  Serial *serial = unpacker->serial;
  SerialContainer pair = serial_open (serial);
  WireReader key = unpacker->reader;

  if (!write_value (unpacker, spec->key_type))
    return tractor__unpacker_note_place (unpacker, g_strdup_printf ("[key %u]", index));
  if (spec->key_layout.size == 0)
    serial_note_end (serial, pair);
  serial_align (serial, spec->value_layout.alignment);
  if (!write_value (unpacker, spec->value_type))
    return tractor__unpacker_note_place (unpacker, name_pair (key, spec->key_type, index));
  if (spec->value_layout.size == 0)
    serial_note_end (serial, pair);
  tractor__serial_close_tuple (serial, pair, spec->layout, spec->value_layout.size > 0);
  return TRUE;
}

/* @type: of an entry, or a tuple of two in its place. */
static gboolean
write_pairs (Unpacker *unpacker, const GVariantType *type, guint32 n)
{
  const GVariantType *key_type = g_variant_type_first (type);
  const GVariantType *value_type = g_variant_type_next (key_type);
  PairSpec spec = { .key_type = key_type, .value_type = value_type };
  SerialContainer container = serial_open (unpacker->serial);

  if (n == 0)
    return TRUE;
  spec.layout = tractor__serial_get_layout (type);
  spec.key_layout = tractor__serial_get_layout (key_type);
  spec.value_layout = tractor__serial_get_layout (value_type);
  tractor__serial_reserve (unpacker->serial, spec.layout, n);
  for (guint32 i = 0; i < n; i++) {
    serial_align (unpacker->serial, spec.layout.alignment);
    if (!write_pair (unpacker, &spec, i))
      return FALSE;
    if (spec.layout.size == 0)
      serial_note_end (unpacker->serial, container);
  }
  tractor__serial_close_array (unpacker->serial, container);
  return TRUE;
}

/* --- of the type that it has by itself --- */

static const char *
write_map (Unpacker *unpacker, const WireItem *item)
{
  const char *type = item->length > 0 ? tractor__unpacker_get_map_type (unpacker) : "a{sv}";

  return write_pairs (unpacker, G_VARIANT_TYPE (type + 1), item->length) ? type : NULL;
}

/* What has been written so far is aligned as strictly as may be. Returns: (transfer none) (nullable): of
 * which type it is, until the next is written. */
static const char *
write_by_itself (Unpacker *unpacker, const WireItem *item)
{
  Serial *serial = unpacker->serial;

  switch (item->type) {
  case WIRE_BOOLEAN:
    *serial_extend (serial, 1) = item->integer != 0;
    return "b";
  case WIRE_INTEGER:
    serial_append (serial, &item->integer, sizeof item->integer);
    return "x";
  case WIRE_UNSIGNED:
    serial_append (serial, &item->integer, sizeof item->integer);
    return "t";
  case WIRE_DOUBLE:
    serial_append (serial, &item->integer, sizeof item->integer);
    return "d";
  case WIRE_STRING:
    if (has_nul (item)) { /* a GVariant string has no room for it; as bytes it gets through whole */
      unpacker_write_bytes (unpacker, item);
      return "ay";
    }
    unpacker_write_string (unpacker, item);
    return "s";
  case WIRE_BINARY:
    unpacker_write_bytes (unpacker, item);
    return "ay";
  case WIRE_ARRAY:
    return write_array (unpacker, G_VARIANT_TYPE_VARIANT, item->length) ? "av" : NULL;
  case WIRE_MAP:
    return write_map (unpacker, item);
  case WIRE_EXTENSION:
    return tractor__unpacker_write_extension (unpacker, item, G_VARIANT_TYPE_ANY);
  case WIRE_NIL:
  default:
    return "mv";
  }
}

static gboolean
write_boxed (Unpacker *unpacker, const WireItem *item)
{
  Serial *serial = unpacker->serial;
  const char *type = write_by_itself (unpacker, item);

  if (type == NULL)
    return FALSE;
  *serial_extend (serial, 1) = '\0';
  if (type[1] == '\0')
    *serial_extend (serial, 1) = (guint8) type[0];
  else
    serial_append (serial, type, strlen (type));
  return TRUE;
}

/* --- of the type that is expected --- */

/* It has one type by itself; that is the one, or it is the wrong value. (nullable) */
static const char *
write_matching (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  const char *own_type;

  if (item->type == WIRE_EXTENSION)
    return tractor__unpacker_write_extension (unpacker, item, type);
  own_type = write_by_itself (unpacker, item);
  if (own_type != NULL && get_kind (type) != '*' &&
      !g_variant_type_is_subtype_of (G_VARIANT_TYPE (own_type), type)) {
    tractor__unpacker_refuse (unpacker, item, type);
    return NULL;
  }
  return own_type;
}

static void
write_double (Serial *serial, double value)
{
  serial_append (serial, &value, sizeof value);
}

static double
get_double (const WireItem *item)
{
  double value;

  memcpy (&value, &item->integer, sizeof value);
  return value;
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

static gboolean
write_integer (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  Serial *serial = unpacker->serial;
  char kind = get_kind (type);

  if (!(item->type == WIRE_UNSIGNED && kind == 't') &&
      (item->type != WIRE_INTEGER || !is_in_range (item->integer, kind)))
    return tractor__unpacker_refuse (unpacker, item, type);

  switch (kind) {
  case 'y':
    *serial_extend (serial, 1) = (guint8) item->integer;
    return TRUE;
  case 'n':
  case 'q':
    serial_append (serial, &(guint16){ (guint16) item->integer }, 2);
    return TRUE;
  case 'i':
  case 'u':
    serial_append (serial, &(guint32){ (guint32) item->integer }, 4);
    return TRUE;
  default:
    serial_append (serial, &item->integer, 8);
    return TRUE;
  }
}

/* Python says 1 where it means 1.0. */
static gboolean
write_number (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  switch ((int) item->type) {
  case WIRE_DOUBLE:
    write_double (unpacker->serial, get_double (item));
    return TRUE;
  case WIRE_INTEGER:
    write_double (unpacker->serial, (double) item->integer);
    return TRUE;
  case WIRE_UNSIGNED:
    write_double (unpacker->serial, (double) (guint64) item->integer);
    return TRUE;
  default:
    return tractor__unpacker_refuse (unpacker, item, type);
  }
}

static gboolean
write_text (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  Serial *serial = unpacker->serial;
  gsize start = serial->length;
  char kind = get_kind (type);
  const char *text;

  if (item->type != WIRE_STRING || has_nul (item))
    return tractor__unpacker_refuse (unpacker, item, type);
  unpacker_write_string (unpacker, item);
  text = (const char *) serial->data + start;
  if ((kind == 'o' && !g_variant_is_object_path (text)) ||
      (kind == 'g' && !g_variant_is_signature (text)))
    return tractor__unpacker_refuse (unpacker, item, type);
  return TRUE;
}

static gboolean
write_array_as (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  const GVariantType *element_type = g_variant_type_element (type);
  gboolean is_dictionary = g_variant_type_is_dict_entry (element_type);

  if (item->type == WIRE_BINARY && get_kind (element_type) == 'y') {
    unpacker_write_bytes (unpacker, item);
    return TRUE;
  }
  if (item->type == WIRE_MAP && is_dictionary)
    return write_pairs (unpacker, element_type, item->length);
  if (item->type == WIRE_ARRAY && !is_dictionary)
    return write_array (unpacker, element_type, item->length);
  return tractor__unpacker_refuse (unpacker, item, type);
}

static gboolean
write_tuple (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  Serial *serial = unpacker->serial;
  const GVariantType *member = g_variant_type_first (type);
  SerialContainer tuple = serial_open (serial);
  SerialLayout layout = { 1, 1 };

  if (item->type != WIRE_ARRAY || item->length != g_variant_type_n_items (type))
    return tractor__unpacker_refuse (unpacker, item, type);
  for (guint32 i = 0; i < item->length; i++) {
    layout = tractor__serial_get_layout (member);
    serial_align (serial, layout.alignment);
    if (!write_value (unpacker, member))
      return tractor__unpacker_note_place (unpacker, g_strdup_printf ("[%u]", i));
    if (layout.size == 0)
      serial_note_end (serial, tuple);
    member = g_variant_type_next (member);
  }
  tractor__serial_close_tuple (serial, tuple, tractor__serial_get_layout (type), layout.size > 0);
  return TRUE;
}

static gboolean
write_maybe (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  const GVariantType *inner = g_variant_type_element (type);

  if (item->type == WIRE_NIL)
    return TRUE;
  if (!write_item (unpacker, item, inner))
    return FALSE;
  if (tractor__serial_get_layout (inner).size == 0)
    *serial_extend (unpacker->serial, 1) = '\0';
  return TRUE;
}

/* Who expects "(nay)" wants the bytes, whatever else is made of them elsewhere. */
static gboolean
write_extension_as (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  if (!g_variant_type_equal (type, EXTENSION_TYPE) || is_fd (item))
    return write_matching (unpacker, item, type) != NULL;
  unpacker_write_raw_extension (unpacker, item);
  return TRUE;
}

/* @type: definite; what has been written so far is aligned for it. */
static gboolean
write_item (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  char kind = get_kind (type);

  if (kind == 'v')
    return write_boxed (unpacker, item);
  if (kind == 'm')
    return write_maybe (unpacker, item, type);
  if (item->type == WIRE_EXTENSION)
    return write_extension_as (unpacker, item, type);

  switch (kind) {
  case 'y':
  case 'n':
  case 'q':
  case 'i':
  case 'u':
  case 'x':
  case 't':
    return write_integer (unpacker, item, type);
  case 'd':
    return write_number (unpacker, item, type);
  case 's':
  case 'o':
  case 'g':
    return write_text (unpacker, item, type);
  case 'a':
    return write_array_as (unpacker, item, type);
  case '(':
    return write_tuple (unpacker, item, type);
  default: /* b; and h, which nothing is */
    return write_matching (unpacker, item, type) != NULL;
  }
}

static gboolean
write_value (Unpacker *unpacker, const GVariantType *type)
{
  WireItem item;

  return unpacker_read_item (unpacker, &item) && write_item (unpacker, &item, type);
}

/* --- the whole --- */

GVariant *
tractor__unpacker_make_at_once (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  Serial serial;
  const char *own_type = NULL;

  tractor__serial_init (&serial);
  unpacker->serial = &serial;
  if (get_kind (type) == '*' || !g_variant_type_is_definite (type))
    own_type = write_matching (unpacker, item, type);
  else if (write_item (unpacker, item, type))
    return tractor__serial_take (&serial, type);
  if (own_type != NULL)
    return tractor__serial_take (&serial, G_VARIANT_TYPE (own_type));
  tractor__serial_clear (&serial);
  return NULL;
}
