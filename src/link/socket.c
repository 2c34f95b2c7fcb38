/* socket.c - sockets of actors: listening, accepting, connecting; none of it waits.
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
 * and not ours to change.
 *
 * TCP, without anything that authenticates a peer, does not leave this machine, in either direction:
 * what would is refused when it is listened on, and when the peer is looked at. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stdio-fd.h"
#include "tractor-error.h"

/* As in Linux 6.5, wherever numbers of options are not the machine's own. */
#if !defined SO_PEERPIDFD && (defined __x86_64__ || defined __i386__ || defined __aarch64__ ||     \
                              defined __arm__ || defined __riscv)
#define SO_PEERPIDFD 77
#endif

#define BACKLOG 128
/* As in Linux 6.5, on the machines whose options have the common numbers. */
#if !defined SO_PEERPIDFD && (defined __x86_64__ || defined __i386__ || defined __aarch64__ ||     \
                              defined __arm__ || defined __riscv)
#define SO_PEERPIDFD 77
#endif
/* What was sent and is not acknowledged for so long, will not be. */
#define TCP_USER_TIMEOUT_MSEC (30 * 1000)

static gboolean
set_file_error (GError **error, int errno_value, const char *what, const char *where)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno_value), "cannot %s %s: %s", what,
               where, g_strerror (errno_value));
  return FALSE;
}

static gboolean
set_held (GError **error, const char *where)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY, "%s is held by another program",
               where);
  return FALSE;
}

