/* session.h - a debugger that looks at an actor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "debug-protocol.h"

typedef struct {
  pid_t pid; /* 0: there is none */
  pid_t actor;
  int pidfd;
  int word_fd; /* where it says */
  DebugWord word;
  bool leaves;
  int64_t slow_at_usec; /* when it is said that it has not begun to look; 0: not any more */
  /* It is on another terminal: @pid is host.c there, and @pidfd the connection to it. */
  bool is_lent;
  bool is_offered; /* and host.c has not said yet that it takes it */
  pid_t debugger;  /* that host.c has started; 0: none that is known */
  int debugger_fd; /* a pidfd of it, or -1 */
  bool stands;     /* until it has the terminal again */
  pid_t left_to;   /* 0: nobody; or a group, which has a debugger of its own and the terminal */
} Session;

#define NO_SESSION ((Session){ .pidfd = -1, .word_fd = -1, .debugger_fd = -1 })

/* From now on debuggers are told how many wait, by that of the broker. @path: stays there. */
void session_use_page (const char *path);
/* From now on debuggers say to the broker at @fd that they start. */
void session_report_to (int fd);
/* Starts gdb, or what there is without it, with the terminal, for @actor. @why_not: (nullable): why it is not to be gdb.
 * Returns: false with errno set; EAGAIN: the terminal has just become somebody else's. */
bool session_start (Session *session, pid_t actor, const DebugMsg *ask, const char *why_not);
/* The same, on a terminal that is lent by @host, at the other end of @fd: (transfer full) if it works. It is offered then,
 * and begins if session_is_taken(). */
bool session_start_lent (Session *session, int fd, pid_t host, pid_t actor, const DebugMsg *ask);
/* Of one that is offered, when it has said something. Returns: false if it does not take it, and is to be killed. */
bool session_is_taken (Session *session);
/* Of one that is taken. Returns: whether that was no more than its debugger, which says that it starts. */
bool session_hears_of_debugger (Session *session);
/* To be asked now and then, of one that session_start() has started: whether it has the terminal, or what it has started.
 * If not, it stands still until session_give_terminal(). */
bool session_has_terminal (Session *session);
void session_give_terminal (Session *session);
/* Of the same: whether it ought to have begun to look by now, which is true once. */
bool session_is_slow (Session *session);
/* @actor, 0: not known, has a debugger of its own: it has the terminal, if there is one, until session_kill(). */
void session_leave_terminal (Session *session, pid_t actor);
/* What was started has ended. Returns: what it has said last. The terminal is as before. */
DebugWord session_end (Session *session);
/* Ends it, whatever it is, since whom it looked at is gone. The same. */
DebugWord session_kill (Session *session);
