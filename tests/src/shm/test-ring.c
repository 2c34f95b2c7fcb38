/* test-ring.c - a ring by itself: items of any length, and a peer that writes anything anywhere. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "memory.h"
#include "ring.h"

#define CAPACITY 4096

/* Both ends, each with a mapping of its own, as two processes have. */
typedef struct {
  Ring writer;
  Ring reader;
  gsize capacity;
  guint64 *words; /* all of the memory, as the peer sees it */
  gsize n_words;
} Pair;

static Pair
open_pair (gsize at_least)
{
  Pair pair = { .capacity = tractor__ring_get_capacity (at_least) };
  gsize size = tractor__ring_get_size (pair.capacity);
  int fd = tractor__memory_make ("test", size, NULL);

  g_assert_true (tractor__memory_seal (fd, 0, NULL));
  g_assert_true (tractor__ring_map (&pair.writer, fd, pair.capacity));
  g_assert_true (tractor__ring_map (&pair.reader, fd, pair.capacity));
  pair.words = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  g_assert_true (pair.words != MAP_FAILED);
  pair.n_words = size / sizeof *pair.words;
  close (fd);
  return pair;
}

static void
close_pair (Pair *pair)
{
  munmap (pair->words, pair->n_words * sizeof *pair->words);
  tractor__ring_unmap (&pair->writer);
  tractor__ring_unmap (&pair->reader);
}

static void
assert_inside (const Ring *ring, gconstpointer data, gsize length)
{
  const guint8 *at = data;

  g_assert_true (at >= ring->data && length <= ring->capacity &&
                 at + length <= ring->data + 2 * ring->capacity);
}

/* --- in order --------------------------------------------------------------------------------------- */

static RingState
write_item (Ring *ring, guint8 first, gsize length)
{
  gpointer at;
  RingState state = tractor__ring_reserve (ring, length, &at);

  if (state != RING_OK)
    return state;
  assert_inside (ring, at, length);
  g_assert_cmpuint ((gsize) at % RING_ITEM_HEAD, ==, 0);
  for (gsize i = 0; i < length; i++)
    ((guint8 *) at)[i] = (guint8) (first + i);
  g_assert_false (tractor__ring_commit (ring, length));
  return RING_OK;
}

static void
read_item (Ring *ring, guint8 first, gsize expected)
{
  gconstpointer at;
  gsize length;

  g_assert_cmpint (tractor__ring_peek (ring, &at, &length), ==, RING_OK);
  g_assert_cmpuint (length, ==, expected);
  assert_inside (ring, at, length);
  for (gsize i = 0; i < length; i++)
    g_assert_cmpuint (((const guint8 *) at)[i], ==, (guint8) (first + i));
  g_assert_false (tractor__ring_release (ring));
}

static void
test_every_length_at_every_place (void)
{
  Pair pair = open_pair (1);
  gconstpointer item;
  gsize none;

  g_assert_cmpuint (pair.capacity, >=, CAPACITY);
  for (gsize length = 0; length <= pair.capacity - RING_ITEM_HEAD; length++) {
    g_assert_cmpint (write_item (&pair.writer, (guint8) length, length), ==, RING_OK);
    read_item (&pair.reader, (guint8) length, length);
    g_assert_cmpint (tractor__ring_peek (&pair.reader, &item, &none), ==, RING_NOTHING);
  }
  close_pair (&pair);
}

/* However little it was: if all has been read, the longest item has room. */
static void
test_room_is_told_of (void)
{
  Pair pair = open_pair (1);
  gpointer at;

  for (guint i = 0; i < 3; i++) {
    g_assert_cmpint (write_item (&pair.writer, 1, 1), ==, RING_OK);
    read_item (&pair.reader, 1, 1);
    g_assert_cmpint (tractor__ring_reserve (&pair.writer, pair.capacity - RING_ITEM_HEAD, &at), ==,
                     RING_OK);
  }
  close_pair (&pair);
}

