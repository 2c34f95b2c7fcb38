/* task.h - tasks: how they come and go, and the only two calls that make them wait and go on. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "guest.h"
#include "scope.h"
#include "stack.h"
#include "switch.h"
#include "tractor-sync.h"
#include "tractor-task.h"

#define TASK_NAME_BYTES 32

/* What a wait ended with. */
typedef enum {
  WAKE_NORMAL,
  WAKE_CANCELLED,
  WAKE_CLOSED, /* what was waited for was closed at this end */
  WAKE_BROKEN, /* at the other end */
} TaskWake;

typedef enum {
  TASK_RUNNABLE, /* in the run queue */
  TASK_RUNNING,  /* on the processor, or below a tick that a nested host loop runs on its stack */
  TASK_PARKED,   /* in a wait */
  TASK_ENDED,
} TaskState;

/* Takes the task out of whatever it waits for. Returns: FALSE if that is not possible any more:
 * then the wait ends by itself, soon. */
typedef gboolean (*TaskAbortFunc) (Task *task, gpointer data);

/* Something that a task has in its hands, and that breaks, or is given back, if the task ends so. */
typedef struct _Held Held;
struct _Held {
  Held *next; /* of the same task */
  void (*abandoned) (
      Held *held);         /* takes it off the task's list; may wait if there is a @nursery */
  TractorNursery *nursery; /* (nullable): it does not end before this is given back */
  gboolean is_last; /* abandoned once the task's data has been freed, which may give it back */
};

/* Lives at the top of its own stack. */
struct _Task {
  Context context;
  TractorGuest *guest;
  Scope *scope;            /* the innermost */
  guint8 state;            /* a TaskState; small, for all of this is to be three cache lines */
  guint8 wake;             /* a TaskWake: what the wait ended with */
  int saved_errno;         /* while another has the processor */
  TaskAbortFunc abort;     /* NULL: the wait cannot be cancelled */
  gpointer abort_data;     /* usually on the task's stack */
  const char *waiting_for; /* a constant, for dumps */

  Task *next_in_scope;
  Task **link_in_scope; /* what points at us there */

  TractorNursery *nursery; /* NULL for the main task */

  TractorTaskFunc func;
  gpointer data;
  GDestroyNotify data_free;

  GPtrArray *lost_failures; /* (nullable): that no scope of its own will give out */
  Held *held;               /* (nullable): the newest first */
  GSList *abandoned;        /* scopes and nurseries that an outer one's closing closed */
  Stack *stack;
  guint64 id; /* counts from 1 */
  char name[TASK_NAME_BYTES];
};

/* Makes a runnable task in @scope. @stack_bytes: 0 is the usual. Returns: NULL with errno set if
 * there is no stack for it. */
G_GNUC_INTERNAL Task *tractor__task_new (TractorGuest *guest,
                                         Scope *scope,
                                         const char *name,
                                         gsize stack_bytes,
                                         TractorTaskFunc func,
                                         gpointer data,
                                         GDestroyNotify data_free);
/* Frees a task without letting it run again. */
G_GNUC_INTERNAL void tractor__task_drop (Task *task);

G_GNUC_INTERNAL void tractor__task_set_not_suspendable (GError **error);
G_GNUC_INTERNAL void tractor__task_set_cancelled (Task *task, GError **error);

/* Suspends the running task until task_wake(). If it is cancelled, or becomes so, @abort is called
 * once, and if it succeeds the wait ends with WAKE_CANCELLED. @waiting_for is for dumps. */
G_GNUC_INTERNAL TaskWake tractor__task_park (Task *task,
                                             TaskAbortFunc abort,
                                             gpointer data,
                                             const char *waiting_for);
/* Lets all others have their turn: schedules, but does not look at cancellation. */
G_GNUC_INTERNAL void tractor__task_yield (Task *task);
/* @failure: (transfer full): nobody is there to take it; it comes out of the scope that @task is
 * in, or at the task's end. */
G_GNUC_INTERNAL void tractor__task_lose_failure (Task *task, GError *failure);
/* @failures: (transfer full) */
G_GNUC_INTERNAL void tractor__task_lose_failures (Task *task, GPtrArray *failures);
/* Before @scope is left: closes what @task has left open inside it, which is a mistake that the
 * task will end with. Returns: FALSE if @task is not running, or may not wait here, which is one
 * too: then nothing has been done, and it is in *@error, or without one, or with one that is set,
 * the running task will end with it. */
G_GNUC_INTERNAL gboolean tractor__task_close_inside (Task *task, Scope *scope, GError **error);
/* @scope is being closed by its owner, though it was left for it before. */
G_GNUC_INTERNAL void tractor__task_forget_abandoned (Task *task, Scope *scope);
/* @task, which runs, ends or joins @nursery: abandons what it holds that belongs to @nursery; NULL: to
 * none, but not what comes last. */
G_GNUC_INTERNAL void tractor__task_abandon_held (Task *task, TractorNursery *nursery);
/* Called when @task, if it is parked, has come to be inside a cancelled scope. */
G_GNUC_INTERNAL void tractor__task_abort_wait (Task *task);

/* Runs @task and those after it until somebody has to look at the clock, or nobody is runnable. */
G_GNUC_INTERNAL void tractor__task_run_from_tick (Task *task, Tick *tick);

/* The running task; NULL with MISUSE or NESTED_HOST_LOOP if nothing may suspend here. */
static inline Task *
task_get_suspendable (GError **error)
{
  TractorGuest *guest = tractor__current_guest;

  if (G_LIKELY (
          guest != NULL && guest->current != NULL && !guest_is_forked (guest) &&
          (guest->ops->depth == NULL || guest->ops->depth (guest->host) == guest->tick->depth)))
    return guest->current;
  tractor__task_set_not_suspendable (error);
  return NULL;
}

/* How every call begins that can suspend: nothing is done yet if this fails. */
static inline Task *
task_begin (GError **error)
{
  Task *task = task_get_suspendable (error);

  if (G_UNLIKELY (task != NULL && task->scope->effective)) {
    tractor__task_set_cancelled (task, error);
    return NULL;
  }
  return task;
}

/* It has ended without having given back what it had opened, "a stream": a mistake of its. */
G_GNUC_INTERNAL void tractor__task_report_left_open (Task *task, const char *what);

static inline void
task_hold (Task *task, Held *held)
{
  held->next = task->held;
  task->held = held;
}

static inline void
task_unhold (Task *task, Held *held)
{
  Held **link = &task->held;

  while (*link != held)
    link = &(*link)->next;
  *link = held->next;
}

/* Ends @task's wait. It runs in a later batch. */
static inline void
task_wake (Task *task, TaskWake wake)
{
  if (G_UNLIKELY (!guest_check_thread (task->guest)))
    return; /* better asleep than two threads in one queue */
  g_assert (task->state == TASK_PARKED);
  task->state = TASK_RUNNABLE;
  task->wake = wake;
  task->abort = NULL;
  run_queue_push (&task->guest->run_queue, task);
  guest_request_tick (task->guest);
}
