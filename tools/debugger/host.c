/* host.c - this terminal is lent to the debugger's broker: `tractor-debugger --host PID SOCKET...`
 *
 * It is what `tractor attach` starts, and what the broker has a command start that opens a terminal. It says at each of
 * these sockets, of brokers, that it is there: for actor PID, or for whoever stops next if that is 0. Then it waits until
 * one of them has somebody for it, takes that, runs the debugger as the broker would (session.c), and says how that has
 * ended. Several may have somebody at the same time: those that are not taken look elsewhere.
 *
 * While our job is in the background the terminal is a shell's, which exits if it is taken away: then nobody is taken, and
 * it is said again that we are there when the job is in the foreground.
 *
 * If the broker ends the conversation, because the actor or its tree is gone, the debugger ends; and if this process does,
 * the actor goes on. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rights.h"
#include "session.h"
#include "terminal.h"

/* As `tractor` ends (tools/tractor/command.h). */
enum {
  OK = 0,
  FAILED = 1,
  USAGE = 2,
  NOBODY = 3
};

#define MAX_BROKERS 64
/* How long a broker may take to say whether it has use for us. */
#define ANSWER_MSEC 5000
/* How often it is looked whether the job is in the foreground. */
#define LOOK_MSEC 100

typedef struct {
  struct pollfd fds[MAX_BROKERS];
  const char *sockets[MAX_BROKERS];
  nfds_t n;
  bool has_missed; /* whom one of them had for us */
} Brokers;

/* --- the terminal -------------------------------------------------------------------------------- */

static bool
has_terminal (void)
{
  return terminal_is_of (getpgrp ());
}

static void
say_that_it_waits_for_terminal (void)
{
  fprintf (stderr, "tractor: The debugger waits for the terminal: bring the job to the foreground "
                   "(fg)\n");
}

static void
wait_for_terminal (void)
{
  if (!has_terminal ())
    say_that_it_waits_for_terminal ();
  while (!has_terminal ())
    poll (NULL, 0, LOOK_MSEC);
}

/* --- brokers ------------------------------------------------------------------------------------- */

static bool
receive (int fd, DebugMsg *message)
{
  ssize_t n;

  do
    n = recv (fd, message, sizeof *message, 0);
  while (n < 0 && errno == EINTR);
  if (n != (ssize_t) sizeof *message || message->version != DEBUG_VERSION)
    return false;
  message->actor[sizeof message->actor - 1] = '\0';
  message->task[sizeof message->task - 1] = '\0';
  return true;
}

static bool
tell (int fd, DebugMsg message)
{
  message.version = DEBUG_VERSION;
  return send (fd, &message, sizeof message, MSG_NOSIGNAL) == (ssize_t) sizeof message;
}

/* Returns: whether the broker has use for us. */
static bool
offer (int fd, pid_t wanted)
{
  struct pollfd pollfd = { .fd = fd, .events = POLLIN };
  DebugMsg answer;

  return tell (fd, (DebugMsg){ .type = DEBUG_MSG_HOST, .tid = (int32_t) wanted }) &&
         poll (&pollfd, 1, ANSWER_MSEC) == 1 && receive (fd, &answer) &&
         answer.type == DEBUG_MSG_SERVING;
}

static ssize_t
read_namespace (pid_t pid, char *text, size_t bytes)
{
  char path[64];

  snprintf (path, sizeof path, "/proc/%d/ns/pid", (int) pid);
  return readlink (path, text, bytes);
}

/* Whether the numbers that it has for processes are ours: by others we would attach to somebody else. */
static bool
has_our_numbers (int fd)
{
  struct ucred broker = { 0 };
  socklen_t length = sizeof broker;
  char its[64], ours[64];
  ssize_t n, n_ours;

  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &broker, &length) != 0 || broker.pid <= 0)
    return false;
  n = read_namespace (broker.pid, its, sizeof its);
  n_ours = read_namespace (getpid (), ours, sizeof ours);
  return n < 0 || (n == n_ours && memcmp (its, ours, (size_t) n) == 0);
}

static void
say_that_it_is_elsewhere (void)
{
  fprintf (stderr,
           "tractor: There is a tree in debug mode in another pid namespace: attach from inside "
           "that (docker exec, podman exec; nsenter --pid --mount)\n");
}

