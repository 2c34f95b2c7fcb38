/* test-log-level.c - log levels here and in Python. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"
#include "log-level.h"
#include "tractor-error.h"

static void
test_levels_of_python (void)
{
  /* As in upstream's logging, by importance. */
  static const char *const pythons[] = {
    "CRITICAL", "ERROR", "WARNING", "CANCEL", "INFO", "DEBUG"
  };
  static const char *const ours[] = { "error", "critical", "warning", "message", "info", "debug" };

  for (guint i = 0; i < G_N_ELEMENTS (ours); i++) {
    const char *python = tractor__log_level_to_python (ours[i]);

    g_assert_cmpint (g_ascii_strcasecmp (python, pythons[i]), ==, 0);
    g_assert_cmpstr (tractor__log_level_from_python (pythons[i]), ==, ours[i]);
  }
}

static void
test_more_of_python (void)
{
  g_assert_cmpstr (tractor__log_level_from_python ("PDB"), ==, "error");
  g_assert_cmpstr (tractor__log_level_from_python ("io"), ==, "message");
  g_assert_cmpstr (tractor__log_level_from_python ("Devx"), ==, "debug");
  g_assert_cmpstr (tractor__log_level_from_python ("RUNTIME"), ==, "debug");
  g_assert_cmpstr (tractor__log_level_from_python ("TRANSPORT"), ==, "debug");
  g_assert_null (tractor__log_level_from_python ("at_all"));
  g_assert_null (tractor__log_level_from_python ("message"));
  g_assert_null (tractor__log_level_to_python (NULL));
}

static void
test_unknown_is_refused (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor__log_level_check (NULL, &error));
  g_assert_true (tractor__log_level_check ("Message", &error));
  g_assert_false (tractor__log_level_check ("cancel", &error));
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);

  harness_add ("/src/log-level/levels-of-python", test_levels_of_python);
  harness_add ("/src/log-level/more-of-python", test_more_of_python);
  harness_add ("/src/log-level/unknown-is-refused", test_unknown_is_refused);
  return harness_run ();
}
