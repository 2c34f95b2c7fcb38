/* process.h - a child process: how one is made, watched by pidfd, and reaped once. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>
#include <signal.h>
#include <sys/types.h>

#include "tractor-process.h"

/* What a child finds where, agreed between exec.c and child.c. */
#define CHILD_LINK_FD   3 /* the socket to its parent */
#define CHILD_STDERR_FD 4 /* where its stderr goes once it has booted; until then fd 2 is a file */
#define CHILD_VARIABLE  "TRACTOR_PARENT_FD"

/* What a child ignores if we do: what a shell or a terminal is about (nohup, "&"); and an actor a broken pipe,
 * of which it is told by an error. What else somebody above us has ignored is not for those below, who count on
 * it: a program on being asked to end by SIGTERM, an actor on hearing how its children end. */
#define N_SIGNALS          64
#define SIGNAL_BIT(number) (G_GUINT64_CONSTANT (1) << ((number) -1))
#define SIGNALS_OF_SHELLS                                                                          \
  (SIGNAL_BIT (SIGHUP) | SIGNAL_BIT (SIGINT) | SIGNAL_BIT (SIGQUIT) | SIGNAL_BIT (SIGTSTP) |       \
   SIGNAL_BIT (SIGTTIN) | SIGNAL_BIT (SIGTTOU))
#define IGNORED_BY_PROGRAMS SIGNALS_OF_SHELLS
#define IGNORED_BY_ACTORS   (SIGNALS_OF_SHELLS | SIGNAL_BIT (SIGPIPE))

typedef enum {
  PROCESS_EXITED,
  PROCESS_SIGNALLED,
  PROCESS_UNKNOWN
} ProcessEnd;

typedef struct {
  pid_t pid;
  int pidfd; /* -1 once reaped */
  ProcessEnd end;
  int status; /* exit status, or signal */
  gboolean dumped_core;
} Process;

typedef struct {
  const char *program;         /* (nullable): its path; NULL is this one */
  const char *called;          /* (nullable): its argv[0]; NULL is its path */
  const char *title;           /* (nullable): for ps: the second word of its command line */
  const char *const *argv;     /* (nullable): further arguments */
  const char *const *env;      /* (nullable): what differs from our environment */
  const char *cwd;             /* (nullable): ours */
  const TractorFdMapping *fds; /* go before @stdio */
  gsize n_fds;
  const TractorResourceLimit *limits;
  gsize n_limits;
  guint nice;           /* how much more than we are */
  int stdio[3];         /* become its stdin, stdout and stderr; -1 is /dev/null */
  int link_fd;          /* becomes its CHILD_LINK_FD; -1: it is no actor */
  gboolean has_own_env; /* @env is not what all get */
} ProcessRequest;

/* A way to make a process. It fails with MISUSE, before anything is made, for a request that cannot
 * be right; or with a G_FILE_ERROR, and then nothing of the program has run. The table is a seam: the fork
 * server (fork-server.c), or a simulation, is another one. */
typedef struct _SpawnMethod SpawnMethod;
struct _SpawnMethod {
  const char *name;
  gboolean (*start) (const SpawnMethod *self,
                     const ProcessRequest *request,
                     Process *ret_process,
                     GError **error);
};

extern const SpawnMethod tractor__spawn_by_exec G_GNUC_INTERNAL;

/* Whether it is to have that number in the child. */
static inline gboolean
fd_is_mapped (const TractorFdMapping *fds, gsize n_fds, int there)
{
  for (gsize i = 0; i < n_fds; i++)
    if (fds[i].there == there)
      return TRUE;
  return FALSE;
}

/* Returns: TRUE if the process had ended: it is reaped, and how it ended is in @process. */
G_GNUC_INTERNAL gboolean tractor__process_reap (Process *process);
/* Waits, shielded. Returns: whether it has been reaped by @deadline, of tractor__patience_now(). */
G_GNUC_INTERNAL gboolean tractor__process_wait_until (Process *process, gint64 deadline);
/* Harmless if it has ended: no other process can be hit. */
G_GNUC_INTERNAL void tractor__process_signal (Process *process, int signal_number);
/* Kills it and waits for its end: it runs nothing of ours, or nothing that we could watch, so that is no
 * wait to speak of. */
G_GNUC_INTERNAL void tractor__process_discard (Process *process);
G_GNUC_INTERNAL void tractor__process_clear (Process *process);
/* (transfer full): "exited with status 3", "was killed by signal 9 (Killed)", ... */
G_GNUC_INTERNAL char *tractor__process_describe_end (const Process *process);
