/* test-discovery.c - actors found by their names: registrars elected, joined, dead and back; and peers
 * that talk to each other past their parents.
 *
 * A second program is this one, started with --daemon. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "actors.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
whoami (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  g_autofree char *id = own_id ();

  *ret_result = g_variant_new_parsed ("{'id': <%s>, 'root': <%b>, 'registrar': <%b>}", id,
                                      tractor_actor_is_root (), tractor_actor_is_registrar ());
  return TRUE;
}

static gboolean
sleep_forever (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
serve (TractorContext *context,
       G_GNUC_UNUSED GVariant *kwargs,
       G_GNUC_UNUSED GVariant **ret_result,
       GError **error)
{
  return tractor_context_started (context, NULL, error) && sleep_forever (NULL, NULL, error);
}

/* Calls whoami of the actor called "name", from there. */
static gboolean
ask_other (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  const char *name = "";
  g_autoptr (TractorPortal) portal = NULL;

  g_variant_lookup (kwargs, "name", "&s", &name);
  portal = tractor_wait_for_actor (name, tractor_now () + 10 * SECOND, error);
  return portal != NULL && tractor_portal_call (portal, "test:whoami", NULL, ret_result, error);
}

static gboolean
ask_parent (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorPortal) portal = tractor_get_parent ();

  return tractor_portal_call (portal, "test:whoami", NULL, ret_result, error);
}

/* Calls "function" of its parent. */
static gboolean
call_parent (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorPortal) portal = tractor_get_parent ();
  const char *function = "";

  g_variant_lookup (kwargs, "function", "&s", &function);
  return tractor_portal_call (portal, function, g_variant_new_parsed ("{'n': <20>}"), ret_result,
                              error);
}

static gboolean
ask_root (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorPortal) portal = tractor_find_root (error);

  return portal != NULL && tractor_portal_call (portal, "test:whoami", NULL, ret_result, error);
}

static gboolean
cancel_other (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  const char *name = "";
  g_autoptr (TractorPortal) portal = NULL;

  g_variant_lookup (kwargs, "name", "&s", &name);
  portal = tractor_find_actor (name, error);
  return portal != NULL &&
         tractor_portal_cancel_actor (portal, tractor_now () + 10 * SECOND, error);
}

static const char *
own_host (void)
{
  return g_getenv ("TEST_HOST");
}

/* Starts an actor of its own called "name", calls ask_other of it, and returns the answer. */
static gboolean
ask_by_child (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  return tractor_run_in_actor ("grandchild", &(TractorSpawnOptions){ .host = own_host () },
                               "test:ask_other", kwargs, ret_result, error);
}

static void
remove_file (gpointer path)
{
  unlink (path);
}

static gboolean
remove_at_exit (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  static char path[256];
  const char *given = "";
  gboolean fail = FALSE;

  g_variant_lookup (kwargs, "path", "&s", &given);
  g_variant_lookup (kwargs, "fail", "b", &fail);
  g_strlcpy (path, given, sizeof path);
  if (!tractor_actor_at_exit (remove_file, path, error))
    return FALSE;
  if (fail)
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return !fail;
}

/* Writes "done" into a file when it has been cancelled. */
static gboolean
finish_slowly (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  const char *path = "";
  g_autoptr (TractorCancelScope) shield = NULL;

  g_variant_lookup (kwargs, "path", "&s", &path);
  g_file_set_contents (path, "running", -1, NULL);
  sleep_forever (NULL, NULL, error);
  shield = tractor_cancel_scope_open (tractor_now () + SECOND / 10);
  tractor_cancel_scope_set_shield (shield, TRUE);
  sleep_forever (NULL, NULL, NULL);
  g_file_set_contents (path, "done", -1, NULL);
  return FALSE;
}

/* Returns more than is queued for somebody who does not read. */
static gboolean
get_much (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gsize size = 3 * 1024 * 1024;
  g_autofree char *bytes = g_malloc0 (size);

  *ret_result = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, size, 1);
  return TRUE;
}

static const TractorExport exports[] = {
  { "whoami", TRACTOR_EXPORT_CALL, whoami },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "serve", TRACTOR_EXPORT_CONTEXT, .context = serve },
  { "ask_other", TRACTOR_EXPORT_CALL, ask_other },
  { "ask_parent", TRACTOR_EXPORT_CALL, ask_parent },
  { "call_parent", TRACTOR_EXPORT_CALL, call_parent },
  { "ask_root", TRACTOR_EXPORT_CALL, ask_root },
  { "cancel_other", TRACTOR_EXPORT_CALL, cancel_other },
  { "ask_by_child", TRACTOR_EXPORT_CALL, ask_by_child },
  { "remove_at_exit", TRACTOR_EXPORT_CALL, remove_at_exit },
  { "finish_slowly", TRACTOR_EXPORT_CALL, finish_slowly },
  { "get_much", TRACTOR_EXPORT_CALL, get_much },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- the second program ------------------------------------------------------------------------------ */

/* --daemon NAME REGISTRY: says "ready" once it can be found. */
typedef struct {
  const char *name;
  const char *registry;
} DaemonArgs;

static gboolean
say_ready (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorPortal) self = NULL;

  while (self == NULL) {
    self = tractor_find_actor (data, error);
    g_clear_error (error); /* there is no runtime yet */
    if (!tractor_sleep_until (tractor_now () + SECOND / 500, error))
      return FALSE;
  }
  g_print ("ready\n");
  fflush (stdout);
  return TRUE;
}

/* The body of a daemon: has an actor for as long as it runs. */
static gboolean
keep_actor (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (nursery, "kept", NULL, error);

  if (portal != NULL) {
    g_print ("ready\n");
    fflush (stdout);
    tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  }
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
fail_when_ready (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_print ("ready\n");
  fflush (stdout);
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "disk full");
  return FALSE;
}

/* @body: instead of what says that it can be found. */
static gboolean
run_daemon_with_body (DaemonArgs *args, TractorTaskFunc body, GError **error)
{
  const char *registries[] = { args->registry, NULL };
  int signal_number = -1;

  if (!tractor_run_daemon_with (&(TractorRuntimeOptions){ .name = args->name,
                                                          .registry_addresses = registries,
                                                          .modules = modules },
                                body, NULL, &signal_number, error))
    return FALSE;
  g_print ("ended by %d\n", signal_number);
  return TRUE;
}

static gboolean
run_daemon_program (gpointer data, GError **error)
{
  DaemonArgs *args = data;
  const char *registries[] = { args->registry, NULL };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int signal_number = -1;

  if (strcmp (args->name, "keeps-an-actor") == 0)
    return run_daemon_with_body (args, keep_actor, error);
  if (strcmp (args->name, "fails") == 0)
    return run_daemon_with_body (args, fail_when_ready, error);
  tractor_nursery_spawn (nursery, "ready", say_ready, (gpointer) args->name, NULL, error);
  tractor_run_daemon (&(TractorRuntimeOptions){ .name = args->name,
                                                .registry_addresses = registries,
                                                .modules = modules },
                      &signal_number, error);
  g_print ("ended by %d\n", signal_number);
  return tractor_nursery_join (nursery, error);
}

/* As whoever started the program may have. */
static void
block_signals (void)
{
  sigset_t all;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, NULL);
}

static int
daemon_main (char **argv)
{
  DaemonArgs args = { argv[2], argv[3] };
  g_autoptr (GError) error = NULL;

  if (strcmp (args.name, "started-deaf") == 0)
    block_signals ();
  if (tractor_run (run_daemon_program, &args, &error))
    return EXIT_SUCCESS;
  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}

