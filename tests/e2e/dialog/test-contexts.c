/* test-contexts.c - dialogs between real processes: how each way of ending one is seen at both ends.
 *
 * The rows are those of the table of acceptance criteria, T1 to T22 those of the table of outcomes of
 * a context. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "actors.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
sleep_forever (GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
set_no_space (GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return FALSE;
}

/* Says "first" and returns "last". */
static gboolean
simple (TractorContext *context,
        GVariant *kwargs,
        GVariant **ret_result,
        G_GNUC_UNUSED GError **error)
{
  g_autoptr (GVariant) first = g_variant_lookup_value (kwargs, "first", NULL);

  if (!tractor_context_started (context, first, error))
    return FALSE;
  *ret_result = g_variant_lookup_value (kwargs, "last", NULL);
  return TRUE;
}

/* Until the opener sends something: so it has heard that we have started. */
static void
wait_for_word (TractorContext *context)
{
  g_autoptr (TractorStream) stream = tractor_context_open_stream (context, NULL);
  g_autoptr (GVariant) word = NULL;

  g_assert_true (tractor_stream_receive (stream, &word, NULL));
}

/* A start that is refused is none: it can start after that, as if it had not tried. */
static void
start_in_vain (TractorContext *context)
{
  g_autoptr (TractorCancelScope) scope = NULL;
  GError *error = NULL;

  g_assert_false (tractor_context_started (context, g_variant_new_handle (0), &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_false (tractor_context_started (context, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
}

/* Does what "mode" says after it has started. */
static gboolean
in_mode (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  const char *mode = "";
  const char *path = "";

  g_variant_lookup (kwargs, "mode", "&s", &mode);
  g_variant_lookup (kwargs, "path", "&s", &path);
  if (strcmp (mode, "fail-before") == 0)
    return set_no_space (error);
  if (strcmp (mode, "cancel-before") == 0) {
    tractor_context_cancel (context);
    return sleep_forever (error);
  }
  if (strcmp (mode, "never-start") == 0)
    return TRUE;
  if (strcmp (mode, "run-before") == 0) {
    g_file_set_contents (path, "running", -1, NULL);
    mode = "sleep-before";
  }
  if (strcmp (mode, "sleep-before") == 0) {
    gboolean ok = sleep_forever (error);

    g_file_set_contents (path, "cancelled", -1, NULL);
    return ok;
  }
  if (strcmp (mode, "start-in-vain") == 0)
    start_in_vain (context);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  if (strcmp (mode, "start-in-vain") == 0) {
    g_assert_false (tractor_context_started (context, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE); /* once is enough */
    return TRUE;
  }
  if (strcmp (mode, "fail") == 0)
    return set_no_space (error);
  if (strcmp (mode, "start-twice") == 0)
    return tractor_context_started (context, NULL, error);
  if (strcmp (mode, "cancel") == 0) {
    tractor_context_cancel (context);
    return sleep_forever (error);
  }
  if (strcmp (mode, "leave") == 0) {
    wait_for_word (context);
    _exit (0);
  }
  if (strcmp (mode, "kill") == 0) {
    wait_for_word (context);
    kill (getpid (), SIGKILL);
  }
  if (strcmp (mode, "fail-in-cleanup") == 0) {
    sleep_forever (error);
    g_clear_error (error);
    return set_no_space (error);
  }
  if (strcmp (mode, "result-of-own") == 0)
    return tractor_context_wait_result (context, ret_result, error);
  sleep_forever (error);
  if (path[0] != '\0')
    g_file_set_contents (path, "cancelled", -1, NULL);
  return FALSE;
}

/* Receives until the end, and returns how many it were. */
static gboolean
count (TractorContext *context,
       G_GNUC_UNUSED GVariant *kwargs,
       GVariant **ret_result,
       GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;
  gint64 n = 0;

  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (stream != NULL && tractor_stream_receive (stream, &item, error)) {
    g_variant_unref (item);
    n++;
  }
  *ret_result = g_variant_new_int64 (n);
  return *error == NULL;
}

/* Sends @n integers whether anybody wants them or not, and returns "all sent". */
static gboolean
send_many (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  for (gint64 i = 0; stream != NULL && i < n; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error)) {
      if (!g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN))
        return FALSE;
      g_clear_error (error);
      break;
    }
  *ret_result = g_variant_new_string ("all sent");
  return stream != NULL;
}

/* Once the opener has said something: sends an item and fails, in one breath. */
static gboolean
send_and_fail (TractorContext *context,
               G_GNUC_UNUSED GVariant *kwargs,
               G_GNUC_UNUSED GVariant **ret_result,
               GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  GVariant *word;

  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  return stream != NULL && tractor_stream_receive (stream, &word, error) &&
         tractor_stream_send (stream, NULL, error) && set_no_space (error);
}

/* Sends "n" integers and fails, or says TRUE, in one breath with its start. */
static gboolean
send_and_end (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  gboolean fails = FALSE;
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  g_variant_lookup (kwargs, "fails", "b", &fails);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  for (gint64 i = 0; i < n; i++)
    if (stream == NULL || !tractor_stream_send (stream, g_variant_new_int64 (i), error))
      return FALSE;
  if (fails)
    return set_no_space (error);
  *ret_result = g_variant_new_boolean (TRUE);
  return TRUE;
}

/* Of the function that has closed its stream and has not ended yet. */
static TractorEvent *may_end;

/* Closes its stream after an item, and ends when it may: as "how" says. */
static gboolean
close_and_end (TractorContext *context,
               GVariant *kwargs,
               G_GNUC_UNUSED GVariant **ret_result,
               GError **error)
{
  g_autoptr (TractorEvent) event = may_end = tractor_event_new ();
  const char *how = "";
  {
    g_autoptr (TractorStream) stream = NULL;
    GVariant *item;

    g_variant_lookup (kwargs, "how", "&s", &how);
    if (!tractor_context_started (context, NULL, error))
      return FALSE;
    stream = tractor_context_open_stream (context, error);
    if (stream == NULL || !tractor_stream_receive (stream, &item, error))
      return FALSE;
  }
  if (!tractor_event_wait (may_end, error))
    return FALSE;
  if (strcmp (how, "fails") == 0)
    return set_no_space (error);
  if (strcmp (how, "is cancelled") == 0) {
    tractor_context_cancel (context);
    return sleep_forever (error);
  }
  return TRUE;
}

static gboolean
let_it_end (G_GNUC_UNUSED GVariant *kwargs,
            G_GNUC_UNUSED GVariant **ret_result,
            G_GNUC_UNUSED GError **error)
{
  tractor_event_set (may_end);
  return TRUE;
}

static gboolean
send_forever (gpointer stream, GError **error)
{
  while (tractor_stream_send (stream, NULL, error))
    ;
  return FALSE;
}

/* Sends in a task of its own until nobody wants any more; "unjoined", leaves it to the end. */
static gboolean
send_in_task (TractorContext *context,
              GVariant *kwargs,
              G_GNUC_UNUSED GVariant **ret_result,
              GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gboolean unjoined = FALSE;
  TractorStream *stream;

  g_variant_lookup (kwargs, "unjoined", "b", &unjoined);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  tractor_nursery_spawn (nursery, "sender", send_forever, stream, NULL, error);
  if (!unjoined)
    return tractor_nursery_join (nursery, error);
  tractor_sleep_until (TRACTOR_NO_DEADLINE, NULL); /* the sender's end ends that */
  return TRUE;
}

/* Cancels the actor that its own parent has started under @name. */
static gboolean
plain_call (G_GNUC_UNUSED GVariant *kwargs,
            G_GNUC_UNUSED GVariant **ret_result,
            G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static const TractorExport exports[] = {
  { "simple", TRACTOR_EXPORT_CONTEXT, .context = simple },
  { "in_mode", TRACTOR_EXPORT_CONTEXT, .context = in_mode },
  { "count", TRACTOR_EXPORT_CONTEXT, .context = count },
  { "send_many", TRACTOR_EXPORT_CONTEXT, .context = send_many },
  { "send_and_fail", TRACTOR_EXPORT_CONTEXT, .context = send_and_fail },
  { "send_and_end", TRACTOR_EXPORT_CONTEXT, .context = send_and_end },
  { "close_and_end", TRACTOR_EXPORT_CONTEXT, .context = close_and_end },
  { "let_it_end", TRACTOR_EXPORT_CALL, let_it_end },
  { "send_in_task", TRACTOR_EXPORT_CONTEXT, .context = send_in_task },
  { "plain_call", TRACTOR_EXPORT_CALL, plain_call },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- helpers -------------------------------------------------------------------------------------- */

static TractorContext *
open_in_mode (Peer *peer, const char *mode, GError **error)
{
  return tractor_portal_open_context (peer->portal, "test:in_mode",
                                      g_variant_new_parsed ("{'mode': <%s>}", mode), NULL, NULL,
                                      error);
}

static char *
make_path (void)
{
  return g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "marker", NULL);
}

static void
assert_marker_and_remove (const char *path)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "cancelled");
  unlink (path);
}

/* Expects *@error to be a ContextCancelled on the wish of @canceller. */
static void
assert_cancelled_by (GError **error, const char *canceller)
{
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED);
  g_assert_cmpstr (tractor_error_get_canceller (*error), ==, canceller);
  g_clear_error (error);
}

static void
assert_no_space (GError **error)
{
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
}

/* --- beginning ------------------------------------------------------------------------------------- */

static gboolean
test_first_and_result (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) first = NULL;
  g_autoptr (GVariant) result = NULL;
  {
    g_autoptr (TractorContext) context = tractor_portal_open_context (
        peer.portal, "test:simple",
        g_variant_new_parsed ("{'first': <'hello'>, 'last': <%x>}", (gint64) 7), NULL, &first,
        error);

    g_assert_no_error (*error);
    g_assert_cmpstr (g_variant_get_string (first, NULL), ==, "hello");
    g_assert_cmpstr (tractor_context_get_peer_name (context), ==, "peer");
    g_assert_cmpstr (tractor_context_get_peer_uuid (context), ==,
                     tractor_portal_get_uuid (peer.portal));
    g_assert_true (tractor_context_join (context, &result, error));
    g_assert_cmpint (g_variant_get_int64 (result), ==, 7);
    g_assert_null (tractor_context_get_outcome (context));
  }
  return end_peer (&peer, error);
}