static void
test_full_and_empty (void)
{
  Pair pair = open_pair (1);
  gsize length = 24 - RING_ITEM_HEAD;
  guint n = 0;

  for (guint round = 0; round < 100; round++) {
    guint n_read = (guint) g_test_rand_int_range (1, 200);

    while (write_item (&pair.writer, (guint8) n, length) == RING_OK)
      n++;
    g_assert_cmpuint (pair.writer.own - pair.reader.own, <=, pair.capacity);
    for (guint i = 0; i < n_read && pair.reader.own < pair.writer.own; i++)
      read_item (&pair.reader, (guint8) (pair.reader.own / 24), length);
  }
  close_pair (&pair);
}

static void
test_who_sleeps_is_woken_once (void)
{
  Pair pair = open_pair (1);
  gpointer at;

  tractor__ring_set_sleeps (&pair.reader, RING_READER, TRUE);
  g_assert_cmpint (tractor__ring_reserve (&pair.writer, 1, &at), ==, RING_OK);
  g_assert_true (tractor__ring_commit (&pair.writer, 1));
  g_assert_cmpint (tractor__ring_reserve (&pair.writer, 1, &at), ==, RING_OK);
  g_assert_false (tractor__ring_commit (&pair.writer, 1));
  tractor__ring_set_sleeps (&pair.reader, RING_READER, TRUE);
  g_assert_true (tractor__ring_end (&pair.writer));
  g_assert_false (tractor__ring_is_ended (&pair.reader)); /* there are items */
  close_pair (&pair);
}

static void
test_sizes (void)
{
  gsize page = tractor__ring_get_capacity (1);

  g_assert_cmpuint (tractor__ring_get_capacity (0), ==, page);
  g_assert_cmpuint (tractor__ring_get_capacity (page + 1), ==, 2 * page);
  g_assert_cmpuint (tractor__ring_get_capacity (RING_LARGEST), ==, RING_LARGEST);
  g_assert_cmpuint (tractor__ring_get_capacity ((gsize) RING_LARGEST + 1), ==, 0);
  g_assert_cmpuint (tractor__ring_get_capacity_of (tractor__ring_get_size (4 * page)), ==,
                    4 * page);
  g_assert_cmpuint (tractor__ring_get_capacity_of (4 * page), ==, 0);
  g_assert_cmpuint (tractor__ring_get_capacity_of (page), ==, 0);
  g_assert_cmpuint (tractor__ring_get_capacity_of (0), ==, 0);
  g_assert_cmpuint (tractor__ring_get_capacity_of (G_MAXUINT64), ==, 0);
}

/* --- a bad peer ------------------------------------------------------------------------------------- */

static guint64
any_word (GRand *rand)
{
  static const guint64 some[] = { 0,
                                  1,
                                  7,
                                  8,
                                  16,
                                  CAPACITY - 8,
                                  CAPACITY,
                                  CAPACITY + 8,
                                  G_MAXUINT32,
                                  G_MAXUINT64,
                                  G_MAXUINT64 - 7,
                                  (guint64) G_MAXINT64 + 1 };

  return g_rand_boolean (rand) ? some[g_rand_int_range (rand, 0, G_N_ELEMENTS (some))]
                               : (guint64) g_rand_int (rand) << 32 | g_rand_int (rand);
}

/* The indices are at the beginning of the memory, and more often hit than the rest. */
static void
scribble (Pair *pair, GRand *rand)
{
  gsize at = (gsize) g_rand_int_range (rand, 0, (gint32) pair->n_words);

  if (g_rand_boolean (rand))
    at %= 64;
  atomic_store_explicit ((_Atomic guint64 *) &pair->words[at], any_word (rand),
                         memory_order_relaxed);
}

static guint64
touch (const guint8 *at, gsize length)
{
  guint64 sum = 0;

  for (gsize i = 0; i < length; i++)
    sum += ((const volatile guint8 *) at)[i];
  return sum;
}

