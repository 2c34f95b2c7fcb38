/* test-actors.c - real processes: spawned, called, failing, dying, and always gone in the end.
 *
 * Every test runs in a task on each host, and its actors run on the same kind of host. The harness
 * sees to it that no process, descriptor or file is left. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-builtin.h"
#include "tractor-glib.h"
#include "tractor-uv.h"
#include "tractor.h"

#define SECOND G_USEC_PER_SEC

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
echo (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_lookup_value (kwargs, "value", NULL);
  return TRUE;
}

static gboolean
whoami (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result =
      g_variant_new_parsed ("{'name': <%s>, 'uuid': <%s>, 'pid': <%x>}", tractor_actor_get_name (),
                            tractor_actor_get_uuid (), (gint64) getpid ());
  return TRUE;
}

static gboolean
fail (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return FALSE;
}

static gboolean
fail_silently (G_GNUC_UNUSED GVariant *kwargs,
               G_GNUC_UNUSED GVariant **ret_result,
               G_GNUC_UNUSED GError **error)
{
  return FALSE;
}

static gboolean
sleep_forever (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* Writes a byte into a pipe whose number it is given once it has been cancelled. */
static gboolean
touch_when_cancelled (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  const char *path = "";

  g_variant_lookup (kwargs, "path", "&s", &path);
  g_file_set_contents (path, "running", -1, NULL);
  if (tractor_sleep_until (TRACTOR_NO_DEADLINE, error))
    return TRUE;
  g_file_set_contents (path, "cancelled", -1, NULL);
  return FALSE;
}

/* Does not let the loop go on: neither a cancel nor SIGTERM is heard. */
static gboolean
hog (G_GNUC_UNUSED GVariant *kwargs,
     G_GNUC_UNUSED GVariant **ret_result,
     G_GNUC_UNUSED GError **error)
{
  while (TRUE)
    pause ();
  g_assert_not_reached ();
}

/* The same, and deaf to every signal that can be ignored. */
static gboolean
hog_deaf (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  signal (SIGTERM, SIG_IGN);
  signal (SIGALRM, SIG_IGN);
  return hog (kwargs, ret_result, error);
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

/* Calls its parent once it has been cancelled; "state" is then a file with what came of that. */
static gboolean
call_parent_in_cleanup (G_GNUC_UNUSED GVariant *kwargs,
                        G_GNUC_UNUSED GVariant **ret_result,
                        GError **error)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
  g_autoptr (TractorPortal) parent = tractor_get_parent ();
  g_autoptr (TractorCancelScope) shield = NULL;
  g_autoptr (GError) failure = NULL;

  sleep_forever (NULL, NULL, error);
  shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_shield (shield, TRUE);
  tractor_portal_call (parent, "test:echo", NULL, NULL, &failure);
  g_file_set_contents (path, failure != NULL ? failure->message : "answered", -1, NULL);
  return FALSE;
}

/* The connection to the parent, or to the first child, of the process that runs this. */
static int
find_socket (void)
{
  struct stat stat;

  for (int fd = 3; fd < 64; fd++)
    if (fstat (fd, &stat) == 0 && S_ISSOCK (stat.st_mode))
      return fd;
  g_assert_not_reached ();
}

/* Closes the connection to the parent, and lives on. */
static gboolean
hang_up (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  shutdown (find_socket (), SHUT_RDWR);
  return sleep_forever (NULL, NULL, error);
}

static gboolean
send_garbage (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_assert_cmpint (write (find_socket (), "\4\0\0\0\xdd\xff\xff\xff", 8), ==, 8);
  return sleep_forever (NULL, NULL, error);
}

static char *
get_clean_up_path (void)
{
  return g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "cleans-up-forever", NULL);
}

/* Obeys a cancel, but never ends. */
static gboolean
clean_up_forever (G_GNUC_UNUSED GVariant *kwargs,
                  G_GNUC_UNUSED GVariant **ret_result,
                  GError **error)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autofree char *path = get_clean_up_path ();

  tractor_cancel_scope_set_shield (shield, TRUE);
  g_file_set_contents (path, "running", -1, NULL);
  return sleep_forever (NULL, NULL, error);
}

static gboolean
crash_in_cleanup (G_GNUC_UNUSED GVariant *kwargs,
                  G_GNUC_UNUSED GVariant **ret_result,
                  GError **error)
{
  sleep_forever (NULL, NULL, error);
  kill (getpid (), SIGKILL);
  return FALSE;
}

static gboolean
fail_in_cleanup (G_GNUC_UNUSED GVariant *kwargs,
                 G_GNUC_UNUSED GVariant **ret_result,
                 GError **error)
{
  sleep_forever (NULL, NULL, error);
  g_clear_error (error);
  return fail (NULL, NULL, error);
}

static gboolean
fail_as_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  return fail (NULL, NULL, error);
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
leave (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 status = 0;

  g_variant_lookup (kwargs, "status", "x", &status);
  _exit ((int) status);
}

static gboolean
list_fds (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 n = 0;

  for (int fd = 0; fd < 256; fd++)
    n += fcntl (fd, F_GETFD) >= 0 && (fcntl (fd, F_GETFD) & FD_CLOEXEC) == 0;
  *ret_result = g_variant_new_int64 (n);
  return TRUE;
}

static gboolean
return_unsendable (G_GNUC_UNUSED GVariant *kwargs,
                   GVariant **ret_result,
                   G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_handle (0);
  return TRUE;
}

static const char *
own_host (void)
{
  return g_getenv ("TEST_HOST");
}

/* Starts a child of its own that does @function, calls it, and returns what it returned. */
static gboolean
relay (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  const char *function = "";
  gint64 hops = 0;
  const char *name = tractor_actor_get_name ();
  g_autofree char *child_name = g_strconcat (name, ".x", NULL);

  g_variant_lookup (kwargs, "function", "&s", &function);
  g_variant_lookup (kwargs, "hops", "x", &hops);
  if (hops > 0)
    return tractor_run_in_actor (
        child_name, &(TractorSpawnOptions){ .host = own_host () }, "test:relay",
        g_variant_new_parsed ("{'function': <%s>, 'hops': <%x>}", function, hops - 1), ret_result,
        error);
  return tractor_run_in_actor (child_name, &(TractorSpawnOptions){ .host = own_host () }, function,
                               NULL, ret_result, error);
}

