/* test-load.c - real actors that have much to do: more than is read, much in both directions, and thousands of
 * contexts and actors that begin and are cancelled at any moment. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "served.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static guint64
hash_item (guint64 hash, GVariant *item)
{
  gsize n;
  const guint8 *bytes = g_variant_get_fixed_array (item, &n, 1);

  for (gsize i = 0; i < n; i += 1 + n / 64) /* its ends and what is between */
    hash = (hash ^ bytes[i]) * G_GUINT64_CONSTANT (1099511628211);
  return (hash ^ n) * G_GUINT64_CONSTANT (1099511628211);
}

/* Receives bytes until the end, and says how many items it were, and their hash. */
static gboolean
swallow (TractorContext *context,
         G_GNUC_UNUSED GVariant *kwargs,
         GVariant **ret_result,
         GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;
  guint64 hash = 0;
  gint64 n = 0;

  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (stream != NULL && tractor_stream_receive (stream, &item, error)) {
    hash = hash_item (hash, item);
    n++;
    g_variant_unref (item);
  }
  *ret_result = g_variant_new_parsed ("{'n': <%x>, 'hash': <%x>}", n, (gint64) (hash >> 1));
  return *error == NULL;
}

#define LARGE_BYTES (1024 * 1024)
#define N_LARGE     64

static GVariant *
new_bytes (gsize n, guint8 fill)
{
  guint8 *bytes = g_malloc (n);

  memset (bytes, fill, n);
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, bytes, n, TRUE, g_free, bytes);
}

static gboolean
send_large (gpointer data, GError **error)
{
  for (int i = 0; i < N_LARGE; i++)
    if (!tractor_stream_send (data, new_bytes (LARGE_BYTES, (guint8) i), error))
      return FALSE;
  return TRUE;
}

/* Sends 64 MiB and receives as much, at the same time. */
static gboolean
exchange_large (TractorStream *stream, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "sender", send_large, stream, NULL, error);
  for (int i = 0; i < N_LARGE; i++) {
    GVariant *item;

    if (!tractor_stream_receive (stream, &item, error))
      break;
    g_assert_cmpuint (g_variant_get_size (item), ==, LARGE_BYTES);
    g_variant_unref (item);
  }
  return tractor_nursery_join (nursery, error);
}

static gboolean
exchange (TractorContext *context,
          G_GNUC_UNUSED GVariant *kwargs,
          G_GNUC_UNUSED GVariant **ret_result,
          GError **error)
{
  g_autoptr (TractorStream) stream = NULL;

  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  return stream != NULL && exchange_large (stream, error);
}

static gint64 n_returned;

/* Returns when it has got an item, and counts that. */
static gboolean
return_on_item (TractorContext *context,
                G_GNUC_UNUSED GVariant *kwargs,
                G_GNUC_UNUSED GVariant **ret_result,
                GError **error)
{
  TractorStream *stream;
  GVariant *item = NULL;

  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  if (stream == NULL || !tractor_stream_receive (stream, &item, error))
    return FALSE;
  g_clear_pointer (&item, g_variant_unref);
  n_returned++;
  *ret_result = g_variant_new_string ("returned");
  return TRUE;
}

static gboolean
count_returned (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_int64 (n_returned);
  return TRUE;
}

/* Starts, and returns after a few rounds of tasks. */
static gboolean
return_soon (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  for (gint64 i = 0; i < n; i++)
    if (!tractor_checkpoint (error))
      return FALSE;
  *ret_result = g_variant_new_string ("returned");
  return TRUE;
}

