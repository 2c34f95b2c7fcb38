/* test-given.c - what a child process is given, a program or an actor: arguments, an environment, a directory,
 * limits and descriptors; and what is refused because it could not have it.
 *
 * The programs are lines for sh, which say on stdout what they see. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/resource.h>

#include "scripts.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static char **main_argv;

static gboolean
describe_self (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  g_autofree char *arguments = g_strjoinv ("|", main_argv + 1);
  g_autofree char *cwd = g_get_current_dir ();
  const char *set = g_getenv ("TEST_SET");
  struct rlimit limit;

  getrlimit (RLIMIT_CORE, &limit);
  *ret_result =
      g_variant_new_parsed ("{'arguments': <%s>, 'cwd': <%s>, 'set': <%s>, 'unset': <%b>,"
                            " 'soft': <%x>, 'hard': <%x>}",
                            arguments, cwd, set != NULL ? set : "", g_getenv ("TEST_UNSET") == NULL,
                            (gint64) limit.rlim_cur, (gint64) limit.rlim_max);
  return TRUE;
}

/* The numbers of all descriptors that are not the runtime's own. */
static gboolean
list_fds (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GString) numbers = g_string_new (NULL);

  for (int fd = 0; fd < 256; fd++)
    if (fcntl (fd, F_GETFD) >= 0 && (fcntl (fd, F_GETFD) & FD_CLOEXEC) == 0)
      g_string_append_printf (numbers, "%d ", fd);
  *ret_result = g_variant_new_string (numbers->str);
  return TRUE;
}

static gboolean
write_to_fd (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 fd = -1;

  g_variant_lookup (kwargs, "fd", "x", &fd);
  g_assert_cmpint (write ((int) fd, "hello", 5), ==, 5);
  return TRUE;
}

static const TractorExport exports[] = {
  { "describe_self", TRACTOR_EXPORT_CALL, describe_self },
  { "list_fds", TRACTOR_EXPORT_CALL, list_fds },
  { "write_to_fd", TRACTOR_EXPORT_CALL, write_to_fd },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- a program ----------------------------------------------------------------------------------- */

/* (transfer full): what a script that ends well writes to stdout, its lines joined by "|". */
static char *
run_for_output (const char *script, TractorProcessOptions options)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;

  options.on_stdout = add_line;
  options.data = lines;
  run_script (script, &options, &error);
  g_assert_no_error (error);
  g_ptr_array_add (lines, NULL);
  return g_strjoinv ("|", (char **) lines->pdata);
}

static void
assert_output (const char *script, TractorProcessOptions options, const char *expected)
{
  g_autofree char *output = run_for_output (script, options);

  g_assert_cmpstr (output, ==, expected);
}

static gboolean
test_program_arguments (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);

  g_assert_true (tractor_run_process (
      (const char *[]){ "sh", "-c", "echo \"$0/$1/$2/$#\"", "zero", "a b", "", NULL },
      &(TractorProcessOptions){ .on_stdout = add_line, .data = lines }, error));
  g_assert_cmpstr (lines->pdata[0], ==, "zero/a b//2");
  return TRUE;
}

static gboolean
test_program_environment (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const char *const env[] = { "TEST_SET=a=b", "TEST_UNSET", "TEST_TWICE=1", "TEST_TWICE=2",
                                     NULL };

  g_setenv ("TEST_KEPT", "kept", TRUE);
  g_setenv ("TEST_UNSET", "inherited", TRUE);
  assert_output ("echo $TEST_KEPT $TEST_SET ${TEST_UNSET-gone} $TEST_TWICE",
                 (TractorProcessOptions){ .env = env }, "kept a=b gone 2");
  g_assert_cmpstr (g_getenv ("TEST_UNSET"), ==, "inherited");
  return TRUE;
}

static gboolean
test_program_cwd_and_limits (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const TractorResourceLimit limits[] = { { RLIMIT_NOFILE, 17, 18 }, { RLIMIT_CORE, 0, 0 } };

  assert_output ("pwd; ulimit -Sn; ulimit -Hn; ulimit -c",
                 (TractorProcessOptions){ .cwd = "/usr", .limits = limits, .n_limits = 2 },
                 "/usr|17|18|0");
  return TRUE;
}

