/* test-python.c - the same wire as Python: an independent actor, written in Python on sockets and
 * msgpack alone (tests/interop/peer.py), in each of its roles, on Unix sockets and TCP.
 *
 * It is known to talk to upstream's tractor; what it expects of us is what upstream does. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "actors.h"

/* --- what our actors serve ---------------------------------------------------------------------- */

static gboolean
add_numbers (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  gint64 a;
  gint64 b;

  if (!g_variant_lookup (kwargs, "a", "x", &a) || !g_variant_lookup (kwargs, "b", "x", &b)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE, "add() needs a and b");
    return FALSE;
  }
  *ret_result = g_variant_new_int64 (a + b);
  return TRUE;
}

static gboolean
boom (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "kaboom");
  return FALSE;
}

/* A child of its own, which dies. */
static gboolean
start_and_lose (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (actors, "short", NULL, error);

  g_assert_no_error (*error);
  tractor_portal_call (portal, "scen:die", NULL, NULL, NULL);
  return tractor_actor_nursery_join (actors, error);
}

static gboolean
die (G_GNUC_UNUSED GVariant *kwargs,
     G_GNUC_UNUSED GVariant **ret_result,
     G_GNUC_UNUSED GError **error)
{
  _exit (7);
}

static gboolean
announce (G_GNUC_UNUSED GVariant *kwargs,
          G_GNUC_UNUSED GVariant **ret_result,
          G_GNUC_UNUSED GError **error)
{
  dprintf (STDOUT_FILENO, "hog %d\n", getpid ());
  return TRUE;
}

/* Does not let its loop go on. */
static G_GNUC_NORETURN gboolean
hog (G_GNUC_UNUSED GVariant *kwargs,
     G_GNUC_UNUSED GVariant **ret_result,
     G_GNUC_UNUSED GError **error)
{
  dprintf (STDOUT_FILENO, "hog %d\n", getpid ());
  for (;;)
    poll (NULL, 0, 10);
}

/* Finds the Python actor "name", and lets it add 10 and 20. */
static gboolean
callback_into (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorPortal) portal = NULL;
  const char *name = "";

  g_variant_lookup (kwargs, "name", "&s", &name);
  portal = tractor_find_actor (name, error);
  return portal != NULL && tractor_portal_call (portal, "cmod:add",
                                                g_variant_new_parsed ("{'a': <%x>, 'b': <%x>}",
                                                                      (gint64) 10, (gint64) 20),
                                                ret_result, error);
}

static gboolean
agen (TractorStream *stream, GVariant *kwargs, GError **error)
{
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  for (gint64 i = 0; i < n; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error))
      return FALSE;
  return TRUE;
}

