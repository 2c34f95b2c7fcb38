/* wire.c - msgpack at the level of bytes: checked, and read in place.
 *
 * This is the gate for what a peer sends. It runs over a frame once, without recursion and without
 * allocation, before anything else looks at it: every length must be covered by bytes that are
 * there, so a five-byte frame that promises four billion elements ends here. What has passed can
 * be read without further checks, and be given to the codec, which recurses and allocates by what
 * it reads. What is only too deep, or too much, is told apart from what is no msgpack: the peer has
 * done nothing wrong, and is told.
 *
 * The protocol's own messages are small maps with known keys, and are read in place; user payloads are
 * codec.c's. The other direction is wire-write.c's. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "wire.h"

#include <string.h>

#include "bounds.h"

/* --- reading ----------------------------------------------------------------------------------- */

static gboolean
take_big_endian (WireReader *reader, guint n_bytes, guint64 *ret_value)
{
  guint64 value = 0;

  if ((gsize) (reader->end - reader->at) < n_bytes)
    return FALSE;
  while (n_bytes-- > 0)
    value = value << 8 | *reader->at++;
  *ret_value = value;
  return TRUE;
}

static gboolean
take_unsigned (WireReader *reader, guint n_bytes, WireItem *item)
{
  guint64 value;

  if (!take_big_endian (reader, n_bytes, &value))
    return FALSE;
  item->type = value > G_MAXINT64 ? WIRE_UNSIGNED : WIRE_INTEGER;
  item->integer = (gint64) value;
  return TRUE;
}

static gboolean
take_signed (WireReader *reader, guint n_bytes, WireItem *item)
{
  guint unused_bits = 64 - n_bytes * 8;
  guint64 value;

  if (!take_big_endian (reader, n_bytes, &value))
    return FALSE;
  item->type = WIRE_INTEGER;
  item->integer = (gint64) (value << unused_bits) >> unused_bits;
  return TRUE;
}

static gboolean
take_double (WireReader *reader, guint n_bytes, WireItem *item)
{
  guint64 bits;
  double value;

  if (!take_big_endian (reader, n_bytes, &bits))
    return FALSE;
  if (n_bytes == 4) {
    guint32 narrow_bits = (guint32) bits;
    float narrow;

    memcpy (&narrow, &narrow_bits, sizeof narrow);
    value = narrow;
    memcpy (&bits, &value, sizeof bits);
  }
  item->type = WIRE_DOUBLE;
  item->integer = (gint64) bits;
  return TRUE;
}

static gboolean
take_bytes (WireReader *reader, WireType type, guint64 length, WireItem *item)
{
  if (length > G_MAXUINT32)
    return FALSE;
  item->type = type;
  item->bytes = reader->at;
  item->length = (guint32) length;
  if ((guint64) (reader->end - reader->at) < length)
    return FALSE;
  reader->at += length;
  return TRUE;
}

static gboolean
take_sized_bytes (WireReader *reader, WireType type, guint n_bytes, WireItem *item)
{
  guint64 length;

  return take_big_endian (reader, n_bytes, &length) && take_bytes (reader, type, length, item);
}

/* An extension's bytes are its type code and its data. */
static gboolean
take_extension (WireReader *reader, guint n_bytes, WireItem *item)
{
  guint64 length;

  return take_big_endian (reader, n_bytes, &length) &&
         take_bytes (reader, WIRE_EXTENSION, length + 1, item);
}

static gboolean
set_container (WireType type, guint64 length, WireItem *item)
{
  item->type = type;
  item->length = (guint32) length;
  return TRUE;
}

static gboolean
take_container (WireReader *reader, WireType type, guint n_bytes, WireItem *item)
{
  guint64 length;

  return take_big_endian (reader, n_bytes, &length) && set_container (type, length, item);
}

static gboolean
set_integer (WireType type, gint64 integer, WireItem *item)
{
  item->type = type;
  item->integer = integer;
  return TRUE;
}

/* Part of the check, which is where the time goes. */
static inline gboolean
read_item (WireReader *reader, WireItem *item)
{
  guint8 head;

  *item = (WireItem){ 0 };
  if (reader->at == reader->end)
    return FALSE;

  head = *reader->at++;
  if (head <= 0x7f)
    return set_integer (WIRE_INTEGER, head, item);
  if (head >= 0xe0)
    return set_integer (WIRE_INTEGER, (gint8) head, item);
  if (head <= 0x8f)
    return set_container (WIRE_MAP, head & 0x0f, item);
  if (head <= 0x9f)
    return set_container (WIRE_ARRAY, head & 0x0f, item);
  if (head <= 0xbf)
    return take_bytes (reader, WIRE_STRING, head & 0x1f, item);

  switch (head) {
  case 0xc0:
    return set_integer (WIRE_NIL, 0, item);
  case 0xc2:
  case 0xc3:
    return set_integer (WIRE_BOOLEAN, head == 0xc3, item);
  case 0xc4:
  case 0xc5:
  case 0xc6:
    return take_sized_bytes (reader, WIRE_BINARY, 1u << (head - 0xc4), item);
  case 0xc7:
  case 0xc8:
  case 0xc9:
    return take_extension (reader, 1u << (head - 0xc7), item);
  case 0xca:
  case 0xcb:
    return take_double (reader, 4u << (head - 0xca), item);
  case 0xcc:
  case 0xcd:
  case 0xce:
  case 0xcf:
    return take_unsigned (reader, 1u << (head - 0xcc), item);
  case 0xd0:
  case 0xd1:
  case 0xd2:
  case 0xd3:
    return take_signed (reader, 1u << (head - 0xd0), item);
  case 0xd4:
  case 0xd5:
  case 0xd6:
  case 0xd7:
  case 0xd8:
    return take_bytes (reader, WIRE_EXTENSION, (1u << (head - 0xd4)) + 1, item);
  case 0xd9:
  case 0xda:
  case 0xdb:
    return take_sized_bytes (reader, WIRE_STRING, 1u << (head - 0xd9), item);
  case 0xdc:
  case 0xdd:
    return take_container (reader, WIRE_ARRAY, 2u << (head - 0xdc), item);
  case 0xde:
  case 0xdf:
    return take_container (reader, WIRE_MAP, 2u << (head - 0xde), item);
  default:
    return FALSE; /* 0xc1 is not msgpack */
  }
}

