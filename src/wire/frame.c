/* frame.c - a byte stream cut into frames.
 *
 * The buffer grows with what has come, never with what a length promises: a peer that announces
 * sixteen megabytes and sends ten bytes costs one read's room. The rest of a large frame is read by
 * itself, so that the next one starts at the front of the buffer, and nothing large is ever moved.
 *
 * Between two reads nearly all readers hold nothing. The room of one that waits goes to the next that
 * reads, so that a thousand idle connections need no more of it than one.
 *
 * A frame that is too large can be skipped instead: it is handed out in the parts that it comes in, of
 * which the caller takes as much as it can, and no more than those are held. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "frame.h"

#include <string.h>

#include "bounds.h"
#include "tractor-error.h"

/* How often a large buffer may be found empty since the last large frame. */
#define EMPTY_BEFORE_SHRINKING 64

static guint32
get_length (const guint8 *header)
{
  guint32 length;

  memcpy (&length, header, sizeof length);
  return GUINT32_FROM_LE (length);
}

/* How much of a large frame that has been begun has not come yet; 0: there is none. */
static gsize
get_rest_of_large (const FrameReader *reader)
{
  gsize held = reader->end - reader->start;
  gsize size;

  if (held < FRAME_HEADER_BYTES || reader->rest > 0)
    return 0;
  size = FRAME_HEADER_BYTES + (gsize) get_length (reader->bytes + reader->start);
  return size > READ_BYTES ? size - held : 0;
}

/* One large frame is no reason to keep its room for ever; but if there is one, there are more. */
static void
shrink (FrameReader *reader)
{
  if (reader->size <= 16 * READ_BYTES || ++reader->n_empty < EMPTY_BEFORE_SHRINKING)
    return;
  g_free (reader->bytes);
  reader->size = READ_BYTES;
  reader->bytes = g_malloc (reader->size);
}

guint8 *
tractor__frame_reader_get_room (FrameReader *reader, gsize *ret_room)
{
  gsize held = reader->end - reader->start;
  gsize rest = get_rest_of_large (reader);

  if (reader->start > 0 && (held == 0 || reader->size - reader->end < READ_BYTES / 2)) {
    memmove (reader->bytes, reader->bytes + reader->start, held);
    reader->start = 0;
    reader->end = held;
  }
  if (reader->size - reader->end < READ_BYTES / 2) {
    gsize size = MAX (reader->size * 2, READ_BYTES);
    guint8 *bytes = g_try_realloc (reader->bytes, size);

    if (bytes == NULL)
      return NULL;
    reader->bytes = bytes;
    reader->size = size;
  } else if (held == 0) {
    shrink (reader);
  }

  *ret_room = reader->size - reader->end;
  if (rest > 0)
    *ret_room = MIN (*ret_room, rest);
  return reader->bytes + reader->end;
}

void
tractor__frame_reader_rest (FrameReader *reader, SpareRoom *spare)
{
  if (reader->size != READ_BYTES || reader->end > reader->start)
    return;
  if (spare->bytes == NULL)
    spare->bytes = g_steal_pointer (&reader->bytes);
  else
    g_clear_pointer (&reader->bytes, g_free);
  reader->size = reader->start = reader->end = 0;
}

void
tractor__frame_reader_wake (FrameReader *reader, SpareRoom *spare)
{
  if (reader->bytes != NULL || spare->bytes == NULL)
    return;
  reader->bytes = g_steal_pointer (&spare->bytes);
  reader->size = READ_BYTES;
}

void
tractor__frame_reader_received (FrameReader *reader, gsize length)
{
  reader->end += length;
}

gsize
tractor__frame_reader_get_missing (const FrameReader *reader)
{
  gsize held = reader->end - reader->start;
  gsize size = FRAME_HEADER_BYTES;

  if (held >= FRAME_HEADER_BYTES)
    size += get_length (reader->bytes + reader->start);
  return MIN (size - held, reader->size - reader->end);
}

static FrameResult
get_part (const FrameReader *reader, WireValue *ret_part)
{
  ret_part->bytes = reader->bytes + reader->start;
  ret_part->length = MIN (reader->end - reader->start, reader->rest);
  return ret_part->length > 0 ? FRAME_OVERSIZED : FRAME_INCOMPLETE;
}

FrameResult
tractor__frame_reader_next (FrameReader *reader, WireValue *ret_body, GError **error)
{
  gsize held = reader->end - reader->start;
  gsize limit = reader->limit != 0 ? reader->limit : LIMIT_FRAME_BYTES;
  const guint8 *header;
  gsize length;

  if (reader->rest > 0)
    return get_part (reader, ret_body);
  if (held < FRAME_HEADER_BYTES) /* or there are no bytes at all yet */
    return FRAME_INCOMPLETE;

  header = reader->bytes + reader->start;
  length = get_length (header);
  if (length > limit && length <= reader->skipped) {
    reader->start += FRAME_HEADER_BYTES;
    reader->rest = length;
    return get_part (reader, ret_body);
  }
  if (length == 0 || length > limit) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                 "a frame of %" G_GSIZE_FORMAT " bytes; 1 to %" G_GSIZE_FORMAT " are allowed",
                 length, MAX (limit, reader->skipped));
    return FRAME_INVALID;
  }
  if (held - FRAME_HEADER_BYTES < length)
    return FRAME_INCOMPLETE;

  if (length > READ_BYTES)
    reader->n_empty = 0;
  ret_body->bytes = header + FRAME_HEADER_BYTES;
  ret_body->length = length;
  reader->start += FRAME_HEADER_BYTES + length;
  return FRAME_COMPLETE;
}

void
tractor__frame_reader_skip (FrameReader *reader, gsize length)
{
  reader->start += length;
  reader->rest -= length;
}

gboolean
tractor__frame_reader_is_inside (const FrameReader *reader)
{
  return reader->end > reader->start || reader->rest > 0;
}

void
tractor__frame_reader_clear (FrameReader *reader)
{
  g_clear_pointer (&reader->bytes, g_free);
  *reader = (FrameReader){ 0 };
}

gsize
tractor__frame_get_size (const guint8 *frame)
{
  return FRAME_HEADER_BYTES + (gsize) get_length (frame);
}
