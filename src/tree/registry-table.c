/* registry-table.c - the table that a registrar keeps: who is entered in it, and who waits for them.
 *
 * Entries are found by uuid, by name and by address; those who wait are found by the name that they wait
 * for, so what is entered costs nothing for all others. Whether an actor has ended is looked at when
 * somebody asks for it, so nobody is told of one that has. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "registry-table.h"

#include <poll.h>

#include "bounds.h"
#include "log.h"

/* Those who wait for one name. */
typedef struct {
  GHashTable *table; /* (nullable): gone with the registry */
  char *name;
  TractorParkingLot *lot;
  guint n;
} Waiters;

/* --- entries ----------------------------------------------------------------------------------- */

static void
add_to_name (Registry *registry, Entry *entry)
{
  GQueue *queue = g_hash_table_lookup (registry->by_name, entry_get_id (entry)->name);

  if (queue == NULL) {
    queue = g_queue_new ();
    g_hash_table_insert (registry->by_name, g_strdup (entry_get_id (entry)->name), queue);
  }
  g_queue_push_tail_link (queue, &entry->in_name);
}

static void
remove_from_name (Registry *registry, Entry *entry)
{
  GQueue *queue = g_hash_table_lookup (registry->by_name, entry_get_id (entry)->name);

  g_queue_unlink (queue, &entry->in_name);
  if (queue->length == 0)
    g_hash_table_remove (registry->by_name, entry_get_id (entry)->name);
}

Entry *
tractor__registry_insert (Registry *registry, const Entry *new_entry)
{
  Entry *entry = g_memdup2 (new_entry, sizeof *new_entry);

  tractor__identity_ref (entry->identity);
  entry->in_all.data = entry->in_name.data = entry;
  entry->addresses = g_ptr_array_new_with_free_func (tractor__address_free);
  g_hash_table_insert (registry->by_uuid, entry_get_id (entry)->uuid, entry);
  add_to_name (registry, entry);
  g_queue_push_tail_link (&registry->entries, &entry->in_all);
  registry->n_unwatched += entry->is_unwatched;
  tractor__origin_ref (entry->origin)->n_entries++;
  log_debug (LOG_REGISTRY, "actor '%s' (%s) is entered", entry_get_id (entry)->name,
             entry_get_id (entry)->uuid);
  return entry;
}

void
tractor__registry_add_address (Registry *registry, Entry *entry, const Address *address)
{
  Address *copy;

  if (g_hash_table_contains (registry->by_address, address) ||
      entry->addresses->len >= LIMIT_ADDRESSES)
    return;
  copy = g_new (Address, 1);
  tractor__address_copy (address, copy);
  g_ptr_array_add (entry->addresses, copy);
  g_hash_table_insert (registry->by_address, copy, entry);
}

void
tractor__registry_drop (Registry *registry, Entry *entry)
{
  log_debug (LOG_REGISTRY, "actor '%s' (%s) is taken out", entry_get_id (entry)->name,
             entry_get_id (entry)->uuid);
  for (guint i = 0; i < entry->addresses->len; i++)
    g_hash_table_remove (registry->by_address, entry->addresses->pdata[i]);
  g_hash_table_remove (registry->by_uuid, entry_get_id (entry)->uuid);
  remove_from_name (registry, entry);
  g_queue_unlink (&registry->entries, &entry->in_all);
  registry->n_unwatched -= entry->is_unwatched;
  entry->origin->n_entries--;
  tractor__origin_unref (entry->origin);
  g_ptr_array_unref (entry->addresses);
  tractor__identity_unref (entry->identity);
  g_free (entry);
}

void
tractor__registry_take_address_away (Registry *registry, Entry *entry, const Address *address)
{
  guint at;

  g_ptr_array_find_with_equal_func (entry->addresses, address, tractor__address_equal, &at);
  g_hash_table_remove (registry->by_address, address);
  g_ptr_array_remove_index (entry->addresses, at);
  if (entry->addresses->len == 0)
    tractor__registry_drop (registry, entry);
}

/* --- finding them ------------------------------------------------------------------------------ */

