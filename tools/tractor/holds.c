/* holds.c - which actors of this user are held by the debugger of debug mode, and which wait to be.
 *
 * Each tree in debug mode has a page of memory, in a file beside the sockets, in which its broker says who is looked at
 * (debug-protocol.h). One that a dead broker has left says nothing.
 *
 * Who waits is not in it. But who asks has a connection to the broker as long as it waits, of a kind (SOCK_SEQPACKET) that
 * actors have no other of that is connected, but for the root's own to the broker that it has started. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "holds.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "debug-protocol.h"
#include "places.h"
#include "proc.h"
#include "text.h"
#include "tractor-debug-layout.h"

#define PAGE_PREFIX "debug-"
/* How often a page is read that is just being written. */
#define MAX_LOOKS 100
/* As /proc/net/unix has it: an actor keeps one for later that is not. */
#define CONNECTED 3

/* Returns: FALSE if there is nobody behind it. */
static gboolean
read_page (int fd, DebugPage *ret_page)
{
  for (guint i = 0; i < MAX_LOOKS; i++) {
    guint32 sequence;

    if (pread (fd, ret_page, sizeof *ret_page, 0) != (gssize) sizeof *ret_page ||
        ret_page->version != DEBUG_VERSION)
      return FALSE;
    if ((ret_page->sequence & 1) == 0 &&
        pread (fd, &sequence, sizeof sequence, offsetof (DebugPage, sequence)) ==
            (gssize) sizeof sequence &&
        sequence == ret_page->sequence)
      return ret_page->broker > 0 && proc_exists (ret_page->broker);
  }
  return FALSE;
}

typedef struct {
  GHashTable *by_pid;  /* (element-type Hold) */
  GHashTable *roots;   /* processes: of trees in which somebody is held */
  GHashTable *sockets; /* (nullable) (element-type guint64): of that kind */
} Holds;

static void
add_root (Holds *all, gint broker)
{
  Process process;

  if (proc_read (broker, &process))
    g_hash_table_add (all->roots, GINT_TO_POINTER (process.parent_pid));
}

static void
add_page (Holds *all, int directory, const char *name)
{
  static const char *const whys[] = { [TRACTOR_DEBUG_STOP_PAUSE] = "pause",
                                      [TRACTOR_DEBUG_STOP_CRASH] = "crash",
                                      [TRACTOR_DEBUG_STOP_ERROR] = "error" };
  int fd = openat (directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  DebugPage page;
  Hold *hold;

  if (fd >= 0 && read_page (fd, &page) && page.looked_at > 0 &&
      page.looked_at_kind < G_N_ELEMENTS (whys) && whys[page.looked_at_kind] != NULL) {
    hold = g_new (Hold, 1);
    hold->why = whys[page.looked_at_kind];
    hold->usec = MAX (g_get_monotonic_time () - page.looked_at_since, 0);
    g_hash_table_replace (all->by_pid, GINT_TO_POINTER (page.looked_at), hold);
    add_root (all, page.broker);
  }
  if (fd >= 0)
    close (fd);
}

/* None where the directory is not for us, which others say. */
static void
read_all (Holds *all)
{
  int fd = places_open_directory (NULL);
  DIR *directory = fd >= 0 ? fdopendir (fd) : NULL;
  const struct dirent *entry;

  while (directory != NULL && (entry = readdir (directory)) != NULL)
    if (g_str_has_prefix (entry->d_name, PAGE_PREFIX) &&
        g_str_has_suffix (entry->d_name, DEBUG_PAGE_SUFFIX))
      add_page (all, dirfd (directory), entry->d_name);
  if (directory != NULL)
    closedir (directory);
  else if (fd >= 0)
    close (fd);
}

static Holds holds;

void
holds_look_again (void)
{
  g_clear_pointer (&holds.by_pid, g_hash_table_unref);
  g_clear_pointer (&holds.roots, g_hash_table_unref);
  g_clear_pointer (&holds.sockets, g_hash_table_unref);
}

/* (transfer none) */
static Holds *
get_holds (void)
{
  if (holds.by_pid == NULL) {
    holds.by_pid = g_hash_table_new_full (NULL, NULL, NULL, g_free);
    holds.roots = g_hash_table_new (NULL, NULL);
    read_all (&holds);
  }
  return &holds;
}

const Hold *
holds_find (gint pid)
{
  return g_hash_table_lookup (get_holds ()->by_pid, GINT_TO_POINTER (pid));
}

char *
hold_describe (const Hold *hold)
{
  g_autofree char *time = text_from_usec (hold->usec);

  return g_strdup_printf ("%s, %s", hold->why, time);
}

/* --- who waits ----------------------------------------------------------------------------------- */

/* (transfer full) (element-type guint64): by their inodes, as descriptors have them. */
static GHashTable *
list_sockets (void)
{
  GHashTable *sockets = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents ("/proc/net/unix", &text, NULL, NULL))
    return sockets;
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    unsigned type;
    unsigned state;
    unsigned long inode;
    guint64 number;

    if (sscanf (*line, "%*s %*x %*x %*x %x %x %lu", &type, &state, &inode) != 3 ||
        type != SOCK_SEQPACKET || state != CONNECTED)
      continue;
    number = inode;
    g_hash_table_add (sockets, g_memdup2 (&number, sizeof number));
  }
  return sockets;
}

static gboolean
is_among (GHashTable *sockets, const char *link)
{
  guint64 inode;

  return g_str_has_prefix (link, "socket:[") &&
         (inode = g_ascii_strtoull (link + strlen ("socket:["), NULL, 10)) != 0 &&
         g_hash_table_contains (sockets, &inode);
}

static guint
count_sockets (Holds *all, gint pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd", pid);
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);
  const char *name;
  guint n = 0;

  if (all->sockets == NULL)
    all->sockets = list_sockets ();
  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL) {
    g_autofree char *file = g_build_filename (path, name, NULL);
    g_autofree char *link = g_file_read_link (file, NULL);

    n += link != NULL && is_among (all->sockets, link);
  }
  return n;
}

gboolean
holds_is_awaited_by (gint pid)
{
  Holds *all = get_holds ();
  GHashTableIter iter;
  gpointer root;

  g_hash_table_iter_init (&iter, all->roots);
  while (g_hash_table_iter_next (&iter, &root, NULL))
    if (proc_is_below (pid, GPOINTER_TO_INT (root)) && holds_find (pid) == NULL)
      return count_sockets (all, pid) > (pid == GPOINTER_TO_INT (root) ? 1 : 0);
  return FALSE;
}