static gboolean
test_program_nice (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  int ours = getpriority (PRIO_PROCESS, 0);
  g_autofree char *by_four = g_strdup_printf ("%d", MIN (ours + 4, 19));
  g_autofree char *by_none = g_strdup_printf ("%d", ours);

  assert_output ("nice", (TractorProcessOptions){ .nice = 4 }, by_four);
  assert_output ("nice", (TractorProcessOptions){ .nice = 19 }, "19");
  assert_output ("nice", (TractorProcessOptions){ 0 }, by_none);
  g_assert_cmpint (getpriority (PRIO_PROCESS, 0), ==, ours);
  return TRUE;
}

/* Each one is where it is wanted, also where that is the number that another one has here. */
static gboolean
test_program_fds (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GString) script = g_string_new (NULL);
  int one[2];
  int other[2];
  int leaky = open ("/dev/null", O_RDONLY); /* not CLOEXEC */

  make_pipe (one);
  make_pipe (other);
  g_assert_cmpint (write (one[1], "one\n", 4), ==, 4);
  g_assert_cmpint (write (other[1], "other\n", 6), ==, 6);
  g_string_printf (script, "cd /proc/$$/fd; read a <%d; read b <%d; echo $a $b; ", other[0],
                   one[0]);
  g_string_append (script, "for n in $(seq 0 200); do [ -e $n ] && echo $n; done; true");
  {
    g_autofree char *expected = g_strdup_printf ("one other|0|1|2|%d|%d|100",
                                                 MIN (one[0], other[0]), MAX (one[0], other[0]));
    TractorFdMapping fds[] = { { one[0], other[0] }, { other[0], one[0] }, { leaky, 100 } };

    assert_output (script->str, (TractorProcessOptions){ .fds = fds, .n_fds = 3 }, expected);
  }
  close (leaky);
  for (int i = 0; i < 2; i++) {
    close (one[i]);
    close (other[i]);
  }
  return TRUE;
}

static gboolean
test_program_stdio (G_GNUC_UNUSED gpointer data, GError **error)
{
  int in[2];
  int err[2];
  char bytes[8] = "";

  make_pipe (in);
  make_pipe (err);
  g_assert_cmpint (write (in[1], "word\n", 5), ==, 5);
  g_assert_false (
      run_script ("read a; echo $a >&2; exit 1",
                  &(TractorProcessOptions){
                      .fds = (TractorFdMapping[]){ { in[0], 0 }, { err[1], 2 } }, .n_fds = 2 },
                  error));
  g_assert_true (g_str_has_suffix ((*error)->message, "exited with status 1"));
  harness_assert_error (*error, G_SPAWN_EXIT_ERROR, 1);
  g_assert_cmpint (read (err[0], bytes, sizeof bytes), ==, 5);
  g_assert_cmpstr (bytes, ==, "word\n");
  for (int i = 0; i < 2; i++) {
    close (in[i]);
    close (err[i]);
  }
  return TRUE;
}

/* --- an actor ------------------------------------------------------------------------------------ */