static gboolean
test_fails_before_started (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  g_assert_null (open_in_mode (&peer, "fail-before", error));
  assert_no_space (error);
  return end_peer (&peer, error);
}

static gboolean
test_cancels_itself_before_started (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *peer_id = portal_id (peer.portal);

  g_assert_null (open_in_mode (&peer, "cancel-before", error));
  assert_cancelled_by (error, peer_id);
  return end_peer (&peer, error);
}

static gboolean
test_never_starts (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  g_assert_null (open_in_mode (&peer, "never-start", error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_clear_error (error);
  return end_peer (&peer, error);
}

static gboolean
test_starts_after_refusals (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_in_mode (&peer, "start-in-vain", error);

    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

static gboolean
test_started_misuse (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_in_mode (&peer, "start-twice", error);

    g_assert_false (tractor_context_started (context, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
    g_clear_error (error);
  }
  {
    g_autoptr (TractorContext) context = open_in_mode (&peer, "result-of-own", error);

    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
    g_clear_error (error);
  }
  return end_peer (&peer, error);
}

static gboolean
test_refused_starts_leave_nothing (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  g_assert_null (tractor_portal_open_context (
      peer.portal, "test:simple", g_variant_new_parsed ("{'h': <%h>}", 0), NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_null (
      tractor_portal_open_context (peer.portal, "test:nothing", NULL, NULL, NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED));
  g_clear_error (error);
  g_assert_null (
      tractor_portal_open_context (peer.portal, "test:plain_call", NULL, NULL, NULL, error));
  g_assert_nonnull (strstr ((*error)->message, "does not serve 'test:plain_call' as a context"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_null (tractor_portal_open_stream (peer.portal, "test:simple", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_portal_call (peer.portal, "test:simple", NULL, NULL, error));
  g_assert_nonnull (strstr ((*error)->message, "'test:simple'"));
  g_assert_nonnull (strstr ((*error)->message, "tractor_portal_open_context()"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_true (tractor_portal_call (peer.portal, "test:plain_call", NULL, NULL, error));
  return end_peer (&peer, error);
}

/* What was taken for something else does not go on there. */
static gboolean
test_wrong_kind_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  gint64 give_up_at = tractor_now () + 2 * SECOND * harness_get_patience ();
  g_autofree char *path = make_path ();

  g_assert_null (tractor_portal_open_stream (
      peer.portal, "test:in_mode",
      g_variant_new_parsed ("{'mode': <'sleep-before'>, 'path': <%s>}", path), NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  while (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_assert_cmpint (tractor_now (), <, give_up_at);
    g_assert_true (tractor_portal_call (peer.portal, "test:plain_call", NULL, NULL, error));
  }
  assert_marker_and_remove (path);
  return end_peer (&peer, error);
}

static gboolean
test_cancelled_while_it_starts (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *path = make_path ();
  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    WhenItRuns when = { path, scope };

    tractor_nursery_spawn (nursery, "canceller", cancel_when_it_runs, &when, NULL, error);
    g_assert_null (tractor_portal_open_context (
        peer.portal, "test:in_mode",
        g_variant_new_parsed ("{'mode': <'run-before'>, 'path': <%s>}", path), NULL, NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  assert_marker_and_remove (path);
  g_assert_true (tractor_portal_call (peer.portal, "test:plain_call", NULL, NULL, error));
  return end_peer (&peer, error);
}

/* Its body alone is given up: so is the function, and that is no failure. */
static gboolean
test_body_is_cancelled_by_its_scope (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *path = make_path ();
  g_autoptr (GVariant) result = NULL;
  {
    g_autoptr (TractorContext) context = tractor_portal_open_context (
        peer.portal, "test:in_mode",
        g_variant_new_parsed ("{'mode': <'sleep'>, 'path': <%s>}", path), NULL, NULL, error);

    g_assert_no_error (*error);
    tractor_cancel_scope_set_deadline (tractor_context_get_scope (context),
                                       tractor_now () + SECOND / 20);
    g_assert_false (tractor_context_wait_result (context, NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
    g_assert_true (tractor_context_join (context, &result, error));
    g_assert_no_error (*error);
    g_assert_null (result);
    g_assert_true (tractor_cancel_scope_get_cancelled_caught (tractor_context_get_scope (context)));
  }
  assert_marker_and_remove (path);
  g_assert_true (tractor_portal_call (peer.portal, "test:plain_call", NULL, NULL, error));
  return end_peer (&peer, error);
}

/* The ways in which it is cancelled when the body itself has heard nothing of that. */
typedef enum {
  BEFORE_THE_JOIN,
  BEFORE_A_DROPPED_ERROR,
  BY_ANOTHER_TASK,
  BY_ITS_DEADLINE,
  N_WAYS
} Way;

static gboolean
cancel_when_all_wait (gpointer scope, GError **error)
{
  if (!tractor_wait_all_tasks_blocked (0, error))
    return FALSE;
  tractor_cancel_scope_cancel (scope, "by another task");
  return TRUE;
}

static void
cancel_scope_and_join (TractorContext *context, Way way, GError **error)
{
  TractorCancelScope *scope = tractor_context_get_scope (context);
  g_autoptr (GVariant) result = NULL;

  if (way == BEFORE_THE_JOIN || way == BEFORE_A_DROPPED_ERROR)
    tractor_cancel_scope_cancel (scope, "by the body");
  if (way == BEFORE_A_DROPPED_ERROR)
    g_assert_false (tractor_checkpoint (NULL));
  if (way == BY_ITS_DEADLINE)
    tractor_cancel_scope_set_deadline (scope, tractor_now () + SECOND / 20);
  tractor_context_join (context, &result, error);
  g_assert_null (result);
  g_assert_true (tractor_cancel_scope_get_cancel_called (scope));
  g_assert_true (tractor_cancel_scope_get_cancelled_caught (scope));
}

/* In a body that could not hang for ever. */
static void
open_and_cancel_scope (Peer *peer, GVariant *kwargs, Way way, GError **error)
{
  gint64 give_up_at = tractor_now () + 20 * SECOND * harness_get_patience ();
  g_autoptr (TractorCancelScope) limit = tractor_cancel_scope_open (give_up_at);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  g_autoptr (TractorContext) context =
      tractor_portal_open_context (peer->portal, "test:in_mode", kwargs, NULL, NULL, error);

  g_assert_no_error (*error);
  if (way == BY_ANOTHER_TASK)
    tractor_nursery_spawn (tasks, "other", cancel_when_all_wait,
                           tractor_context_get_scope (context), NULL, error);
  cancel_scope_and_join (context, way, error);
  g_assert_true (tractor_nursery_join (tasks, &(GError *){ NULL }));
  g_assert_true (tractor_cancel_scope_absorb (limit, &(GError *){ NULL }));
  g_assert_false (tractor_cancel_scope_get_cancel_called (limit));
}

/* Cancelled is a level: the join is a checkpoint of the body too, and the longest. */
static gboolean
test_cancelled_scope_ends_the_join (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *path = make_path ();

  for (Way way = 0; way < N_WAYS; way++) {
    open_and_cancel_scope (&peer, g_variant_new_parsed ("{'mode': <'sleep'>, 'path': <%s>}", path),
                           way, error);
    g_assert_no_error (*error);
    assert_marker_and_remove (path);
    open_and_cancel_scope (&peer, g_variant_new_parsed ("{'mode': <'fail-in-cleanup'>}"), way,
                           error);
    assert_no_space (error); /* it is the function's own */
  }
  return end_peer (&peer, error);
}

/* --- failing --------------------------------------------------------------------------------------- */

static gboolean
test_fails_while_waited_for (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_in_mode (&peer, "fail", error);

    g_assert_false (tractor_context_wait_result (context, NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
    g_assert_false (tractor_context_join (context, NULL, error));
    assert_no_space (error); /* once, not twice in a group */
  }
  return end_peer (&peer, error);
}

static gboolean
test_failure_interrupts_the_body (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  gint64 started = tractor_now ();
  {
    g_autoptr (TractorContext) context = open_in_mode (&peer, "fail", error);

    g_assert_false (tractor_sleep_until (started + 999 * SECOND, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
    g_assert_false (tractor_context_join (context, NULL, error));
    assert_no_space (error);
  }
  g_assert_cmpint (tractor_now () - started, <, SECOND * harness_get_patience ());
  return end_peer (&peer, error);
}

/* In a body that has been interrupted: why, and not that it has been. */
static gboolean
test_stream_says_how_it_failed (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_in_mode (&peer, "fail", error);

    g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
    g_assert_null (tractor_context_open_stream (context, error));
    assert_no_space (error);
    g_assert_false (tractor_context_join (context, NULL, error));
    assert_no_space (error);
  }
  return end_peer (&peer, error);
}

/* Also if a task that has just been given an item was the last to wait for the other end. */
static gboolean
test_failure_behind_an_item_interrupts_the_body (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  gint64 started = tractor_now ();

  for (int i = 0; i < 20; i++) {
    g_autoptr (TractorContext) context =
        tractor_portal_open_context (peer.portal, "test:send_and_fail", NULL, NULL, NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);
    GVariant *item;

    g_assert_true (tractor_stream_send (stream, NULL, error));
    g_assert_true (tractor_stream_receive (stream, &item, error));
    g_assert_false (tractor_sleep_until (started + 999 * SECOND, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
    g_assert_false (tractor_context_join (context, NULL, error));
    assert_no_space (error);
  }
  return end_peer (&peer, error);
}

typedef enum {
  AT_ONCE,
  AT_ITS_END, /* that has come, and nothing was received before */
  N_TIMES
} When;

/* Whatever of the function's end has come by then: all items, and then how it ended. */
static void
open_stream_and_count (Peer *peer, gboolean fails, When when, GError **error)
{
  g_autoptr (TractorContext) context = tractor_portal_open_context (
      peer->portal, "test:send_and_end",
      g_variant_new_parsed ("{'n': <%x>, 'fails': <%b>}", (gint64) 5, fails), NULL, NULL, error);
  gint64 n = 0;
  {
    g_autoptr (TractorStream) stream = NULL;
    GVariant *item;

    g_assert_no_error (*error);
    if (when == AT_ITS_END && fails)
      g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, NULL));
    else if (when == AT_ITS_END)
      g_assert_true (tractor_portal_call (peer->portal, "test:plain_call", NULL, NULL, error));
    stream = tractor_context_open_stream (context, error);
    g_assert_no_error (*error);
    for (; tractor_stream_receive (stream, &item, error); n++) {
      g_assert_cmpint (g_variant_get_int64 (item), ==, n);
      g_variant_unref (item);
    }
  }
  g_assert_cmpint (n, ==, 5);
  g_assert_true (fails == (*error != NULL));
  g_assert_true (fails != tractor_context_join (context, NULL, error));
}

static gboolean
test_items_come_before_the_end (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  for (When when = 0; when < N_TIMES; when++) {
    open_stream_and_count (&peer, FALSE, when, error);
    g_assert_no_error (*error);
    open_stream_and_count (&peer, TRUE, when, error);
    assert_no_space (error);
  }
  return end_peer (&peer, error);
}

static gboolean
call_let_it_end (gpointer portal, GError **error)
{
  return tractor_portal_call (portal, "test:let_it_end", NULL, NULL, error);
}

/* Sends to a function until that has closed its stream. @in_task: in a task of the body. */
static void
send_until_broken (TractorContext *context, gboolean in_task, GError **error)
{
  TractorStream *stream = tractor_context_open_stream (context, error);

  g_assert_no_error (*error);
  if (in_task) {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    tractor_nursery_spawn (nursery, "sender", send_forever, stream, NULL, error);
    tractor_nursery_join (nursery, error);
  } else {
    send_forever (stream, error);
  }
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN));
}

/* @how: the function ends, which is not before its opener has begun to join; "never": it would not. */
static void
join_broken (Peer *peer, const char *how, gboolean in_task, GError **error)
{
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  g_autoptr (TractorContext) context =
      tractor_portal_open_context (peer->portal, "test:close_and_end",
                                   g_variant_new_parsed ("{'how': <%s>}", how), NULL, NULL, error);

  g_assert_no_error (*error);
  send_until_broken (context, in_task, error);
  if (strcmp (how, "never") != 0)
    tractor_nursery_spawn (tasks, "let it end", call_let_it_end, peer->portal, NULL,
                           &(GError *){ NULL });
  g_assert_false (tractor_context_join (context, NULL, error));
  g_assert_true (tractor_nursery_join (tasks, &(GError *){ NULL }));
}

/* That the other end has closed its stream is the consequence: the cause comes out in its place. */
static gboolean
test_cause_of_broken (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *peer_id = portal_id (peer.portal);

  for (int in_task = 0; in_task < 2; in_task++) {
    join_broken (&peer, "fails", in_task, error);
    g_assert_false (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN));
    assert_no_space (error);
    join_broken (&peer, "is cancelled", in_task, error);
    assert_cancelled_by (error, peer_id);
    join_broken (&peer, "returns", in_task, error);
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN));
    g_clear_error (error);
    join_broken (&peer, "never", in_task, error);
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN));
    g_clear_error (error);
  }
  return end_peer (&peer, error);
}

static gboolean
test_body_fails (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *path = make_path ();
  {
    g_autoptr (TractorContext) context = tractor_portal_open_context (
        peer.portal, "test:in_mode",
        g_variant_new_parsed ("{'mode': <'sleep'>, 'path': <%s>}", path), NULL, NULL, error);

    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_FAULT, "the body's own");
    g_assert_false (tractor_context_join (context, NULL, error));
    harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_FAULT);
    g_assert_error (tractor_context_get_outcome (context), TRACTOR_ERROR,
                    TRACTOR_ERROR_CONTEXT_CANCELLED);
  }
  assert_marker_and_remove (path);
  return end_peer (&peer, error);
}

static gboolean
test_both_fail (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_in_mode (&peer, "fail-in-cleanup", error);

    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_FAULT, "the body's own");
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_GROUP);
    g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, 2);
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_FAULT));
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
    g_clear_error (error);
  }
  return end_peer (&peer, error);
}

static gboolean
test_cleanup_failure_wins_over_cancel (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_in_mode (&peer, "fail-in-cleanup", error);

    tractor_context_cancel (context);
    g_assert_false (tractor_context_join (context, NULL, error));
    assert_no_space (error);
  }
  return end_peer (&peer, error);
}

static gboolean
test_unjoined_failure_is_not_lost (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (TractorCancelScope) around = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_context_close (open_in_mode (&peer, "fail-in-cleanup", error));
  g_assert_no_error (*error);
  g_assert_false (tractor_cancel_scope_absorb (around, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  return end_peer (&peer, error);
}

/* --- cancelling ------------------------------------------------------------------------------------ */

static gboolean
test_opener_cancels (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *self = own_id ();
  g_autofree char *path = make_path ();
  {
    g_autoptr (TractorContext) context = tractor_portal_open_context (
        peer.portal, "test:in_mode",
        g_variant_new_parsed ("{'mode': <'sleep'>, 'path': <%s>}", path), NULL, NULL, error);
    const GError *outcome;

    tractor_context_cancel (context);
    tractor_context_cancel (context);
    g_assert_true (tractor_checkpoint (error)); /* the body goes on */
    g_assert_null (tractor_context_open_stream (context, error));
    g_clear_error (error);
    g_assert_true (tractor_context_join (context, NULL, error));
    outcome = tractor_context_get_outcome (context);
    g_assert_error (outcome, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED);
    g_assert_cmpstr (tractor_error_get_canceller (outcome), ==, self);
  }
  assert_marker_and_remove (path);
  return end_peer (&peer, error);
}

static gboolean
receive_and_fail (gpointer stream, GError **error)
{
  g_autoptr (GVariant) item = NULL;

  return tractor_stream_receive (stream, &item, error);
}

static gboolean
fail_when_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (sleep_forever (error));
  g_clear_error (error);
  return set_no_space (error);
}

/* A task of the body has received what the opener's own cancel made of the function: that is no failure,
 * wherever it stands, but what is beside it is. */
static void
cancel_while_a_task_receives (Peer *peer, TractorTaskFunc other, GError **error)
{
  g_autoptr (TractorContext) context = open_in_mode (peer, "sleep", error);
  TractorStream *stream = tractor_context_open_stream (context, error);
  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    tractor_nursery_spawn (nursery, "receiver", receive_and_fail, stream, NULL, error);
    if (other != NULL)
      tractor_nursery_spawn (nursery, "other", other, NULL, NULL, error);
    g_assert_true (tractor_wait_all_tasks_blocked (0, NULL));
    tractor_context_cancel (context);
    g_assert_false (tractor_nursery_join (nursery, error));
  }
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED));
  tractor_context_join (context, NULL, error);
}

