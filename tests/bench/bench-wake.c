/* bench-wake.c - wakeups from threads, short timers, and polling without sleep. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <glib-unix.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "tractor-builtin.h"
#include "tractor-glib.h"
#include "tractor-thread.h"

/* --- from another thread, and back ------------------------------------------------------------------- */

#define N_WAKES bench_n (5000)

/* A thread that waits for an eventfd, and answers each by waking whoever asked. */
typedef struct {
  int to_thread;
  int to_us; /* bare */
  TractorToken *token;
  TractorEvent *event;
  double nsec;
} Wakes;

static void
set_event (gpointer data)
{
  tractor_event_set (((Wakes *) data)->event);
}

static void *
wake_back (void *data)
{
  Wakes *wakes = data;
  guint64 count = 1;

  for (guint i = 0; i < N_WAKES; i++) {
    if (read (wakes->to_thread, &count, sizeof count) < 0)
      g_error ("eventfd: %s", g_strerror (errno));
    if (wakes->token != NULL)
      tractor_token_run_soon (wakes->token, set_event, wakes);
    else if (write (wakes->to_us, &count, sizeof count) < 0)
      g_error ("eventfd: %s", g_strerror (errno));
  }
  return NULL;
}

static void
ask_thread (Wakes *wakes)
{
  guint64 one = 1;

  if (write (wakes->to_thread, &one, sizeof one) < 0)
    g_error ("eventfd: %s", g_strerror (errno));
}

static gboolean
time_wakes (gpointer data, GError **error)
{
  Wakes *wakes = data;
  g_autoptr (TractorToken) token = tractor_token_get_current ();
  pthread_t thread;
  gint64 started;

  wakes->token = token;
  pthread_create (&thread, NULL, wake_back, wakes);
  started = bench_now_nsec ();
  for (guint i = 0; i < N_WAKES; i++) {
    g_autoptr (TractorEvent) event = tractor_event_new ();

    wakes->event = event;
    ask_thread (wakes);
    if (!tractor_event_wait (event, error))
      return FALSE;
  }
  wakes->nsec = (double) (bench_now_nsec () - started) / N_WAKES;
  pthread_join (thread, NULL);
  return TRUE;
}

static double
measure_wakes (gconstpointer host)
{
  Wakes wakes = { .to_thread = eventfd (0, EFD_CLOEXEC) };

  bench_run (host, time_wakes, &wakes);
  close (wakes.to_thread);
  return wakes.nsec;
}

static double
measure_bare_wakes (G_GNUC_UNUSED gconstpointer data)
{
  Wakes wakes = { .to_thread = eventfd (0, EFD_CLOEXEC), .to_us = eventfd (0, EFD_CLOEXEC) };
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  struct epoll_event event = { .events = EPOLLIN };
  guint64 count;
  pthread_t thread;
  gint64 started;

  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, wakes.to_us, &event);
  pthread_create (&thread, NULL, wake_back, &wakes);
  started = bench_now_nsec ();
  for (guint i = 0; i < N_WAKES; i++) {
    ask_thread (&wakes);
    if (epoll_wait (epoll_fd, &event, 1, -1) != 1 || read (wakes.to_us, &count, sizeof count) < 0)
      g_error ("epoll: %s", g_strerror (errno));
  }
  started = bench_now_nsec () - started;
  pthread_join (thread, NULL);
  close (epoll_fd);
  close (wakes.to_us);
  close (wakes.to_thread);
  return (double) started / N_WAKES;
}

/* --- a timer of 200 usec ------------------------------------------------------------------------------ */

#define N_TIMERS   bench_n (500)
#define TIMER_USEC 200

static gboolean
time_timers (gpointer data, GError **error)
{
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < N_TIMERS; i++)
    if (!tractor_sleep_until (tractor_now () + TIMER_USEC, error))
      return FALSE;
  *(double *) data = (double) (bench_now_nsec () - started) / N_TIMERS;
  return TRUE;
}

static double
measure_timers (gconstpointer host)
{
  double nsec;

  bench_run (host, time_timers, &nsec);
  return nsec;
}

static double
measure_bare_timers (G_GNUC_UNUSED gconstpointer data)
{
  int fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC);
  struct itimerspec spec = { .it_value.tv_nsec = TIMER_USEC * 1000 };
  gint64 started = bench_now_nsec ();
  guint64 count;

  for (guint i = 0; i < N_TIMERS; i++)
    if (timerfd_settime (fd, 0, &spec, NULL) != 0 || read (fd, &count, sizeof count) < 0)
      g_error ("timerfd: %s", g_strerror (errno));
  started = bench_now_nsec () - started;
  close (fd);
  return (double) started / N_TIMERS;
}

/* --- a turn of a GLib loop with a guest that rests ------------------------------------------------------ */

#define N_TURNS bench_n (200000)

static double
time_turns (GMainContext *context)
{
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < N_TURNS; i++)
    g_main_context_iteration (context, FALSE);
  return (double) (bench_now_nsec () - started) / N_TURNS;
}

static gboolean
rest (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  tractor_sleep_until (TRACTOR_NO_DEADLINE, NULL);
  return TRUE;
}

