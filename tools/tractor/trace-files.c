/* trace-files.c - files that actors have left what they noted in, and the one that is made of them.
 *
 * While the tree of a program runs they are kept in a directory of ours beside that one, where there is room; or in the one
 * that the user has named for them, and what is there stays there. One that cannot be read is left out: an actor that was
 * killed as it began has left nothing in it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "trace-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "output.h"
#include "ring.h"
#include "text.h"
#include "timeline.h"

/* --- reading ------------------------------------------------------------------------------------- */

/* @problem: (transfer full) */
static void
leave_out (GError *problem)
{
  g_autofree char *text = text_escape (problem->message);

  fprintf (stderr, "tractor: %s: it is left out\n", text);
  g_error_free (problem);
}

static void
add_file (GPtrArray *rings, const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  GError *problem = NULL;
  Ring *ring = NULL;

  if (fd < 0) {
    g_set_error (&problem, G_FILE_ERROR, g_file_error_from_errno (errno), "cannot open '%s': %s",
                 path, g_strerror (errno));
  } else {
    ring = ring_read (fd, path, &problem);
    close (fd);
  }
  if (ring != NULL)
    g_ptr_array_add (rings, ring);
  else
    leave_out (problem);
}

/* (transfer full) (element-type filename): of rings; empty, with @error set, if it cannot be read. */
static GPtrArray *
list_directory (const char *path, GError **error)
{
  GPtrArray *files = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) directory = g_dir_open (path, 0, error);
  const char *name;

  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL)
    if (g_str_has_suffix (name, ".ring"))
      g_ptr_array_add (files, g_build_filename (path, name, NULL));
  return files;
}

/* @before: (nullable): those that it had then are none of these. */
static void
add_directory (GPtrArray *rings, const char *path, const GPtrArray *before)
{
  GError *problem = NULL;
  g_autoptr (GPtrArray) files = list_directory (path, &problem);

  if (problem != NULL)
    leave_out (problem);
  for (guint i = 0; i < files->len; i++)
    if (before == NULL || !g_ptr_array_find_with_equal_func ((GPtrArray *) before, files->pdata[i],
                                                             g_str_equal, NULL))
      add_file (rings, files->pdata[i]);
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

/* @rings: (transfer full). Returns: (transfer full): NULL with @error set. */
static GPtrArray *
sort (GPtrArray *rings, GError **error)
{
  if (rings->len == 0) {
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "No actor has left a trace");
    g_ptr_array_unref (rings);
    return NULL;
  }
  g_ptr_array_sort (rings, compare_begin);
  return rings;
}

GPtrArray *
trace_files_read (const char *const *paths, GError **error)
{
  GPtrArray *rings = g_ptr_array_new_with_free_func (ring_free);

  for (; *paths != NULL; paths++)
    if (g_file_test (*paths, G_FILE_TEST_IS_DIR))
      add_directory (rings, *paths, NULL);
    else
      add_file (rings, *paths);
  return sort (rings, error);
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

/* --- of a program --------------------------------------------------------------------------------- */

struct _TraceFolder {
  char *path;
  GPtrArray *before; /* (nullable) (element-type filename): what was in it; NULL: it is ours */
};

static char *
make_directory (const char *output, GError **error)
{
  g_autofree char *path = g_strconcat (output, ".XXXXXX", NULL);

  if (g_mkdtemp (path) == NULL) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "cannot make '%s': %s", path,
                 g_strerror (errno));
    return NULL;
  }
  return g_canonicalize_filename (path, NULL); /* its actors may be elsewhere */
}

TraceFolder *
trace_folder_open (const char *output, GError **error)
{
  const char *users = g_getenv (TRACE_VARIABLE);
  gboolean is_ours = users == NULL || *users == '\0';
  char *path = is_ours ? make_directory (output, error) : g_canonicalize_filename (users, NULL);
  TraceFolder *folder;

  if (path == NULL)
    return NULL;
  folder = g_new0 (TraceFolder, 1);
  folder->path = path;
  if (!is_ours)
    folder->before = list_directory (path, NULL);
  return folder;
}

const char *
trace_folder_get_path (const TraceFolder *folder)
{
  return folder->path;
}

static void
remove_directory (const char *path)
{
  g_autoptr (GPtrArray) files = list_directory (path, NULL);

  for (guint i = 0; i < files->len; i++)
    g_unlink (files->pdata[i]);
  g_rmdir (path);
}

gboolean
trace_folder_write (TraceFolder *folder, const char *output, GError **error)
{
  GPtrArray *all = g_ptr_array_new_with_free_func (ring_free);
  g_autoptr (GPtrArray) rings = NULL;

  add_directory (all, folder->path, folder->before);
  rings = sort (all, error);
  if (rings == NULL || !trace_files_write (output, rings, error))
    return FALSE;
  if (folder->before == NULL)
    remove_directory (folder->path);
  return TRUE;
}

void
trace_folder_close (TraceFolder *folder)
{
  if (folder->before != NULL)
    g_ptr_array_unref (folder->before);
  else if (g_rmdir (folder->path) != 0 && errno != ENOENT)
    fprintf (stderr,
             "tractor: what its actors have left is kept: `tractor trace --merge -o FILE %s` makes "
             "a file of it\n",
             folder->path);
  g_free (folder->path);
  g_free (folder);
}