static gboolean
echo (TractorContext *context, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;
  gint64 n = 0;

  if (!tractor_context_started (context, g_variant_new_parsed ("['started', 'echo']"), error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (tractor_stream_receive (stream, &item, error)) {
    gboolean ok = tractor_stream_send (stream, item, error);

    g_variant_unref (item);
    if (!ok)
      return FALSE;
    n++;
  }
  *ret_result = g_variant_new_int64 (n);
  return *error == NULL;
}

/* Returns how many items there were. */
static gboolean
count (TractorContext *context, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;
  gint64 n = 0;

  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (tractor_stream_receive (stream, &item, error)) {
    g_assert_cmpint (g_variant_get_int64 (item), ==, n++);
    g_variant_unref (item);
  }
  *ret_result = g_variant_new_int64 (n);
  return *error == NULL;
}

static TractorEvent *go_event;

/* To a connection's own order: what was sent before this has come. */
static gboolean
go (G_GNUC_UNUSED GVariant *kwargs,
    G_GNUC_UNUSED GVariant **ret_result,
    G_GNUC_UNUSED GError **error)
{
  tractor_event_set (go_event);
  return TRUE;
}

/* Receives once "go" is called; returns the first item, and how many there were. */
static gboolean
latest (TractorContext *context,
        G_GNUC_UNUSED GVariant *kwargs,
        GVariant **ret_result,
        GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  gint64 first = -1;
  GVariant *item;
  gint64 n = 0;

  go_event = tractor_event_new ();
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  if (!tractor_event_wait (go_event, error))
    return FALSE;
  while (tractor_stream_receive (stream, &item, error)) {
    if (n++ == 0)
      first = g_variant_get_int64 (item);
    g_assert_cmpint (g_variant_get_int64 (item), ==, first + n - 1);
    g_variant_unref (item);
  }
  g_assert_cmpuint (tractor_stream_get_n_dropped (stream), ==, first);
  g_clear_pointer (&go_event, tractor_event_free);
  *ret_result = g_variant_new_parsed ("[%x, %x]", first, n);
  return *error == NULL;
}

static gboolean
ep (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  const char *mode = "";

  g_variant_lookup (kwargs, "mode", "&s", &mode);
  if (strcmp (mode, "echo") == 0)
    return echo (context, ret_result, error);
  if (strcmp (mode, "count") == 0)
    return count (context, ret_result, error);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  if (strcmp (mode, "fail") == 0)
    return boom (NULL, NULL, error);
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static const TractorExport exports[] = {
  { "add", TRACTOR_EXPORT_CALL, add_numbers },
  { "boom", TRACTOR_EXPORT_CALL, boom },
  { "start_and_lose", TRACTOR_EXPORT_CALL, start_and_lose },
  { "die", TRACTOR_EXPORT_CALL, die },
  { "announce", TRACTOR_EXPORT_CALL, announce },
  { "hog", TRACTOR_EXPORT_CALL, hog },
  { "callback_into", TRACTOR_EXPORT_CALL, callback_into },
  { "agen", TRACTOR_EXPORT_STREAM, .stream = agen },
  { "ep", TRACTOR_EXPORT_CONTEXT, .context = ep },
  { "latest", TRACTOR_EXPORT_CONTEXT, .context = latest, .allow_overruns = TRUE },
  { "go", TRACTOR_EXPORT_CALL, go },
  { NULL },
};
/* What Python's functions are called that stand in a script. */
static const TractorModule modules[] = { { "__main__", exports }, { "scen", exports }, { NULL } };

/* --- the Python side ---------------------------------------------------------------------------------- */

typedef struct {
  TractorEvent *ready;
  GString *output;
  pid_t pid;     /* of a victim */
  pid_t hog_pid; /* of its child */
} Python;

static void
on_line (const char *line, gsize length, gpointer data)
{
  Python *python = data;

  sscanf (line, "parent %d", &python->pid);
  if (strcmp (line, "ready") == 0 || sscanf (line, "hog %d", &python->hog_pid) == 1)
    tractor_event_set (python->ready);
  g_string_append_len (python->output, line, (gssize) length);
  g_string_append_c (python->output, '\n');
}

static char *
find_peer_script (void)
{
  return g_build_filename (TESTS_DIR, "interop", "peer.py", NULL);
}

/* @address: as we write it. Returns: (transfer full): as peer.py does. */
static char *
to_python (const char *address)
{
  return g_strdup (strchr (address, ':') + (g_str_has_prefix (address, "tcp:") ? 3 : 1));
}

/* Starts @role in @nursery. */
static void
start_python (Python *python,
              TractorNursery *nursery,
              const char *role,
              const char *address,
              const char *more)
{
  g_autofree char *script = find_peer_script ();
  g_autofree char *where = to_python (address);
  const char *argv[] = { script, role, where, more, NULL };
  GError *error = NULL;

  *python = (Python){ .ready = tractor_event_new (), .output = g_string_new (NULL) };
  tractor_nursery_start_process (nursery, argv,
                                 &(TractorProcessOptions){ .on_stdout = on_line, .data = python },
                                 NULL, &error);
  g_assert_no_error (error);
}

static void
python_clear (Python *python)
{
  tractor_event_free (python->ready);
  g_string_free (python->output, TRUE);
}

/* Those that begin with @prefix: what was killed could not clean up after itself. */
static void
remove_sockets (const char *prefix)
{
  g_autofree char *dir = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "tractor", NULL);
  g_autoptr (GDir) listing = g_dir_open (dir, 0, NULL);
  const char *name;

  while (listing != NULL && (name = g_dir_read_name (listing)) != NULL)
    if (g_str_has_prefix (name, prefix)) {
      g_autofree char *path = g_build_filename (dir, name, NULL);

      unlink (path);
    }
}

static TractorRuntime *
open_at (const char *registry, GError **error)
{
  const char *registries[] = { registry, NULL };
  TractorRuntime *runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .registry_addresses = registries, .modules = modules }, error);

  g_assert_no_error (*error);
  return runtime;
}

