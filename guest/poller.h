/* poller.h - what the kernel has to say to a guest, behind one descriptor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>
#include <sys/epoll.h>

typedef struct _Task Task;
typedef struct _Interest Interest;

#define POLLER_MAX_EVENTS 64

/* In epoll_data, above the descriptor: what is no descriptor of a task. Registrations count on. */
enum {
  SERIAL_WAKE = 1,
  SERIAL_TIMER,
  SERIAL_FIRST_FREE
};

typedef struct {
  guint fork_generation; /* that it belongs to */
  int epoll_fd;
  int wake_fd;        /* an eventfd, for other threads and signal handlers */
  int timer_fd;       /* -1 until there is something to be on time for */
  gint64 timer_armed; /* what timer_fd is set to, or G_MAXINT64 */
  gboolean no_pwait2; /* the kernel has no epoll_pwait2 */

  Interest **pages; /* by descriptor, PAGE_LENGTH of them a page; pages are made when needed */
  guint n_pages;
  guint32 serial; /* of the last registration; tells a stale event from a good one */

  struct epoll_event events[POLLER_MAX_EVENTS];
  int n_events; /* collected and not yet dispatched */
} Poller;

G_GNUC_INTERNAL gboolean tractor__poller_init (Poller *poller, GError **error);
G_GNUC_INTERNAL void tractor__poller_clear (Poller *poller);

/* Makes epoll_fd readable also when a deadline has passed. */
G_GNUC_INTERNAL gboolean tractor__poller_enable_timer (Poller *poller);
/* Costs a system call only if @deadline is before what is armed. */
G_GNUC_INTERNAL void tractor__poller_arm_timer (Poller *poller, gint64 deadline);

/* Collects events, blocking up to @timeout_usec; G_MAXINT64 blocks without end, 0 not at all. */
G_GNUC_INTERNAL void tractor__poller_collect (Poller *poller, gint64 timeout_usec);
/* Wakes the tasks that the collected events are for. */
G_GNUC_INTERNAL void tractor__poller_dispatch (Poller *poller);
/* @wake_fd: of a poller. Any thread, and any signal handler. */
G_GNUC_INTERNAL void tractor__poller_wake (int wake_fd);
G_GNUC_INTERNAL void tractor__poller_set_errno_error (GError **error, const char *what);
