/* codec.c - payloads: GVariant to msgpack. The only file that includes msgpack-c.
 *
 * Integers of any width in their smallest form, d, s, ay (as bytes), other arrays and tuples (as
 * arrays), dictionaries (as maps), v (what is inside), m (what is inside, or nil), and "(nay)" with a
 * code that fits (as an extension; see tractor-value.h). The way back is codec-unpack.c's.
 *
 * This recurses, bounded by LIMIT_DEPTH and LIMIT_LEVELS. The bytes of a string or a binary are copied
 * once. */
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
               " are allowed (TractorLimits.frame_bytes)",
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
                 "A value of type '%s' cannot be sent: tractor_value_new_fd() sends a descriptor",
                 g_variant_get_type_string (value));
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
       tractor__codec_unpack_as ((WireValue){ buffer->data, buffer->len }, NULL, type,
                                 UNPACK_AT_ONCE, &arrived, error);
  tractor__wire_buffer_free (buffer);
  return ok;
}
