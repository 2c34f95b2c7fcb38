/* rights.h - whether a process may be looked at. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "debug-protocol.h"

/* Whether another debugger, or strace, has it. */
bool rights_is_traced (pid_t pid);
#define RIGHTS_TRACED "another debugger (or strace) has it"

/* Of a debugger that a broker has started, ours or another one: the process that its tree has for a root. 0: it is none. */
pid_t rights_find_tree_of (pid_t debugger);

/* Whether its memory may be read, also without ptrace(). */
bool rights_can_read (pid_t pid);

/* Whether /proc shows the processes that we see. Without that gdb never ends to attach. */
bool rights_has_proc (void);
#define RIGHTS_NO_PROC                                                                             \
  "/proc is that of another pid namespace, or is not there: mount one in this (mount -t proc "     \
  "proc /proc; unshare: --mount-proc)"

/* Of Yama; 0 without it. */
int rights_read_ptrace_scope (void);

/* (transfer none): why a process that may not be looked at may not, and what to do, for people. @scope_that_would_do: of
 * Yama's. */
const char *rights_find_refusal (pid_t pid, int scope_that_would_do);

/* (transfer none) (nullable): why gdb, which has ended with @word, did not look at it although there is something to be seen
 * without it, for people. */
const char *rights_find_why_no_gdb (DebugWord word, pid_t pid);
#define RIGHTS_GDB_FAILED                                                                          \
  "gdb cannot look (it has ended before that: perhaps it is one without Python, as gdb-minimal)"

/* (transfer none) (nullable): why a debugger that has ended with @word did not look at it, for people; NULL: it did. */
const char *rights_explain (DebugWord word, pid_t pid);