typedef struct {
  TractorEvent *ready;
  int signal_number;
  gint pid;
} Daemon;

static void
on_line (const char *line, G_GNUC_UNUSED gsize length, gpointer data)
{
  Daemon *daemon = data;

  if (strcmp (line, "ready") == 0)
    tractor_event_set (daemon->ready);
  sscanf (line, "ended by %d", &daemon->signal_number);
}

/* Starts it in @nursery, and returns when it can be found. */
static void
start_daemon (Daemon *daemon, TractorNursery *nursery, const char *name, const char *registry)
{
  const char *argv[] = { "/proc/self/exe", "--daemon", name, registry, NULL };
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  GError *error = NULL;

  argv[0] = self;
  *daemon = (Daemon){ .ready = tractor_event_new (), .signal_number = -1 };
  tractor_nursery_start_process (nursery, argv,
                                 &(TractorProcessOptions){ .on_stdout = on_line, .data = daemon },
                                 &daemon->pid, &error);
  g_assert_no_error (error);
  g_assert_true (tractor_event_wait (daemon->ready, NULL));
}

/* --- helpers -------------------------------------------------------------------------------------- */

static TractorRuntime *
open_at (const char *registry, GError **error)
{
  const char *registries[] = { registry, NULL };

  return tractor_runtime_open (
      &(TractorRuntimeOptions){ .registry_addresses = registries, .modules = modules }, error);
}

static TractorPortal *
start (TractorActorNursery *nursery, const char *name, GError **error)
{
  g_setenv ("TEST_HOST", harness_get_host ()->name, TRUE);
  return tractor_actor_nursery_start (
      nursery, name, &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
}

static gboolean
end (TractorActorNursery *nursery, GError **error)
{
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static guint
count_actors (const char *name, GError **error)
{
  g_autoptr (GPtrArray) infos = tractor_list_actors (name, error);

  g_assert_no_error (*error);
  return infos->len;
}

static char *
call_for_id (TractorPortal *portal, const char *function, const char *name, GError **error)
{
  g_autoptr (GVariant) answer = NULL;
  char *id = NULL;

  g_assert_true (tractor_portal_call (
      portal, function, name != NULL ? g_variant_new_parsed ("{'name': <%s>}", name) : NULL,
      &answer, error));
  g_assert_true (g_variant_lookup (answer, "id", "s", &id));
  return id;
}

/* Writes a frame, as far as it is taken. Returns: FALSE once the connection has ended. */
static gboolean
send_raw (int fd, const char *body, gsize length)
{
  guint32 header = GUINT32_TO_LE ((guint32) length);
  g_autoptr (GByteArray) frame = g_byte_array_new ();
  gsize sent = 0;

  g_byte_array_append (frame, (const guint8 *) &header, sizeof header);
  g_byte_array_append (frame, (const guint8 *) body, (guint) length);
  while (sent < frame->len) {
    gssize n = send (fd, frame->data + sent, frame->len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n > 0)
      sent += (gsize) n;
    else if (errno != EAGAIN)
      return FALSE;
    else if (!tractor_wait_fd (fd, G_IO_OUT, NULL, NULL))
      return FALSE;
  }
  return TRUE;
}

#define RAW_AID                                                                                    \
  "\x83\xa8msg_type\xa3"                                                                           \
  "Aid\xa4name\xa3raw\xa4uuid\xa1u"

/* @cid: 100 characters at most. */
static gboolean
send_raw_start (int fd, const char *cid, const char *ns, const char *func)
{
  GString *body = g_string_new ("\x86\xa8msg_type\xa5Start\xa3"
                                "cid\xd9");
  gboolean ok;

  g_string_append_printf (body,
                          "%c%s\xa2ns%c%s\xa4"
                          "func%c%s\xa6kwargs\x80\xa3uid\x92\xa3raw\xa1u",
                          (int) strlen (cid), cid, (int) (0xa0 + strlen (ns)), ns,
                          (int) (0xa0 + strlen (func)), func);
  ok = send_raw (fd, body->str, body->len);
  g_string_free (body, TRUE);
  return ok;
}

/* --- the runtime ------------------------------------------------------------------------------------- */

static gboolean
test_twice_in_a_row (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();

  for (int i = 0; i < 2; i++) {
    TractorRuntime *runtime = open_at (registry, error);

    g_assert_no_error (*error);
    g_assert_true (tractor_actor_is_registrar ());
    tractor_runtime_close (runtime);
    g_assert_null (tractor_actor_get_name ());
  }
  return TRUE;
}

/* What a portal leads to goes on without the registrar, and whoever used a program lives on without it. */
static gboolean
test_other_trees_live_on (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon registrar;
  Daemon service;

  start_daemon (&registrar, nursery, "registrar", registry);
  start_daemon (&service, nursery, "service", registry);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, error);
    g_autoptr (TractorPortal) first = tractor_find_actor ("registrar", error);
    g_autoptr (TractorPortal) portal = tractor_find_actor ("service", error);
    g_autoptr (GPtrArray) infos = tractor_list_actors ("service", error);
    g_autofree char *before = call_for_id (portal, "test:whoami", NULL, error);
    g_autofree char *after = NULL;
    g_autoptr (TractorCancelScope) shield = NULL;
    g_autoptr (TractorActorNursery) actors = NULL;
    g_autoptr (TractorPortal) own = NULL;
    g_autofree char *id = NULL;
    const char *address = ((TractorActorInfo *) infos->pdata[0])->addresses[0];

    g_assert_true (tractor_portal_cancel_actor (first, tractor_now () + 5 * SECOND, error));
    after = call_for_id (portal, "test:whoami", NULL, error);
    g_assert_cmpstr (after, ==, before);
    while (kill (registrar.pid, 0) == 0) /* or what comes now would end it once more */
      g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 100, error));
    shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    tractor_cancel_scope_set_shield (shield, TRUE); /* the nursery interrupts its body */
    kill (service.pid, SIGKILL);
    g_assert_false (tractor_portal_call (portal, "test:sleep_forever", NULL, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
    actors = tractor_actor_nursery_open (error);
    own = start (actors, "own", error);
    id = call_for_id (own, "test:whoami", NULL, error);
    g_assert_true (end (actors, error));
    if (g_str_has_prefix (address, "unix:")) /* which it could not take away */
      unlink (address + strlen ("unix:"));
  }
  g_assert_false (tractor_nursery_join (nursery, error)); /* for the one that was killed */
  g_clear_error (error);
  tractor_event_free (registrar.ready);
  tractor_event_free (service.ready);
  return TRUE;
}

static gboolean
test_becomes_registrar (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_auto (GStrv) addresses = tractor_actor_dup_addresses ();
  g_autofree char *self = own_id ();
  g_autofree char *found = NULL;
  g_autoptr (TractorPortal) portal = NULL;

  g_assert_true (tractor_actor_is_registrar ());
  g_assert_true (tractor_actor_is_root ());
  g_assert_cmpstr (addresses[0], ==, registry);
  g_assert_null (addresses[1]);
  /* To oneself too: it is a connection like any other. */
  portal = tractor_connect (registry, error);
  found = call_for_id (portal, "test:whoami", NULL, error);
  g_assert_cmpstr (found, ==, self);
  return TRUE;
}

