/* test-spares.c - actors that were processes before it was known which: each is what it would have been without, and whatever
 * becomes of a spare, actors are started and nothing is left.
 *
 * All of it is shown twice: of processes that are started by exec, and of copies of a fork server. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "inherited.h"

#include <sys/syscall.h>
#include <tractor-tree.h>

/* --- what the actors serve ------------------------------------------------------------------------------- */

static char **own_argv;

/* "name|word": as main() has them */
static gboolean
get_arguments (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_take_string (g_strjoinv ("|", own_argv + 1));
  return TRUE;
}

static gboolean
never (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
write_to (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 fd = -1;

  g_assert_true (g_variant_lookup (kwargs, "fd", "x", &fd));
  g_assert_cmpint (write ((int) fd, "x", 1), ==, 1);
  return TRUE;
}

static gboolean
prepare_below (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error);

static const TractorExport exports[] = { { "arguments", TRACTOR_EXPORT_CALL, get_arguments },
                                         { "describe", TRACTOR_EXPORT_CALL, describe },
                                         { "never", TRACTOR_EXPORT_CALL, never },
                                         { "prepare_below", TRACTOR_EXPORT_CONTEXT,
                                           .context = prepare_below },
                                         { "write_to", TRACTOR_EXPORT_CALL, write_to },
                                         { NULL } };
static const TractorModule modules[] = { { "test", exports }, { "other", exports }, { NULL } };

/* --- helpers ----------------------------------------------------------------------------------------------- */

static gboolean
is_spare (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/cmdline", pid);
  g_autofree char *line = NULL;
  gsize length = 0;

  return g_file_get_contents (path, &line, &length, NULL) && strlen (line) + 1 < length &&
         g_str_has_prefix (line + strlen (line) + 1, "spare  ");
}

/* (transfer full): of this thread: their process ids. */
static GArray *
list_spares (void)
{
  GArray *spares = g_array_new (FALSE, FALSE, sizeof (int));
  g_autofree char *text = NULL;
  g_auto (GStrv) pids = NULL;

  g_assert_true (g_file_get_contents ("/proc/thread-self/children", &text, NULL, NULL));
  pids = g_strsplit (g_strstrip (text), " ", -1);
  for (char **at = pids; *at != NULL; at++) {
    int pid = atoi (*at);

    if (is_spare (pid))
      g_array_append_val (spares, pid);
  }
  return spares;
}

static gboolean
contains (const GArray *pids, int pid)
{
  for (guint i = 0; i < pids->len; i++)
    if (g_array_index (pids, int, i) == pid)
      return TRUE;
  return FALSE;
}

/* At poll(), without a time at which it would wake by itself. */
static gboolean
rests (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/syscall", pid);
  g_autofree char *text = NULL;
  g_auto (GStrv) words = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  words = g_strsplit (text, " ", -1);
#ifdef SYS_poll
  return g_strv_length (words) > 3 && atoi (words[0]) == SYS_poll &&
         (guint32) g_ascii_strtoull (words[3], NULL, 16) == G_MAXUINT32;
#else
  return g_strv_length (words) > 3 && atoi (words[0]) == SYS_ppoll &&
         g_ascii_strtoull (words[3], NULL, 16) == 0;
#endif
}

/* (transfer full): when there are @n, and all of them wait to be told. */
static GArray *
wait_for_spares (guint n)
{
  for (;;) {
    GArray *spares = list_spares ();
    guint n_resting = 0;

    for (guint i = 0; i < spares->len; i++)
      n_resting += rests (g_array_index (spares, int, i));
    if (spares->len == n && n_resting == n)
      return spares;
    g_array_unref (spares);
    g_assert_true (tractor_sleep_until (tractor_now () + 1000, NULL));
  }
}

static GArray *
prepare (TractorActorNursery *nursery, guint n, const TractorSpawnOptions *options)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor_actor_nursery_prepare (nursery, n, options, &error));
  g_assert_no_error (error);
  return wait_for_spares (n);
}

static TractorPortal *
start_one (TractorActorNursery *nursery, const char *name, const TractorSpawnOptions *options)
{
  TractorSpawnOptions all = options != NULL ? *options : (TractorSpawnOptions){ 0 };
  g_autoptr (GError) error = NULL;
  TractorPortal *portal;

  all.host = harness_get_host ()->name;
  portal = tractor_actor_nursery_start (nursery, name, &all, &error);
  g_assert_no_error (error);
  return portal;
}

