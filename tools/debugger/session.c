/* session.c - a debugger that looks at an actor.
 *
 * It is gdb, or the shell of the command `tractor` where there is none, in a group of processes of its own that the
 * terminal belongs to: what is typed there, and what Ctrl-C and Ctrl-Z do, reaches nobody else of the tree. gdb is told
 * what to do by two scripts: tractor-gdb.py, the commands, and session.py, which attaches, says who it is, and stands
 * where the user's code is.
 *
 * The shell may take the terminal all the same, when it sees its job stopped; and another tree of the same job may. Then the
 * debugger stands still until the job is in the foreground again.
 *
 * A Python actor has a debugger in itself, in the group of the tree: what Ctrl-C and Ctrl-Z did there would reach all of
 * the tree, so they do nothing until it is through. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asker.h"
#include "beside.h"
#include "child.h"
#include "page.h"
#include "terminal.h"

/* After that people are told that it takes long, who may think that it hangs: gdb reads what the actor has mapped. */
#define SLOW_USEC (10 * INT64_C (1000000))
/* How long one that was killed may take to be gone. */
#define KILLED_MSEC 2000

/* --- what is started ---------------------------------------------------------------------------- */

/* In the child. */
static void
set_number (const char *name, int number)
{
  char text[16];

  snprintf (text, sizeof text, "%d", number);
  setenv (name, text, 1);
}

static void
exec_gdb (void)
{
  static const char *const before[] = {
    "gdb",
    "-q",
    "-nx",
    "-iex",
    "set debuginfod enabled off",
    "-iex",
    "set pagination off",
    "-iex",
    "set confirm off",
    "-iex",
    "set print thread-events off",
    "-iex",
    "set print symbol-loading off",
    "-iex",
    "set print inferior-events off",
    "-iex",
    "set auto-load python-scripts off",
    "-iex",
    "alias -- _tractor-begin = quit", /* until session.py makes that a command of its own */
  };
  static const char *const scripts[][2] = {
    { "tractor-gdb.py", SCRIPTS_DIR "/tractor-gdb.py" },
    { "session.py", SCRIPTS_DIR "/session.py" },
  };
  static char paths[2][PATH_MAX];
  const char *argv[32];
  size_t n = sizeof before / sizeof *before;

  memcpy (argv, before, sizeof before);
  for (int i = 0; i < 2; i++)
    if (beside_find (scripts[i][0], scripts[i][1], paths[i])) {
      argv[n++] = "-x";
      argv[n++] = paths[i];
    }
  argv[n++] = "-ex";
  argv[n++] = "_tractor-begin";
  argv[n] = NULL;
  execvp (argv[0], (char *const *) argv);
}

/* What there is without gdb. */
static void
exec_shell (pid_t actor, int word_fd, const char *why)
{
  static const char begun = DEBUG_WORD_SHELL;
  static char path[PATH_MAX];
  char number[16];
  const char *const argv[] = { path, "attach", "--shell", number, NULL };

  if (!child_find_command (path))
    return;
  snprintf (number, sizeof number, "%d", (int) actor);
  setenv ("TRACTOR_SESSION_WHY", why, 1);
  if (write (word_fd, &begun, 1) < 0)
    return;
  execv (path, (char *const *) argv);
}

static const char *page_path; /* (nullable) */

/* The script reads it there. */
_Static_assert(offsetof (DebugPage, n_waiting) == 20, "session.py has it elsewhere");

void
session_use_page (const char *path)
{
  page_path = path;
}

static int report_fd = -1;

void
session_report_to (int fd)
{
  report_fd = fd;
}

