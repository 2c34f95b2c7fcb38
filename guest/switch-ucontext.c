/* switch-ucontext.c - the portable switch, for machines without an assembly one.
 *
 * A saved stack pointer is here the address of a ucontext_t that lives on the suspended stack.
 * swapcontext() also saves the signal mask, with a system call each time; that is what makes it
 * slow, and why it is only the fallback. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "switch.h"

#include <string.h>
#include <ucontext.h>

typedef struct {
  ucontext_t context; /* first: the saved stack pointer points at it */
  void (*entry) (void *arg);
  void *arg;
} Start;

/* makecontext() passes ints only, so the address travels in two halves. */
static void
start (unsigned int high, unsigned int low)
{
  Start *self = (Start *) (((guint64) high << 32) | low);

  self->entry (self->arg);
  g_assert_not_reached ();
}

void
tractor__switch (void **from_sp, void *to_sp)
{
  ucontext_t here;

  *from_sp = &here;
  swapcontext (&here, to_sp);
}

void *
tractor__switch_prepare (void *top, void (*entry) (void *arg), void *arg)
{
  const gsize room = 16 * 1024; /* only a first guess for makecontext(): the stack goes on below */
  Start *self = (Start *) (((guintptr) top - sizeof (Start)) & ~(guintptr) 63);

  getcontext (&self->context);
  self->entry = entry;
  self->arg = arg;
  self->context.uc_link = NULL;
  self->context.uc_stack.ss_sp = (char *) self - room;
  self->context.uc_stack.ss_size = room;
  makecontext (&self->context, (void (*) (void)) start, 2, (unsigned int) ((guint64) self >> 32),
               (unsigned int) (guint64) self);
  return self;
}
