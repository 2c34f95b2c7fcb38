/* hosts.c - terminals that somebody lends for whoever stops (host.c).
 *
 * One is offered a stop, and the stop is looked at there if it takes it: it may have been offered another tree's just
 * before. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "hosts.h"

#include <unistd.h>

/* Who lends one. */
typedef struct {
  int fd;
  pid_t pid;
  pid_t wanted; /* 0: whoever is next */
} Host;

static Host hosts[MAX_HOSTS];
static int n_hosts;

static void
drop (int i)
{
  close (hosts[i].fd);
  hosts[i] = hosts[--n_hosts];
}

int
hosts_get_n (void)
{
  return n_hosts;
}

void
hosts_get_fds (struct pollfd *fds)
{
  for (int i = 0; i < n_hosts; i++)
    fds[i] = (struct pollfd){ .fd = hosts[i].fd, .events = POLLIN };
}

void
hosts_look (const struct pollfd *fds, int n)
{
  for (int i = n - 1; i >= 0; i--)
    if (fds[i].revents != 0)
      drop (i);
}

bool
hosts_add (int fd, pid_t pid, pid_t wanted)
{
  if (n_hosts == MAX_HOSTS || !asker_tell (fd, DEBUG_MSG_SERVING))
    return false;
  hosts[n_hosts++] = (Host){ .fd = fd, .pid = pid, .wanted = wanted };
  return true;
}

void
hosts_forget (pid_t wanted)
{
  for (int i = n_hosts - 1; wanted != 0 && i >= 0; i--)
    if (hosts[i].wanted == wanted)
      drop (i);
}

bool
hosts_offer (Session *session, Asker *asker)
{
  for (int i = n_hosts - 1; i >= 0; i--) {
    const Host host = hosts[i];

    if (host.wanted != 0 && host.wanted != asker->pid)
      continue;
    asker_let_trace (asker, host.pid);
    if (session_start_lent (session, host.fd, host.pid, asker->pid, &asker->ask)) {
      hosts[i] = hosts[--n_hosts];
      asker_set_state (asker, LOOKED_AT);
      return true;
    }
    asker_let_trace (asker, getpid ());
    drop (i);
  }
  return false;
}