/* Whether a connection has been closed by its other end, even if nobody has read as far as that. */
static gboolean
is_cut (const Link *link)
{
  struct pollfd pollfd = { .fd = link->fd, .events = POLLRDHUP };

  return link->fd < 0 || poll (&pollfd, 1, 0) > 0;
}

static gboolean
has_ended (const Entry *entry)
{
  if (entry->is_own)
    return FALSE;
  return entry->link != NULL ? is_cut (entry->link) : tractor__origin_is_dead (entry->origin);
}

/* (nullable): @entry, (nullable), unless the actor has ended. */
static Entry *
drop_if_ended (Registry *registry, Entry *entry)
{
  if (entry == NULL || !has_ended (entry))
    return entry;
  tractor__registry_drop (registry, entry);
  return NULL;
}

void
tractor__registry_drop_all_ended (Registry *registry)
{
  for (GList *at = registry->entries.head; at != NULL;) {
    Entry *entry = at->data;

    at = at->next;
    drop_if_ended (registry, entry);
  }
}

Entry *
tractor__registry_find_by_uuid (Registry *registry, const char *uuid)
{
  return drop_if_ended (registry, g_hash_table_lookup (registry->by_uuid, uuid));
}

Entry *
tractor__registry_find_by_name (Registry *registry, const char *name)
{
  Entry *entry = tractor__registry_find_by_uuid (registry, name);
  GQueue *queue;

  while (entry == NULL && (queue = g_hash_table_lookup (registry->by_name, name)) != NULL)
    entry = drop_if_ended (registry, queue->tail->data);
  return entry;
}

Entry *
tractor__registry_find_by_address (Registry *registry, const Address *address)
{
  return drop_if_ended (registry, g_hash_table_lookup (registry->by_address, address));
}

/* --- those who wait ---------------------------------------------------------------------------- */

gboolean
tractor__registry_wait_for_name (Registry *registry, const char *name, GError **error)
{
  Waiters *waiters = g_hash_table_lookup (registry->waiters, name);
  gboolean ok;

  if (waiters == NULL) {
    waiters = g_new (Waiters, 1);
    *waiters = (Waiters){ registry->waiters, g_strdup (name), tractor_parking_lot_new (), 0 };
    tractor_parking_lot_set_static_name (waiters->lot, waiters->name);
    g_hash_table_insert (registry->waiters, waiters->name, waiters);
  }
  waiters->n++;
  ok = tractor_parking_lot_park (waiters->lot, error);
  if (--waiters->n == 0) {
    if (waiters->table != NULL)
      g_hash_table_remove (waiters->table, waiters->name);
    tractor_parking_lot_free (waiters->lot);
    g_free (waiters->name);
    g_free (waiters);
  }
  return ok;
}

void
tractor__registry_tell_waiters (Registry *registry, const char *name)
{
  Waiters *waiters = g_hash_table_lookup (registry->waiters, name);

  if (waiters != NULL)
    tractor_parking_lot_unpark (waiters->lot, G_MAXUINT);
}

/* --- life -------------------------------------------------------------------------------------- */

void
tractor__registry_init (Registry *registry)
{
  g_queue_init (&registry->entries);
  registry->by_uuid = g_hash_table_new (g_str_hash, g_str_equal);
  registry->by_name =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_queue_free);
  registry->by_address = g_hash_table_new (tractor__address_hash, tractor__address_equal);
  registry->waiters = g_hash_table_new (g_str_hash, g_str_equal);
}

void
tractor__registry_clear (Registry *registry)
{
  GHashTableIter iter;
  gpointer waiters;

  while (registry->entries.head != NULL)
    tractor__registry_drop (registry, registry->entries.head->data);
  g_hash_table_iter_init (&iter, registry->waiters);
  while (g_hash_table_iter_next (&iter, NULL, &waiters)) {
    ((Waiters *) waiters)->table = NULL;
    tractor_parking_lot_break (((Waiters *) waiters)->lot); /* other tasks of this program */
  }
  g_hash_table_unref (registry->waiters);
  g_hash_table_unref (registry->by_address);
  g_hash_table_unref (registry->by_name);
  g_hash_table_unref (registry->by_uuid);
}
