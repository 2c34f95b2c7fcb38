/* cluster.c - a list of work for a pool of workers: results in the order of the list, or one failure.
 *
 *   cluster [-w WORKERS] WORD...
 *
 * Each word is turned round by whichever worker is idle. A word with a digit in it is refused: the
 * first refusal cancels what else is being done, and no result is shown. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>
#include <string.h>

typedef struct {
  guint n_workers; /* 0: one per processor */
  char **words;
} Job;

/* Runs in the workers. */
static gboolean
reverse (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autofree char *reversed = NULL;
  const char *word = "";

  g_variant_lookup (kwargs, "word", "&s", &word);
  if (strpbrk (word, "0123456789") != NULL) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "'%s' is not a word", word);
    return FALSE;
  }
  /* A word that takes longer than the others does not change the order of the results. */
  if (!tractor_sleep_until (tractor_now () + (gint64) strlen (word) * 10000, error))
    return FALSE;
  reversed = g_utf8_strreverse (word, -1);
  *ret_result = g_variant_new_printf ("%s, by %s", reversed, tractor_actor_get_name ());
  return TRUE;
}

static const TractorExport exports[] = { { "reverse", TRACTOR_EXPORT_CALL, .call = reverse },
                                         { 0 } };
static const TractorModule modules[] = { { "words", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* (transfer floating): an aa{sv}, the arguments of each call. */
static GVariant *
list_arguments (char **words)
{
  GVariantBuilder list;

  g_variant_builder_init (&list, G_VARIANT_TYPE ("aa{sv}"));
  for (; *words != NULL; words++)
    g_variant_builder_add_value (&list, g_variant_new_parsed ("{'word': <%s>}", *words));
  return g_variant_builder_end (&list);
}

/* Runs here. */
static gboolean
reverse_all (gpointer data, GError **error)
{
  Job *job = data;
  g_autoptr (TractorCluster) cluster = tractor_cluster_open (job->n_workers, NULL, NULL, error);
  g_autoptr (GPtrArray) results = NULL;

  if (cluster == NULL)
    return FALSE;
  if (tractor_cluster_map (cluster, "words:reverse", list_arguments (job->words), &results, error))
    for (guint i = 0; i < results->len; i++)
      g_print ("%s: %s\n", job->words[i], g_variant_get_string (results->pdata[i], NULL));
  return tractor_cluster_join (cluster, error); /* with that failure, if it was one */
}

int
main (int argc, char **argv)
{
  gboolean is_sized = argc > 2 && strcmp (argv[1], "-w") == 0;
  Job job = { is_sized ? (guint) atoi (argv[2]) : 0, argv + (is_sized ? 3 : 1) };
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (tractor_run (reverse_all, &job, &error))
    return EXIT_SUCCESS;
  text = tractor_error_describe (error);
  g_printerr ("%s\n", text);
  return EXIT_FAILURE;
}
