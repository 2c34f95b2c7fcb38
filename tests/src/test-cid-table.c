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

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/src/cid-table/same-as-a-hash-table", test_same_as_a_hash_table);
  return harness_run ();
}