/* --- what any Python actor can be asked --------------------------------------------------------------- */

static GVariant *
numbers (gint64 a, gint64 b)
{
  return g_variant_new_parsed ("{'a': <%x>, 'b': <%x>}", a, b);
}

static void
talk_calls (TractorPortal *portal, GError **error)
{
  g_autoptr (GVariant) sum = NULL;
  g_autofree char *id = portal_id (portal);
  g_autofree char *text = NULL;
  const TractorRemoteError *remote;

  g_assert_true (tractor_portal_call (portal, "cmod:add", numbers (20, 22), &sum, error));
  g_assert_cmpint (g_variant_get_int64 (sum), ==, 42);

  g_assert_false (tractor_portal_call (portal, "cmod:boom", NULL, NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_true (tractor_error_matches (*error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE));
  remote = tractor_error_get_remote (*error);
  g_assert_cmpstr (remote->type_name, ==, "ValueError");
  g_assert_cmpstr (remote->origin, ==, id);
  g_assert_cmpstr (remote->relays[0], ==, id);
  g_assert_nonnull (strstr (remote->backtrace, "Traceback"));
  text = g_strdup_printf ("actor '%s': ValueError: kaboom", tractor_portal_get_name (portal));
  g_assert_cmpstr ((*error)->message, ==, text);
  g_clear_error (error);

  g_assert_false (tractor_portal_call (portal, "cmod:boom_with_more", NULL, NULL, error));
  g_assert_cmpstr ((*error)->message, ==, text);
  g_assert_nonnull (strstr (tractor_error_get_remote (*error)->backtrace, "and more"));
  g_clear_error (error);

  g_assert_false (tractor_portal_call (portal, "os:getpid", NULL, NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED));
  g_clear_error (error);
}

static void
talk_streams (TractorPortal *portal, GError **error)
{
  g_autoptr (TractorStream) stream = tractor_portal_open_stream (
      portal, "cmod:gen", g_variant_new_parsed ("{'n': <%x>}", (gint64) 5), NULL, error);
  GVariant *item;

  for (gint64 i = 0; i < 5; i++) {
    g_assert_true (tractor_stream_receive (stream, &item, error));
    g_assert_cmpint (g_variant_get_int64 (item), ==, i);
    g_variant_unref (item);
  }
  g_assert_false (tractor_stream_receive (stream, &item, error));
  g_assert_no_error (*error);
}

static TractorStream *
open_generator (TractorPortal *portal, gint64 n, GError **error)
{
  TractorStream *stream = tractor_portal_open_stream (
      portal, "cmod:gen", g_variant_new_parsed ("{'n': <%x>}", n), NULL, error);

  g_assert_no_error (*error);
  return stream;
}

/* Returns: how many items came; in order and without a hole. */
static gint64
receive_to_the_end (TractorStream *stream, gint64 first, GError **error)
{
  GVariant *item;

  while (tractor_stream_receive (stream, &item, error)) {
    g_assert_cmpint (g_variant_get_int64 (item), ==, first++);
    g_variant_unref (item);
  }
  return first;
}

static gint64
get_n_overruns (TractorPortal *portal, GError **error)
{
  g_autoptr (GVariant) n = NULL;

  g_assert_true (tractor_portal_call (portal, "cmod:n_overruns", NULL, &n, error));
  return g_variant_get_int64 (n);
}

/* A generator that does not pause, and a receiver that does. */
static void
talk_slowly (TractorPortal *portal, GError **error)
{
  gint64 n_overruns = get_n_overruns (portal, error);
  g_autoptr (TractorStream) stream = open_generator (portal, 1000, error);
  GVariant *item;

  g_assert_true (tractor_stream_receive (stream, &item, error));
  g_variant_unref (item);
  g_assert_true (tractor_sleep_until (tractor_now () + SECOND * 3 / 10, error));
  g_assert_cmpint (receive_to_the_end (stream, 1, error), ==, 1000);
  g_assert_no_error (*error);
  g_assert_cmpint (get_n_overruns (portal, error), ==, n_overruns);
}

/* A receiver that is away for too long: it gets what came before the hole, and then no clean end. */
static void
talk_too_slowly (TractorPortal *portal, GError **error)
{
  gint64 n_overruns = get_n_overruns (portal, error);
  g_autoptr (TractorStream) stream = open_generator (portal, G_MAXINT64, error);

  while (get_n_overruns (portal, error) == n_overruns)
    g_assert_true (tractor_checkpoint (error));
  g_assert_cmpint (receive_to_the_end (stream, 0, error), ==, 4096);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN);
  g_assert_cmpint (receive_to_the_end (stream, 0, error), ==, 0);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN);
}

