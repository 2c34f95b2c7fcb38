/* fork.c - whether this process is a copy, made by fork(), of the one that a guest belongs to.
 *
 * A copy shares the kernel's side with its original: taking a descriptor out of the epoll here takes
 * it out there, and reading a wakeup here loses it there. So in a copy every call on a guest that
 * was there before the fork fails (FORKED), and freeing it touches memory and descriptors only. A
 * copy that calls exec is not our business. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fork.h"

#include <pthread.h>

guint tractor__fork_generation;

static void
count_copy (void)
{
  tractor__fork_generation++;
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
