/* main.c - tractor-debugger, the broker: which actor of a tree is looked at by the debugger, and who waits.
 *
 * The root of a tree in debug mode starts it (src/process/broker.c), with the name of a socket that it is to make and of a
 * page of memory that is there, and the root's number. Actors ask at the socket (debug-protocol.h), and are served in the
 * order in which they ask:
 *
 *    WAITING --its turn--> GRANTED --READY--> LOOKED_AT --the debugger has gone--> gone
 *
 * Below a Python root, which has that lock itself, each turn is asked for there first (python-root.c).
 *
 * A root asks for Python actors too, which have a debugger of their own: they have the terminal from GRANTED on.
 *
 * At each of these steps the end of the connection says that the actor is gone, or has given up. As long as there is
 * anybody, the page says that the tree is held.
 *
 * A terminal that somebody lends (host.c) comes before our own; and before that too a command, if we were given one,
 * that opens a terminal and lends it. Where there is none of these, an actor waits for somebody to lend one, or to attach a
 * debugger by hand, for a minute. Where the job is in the background, it waits until it is in the foreground: a terminal
 * is not taken away from a shell.
 *
 * An actor may also ask for a dump (dumps.c), which holds nobody.
 *
 * It needs libc, and msgpack-c for a root in Python, and depends on nobody: the root may be the one that is looked at, or
 * that crashes. It ends with the root, or when the root closes its end of DEBUG_CONTROL_FD. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "debug-protocol.h"
#include "dumps.h"
#include "host.h"
#include "python-root.h"
#include "rights.h"
#include "session.h"
#include "terminal.h"
#include "words.h"

#define MAX_ASKERS 4096
#define MAX_HOSTS  16
/* Descriptors that are for others than who asks: of terminals, dumps, the session, and what is opened for a moment. */
#define DESCRIPTORS_KEPT (32 + MAX_HOSTS + MAX_DUMPS)

/* How long one whose turn it is may take to say that it is ready: it only has to wake up. */
#define READY_MSEC 5000
/* How long one waits for a debugger where there is no terminal. */
#define BY_HAND_MSEC 60000
/* How long a command may take to open a terminal. */
#define COMMAND_MSEC 30000
/* How often it is looked whether the job is in the foreground, or somebody has attached. */
#define LOOK_MSEC 100

typedef enum {
  WAITING,
  GRANTED,
  LOOKED_AT, /* or to be, as soon as that can be */
} State;

typedef struct {
  int fd;
  pid_t pid;
  DebugMsg ask; /* type is another one until it has asked */
  State state;
  int64_t since_msec; /* in that state */
  bool is_told;       /* what it waits for, on the terminal or stderr */
  bool was_attached;  /* by hand */
  pid_t command;      /* that opens a terminal for it; 0: none yet; -1: it has ended */
  bool is_without;    /* none came of that */
  bool is_refused;    /* gdb may not attach */
} Asker;

/* Who lends a terminal. */
typedef struct {
  int fd;
  pid_t pid;
  pid_t wanted; /* 0: whoever is next */
} Host;

static Asker askers[MAX_ASKERS]; /* in the order in which they came */
static int n_askers;
static int room_for_askers; /* more of them would have no descriptor */
static int spare_fd = -1;   /* for who is to be refused when there is no other */

static Host hosts[MAX_HOSTS];
static int n_hosts;

static Session session = NO_SESSION;
static bool is_terminal_told = true; /* whether anybody is held */
static DebugPage *page;
static pid_t root;
static const char *prefix;
static const char *command; /* (nullable) */

/* --- time, and what is said -------------------------------------------------------------------- */

static int64_t
now_usec (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C (1000000) + now.tv_nsec / 1000;
}

static int64_t
now_msec (void)
{
  return now_usec () / 1000;
}

/* What an actor is called is its own business, but not what that does to a terminal. */
static void
make_plain (char *text)
{
  for (; *text != '\0'; text++)
    if ((unsigned char) *text < ' ' || *text == 0x7f)
      *text = '?';
}

/* Returns: false if nobody can be told now. */
static bool
say (const Asker *asker, const char *text)
{
  static const char *const kinds[] = { "waits", "has paused", "has crashed",
                                       "has failed", [DEBUG_KIND_FOREIGN] = "has stopped" };

  return words_say ("tractor: actor %s (pid %d) %s%s", asker->ask.actor, (int) asker->pid,
                    kinds[asker->ask.kind], text);
}

