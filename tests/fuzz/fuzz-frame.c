/* fuzz-frame.c - frames come out the same, in whatever pieces their bytes arrive. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "bounds.h"
#include "frame.h"
#include "fuzz.h"

typedef struct {
  guint n;
  guint hash;
  gboolean is_invalid;
  gboolean is_inside;
} Frames;

static gboolean
take_frames (FrameReader *reader, Frames *frames)
{
  WireValue body;
  GError *error = NULL;
  FrameResult result;

  while ((result = tractor__frame_reader_next (reader, &body, &error)) == FRAME_COMPLETE) {
    frames->n++;
    frames->hash = frames->hash * 33 + (guint) body.length;
    for (gsize i = 0; i < body.length; i++)
      frames->hash = frames->hash * 33 + body.bytes[i];
  }
  frames->is_invalid = result == FRAME_INVALID;
  fuzz_assert_outcome (!frames->is_invalid, error);
  return !frames->is_invalid;
}

/* @seed: of the lengths of the pieces; 0: as long as there is room for. */
static Frames
read_in_pieces (const guint8 *bytes, gsize length, guint seed)
{
  FrameReader reader = { 0 };
  Frames frames = { 0 };
  gsize at = 0;

  while (take_frames (&reader, &frames) && at < length) {
    gsize room;
    guint8 *to = tractor__frame_reader_get_room (&reader, &room);
    gsize n = MIN (room, length - at);

    g_assert_true (to != NULL && room > 0);
    /* No peer makes room for what it has only announced. */
    g_assert_cmpuint (reader.size, <=, 2 * length + 3 * READ_BYTES);
    if (seed != 0) {
      seed = seed * 1103515245 + 12345;
      n = MIN (n, 1 + (seed >> 16) % ((seed >> 8) % 3 == 0 ? 7 : 70000));
    }
    memcpy (to, bytes + at, n);
    tractor__frame_reader_received (&reader, n);
    at += n;
  }
  frames.is_inside = tractor__frame_reader_is_inside (&reader);
  tractor__frame_reader_clear (&reader);
  return frames;
}

/* (transfer full): the same with a frame before it that is larger than any input. */
static GByteArray *
prepend_large_frame (const guint8 *bytes, gsize length, guint body_length)
{
  GByteArray *all = g_byte_array_new ();
  guint32 prefix = GUINT32_TO_LE (body_length);

  g_byte_array_append (all, (const guint8 *) &prefix, sizeof prefix);
  g_byte_array_set_size (all, (guint) sizeof prefix + body_length);
  memset (all->data + sizeof prefix, 7, body_length);
  g_byte_array_append (all, bytes, (guint) length);
  return all;
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize length)
{
  g_autoptr (GByteArray) all = NULL;
  guint32 seed;
  Frames whole;
  Frames pieces;

  if (length < sizeof seed)
    return 0;
  memcpy (&seed, bytes, sizeof seed);
  seed = GUINT32_FROM_LE (seed);
  all = prepend_large_frame (bytes + sizeof seed, length - sizeof seed,
                             seed % 8 == 7 ? (seed >> 3) % 300000 : 0);
  whole = read_in_pieces (all->data, all->len, 0);
  pieces = read_in_pieces (all->data, all->len, seed | 1);
  g_assert_cmpuint (whole.n, ==, pieces.n);
  g_assert_cmpuint (whole.hash, ==, pieces.hash);
  g_assert_true (whole.is_invalid == pieces.is_invalid);
  g_assert_true (whole.is_invalid || whole.is_inside == pieces.is_inside);
  return 0;
}
