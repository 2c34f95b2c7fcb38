/* test-logging.c - what the actors of a tree tell of themselves: how much of which part, in which process, to whom.
 *
 * The tree is of a program of its own, whose output is looked at from outside: this program is that too. It has a
 * root, a child and a grandchild, of each of which there is something to tell in every part. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "served.h"

/* --- the program --------------------------------------------------------------------------------- */

/* TEST_WRITER: the file of a log writer of the program's own, in each of its processes. */
#define WRITER "TEST_WRITER"
/* TEST_SPEC: what the root gives to tractor_log_set_spec(). */
#define SPEC "TEST_SPEC"
/* TEST_LEVEL: the log_level of the child. */
#define LEVEL "TEST_LEVEL"
/* TEST_CHILD: what the child has in its environment besides. */
#define CHILD "TEST_CHILD"
/* TEST_STACK: how large all stacks are. */
#define STACK "TEST_STACK"

static gboolean
go_down (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  return tractor_run_in_actor ("grandchild", &(TractorSpawnOptions){ .host = own_host () },
                               "test:echo", NULL, ret_result, error);
}

static const TractorExport exports[] = { { "echo", TRACTOR_EXPORT_CALL, echo },
                                         { "go_down", TRACTOR_EXPORT_CALL, go_down },
                                         { NULL } };
static const TractorModule modules[] = { { "test", exports }, { NULL } };

static gboolean
run_tree (G_GNUC_UNUSED gpointer data, GError **error)
{
  const char *env[] = { g_getenv (CHILD), NULL };
  TractorSpawnOptions options = { .host = own_host (), .log_level = g_getenv (LEVEL), .env = env };

  return (g_getenv (SPEC) == NULL || tractor_log_set_spec (g_getenv (SPEC), error)) &&
         tractor_run_in_actor ("child", &options, "test:go_down", NULL, NULL, error);
}

static int
tree_main (void)
{
  g_autoptr (GError) error = NULL;
  const TractorRunner *runner = runners;

  while (strcmp (runner->name, own_host ()) != 0)
    runner++;
  if (g_getenv (WRITER) != NULL)
    g_message ("the program's own");
  if (runner->run (run_tree, NULL, &error))
    return 0;
  g_printerr ("%s\n", error->message);
  return 1;
}

static void
append_field (GString *line, const GLogField *field)
{
  g_string_append_printf (line, "%s=", field->key);
  g_string_append_len (line, field->value, field->length);
  g_string_append_c (line, '|');
}

