/* glib-host.c - a guest as a GSource.
 *
 * The source has one descriptor, the guest's. Ticks that the guest asks for on the loop's own
 * thread are seen by prepare(), which asks it; so asking costs no system call, and a nested loop
 * inside a tick sees the tasks that the tick has left runnable.
 *
 * GLib serves strictly by priority: a source that is always ready starves everything below it,
 * redrawing first of all. So after a tick that ran out of budget the source sits out one whole
 * iteration, in which it says that it is not ready and has no time to wait. prepare() may be called
 * twice without a check() in between, so only check() ends the sitting out.
 *
 * The source may recurse: when a task runs a nested main loop, the others go on, ticked from there;
 * the guest itself refuses what must not happen in it. It is also faster, for GLib would take the
 * descriptor out of its poll set and back at each dispatch. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-glib.h"

typedef struct {
  GSource source; /* first */
  TractorGuest *guest;
  gpointer fd_tag;
  gboolean sits_out;
  TractorDoneFunc done;
  gpointer done_data;
} GuestSource;

static void
schedule (gpointer data, gboolean yielded)
{
  GuestSource *self = data;

  self->sits_out = yielded;
}

static guint
depth (G_GNUC_UNUSED gpointer data)
{
  return (guint) g_main_depth ();
}

static const TractorHostOps ops = {
  .version = TRACTOR_HOST_VERSION,
  .schedule = schedule,
  .depth = depth,
};

static gboolean
prepare (GSource *source, gint *timeout)
{
  GuestSource *self = (GuestSource *) source;

  gboolean is_due = tractor_guest_is_due (self->guest);

  *timeout = is_due ? 0 : -1;
  return is_due && !self->sits_out;
}

static gboolean
check (GSource *source)
{
  GuestSource *self = (GuestSource *) source;

  if (self->sits_out) {
    self->sits_out = FALSE;
    return FALSE;
  }
  return tractor_guest_is_due (self->guest) || g_source_query_unix_fd (source, self->fd_tag) != 0;
}

static gboolean
dispatch (GSource *source, G_GNUC_UNUSED GSourceFunc callback, G_GNUC_UNUSED gpointer callback_data)
{
  GuestSource *self = (GuestSource *) source;

  self->sits_out = FALSE;
  tractor_guest_tick (self->guest); /* may destroy the source: GLib holds it while dispatching */
  return G_SOURCE_CONTINUE;
}

static void
finalize (GSource *source)
{
  GuestSource *self = (GuestSource *) source;

  tractor_guest_free (g_steal_pointer (&self->guest)); /* complains if it is not done */
}

static GSourceFuncs source_funcs = {
  .prepare = prepare,
  .check = check,
  .dispatch = dispatch,
  .finalize = finalize,
};

static void
on_done (const GError *error, gpointer data)
{
  GuestSource *self = data;
  TractorDoneFunc done = self->done;
  gpointer done_data = self->done_data;

  g_source_destroy (&self->source);
  done (error, done_data);
}

TractorGuest *
tractor_glib_attach (GMainContext *context,
                     TractorTaskFunc main,
                     gpointer data,
                     TractorDoneFunc done,
                     gpointer done_data,
                     GError **error)
{
  GSource *source = g_source_new (&source_funcs, sizeof (GuestSource));
  GuestSource *self = (GuestSource *) source;
  TractorGuest *guest;

  g_source_set_static_name (source, "tractor guest");
  g_source_set_can_recurse (source, TRUE);
  self->done = done;
  self->done_data = done_data;
  self->guest = guest = tractor_guest_new (&ops, self, main, data, on_done, self, error);
  if (guest != NULL) {
    self->fd_tag = g_source_add_unix_fd (source, tractor_guest_get_fd (guest), G_IO_IN);
    g_source_attach (source, context != NULL ? context : g_main_context_get_thread_default ());
  }
  g_source_unref (source);
  return guest;
}

typedef struct {
  GMainLoop *loop;
  GError *error;
} Run;

static void
on_run_done (const GError *error, gpointer data)
{
  Run *run = data;

  run->error = error != NULL ? g_error_copy (error) : NULL;
  g_main_loop_quit (run->loop);
}

gboolean
tractor_glib_run (TractorTaskFunc main, gpointer data, GError **error)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  Run run = { .loop = loop };

  g_main_context_push_thread_default (context);
  if (tractor_glib_attach (context, main, data, on_run_done, &run, error) == NULL) {
    g_main_context_pop_thread_default (context);
    return FALSE;
  }
  g_main_loop_run (loop);
  g_main_context_pop_thread_default (context);

  if (run.error == NULL)
    return TRUE;
  g_propagate_error (error, run.error);
  return FALSE;
}
