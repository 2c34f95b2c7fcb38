/* run-queue.h - the tasks that are ready to run, first come first served, in batches.
 *
 * A ring of pointers. A task is in it at most once, so room for every living task, made when a
 * task is spawned, means that making a task runnable never allocates and cannot fail. A batch is
 * what was runnable when it began: a task made runnable meanwhile waits for the next one, so that
 * nobody runs twice before everybody has run once. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>

typedef struct _Task Task;

typedef struct {
  Task **ring;
  guint size;      /* a power of two */
  guint head;      /* free-running: the next to run */
  guint tail;      /* free-running: where the next one is put */
  guint batch_end; /* head reaches it: the batch is over */
  guint64 shuffle; /* 0: in order; otherwise the state of the random numbers */
} RunQueue;

static inline guint
run_queue_get_length (RunQueue *queue)
{
  return queue->tail - queue->head;
}

static inline gboolean
run_queue_batch_is_over (RunQueue *queue)
{
  return queue->head == queue->batch_end;
}

static inline void
run_queue_push (RunQueue *queue, Task *task)
{
  queue->ring[queue->tail++ & (queue->size - 1)] = task;
}

/* What the @n-th one after the head will be, for fetching it into the cache; may be stale. */
static inline Task *
run_queue_peek (RunQueue *queue, guint n)
{
  return queue->ring[(queue->head + n) & (queue->size - 1)];
}

static inline Task *
run_queue_pop (RunQueue *queue)
{
  return queue->ring[queue->head++ & (queue->size - 1)];
}

G_GNUC_INTERNAL void tractor__run_queue_reserve (RunQueue *queue, guint n_tasks);
/* Puts the batch that begins into an order drawn from queue->shuffle. */
G_GNUC_INTERNAL void tractor__run_queue_shuffle (RunQueue *queue);
G_GNUC_INTERNAL void tractor__run_queue_clear (RunQueue *queue);

static inline void
run_queue_begin_batch (RunQueue *queue)
{
  queue->batch_end = queue->tail;
  if (G_UNLIKELY (queue->shuffle != 0))
    tractor__run_queue_shuffle (queue);
}
