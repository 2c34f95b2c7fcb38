/* host.c - this terminal is lent to the debugger's broker: `tractor-debugger --host PID SOCKET...`
 *
 * It is what `tractor attach` starts, and what the broker has a command start that opens a terminal. It says at each of
 * these sockets, of brokers, that it is there: for actor PID, or for whoever stops next if that is 0. Then it waits until
 * one of them has somebody for it, takes that, runs the debugger as the broker would (session.c), and says how that has
 * ended. Several may have somebody at the same time: those that are not taken look elsewhere.
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

typedef struct {
  struct pollfd fds[MAX_BROKERS];
  const char *sockets[MAX_BROKERS];
  nfds_t n;
} Brokers;

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
  if (connect (fd, (struct sockaddr *) &address, sizeof address) != 0 || !offer (fd, wanted)) {
    close (fd);
    return;
  }
  brokers->sockets[brokers->n] = path;
  brokers->fds[brokers->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* Who names an actor wants to know why nothing happens. */
static void
say_that_it_waits (Brokers *brokers, pid_t wanted)
{
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

/* Returns: the connection by which @ret_go came; -1: there is nobody any more. */
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
      if (receive (fd, ret_go) && ret_go->type == DEBUG_MSG_GO &&
          tell (fd, (DebugMsg){ .type = DEBUG_MSG_READY })) {
        use_page_of (socket_path);
        return fd;
      }
      close (fd);
    }
  }
  return -1;
}

/* --- the session --------------------------------------------------------------------------------- */

static void
leave_alone (void)
{
  static const int ignored[] = { SIGTSTP, SIGTTOU, SIGTTIN };

  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    signal (ignored[i], SIG_IGN);
}

/* Until it ends, or the broker says so. */
static int
run_session (int broker, const DebugMsg *go)
{
  struct pollfd fds[2] = { { .fd = broker, .events = POLLIN }, { .events = POLLIN } };
  Session session;
  DebugWord word;
  const char *why_not;

  leave_alone ();
  if (!session_start (&session, go->tid, go, NULL)) {
    perror ("tractor: Neither gdb nor `tractor` can be started");
    tell (broker, (DebugMsg){ .type = DEBUG_MSG_DONE });
    return FAILED;
  }
  fds[1].fd = session.pidfd;
  while (poll (fds, 2, -1) < 0 && errno == EINTR)
    ;
  if (fds[1].revents == 0) {
    session_kill (&session);
    printf ("The actor is gone\n");
    return OK;
  }
  word = session_end (&session);
  why_not = rights_explain (word, go->tid); /* before it is let go, and ends */
  tell (broker, (DebugMsg){ .type = DEBUG_MSG_DONE, .kind = (uint8_t) word });
  if (why_not != NULL)
    fprintf (stderr, "tractor: Process %d: %s\n", (int) go->tid, why_not);
  return why_not != NULL ? FAILED : OK;
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
  for (int i = 1; i < argc; i++)
    offer_at (&brokers, argv[i], wanted);
  if (brokers.n == 0)
    return NOBODY;
  if (!terminal_open ()) {
    fprintf (stderr, "tractor: There is no terminal here to look from\n");
    return FAILED;
  }
  say_that_it_waits (&brokers, wanted);
  fd = wait_for_go (&brokers, &go);
  if (fd < 0 && wanted != 0) {
    fprintf (stderr, "tractor: Process %d has gone on\n", (int) wanted);
    return FAILED;
  }
  if (fd < 0)
    return NOBODY;
  for (nfds_t i = 0; i < brokers.n; i++)
    close (brokers.fds[i].fd);
  return run_session (fd, &go);
}
