/* entry.c - a lock-free list that many threads push to and one takes whole.
 *
 * Taking the list leaves it empty, so exactly one push after that finds it empty, and only that
 * one has to wake the reader: any number of pushes before a tick cost one system call. A push that
 * comes between the reader's wakeup and its taking is taken along, and wakes it once too often,
 * which is harmless; none is ever missed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "entry.h"

#include <stdatomic.h>

struct _Entry {
  Entry *next;
  TractorSoonFunc func;
  gpointer data;
};

static Entry closed; /* its address only */

EntryResult
tractor__entry_queue_push (EntryQueue *queue, TractorSoonFunc func, gpointer data)
{
  Entry *entry = g_new (Entry, 1);
  Entry *before = atomic_load_explicit (&queue->head, memory_order_relaxed);

  entry->func = func;
  entry->data = data;
  do {
    if (before == &closed) {
      g_free (entry);
      return ENTRY_CLOSED;
    }
    entry->next = before;
    /* Release: pairs with the acquire of take(). */
  } while (!atomic_compare_exchange_weak_explicit (&queue->head, &before, entry,
                                                   memory_order_release, memory_order_relaxed));

  /* The entry itself may have been called and freed by now. */
  return before == NULL ? ENTRY_ADDED_FIRST : ENTRY_ADDED;
}

/* Returns: the entries, oldest first. */
static Entry *
take (EntryQueue *queue, Entry *leave)
{
  /* Acquire: pairs with the release of every push that is taken. */
  Entry *entry = atomic_exchange_explicit (&queue->head, leave, memory_order_acquire);
  Entry *oldest = NULL;

  while (entry != NULL && entry != &closed) {
    Entry *next = entry->next;

    entry->next = oldest;
    oldest = entry;
    entry = next;
  }
  return oldest;
}

static void
call_all (Entry *entry)
{
  while (entry != NULL) {
    Entry *next = entry->next;

    entry->func (entry->data);
    g_free (entry);
    entry = next;
  }
}

void
tractor__entry_queue_drain (EntryQueue *queue)
{
  /* The usual case, without a locked instruction. */
  if (atomic_load_explicit (&queue->head, memory_order_relaxed) == NULL)
    return;

  call_all (take (queue, NULL));
}

void
tractor__entry_queue_close (EntryQueue *queue)
{
  call_all (take (queue, &closed));
}

void
tractor__entry_queue_enter (EntryQueue *queue)
{
  atomic_fetch_add_explicit (&queue->n_inside, 1, memory_order_relaxed);
}

void
tractor__entry_queue_leave (EntryQueue *queue)
{
  /* Release: pairs with the acquire of wait_for_leavers(). */
  atomic_fetch_sub_explicit (&queue->n_inside, 1, memory_order_release);
}

void
tractor__entry_queue_wait_for_leavers (EntryQueue *queue)
{
  /* At most as long as another thread needs for one write(). */
  while (atomic_load_explicit (&queue->n_inside, memory_order_acquire) > 0)
    g_thread_yield ();
}
