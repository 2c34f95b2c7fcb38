/* line.c - who waits for the debugger, in the order in which they came.
 *
 * There is a descriptor for each, so there may be as many as this process can have. Who finds no room is refused, and goes
 * on: nobody waits for a place in the line. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "words.h"

static Asker askers[MAX_ASKERS];
static int n_askers;
static int room;          /* more of them would have no descriptor */
static int spare_fd = -1; /* for who is to be refused when there is no other */

void
line_make_room (int n_descriptors)
{
  room = n_descriptors < 1 ? 1 : n_descriptors > MAX_ASKERS ? MAX_ASKERS : n_descriptors;
  spare_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
}

int
line_get_n (void)
{
  return n_askers;
}

Asker *
line_get (int i)
{
  return &askers[i];
}

bool
line_has (pid_t pid)
{
  for (int i = 0; i < n_askers; i++)
    if (askers[i].pid == pid && asker_has_asked (&askers[i]))
      return true;
  return false;
}

void
line_remove (int i)
{
  n_askers--;
  memmove (askers + i, askers + i + 1, (size_t) (n_askers - i) * sizeof *askers);
}

void
line_get_fds (struct pollfd *fds)
{
  for (int i = 0; i < n_askers; i++)
    fds[i] = (struct pollfd){ .fd = askers[i].fd, .events = POLLIN };
}

/* --- who comes --------------------------------------------------------------------------------- */

/* The system has no descriptor for whoever asks. It would wait for ever, and we would be told of it again and again. */
static void
refuse_without_room (int listening)
{
  close (spare_fd);
  close (accept4 (listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
  spare_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* It goes on. */
static void
refuse (int fd)
{
  static bool is_told;

  if (!is_told && n_askers == room)
    is_told = words_say (
        "tractor: %d wait for the debugger, and more of them find no room: those go on", n_askers);
  close (fd);
}

static bool
may_ask (const struct ucred *credentials)
{
  return credentials->uid == geteuid () && credentials->pid > 0;
}

void
line_take_in (int listening, bool is_open)
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
      !may_ask (&credentials) || !is_open || n_askers == room) {
    refuse (fd);
    return;
  }
  askers[n_askers] = (Asker){ .fd = fd, .pid = credentials.pid, .ask.type = DEBUG_MSG_BYE };
  asker_set_state (&askers[n_askers++], WAITING);
}
