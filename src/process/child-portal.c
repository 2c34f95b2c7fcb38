/* child-portal.c - what a portal to a child can do with it, which its parent sees live, die and restart. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-portal.h"

#include "log.h"

static const ActorId *
get_id (gpointer actor)
{
  return &((Child *) actor)->id;
}

static gint
get_pid (gpointer actor)
{
  return (gint) ((Child *) actor)->process.pid;
}

static Link *
get_link (gpointer actor, GError **error)
{
  Child *child = actor;

  while (child->is_down) /* it is being started again */
    if (!tractor_parking_lot_park (child->up, error))
      return NULL;
  if (child->cancel_requested && child->link->failure == NULL) {
    /* Often by the same cancel as the caller: then that is the news. */
    if (!tractor_checkpoint_if_cancelled (error))
      return NULL;
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
                 "Actor '%s' has been cancelled", child->id.name);
    return NULL;
  }
  return tractor__link_ref (child->link);
}

static TractorEvent *
get_gone (gpointer actor)
{
  return ((Child *) actor)->gone;
}

static gboolean
wait_until_restarted (gpointer actor, guint *n_restarts, GError **error)
{
  Child *child = actor;

  while (child->n_restarts <= *n_restarts || child->is_down || !child->has_booted) {
    if (tractor_event_is_set (child->gone)) {
      g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED, "Actor '%s' has ended",
                   child->id.name);
      return FALSE;
    }
    if (!tractor_parking_lot_park (child->up, error))
      return FALSE;
  }
  *n_restarts = child->n_restarts;
  return TRUE;
}

static gboolean
end (gpointer actor, G_GNUC_UNUSED gint64 deadline, GError **error)
{
  Child *child = actor;

  log_debug (LOG_SUPERVISE, "actor '%s' (pid %d) is to end: its portal was asked for that",
             child->id.name, (int) child->process.pid);
  tractor__child_cancel (child);
  return tractor_event_wait (child->gone, error);
}

static void
release (gpointer actor)
{
  tractor__child_unref (actor);
}

TractorPortal *
tractor__child_portal_new (Child *child)
{
  static const PortalActor kind = { get_id, get_pid, get_link, get_gone, wait_until_restarted,
                                    end,    release };

  return tractor__portal_new (&kind, tractor__child_ref (child));
}
