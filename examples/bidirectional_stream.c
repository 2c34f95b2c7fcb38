/* bidirectional_stream.c - a dialog: a task here linked to a task in an actor, and a stream both ways.
 *
 *    bidirectional_stream NUMBER...
 *
 * Each number is answered with the sum so far: like calls, but of a partner that remembers. When
 * this end closes its stream, that end's loop is over, and the sum is its result. If either side
 * fails, the other is cancelled: try a word among the numbers. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>

/* In the actor. */
static gboolean
answer (TractorStream *stream, const char *word, gint64 *sum, GError **error)
{
  gint64 number;

  if (!g_ascii_string_to_signed (word, 10, G_MININT32, G_MAXINT32, &number, error))
    return FALSE;
  *sum += number;
  return tractor_stream_send (stream, g_variant_new_int64 (*sum), error);
}

static gboolean
add_up (TractorContext *context,
        G_GNUC_UNUSED GVariant *kwargs,
        GVariant **ret_result,
        GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  gint64 sum = 0;
  GVariant *word;

  /* Until now tractor_portal_open_context() waits. What is said here is its ret_first. */
  if (!tractor_context_started (context, g_variant_new_string ("ready to add"), error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (stream != NULL && tractor_stream_receive (stream, &word, error)) {
    gboolean ok = answer (stream, g_variant_get_string (word, NULL), &sum, error);

    g_variant_unref (word);
    if (!ok)
      return FALSE;
  }
  *ret_result = g_variant_new_int64 (sum);
  return *error == NULL; /* the end of the stream is no error */
}

static const TractorExport exports[] = { { "add_up", TRACTOR_EXPORT_CONTEXT, .context = add_up },
                                         { 0 } };
static const TractorModule modules[] = { { "adder", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* Here. */
static gboolean
ping_pong (TractorContext *context, char **words, GError **error)
{
  g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);

  for (; stream != NULL && *words != NULL; words++) {
    g_autoptr (GVariant) sum = NULL;

    if (!tractor_stream_send (stream, g_variant_new_string (*words), error) ||
        !tractor_stream_receive (stream, &sum, error))
      return FALSE;
    g_print ("ping %s, pong %" G_GINT64_FORMAT "\n", *words, g_variant_get_int64 (sum));
  }
  return stream != NULL; /* and closes it */
}

static gboolean
talk (TractorPortal *portal, char **words, GError **error)
{
  g_autoptr (GVariant) first = NULL;
  g_autoptr (GVariant) sum = NULL;
  g_autoptr (TractorContext) context =
      tractor_portal_open_context (portal, "adder:add_up", NULL, NULL, &first, error);

  if (context == NULL)
    return FALSE;
  g_print ("%s says: %s\n", tractor_portal_get_name (portal), g_variant_get_string (first, NULL));
  ping_pong (context, words, error);
  if (!tractor_context_join (context, &sum, error)) /* whatever the body said */
    return FALSE;
  g_print ("the sum is %" G_GINT64_FORMAT "\n", g_variant_get_int64 (sum));
  return TRUE;
}

static gboolean
run (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;

  if (actors == NULL)
    return FALSE;
  portal = tractor_actor_nursery_start (actors, "adder", NULL, error);
  if (portal != NULL && talk (portal, data, error))
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
  if (tractor_run (run, argv + 1, &error))
    return EXIT_SUCCESS;
  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}
