/* ring.c - a queue of items in memory that two processes share.
 *
 * There is one writer and one reader. Each has an index that only it moves, the number of bytes that it has
 * ever written, or read; what lies between the two is full. The memory is a page for the indices, and then the
 * data, whose size is a power of two: an index, masked, is always a place in it. It is mapped twice in a row,
 * so that every item is in one piece, also the one that goes over the end.
 *
 * The peer can write anything at any time. An end keeps its own index to itself, and tells it to the other one
 * only; of the other's it takes a copy, checks that, and goes by it. The head of an item is copied before it is
 * checked. So whatever is in the memory, nobody is led out of it: an impossible index or length is damage, and
 * an end that has seen one goes no further.
 *
 * Who sleeps is woken by whoever made the room or the item. One writes its index and then reads whether the
 * other sleeps; the other writes that it sleeps and then reads the index. In one order of all four, which is
 * why they are seq_cst, one of the two sees what the other wrote.
 *
 * A writer tells of each item, for somebody may wait for it. A reader tells of room when a fourth of the ring
 * is free anew, or when it has read all that it knows of; so most of the time neither touches what the other
 * one writes. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ring.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CACHE_LINE 64

/* What is written by one end is in lines of its own. */
struct _RingShared {
  _Alignas(CACHE_LINE) _Atomic guint64 written;
  _Atomic guint32 is_ended;
  _Alignas(CACHE_LINE) _Atomic guint64 read;
  _Alignas(CACHE_LINE) _Atomic guint32 reader_sleeps;
  _Alignas(CACHE_LINE) _Atomic guint32 writer_sleeps;
  _Alignas(CACHE_LINE) _Atomic guint32 claims;
};

/* --- memory ---------------------------------------------------------------------------------------- */

static gsize
page_size (void)
{
  return (gsize) sysconf (_SC_PAGESIZE);
}

gsize
tractor__ring_get_capacity (gsize at_least)
{
  gsize capacity = page_size ();

  if (at_least > RING_LARGEST)
    return 0;
  while (capacity < at_least)
    capacity *= 2;
  return capacity;
}

gsize
tractor__ring_get_size (gsize capacity)
{
  return page_size () + capacity;
}

gsize
tractor__ring_get_capacity_of (guint64 size)
{
  gsize capacity = size > page_size () ? (gsize) MIN (size - page_size (), G_MAXSIZE) : 0;

  return capacity > 0 && tractor__ring_get_capacity (capacity) == capacity ? capacity : 0;
}

static gboolean
map_at (guint8 *at, gsize size, int fd, gsize offset)
{
  return mmap (at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t) offset) !=
         MAP_FAILED;
}