/* "n" integers, or for ever; each of "depth" actors below adds one to each. */
static gboolean
pipeline (TractorStream *out, GVariant *kwargs, GError **error)
{
  gint64 depth = 0;
  gint64 n = 0;

  g_variant_lookup (kwargs, "depth", "x", &depth);
  g_variant_lookup (kwargs, "n", "x", &n);
  if (depth == 0) {
    for (gint64 i = 0; i != n; i++)
      if (!tractor_stream_send (out, g_variant_new_int64 (i), error))
        return FALSE;
    return TRUE;
  }
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (
        nursery, "stage", &(TractorSpawnOptions){ .host = own_host () }, error);
    GVariant *item;

    if (portal != NULL) {
      g_autoptr (TractorStream) in = tractor_portal_open_stream (
          portal, "test:pipeline",
          g_variant_new_parsed ("{'depth': <%x>, 'n': <%x>}", depth - 1, n), NULL, error);

      while (in != NULL && tractor_stream_receive (in, &item, error)) {
        gboolean ok =
            tractor_stream_send (out, g_variant_new_int64 (g_variant_get_int64 (item) + 1), error);

        g_variant_unref (item);
        if (!ok)
          break;
      }
    }
    tractor_actor_nursery_cancel (nursery);
    return tractor_actor_nursery_join (nursery, error);
  }
}

static const TractorExport exports[] = {
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "swallow", TRACTOR_EXPORT_CONTEXT, .context = swallow },
  { "exchange", TRACTOR_EXPORT_CONTEXT, .context = exchange },
  { "return_on_item", TRACTOR_EXPORT_CONTEXT, .context = return_on_item },
  { "count_returned", TRACTOR_EXPORT_CALL, count_returned },
  { "return_soon", TRACTOR_EXPORT_CONTEXT, .context = return_soon },
  { "pipeline", TRACTOR_EXPORT_STREAM, .stream = pipeline },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- much to send -------------------------------------------------------------------------------- */

static void
stop_process (pid_t pid)
{
  siginfo_t info;

  kill (pid, SIGSTOP);
  g_assert_cmpint (waitid (P_PID, (id_t) pid, &info, WSTOPPED | WNOWAIT), ==, 0);
}

#define PIECE_BYTES ((gsize) 64 * 1024)

/* Sends until the deadline, to nobody who reads. Returns: how many items were taken. */
static gint64
send_for_a_while (TractorStream *stream, guint64 *hash)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 10);
  g_autoptr (GVariant) item = g_variant_ref_sink (new_bytes (PIECE_BYTES, 'x'));
  GError *failure = NULL;
  gint64 cancelled_at = tractor_now () + SECOND / 10;
  gint64 n = 0;

  while (tractor_stream_send (stream, item, &failure)) {
    *hash = hash_item (*hash, item);
    n++;
  }
  g_assert_cmpint (tractor_now () - cancelled_at, <, SECOND / 10 * harness_get_patience ());
  g_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_true (tractor_cancel_scope_absorb (scope, &failure));
  return n;
}