/* In the child: it is known to whoever has to see to it if its parent is killed. */
static void
say_who_looks (void)
{
  DebugMsg message = { .version = DEBUG_VERSION, .type = DEBUG_MSG_READY, .tid = getpid () };

  page_set_debugger (getpid ());
  if (report_fd >= 0)
    send (report_fd, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* --- its life ---------------------------------------------------------------------------------- */

typedef struct {
  pid_t broker; /* whose child it is: or host.c */
  pid_t actor;
  const DebugMsg *ask;
  const char *why_not; /* (nullable): for gdb */
  int word_fd;
  int failure_fd; /* says errno to the broker if there is no debugger */
} Plan;

/* While it starts, Ctrl-C would end it, or stop it halfway. It hears the keys itself when it can do what they say: session.py
 * and the shell (tools/tractor/shell.c) see to that. */
static void
keep_keys_back (void)
{
  sigset_t keys;

  sigemptyset (&keys);
  sigaddset (&keys, SIGINT);
  sigaddset (&keys, SIGQUIT);
  sigprocmask (SIG_BLOCK, &keys, NULL);
}

/* In the child. */
static _Noreturn void
become_debugger (const Plan *plan)
{
  static const int usual[] = { SIGINT, SIGQUIT, SIGHUP, SIGTTOU, SIGTTIN };
  char why[128];
  int failure;

  child_end_with (plan->broker);
  keep_keys_back ();
  setpgid (0, 0);
  say_who_looks ();
  terminal_lend (getpid (), true);
  for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
    signal (usual[i], SIG_DFL); /* SIGTSTP stays ignored: nobody would wake it up */
  child_give_back ();
  child_take_memory ();
  for (int fd = 0; fd < 3; fd++)
    dup2 (terminal_get_fd (), fd);
  fcntl (plan->word_fd, F_SETFD, 0);
  set_number ("TRACTOR_SESSION_WORD_FD", plan->word_fd);
  set_number ("TRACTOR_SESSION_PID", (int) plan->actor);
  if (page_path != NULL)
    setenv ("TRACTOR_SESSION_PAGE", page_path, 1);
  setenv ("TRACTOR_SESSION_TERMINAL", terminal_describe (), 1);
  setenv ("TRACTOR_SESSION_ACTOR", plan->ask->actor, 1);
  setenv ("TRACTOR_SESSION_TASK", plan->ask->task, 1);
  if (plan->why_not == NULL)
    exec_gdb ();
  failure = errno;
  snprintf (why, sizeof why, "gdb cannot be started (%s)", strerror (failure));
  exec_shell (plan->actor, plan->word_fd, plan->why_not != NULL ? plan->why_not : why);
  if (write (plan->failure_fd, &failure, sizeof failure) < 0)
    failure = 0;
  _exit (127);
}

/* Waits until it has become one. Returns: 0, or an errno. */
static int
read_failure (int fd)
{
  int failure;
  ssize_t n;

  do
    n = read (fd, &failure, sizeof failure);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t) sizeof failure ? failure : 0;
}

static bool
start (Session *session, Plan *plan)
{
  int ends[2];
  int failure;

  if (!terminal_remember ()) {
    errno = EAGAIN;
    return false;
  }
  if (pipe2 (ends, O_CLOEXEC) != 0)
    return false;
  plan->failure_fd = ends[1];
  session->pid = fork ();
  if (session->pid == 0)
    become_debugger (plan);
  failure = session->pid < 0 ? errno : 0;
  close (ends[1]);
  if (failure == 0)
    failure = read_failure (ends[0]);
  close (ends[0]);
  if (failure == 0) {
    session->pidfd = (int) syscall (SYS_pidfd_open, session->pid, 0);
    failure = session->pidfd < 0 ? errno : 0;
  }
  errno = failure;
  return failure == 0;
}

bool
session_start (Session *session, pid_t actor, const DebugMsg *ask, const char *why_not)
{
  Plan plan = { .broker = getpid (), .actor = actor, .ask = ask, .why_not = why_not };
  int words[2];
  int failure;
  bool ok;

  *session = NO_SESSION;
  session->actor = actor;
  session->slow_at_usec = asker_now_usec () + SLOW_USEC;
  if (pipe2 (words, O_CLOEXEC | O_NONBLOCK) != 0)
    return false;
  session->word_fd = words[0];
  plan.word_fd = words[1];
  ok = start (session, &plan);
  failure = errno;
  close (words[1]);
  if (!ok)
    session_kill (session);
  errno = failure;
  return ok;
}

static void
read_words (Session *session)
{
  char word;

  while (read (session->word_fd, &word, 1) == 1)
    if (word == DEBUG_WORD_LEAVES)
      session->leaves = true;
    else
      session->word = (DebugWord) word;
}

/* --- who has the terminal meanwhile -------------------------------------------------------------- */

/* 0: nobody's, or it is gone. */
static pid_t
find_parent (pid_t pid)
{
  char path[32], line[512];
  const char *behind_name = NULL;
  int parent = 0;
  FILE *file;

  snprintf (path, sizeof path, "/proc/%d/stat", (int) pid);
  file = fopen (path, "re");
  if (file == NULL)
    return 0;
  if (fgets (line, sizeof line, file) != NULL)
    behind_name = strrchr (line, ')');
  if (behind_name == NULL || sscanf (behind_name, ") %*c %d", &parent) != 1)
    parent = 0;
  fclose (file);
  return parent;
}

static bool
is_below (pid_t pid, pid_t ancestor)
{
  while (pid > 1 && pid != ancestor)
    pid = find_parent (pid);
  return pid == ancestor;
}

/* Whether it has been since that was asked last. */
static bool
is_stopped (const Session *session)
{
  siginfo_t info = { 0 };

  return waitid (P_PID, (id_t) session->pid, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid != 0;
}

static void
wake (Session *session)
{
  session->stands = false;
  kill (-session->pid, SIGCONT);
}

bool
session_has_terminal (Session *session)
{
  bool has_terminal = is_below (terminal_find_group (), session->pid);

  read_words (session);
  if (session->leaves)
    return true; /* as far as it needs one */
  if (has_terminal && (session->stands || is_stopped (session)))
    wake (session);
  if (!has_terminal && !session->stands) {
    kill (-session->pid, SIGSTOP); /* it would read, and change, what is somebody else's */
    session->stands = true;
  }
  return has_terminal;
}

bool
session_is_slow (Session *session)
{
  bool is_slow;

  read_words (session);
  if (session->leaves || session->word != DEBUG_WORD_NONE)
    session->slow_at_usec = 0;
  is_slow = session->slow_at_usec != 0 && asker_now_usec () > session->slow_at_usec;
  if (is_slow)
    session->slow_at_usec = 0;
  return is_slow;
}

void
session_give_terminal (Session *session)
{
  terminal_lend (session->pid, true);
  wake (session);
}

void
session_leave_terminal (Session *session, pid_t actor)
{
  *session = NO_SESSION;
  if (terminal_get_fd () < 0)
    return;
  (void) terminal_remember ();
  session->left_to =
      actor > 0 && getsid (actor) == getsid (0) ? getpgid (actor) : tcgetpgrp (terminal_get_fd ());
  terminal_lend (session->left_to, false);
}

bool
session_start_lent (Session *session, int fd, pid_t host, pid_t actor, const DebugMsg *ask)
{
  DebugMsg go = *ask;

  go.type = DEBUG_MSG_GO;
  go.tid = (int32_t) actor;
  if (send (fd, &go, sizeof go, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t) sizeof go)
    return false;
  *session = NO_SESSION;
  session->pid = host;
  session->pidfd = fd;
  session->actor = actor;
  session->is_lent = true;
  session->is_offered = true;
  return true;
}

bool
session_is_taken (Session *session)
{
  DebugMsg message = { 0 };
  ssize_t n = recv (session->pidfd, &message, sizeof message, MSG_DONTWAIT);

  if (n != (ssize_t) sizeof message || message.type != DEBUG_MSG_READY)
    return false;
  session->is_offered = false;
  return true;
}

bool
session_hears_of_debugger (Session *session)
{
  DebugMsg message = { 0 };
  ssize_t n = recv (session->pidfd, &message, sizeof message, MSG_DONTWAIT | MSG_PEEK);

  if (n != (ssize_t) sizeof message || message.type != DEBUG_MSG_READY)
    return false;
  recv (session->pidfd, &message, sizeof message, MSG_DONTWAIT);
  if (session->debugger_fd >= 0)
    close (session->debugger_fd);
  session->debugger = message.tid;
  session->debugger_fd = (int) syscall (SYS_pidfd_open, message.tid, 0);
  page_set_debugger (session->debugger);
  return true;
}

/* Who is killed while it attaches, or stops a thread, has not taken away yet what the kernel stops that by: it would stand for
 * ever, and nobody would know why. So would a child of gdb's, by which that tries what the kernel can. */
static void
clean_up_behind (pid_t debugger, pid_t actor)
{
  kill (-debugger, SIGKILL);
  kill (actor, SIGCONT);
}

/* Who has lent the terminal was killed, and its debugger with it, or a moment later. */
static void
end_debugger_of_lost (const Session *session)
{
  struct pollfd pollfd = { .fd = session->debugger_fd, .events = POLLIN };

  if (session->debugger <= 1)
    return; /* none has come so far */
  if (pollfd.fd >= 0) {
    kill (session->debugger, SIGKILL);
    poll (&pollfd, 1, KILLED_MSEC);
  }
  clean_up_behind (session->debugger, session->actor);
}

static DebugWord
end_lent (Session *session)
{
  DebugMsg done = { .type = DEBUG_MSG_GO };
  bool is_done;

  while (session_hears_of_debugger (session))
    ;
  is_done = recv (session->pidfd, &done, sizeof done, MSG_DONTWAIT) == (ssize_t) sizeof done &&
            done.type == DEBUG_MSG_DONE;
  if (!is_done && recv (session->pidfd, &done, sizeof done, MSG_DONTWAIT) == 0)
    end_debugger_of_lost (session);
  page_set_debugger (0);
  if (session->debugger_fd >= 0)
    close (session->debugger_fd);
  close (session->pidfd);
  *session = NO_SESSION;
  return is_done ? (DebugWord) done.kind : DEBUG_WORD_NONE;
}

static bool
is_killed (const siginfo_t *end)
{
  return end->si_code == CLD_KILLED || end->si_code == CLD_DUMPED;
}

DebugWord
session_end (Session *session)
{
  DebugWord word;
  siginfo_t end = { 0 };

  if (session->is_lent)
    return end_lent (session);
  while (waitid (P_PID, (id_t) session->pid, &end, WEXITED | WNOWAIT) < 0 && errno == EINTR)
    ;
  if (is_killed (&end))
    clean_up_behind (session->pid, session->actor); /* its number is still its own */
  while (waitpid (session->pid, NULL, 0) < 0 && errno == EINTR)
    ;
  page_set_debugger (0);
  read_words (session);
  word = session->word;
  if (word == DEBUG_WORD_BEGUN && is_killed (&end))
    word = DEBUG_WORD_GDB_KILLED;
  terminal_take_back (session->pid);
  if (session->pidfd >= 0)
    close (session->pidfd);
  close (session->word_fd);
  *session = NO_SESSION;
  return word;
}

DebugWord
session_kill (Session *session)
{
  if (session->is_lent)
    return end_lent (session); /* which ends it */
  if (session->pid > 0) {
    kill (session->pid, SIGKILL); /* SIGTERM stops it, in the background */
    return session_end (session);
  }
  if (session->left_to > 0)
    terminal_take_back (session->left_to);
  if (session->word_fd >= 0)
    close (session->word_fd);
  *session = NO_SESSION;
  return DEBUG_WORD_NONE;
}
