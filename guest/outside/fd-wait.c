/* fd-wait.c - tasks that wait for descriptors.
 *
 * There are two ways to wait.
 *
 * tractor_wait_fd() takes any number that may be closed or reused behind our back. Each wait arms
 * the descriptor anew, for one event (EPOLLONESHOT): a stale registration is noticed then, because
 * the kernel forgot it (ENOENT), and an event for a descriptor that has been replaced carries the
 * serial of the old registration and is ignored. A wait that was cancelled leaves the descriptor
 * armed, for one harmless event at most. So nothing can make the poller spin.
 *
 * A TractorFdWatch owns its descriptor's registration, made once and edge-triggered, and keeps the
 * edges that come while nobody waits. Writability is added to it only while somebody waits for it:
 * on a Unix socket each read by the peer would be such an edge.
 *
 * An Interest is one descriptor's entry. Pages of them are made as numbers come up, so memory
 * follows the descriptors in use and not their limit. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fd-wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "fork.h"
#include "guest.h"
#include "outside.h"
#include "task.h"

#define PAGE_LENGTH 64

typedef enum {
  DIRECTION_IN,
  DIRECTION_OUT,
  N_DIRECTIONS
} Direction;

/* One task's wait for one descriptor; on that task's stack. */
typedef struct {
  Task *task;
  FdTable *table;
  Interest *interest;
  int fd;
  GIOCondition ready;
} FdWait;

struct _Interest {
  FdWait *waits[N_DIRECTIONS]; /* the same one twice if it is for both */
  TractorFdWatch *watch;       /* owns the registration, or NULL */
  guint32 serial;              /* of the registration; 0: none */
};

struct _TractorFdWatch {
  TractorGuest *guest;
  int fd;
  const char *name;               /* (nullable): of waits for it, for dumps */
  gboolean ready[N_DIRECTIONS];   /* an edge came while nobody waited */
  gboolean hung_up[N_DIRECTIONS]; /* there was an end or an error: no edge may come any more */
};

/* Returns: NULL for a number that no descriptor has, or, without @make, has not been waited for. */
static Interest *
get_interest (FdTable *table, int fd, gboolean make)
{
  guint page = (guint) fd / PAGE_LENGTH;

  if (fd < 0)
    return NULL;
  if (page >= table->n_pages || table->pages[page] == NULL) {
    if (!make || fcntl (fd, F_GETFD) < 0) /* no room for a number out of thin air */
      return NULL;
    if (page >= table->n_pages) {
      table->pages = g_renew (Interest *, table->pages, page + 1);
      while (table->n_pages <= page)
        table->pages[table->n_pages++] = NULL;
    }
    table->pages[page] = g_new0 (Interest, PAGE_LENGTH);
  }
  return &table->pages[page][(guint) fd % PAGE_LENGTH];
}

void
tractor__fd_table_init (FdTable *table, Poller *poller)
{
  *table = (FdTable){ .poller = poller, .serial = SERIAL_FIRST_FREE };
}

void
tractor__fd_table_clear (FdTable *table)
{
  for (guint i = 0; i < table->n_pages; i++)
    g_free (table->pages[i]);
  g_clear_pointer (&table->pages, g_free);
  table->n_pages = 0;
}

guint
tractor__fd_table_count_waits (const FdTable *table)
{
  guint n = 0;

  for (guint page = 0; page < table->n_pages; page++)
    for (guint i = 0; table->pages[page] != NULL && i < PAGE_LENGTH; i++) {
      FdWait *const *waits = table->pages[page][i].waits;

      n += waits[DIRECTION_IN] != NULL;
      n += waits[DIRECTION_OUT] != NULL && waits[DIRECTION_OUT] != waits[DIRECTION_IN];
    }
  return n;
}

static guint32
wanted_events (Interest *interest)
{
  guint32 events = interest->watch != NULL ? EPOLLET | EPOLLIN | EPOLLRDHUP : EPOLLONESHOT;

  if (interest->waits[DIRECTION_IN] != NULL)
    events |= EPOLLIN | EPOLLRDHUP;
  if (interest->waits[DIRECTION_OUT] != NULL)
    events |= EPOLLOUT;
  return events;
}

