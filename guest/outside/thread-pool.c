/* thread-pool.c - the threads that tasks have sent work to.
 *
 * A Job is one call of tractor_to_thread(). A worker runs the function and reports through the guest's
 * token, which calls on_job_done() on the host's thread. What is on the host's side of a job (the task,
 * the limiter) is touched by the host's thread only; the outcome by the worker only, until it has
 * reported. A job belongs to the pool while a task waits for it; once it was abandoned, to the host,
 * which hears of its end, and gives its worker all that is left when the run finishes before.
 *
 * Workers belong to a guest. An idle one waits some seconds for other work, and then goes. When the
 * guest goes, all are joined but those whose work was abandoned.
 *
 * Plain pthreads, not GLib's: ThreadSanitizer sees them, and nothing of them is left when a pool is
 * freed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "thread-pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "limiter.h"
#include "task.h"

#define DEFAULT_MAX_THREADS 40
#define IDLE_SECONDS        10

struct _Worker {
  ThreadPool *pool;
  pthread_t thread;
  pthread_cond_t changed; /* there is a job, an answer, or the pool closes */
  Job *job;               /* to do, or being done */
  gboolean is_abandoned;  /* its job is */
  Worker *previous;       /* among all */
  Worker *next;
  Worker *next_idle;
};

struct _ThreadPool {
  void (*on_thread_begun) (void);
  pthread_mutex_t lock;
  guint n_refs; /* the guest's, and one a worker */
  gboolean is_closing;
  Worker *workers;
  Worker *idle;
  Job *abandoned;

  /* The host's side. */
  TractorLimiter *limiter;
  Job *jobs; /* that a task waits for */
};

/* What this thread works on. */
static _Thread_local Job *current_job;

/* --- the pool ---------------------------------------------------------------------------------- */

ThreadPool *
tractor__thread_pool_new (void (*on_thread_begun) (void))
{
  ThreadPool *pool = g_new0 (ThreadPool, 1);

  pool->on_thread_begun = on_thread_begun;
  pthread_mutex_init (&pool->lock, NULL);
  pool->n_refs = 1;
  pool->limiter = tractor_limiter_new (DEFAULT_MAX_THREADS);
  return pool;
}

TractorLimiter *
tractor__thread_pool_get_limiter (ThreadPool *pool)
{
  return pool->limiter;
}

/* Called with the lock, which is gone then. */
static void
pool_unref_and_unlock (ThreadPool *pool)
{
  gboolean is_last = --pool->n_refs == 0;

  pthread_mutex_unlock (&pool->lock);
  if (is_last) {
    pthread_mutex_destroy (&pool->lock);
    g_free (pool);
  }
}

/* --- jobs -------------------------------------------------------------------------------------- */

static void
job_link (Job **list, Job *job)
{
  job->previous = NULL;
  job->next = *list;
  if (job->next != NULL)
    job->next->previous = job;
  *list = job;
}

static void
job_unlink (Job **list, Job *job)
{
  if (job->previous != NULL)
    job->previous->next = job->next;
  else
    *list = job->next;
  if (job->next != NULL)
    job->next->previous = job->previous;
}

void
tractor__job_free (Job *job)
{
  g_clear_pointer (&job->limiter, tractor__limiter_unref);
  tractor_token_unref (job->token);
  g_clear_error (&job->error);
  g_free (job);
}

static void
on_job_done (gpointer data)
{
  Job *job = data;

  tractor_limiter_release (job->limiter, job, NULL);
  if (job->task == NULL) {
    pthread_mutex_lock (&job->pool->lock);
    job_unlink (&job->pool->abandoned, job);
    pthread_mutex_unlock (&job->pool->lock);
    tractor__job_free (job);
    return;
  }
  job->is_done = TRUE;
  task_wake (job->task, WAKE_NORMAL);
}

static void
run_job (Job *job)
{
  current_job = job;
  job->ok = job->func (job->data, &job->error);
  current_job = NULL;
  if (job->data_free != NULL)
    job->data_free (job->data);
  if (!job->ok == (job->error == NULL))
    g_critical ("What ran in a thread returned %s an error",
                job->ok ? "TRUE with" : "FALSE without");
}

