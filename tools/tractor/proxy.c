/* proxy.c - a terminal for a program, and one for the debugger, in place of ours.
 *
 * Both are pseudo-terminals, and have the size and the settings of ours, which lets every byte through meanwhile: what
 * Ctrl-C and Ctrl-Z do, and echo, is up to that terminal to which they are passed on. That is the program's, until the
 * broker of debug mode says that an actor of the tree is held (debug-terminal.h): then it is the debugger's, and what the
 * tree has to say is kept, and shown when nobody is held any more. So a program may read its input as it likes, and no
 * line of it is lost to a debugger, nor the other way round.
 *
 * A program whose input is elsewhere reads no terminal, as a rule; so ours stays as it is then, and what is typed there is
 * left to others: to what is beside us in a pipe, or to the shell. But for a debugger it is read, and for a program that has
 * changed its terminal's settings, as who asks for a password does.
 *
 * Towards the shell we are an ordinary job. While it is in the background our terminal is not touched; when the program
 * is stopped, so are we, and it goes on with us; signals sent to us are sent on.
 *
 * One thread, one loop, and nothing in it waits but for our own terminal to show something. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "debug-terminal.h"
#include "descriptors.h"
#include "job.h"
#include "proxy.h"

/* Of what is kept while somebody is held. Above it, it is shown: a tree does not stand still because it says much. */
#define MOST_KEPT_BYTES (1024 * 1024)
/* How often it is looked whether we have come into the foreground, what is typed is wanted, or the broker has died. */
#define LOOK_MSEC 100

/* A pseudo-terminal. */
typedef struct {
  int master;
  int slave; /* ours, so that it stays when others close it */
  char path[PATH_MAX];
  GByteArray *typed; /* that there was no room for */
} Side;

typedef struct {
  int terminal; /* ours */
  gboolean is_gone;
  gboolean is_foreground;
  gboolean is_taken;     /* it lets all through */
  struct termios before; /* that */
  gboolean is_stdin;
  gboolean is_shared;      /* what others say on it is not to look otherwise than before */
  struct termios settings; /* of the other two, at first */
  Side program;
  Side debugger;
  gboolean is_held;
  GByteArray *kept;   /* of the program's, while somebody is held */
  GByteArray *unseen; /* of the debugger's, while we are in the background */
  gboolean is_told;   /* that we are wanted in the foreground */
  sigset_t mask;      /* before us */
  int signals;
  int news;
  pid_t pid;
  gboolean is_over;
  int status;
  int failure; /* errno */
} Proxy;

static int
fail (GError **error, const char *what)
{
  int saved = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved), "%s: %s", what,
               g_strerror (saved));
  return -1;
}

/* --- our terminal -------------------------------------------------------------------------------- */

static void
write_to_terminal (Proxy *proxy, const guint8 *bytes, gsize length)
{
  while (length > 0 && !proxy->is_gone) {
    gssize n = write (proxy->terminal, bytes, length);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      proxy->is_gone = TRUE;
    bytes += MAX (n, 0);
    length -= (gsize) MAX (n, 0);
  }
}

static gboolean
adds_returns (const Proxy *proxy)
{
  struct termios now;

  return tcgetattr (proxy->terminal, &now) == 0 && (now.c_oflag & OPOST) != 0 &&
         (now.c_oflag & ONLCR) != 0;
}

/* The terminal that it was said on has put a return before each new line; where ours does so, too, that is one too many. */
static void
show (Proxy *proxy, const guint8 *bytes, gsize length)
{
  g_autofree guint8 *less = NULL;
  gsize n = 0;

  if (length == 0 || !adds_returns (proxy)) {
    write_to_terminal (proxy, bytes, length);
    return;
  }
  less = g_malloc (length);
  for (gsize i = 0; i < length; i++)
    if (bytes[i] != '\r' || i + 1 == length || bytes[i + 1] != '\n')
      less[n++] = bytes[i];
  write_to_terminal (proxy, less, n);
}

static void
show_kept (Proxy *proxy, GByteArray *kept)
{
  show (proxy, kept->data, kept->len);
  g_byte_array_set_size (kept, 0);
}