static void
talk_echo (TractorPortal *portal, GError **error)
{
  g_autoptr (GVariant) first = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (TractorContext) context = tractor_portal_open_context (
      portal, "cmod:echo", g_variant_new_parsed ("{'tag': <'y'>}"), NULL, &first, error);
  g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
  g_autofree char *text = g_variant_print (first, FALSE);

  g_assert_cmpstr (text, ==, "[<'started'>, <'y'>]");
  for (int i = 0; i < 3; i++) {
    g_autoptr (GVariant) sent =
        g_variant_ref_sink (g_variant_new_parsed ("{'i': <%x>, 'half': <0.5>}", (gint64) i));
    g_autoptr (GVariant) item = NULL;

    g_assert_true (tractor_stream_send (stream, sent, error));
    g_assert_true (tractor_stream_receive (stream, &item, error));
    g_assert_true (g_variant_equal (item, sent));
  }
  g_clear_pointer (&stream, tractor_stream_close);
  g_assert_true (tractor_context_join (context, &result, error));
  g_assert_cmpint (g_variant_get_int64 (result), ==, 3);
}

static void
talk_contexts (TractorPortal *portal, GError **error)
{
  g_autofree char *self = own_id ();
  {
    g_autoptr (TractorContext) context =
        tractor_portal_open_context (portal, "cmod:context_boom", NULL, NULL, NULL, error);

    g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error)); /* interrupted */
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_cmpstr (tractor_error_get_remote (*error)->type_name, ==, "KeyError");
    g_assert_true (
        tractor_error_matches (*error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND));
    g_clear_error (error);
  }
  {
    g_autoptr (TractorContext) context =
        tractor_portal_open_context (portal, "cmod:context_sleep", NULL, NULL, NULL, error);

    tractor_context_cancel (context);
    g_assert_true (tractor_context_join (context, NULL, error)); /* our own cancel */
    g_assert_cmpstr (tractor_error_get_canceller (tractor_context_get_outcome (context)), ==, self);
  }
  {
    g_autoptr (TractorContext) context =
        tractor_portal_open_context (portal, "cmod:context_sleep", NULL, NULL, NULL, error);

    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_FAULT, "the body's own");
    g_assert_false (tractor_context_join (context, NULL, error));
    harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_FAULT);
  }
  /* Upstream hangs here: a context that returns without having said that it had started. */
  g_assert_null (
      tractor_portal_open_context (portal, "cmod:return_at_once", NULL, NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  /* Its relay of our error interrupts a body that waits elsewhere. */
  {
    g_autoptr (TractorContext) context = tractor_portal_open_context (
        portal, "cmod:flood", g_variant_new_parsed ("{'n': <%x>}", (gint64) 5000), NULL, NULL,
        error);
    TractorStream *stream = tractor_context_open_stream (context, error);

    g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
    g_clear_error (error);
    g_assert_cmpint (receive_to_the_end (stream, 0, error), ==, 4096);
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN);
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN));
    g_assert_cmpstr (tractor_error_get_remote (*error)->origin, ==, self);
    g_clear_error (error);
  }
}

/* --- what is above our limits ------------------------------------------------------------------------- */

static const struct {
  const char *kind; /* as peer.py has it */
  const char *limit;
} too_much[] = {
  { "elements", "more than 262144 elements" },
  { "depth", "nested more than 32 deep" },
  { "bytes", "more than 16777216 bytes" },
};

static void
assert_refusal (GError **error, const char *limit)
{
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  g_assert_nonnull (strstr ((*error)->message, limit));
  g_clear_error (error);
}

static void
stream_too_much (TractorPortal *portal, const char *kind, const char *limit, GError **error)
{
  g_autoptr (TractorStream) stream = tractor_portal_open_stream (
      portal, "cmod:gen_too_much", g_variant_new_parsed ("{'kind': <%s>}", kind), NULL, error);
  GVariant *item;

  g_assert_true (tractor_stream_receive (stream, &item, error));
  g_assert_cmpstr (g_variant_get_string (item, NULL), ==, "before");
  g_variant_unref (item);
  g_assert_false (tractor_stream_receive (stream, &item, error));
  assert_refusal (error, limit);
}

