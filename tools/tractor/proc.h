/* proc.h - what the kernel says of processes. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct {
  gint parent_pid;
  char state;         /* as in ps(1): R, S, D, T, t, Z */
  guint64 started_at; /* with its number, which process it is */
  guint64 cpu_ticks;
  guint64 rss_bytes;
} Process;

/* Returns: FALSE if there is none. */
gboolean proc_read (gint pid, Process *ret_process);
gboolean proc_exists (gint pid);
/* Whether it is one of this user. */
gboolean proc_is_own (gint pid);
/* Whether it is stopped, by a signal or a debugger. */
gboolean proc_is_stopped (gint pid);
/* Whether it handles that signal, and does not die of it. */
gboolean proc_handles_signal (gint pid, int number);
/* (transfer none): what a state is called. */
const char *proc_describe_state (char state);
/* (transfer full): with its arguments, for people; "" if that cannot be read. */
char *proc_dup_command (gint pid);
/* (transfer full) (array zero-terminated=1) */
char **proc_dup_arguments (gint pid);
/* Whether it was started as an actor by another one. */
gboolean proc_is_spawned_actor (gint pid);
/* (transfer full) (nullable): of a C actor, as who has started it has called it: its first argument. */
char *proc_dup_actor_name (gint pid);
/* Whether the library is in it. */
gboolean proc_has_library (gint pid);
/* (transfer full) (element-type gint): those of this user, but not this one itself. */
GArray *proc_list_own (void);
/* Whether @pid is @ancestor, or was started by it, or by one that it has started. */
gboolean proc_is_below (gint pid, gint ancestor);

/* Returns: a descriptor of the process, of just that one; -1 if it is gone. */
int proc_open (gint pid);
/* @patience_usec: how long to wait for its end. */
gboolean proc_is_gone (int pidfd, gint64 patience_usec);
/* Returns: FALSE with errno set. */
gboolean proc_send_signal (int pidfd, int number);
