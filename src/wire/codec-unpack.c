/* codec-unpack.c - payloads: msgpack to GVariant.
 *
 * By ourselves, straight from the bytes: msgpack-c would first build a tree of its own. And straight to
 * bytes (serial.c), without a GVariant for each element, since it is the peer who says how many there
 * are. What a value becomes is decided by two things: the kind that came and the type that is expected.
 * '*' expects nothing, and gives what tractor-actor.h says; every other type gives exactly itself, or a
 * fault that says where.
 *
 * Only what is definite can be written at once: of "(*s)" it is known where the string goes when the
 * first member is there. Such types are the program's own, and short: the value is made of GVariants
 * then, each of what is definite in it. So is what a function that the program has registered makes of
 * an extension: it is copied into the place where it belongs.
 *
 * Many small values take a while, and so does a long one; who is to wait for that is not the peer's choice.
 * Where that is possible, others have a turn after every few of them, and after each part of it.
 *
 * A map by itself is of the type that all its keys allow, so they are looked at before: those of all
 * maps at one go, since each would be gone over again for each map around it otherwise.
 *
 * All recurse, bounded by LIMIT_DEPTH: by the check that comes before. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec.h"

#include <string.h>

#include "bounds.h"
#include "serial.h"
#include "tractor-error.h"
#include "tractor-task.h"
#include "value-fd.h"
#include "value.h"

typedef struct {
  WireReader reader;
  Serial *serial;      /* what is being written */
  GVariant *extension; /* (nullable): the last that was made by a function of the program */
  WireReader whole;    /* at the beginning */
  GByteArray *maps;    /* (nullable): the keys of each map in it */
  guint n_maps;        /* that have been read */
  UnpackPace pace;
  guint n_until_turn; /* values, if it is in turns */
  PassedFds *fds;     /* (nullable): that came with it */
  ValueFds value_fds;
  TractorError code; /* MSG_TYPE, unless it is another */
  char *fault;       /* what is wrong */
  char *place;       /* and where: it grows at its front on the way out of the containers */
} Unpacker;