/* @where: the message in which it says too much. */
static void
open_too_much (TractorPortal *portal, const char *kind, const char *where, GError **error)
{
  g_autoptr (TractorContext) context = tractor_portal_open_context (
      portal, "cmod:context_of_too_much",
      g_variant_new_parsed ("{'kind': <%s>, 'where': <%s>}", kind, where), NULL, NULL, error);
  GVariant *item;

  if (strcmp (where, "started") == 0) {
    g_assert_null (context);
    return;
  }
  g_assert_nonnull (context);
  if (strcmp (where, "yield") == 0) {
    TractorStream *stream = tractor_context_open_stream (context, error);

    while (stream != NULL && tractor_stream_receive (stream, &item, error))
      g_variant_unref (item);
  }
  g_assert_false (tractor_context_join (context, NULL, error));
}

/* Whoever waits for a message that is refused is told which limit it is above; and the connection is
 * as good as before. */
static void
talk_too_much (TractorPortal *portal, GError **error)
{
  static const char *const places[] = { "started", "yield", "return" };

  for (guint i = 0; i < G_N_ELEMENTS (too_much); i++) {
    const char *kind = too_much[i].kind;
    const char *limit = too_much[i].limit;
    g_autoptr (GVariant) sum = NULL;

    g_assert_false (tractor_portal_call (portal, "cmod:return_too_much",
                                         g_variant_new_parsed ("{'kind': <%s>}", kind), NULL,
                                         error));
    assert_refusal (error, limit);
    stream_too_much (portal, kind, limit, error);
    for (guint place = 0; place < G_N_ELEMENTS (places); place++) {
      open_too_much (portal, kind, places[place], error);
      assert_refusal (error, limit);
    }
    g_assert_true (tractor_portal_call (portal, "cmod:add", numbers (20, 22), &sum, error));
  }
  /* An error is the outcome, and no less so for what it says. */
  g_assert_false (tractor_portal_call (portal, "cmod:raise_too_much",
                                       g_variant_new_parsed ("{'kind': <'bytes'>}"), NULL, error));
  g_assert_true (tractor_error_matches (*error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE));
  g_assert_nonnull (strstr ((*error)->message, "more than 16777216 bytes"));
  g_clear_error (error);
}

static void
talk (TractorPortal *portal, GError **error)
{
  talk_calls (portal, error);
  talk_streams (portal, error);
  talk_slowly (portal, error);
  talk_too_slowly (portal, error);
  talk_echo (portal, error);
  talk_contexts (portal, error);
  talk_too_much (portal, error);
}

/* --- the roles ---------------------------------------------------------------------------------------- */

static gboolean
test_python_calls_us (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) worker = NULL;
  Python python;

  start_python (&python, tasks, "client", registry, NULL);
  worker = tractor_actor_nursery_start (
      actors, "worker", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
  g_assert_no_error (*error);
  /* It cancels the worker in the end. */
  tractor_actor_nursery_join (actors, error);
  g_assert_no_error (*error);
  tractor_nursery_join (tasks, error);
  g_assert_no_error (*error);
  g_assert_cmpstr (python.output->str, ==, "client ok\n");
  python_clear (&python);
  return TRUE;
}

static gboolean
test_python_serves (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  Python python;

  start_python (&python, tasks, "serve", registry, NULL);
  {
    g_autoptr (TractorPortal) service =
        tractor_wait_for_actor ("service", TRACTOR_NO_DEADLINE, error);

    g_assert_no_error (*error);
    talk (service, error);
    /* What upstream never answers: a peer that hangs up. */
    {
      g_autoptr (TractorPortal) other = tractor_find_actor ("service", error);
      g_autoptr (TractorContext) context =
          tractor_portal_open_context (other, "cmod:hang_up", NULL, NULL, NULL, error);
      TractorStream *stream = tractor_context_open_stream (context, error);

      g_assert_true (tractor_stream_send (stream, NULL, error));
      g_assert_false (tractor_context_join (context, NULL, error));
      harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
    }
    g_assert_true (tractor_portal_cancel_actor (service, tractor_now () + 10 * SECOND, error));
  }
  tractor_nursery_join (tasks, error);
  g_assert_no_error (*error);
  g_assert_cmpstr (python.output->str, ==, "ready\nserved ok\n");
  g_assert_null (tractor_find_actor ("service", error)); /* it has unregistered */
  python_clear (&python);
  return TRUE;
}

