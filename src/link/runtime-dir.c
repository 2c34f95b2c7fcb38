/* runtime-dir.c - the private directory that Unix sockets are kept in.
 *
 * It is the gate: who cannot enter it cannot connect, whatever the mode of a socket is meanwhile.
 * So each component that is ours to make, $XDG_RUNTIME_DIR and "tractor" in it, or else
 * /tmp/tractor-UID, is made if it is missing, then opened, never through a symbolic link, and looked
 * at through what was opened: a directory, ours, with nothing for group and others. What is below
 * goes on from that descriptor, so nothing can be swapped in between.
 *
 * What was there before us is never repaired: a directory that another user could write to may
 * already hold what that user wants us to find. We say what is wrong, and end there.
 *
 * A program with more rights than its user (AT_SECURE) does not let the environment say where.
 *
 * The name of an actor's socket follows from the actor's uuid. So whoever has started it knows it before it
 * is there, and can take it away if the actor was killed before it could say where it listens. Whoever has
 * nobody above to do that is swept up after by the next root that starts here. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "runtime-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stdio-fd.h"
#include "tractor-discovery.h"

static const char *
find_problem (const struct stat *status)
{
  if (S_ISLNK (status->st_mode))
    return "is a symbolic link";
  if (!S_ISDIR (status->st_mode))
    return "is no directory";
  if (status->st_uid != geteuid ())
    return "belongs to another user";
  if ((status->st_mode & 077) != 0)
    return "is open to other users";
  return NULL;
}

static gboolean
check (const char *path, const struct stat *status, GError **error)
{
  const char *problem = find_problem (status);

  if (problem == NULL)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
               "No socket can be kept in '%s', which %s (owner %u, mode %04o): it has to be a "
               "directory of user %u with mode 0700. Move it away, correct it, or set "
               "XDG_RUNTIME_DIR to another directory",
               path, problem, status->st_uid, status->st_mode & 07777, geteuid ());
  return FALSE;
}

static gboolean
set_file_error (GError **error, int errno_value, const char *what, const char *path)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno_value), "cannot %s '%s': %s",
               what, path, g_strerror (errno_value));
  return FALSE;
}

/* Why it could not be opened: mostly because it is not what it should be. */
static gboolean
explain (int parent_fd, const char *name, const char *path, int errno_value, GError **error)
{
  struct stat status;

  if (fstatat (parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && !check (path, &status, error))
    return FALSE;
  return set_file_error (error, errno_value, "open", path);
}

/* @path: for people; @name is seen from @parent_fd. */
static gboolean
open_component (int parent_fd, const char *name, const char *path, int *ret_fd, GError **error)
{
  struct stat status;
  int fd;

  if (mkdirat (parent_fd, name, 0700) != 0 && errno != EEXIST)
    return set_file_error (error, errno, "make the directory", path);
  fd = openat (parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return explain (parent_fd, name, path, errno, error);
  if (keep_off_stdio (&fd) != 0 || fstat (fd, &status) != 0) {
    set_file_error (error, errno, "open", path);
    close (fd);
    return FALSE;
  }
  if (!check (path, &status, error)) {
    close (fd);
    return FALSE;
  }
  *ret_fd = fd;
  return TRUE;
}

/* (transfer full) (nullable): what is to be around it, if the environment says so. */
static char *
dup_parent (void)
{
  const char *variable = secure_getenv ("XDG_RUNTIME_DIR");

  /* A '/' at its end would follow a symbolic link. */
  return variable != NULL && g_path_is_absolute (variable) ? g_canonicalize_filename (variable, "/")
                                                           : NULL;
}

char *
tractor_dup_socket_directory (void)
{
  g_autofree char *parent = dup_parent ();

  return parent != NULL ? g_build_filename (parent, "tractor", NULL)
                        : g_strdup_printf ("/tmp/tractor-%u", geteuid ());
}

gboolean
tractor__runtime_dir_open (RuntimeDir *ret_dir, GError **error)
{
  g_autofree char *parent = dup_parent ();
  g_autofree char *path = tractor_dup_socket_directory ();
  int parent_fd;
  gboolean ok;

  if (parent != NULL) {
    if (!open_component (AT_FDCWD, parent, parent, &parent_fd, error))
      return FALSE;
    ok = open_component (parent_fd, "tractor", path, &ret_dir->fd, error);
    close (parent_fd);
  } else {
    ok = open_component (AT_FDCWD, path, path, &ret_dir->fd, error);
  }
  if (ok)
    ret_dir->path = g_steal_pointer (&path);
  return ok;
}

void
tractor__runtime_dir_clear (RuntimeDir *dir)
{
  if (dir->path != NULL)
    close (dir->fd);
  g_clear_pointer (&dir->path, g_free);
  dir->fd = -1;
}

/* --- the names of sockets ---------------------------------------------------------------------- */

#define NAME_DIGITS 16
#define NAME_END    ".sock"

char *
tractor__runtime_dir_make_socket_path (const RuntimeDir *dir, const char *uuid)
{
  g_autofree char *digits = g_compute_checksum_for_string (G_CHECKSUM_SHA256, uuid, -1);

  return g_strdup_printf ("%s/%.*s" NAME_END, dir->path, NAME_DIGITS, digits);
}

static gboolean
is_name_of_ours (const char *name)
{
  return strspn (name, "0123456789abcdef") == NAME_DIGITS &&
         strcmp (name + NAME_DIGITS, NAME_END) == 0;
}

void
tractor__runtime_dir_sweep (void)
{
  g_auto (RuntimeDir) dir = { NULL, -1 };
  g_autoptr (GDir) files = NULL;
  const char *name;

  if (!tractor__runtime_dir_open (&dir, NULL))
    return;
  files = g_dir_open (dir.path, 0, NULL);
  while (files != NULL && (name = g_dir_read_name (files)) != NULL) {
    g_autofree char *path = g_build_filename (dir.path, name, NULL);

    if (is_name_of_ours (name))
      tractor_socket_remove_dead (path, NULL);
  }
}
