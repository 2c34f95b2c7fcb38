/* actor-trace.c - what actors do with each other, noted in the trace of their run, if it has one.
 *
 * A message gets a number that its sender and its receiver work out by themselves, so that whoever has both traces finds the
 * two ends of it, and nothing of that is on the wire.
 *
 * A trace is in a file: of a directory that TRACTOR_TRACE names, or in memory, for who asks for it over a connection. Its
 * room is there before it begins: to find in the middle of a trace that the disk is full would be a SIGBUS. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "actor-trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tractor-error.h"

#define VARIABLE "TRACTOR_TRACE"
/* The last million events: a second of a program that does nothing else, or some minutes. */
#define TRACE_BYTES                                                                                \
  ((off_t) (TRACTOR_TRACE_HEADER_BYTES + (gsize) (1 << 20) * sizeof (TractorTraceRecord)))

guint tractor__n_traces;

/* In the locals of a run that is traced: what its actor's messages are known by. */
static const char key;

/* --- messages ---------------------------------------------------------------------------------- */

static guint64
mix (guint64 hash, guint64 more)
{
  hash = (hash ^ more) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  return hash ^ hash >> 29;
}

static guint64
mix_text (guint64 hash, const char *text, gsize length)
{
  guint64 eight;

  for (; length >= sizeof eight; text += sizeof eight, length -= sizeof eight) {
    memcpy (&eight, text, sizeof eight);
    hash = mix (hash, eight);
  }
  for (eight = 0; length > 0; length--)
    eight = eight << 8 | (guchar) *text++;
  return mix (hash, eight);
}

static guint64
number_sender (const char *uuid)
{
  return mix_text (0, uuid, strlen (uuid)) | 1; /* a pointer that is not NULL */
}

static guint64
number_message (guint64 sender, guint type, const char *cid, gsize cid_length, guint64 n_before)
{
  return mix (mix_text (mix (sender, type), cid, cid_length), n_before);
}

void
tractor__trace_sent (guint type, const char *cid, guint64 n_before, const char *function)
{
  guint64 self = GPOINTER_TO_SIZE (tractor_run_local_get (&key));

  if (self != 0)
    tractor_run_trace (TRACTOR_TRACE_SENT, type,
                       number_message (self, type, cid, strlen (cid), n_before), function);
}

void
tractor__trace_came (TractorActorTracePoint point,
                     guint type,
                     const char *cid,
                     gsize cid_length,
                     guint64 n_before,
                     const char *sender)
{
  tractor_run_trace (
      point, type, number_message (number_sender (sender), type, cid, cid_length, n_before), NULL);
}

/* --- its file ---------------------------------------------------------------------------------- */

static gboolean
set_errno_error (GError **error, const char *what, const char *path)
{
  int saved_errno = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved_errno), "cannot %s '%s': %s",
               what, path, g_strerror (saved_errno));
  return FALSE;
}

/* A file that is larger than any may be would be the end of us, by SIGXFSZ. */
static gboolean
check_may_be_so_large (GError **error)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur >= (rlim_t) TRACE_BYTES)
    return TRUE;
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
                       "a trace is larger than a file of this process may be (RLIMIT_FSIZE)");
  return FALSE;
}

/* Returns: FALSE with errno set. */
static gboolean
reserve (int fd)
{
  return fallocate (fd, 0, 0, TRACE_BYTES) == 0 ||
         ((errno == EOPNOTSUPP || errno == ENOSYS) && posix_fallocate (fd, 0, TRACE_BYTES) == 0);
}

static int
make_file (const char *path, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (path);
  int fd;

  if (!check_may_be_so_large (error))
    return -1;
  if (mkdir (directory, 0700) != 0 && errno != EEXIST) {
    set_errno_error (error, "make the directory", directory);
    return -1;
  }
  fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    set_errno_error (error, "make", path);
    return -1;
  }
  if (reserve (fd))
    return fd;
  set_errno_error (error, "find room for", path);
  unlink (path);
  close (fd);
  return -1;
}

static int
make_memory (GError **error)
{
  int fd = -1;

  if (!check_may_be_so_large (error))
    return -1;
  fd = memfd_create ("tractor-trace", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  /* Whoever is given it can take nothing away from under us. */
  if (fd >= 0 && ftruncate (fd, TRACE_BYTES) == 0 &&
      fcntl (fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
    return fd;
  set_errno_error (error, "make memory for", "a trace");
  if (fd >= 0)
    close (fd);
  return -1;
}

/* --- its life ---------------------------------------------------------------------------------- */

static gboolean
begin (int fd, const char *name, const char *uuid, GError **error)
{
  if (!tractor_run_start_trace (fd, name, error))
    return FALSE;
  tractor_run_local_set (&key, GSIZE_TO_POINTER (number_sender (uuid)));
  __atomic_add_fetch (&tractor__n_traces, 1, __ATOMIC_RELAXED);
  return TRUE;
}

void
tractor__trace_actor (const char *name, const char *uuid)
{
  const char *directory = secure_getenv (VARIABLE);
  g_autoptr (GError) error = NULL;
  g_autofree char *file = NULL;
  g_autofree char *path = NULL;
  int fd;

  if (directory == NULL || *directory == '\0')
    return;
  file = g_strdup_printf ("%d-%08x.ring", (int) getpid (), (guint) number_sender (uuid));
  path = g_build_filename (directory, file, NULL);
  fd = make_file (path, &error);
  if (fd >= 0) {
    if (!begin (fd, name, uuid, &error))
      unlink (path);
    close (fd);
  }
  if (error != NULL)
    g_printerr ("tractor: actor '%s' is not traced (" VARIABLE "): %s\n", name, error->message);
}

int
tractor__trace_actor_in_memory (const char *name, const char *uuid, GError **error)
{
  int fd = make_memory (error);

  if (fd < 0 || begin (fd, name, uuid, error))
    return fd;
  close (fd);
  return -1;
}

void
tractor__trace_actor_end (void)
{
  if (tractor_run_local_get (&key) == NULL)
    return;
  tractor_run_local_set (&key, NULL);
  __atomic_sub_fetch (&tractor__n_traces, 1, __ATOMIC_RELAXED);
  tractor_run_stop_trace ();
}
