/* pipeline.c - four actors in a row: each transforms what streams through it.
 *
 *     count | square | even-only | label
 *
 * Every stage starts the one before it, reads its stream, and sends on what it makes of it. A stage
 * is over when the one before it is; and whoever leaves early (--cancel, after half of what comes
 * out) ends the whole row, down to the last process.
 *
 *    pipeline [--cancel] [--host builtin|glib|uv] */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor-glib.h>
#include <tractor-uv.h>
#include <tractor.h>

#include <string.h>

#define N_ITEMS 1000
static const char *const stage_names[] = { "count", "square", "even-only", "label" };
static gboolean leaves_early;
static guint n_items;

static gboolean
pass_on (gint64 stage, GVariant *item, TractorStream *out, GError **error)
{
  gint64 number = stage < (gint64) G_N_ELEMENTS (stage_names) ? g_variant_get_int64 (item) : 0;

  if (stage == G_N_ELEMENTS (stage_names)) { /* we are not an actor, but its reader */
    if (++n_items == 1)
      g_print ("first comes %s\n", g_variant_get_string (item, NULL));
    return !leaves_early || n_items < N_ITEMS / 4;
  }
  if (stage == 1)
    return tractor_stream_send (out, g_variant_new_int64 (number * number), error);
  if (stage == 2)
    return number % 2 != 0 || tractor_stream_send (out, item, error);
  return tractor_stream_send (out, g_variant_new_printf ("item %" G_GINT64_FORMAT, number), error);
}

static gboolean stream_stage (TractorStream *out, GVariant *kwargs, GError **error);
static const TractorExport exports[] = { { "stage", TRACTOR_EXPORT_STREAM, .stream = stream_stage },
                                         { 0 } };
static const TractorModule modules[] = { { "pipeline", exports }, { 0 } };
static const TractorRunner runners[] = {
  { "builtin", tractor_run }, { "glib", tractor_glib_run }, { "uv", tractor_uv_run }, { 0 }
};

/* Starts a stage and passes on what comes out of it, until one of both ends. Then all is gone. */
static gboolean
read_stage (gint64 stage, const char *host, TractorStream *out, GError **error)
{
  TractorSpawnOptions options = { .host = host };
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (TractorStream) in = NULL;
  GVariant *item;
  gboolean ok = TRUE;

  if (actors == NULL)
    return FALSE;
  portal = tractor_actor_nursery_start (actors, stage_names[stage], &options, error);
  if (portal != NULL)
    in = tractor_portal_open_stream (
        portal, "pipeline:stage",
        g_variant_new_parsed ("{'stage': <%x>, 'host': <%s>}", stage, host), NULL, error);
  while (ok && in != NULL && tractor_stream_receive (in, &item, error)) {
    ok = pass_on (stage + 1, item, out, error);
    g_variant_unref (item);
  }
  g_clear_pointer (&in, tractor_stream_close);
  if (*error == NULL)
    tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

/* Runs in every actor. */
static gboolean
stream_stage (TractorStream *out, GVariant *kwargs, GError **error)
{
  const char *host = NULL;
  gint64 stage = 0;

  g_variant_lookup (kwargs, "stage", "x", &stage);
  g_variant_lookup (kwargs, "host", "&s", &host);
  if (stage > 0)
    return read_stage (stage - 1, host, out, error);
  for (gint64 i = 1; i <= N_ITEMS; i++)
    if (!tractor_stream_send (out, g_variant_new_int64 (i), error))
      return FALSE;
  return TRUE;
}

static gboolean
run (gpointer host, GError **error)
{
  return read_stage (G_N_ELEMENTS (stage_names) - 1, host, NULL, error);
}

int
main (int argc, char **argv)
{
  const TractorRunner *host = runners;
  g_autoptr (GError) error = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  for (int i = 1; i < argc; i++) {
    leaves_early |= strcmp (argv[i], "--cancel") == 0;
    for (guint j = 0; runners[j].name != NULL; j++)
      if (strcmp (argv[i], runners[j].name) == 0)
        host = &runners[j];
  }
  if (!host->run (run, (gpointer) host->name, &error))
    g_printerr ("%s\n", error->message);
  g_print ("%u items\n", n_items);
  return error != NULL;
}