/* Returns: whether it is one of @spares. */
static gboolean
start_is_spare (TractorActorNursery *nursery,
                const TractorSpawnOptions *options,
                const GArray *spares)
{
  g_autoptr (TractorPortal) portal = start_one (nursery, "worker", options);

  return contains (spares, tractor_portal_get_pid (portal));
}

static GVariant *
ask (TractorPortal *portal, const char *function)
{
  g_autoptr (GError) error = NULL;
  GVariant *answer = NULL;

  tractor_portal_call (portal, function, NULL, &answer, &error);
  g_assert_no_error (error);
  return answer;
}

/* It is reaped: nobody else waits for it. */
static void
wait_until_reaped (int pid)
{
  while (kill (pid, 0) == 0)
    g_assert_true (tractor_sleep_until (tractor_now () + 1000, NULL));
}

static TractorRuntime *
open_runtime (gpointer has_server)
{
  const TractorRuntimeOptions options = { .fork_server = has_server != NULL };
  g_autoptr (GError) error = NULL;
  TractorRuntime *runtime = tractor_runtime_open (&options, &error);

  g_assert_no_error (error);
  return runtime;
}

/* --- they are used -------------------------------------------------------------------------------------------- */

static gboolean
test_used (gpointer has_server, GError **error)
{
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GArray) spares = prepare (nursery, 2, NULL);
  g_autoptr (TractorPortal) a = start_one (nursery, "a", NULL);
  g_autoptr (TractorPortal) b = start_one (nursery, "b", NULL);
  g_autoptr (GVariant) arguments = ask (a, "test:arguments");

  g_assert_true (contains (spares, tractor_portal_get_pid (a)));
  g_assert_true (contains (spares, tractor_portal_get_pid (b)));
  g_assert_cmpint (tractor_portal_get_pid (a), !=, tractor_portal_get_pid (b));
  g_assert_cmpstr (g_variant_get_string (arguments, NULL), ==, "a");
  g_assert_cmpstr (tractor_portal_get_name (b), ==, "b");
  return end (nursery, error);
}

/* As many as were asked for, again and again; and never more. */
static gboolean
test_filled_up (gpointer has_server, GError **error)
{
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GArray) spares = prepare (nursery, 1, NULL);

  for (int i = 0; i < 4; i++) {
    g_assert_true (start_is_spare (nursery, NULL, spares));
    g_array_unref (spares);
    spares = wait_for_spares (1);
  }
  return end (nursery, error);
}

static gboolean
test_another_number (gpointer has_server, GError **error)
{
  static const guint numbers[] = { 3, 1, 0, 0, 2 };
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    g_array_unref (prepare (nursery, numbers[i], NULL));
  g_array_unref (prepare (nursery, 0, NULL));
  g_assert_true (end (nursery, error));
  assert_no_child_process ();
  return TRUE;
}

/* Those for whom there is none are started as without. */
static gboolean
test_more_than_there_are (gpointer has_server, GError **error)
{
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GArray) spares = prepare (nursery, 2, NULL);
  guint n_spares = 0;

  for (int i = 0; i < 5; i++)
    n_spares += start_is_spare (nursery, NULL, spares);
  g_assert_cmpuint (n_spares, ==, 2);
  return end (nursery, error);
}

static gboolean
test_started_again (gpointer has_server, GError **error)
{
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal =
      start_one (nursery, "dies", &(TractorSpawnOptions){ .on_death = TRACTOR_ON_DEATH_RESTART });
  g_autoptr (GArray) spares = prepare (nursery, 1, NULL);
  guint n_restarts = 0;

  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_true (tractor_portal_wait_until_restarted (portal, &n_restarts, error));
  g_assert_true (contains (spares, tractor_portal_get_pid (portal)));
  return end (nursery, error);
}

/* --- each is what it would have been without ------------------------------------------------------------------------ */

static char *
describe_one (TractorActorNursery *nursery, const GArray *spares)
{
  g_autoptr (TractorPortal) portal = start_one (nursery, "worker", NULL);
  g_autoptr (GVariant) text = ask (portal, "test:describe");

  g_assert_true (contains (spares, tractor_portal_get_pid (portal)) == (spares->len > 0));
  return g_variant_dup_string (text, NULL);
}

