/* terminal.c - the terminal of the tree, lent to a debugger and taken back.
 *
 * What belongs to it is the group of processes that reads it, and its settings: both are as they were when the debugger
 * has gone, also when it was killed. But if somebody else has it by then, a shell that has seen its job end, it is left
 * to them: a shell whose terminal is taken away exits.
 *
 * Under `tractor run` there is one that is the debugger's alone, and ours to lead: its group in the foreground is our own
 * then, as long as no debugger has it. It is the first tree's broker's, if there are several; which that is is told by a lock,
 * before a session is left that could not be entered again: the others use the terminal that their tree is on. Whether
 * anybody is held is said there, by a byte (debug-terminal.h), and whoever is at the other end keeps the program's output
 * away meanwhile, and passes on to us what is typed.
 *
 * A debugger gives it back itself before it lets the actor go on: who is then to read it may do so at once, and would be
 * stopped, or get an error, if it still were somebody else's.
 *
 * If we are killed while somebody has it, the root gives it back, by what is in the page (src/process/lent-terminal.c). But
 * one that is ours alone is none of the root's.
 *
 * Nothing here waits for what is to be shown before: on a terminal that was stopped (Ctrl-S) that would be for ever. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "debug-terminal.h"
#include "page.h"

static int terminal = -1;
static int words = -1; /* the same, to write there without waiting */
static bool is_own;
static bool is_said_to_be_held;
static struct termios before;
static pid_t group_before;
static pid_t group_seen; /* to be somebody's who lends it */

static bool
make_it_ours (void)
{
  setsid ();
  return ioctl (terminal, TIOCSCTTY, 0) == 0;
}

/* A terminal of that name may be somebody else's by now: then it is not given to us. */
static bool
open_own (const char *path)
{
  terminal = open (path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
  if (terminal < 0)
    return false;
  if (flock (terminal, LOCK_EX | LOCK_NB) == 0 && make_it_ours ()) {
    words = open (path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    is_own = true;
    return true;
  }
  close (terminal);
  terminal = -1;
  return false;
}

bool
terminal_open (void)
{
  terminal = open ("/dev/tty", O_RDWR | O_CLOEXEC);
  words = open ("/dev/tty", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  return terminal >= 0;
}

void
terminal_open_for_tree (void)
{
  const char *own = getenv (DEBUG_TERMINAL_VARIABLE);

  if (own != NULL && open_own (own))
    return;
  setpgid (0, 0);
  terminal_open ();
}

bool
terminal_say_held (bool is_held)
{
  char mark = is_held ? DEBUG_TERMINAL_HELD : DEBUG_TERMINAL_FREE;

  if (!is_own || is_held == is_said_to_be_held)
    return true;
  tcflow (terminal, TCOON); /* a debugger may have left it stopped */
  if (!is_held)
    tcflush (terminal, TCIFLUSH); /* what it has not read, no later one is to take for its own */
  if (write (words, &mark, 1) < 0 && (errno == EAGAIN || errno == EINTR))
    return false;
  is_said_to_be_held = is_held; /* or nobody is there to be told */
  return true;
}

int
terminal_get_fd (void)
{
  return terminal;
}

int
terminal_get_words_fd (void)
{
  return words;
}

static bool
is_there (pid_t group)
{
  return group > 1 && (kill (-group, 0) == 0 || errno == EPERM);
}

bool
terminal_is_gone (void)
{
  struct pollfd pollfd = { .fd = terminal };

  return poll (&pollfd, 1, 0) == 1 && (pollfd.revents & (POLLHUP | POLLERR)) != 0;
}

pid_t
terminal_find_group (void)
{
  return tcgetpgrp (terminal);
}

static bool
is_of (pid_t group, pid_t now)
{
  return now == group || !is_there (now);
}

bool
terminal_is_of (pid_t group)
{
  pid_t now = tcgetpgrp (terminal);

  if (!is_of (group, now))
    return false;
  group_seen = now;
  return true;
}

/* Another tree of the same job may be about to lend it, too. It takes it before it changes its settings, so these are
 * nobody's who comes between. */
bool
terminal_remember (void)
{
  tcgetattr (terminal, &before);
  group_before = tcgetpgrp (terminal);
  return group_before == group_seen;
}

static void
note_loan (pid_t group, bool is_python)
{
  if (!is_own)
    page_set_loan (&(DebugLoan){ group, is_python, group_before, before });
}

void
terminal_lend (pid_t group, bool has_keys)
{
  struct termios usual = before;

  usual.c_iflag |= ICRNL;
  usual.c_oflag |= OPOST | ONLCR;
  usual.c_lflag |= ICANON | ECHO | ISIG;
  if (!has_keys)
    usual.c_cc[VINTR] = usual.c_cc[VSUSP] = _POSIX_VDISABLE;
  note_loan (group, !has_keys);
  tcsetpgrp (terminal, group);
  tcsetattr (terminal, TCSANOW, &usual);
}

const char *
terminal_describe (void)
{
  static char text[64];

  snprintf (text, sizeof text, "%d %u %u %u", (int) group_before, before.c_iflag, before.c_oflag,
            before.c_lflag);
  return text;
}

void
terminal_take_back (pid_t group)
{
  if (is_of (group, tcgetpgrp (terminal))) {
    if (is_there (group_before))
      tcsetpgrp (terminal, group_before);
    tcsetattr (terminal, TCSANOW, &before);
  }
  note_loan (0, false);
}
