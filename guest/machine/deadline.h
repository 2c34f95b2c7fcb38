/* deadline.h - a heap of moments at which something is to be done. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>

typedef struct _Deadline Deadline;
typedef void (*DeadlineFunc) (Deadline *deadline);

/* Embedded in whatever waits for it. */
struct _Deadline {
  gint64 when;         /* usec */
  guint index;         /* in the heap, counted from 1; 0: not armed */
  DeadlineFunc expire; /* disarmed before it is called */
};

typedef struct {
  Deadline **nodes; /* nodes[1] is the earliest */
  guint length;
  guint size;
  guint reserved; /* how many may be armed at the same time */
} DeadlineHeap;

/* Arming must not allocate, so whoever may arm one says so beforehand. */
G_GNUC_INTERNAL void tractor__deadline_heap_reserve (DeadlineHeap *heap);
static inline void
deadline_heap_unreserve (DeadlineHeap *heap)
{
  heap->reserved--;
}

G_GNUC_INTERNAL void tractor__deadline_arm (DeadlineHeap *heap, Deadline *deadline, gint64 when);
G_GNUC_INTERNAL void tractor__deadline_disarm (DeadlineHeap *heap, Deadline *deadline);
/* Calls whatever is due at @now, earliest first. */
G_GNUC_INTERNAL void tractor__deadline_heap_expire (DeadlineHeap *heap, gint64 now);
G_GNUC_INTERNAL void tractor__deadline_heap_clear (DeadlineHeap *heap);

static inline gint64
deadline_heap_get_earliest (const DeadlineHeap *heap)
{
  return heap->length > 0 ? heap->nodes[1]->when : G_MAXINT64;
}
