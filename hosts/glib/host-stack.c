/* host-stack.c - the one door through which foreign code is called.
 *
 * A callback of an application may be Python or JavaScript. An interpreter looks at where its stack
 * is, and one that finds itself on a task's gives up (GJS: "too much recursion") or crashes later.
 * So what tasks have to tell goes through here: a source of the program's own context, whose
 * dispatch asserts where it is.
 *
 * To come from the loop is not enough: a task may run a nested loop, and then everything that this
 * loop dispatches has the task's stack below it. There the source says that it is not ready, so it
 * costs nothing; what it has to tell waits for the nested loop to end, and the guest is told of that, for
 * the loop may wait for it. prepare() alone would not do: GLib remembers of a source that it was ready, and
 * a nested loop dispatches it without asking again.
 *
 * For the caller to wait until its function has been called is what keeps the order of things: when
 * a nursery is left, the callbacks of all that was in it have been called, and a program that quits
 * its loop at the end of its guest has missed none. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host-stack.h"

typedef struct {
  GSource source; /* first */
  TractorSoonFunc func;
  gpointer data;
} HostCallSource;

gboolean
tractor__glib_is_on_host_stack (void)
{
  return tractor_guest_get_current () == NULL;
}

static gboolean
prepare (G_GNUC_UNUSED GSource *source, gint *timeout)
{
  gboolean is_ready = tractor__glib_is_on_host_stack ();

  if (!is_ready)
    tractor_guest_note_held_up (tractor_guest_get_current ());
  *timeout = is_ready ? 0 : -1;
  return is_ready;
}

static gboolean
check (G_GNUC_UNUSED GSource *source)
{
  return tractor__glib_is_on_host_stack ();
}

static gboolean
dispatch (GSource *source, G_GNUC_UNUSED GSourceFunc callback, G_GNUC_UNUSED gpointer callback_data)
{
  HostCallSource *self = (HostCallSource *) source;

  if (!tractor__glib_is_on_host_stack ())
    return G_SOURCE_CONTINUE;
  self->func (self->data);
  g_assert (tractor__glib_is_on_host_stack ());
  return G_SOURCE_REMOVE;
}

static GSourceFuncs source_funcs = { .prepare = prepare, .check = check, .dispatch = dispatch };

void
tractor__glib_post_to_host_stack (GMainContext *context, TractorSoonFunc func, gpointer data)
{
  GSource *source = g_source_new (&source_funcs, sizeof (HostCallSource));
  HostCallSource *self = (HostCallSource *) source;

  self->func = func;
  self->data = data;
  g_source_set_static_name (source, "tractor callback");
  g_source_attach (source, context);
  g_source_unref (source);
}

typedef struct {
  TractorSoonFunc func;
  gpointer data;
  TractorWaker *waker;
} Call;

static void
call_and_wake (gpointer data)
{
  Call *call = data;

  call->func (call->data);
  tractor_waker_wake (call->waker, NULL);
}

void
tractor__glib_call_on_host_stack (GMainContext *context, TractorSoonFunc func, gpointer data)
{
  g_autoptr (TractorWaker) waker = tractor_waker_new ();
  Call call = { .func = func, .data = data, .waker = waker };

  tractor__glib_post_to_host_stack (context, call_and_wake, &call);
  tractor_waker_wait (waker, NULL, NULL, NULL);
}