/* Returns: whether the ring is still taken for whole. */
static gboolean
use_reader (Pair *pair, GRand *rand)
{
  gconstpointer at;
  gsize length;
  RingState state = tractor__ring_peek (&pair->reader, &at, &length);

  if (state == RING_OK) {
    assert_inside (&pair->reader, at, length);
    touch (at, length);
    if (g_rand_boolean (rand))
      tractor__ring_release (&pair->reader);
  }
  tractor__ring_is_ended (&pair->reader);
  return state != RING_DAMAGED;
}

static gboolean
use_writer (Pair *pair, GRand *rand)
{
  gsize length = (gsize) g_rand_int_range (rand, 0, CAPACITY - RING_ITEM_HEAD);
  gpointer at;
  RingState state = tractor__ring_reserve (&pair->writer, length, &at);

  if (state == RING_OK) {
    assert_inside (&pair->writer, at, length);
    memset (at, 0x55, length);
    tractor__ring_commit (&pair->writer, length / 2);
  }
  return state != RING_DAMAGED;
}

/* Where the indices are, in words: each is alone in its line. */
#define WRITTEN 0
#define READ    8

static RingState
peek_after (gsize at, guint64 word)
{
  Pair pair = open_pair (1);
  gconstpointer item;
  gsize length;
  RingState state;

  g_assert_cmpint (write_item (&pair.writer, 0, 8), ==, RING_OK); /* takes 16 */
  pair.words[at] = word;
  state = tractor__ring_peek (&pair.reader, &item, &length);
  close_pair (&pair);
  return state;
}

static RingState
reserve_after (guint64 read)
{
  Pair pair = open_pair (1);
  gpointer at;
  RingState state;

  g_assert_cmpint (write_item (&pair.writer, 0, 8), ==, RING_OK);
  pair.words[READ] = read;
  state = tractor__ring_reserve (&pair.writer, pair.capacity - RING_ITEM_HEAD, &at);
  close_pair (&pair);
  return state;
}

static void
test_damage_is_seen (void)
{
  gsize capacity = tractor__ring_get_capacity (1);
  gsize head = (tractor__ring_get_size (capacity) - capacity) / sizeof (guint64);

  g_assert_cmpint (peek_after (WRITTEN, 16), ==, RING_OK);
  g_assert_cmpint (peek_after (WRITTEN, 8), ==, RING_DAMAGED); /* half an item */
  g_assert_cmpint (peek_after (WRITTEN, 17), ==, RING_DAMAGED);
  g_assert_cmpint (peek_after (WRITTEN, capacity + 8), ==, RING_DAMAGED);
  g_assert_cmpint (peek_after (WRITTEN, G_MAXUINT64 - 7), ==, RING_DAMAGED); /* back */
  g_assert_cmpint (peek_after (head, 7), ==, RING_OK);
  g_assert_cmpint (peek_after (head, 9), ==, RING_DAMAGED); /* fits only before it is rounded up */
  g_assert_cmpint (peek_after (head, 17), ==, RING_DAMAGED);
  g_assert_cmpint (peek_after (head, G_MAXUINT64), ==, RING_DAMAGED);
  g_assert_cmpint (peek_after (head, G_MAXUINT64 - 7), ==, RING_DAMAGED);

  g_assert_cmpint (reserve_after (16), ==, RING_OK);
  g_assert_cmpint (reserve_after (8), ==, RING_NOTHING);
  g_assert_cmpint (reserve_after (9), ==, RING_DAMAGED);
  g_assert_cmpint (reserve_after (24), ==, RING_DAMAGED); /* more than there was */
  g_assert_cmpint (reserve_after (G_MAXUINT64 - capacity), ==, RING_DAMAGED);
}

