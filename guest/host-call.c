/* host-call.c - functions that tasks want to have called on the host's own stack.
 *
 * They are called after the tick has ended, by whoever called it: so they may need much stack, run
 * a nested loop of the host, in which all tasks go on, and do whatever a callback of the host may
 * do. A call that has not begun is taken back when its task is cancelled; one that has is waited
 * for. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host-call.h"

#include "task.h"

/* On the stack of the task that waits for it. */
struct _HostCall {
  HostCall *next;
  Task *task;
  TractorSoonFunc func;
  gpointer data;
};

static gboolean
take_back (Task *task, gpointer data)
{
  HostCall **link = &task->guest->host_calls;

  while (*link != NULL && *link != data)
    link = &(*link)->next;
  if (*link == NULL)
    return FALSE; /* it is being called */
  *link = (*link)->next;
  return TRUE;
}

gboolean
tractor_run_in_host (TractorSoonFunc func, gpointer data, GError **error)
{
  Task *task = task_begin (error);
  HostCall call = { .task = task, .func = func, .data = data };
  HostCall **link;

  g_return_val_if_fail (func != NULL, FALSE);

  if (task == NULL)
    return FALSE;
  for (link = &task->guest->host_calls; *link != NULL; link = &(*link)->next)
    ;
  *link = &call;
  if (tractor__task_park (task, take_back, &call, "host call") == WAKE_NORMAL)
    return TRUE;
  tractor__task_set_cancelled (task, error);
  return FALSE;
}

void
tractor__host_calls_run (TractorGuest *guest)
{
  HostCall *call;

  while ((call = guest->host_calls) != NULL) {
    guest->host_calls = call->next;
    call->func (call->data);
    task_wake (call->task, WAKE_NORMAL); /* which asks for a tick */
  }
}
