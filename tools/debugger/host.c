/* host.c - this terminal is lent to the debugger's broker: `tractor-debugger --host PID SOCKET...`, `--next DIRECTORY`
 *
 * It is what `tractor attach` starts, and what the broker has a command start that opens a terminal. It says at each of
 * these sockets, of brokers, that it is there: for actor PID, or for whoever stops next if that is 0. Then it waits until
 * one of them has somebody for it, takes that, runs the debugger as the broker would (session.c), and says how that has
 * ended. Several may have somebody at the same time: those that are not taken look elsewhere.
 *
 * With --next it is for whoever stops next of any tree, also of one that is started later: the directory in which brokers
 * have their sockets is looked into as long as nobody has stopped.
 *
 * While our job is in the background the terminal is a shell's, which exits if it is taken away: then nobody is taken, and
 * it is said again that we are there when the job is in the foreground.
 *
 * If the broker ends the conversation, because the actor or its tree is gone, the debugger ends; and if this process does,
 * the actor goes on. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
/* And for new trees: soon, for they may stop soon. */
#define LOOK_FOR_TREES_MSEC 20
/* What brokers have their sockets called. */
#define SOCKET_PREFIX "debug-"

/* Who is to be looked at here. */
typedef struct {
  pid_t pid; /* 0: whoever stops next */
  char **paths;
  int n_paths;
  const char *directory; /* (nullable): in place of @paths, where they are */
} Wish;