static gboolean
test_python_dies_in_a_call (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  g_autoptr (TractorPortal) service = NULL;
  Python python;

  start_python (&python, tasks, "serve", registry, NULL);
  service = tractor_wait_for_actor ("service", TRACTOR_NO_DEADLINE, error);
  g_assert_false (tractor_portal_call (service, "cmod:die", NULL, NULL, error));
  g_assert_nonnull (*error);
  g_clear_error (error);
  tractor_nursery_join (tasks, error);
  g_clear_error (error);
  /* Its entry in the registry is stale: whoever finds that out strikes it off. */
  g_assert_null (tractor_find_actor ("service", error));
  g_assert_no_error (*error);
  {
    g_autoptr (GPtrArray) left = tractor_list_actors ("service", error);

    g_assert_cmpuint (left->len, ==, 0);
  }
  remove_sockets ("service@");
  python_clear (&python);
  return TRUE;
}

static gboolean
test_python_registrar (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  Python python;

  start_python (&python, tasks, "registrar", registry, NULL);
  g_assert_true (tractor_event_wait (python.ready, error));
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, error);
    g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) worker = tractor_actor_nursery_start (
        actors, "worker", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
    g_autoptr (TractorPortal) found = NULL;
    g_autoptr (TractorPortal) python_portal = NULL;
    g_autoptr (GVariant) sum = NULL;

    g_assert_no_error (*error);
    g_assert_false (tractor_actor_is_registrar ());
    found = tractor_find_actor ("worker", error);
    g_assert_cmpstr (tractor_portal_get_uuid (found), ==, tractor_portal_get_uuid (worker));
    /* Our child calls into Python by itself. */
    g_assert_true (tractor_portal_call (worker, "scen:callback_into",
                                        g_variant_new_parsed ("{'name': <'registrar'>}"), &sum,
                                        error));
    g_assert_cmpint (g_variant_get_int64 (sum), ==, 30);
    python_portal = tractor_find_actor ("registrar", error);
    talk (python_portal, error);
    tractor_actor_nursery_cancel (actors);
    g_assert_true (tractor_actor_nursery_join (actors, error));
    g_assert_null (tractor_find_actor ("worker", error)); /* it has unregistered */
    g_assert_true (
        tractor_portal_cancel_actor (python_portal, tractor_now () + 10 * SECOND, error));
  }
  tractor_nursery_join (tasks, error);
  g_assert_no_error (*error);
  python_clear (&python);
  return TRUE;
}

/* Ends the registrar of a runtime that is open. */
static void
end_registrar (GError **error)
{
  g_autoptr (TractorPortal) registrar = tractor_find_actor ("registrar", error);

  g_assert_true (tractor_portal_cancel_actor (registrar, tractor_now () + 10 * SECOND, error));
}

/* An actor that serves is found again when the registrar has been started again. */
static gboolean
test_python_registrar_comes_back (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  Python first;
  Python second;

  start_python (&first, tasks, "registrar", registry, NULL);
  g_assert_true (tractor_event_wait (first.ready, error));
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, error);
    gint64 started;

    end_registrar (error);
    start_python (&second, tasks, "registrar", registry, NULL);
    g_assert_true (tractor_event_wait (second.ready, error));
    started = tractor_now ();
    for (gboolean is_back = FALSE; !is_back;) {
      g_autoptr (GPtrArray) actors = tractor_list_actors ("root", error);

      is_back = actors != NULL && actors->len == 1;
      g_clear_error (error);
      g_assert_cmpint (tractor_now () - started, <, 5 * SECOND * harness_get_patience ());
      g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 50, error));
    }
    end_registrar (error);
  }
  tractor_nursery_join (tasks, error);
  g_assert_no_error (*error);
  python_clear (&first);
  python_clear (&second);
  return TRUE;
}

