/* fuzz-python-argv.c - the command line of a Python parent: what is accepted can be built again. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"
#include "python-argv.h"

#define MOST_ARGUMENTS 40

/* (transfer full) (array zero-terminated=1): the first byte says whether it begins as such a command
 * line does; NULs separate the rest. */
static char **
make_argv (const guint8 *bytes, gsize length)
{
  GStrvBuilder *argv = g_strv_builder_new ();
  char **result;
  guint n = 0;

  if (bytes[0] & 1)
    g_strv_builder_add_many (argv, "python", "-m", "tractor._child", "--uid", NULL);
  for (gsize start = 1, i = 1; i <= length && n < MOST_ARGUMENTS; i++)
    if (i == length || bytes[i] == '\0') {
      g_autofree char *argument = g_strndup ((const char *) bytes + start, i - start);

      g_strv_builder_add (argv, argument);
      start = i + 1;
      n++;
    }
  result = g_strv_builder_end (argv);
  g_strv_builder_unref (argv);
  return result;
}

static void
build_again (const PythonArgv *argv)
{
  g_auto (GStrv) built = tractor__python_argv_build ("python3", argv);
  g_auto (PythonArgv) again = { 0 };
  GError *error = NULL;
  gboolean ok = tractor__python_argv_parse ((int) g_strv_length (built), built, &again, &error);

  g_assert_no_error (error);
  g_assert_true (ok);
  g_assert_true (actor_id_equal (&again.id, &argv->id));
  g_assert_true (tractor__address_equal (&again.parent, &argv->parent));
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize length)
{
  g_auto (GStrv) arguments = length > 0 ? make_argv (bytes, length) : NULL;
  g_auto (PythonArgv) argv = { 0 };
  GError *error = NULL;

  if (arguments == NULL)
    return 0;
  if (tractor__python_argv_parse ((int) g_strv_length (arguments), arguments, &argv, &error)) {
    g_assert_no_error (error);
    g_assert_true (argv.id.name != NULL && argv.id.uuid != NULL);
    if (argv.parent.kind != ADDRESS_NONE)
      build_again (&argv);
  }
  g_clear_error (&error);
  return 0;
}
