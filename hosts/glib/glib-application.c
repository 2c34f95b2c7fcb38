/* glib-application.c - a guest that lives as long as a GApplication, and not a moment longer.
 *
 * It holds the application while it runs. Two things end it: the last window of a GtkApplication has gone,
 * which is asked of the application by name, for GTK is not needed here; or the application quits. That
 * leaves the main loop at once, whoever holds it, so the loop goes on in "shutdown" until the guest is
 * done: it is bounded as the end of every tree of actors is, but not if a task refuses to end. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-glib.h"

typedef struct {
  GApplication *application; /* (transfer full) */
  TractorGuest *guest;       /* (nullable): until it is done */
  TractorDoneFunc done;      /* (nullable) */
  gpointer done_data;
  gulong handlers[2];
  gboolean is_shutting_down; /* and on the stack of that */
} Attachment;

static void
attachment_free (Attachment *self)
{
  g_object_unref (self->application);
  g_free (self);
}

static void
on_done (const GError *error, gpointer data)
{
  Attachment *self = data;

  self->guest = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (self->handlers); i++)
    g_clear_signal_handler (&self->handlers[i], self->application);
  if (self->done != NULL)
    self->done (error, self->done_data);
  g_application_release (self->application);
  if (!self->is_shutting_down)
    attachment_free (self);
}

static void
on_window_removed (GApplication *application, G_GNUC_UNUSED gpointer window, gpointer data)
{
  Attachment *self = data;
  g_autoptr (GObject) left = NULL;

  g_object_get (application, "active-window", &left, NULL);
  if (left == NULL)
    tractor_guest_cancel (self->guest, "the last window was closed");
}

static void
on_shutdown (G_GNUC_UNUSED GApplication *application, gpointer data)
{
  Attachment *self = data;

  self->is_shutting_down = TRUE;
  tractor_guest_cancel (self->guest, "the application quits");
  while (self->guest != NULL)
    g_main_context_iteration (NULL, TRUE);
  attachment_free (self);
}

TractorGuest *
tractor_glib_attach_to_application (GApplication *application,
                                    TractorTaskFunc main,
                                    gpointer data,
                                    TractorDoneFunc done,
                                    gpointer done_data,
                                    GError **error)
{
  Attachment *self;

  if (!tractor_error_check_given (application, "application", error) ||
      !tractor_error_check_given ((gconstpointer) main, "main function", error))
    return NULL;
  g_return_val_if_fail (G_IS_APPLICATION (application), NULL);

  self = g_new0 (Attachment, 1);
  self->application = g_object_ref (application);
  self->done = done;
  self->done_data = done_data;
  self->guest = tractor_glib_attach (g_main_context_default (), main, data, on_done, self, error);
  if (self->guest == NULL) {
    attachment_free (self);
    return NULL;
  }
  g_application_hold (application);
  self->handlers[0] = g_signal_connect (application, "shutdown", G_CALLBACK (on_shutdown), self);
  if (g_signal_lookup ("window-removed", G_OBJECT_TYPE (application)) != 0)
    self->handlers[1] =
        g_signal_connect (application, "window-removed", G_CALLBACK (on_window_removed), self);
  return self->guest;
}
