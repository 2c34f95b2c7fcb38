/* gtk-task.c - GTK work with deep stacks, done by a task: the first window, and another theme. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <gtk/gtk.h>

#include "tractor-glib.h"
#include "tractor-sync.h"
#include "tractor-task.h"

static GtkApplication *application;

/* Returns: what a task for windows has on it. */
static GtkWidget *
make_window (void)
{
  GtkWidget *window = gtk_application_window_new (application);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);

  gtk_box_append (GTK_BOX (box), gtk_entry_new ());
  gtk_box_append (GTK_BOX (box), gtk_text_view_new ());
  gtk_box_append (GTK_BOX (box), gtk_calendar_new ());
  gtk_window_set_child (GTK_WINDOW (window), box);
  gtk_window_present (GTK_WINDOW (window));
  return window;
}

static void
on_map (G_GNUC_UNUSED GtkWidget *window, gpointer data)
{
  tractor_event_set (data);
}

static gboolean
live (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) is_shown = tractor_event_new ();
  GtkWidget *window = make_window ();
  gsize touched;

  g_signal_connect (window, "map", G_CALLBACK (on_map), is_shown);
  if (!gtk_widget_get_mapped (window) && !tractor_event_wait (is_shown, error))
    return FALSE;
  g_object_set (gtk_settings_get_default (), "gtk-theme-name", "Default-hc", NULL);
  g_object_set (gtk_settings_get_default (), "gtk-application-prefer-dark-theme", TRUE, NULL);
  g_print ("%zu KiB, ", tractor_task_get_stack (&touched) / 1024);
  g_print ("of them touched: %zu\n", touched / 1024);
  g_signal_handlers_disconnect_by_data (window, is_shown);
  gtk_window_destroy (GTK_WINDOW (window));
  return TRUE;
}

static void
on_activate (G_GNUC_UNUSED GApplication *self, gpointer ret_error)
{
  tractor_glib_attach_to_application (self, live, NULL, NULL, NULL, ret_error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int status;

  application = gtk_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  g_signal_connect (application, "activate", G_CALLBACK (on_activate), &error);
  status = g_application_run (G_APPLICATION (application), argc, argv);
  g_assert_no_error (error);
  g_object_unref (application);
  return status;
}
