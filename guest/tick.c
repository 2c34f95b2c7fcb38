/* tick.c - the tick, in which a guest does all that it does.
 *
 * It goes round: what the kernel has to say, deadlines that have passed, callbacks from
 * outside, then tasks, in batches. Tasks switch among themselves and come back when nobody is
 * runnable or the steps that they were given are used up. Then the tick looks at the clock: after
 * LOOK_USEC it asks the kernel again, after BUDGET_USEC it lets the host have its turn.
 *
 * Reading the clock costs as much as several steps, so it is read once in steps_per_look of them,
 * a number that doubles while steps are short and falls at once when they are long. A sudden
 * change from short steps to long ones is seen after MAX_STEPS_PER_LOOK of them at the latest.
 * While any deadline is armed the clock is read before each batch besides, so that a checkpoint
 * after a deadline has passed is the one that fails.
 *
 * Under a host with a clock of its own, time does not measure work. There the same limits are
 * counted in steps, which also makes a run repeatable.
 *
 * Between ticks, the poller's descriptor tells the host when to come back; whatever the host's own
 * callbacks make runnable asks through ops->schedule() instead, without a system call.
 *
 * A tick inside a tick is put off, with one exception: a task that runs a nested loop of the host.
 * Then the inner tick lies on that task's stack, has its own place to return to, and runs all
 * other tasks; the one below is on the processor and thus in no queue. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <locale.h>

#include "all-blocked.h"
#include "outside.h"
#include "task.h"
#include "trace.h"
#include "watchdog.h"

/* A quarter of a frame at 60 Hz: long enough to be worth the host's turn around it. */
#define BUDGET_USEC 3000
/* How late an event or a deadline may be seen because of tasks that are always runnable. */
#define LOOK_USEC          50
#define MAX_STEPS_PER_LOOK 64
/* The budget where time does not pass by itself. */
#define BUDGET_LOOKS 256

static guint
host_depth (TractorGuest *guest)
{
  return guest->ops->depth != NULL ? guest->ops->depth (guest->host) : 0;
}

static gboolean
may_tick (TractorGuest *guest)
{
  if (!guest_is_on_thread (guest)) {
    if (!guest->was_misused)
      g_critical ("A guest can only be ticked by the thread that made it");
    guest->was_misused = TRUE; /* said once: a loop that moved to another thread would go on */
    return FALSE;
  }
  if (guest->finished || guest_is_forked (guest))
    return FALSE;
  if (guest->tick != NULL && host_depth (guest) <= guest->tick->depth) {
    guest->tick_again = TRUE;
    tractor__held_up_check (guest);
    return FALSE;
  }
  return TRUE;
}

static void
tick_begin (TractorGuest *guest, Tick *tick)
{
  tick->outer = guest->tick;
  tick->interrupted = guest->current;
  tick->depth = host_depth (guest);
  context_init_here (&tick->context);
  guest->tick = tick;
  guest->has_ticked = TRUE;
  guest->current = NULL;
  guest->tick_requested = FALSE;
  guest->tick_again = FALSE;
}

/* How many steps fit before the next look, by how long the last ones took. */
static void
adapt_steps (TractorGuest *guest, gint64 elapsed)
{
  gint steps = guest->steps_per_look;

  if (elapsed > LOOK_USEC)
    steps = MAX (1, (gint) (steps * LOOK_USEC / elapsed));
  else if (elapsed < LOOK_USEC / 2)
    steps = MIN (MAX_STEPS_PER_LOOK, steps * 2);
  guest->steps_per_look = steps;
}

/* As many steps as there would be without a trace, each noted in it. */
static void
run_traced (TractorGuest *guest, Tick *tick, Task *task)
{
  tractor__trace_begin_steps (guest);
  trace_add (guest->trace, TRACTOR_TRACE_STEP, 0, task->id);
  guest->trace->steps_left = guest->steps_left;
  guest->steps_left = 0;
  tractor__task_run_from_tick (task, tick);
  if (guest->trace == NULL)
    return;
  guest->steps_left = guest->trace->steps_left;
  trace_add (guest->trace, TRACTOR_TRACE_STEP, 0, 0);
}

/* One step, seen by instruments and the watchdog. */
static void
run_step (TractorGuest *guest, Tick *tick, Task *task)
{
  char name[TASK_NAME_BYTES]; /* it may end, and be another task after this */
  TractorInstrumentEvent event = { .task_id = task->id, .task_name = name };
  gboolean is_nested;

  g_strlcpy (name, task->name, sizeof name);
  tractor__instruments_emit (guest, TRACTOR_INSTRUMENT_STEP_BEGINS, &event);
  if (guest->trace != NULL) {
    tractor__trace_begin_steps (guest);
    trace_add (guest->trace, TRACTOR_TRACE_STEP, 0, task->id);
  }
  guest->steps_left = 0;
  is_nested = tractor__watchdog_step_begins (guest->watchdog);
  tractor__task_run_from_tick (task, tick);
  tractor__watchdog_step_ended (guest->watchdog, is_nested);
  if (guest->trace != NULL)
    trace_add (guest->trace, TRACTOR_TRACE_STEP, 0, 0);
  tractor__instruments_emit_scheduled (guest);
  tractor__instruments_emit (guest, TRACTOR_INSTRUMENT_STEP_ENDED, &event);
}

