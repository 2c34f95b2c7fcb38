/* lent-terminal.c - the terminal of the tree, taken back from a debugger whose broker is no more.
 *
 * The broker gives it back itself (tools/debugger/terminal.c), unless it is killed. Then its debugger is killed too, at its
 * prompt: the terminal is as gdb has it for reading keys, and belongs to a group that is gone. Whoever comes next, a shell,
 * would take those settings for what is usual, and a program would read nothing any more. And if that debugger was about to
 * stop the actor, the kernel has a SIGSTOP for it, which nobody takes away any more: it would stand for ever. So would a child
 * of gdb's, by which that tries what the kernel can.
 *
 * We are of the session of that terminal, in the background, from where this may be done with SIGTTOU blocked. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "lent-terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long a debugger that is being killed may take for that. */
#define PATIENCE_DEBUGGER_MSEC 5000

static gboolean
is_there (pid_t group)
{
  return group > 1 && (kill (-group, 0) == 0 || errno == EPERM);
}

/* It might still set the terminal for itself, and attach. */
static void
wait_for_end (pid_t debugger)
{
  struct pollfd pollfd = { .fd = (int) syscall (SYS_pidfd_open, debugger, 0), .events = POLLIN };

  if (pollfd.fd < 0)
    return; /* it has gone */
  while (poll (&pollfd, 1, PATIENCE_DEBUGGER_MSEC) < 0 && errno == EINTR)
    ;
  close (pollfd.fd);
}

void
tractor__lent_terminal_end_debugger (DebugPage *page)
{
  pid_t debugger = __atomic_load_n (&page->debugger, __ATOMIC_ACQUIRE);

  if (debugger <= 1)
    return;
  wait_for_end (debugger);
  kill (-debugger, SIGKILL);
  if (page->looked_at > 0)
    kill (page->looked_at, SIGCONT);
  page->debugger = 0;
}

static void
take_back (int terminal, const DebugLoan *loan)
{
  pid_t now = tcgetpgrp (terminal);

  if (now != loan->group && is_there (now))
    return;
  if (is_there (loan->group_before))
    tcsetpgrp (terminal, loan->group_before);
  tcsetattr (terminal, TCSANOW, &loan->settings_before);
}

void
tractor__lent_terminal_take_back (DebugLoan *loan)
{
  sigset_t background, before;
  int terminal;

  if (loan->group == 0)
    return;
  sigemptyset (&background);
  sigaddset (&background, SIGTTOU);
  pthread_sigmask (SIG_BLOCK, &background, &before);
  terminal = open ("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal >= 0) {
    take_back (terminal, loan);
    close (terminal);
  }
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  loan->group = 0;
}
