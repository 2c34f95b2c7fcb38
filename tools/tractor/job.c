/* job.c - a program in a session of its own, with a terminal of its own.
 *
 * Between us and the program there is one process more, of us, the leader of that session. It is to the program what a
 * shell is that does job control: in the same session, but in another group. Without it the program's group would be an
 * orphaned one, which the kernel does not stop: there were no Ctrl-Z. It says what becomes of the program, and ends
 * after it. If we die, the terminal does, and whoever is in the foreground there hears of that by SIGHUP. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

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

  if (write (plan->news_fd, &news, sizeof news) < 0)
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

/* In the leader. What the program is stopped by while a debugger has it is the debugger's. */
static void
watch (const Plan *plan, pid_t pid)
{
  int status;
  pid_t seen;

  do {
    seen = waitpid (pid, &status, WUNTRACED);
    if (seen == pid && WIFSTOPPED (status))
      tell (plan, JOB_STOPPED, WSTOPSIG (status));
  } while (seen == pid ? WIFSTOPPED (status) : errno == EINTR);
  tell (plan, JOB_ENDED, status);
}

/* Our ends of the terminals are not to stay open in here: their end is how others hear of ours. */
static void
close_all_but (int a, int b)
{
  close_range (3, (unsigned) MIN (a, b) - 1, 0);
  close_range ((unsigned) MIN (a, b) + 1, (unsigned) MAX (a, b) - 1, 0);
  close_range ((unsigned) MAX (a, b) + 1, ~0U, 0);
}

static void G_GNUC_NORETURN
lead (const Plan *plan)
{
  int terminal;
  pid_t pid;

  signal (SIGCHLD, SIG_DFL); /* or its end is not told */
  setsid ();
  terminal = open (plan->terminal, O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0 || ioctl (terminal, TIOCSCTTY, 0) != 0) {
    tell (plan, JOB_NOT_THERE, errno);
    _exit (1);
  }
  close_all_but (plan->news_fd, terminal);
  pid = fork ();
  if (pid == 0)
    become_program (plan, terminal);
  if (pid < 0) {
    tell (plan, JOB_NOT_THERE, errno);
    _exit (1);
  }
  setpgid (pid, pid);
  tcsetpgrp (terminal, pid);
  tell (plan, JOB_STARTED, pid);
  watch (plan, pid);
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

int
job_start (const char *terminal, char *const *argv, const sigset_t *mask, GError **error)
{
  Plan plan = { .terminal = terminal, .argv = argv, .mask = mask };
  int ends[2];
  pid_t leader;

  for (int fd = 0; fd < 3; fd++)
    plan.is_on_terminal[fd] = isatty (fd) && tcgetsid (fd) == getsid (0);
  if (pipe2 (ends, O_CLOEXEC) != 0)
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
