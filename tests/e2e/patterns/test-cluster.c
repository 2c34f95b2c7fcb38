/* test-cluster.c - several actors of one kind, and work for whichever is idle. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "actors.h"

/* What a gated child writes to and waits at before it is an actor. */
#define GATE_OUT 5
#define GATE_IN  6

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
get_name (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_string (tractor_actor_get_name ());
  return TRUE;
}

static gboolean
square (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  if (n == 13) {
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "not this one");
    return FALSE;
  }
  if (n != 0)
    *ret_result = g_variant_new_int64 (n * n);
  return TRUE;
}

static gboolean
sleep_forever (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
leave (G_GNUC_UNUSED GVariant *kwargs,
       G_GNUC_UNUSED GVariant **ret_result,
       G_GNUC_UNUSED GError **error)
{
  _exit (3);
}

static const TractorExport exports[] = {
  { "get_name", TRACTOR_EXPORT_CALL, get_name },
  { "square", TRACTOR_EXPORT_CALL, square },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "leave", TRACTOR_EXPORT_CALL, leave },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- helpers ------------------------------------------------------------------------------------- */

static TractorCluster *
open_cluster (guint size, GError **error)
{
  TractorCluster *cluster = tractor_cluster_open (
      size, NULL, &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);

  g_assert_no_error (*error);
  g_assert_cmpuint (tractor_cluster_get_size (cluster), ==, size);
  return cluster;
}

static char *
ask_name (TractorPortal *portal, GError **error)
{
  g_autoptr (GVariant) name = NULL;

  g_assert_true (tractor_portal_call (portal, "test:get_name", NULL, &name, error));
  return g_variant_dup_string (name, NULL);
}

/* --- the actors ---------------------------------------------------------------------------------- */

static gboolean
test_four_workers (G_GNUC_UNUSED gpointer data, GError **error)
{
  {
    g_autoptr (TractorCluster) cluster = open_cluster (4, error);

    for (guint i = 0; i < 4; i++) {
      TractorPortal *portal = tractor_cluster_get_portal (cluster, i);
      g_autofree char *name = g_strdup_printf ("root.worker_%u", i);
      g_autofree char *answer = ask_name (portal, error);

      g_assert_cmpstr (tractor_portal_get_name (portal), ==, name);
      g_assert_cmpstr (answer, ==, name);
    }
    g_assert_true (tractor_cluster_join (cluster, error));
    assert_no_child_process ();
  }
  g_assert_null (tractor_actor_get_name ()); /* no runtime is left either */
  return TRUE;
}

static gboolean
test_early_return_kills_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  {
    g_autoptr (TractorCluster) cluster = open_cluster (2, error);
    g_autofree char *name = ask_name (tractor_cluster_get_portal (cluster, 1), error);
  }
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_given_names (G_GNUC_UNUSED gpointer data, GError **error)
{
  const char *const names[] = { "one", "other", NULL };
  const TractorSpawnOptions options = { .host = harness_get_host ()->name };
  g_autoptr (TractorCluster) cluster = NULL;

  g_assert_null (tractor_cluster_open (3, names, &options, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_null (tractor_cluster_open (1, names, &options, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_null (tractor_actor_get_name ()); /* nothing has been begun */

  cluster = tractor_cluster_open (2, names, &options, error);
  g_assert_no_error (*error);
  for (guint i = 0; i < 2; i++) {
    g_autofree char *answer = ask_name (tractor_cluster_get_portal (cluster, i), error);

    g_assert_cmpstr (answer, ==, names[i]);
  }
  return tractor_cluster_join (cluster, error);
}

static gboolean
test_as_many_as_processors (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCluster) cluster = tractor_cluster_open (
      0, NULL, &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);

  g_assert_no_error (*error);
  g_assert_cmpuint (tractor_cluster_get_size (cluster), ==, g_get_num_processors ());
  return tractor_cluster_join (cluster, error);
}

static gboolean
test_a_failed_start_ends_the_others (G_GNUC_UNUSED gpointer data, GError **error)
{
  const char *const names[] = { "one", "a/b", "other", NULL };

  g_assert_null (tractor_cluster_open (
      3, names, &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE); /* alone, as it is */
  assert_no_child_process ();
  return TRUE;
}

/* What a child does before anything else if it is gated. */
static void
pass_gate (void)
{
  char byte = 'x';

  if (g_getenv ("TEST_GATE") == NULL)
    return;
  g_assert_cmpint (write (GATE_OUT, &byte, 1), ==, 1);
  g_assert_cmpint (read (GATE_IN, &byte, 1), ==, 1);
}

typedef struct {
  int arrivals; /* to read from */
  int passes;   /* to write to */
} Gate;

/* Lets three in when all three are there. */
static gboolean
run_gate (gpointer data, GError **error)
{
  Gate *gate = data;

  for (guint n_arrived = 0; n_arrived < 3;) {
    char bytes[3];

    if (!tractor_wait_fd (gate->arrivals, G_IO_IN, NULL, error))
      return FALSE;
    n_arrived += (guint) read (gate->arrivals, bytes, sizeof bytes);
  }
  tractor_notify_closing (gate->arrivals);
  g_assert_cmpint (write (gate->passes, "xxx", 3), ==, 3);
  return TRUE;
}

static gboolean
test_start_at_the_same_time (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCluster) cluster = NULL;
  const char *const env[] = { "TEST_GATE=1", NULL };
  int arrivals[2];
  int passes[2];
  Gate gate;

  g_assert_cmpint (pipe2 (arrivals, O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (passes, O_CLOEXEC), ==, 0);
  gate = (Gate){ arrivals[0], passes[1] };
  tractor_nursery_spawn (nursery, "gate", run_gate, &gate, NULL, error);
  {
    const TractorFdMapping fds[] = { { arrivals[1], GATE_OUT }, { passes[0], GATE_IN } };

    cluster = tractor_cluster_open (
        3, NULL,
        &(TractorSpawnOptions){
            .host = harness_get_host ()->name, .env = env, .fds = fds, .n_fds = 2 },
        error);
  }
  g_assert_no_error (*error);
  g_assert_true (tractor_cluster_join (cluster, error));
  for (guint i = 0; i < 2; i++) {
    close (arrivals[i]);
    close (passes[i]);
  }
  tractor_cluster_close (g_steal_pointer (&cluster));
  return tractor_nursery_join (nursery, error);
}

/* --- calls --------------------------------------------------------------------------------------- */

typedef struct {
  TractorCluster *cluster;
  const char *function;
  TractorCancelScope *scope;
  TractorEvent *ended;
  GError *failure;
} Call;

static gboolean
run_call (gpointer data, G_GNUC_UNUSED GError **error)
{
  Call *call = data;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  call->scope = scope;
  tractor_cluster_call (call->cluster, call->function, NULL, NULL, &call->failure);
  tractor_event_set (call->ended);
  return TRUE;
}

static gboolean
test_call_waits_in_line (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCluster) cluster = open_cluster (2, error);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Call calls[3] = {
    { cluster, "test:sleep_forever", .ended = tractor_event_new () },
    { cluster, "test:sleep_forever", .ended = tractor_event_new () },
    { cluster, "test:get_name", .ended = tractor_event_new () },
  };

  for (guint i = 0; i < 3; i++) {
    tractor_nursery_spawn (nursery, "call", run_call, &calls[i], NULL, error);
    g_assert_true (tractor_checkpoint (error));
  }
  /* Nobody is idle, though each would answer. */
  for (guint i = 0; i < 2; i++)
    g_free (ask_name (tractor_cluster_get_portal (cluster, i), error));
  g_assert_false (tractor_event_is_set (calls[2].ended));

  tractor_cancel_scope_cancel (calls[0].scope, NULL);
  g_assert_true (tractor_event_wait (calls[2].ended, error));
  g_assert_no_error (calls[2].failure);
  harness_assert_error (calls[0].failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_false (tractor_event_is_set (calls[1].ended));
  tractor_cancel_scope_cancel (calls[1].scope, NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  for (guint i = 0; i < 3; i++) {
    tractor_event_free (calls[i].ended);
    g_clear_error (&calls[i].failure);
  }
  return tractor_cluster_join (cluster, error);
}

static gboolean
test_a_failure_is_that_call_s (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCluster) cluster = open_cluster (1, error);

  for (guint i = 0; i < 2; i++) { /* it is given back after a failure too */
    g_assert_false (tractor_cluster_call (cluster, "test:square",
                                          g_variant_new_parsed ("{'n': <int64 13>}"), NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
    g_clear_error (error);
  }
  return tractor_cluster_join (cluster, error);
}

static gboolean
test_death_in_a_call (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCluster) cluster = open_cluster (2, error);

  g_assert_false (tractor_cluster_call (cluster, "test:leave", NULL, NULL, error));
  /* The call's, and the cluster's, as it is one event. */
  g_assert_false (tractor_cluster_join (cluster, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  assert_no_child_process ();
  return TRUE;
}

/* Actors that are ended one by one on request, which is no failure of the cluster. */
static gboolean
test_gone_workers_get_no_calls (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCluster) cluster = open_cluster (2, error);
  guint n_failed = 0;

  g_assert_true (tractor_portal_cancel_actor (tractor_cluster_get_portal (cluster, 0),
                                              tractor_now () + 5 * SECOND, error));
  for (guint i = 0; i < 6; i++) {
    g_autoptr (GVariant) name = NULL;

    if (tractor_cluster_call (cluster, "test:get_name", NULL, &name, error))
      g_assert_cmpstr (g_variant_get_string (name, NULL), ==, "root.worker_1");
    else
      n_failed++;
    g_clear_error (error);
  }
  g_assert_cmpuint (n_failed, ==, 1);

  g_assert_true (tractor_portal_cancel_actor (tractor_cluster_get_portal (cluster, 1),
                                              tractor_now () + 5 * SECOND, error));
  g_assert_false (tractor_cluster_call (cluster, "test:get_name", NULL, NULL, error));
  g_clear_error (error);
  g_assert_false (tractor_cluster_call (cluster, "test:get_name", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return tractor_cluster_join (cluster, error);
}

static gboolean
test_restarted_workers_get_calls_again (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCluster) cluster =
      tractor_cluster_open (2, NULL,
                            &(TractorSpawnOptions){ .host = harness_get_host ()->name,
                                                    .on_death = TRACTOR_ON_DEATH_RESTART },
                            error);

  for (int i = 0; i < 3; i++) {
    g_assert_false (tractor_cluster_call (cluster, "test:leave", NULL, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  }
  for (int i = 0; i < 4; i++)
    g_assert_true (tractor_cluster_call (cluster, "test:get_name", NULL, NULL, error));
  return tractor_cluster_join (cluster, error);
}

/* --- many calls ---------------------------------------------------------------------------------- */

static GVariant *
list_numbers (gint64 from, gint64 to)
{
  GVariantBuilder list;

  g_variant_builder_init (&list, G_VARIANT_TYPE ("aa{sv}"));
  for (gint64 n = from; n < to; n++)
    g_variant_builder_add_parsed (&list, "{'n': <%x>}", n);
  return g_variant_builder_end (&list);
}

static gboolean
test_map_in_order (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCluster) cluster = open_cluster (3, error);
  g_autoptr (GPtrArray) results = NULL;
  g_autoptr (GPtrArray) nothing = NULL;

  g_assert_true (
      tractor_cluster_map (cluster, "test:square", list_numbers (-12, 13), &results, error));
  g_assert_cmpuint (results->len, ==, 25);
  for (guint i = 0; i < 25; i++) {
    gint64 n = (gint64) i - 12;

    if (n == 0)
      g_assert_null (results->pdata[i]);
    else
      g_assert_cmpint (g_variant_get_int64 (results->pdata[i]), ==, n * n);
  }
  g_assert_true (
      tractor_cluster_map (cluster, "test:square", list_numbers (0, 0), &nothing, error));
  g_assert_cmpuint (nothing->len, ==, 0);
  g_assert_false (
      tractor_cluster_map (cluster, "test:square", g_variant_new_int64 (1), NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return tractor_cluster_join (cluster, error);
}

static gboolean
test_map_fails (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCluster) cluster = open_cluster (2, error);
  GPtrArray *results = NULL;
  g_autoptr (GPtrArray) good_results = NULL;

  g_assert_false (
      tractor_cluster_map (cluster, "test:square", list_numbers (1, 40), &results, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE); /* as it is */
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  g_assert_null (results);
  /* The cluster goes on. */
  g_assert_true (
      tractor_cluster_map (cluster, "test:square", list_numbers (1, 9), &good_results, error));
  return tractor_cluster_join (cluster, error);
}

static gboolean
test_map_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCluster) cluster = open_cluster (2, error);
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 20);

    g_assert_false (
        tractor_cluster_map (cluster, "test:sleep_forever", list_numbers (0, 9), NULL, error));
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  g_assert_true (tractor_cluster_map (cluster, "test:square", list_numbers (1, 9), NULL, error));
  return tractor_cluster_join (cluster, error);
}

int
main (int argc, char **argv)
{
  int status;

  pass_gate ();
  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  harness_add_real_task ("/e2e/cluster/row-39-four-workers", test_four_workers);
  harness_add_real_task ("/e2e/cluster/row-39-early-return-kills-all", test_early_return_kills_all);
  harness_add_real_task ("/e2e/cluster/row-39-given-names", test_given_names);
  harness_add_real_task ("/e2e/cluster/row-39-as-many-as-processors", test_as_many_as_processors);
  harness_add_real_task ("/e2e/cluster/row-39-start-at-the-same-time", test_start_at_the_same_time);
  harness_add_real_task ("/e2e/cluster/a-failed-start-ends-the-others",
                         test_a_failed_start_ends_the_others);
  harness_add_real_task ("/e2e/cluster/call-waits-in-line", test_call_waits_in_line);
  harness_add_real_task ("/e2e/cluster/a-failure-is-that-call-s", test_a_failure_is_that_call_s);
  harness_add_real_task ("/e2e/cluster/death-in-a-call", test_death_in_a_call);
  harness_add_real_task ("/e2e/cluster/gone-workers-get-no-calls", test_gone_workers_get_no_calls);
  harness_add_real_task ("/e2e/cluster/restarted-workers-get-calls-again",
                         test_restarted_workers_get_calls_again);
  harness_add_real_task ("/e2e/cluster/map-in-order", test_map_in_order);
  harness_add_real_task ("/e2e/cluster/map-fails", test_map_fails);
  harness_add_real_task ("/e2e/cluster/map-is-cancelled", test_map_is_cancelled);
  return harness_run ();
}