/* Of @planned steps since the last look. The last try may have found nobody. */
static void
count_steps (TractorGuest *guest, gint planned)
{
  gint left = guest->steps_left;

  guest->n_steps += (guint) MAX (left < 0 ? planned : planned - 1 - left, 1);
}

static void
run_tasks (TractorGuest *guest, Tick *tick)
{
  RunQueue *queue = &guest->run_queue;
  gint planned = guest->steps_per_look;
  Task *task;

  all_blocked_forget (guest->all_blocked);
  if (instruments_want_steps (&guest->instruments))
    tractor__instruments_emit_scheduled (guest); /* before a new batch is shuffled */
  if (run_queue_batch_is_over (queue))
    run_queue_begin_batch (queue);
  guest->steps_left = planned - 1;
  task = run_queue_pop (queue);
  if (G_LIKELY (guest->watchdog == NULL && !instruments_see_steps (&guest->instruments))) {
    tractor__task_run_from_tick (task, tick);
  } else if (guest->watchdog != NULL || instruments_want_steps (&guest->instruments)) {
    run_step (guest, tick, task);
    planned = 1;
  } else {
    run_traced (guest, tick, task);
  }
  count_steps (guest, planned);
}

/* Whoever waits for all to be blocked is served by a tick that ends with nothing to do. */
static gboolean
is_more_to_do (TractorGuest *guest)
{
  return run_queue_get_length (&guest->run_queue) > 0 || guest->all_blocked->waits != NULL;
}

/* Runs what is due. Returns: whether tasks are left that would go on if there were time. */
static gboolean
go_round (TractorGuest *guest, Tick *tick)
{
  gboolean own_clock = guest->ops->now != NULL;
  gint64 started = g_get_monotonic_time ();
  gint64 now = started;
  guint n_looks = 0;

  if (guest->poller.n_events == 0)
    tractor__poller_collect (&guest->poller, 0);
  guest->looked_at = guest->polled_at = started;

  for (;;) {
    tractor__poller_dispatch (&guest->poller);
    if (guest->deadlines.length > 0)
      tractor__deadline_heap_expire (&guest->deadlines, own_clock ? guest_now (guest) : now);
    tractor__token_drain (guest->outside->token);
    if (run_queue_get_length (&guest->run_queue) == 0) {
      if (!tractor__all_blocked_check (guest))
        return FALSE;
      continue;
    }

    run_tasks (guest, tick);
    n_looks++;

    if (own_clock) {
      guest->steps_per_look = MAX_STEPS_PER_LOOK;
      if (n_looks >= BUDGET_LOOKS)
        return is_more_to_do (guest);
      tractor__poller_collect (&guest->poller, 0);
      continue;
    }

    now = g_get_monotonic_time ();
    if (guest->steps_left < 0 || now - guest->looked_at > LOOK_USEC)
      adapt_steps (guest, now - guest->looked_at);
    guest->looked_at = now;
    if (now - started >= BUDGET_USEC)
      return is_more_to_do (guest);
    if (now - guest->polled_at >= LOOK_USEC && run_queue_get_length (&guest->run_queue) > 0) {
      tractor__poller_collect (&guest->poller, 0);
      guest->polled_at = now;
    }
  }
}

static void
report_wait (TractorGuest *guest)
{
  gint64 next = deadline_heap_get_earliest (&guest->deadlines);

  guest->is_waiting = TRUE;
  tractor__instruments_emit (
      guest, TRACTOR_INSTRUMENT_WAIT_BEGINS,
      &(TractorInstrumentEvent){ .timeout_usec = next == TRACTOR_NO_DEADLINE
                                                     ? TRACTOR_NO_DEADLINE
                                                     : MAX (next - guest_now (guest), 0) });
}

static void
report_tick (TractorGuest *guest)
{
  static const TractorInstrumentEvent nothing;

  if (!guest->has_ticked)
    tractor__instruments_emit (guest, TRACTOR_INSTRUMENT_RUN_BEGINS, &nothing);
  if (guest->is_waiting)
    tractor__instruments_emit (guest, TRACTOR_INSTRUMENT_WAIT_ENDED, &nothing);
  guest->is_waiting = FALSE;
}

