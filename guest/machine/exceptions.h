/* exceptions.h - C++ code in tasks: what the runtime of C++ keeps for a thread belongs to a task.
 *
 * That is the exceptions being handled, innermost first, and how many are on their way. A task may wait in
 * a catch block, where another has the thread: it must not find its "throw;" in there. The layout is that of
 * the Itanium C++ ABI, which libstdc++ and libc++ share.
 *
 * The symbol is weak: nothing of C++ is linked. A C++ library that is loaded into a C program later is not found. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>

typedef struct {
  void *caught;
  unsigned int n_uncaught;
} Exceptions;

extern Exceptions *__cxa_get_globals (void) __attribute__ ((weak));

/* Returns: (nullable): the running thread's; NULL where there is no C++. */
static inline Exceptions *
exceptions_get_current (void)
{
  return __cxa_get_globals != NULL ? __cxa_get_globals () : NULL;
}

/* Volatile, for what is kept in a register across a switch is one that the switch has to save. */
static inline __attribute__ ((always_inline)) void
exceptions_save (const Exceptions *current, volatile Exceptions *saved)
{
  if (G_LIKELY (current == NULL))
    return;
  saved->caught = current->caught;
  saved->n_uncaught = current->n_uncaught;
}

static inline __attribute__ ((always_inline)) void
exceptions_restore (Exceptions *current, const volatile Exceptions *saved)
{
  if (G_LIKELY (current == NULL))
    return;
  current->caught = saved->caught;
  current->n_uncaught = saved->n_uncaught;
}
