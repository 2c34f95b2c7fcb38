/* one_way_stream.c - a function that sends items one way, and a reader who leaves early.
 *
 * The actor would count prime numbers for ever. The reader takes ten and closes the stream: that
 * cancels the function, and waits until it has ended. With --all the reader asks for a given number
 * of them, and gets the end of the stream. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>
#include <string.h>

/* --- in the actor -------------------------------------------------------------------------------- */

static gboolean
is_prime (gint64 number)
{
  for (gint64 divisor = 2; divisor <= number / divisor; divisor++)
    if (number % divisor == 0)
      return FALSE;
  return number > 1;
}

/* TRACTOR_EXPORT_STREAM: the stream is open when this begins, and ends when it returns. */
static gboolean
list_primes (TractorStream *stream, GVariant *kwargs, GError **error)
{
  gint64 n_wanted = G_MAXINT64;

  g_variant_lookup (kwargs, "n", "x", &n_wanted);
  for (gint64 number = 0, n = 0; n < n_wanted; number++) {
    if (!is_prime (number))
      continue;
    /* Waits while the reader is behind: so it never runs far ahead of what is wanted. */
    if (!tractor_stream_send (stream, g_variant_new_int64 (number), error)) {
      g_print ("the generator leaves: %s\n", (*error)->message);
      return FALSE;
    }
    n++;
  }
  return TRUE;
}

static const TractorExport exports[] = {
  { "list", TRACTOR_EXPORT_STREAM, .stream = list_primes },
  { 0 },
};
static const TractorModule modules[] = { { "primes", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* --- here ---------------------------------------------------------------------------------------- */

static gboolean
print_ten (TractorPortal *portal, GVariant *kwargs, GError **error)
{
  g_autoptr (TractorStream) stream =
      tractor_portal_open_stream (portal, "primes:list", kwargs, NULL, error);
  GVariant *item;

  for (int i = 0; stream != NULL && i < 10; i++) {
    if (!tractor_stream_receive (stream, &item, error)) {
      if (*error != NULL)
        return FALSE;
      g_print ("that is all\n");
      return TRUE;
    }
    g_print ("%" G_GINT64_FORMAT "\n", g_variant_get_int64 (item));
    g_variant_unref (item);
  }
  return stream != NULL; /* g_autoptr closes it: on every way out */
}

static gboolean
run (gpointer data, GError **error)
{
  GVariant *kwargs = data;
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;

  if (actors == NULL)
    return FALSE;
  portal = tractor_actor_nursery_start (actors, "generator", NULL, error);
  if (portal != NULL && print_ten (portal, kwargs, error)) {
    g_print ("enough\n");
    tractor_actor_nursery_cancel (actors);
  }
  return tractor_actor_nursery_join (actors, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  GVariant *kwargs = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (argc == 3 && strcmp (argv[1], "--all") == 0)
    kwargs = g_variant_new_parsed ("{'n': <%x>}", g_ascii_strtoll (argv[2], NULL, 10));
  if (tractor_run (run, kwargs, &error))
    return EXIT_SUCCESS;
  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}
