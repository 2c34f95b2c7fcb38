/* all-blocked.c - waiting until nothing else goes on.
 *
 * The tick asks here when its queue is empty. If that has been so for as long as the shortest cushion
 * of those who wait, they are woken, and the others count anew. A cushion is real time: where the
 * deadlines are on a host's own clock, the poller's timer is used for it, and the host is told not to
 * jump meanwhile.
 *
 * A tick in which no task runs does not count as something going on. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "all-blocked.h"

#include "guest.h"
#include "task.h"

/* Longer than anybody waits, and no time that it is added to overflows. */
#define MOST_CUSHION_USEC (G_MAXINT64 / 4)

/* On the stack of the task that waits. */
struct _BlockedWait {
  BlockedWait *next;
  Task *task;
  gint64 cushion;
};

static void
on_deadline (G_GNUC_UNUSED Deadline *deadline)
{
  /* There is a tick now, and that is all that is wanted. */
}

static gint64
get_shortest (const AllBlocked *all_blocked)
{
  gint64 shortest = G_MAXINT64;

  for (const BlockedWait *wait = all_blocked->waits; wait != NULL; wait = wait->next)
    shortest = MIN (shortest, wait->cushion);
  return shortest;
}

static void
wake_all_with (AllBlocked *all_blocked, gint64 cushion)
{
  BlockedWait **link = &all_blocked->waits;

  while (*link != NULL) {
    BlockedWait *wait = *link;

    if (wait->cushion == cushion) {
      *link = wait->next;
      task_wake (wait->task, WAKE_NORMAL);
    } else {
      link = &wait->next;
    }
  }
}

static void
come_back_at (TractorGuest *guest, gint64 when)
{
  if (guest->ops->now == NULL) {
    guest->all_blocked->deadline.expire = on_deadline;
    tractor__deadline_arm (&guest->deadlines, &guest->all_blocked->deadline, when);
  } else if (tractor__poller_enable_timer (&guest->poller)) {
    tractor__poller_arm_timer (&guest->poller, when);
  }
}

gboolean
tractor__all_blocked_check (TractorGuest *guest)
{
  AllBlocked *all_blocked = guest->all_blocked;
  gint64 now = g_get_monotonic_time ();
  gint64 shortest;

  if (all_blocked->waits == NULL)
    return FALSE;
  if (guest->tick->outer != NULL) /* a task below us runs a nested loop of the host */
    return FALSE;
  /* What has become ready while tasks ran is yet to be seen. */
  tractor__poller_collect (&guest->poller, 0);
  if (guest->poller.n_events > 0)
    return TRUE;

  if (all_blocked->since == 0)
    all_blocked->since = now;
  shortest = get_shortest (all_blocked);
  if (now - all_blocked->since < shortest) {
    come_back_at (guest, all_blocked->since + shortest);
    return FALSE;
  }
  tractor__deadline_disarm (&guest->deadlines, &all_blocked->deadline);
  wake_all_with (all_blocked, shortest);
  return TRUE;
}

static gboolean
stop_waiting (Task *task, gpointer data)
{
  BlockedWait **link = &task->guest->all_blocked->waits;

  while (*link != data)
    link = &(*link)->next;
  *link = (*link)->next;
  return TRUE;
}

gboolean
tractor_wait_all_tasks_blocked (gint64 cushion_usec, GError **error)
{
  Task *task = task_begin (error);
  BlockedWait wait = { .task = task, .cushion = MIN (cushion_usec, MOST_CUSHION_USEC) };

  if (task == NULL)
    return FALSE;
  if (cushion_usec < 0) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A cushion is not less than nothing");
    return FALSE;
  }
  wait.next = task->guest->all_blocked->waits;
  task->guest->all_blocked->waits = &wait;
  if (tractor__task_park (task, stop_waiting, &wait, "all tasks blocked") == WAKE_NORMAL)
    return TRUE;
  tractor__task_set_cancelled (task, error);
  return FALSE;
}
