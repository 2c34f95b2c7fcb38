/* output.c - a file that a command writes, which nobody else may read.
 *
 * What actors do is nobody else's matter, also where there is a file of that name already, which others may have open, or
 * are allowed to read. So it is a new one, which takes the place of the old one when all is in it; and until then it has no
 * name, where the file system can do that, so nothing is left of it if we are killed.
 *
 * What is no file, as a pipe or a device, is written to as it is. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* For a name that nobody has: more than enough. */
#define MAX_NAMES 100

struct _Output {
  char *path;      /* as it was given */
  char *place;     /* where it is to be; NULL: it is there already */
  char *temporary; /* (nullable): the name that it has until then */
  FILE *file;
};

void
output_discard (Output *output)
{
  if (output->file != NULL)
    fclose (output->file);
  if (output->temporary != NULL)
    unlink (output->temporary);
  g_free (output->temporary);
  g_free (output->place);
  g_free (output->path);
  g_free (output);
}

/* @output: (transfer full) */
static void
fail (Output *output, GError **error)
{
  int saved = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved), "'%s' cannot be written: %s",
               output->path, g_strerror (saved));
  output_discard (output);
}

static gboolean
is_no_file (const char *path)
{
  struct stat status;

  return stat (path, &status) == 0 && !S_ISREG (status.st_mode);
}

/* (transfer full): where links lead to. */
static char *
find_place (const char *path)
{
  char *real = realpath (path, NULL);
  char *place = g_strdup (real != NULL ? real : path);

  free (real);
  return place;
}

static int
open_temporary (Output *output)
{
  g_autofree char *directory = g_path_get_dirname (output->place);
  int fd = open (directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL))
    return fd;
  output->temporary = g_strconcat (output->place, ".XXXXXX", NULL);
  fd = g_mkstemp_full (output->temporary, O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0)
    g_clear_pointer (&output->temporary, g_free);
  return fd;
}

Output *
output_open (const char *path, GError **error)
{
  Output *output = g_new0 (Output, 1);
  int fd;

  output->path = g_strdup (path);
  if (is_no_file (path)) {
    fd = open (path, O_WRONLY | O_CLOEXEC);
  } else {
    output->place = find_place (path);
    fd = open_temporary (output);
  }
  output->file = fd >= 0 ? fdopen (fd, "w") : NULL;
  if (output->file != NULL)
    return output;
  fail (output, error);
  return NULL;
}

FILE *
output_get_file (const Output *output)
{
  return output->file;
}

/* A name that it can be renamed from, as a link takes nothing's place. */
static gboolean
give_name (Output *output)
{
  g_autofree char *self = g_strdup_printf ("/proc/self/fd/%d", fileno (output->file));

  for (guint i = 0; i < MAX_NAMES; i++) {
    g_autofree char *name = g_strdup_printf ("%s.%08x", output->place, g_random_int ());

    if (linkat (AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0) {
      output->temporary = g_steal_pointer (&name);
      return TRUE;
    }
    if (errno != EEXIST)
      return FALSE;
  }
  return FALSE;
}

static gboolean
finish_file (Output *output)
{
  FILE *file = output->file;
  gboolean ok = fflush (file) == 0 && !ferror (file) &&
                (output->place == NULL || output->temporary != NULL || give_name (output));
  int saved = errno;

  output->file = NULL;
  if (fclose (file) != 0)
    return FALSE;
  errno = saved;
  return ok;
}

gboolean
output_close (Output *output, GError **error)
{
  if (!finish_file (output) ||
      (output->place != NULL && rename (output->temporary, output->place) != 0)) {
    fail (output, error);
    return FALSE;
  }
  g_clear_pointer (&output->temporary, g_free);
  output_discard (output);
  return TRUE;
}
