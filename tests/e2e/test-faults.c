/* test-faults.c - real actors under load and in trouble: stopped, killed, flooded, cancelled at random.
 *
 * The names are those of the list of faults, and of the rows of the acceptance table. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include "actors.h"
#include "tractor-signal.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static const char *
own_host (void)
{
  return g_getenv ("TEST_HOST");
}

static gboolean
sleep_forever (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
fail (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return FALSE;
}

static gboolean
echo (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_lookup_value (kwargs, "value", NULL);
  return TRUE;
}

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

/* Sends "n" items, and is killed when they have gone out. */
static gboolean
send_and_die (TractorContext *context,
              GVariant *kwargs,
              G_GNUC_UNUSED GVariant **ret_result,
              GError **error)
{
  TractorStream *stream;
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  for (gint64 i = 0; i < n; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error))
      return FALSE;
  for (int i = 0; i < 10; i++) /* the writer has its turn */
    tractor_checkpoint (NULL);
  kill (getpid (), SIGKILL);
  return TRUE;
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

typedef struct {
  TractorPortal *portal;
  const char *function;
  GVariant *kwargs; /* (nullable) (transfer none) */
} Calling;

static gboolean
call_in_task (gpointer data, GError **error)
{
  Calling *calling = data;

  return tractor_portal_call (calling->portal, calling->function, calling->kwargs, NULL, error);
}

/* Three children that do the same, down to "depth"; the last leaf of all fails, the others sleep. */
static gboolean
tree (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  gboolean fails = FALSE;
  gint64 depth = 0;

  g_variant_lookup (kwargs, "depth", "x", &depth);
  g_variant_lookup (kwargs, "fails", "b", &fails);
  if (depth == 0)
    return fails ? fail (NULL, NULL, error) : sleep_forever (NULL, NULL, error);
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorNursery) callers = tractor_nursery_open ();
    Calling callings[3] = { 0 };

    for (int i = 0; i < 3 && *error == NULL; i++) {
      callings[i] =
          (Calling){ tractor_actor_nursery_start (
                         nursery, "branch", &(TractorSpawnOptions){ .host = own_host () }, error),
                     "test:tree",
                     g_variant_ref_sink (g_variant_new_parsed ("{'depth': <%x>, 'fails': <%b>}",
                                                               depth - 1, fails && i == 2)) };
      if (callings[i].portal != NULL)
        tractor_nursery_spawn (callers, "caller", call_in_task, &callings[i], NULL, error);
    }
    tractor_nursery_join (callers, error);
    tractor_actor_nursery_join (nursery, error);
    for (int i = 0; i < 3; i++) {
      g_clear_pointer (&callings[i].portal, tractor_portal_unref);
      g_clear_pointer (&callings[i].kwargs, g_variant_unref);
    }
    return *error == NULL;
  }
}

/* A chain of "hops" actors, whose last kills the one before it. */
static gboolean
chain (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autofree char *name = NULL;
  gint64 hops = 0;

  g_variant_lookup (kwargs, "hops", "x", &hops);
  if (hops == 0) {
    kill (getppid (), SIGKILL);
    return sleep_forever (NULL, NULL, error);
  }
  name = g_strdup_printf ("hop-%d", (int) hops - 1);
  return tractor_run_in_actor (name, &(TractorSpawnOptions){ .host = own_host () }, "test:chain",
                               g_variant_new_parsed ("{'hops': <%x>}", hops - 1), ret_result,
                               error);
}

/* Starts a child that does the same, until no deeper one can be started. */
static gboolean
nest (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  return tractor_run_in_actor ("deeper", &(TractorSpawnOptions){ .host = own_host () }, "test:nest",
                               NULL, ret_result, error);
}

static gboolean
fail_as_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  return fail (NULL, NULL, error);
}

static gboolean
fail_often (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  for (int i = 0; i < 300; i++)
    tractor_nursery_spawn (nursery, "failing", fail_as_task, NULL, NULL, error);
  return tractor_nursery_join (nursery, error);
}

/* Writes to its log, which it makes a file. */
static gboolean
chatter (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  const char *path = "";
  int fd;

  g_variant_lookup (kwargs, "path", "&s", &path);
  fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  g_assert_cmpint (dup2 (fd, 2), ==, 2);
  g_assert_cmpint (dup2 (fd, 1), ==, 1);
  close (fd);
  g_log_structured ("x", G_LOG_LEVEL_INFO, "MESSAGE", "%s", "some detail");
  g_log_structured ("x", G_LOG_LEVEL_MESSAGE, "MESSAGE", "%s", "some message");
  g_log_structured ("x", G_LOG_LEVEL_WARNING, "MESSAGE", "%s", "some warning");
  fflush (NULL);
  return TRUE;
}