static void
tick_end (TractorGuest *guest, Tick *tick, gboolean yielded)
{
  guest->tick = tick->outer;
  guest->current = tick->interrupted;
  if (G_UNLIKELY (guest->trace != NULL && guest->current != NULL)) {
    trace_add (guest->trace, TRACTOR_TRACE_STEP, 0, guest->current->id);
    /* What is left of ours is not for the tick around this one, which would take it unseen. */
    guest->steps_left = 0;
  }
  if (G_UNLIKELY (guest->tick == NULL && guest->outside->held_up.task_id != 0))
    tractor__held_up_forget (guest);
  if (G_UNLIKELY (guest->tick != NULL && guest->outside->host_calls != NULL))
    tractor_guest_note_held_up (guest); /* they are called by the outermost tick's caller */
  if (stack_pool_is_due (&guest->stacks))
    tractor__stack_pool_trim (&guest->stacks, STACK_POOL_MAX);

  if (guest->finished)
    return;
  if (yielded || guest->tick_again || run_queue_get_length (&guest->run_queue) > 0) {
    guest->tick_requested = TRUE;
    guest->ops->schedule (guest->host, yielded);
  } else {
    if (guest->ops->now == NULL)
      tractor__poller_arm_timer (&guest->poller, deadline_heap_get_earliest (&guest->deadlines));
    if (G_UNLIKELY (guest->instruments.points != 0) && guest->tick == NULL)
      report_wait (guest);
  }
}

/* The tail of the last tick: after done() returns, nothing here may be touched. */
static void
finish (TractorGuest *guest)
{
  g_autoptr (GError) error = g_steal_pointer (&guest->error);
  TractorDoneFunc done = guest->done;
  gpointer done_data = guest->done_data;

  done (error, done_data);
}

/* What uselocale() sets is the thread's. To keep it for each task would cost every switch more than a tenth of its time;
 * so it is looked at here, and the host's callbacks have theirs back. */
static void
check_locale (TractorGuest *guest, locale_t before)
{
  if (G_LIKELY (uselocale ((locale_t) 0) == before))
    return;
  uselocale (before);
  if (!guest->has_complained_of_locale)
    g_critical ("A task waits, or has ended, with a locale of uselocale() still set: other tasks "
                "have had it, and it "
                "is taken away");
  guest->has_complained_of_locale = TRUE;
}

void
tractor_guest_tick (TractorGuest *guest)
{
  TractorGuest *outer_guest = tractor__current_guest;
  locale_t locale = uselocale ((locale_t) 0);
  int saved_errno = errno;
  gboolean ended;
  Tick tick;

  g_return_if_fail (guest != NULL);

  if (!may_tick (guest))
    return;

  tractor__current_guest = guest;
  if (G_UNLIKELY (guest->instruments.points != 0) && guest->tick == NULL)
    report_tick (guest);
  tick_begin (guest, &tick);
  {
    gboolean yielded = go_round (guest, &tick);

    check_locale (guest, locale);
    ended = guest->main_ended && tick.outer == NULL;
    if (ended) {
      g_assert (guest->n_tasks == 0);
      tractor__instruments_emit (guest, TRACTOR_INSTRUMENT_RUN_ENDED,
                                 &(TractorInstrumentEvent){ 0 });
      guest_set_finished (guest); /* first: no tick may come in between */
      tractor__token_close (guest->outside->token);
      if (guest->ret_finished != NULL)
        *guest->ret_finished = TRUE;
    }
    tick_end (guest, &tick, yielded);
  }
  tractor__current_guest = outer_guest;
  if (guest->tick == NULL)
    tractor__host_calls_run (guest);
  errno = saved_errno;
  if (ended)
    finish (guest);
}

gboolean
tractor_guest_is_due (TractorGuest *guest)
{
  g_return_val_if_fail (guest != NULL, FALSE);

  if (guest->finished || !guest_is_on_thread (guest) || guest_is_forked (guest))
    return FALSE;
  /* Inside a tick nobody has told the timer yet of what the tick has set. */
  if (guest->tick != NULL && guest->ops->now == NULL)
    tractor__poller_arm_timer (&guest->poller, deadline_heap_get_earliest (&guest->deadlines));
  return guest->tick_requested || run_queue_get_length (&guest->run_queue) > 0;
}

gboolean
tractor_guest_wait (TractorGuest *guest, gint64 deadline)
{
  TractorGuest *outer_guest = tractor__current_guest;
  gint64 own = TRACTOR_NO_DEADLINE;
  gint64 timeout = deadline;

  g_return_val_if_fail (guest != NULL && guest->tick == NULL, FALSE);

  if (guest->finished || guest->tick_requested || guest->poller.n_events > 0)
    return TRUE;

  if (guest->ops->now == NULL)
    own = deadline_heap_get_earliest (&guest->deadlines);
  /* The timer is on time; a timeout of epoll is late by the thread's timer slack, 50 usec. */
  if (own != TRACTOR_NO_DEADLINE && tractor__poller_enable_timer (&guest->poller))
    tractor__poller_arm_timer (&guest->poller, own);
  else
    timeout = MIN (timeout, own);
  if (timeout != TRACTOR_NO_DEADLINE)
    timeout = MAX (timeout - g_get_monotonic_time (), 0);
  tractor__current_guest = guest; /* for a dump while it waits */
  tractor__poller_collect (&guest->poller, timeout);
  tractor__current_guest = outer_guest;
  return guest->poller.n_events > 0 || guest->tick_requested ||
         (own != TRACTOR_NO_DEADLINE && own <= g_get_monotonic_time ());
}
