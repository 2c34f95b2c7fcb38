/* test-start.c - actors as they start, and the runtime that they start in.
 *
 * What comes up is there whole, and what cannot come up leaves nothing: the harness sees to it that no process,
 * descriptor or file is left. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <sys/resource.h>

#include "served.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
list_fds (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 n = 0;

  for (int fd = 0; fd < 256; fd++)
    n += fcntl (fd, F_GETFD) >= 0 && (fcntl (fd, F_GETFD) & FD_CLOEXEC) == 0;
  *ret_result = g_variant_new_int64 (n);
  return TRUE;
}

static const TractorExport exports[] = {
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "whoami", TRACTOR_EXPORT_CALL, whoami },
  { "list_fds", TRACTOR_EXPORT_CALL, list_fds },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- the runtime --------------------------------------------------------------------------------- */

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

/* --- starting ------------------------------------------------------------------------------------ */

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
  return end (nursery, error);
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

/* --- descriptors --------------------------------------------------------------------------------- */

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
  return end (nursery, error);
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
  return end (nursery, error);
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
  return end (nursery, error);
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
  return end (nursery, error);
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
  return end (nursery, error);
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
  harness_add_real_task ("/e2e/start/row-4-runtime-is-lent", test_runtime_is_lent);
  harness_add_real_task ("/e2e/start/runtime-open-cancelled", test_runtime_open_cancelled);
  harness_add_real_task ("/e2e/start/row-2-runtime-opened-twice", test_runtime_opened_twice);
  harness_add_real_task ("/e2e/start/nurseries-side-by-side", test_nurseries_side_by_side);
  harness_add_real_task ("/e2e/start/known-in-callbacks", test_known_in_callbacks);
  harness_add_real_task ("/e2e/start/row-20-start-call-cancel", test_start_call_cancel);
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
  harness_add_real_task ("/e2e/host/P-18-stderr-for-nobody", test_stderr_for_nobody);
  return harness_run ();
}