static gboolean
test_joins (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;

  start_daemon (&daemon, nursery, "first", registry);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, error);
    g_auto (GStrv) addresses = tractor_actor_dup_addresses ();
    g_autoptr (TractorPortal) portal = NULL;

    g_assert_no_error (*error);
    g_assert_false (tractor_actor_is_registrar ());
    g_assert_cmpstr (addresses[0], !=, registry);
    g_assert_cmpuint (count_actors (NULL, error), ==, 2);
    portal = tractor_find_actor ("first", error);
    g_assert_cmpstr (tractor_portal_get_name (portal), ==, "first");
    g_assert_true (tractor_portal_cancel_actor (portal, tractor_now () + 5 * SECOND, error));
  }
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (daemon.signal_number, ==, 0);
  tractor_event_free (daemon.ready);
  return TRUE;
}

static gboolean
test_must_be_registrar (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  const char *registries[] = { registry, NULL };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;
  gint64 told_at;

  start_daemon (&daemon, nursery, "first", registry);
  g_assert_null (tractor_runtime_open (
      &(TractorRuntimeOptions){ .registry_addresses = registries, .must_be_registrar = TRUE },
      error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY);
  told_at = tractor_now ();
  kill (daemon.pid, SIGINT);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (tractor_now () - told_at, <, 2 * SECOND * harness_get_patience ());
  g_assert_cmpint (daemon.signal_number, ==, SIGINT);
  if (g_str_has_prefix (registry, "unix:"))
    g_assert_false (g_file_test (registry + strlen ("unix:"), G_FILE_TEST_EXISTS));
  tractor_event_free (daemon.ready);
  return TRUE;
}

static gboolean
test_occupied (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  int fd = raw_socket (registry, TRUE);
  gint64 started = tractor_now ();

  g_assert_null (open_at (registry, error));
  g_assert_nonnull (strstr ((*error)->message, "took too long")); /* and not who it is */
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY);
  g_assert_cmpint (tractor_now () - started, <, 7 * SECOND / 2 * harness_get_patience ());
  close (fd);
  if (g_str_has_prefix (registry, "unix:"))
    unlink (registry + strlen ("unix:"));
  return TRUE;
}