gboolean
tractor__ring_map (Ring *ring, int fd, gsize capacity)
{
  gsize head = page_size ();
  guint8 *at = mmap (NULL, head + 2 * capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  *ring = (Ring){ 0 };
  if (at == MAP_FAILED)
    return FALSE;
  *ring = (Ring){ .shared = (RingShared *) at, .data = at + head, .capacity = capacity };
  if (map_at (at, head + capacity, fd, 0) && map_at (at + head + capacity, capacity, fd, head))
    return TRUE;
  tractor__ring_unmap (ring);
  return FALSE;
}

void
tractor__ring_unmap (Ring *ring)
{
  if (ring->shared != NULL)
    munmap (ring->shared, page_size () + 2 * ring->capacity);
  *ring = (Ring){ 0 };
}

gboolean
tractor__ring_claim (Ring *ring, RingSide side)
{
  return (atomic_fetch_or (&ring->shared->claims, 1u << side) & (1u << side)) == 0;
}

/* --- what both ends do ------------------------------------------------------------------------------- */

static gsize
item_size (gsize length)
{
  return RING_ITEM_HEAD + ((length + RING_ITEM_HEAD - 1) & ~(gsize) (RING_ITEM_HEAD - 1));
}

static guint8 *
get_place (Ring *ring)
{
  return ring->data + (ring->own & (ring->capacity - 1));
}

/* The peer's index was read once. Returns: FALSE if what it leaves between the two cannot be. */
static gboolean
is_possible (Ring *ring, guint64 full)
{
  return full <= ring->capacity && full % RING_ITEM_HEAD == 0;
}

static _Atomic guint32 *
get_sleeps (Ring *ring, RingSide side)
{
  return side == RING_WRITER ? &ring->shared->writer_sleeps : &ring->shared->reader_sleeps;
}

void
tractor__ring_set_sleeps (Ring *ring, RingSide side, gboolean sleeps)
{
  atomic_store (get_sleeps (ring, side), sleeps ? 1 : 0);
}

/* Whether it is the caller who has to wake that one. */
static gboolean
take_sleeper (Ring *ring, RingSide side)
{
  _Atomic guint32 *sleeps = get_sleeps (ring, side);

  return atomic_load (sleeps) != 0 && atomic_exchange (sleeps, 0) != 0;
}

/* --- a writer ---------------------------------------------------------------------------------------- */

RingState
tractor__ring_reserve (Ring *ring, gsize length, gpointer *ret_data)
{
  gsize size = item_size (length);

  ring->item = 0;
  if (size > ring->capacity - (ring->own - ring->other)) {
    guint64 read = atomic_load (&ring->shared->read);

    if (!is_possible (ring, ring->own - read))
      return RING_DAMAGED;
    ring->other = read;
    if (size > ring->capacity - (ring->own - read))
      return RING_NOTHING;
  }
  ring->item = size;
  *ret_data = get_place (ring) + RING_ITEM_HEAD;
  return RING_OK;
}

gboolean
tractor__ring_commit (Ring *ring, gsize length)
{
  guint64 head = length;

  memcpy (get_place (ring), &head, sizeof head);
  ring->own += item_size (length);
  ring->item = 0;
  atomic_store (&ring->shared->written, ring->own);
  return take_sleeper (ring, RING_READER);
}

gboolean
tractor__ring_end (Ring *ring)
{
  atomic_store (&ring->shared->is_ended, 1);
  return take_sleeper (ring, RING_READER);
}

/* --- a reader ---------------------------------------------------------------------------------------- */

/* Returns: how many bytes the item takes; 0: that cannot be. */
static gsize
read_head (Ring *ring, gsize *ret_length)
{
  guint64 length =
      atomic_load_explicit ((_Atomic guint64 *) get_place (ring), memory_order_relaxed);

  if (length > ring->other - ring->own || item_size ((gsize) length) > ring->other - ring->own)
    return 0;
  *ret_length = (gsize) length;
  return item_size ((gsize) length);
}

RingState
tractor__ring_peek (Ring *ring, gconstpointer *ret_data, gsize *ret_length)
{
  ring->item = 0;
  if (ring->own == ring->other) {
    guint64 written = atomic_load (&ring->shared->written);

    if (!is_possible (ring, written - ring->own))
      return RING_DAMAGED;
    ring->other = written;
    if (written == ring->own)
      return RING_NOTHING;
  }
  ring->item = read_head (ring, ret_length);
  if (ring->item == 0)
    return RING_DAMAGED;
  *ret_data = get_place (ring) + RING_ITEM_HEAD;
  return RING_OK;
}

gboolean
tractor__ring_release (Ring *ring)
{
  ring->own += ring->item;
  ring->item = 0;
  if (ring->own == ring->told ||
      (ring->own != ring->other && ring->own - ring->told < ring->capacity / 4))
    return FALSE;
  ring->told = ring->own;
  atomic_store (&ring->shared->read, ring->own);
  return take_sleeper (ring, RING_WRITER);
}

gboolean
tractor__ring_is_ended (Ring *ring)
{
  /* What was written before the end is there when the end is seen. */
  return atomic_load (&ring->shared->is_ended) != 0 &&
         atomic_load (&ring->shared->written) == ring->own;
}
