/* thread-pool.h - the threads that tasks have sent work to. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "task.h"
#include "tractor-thread.h"

typedef struct _ThreadPool ThreadPool;
typedef struct _Worker Worker;
typedef struct _Job Job;

/* What a worker asks of its task; on the worker's stack. */
typedef struct {
  Job *job;
  TractorTaskFunc func;
  gpointer data;
  gboolean ok;
  GError *error;
  gboolean is_answered; /* under the pool's lock */
} Request;

struct _Job {
  ThreadPool *pool;
  Worker *worker; /* until it has reported; under the pool's lock */
  TractorToken *token;
  TractorTaskFunc func;
  gpointer data;
  GDestroyNotify data_free;
  gboolean ok;
  GError *error;
  _Atomic (gboolean) is_cancelled;

  /* The host's side. */
  Task *task; /* NULL once abandoned */
  gboolean may_abandon;
  gboolean is_done;
  Request *request; /* that the task is to run */
  TractorLimiter *limiter;
  Job *previous; /* among those that a task waits for, or those that are abandoned */
  Job *next;
  gboolean is_over; /* abandoned, and the run took no report: under the pool's lock */
};

/* @on_thread_begun: in each thread of it, first of all. */
G_GNUC_INTERNAL ThreadPool *tractor__thread_pool_new (void (*on_thread_begun) (void));
/* @pool: (nullable). Waits for idle threads, and for those that a task waits for; whoever is abandoned
 * ends by itself. In a forked copy of the process there are no threads to wait for. */
G_GNUC_INTERNAL void tractor__thread_pool_free (ThreadPool *pool, gboolean is_forked);
/* (transfer none): of jobs that have none of their own. */
G_GNUC_INTERNAL TractorLimiter *tractor__thread_pool_get_limiter (ThreadPool *pool);

/* Gives it to a worker. Returns: FALSE with LIMIT: then it is still the caller's. */
G_GNUC_INTERNAL gboolean tractor__job_start (Job *job, GError **error);
/* It is done: frees it. Returns: its outcome. */
G_GNUC_INTERNAL gboolean tractor__job_finish (Job *job, GError **error);
/* No task waits for it any more. */
G_GNUC_INTERNAL void tractor__job_abandon (Job *job);
/* One that has not been started. */
G_GNUC_INTERNAL void tractor__job_free (Job *job);
/* (transfer none) (nullable): what this thread works on. */
G_GNUC_INTERNAL Job *tractor__job_get_current (void);

/* On the host's thread. */
G_GNUC_INTERNAL void tractor__request_answer (Request *request);
/* In the worker. Returns: whether it was answered; it is not if the pool closes. */
G_GNUC_INTERNAL gboolean tractor__request_wait (Request *request);
