/* deadline.c - a binary heap of embedded nodes that know their own place.
 *
 * Each node carries its index, so moving or dropping one costs O(log n) without a search, and a
 * deadline that is moved a thousand times still takes one slot. The heap knows nothing of what its
 * nodes belong to. Equal deadlines expire in no particular order. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "deadline.h"

void
tractor__deadline_heap_reserve (DeadlineHeap *heap)
{
  heap->reserved++;
  if (heap->reserved < heap->size)
    return;

  heap->size = MAX (heap->size * 2, 64);
  heap->nodes = g_renew (Deadline *, heap->nodes, heap->size);
}

static inline void
place (DeadlineHeap *heap, Deadline *deadline, guint index)
{
  heap->nodes[index] = deadline;
  deadline->index = index;
}

static void
sift_up (DeadlineHeap *heap, Deadline *deadline, guint index)
{
  while (index > 1 && heap->nodes[index / 2]->when > deadline->when) {
    place (heap, heap->nodes[index / 2], index);
    index /= 2;
  }
  place (heap, deadline, index);
}

static void
sift_down (DeadlineHeap *heap, Deadline *deadline, guint index)
{
  for (;;) {
    guint child = index * 2;

    if (child > heap->length)
      break;
    if (child < heap->length && heap->nodes[child + 1]->when < heap->nodes[child]->when)
      child++;
    if (heap->nodes[child]->when >= deadline->when)
      break;
    place (heap, heap->nodes[child], index);
    index = child;
  }
  place (heap, deadline, index);
}

void
tractor__deadline_arm (DeadlineHeap *heap, Deadline *deadline, gint64 when)
{
  gint64 before = deadline->when;

  deadline->when = when;
  if (deadline->index == 0) {
    g_assert (heap->length + 1 < heap->size);
    heap->length++;
    sift_up (heap, deadline, heap->length);
  } else if (when < before) {
    sift_up (heap, deadline, deadline->index);
  } else {
    sift_down (heap, deadline, deadline->index);
  }
}

void
tractor__deadline_disarm (DeadlineHeap *heap, Deadline *deadline)
{
  guint index = deadline->index;
  Deadline *last;

  if (index == 0)
    return;

  deadline->index = 0;
  last = heap->nodes[heap->length--];
  if (last == deadline)
    return;
  if (index > 1 && heap->nodes[index / 2]->when > last->when)
    sift_up (heap, last, index);
  else
    sift_down (heap, last, index);
}

void
tractor__deadline_heap_expire (DeadlineHeap *heap, gint64 now)
{
  while (heap->length > 0 && heap->nodes[1]->when <= now) {
    Deadline *deadline = heap->nodes[1];

    tractor__deadline_disarm (heap, deadline);
    deadline->expire (deadline);
  }
}

void
tractor__deadline_heap_clear (DeadlineHeap *heap)
{
  g_clear_pointer (&heap->nodes, g_free);
  heap->size = 0;
  heap->length = 0;
}
