/* bench-loops.c - a byte between two processes, on each host, against bare epoll. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_ROUND_TRIPS bench_n (20000)

typedef struct {
  const char *host; /* NULL: bare epoll */
  gboolean with_watch;
  int fd;
  gboolean is_asking; /* the side that counts, and closes first */
  double nsec;
} PingPong;

/* --- bare epoll -------------------------------------------------------------------------------- */

static void
ping_pong_bare (PingPong *side)
{
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  struct epoll_event event = { .events = EPOLLIN };
  gint64 started = bench_now_nsec ();
  char byte = 'x';

  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, side->fd, &event);
  for (guint i = 0; i < N_ROUND_TRIPS; i++) {
    if (side->is_asking)
      g_assert (write (side->fd, &byte, 1) == 1);
    g_assert (epoll_wait (epoll_fd, &event, 1, -1) == 1);
    g_assert (read (side->fd, &byte, 1) == 1);
    if (!side->is_asking)
      g_assert (write (side->fd, &byte, 1) == 1);
  }
  side->nsec = (double) (bench_now_nsec () - started) / N_ROUND_TRIPS;
  close (epoll_fd);
}

/* --- a task ------------------------------------------------------------------------------------- */

static gboolean
read_byte (PingPong *side, TractorFdWatch *watch, char *byte, GError **error)
{
  for (;;) {
    if (watch != NULL ? !tractor_fd_watch_wait (watch, G_IO_IN, error)
                      : !tractor_wait_fd (side->fd, G_IO_IN, NULL, error))
      return FALSE;
    if (recv (side->fd, byte, 1, MSG_DONTWAIT) == 1)
      return TRUE;
  }
}

static gboolean
ping_pong_in_task (gpointer data, GError **error)
{
  PingPong *side = data;
  g_autoptr (TractorFdWatch) watch = NULL;
  gint64 started = bench_now_nsec ();
  char byte = 'x';

  if (side->with_watch)
    watch = tractor_fd_watch_open (side->fd, error);
  for (guint i = 0; i < N_ROUND_TRIPS; i++) {
    if (side->is_asking)
      g_assert (write (side->fd, &byte, 1) == 1);
    if (!read_byte (side, watch, &byte, error))
      return FALSE;
    if (!side->is_asking)
      g_assert (write (side->fd, &byte, 1) == 1);
  }
  side->nsec = (double) (bench_now_nsec () - started) / N_ROUND_TRIPS;
  return TRUE;
}

/* --- both sides ---------------------------------------------------------------------------------- */

static void
play (PingPong *side)
{
  if (side->host == NULL)
    ping_pong_bare (side);
  else
    bench_run (side->host, ping_pong_in_task, side);
}

static double
measure (const char *host, gboolean with_watch)
{
  PingPong side = { .host = host, .with_watch = with_watch };
  int ends[2];
  pid_t pid;

  g_assert (socketpair (AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  pid = fork (); /* no guest is alive here */
  if (pid == 0) {
    side.fd = ends[1];
    play (&side);
    _exit (0);
  }
  side.fd = ends[0];
  side.is_asking = TRUE;
  play (&side);
  waitpid (pid, NULL, 0);
  close (ends[0]);
  close (ends[1]);
  return side.nsec;
}

static double
measure_wait_fd (gconstpointer data)
{
  return measure (data, FALSE);
}

static double
measure_watch (gconstpointer data)
{
  return measure (data, TRUE);
}

static double
measure_bare (G_GNUC_UNUSED gconstpointer data)
{
  return measure (NULL, FALSE);
}

const BenchRow bench_loop_rows[] = {
  { "byte, there and back, builtin", BENCH_USEC, "bare epoll", 1.1, TRUE, 11, measure_watch,
    measure_bare, "builtin" },
  { "byte, there and back, uv", BENCH_USEC, "bare epoll", 1.2, TRUE, 11, measure_watch,
    measure_bare, "uv" },
  { "byte, there and back, glib", BENCH_USEC, "bare epoll", 1.3, TRUE, 11, measure_watch,
    measure_bare, "glib" },
  { "the same by tractor_wait_fd, builtin", BENCH_USEC, "bare epoll", 1.2, TRUE, 11,
    measure_wait_fd, measure_bare, "builtin" },
  { NULL },
};
