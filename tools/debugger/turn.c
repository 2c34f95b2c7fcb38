/* turn.c - whose turn it is, and the debugger that looks at who has it.
 *
 *    WAITING --its turn--> GRANTED --READY--> LOOKED_AT --the debugger has gone--> gone
 *
 * Below a Python root, which has that lock itself, each turn is asked for there first (python-root.c).
 *
 * A root asks for Python actors too, which have a debugger of their own: they have the terminal from GRANTED on.
 *
 * A terminal that somebody lends (hosts.c) comes before our own; and before that too a command that opens one (opener.c).
 * Where there is none of these, an actor waits for somebody to lend one, or to attach a debugger by hand, for a minute.
 * Where the job is in the background, it waits until it is in the foreground: a terminal is not taken away from a shell. A
 * shell may take it away from a debugger, when it sees its job stopped: that waits in the same way. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "turn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hosts.h"
#include "line.h"
#include "opener.h"
#include "page.h"
#include "python-root.h"
#include "rights.h"
#include "session.h"
#include "terminal.h"

/* How long one whose turn it is may take to say that it is ready, or who lends a terminal to take what it is offered:
 * they only have to wake up. */
#define READY_MSEC 5000
/* How long one waits for a debugger where there is no terminal. */
#define BY_HAND_MSEC 60000
/* How often it is looked whether the job is in the foreground, or somebody has attached. */
#define LOOK_MSEC 100
/* How long a debugger may take to see that its terminal is gone. */
#define GONE_MSEC 2000

static Session session = NO_SESSION;
static pid_t root;
static bool is_terminal_told = true; /* whether anybody is held */

void
turn_use_root (pid_t pid)
{
  root = pid;
}

/* --- the end of a turn ------------------------------------------------------------------------- */

static void
drop (int i)
{
  hosts_forget (line_get (i)->pid);
  if (i == 0)
    python_root_give_back ();
  close (line_get (i)->fd);
  line_remove (i);
}

void
turn_let_go (int i)
{
  asker_tell (line_get (i)->fd, DEBUG_MSG_BYE);
  drop (i);
}

static void
let_all_go (void)
{
  while (line_get_n () > 0)
    turn_let_go (line_get_n () - 1);
}

static void
abandon (void)
{
  page_turn_off ();
  asker_tell (DEBUG_CONTROL_FD, DEBUG_MSG_ABANDON);
  let_all_go ();
}

void
turn_withdraw (int i)
{
  DebugWord word = i == 0 ? session_kill (&session) : DEBUG_WORD_NONE;

  drop (i);
  if (word == DEBUG_WORD_ABANDON)
    abandon ();
}

void
turn_end (void)
{
  session_kill (&session);
  let_all_go ();
}

/* --- where one is looked at -------------------------------------------------------------------- */

static void
say_why_not (const Asker *asker, const char *why)
{
  char text[320];

  snprintf (text, sizeof text, ", and %s. It goes on", why);
  asker_say (asker, text);
}

static void
say_no_gdb (const Asker *asker, int failure)
{
  char text[192];

  snprintf (text, sizeof text,
            ", and neither gdb (%s) nor `tractor` can be started: install one of them. It goes on",
            strerror (failure));
  asker_say (asker, text);
}

/* Which job that is, for there may be several that wait: as `jobs -l` has it. Or what else is waited for: "fg" does not help
 * against another tree of the same job. */
static bool
say_that_it_waits_for_terminal (const Asker *asker, pid_t has_it)
{
  pid_t other = rights_find_tree_of (has_it);
  char text[400];
  int n;

  if (other > 0)
    n = snprintf (text, sizeof text,
                  ", and waits for the terminal, which the debugger of another tree has, that of "
                  "process %d",
                  (int) other);
  else
    n = snprintf (text, sizeof text,
                  ", and waits for the terminal: bring the job to the foreground (fg; with "
                  "`jobs -l` it is %d)",
                  (int) getpgid (root));
  if (asker->n_lost >= 2)
    snprintf (text + n, sizeof text - (size_t) n,
              ". If the program reads the terminal too, it is stopped again and again: `tractor "
              "run` gives it one of its own, and kill -9 %d lets the actor go on",
              (int) session.pid);
  return asker_say (asker, text);
}