/* One that does not answer is not waited for when this actor leaves. */
static gboolean
test_python_registrar_slow_to_forget (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  Python python;
  gint64 since;

  g_setenv ("PEER_UNREGISTER_DELAY", "60", TRUE);
  start_python (&python, tasks, "registrar", registry, NULL);
  g_assert_true (tractor_event_wait (python.ready, error));
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, error);

    g_assert_no_error (*error);
    since = tractor_now ();
  }
  g_assert_cmpint (tractor_now () - since, <, 5 * SECOND * harness_get_patience ());
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (tasks), "enough");
  g_assert_true (tractor_nursery_join (tasks, error));
  remove_socket (registry);
  python_clear (&python);
  return TRUE;
}

static gboolean
see_child (const TractorTreeEntry *entries,
           gsize n_entries,
           gpointer pid,
           G_GNUC_UNUSED GError **error)
{
  g_assert_cmpuint (n_entries, ==, 2);
  g_assert_cmpstr (entries[1].name, ==, "it's a child");
  g_assert_cmpint (entries[1].pid, ==, GPOINTER_TO_INT (pid));
  g_assert_cmpint (entries[1].view, ==, TRACTOR_TREE_VIEW_PYTHON);
  return FALSE;
}

static gboolean
test_python_child (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autofree char *script = find_peer_script ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = tractor_actor_nursery_start (
      actors, "it's a child",
      &(TractorSpawnOptions){ .program = script, .is_python = TRUE, .log_level = "message" },
      error);
  g_autoptr (TractorPortal) found = NULL;

  g_assert_no_error (*error);
  talk (child, error);
  g_assert_true (tractor_watch_tree (NULL, see_child,
                                     GINT_TO_POINTER (tractor_portal_get_pid (child)), error));
  talk (child, error); /* it has been asked nothing that it does not know */
  found = tractor_wait_for_actor ("it's a child", TRACTOR_NO_DEADLINE, error);
  g_assert_cmpstr (tractor_portal_get_uuid (found), ==, tractor_portal_get_uuid (child));
  tractor_actor_nursery_cancel (actors);
  tractor_actor_nursery_join (actors, error);
  g_assert_no_error (*error);
  assert_no_child_process ();
  return TRUE;
}

/* To Python that is a variable of somebody else's, which it hands down. */
static gboolean
test_python_child_of_one_that_logs (gpointer data, GError **error)
{
  g_setenv ("PEER_LOG", "call:error,registry:error", TRUE);
  g_assert_true (tractor_log_set_spec (g_getenv ("PEER_LOG"), error));
  return test_python_child (data, error);
}

/* Cancels a Python child that acknowledges that after so many seconds. */
static void
cancel_slow_child (const char *delay, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autofree char *script = find_peer_script ();
  g_autofree char *variable = g_strconcat ("PEER_ACK_DELAY=", delay, NULL);
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = tractor_actor_nursery_start (
      actors, "middle",
      &(TractorSpawnOptions){
          .program = script, .is_python = TRUE, .env = (const char *const[]){ variable, NULL } },
      error);

  g_assert_no_error (*error);
  tractor_actor_nursery_cancel (actors);
  tractor_actor_nursery_join (actors, error);
  g_assert_no_error (*error);
  assert_no_child_process ();
  remove_sockets ("middle@");
}

static gboolean
test_python_child_acknowledges_late (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 started = tractor_now ();

  cancel_slow_child ("0.7", error);
  g_assert_cmpint (tractor_now () - started, >, SECOND * 7 / 10);
  return TRUE;
}

/* It ends by SIGTERM, which Python leaves its default action. */
static gboolean
test_python_child_never_acknowledges (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 started = tractor_now ();

  cancel_slow_child ("60", error);
  g_assert_cmpint (tractor_now () - started, >, SECOND * 3 / 2);
  return TRUE;
}

static gboolean
test_python_child_that_never_connects (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);

  g_assert_null (tractor_actor_nursery_start (
      actors, "stillborn", &(TractorSpawnOptions){ .program = "false", .is_python = TRUE }, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  assert_no_child_process ();
  return tractor_actor_nursery_join (actors, error);
}

/* It connects when it is being ended already. */
static gboolean
test_python_child_cancelled_while_it_boots (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autofree char *script = find_peer_script ();
  g_autofree char *slow = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "slow", NULL);
  g_autofree char *text = g_strdup_printf ("#!/bin/sh\nsleep 0.3\nexec '%s' \"$@\"\n", script);
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);

  g_assert_true (g_file_set_contents_full (slow, text, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 5);

    g_assert_null (tractor_actor_nursery_start (
        actors, "slow", &(TractorSpawnOptions){ .program = slow, .is_python = TRUE }, error));
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  g_assert_true (tractor_actor_nursery_join (actors, error));
  assert_no_child_process ();
  unlink (slow);
  return TRUE;
}

