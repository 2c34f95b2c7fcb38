/* counting.c - loaded into a row's processes where what they do is counted, not timed (LD_PRELOAD, by bench-counts.c).
 *
 * Each call of one of these functions is one more in a page that all processes of the row share. Nothing stops or
 * traces them, so they run in the order in which they are timed, which tracing would change, and with it the counts.
 *
 * Of system calls those are seen that a program or a library makes by a function of the C library that is in the table
 * below, or by syscall(). Those are not that the C library makes by itself (its mmap() for malloc(), a futex of a
 * mutex), those of the dynamic linker, and functions that are not in the table: it has what waits, moves bytes, or
 * makes, changes and closes descriptors, mappings and processes.
 *
 * Of memory each request is seen. What is taken with mmap(), stacks for one, is a system call; what is kept in a list
 * and used again is neither, which is the point of such lists. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#undef _FILE_OFFSET_BITS /* mmap() and mmap64() are two here */

#include "bench-counts.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

void *__libc_malloc (size_t size);
void *__libc_calloc (size_t n, size_t size);
void *__libc_realloc (void *memory, size_t size);
void *__libc_memalign (size_t alignment, size_t size);

void *memalign (size_t alignment, size_t size);

static BenchCounts nobody_looks;
static BenchCounts *counts = &nobody_looks;

__attribute__ ((constructor)) static void
open_counts (void)
{
  const char *path = getenv (BENCH_COUNTS_VARIABLE);
  int fd = path != NULL ? open (path, O_RDWR | O_CLOEXEC) : -1;
  void *page;

  if (fd < 0)
    return;
  page = mmap (NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED)
    counts = page;
  close (fd);
}

/* --- system calls ----------------------------------------------------------------------------------- */

static void *
count_system_call (const char *name, void **real)
{
  __atomic_fetch_add (&counts->n_system_calls, 1, __ATOMIC_RELAXED);
  if (*real == NULL)
    *real = dlsym (RTLD_NEXT, name);
  return *real;
}

