/* places.c - where actors of this user listen, found without asking any of them.
 *
 * Nearly all listen in one directory. Whose a socket is says the kernel, to whoever connects to it: no byte is read or
 * written, so it does not matter what its owner does at the moment. Those that listen elsewhere, on TCP or at a path that
 * they were told, are found by the kernel's lists of sockets: such a socket belongs to who has a descriptor of it, and
 * that is only looked for among processes that have the library. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "places.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proc.h"
#include "tractor-discovery.h"

#define LISTENS_TCP  0x0a
#define LISTENS_UNIX 0x10000

/* --- the directory ------------------------------------------------------------------------------- */

static const char *
find_problem (const struct stat *status)
{
  if (status->st_uid != geteuid ())
    return "belongs to another user";
  if ((status->st_mode & 077) != 0)
    return "is open to other users";
  return NULL;
}

static int
refuse (const char *path, const char *problem, GError **error)
{
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_ACCES,
               "The directory of sockets, '%s', %s: what is in it is not looked at", path, problem);
  return -1;
}

int
places_open_directory (GError **error)
{
  g_autofree char *path = tractor_dup_socket_directory ();
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  const char *problem;
  struct stat status;

  if (fd < 0)
    return errno == ENOENT ? -1 : refuse (path, g_strerror (errno), error);
  problem = fstat (fd, &status) == 0 ? find_problem (&status) : g_strerror (errno);
  if (problem == NULL)
    return fd;
  close (fd);
  return refuse (path, problem, error);
}

/* Python's actors have their process in the name of their socket: NAME@PID.sock. They complain of who connects and says
 * nothing. Returns: it; 0: it has none in it, or that is gone. */
static gint
find_in_name (const char *name)
{
  const char *at = strrchr (name, '@');
  int pid;
  int length = 0;

  if (at == NULL || sscanf (at, "@%d.sock%n", &pid, &length) != 1 || at[length] != '\0' || pid <= 0)
    return 0;
  return proc_is_own (pid) ? pid : 0;
}

/* Returns: the process that listens there; 0: nobody, or it is not known who. */
static gint
find_listener (const char *path)
{
  struct sockaddr_un name = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct ucred peer = { 0 };
  socklen_t length = sizeof peer;

  if (fd < 0 || strlen (path) >= sizeof name.sun_path) {
    if (fd >= 0)
      close (fd);
    return 0;
  }
  strcpy (name.sun_path, path);
  if (connect (fd, (struct sockaddr *) &name, sizeof name) != 0 ||
      getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.uid != geteuid ())
    peer.pid = 0;
  close (fd);
  return peer.pid;
}

/* --- what is found ------------------------------------------------------------------------------- */

static void
place_free (gpointer data)
{
  Place *place = data;

  g_free (place->address);
  g_free (place);
}

/* @address: (transfer full). The first one of a process is the one that is taken. */
static void
add_place (GPtrArray *places, gint pid, char *address)
{
  Place *place;

  for (guint i = 0; i < places->len; i++)
    if (((Place *) places->pdata[i])->pid == pid) {
      g_free (address);
      return;
    }
  place = g_new (Place, 1);
  *place = (Place){ pid, address };
  g_ptr_array_add (places, place);
}

static void
look_into_directory (GPtrArray *places)
{
  g_autofree char *path = tractor_dup_socket_directory ();
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *socket_path = g_build_filename (path, name, NULL);
    gint pid = find_in_name (name);

    if (pid == 0 && g_str_has_suffix (name, ".sock") && strchr (name, '@') == NULL)
      pid = find_listener (socket_path);
    if (pid > 0 && pid != getpid ())
      add_place (places, pid, g_strconcat ("unix:", socket_path, NULL));
  }
}

/* --- elsewhere ----------------------------------------------------------------------------------- */

