/* value.c - values that GVariant has no type for: extension types and timestamps.
 *
 * The registry is one slot a code, filled once by compare-and-swap and never emptied: readers on any
 * thread need no lock, and an entry can be used for as long as one likes. Codes below 0 have no
 * slot, so a timestamp is never anything but a "(nay)"; it is taken apart here on demand.
 *
 * Timestamps have three forms, by what they need: 32 bits of seconds; 30 of nanoseconds and 34 of
 * seconds; 32 of nanoseconds and 64 of seconds, with a sign. The smallest is written, all are read.
 *
 * And the end of values that GLib would need more stack to free than a task has. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "value.h"

#include <string.h>

#define TIMESTAMP_CODE  (-1)
#define NSEC_PER_SEC    1000000000u
#define BITS_OF_SECONDS 34

typedef struct {
  GVariantType *type;
  TractorExtPackFunc pack;
  TractorExtUnpackFunc unpack;
  gpointer data;
} ExtType;

static ExtType *ext_types[G_MAXINT8 + 1];

static const ExtType *
find_ext_type (gint8 code)
{
  return code >= 0 ? g_atomic_pointer_get (&ext_types[code]) : NULL;
}

gboolean
tractor__ext_is_registered (gint8 code)
{
  return find_ext_type (code) != NULL;
}

/* --- the registry ------------------------------------------------------------------------------ */

static gboolean
check_registration (gint8 code,
                    const char *type_string,
                    TractorExtPackFunc pack,
                    TractorExtUnpackFunc unpack,
                    GError **error)
{
  if (code < 0)
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "Extension type %d is msgpack's own: programs have 0 to 127", code);
  else if (type_string == NULL || !g_variant_type_string_is_valid (type_string))
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "'%s' is not a type",
                 type_string != NULL ? type_string : "");
  else if (pack == NULL || unpack == NULL)
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "Extension type %d needs both its functions", code);
  else
    return TRUE;
  return FALSE;
}

gboolean
tractor_ext_type_register (gint8 code,
                           const char *type_string,
                           TractorExtPackFunc pack,
                           TractorExtUnpackFunc unpack,
                           gpointer data,
                           GError **error)
{
  ExtType *ext_type;

  if (!check_registration (code, type_string, pack, unpack, error))
    return FALSE;

  ext_type = g_new (ExtType, 1);
  *ext_type = (ExtType){ g_variant_type_new (type_string), pack, unpack, data };
  if (g_atomic_pointer_compare_and_exchange (&ext_types[code], NULL, ext_type))
    return TRUE;

  g_variant_type_free (ext_type->type);
  g_free (ext_type);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
               "Extension type %d is registered already", code);
  return FALSE;
}

/* --- values ------------------------------------------------------------------------------------ */

GVariant *
tractor__ext_new_raw (gint8 code, const guint8 *bytes, gsize length)
{
  return g_variant_new ("(n@ay)", (gint16) code,
                        g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, length, 1));
}

/* A function may return a value that it goes on using. The codec's are all floating: this one shares
 * its bytes, whatever they are worth. */
static GVariant *
make_floating (GVariant *value)
{
  g_autoptr (GVariant) owned = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (g_variant_is_floating (value))
    return value;
  owned = value;
  bytes = g_variant_get_data_as_bytes (owned);
  return g_variant_new_from_bytes (g_variant_get_type (owned), bytes, FALSE);
}

GVariant *
tractor__ext_unpack (gint8 code, const guint8 *bytes, gsize length, GError **error)
{
  const ExtType *ext_type = find_ext_type (code);
  g_autoptr (GError) fault = NULL;
  GVariant *value;

  if (ext_type == NULL)
    return tractor__ext_new_raw (code, bytes, length);

  value = ext_type->unpack (bytes, length, ext_type->data, &fault);
  if (value == NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE, "an extension of type %d: %s", code,
                 fault != NULL ? fault->message : "refused");
    return NULL;
  }
  if (!g_variant_is_of_type (value, ext_type->type)) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "an extension of type %d: its function made a '%s' of it", code,
                 g_variant_get_type_string (value));
    g_variant_unref (value);
    return NULL;
  }
  return make_floating (value);
}

GVariant *
tractor_value_new_ext (gint8 code, GVariant *content, GError **error)
{
  const ExtType *ext_type = find_ext_type (code);
  g_autoptr (GVariant) owned = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) fault = NULL;

  if (!tractor_error_check_given (content, "content", error))
    return NULL;
  owned = g_variant_ref_sink (content);
  if (ext_type == NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "Extension type %d is not registered",
                 code);
    return NULL;
  }
  if (!g_variant_is_of_type (owned, ext_type->type)) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "Extension type %d cannot be made of a '%s'", code,
                 g_variant_get_type_string (owned));
    return NULL;
  }

  bytes = ext_type->pack (owned, ext_type->data, &fault);
  if (bytes == NULL) {
    if (fault == NULL)
      g_set_error (&fault, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                   "Extension type %d cannot be made of this", code);
    g_propagate_error (error, g_steal_pointer (&fault));
    return NULL;
  }
  return g_variant_new ("(n@ay)", (gint16) code,
                        g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
}

/* --- timestamps -------------------------------------------------------------------------------- */

static GVariant *
new_timestamp (const void *bytes, gsize length)
{
  return tractor__ext_new_raw (TIMESTAMP_CODE, bytes, length);
}

