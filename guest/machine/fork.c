/* fork.c - whether this process is a copy, made by fork(), of the one that a guest belongs to.
 *
 * A copy shares the kernel's side with its original: taking a descriptor out of the epoll here takes
 * it out there, and reading a wakeup here loses it there. So in a copy every call on a guest that
 * was there before the fork fails (FORKED), and freeing it touches memory and descriptors only. A
 * copy that calls exec is not our business. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fork.h"
#include "sigpipe.h"

#include <pthread.h>

#include <unistd.h>

guint tractor__fork_generation;
_Atomic (guint) tractor__n_living_guests;

static void
count_copy (void)
{
  tractor__fork_generation++;
  tractor__n_living_guests = 0; /* they are the original's */
}

/* The process exits, and nobody has seen to the end of its tasks. */
__attribute__ ((destructor)) static void
warn_at_exit (void)
{
  static const char warning[] =
      "tractor: the process exits while a guest has tasks alive; what they "
      "were doing is lost. tractor_guest_shutdown() ends them in order.\n";

  gboolean holds_sigpipe;
  gssize n;

  if (tractor__n_living_guests == 0)
    return;
  holds_sigpipe = sigpipe_hold_back (); /* the exit status is the program's */
  n = write (STDERR_FILENO, warning, sizeof warning - 1);
  (void) n; /* there may be nobody left to tell */
  if (holds_sigpipe)
    sigpipe_release ();
}

void
tractor__fork_watch (void)
{
  static gsize is_watching;

  if (g_once_init_enter (&is_watching)) {
    pthread_atfork (NULL, NULL, count_copy);
    g_once_init_leave (&is_watching, 1);
  }
}