/* (transfer full) (nullable): of an address of this machine, as the kernel lists it, in hexadecimal words. */
static char *
read_loopback (const char *digits, guint port)
{
  struct in6_addr wide;
  struct in_addr narrow;

  if (strlen (digits) == 8 && sscanf (digits, "%8x", &narrow.s_addr) == 1)
    return (ntohl (narrow.s_addr) >> 24) == 127
               ? g_strdup_printf ("tcp://%s:%u", inet_ntoa (narrow), port)
               : NULL;
  if (strlen (digits) != 32)
    return NULL;
  for (guint i = 0; i < 4; i++)
    if (sscanf (digits + 8 * i, "%8x", &wide.s6_addr32[i]) != 1)
      return NULL;
  return IN6_IS_ADDR_LOOPBACK (&wide) ? g_strdup_printf ("tcp://[::1]:%u", port) : NULL;
}

static void
list_tcp (const char *file, GHashTable *addresses)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (file, &text, NULL, NULL))
    return;
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    char digits[33];
    guint port, state, uid;
    unsigned long inode;
    char *address;

    if (sscanf (*line, " %*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %u %*d %lu",
                digits, &port, &state, &uid, &inode) != 5 ||
        state != LISTENS_TCP || uid != geteuid ())
      continue;
    address = read_loopback (digits, port);
    if (address != NULL)
      g_hash_table_insert (addresses, GSIZE_TO_POINTER (inode), address);
  }
}

/* Those that are in the directory have been seen there. */
static void
list_unix (GHashTable *addresses)
{
  g_autofree char *directory = tractor_dup_socket_directory ();
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents ("/proc/net/unix", &text, NULL, NULL))
    return;
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    guint flags;
    unsigned long inode;
    int at = 0;
    struct stat status;

    if (sscanf (*line, "%*x: %*x %*x %x %*x %*x %lu %n", &flags, &inode, &at) != 2 || at == 0 ||
        flags != LISTENS_UNIX || (*line)[at] != '/' ||
        (g_str_has_prefix (*line + at, directory) && (*line)[at + (int) strlen (directory)] == '/'))
      continue;
    if (lstat (*line + at, &status) == 0 && status.st_uid == geteuid ())
      g_hash_table_insert (addresses, GSIZE_TO_POINTER (inode),
                           g_strconcat ("unix:", *line + at, NULL));
  }
}

static void
look_at_descriptors (GPtrArray *places, gint pid, GHashTable *addresses)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd", pid);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  gboolean has_library = FALSE;
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *link = g_build_filename (path, name, NULL);
    g_autofree char *target = g_file_read_link (link, NULL);
    const char *address;
    unsigned long inode;

    if (target == NULL || sscanf (target, "socket:[%lu]", &inode) != 1)
      continue;
    address = g_hash_table_lookup (addresses, GSIZE_TO_POINTER (inode));
    if (address == NULL)
      continue;
    has_library = has_library || proc_has_library (pid);
    if (!has_library) /* somebody else's server, who is left alone */
      return;
    add_place (places, pid, g_strdup (address));
  }
}

static void
look_elsewhere (GPtrArray *places)
{
  g_autoptr (GHashTable) addresses = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_autoptr (GArray) pids = NULL;

  list_tcp ("/proc/net/tcp", addresses);
  list_tcp ("/proc/net/tcp6", addresses);
  list_unix (addresses);
  if (g_hash_table_size (addresses) == 0)
    return;
  pids = proc_list_own ();
  for (guint i = 0; i < pids->len; i++)
    look_at_descriptors (places, g_array_index (pids, gint, i), addresses);
}

GPtrArray *
places_find (GError **error)
{
  g_autoptr (GPtrArray) places = g_ptr_array_new_with_free_func (place_free);
  GError *problem = NULL;
  int fd = places_open_directory (&problem);

  if (problem != NULL) {
    g_propagate_error (error, problem);
    return NULL;
  }
  if (fd >= 0) {
    look_into_directory (places);
    close (fd);
  }
  look_elsewhere (places);
  return g_steal_pointer (&places);
}
