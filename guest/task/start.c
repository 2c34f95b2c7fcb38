/* start.c - a task that says when it is ready, and then moves.
 *
 * Until it is ready, the task is a child of a nursery that the waiting task opens for it, so
 * failures and cancels go where they should. Around everything that the task does there is one
 * scope more, its base. Moving the task is hanging its base below the new nursery's scope: whatever
 * scopes and nurseries the task has opened meanwhile come along.
 *
 * If the waiting task has been cancelled when the task says that it is ready, it does not move: it
 * is cancelled as well, and its end is waited for. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "nursery.h"
#include "task.h"

/* What the waiting task is told; on its stack. */
typedef struct {
  TractorNursery *to;
  gboolean is_ready;
  gboolean has_moved;
  gpointer value;
} Waiting;

/* Belongs to the started task, which may ask a second time long after nobody waits any more. */
struct _TractorTaskStatus {
  TractorStartFunc func;
  gpointer data;
  GDestroyNotify data_free;
  Task *task;
  Scope *base;
  gboolean is_ready;
  Waiting *waiting; /* NULL once moved */
};

static void
status_free (gpointer data)
{
  TractorTaskStatus *status = data;

  if (status->data_free != NULL)
    status->data_free (status->data);
  /* A task that is dropped has no scope any more. */
  if (status->base != NULL && status->task->scope == status->base) {
    tractor__scope_leave (status->base);
    tractor__scope_free (status->base);
  }
  g_free (status);
}

static gboolean
run_started (gpointer data, GError **error)
{
  TractorTaskStatus *status = data;

  tractor_task_set_function ((void (*) (void)) status->func);
  return status->func (status, status->data, error);
}

gboolean
tractor_task_started (TractorTaskStatus *status, gpointer value, GError **error)
{
  Waiting *waiting;

  if (status == NULL)
    return TRUE;
  if (status->is_ready) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "Task '%s' said twice that it is ready", status->task->name);
    return FALSE;
  }

  status->is_ready = TRUE;
  waiting = status->waiting;
  waiting->is_ready = TRUE;
  waiting->value = value;
  if (status->base->parent->effective)
    return TRUE; /* whoever waits is cancelled, and so is this task */

  waiting->has_moved = TRUE;
  status->waiting = NULL;
  tractor__nursery_move_child (waiting->to, status->task);
  tractor__scope_move (status->base, &waiting->to->scope);
  return TRUE;
}

/* (transfer full): a group of one is that one: before it was ready the task was in nobody's group. */
static GError *
unwrap (GError *error)
{
  const GPtrArray *children = tractor_error_get_children (error);
  GError *only;

  if (children == NULL || children->len != 1)
    return error;
  only = g_error_copy (children->pdata[0]);
  g_error_free (error);
  return only;
}

/* Returns: FALSE with @error set if the task failed, or was cancelled, where it was. */
static gboolean
wait_until_ready (TractorTaskStatus *status, const char *name, GError **error)
{
  g_autoptr (TractorNursery) here = tractor_nursery_open ();
  GError *failure = NULL;

  status->task = tractor__nursery_add (here, name, 0, run_started, status, status_free, error);
  if (status->task == NULL)
    return FALSE;
  status->base = tractor__scope_new (status->task->guest);
  tractor__scope_enter (status->base, status->task->guest, status->task);

  if (tractor_nursery_join (here, &failure))
    return TRUE;
  g_propagate_error (error, unwrap (failure));
  return FALSE;
}

/* The task has ended where it was, in peace. @name: (nullable) */
static GError *
new_not_moved_error (const Waiting *waiting, const char *name)
{
  if (waiting->is_ready) /* whoever waits was cancelled then, and has been shielded since */
    return g_error_new_literal (TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED, "Cancelled");
  return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                      "Task '%s' ended without having said that it is ready",
                      name != NULL ? name : "");
}

gboolean
tractor_nursery_start (TractorNursery *nursery,
                       const char *name,
                       TractorStartFunc func,
                       gpointer data,
                       GDestroyNotify data_free,
                       gpointer *ret_value,
                       GError **error)
{
  Waiting waiting = { .to = nursery };
  TractorTaskStatus *status;
  GError *failure = NULL;

  if (tractor_error_check_given (nursery, "nursery", &failure) &&
      tractor_error_check_given ((gconstpointer) func, "function", &failure) &&
      nursery->scope.is_left)
    g_set_error (&failure, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                 "Cannot start task '%s': the nursery is closed", name != NULL ? name : "");
  if (failure != NULL || task_get_suspendable (&failure) == NULL) {
    g_propagate_error (error, failure);
    if (data_free != NULL)
      data_free (data);
    return FALSE;
  }

  status = g_new0 (TractorTaskStatus, 1);
  status->func = func;
  status->data = data;
  status->data_free = data_free;
  status->waiting = &waiting;
  tractor__nursery_hold (nursery);
  wait_until_ready (status, name, &failure); /* the status may be gone now */
  if (!waiting.has_moved)
    tractor__nursery_release (nursery);

  /* A task that ends because whoever waits is cancelled owes no explanation. */
  if (failure == NULL && !waiting.has_moved && tractor_checkpoint_if_cancelled (&failure))
    failure = new_not_moved_error (&waiting, name);
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  if (ret_value != NULL)
    *ret_value = waiting.value;
  return TRUE;
}
