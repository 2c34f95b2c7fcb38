/* test-exports.c - tables that do not say what they have are found when the program starts, not by a call. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "exports.h"
#include "harness.h"
#include "tractor-builtin.h"

static gboolean
call (G_GNUC_UNUSED GVariant *kwargs,
      G_GNUC_UNUSED GVariant **ret_result,
      G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
stream (G_GNUC_UNUSED TractorStream *self,
        G_GNUC_UNUSED GVariant *kwargs,
        G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
context (G_GNUC_UNUSED TractorContext *self,
         G_GNUC_UNUSED GVariant *kwargs,
         G_GNUC_UNUSED GVariant **ret_result,
         G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
call_packed (G_GNUC_UNUSED GBytes *kwargs,
             G_GNUC_UNUSED GBytes **ret_result,
             G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static const TractorExport good[] = {
  { "call_packed", TRACTOR_EXPORT_CALL, .call_packed = call_packed },
  { "call", TRACTOR_EXPORT_CALL, .call = call, .payload_spec = "a{sv}" },
  { "stream", TRACTOR_EXPORT_STREAM, .stream = stream },
  { "context", TRACTOR_EXPORT_CONTEXT, .context = context },
  { 0 },
};

static const struct {
  TractorExport export;
  const char *mistake;
} bad[] = {
  { { "f", TRACTOR_EXPORT_STREAM, .call = call }, "'m:f' (STREAM) has no function of its kind" },
  { { "f", TRACTOR_EXPORT_CALL, .context = context }, "'m:f' (CALL) has no function of its kind" },
  { { "f", TRACTOR_EXPORT_CONTEXT }, "'m:f' (CONTEXT) has no function of its kind" },
  { { "f", TRACTOR_EXPORT_CALL, .call = call, .stream = stream }, "of another kind too" },
  { { "f", TRACTOR_EXPORT_CALL, .call = call, .call_packed = call_packed },
    "has both a call and a call_packed" },
  { { "f", TRACTOR_EXPORT_STREAM, .call_packed = call_packed, .stream = stream },
    "of another kind too" },
  { { "f", TRACTOR_EXPORT_CALL, .call_packed = call_packed, .payload_spec = "x" },
    "has a payload_spec, which nothing" },
  { { "f", (TractorExportKind) 7, .call = call }, "is of no kind" },
  { { "f", TRACTOR_EXPORT_CALL, .call = call, .payload_spec = "a{" }, "payload_spec" },
  { { "f\xff", TRACTOR_EXPORT_CALL, .call = call },
    "'m:f\xef\xbf\xbd' (CALL) has a name that is not" },
};

static void
test_good (void)
{
  const TractorModule modules[] = { { "m", good }, { 0 } };
  GError *error = NULL;

  g_assert_true (tractor__modules_check (modules, &error));
  g_assert_true (tractor__modules_check (NULL, &error));
  g_assert_no_error (error);
}

/* Wherever it stands. */
static void
test_bad (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    const TractorExport exports[] = { good[0], bad[i].export, { 0 } };
    const TractorModule modules[] = { { "before", good }, { "m", exports }, { 0 } };
    GError *error = NULL;

    g_assert_false (tractor__modules_check (modules, &error));
    g_assert_nonnull (strstr (error->message, bad[i].mistake));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
}

static void
test_module_that_is_not_utf8 (void)
{
  const TractorModule modules[] = { { "m\xff", good }, { 0 } };
  GError *error = NULL;

  g_assert_false (tractor__modules_check (modules, &error));
  g_assert_nonnull (strstr (error->message, "UTF-8"));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

/* The second of two would never be called, and what stands behind a colon is a function's name. */
static void
test_ambiguous (void)
{
  const TractorExport twice[] = { good[1], good[2], good[1], { 0 } };
  const struct {
    TractorModule modules[3];
    const char *mistake;
  } ambiguous[] = {
    { { { "m", twice } }, "'m:call' (CALL) is listed twice" },
    { { { "m", good }, { "m", NULL } }, "The module 'm' is listed twice" },
    { { { "m:n", NULL } }, "The module 'm:n' has a colon in its name" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (ambiguous); i++) {
    GError *error = NULL;

    g_assert_false (tractor__modules_check (ambiguous[i].modules, &error));
    g_assert_nonnull (strstr (error->message, ambiguous[i].mistake));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  }
}

/* A program that is no actor either: it would find out in its children. */
static void
test_at_the_start (void)
{
  const TractorExport exports[] = { bad[0].export, { 0 } };
  const TractorModule modules[] = { { "m", exports }, { 0 } };
  static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };
  char *argv[] = { (char *) "program", NULL };
  int status = -1;

  g_assert_true (tractor_child_main (1, argv, modules, runners, &status));
  g_assert_cmpint (status, ==, 2);
}

/* And a runtime that serves others without children. */
static gboolean
test_of_a_runtime (G_GNUC_UNUSED gpointer data, GError **error)
{
  const TractorExport exports[] = { bad[0].export, { 0 } };
  const TractorModule modules[] = { { "m", exports }, { 0 } };

  g_assert_null (tractor_runtime_open (&(TractorRuntimeOptions){ .modules = modules }, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/exports/good", test_good);
  harness_add ("/exports/bad", test_bad);
  harness_add ("/exports/module-that-is-not-utf8", test_module_that_is_not_utf8);
  harness_add ("/exports/ambiguous", test_ambiguous);
  harness_add ("/exports/at-the-start", test_at_the_start);
  harness_add_real_task ("/exports/of-a-runtime", test_of_a_runtime);
  return harness_run ();
}
