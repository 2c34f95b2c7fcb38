/* wanted-topics.c - sets of topics, and how many subscribers want each.
 *
 * A subscriber says which topics it wants by a list, and may say so again. A topic that nobody wants any
 * more is forgotten, so only those are kept that are wanted now. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "wanted-topics.h"

void
tractor__wanted_topics_init (WantedTopics *wanted)
{
  wanted->counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  wanted->changed = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (wanted->changed, "subscribers");
}

void
tractor__wanted_topics_clear (WantedTopics *wanted)
{
  g_hash_table_unref (wanted->counts);
  tractor_parking_lot_free (wanted->changed);
}

void
tractor__wanted_topics_count (WantedTopics *wanted, GHashTable *topics, int by)
{
  GHashTableIter iter;
  gpointer topic;

  g_hash_table_iter_init (&iter, topics);
  while (g_hash_table_iter_next (&iter, &topic, NULL)) {
    int n = GPOINTER_TO_INT (g_hash_table_lookup (wanted->counts, topic)) + by;

    if (n > 0)
      g_hash_table_insert (wanted->counts, g_strdup (topic), GINT_TO_POINTER (n));
    else
      g_hash_table_remove (wanted->counts, topic);
  }
  tractor_parking_lot_unpark (wanted->changed, G_MAXUINT);
}

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(char *const *) a, *(char *const *) b);
}

char **
tractor__wanted_topics_list (const WantedTopics *wanted)
{
  GPtrArray *topics = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer topic;

  g_hash_table_iter_init (&iter, wanted->counts);
  while (g_hash_table_iter_next (&iter, &topic, NULL))
    g_ptr_array_add (topics, g_strdup (topic));
  g_ptr_array_sort (topics, compare_strings);
  g_ptr_array_add (topics, NULL);
  return (char **) g_ptr_array_free (topics, FALSE);
}

GHashTable *
tractor__topics_read (GVariant *list, GError **error)
{
  g_autoptr (GHashTable) topics = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gboolean ok = list != NULL && (g_variant_is_of_type (list, G_VARIANT_TYPE ("av")) ||
                                 g_variant_is_of_type (list, G_VARIANT_TYPE ("as")));

  for (gsize i = 0; ok && i < g_variant_n_children (list); i++) {
    g_autoptr (GVariant) child = g_variant_get_child_value (list, i);
    g_autoptr (GVariant) topic = g_variant_is_of_type (child, G_VARIANT_TYPE_VARIANT)
                                     ? g_variant_get_variant (child)
                                     : g_variant_ref (child);

    ok = g_variant_is_of_type (topic, G_VARIANT_TYPE_STRING);
    if (ok)
      g_hash_table_add (topics, g_variant_dup_string (topic, NULL));
  }
  if (ok)
    return g_steal_pointer (&topics);
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                       "A subscriber's \"topics\" are an array of strings");
  return NULL;
}
