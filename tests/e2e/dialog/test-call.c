/* test-call.c - calls: what goes there and back, what comes back in place of a result, and a call that is
 * cancelled. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "served.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
fail_silently (G_GNUC_UNUSED GVariant *kwargs,
               G_GNUC_UNUSED GVariant **ret_result,
               G_GNUC_UNUSED GError **error)
{
  return FALSE;
}

/* Fails with as many words as there can be. */
static gboolean
fail_at_length (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  GPtrArray *failures = g_ptr_array_new ();
  g_autofree char *words = g_strnfill (100000, 'w');

  for (int i = 0; i < 300; i++)
    g_ptr_array_add (failures, g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOSPC, words));
  *error = tractor_error_new_group (failures);
  return FALSE;
}

static gboolean
fail_in_latin1 (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_set_error_literal (error, g_quark_from_static_string ("gr\xf6\xdf-quark"), 3, "plain");
  return FALSE;
}

/* With an error that it has made as if it came from another actor, and says no more of that. */
static gboolean
fail_barely (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_propagate_error (error,
                     tractor_error_new_remote (TRACTOR_ERROR_REMOTE, &(TractorRemoteError){ 0 },
                                               NULL, "something failed somewhere"));
  return FALSE;
}

/* Returns what a nursery of its own was joined with, or leaves it unjoined. */
static gboolean
fail_in_nursery (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gboolean join = FALSE;

  g_variant_lookup (kwargs, "join", "b", &join);
  tractor_nursery_spawn (nursery, "child", fail_as_task, NULL, NULL, error);
  return join ? tractor_nursery_join (nursery, error) : tractor_checkpoint (NULL) || TRUE;
}

static gboolean
return_unsendable (G_GNUC_UNUSED GVariant *kwargs,
                   GVariant **ret_result,
                   G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_handle (0);
  return TRUE;
}

/* --- and packed ----------------------------------------------------------------------------------- */

static gboolean
echo_packed (GBytes *kwargs, GBytes **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_bytes_ref (kwargs);
  return TRUE;
}

static gboolean
return_nothing_packed (G_GNUC_UNUSED GBytes *kwargs,
                       G_GNUC_UNUSED GBytes **ret_result,
                       G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
return_two_values (G_GNUC_UNUSED GBytes *kwargs, GBytes **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_bytes_new_static ("\x01\x02", 2);
  return TRUE;
}

/* With a result, which is not sent. */
static gboolean
fail_packed (GBytes *kwargs, GBytes **ret_result, GError **error)
{
  *ret_result = g_bytes_ref (kwargs);
  return fail (NULL, NULL, error);
}

static gboolean
start_at_once (TractorContext *context,
               G_GNUC_UNUSED GVariant *kwargs,
               G_GNUC_UNUSED GVariant **ret_result,
               GError **error)
{
  return tractor_context_started (context, NULL, error);
}

static const TractorExport exports[] = {
  { "echo_packed", TRACTOR_EXPORT_CALL, .call_packed = echo_packed },
  { "return_nothing_packed", TRACTOR_EXPORT_CALL, .call_packed = return_nothing_packed },
  { "return_two_values", TRACTOR_EXPORT_CALL, .call_packed = return_two_values },
  { "fail_packed", TRACTOR_EXPORT_CALL, .call_packed = fail_packed },
  { "open_context", TRACTOR_EXPORT_CONTEXT, .context = start_at_once },
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "whoami", TRACTOR_EXPORT_CALL, whoami },
  { "fail", TRACTOR_EXPORT_CALL, fail },
  { "fail_silently", TRACTOR_EXPORT_CALL, fail_silently },
  { "fail_at_length", TRACTOR_EXPORT_CALL, fail_at_length },
  { "fail_in_latin1", TRACTOR_EXPORT_CALL, fail_in_latin1 },
  { "fail_barely", TRACTOR_EXPORT_CALL, fail_barely },
  { "fail_in_nursery", TRACTOR_EXPORT_CALL, fail_in_nursery },
  { "return_unsendable", TRACTOR_EXPORT_CALL, return_unsendable },
  { "touch_when_cancelled", TRACTOR_EXPORT_CALL, touch_when_cancelled },
  { "hog", TRACTOR_EXPORT_CALL, hog },
  { NULL },
};
static const TractorExport other_exports[] = { { "echo", TRACTOR_EXPORT_CALL, echo }, { NULL } };
static const TractorModule modules[] = { { "test", exports },
                                         { "other", other_exports },
                                         { NULL } };

