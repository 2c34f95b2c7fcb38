/* links.c - the connections of an actor, and what is open on them, read from its memory.
 *
 * Nothing that is read is believed: it may change meanwhile, so lists have an end in any case, and an address that cannot be
 * read ends the walk there. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "links.h"

#include <string.h>

/* What a process may make us read. */
#define MAX_LINKS   16384
#define MAX_BUCKETS (1 << 20)
#define MAX_OPEN    65536

typedef struct {
  Memory *memory;
  const TractorDebugLinks *layout;
} Reader;

static void
link_free (gpointer data)
{
  ActorLink *link = data;

  g_ptr_array_unref (link->asked);
  g_ptr_array_unref (link->served);
  g_free (link->peer);
  g_free (link);
}

/* @entry: the first of a bucket. @function: where what it is about has its name. */
static void
read_bucket (const Reader *reader, guint64 entry, guint32 function, GPtrArray *names)
{
  while (entry != 0 && names->len < MAX_OPEN) {
    guint64 owner = memory_read_pointer (reader->memory, entry + reader->layout->entry_owner);
    char *name = owner != 0
                     ? memory_read_text (reader->memory,
                                         memory_read_pointer (reader->memory, owner + function))
                     : NULL;

    g_ptr_array_add (names, name != NULL ? name : g_strdup ("?"));
    entry = memory_read_pointer (reader->memory, entry + reader->layout->entry_next);
  }
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* (transfer full) (element-type utf8) */
static GPtrArray *
read_table (const Reader *reader, guint64 table, guint32 function)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  guint64 buckets = memory_read_pointer (reader->memory, table + reader->layout->table_buckets);
  guint32 n = 0;

  if (buckets == 0 ||
      !memory_read (reader->memory, table + reader->layout->table_n_buckets, &n, sizeof n))
    return names;
  for (guint32 i = 0; i < MIN (n, MAX_BUCKETS); i++)
    read_bucket (reader, memory_read_pointer (reader->memory, buckets + i * sizeof (gpointer)),
                 function, names);
  g_ptr_array_sort (names, compare_names);
  return names;
}

static ActorLink *
read_link (const Reader *reader, guint64 address)
{
  const TractorDebugLinks *layout = reader->layout;
  ActorLink *link = g_new0 (ActorLink, 1);

  link->peer = memory_read_text (
      reader->memory, memory_read_pointer (reader->memory, address + layout->link_peer_name));
  memory_read (reader->memory, address + layout->link_peer_pid, &link->peer_pid,
               sizeof link->peer_pid);
  link->asked = read_table (reader, address + layout->link_asked, layout->asked_function);
  link->served = read_table (reader, address + layout->link_served, layout->served_function);
  return link;
}

GPtrArray *
links_read (Memory *memory, const TractorDebugLinks *layout)
{
  const Reader reader = { memory, layout };
  GPtrArray *links = g_ptr_array_new_with_free_func (link_free);
  guint64 address = layout->first != NULL ? memory_read_pointer (memory, (gsize) layout->first) : 0;

  while (address != 0 && links->len < MAX_LINKS) {
    g_ptr_array_insert (links, 0, read_link (&reader, address)); /* the newest is first there */
    address = memory_read_pointer (memory, address + layout->link_next);
  }
  return links;
}