static bool
is_foreign (const Asker *asker)
{
  return asker->ask.kind == DEBUG_KIND_FOREIGN;
}

/* --- the page ---------------------------------------------------------------------------------- */

/* As long as anybody is in the line the tree is held, and the first of it may be looked at. */
static void
update_page (void)
{
  bool is_held = n_askers > 0;
  bool is_looked_at = is_held && askers[0].state == LOOKED_AT;
  pid_t looked_at = is_looked_at ? askers[0].pid : 0;

  if ((uint32_t) n_askers == page->n_waiting && looked_at == page->looked_at)
    return;
  __atomic_store_n (&page->sequence, page->sequence + 1, __ATOMIC_RELAXED);
  __atomic_thread_fence (__ATOMIC_RELEASE);
  if (is_held && !page->is_held)
    page->held_since = now_usec ();
  else if (!is_held && page->is_held)
    page->held_usec += now_usec () - page->held_since;
  page->is_held = is_held;
  page->n_waiting = (uint32_t) n_askers;
  page->looked_at = looked_at;
  page->looked_at_kind = is_looked_at ? askers[0].ask.kind : 0;
  page->looked_at_since = is_looked_at ? askers[0].since_msec * 1000 : 0;
  __atomic_store_n (&page->sequence, page->sequence + 1, __ATOMIC_RELEASE);
}

/* What is typed on our terminal is for the program, unless somebody is looked at there. */
static void
update_terminal (void)
{
  bool is_taken = n_askers > 0 && askers[0].ask.type == DEBUG_MSG_ASK && !session.is_lent &&
                  !is_foreign (&askers[0]);

  is_terminal_told = terminal_say_held (is_taken);
}

/* --- the line ---------------------------------------------------------------------------------- */