/* --- values -------------------------------------------------------------------------------------- */

static gboolean
test_values (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

  assert_echo (portal, "true", "true");
  assert_echo (portal, "byte 200", "int64 200");
  assert_echo (portal, "int16 -3", "int64 -3");
  assert_echo (portal, "int64 -9223372036854775808", "int64 -9223372036854775808");
  assert_echo (portal, "uint64 18446744073709551615", "uint64 18446744073709551615");
  assert_echo (portal, "1.5", "1.5");
  assert_echo (portal, "'h\xc3\xa9'", "'h\xc3\xa9'");
  assert_echo (portal, "[byte 0, 255]", "[byte 0, 255]");
  assert_echo (portal, "[1, 2]", "[<int64 1>, <int64 2>]");
  assert_echo (portal, "('a', true)", "[<'a'>, <true>]");
  assert_echo (portal, "{'k': 1}", "{'k': <int64 1>}");
  assert_echo (portal, "{1: 'k'}", "{int64 1: <'k'>}");
  assert_echo (portal, "<<just int32 5>>", "int64 5");
  return end (nursery, error);
}

static gboolean
test_large_values (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  gsize sizes[] = { 0, 1, 65535, 65536, 1024 * 1024, 10 * 1024 * 1024 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autofree guint8 *bytes = g_malloc0 (sizes[i] + 1);
    g_autoptr (GVariant) answer = NULL;
    GVariant *value;

    memset (bytes, 'x', sizes[i]);
    value = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, sizes[i], 1);
    g_assert_true (tractor_portal_call (
        portal, "test:echo", g_variant_new_parsed ("{'value': <%@ay>}", value), &answer, error));
    g_assert_cmpuint (g_variant_get_size (answer), ==, sizes[i]);
  }
  return end (nursery, error);
}

static gboolean
test_too_large_value (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  gsize size = 17 * 1024 * 1024;
  g_autofree guint8 *bytes = g_malloc0 (size);
  GVariant *value = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, size, 1);

  g_assert_false (tractor_portal_call (
      portal, "test:echo", g_variant_new_parsed ("{'value': <%@ay>}", value), NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  assert_echo (portal, "'still there'", "'still there'");
  return end (nursery, error);
}

static gboolean
test_too_many_elements (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "worker", error);
  g_autofree guint32 *numbers = g_new0 (guint32, 300000);
  GVariant *value = g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, numbers, 300000, 4);

  g_assert_false (tractor_portal_call (
      portal, "test:echo", g_variant_new_parsed ("{'value': <%@au>}", value), NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  value = g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, numbers, 200000, 4);
  g_assert_true (tractor_portal_call (
      portal, "test:echo", g_variant_new_parsed ("{'value': <%@au>}", value), NULL, error));
  return end (actors, error);
}

static gboolean
call_many_times (gpointer data, GError **error)
{
  TractorPortal *portal = data;

  for (gint64 i = 0; i < 50; i++) {
    g_autoptr (GVariant) answer = NULL;

    if (!tractor_portal_call (portal, "test:echo", g_variant_new_parsed ("{'value': <%x>}", i),
                              &answer, error))
      return FALSE;
    g_assert_cmpint (g_variant_get_int64 (answer), ==, i);
  }
  return TRUE;
}

