/* fuzz-ring.c - both ends of a ring, between whose calls a peer writes anything anywhere.
 *
 * The bytes are a script: which call comes next, or which word of the memory is which from now on. Whatever that is,
 * an end is led to no place outside of the ring, and to no item longer than it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "memory.h"
#include "ring.h"

typedef struct {
  const guint8 *bytes;
  gsize left;
} Script;

/* Zeros behind its end. */
static guint64
next (Script *script, gsize n_bytes)
{
  guint64 word = 0;
  gsize n = MIN (n_bytes, script->left);

  memcpy (&word, script->bytes, n);
  script->bytes += n;
  script->left -= n;
  return word;
}

/* Of each input, one after the other. */
static Ring writer_at_first;
static Ring reader_at_first;
static guint64 *words; /* of the whole memory */
static gsize n_words;

static void
make_memory (void)
{
  gsize capacity = tractor__ring_get_capacity (1);
  gsize size = tractor__ring_get_size (capacity);
  int fd = tractor__memory_make ("fuzz", size, NULL);

  g_assert_true (tractor__memory_seal (fd, 0, NULL));
  g_assert_true (tractor__ring_map (&writer_at_first, fd, capacity));
  g_assert_true (tractor__ring_map (&reader_at_first, fd, capacity));
  words = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  g_assert_true (words != MAP_FAILED);
  n_words = size / sizeof *words;
  close (fd);
}

static void
assert_inside (const Ring *ring, gconstpointer data, gsize length)
{
  const guint8 *at = data;

  g_assert_true (at >= ring->data + RING_ITEM_HEAD && length <= ring->capacity - RING_ITEM_HEAD);
  g_assert_true (at + length <= ring->data + 2 * ring->capacity);
}

/* Returns: FALSE if this end is used no more. */
static gboolean
write_one (Ring *ring, gsize length, gsize less)
{
  gpointer data;
  RingState state;

  length = MIN (length, ring->capacity - RING_ITEM_HEAD);
  state = tractor__ring_reserve (ring, length, &data);
  if (state == RING_OK) {
    assert_inside (ring, data, length);
    memset (data, 0x55, length);
    tractor__ring_commit (ring, length - MIN (less, length));
  }
  return state != RING_DAMAGED;
}

static gboolean
read_one (Ring *ring, gboolean is_released)
{
  gconstpointer data;
  gsize length;
  RingState state = tractor__ring_peek (ring, &data, &length);
  guint8 copy[128];

  if (state == RING_OK) {
    assert_inside (ring, data, length);
    memcpy (copy, data, MIN (length, sizeof copy));
    memcpy (copy, (const guint8 *) data + length - MIN (length, sizeof copy),
            MIN (length, sizeof copy));
    if (is_released)
      tractor__ring_release (ring);
  } else if (state == RING_NOTHING)
    tractor__ring_is_ended (ring);
  return state != RING_DAMAGED;
}

/* The place of a reader's next item is the one that matters most. */
static void
write_head (Ring *reader, guint64 head)
{
  memcpy (reader->data + (reader->own & (reader->capacity - 1)), &head, sizeof head);
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize length)
{
  Script script = { bytes, length };
  Ring writer, reader;
  gboolean may_write = TRUE;
  gboolean may_read = TRUE;

  if (words == NULL)
    make_memory ();
  memset (words, 0, n_words * sizeof *words);
  writer = writer_at_first;
  reader = reader_at_first;

  while (script.left > 0) {
    guint64 op = next (&script, 1);

    switch (op % 8) {
    case 0:
    case 1:
      if (may_write) {
        gsize n = (gsize) next (&script, 2);

        may_write = write_one (&writer, n, (gsize) next (&script, 1));
      }
      break;
    case 2:
    case 3:
      may_read = may_read && read_one (&reader, op % 8 == 2);
      break;
    case 4:
      words[next (&script, 2) % n_words] = next (&script, 8);
      break;
    case 5:
      words[next (&script, 1) % 64] = next (&script, 2);
      break;
    case 6:
      write_head (&reader, next (&script, 8));
      break;
    default:
      tractor__ring_set_sleeps (op & 8 ? &writer : &reader, op & 8 ? RING_WRITER : RING_READER,
                                TRUE);
      if (op & 16)
        tractor__ring_end (&writer);
      break;
    }
  }
  return 0;
}