static gboolean
test_own_cancel_in_a_group (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  cancel_while_a_task_receives (&peer, NULL, error);
  g_assert_no_error (*error);
  cancel_while_a_task_receives (&peer, fail_when_cancelled, error);
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_assert_false (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED));
  g_clear_error (error);
  return end_peer (&peer, error);
}

static gboolean
test_end_of_stream_in_a_group (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  for (int unjoined = 0; unjoined < 2; unjoined++) {
    g_autoptr (TractorContext) context = tractor_portal_open_context (
        peer.portal, "test:send_in_task", g_variant_new_parsed ("{'unjoined': <%b>}", unjoined),
        NULL, NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);
    g_autoptr (GVariant) item = NULL;

    g_assert_true (tractor_stream_receive (stream, &item, error));
    tractor_stream_close (stream);
    g_assert_true (tractor_context_join (context, NULL, error));
    g_assert_no_error (*error);
  }
  return end_peer (&peer, error);
}

static gboolean
test_function_cancels_itself (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *peer_id = portal_id (peer.portal);
  {
    g_autoptr (TractorContext) context = open_in_mode (&peer, "cancel", error);

    g_assert_false (tractor_context_join (context, NULL, error));
    assert_cancelled_by (error, peer_id);
  }
  return end_peer (&peer, error);
}

