/* process.c - a child process, once it is made: watched by pidfd, signalled by it, reaped once.
 *
 * A pidfd is the process and no other, for as long as we hold it. So nothing here can hit or reap a
 * process that has got its number since. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patience.h"
#include "stdio-fd.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* linux/pidfd.h of 6.15, which our headers need not have. */
typedef struct {
  guint64 mask;
  guint64 cgroup_id;
  guint32 ids[11];
  gint32 exit_code;
  guint32 coredump[2];
} PidfdInfo;

#define PIDFD_GET_INFO_IOCTL _IOWR (0xFF, 11, PidfdInfo)
#define PIDFD_INFO_EXIT_BIT  (1u << 3)

static void
set_end (Process *process, int wait_status)
{
  if (WIFEXITED (wait_status)) {
    process->end = PROCESS_EXITED;
    process->status = WEXITSTATUS (wait_status);
  } else {
    process->end = PROCESS_SIGNALLED;
    process->status = WTERMSIG (wait_status);
    process->dumped_core = WCOREDUMP (wait_status) != 0;
  }
}

/* Whether it has been reaped, and not only ended. */
static gboolean
is_gone (const Process *process)
{
  struct pollfd pidfd = { .fd = process->pidfd, .events = POLLIN };

  return poll (&pidfd, 1, 0) == 1 && (pidfd.revents & POLLHUP) != 0;
}

/* Somebody else reaped it: a loop over waitpid(-1), or SIGCHLD set to be ignored. Returns: FALSE if the kernel,
 * which writes down how a process has ended as it reaps it, is about to: we have heard of the end before that. */
static gboolean
ask_kernel_for_end (Process *process)
{
  PidfdInfo info = { .mask = PIDFD_INFO_EXIT_BIT };
  gboolean was_gone = is_gone (process); /* before we ask, so that the answer is there */

  if (ioctl (process->pidfd, PIDFD_GET_INFO_IOCTL, &info) != 0) {
    process->end = PROCESS_UNKNOWN;
    return TRUE;
  }
  if ((info.mask & PIDFD_INFO_EXIT_BIT) != 0)
    set_end (process, info.exit_code);
  else if (was_gone)
    process->end = PROCESS_UNKNOWN;
  else
    return FALSE;
  return TRUE;
}

gboolean
tractor__process_reap (Process *process)
{
  siginfo_t info = { 0 };

  if (process->pidfd < 0)
    return TRUE;

  if (waitid (P_PIDFD, (id_t) process->pidfd, &info, WEXITED | WNOHANG) != 0) {
    if (errno != ECHILD || !ask_kernel_for_end (process))
      return FALSE;
  } else if (info.si_pid == 0) {
    return FALSE;
  } else if (info.si_code == CLD_EXITED) {
    process->end = PROCESS_EXITED;
    process->status = info.si_status;
  } else {
    process->end = PROCESS_SIGNALLED;
    process->status = info.si_status;
    process->dumped_core = info.si_code == CLD_DUMPED;
  }
  tractor__process_clear (process);
  return TRUE;
}

gboolean
tractor__process_wait_until (Process *process, gint64 deadline)
{
  g_autoptr (TractorCancelScope) scope = tractor__patience_open_until (deadline);

  tractor_cancel_scope_set_shield (scope, TRUE);
  while (!tractor__process_reap (process))
    if (!tractor_wait_fd (process->pidfd, G_IO_IN, NULL, NULL))
      return tractor__process_reap (process);
  return TRUE;
}

void
tractor__process_signal (Process *process, int signal_number)
{
  if (process->pidfd >= 0)
    syscall (SYS_pidfd_send_signal, process->pidfd, signal_number, NULL, 0);
}

void
tractor__process_discard (Process *process)
{
  tractor__process_signal (process, SIGKILL);
  while (waitid (P_PIDFD, (id_t) process->pidfd, &(siginfo_t){ 0 }, WEXITED) != 0 && errno == EINTR)
    ;
  tractor__process_clear (process);
}

void
tractor__process_clear (Process *process)
{
  close_fd (&process->pidfd);
}

char *
tractor__process_describe_end (const Process *process)
{
  switch (process->end) {
  case PROCESS_EXITED:
    return g_strdup_printf ("exited with status %d", process->status);
  case PROCESS_SIGNALLED:
    return g_strdup_printf ("was killed by signal %d (%s)%s", process->status,
                            g_strsignal (process->status),
                            process->dumped_core ? ", and dumped core" : "");
  case PROCESS_UNKNOWN:
  default:
    return g_strdup ("ended; another part of this process reaped it, so its status is unknown");
  }
}