static gboolean
test_bad_addresses (G_GNUC_UNUSED gpointer data, GError **error)
{
  const char *bad[] = { "udp://127.0.0.1:1", "unix:@hidden", "unix:relative", "1616", NULL };

  for (char **text = (char **) bad; *text != NULL; text++) {
    g_assert_null (open_at (*text, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  {
    const char *listen[] = { "tcp://0.0.0.0:0", NULL };

    g_assert_null (
        tractor_runtime_open (&(TractorRuntimeOptions){ .listen_addresses = listen }, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
    /* Nor is another machine asked, who could say anything. */
    g_assert_null (open_at ("tcp://192.0.2.1:1616", error));
    g_assert_nonnull (strstr ((*error)->message, "on another machine"));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
    g_assert_null (open_at ("tcp://[0::0]:1616", error));
    g_assert_nonnull (strstr ((*error)->message, "to listen at, and not to connect to"));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
    g_assert_null (open_at ("tcp://0.0.0.0:1616", error));
    g_assert_nonnull (strstr ((*error)->message, "to listen at, and not to connect to"));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
  }
  return TRUE;
}

static gboolean
test_listens_at_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autofree char *more = make_free_address ();
  const char *registries[] = { registry, NULL };
  const char *listen[] = { more, "/ip4/127.0.0.1/tcp/0", NULL };
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){
          .registry_addresses = registries, .listen_addresses = listen, .modules = modules },
      error);
  g_auto (GStrv) addresses = tractor_actor_dup_addresses ();

  g_assert_cmpuint (g_strv_length (addresses), ==, 3);
  for (char **address = addresses; *address != NULL; address++) {
    g_autoptr (TractorPortal) portal = tractor_connect (*address, error);
    g_autofree char *id = call_for_id (portal, "test:whoami", NULL, error);

    g_assert_nonnull (id);
  }
  return TRUE;
}

/* --- finding ----------------------------------------------------------------------------------------- */

static gboolean
test_registered_while_it_lives (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = start (nursery, "worker", error);
  g_autoptr (TractorPortal) found = tractor_find_actor ("worker", error);
  g_autoptr (TractorPortal) by_uuid = tractor_find_actor (tractor_portal_get_uuid (child), error);

  g_assert_cmpstr (tractor_portal_get_uuid (found), ==, tractor_portal_get_uuid (child));
  g_assert_cmpstr (tractor_portal_get_uuid (by_uuid), ==, tractor_portal_get_uuid (child));
  g_assert_cmpint (tractor_portal_get_pid (found), ==, -1);
  g_assert_true (tractor_portal_cancel_actor (child, tractor_now () + 5 * SECOND, error));
  g_assert_cmpuint (count_actors ("worker", error), ==, 0);
  g_assert_null (tractor_find_actor ("worker", error));
  g_assert_no_error (*error);
  g_assert_false (tractor_portal_call (found, "test:whoami", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  return end (nursery, error);
}

static gboolean
test_killed_one_is_not_found (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal =
      tractor_actor_nursery_start (nursery, "victim",
                                   &(TractorSpawnOptions){ .host = harness_get_host ()->name,
                                                           .on_death = TRACTOR_ON_DEATH_IGNORE },
                                   error);
  g_autoptr (TractorPortal) other = tractor_find_actor ("victim", error);

  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_false (tractor_portal_call (other, "test:sleep_forever", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  while (count_actors ("victim", error) > 0)
    g_assert_true (tractor_checkpoint (error));
  g_assert_null (tractor_find_actor ("victim", error));
  g_assert_no_error (*error);
  return tractor_actor_nursery_join (nursery, error); /* its death is ignored */
}

static gboolean
test_newest_first (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) first = start (nursery, "twin", error);
  g_autoptr (TractorPortal) second = start (nursery, "twin", error);
  g_autoptr (TractorPortal) found = tractor_find_actor ("twin", error);
  g_autoptr (GPtrArray) all = tractor_find_actors ("twin", error);

  g_assert_cmpstr (tractor_portal_get_uuid (found), ==, tractor_portal_get_uuid (second));
  g_assert_cmpuint (all->len, ==, 2);
  g_assert_cmpstr (tractor_portal_get_uuid (all->pdata[0]), ==, tractor_portal_get_uuid (second));
  g_assert_cmpstr (tractor_portal_get_uuid (all->pdata[1]), ==, tractor_portal_get_uuid (first));
  return end (nursery, error);
}

typedef struct {
  TractorPortal *found;
} Waiting;

static gboolean
wait_for_late (gpointer data, GError **error)
{
  Waiting *waiting = data;

  waiting->found = tractor_wait_for_actor ("late", TRACTOR_NO_DEADLINE, error);
  return waiting->found != NULL;
}

static gboolean
test_waits (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  g_autoptr (TractorPortal) late = NULL;
  Waiting waiting = { NULL };

  g_assert_null (tractor_wait_for_actor ("late", tractor_now () + SECOND / 20, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  tractor_nursery_spawn (tasks, "waiting", wait_for_late, &waiting, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  late = start (actors, "late", error);
  g_assert_true (tractor_nursery_join (tasks, error));
  g_assert_cmpstr (tractor_portal_get_uuid (waiting.found), ==, tractor_portal_get_uuid (late));
  tractor_portal_unref (waiting.found);
  return end (actors, error);
}

typedef struct {
  int listening;
  guint n;
} WebServer;

/* Speaks no protocol of ours. */
static gboolean
run_web_server (gpointer data, GError **error)
{
  WebServer *server = data;

  while (tractor_wait_fd (server->listening, G_IO_IN, NULL, error)) {
    int fd = accept4 (server->listening, NULL, NULL, SOCK_CLOEXEC);

    send (fd, "HTTP/1.1 400 \r\n\r\n", 17, MSG_NOSIGNAL); /* to one who may have gone */
    close (fd);
    server->n++;
  }
  return FALSE;
}

/* Introduces itself as a registrar, and does nothing more. */
static gboolean
run_dead_registrar (gpointer data, GError **error)
{
  static const char aid[] = "\x84\xa8msg_type\xa3"
                            "Aid\xa4name\xa3raw\xa4uuid\xa1u\xacis_registrar\xc3";
  int *listening = data;
  int fds[8];
  guint n = 0;

  while (tractor_wait_fd (*listening, G_IO_IN, NULL, error)) {
    fds[n] = accept4 (*listening, NULL, NULL, SOCK_CLOEXEC);
    send_raw (fds[n++], aid, sizeof aid - 1);
    g_assert_cmpuint (n, <, G_N_ELEMENTS (fds));
  }
  while (n > 0)
    close (fds[--n]);
  return FALSE;
}

/* A registrar that hangs does not keep an actor from coming up. */
static gboolean
test_registrar_hangs (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  int listening = raw_socket (registry, TRUE);
  gint64 started = tractor_now ();

  tractor_nursery_spawn (tasks, "dead registrar", run_dead_registrar, &listening, NULL, error);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, error);

    g_assert_no_error (*error);
    g_assert_nonnull (runtime);
    g_assert_false (tractor_actor_is_registrar ());
  }
  g_assert_cmpint (tractor_now () - started, <, 4 * SECOND * harness_get_patience ());
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (tasks), NULL);
  tractor_nursery_join (tasks, error);
  close (listening);
  if (g_str_has_prefix (registry, "unix:"))
    unlink (registry + strlen ("unix:"));
  return TRUE;
}

static gboolean
interrupt_then_hang (gpointer data, GError **error)
{
  if (!tractor_wait_fd (*(int *) data, G_IO_IN, NULL, error))
    return FALSE;
  kill (getpid (), SIGINT);
  return run_dead_registrar (data, error);
}

/* A signal that comes while a daemon still registers is not lost: it ends when it has come up. */
static gboolean
test_daemon_is_interrupted_as_it_opens (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  const char *registries[] = { registry, NULL };
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  int listening = raw_socket (registry, TRUE);
  int signal_number = 0;

  tractor_nursery_spawn (tasks, "dead registrar", interrupt_then_hang, &listening, NULL, error);
  g_assert_true (tractor_run_daemon (&(TractorRuntimeOptions){ .registry_addresses = registries },
                                     &signal_number, error));
  g_assert_cmpint (signal_number, ==, SIGINT);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (tasks), NULL);
  tractor_nursery_join (tasks, error);
  close (listening);
  if (g_str_has_prefix (registry, "unix:"))
    unlink (registry + strlen ("unix:"));
  return TRUE;
}

/* Somebody else is where the registrar says that the actor is: that is asked now and then. */
static gboolean
test_waits_for_a_wrong_one (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "ghost", error);
  g_autoptr (GPtrArray) infos = tractor_list_actors ("ghost", error);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  const char *address = ((TractorActorInfo *) infos->pdata[0])->addresses[0];
  WebServer server = { 0 };

  unlink (address + strlen ("unix:"));
  server.listening = raw_socket (address, TRUE);
  tractor_nursery_spawn (tasks, "web server", run_web_server, &server, NULL, error);
  g_assert_null (tractor_wait_for_actor ("ghost", tractor_now () + SECOND / 2, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  g_assert_cmpuint (server.n, >=, 1);
  g_assert_cmpuint (server.n, <=, 20);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (tasks), NULL);
  tractor_nursery_join (tasks, error);
  close (server.listening);
  return end (nursery, error);
}

/* Whoever asks for @name hears why, and never that there is no such actor. */
static void
assert_cannot_be_connected_to (const char *name, GQuark domain, int code)
{
  GError *error = NULL;

  g_assert_null (tractor_find_actor (name, &error));
  harness_assert_error (error, domain, code);
  g_assert_null (tractor_find_actors (name, &error));
  harness_assert_error (error, domain, code);
  g_assert_null (tractor_wait_for_actor (name, tractor_now () + SECOND / 2, &error));
  g_assert_nonnull (strstr (error->message, "could be connected to"));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  /* While it is tried for the first time. */
  g_assert_null (tractor_wait_for_actor (name, tractor_now () + SECOND / 1000, &error));
  g_assert_null (strstr (error->message, "has registered"));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
}

static gboolean
test_no_descriptor_to_find_with (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autoptr (TractorPortal) found = NULL;
  struct rlimit before;

  g_assert_true (
      tractor_sleep_until (tractor_now () + 1, error)); /* has its descriptor from now on */
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &(struct rlimit){ 4, before.rlim_max }), ==, 0);
  assert_cannot_be_connected_to ("worker", G_FILE_ERROR, G_FILE_ERROR_MFILE);
  g_assert_null (tractor_find_actor ("nobody", error));
  g_assert_no_error (*error);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  found = tractor_find_actor ("worker", error);
  g_assert_nonnull (found);
  return end (nursery, error);
}

static gboolean
test_finds_one_that_hangs (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .limits = &(TractorLimits){ .handshake_usec = SECOND / 10 } },
      error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autoptr (TractorPortal) found = NULL;

  g_assert_no_error (*error);
  kill (tractor_portal_get_pid (portal), SIGSTOP);
  assert_cannot_be_connected_to ("worker", TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  kill (tractor_portal_get_pid (portal), SIGCONT);
  found = tractor_wait_for_actor ("worker", TRACTOR_NO_DEADLINE, error);
  g_assert_nonnull (found);
  return end (nursery, error);
}

static gboolean
test_has_its_share_of_connections (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .limits = &(TractorLimits){ .connections = 6 } }, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autoptr (GPtrArray) portals =
      g_ptr_array_new_with_free_func ((GDestroyNotify) tractor_portal_unref);
  TractorPortal *found;

  g_assert_no_error (*error);
  while ((found = tractor_find_actor ("worker", error)) != NULL)
    g_ptr_array_add (portals, found);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  assert_cannot_be_connected_to ("worker", TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  g_ptr_array_set_size (portals, 0);
  found = tractor_wait_for_actor ("worker", TRACTOR_NO_DEADLINE, error);
  g_assert_nonnull (found);
  tractor_portal_unref (found);
  return end (nursery, error);
}

static gboolean
wait_for_nobody (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GError) failure = NULL;

  g_assert_null (tractor_wait_for_actor ("nobody", TRACTOR_NO_DEADLINE, &failure));
  g_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  return TRUE;
}

/* There is nobody any more who could come. */
static gboolean
test_waits_while_the_runtime_is_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

    tractor_nursery_spawn (tasks, NULL, wait_for_nobody, NULL, NULL, error);
    g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  }
  return tractor_nursery_join (tasks, error);
}

static gboolean
connect_to_silence (gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GError) failure = NULL;

  g_assert_null (tractor_connect (data, &failure));
  harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  return TRUE;
}

/* Whoever uses the runtime is not left with one that is gone, nor waited for until it gives up. */
static gboolean
test_connects_while_the_runtime_is_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *address = make_free_address ();
  int listening = raw_socket (address, TRUE); /* and nobody there who takes it */
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  gint64 closed_at;

  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

    tractor_nursery_spawn (tasks, NULL, connect_to_silence, address, NULL, error);
    g_assert_true (tractor_wait_all_tasks_blocked (0, error));
    closed_at = tractor_now ();
  }
  g_assert_cmpint (tractor_now () - closed_at, <, SECOND * harness_get_patience ());
  close (listening);
  unlink (address + strlen ("unix:"));
  return tractor_nursery_join (tasks, error);
}