static gboolean
test_like_without (gpointer has_server, GError **error)
{
  int fd = make_peculiar ();
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GArray) none = wait_for_spares (0);
  g_autofree char *without = describe_one (nursery, none);
  g_autoptr (GArray) spares = prepare (nursery, 1, NULL);
  g_autofree char *with = describe_one (nursery, spares);

  g_assert_cmpstr (with, ==, without);
  close (fd);
  return end (nursery, error);
}

/* What is said of a start that cannot succeed is the same; and that is no reason to make processes again and again. */
static gboolean
test_fails_as_without (gpointer has_server, GError **error)
{
  static const char *const names[] = { "unknown", NULL };
  const TractorSpawnOptions no_module = { .modules = names, .host = harness_get_host ()->name };
  const TractorSpawnOptions no_host = { .host = "unknown" };
  const TractorSpawnOptions *options[] = { &no_module, &no_host };
  g_autoptr (GRegex) numbers = g_regex_new ("[0-9]+", 0, 0, NULL);
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  for (guint i = 0; i < G_N_ELEMENTS (options); i++) {
    g_autoptr (GError) without = NULL;
    g_autoptr (GError) with = NULL;
    g_autofree char *words_without = NULL;
    g_autofree char *words_with = NULL;

    g_assert_null (tractor_actor_nursery_start (nursery, "a", options[i], &without));
    g_array_unref (prepare (nursery, 2, NULL));
    g_assert_null (tractor_actor_nursery_start (nursery, "a", options[i], &with));
    words_without = g_regex_replace_literal (numbers, without->message, -1, 0, "N", 0, NULL);
    words_with = g_regex_replace_literal (numbers, with->message, -1, 0, "N", 0, NULL);
    g_assert_cmpstr (words_with, ==, words_without);
    g_assert_cmpint (with->code, ==, without->code);
    g_array_unref (wait_for_spares (1));
    g_array_unref (prepare (nursery, 0, NULL));
  }
  return end (nursery, error);
}

/* Its name, what it serves and what its death means are the start's. */
static gboolean
test_is_told_the_rest (gpointer has_server, GError **error)
{
  static const char *const names[] = { "other", NULL };
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GArray) spares = prepare (nursery, 1, NULL);
  g_autoptr (TractorPortal) portal =
      start_one (nursery, "of-other",
                 &(TractorSpawnOptions){ .modules = names, .on_death = TRACTOR_ON_DEATH_IGNORE });
  g_autoptr (GVariant) arguments = ask (portal, "other:arguments");
  g_autoptr (GError) refused = NULL;

  g_assert_true (contains (spares, tractor_portal_get_pid (portal)));
  g_assert_false (tractor_portal_call (portal, "test:arguments", NULL, NULL, &refused));
  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_true (tractor_portal_wait_until_gone (portal, error));
  g_assert_false (tractor_actor_nursery_get_cancel_called (nursery));
  return end (nursery, error);
}

static gboolean
see_names (const TractorTreeEntry *entries, gsize n, gpointer data, G_GNUC_UNUSED GError **error)
{
  for (gsize i = 0; i < n; i++)
    g_string_append_printf (data, "%s ", entries[i].name);
  return FALSE;
}

static gboolean
test_not_in_the_tree (gpointer has_server, GError **error)
{
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start_one (nursery, "a", NULL);
  g_autoptr (GString) names = g_string_new (NULL);

  g_array_unref (prepare (nursery, 2, NULL));
  g_assert_true (tractor_watch_tree (NULL, see_names, names, error));
  g_assert_cmpstr (names->str, ==, "root a ");
  return end (nursery, error);
}

/* --- who is started as without ---------------------------------------------------------------------------------------- */

static const char *const words[] = { "word", NULL };
static const char *const own_env[] = { "TEST_OWN=1", NULL };
static const TractorResourceLimit limit = { RLIMIT_CORE, 0, 0 };

/* What a process is given as it is started; an actor that is given the same takes it, and no other does. */
static gboolean
test_options_that_differ (gpointer has_server, GError **error)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const TractorSpawnOptions options[] = {
    { .program = self }, { .argv = words }, { .env = own_env },
    { .cwd = "/" },      { .nice = 1 },     { .limits = &limit, .n_limits = 1 },
  };
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);

  for (guint i = 0; i < G_N_ELEMENTS (options); i++) {
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
    g_autoptr (GArray) plain = prepare (nursery, 1, NULL);
    g_autoptr (GArray) same = NULL;

    g_assert_false (start_is_spare (nursery, &options[i], plain));
    same = prepare (nursery, 1, &options[i]);
    g_assert_false (start_is_spare (nursery, NULL, same));
    g_assert_true (start_is_spare (nursery, &options[i], same));
    g_assert_true (end (nursery, error));
  }
  return TRUE;
}

