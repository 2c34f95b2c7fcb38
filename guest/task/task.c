/* task.c - tasks: their life, and how the processor goes from one to the next.
 *
 * A task that waits does not go back to a scheduler: it picks who runs next and switches there
 * itself. Only when nobody is runnable, or somebody has to look at the clock, does it switch to the
 * tick, which is on the host's stack. How often that is the tick decides (tick.c), by the number
 * of steps that it allows.
 *
 * States: RUNNABLE -> RUNNING -> PARKED -> RUNNABLE ..., and from RUNNING to ENDED. A task becomes
 * RUNNING in appoint() only, PARKED in tractor__task_park() only, and RUNNABLE again in task_wake()
 * only. Neither parking nor waking allocates.
 *
 * A task is entered at the depth of its tick in the host's dispatching. If the task itself runs a
 * nested loop of the host, callbacks run on the task's stack at a greater depth; suspending there
 * would take a half-dispatched loop off the processor, so it is refused (NESTED_HOST_LOOP).
 *
 * When a task ends, it gives its stack back to the pool while it still runs on it. That is safe
 * because nothing can take a stack from the pool before the last switch away. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "task.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cut-text.h"
#include "error.h"
#include "nursery.h"
#include "trace.h"

_Thread_local TractorGuest *tractor__current_guest;

TractorGuest *
tractor_guest_get_current (void)
{
  return tractor__current_guest;
}

#if !defined(TRACTOR_ASAN) && !defined(TRACTOR_TSAN) && GLIB_SIZEOF_VOID_P == 8
G_STATIC_ASSERT (sizeof (Task) <= 192); /* a fourth line would cost a tenth of a spawn */
#endif

/* What ThreadSanitizer knows of a stack must go when the stack is left for good, but not before. */
static inline void
context_retire (G_GNUC_UNUSED Context *context, G_GNUC_UNUSED Stack *stack)
{
#ifdef TRACTOR_TSAN
  stack->dead_fiber = context->fiber;
#endif
}

/* --- switching --------------------------------------------------------------------------------- */

/* How many tasks ahead are fetched into the cache; more than a few only evict each other. */
#define PREFETCH 3

static inline Task *
take_next (TractorGuest *guest)
{
  RunQueue *queue = &guest->run_queue;

  if (run_queue_batch_is_over (queue)) {
    /* A deadline may have passed, and is to be seen before the next batch: ask the tick. */
    if (run_queue_get_length (queue) == 0 || guest->deadlines.length > 0)
      return NULL;
    run_queue_begin_batch (queue);
  }
  if (run_queue_get_length (queue) > PREFETCH) {
    Task *soon = run_queue_peek (queue, PREFETCH);

    __builtin_prefetch (soon);
    __builtin_prefetch (run_queue_peek (queue, PREFETCH - 1)->context.sp);
  }
  return run_queue_pop (queue);
}

/* While a trace is written, no step is left to take: how many there really are it knows itself. */
static G_NO_INLINE Task *
take_next_traced (TractorGuest *guest)
{
  Trace *trace = guest->trace;
  Task *next = --trace->steps_left >= 0 ? take_next (guest) : NULL;

  if (next != NULL)
    trace_add (trace, TRACTOR_TRACE_STEP, 0, next->id);
  return next;
}

static inline Task *
next_task (TractorGuest *guest)
{
  if (G_LIKELY (--guest->steps_left >= 0))
    return take_next (guest);
  return guest->trace != NULL ? take_next_traced (guest) : NULL;
}

/* Says who runs from now on: @next, or the tick if it is NULL. @from is where we are. */
static inline Context *
appoint (TractorGuest *guest, Context *from, Task *next)
{
  guest->current = next;
  context_note_leaving (guest, from);
  if (next == NULL)
    return &guest->tick->context;
  next->state = TASK_RUNNING;
  return &next->context;
}

/* Leaves the processor; returns when @task has it again. Never inlined: that every task is suspended
 * at one and the same place is what lets the processor predict where it goes on. */
