/* poller.c - what the kernel has to say to a guest, behind one descriptor.
 *
 * One epoll holds an eventfd for other threads, a timerfd for the earliest deadline, and what others
 * register in it, who are given what comes for that. A timerfd, also where the wait is our own: what
 * epoll is given as a timeout may be late by the thread's timer slack, 50 usec unless somebody changed
 * it. Events are collected first and dispatched later, so that a host that waits here needs no second
 * look.
 *
 * Each event carries a serial beside its descriptor: which of our own it is, or of which
 * registration. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "poller.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "fork.h"
#include "stdio-fd.h"

#define MAX_SLEEP_USEC (G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC)

void
tractor__poller_set_errno_error (GError **error, const char *what)
{
  int saved_errno = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved_errno), "%s: %s", what,
               g_strerror (saved_errno));
}

static gboolean
add_own (Poller *poller, int fd, guint32 serial)
{
  struct epoll_event event = { .events = EPOLLIN };

  event.data.u64 = ((guint64) serial << 32) | (guint32) fd;
  return epoll_ctl (poller->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

gboolean
tractor__poller_init (Poller *poller, PollerFunc on_event, gpointer data, GError **error)
{
  tractor__fork_watch ();
  poller->on_event = on_event;
  poller->data = data;
  poller->fork_generation = tractor__fork_generation;
  poller->timer_fd = -1;
  poller->timer_armed = G_MAXINT64;
  poller->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  poller->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);

  if (keep_off_stdio (&poller->epoll_fd) != 0 || keep_off_stdio (&poller->wake_fd) != 0 ||
      !add_own (poller, poller->wake_fd, SERIAL_WAKE)) {
    tractor__poller_set_errno_error (error, "cannot make a poller");
    tractor__poller_clear (poller);
    return FALSE;
  }
  return TRUE;
}

void
tractor__poller_clear (Poller *poller)
{
  close_fd (&poller->timer_fd);
  close_fd (&poller->wake_fd);
  close_fd (&poller->epoll_fd);
}

gboolean
tractor__poller_enable_timer (Poller *poller)
{
  if (poller->timer_fd >= 0)
    return TRUE;

  poller->timer_fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (keep_off_stdio (&poller->timer_fd) != 0 ||
      !add_own (poller, poller->timer_fd, SERIAL_TIMER)) {
    close_fd (&poller->timer_fd);
    return FALSE;
  }
  return TRUE;
}

/* A timer that is armed too early costs one tick that finds nothing to do; setting it back each
 * time would cost a system call each time. So it is only ever moved forward. */
void
tractor__poller_arm_timer (Poller *poller, gint64 deadline)
{
  struct itimerspec spec = { 0 };

  if (poller->timer_fd < 0 || deadline >= poller->timer_armed)
    return;

  deadline = MAX (deadline, 1); /* zero would disarm it */
  spec.it_value.tv_sec = deadline / G_USEC_PER_SEC;
  spec.it_value.tv_nsec = (deadline % G_USEC_PER_SEC) * 1000;
  timerfd_settime (poller->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
  poller->timer_armed = deadline;
}

void
tractor__poller_wake (int wake_fd)
{
  guint64 one = 1;
  int saved_errno = errno;

  /* EAGAIN means that the counter is full: then it is readable, which is all we want. */
  while (write (wake_fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
  errno = saved_errno;
}

static int
wait_usec (Poller *poller, gint64 timeout_usec)
{
  struct timespec timeout = { .tv_sec = timeout_usec / G_USEC_PER_SEC,
                              .tv_nsec = (timeout_usec % G_USEC_PER_SEC) * 1000 };
  int n;

#ifdef SYS_epoll_pwait2
  if (!poller->no_pwait2) {
    n = (int) syscall (SYS_epoll_pwait2, poller->epoll_fd, poller->events, POLLER_MAX_EVENTS,
                       &timeout, NULL, (size_t) 0);
    if (n >= 0 || (errno != ENOSYS && errno != EPERM))
      return n;
    poller->no_pwait2 = TRUE;
  }
#endif
  /* In whole milliseconds, rounded up: rounding down would spin for the last one. */
  n = epoll_wait (poller->epoll_fd, poller->events, POLLER_MAX_EVENTS,
                  (int) ((timeout_usec + 999) / 1000));
  return n;
}

void
tractor__poller_collect (Poller *poller, gint64 timeout_usec)
{
  int n;

  if (timeout_usec <= 0)
    n = epoll_wait (poller->epoll_fd, poller->events, POLLER_MAX_EVENTS, 0);
  else if (timeout_usec == G_MAXINT64)
    n = epoll_wait (poller->epoll_fd, poller->events, POLLER_MAX_EVENTS, -1);
  else
    n = wait_usec (poller, MIN (timeout_usec, MAX_SLEEP_USEC));

  poller->n_events = MAX (n, 0); /* EINTR: nothing yet, the caller comes back */
}

void
tractor__poller_dispatch (Poller *poller)
{
  int n_events = poller->n_events;
  guint64 count;

  poller->n_events = 0;
  for (int i = 0; i < n_events; i++) {
    guint32 serial = (guint32) (poller->events[i].data.u64 >> 32);
    int fd = (int) (guint32) poller->events[i].data.u64;

    if (serial == SERIAL_WAKE) {
      while (read (poller->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    } else if (serial == SERIAL_TIMER) {
      while (read (poller->timer_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
      poller->timer_armed = G_MAXINT64;
    } else {
      poller->on_event (poller->data, fd, serial, poller->events[i].events);
    }
  }
}
