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
  const TractorDebugActor *actor;
  const TractorDebugLinks *layout; /* of that */
} Reader;

static void
open_free (gpointer data)
{
  LinkOpen *open = data;

  g_free (open->name);
  g_free (open);
}

static void
link_free (gpointer data)
{
  ActorLink *link = data;

  g_ptr_array_unref (link->asked);
  g_ptr_array_unref (link->served);
  g_free (link->peer);
  g_free (link);
}

/* @offset: 0: an older library does not say */
static guint64
read_field (const Reader *reader, guint64 owner, guint32 offset)
{
  return offset != 0 ? memory_read_pointer (reader->memory, owner + offset) : 0;
}

/* @owner: what is asked, or run. */
static LinkOpen *
read_open (const Reader *reader, guint64 owner, gboolean is_asked)
{
  const TractorDebugActor *actor = reader->actor;
  const TractorDebugLinks *layout = reader->layout;
  LinkOpen *open = g_new0 (LinkOpen, 1);

  if (owner != 0) {
    open->name_at = memory_read_pointer (
        reader->memory, owner + (is_asked ? layout->asked_function : layout->served_function));
    open->name = memory_read_text (reader->memory, open->name_at);
  }
  if (owner != 0 && is_asked) {
    open->lines[0] = read_field (reader, owner, actor->asked_done);
    open->lines[1] = read_field (reader, owner, actor->asked_receivers);
    open->lines[2] = read_field (reader, owner, actor->asked_senders);
  } else if (owner != 0) {
    open->scope = read_field (reader, owner, actor->served_scope);
  }
  if (open->name == NULL)
    open->name = g_strdup ("?");
  return open;
}

/* @entry: the first of a bucket. */
static void
read_bucket (const Reader *reader, guint64 entry, gboolean is_asked, GPtrArray *found)
{
  while (entry != 0 && found->len < MAX_OPEN) {
    guint64 owner = memory_read_pointer (reader->memory, entry + reader->layout->entry_owner);

    g_ptr_array_add (found, read_open (reader, owner, is_asked));
    entry = memory_read_pointer (reader->memory, entry + reader->layout->entry_next);
  }
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  const LinkOpen *const *one = a;
  const LinkOpen *const *other = b;

  return strcmp ((*one)->name, (*other)->name);
}

/* (transfer full) (element-type LinkOpen) */
static GPtrArray *
read_table (const Reader *reader, guint64 table, gboolean is_asked)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (open_free);
  guint64 buckets = memory_read_pointer (reader->memory, table + reader->layout->table_buckets);
  guint32 n = 0;

  if (buckets == 0 ||
      !memory_read (reader->memory, table + reader->layout->table_n_buckets, &n, sizeof n))
    return found;
  for (guint32 i = 0; i < MIN (n, MAX_BUCKETS); i++)
    read_bucket (reader, memory_read_pointer (reader->memory, buckets + i * sizeof (gpointer)),
                 is_asked, found);
  g_ptr_array_sort (found, compare_names);
  return found;
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
  link->asked = read_table (reader, address + layout->link_asked, TRUE);
  link->served = read_table (reader, address + layout->link_served, FALSE);
  return link;
}

GPtrArray *
links_read (Memory *memory, const TractorDebugActor *actor)
{
  const TractorDebugLinks *layout = &actor->links;
  const Reader reader = { memory, actor, layout };
  GPtrArray *links = g_ptr_array_new_with_free_func (link_free);
  guint64 address = layout->first != NULL ? memory_read_pointer (memory, (gsize) layout->first) : 0;

  while (address != 0 && links->len < MAX_LINKS) {
    g_ptr_array_insert (links, 0, read_link (&reader, address)); /* the newest is first there */
    address = memory_read_pointer (memory, address + layout->link_next);
  }
  return links;
}