static gboolean
test_actor_cancelled_by_opener (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *self = own_id ();
  {
    g_autoptr (TractorContext) context = open_in_mode (&peer, "sleep", error);

    g_assert_true (tractor_portal_cancel_actor (peer.portal, tractor_now () + 5 * SECOND, NULL) ||
                   tractor_context_get_outcome (context) != NULL);
    g_assert_false (tractor_context_join (context, NULL, error));
    assert_cancelled_by (error, self); /* not absorbed: it was not the context that was cancelled */
  }
  return end_peer (&peer, error);
}

static gboolean
test_scope_around_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *path = make_path ();
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    g_autoptr (TractorContext) context = tractor_portal_open_context (
        peer.portal, "test:in_mode",
        g_variant_new_parsed ("{'mode': <'sleep'>, 'path': <%s>}", path), NULL, NULL, error);

    tractor_cancel_scope_set_deadline (scope, tractor_now () + SECOND / 20);
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  assert_marker_and_remove (path);
  return end_peer (&peer, error);
}

/* --- early ends ------------------------------------------------------------------------------------ */

static gboolean
test_body_ends_first (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) result = NULL;
  {
    g_autoptr (TractorContext) context =
        tractor_portal_open_context (peer.portal, "test:count", NULL, NULL, NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);

    for (int i = 0; i < 5; i++)
      g_assert_true (tractor_stream_send (stream, g_variant_new_int32 (i), error));
    g_assert_true (tractor_context_join (context, &result, error));
    g_assert_cmpint (g_variant_get_int64 (result), ==, 5);
  }
  return end_peer (&peer, error);
}