static gboolean
chatter_below (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  const char *level = NULL;

  g_variant_lookup (kwargs, "level", "&s", &level);
  return tractor_run_in_actor ("chatterer",
                               &(TractorSpawnOptions){ .host = own_host (), .log_level = level },
                               "test:chatter", kwargs, ret_result, error);
}

static const TractorExport exports[] = {
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "fail", TRACTOR_EXPORT_CALL, fail },
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "swallow", TRACTOR_EXPORT_CONTEXT, .context = swallow },
  { "exchange", TRACTOR_EXPORT_CONTEXT, .context = exchange },
  { "send_and_die", TRACTOR_EXPORT_CONTEXT, .context = send_and_die },
  { "return_on_item", TRACTOR_EXPORT_CONTEXT, .context = return_on_item },
  { "count_returned", TRACTOR_EXPORT_CALL, count_returned },
  { "return_soon", TRACTOR_EXPORT_CONTEXT, .context = return_soon },
  { "pipeline", TRACTOR_EXPORT_STREAM, .stream = pipeline },
  { "tree", TRACTOR_EXPORT_CALL, tree },
  { "chain", TRACTOR_EXPORT_CALL, chain },
  { "nest", TRACTOR_EXPORT_CALL, nest },
  { "fail_often", TRACTOR_EXPORT_CALL, fail_often },
  { "chatter", TRACTOR_EXPORT_CALL, chatter },
  { "chatter_below", TRACTOR_EXPORT_CALL, chatter_below },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- helpers -------------------------------------------------------------------------------------- */

static TractorPortal *
start (TractorActorNursery *nursery, const char *name, GError **error)
{
  return tractor_actor_nursery_start (
      nursery, name, &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
}

/* For those that actors start. */
static void
hand_on_host (void)
{
  g_setenv ("TEST_HOST", harness_get_host ()->name, TRUE);
}

static TractorContext *
open_context (TractorPortal *portal, const char *function, GVariant *kwargs, GError **error)
{
  TractorContext *context =
      tractor_portal_open_context (portal, function, kwargs, NULL, NULL, error);

  g_assert_no_error (*error);
  return context;
}

static void
stop_process (pid_t pid)
{
  siginfo_t info;

  kill (pid, SIGSTOP);
  g_assert_cmpint (waitid (P_PID, (id_t) pid, &info, WSTOPPED | WNOWAIT), ==, 0);
}

/* --- load ----------------------------------------------------------------------------------------- */

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

/* --- cancelled at random --------------------------------------------------------------------------- */

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

/* --- death ------------------------------------------------------------------------------------------ */

static gboolean
test_killed_while_streaming (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) victim = start (nursery, "victim", error);
  g_autoptr (TractorPortal) sibling = start (nursery, "sibling", error);
  {
    g_autoptr (TractorContext) context = open_context (
        victim, "test:send_and_die", g_variant_new_parsed ("{'n': <int64 100>}"), error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    GVariant *item;
    gint64 n = 0;

    while (tractor_stream_receive (stream, &item, error)) {
      g_assert_cmpint (g_variant_get_int64 (item), ==, n++);
      g_variant_unref (item);
    }
    g_assert_cmpint (n, ==, 100);
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE));
    g_assert_nonnull (strstr ((*error)->message, "signal 9"));
  }
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE); /* once */
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

static guint
count_sockets (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "tractor", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  guint n = 0;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    n += g_str_has_suffix (name, ".sock");
  return n;
}

