/* unix-name.c - the names of Unix sockets: listening at one, and taking it away.
 *
 * A Unix socket's name outlives its program. To find out whether there is still somebody behind a
 * name, connect to it: ECONNREFUSED says that there is nobody. But between bind and listen it says
 * so too, and of a file that is no socket at all. So a name is only taken away under an exclusive
 * lock on its directory, while those who are between bind and listen hold a shared one; and only if
 * it is a socket, and ours. Shared locks do not stand in each other's way: actors that start at once
 * do not notice each other. The lock is the directory's own, so no file is left for it; and it is
 * never waited for, as its holder may be stopped: who does not get it is told BUSY.
 *
 * Nobody can connect before listen, so the mode may be set between: umask() is the whole process's,
 * and not ours to change. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "unix-name.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "socket.h"
#include "stdio-fd.h"
#include "tractor-discovery.h"

typedef struct {
  const char *path;
  const char *filename; /* the end of @path, as seen from @dir_fd */
  int dir_fd;
  int fd;
  struct sockaddr_storage name;
  socklen_t length;
} UnixListener;

static gboolean
open_directory (UnixListener *listener, GError **error)
{
  Address address = { .kind = ADDRESS_UNIX, .path = (char *) listener->path };
  g_autofree char *dir = tractor__address_split_path (&address, &listener->filename);

  listener->dir_fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (keep_off_stdio (&listener->dir_fd) == 0)
    return TRUE;
  return tractor__socket_set_file_error (error, errno, "open", dir);
}

/* @operation: LOCK_SH or, in its place, LOCK_EX */
static gboolean
lock (const UnixListener *listener, int operation, GError **error)
{
  if (flock (listener->dir_fd, operation | LOCK_NB) == 0)
    return TRUE;
  if (errno != EWOULDBLOCK)
    return tractor__socket_set_file_error (error, errno, "lock the directory of", listener->path);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY,
               "other programs are just starting in the directory of '%s': try again in a moment",
               listener->path);
  return FALSE;
}

/* In doubt there is. */
static gboolean
is_somebody_behind (const UnixListener *listener)
{
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  gboolean is_dead;

  if (fd < 0)
    return TRUE;
  is_dead = connect (fd, (const struct sockaddr *) &listener->name, listener->length) != 0 &&
            (errno == ECONNREFUSED || errno == ENOENT);
  close (fd);
  return !is_dead;
}

/* Returns: FALSE with REGISTRY unless the name is free or a dead program's. */
static gboolean
check_stale (const UnixListener *listener, GError **error)
{
  struct stat status;

  if (fstatat (listener->dir_fd, listener->filename, &status, AT_SYMLINK_NOFOLLOW) != 0)
    return TRUE; /* gone meanwhile; if it is something else, bind will say so */
  if (!S_ISSOCK (status.st_mode) || status.st_uid != geteuid ()) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY,
                 "'%s' is there, and is no socket of user %u (owner %u, mode %06o): move it away",
                 listener->path, geteuid (), status.st_uid, status.st_mode);
    return FALSE;
  }
  return is_somebody_behind (listener) ? tractor__socket_set_held (error, listener->path) : TRUE;
}

static gboolean
bind_name (const UnixListener *listener, GError **error)
{
  if (bind (listener->fd, (const struct sockaddr *) &listener->name, listener->length) == 0)
    return TRUE;
  if (errno == EADDRINUSE)
    return tractor__socket_set_held (error, listener->path);
  return tractor__socket_set_file_error (error, errno, "listen on", listener->path);
}

static gboolean
replace_stale (const UnixListener *listener, GError **error)
{
  /* At first without the exclusive lock: where somebody answers, nobody need be disturbed. */
  if (!check_stale (listener, error) || !lock (listener, LOCK_EX, error) ||
      !check_stale (listener, error))
    return FALSE;
  if (unlinkat (listener->dir_fd, listener->filename, 0) != 0 && errno != ENOENT)
    return tractor__socket_set_file_error (error, errno, "take away", listener->path);
  return bind_name (listener, error);
}

static gboolean
bind_and_listen (const UnixListener *listener, GError **error)
{
  struct stat status;
  gboolean is_taken =
      fstatat (listener->dir_fd, listener->filename, &status, AT_SYMLINK_NOFOLLOW) == 0;

  if (is_taken ? !replace_stale (listener, error) : !bind_name (listener, error))
    return FALSE;
  if (fchmodat (listener->dir_fd, listener->filename, 0600, 0) == 0 &&
      listen (listener->fd, SOCKET_BACKLOG) == 0)
    return TRUE;
  tractor__socket_set_file_error (error, errno, "listen on", listener->path);
  unlinkat (listener->dir_fd, listener->filename, 0);
  return FALSE;
}

gboolean
tractor__unix_listen (const char *path, int *ret_fd, GError **error)
{
  Address address = { .kind = ADDRESS_UNIX, .path = (char *) path };
  UnixListener listener = { .path = path, .dir_fd = -1, .fd = -1 };
  gboolean ok;

  if (!tractor__address_to_sockaddr (&address, &listener.name, &listener.length, error))
    return FALSE;
  ok = open_directory (&listener, error) && lock (&listener, LOCK_SH, error) &&
       (listener.fd = tractor__socket_open (AF_UNIX, path, error)) >= 0 &&
       bind_and_listen (&listener, error);
  if (listener.dir_fd >= 0)
    close (listener.dir_fd); /* and with it the lock */
  if (ok)
    *ret_fd = listener.fd;
  else if (listener.fd >= 0)
    close (listener.fd);
  return ok;
}

void
tractor__unix_close (const char *path, int fd)
{
  unlink (path); /* first: once nobody is behind it, the name may be somebody else's */
  close (fd);
}

/* A datagram socket asks: it cannot be connected to a stream's, whether that listens yet or not, but is told
 * so only if there is one. */
static gboolean
is_refused (const char *path)
{
  Address address = { .kind = ADDRESS_UNIX, .path = (char *) path };
  struct sockaddr_storage name;
  socklen_t length;
  gboolean is_dead;
  int fd;

  if (!tractor__address_to_sockaddr (&address, &name, &length, NULL))
    return FALSE;
  fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  is_dead =
      fd >= 0 && connect (fd, (struct sockaddr *) &name, length) != 0 && errno == ECONNREFUSED;
  if (fd >= 0)
    close (fd);
  return is_dead;
}

gboolean
tractor_socket_is_dead (const char *path)
{
  struct stat status;

  return path != NULL && lstat (path, &status) == 0 && S_ISSOCK (status.st_mode) &&
         status.st_uid == geteuid () && is_refused (path);
}

static gboolean
check_is_dead (const char *path, GError **error)
{
  if (tractor_socket_is_dead (path))
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
               "'%s' is no socket of user %u that nobody is behind", path, geteuid ());
  return FALSE;
}

gboolean
tractor_socket_remove_dead (const char *path, GError **error)
{
  UnixListener listener = { .path = path, .dir_fd = -1, .fd = -1 };
  gboolean ok;

  if (!tractor_error_check_given (path, "path", error))
    return FALSE;

  /* At first without the lock: where there is somebody, nobody need be disturbed. */
  ok = check_is_dead (path, error) && open_directory (&listener, error) &&
       lock (&listener, LOCK_EX, error) && check_is_dead (path, error);
  if (ok && unlinkat (listener.dir_fd, listener.filename, 0) != 0)
    ok = tractor__socket_set_file_error (error, errno, "take away", path);
  if (listener.dir_fd >= 0)
    close (listener.dir_fd);
  return ok;
}
