/* test-error-types.c - what errors are called on the wire, and what the names of Python's are here. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <gio/gio.h>

#include "error-types.h"
#include "harness.h"
#include "tractor-actor.h"

static void
assert_name (GQuark domain, int code, const char *expected)
{
  g_autoptr (GError) error = g_error_new_literal (domain, code, "");

  g_assert_cmpstr (tractor__error_type_get_name (error), ==, expected);
}

static void
assert_stands_for (const char *name, GQuark domain, int code)
{
  const char *found_domain = NULL;
  int found_code = -1;

  g_assert_true (tractor__error_type_find (name, &found_domain, &found_code));
  g_assert_cmpstr (found_domain, ==, g_quark_to_string (domain));
  g_assert_cmpint (found_code, ==, code);
}

static void
test_names (void)
{
  assert_name (TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED, "ContextCancelled");
  assert_name (TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED, "ModuleNotExposed");
  assert_name (TRACTOR_ERROR, TRACTOR_ERROR_CLOSED, "ClosedResourceError");
  assert_name (TRACTOR_ERROR, TRACTOR_ERROR_HOST_CANCELLED, "AsyncioCancelled");
  assert_name (TRACTOR_ERROR, TRACTOR_ERROR_DEBUG_QUIT, "BdbQuit");
  assert_name (G_FILE_ERROR, G_FILE_ERROR_NOENT, "FileNotFoundError");
  assert_name (G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "ValueError");
}

/* What has no name is an OSError if it is one of files, and a RuntimeError else. */
static void
test_no_name (void)
{
  assert_name (G_FILE_ERROR, G_FILE_ERROR_NXIO, "OSError");
  assert_name (G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "RuntimeError");
}

static void
test_pythons (void)
{
  assert_stands_for ("TimeoutError", TRACTOR_ERROR, TRACTOR_ERROR_TOO_SLOW);
  assert_stands_for ("KeyError", G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND);
  /* Of an infected asyncio actor: its task has cancelled itself, or has ended while somebody waited. */
  assert_stands_for ("AsyncioCancelled", TRACTOR_ERROR, TRACTOR_ERROR_HOST_CANCELLED);
  assert_stands_for ("BdbQuit", TRACTOR_ERROR, TRACTOR_ERROR_DEBUG_QUIT);
  assert_stands_for ("AsyncioTaskExited", TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  assert_stands_for ("TrioTaskExited", TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
}

static void
test_unknown (void)
{
  const char *domain;
  int code;

  g_assert_false (tractor__error_type_find ("OutOfPaper", &domain, &code));
  tractor_error_type_register ("OutOfPaper", G_FILE_ERROR, G_FILE_ERROR_NXIO);
  assert_stands_for ("OutOfPaper", G_FILE_ERROR, G_FILE_ERROR_NXIO);
  assert_name (G_FILE_ERROR, G_FILE_ERROR_NXIO, "OutOfPaper");
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);

  harness_add ("/error-types/names", test_names);
  harness_add ("/error-types/no-name", test_no_name);
  harness_add ("/error-types/pythons", test_pythons);
  harness_add ("/error-types/registered", test_unknown);
  return harness_run ();
}