static gboolean
test_unread_items_do_not_hold_the_result_back (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GVariant) early = NULL;
  {
    g_autoptr (TractorContext) context = tractor_portal_open_context (
        peer.portal, "test:send_many", g_variant_new_parsed ("{'n': <%x>}", (gint64) 20000), NULL,
        NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);

    for (int i = 0; i < 3; i++) {
      g_autoptr (GVariant) item = NULL;

      g_assert_true (tractor_stream_receive (stream, &item, error));
      g_assert_cmpint (g_variant_get_int64 (item), ==, i);
    }
    g_assert_true (tractor_context_wait_result (context, &early, error));
    g_assert_cmpstr (g_variant_get_string (early, NULL), ==, "all sent");
    g_assert_true (tractor_context_join (context, &result, error));
    g_assert_true (g_variant_equal (early, result));
  }
  return end_peer (&peer, error);
}

/* Not even if they have taken all the room there was. */
static gboolean
test_full_stream_does_not_hold_the_result_back (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = tractor_portal_open_context (
        peer.portal, "test:send_many", g_variant_new_parsed ("{'n': <%x>}", (gint64) 20000), NULL,
        NULL, error);
    g_autoptr (GVariant) result = NULL;

    g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 5, error));
    g_assert_true (tractor_context_wait_result (context, &result, error));
    g_assert_cmpstr (g_variant_get_string (result, NULL), ==, "all sent");
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