static gboolean
test_child_of_python (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *address = make_free_address ();
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  Python python;

  start_python (&python, tasks, "parent", address, self);
  tractor_nursery_join (tasks, error);
  g_assert_no_error (*error);
  g_assert_cmpstr (python.output->str, ==, "parent ok\n");
  python_clear (&python);
  return TRUE;
}

/* Kills a Python parent; @program, its child, ends soon. */
static void
kill_parent_of (const char *program, GError **error)
{
  g_autofree char *address = make_free_address ();
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  Python python;
  gint64 killed_at;

  prctl (PR_SET_CHILD_SUBREAPER, 1);
  start_python (&python, tasks, "victim", address, program);
  g_assert_true (tractor_event_wait (python.ready, error));
  kill (python.pid, SIGKILL);
  killed_at = tractor_now ();
  g_assert_false (tractor_nursery_join (tasks, error)); /* it was killed */
  g_clear_error (error);
  while (kill (python.hog_pid, 0) == 0) {
    waitpid (python.hog_pid, NULL, WNOHANG); /* if it is left to us */
    g_assert_cmpint (tractor_now () - killed_at, <, 2 * SECOND * harness_get_patience ());
    g_assert_true (tractor_sleep_until (tractor_now () + 10000, error));
  }
  python_clear (&python);
  remove_sockets ("");
}

/* It computes, and reads neither its connection nor a signal's descriptor. */
static gboolean
test_stuck_child_of_killed_python (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);

  kill_parent_of (self, error);
  return TRUE;
}

/* Kills and reaps what is left to this process. */
static void
kill_descendants (void)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%d/children", getpid ());
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  for (char *at = text; *at != '\0';)
    kill ((pid_t) strtol (at, &at, 10), SIGKILL), at += *at == ' ';
  while (waitpid (-1, NULL, 0) > 0)
    ;
}

/* Its process was not made by the parent's, and its connection does not end with that. */
static gboolean
test_child_of_killed_python_that_others_hold (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *wrapper = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "wrapper", NULL);
  g_autofree char *text = g_strdup_printf ("#!/bin/sh\n'%s' \"$@\" &\nwait\n", self);

  g_assert_true (
      g_file_set_contents_full (wrapper, text, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
  g_setenv ("PEER_IS_HELD", "", TRUE);
  kill_parent_of (wrapper, error);
  kill_descendants ();
  unlink (wrapper);
  return TRUE;
}

static void
add (const char *path, TractorTaskFunc func)
{
  static const char *const transports[] = { "unix", "tcp" };

  for (guint i = 0; i < G_N_ELEMENTS (transports); i++) {
    g_autofree char *whole = g_strconcat ("/e2e/python/", transports[i], "/", path, NULL);

    harness_add_real_task (whole, func);
  }
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  add ("calls-us", test_python_calls_us);
  add ("serves", test_python_serves);
  add ("T14-dies-in-a-call", test_python_dies_in_a_call);
  add ("is-registrar", test_python_registrar);
  add ("registrar-comes-back", test_python_registrar_comes_back);
  add ("registrar-is-slow-to-forget", test_python_registrar_slow_to_forget);
  add ("is-our-child", test_python_child);
  add ("is-child-of-one-that-logs", test_python_child_of_one_that_logs);
  harness_add_real_task ("/e2e/python/S-04-child-that-never-connects",
                         test_python_child_that_never_connects);
  add ("S-06-child-cancelled-while-it-boots", test_python_child_cancelled_while_it_boots);
  add ("child-acknowledges-late", test_python_child_acknowledges_late);
  add ("child-never-acknowledges", test_python_child_never_acknowledges);
  add ("is-our-parent", test_child_of_python);
  add ("P-05-stuck-child-of-killed-python", test_stuck_child_of_killed_python);
  harness_add_real_task ("/e2e/python/unix/P-05-child-of-killed-python-that-others-hold",
                         test_child_of_killed_python_that_others_hold);
  return harness_run ();
}