/* What it talks to its parent over, and where it listens: "tcp tcp", or "unix unix". */
static gboolean
list_transports (G_GNUC_UNUSED GVariant *kwargs,
                 GVariant **ret_result,
                 G_GNUC_UNUSED GError **error)
{
  const int link_fd = 3; /* TRACTOR_PARENT_FD */
  g_auto (GStrv) addresses = tractor_actor_dup_addresses ();
  int domain = 0;
  socklen_t size = sizeof domain;

  getsockopt (link_fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  *ret_result =
      g_variant_new_take_string (g_strdup_printf ("%s %.*s",
                                                  domain == AF_UNIX   ? "unix"
                                                  : domain == AF_INET ? "tcp"
                                                                      : "?",
                                                  (int) strcspn (addresses[0], ":"), addresses[0]));
  return TRUE;
}

/* Ends the actor as its host would: from above. */
static gboolean
cancel_guest (G_GNUC_UNUSED GVariant *kwargs,
              G_GNUC_UNUSED GVariant **ret_result,
              G_GNUC_UNUSED GError **error)
{
  tractor_guest_cancel (tractor_guest_get_current (), "enough");
  return TRUE;
}

/* Says that it runs, and takes its time when it is cancelled. */
static gboolean
end_slowly (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorCancelScope) shield = NULL;
  const char *path = "";

  g_variant_lookup (kwargs, "path", "&s", &path);
  g_file_set_contents (path, "running", -1, NULL);
  sleep_forever (NULL, NULL, error);
  shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_shield (shield, TRUE);
  return tractor_sleep_until (tractor_now () + SECOND / 10, error);
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

static const TractorExport test_exports[] = {
  { "fail_in_latin1", TRACTOR_EXPORT_CALL, fail_in_latin1 },
  { "cancel_guest", TRACTOR_EXPORT_CALL, cancel_guest },
  { "end_slowly", TRACTOR_EXPORT_CALL, end_slowly },
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "whoami", TRACTOR_EXPORT_CALL, whoami },
  { "fail", TRACTOR_EXPORT_CALL, fail },
  { "fail_silently", TRACTOR_EXPORT_CALL, fail_silently },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "touch_when_cancelled", TRACTOR_EXPORT_CALL, touch_when_cancelled },
  { "hog", TRACTOR_EXPORT_CALL, hog },
  { "hog_deaf", TRACTOR_EXPORT_CALL, hog_deaf },
  { "fail_at_length", TRACTOR_EXPORT_CALL, fail_at_length },
  { "call_parent_in_cleanup", TRACTOR_EXPORT_CALL, call_parent_in_cleanup },
  { "leave", TRACTOR_EXPORT_CALL, leave },
  { "hang_up", TRACTOR_EXPORT_CALL, hang_up },
  { "send_garbage", TRACTOR_EXPORT_CALL, send_garbage },
  { "clean_up_forever", TRACTOR_EXPORT_CALL, clean_up_forever },
  { "crash_in_cleanup", TRACTOR_EXPORT_CALL, crash_in_cleanup },
  { "fail_in_cleanup", TRACTOR_EXPORT_CALL, fail_in_cleanup },
  { "fail_in_nursery", TRACTOR_EXPORT_CALL, fail_in_nursery },
  { "list_fds", TRACTOR_EXPORT_CALL, list_fds },
  { "return_unsendable", TRACTOR_EXPORT_CALL, return_unsendable },
  { "relay", TRACTOR_EXPORT_CALL, relay },
  { "fail_barely", TRACTOR_EXPORT_CALL, fail_barely },
  { "list_transports", TRACTOR_EXPORT_CALL, list_transports },
  { NULL },
};
static const TractorExport other_exports[] = { { "echo", TRACTOR_EXPORT_CALL, echo }, { NULL } };
static const TractorModule modules[] = { { "test", test_exports },
                                         { "other", other_exports },
                                         { NULL } };
static const TractorRunner runners[] = {
  { "builtin", tractor_run }, { "glib", tractor_glib_run }, { "uv", tractor_uv_run }, { NULL }
};

/* --- helpers -------------------------------------------------------------------------------------- */