/* Whether the terminal may be taken: the tree's job is in the foreground, or it is ours alone. */
static bool
has_terminal (Asker *asker)
{
  pid_t has_it = terminal_find_group ();

  if (terminal_is_of (getpgid (root)) || terminal_is_of (getpgrp ()) ||
      (asker->pid > 0 && terminal_is_of (getpgid (asker->pid))))
    return true;
  if (!asker->is_told && terminal_find_group () == has_it)
    asker->is_told = say_that_it_waits_for_terminal (asker, has_it);
  return false;
}

/* Returns: whether it may go on. */
static bool
is_through_by_hand (Asker *asker)
{
  bool is_attached = rights_is_traced (asker->pid);
  char text[128];

  if (!asker->is_told) { /* under Yama it is the broker alone that may say who attaches */
    snprintf (
        text, sizeof text, ", and waits a minute for a debugger: tractor attach %d, or %sgdb -p %d",
        (int) asker->pid, rights_read_ptrace_scope () > 0 ? "as root " : "", (int) asker->pid);
    asker->is_told = asker_say (asker, text);
  }
  if (is_attached)
    asker->was_attached = true;
  return asker->was_attached ? !is_attached : asker_get_msec (asker) > BY_HAND_MSEC;
}

/* The first in the line is ready. */
static void
look_at_first (void)
{
  if (!rights_has_proc ()) {
    say_why_not (line_get (0), "cannot be looked at: " RIGHTS_NO_PROC);
    turn_let_go (0);
    return;
  }
  if (hosts_offer (&session, line_get (0)) || opener_is_waited_for (line_get (0)))
    return;
  if (terminal_get_fd () < 0) {
    if (!is_through_by_hand (line_get (0)))
      return;
    if (!line_get (0)->was_attached)
      asker_say (line_get (0), ", and goes on: nobody has attached for a minute");
    turn_let_go (0);
    return;
  }
  if (!has_terminal (line_get (0)) ||
      session_start (&session, line_get (0)->pid, &line_get (0)->ask, NULL) || errno == EAGAIN)
    return;
  say_no_gdb (line_get (0), errno);
  turn_let_go (0);
}

/* @word: what gdb has said last. Returns: whether that is done. */
static bool
look_without_gdb (Asker *asker, DebugWord word)
{
  const char *why;

  if (asker->is_refused || terminal_get_fd () < 0)
    return false;
  why = rights_find_why_no_gdb (word, asker->pid);
  asker->is_refused = why != NULL;
  return why != NULL && session_start (&session, asker->pid, &asker->ask, why);
}

/* --- the session ------------------------------------------------------------------------------- */

/* gdb ends by itself when its terminal is gone, unless it does not look: it prints on and on. */
static bool
is_left_without_terminal (void)
{
  static int64_t gone_since;

  if (!terminal_is_gone ()) {
    gone_since = 0;
    return false;
  }
  if (gone_since == 0)
    gone_since = asker_now_usec ();
  return asker_now_usec () - gone_since > GONE_MSEC * 1000;
}

/* Or it hangs, and the tree with it: nobody would know why. */
static void
say_that_it_is_slow (const Asker *asker)
{
  char text[160];

  snprintf (text, sizeof text,
            ", and the debugger has not begun to look at it in 10 seconds: wait, or let it go on "
            "by kill -9 %d",
            (int) session.pid);
  asker_say (asker, text);
}

/* A shell has taken it, which has seen its job stopped; or another tree of the same job has. */
static void
look_at_terminal (void)
{
  bool stood = session.stands;

  if (session.pid == 0 || session.is_lent)
    return;
  if (is_left_without_terminal ()) {
    turn_withdraw (0);
    return;
  }
  if (session_is_slow (&session))
    say_that_it_is_slow (line_get (0));
  if (session_has_terminal (&session))
    return;
  if (!stood) {
    line_get (0)->is_told = false;
    line_get (0)->n_lost++;
  }
  if (has_terminal (line_get (0)))
    session_give_terminal (&session);
}

/* What was offered is looked at there; or it is offered to the next one. */
static void
on_answer_to_offer (void)
{
  if (session_is_taken (&session)) {
    asker_say (line_get (0), ", and is looked at on another terminal");
    return;
  }
  session_kill (&session);
  asker_set_state (line_get (0), LOOKED_AT);
  asker_let_trace (line_get (0), getpid ());
}

/* Who has lent a terminal may be stopped. */
static void
look_at_offer (void)
{
  if (session.is_offered && asker_get_msec (line_get (0)) > READY_MSEC)
    on_answer_to_offer ();
}

