/* command.h - what each command of `tractor` is, for the table of them in main.c. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What the program ends with; in the manual. */
typedef enum {
  STATUS_OK,
  STATUS_FAILED,
  STATUS_USAGE,
  STATUS_NO_TREE,
  STATUS_NOT_ALLOWED
} Status;

typedef enum {
  TAKES_NO_PID,
  MAY_TAKE_PID,
  NEEDS_PID,
  TAKES_PROGRAM /* by its own options: all behind the first that is none */
} TakesPid;

typedef struct {
  const char *name;
  const char *summary; /* one line, for the list of commands */
  const char *description;
  TakesPid takes_pid;
  const GOptionEntry *options;
  /* @pid: 0: none was given. What is to be said to the user is in @error. */
  Status (*run) (gint pid, GError **error);
} Command;

extern const Command command_attach;
extern const Command command_core;
extern const Command command_dump;
extern const Command command_kill;
extern const Command command_reap;
extern const Command command_run;
extern const Command command_top;
extern const Command command_trace;
extern const Command command_tree;