static bool
tell (int fd, DebugMsgType type)
{
  DebugMsg message = { .version = DEBUG_VERSION, .type = (uint8_t) type };

  return send (fd, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
         (ssize_t) sizeof message;
}

static void
set_state (Asker *asker, State state)
{
  asker->state = state;
  asker->since_msec = now_msec ();
}

static void
drop_host (int i)
{
  close (hosts[i].fd);
  hosts[i] = hosts[--n_hosts];
}

static void
drop (int i)
{
  for (int k = n_hosts - 1; k >= 0; k--)
    if (hosts[k].wanted == askers[i].pid)
      drop_host (k);
  if (i == 0)
    python_root_give_back ();
  close (askers[i].fd);
  n_askers--;
  memmove (askers + i, askers + i + 1, (size_t) (n_askers - i) * sizeof *askers);
}

/* It goes on. */
static void
let_go (int i)
{
  tell (askers[i].fd, DEBUG_MSG_BYE);
  drop (i);
}

static void
let_all_go (void)
{
  while (n_askers > 0)
    let_go (n_askers - 1);
}

static void
find_room (void)
{
  int n = child_take_what_we_need () - DESCRIPTORS_KEPT;

  room_for_askers = n < 1 ? 1 : n > MAX_ASKERS ? MAX_ASKERS : n;
  spare_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* The system has no descriptor for whoever asks. It would wait for ever, and we would be told of it again and again. */
static void
refuse_without_room (int listening)
{
  close (spare_fd);
  close (accept4 (listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
  spare_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool
may_ask (const struct ucred *credentials)
{
  return credentials->uid == geteuid () && credentials->pid > 0 && !page->is_off;
}

/* It goes on. */
static void
refuse (int fd)
{
  static bool is_told;

  if (!is_told && n_askers == room_for_askers)
    is_told = words_say (
        "tractor: %d wait for the debugger, and more of them find no room: those go on", n_askers);
  close (fd);
}

static void
take_in (int listening)
{
  struct ucred credentials = { 0 };
  socklen_t length = sizeof credentials;
  int fd = accept4 (listening, NULL, NULL, SOCK_CLOEXEC);

  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE)
      refuse_without_room (listening);
    return;
  }
  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0 ||
      !may_ask (&credentials) || n_askers == room_for_askers) {
    refuse (fd);
    return;
  }
  askers[n_askers] = (Asker){ .fd = fd, .pid = credentials.pid, .ask.type = DEBUG_MSG_BYE };
  set_state (&askers[n_askers++], WAITING);
}

/* --- being looked at --------------------------------------------------------------------------- */

static void
say_why_not (const Asker *asker, const char *why)
{
  char text[320];

  snprintf (text, sizeof text, ", and %s. It goes on", why);
  say (asker, text);
}

static void
say_no_gdb (const Asker *asker, int failure)
{
  char text[192];

  snprintf (text, sizeof text,
            ", and neither gdb (%s) nor `tractor` can be started: install one of them. It goes on",
            strerror (failure));
  say (asker, text);
}

/* Whether the terminal may be taken: the tree's job is in the foreground, or it is ours alone. */
static bool
has_terminal (Asker *asker)
{
  if (terminal_is_of (getpgid (root)) || terminal_is_of (getpgrp ()) ||
      (asker->pid > 0 && terminal_is_of (getpgid (asker->pid))))
    return true;
  if (!asker->is_told)
    asker->is_told =
        say (asker, ", and waits for the terminal: bring the job to the foreground (fg)");
  return false;
}

/* Returns: whether it may go on. */
static bool
is_through_by_hand (Asker *asker)
{
  bool is_attached = rights_is_traced (asker->pid);
  char text[128];

  if (!asker->is_told) {
    snprintf (text, sizeof text,
              ", and waits a minute for a debugger: tractor attach %d, or gdb -p %d",
              (int) asker->pid, (int) asker->pid);
    asker->is_told = say (asker, text);
  }
  if (is_attached)
    asker->was_attached = true;
  return asker->was_attached ? !is_attached : now_msec () - asker->since_msec > BY_HAND_MSEC;
}

/* --- terminals that are lent ------------------------------------------------------------------- */

/* Where the kernel asks for that. */
static void
let_trace (const Asker *asker, pid_t process)
{
  DebugMsg message = { .version = DEBUG_VERSION, .type = DEBUG_MSG_GO, .tid = process };

  send (asker->fd, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Returns: whether somebody may lend one for @asker. */
static bool
offer_to_hosts (Asker *asker)
{
  for (int i = n_hosts - 1; i >= 0; i--) {
    const Host host = hosts[i];

    if (host.wanted != 0 && host.wanted != asker->pid)
      continue;
    let_trace (asker, host.pid);
    if (session_start_lent (&session, host.fd, host.pid, asker->pid, &asker->ask)) {
      hosts[i] = hosts[--n_hosts];
      set_state (asker, LOOKED_AT);
      return true;
    }
    let_trace (asker, getpid ());
    drop_host (i);
  }
  return false;
}

/* What was offered is looked at there; or it is offered to the next one. */
static void
on_answer_to_offer (void)
{
  if (session_is_taken (&session)) {
    say (&askers[0], ", and is looked at on another terminal");
    return;
  }
  session_kill (&session);
  set_state (&askers[0], LOOKED_AT);
  let_trace (&askers[0], getpid ());
}

/* Who has lent a terminal may be stopped. */
static void
look_at_offer (void)
{
  if (session.is_offered && now_msec () - askers[0].since_msec > READY_MSEC)
    on_answer_to_offer ();
}

static bool
is_in_line (pid_t pid)
{
  for (int i = 0; i < n_askers; i++)
    if (askers[i].pid == pid && askers[i].ask.type == DEBUG_MSG_ASK)
      return true;
  return false;
}

/* Who seemed to ask lends a terminal. */
static void
become_host (int i, pid_t wanted)
{
  Asker asker = askers[i];
  bool is_welcome = n_hosts < MAX_HOSTS && (wanted == 0 || is_in_line (wanted));

  if (!is_welcome || !tell (asker.fd, DEBUG_MSG_SERVING)) {
    let_go (i);
    return;
  }
  hosts[n_hosts++] = (Host){ .fd = asker.fd, .pid = asker.pid, .wanted = wanted };
  n_askers--;
  memmove (askers + i, askers + i + 1, (size_t) (n_askers - i) * sizeof *askers);
}

/* In the child: what the command is given lends the terminal that it opens. */
static _Noreturn void
become_command (pid_t actor)
{
  static const int usual[] = { SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTOU, SIGTTIN };
  static char self[4096];
  char script[4096], number[16], socket_path[108];
  ssize_t n = readlink ("/proc/self/exe", self, sizeof self - 1);

  for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
    signal (usual[i], SIG_DFL);
  child_give_back ();
  setpgid (0, 0);
  snprintf (script, sizeof script, "%s \"$@\"", command);
  snprintf (number, sizeof number, "%d", (int) actor);
  snprintf (socket_path, sizeof socket_path, "%s" DEBUG_SOCKET_SUFFIX, prefix);
  if (n > 0)
    execl ("/bin/sh", "sh", "-c", script, "sh", self, "--host", number, socket_path, (char *) NULL);
  _exit (127);
}

static void
give_up_command (Asker *asker, const char *why)
{
  char text[256];

  asker->is_without = true;
  snprintf (text, sizeof text, ", and no terminal comes of \"%.100s\": %s", command, why);
  say (asker, text);
}

/* Returns: whether a terminal may still come of the command. */
static bool
waits_for_command (Asker *asker)
{
  if (command == NULL || asker->is_without)
    return false;
  if (asker->command == 0) {
    asker->command = fork ();
    if (asker->command == 0)
      become_command (asker->pid);
    set_state (asker, LOOKED_AT);
  }
  if (now_msec () - asker->since_msec > COMMAND_MSEC)
    give_up_command (asker, "it takes too long");
  return !asker->is_without;
}

/* One that has opened a terminal may last as long as that, or end at once. */
static void
reap_commands (void)
{
  siginfo_t info = { 0 };
  int status;

  while (waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0 &&
         info.si_pid != session.pid) {
    waitpid (info.si_pid, &status, 0);
    for (int i = 0; i < n_askers; i++)
      if (askers[i].command == info.si_pid) {
        askers[i].command = -1;
        if (status != 0)
          give_up_command (&askers[i], "it has failed");
      }
    info.si_pid = 0;
  }
}

/* --- whose turn it is -------------------------------------------------------------------------- */

/* The first in the line is ready. */
static void
look_at_first (void)
{
  if (offer_to_hosts (&askers[0]) || waits_for_command (&askers[0]))
    return;
  if (terminal_get_fd () < 0) {
    if (is_through_by_hand (&askers[0]))
      let_go (0);
    return;
  }
  if (!has_terminal (&askers[0]) || session_start (&session, askers[0].pid, &askers[0].ask, NULL))
    return;
  say_no_gdb (&askers[0], errno);
  let_go (0);
}

static void
abandon (void)
{
  __atomic_store_n (&page->is_off, 1, __ATOMIC_RELAXED);
  tell (DEBUG_CONTROL_FD, DEBUG_MSG_ABANDON);
  let_all_go ();
}

static void
show_no_more (uint64_t failure)
{
  page->quit[page->n_quit++ % DEBUG_N_QUIT] = failure;
}

/* What another debugger has can still be read. Returns: whether that is done. */
static bool
look_without_gdb (Asker *asker)
{
  if (asker->is_refused || terminal_get_fd () < 0 || !rights_is_traced (asker->pid))
    return false;
  asker->is_refused = true;
  return session_start (&session, asker->pid, &asker->ask,
                        "gdb may not attach, for " RIGHTS_TRACED);
}

static void
on_session_ended (void)
{
  bool was_lent = session.is_lent;
  DebugWord word = session_end (&session);
  const char *why_not;

  if (word == DEBUG_WORD_NO_ATTACH && !was_lent && look_without_gdb (&askers[0]))
    return;
  why_not = rights_explain (word, askers[0].pid);
  if (why_not != NULL)
    say_why_not (&askers[0], why_not);
  if (word == DEBUG_WORD_QUIT && askers[0].ask.failure != 0)
    show_no_more (askers[0].ask.failure);
  if (word == DEBUG_WORD_ABANDON)
    abandon ();
  else if (n_askers > 0)
    let_go (0);
}

/* --- what comes -------------------------------------------------------------------------------- */

static void
on_asker_gone (int i)
{
  DebugWord word = i == 0 ? session_kill (&session) : DEBUG_WORD_NONE;

  drop (i);
  if (word == DEBUG_WORD_ABANDON)
    abandon ();
}

static void
on_message (int i)
{
  Asker *asker = &askers[i];
  DebugMsg message;
  ssize_t n = recv (asker->fd, &message, sizeof message, MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n != (ssize_t) sizeof message || message.version != DEBUG_VERSION) {
    on_asker_gone (i);
  } else if (message.type == DEBUG_MSG_ASK) {
    asker->ask = message;
    asker->ask.actor[sizeof asker->ask.actor - 1] = '\0';
    asker->ask.task[sizeof asker->ask.task - 1] = '\0';
    make_plain (asker->ask.actor);
    make_plain (asker->ask.task);
    asker->ask.kind = asker->ask.kind <= DEBUG_KIND_FOREIGN ? asker->ask.kind : 0;
    if (is_foreign (asker))
      asker->pid = asker->ask.tid;
  } else if (message.type == DEBUG_MSG_READY && asker->state == GRANTED) {
    set_state (asker, LOOKED_AT);
  } else if (message.type == DEBUG_MSG_DUMP) {
    dumps_start (asker->pid);
    drop (i);
  } else if (message.type == DEBUG_MSG_QUIT) {
    show_no_more (message.failure);
    let_go (i);
  } else if (message.type == DEBUG_MSG_HOST && asker->ask.type != DEBUG_MSG_ASK) {
    become_host (i, message.tid);
  }
}

/* It has a debugger of its own. Returns: false if it cannot have the terminal now. */
static bool
leave_terminal_to_first (void)
{
  if (terminal_get_fd () >= 0 && !has_terminal (&askers[0]))
    return false;
  session_leave_terminal (&session, askers[0].pid);
  return true;
}

/* Whether the first in the line may have its turn, which only a Python root says. It may be let go. */
static bool
is_given_turn (void)
{
  switch (python_root_get_state ()) {
  case PYTHON_ROOT_IDLE:
    python_root_ask (askers[0].ask.task);
    return false;
  case PYTHON_ROOT_REFUSES:
    say (&askers[0], ", and the Python root of the tree gives it no turn. It goes on");
    python_root_forget ();
    let_go (0);
    return false;
  case PYTHON_ROOT_UNUSED:
  case PYTHON_ROOT_GIVES:
    return true;
  case PYTHON_ROOT_ASKED:
  case PYTHON_ROOT_RETURNING:
  default:
    return false;
  }
}

/* Who had its turn from a Python root that is gone has it no more. */
static void
on_python_root (void)
{
  PythonRootState before = python_root_get_state ();

  python_root_on_readable ();
  if (before != PYTHON_ROOT_GIVES || python_root_get_state () != PYTHON_ROOT_REFUSES)
    return;
  python_root_forget ();
  session_kill (&session);
  if (n_askers > 0)
    let_go (0);
}

/* Sees to whoever is first in the line. */
static void
serve_first (void)
{
  while (n_askers > 0) {
    Asker *first = &askers[0];

    if (first->state == WAITING && first->ask.type == DEBUG_MSG_ASK) {
      if (!is_given_turn () || (is_foreign (first) && !leave_terminal_to_first ()))
        return;
      set_state (first, GRANTED);
      tell (first->fd, DEBUG_MSG_GO);
      return;
    }
    if (first->state == LOOKED_AT && is_foreign (first))
      return;
    if (first->state == LOOKED_AT && session.pid == 0) {
      int before = n_askers;

      look_at_first ();
      if (n_askers == before)
        return;
      continue;
    }
    if (first->state == LOOKED_AT || now_msec () - first->since_msec < READY_MSEC)
      return;
    on_asker_gone (0); /* it is stuck, and does not know that it was its turn */
  }
}

static int
get_timeout (void)
{
  if (!is_terminal_told)
    return LOOK_MSEC;
  if (n_askers == 0 || (session.pid != 0 && !session.is_offered) ||
      (is_foreign (&askers[0]) && askers[0].state == LOOKED_AT))
    return -1;
  return LOOK_MSEC;
}

/* Returns: false when it is to end. */
static bool
turn (int listening, int root_pidfd)
{
  static struct pollfd fds[5 + MAX_DUMPS + MAX_ASKERS + MAX_HOSTS];
  struct pollfd *askers_fds = fds + 5 + MAX_DUMPS;
  int n_polled = n_askers;
  int n_polled_hosts = n_hosts;
  struct pollfd *host_fds = askers_fds + n_polled;

  fds[0] = (struct pollfd){ .fd = listening, .events = POLLIN };
  fds[1] = (struct pollfd){ .fd = root_pidfd, .events = POLLIN };
  fds[2] = (struct pollfd){ .fd = DEBUG_CONTROL_FD, .events = POLLIN };
  fds[3] = (struct pollfd){ .fd = session.pidfd, .events = POLLIN };
  fds[4] = (struct pollfd){ .fd = python_root_get_fd (), .events = POLLIN };
  dumps_get_fds (fds + 5);
  for (int i = 0; i < n_polled; i++)
    askers_fds[i] = (struct pollfd){ .fd = askers[i].fd, .events = POLLIN };
  for (int i = 0; i < n_polled_hosts; i++)
    host_fds[i] = (struct pollfd){ .fd = hosts[i].fd, .events = POLLIN };
  if (poll (fds, 5 + MAX_DUMPS + (nfds_t) n_polled + (nfds_t) n_polled_hosts, get_timeout ()) < 0)
    return errno == EINTR;

  if (fds[1].revents != 0 || fds[2].revents != 0)
    return false;
  for (int i = n_polled_hosts - 1; i >= 0; i--)
    if (host_fds[i].revents != 0)
      drop_host (i); /* it says nothing before it is asked */
  reap_commands ();
  if (session.is_offered && fds[3].revents != 0) {
    on_answer_to_offer ();
  } else if (session.pid != 0 && fds[3].revents != 0) {
    on_session_ended ();
    n_polled = 0; /* the others are looked at in the next turn */
  }
  for (int i = n_polled - 1; i >= 0; i--)
    if (askers_fds[i].revents != 0)
      on_message (i);
  if (fds[4].revents != 0 && fds[4].fd == python_root_get_fd ())
    on_python_root ();
  if (fds[0].revents != 0)
    take_in (listening);
  dumps_look ();
  look_at_offer ();
  update_page ();
  update_terminal ();
  serve_first ();
  update_page ();
  update_terminal ();
  return true;
}

/* --- beginning and end ------------------------------------------------------------------------- */

static int
fail (const char *what, const char *path)
{
  words_report ("tractor-debugger: cannot %s %s: %s", what, path, strerror (errno));
  return -1;
}

static int
listen_at (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  if (strlen (path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return fail ("listen at", path);
  }
  strcpy (address.sun_path, path);
  if (fd < 0 || bind (fd, (struct sockaddr *) &address, sizeof address) != 0 ||
      chmod (path, 0600) != 0 || listen (fd, MAX_ASKERS) != 0)
    return fail ("listen at", path);
  return fd;
}

static bool
map_page (const char *path)
{
  int fd = open (path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  void *at = fd >= 0 ? mmap (NULL, sizeof (DebugPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                     : MAP_FAILED;

  if (fd >= 0)
    close (fd);
  if (at == MAP_FAILED)
    return fail ("map", path) == 0;
  page = at;
  return true;
}

static void
leave_alone (void)
{
  static const int ignored[] = { SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTOU, SIGTTIN };

  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    signal (ignored[i], SIG_IGN);
  prctl (PR_SET_PDEATHSIG, 0); /* the terminal is given back before */
}

int
main (int argc, char **argv)
{
  char socket_path[108], page_path[256];
  int listening, root_pidfd;

  if (argc > 1 && strcmp (argv[1], "--host") == 0)
    return host_run (argc - 2, argv + 2);
  if ((argc != 4 && argc != 7) || atoi (argv[2]) <= 0) {
    fprintf (stderr,
             "tractor-debugger is started by the library, in debug mode (TRACTOR_DEBUG=1)\n");
    return 2;
  }
  prefix = argv[1];
  root = atoi (argv[2]);
  command = argv[3][0] != '\0' ? argv[3] : NULL;
  if (argc == 7)
    python_root_use (argv[4], argv[5], argv[6]);
  leave_alone ();
  find_room ();
  terminal_open_for_tree ();
  snprintf (socket_path, sizeof socket_path, "%s" DEBUG_SOCKET_SUFFIX, prefix);
  snprintf (page_path, sizeof page_path, "%s" DEBUG_PAGE_SUFFIX, prefix);
  root_pidfd = (int) syscall (SYS_pidfd_open, root, 0);
  fcntl (DEBUG_CONTROL_FD, F_SETFD, FD_CLOEXEC);
  if (root_pidfd < 0 || !map_page (page_path) || !dumps_set_log (prefix, root) ||
      (listening = listen_at (socket_path)) < 0)
    return 1;
  session_use_page (page_path);
  page->broker = getpid ();
  if (!tell (DEBUG_CONTROL_FD, DEBUG_MSG_SERVING))
    return 1;

  while (turn (listening, root_pidfd))
    ;
  session_kill (&session);
  let_all_go ();
  update_page ();
  update_terminal ();
  python_root_finish ();
  unlink (socket_path);
  unlink (page_path);
  return 0;
}
