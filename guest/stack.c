/* stack.c - guarded stacks for tasks, and a pool of them.
 *
 * A mapping is, from its low end: the guard, the usable stack, a gap of a few cache lines, and
 * this file's header at the top. The gap differs from stack to stack ("colour"): without it the
 * hot top of every stack would fight for the same few sets of the cache.
 *
 * Guards are made with MADV_GUARD_INSTALL where the kernel has it (6.13): it splits no mapping, so
 * the number of stacks is not bounded by vm.max_map_count, and it survives MADV_DONTNEED. Elsewhere
 * mprotect() does, for some 32,000 stacks.
 *
 * Stacks in the pool stay as they are: the next task gets a warm one without a system call. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "stack.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "switch.h"

#ifdef HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) 0
#define VALGRIND_STACK_DEREGISTER(id)      ((void) (id))
#endif

#ifdef TRACTOR_ASAN
#include <sanitizer/lsan_interface.h>
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define MAPPING_BYTES (STACK_GUARD_BYTES + STACK_SIZE_BYTES)
#define CACHE_LINE    64
#define N_COLOURS     16

static gboolean
install_guard (StackPool *pool, char *mapping)
{
  if (!pool->no_light_guards) {
    if (madvise (mapping, STACK_GUARD_BYTES, MADV_GUARD_INSTALL) == 0)
      return TRUE;
    if (errno != EINVAL)
      return FALSE;
    pool->no_light_guards = TRUE;
  }

  return mprotect (mapping, STACK_GUARD_BYTES, PROT_NONE) == 0;
}

static Stack *
stack_map (StackPool *pool)
{
  gsize colour = (gsize) (pool->n_mapped % N_COLOURS) * CACHE_LINE;
  char *mapping;
  Stack *stack;

  mapping = mmap (NULL, MAPPING_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (mapping == MAP_FAILED)
    return NULL;
  if (!install_guard (pool, mapping)) {
    int saved_errno = errno;

    munmap (mapping, MAPPING_BYTES);
    errno = saved_errno;
    return NULL;
  }

  stack = (Stack *) (mapping + MAPPING_BYTES - colour - CACHE_LINE);
  G_STATIC_ASSERT (sizeof (Stack) <= CACHE_LINE);
  stack->low = mapping + STACK_GUARD_BYTES;
  stack->size = (gsize) ((char *) stack - stack->low);
  stack->dead_fiber = NULL;
  stack->valgrind_id = VALGRIND_STACK_REGISTER (stack->low, (char *) stack);
#ifdef TRACTOR_ASAN
  __lsan_register_root_region (stack->low, STACK_SIZE_BYTES);
#endif
  pool->n_mapped++;
  return stack;
}

static void
forget_dead_fiber (G_GNUC_UNUSED Stack *stack)
{
#ifdef TRACTOR_TSAN
  if (stack->dead_fiber != NULL)
    __tsan_destroy_fiber (stack->dead_fiber);
  stack->dead_fiber = NULL;
#endif
}

static void
stack_unmap (StackPool *pool, Stack *stack)
{
  char *low = stack->low;

  forget_dead_fiber (stack);
  VALGRIND_STACK_DEREGISTER (stack->valgrind_id);
#ifdef TRACTOR_ASAN
  __lsan_unregister_root_region (low, STACK_SIZE_BYTES);
  __asan_unpoison_memory_region (low, STACK_SIZE_BYTES);
#endif
  munmap (low - STACK_GUARD_BYTES, MAPPING_BYTES);
  pool->n_mapped--;
}

Stack *
tractor__stack_pool_take (StackPool *pool)
{
  Stack *stack = pool->free;

  if (stack == NULL)
    return stack_map (pool);

  pool->free = stack->next_free;
  pool->n_free--;
  forget_dead_fiber (stack);
#ifdef TRACTOR_ASAN
  __asan_unpoison_memory_region (stack->low, stack->size);
#endif
  return stack;
}

void
tractor__stack_pool_give (StackPool *pool, Stack *stack)
{
  stack->next_free = pool->free;
  pool->free = stack;
  pool->n_free++;
}

void
tractor__stack_pool_trim (StackPool *pool, guint max)
{
  while (pool->n_free > max) {
    Stack *stack = pool->free;

    pool->free = stack->next_free;
    pool->n_free--;
    stack_unmap (pool, stack);
  }
}
