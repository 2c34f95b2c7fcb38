/* external_program.c - other programs, run under the rules of tasks.
 *
 *    external_program [--host builtin|glib|uv]
 *
 * Three programs run at the same time: one writes a few lines, which are logged under a label; one
 * hangs, and has a deadline; one fails, and its exit status and last words become a GError. None of
 * them can outlive the nursery. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor-glib.h>
#include <tractor-uv.h>
#include <tractor.h>

#include <stdlib.h>
#include <string.h>

/* What it writes comes as messages of GLib's log: "[compiler:out] one file". */
static gboolean
compile (G_GNUC_UNUSED gpointer data, GError **error)
{
  const char *argv[] = { "sh", "-c", "echo one file; echo another; echo a warning >&2", NULL };

  return tractor_run_process (argv, &(TractorProcessOptions){ .label = "compiler" }, error);
}

/* It ignores SIGTERM, and so it is killed 1.6 s after the deadline. */
static gboolean
probe (G_GNUC_UNUSED gpointer data, GError **error)
{
  const char *argv[] = { "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done", NULL };
  gint64 deadline = tractor_now () + G_USEC_PER_SEC / 4;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (deadline);

  tractor_run_process (argv, NULL, error);
  if (!tractor_cancel_scope_absorb (scope, error))
    return FALSE;
  if (tractor_cancel_scope_get_cancelled_caught (scope))
    g_print ("the probe took too long, and is gone\n");
  return TRUE;
}

typedef struct {
  guint n_lines;
} Upload;

static void
on_line (const char *line, G_GNUC_UNUSED gsize length, gpointer data)
{
  Upload *upload = data;

  g_print ("line %u: %s\n", ++upload->n_lines, line);
}

static gboolean
send_files (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  const char *argv[] = { "sh", "-c", "echo 10%; echo 20%; echo no route to host >&2; exit 7",
                         NULL };
  Upload upload = { 0 };
  g_autoptr (GError) failure = NULL;

  if (tractor_run_process (argv, &(TractorProcessOptions){ .on_stdout = on_line, .data = &upload },
                           &failure))
    return TRUE;
  if (failure->domain != G_SPAWN_EXIT_ERROR) { /* cancelled, say */
    g_propagate_error (error, g_steal_pointer (&failure));
    return FALSE;
  }
  g_print ("the upload failed with status %d: %s\n", failure->code, failure->message);
  return TRUE;
}

static gboolean
run_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  if (!tractor_nursery_spawn (nursery, "compile", compile, NULL, NULL, error) ||
      !tractor_nursery_spawn (nursery, "probe", probe, NULL, NULL, error) ||
      !tractor_nursery_spawn (nursery, "upload", send_files, NULL, NULL, error))
    return FALSE;
  return tractor_nursery_join (nursery, error);
}

int
main (int argc, char **argv)
{
  const char *name = argc == 3 && strcmp (argv[1], "--host") == 0 ? argv[2] : "builtin";
  TractorRunFunc run = strcmp (name, "glib") == 0 ? tractor_glib_run
                       : strcmp (name, "uv") == 0 ? tractor_uv_run
                                                  : tractor_run;
  g_autoptr (GError) error = NULL;

  if (run (run_all, NULL, &error))
    return EXIT_SUCCESS;
  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}