static void
on_session_ended (void)
{
  bool was_lent = session.is_lent;
  DebugWord word = session_end (&session);
  const char *why_not;

  if (!was_lent && look_without_gdb (line_get (0), word))
    return;
  why_not = rights_explain (word, line_get (0)->pid);
  if (why_not != NULL)
    say_why_not (line_get (0), why_not);
  if (word == DEBUG_WORD_QUIT && line_get (0)->ask.failure != 0)
    page_show_no_more (line_get (0)->ask.failure);
  if (word == DEBUG_WORD_ABANDON)
    abandon ();
  else if (line_get_n () > 0)
    turn_let_go (0);
}

int
turn_get_fd (void)
{
  return session.pidfd;
}

void
turn_on_readable (void)
{
  if (session.is_offered)
    on_answer_to_offer ();
  else if (session.pid != 0 && !(session.is_lent && session_hears_of_debugger (&session)))
    on_session_ended ();
}

pid_t
turn_get_debugger (void)
{
  return session.pid;
}

/* --- whose turn it is -------------------------------------------------------------------------- */

/* It has a debugger of its own. Returns: false if it cannot have the terminal now. */
static bool
leave_terminal_to_first (void)
{
  if (terminal_get_fd () >= 0 && !has_terminal (line_get (0)))
    return false;
  session_leave_terminal (&session, line_get (0)->pid);
  return true;
}

/* Whether the first in the line may have its turn, which only a Python root says. It may be let go. */
static bool
is_given_turn (void)
{
  switch (python_root_get_state ()) {
  case PYTHON_ROOT_IDLE:
    python_root_ask (line_get (0)->ask.task);
    return false;
  case PYTHON_ROOT_REFUSES:
    asker_say (line_get (0), ", and the Python root of the tree gives it no turn. It goes on");
    python_root_forget ();
    turn_let_go (0);
    return false;
  case PYTHON_ROOT_UNUSED:
  case PYTHON_ROOT_GIVES:
    return true;
  case PYTHON_ROOT_ASKED:
  case PYTHON_ROOT_RETURNING:
  default:
    return false;
  }
}

/* Who had its turn from a Python root that is gone has it no more. */
void
turn_on_python_root (void)
{
  PythonRootState before = python_root_get_state ();

  python_root_on_readable ();
  if (before != PYTHON_ROOT_GIVES || python_root_get_state () != PYTHON_ROOT_REFUSES)
    return;
  python_root_forget ();
  session_kill (&session);
  if (line_get_n () > 0)
    turn_let_go (0);
}

void
turn_serve (void)
{
  look_at_offer ();
  look_at_terminal ();
  while (line_get_n () > 0) {
    Asker *first = line_get (0);

    if (first->state == WAITING && asker_has_asked (first)) {
      if (!is_given_turn () || (asker_is_foreign (first) && !leave_terminal_to_first ()))
        return;
      asker_set_state (first, GRANTED);
      asker_tell (first->fd, DEBUG_MSG_GO);
      return;
    }
    if (first->state == LOOKED_AT && asker_is_foreign (first))
      return;
    if (first->state == LOOKED_AT && session.pid == 0) {
      int before = line_get_n ();

      look_at_first ();
      if (line_get_n () == before)
        return;
      continue;
    }
    if (first->state == LOOKED_AT || asker_get_msec (first) < READY_MSEC)
      return;
    turn_withdraw (0); /* it is stuck, and does not know that it was its turn */
  }
}

int
turn_get_timeout (void)
{
  if (!is_terminal_told)
    return LOOK_MSEC;
  if (line_get_n () == 0 || (session.is_lent && !session.is_offered) ||
      (asker_is_foreign (line_get (0)) && line_get (0)->state == LOOKED_AT))
    return -1;
  return LOOK_MSEC;
}

/* --- what is to be seen of it ------------------------------------------------------------------ */

/* What is typed on our terminal is for the program, unless somebody is looked at there. */
static bool
is_terminal_taken (void)
{
  return line_get_n () > 0 && asker_has_asked (line_get (0)) && !session.is_lent &&
         !asker_is_foreign (line_get (0));
}

void
turn_show (void)
{
  page_update (line_get_n (), line_get_n () > 0 ? line_get (0) : NULL);
  is_terminal_told = terminal_say_held (is_terminal_taken ());
}
