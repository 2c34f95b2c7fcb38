/* host-spawn.c - a task that a callback of the host starts, and that ends in another one.
 *
 * The task runs the function inside a scope of its own, which collects what nurseries in there have
 * lost, and then waits, shielded, until the host has been told: so the nursery is not left before. If
 * the whole guest is freed while the task is still there, which is a mistake, the host is told of that,
 * but not once more in a forked copy. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest.h"
#include "nursery.h"
#include "tractor-host-link.h"

typedef struct {
  TractorGuest *guest;
  TractorTaskFunc func;
  gpointer data;
  GDestroyNotify data_free;
  TractorDoneFunc on_done;
  gpointer done_data;
  gboolean is_spawned;
  gboolean is_told;
  GError *error; /* (nullable): what @func failed with */
} Job;

static void
free_data (Job *job)
{
  GDestroyNotify data_free = job->data_free;

  job->data_free = NULL;
  if (data_free != NULL)
    data_free (job->data);
}

static void
tell (gpointer data)
{
  Job *job = data;

  job->is_told = TRUE;
  job->on_done (job->error, job->done_data);
}

static void
job_free (gpointer data)
{
  Job *job = data;

  free_data (job);
  if (job->is_spawned && !job->is_told && !guest_is_forked (job->guest)) {
    g_clear_error (&job->error);
    g_set_error_literal (&job->error, TRACTOR_ERROR, TRACTOR_ERROR_RUN_FINISHED,
                         "The guest was freed before the task had ended");
    tell (job);
  }
  g_clear_error (&job->error);
  g_free (job);
}

/* Leaves in the job what its function has failed with. */
static void
run_func (Job *job)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  gboolean ok = job->func (job->data, &job->error);

  if (!ok && job->error == NULL)
    g_set_error (&job->error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "Task '%s' returned FALSE without an error", tractor_task_get_name ());
  tractor_cancel_scope_absorb (scope, &job->error);
}

static gboolean
run (gpointer data, GError **error)
{
  Job *job = data;
  g_autoptr (TractorCancelScope) shield = NULL;

  run_func (job);
  free_data (job);
  shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_shield (shield, TRUE);
  return tractor_run_in_host (tell, job, error);
}

static gboolean
may_spawn (TractorNursery *nursery, TractorTaskFunc func, GError **error)
{
  if (!tractor_error_check_given (nursery, "nursery", error) ||
      !tractor_error_check_given ((gconstpointer) func, "function", error))
    return FALSE;
  if (!tractor_in_task ())
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                       "A task spawns with tractor_nursery_spawn(), and not from the host");
  return FALSE;
}

void
tractor_spawn_from_host (TractorNursery *nursery,
                         const char *name,
                         TractorTaskFunc func,
                         gpointer data,
                         GDestroyNotify data_free,
                         TractorDoneFunc on_done,
                         gpointer done_data)
{
  g_autoptr (GError) error = NULL;
  Job *job;

  g_return_if_fail (on_done != NULL);

  if (!may_spawn (nursery, func, &error)) {
    if (data_free != NULL)
      data_free (data);
    on_done (error, done_data);
    return;
  }

  job = g_new0 (Job, 1);
  *job = (Job){ nursery->scope.guest, func, data, data_free, on_done, done_data };
  if (tractor_nursery_spawn (nursery, name, run, job, job_free, &error))
    job->is_spawned = TRUE; /* it has not run yet */
  else
    on_done (error, done_data);
}