static void
offer_at (Brokers *brokers, const char *path, pid_t wanted)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  if (fd < 0 || brokers->n == MAX_BROKERS || strlen (path) >= sizeof address.sun_path) {
    close (fd);
    return;
  }
  strcpy (address.sun_path, path);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) != 0) {
    close (fd);
    return;
  }
  if (!has_our_numbers (fd)) {
    say_that_it_is_elsewhere ();
    close (fd);
    return;
  }
  if (!offer (fd, wanted)) {
    close (fd);
    return;
  }
  brokers->sockets[brokers->n] = path;
  brokers->fds[brokers->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

static void
offer_at_all (Brokers *brokers, char **paths, int n_paths, pid_t wanted)
{
  brokers->has_missed = false;
  for (int i = 0; i < n_paths; i++)
    offer_at (brokers, paths[i], wanted);
}

static void
withdraw (Brokers *brokers)
{
  while (brokers->n > 0)
    close (brokers->fds[--brokers->n].fd);
}

/* Who names an actor wants to know why nothing happens. */
static void
say_that_it_waits (Brokers *brokers, pid_t wanted)
{
  if (brokers->n == 0)
    return;
  if (wanted == 0)
    printf ("Whoever stops next is looked at here. Ctrl-C ends the wait\n");
  else if (poll (brokers->fds, brokers->n, 0) == 0)
    printf ("Process %d waits for its turn. Ctrl-C ends this\n", (int) wanted);
  fflush (stdout);
}

/* The file beside its socket. */
static void
use_page_of (const char *socket_path)
{
  static char path[256];
  size_t n = strlen (socket_path) - strlen (DEBUG_SOCKET_SUFFIX);

  snprintf (path, sizeof path, "%.*s" DEBUG_PAGE_SUFFIX, (int) n, socket_path);
  session_use_page (path);
}

/* Returns: whether somebody came by @fd, and is looked at here. Whom we have no terminal for, or have heard of too late, is
 * looked at elsewhere. */
static bool
take (Brokers *brokers, int fd, DebugMsg *ret_go)
{
  if (!receive (fd, ret_go) || ret_go->type != DEBUG_MSG_GO)
    return false;
  brokers->has_missed = !has_terminal () || !tell (fd, (DebugMsg){ .type = DEBUG_MSG_READY });
  return !brokers->has_missed;
}

/* Returns: the connection by which @ret_go came; -1: there is nobody any more, or somebody was missed. */
static int
wait_for_go (Brokers *brokers, DebugMsg *ret_go)
{
  while (brokers->n > 0) {
    if (poll (brokers->fds, brokers->n, -1) < 0 && errno != EINTR)
      return -1;
    for (nfds_t i = brokers->n; i-- > 0;) {
      int fd = brokers->fds[i].fd;
      const char *socket_path = brokers->sockets[i];

      if (brokers->fds[i].revents == 0)
        continue;
      brokers->n--;
      brokers->fds[i] = brokers->fds[brokers->n];
      brokers->sockets[i] = brokers->sockets[brokers->n];
      if (take (brokers, fd, ret_go)) {
        use_page_of (socket_path);
        return fd;
      }
      close (fd);
      if (brokers->has_missed)
        return -1;
    }
  }
  return -1;
}

/* --- the session --------------------------------------------------------------------------------- */

/* Its terminal may be the shell's meanwhile. Returns: whether anything has come by @fds. */
static bool
wait_for_news (Session *session, struct pollfd fds[2])
{
  bool stood = session->stands;
  int n = poll (fds, 2, LOOK_MSEC);

  if (session_is_slow (session))
    fprintf (
        stderr,
        "tractor: The debugger has not begun to look in 10 seconds: wait, or let process %d go "
        "on by kill -9 %d\n",
        (int) session->actor, (int) session->pid);
  if (n == 0 && !session_has_terminal (session)) {
    if (has_terminal ())
      session_give_terminal (session);
    else if (!stood)
      say_that_it_waits_for_terminal ();
  }
  return n > 0;
}

static void
leave_alone (void)
{
  static const int ignored[] = { SIGTSTP, SIGTTOU, SIGTTIN };

  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    signal (ignored[i], SIG_IGN);
}

/* Until it ends, or the broker says so. @why_no_gdb: (nullable) */
static int
run_session (int broker, const DebugMsg *go, const char *why_no_gdb)
{
  struct pollfd fds[2] = { { .fd = broker, .events = POLLIN }, { .events = POLLIN } };
  Session session;
  DebugWord word;
  const char *why_not;

  leave_alone ();
  session_report_to (broker);
  while (!session_start (&session, go->tid, go, why_no_gdb)) {
    if (errno == EAGAIN) {
      wait_for_terminal ();
      continue;
    }
    perror ("tractor: Neither gdb nor `tractor` can be started");
    tell (broker, (DebugMsg){ .type = DEBUG_MSG_DONE });
    return FAILED;
  }
  fds[1].fd = session.pidfd;
  while (!wait_for_news (&session, fds))
    ;
  if (fds[1].revents == 0) {
    session_kill (&session);
    printf ("The actor is gone\n");
    return OK;
  }
  word = session_end (&session);
  why_not = why_no_gdb == NULL ? rights_find_why_no_gdb (word, go->tid) : NULL;
  if (why_not != NULL)
    return run_session (broker, go, why_not);
  why_not = rights_explain (word, go->tid); /* before it is let go, and ends */
  tell (broker, (DebugMsg){ .type = DEBUG_MSG_DONE, .kind = (uint8_t) word });
  if (why_not != NULL)
    fprintf (stderr, "tractor: Process %d: %s\n", (int) go->tid, why_not);
  return why_not != NULL ? FAILED : OK;
}

/* Returns: the connection to whom the actor of @ret_go came from; -1: there is nobody any more. */
static int
find_actor (Brokers *brokers, char **paths, int n_paths, pid_t wanted, DebugMsg *ret_go)
{
  int fd;

  for (;;) {
    if (!has_terminal ()) {
      withdraw (brokers);
      wait_for_terminal ();
      offer_at_all (brokers, paths, n_paths, wanted);
    }
    say_that_it_waits (brokers, wanted);
    fd = wait_for_go (brokers, ret_go);
    withdraw (brokers);
    if (fd >= 0 || !brokers->has_missed)
      return fd;
    offer_at_all (brokers, paths, n_paths, wanted);
  }
}

int
host_run (int argc, char **argv)
{
  static Brokers brokers;
  pid_t wanted = argc > 0 ? atoi (argv[0]) : 0;
  DebugMsg go;
  int fd;

  if (argc < 2)
    return USAGE;
  offer_at_all (&brokers, argv + 1, argc - 1, wanted);
  if (brokers.n == 0)
    return NOBODY;
  if (!terminal_open ()) {
    fprintf (stderr, "tractor: There is no terminal here to look from\n");
    return FAILED;
  }
  fd = find_actor (&brokers, argv + 1, argc - 1, wanted, &go);
  if (fd < 0 && wanted != 0) {
    fprintf (stderr, "tractor: Process %d has gone on\n", (int) wanted);
    return FAILED;
  }
  if (fd < 0)
    return NOBODY;
  return run_session (fd, &go, NULL);
}
