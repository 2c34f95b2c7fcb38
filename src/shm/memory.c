/* memory.c - blocks of memory that actors share.
 *
 * A block is a memfd. Who maps a file that another process can shrink is killed by a SIGBUS, so one is sealed
 * when it is made, and one that comes from a peer is taken only if it is. Of memory, that is: a file of
 * hugetlbfs has seals, too, but not always pages.
 *
 * That others may only read is no matter of how the descriptor was opened, for who has one can open it anew. It
 * is a seal again (F_SEAL_FUTURE_WRITE): what is mapped by then can be written to, what is mapped later cannot.
 * */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "stdio-fd.h"
#include "tractor-shm.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* --- memory with a descriptor ---------------------------------------------------------------------- */

gboolean
tractor__memory_set_errno_error (const char *what, GError **error)
{
  int saved_errno = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved_errno), "%s: %s", what,
               g_strerror (saved_errno));
  return FALSE;
}

int
tractor__memory_make (const char *name, gsize size, GError **error)
{
  int fd = memfd_create (name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

  if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
    fd = memfd_create (name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (keep_off_stdio (&fd) == 0 && ftruncate (fd, (off_t) size) == 0)
    return fd;
  tractor__memory_set_errno_error ("Cannot make memory to be shared", error);
  close_fd (&fd);
  return -1;
}

gboolean
tractor__memory_seal (int fd, int more_seals, GError **error)
{
  return fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | more_seals) == 0 ||
         tractor__memory_set_errno_error ("Cannot seal memory to be shared", error);
}

static gboolean
is_memory (int fd)
{
  struct statfs statfs;

  return fstatfs (fd, &statfs) == 0 && statfs.f_type == TMPFS_MAGIC;
}

gboolean
tractor__memory_check (int fd, guint64 *ret_size, GError **error)
{
  struct stat stat;
  int seals;

  if (fstat (fd, &stat) != 0)
    return tractor__memory_set_errno_error ("Cannot look at a descriptor", error);
  seals = is_memory (fd) ? fcntl (fd, F_GET_SEALS) : -1;
  if (seals < 0 || stat.st_size <= 0) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                         "The descriptor is not one of memory that is shared");
    return FALSE;
  }
  if ((seals & F_SEAL_SHRINK) == 0) {
    g_set_error_literal (
        error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
        "Shared memory that its maker can shrink is not mapped: it has to be sealed "
        "with F_SEAL_SHRINK, as tractor_shm_new() does");
    return FALSE;
  }
  *ret_size = (guint64) stat.st_size;
  return TRUE;
}

/* --- blocks ---------------------------------------------------------------------------------------- */

struct _TractorShm {
  gatomicrefcount n_refs;
  int fd;
  gsize size;
  gpointer data;
  gboolean is_read_only;
};

/* Returns: (nullable): with errno set. */
static gpointer
map (int fd, gsize size, gboolean is_read_only)
{
  gpointer data =
      mmap (NULL, size, is_read_only ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  return data != MAP_FAILED ? data : NULL;
}

/* @fd: (transfer full): closed if this fails */
static TractorShm *
shm_new (int fd, gsize size, gboolean is_read_only, GError **error)
{
  gpointer data = map (fd, size, is_read_only);
  TractorShm *shm;

  if (data == NULL) {
    if (!is_read_only && errno == EACCES)
      errno = EPERM; /* it was opened so: the same for who is given it */
    tractor__memory_set_errno_error (
        !is_read_only && errno == EPERM
            ? "Shared memory that may only be read is mapped with TRACTOR_SHM_READ_ONLY"
            : "Cannot map shared memory",
        error);
    close (fd);
    return NULL;
  }
  shm = g_new (TractorShm, 1);
  *shm = (TractorShm){ .fd = fd, .size = size, .data = data, .is_read_only = is_read_only };
  g_atomic_ref_count_init (&shm->n_refs);
  return shm;
}

TractorShm *
tractor_shm_new (gsize size, TractorShmAccess others, GError **error)
{
  int more_seals = others == TRACTOR_SHM_READ_ONLY ? F_SEAL_FUTURE_WRITE : 0;
  g_autoptr (TractorShm) shm = NULL;
  int fd;

  if (size == 0 || size > G_MAXINT64) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT,
                 "Shared memory of %" G_GSIZE_FORMAT " bytes cannot be had", size);
    return NULL;
  }
  fd = tractor__memory_make ("tractor-shm", size, error);
  shm = fd >= 0 ? shm_new (fd, size, FALSE, error) : NULL;
  if (shm == NULL || !tractor__memory_seal (fd, more_seals, error))
    return NULL;
  return g_steal_pointer (&shm);
}

static gboolean
check_size (guint64 size, gsize expected, GError **error)
{
  if ((expected == 0 || size == expected) && size <= G_MAXSIZE)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
               "The shared memory has %" G_GUINT64_FORMAT " bytes instead of %" G_GSIZE_FORMAT,
               size, expected);
  return FALSE;
}

TractorShm *
tractor_shm_new_for_fd (int fd, gsize size, TractorShmAccess access, GError **error)
{
  guint64 real_size;

  if (fd < 0) {
    if (error == NULL || *error == NULL)
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_BADF, "There is no descriptor: %d was given",
                   fd);
    return NULL;
  }
  if (!tractor__memory_check (fd, &real_size, error) || !check_size (real_size, size, error)) {
    close (fd);
    return NULL;
  }
  return shm_new (fd, (gsize) real_size, access == TRACTOR_SHM_READ_ONLY, error);
}

TractorShm *
tractor_shm_ref (TractorShm *shm)
{
  g_return_val_if_fail (shm != NULL, NULL);

  g_atomic_ref_count_inc (&shm->n_refs);
  return shm;
}

void
tractor_shm_unref (TractorShm *shm)
{
  if (shm == NULL || !g_atomic_ref_count_dec (&shm->n_refs))
    return;
  munmap (shm->data, shm->size);
  close (shm->fd);
  g_free (shm);
}

gsize
tractor_shm_get_size (TractorShm *shm)
{
  g_return_val_if_fail (shm != NULL, 0);

  return shm->size;
}

gconstpointer
tractor_shm_get_data (TractorShm *shm)
{
  g_return_val_if_fail (shm != NULL, NULL);

  return shm->data;
}

gpointer
tractor_shm_get_writable_data (TractorShm *shm)
{
  g_return_val_if_fail (shm != NULL, NULL);

  return shm->is_read_only ? NULL : shm->data;
}

int
tractor_shm_get_fd (TractorShm *shm)
{
  g_return_val_if_fail (shm != NULL, -1);

  return shm->fd;
}