static G_NO_INLINE void
switch_away (Task *task)
{
  TractorGuest *guest = task->guest;
  Task *next = next_task (guest);
  volatile Exceptions exceptions;

  if (next == task) {
    task->state = TASK_RUNNING;
    return;
  }
  /* Kept in the task, not here: what is kept here costs a register that is saved and restored. */
  task->saved_errno = *guest->errno_location;
  exceptions_save (guest->exceptions, &exceptions);
  context_switch (&task->context, appoint (guest, &task->context, next), FALSE);
  context_arrived (&task->context, task->guest);
  *task->guest->errno_location = task->saved_errno;
  exceptions_restore (task->guest->exceptions, &exceptions);
}

void
tractor__task_run_from_tick (Task *task, Tick *tick)
{
  TractorGuest *guest = task->guest;
  volatile Exceptions exceptions;

  exceptions_save (guest->exceptions, &exceptions);
  context_switch (&tick->context, appoint (guest, &tick->context, task), FALSE);
  context_arrived (&tick->context, guest);
  exceptions_restore (guest->exceptions, &exceptions);
}

TaskWake
tractor__task_park (Task *task, TaskAbortFunc abort, gpointer data, const char *waiting_for)
{
  g_assert (task->state == TASK_RUNNING);
  task->state = TASK_PARKED;
  task->waiting_for = waiting_for;
  task->abort = abort;
  task->abort_data = data;
  if (G_UNLIKELY (task->scope->effective))
    tractor__task_abort_wait (task);
  switch_away (task);
  return task->wake;
}

void
tractor__task_yield (Task *task)
{
  task->state = TASK_RUNNABLE;
  run_queue_push (&task->guest->run_queue, task);
  switch_away (task);
}

void
tractor__task_abort_wait (Task *task)
{
  TaskAbortFunc abort = task->abort;

  if (task->state != TASK_PARKED || abort == NULL)
    return;
  task->abort = NULL; /* at most once a wait */
  if (abort (task, task->abort_data))
    task_wake (task, WAKE_CANCELLED);
}

/* --- where the running task stands ------------------------------------------------------------- */

void
tractor__task_set_not_suspendable (GError **error)
{
  TractorGuest *guest = tractor__current_guest;

  if (error == NULL)
    return; /* only asked */
  if (guest != NULL && guest_is_forked (guest))
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_FORKED,
                         "This is a forked copy of the process, in which tasks cannot go on");
  else if (guest == NULL || guest->current == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "This can only be called from inside a task");
  else
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_NESTED_HOST_LOOP,
                 "Task '%s' cannot wait inside a callback of a nested host loop",
                 guest->current->name);
}

void
tractor__task_set_cancelled (Task *task, GError **error)
{
  tractor__scope_set_error (task->scope, error);
}

gboolean
tractor_in_task (void)
{
  return tractor__current_guest != NULL && task_get_suspendable (NULL) != NULL;
}

const char *
tractor_task_get_name (void)
{
  TractorGuest *guest = tractor__current_guest;

  return guest != NULL && guest->current != NULL ? guest->current->name : NULL;
}

guint64
tractor_task_get_id (void)
{
  TractorGuest *guest = tractor__current_guest;

  return guest != NULL && guest->current != NULL ? guest->current->id : 0;
}

gsize
tractor_task_get_stack (gsize *ret_touched_bytes)
{
  TractorGuest *guest = tractor__current_guest;

  if (guest == NULL || guest->current == NULL)
    return 0;
  if (ret_touched_bytes != NULL)
    *ret_touched_bytes = tractor__stack_get_touched (guest->current->stack);
  return guest->current->stack->size;
}

gboolean
tractor_checkpoint (GError **error)
{
  Task *task = task_get_suspendable (error);

  if (task == NULL)
    return FALSE;
  /* First the turn of the others, then the look: a deadline that has passed is seen by this very
   * checkpoint. */
  tractor__task_yield (task);
  if (G_UNLIKELY (task->scope->effective)) {
    tractor__task_set_cancelled (task, error);
    return FALSE;
  }
  return TRUE;
}

gboolean
tractor_cancel_shielded_checkpoint (GError **error)
{
  Task *task = task_get_suspendable (error);

  if (task == NULL)
    return FALSE;
  tractor__task_yield (task);
  return TRUE;
}