static gboolean
test_many_calls_in_flight (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "worker", error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();

  for (int i = 0; i < 20; i++)
    tractor_nursery_spawn (callers, "caller", call_many_times, portal, NULL, error);
  if (tractor_nursery_join (callers, error))
    tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

/* --- errors -------------------------------------------------------------------------------------- */

static gboolean
test_remote_error (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  const TractorRemoteError *remote;
  g_autofree char *origin = g_strdup_printf ("worker@%s", tractor_portal_get_uuid (portal));

  g_assert_false (tractor_portal_call (portal, "test:fail", NULL, NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_assert_nonnull (strstr ((*error)->message, "no space for that"));
  remote = tractor_error_get_remote (*error);
  g_assert_cmpstr (remote->domain, ==, "g-file-error-quark");
  g_assert_cmpstr (remote->origin, ==, origin);
  g_assert_cmpstr (remote->relays[0], ==, origin);
  g_assert_null (remote->relays[1]);
  g_clear_error (error);
  g_assert_false (tractor_portal_call (portal, "test:fail_barely", NULL, NULL, error));
  g_assert_nonnull (strstr ((*error)->message, "something failed somewhere"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  assert_echo (portal, "'still there'", "'still there'");
  return end (nursery, error);
}

/* An error is not worth the connection. */
static gboolean
test_remote_error_at_length (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

  for (int i = 0; i < 2; i++) {
    g_assert_false (tractor_portal_call (portal, "test:fail_at_length", NULL, NULL, error));
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
    g_clear_error (error);
  }
  return end (nursery, error);
}

static gboolean
test_domain_that_is_not_utf8 (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

  g_assert_false (tractor_portal_call (portal, "test:fail_in_latin1", NULL, NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_cmpstr (tractor_error_get_remote (*error)->domain, ==,
                   "gr\xef\xbf\xbd\xef\xbf\xbd-quark");
  g_clear_error (error);
  g_assert_true (tractor_portal_call (portal, "test:echo", NULL, NULL, error));
  return end (nursery, error);
}

static gboolean
test_nursery_failure_is_the_calls (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "worker", error);

  for (int join = FALSE; join <= TRUE; join++) {
    g_assert_false (tractor_portal_call (portal, "test:fail_in_nursery",
                                         g_variant_new_parsed ("{'join': <%b>}", join), NULL,
                                         error));
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
    g_clear_error (error);
  }
  assert_echo (portal, "'and nobody else suffers'", "'and nobody else suffers'");
  return end (actors, error);
}

static gboolean
test_faulty_functions (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

  g_assert_false (tractor_portal_call (portal, "test:fail_silently", NULL, NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_clear_error (error);
  g_assert_false (tractor_portal_call (portal, "test:return_unsendable", NULL, NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  g_clear_error (error);
  return end (nursery, error);
}

/* --- what is refused ----------------------------------------------------------------------------- */

static gboolean
test_refused_calls (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  const char *const only_other[] = { "other", NULL };
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (
      nursery, "worker",
      &(TractorSpawnOptions){ .modules = only_other, .host = harness_get_host ()->name }, error);
  const char *functions[] = { "test:echo", "other:nonsense", "nonsense:echo", "self:nonsense" };

  for (guint i = 0; i < G_N_ELEMENTS (functions); i++) {
    g_assert_false (tractor_portal_call (portal, functions[i], NULL, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED));
    g_clear_error (error);
  }
  g_assert_false (tractor_portal_call (portal, "echo", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_portal_call (portal, "other:echo", g_variant_new_int32 (1), NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_true (tractor_portal_call (portal, "other:echo", NULL, NULL, error));
  return end (nursery, error);
}

/* One's own mistake costs the call, and not the other actor. */
static gboolean
test_names_that_are_not_utf8 (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  const char *names[] = { "test:\xff", "\xff:echo" };
  const char *const modules_of_none[] = { "test", "\xff", NULL };
  const TractorSpawnOptions bad[] = { { .modules = modules_of_none }, { .host = "\xff" } };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_assert_false (tractor_portal_call (portal, names[i], NULL, NULL, error));
    g_assert_true (g_utf8_validate ((*error)->message, -1, NULL));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
    g_assert_null (tractor_portal_open_context (portal, names[i], NULL, NULL, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
    g_assert_null (tractor_portal_open_stream (portal, names[i], NULL, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_assert_null (tractor_actor_nursery_start (nursery, "bad", &bad[i], error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  g_assert_true (tractor_portal_call (portal, "test:echo", NULL, NULL, error));
  return end (nursery, error);
}

/* --- cancelled ----------------------------------------------------------------------------------- */

static gboolean
test_cancelled_call_cancels_remote_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "worker", error);
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { portal, "test:touch_when_cancelled",
                      g_variant_ref_sink (g_variant_new_parsed ("{'path': <%s>}", path)) };
  g_autofree char *found = NULL;

  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  wait_for_text (path, "running");
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (callers), NULL);
  g_assert_true (tractor_nursery_join (callers, error));
  /* The remote task is over when the call returns. */
  g_assert_true (g_file_get_contents (path, &found, NULL, NULL));
  g_assert_cmpstr (found, ==, "cancelled");
  unlink (path);
  g_variant_unref (calling.kwargs);
  assert_echo (portal, "'still there'", "'still there'");
  return end (actors, error);
}

static gboolean
test_call_in_cancelled_scope_is_not_sent (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "worker", error);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  gint64 started = tractor_now ();

  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_false (tractor_portal_call (portal, "test:hog", NULL, NULL, error));
  g_assert_cmpint (tractor_now () - started, <, SECOND / 4 * harness_get_patience ());
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  return end (actors, error); /* which it hears, for it is in no call */
}

/* Caller and actor often are by one and the same cancel: a caller that comes a moment later is not told of
 * the actor's. */
static gboolean
test_call_when_both_are_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "actor", error);

  g_assert_no_error (*error);
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

    tractor_actor_nursery_cancel (nursery);
    tractor_cancel_scope_cancel (scope, NULL);
    g_assert_false (tractor_portal_call (portal, "test:whoami", NULL, NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  return tractor_actor_nursery_join (nursery, error);
}

/* === packed calls ================================================================================== */

/* {'value': 'hi'} */
#define PACKED_HI "\x81\xa5value\xa2hi"

static void
assert_packed (GBytes *packed, const char *bytes, gsize length)
{
  g_assert_cmpmem (g_bytes_get_data (packed, NULL), g_bytes_get_size (packed), bytes, length);
}

static gboolean
test_packed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autoptr (GBytes) kwargs = g_bytes_new_static (PACKED_HI, sizeof PACKED_HI - 1);
  g_autoptr (GBytes) echoed = NULL;
  g_autoptr (GBytes) unpacked_there = NULL;
  g_autoptr (GBytes) empty = NULL;
  g_autoptr (GBytes) nothing = NULL;
  g_autoptr (GVariant) of_values = NULL;

  g_assert_true (tractor_portal_call_packed (portal, "test:echo_packed", kwargs, &echoed, error));
  assert_packed (echoed, PACKED_HI, sizeof PACKED_HI - 1);
  g_assert_true (tractor_portal_call_packed (portal, "test:echo", kwargs, &unpacked_there, error));
  assert_packed (unpacked_there, "\xa2hi", 3);
  g_assert_true (tractor_portal_call_packed (portal, "test:echo_packed", NULL, &empty, error));
  assert_packed (empty, "\x80", 1);
  g_assert_true (
      tractor_portal_call_packed (portal, "test:return_nothing_packed", NULL, &nothing, error));
  assert_packed (nothing, "\xc0", 1);
  g_assert_true (tractor_portal_call_packed (portal, "test:echo_packed", kwargs, NULL, error));
  /* The caller need not know. */
  g_assert_true (tractor_portal_call (
      portal, "test:echo_packed", g_variant_new_parsed ("{'value': <'hi'>}"), &of_values, error));
  g_assert_cmpstr (g_variant_get_type_string (of_values), ==, "a{sv}");
  return end (nursery, error);
}

/* What would hold up others is unpacked in turns, ahead; but not what is not to be unpacked at all. */
static gboolean
test_large_packed (G_GNUC_UNUSED gpointer data, GError **error)
{
  const gsize n = 200000;
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  guint8 head[] = { 0x81, 0xa1, 'k', 0xdd, n >> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255 };
  guint8 *bytes = g_malloc0 (sizeof head + n);
  g_autoptr (GBytes) echoed = NULL;
  g_autoptr (GBytes) kwargs = NULL;

  memcpy (bytes, head, sizeof head);
  kwargs = g_bytes_new_take (bytes, sizeof head + n);
  g_assert_true (tractor_portal_call_packed (portal, "test:echo_packed", kwargs, &echoed, error));
  g_assert_true (g_bytes_equal (echoed, kwargs));
  return end (nursery, error);
}

static void
assert_refused (TractorPortal *portal, const char *kwargs, gsize length, const char *why)
{
  g_autoptr (GBytes) packed = g_bytes_new (kwargs, length);
  g_autoptr (GBytes) result = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (tractor_portal_call_packed (portal, "test:echo_packed", packed, &result, &error));
  g_assert_nonnull (strstr (error->message, why));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_null (result);
}

/* {'k': [nil, ...]}, of so many values in all. Returns: (transfer full) */
static GBytes *
pack_elements (guint n)
{
  static const char head[] = { '\x81', '\xa1', 'k', '\xdd' };
  GByteArray *bytes = g_byte_array_new ();
  guint32 n_inside = g_htonl (n - 3); /* the map, its key, the array */

  g_byte_array_append (bytes, (const guint8 *) head, sizeof head);
  g_byte_array_append (bytes, (const guint8 *) &n_inside, sizeof n_inside);
  g_byte_array_set_size (bytes, bytes->len + n - 3);
  memset (bytes->data + sizeof head + sizeof n_inside, 0xc0, n - 3);
  return g_byte_array_free_to_bytes (bytes);
}

/* What is taken here the peer takes too, as of values that are not packed: the message around it counts. */
static gboolean
test_packed_elements (G_GNUC_UNUSED gpointer data, GError **error)
{
  const guint most = 262144 - 64;
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

  for (guint i = 0; i < 3; i++) {
    const guint counts[] = { most + 1, most + 40, most + 64 };
    g_autoptr (GBytes) kwargs = pack_elements (counts[i]);

    assert_refused (portal, g_bytes_get_data (kwargs, NULL), g_bytes_get_size (kwargs),
                    "must be one msgpack value: more than 262080 elements");
  }
  {
    g_autoptr (GBytes) kwargs = pack_elements (most);
    g_autoptr (GBytes) echoed = NULL;

    g_assert_true (tractor_portal_call_packed (portal, "test:echo_packed", kwargs, &echoed, error));
    g_assert_true (g_bytes_equal (kwargs, echoed));
  }
  return end (nursery, error);
}

/* It costs no more than the call: neither at the end that says it, nor at the other. */
static gboolean
test_packed_that_is_refused (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autoptr (GBytes) result = NULL;
  g_autoptr (GBytes) packed_mark = NULL;
  g_autoptr (GBytes) echoed = NULL;
  const gsize large_bytes = 16 * 1024 * 1024 + 9;
  g_autofree char *large = NULL;
  char deep[3 + 30] = "";
  char marked[22] = "";

  assert_refused (portal, "", 0, "must be one msgpack value");
  assert_refused (portal, "\x80\x80", 2, "must be one msgpack value");
  assert_refused (portal, "\x81\xa1k", 3, "must be one msgpack value");
  assert_refused (portal, "\x90", 1, "must be a map");
  assert_refused (portal, "\xc0", 1, "must be a map");
  memset (deep, 0x91, sizeof deep);
  memcpy (deep, "\x81\xa1k", 3);
  deep[sizeof deep - 1] = '\x90';
  assert_refused (portal, deep, sizeof deep, "nested more than 30 deep");
  large = g_malloc0 (large_bytes);
  memcpy (large, "\x81\xa1k\xc6\x01\x00\x00\x01", 8);
  assert_refused (portal, large, large_bytes, "bytes cannot be sent");
  /* A descriptor's mark, in the head that we write and in another, which is no mark. */
  memcpy (marked, "\x81\xa1k\xd8\x9c", 5);
  assert_refused (portal, marked, 21, "cannot have a descriptor");
  memcpy (marked, "\x81\xa1k\xc7\x10\x9c", 6);
  packed_mark = g_bytes_new (marked, 22);
  g_assert_true (
      tractor_portal_call_packed (portal, "test:echo_packed", packed_mark, &echoed, error));
  g_assert_true (g_bytes_equal (echoed, packed_mark));
  g_assert_false (
      tractor_portal_call_packed (portal, "test:return_two_values", NULL, &result, error));
  g_assert_nonnull (strstr ((*error)->message, "A packed result must be one msgpack value"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_false (tractor_portal_call_packed (portal, "test:open_context", NULL, &result, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_portal_call_packed (portal, "test:fail_packed", NULL, &result, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  g_assert_null (result);
  assert_echo (portal, "'alive'", "'alive'");
  return end (nursery, error);
}

typedef struct {
  TractorPortal *portal;
  const char *path;
} PackedCalling;

static gboolean
call_packed_in_task (gpointer data, GError **error)
{
  const PackedCalling *calling = data;
  g_autoptr (GByteArray) packed = g_byte_array_new ();
  g_autoptr (GBytes) kwargs = NULL;
  guint8 length = (guint8) strlen (calling->path);

  g_byte_array_append (packed, (const guint8 *) "\x81\xa4path\xd9", 7);
  g_byte_array_append (packed, &length, 1);
  g_byte_array_append (packed, (const guint8 *) calling->path, length);
  kwargs = g_byte_array_free_to_bytes (g_steal_pointer (&packed));
  return tractor_portal_call_packed (calling->portal, "test:touch_when_cancelled", kwargs, NULL,
                                     error);
}

static gboolean
test_cancelled_packed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "worker", error);
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  PackedCalling calling = { portal, path };
  g_autofree char *found = NULL;

  g_assert_cmpuint (strlen (path), <, 256);
  tractor_nursery_spawn (callers, "caller", call_packed_in_task, &calling, NULL, error);
  wait_for_text (path, "running");
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (callers), NULL);
  g_assert_true (tractor_nursery_join (callers, error));
  g_assert_true (g_file_get_contents (path, &found, NULL, NULL));
  g_assert_cmpstr (found, ==, "cancelled");
  unlink (path);
  return end (actors, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/call/row-41-values", test_values);
  harness_add_real_task ("/e2e/call/row-41-large-values", test_large_values);
  harness_add_real_task ("/e2e/call/too-large-value", test_too_large_value);
  harness_add_real_task ("/e2e/call/too-many-elements", test_too_many_elements);
  harness_add_real_task ("/e2e/call/many-in-flight", test_many_calls_in_flight);
  harness_add_real_task ("/e2e/call/row-42-remote-error", test_remote_error);
  harness_add_real_task ("/e2e/call/row-42-remote-error-at-length", test_remote_error_at_length);
  harness_add_real_task ("/e2e/call/domain-that-is-not-utf8", test_domain_that_is_not_utf8);
  harness_add_real_task ("/e2e/call/row-82-nursery-failure-is-the-calls",
                         test_nursery_failure_is_the_calls);
  harness_add_real_task ("/e2e/call/faulty-functions", test_faulty_functions);
  harness_add_real_task ("/e2e/call/row-36-row-43-refused", test_refused_calls);
  harness_add_real_task ("/e2e/call/names-that-are-not-utf8", test_names_that_are_not_utf8);
  harness_add_real_task ("/e2e/call/row-27-cancelled-call-cancels-remote-task",
                         test_cancelled_call_cancels_remote_task);
  harness_add_real_task ("/e2e/call/A44-not-sent-in-cancelled-scope",
                         test_call_in_cancelled_scope_is_not_sent);
  harness_add_real_task ("/e2e/call/A44-both-are-cancelled", test_call_when_both_are_cancelled);
  harness_add_real_task ("/e2e/call/packed", test_packed);
  harness_add_real_task ("/e2e/call/packed-and-large", test_large_packed);
  harness_add_real_task ("/e2e/call/packed-that-is-refused", test_packed_that_is_refused);
  harness_add_real_task ("/e2e/call/packed-elements", test_packed_elements);
  harness_add_real_task ("/e2e/call/row-27-packed-that-is-cancelled", test_cancelled_packed);
  return harness_run ();
}
