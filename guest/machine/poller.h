/* poller.h - what the kernel has to say to a guest, behind one descriptor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>
#include <sys/epoll.h>

#define POLLER_MAX_EVENTS 64

/* In epoll_data, above the descriptor: what is the poller's own. Others count on. */
enum {
  SERIAL_WAKE = 1,
  SERIAL_TIMER,
  SERIAL_FIRST_FREE
};

/* Something has come for @fd, which was registered with @serial. */
typedef void (*PollerFunc) (gpointer data, int fd, guint32 serial, guint32 events);

typedef struct {
  PollerFunc on_event;
  gpointer data;
  guint fork_generation; /* that it belongs to */
  int epoll_fd;
  int wake_fd;        /* an eventfd, for other threads and signal handlers */
  int timer_fd;       /* -1 until there is something to be on time for */
  gint64 timer_armed; /* what timer_fd is set to, or G_MAXINT64 */
  gboolean no_pwait2; /* the kernel has no epoll_pwait2 */

  struct epoll_event events[POLLER_MAX_EVENTS];
  int n_events; /* collected and not yet dispatched */
} Poller;

/* @on_event: for what is in @poller->epoll_fd besides its own */
G_GNUC_INTERNAL gboolean tractor__poller_init (Poller *poller,
                                               PollerFunc on_event,
                                               gpointer data,
                                               GError **error);
G_GNUC_INTERNAL void tractor__poller_clear (Poller *poller);

/* Makes epoll_fd readable also when a deadline has passed. */
G_GNUC_INTERNAL gboolean tractor__poller_enable_timer (Poller *poller);
/* Costs a system call only if @deadline is before what is armed. */
G_GNUC_INTERNAL void tractor__poller_arm_timer (Poller *poller, gint64 deadline);

/* Collects events, blocking up to @timeout_usec; G_MAXINT64 blocks without end, 0 not at all. */
G_GNUC_INTERNAL void tractor__poller_collect (Poller *poller, gint64 timeout_usec);
/* Gives out the collected events. */
G_GNUC_INTERNAL void tractor__poller_dispatch (Poller *poller);
/* @wake_fd: of a poller. Any thread, and any signal handler. */
G_GNUC_INTERNAL void tractor__poller_wake (int wake_fd);
G_GNUC_INTERNAL void tractor__poller_set_errno_error (GError **error, const char *what);