static void
unpacker_clear (Unpacker *unpacker)
{
  g_clear_pointer (&unpacker->extension, g_variant_unref);
  g_clear_pointer (&unpacker->maps, g_byte_array_unref);
  g_clear_pointer (&unpacker->fault, g_free);
  g_clear_pointer (&unpacker->place, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Unpacker, unpacker_clear)

/* All that write a value return FALSE, or NULL, with a fault; what has been written is of no use then. */
static gboolean write_value (Unpacker *unpacker, const GVariantType *type);
static gboolean write_item (Unpacker *unpacker, const WireItem *item, const GVariantType *type);
static GVariant *unpack_value (Unpacker *unpacker, const GVariantType *type);

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

static gboolean
is_fd (const WireItem *item)
{
  return is_fd_extension (get_extension_code (item), item->length - 1);
}

G_GNUC_NO_INLINE static void
take_turn (Unpacker *unpacker)
{
  tractor_cancel_shielded_checkpoint (NULL);
  unpacker->n_until_turn = VALUES_A_TURN;
}

static gboolean
read_item (Unpacker *unpacker, WireItem *item)
{
  if (tractor__wire_read (&unpacker->reader, item)) {
    unpacker->n_maps += item->type == WIRE_MAP;
    if (G_UNLIKELY (--unpacker->n_until_turn == 0))
      take_turn (unpacker);
    return TRUE;
  }
  unpacker->fault = g_strdup ("cut short"); /* not after a check */
  return FALSE;
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

/* Returns: FALSE */
static gboolean
refuse (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  g_autofree char *expected = g_variant_type_dup_string (type);
  g_autofree char *came = describe (item);

  unpacker->fault = g_strdup_printf ("expected '%s', got %s", expected, came);
  return FALSE;
}

/* @outer: (transfer full). Returns: FALSE */
static gboolean
note_place (Unpacker *unpacker, char *outer)
{
  char *inner = unpacker->place;

  unpacker->place = g_strconcat (outer, inner, NULL);
  g_free (inner);
  g_free (outer);
  return FALSE;
}

/* @key: where it is to be read. They are the peer's: only short ones are worth showing. */
G_GNUC_NO_INLINE static char * /* it takes stack that is seldom needed */
name_pair (WireReader key, const GVariantType *type, guint32 index)
{
  g_auto (Unpacker) unpacker = { .reader = key, .whole = key, .n_until_turn = G_MAXUINT };
  g_autoptr (GVariant) value =
      unpack_value (&unpacker, g_variant_type_is_basic (type) ? type : G_VARIANT_TYPE_ANY);
  g_autofree char *text = NULL;

  if (value != NULL)
    g_variant_ref_sink (value);
  if (value == NULL || g_variant_get_size (value) > 64)
    return g_strdup_printf ("[pair %u]", index);
  text = g_variant_print (value, FALSE);
  return g_strdup_printf ("[%s]", text);
}

/* --- what is in one place --- */

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

static void
write_bytes (Unpacker *unpacker, const WireItem *item)
{
  guint8 *to = item->length > 0 ? serial_extend (unpacker->serial, item->length) : NULL;
  gsize n;

  for (gsize done = 0; done < item->length; done += n) {
    if (done > 0 && unpacker->pace == UNPACK_IN_TURNS)
      take_turn (unpacker);
    n = MIN (item->length - done, BYTES_A_TURN);
    memcpy (to + done, item->bytes + done, n);
  }
}

/* The check has seen its UTF-8, and it has no NUL. */
static void
write_string (Unpacker *unpacker, const WireItem *item)
{
  write_bytes (unpacker, item);
  *serial_extend (unpacker->serial, 1) = '\0';
}

/* An extension as it is: "(nay)". */
static void
write_raw_extension (Serial *serial, const WireItem *item)
{
  gint16 code = get_extension_code (item);

  serial_append (serial, &code, sizeof code);
  if (item->length > 1)
    serial_append (serial, item->bytes + 1, item->length - 1);
}

/* @value: (transfer floating) */
static void
write_variant (Unpacker *unpacker, GVariant *value)
{
  gsize size;

  g_clear_pointer (&unpacker->extension, g_variant_unref);
  g_variant_ref_sink (value);
  unpacker->extension = g_variant_get_normal_form (value); /* what is written is trusted */
  g_variant_unref (value);
  size = g_variant_get_size (unpacker->extension);
  if (size > 0)
    g_variant_store (unpacker->extension, serial_extend (unpacker->serial, size));
}

/* --- one value, of the type that it has by itself --- */

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

static GVariant *
unpack_registered (Unpacker *unpacker, const WireItem *item)
{
  g_autoptr (GError) error = NULL;
  GVariant *value =
      tractor__ext_unpack (get_extension_code (item), item->bytes + 1, item->length - 1, &error);

  if (value == NULL)
    unpacker->fault = g_strdup (error->message);
  return value;
}

/* @type: what it has to be of. */
static const char *
write_extension (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  GVariant *value;

  if (get_kind (type) == '*' && !is_fd (item) &&
      !tractor__ext_is_registered (get_extension_code (item))) {
    write_raw_extension (unpacker->serial, item);
    return "(nay)";
  }
  value = is_fd (item) ? unpack_fd (unpacker, item) : unpack_registered (unpacker, item);
  if (value == NULL)
    return NULL;
  if (!g_variant_is_of_type (value, type)) {
    g_variant_unref (value);
    refuse (unpacker, item, type);
    return NULL;
  }
  write_variant (unpacker, value);
  return g_variant_get_type_string (unpacker->extension);
}

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
      return note_place (unpacker, g_strdup_printf ("[%u]", i));
    if (layout.size == 0)
      serial_note_end (serial, container);
  }
  tractor__serial_close_array (serial, container);
  return TRUE;
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
    return note_place (unpacker, g_strdup_printf ("[key %u]", index));
  if (spec->key_layout.size == 0)
    serial_note_end (serial, pair);
  serial_align (serial, spec->value_layout.alignment);
  if (!write_value (unpacker, spec->value_type))
    return note_place (unpacker, name_pair (key, spec->key_type, index));
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

/* --- maps --- */

#define ARE_STRINGS  1
#define ARE_INTEGERS 2

static guint8
get_key_class (const WireItem *key)
{
  if (key->type == WIRE_STRING)
    return has_nul (key) ? 0 : ARE_STRINGS;
  return key->type == WIRE_INTEGER ? ARE_INTEGERS : 0;
}

typedef struct {
  guint64 n_left; /* values */
  guint map;      /* which one, if it is one */
  gboolean is_map;
} Level;

static Level
begin_level (Unpacker *unpacker, const WireItem *container)
{
  static const guint8 all = ARE_STRINGS | ARE_INTEGERS;
  Level level = { container->length, unpacker->maps->len, container->type == WIRE_MAP };

  if (level.is_map) {
    level.n_left *= 2;
    g_byte_array_append (unpacker->maps, &all, 1);
  }
  return level;
}

G_GNUC_NO_INLINE static void /* the same */
look_at_maps (Unpacker *unpacker)
{
  WireReader reader = unpacker->whole;
  Level levels[LIMIT_DEPTH + 1] = { { .n_left = 1 } };
  guint depth = 0;
  WireItem item;

  unpacker->maps = g_byte_array_new ();
  for (;;) {
    Level *level = &levels[depth];

    if (level->n_left == 0) {
      if (depth-- == 0)
        return;
      continue;
    }
    if (!tractor__wire_read (&reader, &item))
      return; /* not after a check */
    if (level->is_map && level->n_left % 2 == 0)
      unpacker->maps->data[level->map] &= get_key_class (&item);
    level->n_left--;
    if ((item.type == WIRE_ARRAY || item.type == WIRE_MAP) && depth < LIMIT_DEPTH)
      levels[++depth] = begin_level (unpacker, &item);
  }
}

/* Of the map that has just been read. */
static guint8
get_key_classes (Unpacker *unpacker)
{
  if (unpacker->maps == NULL)
    look_at_maps (unpacker);
  return unpacker->maps->data[unpacker->n_maps - 1];
}

static const char *
write_map (Unpacker *unpacker, const WireItem *item)
{
  guint8 classes = item->length > 0 ? get_key_classes (unpacker) : ARE_STRINGS;
  const char *type = (classes & ARE_STRINGS) != 0    ? "a{sv}"
                     : (classes & ARE_INTEGERS) != 0 ? "a{xv}"
                                                     : "a(vv)";

  return write_pairs (unpacker, G_VARIANT_TYPE (type + 1), item->length) ? type : NULL;
}

/* What has been written so far is aligned as strictly as may be. Returns: (transfer none): of which type
 * it is, until the next is written. */
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
      write_bytes (unpacker, item);
      return "ay";
    }
    write_string (unpacker, item);
    return "s";
  case WIRE_BINARY:
    write_bytes (unpacker, item);
    return "ay";
  case WIRE_ARRAY:
    return write_array (unpacker, G_VARIANT_TYPE_VARIANT, item->length) ? "av" : NULL;
  case WIRE_MAP:
    return write_map (unpacker, item);
  case WIRE_EXTENSION:
    return write_extension (unpacker, item, G_VARIANT_TYPE_ANY);
  case WIRE_NIL:
  default:
    return "mv";
  }
}

