/* switch.h - from one stack to another, and the one place that tells the tools about it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>

#if defined(__SANITIZE_ADDRESS__)
#define TRACTOR_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TRACTOR_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TRACTOR_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TRACTOR_TSAN 1
#endif
#endif

#ifdef TRACTOR_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef TRACTOR_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* Saves what the ABI asks a callee to keep, with the floating-point control words, on the current
 * stack, stores the stack pointer in *@from_sp, and continues where @to_sp was saved. */
G_GNUC_INTERNAL void tractor__switch (void **from_sp, void *to_sp);

/* Prepares a fresh stack that ends at @top (16-byte aligned): the first switch to what this
 * returns calls @entry with @arg. @entry must not return. */
G_GNUC_INTERNAL void *tractor__switch_prepare (void *top, void (*entry) (void *arg), void *arg);

/* A place to switch to: a task, or the host's stack below a tick. */
typedef struct {
  void *sp; /* valid while something else runs */
#ifdef TRACTOR_ASAN
  void *fake_stack;
  const void *low;
  size_t size;
#endif
#ifdef TRACTOR_TSAN
  void *fiber;
#endif
} Context;

static inline void
context_init (Context *context, void *sp, G_GNUC_UNUSED const void *low, G_GNUC_UNUSED size_t size)
{
  context->sp = sp;
#ifdef TRACTOR_ASAN
  context->fake_stack = NULL;
  context->low = low;
  context->size = size;
#endif
#ifdef TRACTOR_TSAN
  context->fiber = __tsan_create_fiber (0);
#endif
}

/* The context of the stack that this is called on. */
static inline void
context_init_here (G_GNUC_UNUSED Context *context)
{
  context->sp = NULL;
#ifdef TRACTOR_ASAN
  context->fake_stack = NULL;
  context->low = NULL; /* learned by whoever is switched to from here */
  context->size = 0;
#endif
#ifdef TRACTOR_TSAN
  context->fiber = __tsan_get_current_fiber ();
#endif
}

/* @dying: nothing will switch back to @from. The caller calls context_arrived() when this returns. */
static inline __attribute__ ((always_inline)) void
context_switch (Context *from, Context *to, G_GNUC_UNUSED gboolean dying)
{
#ifdef TRACTOR_ASAN
  __sanitizer_start_switch_fiber (dying ? NULL : &from->fake_stack, to->low, to->size);
#endif
#ifdef TRACTOR_TSAN
  __tsan_switch_to_fiber (to->fiber, 0);
#endif
  tractor__switch (&from->sp, to->sp);
}

/* Where a suspended stack goes on, for a walk along its frame pointers; FALSE if that is unknown. */
static inline gboolean
context_get_frame (const Context *context, void **ret_pc, void ***ret_frame)
{
#if defined(TRACTOR_SWITCH_ASM) && defined(__x86_64__)
  void **saved = context->sp;

  *ret_frame = saved[6];
  *ret_pc = saved[7];
  return TRUE;
#elif defined(TRACTOR_SWITCH_ASM) && defined(__aarch64__)
  void **saved = context->sp;

  *ret_frame = saved[10];
  *ret_pc = saved[11];
  return TRUE;
#else
  (void) context;
  *ret_pc = NULL;
  *ret_frame = NULL;
  return FALSE;
#endif
}
