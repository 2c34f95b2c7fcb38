/* guest.c - one guest: its life, and the tick.
 *
 * A tick goes round: what the kernel has to say, deadlines that have passed, callbacks from
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

#include "guest.h"

#include <errno.h>
#include <locale.h>
#include <string.h>

#include "all-blocked.h"
#include "host-end.h"
#include "nursery.h"
#include "outside.h"
#include "overflow.h"
#include "task.h"
#include "watchdog.h"

/* A quarter of a frame at 60 Hz: long enough to be worth the host's turn around it. */
#define BUDGET_USEC 3000
/* How late an event or a deadline may be seen because of tasks that are always runnable. */
#define LOOK_USEC          50
#define MAX_STEPS_PER_LOOK 64
/* The budget where time does not pass by itself. */
#define BUDGET_LOOKS 256

/* With what each room keeps for it. */
typedef struct {
  TractorGuest guest; /* first */
  AllBlocked all_blocked;
  Outside outside;
} WholeGuest;

/* --- the beginning ----------------------------------------------------------------------------- */

static void
set_finished (TractorGuest *guest)
{
  guest->finished = TRUE;
  if (!guest_is_forked (guest))
    tractor__n_living_guests--;
}

/* 0: what the host says. Set by any thread. */
static gsize default_stack_bytes;

void
tractor_set_default_stack_size (gsize stack_bytes)
{
  __atomic_store_n (&default_stack_bytes, stack_bytes, __ATOMIC_RELAXED);
}

static gsize
get_stack_bytes (const TractorHostOps *ops)
{
  gsize bytes = __atomic_load_n (&default_stack_bytes, __ATOMIC_RELAXED);

  if (bytes == 0 && ops->version >= 2)
    bytes = ops->stack_bytes;
  return bytes != 0 ? bytes : STACK_DEFAULT_BYTES;
}

TractorGuest *
tractor_guest_new (const TractorHostOps *ops,
                   gpointer host,
                   TractorTaskFunc main,
                   gpointer data,
                   TractorDoneFunc done,
                   gpointer done_data,
                   GError **error)
{
  WholeGuest *whole;
  TractorGuest *guest;

  g_return_val_if_fail (ops != NULL && ops->version > 0 && ops->version <= TRACTOR_HOST_VERSION,
                        NULL);
  g_return_val_if_fail (ops->schedule != NULL && main != NULL && done != NULL, NULL);

  if (task_get_suspendable (NULL) != NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "Task '%s' cannot start another run on its own thread",
                 tractor__current_guest->current->name);
    return NULL;
  }

  tractor__overflow_report_by_default ();
  whole = g_new0 (WholeGuest, 1);
  guest = &whole->guest;
  guest->all_blocked = &whole->all_blocked;
  guest->outside = &whole->outside;
  guest->outside->on_pool_thread_begun = tractor__overflow_watch_pool_thread;
  guest->ops = ops;
  guest->host = host;
  guest->thread_mark = &tractor__current_guest;
  guest->errno_location = &errno;
  guest->exceptions = exceptions_get_current ();
  guest->done = done;
  guest->done_data = done_data;
  guest->steps_per_look = 1;
  tractor__stack_pool_set_usual (&guest->stacks, get_stack_bytes (ops));
  tractor__fd_table_init (&guest->outside->fds, &guest->poller);
  if (!tractor__poller_init (&guest->poller, tractor__fd_table_on_event, &guest->outside->fds,
                             error)) {
    g_free (guest);
    return NULL;
  }
  guest->outside->token = tractor__token_new (guest->poller.wake_fd, guest->poller.fork_generation);
  tractor__run_queue_reserve (&guest->run_queue, 1);
  tractor__deadline_heap_reserve (&guest->deadlines); /* for all_blocked */
  tractor__deadline_heap_reserve (&guest->deadlines); /* for held_up */
  tractor__scope_enter (&guest->root, guest, NULL);

  tractor__n_living_guests++;
  /* The main task is in the queue before the host is asked for anything. */
  if (tractor__task_new (guest, &guest->root, "main", 0, main, data, NULL) == NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT, "No stack for the main task: %s",
                 g_strerror (errno));
    set_finished (guest);
    tractor_guest_free (guest);
    return NULL;
  }
  return guest;
}

int
tractor_guest_get_fd (TractorGuest *guest)
{
  g_return_val_if_fail (guest != NULL, -1);

  if (guest->ops->now == NULL && !tractor__poller_enable_timer (&guest->poller))
    g_critical ("No timer for the guest: its deadlines will be late: %s", g_strerror (errno));
  return guest->poller.epoll_fd;
}

void
tractor_guest_set_shuffle (TractorGuest *guest, guint64 seed)
{
  g_return_if_fail (guest != NULL);

  guest->run_queue.shuffle = seed;
}