static gboolean
test_given_descriptors (gpointer has_server, GError **error)
{
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GArray) spares = prepare (nursery, 1, NULL);
  g_autoptr (TractorPortal) portal = NULL;
  TractorFdMapping mapping = { .there = 9 };
  int ends[2];
  char byte;

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  mapping.here = ends[1];
  portal = start_one (nursery, "writer", &(TractorSpawnOptions){ .fds = &mapping, .n_fds = 1 });
  g_assert_false (contains (spares, tractor_portal_get_pid (portal)));
  close (ends[1]);
  g_assert_true (tractor_portal_call (portal, "test:write_to",
                                      g_variant_new_parsed ("{'fd': <int64 9>}"), NULL, error));
  g_array_unref (wait_for_spares (1));
  g_assert_true (end (nursery, error));
  g_assert_cmpint (read (ends[0], &byte, 1), ==, 1);
  g_assert_cmpint (read (ends[0], &byte, 1), ==, 0); /* no spare has it */
  close (ends[0]);
  return TRUE;
}

/* What all would inherit: whoever is started next has it as it is now, and then there are spares that have it too. */
static gboolean
test_changes (gpointer has_server, GError **error)
{
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GArray) spares = prepare (nursery, 1, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (changes); i++) {
    gboolean is_other = changes[i]();

    g_assert_true (start_is_spare (nursery, NULL, spares) != is_other);
    if (is_other)
      for (guint j = 0; j < spares->len; j++)
        wait_until_reaped (g_array_index (spares, int, j));
    g_array_unref (spares);
    spares = wait_for_spares (1);
    g_assert_true (start_is_spare (nursery, NULL, spares));
    g_array_unref (spares);
    spares = wait_for_spares (1);
  }
  return end (nursery, error);
}

/* The same file, opened again, is another place in it. */
static gboolean
test_other_stdout (gpointer has_server, GError **error)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "out", NULL);
  g_autofree char *written = NULL;
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  int stdout_before = fcntl (STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

  fflush (stdout);
  for (int i = 0; i < 2; i++) {
    g_autoptr (TractorActorNursery) nursery = NULL;
    g_autoptr (GArray) spares = NULL;
    g_autoptr (TractorPortal) portal = NULL;
    int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    dup2 (fd, STDOUT_FILENO);
    close (fd);
    nursery = tractor_actor_nursery_open (error);
    spares = prepare (nursery, 1, NULL);
    if (i == 0) {
      g_assert_cmpint (write (STDOUT_FILENO, "old ", 4), ==, 4);
      fd = open (path, O_WRONLY | O_CLOEXEC);
      dup2 (fd, STDOUT_FILENO);
      close (fd);
    }
    portal = start_one (nursery, "writer", NULL);
    g_assert_true (i == 0 ? !contains (spares, tractor_portal_get_pid (portal)) : TRUE);
    g_assert_true (tractor_portal_call (portal, "test:write_to",
                                        g_variant_new_parsed ("{'fd': <int64 1>}"), NULL, error));
    g_assert_true (end (nursery, error));
  }
  dup2 (stdout_before, STDOUT_FILENO);
  close (stdout_before);
  g_assert_true (g_file_get_contents (path, &written, NULL, error));
  g_assert_cmpstr (written, ==, "xld ");
  g_unlink (path);
  return TRUE;
}

/* --- mistakes ----------------------------------------------------------------------------------------------------------- */