static gboolean
test_actor_knobs (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GVariant) expected = NULL;

  g_setenv ("TEST_UNSET", "inherited", TRUE);
  portal = start_actor (
      nursery,
      (TractorSpawnOptions){
          .argv = (const char *[]){ "--verbose", "a b", NULL },
          .env = (const char *[]){ "TEST_SET=this", "TEST_UNSET", "TRACTOR_PARENT_FD=99", NULL },
          .cwd = "/usr",
          .limits = &(TractorResourceLimit){ RLIMIT_CORE, 0, 4096 },
          .n_limits = 1,
      },
      error);
  g_assert_no_error (*error);
  g_assert_true (tractor_portal_call (portal, "test:describe_self", NULL, &answer, error));
  expected = g_variant_ref_sink (g_variant_new_parsed (
      "{'arguments': <'worker|--verbose|a b'>, 'cwd': <'/usr'>, 'set': <'this'>, 'unset': <true>,"
      " 'soft': <int64 0>, 'hard': <int64 4096>}"));
  g_assert_cmpvariant (answer, expected);
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_actor_fds (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (GVariant) answer = NULL;
  int leaky = open ("/dev/null", O_RDONLY); /* not CLOEXEC */
  int ends[2];
  char bytes[8] = "";

  make_pipe (ends);
  portal =
      start_actor (nursery,
                   (TractorSpawnOptions){
                       .fds = (TractorFdMapping[]){ { ends[1], 90 }, { leaky, 5 } }, .n_fds = 2 },
                   error);
  g_assert_no_error (*error);
  close (ends[1]);
  close (leaky);
  g_assert_true (tractor_portal_call (portal, "test:list_fds", NULL, &answer, error));
  g_assert_cmpstr (g_variant_get_string (answer, NULL), ==, "0 1 2 5 90 ");
  g_assert_true (tractor_portal_call (portal, "test:write_to_fd",
                                      g_variant_new_parsed ("{'fd': <int64 90>}"), NULL, error));
  g_assert_cmpint (read (ends[0], bytes, sizeof bytes), ==, 5);
  g_assert_cmpstr (bytes, ==, "hello");
  close (ends[0]);
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

/* --- what is refused ----------------------------------------------------------------------------- */

static void
assert_refused (TractorProcessOptions options)
{
  g_autoptr (TractorActorNursery) nursery = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (run_script ("exit 0", &options, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);

  nursery = tractor_actor_nursery_open (&error);
  g_assert_null (start_actor (nursery,
                              (TractorSpawnOptions){
                                  .env = options.env,
                                  .fds = options.fds,
                                  .n_fds = options.n_fds,
                                  .limits = options.limits,
                                  .nice = options.nice,
                                  .n_limits = options.n_limits,
                              },
                              &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  assert_no_child_process ();
}

static void
assert_fds_refused (TractorFdMapping one, TractorFdMapping other)
{
  assert_refused ((TractorProcessOptions){ .fds = (TractorFdMapping[]){ one, other }, .n_fds = 2 });
}

static gboolean
test_bad_options (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  const TractorFdMapping good = { 2, 9 };

  assert_fds_refused (good, good);
  assert_fds_refused (good, (TractorFdMapping){ -1, 8 });
  assert_fds_refused (good, (TractorFdMapping){ 250, 8 }); /* not open */
  assert_fds_refused (good, (TractorFdMapping){ 2, -1 });
  assert_fds_refused (good, (TractorFdMapping){ 2, G_MAXINT });
  assert_refused ((TractorProcessOptions){ .env = (const char *[]){ "=x", NULL } });
  assert_refused ((TractorProcessOptions){ .env = (const char *[]){ "", NULL } });
  assert_refused (
      (TractorProcessOptions){ .limits = &(TractorResourceLimit){ 999, 1, 1 }, .n_limits = 1 });
  assert_refused ((TractorProcessOptions){ .nice = 20 });
  assert_refused ((TractorProcessOptions){ .limits = &(TractorResourceLimit){ RLIMIT_CORE, 2, 1 },
                                           .n_limits = 1 });
  return TRUE;
}

static gboolean
test_limit_above_its_hard_one (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (int resource = 0; resource < (int) RLIM_NLIMITS; resource++) {
    const TractorResourceLimit limit = { resource, 2, 1 };

    g_assert_false (
        run_script ("exit 0", &(TractorProcessOptions){ .limits = &limit, .n_limits = 1 }, error));
    g_assert_nonnull (strstr ((*error)->message, " RLIMIT_"));
    g_assert_true ((strstr ((*error)->message, "RLIMIT_AS ") != NULL) == (resource == RLIMIT_AS));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  return TRUE;
}

/* It is told what could not be done for it. */
static gboolean
test_limits_that_are_too_high (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const TractorResourceLimit limit = { RLIMIT_NOFILE, 8, (guint64) 1 << 40 };

  g_assert_false (
      run_script ("exit 0", &(TractorProcessOptions){ .limits = &limit, .n_limits = 1 }, error));
  g_assert_nonnull (strstr ((*error)->message, "cannot limit the resources of '"));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_PERM);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_python_without_interpreter (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  g_assert_null (start_actor (nursery, (TractorSpawnOptions){ .is_python = TRUE }, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  assert_no_child_process ();
  return TRUE;
}

static gboolean
test_taken_fds (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  for (int there = 2; there <= 4; there++) {
    g_assert_null (start_actor (
        nursery, (TractorSpawnOptions){ .fds = &(TractorFdMapping){ 2, there }, .n_fds = 1 },
        error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
  g_assert_false (run_script ("exit 0",
                              &(TractorProcessOptions){ .on_stdout = add_line,
                                                        .fds = &(TractorFdMapping){ 2, 1 },
                                                        .n_fds = 1 },
                              error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return tractor_actor_nursery_join (nursery, error);
}

static void
assert_names (GError **error, const char *words)
{
  g_assert_nonnull (*error);
  g_assert_true ((*error)->domain == G_FILE_ERROR);
  g_assert_nonnull (strstr ((*error)->message, words));
  g_clear_error (error);
  assert_no_child_process ();
}

static gboolean
test_missing_cwd (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  g_assert_null (start_actor (nursery, (TractorSpawnOptions){ .cwd = "/nonexistent/a" }, error));
  assert_names (error, "directory '/nonexistent/a'");
  g_assert_false (
      run_script ("exit 0", &(TractorProcessOptions){ .cwd = "/nonexistent/b" }, error));
  assert_names (error, "directory '/nonexistent/b'");
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
test_arguments_too_large (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autofree char *huge = g_malloc (256 * KIB + 1); /* one string may have 128 KiB */
  g_autofree char *variable = NULL;

  memset (huge, 'x', 256 * KIB);
  huge[256 * KIB] = '\0';
  variable = g_strconcat ("TEST_SET=", huge, NULL);
  g_assert_null (start_actor (
      nursery, (TractorSpawnOptions){ .argv = (const char *[]){ huge, NULL } }, error));
  assert_names (error, g_strerror (E2BIG));
  g_assert_null (start_actor (
      nursery, (TractorSpawnOptions){ .env = (const char *[]){ variable, NULL } }, error));
  assert_names (error, g_strerror (E2BIG));
  g_assert_false (tractor_run_process ((const char *[]){ "true", huge, NULL }, NULL, error));
  assert_names (error, g_strerror (E2BIG));
  return tractor_actor_nursery_join (nursery, error);
}

int
main (int argc, char **argv)
{
  int status;

  main_argv = argv;
  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;

  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/given/program-arguments", test_program_arguments);
  harness_add_real_task ("/e2e/given/program-environment", test_program_environment);
  harness_add_real_task ("/e2e/given/program-cwd-and-limits", test_program_cwd_and_limits);
  harness_add_real_task ("/e2e/given/program-nice", test_program_nice);
  harness_add_real_task ("/e2e/given/row-37-program-fds", test_program_fds);
  harness_add_real_task ("/e2e/given/program-stdio", test_program_stdio);
  harness_add_real_task ("/e2e/given/actor-arguments-environment-cwd-limits", test_actor_knobs);
  harness_add_real_task ("/e2e/given/row-37-actor-fds", test_actor_fds);
  harness_add_real_task ("/e2e/given/bad-options", test_bad_options);
  harness_add_real_task ("/e2e/given/limit-above-its-hard-one", test_limit_above_its_hard_one);
  harness_add_real_task ("/e2e/given/limits-that-are-too-high", test_limits_that_are_too_high);
  harness_add_real_task ("/e2e/given/python-without-interpreter", test_python_without_interpreter);
  harness_add_real_task ("/e2e/given/taken-fds", test_taken_fds);
  harness_add_real_task ("/e2e/given/S-10-missing-cwd", test_missing_cwd);
  harness_add_real_task ("/e2e/given/S-09-too-large", test_arguments_too_large);
  return harness_run ();
}
