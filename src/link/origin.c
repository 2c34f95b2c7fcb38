/* origin.c - where a connection comes from: the process at its other end.
 *
 * A peer says who it is, and could say anything. Of a Unix socket the kernel knows which process is
 * at the other end, whatever that says: by a number, which is used again, and by a pidfd, whose inode
 * is no other process's ever (since Linux 6.9; before that all have the same, and the number has to
 * do). No descriptor is kept for that. Over TCP nobody knows: whoever comes that way is one origin,
 * which is no process.
 *
 * What one process has of us is counted here, over all of its connections and names. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "origin.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "socket.h"

static guint
get_hash (gconstpointer origin)
{
  return (guint) ((const Origin *) origin)->pid;
}

/* A pidfd may have been lacking, for want of descriptors: then the number has to do. */
static gboolean
is_same (gconstpointer a, gconstpointer b)
{
  const Origin *left = a;
  const Origin *right = b;

  if (left->pid != right->pid)
    return FALSE;
  return left->serial == right->serial ||
         (left->pid != 0 && (left->serial == 0 || right->serial == 0));
}

GHashTable *
tractor__origins_new (void)
{
  return g_hash_table_new (get_hash, is_same);
}

static Origin *
intern (GHashTable *origins, pid_t pid, guint64 serial)
{
  Origin wanted = { .refs = 1, .table = origins, .pid = pid, .serial = serial };
  Origin *origin = g_hash_table_lookup (origins, &wanted);

  if (origin != NULL) {
    if (origin->serial == 0)
      origin->serial = serial;
    return tractor__origin_ref (origin);
  }
  origin = g_memdup2 (&wanted, sizeof wanted);
  g_hash_table_ref (origins);
  g_hash_table_add (origins, origin);
  return origin;
}

Origin *
tractor__origin_ref (Origin *origin)
{
  origin->refs++;
  return origin;
}

void
tractor__origin_unref (Origin *origin)
{
  if (origin == NULL || --origin->refs > 0)
    return;
  g_hash_table_remove (origin->table, origin);
  g_hash_table_unref (origin->table);
  g_free (origin);
}

/* --- what the kernel says ------------------------------------------------------------------------ */

/* @pidfd: -1 is none */
static guint64
get_serial (int pidfd)
{
  struct stat status;

  return pidfd >= 0 && fstat (pidfd, &status) == 0 ? status.st_ino : 0;
}

Origin *
tractor__origin_of_socket (GHashTable *origins, int fd)
{
  struct ucred credentials = { 0 };
  socklen_t size = sizeof credentials;
  guint64 serial;
  int domain;
  int pidfd;

  if (getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ sizeof domain }) != 0 ||
      domain != AF_UNIX || getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return intern (origins, 0, 0);
  pidfd = tractor__socket_open_peer_pidfd (fd);
  serial = get_serial (pidfd);
  if (pidfd >= 0)
    close (pidfd);
  return intern (origins, credentials.pid, serial);
}

Origin *
tractor__origin_of_process (GHashTable *origins, pid_t pid, int pidfd)
{
  return intern (origins, pid, get_serial (pidfd));
}

Origin *
tractor__origin_of_self (GHashTable *origins)
{
  int pidfd = tractor__open_pidfd (getpid ());
  Origin *origin = tractor__origin_of_process (origins, getpid (), pidfd);

  if (pidfd >= 0)
    close (pidfd);
  return origin;
}

gboolean
tractor__origin_is_dead (const Origin *origin)
{
  struct pollfd pollfd = { .events = POLLIN };
  gboolean is_dead;

  if (origin->pid == 0)
    return FALSE;
  pollfd.fd = tractor__open_pidfd (origin->pid);
  if (pollfd.fd < 0)
    return errno == ESRCH;
  is_dead =
      (origin->serial != 0 && get_serial (pollfd.fd) != origin->serial) || poll (&pollfd, 1, 0) > 0;
  close (pollfd.fd);
  return is_dead;
}
