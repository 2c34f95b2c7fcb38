/* asker.h - an actor that stops, or wants something else of the broker: what is known of it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "debug-protocol.h"

typedef enum {
  WAITING,
  GRANTED,
  LOOKED_AT, /* or to be, as soon as that can be */
} State;

typedef struct {
  int fd;
  pid_t pid;
  DebugMsg ask; /* type is another one until it has asked */
  State state;
  int64_t since_msec; /* in that state */
  bool is_told;       /* what it waits for, on the terminal or stderr */
  int n_lost;         /* how often a shell has taken the terminal from who looks at it */
  bool was_attached;  /* by hand */
  pid_t command;      /* that opens a terminal for it; 0: none yet; -1: it has ended */
  bool is_without;    /* none came of that */
  bool is_refused;    /* gdb may not attach */
} Asker;

int64_t asker_now_usec (void);
/* How long it has been in its state. */
int64_t asker_get_msec (const Asker *asker);
void asker_set_state (Asker *asker, State state);
/* What it has asked for. */
void asker_take (Asker *asker, const DebugMsg *ask);
bool asker_has_asked (const Asker *asker);
/* Whether it has a debugger of its own. */
bool asker_is_foreign (const Asker *asker);

/* Says to whoever is at the other end of @fd no more than that. Returns: false if it cannot be said. */
bool asker_tell (int fd, DebugMsgType type);
/* That @process may trace it, where the kernel asks for that. */
void asker_let_trace (const Asker *asker, pid_t process);
/* A line about it, for people, that goes on with @text. Returns: false if nobody can be told now. */
bool asker_say (const Asker *asker, const char *text);