gboolean
tractor__wire_read (WireReader *reader, WireItem *item)
{
  WireReader at_start = *reader;

  if (read_item (reader, item))
    return TRUE;
  *reader = at_start;
  return FALSE;
}

gboolean
tractor__wire_read_part (WireReader *reader, WireItem *item, guint64 *ret_n_missing)
{
  *ret_n_missing = 0;
  if (tractor__wire_read (reader, item))
    return TRUE;
  if (item->bytes == NULL) /* not even its head is there */
    return FALSE;
  *ret_n_missing = item->length - (gsize) (reader->end - item->bytes);
  reader->at = reader->end;
  return TRUE;
}

gboolean
tractor__wire_read_value (WireReader *reader, WireValue *ret_value)
{
  guint64 n_left = 1;
  WireItem item;

  ret_value->bytes = reader->at;
  while (n_left > 0) {
    if (!read_item (reader, &item))
      return FALSE;
    n_left--;
    if (item.type == WIRE_ARRAY)
      n_left += item.length;
    else if (item.type == WIRE_MAP)
      n_left += (guint64) item.length * 2;
  }
  ret_value->length = (gsize) (reader->at - ret_value->bytes);
  return TRUE;
}

/* --- the check --------------------------------------------------------------------------------- */

/* Embedded NULs are legal in msgpack's strings; g_utf8_validate_len() would not have them. */
static gboolean
is_utf8 (const guint8 *bytes, gsize length)
{
  const char *at = (const char *) bytes;
  const char *end = at + length;
  guint64 eight;

  /* Nearly all strings are no more than ASCII. */
  for (; end - at >= (gssize) sizeof eight; at += sizeof eight) {
    memcpy (&eight, at, sizeof eight);
    if ((eight & G_GUINT64_CONSTANT (0x8080808080808080)) != 0)
      break;
  }
  while (at < end && (guchar) *at < 0x80)
    at++;
  if (at == end)
    return TRUE;
  while (!g_utf8_validate_len (at, (gsize) (end - at), &at)) {
    if (at == end || *at != '\0')
      return FALSE;
    at++;
  }
  return TRUE;
}

const char tractor__wire_too_many[] = "more than " G_STRINGIFY (LIMIT_ELEMENTS) " elements";
const char tractor__wire_too_deep[] = "nested more than " G_STRINGIFY (LIMIT_DEPTH) " deep";

/* There are so many levels around the value, and so many elements. */
static const char *
check_value (WireReader *reader, guint outer_depth, guint outer_elements)
{
  guint n_elements = outer_elements;
  guint64 n_left[LIMIT_DEPTH + 1]; /* values still to come, for each level */
  guint depth = outer_depth;

  n_left[depth] = 1;
  for (;;) {
    const guint8 *start = reader->at;
    const char *problem = NULL;
    WireItem item;
    guint64 n_inside;

    n_left[depth]--;
    if (!read_item (reader, &item))
      problem = "not msgpack, or cut short";
    else if (++n_elements > LIMIT_ELEMENTS)
      problem = tractor__wire_too_many;
    else if (item.type == WIRE_STRING && !is_utf8 (item.bytes, item.length))
      problem = "a string that is not UTF-8";
    else if (item.type == WIRE_ARRAY || item.type == WIRE_MAP) {
      n_inside = item.type == WIRE_MAP ? (guint64) item.length * 2 : item.length;
      if (n_inside > (guint64) (reader->end - reader->at))
        problem = "more elements than bytes";
      else if (depth == LIMIT_DEPTH)
        problem = tractor__wire_too_deep;
      else
        n_left[++depth] = n_inside;
    }
    if (problem != NULL) {
      reader->at = start;
      return problem;
    }
    while (n_left[depth] == 0) {
      if (depth == outer_depth)
        return NULL;
      depth--;
    }
  }
}

const char *
tractor__wire_check_value (WireReader *reader, guint outer_depth)
{
  return check_value (reader, outer_depth, 0);
}

const char *
tractor__wire_check (const guint8 *bytes, gsize length, gboolean is_to_be_sent, gsize *ret_offset)
{
  WireReader reader = { bytes, bytes + length };
  const char *problem = check_value (&reader, is_to_be_sent ? ENVELOPE_DEPTH : 0,
                                     is_to_be_sent ? ENVELOPE_ELEMENTS : 0);

  *ret_offset = (gsize) (reader.at - bytes);
  if (problem == NULL && reader.at < reader.end)
    problem = "bytes after the end of the value";
  return problem;
}
