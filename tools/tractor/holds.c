/* holds.c - which actors of this user are held by the debugger of debug mode.
 *
 * Each tree in debug mode has a page of memory, in a file beside the sockets, in which its broker says who is looked at
 * (debug-protocol.h). One that a dead broker has left says nothing. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "holds.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "debug-protocol.h"
#include "places.h"
#include "proc.h"
#include "text.h"
#include "tractor-debug-layout.h"

#define PAGE_PREFIX "debug-"
/* How often a page is read that is just being written. */
#define MAX_LOOKS 100

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

static void
add_page (GHashTable *holds, int directory, const char *name)
{
  static const char *const whys[] = { [TRACTOR_DEBUG_STOP_PAUSE] = "pause",
                                      [TRACTOR_DEBUG_STOP_CRASH] = "crash",
                                      [TRACTOR_DEBUG_STOP_ERROR] = "error" };
  int fd = openat (directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  DebugPage page;
  Hold *hold;

  if (fd >= 0 && read_page (fd, &page) && page.looked_at > 0 &&
      page.looked_at_kind < G_N_ELEMENTS (whys) && whys[page.looked_at_kind] != NULL) {
    hold = g_new (Hold, 1);
    hold->why = whys[page.looked_at_kind];
    hold->usec = MAX (g_get_monotonic_time () - page.looked_at_since, 0);
    g_hash_table_replace (holds, GINT_TO_POINTER (page.looked_at), hold);
  }
  if (fd >= 0)
    close (fd);
}

/* (transfer full): none where the directory is not for us, which others say. */
static GHashTable *
read_all (void)
{
  GHashTable *holds = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  int fd = places_open_directory (NULL);
  DIR *directory = fd >= 0 ? fdopendir (fd) : NULL;
  const struct dirent *entry;

  while (directory != NULL && (entry = readdir (directory)) != NULL)
    if (g_str_has_prefix (entry->d_name, PAGE_PREFIX) &&
        g_str_has_suffix (entry->d_name, DEBUG_PAGE_SUFFIX))
      add_page (holds, dirfd (directory), entry->d_name);
  if (directory != NULL)
    closedir (directory);
  else if (fd >= 0)
    close (fd);
  return holds;
}

const Hold *
holds_find (gint pid)
{
  static GHashTable *holds;

  if (holds == NULL)
    holds = read_all ();
  return g_hash_table_lookup (holds, GINT_TO_POINTER (pid));
}

char *
hold_describe (const Hold *hold)
{
  g_autofree char *time = text_from_usec (hold->usec);

  return g_strdup_printf ("%s, %s", hold->why, time);
}