/* --- one value, of the type that is expected --- */

/* It has one type by itself; that is the one, or it is the wrong value. (nullable) */
static const char *
write_matching (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  const char *own_type;

  if (item->type == WIRE_EXTENSION)
    return write_extension (unpacker, item, type);
  own_type = write_by_itself (unpacker, item);
  if (own_type != NULL && get_kind (type) != '*' &&
      !g_variant_type_is_subtype_of (G_VARIANT_TYPE (own_type), type)) {
    refuse (unpacker, item, type);
    return NULL;
  }
  return own_type;
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
    return refuse (unpacker, item, type);

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
    return refuse (unpacker, item, type);
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
    return refuse (unpacker, item, type);
  write_string (unpacker, item);
  text = (const char *) serial->data + start;
  if ((kind == 'o' && !g_variant_is_object_path (text)) ||
      (kind == 'g' && !g_variant_is_signature (text)))
    return refuse (unpacker, item, type);
  return TRUE;
}

static gboolean
write_array_as (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  const GVariantType *element_type = g_variant_type_element (type);
  gboolean is_dictionary = g_variant_type_is_dict_entry (element_type);

  if (item->type == WIRE_BINARY && get_kind (element_type) == 'y') {
    write_bytes (unpacker, item);
    return TRUE;
  }
  if (item->type == WIRE_MAP && is_dictionary)
    return write_pairs (unpacker, element_type, item->length);
  if (item->type == WIRE_ARRAY && !is_dictionary)
    return write_array (unpacker, element_type, item->length);
  return refuse (unpacker, item, type);
}

