/* socket.c - sockets of actors: listening, accepting, connecting; none of it waits.
 *
 * TCP, without anything that authenticates a peer, does not leave this machine, in either direction:
 * what would is refused when it is listened on, and when the peer is looked at. What is about the names
 * of Unix sockets is in unix-name.c. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stdio-fd.h"
#include "tractor-error.h"

/* As in Linux 6.5, wherever numbers of options are not the machine's own. */
#if !defined SO_PEERPIDFD && (defined __x86_64__ || defined __i386__ || defined __aarch64__ ||     \
                              defined __arm__ || defined __riscv)
#define SO_PEERPIDFD 77
#endif

/* What was sent and is not acknowledged for so long, will not be. */
#define TCP_USER_TIMEOUT_MSEC (30 * 1000)

gboolean
tractor__socket_set_file_error (GError **error,
                                int errno_value,
                                const char *what,
                                const char *where)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno_value), "cannot %s %s: %s", what,
               where, g_strerror (errno_value));
  return FALSE;
}

gboolean
tractor__socket_set_held (GError **error, const char *where)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY, "%s is held by another program",
               where);
  return FALSE;
}

int
tractor__socket_open (int family, const char *where, GError **error)
{
  int fd = socket (family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (keep_off_stdio (&fd) == 0)
    return fd;
  tractor__socket_set_file_error (error, errno, "make a socket for", where);
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

/* --- listening on TCP -------------------------------------------------------------------------- */

static gboolean
read_own_name (int fd, Address *ret_address, GError **error)
{
  struct sockaddr_storage name;
  socklen_t length = sizeof name;

  if (getsockname (fd, (struct sockaddr *) &name, &length) != 0)
    return tractor__socket_set_file_error (error, errno, "ask for the name of", "a socket");
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
  if (bind (fd, (const struct sockaddr *) name, length) == 0 && listen (fd, SOCKET_BACKLOG) == 0)
    return TRUE;
  if (errno == EADDRINUSE)
    return tractor__socket_set_held (error, where);
  return tractor__socket_set_file_error (error, errno, "listen on", where);
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
  fd = tractor__socket_open (name.ss_family, where, error);
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
  if (bind (fd, (struct sockaddr *) &any, sizeof any) == 0 && listen (fd, SOCKET_BACKLOG) == 0 &&
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

  return result == 0 ? TRUE
                     : tractor__socket_set_file_error (error, errno, "make", "a pair of sockets");
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

/* --- who is at the other end ------------------------------------------------------------------- */

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
  fd = tractor__socket_open (name.ss_family, where, error);
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
