/* supervisor.c - an actor that is started again when it dies, until it does that too often.
 *
 *   supervisor DEATHS
 *
 * The counter keeps a number. Asked to add to it, it crashes as often as it is told to; the portal to it
 * stays, and the next call reaches its successor, which begins at 0. Two deaths are put up with. With the
 * third the nursery fails, and ends all that is in it: nothing goes on half dead. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <signal.h>
#include <stdlib.h>

#define MAX_RESTARTS 2

/* --- in the actor ------------------------------------------------------------------------------ */

static gint64 total;

static gboolean
add (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  total += n;
  *ret_result = g_variant_new_int64 (total);
  return TRUE;
}

static gboolean
crash (G_GNUC_UNUSED GVariant *kwargs,
       G_GNUC_UNUSED GVariant **ret_result,
       G_GNUC_UNUSED GError **error)
{
  raise (SIGKILL);
  return TRUE;
}

static const TractorExport exports[] = { { "add", TRACTOR_EXPORT_CALL, .call = add },
                                         { "crash", TRACTOR_EXPORT_CALL, .call = crash },
                                         { 0 } };
static const TractorModule modules[] = { { "counter", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* --- here -------------------------------------------------------------------------------------- */

static gboolean
add_and_print (TractorPortal *portal, gint64 n, GError **error)
{
  g_autoptr (GVariant) sum = NULL;

  /* If it is being started again, this waits until it is up. */
  if (!tractor_portal_call (portal, "counter:add", g_variant_new_parsed ("{'n': <%x>}", n), &sum,
                            error))
    return FALSE;
  g_print ("total %d\n", (int) g_variant_get_int64 (sum));
  return TRUE;
}

static gboolean
use (TractorPortal *portal, int n_deaths, GError **error)
{
  if (!add_and_print (portal, 2, error) || !add_and_print (portal, 3, error))
    return FALSE;
  for (int i = 0; i < n_deaths; i++) {
    g_autoptr (GError) failure = NULL;

    /* What was open when it died has failed. Whether to ask again is for the caller to know. */
    if (!tractor_portal_call (portal, "counter:crash", NULL, NULL, &failure))
      g_print ("the call has failed: %s\n", failure->message);
    if (!add_and_print (portal, 1, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
run (gpointer n_deaths, GError **error)
{
  TractorRestartOptions restarts = {
    .strategy = TRACTOR_RESTART_ONE,
    .max_restarts = MAX_RESTARTS,
    .period_usec = 60 * G_USEC_PER_SEC,
  };
  TractorSpawnOptions options = { .on_death = TRACTOR_ON_DEATH_RESTART };
  g_autoptr (TractorActorNursery) actors =
      tractor_actor_nursery_open_with_restarts (&restarts, error);
  g_autoptr (TractorPortal) portal = NULL;

  if (actors == NULL)
    return FALSE;
  portal = tractor_actor_nursery_start (actors, "counter", &options, error);
  if (portal != NULL && use (portal, GPOINTER_TO_INT (n_deaths), error))
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
  if (tractor_run (run, GINT_TO_POINTER (argc > 1 ? atoi (argv[1]) : 1), &error))
    return EXIT_SUCCESS;
  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}
