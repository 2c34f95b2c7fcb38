/* test-glib.c - both directions between tasks and GIO: what a wait for a callback does when its task is
 * cancelled, and on whose stack a callback of the program is called. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>

#include "harness.h"
#include "tractor-builtin.h"
#include "tractor-glib-waits.h"
#include "tractor-host-link.h"
#include "tractor-signal.h"

/* --- an operation that ends when told --------------------------------------------------------------- */

typedef struct {
  GTask *task; /* (nullable): while it runs */
  GMainContext *context;
  TractorEvent *cancelled;
  TractorCancelScope *scope;
  gboolean has_returned;
} Operation;

static void
on_operation_cancelled (G_GNUC_UNUSED GCancellable *cancellable, gpointer data)
{
  tractor_event_set (((Operation *) data)->cancelled);
}

static void
start_operation (GCancellable *cancellable,
                 GAsyncReadyCallback callback,
                 gpointer callback_data,
                 gpointer data)
{
  Operation *operation = data;

  operation->context = g_main_context_get_thread_default ();
  operation->task = g_task_new (NULL, cancellable, callback, callback_data);
  g_task_set_check_cancellable (operation->task, FALSE);
  g_signal_connect (cancellable, "cancelled", G_CALLBACK (on_operation_cancelled), operation);
}

/* Each of these is a task beside the one that waits. */
static gboolean
end_well (gpointer data, G_GNUC_UNUSED GError **error)
{
  Operation *operation = data;
  g_autoptr (GTask) task = g_steal_pointer (&operation->task);

  g_task_return_boolean (task, TRUE);
  return TRUE;
}

static gboolean
end_as_cancelled (gpointer data, G_GNUC_UNUSED GError **error)
{
  Operation *operation = data;
  g_autoptr (GTask) task = g_steal_pointer (&operation->task);

  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "by somebody");
  return TRUE;
}

static gboolean
cancel_and_look (Operation *operation, TractorTaskFunc end, GError **error)
{
  tractor_cancel_scope_cancel (operation->scope, NULL);
  if (!tractor_event_wait (operation->cancelled, error))
    return FALSE;
  for (int i = 0; i < 10; i++) /* turns enough for it to return, if it would */
    if (!tractor_checkpoint (error))
      return FALSE;
  g_assert_false (operation->has_returned);
  return end (operation, error);
}

static gboolean
cancel_then_end_as_cancelled (gpointer data, GError **error)
{
  return cancel_and_look (data, end_as_cancelled, error);
}

static gboolean
cancel_then_end_well (gpointer data, GError **error)
{
  return cancel_and_look (data, end_well, error);
}

/* Waits for the operation beside @other. Returns: what came, in *@error too. */
static gboolean
await_beside (TractorTaskFunc other, gboolean *ret_caught, GError **error)
{
  g_autoptr (TractorEvent) cancelled = tractor_event_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (GAsyncResult) result = NULL;
  Operation operation = { .cancelled = cancelled, .scope = scope };
  GMainContext *before = g_main_context_get_thread_default ();
  GError *failure = NULL;
  gboolean ok;

  g_assert_true (tractor_nursery_spawn (nursery, "other", other, &operation, NULL, error));
  result = tractor_glib_await (start_operation, &operation, error);
  operation.has_returned = TRUE;
  g_assert_nonnull (result);
  g_assert_true (g_main_context_get_thread_default () == before);
  ok = tractor_glib_await_finish (g_task_propagate_boolean (G_TASK (result), error), error);
  tractor_cancel_scope_absorb (scope, error);
  *ret_caught = tractor_cancel_scope_get_cancelled_caught (scope);
  g_clear_pointer (&scope, tractor_cancel_scope_close);
  g_assert_true (tractor_nursery_join (nursery, &failure));
  return ok;
}

static gboolean
test_await_returns (G_GNUC_UNUSED gpointer data, GError **error)
{
  gboolean was_caught;

  g_assert_true (await_beside (end_well, &was_caught, error));
  g_assert_false (was_caught);
  return TRUE;
}

