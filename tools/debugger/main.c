/* main.c - tractor-debugger, the broker: which actor of a tree is looked at by the debugger, and who waits.
 *
 * The root of a tree in debug mode starts it (src/process/broker.c), with the name of a socket that it is to make and of a
 * page of memory that is there, and the root's number. Actors ask at the socket (debug-protocol.h); they wait in a line
 * (line.c), and are served in the order in which they ask (turn.c). At each step the end of the connection says that the
 * actor is gone, or has given up. As long as there is anybody, the page says that the tree is held (page.c).
 *
 * An actor may also ask for a dump (dumps.c), which holds nobody; and who has a terminal may lend it (hosts.c).
 *
 * It needs libc, and msgpack-c for a root in Python, and depends on nobody: the root may be the one that is looked at, or
 * that crashes. It ends with the root, or when the root closes its end of DEBUG_CONTROL_FD. It waits in poll(),
 * and nowhere else for more than a moment: what it is held up by holds the whole tree. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "child.h"
#include "debug-protocol.h"
#include "dumps.h"
#include "host.h"
#include "hosts.h"
#include "line.h"
#include "opener.h"
#include "page.h"
#include "python-root.h"
#include "session.h"
#include "terminal.h"
#include "turn.h"
#include "words.h"

/* Descriptors that are for others than who asks: of terminals, dumps, the session, and what is opened for a moment. */
#define DESCRIPTORS_KEPT (32 + MAX_HOSTS + MAX_DUMPS)

/* --- what comes -------------------------------------------------------------------------------- */

/* Who seemed to ask lends a terminal. */
static void
become_host (int i, pid_t wanted)
{
  const Asker *asker = line_get (i);

  if ((wanted == 0 || line_has (wanted)) && hosts_add (asker->fd, asker->pid, wanted))
    line_remove (i);
  else
    turn_let_go (i);
}

/* It wants no more than that, and does not wait. */
static void
start_dump (int i)
{
  dumps_start (line_get (i)->pid);
  turn_withdraw (i);
}

static void
on_message (int i)
{
  Asker *asker = line_get (i);
  DebugMsg message;
  ssize_t n = recv (asker->fd, &message, sizeof message, MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n != (ssize_t) sizeof message || message.version != DEBUG_VERSION) {
    turn_withdraw (i);
  } else if (message.type == DEBUG_MSG_ASK) {
    asker_take (asker, &message);
  } else if (message.type == DEBUG_MSG_READY && asker->state == GRANTED) {
    asker_set_state (asker, LOOKED_AT);
  } else if (message.type == DEBUG_MSG_DUMP) {
    start_dump (i);
  } else if (message.type == DEBUG_MSG_QUIT) {
    page_show_no_more (message.failure);
    turn_let_go (i);
  } else if (message.type == DEBUG_MSG_HOST && !asker_has_asked (asker)) {
    become_host (i, message.tid);
  }
}

/* Returns: false when it is to end. */
static bool
look (int listening, int root_pidfd)
{
  static struct pollfd fds[5 + MAX_DUMPS + MAX_ASKERS + MAX_HOSTS];
  struct pollfd *askers_fds = fds + 5 + MAX_DUMPS;
  int n_polled = line_get_n ();
  int n_polled_hosts = hosts_get_n ();
  struct pollfd *host_fds = askers_fds + n_polled;

  fds[0] = (struct pollfd){ .fd = listening, .events = POLLIN };
  fds[1] = (struct pollfd){ .fd = root_pidfd, .events = POLLIN };
  fds[2] = (struct pollfd){ .fd = DEBUG_CONTROL_FD, .events = POLLIN };
  fds[3] = (struct pollfd){ .fd = turn_get_fd (), .events = POLLIN };
  fds[4] = (struct pollfd){ .fd = python_root_get_fd (), .events = POLLIN };
  dumps_get_fds (fds + 5);
  line_get_fds (askers_fds);
  hosts_get_fds (host_fds);
  if (poll (fds, 5 + MAX_DUMPS + (nfds_t) n_polled + (nfds_t) n_polled_hosts, turn_get_timeout ()) <
      0)
    return errno == EINTR;

  if (fds[1].revents != 0 || fds[2].revents != 0)
    return false;
  hosts_look (host_fds, n_polled_hosts);
  opener_reap (turn_get_debugger ());
  if (fds[3].revents != 0) {
    turn_on_readable ();
    n_polled = 0; /* the others are looked at in the next round */
  }
  for (int i = n_polled - 1; i >= 0; i--)
    if (askers_fds[i].revents != 0)
      on_message (i);
  if (fds[4].revents != 0 && fds[4].fd == python_root_get_fd ())
    turn_on_python_root ();
  if (fds[0].revents != 0)
    line_take_in (listening, !page_is_off ());
  dumps_look ();
  turn_show ();
  turn_serve ();
  turn_show ();
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

static void
leave_alone (void)
{
  static const int ignored[] = { SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTOU, SIGTTIN };

  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    signal (ignored[i], SIG_IGN);
  prctl (PR_SET_PDEATHSIG, 0); /* the terminal is given back before */
}

static bool
map_page (const char *path)
{
  return page_map (path) || fail ("map", path) == 0;
}

int
main (int argc, char **argv)
{
  static char socket_path[108], page_path[256];
  int listening, root_pidfd;
  const char *prefix;
  pid_t root;

  if (argc > 1 && strcmp (argv[1], "--host") == 0)
    return host_run (argc - 2, argv + 2);
  if (argc > 1 && strcmp (argv[1], "--next") == 0)
    return host_run_for_next (argc - 2, argv + 2);
  if ((argc != 4 && argc != 7) || atoi (argv[2]) <= 0) {
    fprintf (stderr,
             "tractor-debugger is started by the library, in debug mode (TRACTOR_DEBUG=1)\n");
    return 2;
  }
  prefix = argv[1];
  root = atoi (argv[2]);
  if (argc == 7)
    python_root_use (argv[4], argv[5], argv[6]);
  leave_alone ();
  line_make_room (child_take_what_we_need () - DESCRIPTORS_KEPT);
  terminal_open_for_tree ();
  snprintf (socket_path, sizeof socket_path, "%s" DEBUG_SOCKET_SUFFIX, prefix);
  snprintf (page_path, sizeof page_path, "%s" DEBUG_PAGE_SUFFIX, prefix);
  opener_use (argv[3][0] != '\0' ? argv[3] : NULL, socket_path);
  session_use_page (page_path);
  turn_use_root (root);
  root_pidfd = (int) syscall (SYS_pidfd_open, root, 0);
  fcntl (DEBUG_CONTROL_FD, F_SETFD, FD_CLOEXEC);
  if (root_pidfd < 0 || !map_page (page_path) || !dumps_set_log (prefix, root) ||
      (listening = listen_at (socket_path)) < 0)
    return 1;
  page_begin ();
  if (!asker_tell (DEBUG_CONTROL_FD, DEBUG_MSG_SERVING))
    return 1;

  while (look (listening, root_pidfd))
    ;
  turn_end ();
  turn_show ();
  python_root_finish ();
  unlink (socket_path);
  unlink (page_path);
  return 0;
}
