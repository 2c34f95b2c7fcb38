/* ring.h - items in the order in which they came, as many as there may be.
 *
 * The room for all is only made when it is needed: it doubles each time that it is full. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>
#include <string.h>

#define PLACES_AT_FIRST 4096

typedef struct {
  guint capacity;
  guint length;
  guint first;
  guint n_places; /* of @items, which has room for @capacity in the end */
  gpointer *items;
} Ring;

static inline void
ring_init (Ring *ring, guint capacity)
{
  ring->capacity = capacity;
  ring->length = 0;
  ring->first = 0;
  ring->n_places = MIN (capacity, PLACES_AT_FIRST);
  ring->items = g_new (gpointer, ring->n_places);
}

/* What is in it is the caller's. */
static inline void
ring_clear (Ring *ring)
{
  g_free (ring->items);
}

static inline gboolean
ring_is_full (const Ring *ring)
{
  return ring->length == ring->capacity;
}

/* @i: 0 is the oldest */
static inline gpointer *
ring_place (const Ring *ring, guint i)
{
  guint n_to_end = ring->n_places - ring->first;

  return &ring->items[i < n_to_end ? ring->first + i : i - n_to_end];
}

/* All places are taken. Those from the first to the end go to the new end; what has gone round is in place. */
static inline void
ring_grow (Ring *ring)
{
  guint n = ring->n_places - ring->first;

  ring->n_places = ring->n_places > ring->capacity / 2 ? ring->capacity : 2 * ring->n_places;
  ring->items = g_renew (gpointer, ring->items, ring->n_places);
  if (ring->first == 0)
    return;
  memmove (&ring->items[ring->n_places - n], &ring->items[ring->first], n * sizeof (gpointer));
  ring->first = ring->n_places - n;
}

/* It is not full. */
static inline void
ring_push (Ring *ring, gpointer item)
{
  if (G_UNLIKELY (ring->length == ring->n_places))
    ring_grow (ring);
  *ring_place (ring, ring->length++) = item;
}

static inline void
ring_turn (Ring *ring)
{
  ring->first = ring->first + 1 == ring->n_places ? 0 : ring->first + 1;
}

/* The oldest; it is not empty. */
static inline gpointer
ring_pop (Ring *ring)
{
  gpointer item = ring->items[ring->first];

  ring_turn (ring);
  ring->length--;
  return item;
}

/* It is full. Returns: the oldest, whose place @item takes. */
static inline gpointer
ring_replace (Ring *ring, gpointer item)
{
  gpointer oldest = ring->items[ring->first];

  ring->items[ring->first] = item;
  ring_turn (ring);
  return oldest;
}