/* @where: for people. Returns: -1 with @error set */
static int
open_socket (int family, const char *where, GError **error)
{
  int fd = socket (family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (keep_off_stdio (&fd) == 0)
    return fd;
  set_file_error (error, errno, "make a socket for", where);
  if (fd >= 0)
    close (fd);
  return -1;
}

static void
set_option (int fd, int level, int option, int value)
{
  setsockopt (fd, level, option, &value, sizeof value);
}

/* What a connection would be worse off without, but still one. */
static void
tune_tcp (int fd)
{
  set_option (fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option (fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MSEC);
}

/* --- listening on a Unix socket ---------------------------------------------------------------- */

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
  return set_file_error (error, errno, "open", dir);
}

/* @operation: LOCK_SH or, in its place, LOCK_EX */
static gboolean
lock (const UnixListener *listener, int operation, GError **error)
{
  if (flock (listener->dir_fd, operation | LOCK_NB) == 0)
    return TRUE;
  if (errno != EWOULDBLOCK)
    return set_file_error (error, errno, "lock the directory of", listener->path);
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
  return is_somebody_behind (listener) ? set_held (error, listener->path) : TRUE;
}

static gboolean
bind_name (const UnixListener *listener, GError **error)
{
  if (bind (listener->fd, (const struct sockaddr *) &listener->name, listener->length) == 0)
    return TRUE;
  if (errno == EADDRINUSE)
    return set_held (error, listener->path);
  return set_file_error (error, errno, "listen on", listener->path);
}

static gboolean
replace_stale (const UnixListener *listener, GError **error)
{
  /* At first without the exclusive lock: where somebody answers, nobody need be disturbed. */
  if (!check_stale (listener, error) || !lock (listener, LOCK_EX, error) ||
      !check_stale (listener, error))
    return FALSE;
  if (unlinkat (listener->dir_fd, listener->filename, 0) != 0 && errno != ENOENT)
    return set_file_error (error, errno, "take away", listener->path);
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
      listen (listener->fd, BACKLOG) == 0)
    return TRUE;
  set_file_error (error, errno, "listen on", listener->path);
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
       (listener.fd = open_socket (AF_UNIX, path, error)) >= 0 &&
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
tractor__unix_is_dead (const char *path)
{
  struct stat status;

  return lstat (path, &status) == 0 && S_ISSOCK (status.st_mode) && status.st_uid == geteuid () &&
         is_refused (path);
}

void
tractor__unix_remove_dead (const char *path)
{
  UnixListener listener = { .path = path, .dir_fd = -1, .fd = -1 };

  /* At first without the lock: where there is somebody, nobody need be disturbed. */
  if (tractor__unix_is_dead (path) && open_directory (&listener, NULL) &&
      lock (&listener, LOCK_EX, NULL) && tractor__unix_is_dead (path))
    unlinkat (listener.dir_fd, listener.filename, 0);
  if (listener.dir_fd >= 0)
    close (listener.dir_fd);
}

/* --- listening on TCP -------------------------------------------------------------------------- */

static gboolean
read_own_name (int fd, Address *ret_address, GError **error)
{
  struct sockaddr_storage name;
  socklen_t length = sizeof name;

  if (getsockname (fd, (struct sockaddr *) &name, &length) != 0)
    return set_file_error (error, errno, "ask for the name of", "a socket");
  return tractor__address_from_sockaddr (&name, length, ret_address, error);
}

static gboolean
bind_and_listen_tcp (int fd,
                     const struct sockaddr_storage *name,
                     socklen_t length,
                     const char *where,
                     GError **error)
{
  set_option (fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (name->ss_family == AF_INET6)
    set_option (fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (bind (fd, (const struct sockaddr *) name, length) == 0 && listen (fd, BACKLOG) == 0)
    return TRUE;
  if (errno == EADDRINUSE)
    return set_held (error, where);
  return set_file_error (error, errno, "listen on", where);
}

gboolean
tractor__tcp_listen (const Address *address, int *ret_fd, Address *ret_bound, GError **error)
{
  g_autofree char *where = tractor__address_to_string (address);
  struct sockaddr_storage name;
  socklen_t length;
  int fd;

  if (address->kind == ADDRESS_TCP && !tractor__address_is_loopback (address)) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
                 "%s can be reached from other machines: that needs an authenticated transport, "
                 "which is not there yet; 127.0.0.1 and [::1] can be listened on",
                 where);
    return FALSE;
  }
  if (!tractor__address_to_sockaddr (address, &name, &length, error))
    return FALSE;
  fd = open_socket (name.ss_family, where, error);
  if (fd < 0)
    return FALSE;
  if (!bind_and_listen_tcp (fd, &name, length, where, error) ||
      !read_own_name (fd, ret_bound, error)) {
    close (fd);
    return FALSE;
  }
  *ret_fd = fd;
  return TRUE;
}

/* --- pairs ------------------------------------------------------------------------------------- */

/* accept(2): what befell one connection only, which is gone. */
static gboolean
is_of_one_connection (int errno_value)
{
  switch (errno_value) {
  case EINTR:
  case ECONNABORTED:
  case ENETDOWN:
  case EPROTO:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case ENETUNREACH:
    return TRUE;
  default:
    return FALSE;
  }
}

/* A listener that nobody has been told of. */
static int
listen_for_one (struct sockaddr_in *ret_name)
{
  struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr = { htonl (INADDR_LOOPBACK) } };
  socklen_t length = sizeof *ret_name;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return -1;
  if (bind (fd, (struct sockaddr *) &any, sizeof any) == 0 && listen (fd, BACKLOG) == 0 &&
      getsockname (fd, (struct sockaddr *) ret_name, &length) == 0)
    return fd;
  close (fd);
  return -1;
}

/* Whoever else has come, having guessed the port, is turned away. */
static int
accept_from (int listen_fd, const struct sockaddr_in *wanted)
{
  for (;;) {
    struct sockaddr_in name = { 0 };
    socklen_t length = sizeof name;
    int fd = accept4 (listen_fd, (struct sockaddr *) &name, &length, SOCK_CLOEXEC);

    if (fd < 0) {
      if (is_of_one_connection (errno))
        continue;
      return -1;
    }
    if (name.sin_port == wanted->sin_port && name.sin_addr.s_addr == wanted->sin_addr.s_addr)
      return fd;
    close (fd);
  }
}

