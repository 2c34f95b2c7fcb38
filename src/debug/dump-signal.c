/* dump-signal.c - SIGUSR1 has all tasks shown, of this actor and of those below it.
 *
 * Nothing is looked up here, and nobody below is told: the handler only asks the broker, which has the command `tractor` read
 * the memory of all of them. So it is the same whether an actor waits, computes, is stopped, or is held by the debugger;
 * parents come before their children, by one writer; and the actor that got the signal goes on at once.
 *
 * The signal is taken if nobody has it, and whoever comes to handle it later has it alone. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dump-signal.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "debug-lock.h"
#include "sigpipe.h"

static pid_t own_pid;

static void on_signal (int number);

/* Who has come after us may call us, after having done what it is for. */
static gboolean
is_ours (void)
{
  struct sigaction now;

  return sigaction (SIGUSR1, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 &&
         now.sa_handler == on_signal;
}

static void
say_in_vain (void)
{
  static const char text[] =
      "tractor: SIGUSR1: nothing can be shown, for the debugger's broker has ended\n";
  gboolean holds_sigpipe = sigpipe_hold_back ();
  gssize n = write (STDERR_FILENO, text, sizeof text - 1);

  (void) n;
  if (holds_sigpipe)
    sigpipe_release ();
}

/* Who had it before us, and has put us back after we had given it back, means what was there then. */
static void
die_of_it (int number)
{
  struct sigaction action = { .sa_handler = SIG_DFL };

  sigaction (number, &action, NULL);
  raise (number); /* held back until this returns */
}

static void
on_signal (int number)
{
  int saved_errno = errno;

  if (own_pid == 0)
    die_of_it (number);
  /* A copy of the process (fork) is no actor. */
  if (getpid () == own_pid && is_ours () && !tractor__debug_ask_for_dump ())
    say_in_vain ();
  errno = saved_errno;
}

void
tractor__dump_signal_take (void)
{
  struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK };
  struct sigaction before;

  if (sigaction (SIGUSR1, NULL, &before) != 0 || (before.sa_flags & SA_SIGINFO) != 0 ||
      before.sa_handler != SIG_DFL)
    return;
  own_pid = getpid ();
  sigemptyset (&action.sa_mask);
  sigaction (SIGUSR1, &action, NULL);
}

void
tractor__dump_signal_give_back (void)
{
  struct sigaction action = { .sa_handler = SIG_DFL };

  if (is_ours ())
    sigaction (SIGUSR1, &action, NULL);
  own_pid = 0;
}