static void
keep (Proxy *proxy, GByteArray *kept, const guint8 *bytes, gsize length)
{
  g_byte_array_append (kept, bytes, (guint) length);
  if (kept->len > MOST_KEPT_BYTES)
    show_kept (proxy, kept);
}

static void
set_size (Proxy *proxy)
{
  struct winsize size;

  if (ioctl (proxy->terminal, TIOCGWINSZ, &size) != 0)
    return;
  ioctl (proxy->program.master, TIOCSWINSZ, &size);
  ioctl (proxy->debugger.master, TIOCSWINSZ, &size);
}

/* Nothing here waits for what is to be shown before: on a terminal that was stopped that would be for ever. */
static void
take_terminal (Proxy *proxy)
{
  struct termios raw;

  if (tcgetattr (proxy->terminal, &proxy->before) != 0)
    return;
  raw = proxy->before;
  cfmakeraw (&raw);
  if (proxy->is_shared)
    raw.c_oflag = proxy->before.c_oflag;
  tcsetattr (proxy->terminal, TCSANOW, &raw);
  proxy->is_taken = TRUE;
}

static void
give_terminal_back (Proxy *proxy)
{
  if (proxy->is_taken && tcgetpgrp (proxy->terminal) == getpgrp ())
    tcsetattr (proxy->terminal, TCSANOW, &proxy->before);
  proxy->is_taken = FALSE;
}

static gboolean
has_program_changed_its_terminal (const Proxy *proxy)
{
  struct termios now;

  return tcgetattr (proxy->program.master, &now) == 0 &&
         (now.c_lflag != proxy->settings.c_lflag || now.c_iflag != proxy->settings.c_iflag);
}

static gboolean
is_typed_wanted (const Proxy *proxy)
{
  return proxy->is_stdin || proxy->is_held || has_program_changed_its_terminal (proxy);
}

static void
come_into_foreground (Proxy *proxy)
{
  proxy->is_foreground = TRUE;
  proxy->is_told = FALSE;
  set_size (proxy);
  show_kept (proxy, proxy->unseen);
}

/* Somebody else has it then. */
static void
go_into_background (Proxy *proxy)
{
  proxy->is_foreground = FALSE;
  proxy->is_taken = FALSE;
}

static void
look_at_terminal (Proxy *proxy)
{
  if (tcgetpgrp (proxy->terminal) != getpgrp ()) {
    go_into_background (proxy);
    return;
  }
  if (!is_typed_wanted (proxy))
    give_terminal_back (proxy);
  else if (!proxy->is_taken)
    take_terminal (proxy);
  if (!proxy->is_foreground)
    come_into_foreground (proxy);
}

/* --- the others' --------------------------------------------------------------------------------- */