static gboolean
write_tuple (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  Serial *serial = unpacker->serial;
  const GVariantType *member = g_variant_type_first (type);
  SerialContainer tuple = serial_open (serial);
  SerialLayout layout = { 1, 1 };

  if (item->type != WIRE_ARRAY || item->length != g_variant_type_n_items (type))
    return refuse (unpacker, item, type);
  for (guint32 i = 0; i < item->length; i++) {
    layout = tractor__serial_get_layout (member);
    serial_align (serial, layout.alignment);
    if (!write_value (unpacker, member))
      return note_place (unpacker, g_strdup_printf ("[%u]", i));
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
  write_raw_extension (unpacker->serial, item);
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

  return read_item (unpacker, &item) && write_item (unpacker, &item, type);
}

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

static GVariant *
unpack_tuple (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  const GVariantType *member_type = g_variant_type_first (type);
  g_autoptr (GPtrArray) members = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);

  if (item->type != WIRE_ARRAY || item->length != g_variant_type_n_items (type)) {
    refuse (unpacker, item, type);
    return NULL;
  }
  for (guint32 i = 0; i < item->length; i++) {
    GVariant *member = unpack_value (unpacker, member_type);

    if (member == NULL) {
      note_place (unpacker, g_strdup_printf ("[%u]", i));
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

/* Any that can be written at once. */
static GVariant *
unpack_block (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
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

/* Returns: (transfer floating) */
static GVariant *
unpack_item (Unpacker *unpacker, const WireItem *item, const GVariantType *type)
{
  char kind = get_kind (type);

  if ((kind != '(' && kind != 'm') || g_variant_type_is_definite (type))
    return unpack_block (unpacker, item, type);
  if (kind == 'm')
    return unpack_maybe (unpacker, item, type);
  if (item->type == WIRE_EXTENSION)
    return unpack_block (unpacker, item, type);
  return unpack_tuple (unpacker, item, type);
}

static GVariant *
unpack_value (Unpacker *unpacker, const GVariantType *type)
{
  WireItem item;

  return read_item (unpacker, &item) ? unpack_item (unpacker, &item, type) : NULL;
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
tractor__codec_unpack_kwargs (
    WireValue value, PassedFds *fds, UnpackPace pace, GVariant **ret_kwargs, GError **error)
{
  if (value.length == 1 && value.bytes[0] == 0x80) {
    *ret_kwargs = ref_no_kwargs ();
    return TRUE;
  }
  if (tractor__codec_unpack_as (value, fds, G_VARIANT_TYPE_VARDICT, pace, ret_kwargs, error))
    return TRUE;
  g_prefix_error (error, "Keyword arguments, which are a map with string keys: ");
  return FALSE;
}
