/* frame.h - a byte stream cut into frames: four bytes of length, little-endian, then the body. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "wire.h"

#define FRAME_HEADER_BYTES 4

typedef enum {
  FRAME_COMPLETE,
  FRAME_INCOMPLETE,
  FRAME_OVERSIZED, /* part of one that is too large */
  FRAME_INVALID
} FrameResult;

/* Bytes that have been received, the oldest at @start. Zeroed memory is an empty one. */
typedef struct {
  guint8 *bytes;
  gsize size;
  gsize start;
  gsize end;
  gsize limit;   /* of a body; 0: LIMIT_FRAME_BYTES */
  gsize skipped; /* a body up to this is skipped if it is too large; 0: none is */
  gsize rest;    /* of one that is being skipped */
  guint n_empty; /* how often it was, since the last large frame */
} FrameReader;

/* Returns: NULL if there is no memory; else where to receive to, and how much there is room for: at least
 * one byte, and enough for the rest of the current frame only as far as its bytes have really come. */
G_GNUC_INTERNAL guint8 *tractor__frame_reader_get_room (FrameReader *reader, gsize *ret_room);
/* Memory that readers of one thread hand on to each other, since only one of them reads at a time.
 * Zeroed memory is none. */
typedef struct {
  guint8 *bytes;
} SpareRoom;

/* Before and after it waits for more: what holds no bytes needs no memory meanwhile. */
G_GNUC_INTERNAL void tractor__frame_reader_rest (FrameReader *reader, SpareRoom *spare);
G_GNUC_INTERNAL void tractor__frame_reader_wake (FrameReader *reader, SpareRoom *spare);
G_GNUC_INTERNAL void tractor__frame_reader_received (FrameReader *reader, gsize length);
/* How many bytes it takes to the end of the length, or of the frame, that has been begun: at most as many
 * as there is room for. */
G_GNUC_INTERNAL gsize tractor__frame_reader_get_missing (const FrameReader *reader);
/* Takes the next body, which stays valid until the next tractor__frame_reader_get_room(). If it is
 * OVERSIZED, *@ret_body is what has come of it, and nothing is taken: reader->rest is how much of it
 * is left, this part too. */
G_GNUC_INTERNAL FrameResult tractor__frame_reader_next (FrameReader *reader,
                                                        WireValue *ret_body,
                                                        GError **error);
/* Takes so much of the part of a frame that is OVERSIZED. */
G_GNUC_INTERNAL void tractor__frame_reader_skip (FrameReader *reader, gsize length);
/* Whether the stream would end inside a frame now. */
G_GNUC_INTERNAL gboolean tractor__frame_reader_is_inside (const FrameReader *reader);
G_GNUC_INTERNAL void tractor__frame_reader_clear (FrameReader *reader);

/* Of a whole frame, with its length. */
G_GNUC_INTERNAL gsize tractor__frame_get_size (const guint8 *frame);
/* A frame is written between these two, straight into what will be sent. */
static inline guint
frame_begin (WireBuffer *buffer)
{
  buffer->frame_start = buffer->len;
  wire_append_literal (buffer, "\0\0\0\0");
  return buffer->frame_start;
}

static inline void
frame_end (WireBuffer *buffer, guint start)
{
  guint32 length = GUINT32_TO_LE (buffer->len - start - FRAME_HEADER_BYTES);

  memcpy (buffer->data + start, &length, sizeof length);
}
