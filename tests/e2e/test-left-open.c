/* test-left-open.c - what a task has opened and not closed: actor nurseries, runtimes, contexts.
 *
 * One-way streams, too. They are to behave as a plain nursery does: the task's own error and the misuse come out, nothing
 * hangs, and no process is left. What was joined, but not closed, is no mistake. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>

#include "actors.h"
#include "tractor-signal.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
stay (TractorContext *context,
      G_GNUC_UNUSED GVariant *kwargs,
      G_GNUC_UNUSED GVariant **ret_result,
      GError **error)
{
  return tractor_context_started (context, NULL, error) &&
         tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static int n_streaming;

/* Sends until it is stopped. */
static gboolean
stream_on (TractorStream *stream, G_GNUC_UNUSED GVariant *kwargs, GError **error)
{
  n_streaming++;
  while (tractor_stream_send (stream, NULL, error))
    ;
  n_streaming--;
  return FALSE;
}

static gboolean
count_streaming (G_GNUC_UNUSED GVariant *kwargs,
                 GVariant **ret_result,
                 G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_int64 (n_streaming);
  return TRUE;
}

/* Of a function, whose task serves others too. */
static gboolean
leave_signal_receiver (G_GNUC_UNUSED GVariant *kwargs,
                       G_GNUC_UNUSED GVariant **ret_result,
                       GError **error)
{
  return tractor_signal_receiver_open (&(int){ SIGUSR1 }, 1, error) != NULL;
}

static const TractorExport test_exports[] = {
  { "leave_signal_receiver", TRACTOR_EXPORT_CALL, .call = leave_signal_receiver },
  { "stay", TRACTOR_EXPORT_CONTEXT, .context = stay },
  { "stream_on", TRACTOR_EXPORT_STREAM, .stream = stream_on },
  { "count_streaming", TRACTOR_EXPORT_CALL, .call = count_streaming },
  { NULL },
};
static const TractorModule modules[] = { { "test", test_exports }, { NULL } };

/* --- helpers ------------------------------------------------------------------------------------- */

static TractorPortal *
start (TractorActorNursery *nursery, const char *name, GError **error)
{
  return tractor_actor_nursery_start (
      nursery, name, &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
}

static gboolean
set_own_failure (GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return FALSE;
}

static void
assert_misuse_of (const GError *error, const char *kind)
{
  g_autofree char *words = tractor_error_describe (error);
  g_autofree char *wanted = g_strdup_printf ("%s that it opened inside was still open", kind);

  g_assert_true (tractor_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_assert_nonnull (strstr (words, wanted));
  /* One mistake is told once: not that of what comes along with it. */
  g_assert_null (strstr (strstr (words, wanted) + strlen (wanted), "was still open"));
}

/* Runs @func in a task of its own. Returns: (transfer full) (nullable): what it ended with. */
static GError *
run_task (TractorTaskFunc func, gpointer data)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *error = NULL;

  tractor_nursery_spawn (nursery, "offender", func, data, NULL, &error);
  tractor_nursery_join (nursery, &error);
  g_assert_null (tractor_actor_get_name ());
  assert_no_child_process ();
  return error;
}

/* --- left by the end of the task ------------------------------------------------------------------ */

static gboolean
leave_runtime (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_nonnull (tractor_runtime_open (NULL, error));
  return set_own_failure (error);
}

static gboolean
leave_nursery (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_nonnull (tractor_actor_nursery_open (error));
  return set_own_failure (error);
}

static gboolean
leave_child (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorActorNursery *nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "child", error);

  g_assert_nonnull (portal);
  return set_own_failure (error);
}

static void
assert_both_come_out (TractorTaskFunc func, const char *kind)
{
  g_autoptr (GError) error = run_task (func, NULL);

  g_assert_true (tractor_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  assert_misuse_of (error, kind);
}

static gboolean
test_early_return (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  assert_both_come_out (leave_runtime, "an actor runtime");
  assert_both_come_out (leave_nursery, "an actor nursery");
  assert_both_come_out (leave_child, "an actor nursery");
  return TRUE;
}

/* --- left by leaving what is around ---------------------------------------------------------------- */

/* What is open inside, as it was found: by g_autoptr it is closed after that. */
typedef enum {
  RUNTIME,
  NURSERY,
  CHILD
} What;

static const char *const kinds[] = {
  [RUNTIME] = "an actor runtime",
  [NURSERY] = "an actor nursery",
  [CHILD] = "an actor nursery",
};

static gboolean
absorb_around (gpointer data, GError **error)
{
  What what = GPOINTER_TO_UINT (data);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorRuntime) runtime = what == RUNTIME ? tractor_runtime_open (NULL, error) : NULL;
  g_autoptr (TractorActorNursery) nursery =
      what != RUNTIME ? tractor_actor_nursery_open (error) : NULL;
  g_autoptr (TractorPortal) portal = what == CHILD ? start (nursery, "child", error) : NULL;

  g_assert_no_error (*error);
  return tractor_cancel_scope_absorb (scope, error);
}