static gboolean
test_mistakes (gpointer has_server, GError **error)
{
  const TractorFdMapping mapping = { STDIN_FILENO, 9 };
  const TractorSpawnOptions with_fds = { .fds = &mapping, .n_fds = 1 };
  const TractorSpawnOptions of_python = { .is_python = TRUE, .program = "python3" };
  const TractorSpawnOptions no_program = { .program = "/nonexistent/program" };
  const TractorSpawnOptions too_nice = { .nice = 99 };
  const struct {
    const TractorSpawnOptions *options;
    guint n;
    GQuark domain;
    int code;
  } cases[] = {
    { &with_fds, 1, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE },
    { &of_python, 1, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE },
    { &too_nice, 1, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE },
    { &no_program, 1, G_FILE_ERROR, G_FILE_ERROR_NOENT },
    { NULL, 100000, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT },
  };
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GError) closed = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) failure = NULL;

    g_assert_false (
        tractor_actor_nursery_prepare (nursery, cases[i].n, cases[i].options, &failure));
    g_assert_error (failure, cases[i].domain, cases[i].code);
    g_array_unref (wait_for_spares (0));
  }
  g_assert_true (end (nursery, error));
  g_assert_false (tractor_actor_nursery_prepare (nursery, 1, NULL, &closed));
  g_assert_error (closed, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  assert_no_child_process ();
  return TRUE;
}

/* A program that is no actor ends at once: each start of one says so, and nothing else comes of it. */
static gboolean
test_no_actor (gpointer has_server, GError **error)
{
  const TractorSpawnOptions options = { .program = "/bin/true" };
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  g_assert_true (tractor_actor_nursery_prepare (nursery, 2, &options, error));
  for (int i = 0; i < 3; i++) {
    g_autoptr (GError) failure = NULL;

    g_assert_null (tractor_actor_nursery_start (nursery, "true", &options, &failure));
    g_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  }
  g_array_unref (wait_for_spares (0));
  return end (nursery, error);
}

/* --- their ends ----------------------------------------------------------------------------------------------------------- */

static gboolean
test_killed (gpointer has_server, GError **error)
{
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GArray) spares = prepare (nursery, 2, NULL);

  for (guint i = 0; i < spares->len; i++)
    kill (g_array_index (spares, int, i), SIGKILL);
  for (guint i = 0; i < spares->len; i++)
    wait_until_reaped (g_array_index (spares, int, i));
  g_assert_false (start_is_spare (nursery, NULL, spares));
  g_array_unref (wait_for_spares (2));
  g_assert_false (tractor_actor_nursery_get_cancel_called (nursery));
  return end (nursery, error);
}

/* It has ended, and nobody has had the time to notice. */
static gboolean
test_killed_just_now (gpointer has_server, GError **error)
{
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GArray) spares = prepare (nursery, 2, NULL);
  g_autoptr (TractorPortal) portal = NULL;
  siginfo_t info = { 0 };

  for (guint i = 0; i < spares->len; i++) {
    kill (g_array_index (spares, int, i), SIGKILL);
    waitid (P_PID, (id_t) g_array_index (spares, int, i), &info, WEXITED | WNOWAIT);
  }
  portal = start_one (nursery, "a", NULL);
  g_assert_false (contains (spares, tractor_portal_get_pid (portal)));
  return end (nursery, error);
}

/* In good order, by the signal for that. */
static gboolean
test_told_to_end (gpointer has_server, GError **error)
{
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GArray) spares = prepare (nursery, 1, NULL);

  kill (g_array_index (spares, int, 0), SIGINT); /* of a terminal: not for it */
  kill (g_array_index (spares, int, 0), SIGTERM);
  wait_until_reaped (g_array_index (spares, int, 0));
  return end (nursery, error);
}

static gboolean
cancel (TractorActorNursery *nursery, GError **error)
{
  return end (nursery, error);
}

