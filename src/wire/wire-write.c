/* wire-write.c - msgpack at the level of bytes: written.
 *
 * Bytes are built up in a buffer that is sent as it is. Most are constants, and appended by a few
 * instructions of the header's; here is what has to be made: heads, in their smallest form, and room.
 *
 * There may be thousands of buffers that rest: each gives its memory up then, but for what has grown in
 * many steps. The descriptors that go with its bytes are its own, and what is taken back is closed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "wire.h"

#include <unistd.h>

#define FIRST_BUFFER_BYTES 256
/* What is larger is asked for again in many steps, and not at once. */
#define LARGEST_RESTING_BYTES 1024

/* Where a buffer of no size points to. */
static guint8 nothing[1];

WireBuffer *
tractor__wire_buffer_new (void)
{
  WireBuffer *buffer = g_new (WireBuffer, 1);

  *buffer = (WireBuffer){ .data = nothing };
  return buffer;
}

void
tractor__wire_buffer_drop_fds (WireBuffer *buffer, guint length)
{
  while (buffer->fds->len > 0 && wire_get_fd (buffer, buffer->fds->len - 1)->at >= length) {
    close (wire_get_fd (buffer, buffer->fds->len - 1)->fd);
    g_array_set_size (buffer->fds, buffer->fds->len - 1);
  }
  if (buffer->fds->len == 0)
    g_clear_pointer (&buffer->fds, g_array_unref);
}

void
tractor__wire_buffer_take (WireBuffer *buffer, WireBuffer *from)
{
  guint start = buffer->len;

  wire_append (buffer, from->data, from->len);
  for (guint i = 0; i < wire_count_fds (from); i++) {
    OutgoingFd fd = *wire_get_fd (from, i);

    fd.frame += start;
    fd.at += start;
    if (buffer->fds == NULL)
      buffer->fds = g_array_new (FALSE, FALSE, sizeof (OutgoingFd));
    g_array_append_val (buffer->fds, fd);
  }
  g_clear_pointer (&from->fds, g_array_unref);
  from->len = 0;
}

void
tractor__wire_buffer_free (WireBuffer *buffer)
{
  if (buffer == NULL)
    return;

  wire_truncate (buffer, 0);
  if (buffer->size > 0)
    g_free (buffer->data);
  g_free (buffer);
}

void
tractor__wire_buffer_grow (WireBuffer *buffer, gsize length)
{
  gsize size = MAX (MAX ((gsize) buffer->size * 2, FIRST_BUFFER_BYTES), buffer->len + length);

  if (size > G_MAXINT)
    g_error ("a message of %" G_GSIZE_FORMAT " bytes", size);
  buffer->data = g_realloc (buffer->size > 0 ? buffer->data : NULL, size);
  buffer->size = (guint) size;
}

void
tractor__wire_buffer_rest (WireBuffer *buffer)
{
  wire_truncate (buffer, 0);
  if (buffer->size == 0 || buffer->size > LARGEST_RESTING_BYTES)
    return;
  g_free (buffer->data);
  buffer->data = nothing;
  buffer->size = 0;
}

static void
write_head (WireBuffer *buffer, guint8 head, guint64 value, guint n_bytes)
{
  guint8 bytes[9] = { head };

  for (guint i = 0; i < n_bytes; i++)
    bytes[n_bytes - i] = (guint8) (value >> (8 * i));
  wire_append (buffer, bytes, n_bytes + 1);
}

void
tractor__wire_write_string (WireBuffer *buffer, const char *string)
{
  tractor__wire_write_text (buffer, string, strlen (string));
}

void
tractor__wire_write_text (WireBuffer *buffer, const char *string, gsize length)
{
  guint8 short_head = (guint8) (0xa0 | length);

  if (length <= 31)
    wire_append (buffer, &short_head, 1);
  else if (length <= G_MAXUINT8)
    write_head (buffer, 0xd9, length, 1);
  else if (length <= G_MAXUINT16)
    write_head (buffer, 0xda, length, 2);
  else
    write_head (buffer, 0xdb, length, 4);
  wire_append (buffer, string, length);
}

/* How many bytes it takes: those above would only repeat the sign. */
static guint
get_integer_width (gint64 integer)
{
  guint64 magnitude = integer >= 0 ? (guint64) integer : (guint64) ~integer << 1;

  return magnitude <= G_MAXUINT8    ? 1
         : magnitude <= G_MAXUINT16 ? 2
         : magnitude <= G_MAXUINT32 ? 4
                                    : 8;
}

void
tractor__wire_write_integer (WireBuffer *buffer, gint64 integer)
{
  guint width = get_integer_width (integer);
  guint8 kind = integer >= 0 ? 0xcc : 0xd0;

  if (integer >= -32 && integer <= 0x7f)
    write_head (buffer, (guint8) integer, 0, 0);
  else
    write_head (buffer, (guint8) (kind + g_bit_storage (width) - 1), (guint64) integer, width);
}

void
tractor__wire_write_array (WireBuffer *buffer, guint32 length)
{
  if (length <= 15)
    write_head (buffer, (guint8) (0x90 | length), 0, 0);
  else
    write_head (buffer, length <= G_MAXUINT16 ? 0xdc : 0xdd, length, length <= G_MAXUINT16 ? 2 : 4);
}

void
tractor__wire_write_map (WireBuffer *buffer, guint32 length)
{
  if (length <= 15)
    write_head (buffer, (guint8) (0x80 | length), 0, 0);
  else
    write_head (buffer, length <= G_MAXUINT16 ? 0xde : 0xdf, length, length <= G_MAXUINT16 ? 2 : 4);
}
