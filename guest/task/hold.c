/* hold.c - what a task of a library's user has opened, and is to close before it ends.
 *
 * A scope has its place among the scopes of its task, and is closed in order. A hold is for what is not a
 * scope: several of one task are given back in any order, and by whoever comes to do it, if it is not the
 * task then what frees its data. Only a task that has ended, and its data is free, has left it open. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "task.h"

struct _TractorHold {
  Held held; /* first */
  Task *task;
  guint64 serial; /* the later the greater */
  const char *kind;
  TractorHoldFunc abandoned;
  gpointer data;
};

static _Thread_local guint64 last_serial;

static void
abandon (Held *held)
{
  g_autofree TractorHold *hold = (TractorHold *) held; /* its first member */

  task_unhold (hold->task, held);
  tractor__task_report_left_open (hold->task, hold->kind);
  hold->abandoned (hold->data);
}

TractorHold *
tractor_task_hold (const char *kind, TractorHoldFunc abandoned, gpointer data)
{
  Task *task = task_get_suspendable (NULL);
  TractorHold *hold;

  g_return_val_if_fail (kind != NULL && abandoned != NULL, NULL);
  g_return_val_if_fail (task != NULL, NULL);

  hold = g_new0 (TractorHold, 1);
  hold->held.abandoned = abandon;
  hold->held.is_last = TRUE;
  hold->task = task;
  hold->serial = ++last_serial;
  hold->kind = kind;
  hold->abandoned = abandoned;
  hold->data = data;
  task_hold (task, &hold->held);
  return hold;
}

void
tractor_hold_release (TractorHold *hold)
{
  if (hold == NULL)
    return;

  task_unhold (hold->task, &hold->held);
  g_free (hold);
}

guint64
tractor_task_mark_holds (void)
{
  return last_serial;
}

/* Returns: (nullable): the newest that the running task has taken after @mark. */
static Held *
find_since (guint64 mark)
{
  Task *task = task_get_suspendable (NULL);
  Held *held = task != NULL ? task->held : NULL;

  while (held != NULL && (held->abandoned != abandon || ((TractorHold *) held)->serial <= mark))
    held = held->next;
  return held;
}

gboolean
tractor_task_has_holds (guint64 mark)
{
  return find_since (mark) != NULL;
}

void
tractor_task_abandon_holds (guint64 mark)
{
  Held *held;

  while ((held = find_since (mark)) != NULL)
    abandon (held);
}