static void
on_rest_done (G_GNUC_UNUSED const GError *error, gpointer data)
{
  *(gboolean *) data = TRUE;
}

static double
measure_turns_with_guest (G_GNUC_UNUSED gconstpointer data)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  gboolean is_done = FALSE;
  TractorGuest *guest = tractor_glib_attach (context, rest, NULL, on_rest_done, &is_done, NULL);
  double nsec;

  g_main_context_iteration (context, FALSE);
  nsec = time_turns (context);
  tractor_guest_cancel (guest, NULL);
  while (!is_done)
    g_main_context_iteration (context, TRUE);
  return nsec;
}

static double
measure_turns_with_fd (G_GNUC_UNUSED gconstpointer data)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  int fd = eventfd (0, EFD_CLOEXEC);
  g_autoptr (GSource) source = g_unix_fd_source_new (fd, G_IO_IN);
  double nsec;

  g_source_attach (source, context);
  nsec = time_turns (context);
  g_source_destroy (source);
  close (fd);
  return nsec;
}

/* --- polling without sleep -------------------------------------------------------------------------------- */

#define N_ROUND_TRIPS 20000

typedef struct {
  int fd;
  gboolean is_asking;
  double nsec;
} Spin;

static void
spin_bare (Spin *spin)
{
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  struct epoll_event event = { .events = EPOLLIN };
  gint64 started = bench_now_nsec ();
  char byte = 'x';

  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, spin->fd, &event);
  for (guint i = 0; i < N_ROUND_TRIPS; i++) {
    if (spin->is_asking)
      g_assert (write (spin->fd, &byte, 1) == 1);
    while (epoll_wait (epoll_fd, &event, 1, 0) == 0)
      ;
    g_assert (read (spin->fd, &byte, 1) == 1);
    if (!spin->is_asking)
      g_assert (write (spin->fd, &byte, 1) == 1);
  }
  spin->nsec = (double) (bench_now_nsec () - started) / N_ROUND_TRIPS;
  close (epoll_fd);
}

static gboolean
spin_in_task (gpointer data, GError **error)
{
  Spin *spin = data;
  g_autoptr (TractorFdWatch) watch = tractor_fd_watch_open (spin->fd, error);
  gint64 started = bench_now_nsec ();
  char byte = 'x';

  tractor_builtin_set_busy_poll (tractor_guest_get_current (), 50);
  for (guint i = 0; i < N_ROUND_TRIPS; i++) {
    if (spin->is_asking)
      g_assert (write (spin->fd, &byte, 1) == 1);
    do
      if (!tractor_fd_watch_wait (watch, G_IO_IN, error))
        return FALSE;
    while (recv (spin->fd, &byte, 1, MSG_DONTWAIT) != 1);
    if (!spin->is_asking)
      g_assert (write (spin->fd, &byte, 1) == 1);
  }
  spin->nsec = (double) (bench_now_nsec () - started) / N_ROUND_TRIPS;
  return TRUE;
}

static double
play_spinning (gboolean is_bare)
{
  Spin spin = { .is_asking = TRUE };
  int ends[2];
  pid_t pid;

  if (sysconf (_SC_NPROCESSORS_ONLN) < 2)
    return -1;
  g_assert (socketpair (AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  pid = fork ();
  spin.fd = ends[pid == 0];
  spin.is_asking = pid != 0;
  if (is_bare)
    spin_bare (&spin);
  else
    bench_run ("builtin", spin_in_task, &spin);
  if (pid == 0)
    _exit (0);
  waitpid (pid, NULL, 0);
  close (ends[0]);
  close (ends[1]);
  return spin.nsec;
}

static double
measure_spinning (G_GNUC_UNUSED gconstpointer data)
{
  return play_spinning (FALSE);
}

static double
measure_bare_spinning (G_GNUC_UNUSED gconstpointer data)
{
  return play_spinning (TRUE);
}

const BenchRow bench_wake_rows[] = {
  { "woken by a thread, there and back", BENCH_USEC, "bare eventfd and epoll", 1.15, TRUE, 11,
    measure_wakes, measure_bare_wakes, "builtin" },
  { "timer of 200 us, builtin", BENCH_USEC, "bare timerfd", 1.2, FALSE, 7, measure_timers,
    measure_bare_timers, "builtin" },
  { "timer of 200 us, uv", BENCH_USEC, "bare timerfd", 1.2, FALSE, 7, measure_timers,
    measure_bare_timers, "uv" },
  { "timer of 200 us, glib", BENCH_USEC, "bare timerfd", 1.2, FALSE, 7, measure_timers,
    measure_bare_timers, "glib" },
  { "turn of a GLib loop, guest at rest", BENCH_NSEC, "a GSource with an eventfd", 1.3, TRUE, 11,
    measure_turns_with_guest, measure_turns_with_fd, NULL },
  { "byte, there and back, free cores, busy", BENCH_USEC, "bare epoll, spinning", 2, FALSE, 7,
    measure_spinning, measure_bare_spinning, NULL, .is_uncountable = TRUE },
  { NULL },
};