static gboolean
test_without_runtime (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_null (tractor_find_actor ("x", error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  g_assert_null (tractor_list_actors (NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  g_assert_null (tractor_get_parent ());
  return TRUE;
}

static gboolean
test_registrar_dies_and_returns (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon first;
  Daemon second;

  start_daemon (&first, nursery, "first", registry);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, error);
    g_autoptr (TractorPortal) portal = tractor_find_actor ("first", error);
    g_autoptr (TractorPortal) self = NULL;
    gint64 asked;

    g_assert_true (tractor_portal_cancel_actor (portal, tractor_now () + 5 * SECOND, error));
    asked = tractor_now ();
    g_assert_null (tractor_find_actor ("root", error)); /* nobody to ask: nobody known */
    g_assert_no_error (*error);
    g_assert_cmpint (tractor_now () - asked, <, SECOND * harness_get_patience ());
    g_assert_null (tractor_list_actors (NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY);
    start_daemon (&second, nursery, "second", registry);
    /* We register again without being told to. */
    while (self == NULL) {
      self = tractor_find_actor ("root", error);
      g_assert_no_error (*error);
      g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 50, error));
    }
  }
  kill (second.pid, SIGTERM);
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_event_free (first.ready);
  tractor_event_free (second.ready);
  return TRUE;
}

static gboolean
wait_for_second (gpointer data, GError **error)
{
  Waiting *waiting = data;

  waiting->found = tractor_wait_for_actor ("second", tractor_now () + 20 * SECOND, error);
  return waiting->found != NULL;
}

/* Whoever waits goes on to while there is no registrar, and finds who comes with the next. */
static gboolean
wait_through_an_absence (gboolean is_asked_before, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) daemons = tractor_nursery_open ();
  Waiting waiting = { NULL };
  Daemon first;
  Daemon second;

  start_daemon (&first, daemons, "first", registry);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, error);
    g_autoptr (TractorPortal) portal = tractor_find_actor ("first", error);
    g_autoptr (TractorNursery) tasks = tractor_nursery_open ();

    if (is_asked_before)
      tractor_nursery_spawn (tasks, "waiting", wait_for_second, &waiting, NULL, error);
    g_assert_true (tractor_portal_cancel_actor (portal, tractor_now () + 5 * SECOND, error));
    g_assert_null (tractor_wait_for_actor ("second", tractor_now () + SECOND / 5, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY);
    if (!is_asked_before)
      tractor_nursery_spawn (tasks, "waiting", wait_for_second, &waiting, NULL, error);
    g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 10, error)); /* some attempts */
    start_daemon (&second, daemons, "second", registry);
    tractor_nursery_join (tasks, error);
    g_assert_no_error (*error);
    g_assert_cmpstr (tractor_portal_get_name (waiting.found), ==, "second");
    /* It is asked, and knows nobody. */
    g_assert_null (tractor_wait_for_actor ("third", tractor_now () + SECOND / 5, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
    g_assert_true (tractor_portal_cancel_actor (waiting.found, tractor_now () + 5 * SECOND, error));
    tractor_portal_unref (waiting.found);
  }
  g_assert_true (tractor_nursery_join (daemons, error));
  tractor_event_free (first.ready);
  tractor_event_free (second.ready);
  return TRUE;
}

static gboolean
test_waits_for_a_registrar (G_GNUC_UNUSED gpointer data, GError **error)
{
  return wait_through_an_absence (FALSE, error);
}

static gboolean
test_registrar_dies_while_asked (G_GNUC_UNUSED gpointer data, GError **error)
{
  return wait_through_an_absence (TRUE, error);
}

/* By any registrar, in whichever process it is: not a moment later. */
static gboolean
test_not_listed_after_the_join (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;

  start_daemon (&daemon, nursery, "registrar", registry);
  {
    g_autoptr (TractorRuntime) runtime = open_at (registry, error);

    for (int i = 0; i < 20; i++) {
      g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
      g_autoptr (TractorPortal) worker = start (actors, "worker", error);

      g_assert_cmpuint (count_actors ("worker", error), ==, 1);
      if (i % 2 == 0) {
        g_assert_true (end (actors, error));
      } else {
        kill (tractor_portal_get_pid (worker), SIGKILL);
        g_assert_false (tractor_actor_nursery_join (actors, error));
        g_clear_error (error);
      }
      g_assert_cmpuint (count_actors ("worker", error), ==, 0);
    }
  }
  kill (daemon.pid, SIGTERM);
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_event_free (daemon.ready);
  return TRUE;
}

/* --- past the parents -------------------------------------------------------------------------------- */

static gboolean
test_siblings_and_relatives (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) one = start (nursery, "one", error);
  g_autoptr (TractorPortal) two = start (nursery, "two", error);
  g_autofree char *self = own_id ();
  g_autofree char *one_id = portal_id (one);
  g_autofree char *sibling = call_for_id (two, "test:ask_other", "one", error);
  g_autofree char *parent = call_for_id (two, "test:ask_parent", NULL, error);
  g_autofree char *root = call_for_id (two, "test:ask_root", NULL, error);
  g_autofree char *uncle = call_for_id (two, "test:ask_by_child", "one", error);

  g_assert_cmpstr (sibling, ==, one_id);
  g_assert_cmpstr (parent, ==, self);
  g_assert_cmpstr (root, ==, self);
  g_assert_cmpstr (uncle, ==, one_id);
  return end (nursery, error);
}

static gboolean
test_third_party_cancels (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) victim = start (nursery, "victim", error);
  g_autoptr (TractorPortal) killer = start (nursery, "killer", error);
  g_autofree char *killer_id = portal_id (killer);
  {
    g_autoptr (TractorContext) other =
        tractor_portal_open_context (killer, "test:serve", NULL, NULL, NULL, error);
    {
      g_autoptr (TractorContext) context =
          tractor_portal_open_context (victim, "test:serve", NULL, NULL, NULL, error);

      /* Which interrupts this, for it is the context's body. */
      tractor_portal_call (killer, "test:cancel_other",
                           g_variant_new_parsed ("{'name': <'victim'>}"), NULL, NULL);
      g_assert_false (tractor_context_join (context, NULL, error));
      g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED);
      g_assert_cmpstr (tractor_error_get_canceller (*error), ==, killer_id);
      g_clear_error (error);
    }
    g_assert_null (tractor_context_get_outcome (other)); /* not affected */
    tractor_context_cancel (other);
    g_assert_true (tractor_context_join (other, NULL, error));
  }
  return end (nursery, error);
}

typedef struct {
  TractorPortal *portal;
  const char *victim;
} Killing;

static gboolean
kill_other (gpointer data, GError **error)
{
  Killing *killing = data;

  tractor_portal_call (killing->portal, "test:cancel_other",
                       g_variant_new_parsed ("{'name': <%s>}", killing->victim), NULL, error);
  g_clear_error (error); /* it may be cancelled before it has its answer */
  return TRUE;
}

