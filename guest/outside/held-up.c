/* held-up.c - noticing a task whose nested loop waits for what must wait for the loop.
 *
 * While a task runs a nested loop of the host on its own stack, other tasks go on, but what is to be called
 * on the host's stack is not: the task's is below it. If the loop is there to wait for just that, as code
 * does that makes a synchronous call of an asynchronous one, both wait for ever, and nothing shows it: the
 * thread sleeps, and no watchdog finds a step that is too long, for the nested loop has ticks of its own.
 *
 * So whoever has to put off a call says so, and if the same nested loop still runs some seconds later, that
 * is told, once. Nobody can know what the loop waits for: it may be a dialog that a user has left open. Then
 * the callbacks are late, and the words are true as well. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "held-up.h"

#include "guest.h"
#include "outside.h"
#include "task.h"

#define PATIENCE_USEC (3 * G_USEC_PER_SEC)

static void
tell (const Task *task)
{
  g_warning (
      "Task '%s' has been running a loop of its own for %d s, and a callback waits until it ends. "
      "If the loop waits for that callback, it waits for ever",
      task->name, (int) (PATIENCE_USEC / G_USEC_PER_SEC));
}

/* Whoever is below: of a nested tick, the task that it has interrupted; else the one that runs. */
static Task *
get_below (const TractorGuest *guest)
{
  return guest->current != NULL || guest->tick == NULL ? guest->current : guest->tick->interrupted;
}

static void
on_deadline (Deadline *deadline)
{
  HeldUp *held_up = (HeldUp *) deadline;
  const Task *task = get_below (held_up->guest);

  if (task != NULL && task->id == held_up->task_id)
    tell (task);
}

void
tractor_guest_note_held_up (TractorGuest *guest)
{
  HeldUp *held_up;
  const Task *task;

  g_return_if_fail (guest != NULL);

  held_up = &guest->outside->held_up;
  task = get_below (guest);
  if (task == NULL || task->id == held_up->task_id)
    return;
  held_up->guest = guest;
  held_up->task_id = task->id;
  held_up->deadline.expire = on_deadline;
  tractor__deadline_disarm (&guest->deadlines, &held_up->deadline);
  tractor__deadline_arm (&guest->deadlines, &held_up->deadline, guest_now (guest) + PATIENCE_USEC);
  if (guest->ops->now == NULL)
    tractor__poller_arm_timer (&guest->poller, deadline_heap_get_earliest (&guest->deadlines));
}

void
tractor__held_up_check (TractorGuest *guest)
{
  HeldUp *held_up = &guest->outside->held_up;

  tractor_guest_note_held_up (guest);
  if (held_up->deadline.index == 0 || held_up->deadline.when > guest_now (guest))
    return;
  tractor__deadline_disarm (&guest->deadlines, &held_up->deadline);
  on_deadline (&held_up->deadline);
}

void
tractor__held_up_forget (TractorGuest *guest)
{
  guest->outside->held_up.task_id = 0;
  tractor__deadline_disarm (&guest->deadlines, &guest->outside->held_up.deadline);
}