Job *
tractor__job_get_current (void)
{
  return current_job;
}

/* --- workers ----------------------------------------------------------------------------------- */

static void
worker_link (Worker *worker)
{
  ThreadPool *pool = worker->pool;

  worker->next = pool->workers;
  if (worker->next != NULL)
    worker->next->previous = worker;
  pool->workers = worker;
}

static void
worker_unlink (Worker *worker)
{
  if (worker->previous != NULL)
    worker->previous->next = worker->next;
  else
    worker->pool->workers = worker->next;
  if (worker->next != NULL)
    worker->next->previous = worker->previous;
}

static void
remove_idle (Worker *worker)
{
  Worker **link = &worker->pool->idle;

  while (*link != worker)
    link = &(*link)->next_idle;
  *link = worker->next_idle;
}

/* With the lock. Returns: whether there is a job. */
static gboolean
wait_for_job (Worker *worker)
{
  ThreadPool *pool = worker->pool;
  struct timespec give_up_at;
  int result = 0;

  clock_gettime (CLOCK_MONOTONIC, &give_up_at);
  give_up_at.tv_sec += IDLE_SECONDS;
  worker->next_idle = pool->idle;
  pool->idle = worker;
  while (worker->job == NULL && !pool->is_closing && result == 0)
    result = pthread_cond_clockwait (&worker->changed, &pool->lock, CLOCK_MONOTONIC, &give_up_at);
  if (worker->job != NULL)
    return TRUE; /* who gave it has taken us out of the list */
  remove_idle (worker);
  return FALSE;
}

/* With the lock, which is free while the job runs. */
static void
do_job (Worker *worker)
{
  ThreadPool *pool = worker->pool;
  Job *job = worker->job;
  gboolean is_mine;

  pthread_mutex_unlock (&pool->lock);
  run_job (job);
  pthread_mutex_lock (&pool->lock);

  is_mine = worker->is_abandoned;
  worker->is_abandoned = FALSE;
  worker->job = NULL;
  job->worker = NULL;
  if (!tractor_token_run_soon (job->token, on_job_done, job) && is_mine) {
    if (pool->is_closing)
      tractor__job_free (job);
    else
      job->is_over = TRUE; /* the host is about to go through the abandoned ones */
  }
}

static void *
work (void *data)
{
  Worker *worker = data;
  ThreadPool *pool = worker->pool;

  pool->on_thread_begun ();
  pthread_mutex_lock (&pool->lock);
  do
    do_job (worker);
  while (!pool->is_closing && wait_for_job (worker));

  if (!pool->is_closing)
    pthread_detach (worker->thread); /* nobody will join it */
  worker_unlink (worker);
  pthread_cond_destroy (&worker->changed);
  g_free (worker);
  pool_unref_and_unlock (pool);
  return NULL;
}

/* With the lock. Returns: FALSE with errno set. */
static gboolean
start_worker (ThreadPool *pool, Job *job)
{
  Worker *worker = g_new0 (Worker, 1);
  int result;

  worker->pool = pool;
  worker->job = job;
  job->worker = worker;
  pthread_cond_init (&worker->changed, NULL);

  /* With the program's signal mask: a process that the job starts inherits it. */
  result = pthread_create (&worker->thread, NULL, work, worker);
  if (result != 0) {
    pthread_cond_destroy (&worker->changed);
    g_free (worker);
    errno = result;
    return FALSE;
  }
  worker_link (worker);
  pool->n_refs++;
  return TRUE;
}

/* With the lock. Returns: FALSE with errno set. */
static gboolean
give_to_worker (ThreadPool *pool, Job *job)
{
  Worker *worker = pool->idle;

  if (worker == NULL)
    return start_worker (pool, job);
  pool->idle = worker->next_idle;
  worker->job = job;
  job->worker = worker;
  pthread_cond_signal (&worker->changed);
  return TRUE;
}

/* --- the host's side of a job ------------------------------------------------------------------ */

