/* cid-table.c - what is open on a link, found by call id.
 *
 * Every message but the first is for something that is open, so this is on the path of all of them.
 * Entries are part of what they name, and chained: coming and going allocates nothing, which a
 * GHashTable's does, besides moving everything about once in a few calls; that was a fifth of a call.
 *
 * A peer can choose call ids that share a bucket. It gets the time of walking along those that it has
 * open, LIMIT_RPC_TASKS at most. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cid-table.h"

#include <string.h>

#define FIRST_BUCKETS 16

static guint64
load (const char *bytes)
{
  guint64 eight;

  memcpy (&eight, bytes, sizeof eight);
  return eight;
}

static guint64
mix (guint64 hash, guint64 more)
{
  hash = (hash ^ more) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  return hash ^ hash >> 32;
}

/* Call ids differ in their last bytes, which are the highest ones in what is loaded; a product has
 * those in its highest bits only, so there is one mix more at the end. */
static guint
get_hash (const char *cid, gsize length)
{
  guint64 hash = length;
  gsize at = 0;

  for (; at + 8 <= length; at += 8)
    hash = mix (hash, load (cid + at));
  if (length >= 8)
    hash = mix (hash, load (cid + length - 8)); /* the rest, and some of what is before it */
  else
    for (; at < length; at++)
      hash = mix (hash, (guchar) cid[at]);
  return (guint) mix (hash, 0);
}

static CidEntry **
get_bucket (const CidTable *table, guint hash)
{
  return &table->buckets[hash & (table->n_buckets - 1)];
}

static void
push (CidTable *table, CidEntry *entry)
{
  CidEntry **bucket = get_bucket (table, entry->hash);

  entry->next = *bucket;
  *bucket = entry;
}

static void
grow (CidTable *table)
{
  CidTable larger = { .n_buckets = MAX (table->n_buckets * 2, FIRST_BUCKETS),
                      .n_entries = table->n_entries };

  larger.buckets = g_new0 (CidEntry *, larger.n_buckets);
  for (guint i = 0; i < table->n_buckets; i++)
    for (CidEntry *entry = table->buckets[i], *next; entry != NULL; entry = next) {
      next = entry->next;
      push (&larger, entry);
    }
  g_free (table->buckets);
  *table = larger;
}

void
tractor__cid_table_add (CidTable *table, CidEntry *entry, const char *cid, gpointer owner)
{
  gsize length = strlen (cid);

  if (table->n_entries == table->n_buckets)
    grow (table);
  *entry = (CidEntry){ owner, cid, length, get_hash (cid, length), NULL };
  push (table, entry);
  table->n_entries++;
}

void
tractor__cid_table_remove (CidTable *table, CidEntry *entry)
{
  CidEntry **at;

  if (entry->owner == NULL)
    return;

  for (at = get_bucket (table, entry->hash); *at != entry; at = &(*at)->next)
    ;
  *at = entry->next;
  entry->owner = NULL;
  table->n_entries--;
}

gpointer
tractor__cid_table_find (const CidTable *table, const char *cid, gsize length)
{
  guint hash;

  if (table->n_entries == 0)
    return NULL;
  hash = get_hash (cid, length);
  for (CidEntry *entry = *get_bucket (table, hash); entry != NULL; entry = entry->next)
    if (entry->hash == hash && entry->length == length && memcmp (entry->cid, cid, length) == 0)
      return entry->owner;
  return NULL;
}

void
tractor__cid_table_foreach (CidTable *table, CidFunc func, gpointer data)
{
  for (guint i = 0; i < table->n_buckets; i++)
    for (CidEntry *entry = table->buckets[i], *next; entry != NULL; entry = next) {
      next = entry->next;
      func (entry->owner, data);
    }
}

void
tractor__cid_table_clear (CidTable *table)
{
  g_assert (table->n_entries == 0);
  g_clear_pointer (&table->buckets, g_free);
  table->n_buckets = 0;
}