/* All that it gets, whatever GLib would do: a line of the file for each. */
static GLogWriterOutput
write_fields (GLogLevelFlags level,
              const GLogField *fields,
              gsize n_fields,
              G_GNUC_UNUSED gpointer data)
{
  g_autoptr (GString) line = g_string_new (NULL);
  int fd = open (g_getenv (WRITER), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

  g_string_append_printf (line, "level=%d|", (int) level);
  for (gsize i = 0; i < n_fields; i++)
    append_field (line, &fields[i]);
  g_string_append_c (line, '\n');
  g_assert_cmpint (write (fd, line->str, line->len), ==, (gssize) line->len);
  close (fd);
  return G_LOG_WRITER_HANDLED;
}

/* As main() of any program might begin. */
static void
prepare_program (void)
{
  if (g_getenv (WRITER) != NULL)
    g_log_set_writer_func (write_fields, NULL, NULL);
  if (g_getenv (STACK) != NULL)
    tractor_set_default_stack_size ((gsize) atoi (g_getenv (STACK)));
  if (g_getenv ("TEST_ENABLES_DEBUG") != NULL)
    g_log_set_debug_enabled (TRUE);
}

/* --- running it ---------------------------------------------------------------------------------- */

typedef struct {
  GString *out; /* what it wrote */
  GString *err;
} Output;

static void
add_out (const char *line, G_GNUC_UNUSED gsize length, gpointer data)
{
  g_string_append_printf (((Output *) data)->out, "%s\n", line);
}

static void
add_err (const char *line, G_GNUC_UNUSED gsize length, gpointer data)
{
  g_string_append_printf (((Output *) data)->err, "%s\n", line);
}

static void
output_clear (Output *output)
{
  g_string_free (output->out, TRUE);
  g_string_free (output->err, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Output, output_clear)

/* @settings: "NAME=value", to a NULL */
static Output
run_program (const char *const *settings)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const char *argv[] = { self, "--tree", NULL };
  g_autofree char *host = g_strconcat ("TEST_HOST=", harness_get_host ()->name, NULL);
  g_autoptr (GPtrArray) env = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  Output output = { g_string_new (NULL), g_string_new (NULL) };

  g_ptr_array_add (env, (char *) "G_MESSAGES_DEBUG");
  g_ptr_array_add (env, (char *) "TRACTOR_LOG");
  g_ptr_array_add (env, host);
  for (; *settings != NULL; settings++)
    g_ptr_array_add (env, (char *) *settings);
  g_ptr_array_add (env, NULL);
  tractor_run_process (argv,
                       &(TractorProcessOptions){ .env = (const char *const *) env->pdata,
                                                 .on_stdout = add_out,
                                                 .on_stderr = add_err,
                                                 .data = &output },
                       &error);
  g_assert_no_error (error);
  return output;
}

#define run_program_with(...) run_program ((const char *const[]){ __VA_ARGS__, NULL })

/* Of @actor and @part in @text: "[child 4711 echo#7] link: ", or without its process, which GLib puts before it. */
static guint
count_lines (const char *text, const char *actor, const char *part)
{
  g_autofree char *pattern = g_strdup_printf ("\\[%s (\\d+ )?[^]]+#\\d+\\] %s: ", actor, part);
  g_autoptr (GRegex) regex = g_regex_new (pattern, 0, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  guint n = 0;

  for (g_regex_match (regex, text, 0, &match); g_match_info_matches (match);
       g_match_info_next (match, NULL))
    n++;
  return n;
}

static guint
count (const char *text, const char *what)
{
  guint n = 0;

  for (const char *at = strstr (text, what); at != NULL; at = strstr (at + 1, what))
    n++;
  return n;
}

static const char *const parts[] = { "link", "call", "supervise", "registry" };

/* @wanted: the parts that it tells of, and no other. */
static void
assert_tells (const char *text, const char *actor, const char *wanted)
{
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    guint n = count_lines (text, actor, parts[i]);

    if ((n > 0) != (strstr (wanted, parts[i]) != NULL))
      g_error ("Actor %s has told %u times of %s:\n%s", actor, n, parts[i], text);
  }
}

static void
assert_silent (const char *text)
{
  assert_tells (text, "root", "");
  assert_tells (text, "child", "");
  assert_tells (text, "grandchild", "");
}

/* --- how much of which part ---------------------------------------------------------------------- */

#define ALL "link call supervise registry"

typedef struct {
  const char *name;
  const char *settings[4]; /* of the environment, to a NULL */
  const char *root;        /* what it tells of */
  const char *below;       /* what the child and the grandchild do */
  gboolean is_glibs;       /* to where GLib has it */
} Row;

static const Row rows[] = {
  { "nothing", { NULL }, "", "" },
  { "row-119-one-part", { "TRACTOR_LOG=link:debug" }, "link", "link" },
  { "two-parts", { "TRACTOR_LOG=call:debug,registry:info" }, "call registry", "call registry" },
  { "all-parts", { "TRACTOR_LOG=debug" }, ALL, ALL },
  { "all-parts-at-info", { "TRACTOR_LOG=info" }, "supervise registry", "supervise registry" },
  { "all-parts-and-one",
    { "TRACTOR_LOG=info,link:debug" },
    "link supervise registry",
    "link supervise registry" },
  { "all-parts-but-one",
    { "TRACTOR_LOG=debug,call:warning" },
    "link supervise registry",
    "link supervise registry" },
  { "by-program", { SPEC "=link:debug" }, "link", "link" },
  { "by-program-and-environment",
    { SPEC "=debug", "TRACTOR_LOG=link:warning,call:warning" },
    "supervise registry",
    "supervise registry" },
  { "by-program-and-child",
    { SPEC "=debug", CHILD "=TRACTOR_LOG=registry:info" },
    ALL,
    "registry" },
  { "by-environment-and-child", { "TRACTOR_LOG=debug", CHILD "=TRACTOR_LOG" }, ALL, "" },
  { "by-level", { LEVEL "=info" }, "", "supervise registry" },
  { "by-level-and-environment", { LEVEL "=warning", "TRACTOR_LOG=link:debug" }, "link", "link" },
  { "glib-domain", { "G_MESSAGES_DEBUG=tractor" }, ALL, ALL, TRUE },
  { "glib-all", { "G_MESSAGES_DEBUG=all" }, ALL, ALL, TRUE },
  { "glib-other-domain", { "G_MESSAGES_DEBUG=another" }, "", "" },
  { "glib-and-part",
    { "G_MESSAGES_DEBUG=tractor", "TRACTOR_LOG=link:warning" },
    "call supervise registry",
    "call supervise registry",
    TRUE },
  { "glib-and-level-and-part",
    { "G_MESSAGES_DEBUG=tractor", LEVEL "=warning", "TRACTOR_LOG=link:debug" },
    ALL,
    "link",
    TRUE },
  { "glib-and-level",
    { "G_MESSAGES_DEBUG=tractor", LEVEL "=info" },
    ALL,
    "supervise registry",
    TRUE },
};

static gboolean
test_parts (gpointer data, G_GNUC_UNUSED GError **error)
{
  const Row *row = data;
  g_auto (Output) output = run_program (row->settings);
  const char *text = row->is_glibs ? output.out->str : output.err->str;

  assert_tells (text, "root", row->root);
  assert_tells (text, "child", row->below);
  assert_tells (text, "grandchild", row->below);
  assert_silent (row->is_glibs ? output.err->str : output.out->str);
  return TRUE;
}

/* Whoever debugs a tree reads what happened to an actor. */
static gboolean
test_story (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_auto (Output) output = run_program_with ("TRACTOR_LOG=debug");
  static const char *const wanted[] = {
    "*[root *] supervise: actor 'child' (pid *) is started\n"
    "*[root *] link: actor 'child' is connected*"
    "*[root *] supervise: actor 'child' (pid *) answers, after * ms\n"
    "*[root *] call: 'test:go_down' is asked of actor 'child', as call *\n"
    "*[root *] call: call * of 'test:go_down' has returned\n"
    "*[root *] supervise: actor 'child' (pid *) is cancelled, and has * ms\n"
    "*[root *] supervise: actor 'child' (pid *) acknowledges its cancel\n"
    "*[root *] link: the connection to actor 'child' has ended: *"
    "*[root *] supervise: actor 'child' (pid *) exited with status 0\n*",
    "*[grandchild *] supervise: it begins, as a child of actor 'child', at depth 2\n"
    "*[grandchild *] registry: it listens at *\n"
    "*[grandchild *] call: actor 'child' calls 'echo', as call *\n"
    "*[grandchild *] call: 'echo', call * of actor 'child', has returned\n"
    "*[grandchild *] supervise: actor 'grandchild' is told to end by actor 'child'\n*",
  };

  for (guint i = 0; i < G_N_ELEMENTS (wanted); i++)
    if (!g_pattern_match_simple (wanted[i], output.err->str))
      g_error ("%s", output.err->str);
  return TRUE;
}

/* --- what is wrong in it ------------------------------------------------------------------------- */

/* Told once in the whole tree; the rest of it counts in all of it. */
static gboolean
test_bad_environment (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_auto (Output) output = run_program_with ("TRACTOR_LOG=nonsense,,foo:debug,link:debug");

  g_assert_cmpuint (count (output.err->str, "TRACTOR_LOG"), ==, 1);
  g_assert_nonnull (strstr (output.err->str,
                            "\"nonsense\" is no level, \"\" says nothing, \"foo\" is no part. "
                            "The parts are link, call, supervise and registry"));
  assert_tells (output.err->str, "root", "link");
  assert_tells (output.err->str, "child", "link");
  assert_tells (output.err->str, "grandchild", "link");
  return TRUE;
}

/* --- a program with a log writer of its own ---------------------------------------------------------- */

static char *
read_written (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "written", NULL);
  char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  unlink (path);
  return text;
}

