/* wire.h - msgpack at the level of bytes: checked, read in place, and written. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <string.h>

#include <glib.h>

typedef enum {
  WIRE_NIL,
  WIRE_BOOLEAN,
  WIRE_INTEGER,  /* fits a gint64 */
  WIRE_UNSIGNED, /* above G_MAXINT64 */
  WIRE_DOUBLE,
  WIRE_STRING,
  WIRE_BINARY,
  WIRE_ARRAY,
  WIRE_MAP,
  WIRE_EXTENSION,
} WireType;

/* One value's head; of strings, binaries and extensions the bytes too, which stay where they are. */
typedef struct {
  WireType type;
  gint64 integer; /* also the truth of a boolean, and the bits of an unsigned or a double */
  const guint8 *bytes;
  guint32 length; /* bytes; elements of an array; pairs of a map */
} WireItem;

static inline gboolean
wire_item_is (const WireItem *item, const char *string, gsize length)
{
  return item->length == length && item->type == WIRE_STRING &&
         memcmp (item->bytes, string, length) == 0;
}

static inline gboolean
wire_item_equals (const WireItem *item, const char *string)
{
  return wire_item_is (item, string, strlen (string));
}

typedef struct {
  const guint8 *at;
  const guint8 *end;
} WireReader;

/* A run of bytes that is one whole value; bytes NULL: none. */
typedef struct {
  const guint8 *bytes;
  gsize length;
} WireValue;

/* Of nothing, if there is no value: NULL + 0 is no pointer. */
static inline WireReader
wire_reader (WireValue value)
{
  return (WireReader){ value.bytes, value.bytes != NULL ? value.bytes + value.length : NULL };
}

/* Takes the next head. Returns: FALSE if the bytes end too early or it is no msgpack: then it takes
 * nothing. */
G_GNUC_INTERNAL gboolean tractor__wire_read (WireReader *reader, WireItem *ret_item);
/* The same if only part of a string's, a binary's or an extension's bytes is there: *@ret_n_missing
 * are not. */
G_GNUC_INTERNAL gboolean tractor__wire_read_part (WireReader *reader,
                                                  WireItem *ret_item,
                                                  guint64 *ret_n_missing);
/* Takes the next whole value, however deep. Returns: FALSE as tractor__wire_read(). */
G_GNUC_INTERNAL gboolean tractor__wire_read_value (WireReader *reader, WireValue *ret_value);

/* What a check finds that is well-formed, but above a limit. The rest of the value is not looked at. */
extern G_GNUC_INTERNAL const char tractor__wire_too_many[];
extern G_GNUC_INTERNAL const char tractor__wire_too_deep[];

/* Whether @bytes are exactly one msgpack value within the limits on depth and number of elements,
 * with valid UTF-8 in its strings; @is_to_be_sent: and there is room for the message around it. Allocates
 * nothing. Returns: NULL, or what is wrong, a constant; then *@ret_offset is where. */
G_GNUC_INTERNAL const char *
tractor__wire_check (const guint8 *bytes, gsize length, gboolean is_to_be_sent, gsize *ret_offset);
/* The same for the next value, which has so many levels around it: the reader is moved behind it, or
 * to where the problem is. */
G_GNUC_INTERNAL const char *tractor__wire_check_value (WireReader *reader, guint outer_depth);

/* A descriptor that is to go along with a frame in a buffer. */
typedef struct {
  guint frame; /* where that begins */
  guint at;    /* where its mark is */
  int fd;      /* ours */
} OutgoingFd;

/* Bytes that are built up. As a GByteArray, but appending a few of them is a few instructions, and
 * a frame is made of a dozen appends. */
typedef struct {
  guint8 *data;
  guint len;
  guint size;
  gsize frame_limit; /* of a frame in it; 0: LIMIT_FRAME_BYTES */
  guint frame_start; /* where the frame begins that is being written */
  GArray *fds;       /* (nullable) (element-type OutgoingFd): in the order of the bytes */
  gboolean takes_fds;
} WireBuffer;

G_GNUC_INTERNAL WireBuffer *tractor__wire_buffer_new (void);
G_GNUC_INTERNAL void tractor__wire_buffer_free (WireBuffer *buffer);
/* Empties it, and gives up its memory if that is soon had again: it may be long before it is used. */
G_GNUC_INTERNAL void tractor__wire_buffer_rest (WireBuffer *buffer);
/* Makes room for more bytes than there is. */
G_GNUC_INTERNAL void tractor__wire_buffer_grow (WireBuffer *buffer, gsize length);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (WireBuffer, tractor__wire_buffer_free)

static inline void
wire_append (WireBuffer *buffer, const void *bytes, gsize length)
{
  if (G_UNLIKELY (buffer->size - buffer->len < length))
    tractor__wire_buffer_grow (buffer, length);
  memcpy (buffer->data + buffer->len, bytes, length);
  buffer->len += (guint) length;
}

/* Appends the frames of @from, with their descriptors, and leaves it empty. */
G_GNUC_INTERNAL void tractor__wire_buffer_take (WireBuffer *buffer, WireBuffer *from);

/* Closes the descriptors of what is behind @length. */
G_GNUC_INTERNAL void tractor__wire_buffer_drop_fds (WireBuffer *buffer, guint length);

/* Takes back what was appended since it was @length long. */
static inline void
wire_truncate (WireBuffer *buffer, guint length)
{
  if (G_UNLIKELY (buffer->fds != NULL))
    tractor__wire_buffer_drop_fds (buffer, length);
  buffer->len = length;
}

/* Descriptors that are to go with it. */
static inline guint
wire_count_fds (const WireBuffer *buffer)
{
  return buffer->fds != NULL ? buffer->fds->len : 0;
}

static inline OutgoingFd *
wire_get_fd (const WireBuffer *buffer, guint i)
{
  return &g_array_index (buffer->fds, OutgoingFd, i);
}

/* @literal: msgpack that is known when we are compiled. */
#define wire_append_literal(buffer, literal) wire_append ((buffer), (literal), sizeof (literal) - 1)

G_GNUC_INTERNAL void tractor__wire_write_string (WireBuffer *buffer, const char *string);
/* The same for part of one. */
G_GNUC_INTERNAL void
tractor__wire_write_text (WireBuffer *buffer, const char *string, gsize length);
G_GNUC_INTERNAL void tractor__wire_write_integer (WireBuffer *buffer, gint64 integer);
G_GNUC_INTERNAL void tractor__wire_write_array (WireBuffer *buffer, guint32 length);
G_GNUC_INTERNAL void tractor__wire_write_map (WireBuffer *buffer, guint32 length);
static inline void
wire_write_nil (WireBuffer *buffer)
{
  wire_append_literal (buffer, "\xc0");
}
static inline void
wire_write_boolean (WireBuffer *buffer, gboolean boolean)
{
  wire_append (buffer, boolean ? "\xc3" : "\xc2", 1);
}