static gboolean
join_around (gpointer data, GError **error)
{
  What what = GPOINTER_TO_UINT (data);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  g_autoptr (TractorRuntime) runtime = what == RUNTIME ? tractor_runtime_open (NULL, error) : NULL;
  g_autoptr (TractorActorNursery) nursery =
      what != RUNTIME ? tractor_actor_nursery_open (error) : NULL;
  g_autoptr (TractorPortal) portal = what == CHILD ? start (nursery, "child", error) : NULL;

  g_assert_no_error (*error);
  return tractor_nursery_join (tasks, error);
}

static gboolean
close_runtime_around (gpointer data, GError **error)
{
  What what = GPOINTER_TO_UINT (data);
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (NULL, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = what == CHILD ? start (nursery, "child", error) : NULL;

  g_assert_no_error (*error);
  tractor_runtime_close (g_steal_pointer (&runtime));
  return TRUE;
}

static void
assert_misuse_comes_out (TractorTaskFunc func, What what)
{
  g_autoptr (GError) error = run_task (func, GUINT_TO_POINTER (what));

  assert_misuse_of (error, kinds[what]);
}

static gboolean
test_left_by_what_is_around (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  for (What what = RUNTIME; what <= CHILD; what++) {
    assert_misuse_comes_out (absorb_around, what);
    assert_misuse_comes_out (join_around, what);
    if (what != RUNTIME)
      assert_misuse_comes_out (close_runtime_around, what);
  }
  return TRUE;
}

/* --- joined, and not closed ------------------------------------------------------------------------ */

static gboolean
join_and_absorb (gpointer is_explicit, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + 60 * SECOND);
  g_autoptr (TractorRuntime) runtime =
      is_explicit != NULL ? tractor_runtime_open (NULL, error) : NULL;
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "child", error);

  tractor_actor_nursery_cancel (nursery);
  g_assert_true (tractor_actor_nursery_join (nursery, error));
  tractor_actor_nursery_cancel (nursery); /* harmless */
  g_clear_pointer (&runtime, tractor_runtime_close);
  return tractor_cancel_scope_absorb (scope, error);
}

static gboolean
forget_joined (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorActorNursery *nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "child", error);

  tractor_actor_nursery_cancel (nursery);
  g_assert_true (tractor_actor_nursery_join (nursery, error));
  tractor_actor_nursery_close (nursery);
  return tractor_portal_cancel_actor (portal, TRACTOR_NO_DEADLINE, error); /* without a runtime */
}

static gboolean
test_joined_and_not_closed (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_assert_null (run_task (join_and_absorb, NULL));
  g_assert_null (run_task (join_and_absorb, GINT_TO_POINTER (1)));
  g_assert_null (run_task (forget_joined, NULL));
  return TRUE;
}

/* --- a runtime that others use ---------------------------------------------------------------------- */

typedef struct {
  TractorEvent *is_up;
  TractorTaskFunc lender;
} Lent;

/* Uses the runtime that another task has opened, until that is taken away. */
static gboolean
borrow (gpointer data, GError **error)
{
  Lent *lent = data;
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "child", error);
  GError *failure = NULL;

  g_assert_no_error (*error);
  tractor_event_set (lent->is_up);
  tractor_sleep_until (TRACTOR_NO_DEADLINE, &failure);
  g_assert_false (tractor_actor_nursery_join (nursery, &failure));
  harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  return TRUE;
}

static gboolean
close_runtime_in_use (gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (NULL, error);

  return tractor_event_wait (((Lent *) data)->is_up, error);
}

static gboolean
return_early_from_lending (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  g_assert_true (tractor_event_wait (((Lent *) data)->is_up, error));
  return set_own_failure (error);
}