static void
test_scribbled_between_any_two_calls (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (g_test_rand_int ());
  guint n_damaged = 0;

  for (guint round = 0; round < 2000; round++) {
    Pair pair = open_pair (1);
    gboolean is_whole = TRUE;

    for (guint step = 0; step < 50 && is_whole; step++) {
      is_whole = use_writer (&pair, rand) && use_reader (&pair, rand);
      if (g_rand_int_range (rand, 0, 4) == 0)
        scribble (&pair, rand);
    }
    n_damaged += !is_whole;
    close_pair (&pair);
  }
  g_assert_cmpuint (n_damaged, >, 0);
}

typedef struct {
  Pair pair;
  guint32 seed;
  atomic_int is_over;
} Attack;

static gpointer
scribble_on (gpointer data)
{
  Attack *attack = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (attack->seed);

  while (!atomic_load (&attack->is_over))
    scribble (&attack->pair, rand);
  return NULL;
}

/* In the middle of each call. An end that has seen damage goes on here, as no user of it can. */
static void
test_scribbled_meanwhile (void)
{
  Attack attack = { .pair = open_pair (1), .seed = g_test_rand_int () };
  g_autoptr (GRand) rand = g_rand_new_with_seed (attack.seed + 1);
  GThread *thread = g_thread_new ("peer", scribble_on, &attack);
  guint n_damaged = 0;

  for (guint i = 0; i < 200000 / harness_get_slowness (); i++)
    n_damaged += !use_reader (&attack.pair, rand) + !use_writer (&attack.pair, rand);
  atomic_store (&attack.is_over, 1);
  g_thread_join (thread);
  g_assert_cmpuint (n_damaged, >, 0);
  close_pair (&attack.pair);
}

/* --- two threads ------------------------------------------------------------------------------------ */

#define N_ITEMS 200000

static gpointer
write_all (gpointer data)
{
  Pair *pair = data;

  for (guint64 i = 0; i < N_ITEMS / harness_get_slowness (); i++) {
    gsize length = sizeof i + i % 400;
    gpointer at;
    RingState state;

    while ((state = tractor__ring_reserve (&pair->writer, length, &at)) == RING_NOTHING)
      g_thread_yield ();
    g_assert_cmpint (state, ==, RING_OK);
    memcpy (at, &i, sizeof i);
    tractor__ring_commit (&pair->writer, length);
  }
  return NULL;
}

static void
test_two_threads (void)
{
  Pair pair = open_pair (1);
  GThread *thread = g_thread_new ("writer", write_all, &pair);

  for (guint64 i = 0; i < N_ITEMS / harness_get_slowness (); i++) {
    gconstpointer at;
    guint64 number;
    gsize length;
    RingState state;

    while ((state = tractor__ring_peek (&pair.reader, &at, &length)) == RING_NOTHING)
      g_thread_yield ();
    g_assert_cmpint (state, ==, RING_OK);
    g_assert_cmpuint (length, ==, sizeof i + i % 400);
    memcpy (&number, at, sizeof number);
    g_assert_cmpuint (number, ==, i);
    tractor__ring_release (&pair.reader);
  }
  g_thread_join (thread);
  close_pair (&pair);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);

  harness_add ("/src/ring/every-length-at-every-place", test_every_length_at_every_place);
  harness_add ("/src/ring/room-is-told-of", test_room_is_told_of);
  harness_add ("/src/ring/full-and-empty", test_full_and_empty);
  harness_add ("/src/ring/who-sleeps-is-woken-once", test_who_sleeps_is_woken_once);
  harness_add ("/src/ring/sizes", test_sizes);
  harness_add ("/src/ring/damage-is-seen", test_damage_is_seen);
  harness_add ("/src/ring/scribbled-between-any-two-calls", test_scribbled_between_any_two_calls);
  harness_add ("/src/ring/scribbled-meanwhile", test_scribbled_meanwhile);
  harness_add ("/src/ring/two-threads", test_two_threads);
  return harness_run ();
}