/* --- death ----------------------------------------------------------------------------------------- */

static gboolean
dies (const char *mode, const char *how, GError **error)
{
  Peer peer = start_peer (error);
  gint64 started = tractor_now ();
  {
    g_autoptr (TractorContext) context = open_in_mode (&peer, mode, error);
    TractorStream *stream = tractor_context_open_stream (context, error);

    g_assert_true (tractor_stream_send (stream, NULL, error));
    g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
    g_assert_nonnull (strstr ((*error)->message, how));
    g_clear_error (error);
  }
  g_assert_cmpint (tractor_now () - started, <, SECOND * harness_get_patience ());
  g_assert_false (end_peer (&peer, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

static gboolean
test_killed (G_GNUC_UNUSED gpointer data, GError **error)
{
  return dies ("kill", "signal 9", error);
}

static gboolean
test_leaves_with_contexts_open (G_GNUC_UNUSED gpointer data, GError **error)
{
  return dies ("leave", "exited with status 0, with 1 call open", error);
}

static gboolean
test_many_at_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  GPtrArray *contexts = g_ptr_array_new ();

  for (gint64 i = 0; i < 200; i++) {
    g_autoptr (GVariant) first = NULL;

    g_ptr_array_add (contexts, tractor_portal_open_context (
                                   peer.portal, "test:simple",
                                   g_variant_new_parsed ("{'first': <%x>, 'last': <%x>}", i, -i),
                                   NULL, &first, error));
    g_assert_no_error (*error);
    g_assert_cmpint (g_variant_get_int64 (first), ==, i);
  }
  for (gint64 i = 199; i >= 0; i--) {
    g_autoptr (GVariant) result = NULL;

    g_assert_true (tractor_context_join (contexts->pdata[i], &result, error));
    g_assert_cmpint (g_variant_get_int64 (result), ==, -i);
    tractor_context_close (contexts->pdata[i]);
  }
  g_ptr_array_unref (contexts);
  return end_peer (&peer, error);
}

static gboolean
wait_until_gone (gpointer portal, GError **error)
{
  return tractor_portal_wait_until_gone (portal, error);
}

static gboolean
test_wait_until_gone (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 20);

  g_assert_false (tractor_portal_wait_until_gone (peer.portal, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_clear_pointer (&scope, tractor_cancel_scope_close);
  for (int i = 0; i < 2; i++)
    tractor_nursery_spawn (tasks, NULL, wait_until_gone, peer.portal, NULL, error);
  kill (tractor_portal_get_pid (peer.child), SIGKILL);
  g_assert_true (tractor_nursery_join (tasks, error));
  g_assert_false (end_peer (&peer, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  add_on_transports ("/e2e/context/%s/wait-until-gone", test_wait_until_gone);
  add_on_transports ("/e2e/context/%s/row-51-T1-first-and-result", test_first_and_result);
  add_on_transports ("/e2e/context/%s/T2-fails-before-started", test_fails_before_started);
  add_on_transports ("/e2e/context/%s/T21-cancels-itself-before-started",
                     test_cancels_itself_before_started);
  add_on_transports ("/e2e/context/%s/T21-never-starts", test_never_starts);
  add_on_transports ("/e2e/context/%s/row-52-T22-started-misuse", test_started_misuse);
  add_on_transports ("/e2e/context/%s/starts-after-refusals", test_starts_after_refusals);
  add_on_transports ("/e2e/context/%s/row-65-refused-starts-leave-nothing",
                     test_refused_starts_leave_nothing);
  add_on_transports ("/e2e/context/%s/wrong-kind-is-cancelled", test_wrong_kind_is_cancelled);
  add_on_transports ("/e2e/context/%s/row-66-cancelled-while-it-starts",
                     test_cancelled_while_it_starts);
  add_on_transports ("/e2e/context/%s/body-is-cancelled-by-its-scope",
                     test_body_is_cancelled_by_its_scope);
  add_on_transports ("/e2e/context/%s/cancelled-scope-ends-the-join",
                     test_cancelled_scope_ends_the_join);
  add_on_transports ("/e2e/context/%s/T3-fails-while-waited-for", test_fails_while_waited_for);
  add_on_transports ("/e2e/context/%s/row-58-T4-failure-interrupts-the-body",
                     test_failure_interrupts_the_body);
  add_on_transports ("/e2e/context/%s/row-58-stream-says-how-it-failed",
                     test_stream_says_how_it_failed);
  add_on_transports ("/e2e/context/%s/row-58-failure-behind-an-item-interrupts-the-body",
                     test_failure_behind_an_item_interrupts_the_body);
  add_on_transports ("/e2e/context/%s/items-come-before-the-end", test_items_come_before_the_end);
  add_on_transports ("/e2e/context/%s/cause-of-broken-comes-out", test_cause_of_broken);
  add_on_transports ("/e2e/context/%s/T7-body-fails", test_body_fails);
  add_on_transports ("/e2e/context/%s/C-07-both-fail", test_both_fail);
  add_on_transports ("/e2e/context/%s/row-59-row-79-T13-cleanup-failure-wins-over-cancel",
                     test_cleanup_failure_wins_over_cancel);
  add_on_transports ("/e2e/context/%s/unjoined-failure-is-not-lost",
                     test_unjoined_failure_is_not_lost);
  add_on_transports ("/e2e/context/%s/row-54-T9-C-01-opener-cancels", test_opener_cancels);
  add_on_transports ("/e2e/context/%s/own-cancel-in-a-group-is-absorbed",
                     test_own_cancel_in_a_group);
  add_on_transports ("/e2e/context/%s/end-of-stream-in-a-group-is-success",
                     test_end_of_stream_in_a_group);
  add_on_transports ("/e2e/context/%s/row-56-T11-function-cancels-itself",
                     test_function_cancels_itself);
  add_on_transports ("/e2e/context/%s/row-55-T10-actor-cancelled-by-opener",
                     test_actor_cancelled_by_opener);
  add_on_transports ("/e2e/context/%s/T8-scope-around-is-cancelled",
                     test_scope_around_is_cancelled);
  add_on_transports ("/e2e/context/%s/row-60-T5-T6-body-ends-first", test_body_ends_first);
  add_on_transports ("/e2e/context/%s/row-53-unread-items-do-not-hold-the-result-back",
                     test_unread_items_do_not_hold_the_result_back);
  add_on_transports ("/e2e/context/%s/row-53-full-stream-does-not-hold-the-result-back",
                     test_full_stream_does_not_hold_the_result_back);
  harness_add_real_task ("/e2e/context/T15-killed", test_killed);
  harness_add_real_task ("/e2e/context/P-03-leaves-with-contexts-open",
                         test_leaves_with_contexts_open);
  add_on_transports ("/e2e/context/%s/many-at-once", test_many_at_once);
  return harness_run ();
}