GVariant *
tractor_value_new_timestamp (gint64 unix_seconds, guint32 nanoseconds)
{
  guint64 seconds = (guint64) unix_seconds;
  guint8 bytes[12];

  g_return_val_if_fail (nanoseconds < NSEC_PER_SEC, NULL);

  if (nanoseconds == 0 && seconds <= G_MAXUINT32)
    return new_timestamp (&(guint32){ GUINT32_TO_BE ((guint32) seconds) }, 4);
  if (seconds >> BITS_OF_SECONDS == 0)
    return new_timestamp (
        &(guint64){ GUINT64_TO_BE ((guint64) nanoseconds << BITS_OF_SECONDS | seconds) }, 8);

  memcpy (bytes, &(guint32){ GUINT32_TO_BE (nanoseconds) }, 4);
  memcpy (bytes + 4, &(guint64){ GUINT64_TO_BE (seconds) }, 8);
  return new_timestamp (bytes, 12);
}

static guint32
get_u32 (const guint8 *bytes)
{
  guint32 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT32_FROM_BE (value);
}

static guint64
get_u64 (const guint8 *bytes)
{
  return (guint64) get_u32 (bytes) << 32 | get_u32 (bytes + 4);
}

static gboolean
read_timestamp (const guint8 *bytes, gsize length, gint64 *ret_seconds, guint32 *ret_nanoseconds)
{
  switch (length) {
  case 4:
    *ret_seconds = get_u32 (bytes);
    *ret_nanoseconds = 0;
    return TRUE;
  case 8:
    *ret_seconds = (gint64) (get_u64 (bytes) & ((G_GUINT64_CONSTANT (1) << BITS_OF_SECONDS) - 1));
    *ret_nanoseconds = (guint32) (get_u64 (bytes) >> BITS_OF_SECONDS);
    return *ret_nanoseconds < NSEC_PER_SEC;
  case 12:
    *ret_seconds = (gint64) get_u64 (bytes + 4);
    *ret_nanoseconds = get_u32 (bytes);
    return *ret_nanoseconds < NSEC_PER_SEC;
  default:
    return FALSE;
  }
}

static gboolean
parse_timestamp (GVariant *value, gint64 *ret_seconds, guint32 *ret_nanoseconds)
{
  g_autoptr (GVariant) data = NULL;
  const guint8 *bytes;
  gsize length;
  gint16 code;

  if (value == NULL || !g_variant_is_of_type (value, EXTENSION_TYPE))
    return FALSE;
  g_variant_get (value, "(n@ay)", &code, &data);
  bytes = g_variant_get_fixed_array (data, &length, 1);
  return code == TIMESTAMP_CODE && read_timestamp (bytes, length, ret_seconds, ret_nanoseconds);
}

gboolean
tractor_value_get_timestamp (GVariant *value,
                             gint64 *ret_seconds,
                             guint32 *ret_nanoseconds,
                             GError **error)
{
  gint64 seconds;
  guint32 nanoseconds;

  if (!parse_timestamp (value, &seconds, &nanoseconds)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                         "A timestamp was expected, and something else came");
    return FALSE;
  }
  if (ret_seconds != NULL)
    *ret_seconds = seconds;
  if (ret_nanoseconds != NULL)
    *ret_nanoseconds = nanoseconds;
  return TRUE;
}

/* --- values of any depth ------------------------------------------------------------------------ */

typedef struct {
  GVariant *value;
  gsize n_children; /* that are values of their own */
  gsize n_seen;
} Level;

/* A flat one makes its children anew each time: to free it is to free its bytes. */
static gsize
count_own_children (GVariant *value)
{
  const GVariantType *type = g_variant_get_type (value);
  g_autoptr (GVariant) child = NULL;
  g_autoptr (GVariant) again = NULL;
  gsize n;

  if (g_variant_type_is_array (type) && g_variant_type_is_basic (g_variant_type_element (type)))
    return 0;
  n = g_variant_n_children (value);
  if (n == 0)
    return 0;
  child = g_variant_get_child_value (value, 0);
  again = g_variant_get_child_value (value, 0);
  return child == again ? n : 0;
}

/* @value: (transfer full) */
static void
push_level (GArray *path, GVariant *value)
{
  Level level = { .value = value, .n_children = count_own_children (value) };

  g_array_append_val (path, level);
}

/* Each container inside gets a reference of ours, and they are given back from the outside in: whatever is freed
 * thereby frees nothing further. A value that is in several places is gone through once. */
void
tractor__refused_value_unref (GVariant *value)
{
  g_autoptr (GHashTable) seen = NULL;
  g_autoptr (GPtrArray) inside_out = NULL;
  g_autoptr (GArray) path = NULL;

  if (!g_variant_is_container (value)) {
    g_variant_unref (value);
    return;
  }
  seen = g_hash_table_new (NULL, NULL);
  inside_out = g_ptr_array_new ();
  path = g_array_new (FALSE, FALSE, sizeof (Level));
  push_level (path, value);
  while (path->len > 0) {
    Level *level = &g_array_index (path, Level, path->len - 1);

    if (level->n_seen == level->n_children) {
      g_ptr_array_add (inside_out, level->value);
      g_array_set_size (path, path->len - 1);
    } else {
      GVariant *child = g_variant_get_child_value (level->value, level->n_seen++);

      if (g_variant_is_container (child) && g_hash_table_add (seen, child))
        push_level (path, child);
      else
        g_variant_unref (child);
    }
  }
  for (guint i = inside_out->len; i > 0; i--)
    g_variant_unref (inside_out->pdata[i - 1]);
}
