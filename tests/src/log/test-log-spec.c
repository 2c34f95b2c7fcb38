/* test-log-spec.c - how much is to be told of which part: as text, and who has the last word. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "log.h"
#include "tractor-error.h"
#include "tractor-log.h"

/* --- text ---------------------------------------------------------------------------------------- */

static void
assert_same (const char *text, const char *wanted)
{
  LogSpec spec;
  g_autofree char *problem = tractor__log_spec_parse (text, &spec);
  g_autofree char *said = tractor__log_spec_to_string (&spec);

  g_assert_cmpstr (problem, ==, NULL);
  g_assert_cmpstr (said, ==, wanted);
}

static void
test_understood (void)
{
  assert_same (NULL, "");
  assert_same ("", "");
  assert_same ("info", "info");
  assert_same ("link:debug", "link:debug");
  assert_same ("link:debug,supervise:info", "link:debug,supervise:info");
  assert_same ("supervise:info,warning,call:debug", "warning,call:debug,supervise:info");
  assert_same (" Info , LINK : Debug ", "info,link:debug");
  assert_same ("error,critical,warning,message,info,debug", "debug"); /* the last counts */
  assert_same ("link:debug,link:error,registry:info", "link:error,registry:info");
}

/* Each with what is said of it, and with what is left. */
static void
assert_bad (const char *text, const char *said, const char *rest)
{
  LogSpec spec;
  g_autofree char *problem = tractor__log_spec_parse (text, &spec);
  g_autofree char *left = tractor__log_spec_to_string (&spec);

  g_assert_nonnull (problem);
  g_assert_true (g_str_has_prefix (problem, said));
  g_assert_cmpstr (left, ==, rest);
  /* What there is, so that nobody has to look it up. */
  g_assert_true (g_str_has_suffix (problem,
                                   ". The parts are link, call, supervise and registry, the levels "
                                   "error, critical, warning, message, info and debug"));
}

static void
test_not_understood (void)
{
  g_autofree char *long_name = g_strnfill (100000, 'x');

  assert_bad ("loud", "\"loud\" is no level. ", "");
  assert_bad ("link:loud,call:debug", "\"loud\" is no level. ", "call:debug");
  assert_bad ("links:debug,info", "\"links\" is no part. ", "info");
  assert_bad ("links:loud", "\"links\" is no part. ", "");
  assert_bad (",", "\"\" says nothing, \"\" says nothing. ", "");
  assert_bad ("info,,link:debug,", "\"\" says nothing, \"\" says nothing. ", "info,link:debug");
  assert_bad (":debug", "\"\" is no part. ", "");
  assert_bad ("link:", "\"\" is no level. ", "");
  assert_bad ("link:debug:info", "\"debug:info\" is no level. ", "");
  assert_bad ("info;link", "\"info;link\" is no level. ", "");
  assert_bad ("a\033[31m,\xff", "\"a\\033[31m\" is no level, \"\\377\" is no level. ", "");
  assert_bad (long_name,
              "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" is no level. ",
              "");
}

static void
test_one_over_another (void)
{
  static const struct {
    const char *over;
    const char *below;
    const char *both;
  } rows[] = {
    { "", "", "" },
    { "", "info,link:debug", "info,link:debug" },
    { "call:debug", "info,link:debug", "info,link:debug,call:debug" },
    { "link:error", "info,link:debug", "info,link:error" },
    { "warning", "info,link:debug", "warning" },
    { "warning,call:info", "link:debug,call:debug", "warning,call:info" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    LogSpec over;
    LogSpec below;
    LogSpec both;
    g_autofree char *text = NULL;

    g_assert_null (tractor__log_spec_parse (rows[i].over, &over));
    g_assert_null (tractor__log_spec_parse (rows[i].below, &below));
    both = tractor__log_spec_put_over (&over, &below);
    text = tractor__log_spec_to_string (&both);
    g_assert_cmpstr (text, ==, rows[i].both);
  }
}

/* --- who has the last word ----------------------------------------------------------------------- */

/* As the parts stand in LogPart. */
static void
assert_levels (const char *link, const char *call, const char *supervise, const char *registry)
{
  const char *wanted[N_LOG_PARTS] = { link, call, supervise, registry };

  for (guint part = 0; part < N_LOG_PARTS; part++)
    g_assert_cmpstr (tractor__log_level_get_name (tractor__log_levels[part]), ==, wanted[part]);
}

static void
test_order (void)
{
  g_unsetenv ("G_MESSAGES_DEBUG");
  g_setenv ("TRACTOR_LOG", "link:debug", TRUE);
  assert_levels ("message", "message", "message", "message"); /* before anybody is asked */
  tractor__log_begin ();
  assert_levels ("debug", "message", "message", "message");
  tractor__log_set_inherited (G_LOG_LEVEL_WARNING);
  assert_levels ("debug", "warning", "warning", "warning");
  g_assert_true (tractor_log_set_spec ("link:error,call:info", NULL));
  assert_levels ("debug", "info", "warning", "warning");
  g_assert_true (tractor_log_set_spec ("critical,call:info", NULL));
  assert_levels ("debug", "info", "critical", "critical");
  g_assert_true (tractor_log_set_spec (NULL, NULL));
  assert_levels ("debug", "warning", "warning", "warning");
  tractor__log_set_inherited (0);
  assert_levels ("debug", "message", "message", "message");
}

static void
test_glibs_variable (void)
{
  g_setenv ("G_MESSAGES_DEBUG", g_str_has_suffix (g_test_get_path (), "all") ? "all" : "x tractor",
            TRUE);
  g_setenv ("TRACTOR_LOG", "link:warning", TRUE);
  tractor__log_begin ();
  assert_levels ("warning", "debug", "debug", "debug");
  tractor__log_set_inherited (G_LOG_LEVEL_INFO);
  assert_levels ("warning", "info", "info", "info");
}

static void
test_glibs_switch (void)
{
  g_unsetenv ("G_MESSAGES_DEBUG");
  g_unsetenv ("TRACTOR_LOG");
  tractor__log_begin ();
  assert_levels ("message", "message", "message", "message");
  g_log_set_debug_enabled (TRUE);
  tractor__log_begin (); /* as when a runtime is opened */
  assert_levels ("debug", "debug", "debug", "debug");
}

static void
test_bad_spec_of_program (void)
{
  g_autoptr (GError) error = NULL;

  g_unsetenv ("G_MESSAGES_DEBUG");
  g_unsetenv ("TRACTOR_LOG");
  g_assert_true (tractor_log_set_spec ("call:info", &error));
  g_assert_false (tractor_log_set_spec ("link:debug,foo:info", &error));
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_true (strstr (error->message, "\"foo\" is no part. The parts are link, call,") != NULL);
  assert_levels ("message", "info", "message", "message"); /* nothing of it counts */
}

/* What an actor is to find in its environment. */
static void
test_handed_down (void)
{
  g_autofree char *both = NULL;

  g_setenv ("TRACTOR_LOG", "call:debug", TRUE);
  tractor__log_begin ();
  g_assert_null (tractor__log_make_variable ()); /* it is there */
  g_assert_true (tractor_log_set_spec ("info", NULL));
  both = tractor__log_make_variable ();
  g_assert_cmpstr (both, ==, "TRACTOR_LOG=info,call:debug");
  g_assert_true (tractor_log_set_spec ("", NULL));
  g_setenv ("TRACTOR_LOG", "link:debug", TRUE); /* the program's own doing, for its children */
  g_assert_null (tractor__log_make_variable ());
}

static char *
read_stderr_of (HarnessFunc func)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "stderr", NULL);
  int before = dup (STDERR_FILENO);
  int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  char *text;

  dup2 (fd, STDERR_FILENO);
  func ();
  dup2 (before, STDERR_FILENO);
  close (before);
  close (fd);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  unlink (path);
  return text;
}

