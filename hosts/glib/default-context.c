/* default-context.c - noticing a task that iterates the default GMainContext, which is not its guest's.
 *
 * Code that makes a synchronous call of an asynchronous one iterates the default context until its callback
 * has come. What a task starts calls back in the context of its guest, though, and if that is another one,
 * it never does: no task goes on, and the thread sleeps in a poll that nobody ends.
 *
 * A source in the default context sees that, for it is asked before each poll: if that happens in the
 * guest's thread while a task is on the processor, it has the poll end after some seconds, and if the task
 * has not let go of the thread meanwhile, that is told, once. In any other thread it says nothing, and
 * touches nothing. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "default-context.h"

#define PATIENCE_USEC (3 * G_USEC_PER_SEC)

typedef struct {
  GSource source; /* first */
  TractorGuest *guest;
  gint64 since; /* when a task was first seen to do it; 0: none does. The guest's thread only */
  gboolean is_told;
} WatchSource;

static gboolean
is_in_task (const WatchSource *self)
{
  return tractor_guest_get_current () == self->guest && tractor_task_get_name () != NULL;
}

static gboolean
prepare (GSource *source, gint *timeout)
{
  WatchSource *self = (WatchSource *) source;
  gint64 left;

  *timeout = -1;
  if (!is_in_task (self) || self->is_told)
    return FALSE;
  if (self->since == 0)
    self->since = g_get_monotonic_time ();
  left = MAX (self->since + PATIENCE_USEC - g_get_monotonic_time (), 0);
  *timeout = (gint) ((left + 999) / 1000);
  return left == 0;
}

static gboolean
check (GSource *source)
{
  WatchSource *self = (WatchSource *) source;

  return is_in_task (self) && self->since != 0 && !self->is_told &&
         g_get_monotonic_time () - self->since >= PATIENCE_USEC;
}

static gboolean
dispatch (GSource *source, G_GNUC_UNUSED GSourceFunc callback, G_GNUC_UNUSED gpointer callback_data)
{
  WatchSource *self = (WatchSource *) source;

  self->is_told = TRUE;
  g_warning (
      "Task '%s' has been iterating the default GMainContext for %d s, which is not that of its "
      "guest: no task goes on, and what was started in a task does not call back there",
      tractor_task_get_name (), (int) (PATIENCE_USEC / G_USEC_PER_SEC));
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { .prepare = prepare, .check = check, .dispatch = dispatch };

GSource *
tractor__glib_watch_default_context (TractorGuest *guest)
{
  GSource *source = g_source_new (&source_funcs, sizeof (WatchSource));

  ((WatchSource *) source)->guest = guest;
  g_source_set_static_name (source, "tractor watch");
  g_source_set_can_recurse (source, TRUE);
  g_source_attach (source, NULL);
  return source;
}

void
tractor__glib_watch_ticked (GSource *source)
{
  WatchSource *self = (WatchSource *) source;

  if (self != NULL && G_UNLIKELY (self->since != 0) && tractor_guest_get_current () == NULL) {
    self->since = 0;
    self->is_told = FALSE;
  }
}
