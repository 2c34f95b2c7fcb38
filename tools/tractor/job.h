/* job.h - a program in a session of its own, with a terminal of its own. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <signal.h>

typedef enum {
  JOB_STARTED,   /* @number: its process, which is its group, too */
  JOB_NOT_THERE, /* @number: errno of what has kept it from starting */
  JOB_STOPPED,   /* @number: by that signal */
  JOB_ENDED,     /* @number: as wait() has it */
} JobNewsKind;

typedef struct {
  JobNewsKind kind;
  int number;
} JobNews;

/* Whether that is the terminal that we are on. */
gboolean job_is_on_terminal (int fd);
/* @terminal: a path. Its stdin, stdout and stderr are that where ours are our terminal, and ours otherwise; it inherits all
 * other descriptors, as by an exec. @mask: of signals, for the program.
 * Returns: where its JobNews can be read: what the program leaves on the terminal has it until that is closed; or -1 with
 * @error set. */
int job_start (const char *terminal, char *const *argv, const sigset_t *mask, GError **error);
/* Returns: FALSE if there is none to come any more. */
gboolean job_read_news (int fd, JobNews *ret_news);
