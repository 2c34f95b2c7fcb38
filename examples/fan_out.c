/* fan_out.c - one task streams work to several actors, and collects what comes as it comes.
 *
 * The main task deals words to three actors without waiting for answers. Each actor's stream of
 * answers is shared by two tasks here, "screen" and "log", of which each gets every item. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>
#define N_WORKERS 3

/* Runs in the actors. A nil says that no word follows: then the stream ends too. */
static gboolean
measure (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  gboolean ok = tractor_context_started (context, NULL, error);
  g_autoptr (TractorStream) stream = ok ? tractor_context_open_stream (context, error) : NULL;
  GVariant *word;

  (void) kwargs, (void) ret_result;
  while (ok && stream != NULL && tractor_stream_receive (stream, &word, error) && word != NULL) {
    gsize length;

    g_variant_get_string (word, &length);
    ok = tractor_stream_send (stream, g_variant_new_uint64 (length), error);
    g_variant_unref (word);
  }
  return *error == NULL;
}

static const TractorExport exports[] = { { "measure", TRACTOR_EXPORT_CONTEXT, .context = measure },
                                         { 0 } };
static const TractorModule modules[] = { { "words", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* Here: two of these for each worker. */
static gboolean
follow (gpointer subscriber, GError **error)
{
  gpointer length;

  for (; tractor_subscriber_receive (subscriber, &length, error); g_variant_unref (length))
    g_print ("%s: %" G_GINT64_FORMAT "\n", tractor_task_get_name (), g_variant_get_int64 (length));
  return *error == NULL;
}

static gboolean
spawn_follower (TractorNursery *tasks, const char *name, TractorStream *stream, GError **error)
{
  return tractor_nursery_spawn (tasks, name, follow, tractor_stream_subscribe (stream, error),
                                (GDestroyNotify) tractor_subscriber_close, error);
}

static gboolean
deal (TractorStream **streams, GError **error)
{
  static const char *const words[] = { "nothing", "outlives", "its", "scope", "not", "a", "task" };
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  gboolean ok = TRUE;

  /* Nothing is received before this task waits: so nobody misses an item. */
  for (guint i = 0; ok && i < N_WORKERS; i++)
    ok = tractor_stream_share (streams[i], tasks, 64, error) &&
         spawn_follower (tasks, "screen", streams[i], error) &&
         spawn_follower (tasks, "log", streams[i], error);
  for (guint i = 0; ok && i < G_N_ELEMENTS (words); i++)
    ok = tractor_stream_send (streams[i % N_WORKERS], g_variant_new_string (words[i]), error);
  for (guint i = 0; ok && i < N_WORKERS; i++)
    ok = tractor_stream_send (streams[i], NULL, error);
  return tractor_nursery_join (tasks, error);
}

/* Contexts nest, and so do the calls of this: the work is done inside all of them. */
static gboolean
hire (TractorActorNursery *actors, TractorStream **streams, guint i, GError **error)
{
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (TractorContext) context = NULL;

  if (i == N_WORKERS)
    return deal (streams, error);
  portal = tractor_actor_nursery_start (actors, "worker", NULL, error);
  if (portal != NULL)
    context = tractor_portal_open_context (portal, "words:measure", NULL, NULL, NULL, error);
  if (context == NULL)
    return FALSE;
  streams[i] = tractor_context_open_stream (context, error); /* closed by the join */
  if (streams[i] != NULL)
    hire (actors, streams, i + 1, error);
  return tractor_context_join (context, NULL, error);
}

static gboolean
run (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorStream *streams[N_WORKERS];
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);

  if (actors == NULL)
    return FALSE;
  if (hire (actors, streams, 0, error))
    tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (tractor_run (run, NULL, &error))
    return EXIT_SUCCESS;
  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}
