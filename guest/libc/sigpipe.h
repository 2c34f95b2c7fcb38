/* sigpipe.h - writing where nobody reads any more is an error, and not the end of the process.
 *
 * Private, and shared by all layers, as stdio-fd.h is. For what writes without MSG_NOSIGNAL: to a pipe, or
 * through somebody else's library. What a process does about SIGPIPE is its program's affair, and is never
 * changed from here. But a write raises it in the thread that writes, and nowhere else: there it is held
 * back, and taken away. A signal handler may do so, too. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_BUILD
#error "private to tractor"
#endif

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <time.h>

static inline sigset_t
sigpipe_get_set (void)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGPIPE);
  return set;
}

/* Does nothing if it is held back in this thread already; nor if the program ignores it, or handles it, for
 * it would not hear of it any more. Returns: whether sigpipe_release() has to follow. */
static inline gboolean
sigpipe_hold_back (void)
{
  sigset_t pipe = sigpipe_get_set ();
  struct sigaction action;
  sigset_t before;

  if (sigaction (SIGPIPE, NULL, &action) != 0 || (action.sa_flags & SA_SIGINFO) != 0 ||
      action.sa_handler != SIG_DFL)
    return FALSE;
  pthread_sigmask (SIG_BLOCK, &pipe, &before);
  return !sigismember (&before, SIGPIPE);
}

/* Takes away the one that is held back in this thread, if there is one. Keeps errno. */
static inline void
sigpipe_release (void)
{
  const struct timespec now = { 0 };
  sigset_t pipe = sigpipe_get_set ();
  int saved_errno = errno;

  while (sigtimedwait (&pipe, NULL, &now) < 0 && errno == EINTR)
    ;
  pthread_sigmask (SIG_UNBLOCK, &pipe, NULL);
  errno = saved_errno;
}
