/* child-signals.c - what an actor that was spawned does about signals, and about the death of its parent.
 *
 * It ends on SIGTERM, which the kernel also sends when the parent dies; or SIGURG, if nobody has asked for
 * that signal yet, as a Python parent does not. That one is looked into: it is sent when the *thread* ends
 * that started us, which a Python parent may well have made for just that.
 *
 * If it cannot end, because a function does not let the loop go on, a timer ends it: an orphan is gone
 * within PATIENCE_ORPHAN_USEC. Not one that a debugger looks at, or is to: then it has that time afterwards. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "bounds.h"
#include "debug-lock.h"
#include "last-words.h"
#include "process.h"
#include "socket.h"

static int term_fd = -1;   /* an eventfd */
static int parent_fd = -1; /* a pidfd, if it can be had */
static volatile sig_atomic_t last_resort_is_wanted;
static volatile sig_atomic_t last_resort_is_armed;
/* A timer whose signal nobody can ignore, hold back or handle, neither a function nor who started us; and
 * that is not the one of alarm(), which a function may want for itself. */
static timer_t last_resort;
static gboolean has_last_resort;

static void
on_last_resort (G_GNUC_UNUSED int signal_number)
{
  _exit (STATUS_ORPHANED);
}

/* The first process of a PID namespace is spared its own SIGKILL: there it is a signal that nobody is likely to
 * have a use for. Where there is no such timer, it is that of alarm(). */
static void
make_last_resort (void)
{
  int number = getpid () == 1 ? SIGRTMAX - 1 : SIGKILL;
  struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
  struct sigaction action = { .sa_handler = on_last_resort };

  has_last_resort = timer_create (CLOCK_MONOTONIC, &event, &last_resort) == 0;
  if (!has_last_resort)
    number = SIGALRM;
  if (number != SIGKILL)
    sigaction (number, &action, NULL);
}

static void
arm_last_resort (void)
{
  const time_t sec = PATIENCE_ORPHAN_USEC / G_USEC_PER_SEC;
  const long usec = PATIENCE_ORPHAN_USEC % G_USEC_PER_SEC;
  struct itimerspec timer = { .it_value = { sec, usec * 1000 } };
  struct itimerval alarm = { .it_value = { sec, usec } };

  if (last_resort_is_armed)
    return;
  if (has_last_resort)
    timer_settime (last_resort, 0, &timer, NULL);
  else
    setitimer (ITIMER_REAL, &alarm, NULL);
  last_resort_is_armed = TRUE;
}

/* It may have been wanted while somebody looked at us. */
static void
on_looked_at_no_more (void)
{
  if (last_resort_is_wanted && !tractor__debug_is_stopped ())
    arm_last_resort ();
}

void
tractor__child_signals_arm_last_resort (void)
{
  last_resort_is_wanted = TRUE;
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
  on_looked_at_no_more ();
}

static void
on_term_signal (G_GNUC_UNUSED int signal_number)
{
  guint64 one = 1;
  int saved_errno = errno;
  gssize n;

  if (!last_resort_is_wanted)
    tractor__last_words_say ("it was told to end, by SIGTERM\n");
  tractor__child_signals_arm_last_resort ();
  n = write (term_fd, &one, sizeof one);
  (void) n;
  errno = saved_errno;
}

/* A parent that dies is through with that at once. */
static gboolean
has_lost_parent (int patience_msec)
{
  struct pollfd pollfd = { .fd = parent_fd, .events = POLLIN };

  return parent_fd >= 0 && poll (&pollfd, 1, patience_msec) == 1;
}

static void
on_thread_of_parent_ended (int signal_number)
{
  int saved_errno = errno;

  if (has_lost_parent (PATIENCE_LOST_USEC / 1000))
    on_term_signal (signal_number);
  errno = saved_errno;
}

/* As it is in an actor that one of ours starts: another parent may have given us anything. */
static void
let_signals_in (void)
{
  struct sigaction action = { .sa_handler = SIG_DFL };
  struct sigaction before;
  sigset_t none;

  for (int number = 1; number <= N_SIGNALS; number++)
    if ((IGNORED_BY_ACTORS & SIGNAL_BIT (number)) == 0 && sigaction (number, NULL, &before) == 0 &&
        before.sa_handler == SIG_IGN)
      sigaction (number, &action, NULL);
  sigemptyset (&none);
  pthread_sigmask (SIG_SETMASK, &none, NULL);
}

void
tractor__child_signals_install (void)
{
  struct sigaction action = { .sa_handler = on_term_signal, .sa_flags = SA_RESTART };

  let_signals_in ();
  make_last_resort ();
  tractor__debug_set_after_stop (on_looked_at_no_more);
  term_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  sigaction (SIGTERM, &action, NULL);
  action.sa_handler = SIG_IGN;
  sigaction (SIGINT, &action, NULL);
}

void
tractor__child_signals_forget (void)
{
  tractor__debug_set_after_stop (NULL);
  close (term_fd);
  if (parent_fd >= 0)
    close (parent_fd);
  if (has_last_resort && !last_resort_is_armed)
    timer_delete (last_resort);
  term_fd = parent_fd = -1;
}

void
tractor__child_signals_watch_parent (int link_fd, gint64 parent_pid)
{
  struct sigaction action = { .sa_handler = on_thread_of_parent_ended, .sa_flags = SA_RESTART };
  int death_signal = 0;

  parent_fd = tractor__socket_open_peer_pidfd (link_fd);
  /* A number alone is nobody's, unless two sources have the same. */
  if (parent_fd < 0 && parent_pid == getppid ())
    parent_fd = tractor__open_pidfd (getppid ());
  prctl (PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
  if (parent_fd < 0 || death_signal != 0)
    return;
  sigaction (SIGURG, &action, NULL);
  prctl (PR_SET_PDEATHSIG, SIGURG, 0, 0, 0);
}

int
tractor__child_signals_get_term_fd (void)
{
  return term_fd;
}

int
tractor__child_signals_get_parent_fd (void)
{
  return parent_fd;
}