typedef struct {
  struct pollfd fds[MAX_BROKERS];
  char *sockets[MAX_BROKERS];
  nfds_t n;
  bool is_elsewhere; /* one of them: that was said */
  bool has_missed;   /* whom one of them had for us */
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
say_that_it_is_elsewhere (Brokers *brokers)
{
  if (brokers->is_elsewhere)
    return;
  brokers->is_elsewhere = true;
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
    say_that_it_is_elsewhere (brokers);
    close (fd);
    return;
  }
  if (!offer (fd, wanted)) {
    close (fd);
    return;
  }
  brokers->sockets[brokers->n] = strdup (path);
  brokers->fds[brokers->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* Ours alone, as whoever makes it sees to. */
static bool
is_safe (int directory)
{
  struct stat status;

  return fstat (directory, &status) == 0 && status.st_uid == geteuid () &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool
has_socket (const Brokers *brokers, const char *path)
{
  for (nfds_t i = 0; i < brokers->n; i++)
    if (strcmp (brokers->sockets[i], path) == 0)
      return true;
  return false;
}

static bool
is_brokers (const char *name)
{
  size_t length = strlen (name);
  const size_t end = strlen (DEBUG_SOCKET_SUFFIX);

  return strncmp (name, SOCKET_PREFIX, strlen (SOCKET_PREFIX)) == 0 && length > end &&
         strcmp (name + length - end, DEBUG_SOCKET_SUFFIX) == 0;
}

/* At those that are not offered to yet. One that does not listen yet, or any more, is for the next time. */
static void
offer_in_directory (Brokers *brokers, const char *path)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *directory = fd >= 0 && is_safe (fd) ? fdopendir (fd) : NULL;
  const struct dirent *entry;

  while (directory != NULL && (entry = readdir (directory)) != NULL) {
    char socket_path[sizeof ((struct sockaddr_un *) NULL)->sun_path];
    int n = snprintf (socket_path, sizeof socket_path, "%s/%s", path, entry->d_name);

    if (is_brokers (entry->d_name) && n < (int) sizeof socket_path &&
        !has_socket (brokers, socket_path))
      offer_at (brokers, socket_path, 0);
  }
  if (directory != NULL)
    closedir (directory);
  else if (fd >= 0)
    close (fd);
}

static void
offer_at_all (Brokers *brokers, const Wish *wish)
{
  brokers->has_missed = false;
  if (wish->directory != NULL)
    offer_in_directory (brokers, wish->directory);
  for (int i = 0; i < wish->n_paths; i++)
    offer_at (brokers, wish->paths[i], wish->pid);
}

/* The conversation with the one at @i is somebody else's from now on. */
static void
forget (Brokers *brokers, nfds_t i)
{
  free (brokers->sockets[i]);
  brokers->n--;
  brokers->fds[i] = brokers->fds[brokers->n];
  brokers->sockets[i] = brokers->sockets[brokers->n];
}

static void
withdraw (Brokers *brokers)
{
  while (brokers->n > 0) {
    close (brokers->fds[brokers->n - 1].fd);
    forget (brokers, brokers->n - 1);
  }
}

/* Whether it is worth waiting. Who can only be reached from elsewhere is not waited for, and nobody comes instead. */
static bool
may_come (const Brokers *brokers, const Wish *wish)
{
  return brokers->n > 0 || (wish->directory != NULL && !brokers->is_elsewhere);
}

/* Who names an actor wants to know why nothing happens. */
static void
say_that_it_waits (Brokers *brokers, const Wish *wish)
{
  if (wish->pid != 0 && brokers->n > 0 && poll (brokers->fds, brokers->n, 0) == 0)
    printf ("Process %d waits for its turn. Ctrl-C ends this\n", (int) wish->pid);
  else if (wish->pid == 0 && brokers->n > 0)
    printf ("Whoever stops next is looked at here. Ctrl-C ends the wait\n");
  else if (may_come (brokers, wish))
    printf ("No tree is in debug mode yet (TRACTOR_DEBUG=1 in the environment of a program turns "
            "it on). It is waited for one; Ctrl-C ends the wait\n");
  fflush (stdout);
}

/* Whether there is one that was not there before. */
static void
look_for_trees (Brokers *brokers, const Wish *wish)
{
  nfds_t n = brokers->n;

  offer_in_directory (brokers, wish->directory);
  if (n == 0 && brokers->n > 0)
    say_that_it_waits (brokers, wish);
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
wait_for_go (Brokers *brokers, const Wish *wish, DebugMsg *ret_go)
{
  while (may_come (brokers, wish)) {
    if (poll (brokers->fds, brokers->n, wish->directory != NULL ? LOOK_FOR_TREES_MSEC : -1) < 0 &&
        errno != EINTR)
      return -1;
    for (nfds_t i = brokers->n; i-- > 0;) {
      int fd = brokers->fds[i].fd;

      if (brokers->fds[i].revents == 0)
        continue;
      if (take (brokers, fd, ret_go)) {
        use_page_of (brokers->sockets[i]);
        forget (brokers, i);
        return fd;
      }
      close (fd);
      forget (brokers, i);
      if (brokers->has_missed)
        return -1;
    }
    if (wish->directory != NULL)
      look_for_trees (brokers, wish);
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
find_actor (Brokers *brokers, const Wish *wish, DebugMsg *ret_go)
{
  int fd;

  for (;;) {
    if (!has_terminal ()) {
      withdraw (brokers);
      wait_for_terminal ();
      offer_at_all (brokers, wish);
    }
    say_that_it_waits (brokers, wish);
    fd = wait_for_go (brokers, wish, ret_go);
    withdraw (brokers);
    if (fd >= 0 || !brokers->has_missed)
      return fd;
    offer_at_all (brokers, wish);
  }
}

static int
lend (const Wish *wish)
{
  static Brokers brokers;
  DebugMsg go;
  int fd;

  offer_at_all (&brokers, wish);
  if (!may_come (&brokers, wish))
    return NOBODY;
  if (!terminal_open ()) {
    fprintf (stderr, "tractor: There is no terminal here to look from\n");
    return FAILED;
  }
  fd = find_actor (&brokers, wish, &go);
  if (fd < 0 && wish->pid != 0) {
    fprintf (stderr, "tractor: Process %d has gone on\n", (int) wish->pid);
    return FAILED;
  }
  if (fd < 0)
    return NOBODY;
  return run_session (fd, &go, NULL);
}

int
host_run (int argc, char **argv)
{
  if (argc < 2)
    return USAGE;
  return lend (&(Wish){ .pid = atoi (argv[0]), .paths = argv + 1, .n_paths = argc - 1 });
}

int
host_run_for_next (int argc, char **argv)
{
  return argc == 1 ? lend (&(Wish){ .directory = argv[0] }) : USAGE;
}
