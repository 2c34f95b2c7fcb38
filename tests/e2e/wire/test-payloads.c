/* test-payloads.c - what travels between real processes: values, specs and where they are checked,
 * extension types, and groups of errors. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malloc.h>

#include "actors.h"

static void
assert_says (const GError *error, const char *text)
{
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, text));
}

/* --- what the actors serve ----------------------------------------------------------------------- */

/* A context whose payloads are integers. Sends as "started", "item" and "result" what it is told to. */
static gboolean
integers (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (GVariant) started = g_variant_lookup_value (kwargs, "started", NULL);
  g_autoptr (GVariant) item = g_variant_lookup_value (kwargs, "item", NULL);
  TractorStream *stream;

  if (!tractor_context_started (context, started, error))
    return FALSE;
  if (item != NULL) {
    stream = tractor_context_open_stream (context, error);
    if (stream == NULL || !tractor_stream_send (stream, item, error) ||
        !tractor_sleep_until (TRACTOR_NO_DEADLINE, error)) /* until the receiver has complained */
      return FALSE;
  }
  *ret_result = g_variant_lookup_value (kwargs, "result", NULL);
  return TRUE;
}

/* Puts up with an item that is no integer. */
static gboolean
forgive (TractorContext *context,
         G_GNUC_UNUSED GVariant *kwargs,
         GVariant **ret_result,
         GError **error)
{
  TractorStream *stream;
  GVariant *item;

  if (!tractor_context_started (context, g_variant_new_int32 (1), error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  g_assert_false (tractor_stream_receive (stream, &item, error));
  assert_says (*error, "An item for 'forgive': expected 'i', got a string");
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_clear_error (error);
  *ret_result = g_variant_new_int32 (42);
  return TRUE;
}

static gboolean
echo (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_lookup_value (kwargs, "value", NULL);
  return TRUE;
}

static gboolean
fail_as_task (gpointer data, GError **error)
{
  g_set_error (error, G_FILE_ERROR, GPOINTER_TO_INT (data), "task %d", GPOINTER_TO_INT (data));
  return FALSE;
}

static gboolean
fail_twice (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "a", fail_as_task, GINT_TO_POINTER (G_FILE_ERROR_NOSPC), NULL,
                         error);
  tractor_nursery_spawn (nursery, "b", fail_as_task, GINT_TO_POINTER (G_FILE_ERROR_ROFS), NULL,
                         error);
  return tractor_nursery_join (nursery, error);
}

static const char *
own_host (void)
{
  return g_getenv ("TEST_HOST");
}

typedef struct {
  TractorPortal *portal;
  gint64 depth;
} Branch;

static gboolean
grow_branch (gpointer data, GError **error)
{
  Branch *branch = data;

  return tractor_portal_call (branch->portal, "test:grow",
                              g_variant_new_parsed ("{'depth': <%x>}", branch->depth), NULL, error);
}

/* Two children with two children each, "depth" deep; the leaves fail. All wait for all, so that the
 * failures are all there. */
static gboolean
grow (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = NULL;
  gint64 depth = 0;
  Branch branches[2];
  GPtrArray *failures;

  g_variant_lookup (kwargs, "depth", "x", &depth);
  if (depth == 0)
    return fail_as_task (GINT_TO_POINTER (G_FILE_ERROR_NOSPC), error);
  failures = g_ptr_array_new ();
  nursery = tractor_actor_nursery_open (error);
  for (int i = 0; i < 2; i++) {
    branches[i] = (Branch){ tractor_actor_nursery_start (
                                nursery, i == 0 ? "left" : "right",
                                &(TractorSpawnOptions){ .host = own_host () }, error),
                            depth - 1 };
    g_assert_no_error (*error);
  }
  for (int i = 0; i < 2; i++) {
    GError *failure = NULL;

    g_assert_false (grow_branch (&branches[i], &failure));
    g_ptr_array_add (failures, failure);
    tractor_portal_unref (branches[i].portal);
  }
  *error = tractor_error_new_group (failures);
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
stop_self (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_actor_stop (error) && tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
stay (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* --- values of many elements --- */

/* (transfer full): as many as a payload may have, nearly. */
static GVariant *
new_tiny_elements (void)
{
  const guint n = 250000;
  g_autofree GVariant **elements = g_new (GVariant *, n);

  for (guint i = 0; i < n; i++)
    elements[i] = g_variant_new_variant (g_variant_new_int64 (i & 63));
  return g_variant_ref_sink (g_variant_new_array (G_VARIANT_TYPE_VARIANT, elements, n));
}

/* What receiving a few of them took of the processor, which others use too. */
typedef struct {
  gint64 worst_usec; /* at one go */
  gint64 total_usec;
} Work;

static gint64
get_cpu_usec (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * SECOND + now.tv_nsec / 1000;
}

static gboolean
watch_work (gpointer data, GError **error)
{
  Work *work = data;
  gint64 last = get_cpu_usec ();

  *work = (Work){ 0 };
  while (tractor_sleep_until (tractor_now () + 1000, error)) {
    gint64 now = get_cpu_usec ();

    work->worst_usec = MAX (work->worst_usec, now - last);
    work->total_usec += now - last;
    last = now;
  }
  return FALSE;
}

/* Until "stop_watching" is called, which says what it was. */
static TractorEvent *enough;
static Work work_here;

static gboolean
watch_here (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  enough = tractor_event_new ();
  tractor_nursery_spawn (nursery, "watch", watch_work, &work_here, NULL, error);
  tractor_event_wait (enough, error);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "enough");
  tractor_nursery_join (nursery, error);
  g_clear_pointer (&enough, tractor_event_free);
  return *error == NULL;
}

static gboolean
stop_watching (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  tractor_event_set (enough);
  *ret_result = g_variant_new ("(xx)", work_here.worst_usec, work_here.total_usec);
  return TRUE;
}

static gboolean
eat (G_GNUC_UNUSED GVariant *kwargs,
     G_GNUC_UNUSED GVariant **ret_result,
     G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
make_tiny (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = new_tiny_elements ();
  return TRUE;
}

/* A context that says them in each way there is. */
static gboolean
say_tiny (TractorContext *context,
          G_GNUC_UNUSED GVariant *kwargs,
          GVariant **ret_result,
          GError **error)
{
  g_autoptr (GVariant) tiny = new_tiny_elements ();
  TractorStream *stream;

  if (!tractor_context_started (context, tiny, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  *ret_result = g_variant_ref (tiny);
  return stream != NULL && tractor_stream_send (stream, tiny, error);
}

/* To free it as GLib does takes more stack than a task has. Returns: (transfer floating) */
static GVariant *
new_deep (void)
{
  GVariant *value = g_variant_new_int32 (1);

  for (guint i = 0; i < 10000; i++) {
    GVariant *boxed = g_variant_new_variant (value);

    value = g_variant_new_array (NULL, &boxed, 1);
  }
  return value;
}

static GVariant *
new_deep_kwargs (void)
{
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert_value (&dict, "value", new_deep ());
  return g_variant_dict_end (&dict);
}

static gboolean
make_deep (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = new_deep ();
  return TRUE;
}

/* In each place of a context. */
static gboolean
try_deep (TractorContext *context,
          G_GNUC_UNUSED GVariant *kwargs,
          GVariant **ret_result,
          GError **error)
{
  TractorStream *stream;

  g_assert_false (tractor_context_started (context, new_deep (), error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  g_assert_false (tractor_stream_send (stream, new_deep (), error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  *ret_result = new_deep ();
  return TRUE;
}

static const TractorExport exports[] = {
  { "make_deep", TRACTOR_EXPORT_CALL, make_deep },
  { "try_deep", TRACTOR_EXPORT_CONTEXT, .context = try_deep },
  { "watch_here", TRACTOR_EXPORT_CALL, watch_here },
  { "stop_watching", TRACTOR_EXPORT_CALL, stop_watching, .payload_spec = "(xx)" },
  { "make_tiny", TRACTOR_EXPORT_CALL, make_tiny },
  { "say_tiny", TRACTOR_EXPORT_CONTEXT, .context = say_tiny },
  { "eat", TRACTOR_EXPORT_CALL, eat },
  { "integers", TRACTOR_EXPORT_CONTEXT, .context = integers, .payload_spec = "i" },
  { "integers_or_nothing", TRACTOR_EXPORT_CONTEXT, .context = integers, .payload_spec = "mi" },
  { "anything", TRACTOR_EXPORT_CONTEXT, .context = integers },
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "echo_integer", TRACTOR_EXPORT_CALL, echo, .payload_spec = "q" },
  { "forgive", TRACTOR_EXPORT_CONTEXT, .context = forgive, .payload_spec = "i" },
  { "stay", TRACTOR_EXPORT_CALL, stay },
  { "fail_twice", TRACTOR_EXPORT_CALL, fail_twice },
  { "grow", TRACTOR_EXPORT_CALL, grow },
  { "stop_self", TRACTOR_EXPORT_CALL, stop_self },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- helpers -------------------------------------------------------------------------------------- */

static TractorContext *
open_with (Peer *peer,
           const char *function,
           const char *kwargs,
           const char *spec,
           GVariant **ret_first,
           GError **error)
{
  return tractor_portal_open_context (peer->portal, function, g_variant_new_parsed (kwargs),
                                      &(TractorDialogOptions){ .payload_spec = spec }, ret_first,
                                      error);
}

/* --- specs ------------------------------------------------------------------------------------------ */

static gboolean
test_good_values_are_converted (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) first = NULL;
  g_autoptr (GVariant) result = NULL;
  {
    g_autoptr (TractorContext) context =
        open_with (&peer, "test:integers", "{'started': <5>, 'result': <-7>}", NULL, &first, error);

    g_assert_no_error (*error);
    g_assert_cmpint (g_variant_get_int32 (first), ==, 5); /* not an x, as without a spec */
    g_assert_true (tractor_context_join (context, &result, error));
    g_assert_cmpint (g_variant_get_int32 (result), ==, -7);
  }
  return end_peer (&peer, error);
}

static gboolean
test_bad_started_fails_there (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *peer_id = portal_id (peer.portal);

  g_assert_null (open_with (&peer, "test:integers", "{'started': <'five'>}", NULL, NULL, error));
  assert_says (*error, "The first value of 'integers': expected 'i', got a string");
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  g_assert_cmpstr (tractor_error_get_remote (*error)->origin, ==, peer_id);
  g_clear_error (error);
  /* Nothing is a value too, where the spec has room for it. */
  g_assert_null (open_with (&peer, "test:integers", "@a{sv} {}", NULL, NULL, error));
  g_clear_error (error);
  {
    g_autoptr (TractorContext) context =
        open_with (&peer, "test:integers_or_nothing", "@a{sv} {}", NULL, NULL, error);

    g_assert_no_error (*error);
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

static gboolean
test_bad_item_fails_here_and_there (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context =
        open_with (&peer, "test:integers", "{'started': <5>, 'item': <'six'>}", NULL, NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);
    GVariant *item;

    g_assert_false (tractor_stream_receive (stream, &item, error));
    assert_says (*error, "An item from actor 'peer': expected 'i', got a string");
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
    /* It was told, and has ended with that. */
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
    g_clear_error (error);
  }
  return end_peer (&peer, error);
}

/* Argument, result, first value and item: refused where they are sent, which goes on. */
static gboolean
test_deep_values_cost_no_stack (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  g_assert_false (tractor_portal_call (peer.portal, "test:eat", new_deep_kwargs (), NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_null (tractor_portal_open_context (peer.portal, "test:anything", new_deep_kwargs (),
                                              NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_false (tractor_portal_call (peer.portal, "test:make_deep", NULL, NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  g_clear_error (error);
  {
    g_autoptr (TractorContext) context =
        tractor_portal_open_context (peer.portal, "test:try_deep", NULL, NULL, NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);
    GVariant *item;

    g_assert_no_error (*error);
    g_assert_false (tractor_stream_receive (stream, &item, error)); /* until it has ended */
    g_clear_error (error);
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
    g_clear_error (error);
  }
  return end_peer (&peer, error);
}

static gboolean
test_bad_result_fails_at_the_join (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_with (
        &peer, "test:integers", "{'started': <5>, 'result': <'seven'>}", NULL, NULL, error);

    g_assert_false (tractor_context_join (context, NULL, error));
    assert_says (*error, "The result of a context of actor 'peer': expected 'i', got a string");
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
    g_assert_error (tractor_context_get_outcome (context), TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  }
  return end_peer (&peer, error);
}

static gboolean
test_opener_narrows (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  g_assert_null (open_with (&peer, "test:anything", "{'started': <70000>}", "n", NULL, error));
  assert_says (*error, "The first value of 'test:anything': ");
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_null (open_with (&peer, "test:anything", "{'started': <7>}", "no type", NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return end_peer (&peer, error);
}

static gboolean
test_bad_item_is_one_failure (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context =
        open_with (&peer, "test:integers", "{'started': <5>, 'item': <'six'>}", NULL, NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);
    GVariant *item;

    g_assert_false (tractor_stream_receive (stream, &item, error));
    g_assert_false (tractor_context_join (context, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE); /* and no group */
  }
  return end_peer (&peer, error);
}

static gboolean
test_function_forgives_a_bad_item (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) result = NULL;
  {
    g_autoptr (TractorContext) context =
        open_with (&peer, "test:forgive", "@a{sv} {}", NULL, NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);

    g_assert_true (tractor_stream_send (stream, g_variant_new_string ("six"), error));
    g_assert_true (tractor_context_join (context, &result, error));
    g_assert_cmpint (g_variant_get_int32 (result), ==, 42);
  }
  return end_peer (&peer, error);
}

static gboolean
test_result_of_a_call (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) result = NULL;

  g_assert_true (tractor_portal_call (peer.portal, "test:echo_integer",
                                      g_variant_new_parsed ("{'value': <65535>}"), &result, error));
  g_assert_cmpint (g_variant_get_uint16 (result), ==, 65535);
  g_assert_false (tractor_portal_call (peer.portal, "test:echo_integer",
                                       g_variant_new_parsed ("{'value': <65536>}"), NULL, error));
  assert_says (*error, "The result of 'echo_integer': ");
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  g_clear_error (error);
  return end_peer (&peer, error);
}

/* --- values ------------------------------------------------------------------------------------------ */

static gboolean
test_every_kind_goes_there_and_back (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const values[] = { "true",
                                        "int64 -9223372036854775808",
                                        "uint64 18446744073709551615",
                                        "1.5",
                                        "'text'",
                                        "''",
                                        "b'bytes'",
                                        "@ay []",
                                        "[<int64 1>, <'two'>, <@av []>]",
                                        "{'k': <int64 1>, 'l': <{'m': <false>}>}",
                                        "{int64 5: <'five'>}",
                                        NULL };
  Peer peer = start_peer (error);

  for (const char *const *text = values; *text != NULL; text++) {
    g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_parsed (*text));
    g_autoptr (GVariant) back = NULL;
    GVariant *kwargs = g_variant_new ("a{sv}", NULL);

    g_variant_unref (g_variant_ref_sink (kwargs));
    g_assert_true (tractor_portal_call (
        peer.portal, "test:echo", g_variant_new_parsed ("{'value': %v}", value), &back, error));
    if (g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING) &&
        g_variant_get_size (value) == 6) /* b'…' has a NUL at its end, and keeps it */
      g_assert_cmpuint (g_variant_get_size (back), ==, 6);
    else
      g_assert_cmpvariant (back, value);
  }
  return end_peer (&peer, error);
}

static gboolean
test_timestamp (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) back = NULL;
  gint64 seconds;
  guint32 nanoseconds;

  g_assert_true (tractor_portal_call (
      peer.portal, "test:echo",
      g_variant_new_parsed ("{'value': <%*>}", tractor_value_new_timestamp (1700000000, 5)), &back,
      error));
  g_assert_true (tractor_value_get_timestamp (back, &seconds, &nanoseconds, error));
  g_assert_cmpint (seconds, ==, 1700000000);
  g_assert_cmpuint (nanoseconds, ==, 5);
  return end_peer (&peer, error);
}

/* --- errors ------------------------------------------------------------------------------------------ */

static gboolean
test_group_keeps_its_members (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  const TractorRemoteError *remote;

  g_assert_false (tractor_portal_call (peer.portal, "test:fail_twice", NULL, NULL, error));
  remote = tractor_error_get_remote (*error);
  g_assert_cmpstr (remote->type_name, ==, "ExceptionGroup");
  g_assert_cmpuint (remote->members->len, ==, 2);
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_ROFS));
  g_assert_false (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
  g_clear_error (error);
  return end_peer (&peer, error);
}

/* Each branch is a group of its own, and each leaf has come all the way. */
static void
assert_tree (const GError *error, guint depth, guint above)
{
  const TractorRemoteError *remote = tractor_error_get_remote (error);

  g_assert_nonnull (remote);
  if (depth == 0) {
    g_assert_null (remote->members);
    g_assert_cmpuint (g_strv_length ((char **) remote->relays), ==, above);
    g_assert_true (g_str_has_prefix (remote->origin, remote->relays[0]));
    return;
  }
  g_assert_nonnull (remote->members);
  g_assert_cmpuint (remote->members->len, ==, 2);
  for (guint i = 0; i < 2; i++)
    assert_tree (remote->members->pdata[i], depth - 1, above + 1);
}

static gboolean
test_tree_of_failures (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer;

  g_setenv ("TEST_HOST", harness_get_host ()->name, TRUE);
  peer = start_peer (error);
  g_assert_false (tractor_portal_call (
      peer.portal, "test:grow", g_variant_new_parsed ("{'depth': <%x>}", (gint64) 2), NULL, error));
  assert_tree (*error, 2, 1);
  g_clear_error (error);
  return end_peer (&peer, error);
}

/* --- limits ------------------------------------------------------------------------------------------ */

static gboolean
call_sleeper (gpointer data, GError **error)
{
  return tractor_portal_call (data, "test:stay", NULL, NULL, error);
}

static gboolean
test_limits (G_GNUC_UNUSED gpointer data, GError **error)
{
  const TractorLimits limits = {
    .frame_bytes = 8192, .calls_per_peer = 2, .stream_items = 3, .children = 1
  };
  Peer peer = start_peer_with ((TractorRuntimeOptions){ .limits = &limits }, error);
  g_autofree char *bytes = g_malloc0 (8192);

  g_assert_null (tractor_actor_nursery_start (peer.nursery, "one more", NULL, error));
  assert_says (*error, "1 child (TractorLimits.children)");
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    g_assert_false (tractor_portal_call (
        peer.portal, "test:echo",
        g_variant_new_parsed ("{'value': <%@ay>}",
                              g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, 8192, 1)),
        NULL, error));
    assert_says (*error, "TractorLimits.frame_bytes");
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
    for (int i = 0; i < 2; i++)
      tractor_nursery_spawn (nursery, "sleeper", call_sleeper, peer.portal, NULL, error);
    g_assert_true (tractor_wait_all_tasks_blocked (0, error));
    g_assert_false (tractor_portal_call (peer.portal, "test:echo", NULL, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN));
    assert_says (*error, "TractorLimits.calls_per_peer");
    g_clear_error (error);
    tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "enough");
    tractor_nursery_join (nursery, error);
  }
  {
    /* The child has the same. */
    g_autoptr (TractorContext) context =
        open_with (&peer, "test:anything", "{'started': <1>, 'item': <2>}", NULL, NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);
    g_autoptr (TractorCancelScope) scope =
        tractor_cancel_scope_open (tractor_now () + 20 * SECOND * harness_get_patience ());
    int n = 0;

    while (tractor_stream_send (stream, NULL, error))
      if (++n == 3)
        tractor_cancel_scope_set_deadline (scope, tractor_now () + SECOND / 20);
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
    g_clear_pointer (&scope, tractor_cancel_scope_close);
    g_assert_cmpint (n, ==, 3);
    tractor_context_cancel (context);
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

static gboolean
test_names_that_no_actor_can_have (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *long_name = g_strnfill (129, 'x');
  const char *const names[] = { "", "a/b", "a\nb", "\xff", long_name };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_assert_null (tractor_runtime_open (&(TractorRuntimeOptions){ .name = names[i] }, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  return TRUE;
}

static gboolean
test_limits_that_make_no_sense (G_GNUC_UNUSED gpointer data, GError **error)
{
  const TractorLimits limits = { .frame_bytes = G_MAXUINT64 };

  g_assert_null (tractor_runtime_open (&(TractorRuntimeOptions){ .limits = &limits }, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

/* Receives one message of many elements, and says what that took. */
typedef void (*Round) (Peer *peer, Work *ret_work, GError **error);

/* Who chooses how many there are does not choose for how long others wait: most of what it takes is done in
 * turns. What else uses the machine counts as work too, so it is looked at more than once. */
static gboolean
test_rounds (Round round, GError **error)
{
  gboolean in_turns = FALSE;
  Peer peer;

  /* Meson has malloc() fill what it gives and takes back: megabytes of it at one go, here and in the peer. */
  g_unsetenv ("MALLOC_PERTURB_");
  mallopt (M_PERTURB, 0);
  peer = start_peer (error);
  for (int i = 0; i < 5 && !in_turns; i++) {
    Work work;

    round (&peer, &work, error);
    g_test_message ("%d us at one go of %d", (int) work.worst_usec, (int) work.total_usec);
    in_turns = work.worst_usec < work.total_usec / 2;
  }
  g_assert_true (in_turns);
  return end_peer (&peer, error);
}

static gboolean
ask_for_work (gpointer data, GError **error)
{
  return tractor_portal_call (((Peer *) data)->portal, "test:watch_here", NULL, NULL, error);
}

static void
send_many (Peer *peer, Work *ret_work, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GVariant) tiny = new_tiny_elements ();
  g_autoptr (GVariant) work = NULL;

  tractor_nursery_spawn (nursery, "watch", ask_for_work, peer, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  g_assert_true (tractor_portal_call (
      peer->portal, "test:eat", g_variant_new_parsed ("{'value': <%@av>}", tiny), NULL, error));
  g_assert_true (tractor_portal_call (peer->portal, "test:stop_watching", NULL, &work, error));
  g_assert_true (tractor_nursery_join (nursery, error));
  g_variant_get (work, "(xx)", &ret_work->worst_usec, &ret_work->total_usec);
}

static gboolean
test_many_arguments_hold_nobody_up (G_GNUC_UNUSED gpointer data, GError **error)
{
  return test_rounds (send_many, error);
}

/* What it takes the sender. */
static void
send_many_from_here (Peer *peer, Work *ret_work, GError **error)
{
  g_autoptr (GVariant) tiny = new_tiny_elements ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "watch", watch_work, ret_work, NULL, error);
  g_assert_true (tractor_checkpoint (error)); /* it has begun */
  g_assert_true (tractor_portal_call (
      peer->portal, "test:eat", g_variant_new_parsed ("{'value': <%@av>}", tiny), NULL, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "enough");
  g_assert_true (tractor_nursery_join (nursery, error));
}

static gboolean
test_sending_many_holds_nobody_up (G_GNUC_UNUSED gpointer data, GError **error)
{
  return test_rounds (send_many_from_here, error);
}

static void
receive_many (Peer *peer, Work *ret_work, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GVariant) result = NULL;

  tractor_nursery_spawn (nursery, "watch", watch_work, ret_work, NULL, error);
  g_assert_true (tractor_portal_call (peer->portal, "test:make_tiny", NULL, &result, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "enough");
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (g_variant_n_children (result), ==, 250000);
}

static gboolean
test_many_results_hold_nobody_up (G_GNUC_UNUSED gpointer data, GError **error)
{
  return test_rounds (receive_many, error);
}

static void
take_tiny (Peer *peer, GError **error)
{
  g_autoptr (GVariant) first = NULL;
  g_autoptr (GVariant) item = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (TractorContext) context =
      open_with (peer, "test:say_tiny", "@a{sv} {}", NULL, &first, error);
  TractorStream *stream = tractor_context_open_stream (context, error);

  g_assert_true (tractor_stream_receive (stream, &item, error));
  g_assert_true (tractor_context_join (context, &result, error));
  g_assert_cmpuint (g_variant_n_children (first), ==, 250000);
  g_assert_cmpuint (g_variant_n_children (item), ==, 250000);
  g_assert_cmpuint (g_variant_n_children (result), ==, 250000);
}

/* Three of them: each is less than a third. */
static void
have_context_of_many (Peer *peer, Work *ret_work, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "watch", watch_work, ret_work, NULL, error);
  take_tiny (peer, error);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "enough");
  g_assert_true (tractor_nursery_join (nursery, error));
  ret_work->total_usec /= 3;
}

static gboolean
test_a_context_of_many_holds_nobody_up (G_GNUC_UNUSED gpointer data, GError **error)
{
  return test_rounds (have_context_of_many, error);
}

/* Whoever a value is for may be gone when it is unpacked. */
static gboolean
test_a_large_result_comes_too_late (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  for (int i = 0; i < 10; i++) {
    g_autoptr (TractorCancelScope) scope =
        tractor_cancel_scope_open (tractor_now () + i * harness_get_slowness () * SECOND / 100);
    g_autoptr (GVariant) result = NULL;

    tractor_portal_call (peer.portal, "test:make_tiny", NULL, &result, error);
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  g_assert_true (tractor_portal_call (peer.portal, "test:eat", NULL, NULL, error));
  return end_peer (&peer, error);
}

/* --- ends -------------------------------------------------------------------------------------------- */

static gboolean
test_kill_asks_nobody (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  gint64 started = tractor_now ();

  tractor_actor_nursery_kill (peer.nursery);
  g_assert_true (tractor_actor_nursery_join (peer.nursery, error));
  g_assert_cmpint (tractor_now () - started, <, SECOND / 2 * harness_get_patience ());
  g_assert_null (tractor_actor_nursery_start (peer.nursery, "late", NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return end_peer (&peer, error);
}

static gboolean
test_stops_itself (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *peer_id = portal_id (peer.portal);

  g_assert_false (tractor_actor_stop (error)); /* a root has its body */
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_portal_call (peer.portal, "test:stop_self", NULL, NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED);
  g_assert_cmpstr (tractor_error_get_canceller (*error), ==, peer_id);
  g_clear_error (error);
  /* No failure of its nursery: it wanted that. */
  g_assert_true (tractor_actor_nursery_join (peer.nursery, error));
  return end_peer (&peer, error);
}

/* --- several at once --------------------------------------------------------------------------------- */

static gboolean
test_several_contexts (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  TractorContextRequest requests[5];
  TractorContext *contexts[5];
  GVariant *firsts[5];

  g_assert_false (tractor_open_contexts (requests, 0, contexts, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  for (int i = 0; i < 5; i++)
    requests[i] = (TractorContextRequest){ peer.portal, "test:integers_or_nothing",
                                           g_variant_new_parsed ("{'started': <%i>}", i), NULL };
  g_assert_true (tractor_open_contexts (requests, 5, contexts, firsts, error));
  for (int i = 5; i-- > 0;) {
    g_autoptr (GVariant) first = g_variant_get_maybe (firsts[i]);

    g_assert_cmpint (g_variant_get_int32 (first), ==, i);
    g_variant_unref (firsts[i]);
    tractor_context_cancel (contexts[i]);
    g_assert_true (tractor_context_join (contexts[i], NULL, error));
    tractor_context_close (contexts[i]);
  }
  /* One that fails is the end of all. */
  for (int i = 0; i < 5; i++)
    requests[i] =
        (TractorContextRequest){ peer.portal, "test:integers_or_nothing",
                                 i == 3
                                     ? g_variant_new_parsed ("{'started': <'x'>}")
                                     : g_variant_new_parsed ("{'started': <%i>, 'item': <1>}", i),
                                 NULL };
  g_assert_false (tractor_open_contexts (requests, 5, contexts, firsts, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  g_clear_error (error);
  return end_peer (&peer, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  add_on_transports ("/e2e/payload/%s/row-104-good-values-are-converted",
                     test_good_values_are_converted);
  add_on_transports ("/e2e/payload/%s/row-104-T17-bad-started-fails-there",
                     test_bad_started_fails_there);
  add_on_transports ("/e2e/payload/%s/row-104-T18-bad-item-fails-here-and-there",
                     test_bad_item_fails_here_and_there);
  add_on_transports ("/e2e/payload/%s/row-104-T19-bad-result-fails-at-the-join",
                     test_bad_result_fails_at_the_join);
  harness_add_real_task ("/e2e/payload/deep-values-cost-no-stack", test_deep_values_cost_no_stack);
  add_on_transports ("/e2e/payload/%s/bad-item-is-one-failure", test_bad_item_is_one_failure);
  add_on_transports ("/e2e/payload/%s/function-forgives-a-bad-item",
                     test_function_forgives_a_bad_item);
  add_on_transports ("/e2e/payload/%s/result-of-a-call", test_result_of_a_call);
  add_on_transports ("/e2e/payload/%s/opener-narrows", test_opener_narrows);
  add_on_transports ("/e2e/payload/%s/row-41-every-kind-goes-there-and-back",
                     test_every_kind_goes_there_and_back);
  add_on_transports ("/e2e/payload/%s/timestamp", test_timestamp);
  add_on_transports ("/e2e/payload/%s/group-keeps-its-members", test_group_keeps_its_members);
  add_on_transports ("/e2e/payload/%s/row-94-limits", test_limits);
  harness_add_real_task ("/e2e/payload/many-arguments-hold-nobody-up",
                         test_many_arguments_hold_nobody_up);
  harness_add_real_task ("/e2e/payload/sending-many-holds-nobody-up",
                         test_sending_many_holds_nobody_up);
  harness_add_real_task ("/e2e/payload/many-results-hold-nobody-up",
                         test_many_results_hold_nobody_up);
  harness_add_real_task ("/e2e/payload/a-context-of-many-holds-nobody-up",
                         test_a_context_of_many_holds_nobody_up);
  harness_add_real_task ("/e2e/payload/a-large-result-comes-too-late",
                         test_a_large_result_comes_too_late);
  harness_add_real_task ("/e2e/payload/limits-that-make-no-sense", test_limits_that_make_no_sense);
  harness_add_real_task ("/e2e/payload/names-that-no-actor-can-have",
                         test_names_that_no_actor_can_have);
  harness_add_real_task ("/e2e/payload/row-35-tree-of-failures", test_tree_of_failures);
  harness_add_real_task ("/e2e/payload/row-31-kill-asks-nobody", test_kill_asks_nobody);
  harness_add_real_task ("/e2e/payload/row-14-A7-stops-itself", test_stops_itself);
  add_on_transports ("/e2e/payload/%s/row-108-several-contexts", test_several_contexts);
  return harness_run ();
}
