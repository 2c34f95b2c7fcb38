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
#include <unistd.h>

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

#define CACHE_LINE 64
#define N_COLOURS  16

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

static gsize
round_up (gsize bytes)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);

  bytes = CLAMP (bytes, STACK_MIN_BYTES, G_MAXSSIZE); /* RLIM_INFINITY is one that people pass */
  return (bytes + page - 1) & ~(page - 1);
}

static Stack *
stack_map (StackPool *pool, gsize bytes)
{
  gsize mapping_bytes = STACK_GUARD_BYTES + bytes;
  gsize colour = (gsize) (pool->n_mapped % N_COLOURS) * CACHE_LINE;
  char *mapping;
  Stack *stack;

  if (bytes > G_MAXSSIZE / 2) {
    errno = ENOMEM;
    return NULL;
  }
  mapping = mmap (NULL, mapping_bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (mapping == MAP_FAILED)
    return NULL;
  if (!install_guard (pool, mapping)) {
    int saved_errno = errno;

    munmap (mapping, mapping_bytes);
    errno = saved_errno;
    return NULL;
  }

  stack = (Stack *) (mapping + mapping_bytes - colour - CACHE_LINE);
  G_STATIC_ASSERT (sizeof (Stack) <= CACHE_LINE);
  stack->low = mapping + STACK_GUARD_BYTES;
  stack->bytes = bytes;
  stack->size = (gsize) ((char *) stack - stack->low);
  stack->dead_fiber = NULL;
  stack->valgrind_id = VALGRIND_STACK_REGISTER (stack->low, (char *) stack);
#ifdef TRACTOR_ASAN
  __lsan_register_root_region (stack->low, bytes);
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
  gsize bytes = stack->bytes;

  forget_dead_fiber (stack);
  VALGRIND_STACK_DEREGISTER (stack->valgrind_id);
#ifdef TRACTOR_ASAN
  __lsan_unregister_root_region (low, bytes);
  __asan_unpoison_memory_region (low, bytes);
#endif
  munmap (low - STACK_GUARD_BYTES, STACK_GUARD_BYTES + bytes);
  pool->n_mapped--;
}

Stack *
tractor__stack_pool_take (StackPool *pool)
{
  Stack *stack = pool->free;

  if (stack == NULL)
    return stack_map (pool, pool->usual_bytes);

  pool->free = stack->next_free;
  pool->n_free--;
  forget_dead_fiber (stack);
#ifdef TRACTOR_ASAN
  __asan_unpoison_memory_region (stack->low, stack->size);
#endif
  return stack;
}

Stack *
tractor__stack_pool_take_sized (StackPool *pool, gsize bytes)
{
  return stack_map (pool, round_up (bytes));
}

void
tractor__stack_pool_set_usual (StackPool *pool, gsize bytes)
{
  tractor__stack_pool_trim (pool, 0);
  pool->usual_bytes = round_up (bytes);
}

void
tractor__stack_pool_give (StackPool *pool, Stack *stack)
{
  if (G_UNLIKELY (stack->bytes != pool->usual_bytes)) {
    stack->next_free = pool->unusual;
    pool->unusual = stack;
    return;
  }
  stack->next_free = pool->free;
  pool->free = stack;
  pool->n_free++;
}

void
tractor__stack_pool_trim (StackPool *pool, guint max)
{
  while (pool->unusual != NULL) {
    Stack *stack = pool->unusual;

    pool->unusual = stack->next_free;
    stack_unmap (pool, stack);
  }
  while (pool->n_free > max) {
    Stack *stack = pool->free;

    pool->free = stack->next_free;
    pool->n_free--;
    stack_unmap (pool, stack);
  }
}

gsize
tractor__stack_get_touched (const Stack *stack)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  gsize n_pages = stack->bytes / page;
  g_autofree unsigned char *residency = g_malloc (n_pages);
  gsize n_touched = 0;

  if (mincore (stack->low, stack->bytes, residency) != 0)
    return 0;
  for (gsize i = 0; i < n_pages; i++)
    n_touched += residency[i] & 1;
  return n_touched * page;
}
