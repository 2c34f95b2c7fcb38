/* guest.c - one guest: made of what all the rooms keep for it, asked from outside, and freed.
 *
 * What it does between is in tick.c. A guest has finished when its main task has ended; one that is freed before that
 * drops its tasks where they stand, without running them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest.h"

#include <errno.h>
#include <string.h>

#include "all-blocked.h"
#include "host-end.h"
#include "layout.h"
#include "nursery.h"
#include "outside.h"
#include "overflow.h"
#include "task.h"
#include "trace.h"
#include "watchdog.h"

/* With what each room keeps for it. */
typedef struct {
  TractorGuest guest; /* first */
  AllBlocked all_blocked;
  Outside outside;
} WholeGuest;

/* --- the beginning ----------------------------------------------------------------------------- */

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

  if (!tractor_error_check_given (ops, "host", error) ||
      !tractor_error_check_given ((gconstpointer) main, "main function", error) ||
      !tractor_error_check_given ((gconstpointer) done, "done function", error))
    return NULL;
  if (ops->version <= 0 || ops->version > TRACTOR_HOST_VERSION || ops->schedule == NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "A host has a version from 1 to %d, and can schedule", TRACTOR_HOST_VERSION);
    return NULL;
  }
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
  tractor__debug_layout_add (guest);

  tractor__n_living_guests++;
  /* The main task is in the queue before the host is asked for anything. */
  if (tractor__task_new (guest, &guest->root, "main", 0, main, data, NULL) == NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT, "No stack for the main task: %s",
                 g_strerror (errno));
    guest_set_finished (guest);
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

void
tractor_run_set_ended_func (TractorRunEndedFunc func)
{
  g_return_if_fail (tractor__current_guest != NULL);

  tractor__current_guest->ended = func;
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

  if (!tractor_error_check_given (guest, "guest", error))
    return FALSE;

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
  tractor__debug_layout_remove (guest);
  if (!guest->finished) {
    g_autofree char *names = name_tasks (guest);

    if (guest->has_ticked && !guest_is_forked (guest))
      g_critical ("A guest is freed while %u of its tasks are alive: %s", guest->n_tasks, names);
    guest_set_finished (guest);
    if (!guest_is_forked (guest))
      tractor__token_close (guest->outside->token); /* while what they may touch is there */
  }
  /* Before the tasks are dropped: a thread may work on what is on a task's stack. */
  tractor__thread_pool_free (guest->outside->threads, guest_is_forked (guest));
  tractor__host_ends_orphan (guest);
  drop_all (guest);
  tractor__watchdog_free (guest->watchdog, guest_is_forked (guest));
  tractor__instruments_clear (&guest->instruments);
  tractor__trace_free (guest->trace);

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