void
tractor_guest_set_stack_size (TractorGuest *guest, gsize stack_bytes)
{
  g_return_if_fail (guest != NULL);

  tractor__stack_pool_set_usual (&guest->stacks, stack_bytes);
}

gpointer
tractor_guest_get_host (TractorGuest *guest, const TractorHostOps *ops)
{
  g_return_val_if_fail (guest != NULL, NULL);

  return guest->ops == ops ? guest->host : NULL;
}

void
tractor_guest_get_statistics (TractorGuest *guest, TractorGuestStatistics *ret_statistics)
{
  g_return_if_fail (guest != NULL && ret_statistics != NULL);

  *ret_statistics = (TractorGuestStatistics){
    .n_tasks = guest->n_tasks,
    .n_runnable = run_queue_get_length (&guest->run_queue),
    .n_deadlines = guest->deadlines.length,
    .n_fd_waits = tractor__fd_table_count_waits (&guest->outside->fds),
    .n_calls = tractor__token_get_length (guest->outside->token),
    .n_stacks = guest->stacks.n_mapped,
    .next_deadline = deadline_heap_get_earliest (&guest->deadlines),
  };
}

gint64
tractor_guest_get_deadline (TractorGuest *guest)
{
  g_return_val_if_fail (guest != NULL, TRACTOR_NO_DEADLINE);

  return deadline_heap_get_earliest (&guest->deadlines);
}

gboolean
tractor_guest_is_settling (TractorGuest *guest)
{
  g_return_val_if_fail (guest != NULL, FALSE);

  return guest->all_blocked->waits != NULL;
}

gint64
tractor_now (void)
{
  TractorGuest *guest = tractor__current_guest;

  return guest != NULL ? guest_now (guest) : g_get_monotonic_time ();
}

/* --- the tick ---------------------------------------------------------------------------------- */

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

/* One step, seen by instruments and the watchdog. */
static void
run_step (TractorGuest *guest, Tick *tick, Task *task)
{
  char name[TASK_NAME_BYTES]; /* it may end, and be another task after this */
  TractorInstrumentEvent event = { .task_id = task->id, .task_name = name };
  gboolean is_nested;

  g_strlcpy (name, task->name, sizeof name);
  tractor__instruments_emit (guest, TRACTOR_INSTRUMENT_STEP_BEGINS, &event);
  guest->steps_left = 0;
  is_nested = tractor__watchdog_step_begins (guest->watchdog);
  tractor__task_run_from_tick (task, tick);
  tractor__watchdog_step_ended (guest->watchdog, is_nested);
  tractor__instruments_emit_scheduled (guest);
  tractor__instruments_emit (guest, TRACTOR_INSTRUMENT_STEP_ENDED, &event);
}

