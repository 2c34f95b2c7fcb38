/* job.c - a program in a session of its own, with a terminal of its own.
 *
 * Between us and the program there is one process more, of us, the leader of that session. It is to the program what a
 * shell is that does job control: in the same session, but in another group. Without it the program's group would be an
 * orphaned one, which the kernel does not stop: there were no Ctrl-Z. It says what becomes of the program.
 *
 * As a shell it stays behind it, too, as long as we want that: what the program leaves running has its terminal, and hears
 * nothing of the program's end. For that the foreground is the leader's again, as the kernel tells who is in that of the
 * leader's end. If we die, the terminal does, of which the leader hears by SIGHUP, and dies; and so does whoever is in the
 * foreground then. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "descriptors.h"
#include "job.h"

typedef struct {
  const char *terminal;
  char *const *argv;
  const sigset_t *mask;
  int news_fd;
  gboolean is_on_terminal[3];
} Plan;

static void
tell (const Plan *plan, JobNewsKind kind, int number)
{
  const JobNews news = { kind, number };

  if (send (plan->news_fd, &news, sizeof news, MSG_NOSIGNAL) < 0)
    return; /* nobody is there to be told */
}

/* In the child, which becomes the program. @terminal: its descriptor. */
static void G_GNUC_NORETURN
become_program (const Plan *plan, int terminal)
{
  setpgid (0, 0);
  tcsetpgrp (terminal, getpid ());
  for (int fd = 0; fd < 3; fd++)
    if (plan->is_on_terminal[fd])
      dup2 (terminal, fd);
  sigprocmask (SIG_SETMASK, plan->mask, NULL);
  execvp (plan->argv[0], plan->argv);
  tell (plan, JOB_NOT_THERE, errno);
  _exit (127);
}

/* In the leader. What the program is stopped by while a debugger has it is the debugger's. Returns: its status. */
static int
watch (const Plan *plan, pid_t pid)
{
  int status = 1 << 8;
  pid_t seen;

  do {
    seen = waitpid (pid, &status, WUNTRACED);
    if (seen == pid && WIFSTOPPED (status))
      tell (plan, JOB_STOPPED, WSTOPSIG (status));
  } while (seen == pid ? WIFSTOPPED (status) : errno == EINTR);
  return status;
}

/* For those that the program has left, until nobody listens. Whether they have the terminal open is looked at: we have not. */
static void
stay (const Plan *plan)
{
  char nothing;

  while (read (plan->news_fd, &nothing, sizeof nothing) < 0 && errno == EINTR)
    ;
}

/* Our ends of the terminals are not to stay open in here: their end is how others hear of ours. What is the program's is not
 * either. */
static void
keep_only (int a, int b)
{
  descriptors_close_all_but ((const int[]){ a, b }, 2);
  dup2 (STDOUT_FILENO, STDERR_FILENO); /* we say nothing here */
}

/* As whoever called us has it; but a background may not give a terminal to anybody without that. */
static void
set_leaders_signals (const Plan *plan)
{
  sigset_t mask = *plan->mask;

  signal (SIGCHLD, SIG_DFL); /* or the program's end is not told */
  sigaddset (&mask, SIGTTOU);
  sigprocmask (SIG_SETMASK, &mask, NULL);
}

static void G_GNUC_NORETURN
lead (const Plan *plan)
{
  int terminal, status;
  pid_t pid;

  setsid ();
  set_leaders_signals (plan);
  terminal = open (plan->terminal, O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0 || ioctl (terminal, TIOCSCTTY, 0) != 0) {
    tell (plan, JOB_NOT_THERE, errno);
    _exit (1);
  }
  pid = fork ();
  if (pid == 0)
    become_program (plan, terminal);
  if (pid < 0) {
    tell (plan, JOB_NOT_THERE, errno);
    _exit (1);
  }
  keep_only (plan->news_fd, terminal);
  setpgid (pid, pid);
  tcsetpgrp (terminal, pid);
  tell (plan, JOB_STARTED, pid);
  status = watch (plan, pid);
  tcsetpgrp (terminal, getpgrp ());
  close (terminal);
  tell (plan, JOB_ENDED, status);
  stay (plan);
  _exit (0);
}

static int
fail (GError **error)
{
  int saved = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved), "No process can be made: %s",
               g_strerror (saved));
  return -1;
}

gboolean
job_is_on_terminal (int fd)
{
  return isatty (fd) && tcgetsid (fd) == getsid (0);
}

int
job_start (const char *terminal, char *const *argv, const sigset_t *mask, GError **error)
{
  Plan plan = { .terminal = terminal, .argv = argv, .mask = mask };
  int ends[2];
  pid_t leader;

  for (int fd = 0; fd < 3; fd++)
    plan.is_on_terminal[fd] = job_is_on_terminal (fd);
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return fail (error);
  plan.news_fd = ends[1];
  leader = fork ();
  if (leader == 0)
    lead (&plan);
  close (ends[1]);
  if (leader > 0)
    return ends[0];
  close (ends[0]);
  return fail (error);
}

gboolean
job_read_news (int fd, JobNews *ret_news)
{
  gssize n;

  do
    n = read (fd, ret_news, sizeof *ret_news);
  while (n < 0 && errno == EINTR);
  return n == (gssize) sizeof *ret_news;
}