gboolean
tractor_checkpoint_if_cancelled (GError **error)
{
  return task_begin (error) != NULL;
}

/* --- sleeping ---------------------------------------------------------------------------------- */

typedef struct {
  Deadline deadline; /* first: debuggers know it as sleep_until (debug/layout.c) */
  Task *task;
} Sleep;

static void
on_slept (Deadline *deadline)
{
  task_wake (((Sleep *) deadline)->task, WAKE_NORMAL);
}

static gboolean
abort_sleep (Task *task, gpointer data)
{
  Sleep *sleep = data;

  tractor__deadline_disarm (&task->guest->deadlines, &sleep->deadline);
  return TRUE;
}

gboolean
tractor_sleep_until (gint64 deadline, GError **error)
{
  Sleep sleep = { .deadline.expire = on_slept };
  Task *task = task_begin (error);

  if (task == NULL)
    return FALSE;
  if (deadline <= guest_now (task->guest))
    return tractor_checkpoint (error);

  sleep.task = task;
  if (deadline != TRACTOR_NO_DEADLINE)
    tractor__deadline_arm (&task->guest->deadlines, &sleep.deadline, deadline);
  if (tractor__task_park (task, abort_sleep, &sleep, "sleep") == WAKE_NORMAL)
    return TRUE;
  tractor__task_set_cancelled (task, error);
  return FALSE;
}

/* --- the end of a task ------------------------------------------------------------------------- */

static GPtrArray **
get_lost_failures (Task *task)
{
  return task->scope->owner == task ? &task->scope->lost_failures : &task->lost_failures;
}

void
tractor__task_lose_failure (Task *task, GError *failure)
{
  GPtrArray **lost = get_lost_failures (task);

  if (*lost == NULL)
    *lost = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);
  g_ptr_array_add (*lost, failure);
}

void
tractor__task_lose_failures (Task *task, GPtrArray *failures)
{
  GPtrArray **lost = get_lost_failures (task);

  if (*lost == NULL)
    *lost = failures;
  else
    g_ptr_array_extend_and_steal (*lost, failures);
}

static const char *
get_kind (const Scope *scope)
{
  if (scope->content != NULL && scope->content->name != NULL)
    return scope->content->name;
  return scope->is_nursery ? "nursery" : "cancel scope";
}

/* (transfer full): "a nursery" */
static char *
describe_kind (const Scope *scope)
{
  const char *kind = get_kind (scope);

  return g_strdup_printf ("%s %s", strchr ("aeiou", kind[0]) != NULL ? "an" : "a", kind);
}

static void
report_left_open (Task *task, const Scope *scope, const char *outer)
{
  g_autofree char *inner = describe_kind (scope);

  if (scope->content != NULL && scope->content->name == NULL)
    return;
  tractor__task_lose_failure (
      task, g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "Task '%s' left %s while %s that it opened inside was still open",
                         task->name, outer, inner));
}

static void
close_innermost (Task *task, const char *outer)
{
  Scope *scope = task->scope;
  const TractorScopeContent *content = scope->content;

  report_left_open (task, scope, outer);
  if (content != NULL && content->end != NULL)
    content->end (scope->content_data);
  if (scope->is_nursery)
    tractor__nursery_abandon ((TractorNursery *) scope);
  else
    tractor__scope_leave (scope);
  if (content != NULL && content->left != NULL)
    content->left (scope->content_data);
  task->abandoned = g_slist_prepend (task->abandoned, scope);
}

/* @misuse: (transfer full) */
static void
report_misuse (GError *misuse, GError **error)
{
  TractorGuest *guest = tractor__current_guest;

  if (error != NULL && *error == NULL) {
    g_propagate_error (error, misuse);
  } else if (guest != NULL && guest->current != NULL) {
    tractor__task_lose_failure (guest->current, misuse);
  } else {
    g_critical ("%s", misuse->message);
    g_error_free (misuse);
  }
}

