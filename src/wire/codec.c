/* codec.c - payloads: GVariant to msgpack. The only file that includes msgpack-c.
 *
 * Integers of any width in their smallest form, d, s, ay (as bytes), other arrays and tuples (as
 * arrays), dictionaries (as maps), v (what is inside), m (what is inside, or nil), and "(nay)" with a
 * code that fits (as an extension; see tractor-value.h). The way back is codec-unpack.c's.
 *
 * This recurses, bounded by LIMIT_DEPTH and LIMIT_LEVELS. The bytes of a string or a binary are copied
 * once; an array of numbers is read as such, without a GVariant for each. What is large may be packed in
 * turns, so that it holds up nobody. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec.h"

#include <msgpack.h>

#include "bounds.h"
#include "tractor-error.h"
#include "tractor-task.h"
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

G_STATIC_ASSERT (LIMIT_SENT_ELEMENTS == LIMIT_ELEMENTS - ENVELOPE_ELEMENTS);

typedef struct {
  msgpack_packer packer;
  guint n_elements;
  guint n_levels; /* around what is being packed */
  guint n_fds;
  PackPace pace;
  gint64 work_until_turn; /* or until it is large */
} Packer;

/* What there is to do is counted in bytes: a value is as much work as so many of them, */
#define WORK_OF_VALUE (BYTES_A_TURN / VALUES_A_TURN)
/* and a number in an array of them as so many. */
#define WORK_OF_NUMBER 16

/* So much work is to be done. Returns: FALSE with CANCELLED; or with @error unset if it is too much. */
static inline gboolean
note_work (Packer *packer, gsize work, GError **error)
{
  packer->work_until_turn -= (gint64) work;
  if (G_LIKELY (packer->work_until_turn >= 0) || packer->pace == PACK_AT_ONCE)
    return TRUE;
  if (packer->pace == PACK_UNLESS_LARGE)
    return FALSE;
  packer->work_until_turn = BYTES_A_TURN - (gint64) work;
  return tractor_checkpoint (error);
}

/* The bytes of a string, a binary or an extension, whose head has been written. */
static gboolean
append_bytes (Packer *packer, const guint8 *bytes, gsize length, GError **error)
{
  gsize n;

  if (packer->pace == PACK_UNLESS_LARGE && (gint64) length > packer->work_until_turn)
    return FALSE; /* nothing is gained by the first of it */
  for (gsize done = 0; done < length; done += n) {
    n = MIN (length - done, BYTES_A_TURN);
    if (!note_work (packer, n, error))
      return FALSE;
    wire_append (packer->packer.data, bytes + done, n);
  }
  return TRUE;
}

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

gboolean
tractor__codec_check_length (const WireBuffer *buffer, gsize length, GError **error)
{
  gsize limit = buffer->frame_limit != 0 ? buffer->frame_limit : LIMIT_FRAME_BYTES;

  if (length <= limit)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
               "A value of %" G_GSIZE_FORMAT " bytes cannot be sent: %" G_GSIZE_FORMAT
               " are allowed (TractorLimits.frame_bytes)",
               length, limit);
  return FALSE;
}

/* Before it is copied: the frame around it would be refused anyway, and msgpack's lengths have 32
 * bits. */
static gboolean
check_length (const Packer *packer, gsize length, GError **error)
{
  return tractor__codec_check_length (packer->packer.data, length, error);
}

static gboolean
pack_string (Packer *packer, GVariant *value, GError **error)
{
  gsize length;
  const char *string = g_variant_get_string (value, &length);

  if (!check_length (packer, length, error))
    return FALSE;
  msgpack_pack_str (&packer->packer, length);
  return append_bytes (packer, (const guint8 *) string, length, error);
}

static gboolean
pack_bytes (Packer *packer, GVariant *value, GError **error)
{
  gsize length;
  const void *bytes = g_variant_get_fixed_array (value, &length, 1);

  if (!check_length (packer, length, error))
    return FALSE;
  msgpack_pack_bin (&packer->packer, length);
  return append_bytes (packer, bytes, length, error);
}

/* A peer would refuse the whole frame, and close the connection. Of @n_elements at that depth; wrappers are
 * none. */
