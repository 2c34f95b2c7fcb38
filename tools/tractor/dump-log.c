/* dump-log.c - a file that dumps are added to, one after another, and said on stderr.
 *
 * Several may be asked for at once, of the same tree or of parts of it: who has the lock of the file writes to it, and then
 * to stderr, what is one dump. So neither has two of them mixed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dump-log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct _DumpLog {
  char *path;
  FILE *file;
  off_t begins_at;
};

static gboolean
set_file_error (GError **error, const char *path)
{
  int saved = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved), "'%s' cannot be written: %s",
               path, g_strerror (saved));
  return FALSE;
}

static void
dump_log_free (DumpLog *log)
{
  if (log->file != NULL)
    fclose (log->file);
  g_free (log->path);
  g_free (log);
}

static gboolean
open_file (DumpLog *log)
{
  /* What actors do is nobody else's matter. */
  int fd = open (log->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  int locked;

  log->file = fd >= 0 ? fdopen (fd, "a") : NULL;
  if (log->file == NULL)
    return FALSE;
  do
    locked = flock (fd, LOCK_EX);
  while (locked != 0 && errno == EINTR);
  log->begins_at = locked == 0 ? lseek (fd, 0, SEEK_END) : -1;
  return log->begins_at >= 0;
}

DumpLog *
dump_log_open (const char *path, GError **error)
{
  DumpLog *log = g_new0 (DumpLog, 1);

  log->path = g_strdup (path);
  if (open_file (log))
    return log;
  set_file_error (error, path);
  dump_log_free (log);
  return NULL;
}

FILE *
dump_log_get_file (DumpLog *log)
{
  return log->file;
}

/* In as few pieces as stderr takes it. */
static void
say (const char *text, gsize length)
{
  gssize n;

  do {
    n = write (STDERR_FILENO, text, length);
    if (n > 0) {
      text += n;
      length -= (gsize) n;
    }
  } while (length > 0 && (n > 0 || (n < 0 && errno == EINTR)));
}

static gboolean
say_what_was_added (DumpLog *log)
{
  off_t end = lseek (fileno (log->file), 0, SEEK_END);
  gsize length = end > log->begins_at ? (gsize) (end - log->begins_at) : 0;
  g_autofree char *text = g_malloc (length);
  gsize at = 0;
  gssize n;

  while (at < length &&
         (n = pread (fileno (log->file), text + at, length - at, log->begins_at + (off_t) at)) > 0)
    at += (gsize) n;
  say (text, at);
  return at == length;
}

gboolean
dump_log_close (DumpLog *log, GError **error)
{
  gboolean ok = fflush (log->file) == 0 && !ferror (log->file) && say_what_was_added (log);

  if (!ok)
    set_file_error (error, log->path);
  dump_log_free (log);
  return ok;
}