static gboolean
test_stopped_reader (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  pid_t pid = tractor_portal_get_pid (peer.child);
  {
    g_autoptr (TractorContext) context = open_context (peer.portal, "test:swallow", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    g_autoptr (GVariant) result = NULL;
    guint64 hash = 0;
    gint64 told_n;
    gint64 told_hash;
    gint64 n;

    stop_process (pid);
    n = send_for_a_while (stream, &hash);
    g_assert_cmpint (n, >, 0);
    g_assert_cmpint (n, <=, 16 * 1024 * 1024 / (gint64) PIECE_BYTES);
    kill (pid, SIGCONT);
    /* What was cancelled has left no trace: what comes after is whole. */
    for (int i = 0; i < 10; i++, n++) {
      g_autoptr (GVariant) item = g_variant_ref_sink (new_bytes (1000, (guint8) i));

      g_assert_true (tractor_stream_send (stream, item, error));
      hash = hash_item (hash, item);
    }
    tractor_stream_close (g_steal_pointer (&stream));
    g_assert_true (tractor_context_join (context, &result, error));
    g_assert_true (g_variant_lookup (result, "n", "x", &told_n));
    g_assert_true (g_variant_lookup (result, "hash", "x", &told_hash));
    g_assert_cmpint (told_n, ==, n);
    g_assert_cmpint (told_hash, ==, (gint64) (hash >> 1));
  }
  return end_peer (&peer, error);
}

static gboolean
test_both_send (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_context (peer.portal, "test:exchange", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);

    g_assert_true (exchange_large (stream, error));
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

static gboolean
test_hundred_thousand (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  gint64 n = 100000 / harness_get_slowness ();
  {
    g_autoptr (TractorContext) context = open_context (peer.portal, "test:swallow", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    g_autoptr (GVariant) result = NULL;
    guint64 hash = 0;
    gint64 told_n;
    gint64 told_hash;

    for (gint64 i = 0; i < n; i++) {
      gsize length = (gsize) g_test_rand_int_range (1, 1 << (i % 128 == 0 ? 16 : 1 + i % 10));
      g_autoptr (GVariant) item = g_variant_ref_sink (new_bytes (length, (guint8) i));

      hash = hash_item (hash, item);
      g_assert_true (tractor_stream_send (stream, item, error));
    }
    tractor_stream_close (g_steal_pointer (&stream));
    g_assert_true (tractor_context_join (context, &result, error));
    g_assert_true (g_variant_lookup (result, "n", "x", &told_n));
    g_assert_true (g_variant_lookup (result, "hash", "x", &told_hash));
    g_assert_cmpint (told_n, ==, n);
    g_assert_cmpint (told_hash, ==, (gint64) (hash >> 1));
  }
  return end_peer (&peer, error);
}

/* --- cancelled at random ------------------------------------------------------------------------- */

typedef struct {
  TractorPortal *portal;
  guint n;
  guint n_results;
  guint n_cancelled;
} Opening;

/* One context, cancelled by a deadline, by its opener, or not. */
static void
open_and_end (Opening *opening)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (
      g_test_rand_int_range (0, 3) == 0 ? tractor_now () + g_test_rand_int_range (0, 500)
                                        : TRACTOR_NO_DEADLINE);
  GError *failure = NULL;
  g_autoptr (GVariant) result = NULL;
  TractorContext *context = tractor_portal_open_context (
      opening->portal, "test:return_soon",
      g_variant_new_parsed ("{'n': <%x>}", (gint64) g_test_rand_int_range (0, 20)), NULL, NULL,
      &failure);
  gboolean was_cut_short;

  if (context != NULL) {
    if (g_test_rand_int_range (0, 3) == 0)
      tractor_context_cancel (context);
    tractor_context_join (context, &result, &failure);
  }
  was_cut_short = failure != NULL;
  g_assert_true (tractor_cancel_scope_absorb (scope, &failure));
  g_assert_false (was_cut_short && result != NULL);
  if (result != NULL)
    opening->n_results++;
  else
    opening->n_cancelled++;
  if (context != NULL)
    tractor_context_close (context);
}

static gboolean
open_many (gpointer data, GError **error)
{
  Opening *opening = data;

  for (guint i = 0; i < opening->n; i++)
    open_and_end (opening);
  return tractor_checkpoint (error);
}

static gboolean
test_cancelled_at_random (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  Opening openings[20] = { 0 };
  guint n_each = 10000 / harness_get_slowness () / G_N_ELEMENTS (openings);
  guint n_results = 0;
  guint n_cancelled = 0;
  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    for (guint i = 0; i < G_N_ELEMENTS (openings); i++) {
      openings[i] = (Opening){ .portal = peer.portal, .n = n_each };
      tractor_nursery_spawn (nursery, "opener", open_many, &openings[i], NULL, error);
    }
    g_assert_true (tractor_nursery_join (nursery, error));
  }
  for (guint i = 0; i < G_N_ELEMENTS (openings); i++) {
    n_results += openings[i].n_results;
    n_cancelled += openings[i].n_cancelled;
  }
  g_assert_cmpuint (n_results + n_cancelled, ==, n_each * G_N_ELEMENTS (openings));
  g_assert_cmpuint (n_results, >, 0);
  g_assert_cmpuint (n_cancelled, >, 0);
  g_assert_true (tractor_portal_call (peer.portal, "test:echo", NULL, NULL, error));
  return end_peer (&peer, error);
}

static gboolean
test_cancel_crosses_result (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  gint64 n_results = 0;
  g_autoptr (GVariant) told = NULL;

  for (int i = 0; i < 500; i++) {
    g_autoptr (TractorContext) context =
        open_context (peer.portal, "test:return_on_item", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    const GError *outcome;

    g_assert_true (tractor_stream_send (stream, NULL, error));
    for (int round = 0; round < i % 8; round++)
      g_assert_true (tractor_checkpoint (error));
    tractor_context_cancel (context);
    g_assert_true (tractor_context_join (context, NULL, error));
    outcome = tractor_context_get_outcome (context);
    g_assert_true (outcome == NULL ||
                   g_error_matches (outcome, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED));
    n_results += outcome == NULL;
  }
  g_assert_true (tractor_portal_call (peer.portal, "test:count_returned", NULL, &told, error));
  g_assert_cmpint (g_variant_get_int64 (told), ==, n_results);
  return end_peer (&peer, error);
}

/* --- many at once -------------------------------------------------------------------------------- */

static gboolean
test_pipeline (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 began = tractor_now ();
  Peer peer;

  hand_on_host ();
  peer = start_peer (error);
  {
    g_autoptr (TractorStream) stream = tractor_portal_open_stream (
        peer.portal, "test:pipeline",
        g_variant_new_parsed ("{'depth': <int64 3>, 'n': <int64 1000>}"), NULL, error);
    GVariant *item;
    gint64 n = 0;

    while (tractor_stream_receive (stream, &item, error)) {
      g_assert_cmpint (g_variant_get_int64 (item), ==, 3 + n++);
      g_variant_unref (item);
    }
    g_assert_no_error (*error);
    g_assert_cmpint (n, ==, 1000);
  }
  g_assert_true (end_peer (&peer, error));
  g_assert_cmpint (tractor_now () - began, <, 3 * SECOND * harness_get_patience ());
  return TRUE;
}

static gboolean
test_pipeline_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer;

  hand_on_host ();
  peer = start_peer (error);
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    g_autoptr (TractorStream) stream = tractor_portal_open_stream (
        peer.portal, "test:pipeline",
        g_variant_new_parsed ("{'depth': <int64 3>, 'n': <int64 -1>}"), NULL, error);
    GVariant *item;

    for (int n = 0; tractor_stream_receive (stream, &item, error); n++) {
      g_variant_unref (item);
      if (n == 100)
        tractor_cancel_scope_cancel (scope, "that is enough");
    }
    g_clear_pointer (&stream, tractor_stream_close);
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  g_assert_true (end_peer (&peer, error));
  assert_no_child_process ();
  return TRUE;
}

static gboolean
start_twin (gpointer data, GError **error)
{
  g_autoptr (TractorPortal) portal = start_without_leak_check (data, "twin", error);

  return portal != NULL && tractor_portal_call (portal, "test:echo", NULL, NULL, error);
}

static gboolean
test_sixty_four_twins (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  {
    g_autoptr (TractorNursery) starters = tractor_nursery_open ();

    for (guint i = 0; i < 64 / harness_get_slowness (); i++)
      tractor_nursery_spawn (starters, "starter", start_twin, actors, NULL, error);
    g_assert_true (tractor_nursery_join (starters, error));
  }
  tractor_actor_nursery_cancel (actors);
  g_assert_true (tractor_actor_nursery_join (actors, error));
  assert_no_child_process ();
  return TRUE;
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  add_on_transports ("/e2e/fault/%s/row-93-I-07-stopped-reader", test_stopped_reader);
  add_on_transports ("/e2e/fault/%s/I-08-both-send", test_both_send);
  harness_add_real_task ("/e2e/fault/I-14-hundred-thousand", test_hundred_thousand);
  harness_add_real_task ("/e2e/fault/I-15-cancelled-at-random", test_cancelled_at_random);
  harness_add_real_task ("/e2e/fault/C-02-cancel-crosses-result", test_cancel_crosses_result);
  harness_add_real_task ("/e2e/fault/row-76-pipeline", test_pipeline);
  harness_add_real_task ("/e2e/fault/row-76-pipeline-is-cancelled", test_pipeline_is_cancelled);
  harness_add_real_task ("/e2e/fault/S-08-sixty-four-twins", test_sixty_four_twins);
  return harness_run ();
}