#define COUNTED(type, name, parameters, ...)                                                       \
  type name parameters;                                                                            \
  type name parameters                                                                             \
  {                                                                                                \
    static void *real;                                                                             \
                                                                                                   \
    return ((type (*) parameters) count_system_call (#name, &real)) (__VA_ARGS__);                 \
  }

typedef const struct sockaddr *Address;
typedef const struct timespec *Time;

COUNTED (ssize_t, read, (int fd, void *b, size_t n), fd, b, n)
COUNTED (ssize_t, __read_chk, (int fd, void *b, size_t n, size_t room), fd, b, n, room)
COUNTED (ssize_t, write, (int fd, const void *b, size_t n), fd, b, n)
COUNTED (ssize_t, readv, (int fd, const struct iovec *v, int n), fd, v, n)
COUNTED (ssize_t, writev, (int fd, const struct iovec *v, int n), fd, v, n)
COUNTED (ssize_t, send, (int fd, const void *b, size_t n, int f), fd, b, n, f)
COUNTED (ssize_t, recv, (int fd, void *b, size_t n, int f), fd, b, n, f)
COUNTED (ssize_t, __recv_chk, (int fd, void *b, size_t n, size_t room, int f), fd, b, n, room, f)
COUNTED (ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), fd, m, f)
COUNTED (ssize_t, recvmsg, (int fd, struct msghdr *m, int f), fd, m, f)
COUNTED (int, poll, (struct pollfd * fds, nfds_t n, int msec), fds, n, msec)
COUNTED (
    int, __poll_chk, (struct pollfd * fds, nfds_t n, int msec, size_t room), fds, n, msec, room)
COUNTED (int, ppoll, (struct pollfd * fds, nfds_t n, Time t, const sigset_t *s), fds, n, t, s)
COUNTED (int, epoll_wait, (int fd, struct epoll_event *e, int n, int msec), fd, e, n, msec)
COUNTED (int,
         epoll_pwait,
         (int fd, struct epoll_event *e, int n, int msec, const sigset_t *s),
         fd,
         e,
         n,
         msec,
         s)
COUNTED (int,
         epoll_pwait2,
         (int fd, struct epoll_event *e, int n, Time t, const sigset_t *s),
         fd,
         e,
         n,
         t,
         s)
COUNTED (int, epoll_ctl, (int fd, int op, int other, struct epoll_event *e), fd, op, other, e)
COUNTED (int, epoll_create1, (int f), f)
COUNTED (int, eventfd, (unsigned int n, int f), n, f)
COUNTED (int, timerfd_create, (clockid_t clock, int f), clock, f)
COUNTED (int,
         timerfd_settime,
         (int fd, int f, const struct itimerspec *t, struct itimerspec *old),
         fd,
         f,
         t,
         old)
COUNTED (int, socket, (int domain, int type, int protocol), domain, type, protocol)
COUNTED (int, socketpair, (int domain, int type, int protocol, int e[2]), domain, type, protocol, e)
COUNTED (int, connect, (int fd, Address a, socklen_t n), fd, a, n)
COUNTED (int, bind, (int fd, Address a, socklen_t n), fd, a, n)
COUNTED (int, listen, (int fd, int n), fd, n)
COUNTED (int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int f), fd, a, n, f)
COUNTED (int, setsockopt, (int fd, int l, int o, const void *v, socklen_t n), fd, l, o, v, n)
COUNTED (int, getsockopt, (int fd, int l, int o, void *v, socklen_t *n), fd, l, o, v, n)
COUNTED (int, shutdown, (int fd, int how), fd, how)
COUNTED (int, close, (int fd), fd)
COUNTED (int, pipe2, (int ends[2], int f), ends, f)
COUNTED (int, munmap, (void *a, size_t n), a, n)
COUNTED (int, mprotect, (void *a, size_t n, int p), a, n, p)
COUNTED (int, madvise, (void *a, size_t n, int what), a, n, what)
COUNTED (int, waitid, (idtype_t type, id_t id, siginfo_t *info, int o), type, id, info, o)
COUNTED (pid_t, waitpid, (pid_t pid, int *status, int o), pid, status, o)
COUNTED (int, kill, (pid_t pid, int sig), pid, sig)
COUNTED (pid_t, fork, (void), )
COUNTED (void *, mmap, (void *a, size_t n, int p, int f, int fd, off_t at), a, n, p, f, fd, at)
COUNTED (void *, mmap64, (void *a, size_t n, int p, int f, int fd, off_t at), a, n, p, f, fd, at)

/* All are passed on that there can be. */
long
syscall (long number, ...)
{
  static void *real;
  long a[6];
  va_list arguments;

  va_start (arguments, number);
  for (int i = 0; i < 6; i++)
    a[i] = va_arg (arguments, long);
  va_end (arguments);
  return ((long (*) (long, ...)) count_system_call ("syscall", &real)) (number, a[0], a[1], a[2],
                                                                        a[3], a[4], a[5]);
}

/* --- memory ----------------------------------------------------------------------------------------- */

static void
count (void)
{
  __atomic_fetch_add (&counts->n_allocations, 1, __ATOMIC_RELAXED);
}

void *
malloc (size_t size)
{
  count ();
  return __libc_malloc (size);
}

void *
calloc (size_t n, size_t size)
{
  count ();
  return __libc_calloc (n, size);
}

void *
realloc (void *memory, size_t size)
{
  count ();
  return __libc_realloc (memory, size);
}

void *
memalign (size_t alignment, size_t size)
{
  count ();
  return __libc_memalign (alignment, size);
}

void *
aligned_alloc (size_t alignment, size_t size)
{
  count ();
  return __libc_memalign (alignment, size);
}

int
posix_memalign (void **ret_memory, size_t alignment, size_t size)
{
  void *memory = __libc_memalign (alignment, size);

  count ();
  if (memory == NULL)
    return ENOMEM;
  *ret_memory = memory;
  return 0;
}
