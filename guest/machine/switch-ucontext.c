/* switch-ucontext.c - the portable switch, for machines without an assembly one.
 *
 * A saved stack pointer is here the address of a ucontext_t that lives on the suspended stack.
 * swapcontext() also saves and restores the signal mask, with a system call each time; that is what
 * makes it slow, and why it is only the fallback. A mask is the thread's and not a task's, as it is with
 * the other switches: whoever holds a signal back around a write (sigpipe.h) does so in whatever task
 * runs meanwhile. So where we go to is given the mask of where we are. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "switch.h"

#include <signal.h>
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
  ucontext_t *there = to_sp;

  *from_sp = &here;
  pthread_sigmask (SIG_SETMASK, NULL, &there->uc_sigmask);
  swapcontext (&here, there);
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