/* Tells the kernel what is wanted now. Returns: FALSE with errno set. */
static gboolean
arm (FdTable *table, int fd, Interest *interest)
{
  struct epoll_event event = { .events = wanted_events (interest) };

  if (interest->serial != 0) {
    event.data.u64 = ((guint64) interest->serial << 32) | (guint32) fd;
    if (epoll_ctl (table->poller->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
      return TRUE;
    if (errno != ENOENT)
      return FALSE; /* ENOENT: closed and opened anew since, so the kernel forgot it */
  }

  table->serial = MAX (table->serial + 1, SERIAL_FIRST_FREE);
  interest->serial = table->serial;
  event.data.u64 = ((guint64) interest->serial << 32) | (guint32) fd;
  if (epoll_ctl (table->poller->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ||
      (errno == EEXIST && epoll_ctl (table->poller->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0))
    return TRUE;
  interest->serial = 0;
  return FALSE;
}

static void
forget (FdTable *table, int fd, Interest *interest)
{
  int saved_errno = errno;

  /* In a forked copy it would be taken away from the original. */
  if (interest->serial != 0 && table->poller->fork_generation == tractor__fork_generation)
    epoll_ctl (table->poller->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
  interest->serial = 0;
  errno = saved_errno;
}

static void
remove_wait (Interest *interest, FdWait *wait)
{
  for (Direction direction = 0; direction < N_DIRECTIONS; direction++)
    if (interest->waits[direction] == wait)
      interest->waits[direction] = NULL;
}

static gboolean
has_waits (Interest *interest)
{
  return interest->waits[DIRECTION_IN] != NULL || interest->waits[DIRECTION_OUT] != NULL;
}

static void
note_event (Interest *interest, Direction direction, guint32 events)
{
  guint32 relevant = direction == DIRECTION_IN ? EPOLLIN | EPOLLRDHUP : EPOLLOUT;

  if ((events & (relevant | EPOLLERR | EPOLLHUP)) == 0)
    return;
  if (interest->waits[direction] != NULL)
    interest->waits[direction]->ready |= direction == DIRECTION_IN ? G_IO_IN : G_IO_OUT;
  else if (interest->watch != NULL)
    interest->watch->ready[direction] = TRUE;

  /* Data and the end may come in one event, and a reader that was satisfied by the data would wait
   * for the end for ever. */
  if (interest->watch != NULL &&
      (events & (EPOLLERR | EPOLLHUP | (direction == DIRECTION_IN ? EPOLLRDHUP : 0))) != 0)
    interest->watch->hung_up[direction] = TRUE;
}

void
tractor__fd_table_on_event (gpointer data, int fd, guint32 serial, guint32 events)
{
  FdTable *table = data;
  Interest *interest = get_interest (table, fd, FALSE);
  gboolean waited_for_out;

  if (interest == NULL || interest->serial != serial)
    return; /* for a descriptor that has been replaced */

  waited_for_out = interest->waits[DIRECTION_OUT] != NULL;
  note_event (interest, DIRECTION_IN, events);
  note_event (interest, DIRECTION_OUT, events);
  for (Direction direction = 0; direction < N_DIRECTIONS; direction++) {
    FdWait *wait = interest->waits[direction];

    if (wait != NULL && wait->ready != 0) {
      remove_wait (interest, wait);
      task_wake (wait->task, WAKE_NORMAL);
    }
  }

  if (interest->watch != NULL) {
    if (waited_for_out && interest->waits[DIRECTION_OUT] == NULL)
      arm (table, fd, interest); /* hear no more of writability */
  } else if (has_waits (interest)) {
    arm (table, fd, interest); /* the one shot served one waiter, and disarmed the other */
  }
}

static gboolean
abort_wait (G_GNUC_UNUSED Task *task, gpointer data)
{
  FdWait *wait = data;
  gboolean waited_for_out = wait->interest->waits[DIRECTION_OUT] == wait;

  remove_wait (wait->interest, wait);
  if (wait->interest->watch != NULL && waited_for_out)
    arm (wait->table, wait->fd, wait->interest);
  return TRUE;
}

static void
wake_all_closed (Interest *interest)
{
  for (Direction direction = 0; direction < N_DIRECTIONS; direction++) {
    FdWait *wait = interest->waits[direction];

    if (wait != NULL) {
      remove_wait (interest, wait);
      task_wake (wait->task, WAKE_CLOSED);
    }
  }
}

/* TRUE, or FALSE with @error set. */
static gboolean
check_wake (Task *task, TaskWake wake, GError **error)
{
  switch (wake) {
  case WAKE_NORMAL:
    return TRUE;
  case WAKE_CANCELLED:
    tractor__task_set_cancelled (task, error);
    return FALSE;
  default:
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                         "The descriptor was closed while waiting for it");
    return FALSE;
  }
}

/* The descriptor may have been closed without a word, and its number be another's now: whoever
 * still waits for the old one will not be woken any more. */
static void
drop_stale_waits (FdTable *table, int fd, Interest *interest)
{
  struct epoll_event event = { .events = wanted_events (interest) };

  if (interest->serial == 0 || interest->watch != NULL)
    return;
  event.data.u64 = ((guint64) interest->serial << 32) | (guint32) fd;
  if (epoll_ctl (table->poller->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0 || errno != ENOENT)
    return;
  interest->serial = 0;
  wake_all_closed (interest);
}

static gboolean
set_busy (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY,
                       "Another task is already waiting for this descriptor");
  return FALSE;
}

gboolean
tractor_wait_fd (int fd, GIOCondition events, GIOCondition *ret_ready, GError **error)
{
  gboolean in = (events & G_IO_IN) != 0;
  gboolean out = (events & G_IO_OUT) != 0;
  Task *task = task_begin (error);
  FdTable *table;
  Interest *interest;
  FdWait wait;

  if (task == NULL)
    return FALSE;
  if (!in && !out) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A descriptor is waited for with G_IO_IN or G_IO_OUT or both");
    return FALSE;
  }

  table = &task->guest->outside->fds;
  interest = get_interest (table, fd, TRUE);
  if (interest == NULL) {
    errno = EBADF;
    tractor__poller_set_errno_error (error, "cannot wait for a descriptor");
    return FALSE;
  }
  if (has_waits (interest))
    drop_stale_waits (table, fd, interest);
  if (interest->watch != NULL || (in && interest->waits[DIRECTION_IN] != NULL) ||
      (out && interest->waits[DIRECTION_OUT] != NULL))
    return set_busy (error);

  wait = (FdWait){ task, table, interest, fd, 0 };
  if (in)
    interest->waits[DIRECTION_IN] = &wait;
  if (out)
    interest->waits[DIRECTION_OUT] = &wait;
  if (!arm (table, fd, interest)) {
    remove_wait (interest, &wait);
    if (errno != EPERM) {
      tractor__poller_set_errno_error (error, "cannot wait for a descriptor");
      return FALSE;
    }
    wait.ready = events & (G_IO_IN | G_IO_OUT); /* cannot be polled: always ready */
    if (!tractor_checkpoint (error))
      return FALSE;
  } else if (!check_wake (task,
                          tractor__task_park (task, abort_wait, &wait,
                                              in && out ? "fd"
                                              : in      ? "fd in"
                                                        : "fd out"),
                          error)) {
    return FALSE;
  }

  if (ret_ready != NULL)
    *ret_ready = wait.ready;
  return TRUE;
}

void
tractor_guest_notify_closing (TractorGuest *guest, int fd)
{
  Interest *interest;

  g_return_if_fail (guest != NULL);

  interest = guest_check_thread (guest) ? get_interest (&guest->outside->fds, fd, FALSE) : NULL;
  if (interest == NULL)
    return;
  forget (&guest->outside->fds, fd, interest);
  wake_all_closed (interest);
}

void
tractor_notify_closing (int fd)
{
  TractorGuest *guest = tractor_guest_get_current ();

  if (guest != NULL)
    tractor_guest_notify_closing (guest, fd);
}

TractorFdWatch *
tractor_fd_watch_open (int fd, GError **error)
{
  TractorGuest *guest = tractor_guest_get_current ();
  Interest *interest;
  TractorFdWatch *watch;

  if (guest == NULL) {
    tractor__task_set_not_suspendable (error);
    return NULL;
  }
  interest = get_interest (&guest->outside->fds, fd, TRUE);
  if (interest == NULL) {
    errno = EBADF;
    tractor__poller_set_errno_error (error, "cannot watch a descriptor");
    return NULL;
  }
  if (interest->watch != NULL || has_waits (interest)) {
    set_busy (error);
    return NULL;
  }

  watch = g_new0 (TractorFdWatch, 1);
  watch->guest = guest;
  watch->fd = fd;
  interest->watch = watch;
  forget (&guest->outside->fds, fd, interest);
  if (!arm (&guest->outside->fds, fd, interest)) {
    tractor__poller_set_errno_error (error, "cannot watch a descriptor");
    interest->watch = NULL;
    g_free (watch);
    return NULL;
  }
  return watch;
}

/* An end stays, but an error goes when it is read, and a socket hangs up before it connects too. */
static gboolean
is_still_hung_up (TractorFdWatch *watch, Direction direction)
{
  struct pollfd pollfd = { .fd = watch->fd, .events = direction == DIRECTION_IN ? POLLRDHUP : 0 };

  if (watch->hung_up[direction])
    watch->hung_up[direction] = poll (&pollfd, 1, 0) == 1;
  return watch->hung_up[direction];
}

void
tractor_fd_watch_set_static_name (TractorFdWatch *watch, const char *name)
{
  g_return_if_fail (watch != NULL);

  watch->name = name;
}

gboolean
tractor_fd_watch_wait (TractorFdWatch *watch, GIOCondition condition, GError **error)
{
  Direction direction = condition & G_IO_IN ? DIRECTION_IN : DIRECTION_OUT;
  Task *task = task_begin (error);
  FdTable *table;
  Interest *interest;
  FdWait wait;

  if (task == NULL || !tractor_error_check_given (watch, "watch", error))
    return FALSE;

  table = &watch->guest->outside->fds;
  interest = get_interest (table, watch->fd, FALSE);
  if (interest->waits[direction] != NULL)
    return set_busy (error);
  if (interest->serial == 0) { /* tractor_notify_closing() */
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                         "The descriptor was closed while it was watched");
    return FALSE;
  }
  if (watch->ready[direction] || is_still_hung_up (watch, direction)) {
    watch->ready[direction] = FALSE;
    tractor__task_yield (task); /* the edge is taken: a cancel that comes now must not lose it */
    return TRUE;
  }

  wait = (FdWait){ task, table, interest, watch->fd, 0 };
  interest->waits[direction] = &wait;
  if (direction == DIRECTION_OUT && !arm (table, watch->fd, interest)) {
    remove_wait (interest, &wait);
    tractor__poller_set_errno_error (error, "cannot wait for a descriptor");
    return FALSE;
  }

  return check_wake (task,
                     tractor__task_park (task, abort_wait, &wait,
                                         watch->name != NULL         ? watch->name
                                         : direction == DIRECTION_IN ? "fd in"
                                                                     : "fd out"),
                     error);
}

void
tractor_fd_watch_close (TractorFdWatch *watch)
{
  FdTable *table;
  Interest *interest;

  if (watch == NULL)
    return;

  table = &watch->guest->outside->fds;
  interest = get_interest (table, watch->fd, FALSE);
  forget (table, watch->fd, interest);
  interest->watch = NULL;
  wake_all_closed (interest);
  g_free (watch);
}