gboolean
tractor__job_start (Job *job, GError **error)
{
  gboolean ok;

  pthread_mutex_lock (&job->pool->lock);
  ok = give_to_worker (job->pool, job);
  pthread_mutex_unlock (&job->pool->lock);
  if (ok)
    job_link (&job->pool->jobs, job);
  else
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT, "Cannot start a thread: %s",
                 g_strerror (errno));
  return ok;
}

gboolean
tractor__job_finish (Job *job, GError **error)
{
  gboolean ok = job->ok;

  job_unlink (&job->pool->jobs, job);
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&job->error));
  tractor__job_free (job);
  return ok;
}

void
tractor__job_abandon (Job *job)
{
  ThreadPool *pool = job->pool;

  pthread_mutex_lock (&pool->lock);
  if (job->worker != NULL)
    job->worker->is_abandoned = TRUE;
  job_unlink (&pool->jobs, job);
  job_link (&pool->abandoned, job);
  pthread_mutex_unlock (&pool->lock);
  job->task = NULL;
}

/* --- what a worker asks of its task ------------------------------------------------------------ */

void
tractor__request_answer (Request *request)
{
  Job *job = request->job;

  pthread_mutex_lock (&job->pool->lock);
  request->is_answered = TRUE;
  pthread_cond_signal (&job->worker->changed);
  pthread_mutex_unlock (&job->pool->lock);
}

gboolean
tractor__request_wait (Request *request)
{
  Job *job = request->job;
  ThreadPool *pool = job->pool;
  gboolean is_answered;

  pthread_mutex_lock (&pool->lock);
  while (!request->is_answered && !pool->is_closing)
    pthread_cond_wait (&job->worker->changed, &pool->lock);
  is_answered = request->is_answered;
  pthread_mutex_unlock (&pool->lock);
  return is_answered;
}

/* --- the end ----------------------------------------------------------------------------------- */

/* With the lock. Returns: (element-type pthread_t): whom to join; the others are on their own. */
static GArray *
tell_workers (ThreadPool *pool)
{
  GArray *threads = g_array_new (FALSE, FALSE, sizeof (pthread_t));

  for (Worker *worker = pool->workers; worker != NULL; worker = worker->next) {
    if (worker->is_abandoned)
      pthread_detach (worker->thread);
    else
      g_array_append_val (threads, worker->thread);
    pthread_cond_signal (&worker->changed);
  }
  return threads;
}

/* With the lock. A limiter may be wanted by another run, which nobody else will hand the token to. */
static void
give_up_abandoned (ThreadPool *pool)
{
  while (pool->abandoned != NULL) {
    Job *job = pool->abandoned;

    job_unlink (&pool->abandoned, job);
    tractor_limiter_release (job->limiter, job, NULL);
    g_clear_pointer (&job->limiter, tractor__limiter_unref);
    if (job->is_over)
      tractor__job_free (job); /* else it is its worker's now */
  }
}

static void
free_host_side (ThreadPool *pool)
{
  while (pool->jobs != NULL) { /* of a guest that is freed while tasks are alive */
    Job *job = pool->jobs;

    job_unlink (&pool->jobs, job);
    tractor__job_free (job);
  }
  tractor__limiter_unref (pool->limiter);
}

void
tractor__thread_pool_free (ThreadPool *pool, gboolean is_forked)
{
  g_autoptr (GArray) threads = NULL;

  if (pool == NULL)
    return;
  if (is_forked) {
    free_host_side (pool);
    g_free (pool); /* its lock may be held by a thread that is not here */
    return;
  }

  for (Job *job = pool->jobs; job != NULL; job = job->next)
    atomic_store_explicit (&job->is_cancelled, TRUE, memory_order_relaxed);
  pthread_mutex_lock (&pool->lock);
  pool->is_closing = TRUE;
  give_up_abandoned (pool);
  threads = tell_workers (pool);
  pthread_mutex_unlock (&pool->lock);
  for (guint i = 0; i < threads->len; i++)
    pthread_join (g_array_index (threads, pthread_t, i), NULL);

  free_host_side (pool);
  pthread_mutex_lock (&pool->lock);
  pool_unref_and_unlock (pool);
}