static void
begin_twice (void)
{
  tractor__log_begin ();
  tractor__log_begin ();
  g_assert_true (tractor_log_set_spec ("registry:info", NULL));
}

/* Once, and neither to children, which find what is left of it. */
static void
test_bad_environment (void)
{
  g_autofree char *text = NULL;
  g_autofree char *variable = NULL;

  g_unsetenv ("G_MESSAGES_DEBUG");
  g_setenv ("TRACTOR_LOG", "nonsense,link:debug", TRUE);
  text = read_stderr_of (begin_twice);
  g_assert_true (g_str_has_prefix (
      text, "tractor: in the environment variable TRACTOR_LOG \"nonsense\" is no level. "));
  g_assert_true (strchr (text, '\n') == text + strlen (text) - 1);
  assert_levels ("debug", "message", "message", "info");
  variable = tractor__log_make_variable ();
  g_assert_cmpstr (variable, ==, "TRACTOR_LOG=link:debug,registry:info");
}

static void
test_nothing_good_in_environment (void)
{
  g_autofree char *text = NULL;
  g_autofree char *variable = NULL;

  g_unsetenv ("G_MESSAGES_DEBUG");
  g_setenv ("TRACTOR_LOG", "nonsense", TRUE);
  text = read_stderr_of (tractor__log_begin);
  assert_levels ("message", "message", "message", "message");
  variable = tractor__log_make_variable ();
  g_assert_cmpstr (variable, ==, "TRACTOR_LOG"); /* is unset */
}

/* --- a line -------------------------------------------------------------------------------------- */

static guint n_looked_at;

static guint
look_at_it (void)
{
  return ++n_looked_at;
}

static void
log_some (void)
{
  errno = ENXIO;
  log_debug (LOG_CALL, "call %u", look_at_it ());
  log_info (LOG_CALL, "call %u", look_at_it ());
  log_debug (LOG_LINK, "link %u", look_at_it ());
  g_assert_cmpint (errno, ==, ENXIO);
}

/* Not even its arguments are looked at. */
static void
test_unwanted_costs_nothing (void)
{
  g_autofree char *text = NULL;

  g_unsetenv ("G_MESSAGES_DEBUG");
  g_setenv ("TRACTOR_LOG", "call:info", TRUE);
  tractor__log_begin ();
  text = read_stderr_of (log_some);
  g_assert_cmpuint (n_looked_at, ==, 1);
  g_assert_nonnull (strstr (text, "] call: call 1\n"));
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);

  harness_add ("/src/log-spec/understood", test_understood);
  harness_add ("/src/log-spec/not-understood", test_not_understood);
  harness_add ("/src/log-spec/one-over-another", test_one_over_another);
  harness_add ("/src/log/who-has-the-last-word", test_order);
  harness_add ("/src/log/glibs-variable/tractor", test_glibs_variable);
  harness_add ("/src/log/glibs-variable/all", test_glibs_variable);
  harness_add ("/src/log/glibs-switch", test_glibs_switch);
  harness_add ("/src/log/bad-spec-of-program", test_bad_spec_of_program);
  harness_add ("/src/log/handed-down", test_handed_down);
  harness_add ("/src/log/bad-environment", test_bad_environment);
  harness_add ("/src/log/nothing-good-in-environment", test_nothing_good_in_environment);
  harness_add ("/src/log/unwanted-costs-nothing", test_unwanted_costs_nothing);
  return harness_run ();
}