static gboolean
test_killed_one_leaves_no_socket (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  const char *registries[] = { registry, NULL };
  g_autoptr (TractorRuntime) runtime =
      tractor_runtime_open (&(TractorRuntimeOptions){ .registry_addresses = registries }, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  guint n_before = count_sockets ();
  g_autoptr (TractorPortal) victim = start (nursery, "victim", error);

  g_assert_cmpuint (count_sockets (), ==, n_before + 1);
  kill (tractor_portal_get_pid (victim), SIGKILL);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_cmpuint (count_sockets (), ==, n_before);
  return TRUE;
}

static gboolean
has_descendant (void)
{
  while (waitpid (-1, NULL, WNOHANG) > 0)
    ;
  return errno != ECHILD;
}

static gboolean
test_dead_hop (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autofree char *description = NULL;

  hand_on_host ();
  prctl (PR_SET_CHILD_SUBREAPER, 1);
  g_assert_false (tractor_run_in_actor (
      "hop-5", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, "test:chain",
      g_variant_new_parsed ("{'hops': <int64 5>}"), NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE));
  description = tractor_error_describe (*error);
  g_assert_nonnull (strstr (description, "hop-1")); /* which died */
  g_assert_nonnull (strstr (description, "hop-2")); /* which saw it */
  g_assert_nonnull (strstr (description, "hop-5"));
  g_clear_error (error);
  g_assert_true (tractor_actor_nursery_join (nursery, error));
  while (has_descendant ()) /* the last of them, an orphan, leaves too */
    g_assert_true (tractor_sleep_until (tractor_now () + 1000, error));
  return TRUE;
}

static gboolean
test_one_leaf_fails (G_GNUC_UNUSED gpointer data, GError **error)
{
  /* Three for each: 39 processes, all of which would look for leaks at the same time as they end. */
  gint64 depth = harness_get_slowness () > 1 ? 2 : 3;
  GVariant *kwargs = g_variant_new_parsed ("{'depth': <%x>, 'fails': <true>}", depth);
  GVariant *result = NULL;

  hand_on_host ();
  g_assert_false (tree (g_variant_ref_sink (kwargs), &result, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_assert_cmpuint (g_strv_length ((char **) tractor_error_get_remote (*error)->relays), ==, depth);
  g_clear_error (error);
  g_variant_unref (kwargs);
  assert_no_child_process ();
  return TRUE;
}

/* --- groups ---------------------------------------------------------------------------------------- */

static gboolean
test_two_failures_are_a_group (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) one = start (nursery, "one", error);
  g_autoptr (TractorPortal) two = start (nursery, "two", error);

  kill (tractor_portal_get_pid (one), SIGKILL);
  kill (tractor_portal_get_pid (two), SIGKILL);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_GROUP);
  g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, 2);
  g_clear_error (error);
  return TRUE;
}

static gboolean
run_failing (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_run_in_actor ("failing",
                               &(TractorSpawnOptions){ .host = harness_get_host ()->name },
                               "test:fail", NULL, NULL, error);
}

static gboolean
run_sleeping (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_run_in_actor ("sleeping",
                               &(TractorSpawnOptions){ .host = harness_get_host ()->name },
                               "test:sleep_forever", NULL, NULL, error);
}