static char *
make_writer_setting (void)
{
  return g_strdup_printf (WRITER "=%s/written", g_getenv ("XDG_RUNTIME_DIR"));
}

/* It has all of it, with its fields; and it is seen on stderr too, for it says nothing of where that goes. */
static gboolean
test_own_writer (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *setting = make_writer_setting ();
  g_auto (Output) output = run_program_with (setting, "TRACTOR_LOG=call:debug");
  g_autofree char *written = read_written ();

  g_assert_nonnull (strstr (written, "MESSAGE=the program's own|"));
  g_assert_true (g_regex_match_simple (
      "^level=128\\|CODE_FILE=[^|]*rpc\\.c\\|CODE_LINE=\\d+\\|CODE_FUNC=run_rpc_task\\|"
      "MESSAGE=\\[grandchild echo#(\\d+)\\] call: 'echo', call [0-9a-f.]+ of actor 'child', "
      "has returned\\|"
      "PRIORITY=7\\|GLIB_DOMAIN=tractor\\|TRACTOR_PART=call\\|TRACTOR_PID=\\d+\\|TRACTOR_ACTOR="
      "grandchild\\|"
      "TRACTOR_ACTOR_UUID=[0-9a-f-]{36}\\|TRACTOR_TASK=echo\\|TRACTOR_TASK_ID=\\1\\|$",
      written, G_REGEX_MULTILINE, 0));
  assert_tells (written, "root", "call");
  assert_tells (written, "child", "call");
  assert_tells (output.err->str, "root", "call");
  assert_tells (output.err->str, "grandchild", "call");
  g_assert_null (strstr (output.err->str, "the program's own"));
  return TRUE;
}