/* On a context that is not the thread-default one, the operation reports to it all the same. */
static gboolean
await_pushed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) cancelled = tractor_event_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GAsyncResult) result = NULL;
  Operation operation = { .cancelled = cancelled };

  g_assert_null (g_main_context_get_thread_default ());
  tractor_nursery_spawn (nursery, "other", end_well, &operation, NULL, error);
  result = tractor_glib_await (start_operation, &operation, error);
  g_assert_nonnull (result);
  g_assert_true (operation.context == data);
  g_assert_null (g_main_context_get_thread_default ());
  g_assert_true (g_task_propagate_boolean (G_TASK (result), error));
  return tractor_nursery_join (nursery, error);
}

static void
quit_well (const GError *error, gpointer loop)
{
  g_assert_no_error (error);
  g_main_loop_quit (loop);
}

static void
test_await_context (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  g_autoptr (GError) error = NULL;

  tractor_glib_attach (context, await_pushed, context, quit_well, loop, &error);
  g_assert_no_error (error);
  g_main_loop_run (loop);
}

static gboolean
test_await_cancel_waits (G_GNUC_UNUSED gpointer data, GError **error)
{
  gboolean was_caught;

  g_assert_false (await_beside (cancel_then_end_as_cancelled, &was_caught, error));
  g_assert_true (was_caught);
  return *error == NULL;
}

static gboolean
test_await_success_stays (G_GNUC_UNUSED gpointer data, GError **error)
{
  gboolean was_caught;

  g_assert_true (await_beside (cancel_then_end_well, &was_caught, error));
  g_assert_false (was_caught);
  return *error == NULL;
}

static gboolean
test_await_foreign_cancel (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;
  gboolean was_caught;

  g_assert_false (await_beside (end_as_cancelled, &was_caught, &error));
  harness_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  return TRUE;
}

static void
never_start (G_GNUC_UNUSED GCancellable *cancellable,
             G_GNUC_UNUSED GAsyncReadyCallback callback,
             G_GNUC_UNUSED gpointer callback_data,
             G_GNUC_UNUSED gpointer data)
{
  g_assert_not_reached ();
}

