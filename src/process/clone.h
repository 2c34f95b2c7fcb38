/* clone.h - a clone of this process, which becomes another program. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <sys/resource.h>

#include "process.h"

/* What a clone was at when it failed. */
typedef enum {
  STEP_FDS,
  STEP_CWD,
  STEP_LIMITS,
  STEP_EXEC
} Step;

/* All that it needs, worked out before. */
typedef struct {
  const char *path;
  char **argv;
  char **envp;
  const char *cwd; /* (nullable) */
  const TractorResourceLimit *limits;
  gsize n_limits;
  int nice;              /* what it is to have */
  TractorFdMapping *fds; /* all that it is to have, by their numbers there: 0, 1 and 2 first */
  gsize n_fds;
  gboolean is_actor;
  rlim_t max_fds;  /* to close by hand on a kernel without close_range */
  guint64 ignored; /* signals: if we do */
  int parent_pidfd;
  Step step; /* written by the child, read by us, as is what follows */
  int failed_errno;
} Exec;

/* In a process of its own: gives it the descriptors that it is to have, by their numbers, and closes all others. Returns:
 * FALSE with errno set. */
G_GNUC_INTERNAL gboolean tractor__clone_arrange_fds (Exec *exec);
/* Returns: FALSE with a G_FILE_ERROR: then nothing of the program has run. */
G_GNUC_INTERNAL gboolean tractor__clone_and_exec (Exec *exec, Process *process, GError **error);
/* Returns: FALSE with the G_FILE_ERROR of @errno_value: "cannot make a process for '/bin/true': ..." */
G_GNUC_INTERNAL gboolean tractor__set_spawn_error (GError **error,
                                                   int errno_value,
                                                   const char *what,
                                                   const char *path);