static gboolean
side_open (Side *side, const struct termios *settings, GError **error)
{
  side->master = posix_openpt (O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (side->master < 0 || grantpt (side->master) != 0 || unlockpt (side->master) != 0 ||
      ptsname_r (side->master, side->path, sizeof side->path) != 0 ||
      (side->slave = open (side->path, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
    fail (error, "No terminal can be made");
    return FALSE;
  }
  tcsetattr (side->slave, TCSANOW, settings);
  side->typed = g_byte_array_new ();
  return TRUE;
}

static void
side_clear (Side *side)
{
  close (side->master);
  if (side->slave >= 0)
    close (side->slave);
  if (side->typed != NULL)
    g_byte_array_unref (side->typed);
}

static void
side_pass (Side *side)
{
  gssize n = write (side->master, side->typed->data, side->typed->len);

  if (n > 0)
    g_byte_array_remove_range (side->typed, 0, (guint) n);
  else if (n < 0 && errno != EAGAIN && errno != EINTR)
    g_byte_array_set_size (side->typed, 0);
}

/* Whom it is for, what is typed. */
static Side *
get_reader (Proxy *proxy)
{
  return proxy->is_held ? &proxy->debugger : &proxy->program;
}

static void
on_typed (Proxy *proxy)
{
  Side *reader = get_reader (proxy);
  guint8 bytes[4096];
  gssize n = read (proxy->terminal, bytes, sizeof bytes);

  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return;
  if (n < 0 && tcgetpgrp (proxy->terminal) > 0)
    return; /* the foreground has just been somebody else's */
  if (n <= 0) {
    proxy->is_gone = TRUE;
    return;
  }
  g_byte_array_append (reader->typed, bytes, (guint) n);
  side_pass (reader);
}

/* Who asks for a password has changed its terminal before it says so, and we have to have ours before that is seen.
 * Returns: how many there were. */
static gsize
on_said_by_program (Proxy *proxy)
{
  guint8 bytes[65536];
  gssize n = read (proxy->program.master, bytes, sizeof bytes);

  if (n <= 0)
    return 0;
  if (!proxy->is_over)
    look_at_terminal (proxy);
  if (proxy->is_held)
    keep (proxy, proxy->kept, bytes, (gsize) n);
  else
    show (proxy, bytes, (gsize) n);
  return (gsize) n;
}

/* --- while somebody is held ---------------------------------------------------------------------- */

static void
ask_for_foreground (Proxy *proxy)
{
  static const char text[] = "tractor: a debugger waits for the terminal: bring the job to the "
                             "foreground (fg)\r\n";

  if (!proxy->is_foreground && !proxy->is_told)
    show (proxy, (const guint8 *) text, sizeof text - 1);
  proxy->is_told = TRUE;
}

static void
set_held (Proxy *proxy, gboolean is_held)
{
  proxy->is_held = is_held;
  if (is_held) {
    ask_for_foreground (proxy);
    return;
  }
  show_kept (proxy, proxy->unseen);
  show_kept (proxy, proxy->kept);
}

/* The debugger's terminal is its broker's, as long as that is there. */
static void
look_whether_broker_lives (Proxy *proxy)
{
  if (proxy->is_held && tcgetpgrp (proxy->debugger.master) <= 0)
    set_held (proxy, FALSE);
}

static void
show_debugger (Proxy *proxy, const guint8 *bytes, gsize length)
{
  if (proxy->is_foreground)
    show (proxy, bytes, length);
  else
    keep (proxy, proxy->unseen, bytes, length);
}

static gboolean
is_mark (guint8 byte)
{
  return byte == DEBUG_TERMINAL_HELD || byte == DEBUG_TERMINAL_FREE;
}

/* Returns: how many bytes there were. */
static gsize
on_said_by_debugger (Proxy *proxy)
{
  guint8 bytes[65536];
  gssize n = read (proxy->debugger.master, bytes, sizeof bytes);
  gssize from = 0;

  for (gssize at = 0; at < n; at++) {
    if (!is_mark (bytes[at]))
      continue;
    show_debugger (proxy, bytes + from, (gsize) (at - from));
    from = at + 1;
    set_held (proxy, bytes[at] == DEBUG_TERMINAL_HELD);
  }
  if (n > from)
    show_debugger (proxy, bytes + from, (gsize) (n - from));
  return (gsize) MAX (n, 0);
}

/* --- the job ------------------------------------------------------------------------------------- */

/* The program does not go on, so we do not: the shell sees its job stopped, and whoever else is in that. Where nobody
 * would wake us up, the kernel does not stop us. */
static void
stop (Proxy *proxy)
{
  sigset_t only;

  give_terminal_back (proxy);
  proxy->is_foreground = FALSE;
  sigemptyset (&only);
  sigaddset (&only, SIGTSTP);
  kill (0, SIGTSTP);
  sigprocmask (SIG_UNBLOCK, &only, NULL); /* here we stand */
  sigprocmask (SIG_BLOCK, &only, NULL);
  look_at_terminal (proxy);
  kill (-proxy->pid, SIGCONT);
}

/* What a terminal has sent is for all of a group. */
static void
on_signal (Proxy *proxy)
{
  struct signalfd_siginfo info;

  if (read (proxy->signals, &info, sizeof info) != sizeof info)
    return;
  if (info.ssi_signo == SIGWINCH)
    set_size (proxy);
  else if (info.ssi_signo == SIGTSTP || info.ssi_signo == SIGHUP || info.ssi_code == SI_KERNEL)
    kill (-proxy->pid, (int) info.ssi_signo);
  else
    kill (proxy->pid, (int) info.ssi_signo);
}

/* Returns: FALSE when it has ended. */
static gboolean
on_news (Proxy *proxy)
{
  JobNews news;

  if (!job_read_news (proxy->news, &news))
    return FALSE; /* its leader was killed */
  switch (news.kind) {
  case JOB_STARTED:
    proxy->pid = news.number;
    break;
  case JOB_NOT_THERE:
    proxy->failure = news.number;
    break;
  case JOB_STOPPED:
    stop (proxy);
    break;
  case JOB_ENDED:
  default:
    proxy->status = news.number;
    return FALSE;
  }
  return TRUE;
}

/* Signals, and keys that make some, wait until the program is there, and in the foreground.
 * Returns: FALSE when it has ended. */
static gboolean
turn (Proxy *proxy)
{
  Side *reader = get_reader (proxy);
  gboolean is_started = proxy->pid > 0;
  gboolean wants_typed =
      is_started && proxy->is_taken && !proxy->is_gone && reader->typed->len == 0;
  struct pollfd fds[] = {
    { .fd = is_started ? proxy->signals : -1, .events = POLLIN },
    { .fd = proxy->news, .events = POLLIN },
    { .fd = proxy->debugger.master,
      .events = POLLIN | (proxy->debugger.typed->len > 0 ? POLLOUT : 0) },
    { .fd = proxy->program.master,
      .events = POLLIN | (proxy->program.typed->len > 0 ? POLLOUT : 0) },
    { .fd = wants_typed ? proxy->terminal : -1, .events = POLLIN },
  };

  if (poll (fds, G_N_ELEMENTS (fds), proxy->is_held || !proxy->is_taken ? LOOK_MSEC : -1) < 0)
    return TRUE;
  if ((fds[0].revents & POLLIN) != 0)
    on_signal (proxy);
  if ((fds[2].revents & POLLIN) != 0)
    on_said_by_debugger (proxy);
  if ((fds[2].revents & POLLOUT) != 0)
    side_pass (&proxy->debugger);
  if ((fds[3].revents & POLLIN) != 0)
    on_said_by_program (proxy);
  if ((fds[3].revents & POLLOUT) != 0)
    side_pass (&proxy->program);
  if (fds[4].revents != 0)
    on_typed (proxy);
  look_at_terminal (proxy);
  look_whether_broker_lives (proxy);
  return fds[1].revents == 0 || on_news (proxy);
}

/* What the program has said before its end. */
static void
show_rest (Proxy *proxy)
{
  while (on_said_by_debugger (proxy) > 0)
    ;
  set_held (proxy, FALSE);
  while (on_said_by_program (proxy) > 0 && !proxy->is_gone)
    ;
}

/* --- what the program leaves running ------------------------------------------------------------- */

/* Returns: FALSE when nobody has its terminal open any more, and all that was said there has been read. */
static gboolean
wait_until_said (const Proxy *proxy, int msec)
{
  struct pollfd fd = { .fd = proxy->program.master, .events = POLLIN };
  int n;

  do
    n = poll (&fd, 1, msec);
  while (n < 0 && errno == EINTR);
  return n == 0 || (fd.revents & POLLIN) != 0;
}

static void G_GNUC_NORETURN
listen_on (Proxy *proxy)
{
  const int kept[] = { proxy->terminal, proxy->program.master, proxy->news };

  descriptors_close_all_but (kept, G_N_ELEMENTS (kept));
  dup2 (STDOUT_FILENO, STDERR_FILENO);
  sigprocmask (SIG_SETMASK, &proxy->mask, NULL);
  while (!proxy->is_gone && wait_until_said (proxy, -1))
    on_said_by_program (proxy);
  _exit (0);
}

/* As below a shell it has a terminal, and what it says there is shown: by a process of our group, as it would be of that
 * itself. Nothing of the debugger's is left. */
static void
leave_a_listener (Proxy *proxy)
{
  close (proxy->program.slave);
  proxy->program.slave = -1;
  if (!proxy->is_gone && wait_until_said (proxy, 0) && fork () == 0)
    listen_on (proxy);
}

/* --- the whole ----------------------------------------------------------------------------------- */

/* Of those that stop a job for touching its terminal it is nobody's business when we may. */
static gboolean
take_signals (Proxy *proxy, GError **error)
{
  static const int passed_on[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                   SIGUSR1, SIGUSR2, SIGTSTP, SIGWINCH };
  sigset_t ours, all;

  sigemptyset (&ours);
  for (guint i = 0; i < G_N_ELEMENTS (passed_on); i++)
    sigaddset (&ours, passed_on[i]);
  all = ours;
  sigaddset (&all, SIGTTOU);
  sigaddset (&all, SIGTTIN);
  sigprocmask (SIG_BLOCK, &all, &proxy->mask);
  proxy->signals = signalfd (-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
  if (proxy->signals >= 0)
    return TRUE;
  fail (error, "No signals can be received");
  return FALSE;
}

static gboolean
prepare (Proxy *proxy, char *const *argv, GError **error)
{
  if (tcgetattr (proxy->terminal, &proxy->settings) != 0) {
    fail (error, "The terminal cannot be asked for its settings");
    return FALSE;
  }
  proxy->is_stdin = job_is_on_terminal (STDIN_FILENO);
  proxy->is_shared = !proxy->is_stdin || !job_is_on_terminal (STDOUT_FILENO) ||
                     !job_is_on_terminal (STDERR_FILENO);
  if (!take_signals (proxy, error) || !side_open (&proxy->program, &proxy->settings, error) ||
      !side_open (&proxy->debugger, &proxy->settings, error))
    return FALSE;
  set_size (proxy);
  g_setenv (DEBUG_TERMINAL_VARIABLE, proxy->debugger.path, TRUE);
  proxy->news = job_start (proxy->program.path, argv, &proxy->mask, error);
  return proxy->news >= 0;
}

/* What the program inherits is its own. */
static void
let_others_go (const Proxy *proxy)
{
  const int kept[] = { proxy->terminal,       proxy->signals,       proxy->news,
                       proxy->program.master, proxy->program.slave, proxy->debugger.master,
                       proxy->debugger.slave };

  descriptors_close_all_but (kept, G_N_ELEMENTS (kept));
}

static void
clear (Proxy *proxy)
{
  side_clear (&proxy->program);
  side_clear (&proxy->debugger);
  g_byte_array_unref (proxy->kept);
  g_byte_array_unref (proxy->unseen);
  for (guint i = 0; i < 3; i++) {
    int fd = ((int[]){ proxy->terminal, proxy->signals, proxy->news })[i];

    if (fd >= 0)
      close (fd);
  }
  sigprocmask (SIG_SETMASK, &proxy->mask, NULL);
}

static int
become (char *const *argv, int *ret_errno, GError **error)
{
  execvp (argv[0], argv);
  *ret_errno = errno;
  return fail (error, argv[0]);
}

int
proxy_run (char *const *argv, int *ret_errno, GError **error)
{
  Proxy proxy = { .program = { -1, -1 },
                  .debugger = { -1, -1 },
                  .signals = -1,
                  .news = -1,
                  .status = 1 << 8 /* if nobody tells */ };
  gboolean ok;

  *ret_errno = 0;
  proxy.terminal = open ("/dev/tty", O_RDWR | O_CLOEXEC);
  if (proxy.terminal < 0)
    return become (argv, ret_errno, error);
  sigprocmask (SIG_SETMASK, NULL, &proxy.mask);
  proxy.kept = g_byte_array_new ();
  proxy.unseen = g_byte_array_new ();
  ok = prepare (&proxy, argv, error);
  if (ok) {
    let_others_go (&proxy);
    look_at_terminal (&proxy);
    while (turn (&proxy))
      ;
    proxy.is_over = TRUE;
    show_rest (&proxy);
    give_terminal_back (&proxy);
    leave_a_listener (&proxy);
  }
  if (ok && proxy.failure != 0) {
    *ret_errno = errno = proxy.failure;
    fail (error, argv[0]);
    ok = FALSE;
  }
  clear (&proxy);
  return ok ? proxy.status : -1;
}