static void
assert_refused (int code)
{
  GError *error = NULL;

  g_assert_null (tractor_glib_await (never_start, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, code);
}

static gboolean
test_await_when_cancelled (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_cancel (scope, NULL);
  assert_refused (TRACTOR_ERROR_CANCELLED);
  return TRUE;
}

static gboolean
assert_misuse (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  assert_refused (TRACTOR_ERROR_MISUSE);
  return TRUE;
}

static void
test_await_elsewhere (void)
{
  assert_misuse (NULL, NULL);
  g_assert_true (tractor_run (assert_misuse, NULL, NULL));
}

static gboolean
assert_nested (gpointer loop)
{
  assert_refused (TRACTOR_ERROR_NESTED_HOST_LOOP);
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

static void
call_later (guint msec, GSourceFunc func, gpointer data)
{
  GSource *source = msec > 0 ? g_timeout_source_new (msec) : g_idle_source_new ();

  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  g_source_unref (source);
}

static gboolean
test_await_nested (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (g_main_context_get_thread_default (), FALSE);

  call_later (0, assert_nested, loop);
  g_main_loop_run (loop);
  return TRUE;
}

/* --- calls from callbacks ---------------------------------------------------------------------------- */

typedef struct {
  TractorNursery *nursery;
  TractorGlibFunc func;
  GCancellable *cancellable;
  TractorEvent *begun;
  TractorEvent *answered;
  guint n_answers;
  guint n_freed;
  char *result;
  GError *error;
  GMainLoop *nested; /* (nullable) */
} Caller;

static void
count_freed (gpointer data)
{
  ((Caller *) data)->n_freed++;
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  Caller *caller = data;

  g_assert_null (source);
  g_assert_null (tractor_guest_get_current ()); /* no task below us */
  g_assert_cmpuint (caller->n_freed, ==, 1);
  caller->n_answers++;
  caller->result = tractor_glib_call_finish (result, &caller->error);
  tractor_event_set (caller->answered);
}

static gboolean
call_now (gpointer data)
{
  Caller *caller = data;

  tractor_glib_call_async (caller->nursery, caller->func, caller, count_freed, g_free,
                           caller->cancellable, on_answer, caller);
  return G_SOURCE_REMOVE;
}

static Caller *
caller_new (TractorNursery *nursery, TractorGlibFunc func)
{
  Caller *caller = g_new0 (Caller, 1);

  caller->nursery = nursery;
  caller->func = func;
  caller->cancellable = g_cancellable_new ();
  caller->begun = tractor_event_new ();
  caller->answered = tractor_event_new ();
  return caller;
}

static void
caller_free (Caller *caller)
{
  g_clear_object (&caller->cancellable);
  tractor_event_free (caller->begun);
  tractor_event_free (caller->answered);
  g_clear_error (&caller->error);
  g_free (caller->result);
  g_free (caller);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Caller, caller_free)

static gpointer
say_hello (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_true (tractor_in_task ());
  return tractor_checkpoint (error) ? g_strdup ("hello") : NULL;
}

static gpointer
fail (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "nothing there");
  return NULL;
}

static gpointer
wait_for_ever (gpointer data, GError **error)
{
  Caller *caller = data;

  tractor_event_set (caller->begun);
  tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  return NULL;
}

static gpointer
wait_and_succeed (gpointer data, G_GNUC_UNUSED GError **error)
{
  wait_for_ever (data, NULL);
  return g_strdup ("all the same");
}

static gboolean
call_and_wait (Caller *caller, GError **error)
{
  call_later (0, call_now, caller);
  if (!tractor_event_wait (caller->answered, error))
    return FALSE;
  g_assert_cmpuint (caller->n_answers, ==, 1);
  return TRUE;
}

static gboolean
test_call_result (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (Caller) caller = caller_new (nursery, say_hello);

  g_assert_true (call_and_wait (caller, error));
  g_assert_no_error (caller->error);
  g_assert_cmpstr (caller->result, ==, "hello");
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_call_failure (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (Caller) caller = caller_new (nursery, fail);

  g_assert_true (call_and_wait (caller, error));
  g_assert_error (caller->error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  return tractor_nursery_join (nursery, error); /* which has not failed */
}

static gboolean
cancel_caller (gpointer data)
{
  g_cancellable_cancel (((Caller *) data)->cancellable);
  return G_SOURCE_REMOVE;
}

/* @cancel: called by the loop when the function waits. */
static void
call_and_cancel (TractorGlibFunc func, GSourceFunc cancel, Caller **ret_caller)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Caller *caller = caller_new (nursery, func);
  GError *error = NULL;

  call_later (0, call_now, caller);
  g_assert_true (tractor_event_wait (caller->begun, &error));
  call_later (0, cancel, caller);
  g_assert_true (tractor_nursery_join (nursery, &error));
  g_assert_cmpuint (caller->n_answers, ==, 1); /* the nursery has waited for it */
  *ret_caller = caller;
}

static gboolean
test_call_cancelled (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (Caller) caller = NULL;

  call_and_cancel (wait_for_ever, cancel_caller, &caller);
  g_assert_error (caller->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  return TRUE;
}

static gpointer
cancel_in_thread (gpointer data)
{
  cancel_caller (data);
  return NULL;
}

static gboolean
cancel_by_thread (gpointer data)
{
  g_thread_join (g_thread_new ("canceller", cancel_in_thread, data));
  return G_SOURCE_REMOVE;
}

static gboolean
test_call_cancelled_by_thread (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (Caller) caller = NULL;

  call_and_cancel (wait_for_ever, cancel_by_thread, &caller);
  g_assert_error (caller->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  return TRUE;
}

static gboolean
test_call_success_stays (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (Caller) caller = NULL;

  call_and_cancel (wait_and_succeed, cancel_caller, &caller);
  g_assert_no_error (caller->error);
  g_assert_cmpstr (caller->result, ==, "all the same");
  return TRUE;
}

static gboolean
cancel_nursery (gpointer data)
{
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (((Caller *) data)->nursery), NULL);
  return G_SOURCE_REMOVE;
}

static gboolean
test_call_nursery_cancelled (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (Caller) caller = NULL;

  call_and_cancel (wait_for_ever, cancel_nursery, &caller);
  g_assert_error (caller->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  return TRUE;
}

static gpointer
never_called (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_assert_not_reached ();
}

static gboolean
test_call_cancelled_before (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (Caller) caller = caller_new (nursery, never_called);

  g_cancellable_cancel (caller->cancellable);
  g_assert_true (call_and_wait (caller, error));
  g_assert_error (caller->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_call_nursery_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (Caller) caller = caller_new (nursery, never_called);

  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (call_and_wait (caller, error));
  g_assert_error (caller->error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

/* Nobody wants to know: the task runs, and its result is freed, says ASan. */
static gboolean
test_call_without_callback (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_glib_call_async (nursery, say_hello, NULL, NULL, g_free, NULL, NULL, NULL);
  return tractor_nursery_join (nursery, error);
}

static gpointer
return_receiver (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_signal_receiver_open (&(int){ SIGUSR1 }, 1, error);
}

static gpointer
leave_receiver (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_nonnull (tractor_signal_receiver_open (&(int){ SIGUSR1 }, 1, error));
  return g_strdup ("done");
}

static void
on_left_open (G_GNUC_UNUSED GObject *source, GAsyncResult *result, gpointer answered)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (tractor_glib_call_finish (result, &error));
  g_assert_true (tractor_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  tractor_event_set (answered);
}

/* What a function has opened is its task's: it is closed before the callback, which hears of the mistake. */
static gboolean
test_call_leaves_open (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const struct {
    TractorGlibFunc func;
    GDestroyNotify result_free;
  } calls[] = { { return_receiver, (GDestroyNotify) tractor_signal_receiver_close },
                { return_receiver, NULL },
                { leave_receiver, g_free } };

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++) {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    g_autoptr (TractorEvent) answered = tractor_event_new ();

    tractor_glib_call_async (nursery, calls[i].func, NULL, NULL, calls[i].result_free, NULL,
                             on_left_open, answered);
    g_assert_true (tractor_event_wait (answered, error));
    g_assert_true (tractor_nursery_join (nursery, error));
  }
  return TRUE;
}

/* --- on whose stack --------------------------------------------------------------------------------- */

static gboolean
quit_nested (gpointer data)
{
  Caller *caller = data;

  g_assert_cmpuint (caller->n_answers, ==, 0);
  g_main_loop_quit (caller->nested);
  return G_SOURCE_REMOVE;
}

/* A task runs a loop, in which another task ends: its callback waits, and nobody turns in circles. */
static gboolean
test_call_in_nested_loop (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (g_main_context_get_thread_default (), FALSE);
  g_autoptr (Caller) caller = caller_new (nursery, say_hello);
  gint64 cpu_before = harness_get_cpu_usec ();

  caller->nested = loop;
  call_later (0, call_now, caller);
  call_later (100, quit_nested, caller);
  g_main_loop_run (loop);
  g_assert_cmpint (harness_get_cpu_usec () - cpu_before, <, 50000 * harness_get_slowness ());
  g_assert_cmpuint (caller->n_freed, ==, 1); /* the function has returned */
  g_assert_cmpuint (caller->n_answers, ==, 0);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (caller->n_answers, ==, 1);
  return TRUE;
}

/* --- loops that wait for themselves ------------------------------------------------------------------- */

/* How long a nested loop may run before it is told what waits for it, and a little more. */
#define HELD_UP_MSEC 3500

static gboolean
quit_loop (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

/* Nested: what has been expected is told in time, and the thread sleeps meanwhile. */
static void
run_nested_until_told (GMainContext *context)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  g_autoptr (GSource) source = g_timeout_source_new (HELD_UP_MSEC);
  gint64 cpu_before = harness_get_cpu_usec ();

  g_source_set_callback (source, quit_loop, loop, NULL);
  g_source_attach (source, context);
  g_main_loop_run (loop);
  g_test_assert_expected_messages ();
  g_assert_cmpint (harness_get_cpu_usec () - cpu_before, <, 200000 * harness_get_slowness ());
}

/* A synchronous call made of an asynchronous one: the answer would come after the loop. */
static gboolean
test_sync_over_async (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (Caller) caller = caller_new (nursery, say_hello);

  g_test_expect_message ("tractor", G_LOG_LEVEL_WARNING,
                         "Task 'main' has been running a loop of its own for 3 s*");
  call_now (caller);
  run_nested_until_told (g_main_context_get_thread_default ());
  g_assert_cmpuint (caller->n_answers, ==, 0);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (caller->n_answers, ==, 1);
  return TRUE;
}

static void
note_done (G_GNUC_UNUSED const GError *error, gpointer data)
{
  ++*(guint *) data;
}

static gboolean
return_true (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

typedef struct {
  TractorNursery *nursery;
  guint n_done;
} Spawning;

static gboolean
spawn_from_host (gpointer data)
{
  Spawning *spawning = data;

  tractor_spawn_from_host (spawning->nursery, "short", return_true, NULL, NULL, note_done,
                           &spawning->n_done);
  return G_SOURCE_REMOVE;
}

/* Also what the guest itself has to call on the host's stack. */
static gboolean
test_held_up_host_call (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Spawning spawning = { nursery, 0 };

  g_test_expect_message ("tractor", G_LOG_LEVEL_WARNING,
                         "Task 'main' has been running a loop of its own for 3 s*");
  call_later (0, spawn_from_host, &spawning);
  run_nested_until_told (g_main_context_get_thread_default ());
  g_assert_cmpuint (spawning.n_done, ==, 0);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (spawning.n_done, ==, 1);
  return TRUE;
}

/* A loop that nothing waits for may take as long as a user likes. */
static gboolean
test_long_nested_loop (G_GNUC_UNUSED gpointer data, GError **error)
{
  run_nested_until_told (g_main_context_get_thread_default ());
  return tractor_checkpoint (error);
}

static gboolean
test_default_context (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_true (g_main_context_get_thread_default () != g_main_context_default ());
  g_test_expect_message ("tractor", G_LOG_LEVEL_WARNING,
                         "Task 'main' has been iterating the default GMainContext for 3 s*");
  run_nested_until_told (NULL);
  return tractor_checkpoint (error);
}

/* The program quits its loop at the end of its guest: by then it has had every answer. */
typedef struct {
  GMainLoop *loop;
  guint n_calls;
  guint n_answers;
} Program;

static void
count_answer (G_GNUC_UNUSED GObject *source, GAsyncResult *result, gpointer data)
{
  g_assert_null (tractor_glib_call_finish (result, NULL));
  ((Program *) data)->n_answers++;
}

static void
count_cancelled (G_GNUC_UNUSED GObject *source, GAsyncResult *result, gpointer data)
{
  GError *error = NULL;

  g_assert_null (tractor_glib_call_finish (result, &error));
  harness_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  ((Program *) data)->n_answers++;
}

static gboolean
call_often (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Program *program = data;

  for (guint i = 0; i < program->n_calls; i++)
    tractor_glib_call_async (
        nursery, i % 2 == 0 ? fail : wait_for_ever, i % 2 == 0 ? NULL : caller_new (NULL, NULL),
        i % 2 == 0 ? NULL : (GDestroyNotify) caller_free, NULL, NULL, count_answer, program);
  tractor_checkpoint (NULL);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error);
}

static void
quit_program (const GError *error, gpointer data)
{
  quit_well (error, ((Program *) data)->loop);
}

static void
test_call_before_done (void)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Program program = { .loop = loop, .n_calls = 100 };
  g_autoptr (GError) error = NULL;

  tractor_glib_attach (NULL, call_often, &program, quit_program, &program, &error);
  g_assert_no_error (error);
  g_main_loop_run (loop);
  g_assert_cmpuint (program.n_answers, ==, 100);
}

/* A guest that goes with its context before its tasks have ended: who has called hears of it. */
static gboolean
call_and_stay (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Caller *caller = caller_new (nursery, wait_for_ever);
  Program *program = data;

  g_main_context_push_thread_default (g_main_context_default ());
  tractor_glib_call_async (nursery, wait_for_ever, caller, (GDestroyNotify) caller_free, NULL, NULL,
                           count_cancelled, program);
  g_main_context_pop_thread_default (g_main_context_default ());
  g_assert_true (tractor_event_wait (caller->begun, error));
  g_main_loop_quit (program->loop);
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static void
never_done (G_GNUC_UNUSED const GError *error, G_GNUC_UNUSED gpointer data)
{
  g_assert_not_reached ();
}

static void
test_call_guest_freed (void)
{
  GMainContext *context = g_main_context_new ();
  GMainLoop *loop = g_main_loop_new (context, FALSE);
  Program program = { .loop = loop };

  g_assert_nonnull (tractor_glib_attach (context, call_and_stay, &program, never_done, NULL, NULL));
  g_main_loop_run (loop);
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "A guest is freed while 2 *");
  g_main_loop_unref (loop);
  g_main_context_unref (context);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (program.n_answers, ==, 0);
  while (program.n_answers == 0)
    g_main_context_iteration (NULL, TRUE);
}

static gboolean
hurry_away (gpointer data, G_GNUC_UNUSED GError **error)
{
  tractor_glib_call_async (data, say_hello, NULL, NULL, g_free, NULL, NULL, NULL);
  return TRUE;
}

static gboolean
test_call_from_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "caller", hurry_away, nursery, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static void
start_worker_of_gio (void)
{
  g_type_ensure (G_TYPE_TASK);
}

/* --- with an application --------------------------------------------------------------------------------- */

typedef struct {
  GApplication *application;
  TractorTaskFunc main;
  gboolean quits;
  gboolean has_started;
  gboolean has_ended;
  gboolean is_done;
  GError *error;
} App;

/* Takes a while to end, as a tree of actors does. */
static gboolean
live_until_cancelled (gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;
  App *app = data;

  app->has_started = TRUE;
  tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  scope = tractor_cancel_scope_open (tractor_now () + G_USEC_PER_SEC / 20);
  tractor_cancel_scope_set_shield (scope, TRUE);
  tractor_sleep_until (TRACTOR_NO_DEADLINE, NULL);
  app->has_ended = TRUE;
  return FALSE;
}

static gboolean
fail_at_once (gpointer data, GError **error)
{
  ((App *) data)->has_ended = TRUE;
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no paper");
  return FALSE;
}

static void
on_app_done (const GError *error, gpointer data)
{
  App *app = data;

  g_assert_true (app->has_ended);
  app->is_done = TRUE;
  app->error = error != NULL ? g_error_copy (error) : NULL;
}

static gboolean
quit_once_it_runs (gpointer data)
{
  App *app = data;

  if (!app->has_started)
    return G_SOURCE_CONTINUE;
  g_application_quit (app->application);
  return G_SOURCE_REMOVE;
}

static void
on_activate (GApplication *application, gpointer data)
{
  App *app = data;
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (
      tractor_glib_attach_to_application (application, app->main, app, on_app_done, app, &error));
  g_assert_no_error (error);
  if (app->quits)
    g_idle_add (quit_once_it_runs, app);
}

static void
run_app (App *app)
{
  app->application = g_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  g_signal_connect (app->application, "activate", G_CALLBACK (on_activate), app);
  g_application_run (app->application, 0, NULL);
  g_assert_true (app->is_done);
  g_object_unref (app->application);
}

static void
test_application_quits (void)
{
  App app = { .main = live_until_cancelled, .quits = TRUE };

  run_app (&app);
  harness_assert_error (app.error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
}

static void
test_application_is_held (void)
{
  App app = { .main = fail_at_once };

  run_app (&app);
  harness_assert_error (app.error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
}

/* --- windows: an application with what is asked of a GtkApplication -------------------------------------- */

struct _Windowed {
  GApplication parent_instance;
  guint n_windows;
};

G_DECLARE_FINAL_TYPE (Windowed, windowed, TEST, WINDOWED, GApplication)
G_DEFINE_TYPE (Windowed, windowed, G_TYPE_APPLICATION)

static void
windowed_init (G_GNUC_UNUSED Windowed *self)
{
}

static void
windowed_get_property (GObject *object, G_GNUC_UNUSED guint id, GValue *value, GParamSpec *spec)
{
  g_assert_cmpstr (spec->name, ==, "active-window");
  g_value_set_object (value, TEST_WINDOWED (object)->n_windows > 0 ? object : NULL);
}

static void
windowed_class_init (WindowedClass *class)
{
  G_OBJECT_CLASS (class)->get_property = windowed_get_property;
  g_object_class_install_property (G_OBJECT_CLASS (class), 1,
                                   g_param_spec_object ("active-window", NULL, NULL, G_TYPE_OBJECT,
                                                        G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  g_signal_new ("window-removed", windowed_get_type (), G_SIGNAL_RUN_FIRST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 1, G_TYPE_OBJECT);
}

static gboolean
close_windows (gpointer data)
{
  App *app = data;
  Windowed *windowed = TEST_WINDOWED (app->application);

  if (!app->has_started)
    return G_SOURCE_CONTINUE;
  g_assert_false (app->has_ended);
  windowed->n_windows--;
  g_signal_emit_by_name (windowed, "window-removed", windowed);
  return windowed->n_windows > 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void
test_application_closes_its_last_window (void)
{
  App app = { .main = live_until_cancelled };
  Windowed *windowed = g_object_new (windowed_get_type (), "flags", G_APPLICATION_NON_UNIQUE, NULL);

  windowed->n_windows = 2;
  app.application = G_APPLICATION (windowed);
  g_signal_connect (windowed, "activate", G_CALLBACK (on_activate), &app);
  g_idle_add (close_windows, &app);
  g_application_run (app.application, 0, NULL);
  g_assert_true (app.is_done);
  harness_assert_error (app.error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_object_unref (windowed);
}

/* Each code has a name of its own on the bus, and comes back from there. */
static gboolean
test_dbus (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  for (int code = 0; code <= TRACTOR_ERROR_DEBUG_QUIT; code++) {
    g_autoptr (GError) sent = g_error_new_literal (TRACTOR_ERROR, code, "no paper");
    g_autofree char *name = g_dbus_error_encode_gerror (sent);
    g_autoptr (GError) got = g_dbus_error_new_for_dbus_error (name, sent->message);

    g_assert_true (g_str_has_prefix (name, "org.tractor.Error."));
    g_assert_true (g_dbus_is_interface_name (name));
    g_assert_true (g_dbus_error_strip_remote_error (got));
    g_assert_error (got, TRACTOR_ERROR, code);
    g_assert_cmpstr (got->message, ==, "no paper");
    g_assert_null (tractor_error_get_remote (got));
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_set_prepare (start_worker_of_gio);

  harness_add_glib_task ("/await/returns-what-came", test_await_returns);
  harness_add ("/await/reports-to-the-guests-context", test_await_context);
  harness_add_glib_task ("/await/cancel-waits-for-the-callback", test_await_cancel_waits);
  harness_add_glib_task ("/await/success-stays-one-in-spite-of-a-cancel", test_await_success_stays);
  harness_add_glib_task ("/await/foreign-cancel-stays-gios", test_await_foreign_cancel);
  harness_add_glib_task ("/await/cancelled-before-is-not-started", test_await_when_cancelled);
  harness_add ("/await/elsewhere-is-misuse", test_await_elsewhere);
  harness_add_glib_task ("/await/refused-in-a-nested-loop", test_await_nested);

  harness_add_glib_task ("/call/result", test_call_result);
  harness_add_glib_task ("/call/failure-is-the-callers", test_call_failure);
  harness_add_glib_task ("/call/cancelled-by-its-cancellable", test_call_cancelled);
  harness_add_glib_task ("/call/cancelled-by-another-thread", test_call_cancelled_by_thread);
  harness_add_glib_task ("/call/success-stays-one-in-spite-of-a-cancel", test_call_success_stays);
  harness_add_glib_task ("/call/cancelled-with-its-nursery", test_call_nursery_cancelled);
  harness_add_glib_task ("/call/cancelled-before-is-not-run", test_call_cancelled_before);
  harness_add_glib_task ("/call/closed-nursery", test_call_nursery_closed);
  harness_add_glib_task ("/call/without-a-callback", test_call_without_callback);
  harness_add_glib_task ("/call/leaves-open", test_call_leaves_open);
  harness_add_glib_task ("/call/from-a-task", test_call_from_task);
  harness_add_glib_task ("/call/callback-waits-for-the-end-of-a-tasks-loop",
                         test_call_in_nested_loop);
  harness_add_glib_task ("/nested/sync-over-async-is-told", test_sync_over_async);
  harness_add_glib_task ("/nested/held-up-host-call-is-told", test_held_up_host_call);
  harness_add_glib_task ("/nested/long-loop-is-not-told", test_long_nested_loop);
  harness_add_glib_task ("/nested/default-context-is-told", test_default_context);
  harness_add ("/call/answered-although-the-guest-is-freed", test_call_guest_freed);
  harness_add ("/call/callbacks-come-before-the-end-of-the-guest", test_call_before_done);

  harness_add_glib_task ("/errors/cross-dbus", test_dbus);
  harness_add ("/application/quits-when-all-has-ended", test_application_quits);
  harness_add ("/application/is-held-until-the-main-task-ends", test_application_is_held);
  harness_add ("/application/ends-with-its-last-window", test_application_closes_its_last_window);

  return harness_run ();
}
