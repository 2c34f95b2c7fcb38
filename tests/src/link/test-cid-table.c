/* test-cid-table.c - what is open on a link, found by call id. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "cid-table.h"
#include "harness.h"

typedef struct {
  char cid[32];
  CidEntry entry;
} Open;

static void
remove_it (gpointer owner, gpointer data)
{
  tractor__cid_table_remove (data, &((Open *) owner)->entry);
}

/* As a GHashTable, which is not as fast. */
static void
test_same_as_a_hash_table (void)
{
  g_autoptr (GHashTable) expected = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree Open *open = g_new0 (Open, 500);
  CidTable table = { 0 };

  for (guint round = 0; round < 50000; round++) {
    Open *one = &open[g_test_rand_int_range (0, 500)];

    if (one->entry.owner == NULL) {
      g_snprintf (one->cid, sizeof one->cid, "%.*s%u", g_test_rand_int_range (0, 20),
                  "abcdefgh.ijklmnopqrs", (guint) (one - open));
      tractor__cid_table_add (&table, &one->entry, one->cid, one);
      g_hash_table_insert (expected, one->cid, one);
    } else {
      tractor__cid_table_remove (&table, &one->entry);
      tractor__cid_table_remove (&table, &one->entry); /* harmless */
      g_hash_table_remove (expected, one->cid);
    }
    one = &open[g_test_rand_int_range (0, 500)];
    g_assert_true (tractor__cid_table_find (&table, one->cid, strlen (one->cid)) ==
                   g_hash_table_lookup (expected, one->cid));
    g_assert_cmpuint (table.n_entries, ==, g_hash_table_size (expected));
  }
  tractor__cid_table_foreach (&table, remove_it, &table);
  g_assert_cmpuint (table.n_entries, ==, 0);
  tractor__cid_table_clear (&table);
}

static guint
get_longest_chain (const CidTable *table)
{
  guint longest = 0;

  for (guint i = 0; i < table->n_buckets; i++) {
    guint n = 0;

    for (CidEntry *entry = table->buckets[i]; entry != NULL; entry = entry->next)
      n++;
    longest = MAX (longest, n);
  }
  return longest;
}

/* Call ids as actors make them differ in few characters: at their end, or everywhere. */
static void
test_usual_ids_spread (void)
{
  const char *formats[] = { "0123abcd.%x", "0123abcd.%08x", "%x",
                            "%08x-3c2a-11ef-9e4b-325096b39f47",
                            "b3a1f0c2-3c2a-11ef-9e4b-3250%08x" };

  for (guint format = 0; format < G_N_ELEMENTS (formats); format++) {
    g_autofree Open *open = g_new0 (Open, 4096);
    char cid[48];
    CidTable table = { 0 };
    GPtrArray *cids = g_ptr_array_new_with_free_func (g_free);

    for (guint i = 0; i < 4096; i++) {
      g_snprintf (cid, sizeof cid, formats[format], i);
      g_ptr_array_add (cids, g_strdup (cid));
      tractor__cid_table_add (&table, &open[i].entry, cids->pdata[i], &open[i]);
    }
    g_assert_cmpuint (get_longest_chain (&table), <, 12);
    tractor__cid_table_foreach (&table, remove_it, &table);
    tractor__cid_table_clear (&table);
    g_ptr_array_unref (cids);
  }
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/src/cid-table/same-as-a-hash-table", test_same_as_a_hash_table);
  harness_add ("/src/cid-table/usual-ids-spread", test_usual_ids_spread);
  return harness_run ();
}