/* Whoever is cancelled hears that it was the other; and at least one is. */
static gboolean
test_cancel_each_other (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) one = start (actors, "one", error);
  g_autoptr (TractorPortal) two = start (actors, "two", error);
  TractorPortal *portals[] = { one, two };
  Killing killings[] = { { one, "two" }, { two, "one" } };
  TractorContext *contexts[2];
  guint n_cancelled = 0;

  for (int i = 0; i < 2; i++)
    contexts[i] = tractor_portal_open_context (portals[i], "test:serve", NULL, NULL, NULL, error);
  {
    g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    tractor_cancel_scope_set_shield (shield, TRUE); /* the contexts interrupt their body */
    for (int i = 0; i < 2; i++)
      tractor_nursery_spawn (nursery, "killer", kill_other, &killings[i], NULL, error);
    g_assert_true (tractor_nursery_join (nursery, error));
  }
  for (int i = 1; i >= 0; i--) {
    g_autofree char *other = portal_id (portals[1 - i]);
    const GError *outcome;

    tractor_context_cancel (contexts[i]);
    tractor_context_join (contexts[i], NULL, error);
    g_clear_error (error);
    outcome = tractor_context_get_outcome (contexts[i]);
    g_assert_error (outcome, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED);
    n_cancelled += g_strcmp0 (tractor_error_get_canceller (outcome), other) == 0;
    tractor_context_close (contexts[i]);
  }
  g_assert_cmpuint (n_cancelled, >, 0);
  return end (actors, error);
}

static gboolean
test_children_do_not_cancel_parents (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = start (nursery, "child", error);

  g_assert_false (tractor_portal_call (child, "test:cancel_other",
                                       g_variant_new_parsed ("{'name': <'root'>}"), NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH));
  g_clear_error (error);
  return end (nursery, error);
}

static gboolean
test_acknowledged_after_all_has_ended (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = start (nursery, "slow", error);
  g_autoptr (TractorPortal) portal = tractor_find_actor ("slow", error);
  g_autofree char *state = NULL;
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 20);

    tractor_portal_call (child, "test:finish_slowly", g_variant_new_parsed ("{'path': <%s>}", path),
                         NULL, error);
    g_clear_error (error);
  }
  g_assert_true (tractor_portal_cancel_actor (portal, tractor_now () + 5 * SECOND, error));
  g_assert_true (g_file_get_contents (path, &state, NULL, NULL));
  g_assert_cmpstr (state, ==, "done");
  unlink (path);
  /* Once more: it is gone, and says so quickly. */
  g_assert_true (tractor_portal_cancel_actor (portal, tractor_now () + 5 * SECOND, error));
  return end (nursery, error);
}

/* When all is well, when a function has failed, and not when it is killed. */
static gboolean
test_exit_callbacks (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "scratch", NULL);

  for (int i = 0; i < 3; i++) {
    gboolean fail = i == 1;
    gboolean is_killed = i == 2;
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = start (nursery, "tidy", error);

    g_file_set_contents (path, "x", -1, NULL);
    g_assert_cmpint (
        tractor_portal_call (portal, "test:remove_at_exit",
                             g_variant_new_parsed ("{'path': <%s>, 'fail': <%b>}", path, fail),
                             NULL, error),
        ==, !fail);
    g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
    if (is_killed)
      tractor_actor_nursery_kill (nursery);
    else
      tractor_actor_nursery_cancel (nursery);
    tractor_actor_nursery_join (nursery, error);
    g_clear_error (error);
    g_assert_cmpint (g_file_test (path, G_FILE_TEST_EXISTS), ==, is_killed);
  }
  unlink (path);
  return TRUE;
}

static gboolean
start_and_let_it_find_itself (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autofree char *id = NULL;
  g_autofree char *found = NULL;

  g_assert_no_error (*error);
  portal = start (nursery, data, error);
  g_assert_no_error (*error);
  id = portal_id (portal);
  found = call_for_id (portal, "test:ask_other", data, error);
  g_assert_cmpstr (found, ==, id);
  return end (nursery, error);
}

static gboolean
start_again_and_again (gpointer data, GError **error)
{
  for (int i = 0; i < 4; i++)
    if (!start_and_let_it_find_itself (data, error))
      return FALSE;
  return TRUE;
}

/* Two tasks open the first nursery: one of them the runtime, in which the other is not before it is
 * open, nor while it is closed. */
static gboolean
test_opened_by_two (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, NULL, start_again_and_again, (gpointer) "one", NULL, error);
  tractor_nursery_spawn (nursery, NULL, start_again_and_again, (gpointer) "two", NULL, error);
  return tractor_nursery_join (nursery, error);
}

/* --- strangers --------------------------------------------------------------------------------------- */

static gboolean
test_strangers_do_no_harm (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autofree char *id = NULL;
  char byte;
  int talker = raw_socket (registry, FALSE);
  int silent = raw_socket (registry, FALSE);
  int half = raw_socket (registry, FALSE);

  g_assert_cmpint (write (talker, http, sizeof http - 1), ==, sizeof http - 1);
  g_assert_cmpint (write (half, "\x20\0\0", 3), ==, 3);
  fcntl (talker, F_SETFL, O_NONBLOCK);
  portal = tractor_connect (registry, error);
  id = call_for_id (portal, "test:whoami", NULL, error);
  g_assert_nonnull (id);
  /* It gets our introduction, and then the end. */
  for (;;) {
    gssize n = read (talker, &byte, 1);

    if (n == 0 || (n < 0 && errno == ECONNRESET))
      break;
    if (n < 0)
      g_assert_true (tractor_checkpoint (error));
  }
  close (talker);
  close (silent);
  close (half);
  return TRUE;
}

static guint
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

/* A portal that is dropped before its connection has been used closes it all the same. */
static gboolean
test_dropped_at_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  guint n_before = count_fds ();

  for (int i = 0; i < 20; i++)
    tractor_portal_unref (tractor_connect (registry, error));
  g_assert_no_error (*error);
  for (int i = 0; i < 100 && count_fds () > n_before + 1; i++)
    g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 100, error));
  g_assert_cmpuint (count_fds (), <=, n_before + 1); /* one for sleeping */
  return TRUE;
}

/* So many come that there is no memory for a stack: those are turned away, and that is all. */
static gboolean
test_no_room_for_strangers (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autofree char *id = NULL;
  struct rlimit all;
  int fds[32];

  if (harness_get_slowness () > 1)
    return TRUE; /* a sanitizer cannot do without more memory */
  getrlimit (RLIMIT_AS, &all);
  for (int i = 0; i < 32; i++)
    fds[i] = raw_socket (registry, FALSE);
  setrlimit (RLIMIT_AS, &(struct rlimit){ 1, all.rlim_max });
  for (int i = 0; i < 100; i++)
    g_assert_true (tractor_checkpoint (error));
  setrlimit (RLIMIT_AS, &all);
  for (int i = 0; i < 32; i++)
    close (fds[i]);
  portal = tractor_connect (registry, error);
  g_assert_no_error (*error);
  id = call_for_id (portal, "test:whoami", NULL, error);
  return TRUE;
}

