/* thread.c - work that tasks send to threads, and what threads ask of those tasks.
 *
 * The task waits for its job, which a worker does (thread-pool.c). A worker that wants something of its
 * task sends a Request through the guest's token and blocks. The task wakes up, runs it on its own
 * stack, answers, and goes back to waiting.
 *
 * A task that is cancelled tells its job so, and waits on; or leaves, if it may: then its job is
 * abandoned, and whatever that asks for is refused. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "thread-pool.h"

#include <stdatomic.h>

#include "guest.h"
#include "limiter.h"
#include "outside.h"

/* --- the task's side --------------------------------------------------------------------------- */

static gboolean
abandon (G_GNUC_UNUSED Task *task, gpointer data)
{
  Job *job = data;

  atomic_store_explicit (&job->is_cancelled, TRUE, memory_order_relaxed);
  if (!job->may_abandon)
    return FALSE;

  tractor__job_abandon (job);
  return TRUE;
}

static void
answer (Job *job)
{
  Request *request = g_steal_pointer (&job->request);

  request->ok = request->func (request->data, &request->error);
  tractor__request_answer (request);
}

/* Returns: FALSE if it was abandoned. */
static gboolean
wait_until_done (Task *task, Job *job)
{
  while (!job->is_done) {
    if (tractor__task_park (task, abandon, job, "thread") == WAKE_CANCELLED)
      return FALSE;
    if (job->request != NULL)
      answer (job);
  }
  return TRUE;
}

gboolean
tractor_to_thread (TractorTaskFunc func,
                   gpointer data,
                   GDestroyNotify data_free,
                   TractorThreadFlags flags,
                   TractorLimiter *limiter,
                   GError **error)
{
  Task *task = task_begin (error);
  Job *job;
  gboolean ok;

  if (!tractor_error_check_given ((gconstpointer) func, "function", error) || task == NULL) {
    if (data_free != NULL)
      data_free (data);
    return FALSE;
  }
  if (task->guest->outside->threads == NULL)
    task->guest->outside->threads =
        tractor__thread_pool_new (task->guest->outside->on_pool_thread_begun);

  job = g_new0 (Job, 1);
  job->pool = task->guest->outside->threads;
  job->limiter = tractor__limiter_ref (
      limiter != NULL ? limiter : tractor__thread_pool_get_limiter (job->pool));
  job->token = tractor_token_ref (task->guest->outside->token);
  job->task = task;
  job->func = func;
  job->data = data;
  job->data_free = data_free;
  job->may_abandon = (flags & TRACTOR_THREAD_ABANDON) != 0;

  ok = tractor_limiter_acquire (job->limiter, job, error);
  if (!ok || !tractor_checkpoint_if_cancelled (error) || !tractor__job_start (job, error)) {
    if (ok)
      tractor_limiter_release (job->limiter, job, NULL);
    tractor__job_free (job);
    if (data_free != NULL)
      data_free (data);
    return FALSE;
  }

  if (!wait_until_done (task, job)) {
    tractor__task_set_cancelled (task, error);
    return FALSE;
  }
  return tractor__job_finish (job, error);
}

/* --- the thread's side ------------------------------------------------------------------------- */

static Job *
get_job (GError **error)
{
  Job *job = tractor__job_get_current ();

  if (job == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "This can only be called from what tractor_to_thread() runs in a thread");
  return job;
}

static void
set_nobody_waits (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED,
                       "Cancelled: the task does not wait for this thread any more");
}

static void
deliver (gpointer data)
{
  Request *request = data;
  Job *job = request->job;

  if (job->task == NULL) { /* abandoned before this came */
    set_nobody_waits (&request->error);
    tractor__request_answer (request);
    return;
  }
  job->request = request;
  task_wake (job->task, WAKE_NORMAL);
}

static void
set_run_finished (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_RUN_FINISHED,
                       "The run that this thread works for has finished");
}

gboolean
tractor_from_thread (TractorTaskFunc func, gpointer data, GError **error)
{
  Request request = { .func = func, .data = data };
  Job *job;

  if (!tractor_error_check_given ((gconstpointer) func, "function", error))
    return FALSE;

  request.job = job = get_job (error);
  if (job == NULL)
    return FALSE;
  if (!tractor_token_run_soon (job->token, deliver, &request)) {
    set_run_finished (error);
    return FALSE;
  }

  if (!tractor__request_wait (&request))
    set_run_finished (&request.error);
  if (request.error != NULL)
    g_propagate_error (error, request.error);
  return request.ok;
}

gboolean
tractor_from_thread_check_cancelled (GError **error)
{
  Job *job = get_job (error);

  if (job == NULL)
    return FALSE;
  if (!atomic_load_explicit (&job->is_cancelled, memory_order_relaxed))
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED,
                       "Cancelled: the task that waits for this thread is");
  return FALSE;
}
