/* stack.h - guarded stacks for tasks, and a pool of them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>

/* Room for what tasks do, which calls into foreign libraries: a name lookup takes up to 100 KiB. Only
 * touched pages cost memory, and the page tables of the stride: what a host with larger ones pays. */
#define STACK_DEFAULT_BYTES (256 * 1024)
#define STACK_MIN_BYTES     (16 * 1024)
/* A frame larger than the guard could jump over it; with -fstack-clash-protection none can. */
#define STACK_GUARD_BYTES (64 * 1024)
/* What the pool keeps at most. */
#define STACK_POOL_MAX 4096

typedef struct _Stack Stack;

typedef struct {
  gsize usual_bytes;
  Stack *free; /* of the usual size; last in, first out: the warmest first */
  guint n_free;
  Stack *unusual; /* free ones that nobody will take */
  guint n_mapped;
  gboolean no_light_guards; /* the kernel has no MADV_GUARD_INSTALL */
} StackPool;

/* Lives at the very top of its own stack, so that a sleeping task costs one page. */
struct _Stack {
  Stack *next_free;
  char *low;   /* the lowest usable byte; the guard ends here */
  gsize size;  /* usable bytes below this struct */
  gsize bytes; /* the mapping, without the guard */
  guint valgrind_id;
  void *dead_fiber; /* ThreadSanitizer's, of the last task here */
};

/* Returns: NULL with errno set if the system has no more. */
G_GNUC_INTERNAL Stack *tractor__stack_pool_take (StackPool *pool);
/* The same, of any size; never a warm one. */
G_GNUC_INTERNAL Stack *tractor__stack_pool_take_sized (StackPool *pool, gsize bytes);
/* For those that are taken from now on. To be called on another stack than those in the pool. */
G_GNUC_INTERNAL void tractor__stack_pool_set_usual (StackPool *pool, gsize bytes);
/* May be called on the stack that is given back: it stays mapped until tractor__stack_pool_trim(). */
G_GNUC_INTERNAL void tractor__stack_pool_give (StackPool *pool, Stack *stack);
/* Unmaps what is more than @max, or unusual. To be called on another stack. */
G_GNUC_INTERNAL void tractor__stack_pool_trim (StackPool *pool, guint max);

static inline gboolean
stack_pool_is_due (const StackPool *pool)
{
  return G_UNLIKELY (pool->n_free > STACK_POOL_MAX || pool->unusual != NULL);
}

/* How many bytes of it are in memory, in whole pages. */
G_GNUC_INTERNAL gsize tractor__stack_get_touched (const Stack *stack);