static gboolean
fail_while_lending (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  g_assert_true (tractor_event_wait (((Lent *) data)->is_up, error));
  set_own_failure (error);
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
leave_lent_open (gpointer data, GError **error)
{
  g_assert_nonnull (tractor_actor_nursery_open (error));
  return tractor_event_wait (((Lent *) data)->is_up, error);
}

static gboolean
lend (gpointer data, G_GNUC_UNUSED GError **error)
{
  Lent *lent = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *failure = NULL;

  tractor_nursery_spawn (nursery, "lender", lent->lender, lent, NULL, &failure);
  g_assert_true (
      tractor_wait_all_tasks_blocked (0, NULL)); /* the runtime is there, and is this one's */
  tractor_nursery_spawn (nursery, "borrower", borrow, lent, NULL, &failure);
  tractor_nursery_join (nursery, &failure);
  g_clear_error (&failure);
  return TRUE;
}

static gboolean
test_runtime_in_use (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const TractorTaskFunc lenders[] = { close_runtime_in_use, return_early_from_lending,
                                             fail_while_lending, leave_lent_open };

  for (guint i = 0; i < G_N_ELEMENTS (lenders); i++) {
    g_autoptr (TractorEvent) is_up = tractor_event_new ();

    g_assert_null (run_task (lend, &(Lent){ is_up, lenders[i] }));
  }
  return TRUE;
}

/* --- contexts ---------------------------------------------------------------------------------------- */

static gboolean
leave_context (gpointer portal, GError **error)
{
  g_assert_nonnull (tractor_portal_open_context (portal, "test:stay", NULL, NULL, NULL, error));
  return set_own_failure (error);
}

static gboolean
absorb_around_context (gpointer portal, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorContext) context =
      tractor_portal_open_context (portal, "test:stay", NULL, NULL, NULL, error);

  g_assert_nonnull (context);
  return tractor_cancel_scope_absorb (scope, error);
}

static gboolean
fail_dead_context (gpointer portal, GError **error)
{
  TractorContext *context =
      tractor_portal_open_context (portal, "test:stay", NULL, NULL, NULL, error);

  g_assert_nonnull (context);
  tractor_portal_cancel_actor (portal, TRACTOR_NO_DEADLINE, error);
  g_clear_error (error);
  return TRUE;
}

static void
assert_context_misuse (TractorTaskFunc func, gpointer portal, TractorError also)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GError) error = NULL;

  tractor_nursery_spawn (nursery, "offender", func, portal, NULL, &error);
  g_assert_false (tractor_nursery_join (nursery, &error));
  assert_misuse_of (error, "a context");
  g_assert_true (tractor_error_matches (error, TRACTOR_ERROR, also));
}

/* The function at the other end has ended, too, by the time that the task has. */
static gboolean
test_context (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "child", error);

  assert_context_misuse (leave_context, portal, TRACTOR_ERROR_MISUSE);
  assert_context_misuse (absorb_around_context, portal, TRACTOR_ERROR_MISUSE);
  assert_context_misuse (fail_dead_context, portal, TRACTOR_ERROR_CONTEXT_CANCELLED);
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

/* --- one-way streams ---------------------------------------------------------------------------------- */

static TractorStream *
open_stream (TractorPortal *portal)
{
  g_autoptr (GError) error = NULL;
  TractorStream *stream = tractor_portal_open_stream (portal, "test:stream_on", NULL, NULL, &error);
  GVariant *item;

  g_assert_no_error (error);
  g_assert_true (tractor_stream_receive (stream, &item, &error));
  return stream;
}

static gboolean
leave_stream (gpointer portal, GError **error)
{
  open_stream (portal);
  return set_own_failure (error);
}

typedef struct {
  TractorPortal *portal;
  TractorStream *streams[3];
} Streams;

static void
close_streams (gpointer data)
{
  Streams *streams = data;

  for (guint i = 0; i < G_N_ELEMENTS (streams->streams); i++)
    g_clear_pointer (&streams->streams[i], tractor_stream_close); /* the oldest first */
}

static gboolean
leave_streams_to_data_free (gpointer data, G_GNUC_UNUSED GError **error)
{
  Streams *streams = data;

  for (guint i = 0; i < G_N_ELEMENTS (streams->streams); i++)
    streams->streams[i] = open_stream (streams->portal);
  return TRUE;
}

/* Of a stream that another task of the opener's receives. */
static gboolean
expect_closed (gpointer stream, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GError) failure = NULL;
  GVariant *item;

  while (tractor_stream_receive (stream, &item, &failure))
    ;
  harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  failure = NULL;
  return TRUE;
}

typedef struct {
  TractorPortal *portal;
  TractorNursery *outer;
} Lender;

static gboolean
leave_stream_to_another (gpointer data, GError **error)
{
  Lender *lender = data;

  return tractor_nursery_spawn (lender->outer, "receiver", expect_closed,
                                open_stream (lender->portal), NULL, error) &&
         tractor_wait_all_tasks_blocked (0, error) && set_own_failure (error);
}

static void
assert_nothing_streams (TractorPortal *portal, GError **error)
{
  g_autoptr (GVariant) n = NULL;

  g_assert_true (tractor_portal_call (portal, "test:count_streaming", NULL, &n, error));
  g_assert_cmpint (g_variant_get_int64 (n), ==, 0);
}