static gboolean
check_limits (Packer *packer, gsize n_elements, guint depth, GError **error)
{
  if (depth > LIMIT_SENT_DEPTH) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value nested more than %d deep cannot be sent", LIMIT_SENT_DEPTH);
    return FALSE;
  }
  if (packer->n_levels > LIMIT_LEVELS) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value of variants nested more than %d deep cannot be sent", LIMIT_LEVELS);
    return FALSE;
  }
  if (n_elements > LIMIT_SENT_ELEMENTS - packer->n_elements) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value of more than %d elements cannot be sent", LIMIT_SENT_ELEMENTS);
    return FALSE;
  }
  packer->n_elements += (guint) n_elements;
  return TRUE;
}

/* Returns: 0 if @kind, of a type string, is no number of more than a byte. */
static gsize
get_number_size (char kind)
{
  switch (kind) {
  case 'n':
  case 'q':
    return 2;
  case 'i':
  case 'u':
    return 4;
  case 'x':
  case 't':
  case 'd':
    return 8;
  default:
    return 0;
  }
}

static void
pack_number (Packer *packer, char kind, const void *bytes)
{
  switch (kind) {
  case 'n':
    msgpack_pack_int16 (&packer->packer, *(const gint16 *) bytes);
    return;
  case 'q':
    msgpack_pack_uint16 (&packer->packer, *(const guint16 *) bytes);
    return;
  case 'i':
    msgpack_pack_int32 (&packer->packer, *(const gint32 *) bytes);
    return;
  case 'u':
    msgpack_pack_uint32 (&packer->packer, *(const guint32 *) bytes);
    return;
  case 'x':
    msgpack_pack_int64 (&packer->packer, *(const gint64 *) bytes);
    return;
  case 't':
    msgpack_pack_uint64 (&packer->packer, *(const guint64 *) bytes);
    return;
  default:
    msgpack_pack_double (&packer->packer, *(const double *) bytes);
    return;
  }
}

#define NUMBERS_A_LOT 1024 /* work is noted for so many at a time */

static gboolean
pack_numbers (Packer *packer, GVariant *value, char kind, guint depth, GError **error)
{
  gsize size = get_number_size (kind);
  gsize length;
  const guint8 *bytes = g_variant_get_fixed_array (value, &length, size);

  if (!check_limits (packer, length, depth, error))
    return FALSE;
  msgpack_pack_array (&packer->packer, length);
  for (gsize i = 0; i < length; i++) {
    if (i % NUMBERS_A_LOT == 0 &&
        !note_work (packer, MIN (length - i, NUMBERS_A_LOT) * WORK_OF_NUMBER, error))
      return FALSE;
    pack_number (packer, kind, bytes + i * size);
  }
  return TRUE;
}

static gboolean
pack_array (Packer *packer, GVariant *value, guint depth, GError **error)
{
  gsize length = g_variant_n_children (value);
  const char *type = g_variant_get_type_string (value);

  if (g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING))
    return pack_bytes (packer, value, error);
  if (length > 0 && get_number_size (type[1]) > 0)
    return pack_numbers (packer, value, type[1], depth + 1, error);
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
  msgpack_pack_ext (&packer->packer, length, (int8_t) code);
  return append_bytes (packer, bytes, length, error);
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

  if (!check_limits (packer, is_only_a_wrapper (value) ? 0 : 1, depth, error) ||
      !note_work (packer, WORK_OF_VALUE, error))
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
tractor__codec_pack (WireBuffer *buffer, GVariant *value, PackPace pace, GError **error)
{
  guint length_before = buffer->len;
  Packer packer = { .pace = pace,
                    .work_until_turn =
                        pace == PACK_UNLESS_LARGE ? LARGE_TO_PACK_BYTES : BYTES_A_TURN };

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
  ok = tractor__codec_pack (buffer, value, PACK_AT_ONCE, error) &&
       tractor__codec_unpack_as ((WireValue){ buffer->data, buffer->len }, NULL, type,
                                 UNPACK_AT_ONCE, &arrived, error);
  tractor__wire_buffer_free (buffer);
  return ok;
}
