/* waker.c - one wait for whatever reports by a callback.
 *
 *    IDLE --wait--> WAITING --wake--> WOKEN        the usual way
 *    IDLE --wake--> WOKEN --wait--> SPENT          the callback was faster
 *    WAITING --abort says TRUE--> ABORTED          cancelled
 *
 * A wake in any other state is a mistake of the caller's, and so is a second wait; both are told, and
 * do nothing. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "task.h"

typedef enum {
  WAKER_IDLE,
  WAKER_WAITING,
  WAKER_WOKEN,
  WAKER_ABORTED,
  WAKER_SPENT
} WakerState;

struct _TractorWaker {
  WakerState state;
  Task *task; /* from the wait's beginning until the task has run again */
  GError *failure;
  TractorAbortFunc abort;
  gpointer data;
};

TractorWaker *
tractor_waker_new (void)
{
  return g_new0 (TractorWaker, 1);
}

void
tractor_waker_free (TractorWaker *waker)
{
  if (waker == NULL)
    return;

  g_return_if_fail (waker->task == NULL);
  g_clear_error (&waker->failure);
  g_free (waker);
}

void
tractor_waker_wake (TractorWaker *waker, GError *failure)
{
  g_return_if_fail (waker != NULL);

  if (waker->task != NULL && !guest_check_thread (waker->task->guest)) {
    g_clear_error (&failure);
    return;
  }
  if (waker->state != WAKER_IDLE && waker->state != WAKER_WAITING) {
    g_critical ("A waker is woken %s",
                waker->state == WAKER_ABORTED ? "although its wait was aborted" : "a second time");
    g_clear_error (&failure);
    return;
  }
  waker->failure = failure;
  if (waker->state == WAKER_WAITING)
    task_wake (waker->task, WAKE_NORMAL);
  waker->state = WAKER_WOKEN;
}

static gboolean
abort_wait (G_GNUC_UNUSED Task *task, gpointer data)
{
  TractorWaker *waker = data;

  /* It may wake us before it returns, and then that is what the wait ends with. */
  if (waker->abort == NULL || !waker->abort (waker->data) || waker->state != WAKER_WAITING)
    return FALSE;
  waker->state = WAKER_ABORTED;
  return TRUE;
}

gboolean
tractor_waker_wait (TractorWaker *waker, TractorAbortFunc abort, gpointer data, GError **error)
{
  Task *task = task_get_suspendable (error);
  TaskWake wake;

  if (!tractor_error_check_given (waker, "waker", error))
    return FALSE;

  if (task == NULL)
    return FALSE;
  if ((waker->state != WAKER_IDLE && waker->state != WAKER_WOKEN) || waker->task != NULL) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A waker is for one wait, and has had it");
    return FALSE;
  }

  if (waker->state == WAKER_WOKEN) {
    tractor__task_yield (task);
  } else {
    waker->state = WAKER_WAITING;
    waker->task = task;
    waker->abort = abort;
    waker->data = data;
    wake = tractor__task_park (task, abort_wait, waker, "waker");
    waker->task = NULL;
    if (wake == WAKE_CANCELLED) {
      tractor__task_set_cancelled (task, error);
      return FALSE;
    }
  }

  waker->state = WAKER_SPENT;
  if (waker->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&waker->failure));
  return FALSE;
}