static void
assert_stream_misuse (TractorTaskFunc func, gpointer data)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GError) error = NULL;

  tractor_nursery_spawn (nursery, "offender", func, data, NULL, &error);
  g_assert_false (tractor_nursery_join (nursery, &error));
  assert_misuse_of (error, "a stream");
  g_assert_true (tractor_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
}

/* Its function has been cancelled by the time that the task has ended. */
static gboolean
test_stream (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "child", error);

  assert_stream_misuse (leave_stream, portal);
  assert_nothing_streams (portal, error);
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

static gboolean
test_stream_in_use (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "child", error);
  g_autoptr (TractorNursery) outer = tractor_nursery_open ();

  assert_stream_misuse (leave_stream_to_another, &(Lender){ portal, outer });
  g_assert_true (tractor_nursery_join (outer, error));
  assert_nothing_streams (portal, error);
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

/* What frees the task's data may close what the task has opened, in any order. */
static gboolean
test_stream_closed_with_the_data (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "child", error);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Streams streams = { .portal = portal };

  tractor_nursery_spawn (nursery, "opener", leave_streams_to_data_free, &streams, close_streams,
                         error);
  g_assert_true (tractor_nursery_join (nursery, error));
  assert_nothing_streams (portal, error);
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

/* With an actor of its own, items that have come, and nothing closed at all. */
static gboolean
leave_stream_and_actor (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorActorNursery *actors = tractor_actor_nursery_open (error);
  TractorPortal *portal = start (actors, "child", error);

  open_stream (portal);
  tractor_portal_unref (portal);
  tractor_sleep_until (tractor_now () + SECOND / 100, error); /* some items come */
  return set_own_failure (error);
}

static gboolean
test_stream_of_own_actor (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GError) failure = run_task (leave_stream_and_actor, NULL);

  g_assert_true (tractor_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_assert_true (tractor_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  return TRUE;
}

/* As g_autoptr does for one that was declared first. */
static gboolean
close_stream_after_its_actor (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "child", error);

  stream = open_stream (portal);
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

static gboolean
test_stream_closed_after_its_runtime (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_assert_no_error (run_task (close_stream_after_its_actor, NULL));
  return TRUE;
}

/* What a function has left open is how its call ends, and costs nobody else anything. */
static gboolean
test_left_by_a_function (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "child", error);

  for (int i = 0; i < 2; i++) {
    g_assert_false (tractor_portal_call (portal, "test:leave_signal_receiver", NULL, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
    g_assert_nonnull (strstr ((*error)->message, "a signal receiver"));
    g_clear_error (error);
  }
  assert_nothing_streams (portal, error);
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

typedef struct {
  TractorPortal *portal;
  TractorContext *context;
} Contexts;

static void
close_context (gpointer data)
{
  tractor_context_close (((Contexts *) data)->context);
}

static gboolean
leave_context_to_data_free (gpointer data, GError **error)
{
  Contexts *contexts = data;

  contexts->context =
      tractor_portal_open_context (contexts->portal, "test:stay", NULL, NULL, NULL, error);
  return contexts->context != NULL;
}

/* It is a mistake, for it was to be closed in the task's function; but nothing worse. */
static gboolean
test_context_closed_with_the_data (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "child", error);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Contexts contexts = { .portal = portal };

  tractor_nursery_spawn (nursery, "opener", leave_context_to_data_free, &contexts, close_context,
                         error);
  g_assert_false (tractor_nursery_join (nursery, error));
  assert_misuse_of (*error, "a context");
  g_clear_error (error);
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/left-open/by-an-early-return", test_early_return);
  harness_add_real_task ("/e2e/left-open/by-what-is-around", test_left_by_what_is_around);
  harness_add_real_task ("/e2e/left-open/joined-is-no-mistake", test_joined_and_not_closed);
  harness_add_real_task ("/e2e/left-open/runtime-that-others-use", test_runtime_in_use);
  harness_add_real_task ("/e2e/left-open/context", test_context);
  harness_add_real_task ("/e2e/left-open/stream", test_stream);
  harness_add_real_task ("/e2e/left-open/stream-in-use", test_stream_in_use);
  harness_add_real_task ("/e2e/left-open/stream-of-an-actor-of-its-own", test_stream_of_own_actor);
  harness_add_real_task ("/e2e/left-open/stream-closed-after-its-runtime",
                         test_stream_closed_after_its_runtime);
  harness_add_real_task ("/e2e/left-open/by-a-function", test_left_by_a_function);
  harness_add_real_task ("/e2e/left-open/context-closed-with-the-data",
                         test_context_closed_with_the_data);
  harness_add_real_task ("/e2e/left-open/stream-closed-with-the-data",
                         test_stream_closed_with_the_data);
  return harness_run ();
}