gboolean
tractor__task_close_inside (Task *task, Scope *scope, GError **error)
{
  TractorGuest *guest = tractor__current_guest;
  GError *misuse = NULL;

  if (guest == NULL || guest->current != task)
    g_set_error (&misuse, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "The %s of task '%s' was closed by another task", get_kind (scope), task->name);
  else
    task_get_suspendable (&misuse);
  if (misuse != NULL) {
    report_misuse (misuse, error);
    return FALSE;
  }

  if (G_UNLIKELY (task->scope != scope)) {
    g_autofree char *outer = describe_kind (scope);

    while (task->scope != scope)
      close_innermost (task, outer);
  }
  return TRUE;
}

void
tractor__task_forget_abandoned (Task *task, Scope *scope)
{
  if (G_UNLIKELY (task->abandoned != NULL))
    task->abandoned = g_slist_remove (task->abandoned, scope);
}

static void
free_abandoned (Task *task)
{
  task->abandoned = g_slist_reverse (task->abandoned); /* the innermost may know those around it */
  for (GSList *link = task->abandoned; link != NULL; link = link->next) {
    Scope *scope = link->data;

    if (scope->content != NULL)
      scope->content->free (scope->content_data);
    if (scope->is_nursery)
      tractor__nursery_free ((TractorNursery *) scope);
    else
      tractor__scope_free (scope);
  }
  g_clear_pointer (&task->abandoned, g_slist_free);
}

void
tractor__task_abandon_held (Task *task, TractorNursery *nursery)
{
  Held *held = task->held;

  while (held != NULL) {
    if (held->nursery != nursery || held->is_last) {
      held = held->next;
      continue;
    }
    held->abandoned (held);
    held = task->held; /* it may have waited, and others have taken from the list */
  }
}

/* Of what is held the newest that is last or that is not. */
static Held *
find_held (const Task *task, gboolean is_last)
{
  Held *held = task->held;

  while (held != NULL && held->is_last != is_last)
    held = held->next;
  return held;
}

static void
abandon_all_held (Task *task, gboolean is_last)
{
  Held *held;

  /* First what others may need to give back the rest: their wait for a lock ends. */
  if (!is_last)
    tractor__task_abandon_held (task, NULL);
  while ((held = find_held (task, is_last)) != NULL)
    held->abandoned (held);
}

void
tractor__task_report_left_open (Task *task, const char *what)
{
  tractor__task_lose_failure (
      task,
      g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                   "Task '%s' left its function while %s that it opened inside was still open",
                   task->name, what));
}

static void
report_exited (TractorGuest *guest, const Task *task)
{
  if (guest->trace != NULL)
    trace_add (guest->trace, TRACTOR_TRACE_TASK_EXITED, 0, task->id);
  tractor__instruments_emit (
      guest, TRACTOR_INSTRUMENT_TASK_EXITED,
      &(TractorInstrumentEvent){ .task_id = task->id, .task_name = task->name });
}

static void
task_end (Task *task, Scope *outermost, GError *error)
{
  TractorGuest *guest = task->guest;
  TractorNursery *nursery = task->nursery;

  if (G_UNLIKELY (task->scope != outermost)) {
    while (task->scope != outermost)
      close_innermost (task, "its function");
  }
  if (G_UNLIKELY (task->held != NULL))
    abandon_all_held (task, FALSE);
  if (task->data_free != NULL)
    task->data_free (task->data);
  if (G_UNLIKELY (task->held != NULL))
    abandon_all_held (task, TRUE);
  if (G_UNLIKELY (task->abandoned != NULL))
    free_abandoned (task); /* what freed the data may have closed some of it */
  if (G_UNLIKELY (task->lost_failures != NULL))
    error = tractor__error_add_failures (error, g_steal_pointer (&task->lost_failures));

  if (G_UNLIKELY (guest->instruments.points != 0))
    report_exited (guest, task);
  tractor__scope_detach_task (task);
  deadline_heap_unreserve (&guest->deadlines);
  guest->n_tasks--;
  task->state = TASK_ENDED;
  if (nursery != NULL)
    tractor__nursery_child_ended (nursery, task, error);
  else
    guest_note_main_ended (guest, error);
  context_retire (&task->context, task->stack);
  tractor__stack_pool_give (&guest->stacks, task->stack);
}

