/* gdb.c - gdb, with the commands for tasks.
 *
 * It finds a process, its program and the user's own settings as ever. What is added is the script that shows tasks
 * (tools/gdb), from beside us in a build, or from where it is installed: gdb loads it by itself only from directories that
 * it trusts. Scripts of other libraries (pretty printers) are left out for that. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "gdb.h"

#include <errno.h>
#include <unistd.h>

#include "parts.h"

void
gdb_become (const char *const *arguments, GError **error)
{
  /* As in debug mode: there is no page to turn, and no library is named, before one sees where it stands. */
  static const char *const before[] = { "gdb",  "-q",
                                        "-iex", "set pagination off",
                                        "-iex", "set print symbol-loading off" };
  g_autofree char *script = parts_dup_gdb_script ();
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  int saved;

  for (guint i = 0; i < G_N_ELEMENTS (before); i++)
    g_ptr_array_add (argv, (char *) before[i]);
  if (script != NULL) {
    /* Not twice, nor with a warning that it is not trusted where the library is. */
    g_ptr_array_add (argv, (char *) "-iex");
    g_ptr_array_add (argv, (char *) "set auto-load python-scripts off");
    g_ptr_array_add (argv, (char *) "-x");
    g_ptr_array_add (argv, script);
  }
  for (; *arguments != NULL; arguments++)
    g_ptr_array_add (argv, (char *) *arguments);
  g_ptr_array_add (argv, NULL);
  execvp ("gdb", (char *const *) argv->pdata);
  saved = errno;
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved),
               "gdb cannot be started (%s): is it installed?", g_strerror (saved));
}
