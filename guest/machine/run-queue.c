/* run-queue.c - the ring's growth, and the shuffle of a batch. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "run-queue.h"

void
tractor__run_queue_reserve (RunQueue *queue, guint n_tasks)
{
  guint size = MAX (queue->size, 64);
  Task **ring;

  while (size < n_tasks)
    size *= 2;
  if (size == queue->size)
    return;

  /* A free-running index means another slot in a ring of another size, so all are moved. */
  ring = g_new0 (Task *, size);
  for (guint i = queue->head; i != queue->tail; i++)
    ring[i & (size - 1)] = queue->ring[i & (queue->size - 1)];
  g_free (queue->ring);
  queue->ring = ring;
  queue->size = size;
}

/* xorshift64*: small, seedable, and not meant to be secret. */
static guint64
next_random (guint64 *state)
{
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * G_GUINT64_CONSTANT (2685821657736338717);
}

void
tractor__run_queue_shuffle (RunQueue *queue)
{
  guint mask = queue->size - 1;

  for (guint n = run_queue_get_length (queue); n > 1; n--) {
    guint i = queue->head + n - 1;
    guint j = queue->head + (guint) (next_random (&queue->shuffle) % n);
    Task *task = queue->ring[i & mask];

    queue->ring[i & mask] = queue->ring[j & mask];
    queue->ring[j & mask] = task;
  }
}

void
tractor__run_queue_clear (RunQueue *queue)
{
  g_clear_pointer (&queue->ring, g_free);
  queue->size = 0;
}