static gboolean
test_names_that_are_not_utf8 (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);

  g_assert_null (tractor_find_actor ("\xff", error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_null (tractor_find_actors ("\xff", error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_null (tractor_wait_for_actor ("\xff", TRACTOR_NO_DEADLINE, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

/* Names end up in messages on terminals. */
static gboolean
test_stranger_with_an_escape_in_his_name (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char aid[] = "\x83\xa8msg_type\xa3"
                            "Aid\xa4name\xa4\x1b[2J\xa4uuid\xa1u";
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  char bytes[512];
  int fd = raw_socket (registry, FALSE);
  gssize n;

  g_assert_true (send_raw (fd, aid, sizeof aid - 1));
  do {
    g_assert_true (tractor_wait_fd (fd, G_IO_IN, NULL, error));
    n = read (fd, bytes, sizeof bytes);
  } while (n > 0);
  close (fd);
  return TRUE;
}

/* Somebody who asks and asks, and does not read, is cut off before that costs much. */
static gboolean
test_cancels_and_does_not_read (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autofree char *cid = g_strnfill (100, 'c');
  int fd = raw_socket (registry, FALSE);
  guint n = 0;

  g_assert_true (send_raw (fd, RAW_AID, sizeof RAW_AID - 1));
  while (n < 600000 && send_raw_start (fd, cid, "self", "_cancel_task"))
    n++;
  g_assert_cmpuint (n, <, 600000);
  close (fd);
  return *error == NULL;
}

/* Nor does he keep a daemon from ending. */
static gboolean
test_daemon_ends_past_one_who_does_not_read (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gint64 started;
  Daemon daemon;
  int fd;

  start_daemon (&daemon, nursery, "daemon", registry);
  fd = raw_socket (registry, FALSE);
  g_assert_true (send_raw (fd, RAW_AID, sizeof RAW_AID - 1));
  for (int i = 0; i < 8; i++) {
    char cid[2] = { (char) ('0' + i), '\0' };

    g_assert_true (send_raw_start (fd, cid, "test", "get_much"));
  }
  g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 4, error));
  started = tractor_now ();
  kill (daemon.pid, SIGTERM);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (tractor_now () - started, <, 2 * SECOND * harness_get_patience ());
  g_assert_cmpint (daemon.signal_number, ==, SIGTERM);
  tractor_event_free (daemon.ready);
  close (fd);
  return TRUE;
}

/* Which end before its runtime does. */
static gboolean
test_daemon_has_actors_of_its_own (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;

  start_daemon (&daemon, nursery, "keeps-an-actor", registry);
  kill (daemon.pid, SIGTERM);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (daemon.signal_number, ==, SIGTERM);
  tractor_event_free (daemon.ready);
  return TRUE;
}

static gboolean
test_daemon_ends_with_its_body (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;

  start_daemon (&daemon, nursery, "fails", registry);
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_nonnull (strstr ((*error)->message, "disk full"));
  g_clear_error (error);
  tractor_event_free (daemon.ready);
  return TRUE;
}

static gboolean
test_daemon_hears_signals_that_were_blocked (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon daemon;

  start_daemon (&daemon, nursery, "started-deaf", registry);
  kill (daemon.pid, SIGTERM);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (daemon.signal_number, ==, SIGTERM);
  tractor_event_free (daemon.ready);
  return TRUE;
}

/* Answers what it is asked with a result at once, without having acknowledged it. */
static gboolean
answer_raw (gpointer data, GError **error)
{
  int *listening = data;
  char bytes[4096];
  const char *cid = NULL;
  gsize n_read = 0;
  GString *body = g_string_new ("\x83\xa8msg_type\xa6Return\xa3"
                                "cid");
  int fd;

  g_assert_true (tractor_wait_fd (*listening, G_IO_IN, NULL, error));
  fd = accept4 (*listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  g_assert_true (send_raw (fd, RAW_AID, sizeof RAW_AID - 1));
  while (cid == NULL) {
    gssize n;

    g_assert_true (tractor_wait_fd (fd, G_IO_IN, NULL, error));
    n = read (fd, bytes + n_read, sizeof bytes - n_read);
    g_assert_cmpint (n, >, 0);
    n_read += (gsize) n;
    cid = memmem (bytes, n_read,
                  "\xa3"
                  "cid",
                  4);
  }
  g_string_append_len (body, cid + 4, 1 + (cid[4] & 0x1f));
  g_string_append (body, "\xa3pld\xc0");
  g_assert_true (send_raw (fd, body->str, body->len));
  g_string_free (body, TRUE);
  tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  close (fd);
  return FALSE;
}

static gboolean
test_result_of_a_stream_that_has_not_begun (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *address = make_free_address ();
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorPortal) portal = NULL;
  int listening = raw_socket (address, TRUE);

  tractor_nursery_spawn (nursery, NULL, answer_raw, &listening, NULL, error);
  portal = tractor_connect (address, error);
  g_assert_nonnull (portal);
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + 3 * SECOND);

    g_assert_null (tractor_portal_open_stream (portal, "test:stream", NULL, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  tractor_nursery_join (nursery, error);
  close (listening);
  if (g_str_has_prefix (address, "unix:"))
    unlink (address + strlen ("unix:"));
  return *error == NULL;
}

static gboolean
test_only_listed_methods (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = start (nursery, "child", error);
  static const char *const refused[] = { "self:register_actor", "self:get_registry",
                                         "self:__init__",       "self:stop",
                                         "os:system",           NULL };

  for (const char *const *function = refused; *function != NULL; function++) {
    g_assert_false (tractor_portal_call (child, *function, NULL, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED));
    g_clear_error (error);
  }
  return end (nursery, error);
}

static gboolean
test_several_registrars (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *one = make_free_address ();
  g_autofree char *two = make_free_address ();
  const char *registries[] = { one, two, NULL };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Daemon first;
  Daemon second;

  start_daemon (&first, nursery, "service", one);
  start_daemon (&second, nursery, "service", two);
  {
    g_autoptr (TractorRuntime) runtime =
        tractor_runtime_open (&(TractorRuntimeOptions){ .registry_addresses = registries }, error);
    g_autoptr (GPtrArray) all = tractor_find_actors ("service", error);

    g_assert_cmpuint (all->len, ==, 2);
    for (guint i = 0; i < 2; i++)
      g_assert_true (
          tractor_portal_cancel_actor (all->pdata[i], tractor_now () + 5 * SECOND, error));
  }
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_event_free (first.ready);
  tractor_event_free (second.ready);
  return TRUE;
}

static void
add (const char *path, TractorTaskFunc func)
{
  static const char *const transports[] = { "unix", "tcp" };

  for (guint i = 0; i < G_N_ELEMENTS (transports); i++) {
    g_autofree char *whole = g_strconcat ("/e2e/discovery/", transports[i], "/", path, NULL);

    harness_add_real_task (whole, func);
  }
}

/* --- calls that are served by name -------------------------------------------------------------------- */

typedef struct {
  GString *calls;
  gboolean was_cancelled;
} Dispatched;

static gboolean
dispatch (
    const char *function, GVariant *kwargs, gpointer data, GVariant **ret_result, GError **error)
{
  Dispatched *dispatched = data;
  gint64 n = 0;

  g_string_append_printf (dispatched->calls, "%s ", function);
  g_variant_lookup (kwargs, "n", "x", &n);
  if (g_str_has_prefix (function, "fail:")) {
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no paper");
    return FALSE;
  }
  if (g_str_has_suffix (function, ":forever")) {
    tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
    dispatched->was_cancelled = TRUE;
    return FALSE;
  }
  if (!g_str_has_prefix (function, "any:")) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED, "no %s", function);
    return FALSE;
  }
  *ret_result = g_variant_new_int64 (n + 1);
  return TRUE;
}

static gboolean
make_call_parent (TractorPortal *child, const char *function, GVariant **ret_result, GError **error)
{
  return tractor_portal_call (child, "test:call_parent",
                              g_variant_new_parsed ("{'function': <%s>}", function), ret_result,
                              error);
}

static gboolean
test_dispatch (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GString) calls = g_string_new (NULL);
  Dispatched dispatched = { .calls = calls };
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){
          .modules = modules, .dispatch = dispatch, .dispatch_data = &dispatched },
      error);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = tractor_actor_nursery_start (
      nursery, "child", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
  g_autoptr (GVariant) result = NULL;
  g_autoptr (TractorCancelScope) scope = NULL;

  g_assert_no_error (*error);
  g_assert_true (make_call_parent (child, "any:add_one", &result, error));
  g_assert_cmpint (g_variant_get_int64 (result), ==, 21);
  g_clear_pointer (&result, g_variant_unref);
  g_assert_true (make_call_parent (child, "test:whoami", &result, error)); /* a module's own */
  g_assert_false (make_call_parent (child, "fail:always", NULL, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  g_assert_false (make_call_parent (child, "no:such", NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED));
  g_clear_error (error);
  g_assert_false (make_call_parent (child, "any:\x1b[2J", NULL, error)); /* is asked of nobody */
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED));
  g_clear_error (error);
  g_assert_false (make_call_parent (child, "self:nonsense", NULL, error)); /* is the runtime's */
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED));
  g_clear_error (error);
  scope = tractor_cancel_scope_open (tractor_now () + SECOND / 5);
  g_assert_false (make_call_parent (child, "any:forever", NULL, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_clear_pointer (&scope, tractor_cancel_scope_close);
  g_assert_true (dispatched.was_cancelled);
  g_assert_cmpstr (calls->str, ==, "any:add_one fail:always no:such any:forever ");
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

/* It is asked all the same; and whether it is gone does not depend on how long one wanted to wait. */
static gboolean
test_cancel_actor_without_waiting (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  g_assert_false (tractor_portal_cancel_actor (peer.portal, 0, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  g_assert_true (tractor_portal_wait_until_gone (peer.portal, error));
  g_assert_true (tractor_portal_cancel_actor (peer.portal, 0, error));
  return end_peer (&peer, error);
}

typedef struct {
  TractorPortal *portal;
  TractorCancelScope *scope; /* around the call */
  gboolean is_over;
} Withdrawing;

static gboolean
call_until_cancelled (gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  Withdrawing *withdrawing = data;

  withdrawing->scope = scope;
  g_assert_false (
      tractor_portal_call (withdrawing->portal, "test:sleep_forever", NULL, NULL, error));
  withdrawing->is_over = TRUE;
  return tractor_cancel_scope_absorb (scope, error);
}

/* Of one that does not answer, a deadline is not followed by the wait that a cancelled call ends with: it is
 * over before such a call is that was cancelled earlier. */
static gboolean
test_cancel_found_in_time (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry, error);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = start (actors, "stopped", error);
  g_autoptr (TractorPortal) found = tractor_find_actor ("stopped", error);
  g_autoptr (TractorNursery) calls = tractor_nursery_open ();
  Withdrawing withdrawing = { .portal = found };

  tractor_nursery_spawn (calls, "call", call_until_cancelled, &withdrawing, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  kill (tractor_portal_get_pid (child), SIGSTOP);
  tractor_cancel_scope_cancel (withdrawing.scope, NULL);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error)); /* it is being withdrawn */
  g_assert_false (tractor_portal_cancel_actor (found, tractor_now () + SECOND / 20, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  g_assert_false (withdrawing.is_over);
  kill (tractor_portal_get_pid (child), SIGCONT);
  g_assert_true (tractor_portal_wait_until_gone (child, error)); /* it was asked */
  g_assert_true (tractor_nursery_join (calls, error));
  return tractor_actor_nursery_join (actors, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (argc == 4 && strcmp (argv[1], "--daemon") == 0)
    return daemon_main (argv);
  harness_init (&argc, &argv);

  add ("row-1-twice-in-a-row", test_twice_in_a_row);
  add ("row-5-row-48-becomes-registrar", test_becomes_registrar);
  add ("row-6-row-9-joins", test_joins);
  add ("row-8-row-13-must-be-registrar", test_must_be_registrar);
  add ("row-7-occupied", test_occupied);
  harness_add_real_task ("/e2e/discovery/row-3-S10-bad-addresses", test_bad_addresses);
  add ("row-91-listens-at-all", test_listens_at_all);
  add ("row-83-registered-while-it-lives", test_registered_while_it_lives);
  add ("row-84-D-05-D-07-killed-one-is-not-found", test_killed_one_is_not_found);
  add ("row-87-D-06-newest-first", test_newest_first);
  add ("row-87-several-registrars", test_several_registrars);
  add ("row-85-waits", test_waits);
  harness_add_real_task ("/e2e/discovery/row-85-waits-while-the-runtime-is-closed",
                         test_waits_while_the_runtime_is_closed);
  harness_add_real_task ("/e2e/discovery/unix/connects-while-the-runtime-is-closed",
                         test_connects_while_the_runtime_is_closed);
  harness_add_real_task ("/e2e/discovery/row-9-registrar-hangs", test_registrar_hangs);
  harness_add_real_task ("/e2e/discovery/row-85-waits-for-a-wrong-one", test_waits_for_a_wrong_one);
  harness_add_real_task ("/e2e/discovery/no-descriptor-to-find-with",
                         test_no_descriptor_to_find_with);
  harness_add_real_task ("/e2e/discovery/finds-one-that-hangs", test_finds_one_that_hangs);
  harness_add_real_task ("/e2e/discovery/has-its-share-of-connections",
                         test_has_its_share_of_connections);
  harness_add_real_task ("/e2e/discovery/row-4-without-runtime", test_without_runtime);
  add ("row-86-row-88-row-89-D-01-D-02-registrar-dies-and-returns",
       test_registrar_dies_and_returns);
  add ("row-88-row-89-other-trees-live-on", test_other_trees_live_on);
  add ("D-01-waits-for-a-registrar", test_waits_for_a_registrar);
  add ("D-01-registrar-dies-while-asked", test_registrar_dies_while_asked);
  add ("not-listed-after-the-join", test_not_listed_after_the_join);
  add ("row-11-siblings-and-relatives", test_siblings_and_relatives);
  add ("row-57-T12-third-party-cancels", test_third_party_cancels);
  add ("C-10-cancel-each-other", test_cancel_each_other);
  add ("children-do-not-cancel-parents", test_children_do_not_cancel_parents);
  add ("row-14-row-49-acknowledged-after-all-has-ended", test_acknowledged_after_all_has_ended);
  harness_add_real_task ("/e2e/discovery/row-12-exit-callbacks", test_exit_callbacks);
  harness_add_real_task ("/e2e/discovery/row-2-opened-by-two", test_opened_by_two);
  add ("row-95-I-18-strangers-do-no-harm", test_strangers_do_no_harm);
  add ("dropped-at-once", test_dropped_at_once);
  add ("names-that-are-not-utf8", test_names_that_are_not_utf8);
  add ("S19-stranger-with-an-escape-in-his-name", test_stranger_with_an_escape_in_his_name);
  add ("no-room-for-strangers", test_no_room_for_strangers);
  add ("cancels-and-does-not-read", test_cancels_and_does_not_read);
  add ("daemon-is-interrupted-as-it-opens", test_daemon_is_interrupted_as_it_opens);
  add ("daemon-has-actors-of-its-own", test_daemon_has_actors_of_its_own);
  add ("daemon-ends-with-its-body", test_daemon_ends_with_its_body);
  add ("daemon-hears-signals-that-were-blocked", test_daemon_hears_signals_that_were_blocked);
  add ("daemon-ends-past-one-who-does-not-read", test_daemon_ends_past_one_who_does_not_read);
  add ("result-of-a-stream-that-has-not-begun", test_result_of_a_stream_that_has_not_begun);
  add ("row-36-row-47-only-listed-methods", test_only_listed_methods);
  harness_add_real_task ("/e2e/discovery/served-by-name", test_dispatch);
  harness_add_real_task ("/e2e/end/cancel-found-in-time", test_cancel_found_in_time);
  add_on_transports ("/e2e/end/%s/cancel-actor-without-waiting", test_cancel_actor_without_waiting);
  return harness_run ();
}
