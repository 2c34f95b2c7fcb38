/* ring.h - a queue of items in memory that two processes share, without a wait in it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-error.h"

#define RING_LARGEST (1024 * 1024 * 1024)
/* Before each item, and what its end is rounded up to. */
#define RING_ITEM_HEAD 8

typedef struct _RingShared RingShared;

/* One end's own view. What it knows of the other end's it has checked, and reads no second time. */
typedef struct {
  RingShared *shared;
  guint8 *data;   /* twice in a row */
  gsize capacity; /* a power of two */
  guint64 own;    /* how many bytes this end has written, or read */
  guint64 told;   /* how many of them the other end knows of: a reader's */
  guint64 other;  /* how many the other end has, as it was seen last */
  gsize item;     /* what is reserved, or looked at, with its head; 0: nothing */
} Ring;

typedef enum {
  RING_OK,
  RING_NOTHING, /* no room, or no item */
  RING_DAMAGED  /* by the other end: there is nothing more to be had */
} RingState;

typedef enum {
  RING_WRITER,
  RING_READER
} RingSide;

/* The one that is at least as large. 0: too large. */
G_GNUC_INTERNAL gsize tractor__ring_get_capacity (gsize at_least);
/* What a ring's memory has to have. */
G_GNUC_INTERNAL gsize tractor__ring_get_size (gsize capacity);
/* The capacity of a ring in so much memory. 0: it is none. */
G_GNUC_INTERNAL gsize tractor__ring_get_capacity_of (guint64 size);
/* Maps the ring in @fd, which stays the caller's and has to be sealed. Returns: FALSE with errno set. */
G_GNUC_INTERNAL gboolean tractor__ring_map (Ring *ring, int fd, gsize capacity);
/* Harmless if it is not mapped. */
G_GNUC_INTERNAL void tractor__ring_unmap (Ring *ring);
/* Returns: FALSE if there has been one. */
G_GNUC_INTERNAL gboolean tractor__ring_claim (Ring *ring, RingSide side);

/* Of a writer. @length: one that fits. */
G_GNUC_INTERNAL RingState tractor__ring_reserve (Ring *ring, gsize length, gpointer *ret_data);
/* @length: no more than was reserved. Returns: whether the other end is to be woken. */
G_GNUC_INTERNAL gboolean tractor__ring_commit (Ring *ring, gsize length);
/* No more items come. Returns: whether the other end is to be woken. */
G_GNUC_INTERNAL gboolean tractor__ring_end (Ring *ring);

/* Of a reader. */
G_GNUC_INTERNAL RingState tractor__ring_peek (Ring *ring,
                                              gconstpointer *ret_data,
                                              gsize *ret_length);
/* Returns: whether the other end is to be woken. */
G_GNUC_INTERNAL gboolean tractor__ring_release (Ring *ring);
/* Of a reader that has found nothing: whether nothing more comes. */
G_GNUC_INTERNAL gboolean tractor__ring_is_ended (Ring *ring);

/* Whoever is about to sleep says so, looks once more, and then sleeps: until then it is woken, once. */
G_GNUC_INTERNAL void tractor__ring_set_sleeps (Ring *ring, RingSide side, gboolean sleeps);
