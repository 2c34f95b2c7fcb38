/* stack.h - guarded stacks for tasks, and a pool of them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>

/* Room for what tasks do, which calls into foreign libraries: Pango or a name lookup take up to
 * 100 KiB. Only touched pages cost memory. */
#define STACK_SIZE_BYTES (256 * 1024)
/* A frame larger than the guard could jump over it; with -fstack-clash-protection none can. */
#define STACK_GUARD_BYTES (64 * 1024)
/* What the pool keeps at most. */
#define STACK_POOL_MAX 4096

typedef struct _Stack Stack;

typedef struct {
  Stack *free; /* last in, first out: the warmest first */
  guint n_free;
  guint n_mapped;
  gboolean no_light_guards; /* the kernel has no MADV_GUARD_INSTALL */
} StackPool;

/* Lives at the very top of its own stack, so that a sleeping task costs one page. */
struct _Stack {
  Stack *next_free;
  char *low;  /* the lowest usable byte; the guard ends here */
  gsize size; /* usable bytes below this struct */
  guint valgrind_id;
  void *dead_fiber; /* ThreadSanitizer's, of the last task here */
};

/* Returns: NULL with errno set if the system has no more. */
G_GNUC_INTERNAL Stack *tractor__stack_pool_take (StackPool *pool);
/* May be called on the stack that is given back: it stays mapped until tractor__stack_pool_trim(). */
G_GNUC_INTERNAL void tractor__stack_pool_give (StackPool *pool, Stack *stack);
/* To be called on another stack. */
G_GNUC_INTERNAL void tractor__stack_pool_trim (StackPool *pool, guint max);