static void
run_tasks (TractorGuest *guest, Tick *tick)
{
  RunQueue *queue = &guest->run_queue;
  Task *task;

  all_blocked_forget (guest->all_blocked);
  if (instruments_want_steps (&guest->instruments))
    tractor__instruments_emit_scheduled (guest); /* before a new batch is shuffled */
  if (run_queue_batch_is_over (queue))
    run_queue_begin_batch (queue);
  guest->steps_left = guest->steps_per_look - 1;
  task = run_queue_pop (queue);
  if (G_UNLIKELY (guest->watchdog != NULL || instruments_want_steps (&guest->instruments)))
    run_step (guest, tick, task);
  else
    tractor__task_run_from_tick (task, tick);
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
      set_finished (guest); /* first: no tick may come in between */
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

/* --- from outside ------------------------------------------------------------------------------ */

gboolean
tractor_guest_run_soon (TractorGuest *guest, TractorSoonFunc func, gpointer data)
{
  g_return_val_if_fail (guest != NULL, FALSE);

  return tractor_token_run_soon (guest->outside->token, func, data);
}

TractorToken *
tractor_guest_get_token (TractorGuest *guest)
{
  g_return_val_if_fail (guest != NULL, NULL);

  return tractor_token_ref (guest->outside->token);
}

TractorToken *
tractor_token_get_current (void)
{
  TractorGuest *guest = tractor__current_guest;

  return guest != NULL ? tractor_token_ref (guest->outside->token) : NULL;
}

void
tractor_guest_cancel (TractorGuest *guest, const char *reason)
{
  g_return_if_fail (guest != NULL);

  if (!guest_check_thread (guest))
    return;
  tractor__scope_cancel (&guest->root, TRACTOR_CANCEL_EXPLICIT, reason);
  guest_request_tick (guest);
}

gpointer
tractor_run_local_get (gconstpointer key)
{
  TractorGuest *guest = tractor__current_guest;

  return guest != NULL && guest->locals != NULL ? g_hash_table_lookup (guest->locals, key) : NULL;
}

void
tractor_run_local_set (gconstpointer key, gpointer data)
{
  TractorGuest *guest = tractor__current_guest;

  g_return_if_fail (guest != NULL);

  if (guest->locals == NULL)
    guest->locals = g_hash_table_new (NULL, NULL);
  if (data != NULL)
    g_hash_table_insert (guest->locals, (gpointer) key, data);
  else
    g_hash_table_remove (guest->locals, key);
}

/* --- the end ----------------------------------------------------------------------------------- */

/* Visits the scopes below the root, each after all below it. Returns: NULL after the root. */
static Scope *
next_scope_upwards (Scope *scope)
{
  if (scope->next_sibling == NULL)
    return scope->parent;
  scope = scope->next_sibling;
  while (scope->first_child != NULL)
    scope = scope->first_child;
  return scope;
}

static Scope *
first_scope_upwards (Scope *root)
{
  while (root->first_child != NULL)
    root = root->first_child;
  return root;
}

static char *
name_tasks (TractorGuest *guest)
{
  GString *names = g_string_new (NULL);

  for (Scope *scope = first_scope_upwards (&guest->root); scope != NULL;
       scope = next_scope_upwards (scope))
    for (Task *task = scope->first_task; task != NULL; task = task->next_in_scope)
      g_string_append_printf (names, "%s'%s' (%s)", names->len > 0 ? ", " : "", task->name,
                              task->state == TASK_PARKED ? task->waiting_for : "runnable");
  return g_string_free (names, FALSE);
}

gboolean
tractor_guest_shutdown (TractorGuest *guest, gint64 deadline, GError **error)
{
  g_autofree char *names = NULL;
  gboolean finished = FALSE;

  g_return_val_if_fail (guest != NULL, FALSE);

  if (guest->finished)
    return TRUE;
  if (guest_is_forked (guest)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_FORKED,
                         "This guest belongs to the process that this one is a copy of");
    return FALSE;
  }
  if (guest->tick != NULL) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A guest cannot be shut down from inside its own tick");
    return FALSE;
  }

  tractor__scope_cancel (&guest->root, TRACTOR_CANCEL_SHUTDOWN, "shutdown");
  guest_request_tick (guest);
  guest->ret_finished = &finished; /* done() may free the guest */
  do {
    tractor_guest_tick (guest);
    if (!finished)
      tractor_guest_wait (guest, deadline);
  } while (!finished && g_get_monotonic_time () < deadline);
  if (finished)
    return TRUE;

  guest->ret_finished = NULL;
  names = name_tasks (guest);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TOO_SLOW,
               "The guest did not end in time; still there: %s", names);
  return FALSE;
}

static void
drop_all (TractorGuest *guest)
{
  Scope *scope = first_scope_upwards (&guest->root);

  while (scope != NULL) {
    Scope *next = next_scope_upwards (scope);

    while (scope->first_task != NULL)
      tractor__task_drop (scope->first_task);
    if (scope != &guest->root && scope->is_nursery) {
      g_clear_pointer (&((TractorNursery *) scope)->failures, g_ptr_array_unref);
      g_clear_pointer (&scope->lost_failures, g_ptr_array_unref);
      tractor__nursery_free ((TractorNursery *) scope);
    } else if (scope != &guest->root) {
      g_clear_pointer (&scope->lost_failures, g_ptr_array_unref);
      g_free (scope);
    }
    scope = next;
  }
}

void
tractor_guest_free (TractorGuest *guest)
{
  if (guest == NULL)
    return;

  g_return_if_fail (guest->tick == NULL);
  if (!guest->finished) {
    g_autofree char *names = name_tasks (guest);

    if (guest->has_ticked && !guest_is_forked (guest))
      g_critical ("A guest is freed while %u of its tasks are alive: %s", guest->n_tasks, names);
    set_finished (guest);
    if (!guest_is_forked (guest))
      tractor__token_close (guest->outside->token); /* while what they may touch is there */
  }
  /* Before the tasks are dropped: a thread may work on what is on a task's stack. */
  tractor__thread_pool_free (guest->outside->threads, guest_is_forked (guest));
  tractor__host_ends_orphan (guest);
  drop_all (guest);
  tractor__watchdog_free (guest->watchdog, guest_is_forked (guest));
  tractor__instruments_clear (&guest->instruments);

  tractor__run_queue_clear (&guest->run_queue);
  tractor__deadline_heap_clear (&guest->deadlines);
  tractor__poller_clear (&guest->poller);
  tractor__fd_table_clear (&guest->outside->fds);
  tractor_token_unref (guest->outside->token);
  tractor__stack_pool_trim (&guest->stacks, 0);
  g_clear_pointer (&guest->locals, g_hash_table_unref);
  while (guest->free_scopes != NULL) {
    Scope *scope = guest->free_scopes;

    guest->free_scopes = scope->next_sibling;
    g_free (scope);
  }
  while (guest->free_nurseries != NULL) {
    TractorNursery *nursery = guest->free_nurseries;

    guest->free_nurseries = nursery->next_free;
    g_free (nursery);
  }
  g_clear_error (&guest->error);
  g_free (guest);
}