/* One that shows them says so, and has them alone. */
static gboolean
test_own_writer_that_shows_all (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *setting = make_writer_setting ();
  g_auto (Output) output =
      run_program_with (setting, "TEST_ENABLES_DEBUG=1", "TRACTOR_LOG=warning,call:debug");
  g_autofree char *written = read_written ();

  assert_tells (written, "root", "call");
  assert_tells (written, "grandchild", "call");
  assert_silent (output.err->str);
  assert_silent (output.out->str);
  return TRUE;
}

/* --- nobody reads it ------------------------------------------------------------------------------ */

/* It is no reason to end, neither for a root nor for an actor. */
static gboolean
test_nobody_reads (gpointer data, GError **error)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const char *argv[] = { self, "--tree", NULL };
  g_autofree char *host = g_strconcat ("TEST_HOST=", harness_get_host ()->name, NULL);
  const char *env[] = { host, data, NULL };
  TractorFdMapping fds[] = { { -1, STDOUT_FILENO }, { -1, STDERR_FILENO } };
  int ends[2];

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  close (ends[0]);
  fds[0].here = fds[1].here = ends[1];
  tractor_run_process (
      argv, &(TractorProcessOptions){ .env = env, .fds = fds, .n_fds = G_N_ELEMENTS (fds) }, error);
  close (ends[1]);
  g_assert_no_error (*error);
  return TRUE;
}

/* --- where there is little room ------------------------------------------------------------------------ */

/* The least that there is; sanitizers want more of it. */
#if HARNESS_HAS_SANITIZER
#define SMALL_STACK 262144
#else
#define SMALL_STACK 16384
#endif

static gboolean
test_small_stacks (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_auto (Output) output =
      run_program_with (STACK "=" G_STRINGIFY (SMALL_STACK), "TRACTOR_LOG=debug");

  assert_tells (output.err->str, "root", ALL);
  assert_tells (output.err->str, "grandchild", ALL);
  return TRUE;
}

int
main (int argc, char **argv)
{
  int status;

  prepare_program ();
  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (argc == 2 && strcmp (argv[1], "--tree") == 0)
    return tree_main ();
  harness_init (&argc, &argv);

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = g_strconcat ("/e2e/logging/told/", rows[i].name, NULL);

    harness_add_real_row (path, test_parts, &rows[i]);
  }
  harness_add_real_task ("/e2e/logging/story", test_story);
  harness_add_real_task ("/e2e/logging/bad-environment-is-told-once", test_bad_environment);
  harness_add_real_task ("/e2e/logging/own-writer-has-the-fields", test_own_writer);
  harness_add_real_task ("/e2e/logging/own-writer-that-shows-all", test_own_writer_that_shows_all);
  harness_add_real_row ("/e2e/logging/nobody-reads/stderr", test_nobody_reads, "TRACTOR_LOG=debug");
  harness_add_real_row ("/e2e/logging/nobody-reads/stdout", test_nobody_reads,
                        "G_MESSAGES_DEBUG=tractor");
  harness_add_real_task ("/e2e/logging/small-stacks", test_small_stacks);
  return harness_run ();
}
