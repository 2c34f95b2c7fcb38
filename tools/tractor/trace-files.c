/* trace-files.c - files that actors have left what they noted in, and the one that is made of them.
 *
 * They are kept in a directory of ours beside that one, where there is room, while the tree of a program runs. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "trace-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "output.h"
#include "ring.h"
#include "timeline.h"

/* --- reading ------------------------------------------------------------------------------------- */

static gboolean
add_file (GPtrArray *rings, const char *path, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  Ring *ring;

  if (fd < 0) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "cannot open '%s': %s", path,
                 g_strerror (errno));
    return FALSE;
  }
  ring = ring_read (fd, path, error);
  close (fd);
  if (ring != NULL)
    g_ptr_array_add (rings, ring);
  return ring != NULL;
}

static gboolean
add_directory (GPtrArray *rings, const char *path, GError **error)
{
  g_autoptr (GDir) directory = g_dir_open (path, 0, error);
  const char *name;

  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL) {
    g_autofree char *file = g_build_filename (path, name, NULL);

    if (g_str_has_suffix (name, ".ring") && !add_file (rings, file, error))
      return FALSE;
  }
  return directory != NULL;
}

/* Who was there first: so parents before children. */
static int
compare_begin (gconstpointer a, gconstpointer b)
{
  const Ring *const *one = a;
  const Ring *const *other = b;
  guint64 ticks[2] = { 0, 0 };

  if ((*one)->records->len > 0)
    ticks[0] = g_array_index ((*one)->records, TractorTraceRecord, 0).ticks;
  if ((*other)->records->len > 0)
    ticks[1] = g_array_index ((*other)->records, TractorTraceRecord, 0).ticks;
  return ticks[0] < ticks[1] ? -1 : ticks[0] > ticks[1];
}

GPtrArray *
trace_files_read (const char *const *paths, GError **error)
{
  g_autoptr (GPtrArray) rings = g_ptr_array_new_with_free_func (ring_free);

  for (; *paths != NULL; paths++)
    if (!(g_file_test (*paths, G_FILE_TEST_IS_DIR) ? add_directory (rings, *paths, error)
                                                   : add_file (rings, *paths, error)))
      return NULL;
  if (rings->len == 0) {
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "No actor has left a trace");
    return NULL;
  }
  g_ptr_array_sort (rings, compare_begin);
  return g_steal_pointer (&rings);
}

/* --- where they are ------------------------------------------------------------------------------- */

char *
trace_files_make_directory (const char *output, GError **error)
{
  g_autofree char *path = g_strconcat (output, ".XXXXXX", NULL);

  if (g_mkdtemp (path) == NULL) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "cannot make '%s': %s", path,
                 g_strerror (errno));
    return NULL;
  }
  return g_canonicalize_filename (path, NULL); /* its actors may be elsewhere */
}

void
trace_files_remove (const char *path)
{
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);
  const char *name;

  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL) {
    g_autofree char *file = g_build_filename (path, name, NULL);

    g_unlink (file);
  }
  g_rmdir (path);
}

/* --- what is made of them -------------------------------------------------------------------------- */

gboolean
trace_files_write (const char *path, const GPtrArray *rings, GError **error)
{
  Output *output = output_open (path, error);

  if (output == NULL)
    return FALSE;
  timeline_write (output_get_file (output), rings);
  return output_close (output, error);
}
