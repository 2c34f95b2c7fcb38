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
 * descriptor out of its poll set and back at each dispatch.
 *
 * A GMainContext may be iterated by any thread, but the guest belongs to one. In another the source
 * says nothing and takes its descriptor out of the poll, so that it does not keep that thread busy.
 *
 * What a task pushes onto one of GLib's stacks of "current" things has to be popped before it waits,
 * or it becomes everybody's. That is looked at after each tick. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "glib-host.h"

/* GTK 4 touches 532 KiB when it makes a program's first window, to load its theme: twice that. */
#define STACK_BYTES (1024 * 1024)

#include "default-context.h"

typedef struct {
  GSource source; /* first */
  TractorGuest *guest;
  GThread *thread;    /* the guest's */
  gboolean is_masked; /* the descriptor is not polled: we are in another thread */
  gboolean has_complained;
  gpointer fd_tag;
  gboolean sits_out;
  GSource *watch; /* (nullable): of the default context, if the guest is on another */
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
  .stack_bytes = STACK_BYTES,
};

static void
mask (GuestSource *self, gboolean is_masked)
{
  if (self->is_masked == is_masked)
    return;
  self->is_masked = is_masked;
  g_source_modify_unix_fd (&self->source, self->fd_tag, is_masked ? 0 : G_IO_IN);
  if (is_masked)
    g_warning ("A GMainContext is iterated by a thread other than that of its guest, whose tasks "
               "stand still meanwhile");
}

static gboolean
prepare (GSource *source, gint *timeout)
{
  GuestSource *self = (GuestSource *) source;
  gboolean is_due;

  mask (self, self->thread != g_thread_self ());
  is_due = tractor_guest_is_due (self->guest);

  *timeout = is_due ? 0 : -1;
  return is_due && !self->sits_out;
}

static gboolean
check (GSource *source)
{
  GuestSource *self = (GuestSource *) source;

  if (self->is_masked)
    return FALSE;
  if (self->sits_out) {
    self->sits_out = FALSE;
    return FALSE;
  }
  return tractor_guest_is_due (self->guest) || g_source_query_unix_fd (source, self->fd_tag) != 0;
}

static void
complain (GuestSource *self, const char *what)
{
  if (!self->has_complained)
    g_critical ("A task waits, or has ended, with %s still pushed: it is now that of everything on "
                "this thread",
                what);
  self->has_complained = TRUE;
}

static gboolean
dispatch (GSource *source, G_GNUC_UNUSED GSourceFunc callback, G_GNUC_UNUSED gpointer callback_data)
{
  GuestSource *self = (GuestSource *) source;
  GMainContext *context = g_main_context_get_thread_default ();
  GCancellable *cancellable = g_cancellable_get_current ();

  self->sits_out = FALSE;
  tractor_guest_tick (self->guest); /* may destroy the source: GLib holds it while dispatching */
  tractor__glib_watch_ticked (self->watch);
  if (g_main_context_get_thread_default () != context)
    complain (self, "a thread-default GMainContext");
  if (g_cancellable_get_current () != cancellable)
    complain (self, "a GCancellable");
  return G_SOURCE_CONTINUE;
}

static void
drop_watch (GuestSource *self)
{
  if (self->watch != NULL)
    g_source_destroy (self->watch);
  g_clear_pointer (&self->watch, g_source_unref);
}

static void
finalize (GSource *source)
{
  GuestSource *self = (GuestSource *) source;

  drop_watch (self);
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

  drop_watch (self);
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
  TractorGuest *guest;
  GuestSource *self;
  GSource *source;

  if (!tractor_error_check_given ((gconstpointer) main, "main function", error) ||
      !tractor_error_check_given ((gconstpointer) done, "done function", error))
    return NULL;

  source = g_source_new (&source_funcs, sizeof (GuestSource));
  self = (GuestSource *) source;
  g_source_set_static_name (source, "tractor guest");
  g_source_set_can_recurse (source, TRUE);
  tractor_glib_register_errors ();
  self->thread = g_thread_self ();
  self->done = done;
  self->done_data = done_data;
  self->guest = guest = tractor_guest_new (&ops, self, main, data, on_done, self, error);
  if (guest != NULL) {
    self->fd_tag = g_source_add_unix_fd (source, tractor_guest_get_fd (guest), G_IO_IN);
    g_source_attach (source, context != NULL ? context : g_main_context_get_thread_default ());
    if (g_source_get_context (source) != g_main_context_default ())
      self->watch = tractor__glib_watch_default_context (guest);
  }
  g_source_unref (source);
  return guest;
}

void
tractor_glib_set_priority (TractorGuest *guest, int priority)
{
  GuestSource *self;

  g_return_if_fail (guest != NULL);

  self = tractor_guest_get_host (guest, &ops);
  g_return_if_fail (self != NULL);
  g_source_set_priority (&self->source, priority);
}

GMainContext *
tractor__glib_get_context (TractorGuest *guest)
{
  GuestSource *self = tractor_guest_get_host (guest, &ops);

  return self != NULL ? g_source_get_context (&self->source) : NULL;
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