static TractorPortal *
start (TractorActorNursery *nursery, const char *name, GError **error)
{
  g_setenv ("TEST_HOST", harness_get_host ()->name, TRUE);
  return tractor_actor_nursery_start (
      nursery, name, &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
}

static void
assert_no_child_process (void)
{
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

typedef struct {
  TractorPortal *portal;
  const char *function;
  GVariant *kwargs;
} Calling;

/* A task that calls, for a call beside other things. */
static gboolean
call_in_task (gpointer data, GError **error)
{
  Calling *calling = data;

  return tractor_portal_call (calling->portal, calling->function, calling->kwargs, NULL, error);
}

/* --- starting ------------------------------------------------------------------------------------- */

static gboolean
test_start_call_cancel (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autoptr (GVariant) answer = NULL;
  const char *name;
  const char *uuid;
  gint64 pid;

  g_assert_no_error (*error);
  g_assert_true (tractor_portal_call (portal, "test:whoami", NULL, &answer, error));
  g_assert_true (g_variant_lookup (answer, "name", "&s", &name));
  g_assert_true (g_variant_lookup (answer, "uuid", "&s", &uuid));
  g_assert_true (g_variant_lookup (answer, "pid", "x", &pid));
  g_assert_cmpstr (name, ==, "worker");
  g_assert_cmpstr (name, ==, tractor_portal_get_name (portal));
  g_assert_cmpstr (uuid, ==, tractor_portal_get_uuid (portal));
  g_assert_cmpint (pid, ==, tractor_portal_get_pid (portal));
  g_assert_cmpint (pid, !=, getpid ());
  tractor_actor_nursery_cancel (nursery);
  g_assert_true (tractor_actor_nursery_join (nursery, error));
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_runtime_is_lent (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_null (tractor_actor_get_name ());
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

    g_assert_cmpstr (tractor_actor_get_name (), ==, "root");
  }
  g_assert_null (tractor_actor_get_name ());
  return TRUE;
}

static gboolean
cancel_scope (gpointer scope, G_GNUC_UNUSED GError **error)
{
  tractor_cancel_scope_cancel (scope, NULL);
  return TRUE;
}

/* Before it begins, or in the middle of it: it leaves nothing that waits. */
static gboolean
test_runtime_open_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (int is_before = 0; is_before < 2; is_before++) {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    g_autoptr (TractorRuntime) runtime = NULL;
    GError *failure = NULL;

    tractor_nursery_spawn (nursery, "canceller", cancel_scope, scope, NULL, error);
    if (is_before)
      cancel_scope (scope, NULL);
    runtime = tractor_runtime_open (NULL, &failure);
    if (runtime == NULL)
      harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
    g_assert_true (!is_before || runtime == NULL);
  }
  return TRUE;
}

static gboolean
test_runtime_opened_twice (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime =
      tractor_runtime_open (&(TractorRuntimeOptions){ .name = "boss" }, error);

  g_assert_cmpstr (tractor_actor_get_name (), ==, "boss");
  g_assert_null (tractor_runtime_open (NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

static gboolean
test_same_name (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GPtrArray) portals =
      g_ptr_array_new_with_free_func ((GDestroyNotify) tractor_portal_unref);

  for (int i = 0; i < 8; i++) {
    TractorPortal *portal = start (nursery, "twin", error);

    g_assert_no_error (*error);
    for (guint j = 0; j < portals->len; j++)
      g_assert_cmpstr (tractor_portal_get_uuid (portal), !=,
                       tractor_portal_get_uuid (portals->pdata[j]));
    g_ptr_array_add (portals, portal);
  }
  for (guint i = 0; i < portals->len; i++)
    g_assert_true (tractor_portal_call (portals->pdata[i], "test:echo", NULL, NULL, error));
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_bad_name (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autofree char *too_long = g_strnfill (129, 'x');
  const char *names[] = { "", "a/b", "a\nb", "\xff", too_long };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_assert_null (start (nursery, names[i], error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_no_such_program (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autofree char *nonsense = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "nonsense", NULL);

  g_assert_null (tractor_actor_nursery_start (
      nursery, "lost", &(TractorSpawnOptions){ .program = "/no/such/program" }, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_null (tractor_actor_nursery_start (
      nursery, "lost", &(TractorSpawnOptions){ .program = "/etc/passwd" }, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_ACCES);
  g_assert_null (tractor_actor_nursery_start (nursery, "lost",
                                              &(TractorSpawnOptions){ .program = "/" }, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_ACCES);
  g_assert_true (g_file_set_contents_full (nonsense, "\177ELF and no more", -1,
                                           G_FILE_SET_CONTENTS_NONE, 0700, NULL));
  g_assert_null (tractor_actor_nursery_start (
      nursery, "lost", &(TractorSpawnOptions){ .program = nonsense }, error));
  g_assert_nonnull (strstr ((*error)->message, nonsense));
  g_assert_nonnull (strstr ((*error)->message, g_strerror (ENOEXEC)));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_FAILED);
  unlink (nonsense);
  assert_no_child_process ();
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_boot_death (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autofree char *description = NULL;
  g_autofree char *script = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "script", NULL);

  g_assert_true (g_file_set_contents (
      script, "#!/bin/sh\necho cannot find my library >&2\necho nor its friend >&2\nexit 3\n", -1,
      NULL));
  g_assert_cmpint (chmod (script, 0700), ==, 0);
  g_assert_null (tractor_actor_nursery_start (nursery, "stillborn",
                                              &(TractorSpawnOptions){ .program = script }, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_nonnull (strstr ((*error)->message, "exited with status 3"));
  g_assert_true (
      g_str_has_suffix ((*error)->message, "; it wrote: cannot find my library | nor its friend"));
  description = tractor_error_describe (*error);
  g_assert_nonnull (strstr (description, "\n    cannot find my library\n    nor its friend"));
  g_clear_error (error);
  unlink (script);
  /* It is the starter's failure, not the nursery's. */
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_unknown_module_and_host (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  const char *const no_such_module[] = { "nonsense", NULL };

  g_assert_null (tractor_actor_nursery_start (
      nursery, "a", &(TractorSpawnOptions){ .modules = no_such_module }, error));
  g_assert_nonnull (strstr ((*error)->message, "no module 'nonsense'"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_null (
      tractor_actor_nursery_start (nursery, "b", &(TractorSpawnOptions){ .host = "qt" }, error));
  g_assert_nonnull (strstr ((*error)->message, "no host 'qt'"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_hanging_boot_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 20);
  g_autofree char *script = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "script", NULL);

  g_assert_true (g_file_set_contents (script, "#!/bin/sh\nexec sleep 1000\n", -1, NULL));
  g_assert_cmpint (chmod (script, 0700), ==, 0);
  g_assert_null (tractor_actor_nursery_start (nursery, "sleepy",
                                              &(TractorSpawnOptions){ .program = script }, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  unlink (script);
  g_assert_true (tractor_actor_nursery_join (nursery, error));
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_start_after_cancel (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  tractor_actor_nursery_cancel (nursery);
  g_assert_null (start (nursery, "late", error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  assert_no_child_process ();
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_start_when_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_null (start (nursery, "never", error));
  assert_no_child_process ();
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_no_fds_inherited (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (GVariant) answer = NULL;
  int leaky = open ("/dev/null", O_RDONLY); /* not CLOEXEC */

  portal = start (nursery, "worker", error);
  close (leaky);
  g_assert_true (tractor_portal_call (portal, "test:list_fds", NULL, &answer, error));
  g_assert_cmpint (g_variant_get_int64 (answer), ==, 3); /* stdin, stdout, stderr */
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_stdio_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (GVariant) answer = NULL;
  int saved = dup (0);

  close (0);
  portal = start (nursery, "worker", error);
  if (dup2 (saved, 0) < 0)
    g_assert_not_reached ();
  close (saved);
  g_assert_no_error (*error);
  g_assert_true (tractor_portal_call (portal, "test:list_fds", NULL, &answer, error));
  g_assert_cmpint (g_variant_get_int64 (answer), ==, 3);
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

/* Returns: how many of those that were tried, with room for 0 to 15 descriptors more, have started. */
static guint
start_with_few_fds (TractorActorNursery *nursery, int next_fd, GError **error)
{
  struct rlimit before;
  guint n_started = 0;

  getrlimit (RLIMIT_NOFILE, &before);
  for (guint room = 0; room < 16; room++) {
    struct rlimit few = before;
    g_autoptr (TractorPortal) portal = NULL;

    few.rlim_cur = (rlim_t) next_fd + room;
    g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &few), ==, 0);
    portal = start (nursery, "worker", error);
    g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
    if (portal != NULL)
      n_started++;
    g_clear_error (error);
  }
  return n_started;
}

static int
get_next_fd (void)
{
  int fd = dup (2);

  close (fd);
  return fd;
}

static gboolean
test_out_of_fds (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  guint n_started = start_with_few_fds (nursery, get_next_fd (), error);

  g_assert_cmpuint (n_started, >, 0);
  g_assert_cmpuint (n_started, <, 16);
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_out_of_fds_without_stdio (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  int saved[] = { dup (0), dup (1) };
  int next_fd = get_next_fd ();
  guint n_started;

  close (0);
  close (1);
  n_started = start_with_few_fds (nursery, next_fd, error);
  for (int fd = 0; fd < 2; fd++) {
    if (dup2 (saved[fd], fd) < 0)
      g_assert_not_reached ();
    close (saved[fd]);
  }
  g_assert_cmpuint (n_started, >, 0);
  g_assert_cmpuint (n_started, <, 16);
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

/* --- calling -------------------------------------------------------------------------------------- */

static void
assert_echo (TractorPortal *portal, const char *sent, const char *received)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_parsed (sent));
  g_autoptr (GVariant) expected = g_variant_ref_sink (g_variant_new_parsed (received));
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GError) error = NULL;
  GVariantDict kwargs;

  g_variant_dict_init (&kwargs, NULL);
  g_variant_dict_insert_value (&kwargs, "value", value);
  g_assert_true (
      tractor_portal_call (portal, "test:echo", g_variant_dict_end (&kwargs), &answer, &error));
  g_assert_cmpvariant (answer, expected);
}

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
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
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
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
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
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
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
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
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
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

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
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
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
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
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
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
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
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static void
wait_for_text (const char *path, const char *text)
{
  g_autofree char *found = NULL;

  while (!g_file_get_contents (path, &found, NULL, NULL) || strcmp (found, text) != 0) {
    g_clear_pointer (&found, g_free);
    g_assert_true (tractor_sleep_until (tractor_now () + 1000, NULL));
  }
}

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
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

/* --- ending --------------------------------------------------------------------------------------- */

static gboolean
test_run_in_actor (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GVariant) answer = NULL;

  g_assert_true (tractor_run_in_actor (
      "once", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, "test:echo",
      g_variant_new_parsed ("{'value': <%x>}", (gint64) 7), &answer, error));
  g_assert_cmpint (g_variant_get_int64 (answer), ==, 7);
  assert_no_child_process ();
  g_assert_false (tractor_run_in_actor ("once", NULL, "test:fail", NULL, NULL, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

typedef struct {
  TractorEvent *is_up;
  TractorActorNursery *nursery;
  gboolean is_joined;
} Joining;

static gboolean
start_and_join (gpointer data, GError **error)
{
  Joining *joining = data;
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

  g_assert_no_error (*error);
  joining->nursery = nursery;
  tractor_event_set (joining->is_up);
  joining->is_joined = tractor_actor_nursery_join (nursery, error);
  return joining->is_joined;
}

/* Until they are told to end. */
static gboolean
test_join_waits_for_actors (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) is_up = tractor_event_new ();
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  Joining joining = { .is_up = is_up };

  tractor_nursery_spawn (tasks, "joins", start_and_join, &joining, NULL, error);
  g_assert_true (tractor_event_wait (is_up, error));
  g_assert_true (tractor_wait_all_tasks_blocked (10000, error));
  g_assert_false (joining.is_joined);
  tractor_actor_nursery_cancel (joining.nursery);
  g_assert_true (tractor_nursery_join (tasks, error));
  g_assert_true (joining.is_joined);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_early_return_ends_actors (G_GNUC_UNUSED gpointer data, GError **error)
{
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

    g_assert_nonnull (portal);
  }
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_one_cancels_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", error);
  g_autoptr (TractorPortal) b = start (nursery, "b", error);
  g_autoptr (TractorPortal) c = start (nursery, "c", error);

  g_assert_false (tractor_portal_call (b, "test:fail", NULL, NULL, error));
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  /* One failure is not wrapped. */
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_killed_in_a_call (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) victim = start (nursery, "victim", error);
  g_autoptr (TractorPortal) sibling = start (nursery, "sibling", error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { victim, "test:sleep_forever", NULL };
  gint64 killed_at;

  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  assert_echo (victim, "1", "int64 1"); /* by now the other call is there too */
  killed_at = tractor_now ();
  kill (tractor_portal_get_pid (victim), SIGKILL);
  g_assert_false (tractor_nursery_join (callers, error));
  g_assert_cmpint (tractor_now () - killed_at, <, SECOND / 2 * harness_get_patience ());
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE));
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  /* The body and the nursery tell of the same death: it comes back once. */
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_nonnull (strstr ((*error)->message, "signal 9"));
  g_assert_nonnull (strstr ((*error)->message, "'victim'"));
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_idle_death (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "idle", error);

  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error)); /* the body is interrupted */
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_clear_error (error);
  g_assert_false (tractor_portal_call (portal, "test:echo", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

static gboolean
test_exit_in_a_call (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (gint64 status = 0; status <= 3; status += 3) {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = start (nursery, "leaver", error);
    g_autofree char *expected =
        g_strdup_printf ("exited with status %d, with 1 call open", (int) status);

    g_assert_false (tractor_portal_call (
        portal, "test:leave", g_variant_new_parsed ("{'status': <%x>}", status), NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
    g_assert_nonnull (strstr ((*error)->message, expected));
    g_assert_false (tractor_actor_nursery_join (nursery, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
    g_clear_error (error);
  }
  return TRUE;
}

/* Cancels an actor that is in @function, and says how long that took, in usec. */
static gint64
cancel_in (const char *function, guint n_actors, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  g_autofree Calling *callings = g_new0 (Calling, n_actors);
  gint64 started;
  GError *ignored = NULL;

  for (guint i = 0; i < n_actors; i++) {
    callings[i] = (Calling){ start (actors, "stuck", error), function, NULL };
    g_assert_no_error (*error);
    tractor_nursery_spawn (callers, "caller", call_in_task, &callings[i], NULL, error);
  }
  g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 5, error)); /* it is in it */
  started = tractor_now ();
  tractor_actor_nursery_cancel (actors);
  tractor_nursery_join (callers, &ignored);
  g_clear_error (&ignored);
  tractor_actor_nursery_join (actors, error);
  for (guint i = 0; i < n_actors; i++)
    tractor_portal_unref (callings[i].portal);
  assert_no_child_process ();
  return tractor_now () - started;
}

static gboolean
test_cancel_is_prompt (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 took = cancel_in ("test:sleep_forever", 1, error);

  g_assert_no_error (*error);
  g_assert_cmpint (took, <, SECOND / 2 * harness_get_patience ());
  return TRUE;
}

static gboolean
test_stuck_actors_are_ended_together (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 took = cancel_in ("test:hog", 4, error);

  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE));
  g_clear_error (error);
  g_assert_cmpint (took, >=, SECOND / 2);
  g_assert_cmpint (took, <, 31 * SECOND / 10 + (harness_get_patience () - 1) * SECOND);
  return TRUE;
}

static gboolean
test_deaf_actor_is_killed (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 took = cancel_in ("test:hog_deaf", 1, error);

  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_nonnull (strstr ((*error)->message, "ignored its cancel and SIGTERM, and was killed"));
  g_clear_error (error);
  g_assert_cmpint (took, >=, 21 * SECOND / 10);
  g_assert_cmpint (took, <, 31 * SECOND / 10 + (harness_get_patience () - 1) * SECOND);
  return TRUE;
}

static gboolean
test_stopped_actor_is_killed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "stopped", error);
  gint64 started = tractor_now ();

  kill (tractor_portal_get_pid (portal), SIGSTOP);
  tractor_actor_nursery_cancel (nursery);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_cmpint (tractor_now () - started, <,
                   31 * SECOND / 10 + (harness_get_patience () - 1) * SECOND);
  return TRUE;
}

static gboolean
test_cancel_actor (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) one = start (nursery, "one", error);
  g_autoptr (TractorPortal) other = start (nursery, "other", error);

  g_assert_true (tractor_portal_cancel_actor (one, tractor_now () + 10 * SECOND, error));
  g_assert_true (tractor_portal_cancel_actor (one, tractor_now () + 10 * SECOND, error));
  g_assert_false (tractor_portal_call (one, "test:echo", NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  assert_echo (other, "1", "int64 1");
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_terminated_actor_leaves_in_order (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { portal, "test:touch_when_cancelled",
                      g_variant_ref_sink (g_variant_new_parsed ("{'path': <%s>}", path)) };
  g_autofree char *found = NULL;

  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  wait_for_text (path, "running");
  kill (tractor_portal_get_pid (portal), SIGTERM);
  g_assert_false (tractor_nursery_join (callers, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED));
  g_clear_error (error);
  g_assert_true (g_file_get_contents (path, &found, NULL, NULL));
  g_assert_cmpstr (found, ==, "cancelled");
  unlink (path);
  g_variant_unref (calling.kwargs);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

/* Its callers hear what has become of their calls first. */
static gboolean
test_cancelled_actor_leaves_in_order (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { portal, "test:end_slowly",
                      g_variant_ref_sink (g_variant_new_parsed ("{'path': <%s>}", path)) };

  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  wait_for_text (path, "running");
  g_assert_true (tractor_portal_call (portal, "test:cancel_guest", NULL, NULL, error));
  g_assert_false (tractor_nursery_join (callers, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED));
  g_clear_error (error);
  unlink (path);
  g_variant_unref (calling.kwargs);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

/* --- an actor that misbehaves ---------------------------------------------------------------------- */

static void
assert_ended_for (const char *function, int code, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "rogue", error);
  g_autoptr (TractorPortal) other = start (nursery, "other", error);

  g_assert_false (tractor_portal_call (portal, function, NULL, NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, code);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, code);
  g_clear_error (error);
  assert_no_child_process ();
}

static gboolean
test_hangs_up (G_GNUC_UNUSED gpointer data, GError **error)
{
  assert_ended_for ("test:hang_up", TRACTOR_ERROR_ACTOR_FAILURE, error);
  return TRUE;
}

static gboolean
test_breaks_the_protocol (G_GNUC_UNUSED gpointer data, GError **error)
{
  assert_ended_for ("test:send_garbage", TRACTOR_ERROR_PROTOCOL, error);
  return TRUE;
}

static gboolean
test_crash_in_cleanup_is_told (G_GNUC_UNUSED gpointer data, GError **error)
{
  cancel_in ("test:crash_in_cleanup", 1, error);
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_nonnull (strstr ((*error)->message, "signal 9"));
  g_clear_error (error);
  return TRUE;
}

/* An error is worth more than the cancel that it came after. */
static gboolean
test_failure_in_cleanup_is_told (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (actors, "worker", error);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 10);

  g_assert_false (tractor_portal_call (portal, "test:fail_in_cleanup", NULL, NULL, error));
  g_assert_false (tractor_cancel_scope_absorb (scope, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
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
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
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
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error); /* which it hears, for it is in no call */
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
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

/* Each of many deaths at once is told, once. */
static gboolean
test_many_deaths (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  gint pids[16];

  for (guint i = 0; i < G_N_ELEMENTS (pids); i++) {
    g_autoptr (TractorPortal) portal = start (nursery, "victim", error);

    g_assert_no_error (*error);
    pids[i] = tractor_portal_get_pid (portal);
  }
  for (guint i = 0; i < G_N_ELEMENTS (pids); i++)
    kill (pids[i], SIGKILL);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_GROUP);
  g_assert_cmpuint (tractor_error_get_children (*error)->len, ==, G_N_ELEMENTS (pids));
  g_clear_error (error);
  return TRUE;
}

static void
ask_who_we_are (gpointer data)
{
  g_auto (GStrv) addresses = tractor_actor_dup_addresses ();
  GError *error = NULL;

  g_assert_false (tractor_in_task ());
  if (data == NULL) {
    g_assert_null (tractor_actor_get_name ());
    g_assert_false (tractor_actor_is_root ());
    return;
  }
  g_assert_cmpstr (tractor_actor_get_name (), ==, "root");
  g_assert_cmpstr (tractor_actor_get_uuid (), ==, data);
  g_assert_true (tractor_actor_is_root ());
  g_assert_cmpuint (g_strv_length (addresses), ==, 1);
  g_assert_false (tractor_actor_stop (&error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE); /* not for want of a runtime */
}

/* A callback of the host is in no run, and yet in this actor. */
static gboolean
test_known_in_callbacks (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_true (tractor_run_in_host (ask_who_we_are, NULL, error));
  {
    g_autoptr (TractorRuntime) runtime = tractor_runtime_open (NULL, error);

    g_assert_true (
        tractor_run_in_host (ask_who_we_are, (gpointer) tractor_actor_get_uuid (), error));
  }
  return tractor_run_in_host (ask_who_we_are, NULL, error);
}

static gboolean
test_cancel_called (G_GNUC_UNUSED gpointer data, GError **error)
{
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

    g_assert_false (tractor_actor_nursery_get_cancel_called (nursery));
    tractor_actor_nursery_cancel (nursery);
    g_assert_true (tractor_actor_nursery_get_cancel_called (nursery));
    g_assert_true (tractor_actor_nursery_join (nursery, error));
    g_assert_true (tractor_actor_nursery_get_cancel_called (nursery));
  }
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

    g_assert_true (tractor_actor_nursery_join (nursery, error));
    g_assert_false (tractor_actor_nursery_get_cancel_called (nursery));
  }
  {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = start (nursery, "victim", error);

    kill (tractor_portal_get_pid (portal), SIGKILL);
    g_assert_true (tractor_portal_wait_until_gone (portal, NULL));
    tractor_checkpoint (NULL); /* the nursery hears of it */
    g_assert_true (tractor_actor_nursery_get_cancel_called (nursery));
    g_assert_false (tractor_actor_nursery_join (nursery, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  }
  return TRUE;
}

static gboolean
use_nursery_for_a_while (gpointer data, GError **error)
{
  return tractor_run_in_actor ("short", &(TractorSpawnOptions){ .host = harness_get_host ()->name },
                               "test:whoami", NULL, NULL, error) &&
         tractor_sleep_until (tractor_now () + GPOINTER_TO_INT (data) * 1000, error);
}

/* Whoever comes first lends the runtime, and whoever leaves last takes it away. */
static gboolean
test_nurseries_side_by_side (G_GNUC_UNUSED gpointer data, GError **error)
{
  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    for (int i = 0; i < 3; i++)
      tractor_nursery_spawn (nursery, "user", use_nursery_for_a_while, GINT_TO_POINTER (i * 10),
                             NULL, error);
    g_assert_true (tractor_nursery_join (nursery, error));
  }
  g_assert_null (tractor_actor_get_name ());
  return TRUE;
}

/* --- trees ---------------------------------------------------------------------------------------- */

static gboolean
call_relay (const char *function, gint64 hops, GVariant **ret_result, GError **error)
{
  g_setenv ("TEST_HOST", harness_get_host ()->name, TRUE);
  return tractor_run_in_actor (
      "top", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, "test:relay",
      g_variant_new_parsed ("{'function': <%s>, 'hops': <%x>}", function, hops), ret_result, error);
}

static gboolean
test_depth_of_five (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GVariant) answer = NULL;
  const char *name;

  g_assert_true (call_relay ("test:whoami", 3, &answer, error));
  g_assert_true (g_variant_lookup (answer, "name", "&s", &name));
  g_assert_cmpstr (name, ==, "top.x.x.x.x");
  return TRUE;
}

/* The whole tree talks over what its root was told, or its environment says. */
static gboolean
test_transport_is_handed_down (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const struct {
    const char *option;
    const char *variable;
    const char *expected;
  } cases[] = {
    { "tcp", NULL, "tcp tcp" },     { "unix", NULL, "unix unix" }, { NULL, "tcp", "tcp tcp" },
    { "unix", "tcp", "unix unix" }, { NULL, "", "unix unix" },     { NULL, NULL, "unix unix" },
  };
  g_autofree char *before = g_strdup (g_getenv ("TRACTOR_TRANSPORT"));

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (TractorRuntime) runtime = NULL;
    g_autoptr (GVariant) answer = NULL;

    if (cases[i].variable != NULL)
      g_setenv ("TRACTOR_TRANSPORT", cases[i].variable, TRUE);
    else
      g_unsetenv ("TRACTOR_TRANSPORT");
    runtime =
        tractor_runtime_open (&(TractorRuntimeOptions){ .transport = cases[i].option }, error);
    g_assert_no_error (*error);
    g_unsetenv ("TRACTOR_TRANSPORT"); /* it is the root's word that counts */
    call_relay ("test:list_transports", 0, &answer, error);
    g_assert_no_error (*error);
    g_assert_cmpstr (g_variant_get_string (answer, NULL), ==, cases[i].expected);
  }
  if (before != NULL)
    g_setenv ("TRACTOR_TRANSPORT", before, TRUE);
  return TRUE;
}

static gboolean
test_unknown_transport_is_refused (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_null (tractor_runtime_open (&(TractorRuntimeOptions){ .transport = "udp" }, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_nonnull (strstr ((*error)->message, "must be \"unix\" or \"tcp\", not \"udp\""));
  g_clear_error (error);
  return TRUE;
}

static gboolean
test_error_over_three_hops (G_GNUC_UNUSED gpointer data, GError **error)
{
  const TractorRemoteError *remote;

  g_assert_false (call_relay ("test:fail", 1, NULL, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  remote = tractor_error_get_remote (*error);
  g_assert_nonnull (remote);
  g_assert_true (g_str_has_prefix (remote->origin, "top.x.x@"));
  g_assert_true (g_str_has_prefix (remote->relays[0], "top.x.x@"));
  g_assert_true (g_str_has_prefix (remote->relays[1], "top.x@"));
  g_assert_true (g_str_has_prefix (remote->relays[2], "top@"));
  g_assert_null (remote->relays[3]);
  g_clear_error (error);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_grandchild_death_is_told (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_assert_false (call_relay ("test:leave", 0, NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE));
  g_clear_error (error);
  return TRUE;
}

/* The leaf acknowledges its cancel and never ends. Each level gives those below it less time than it
 * has itself, so the middle has killed it and is not blamed. */
static gboolean
test_deadlines_are_handed_down (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) middle = start (nursery, "middle", error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { middle, "test:relay",
                      g_variant_ref_sink (g_variant_new_parsed (
                          "{'function': <'test:clean_up_forever'>, 'hops': <int64 0>}")) };
  g_autofree char *path = get_clean_up_path ();
  gint64 started;
  GError *ignored = NULL;

  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  wait_for_text (path, "running");
  unlink (path);
  started = tractor_now ();
  tractor_actor_nursery_cancel (nursery);
  tractor_nursery_join (callers, &ignored);
  g_assert_nonnull (strstr (ignored->message, "'middle.x'"));
  g_assert_nonnull (strstr (ignored->message, "acknowledged its cancel, but did not end"));
  g_clear_error (&ignored);
  g_assert_true (tractor_actor_nursery_join (nursery, error));
  g_assert_cmpint (tractor_now () - started, <, 31 * SECOND / 10 * harness_get_patience ());
  g_variant_unref (calling.kwargs);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_tree_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 2);
  gint64 started = tractor_now ();

  g_assert_false (call_relay ("test:sleep_forever", 2, NULL, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_cmpint (tractor_now () - started, <, 2 * SECOND * harness_get_patience ());
  assert_no_child_process ();
  return TRUE;
}

/* Reaps what has been left to us. */
static gboolean
has_descendant (void)
{
  while (waitpid (-1, NULL, WNOHANG) > 0)
    ;
  return errno != ECHILD;
}

/* The middle of a chain is killed: all that is below it is gone too, soon, without anybody's help.
 * It would be left to this process, which makes itself a subreaper. */
static gboolean
test_orphans_leave (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) middle = start (nursery, "middle", error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { middle, "test:relay",
                      g_variant_ref_sink (
                          g_variant_new_parsed ("{'function': <'test:hog'>, 'hops': <int64 1>}")) };
  g_autofree char *children_path =
      g_strdup_printf ("/proc/%d/task/%d/children", tractor_portal_get_pid (middle),
                       tractor_portal_get_pid (middle));
  g_autofree char *children = NULL;
  gint64 killed_at;

  prctl (PR_SET_CHILD_SUBREAPER, 1);
  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  do {
    g_clear_pointer (&children, g_free);
    g_assert_true (tractor_sleep_until (tractor_now () + 10000, error));
    g_assert_true (g_file_get_contents (children_path, &children, NULL, NULL));
  } while (atoi (children) == 0);
  kill (tractor_portal_get_pid (middle), SIGKILL);
  killed_at = tractor_now ();

  g_assert_false (tractor_nursery_join (callers, error));
  g_clear_error (error);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  while (has_descendant ()) {
    g_assert_cmpint (tractor_now () - killed_at, <, 2 * SECOND * harness_get_patience ());
    g_assert_true (tractor_sleep_until (tractor_now () + 10000, error));
  }
  g_variant_unref (calling.kwargs);
  return TRUE;
}

/* What an orphan still asks of its parent fails, and does not keep it waiting. */
static gboolean
test_orphan_calls_its_parent (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) middle = start (nursery, "middle", error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { middle, "test:relay",
                      g_variant_ref_sink (g_variant_new_parsed (
                          "{'function': <'test:call_parent_in_cleanup'>, 'hops': <int64 0>}")) };
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "state", NULL);
  g_autofree char *state = NULL;

  prctl (PR_SET_CHILD_SUBREAPER, 1);
  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 2, error));
  kill (tractor_portal_get_pid (middle), SIGKILL);
  g_assert_false (tractor_nursery_join (callers, error));
  g_clear_error (error);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_clear_error (error);
  while (has_descendant ())
    g_assert_true (tractor_sleep_until (tractor_now () + 10000, error));
  g_assert_true (g_file_get_contents (path, &state, NULL, NULL));
  g_assert_cmpstr (state, !=, "answered");
  unlink (path);
  g_variant_unref (calling.kwargs);
  return TRUE;
}

static void
terminate (TractorPortal *portal)
{
  kill (tractor_portal_get_pid (portal), SIGTERM);
}

static void
make_hang_up (TractorPortal *portal)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (tractor_portal_call (portal, "test:hang_up", NULL, NULL, &error));
}

/* The middle of a chain is ended: it takes what is below it along, whatever that does, before its
 * own time is up. */
static gboolean
assert_no_orphans_after (void (*end) (TractorPortal *middle), GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) middle = start (nursery, "middle", error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { middle, "test:relay",
                      g_variant_ref_sink (g_variant_new_parsed (
                          "{'function': <'test:hog_deaf'>, 'hops': <int64 0>}")) };
  gint64 ended_at;

  prctl (PR_SET_CHILD_SUBREAPER, 1);
  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 2, error));
  ended_at = tractor_now ();
  end (middle);

  g_assert_false (tractor_nursery_join (callers, error));
  g_clear_error (error);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  while (has_descendant ()) {
    g_assert_cmpint (tractor_now () - ended_at, <, 2 * SECOND * harness_get_patience ());
    g_assert_true (tractor_sleep_until (tractor_now () + 10000, error));
  }
  g_variant_unref (calling.kwargs);
  return TRUE;
}

static gboolean
test_terminated_actor_leaves_no_orphans (G_GNUC_UNUSED gpointer data, GError **error)
{
  return assert_no_orphans_after (terminate, error);
}

static gboolean
test_cut_off_actor_leaves_no_orphans (G_GNUC_UNUSED gpointer data, GError **error)
{
  return assert_no_orphans_after (make_hang_up, error);
}

/* --- a host program that gets in the way ------------------------------------------------------------- */

static gboolean
test_sigchld_ignored (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = NULL;
  g_autoptr (TractorPortal) portal = NULL;

  signal (SIGCHLD, SIG_IGN);
  nursery = tractor_actor_nursery_open (error);
  portal = start (nursery, "worker", error);
  g_assert_no_error (*error);
  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  signal (SIGCHLD, SIG_DFL);
  return TRUE;
}

static gboolean
test_no_chatter_on_sigpipe (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, "worker", error);

  signal (SIGPIPE, SIG_DFL);
  kill (tractor_portal_get_pid (portal), SIGKILL);
  for (int i = 0; i < 3; i++) { /* into a socket that nobody reads */
    g_assert_false (tractor_portal_call (portal, "test:echo", NULL, NULL, error));
    g_clear_error (error);
  }
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

/* What an actor has said while it started follows it to the stderr of its parent, which may have no reader. */
static gboolean
test_stderr_for_nobody (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  int stderr_before = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  int fds[2];

  signal (SIGPIPE, SIG_DFL);
  g_setenv ("TEST_WORDS_AT_START", "1", TRUE);
  g_assert_cmpint (pipe (fds), ==, 0);
  close (fds[0]);
  dup2 (fds[1], STDERR_FILENO);
  close (fds[1]);
  portal = start (nursery, "worker", error);
  dup2 (stderr_before, STDERR_FILENO);
  close (stderr_before);
  g_unsetenv ("TEST_WORDS_AT_START");
  g_assert_no_error (*error);
  g_assert_true (tractor_portal_call (portal, "test:echo", NULL, NULL, error));
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (g_getenv ("TEST_WORDS_AT_START") != NULL)
    g_printerr ("hello, whoever listens\n");

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;

  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/start/row-20-start-call-cancel", test_start_call_cancel);
  harness_add_real_task ("/e2e/start/row-4-runtime-is-lent", test_runtime_is_lent);
  harness_add_real_task ("/e2e/start/runtime-open-cancelled", test_runtime_open_cancelled);
  harness_add_real_task ("/e2e/start/row-2-runtime-opened-twice", test_runtime_opened_twice);
  harness_add_real_task ("/e2e/start/row-24-same-name", test_same_name);
  harness_add_real_task ("/e2e/start/bad-name", test_bad_name);
  harness_add_real_task ("/e2e/start/S-01-no-such-program", test_no_such_program);
  harness_add_real_task ("/e2e/start/row-21-S-04-boot-death", test_boot_death);
  harness_add_real_task ("/e2e/start/unknown-module-and-host", test_unknown_module_and_host);
  harness_add_real_task ("/e2e/start/S-06-hanging-boot-is-cancelled",
                         test_hanging_boot_is_cancelled);
  harness_add_real_task ("/e2e/start/row-23-start-after-cancel", test_start_after_cancel);
  harness_add_real_task ("/e2e/start/S-07-start-when-cancelled", test_start_when_cancelled);
  harness_add_real_task ("/e2e/start/S7-no-fds-inherited", test_no_fds_inherited);
  harness_add_real_task ("/e2e/start/S-11-stdin-closed", test_stdio_closed);
  harness_add_real_task ("/e2e/start/S-03-out-of-fds", test_out_of_fds);
  harness_add_real_task ("/e2e/start/S-11-out-of-fds-without-stdio", test_out_of_fds_without_stdio);
  harness_add_real_task ("/e2e/call/row-41-values", test_values);
  harness_add_real_task ("/e2e/call/row-41-large-values", test_large_values);
  harness_add_real_task ("/e2e/call/too-large-value", test_too_large_value);
  harness_add_real_task ("/e2e/call/many-in-flight", test_many_calls_in_flight);
  harness_add_real_task ("/e2e/call/row-42-remote-error", test_remote_error);
  harness_add_real_task ("/e2e/call/row-42-remote-error-at-length", test_remote_error_at_length);
  harness_add_real_task ("/e2e/call/row-36-row-43-refused", test_refused_calls);
  harness_add_real_task ("/e2e/call/names-that-are-not-utf8", test_names_that_are_not_utf8);
  harness_add_real_task ("/e2e/call/domain-that-is-not-utf8", test_domain_that_is_not_utf8);
  harness_add_real_task ("/e2e/call/faulty-functions", test_faulty_functions);
  harness_add_real_task ("/e2e/call/row-27-cancelled-call-cancels-remote-task",
                         test_cancelled_call_cancels_remote_task);
  harness_add_real_task ("/e2e/end/row-25-run-in-actor", test_run_in_actor);
  harness_add_real_task ("/e2e/end/row-17-join-waits-for-actors", test_join_waits_for_actors);
  harness_add_real_task ("/e2e/end/row-17-early-return-ends-actors", test_early_return_ends_actors);
  harness_add_real_task ("/e2e/end/row-18-one-cancels-all", test_one_cancels_all);
  harness_add_real_task ("/e2e/end/row-46-P-01-killed-in-a-call", test_killed_in_a_call);
  harness_add_real_task ("/e2e/end/row-22-idle-death", test_idle_death);
  harness_add_real_task ("/e2e/end/P-02-P-03-exit-in-a-call", test_exit_in_a_call);
  harness_add_real_task ("/e2e/end/row-29-cancel-is-prompt", test_cancel_is_prompt);
  harness_add_real_task ("/e2e/end/row-30-stuck-actors-are-ended-together",
                         test_stuck_actors_are_ended_together);
  harness_add_real_task ("/e2e/end/P-10-deaf-actor-is-killed", test_deaf_actor_is_killed);
  harness_add_real_task ("/e2e/end/row-32-P-09-stopped-actor-is-killed",
                         test_stopped_actor_is_killed);
  harness_add_real_task ("/e2e/end/row-49-cancel-actor", test_cancel_actor);
  harness_add_real_task ("/e2e/end/terminated-actor-leaves-in-order",
                         test_terminated_actor_leaves_in_order);
  harness_add_real_task ("/e2e/end/cancelled-actor-leaves-in-order",
                         test_cancelled_actor_leaves_in_order);
  harness_add_real_task ("/e2e/rogue/hangs-up", test_hangs_up);
  harness_add_real_task ("/e2e/rogue/S19-breaks-the-protocol", test_breaks_the_protocol);
  harness_add_real_task ("/e2e/rogue/crash-in-cleanup-is-told", test_crash_in_cleanup_is_told);
  harness_add_real_task ("/e2e/rogue/row-79-failure-in-cleanup-is-told",
                         test_failure_in_cleanup_is_told);
  harness_add_real_task ("/e2e/call/row-82-nursery-failure-is-the-calls",
                         test_nursery_failure_is_the_calls);
  harness_add_real_task ("/e2e/call/A44-not-sent-in-cancelled-scope",
                         test_call_in_cancelled_scope_is_not_sent);
  harness_add_real_task ("/e2e/call/A44-both-are-cancelled", test_call_when_both_are_cancelled);
  harness_add_real_task ("/e2e/call/too-many-elements", test_too_many_elements);
  harness_add_real_task ("/e2e/end/P-14-many-deaths", test_many_deaths);
  harness_add_real_task ("/e2e/end/cancel-called", test_cancel_called);
  harness_add_real_task ("/e2e/start/known-in-callbacks", test_known_in_callbacks);
  harness_add_real_task ("/e2e/start/nurseries-side-by-side", test_nurseries_side_by_side);
  harness_add_real_task ("/e2e/tree/deadlines-are-handed-down", test_deadlines_are_handed_down);
  harness_add_real_task ("/e2e/tree/depth-of-five", test_depth_of_five);
  harness_add_real_task ("/e2e/tree/row-80-error-over-three-hops", test_error_over_three_hops);
  harness_add_real_task ("/e2e/tree/transport-is-handed-down", test_transport_is_handed_down);
  harness_add_real_task ("/e2e/tree/unknown-transport-is-refused",
                         test_unknown_transport_is_refused);
  harness_add_real_task ("/e2e/tree/grandchild-death-is-told", test_grandchild_death_is_told);
  harness_add_real_task ("/e2e/tree/cancelled", test_tree_is_cancelled);
  harness_add_real_task ("/e2e/tree/row-33-P-05-P-13-orphans-leave", test_orphans_leave);
  harness_add_real_task ("/e2e/tree/P-13-orphan-calls-its-parent", test_orphan_calls_its_parent);
  harness_add_real_task ("/e2e/tree/P-13-terminated-actor-leaves-no-orphans",
                         test_terminated_actor_leaves_no_orphans);
  harness_add_real_task ("/e2e/tree/P-13-cut-off-actor-leaves-no-orphans",
                         test_cut_off_actor_leaves_no_orphans);
  harness_add_real_task ("/e2e/host/P-15-sigchld-ignored", test_sigchld_ignored);
  harness_add_real_task ("/e2e/host/P-18-no-sigpipe", test_no_chatter_on_sigpipe);
  harness_add_real_task ("/e2e/host/P-18-stderr-for-nobody", test_stderr_for_nobody);
  return harness_run ();
}