/* The function's answer and its error contradict each other. */
static GError *
correct_outcome (Task *task, GError *error)
{
  if (error == NULL)
    return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                        "Task '%s' returned FALSE without an error", task->name);
  g_prefix_error (&error, "Task '%s' returned TRUE with an error: ", task->name);
  return error;
}

/* The bottom of every task's stack. */
static void
task_main (void *arg)
{
  Task *task = arg;
  TractorGuest *guest = task->guest;
  Scope *outermost = task->scope;
  GError *error = NULL;
  gboolean ok;

  context_arrived (&task->context, guest);
  exceptions_restore (guest->exceptions, &(Exceptions){ 0 });
  ok = task->func (task->data, &error);
  if (guest_is_forked (guest)) {
    /* There is nothing to return to: the others are the original's. */
    g_critical ("Task '%s' returned in a forked copy of the process; it has to call _exit()",
                task->name);
    _exit (70);
  }
  if (G_UNLIKELY (!ok != (error != NULL)))
    error = correct_outcome (task, error);
  if (task->nursery == NULL && guest->ended != NULL)
    guest->ended (error);

  task_end (task, outermost, error);
  context_switch (&task->context, appoint (guest, &task->context, next_task (guest)), TRUE);
  g_assert_not_reached ();
}

/* --- its beginning ----------------------------------------------------------------------------- */

static void
report_spawned (const Task *task, const Scope *scope)
{
  if (task->guest->trace != NULL)
    tractor__trace_spawned (task->guest->trace, task, scope);
  tractor__instruments_emit (
      task->guest, TRACTOR_INSTRUMENT_TASK_SPAWNED,
      &(TractorInstrumentEvent){ .task_id = task->id,
                                 .task_name = task->name,
                                 .parent_id = scope->owner != NULL ? scope->owner->id : 0 });
}

void
tractor_task_set_function (void (*function) (void))
{
  Task *task = task_get_suspendable (NULL);

  g_return_if_fail (task != NULL && function != NULL);

  task->func = (TractorTaskFunc) function;
}

Task *
tractor__task_new (TractorGuest *guest,
                   Scope *scope,
                   const char *name,
                   gsize stack_bytes,
                   TractorTaskFunc func,
                   gpointer data,
                   GDestroyNotify data_free)
{
  Stack *stack = stack_bytes == 0 ? tractor__stack_pool_take (&guest->stacks)
                                  : tractor__stack_pool_take_sized (&guest->stacks, stack_bytes);
  Task *task;
  void *top;

  if (stack == NULL)
    return NULL;

  top = (void *) (((guintptr) stack - sizeof (Task)) & ~(guintptr) 63);
  task = top;
  memset (task, 0, sizeof *task);
  task->guest = guest;
  task->stack = stack;
  task->func = func;
  task->data = data;
  task->data_free = data_free;
  task->state = TASK_RUNNABLE;
  task->id = ++guest->last_task_id;
  cut_text_copy (task->name, name != NULL ? name : "unnamed", sizeof task->name);
  context_init (&task->context, tractor__switch_prepare (top, task_main, task), stack->low,
                (gsize) ((char *) top - stack->low));

  guest->n_tasks++;
  tractor__run_queue_reserve (&guest->run_queue, guest->n_tasks);
  tractor__deadline_heap_reserve (&guest->deadlines);
  tractor__scope_attach_task (scope, task);
  run_queue_push (&guest->run_queue, task);
  guest_request_tick (guest);
  if (G_UNLIKELY (guest->instruments.points != 0))
    report_spawned (task, scope);
  return task;
}

void
tractor__task_drop (Task *task)
{
  tractor__scope_detach_task (task);
  if (task->data_free != NULL)
    task->data_free (task->data);
  g_clear_pointer (&task->lost_failures, g_ptr_array_unref);
  g_clear_pointer (&task->abandoned, g_slist_free);
  context_retire (&task->context, task->stack);
  tractor__stack_pool_give (&task->guest->stacks, task->stack);
}
