/* trace-program.c - a program whose actors are told where to leave what they note.
 *
 * What is done about Ctrl-C is its matter; we wait for it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "trace-program.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "trace-files.h"

static void
hear_signals (G_GNUC_UNUSED gpointer data)
{
  signal (SIGINT, SIG_DFL);
  signal (SIGQUIT, SIG_DFL);
}

int
trace_program_run (char **argv, const char *directory, int *ret_errno, GError **error)
{
  g_auto (GStrv) envp = g_environ_setenv (g_get_environ (), TRACE_VARIABLE, directory, TRUE);
  GError *problem = NULL;
  int status;
  GPid pid;

  signal (SIGINT, SIG_IGN);
  signal (SIGQUIT, SIG_IGN);
  if (!g_spawn_async (NULL, argv, envp,
                      G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH |
                          G_SPAWN_CHILD_INHERITS_STDIN,
                      hear_signals, NULL, &pid, &problem)) {
    *ret_errno = g_error_matches (problem, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT) ? ENOENT : EACCES;
    g_propagate_error (error, problem);
    return -1;
  }
  while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
    ;
  return status;
}
