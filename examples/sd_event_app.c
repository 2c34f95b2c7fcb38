/* sd_event_app.c - a program on systemd's loop, with tasks and an actor in it.
 *
 * The loop's own timer ticks on while a task asks another process for its sum. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>
#include <unistd.h>

#include "sd_event_host.h"

/* Runs in the actor. */
static gboolean
add_up (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  gint64 n;
  gint64 sum = 0;

  if (!g_variant_lookup (kwargs, "n", "x", &n)) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "add_up() needs an integer n");
    return FALSE;
  }
  for (gint64 i = 1; i <= n; i++)
    sum += i;
  *ret_result = g_variant_new_int64 (sum);
  return TRUE;
}

static const TractorExport exports[] = { { "add_up", TRACTOR_EXPORT_CALL, .call = add_up }, { 0 } };
static const TractorModule modules[] = { { "math", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* A task on the loop's thread. */
static gboolean
ask (gpointer data, GError **error)
{
  g_autoptr (GVariant) sum = NULL;

  (void) data;
  if (!tractor_run_in_actor ("adder", NULL, "math:add_up",
                             g_variant_new_parsed ("{'n': <%x>}", (gint64) 1000000), &sum, error))
    return FALSE;
  g_print ("the sum is %" G_GINT64_FORMAT "\n", g_variant_get_int64 (sum));
  return TRUE;
}

static void
on_done (const GError *error, gpointer data)
{
  if (error != NULL)
    g_printerr ("%s\n", error->message);
  sd_event_exit (data, error != NULL ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int
on_beat (sd_event_source *source, uint64_t usec, void *data)
{
  ++*(guint *) data;
  sd_event_source_set_time (source, usec + 100);
  return sd_event_source_set_enabled (source, SD_EVENT_ONESHOT);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  sd_event_source *beat = NULL;
  sd_event *event = NULL;
  guint n_beats = 0;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (sd_event_default (&event) < 0 ||
      sd_event_add_time_relative (event, &beat, CLOCK_MONOTONIC, 0, 1, on_beat, &n_beats) < 0)
    return EXIT_FAILURE;
  if (tractor_sd_event_attach (event, ask, NULL, on_done, event, &error) == NULL) {
    g_printerr ("%s\n", error->message);
    return EXIT_FAILURE;
  }

  status = sd_event_loop (event);
  g_print ("the loop's own timer beat %s meanwhile\n", n_beats > 0 ? "on" : "not once");
  sd_event_source_disable_unref (beat);
  sd_event_unref (event);
  return status;
}
