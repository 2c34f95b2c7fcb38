/* trace-program.c - a program whose actors are told where to leave what they note.
 *
 * Signals that are sent to us are for the program: it ends by them, or does not, and we wait for it, as what it has noted is
 * still to be written. What a terminal sends, as for Ctrl-C, it has got itself. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "trace-program.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc.h"
#include "trace-files.h"

/* @mask: in the child, as it was before us. */
static void
set_mask (gpointer mask)
{
  sigprocmask (SIG_SETMASK, mask, NULL);
}

/* Returns: where they can be read; -1 with @error set. */
static int
take_signals (sigset_t *ret_before, GError **error)
{
  static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
  sigset_t set;
  int fd;

  sigemptyset (&set);
  for (guint i = 0; i < G_N_ELEMENTS (passed_on); i++)
    sigaddset (&set, passed_on[i]);
  signal (SIGCHLD, SIG_DFL); /* or how it has ended is not told */
  sigprocmask (SIG_BLOCK, &set, ret_before);
  fd = signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0)
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
                 "No signals can be received: %s", g_strerror (errno));
  return fd;
}

static void
pass_on (int signals, pid_t pid)
{
  struct signalfd_siginfo info;

  if (read (signals, &info, sizeof info) == sizeof info && info.ssi_code != SI_KERNEL)
    kill (pid, (int) info.ssi_signo);
}

/* Returns: its status. */
static int
wait_for_end (pid_t pid, int signals)
{
  int pidfd = proc_open (pid);
  int status = 1 << 8;

  while (pidfd >= 0) {
    struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN },
                            { .fd = signals, .events = POLLIN } };

    if (poll (fds, G_N_ELEMENTS (fds), -1) < 0)
      continue;
    if (fds[0].revents != 0)
      break;
    pass_on (signals, pid);
  }
  while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
    ;
  if (pidfd >= 0)
    close (pidfd);
  return status;
}

static gboolean
start (char **argv,
       const char *directory,
       sigset_t *mask,
       GPid *ret_pid,
       int *ret_errno,
       GError **error)
{
  g_auto (GStrv) envp = g_environ_setenv (g_get_environ (), TRACE_VARIABLE, directory, TRUE);
  GError *problem = NULL;

  if (g_spawn_async (NULL, argv, envp,
                     G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH |
                         G_SPAWN_CHILD_INHERITS_STDIN | G_SPAWN_LEAVE_DESCRIPTORS_OPEN,
                     set_mask, mask, ret_pid, &problem))
    return TRUE;
  *ret_errno = g_error_matches (problem, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT) ? ENOENT : EACCES;
  g_propagate_error (error, problem);
  return FALSE;
}

int
trace_program_run (char **argv, const char *directory, int *ret_errno, GError **error)
{
  sigset_t before;
  int signals = take_signals (&before, error);
  int status = -1;
  GPid pid;

  *ret_errno = 0;
  if (signals >= 0 && start (argv, directory, &before, &pid, ret_errno, error))
    status = wait_for_end (pid, signals);
  if (signals >= 0)
    close (signals);
  sigprocmask (SIG_SETMASK, &before, NULL);
  return status;
}
