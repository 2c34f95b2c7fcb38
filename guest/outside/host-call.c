/* host-call.c - functions that tasks want to have called on the host's own stack.
 *
 * They are called after the tick has ended, by whoever called it: so they may need much stack, run
 * a nested loop of the host, in which all tasks go on, and do whatever a callback of the host may
 * do. A call that has not begun is taken back when its task is cancelled; one that has is waited
 * for. A call that no task waits for (host-link.c) is called in any case. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host-call.h"

#include "outside.h"
#include "task.h"

static gboolean
take_back (Task *task, gpointer data)
{
  HostCall **link = &task->guest->outside->host_calls;

  while (*link != NULL && *link != data)
    link = &(*link)->next;
  if (*link == NULL)
    return FALSE; /* it is being called */
  *link = (*link)->next;
  return TRUE;
}

void
tractor__host_call_post (TractorGuest *guest, HostCall *call)
{
  HostCall **link = &guest->outside->host_calls;

  while (*link != NULL)
    link = &(*link)->next;
  call->next = NULL;
  *link = call;
  guest_request_tick (guest); /* if a call does this, and then runs a nested loop */
}

gboolean
tractor_run_in_host (TractorSoonFunc func, gpointer data, GError **error)
{
  Task *task = task_begin (error);
  HostCall call = { .task = task, .func = func, .data = data };

  if (!tractor_error_check_given ((gconstpointer) func, "function", error) || task == NULL)
    return FALSE;
  tractor__host_call_post (task->guest, &call);
  if (tractor__task_park (task, take_back, &call, "host call") == WAKE_NORMAL)
    return TRUE;
  tractor__task_set_cancelled (task, error);
  return FALSE;
}

void
tractor__host_calls_run (TractorGuest *guest)
{
  HostCall *call;

  while ((call = guest->outside->host_calls) != NULL) {
    Task *task = call->task;

    guest->outside->host_calls = call->next;
    if (guest->outside->host_calls != NULL)
      guest_request_tick (guest); /* so that a nested loop in there calls the next */
    call->func (call->data);      /* if nobody waits, the call may be gone after it */
    if (task != NULL)
      task_wake (task, WAKE_NORMAL); /* which asks for a tick */
  }
}
