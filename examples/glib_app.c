/* glib_app.c - a program with a GLib main loop of its own, infected with actors.
 *
 * The program was a loop and a clock that ticks ten times a second. Three things were added: the
 * first lines of main(), tractor_glib_attach(), and a task. The clock goes on while an actor works.
 * In a GTK program the attach goes into "activate", with the default context (NULL), and the task
 * may touch widgets: it runs on the loop's own thread. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-glib.h>
#include <tractor.h>

#include <stdlib.h>

/* --- in the actor -------------------------------------------------------------------------------- */

static gboolean
count_words (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  const char *text = "";
  g_auto (GStrv) words = NULL;

  g_variant_lookup (kwargs, "text", "&s", &text);
  words = g_strsplit (text, " ", -1);
  g_usleep (350000); /* it takes its time, and blocks: in another process that harms nobody */
  *ret_result = g_variant_new_int64 (g_strv_length (words));
  return TRUE;
}

static const TractorExport text_exports[] = {
  { "count_words", TRACTOR_EXPORT_CALL, .call = count_words }, { 0 }
};
static const TractorModule modules[] = { { "text", text_exports }, { 0 } };
static const TractorRunner runners[] = { { "glib", tractor_glib_run }, { 0 } };

/* --- in the program ------------------------------------------------------------------------------- */

typedef struct {
  GMainLoop *loop;
  guint n_ticks;
  gboolean ok;
} App;

static gboolean
on_clock (gpointer data)
{
  App *app = data;

  app->n_ticks++;
  return G_SOURCE_CONTINUE;
}

/* A task on the program's loop. */
static gboolean
ask_actor (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GVariant) answer = NULL;

  if (!tractor_run_in_actor ("counter", NULL, "text:count_words",
                             g_variant_new_parsed ("{'text': <'nothing outlives its scope'>}"),
                             &answer, error))
    return FALSE;
  g_print ("%" G_GINT64_FORMAT " words\n", g_variant_get_int64 (answer));
  return TRUE;
}

static void
on_done (const GError *error, gpointer data)
{
  App *app = data;

  app->ok = error == NULL;
  if (error != NULL)
    g_printerr ("%s\n", error->message);
  g_main_loop_quit (app->loop);
}

int
main (int argc, char **argv)
{
  g_autoptr (GMainLoop) loop = NULL;
  g_autoptr (GError) error = NULL;
  App app = { 0 };
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;

  app.loop = loop = g_main_loop_new (NULL, FALSE);
  g_timeout_add (100, on_clock, &app);
  if (tractor_glib_attach (NULL, ask_actor, &app, on_done, &app, &error) == NULL) {
    g_printerr ("%s\n", error->message);
    return EXIT_FAILURE;
  }
  g_main_loop_run (loop);
  g_print ("the clock ticked %s meanwhile\n", app.n_ticks >= 2 ? "on" : "too little");
  return app.ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