static gboolean
test_sibling_is_ended (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (NULL, error);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gint64 began = tractor_now ();

  tractor_nursery_spawn (nursery, "sleeping", run_sleeping, NULL, NULL, error);
  tractor_nursery_spawn (nursery, "failing", run_failing, NULL, NULL, error);
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  g_assert_cmpint (tractor_now () - began, <, 2 * SECOND * harness_get_patience ());
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_bad_arguments_start_nothing (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (tractor_run_in_actor ("a", NULL, "no-colon", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  assert_no_child_process ();
  g_assert_false (tractor_run_in_actor ("a/b", NULL, "test:echo", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  assert_no_child_process ();
  return TRUE;
}

static guint
count_leaves (const GError *error)
{
  const TractorRemoteError *remote = tractor_error_get_remote (error);
  guint n = 0;

  if (remote == NULL || remote->members == NULL)
    return 1;
  for (guint i = 0; i < remote->members->len; i++)
    n += count_leaves (remote->members->pdata[i]);
  return n;
}

static gboolean
test_many_failures (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  g_assert_false (tractor_portal_call (peer.portal, "test:fail_often", NULL, NULL, error));
  g_assert_cmpuint (count_leaves (*error), ==, 256);
  g_assert_nonnull (strstr ((*error)->message, "300"));
  g_clear_error (error);
  g_assert_true (tractor_portal_call (peer.portal, "test:echo", NULL, NULL, error));
  return end_peer (&peer, error);
}

static gboolean
test_too_deep (G_GNUC_UNUSED gpointer data, GError **error)
{
  hand_on_host ();
  g_assert_false (tractor_run_in_actor ("first",
                                        &(TractorSpawnOptions){ .host = harness_get_host ()->name },
                                        "test:nest", NULL, NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

/* --- logs --------------------------------------------------------------------------------------------- */

static void
assert_logged (TractorPortal *portal,
               const char *function,
               const char *level,
               gboolean has_detail,
               gboolean has_message)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "log", NULL);
  g_autofree char *text = NULL;
  GError *error = NULL;
  GVariantDict kwargs;

  g_variant_dict_init (&kwargs, NULL);
  g_variant_dict_insert (&kwargs, "path", "s", path);
  if (level != NULL)
    g_variant_dict_insert (&kwargs, "level", "s", level);
  g_assert_true (
      tractor_portal_call (portal, function, g_variant_dict_end (&kwargs), NULL, &error));
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_true ((strstr (text, "some detail") != NULL) == has_detail);
  g_assert_true ((strstr (text, "some message") != NULL) == has_message);
  g_assert_nonnull (strstr (text, "some warning"));
  unlink (path);
}

static gboolean
test_log_level (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;

  hand_on_host ();
  portal = tractor_actor_nursery_start (
      nursery, "quiet",
      &(TractorSpawnOptions){ .host = harness_get_host ()->name, .log_level = "message" }, error);
  g_assert_no_error (*error);
  assert_logged (portal, "test:chatter_below", NULL, FALSE, TRUE);
  assert_logged (portal, "test:chatter_below", "info", TRUE, TRUE);
  assert_logged (portal, "test:chatter_below", "warning", FALSE, FALSE);
  assert_logged (portal, "test:chatter", NULL, FALSE, TRUE);
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

/* --- many at once ------------------------------------------------------------------------------------ */

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
  g_autoptr (TractorPortal) portal = start (data, "twin", error);

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

/* --- signals ---------------------------------------------------------------------------------------- */

static void
do_nothing (G_GNUC_UNUSED int number)
{
}

static gboolean
test_interrupted_system_calls (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  struct sigaction action = { .sa_handler = do_nothing };
  struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
  struct itimerval never = { 0 };
  gint64 until = tractor_now () + SECOND / 4;

  sigaction (SIGALRM, &action, NULL);
  setitimer (ITIMER_REAL, &often, NULL);
  while (tractor_now () < until) {
    g_assert_true (tractor_portal_call (peer.portal, "test:echo", NULL, NULL, error));
    g_assert_true (tractor_sleep_until (tractor_now () + 2000, error));
  }
  setitimer (ITIMER_REAL, &never, NULL);
  signal (SIGALRM, SIG_DFL);
  return end_peer (&peer, error);
}

/* Somebody in this process takes the status of every child that ends. */
static gpointer
wait_for_all (gpointer is_over)
{
  while (!g_atomic_int_get ((int *) is_over)) {
    waitpid (-1, NULL, WNOHANG);
    g_usleep (100);
  }
  return NULL;
}

static gboolean
test_reaped_by_others (G_GNUC_UNUSED gpointer data, GError **error)
{
  int is_over = 0;
  GThread *thread = g_thread_new ("reaper", wait_for_all, &is_over);

  for (int i = 0; i < 20; i++) {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

    g_assert_true (tractor_portal_call (portal, "test:echo", NULL, NULL, error));
    if (i % 2 == 0) {
      tractor_actor_nursery_cancel (nursery);
      g_assert_true (tractor_actor_nursery_join (nursery, error));
    } else {
      kill (tractor_portal_get_pid (portal), SIGKILL);
      g_assert_false (tractor_actor_nursery_join (nursery, error));
      harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
    }
  }
  g_atomic_int_set (&is_over, 1);
  g_thread_join (thread);
  return TRUE;
}

/* A program with actors that a terminal interrupts: it is this one, started with --foreground, and
 * the leader of a process group, as a shell would have it. */
static gboolean
run_foreground (gpointer data, GError **error)
{
  gboolean *was_interrupted = data;
  const int signals[] = { SIGINT };
  g_autoptr (TractorSignalReceiver) receiver = tractor_signal_receiver_open (signals, 1, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) one = tractor_actor_nursery_start (nursery, "one", NULL, error);
  g_autoptr (TractorPortal) two = tractor_actor_nursery_start (nursery, "two", NULL, error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling callings[] = { { one, "test:sleep_forever", NULL }, { two, "test:sleep_forever", NULL } };
  int number;

  for (int i = 0; i < 2; i++)
    tractor_nursery_spawn (callers, "caller", call_in_task, &callings[i], NULL, error);
  g_assert_true (tractor_portal_call (two, "test:echo", NULL, NULL, error));
  g_print ("ready\n");
  fflush (stdout);
  *was_interrupted = tractor_signal_receiver_receive (receiver, &number, error);
  /* They are all well: none of them has heard of the interrupt but by us. */
  g_assert_true (tractor_portal_call (one, "test:echo", NULL, NULL, error));
  g_assert_true (tractor_portal_call (two, "test:echo", NULL, NULL, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (callers), "interrupted");
  tractor_nursery_join (callers, error);
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static int
foreground_main (void)
{
  g_autoptr (GError) error = NULL;
  gboolean was_interrupted = FALSE;

  setpgid (0, 0);
  if (tractor_run (run_foreground, &was_interrupted, &error) && was_interrupted)
    return 128 + SIGINT;
  g_printerr ("%s\n", error != NULL ? error->message : "not interrupted");
  return EXIT_FAILURE;
}

typedef struct {
  gint pid;
  gint64 interrupted_at;
} Foreground;

static void
interrupt_group (const char *line, G_GNUC_UNUSED gsize length, gpointer data)
{
  Foreground *foreground = data;

  g_assert_cmpstr (line, ==, "ready");
  foreground->interrupted_at = tractor_now ();
  g_assert_cmpint (kill (-foreground->pid, SIGINT), ==, 0);
}

static gboolean
test_interrupted_group (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const char *argv[] = { self, "--foreground", NULL };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Foreground foreground = { 0 };

  prctl (PR_SET_CHILD_SUBREAPER, 1); /* an actor that outlived the program would come to us */
  g_assert_true (tractor_nursery_start_process (
      nursery, argv, &(TractorProcessOptions){ .on_stdout = interrupt_group, .data = &foreground },
      &foreground.pid, error));
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_cmpint (tractor_now () - foreground.interrupted_at, <,
                   2 * SECOND * harness_get_patience ());
  g_assert_true (tractor_error_matches (*error, G_SPAWN_EXIT_ERROR, 128 + SIGINT));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (argc == 2 && strcmp (argv[1], "--foreground") == 0)
    return foreground_main ();
  harness_init (&argc, &argv);

  add_on_transports ("/e2e/fault/%s/row-93-I-07-stopped-reader", test_stopped_reader);
  add_on_transports ("/e2e/fault/%s/I-08-both-send", test_both_send);
  harness_add_real_task ("/e2e/fault/I-14-hundred-thousand", test_hundred_thousand);
  harness_add_real_task ("/e2e/fault/I-15-cancelled-at-random", test_cancelled_at_random);
  harness_add_real_task ("/e2e/fault/C-02-cancel-crosses-result", test_cancel_crosses_result);
  harness_add_real_task ("/e2e/fault/P-01-killed-while-streaming", test_killed_while_streaming);
  harness_add_real_task ("/e2e/fault/unix/row-34-killed-one-leaves-no-socket",
                         test_killed_one_leaves_no_socket);
  harness_add_real_task ("/e2e/fault/C-09-dead-hop", test_dead_hop);
  harness_add_real_task ("/e2e/fault/C-14-one-leaf-fails", test_one_leaf_fails);
  harness_add_real_task ("/e2e/fault/row-19-two-failures-are-a-group",
                         test_two_failures_are_a_group);
  harness_add_real_task ("/e2e/fault/row-28-sibling-is-ended", test_sibling_is_ended);
  harness_add_real_task ("/e2e/fault/row-26-bad-arguments-start-nothing",
                         test_bad_arguments_start_nothing);
  harness_add_real_task ("/e2e/fault/C-08-many-failures", test_many_failures);
  harness_add_real_task ("/e2e/fault/S-15-too-deep", test_too_deep);
  harness_add_real_task ("/e2e/fault/row-38-log-level", test_log_level);
  harness_add_real_task ("/e2e/fault/P-16-reaped-by-others", test_reaped_by_others);
  harness_add_real_task ("/e2e/fault/row-76-pipeline", test_pipeline);
  harness_add_real_task ("/e2e/fault/row-76-pipeline-is-cancelled", test_pipeline_is_cancelled);
  harness_add_real_task ("/e2e/fault/S-08-sixty-four-twins", test_sixty_four_twins);
  harness_add_real_task ("/e2e/fault/row-78-P-20-P-21-interrupted-group", test_interrupted_group);
  harness_add_real_task ("/e2e/fault/P-19-interrupted-system-calls", test_interrupted_system_calls);
  return harness_run ();
}