/* Blocks, but on nobody: the kernel itself answers for both ends. Returns: -1 with errno set */
static int
make_tcp_pair (int ret_ends[2])
{
  struct sockaddr_in name;
  socklen_t length = sizeof name;
  int listen_fd = listen_for_one (&name);
  int saved_errno;

  ret_ends[0] = ret_ends[1] = -1;
  if (listen_fd < 0)
    return -1;
  ret_ends[0] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (ret_ends[0] >= 0 && connect (ret_ends[0], (struct sockaddr *) &name, length) == 0 &&
      getsockname (ret_ends[0], (struct sockaddr *) &name, &length) == 0)
    ret_ends[1] = accept_from (listen_fd, &name);
  saved_errno = errno;
  close (listen_fd);
  if (ret_ends[1] >= 0) {
    tune_tcp (ret_ends[0]);
    tune_tcp (ret_ends[1]);
    return 0;
  }
  if (ret_ends[0] >= 0)
    close (ret_ends[0]);
  errno = saved_errno;
  return -1;
}

gboolean
tractor__socket_pair (AddressKind kind, int ret_ends[2], GError **error)
{
  int result = kind == ADDRESS_TCP ? make_tcp_pair (ret_ends)
                                   : socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_ends);

  return result == 0 ? TRUE : set_file_error (error, errno, "make", "a pair of sockets");
}

/* --- accepting --------------------------------------------------------------------------------- */

int
tractor__socket_accept (int listen_fd, int *ret_fd)
{
  struct sockaddr_storage name = { 0 };
  socklen_t length;
  int fd;

  do {
    length = sizeof name;
    fd = accept4 (listen_fd, (struct sockaddr *) &name, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
  } while (fd < 0 && is_of_one_connection (errno));
  if (keep_off_stdio (&fd) != 0) {
    int saved_errno = errno;

    if (fd >= 0)
      close (fd);
    errno = saved_errno;
    return -1;
  }
  if (name.ss_family != AF_UNIX)
    tune_tcp (fd);
  *ret_fd = fd;
  return 0;
}

static gboolean
check_credentials (int fd, GError **error)
{
  struct ucred credentials = { .uid = (uid_t) -1 };
  socklen_t length = sizeof credentials;

  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 &&
      credentials.uid == geteuid ())
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
               "the other end of a Unix socket is user %u (pid %d), and not user %u as we are",
               credentials.uid, (int) credentials.pid, geteuid ());
  return FALSE;
}

gboolean
tractor__socket_check_peer (int fd, GError **error)
{
  struct sockaddr_storage name = { 0 };
  socklen_t length = sizeof name;
  g_auto (Address) peer = { 0 };
  g_autofree char *text = NULL;

  if (getpeername (fd, (struct sockaddr *) &name, &length) != 0) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH, "nobody is connected to a socket: %s",
                 g_strerror (errno));
    return FALSE;
  }
  if (name.ss_family == AF_UNIX)
    return check_credentials (fd, error);
  if (tractor__address_from_sockaddr (&name, length, &peer, NULL) &&
      tractor__address_is_loopback (&peer))
    return TRUE;
  text = tractor__address_to_string (&peer);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
               "the peer at %s is on another machine: that needs an authenticated transport, "
               "which is not there yet",
               text);
  return FALSE;
}

int
tractor__open_pidfd (pid_t pid)
{
  int pidfd = (int) syscall (SYS_pidfd_open, pid, 0);

  if (pidfd < 0 || keep_off_stdio (&pidfd) == 0)
    return pidfd;
  close (pidfd);
  return -1;
}

int
tractor__socket_open_peer_pidfd (int fd)
{
  struct ucred credentials = { 0 };
  socklen_t length = sizeof credentials;
  int domain = 0;

  if (getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ sizeof domain }) != 0 ||
      domain != AF_UNIX)
    return -1;
#ifdef SO_PEERPIDFD
  int pidfd = -1;

  if (getsockopt (fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &(socklen_t){ sizeof pidfd }) == 0) {
    if (keep_off_stdio (&pidfd) == 0)
      return pidfd;
    close (pidfd);
  }