static gboolean
join (TractorActorNursery *nursery, GError **error)
{
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
kill_all (TractorActorNursery *nursery, GError **error)
{
  tractor_actor_nursery_kill (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
do_nothing (G_GNUC_UNUSED TractorActorNursery *nursery, G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
let_fail (TractorActorNursery *nursery, GError **error)
{
  g_autoptr (TractorPortal) portal = start_one (nursery, "dies", NULL);

  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_clear_error (error);
  return TRUE;
}

/* However a nursery is left, at whatever its spares are: none is left, nor a descriptor. */
static gboolean
test_end_with_their_nursery (gpointer has_server, GError **error)
{
  static gboolean (*const ways[]) (TractorActorNursery * nursery, GError * *error) = {
    cancel, join, kill_all, do_nothing, let_fail,
  };
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  guint n_fds = 0;

  for (guint i = 0; i < 2 * G_N_ELEMENTS (ways); i++) {
    TractorActorNursery *nursery = tractor_actor_nursery_open (error);

    if (i % 2 == 0)
      g_assert_true (tractor_actor_nursery_prepare (nursery, 3, NULL, error));
    else
      g_array_unref (prepare (nursery, 3, NULL));
    g_assert_true (ways[i / 2](nursery, error));
    tractor_actor_nursery_close (nursery);
    assert_no_child_process ();
    if (i == 1) /* all that is opened once is */
      n_fds = count_fds ();
  }
  g_assert_cmpuint (count_fds (), ==, n_fds);
  return TRUE;
}

static gboolean
test_end_with_their_scope (gpointer has_server, GError **error)
{
  g_autoptr (TractorRuntime) runtime = open_runtime (has_server);
  g_autoptr (GError) cancelled = NULL;

  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

    g_array_unref (prepare (nursery, 2, NULL));
    tractor_cancel_scope_cancel (scope, NULL);
    g_assert_false (tractor_actor_nursery_prepare (nursery, 3, NULL, &cancelled));
    g_assert_error (cancelled, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  }
  assert_no_child_process ();
  return TRUE;
}

static gboolean
prepare_below (TractorContext *context,
               G_GNUC_UNUSED GVariant *kwargs,
               G_GNUC_UNUSED GVariant **ret_result,
               GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (GArray) spares = prepare (nursery, 1, NULL);

  return tractor_context_started (context, g_variant_new_int64 (g_array_index (spares, int, 0)),
                                  error) &&
         tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* Who is killed leaves none. */
static gboolean
test_end_with_their_parent (gpointer has_server, GError **error)
{
  const char *const env[] = { has_server != NULL ? "TRACTOR_FORK_SERVER=1" : "TRACTOR_FORK_SERVER",
                              NULL };
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start_one (
      nursery, "parent", &(TractorSpawnOptions){ .env = env, .on_death = TRACTOR_ON_DEATH_IGNORE });
  g_autoptr (TractorContext) context = NULL;
  g_autoptr (GVariant) pid = NULL;
  g_autoptr (GError) lost = NULL;
  int pidfd;

  prctl (PR_SET_CHILD_SUBREAPER, 1);
  context = tractor_portal_open_context (portal, "test:prepare_below", NULL, NULL, &pid, error);
  g_assert_no_error (*error);
  pidfd = (int) syscall (SYS_pidfd_open, (pid_t) g_variant_get_int64 (pid), 0);
  g_assert_cmpint (pidfd, >=, 0);
  kill (tractor_portal_get_pid (portal), SIGKILL);
  g_assert_false (tractor_context_join (context, NULL, &lost));
  g_assert_true (tractor_wait_fd (pidfd, G_IO_IN, NULL, error));
  close (pidfd);
  g_assert_true (tractor_portal_wait_until_gone (portal, error));
  g_assert_true (end (nursery, error));
  while (waitpid (-1, NULL, 0) > 0) /* it, and perhaps a fork server */
    ;
  return TRUE;
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *name;
    gboolean (*test) (gpointer has_server, GError **error);
  } tests[] = {
    { "used", test_used },
    { "filled-up", test_filled_up },
    { "another-number", test_another_number },
    { "more-than-there-are", test_more_than_there_are },
    { "started-again", test_started_again },
    { "like-without", test_like_without },
    { "fails-as-without", test_fails_as_without },
    { "is-told-the-rest", test_is_told_the_rest },
    { "not-in-the-tree", test_not_in_the_tree },
    { "options-that-differ", test_options_that_differ },
    { "given-descriptors", test_given_descriptors },
    { "changes", test_changes },
    { "other-stdout", test_other_stdout },
    { "mistakes", test_mistakes },
    { "no-actor", test_no_actor },
    { "killed", test_killed },
    { "killed-just-now", test_killed_just_now },
    { "told-to-end", test_told_to_end },
    { "end-with-their-nursery", test_end_with_their_nursery },
    { "end-with-their-scope", test_end_with_their_scope },
    { "end-with-their-parent", test_end_with_their_parent },
  };
  int status;

  own_argv = argv;
  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  g_unsetenv ("TRACTOR_FORK_SERVER"); /* it is what is shown here that decides */
  harness_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree char *by_exec = g_strconcat ("/e2e/spares/by-exec/", tests[i].name, NULL);
    g_autofree char *by_copy = g_strconcat ("/e2e/spares/by-copy/", tests[i].name, NULL);

    harness_add_real_row (by_exec, tests[i].test, NULL);
    harness_add_real_row (by_copy, tests[i].test, tests);
  }
  return harness_run ();
}
