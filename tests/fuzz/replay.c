/* replay.c - a target without libFuzzer: each file of its corpus is a test. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

static void
replay (gconstpointer data)
{
  const char *path = data;
  g_autofree char *bytes = NULL;
  g_autoptr (GError) error = NULL;
  gsize length;

  g_file_get_contents (path, &bytes, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpint (LLVMFuzzerTestOneInput ((const guint8 *) bytes, length), ==, 0);
}

int
main (int argc, char **argv)
{
  const char *target = CORPUS_DIR "/" TARGET;
  g_autoptr (GDir) corpus = NULL;
  g_autoptr (GError) error = NULL;
  const char *name;

  g_test_init (&argc, &argv, NULL);
  corpus = g_dir_open (target, 0, &error);
  g_assert_no_error (error);
  while ((name = g_dir_read_name (corpus)) != NULL) {
    g_autofree char *path = g_strdup_printf ("/fuzz/" TARGET "/%s", name);

    g_test_add_data_func_full (path, g_build_filename (target, name, NULL), replay, g_free);
  }
  return g_test_run ();
}