#endif
  /* It is connected: so the number is still its own, unless it has died just now. */
  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0 || credentials.pid <= 0)
    return -1;
  return tractor__open_pidfd (credentials.pid);
}

/* --- connecting -------------------------------------------------------------------------------- */

static gboolean
set_not_connected (GError **error, int errno_value, const Address *address)
{
  g_autofree char *where = tractor__address_to_string (address);

  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED, "cannot connect to %s: %s",
               where, g_strerror (errno_value));
  return FALSE;
}

static gboolean
set_connect_error (GError **error, int errno_value, const Address *address)
{
  if (errno_value != EAGAIN || address->kind != ADDRESS_UNIX)
    return set_not_connected (error, errno_value, address);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY,
               "too many wait already to be connected to unix:%s", address->path);
  return FALSE;
}

gboolean
tractor__socket_begin_connect (const Address *address,
                               int *ret_fd,
                               gboolean *ret_in_progress,
                               GError **error)
{
  g_autofree char *where = tractor__address_to_string (address);
  struct sockaddr_storage name;
  socklen_t length;
  int fd;

  if (!tractor__address_to_sockaddr (address, &name, &length, error))
    return FALSE;
  fd = open_socket (name.ss_family, where, error);
  if (fd < 0)
    return FALSE;
  if (address->kind == ADDRESS_TCP)
    tune_tcp (fd);
  if (connect (fd, (struct sockaddr *) &name, length) != 0 && errno != EINPROGRESS &&
      errno != EINTR) { /* interrupted, it goes on by itself */
    set_connect_error (error, errno, address);
    close (fd);
    return FALSE;
  }
  *ret_fd = fd;
  *ret_in_progress = address->kind == ADDRESS_TCP; /* which has more to be looked at */
  return TRUE;
}

/* TCP does that: where nobody listens on a port, and the kernel gives us that very port to connect
 * from. The ports that actors listen on are such ones. */
static gboolean
is_connected_to_itself (int fd)
{
  struct sockaddr_storage own = { 0 };
  struct sockaddr_storage peer = { 0 };
  socklen_t own_length = sizeof own;
  socklen_t peer_length = sizeof peer;
  g_auto (Address) own_address = { 0 };
  g_auto (Address) peer_address = { 0 };

  return getsockname (fd, (struct sockaddr *) &own, &own_length) == 0 &&
         getpeername (fd, (struct sockaddr *) &peer, &peer_length) == 0 &&
         tractor__address_from_sockaddr (&own, own_length, &own_address, NULL) &&
         tractor__address_from_sockaddr (&peer, peer_length, &peer_address, NULL) &&
         own_address.kind == ADDRESS_TCP && tractor__address_equal (&own_address, &peer_address);
}

gboolean
tractor__socket_finish_connect (int fd, const Address *address, GError **error)
{
  int result = 0;
  socklen_t length = sizeof result;

  if (getsockopt (fd, SOL_SOCKET, SO_ERROR, &result, &length) != 0)
    result = errno;
  if (result == 0 && is_connected_to_itself (fd))
    result = ECONNREFUSED;
  return result == 0 ? TRUE : set_not_connected (error, result, address);
}

gboolean
tractor__socket_knock (const Address *address, int *ret_fd)
{
  struct pollfd pollfd = { .events = POLLOUT };
  g_autoptr (GError) problem = NULL;
  gboolean in_progress;

  *ret_fd = -1;
  if (address->kind == ADDRESS_TCP && !tractor__address_is_loopback (address))
    return TRUE;
  if (!tractor__socket_begin_connect (address, &pollfd.fd, &in_progress, &problem))
    return !g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  /* The kernel itself answers for both ends, so it has done so by now. */
  if (in_progress && (poll (&pollfd, 1, 0) != 1 ||
                      !tractor__socket_finish_connect (pollfd.fd, address, &problem))) {
    close (pollfd.fd);
    return problem == NULL;
  }
  *ret_fd = pollfd.fd;
  return TRUE;
}
