/* actor-nursery.c - places for actors to live in.
 *
 * An actor nursery is a nursery of the tasks that watch over its actors (supervise.c), opened in
 * the task of whoever opens it; so one-cancels-all, the waiting, and the collecting of failures are
 * those of nursery.c. What is its own: it closes a runtime that was opened for it, it can be
 * cancelled without cancelling its body, and failures that are one and the same event, as when the
 * body's call and the nursery both report a death, come back as one. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "actor-nursery.h"

#include "bounds.h"
#include "child-portal.h"
#include "log.h"
#include "remote-error.h"
#include "restart.h"
#include "runtime.h"
#include "spares.h"
#include "supervise.h"

struct _TractorActorNursery {
  TractorRuntime *runtime;
  TractorNursery *nursery;
  GPtrArray *children; /* (element-type Child): in the order of their start */
  Restarts *restarts;
  Spares *spares;
  gboolean is_cancelled;
  gboolean is_joined;
  gboolean is_left;                                /* the runtime may be gone */
  void (*close_runtime) (TractorRuntime *runtime); /* (nullable): it is our part */
};

/* --- opening ----------------------------------------------------------------------------------- */

/* It is being left by what is around it: its actors are ended, as those of a nursery that is closed. */
static void
end (gpointer data)
{
  TractorActorNursery *self = data;

  self->is_joined = TRUE;
  tractor__spares_end (self->spares);
}

static void
left (gpointer data)
{
  TractorActorNursery *self = data;

  if (self->is_left)
    return;
  self->is_left = TRUE;
  g_ptr_array_set_size (self->children, 0); /* which know the runtime */
  g_ptr_array_remove_fast (self->runtime->nurseries, self);
  tractor_parking_lot_unpark (self->runtime->nurseries_left, G_MAXUINT);
}

static void
nursery_free (gpointer data)
{
  TractorActorNursery *self = data;

  tractor__restarts_free (self->restarts);
  tractor__spares_free (self->spares);
  g_ptr_array_unref (self->children);
  g_free (self);
}

static const TractorScopeContent content = { "actor nursery", end, left, nursery_free };

static TractorCancelScope *
get_scope (TractorActorNursery *self)
{
  return tractor_nursery_get_scope (self->nursery);
}

TractorActorNursery *
tractor__actor_nursery_new (TractorRuntime *runtime,
                            const TractorRestartOptions *restart_options,
                            void (*close_runtime) (TractorRuntime *runtime))
{
  TractorActorNursery *self = g_new0 (TractorActorNursery, 1);

  self->runtime = runtime;
  self->close_runtime = close_runtime;
  g_ptr_array_add (runtime->nurseries, self);
  self->children = g_ptr_array_new_with_free_func ((GDestroyNotify) tractor__child_unref);
  self->restarts = tractor__restarts_new (restart_options, self->children);
  self->nursery = tractor_nursery_open ();
  self->spares = tractor__spares_new (runtime, self->nursery);
  tractor_cancel_scope_set_content (get_scope (self), &content, self);
  return self;
}

/* --- starting ---------------------------------------------------------------------------------- */

gboolean
tractor_actor_nursery_get_cancel_called (TractorActorNursery *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return self->is_cancelled || tractor_cancel_scope_get_cancel_called (get_scope (self));
}

static gboolean
may_start (TractorActorNursery *self, GError **error)
{
  if (self->is_joined || tractor_actor_nursery_get_cancel_called (self)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                         "The actor nursery is closed or being cancelled");
    return FALSE;
  }
  if (self->runtime->children->len >= self->runtime->limits.children) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT,
                 "An actor can have %u child%s (TractorLimits.children)",
                 self->runtime->children->len, self->runtime->children->len == 1 ? "" : "ren");
    return FALSE;
  }
  if (self->runtime->depth >= LIMIT_TREE_DEPTH) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT, "A tree of actors can be %d deep",
                 LIMIT_TREE_DEPTH);
    return FALSE;
  }
  return TRUE;
}

/* Nothing is forked in a cancelled scope. */
static gboolean
begin_start (TractorActorNursery *self, const TractorSpawnOptions *options, GError **error)
{
  if (!tractor_checkpoint (error) || !may_start (self, error))
    return FALSE;
  if (tractor__spares_wait (self->spares))
    return TRUE;
  return tractor__newborn_prepare (self->runtime, options, error) && may_start (self, error);
}

static void
forget_gone (TractorActorNursery *self)
{
  for (guint i = self->children->len; i-- > 0;) {
    Child *child = self->children->pdata[i];

    if (tractor_event_is_set (child->gone))
      g_ptr_array_remove_index (self->children, i);
  }
}

TractorPortal *
tractor_actor_nursery_start (TractorActorNursery *self,
                             const char *name,
                             const TractorSpawnOptions *options,
                             GError **error)
{
  g_autoptr (Child) child = NULL;

  if (!tractor_error_check_given (self, "actor nursery", error))
    return NULL;

  if (!begin_start (self, options, error))
    return NULL;
  child = tractor__child_new (self->runtime, self->spares, name, options, error);
  if (child == NULL || !tractor__child_supervise (child, self->nursery, self->restarts, error))
    return NULL;
  forget_gone (self);
  g_ptr_array_add (self->children, tractor__child_ref (child));

  if (!tractor_event_wait (child->booted, error)) {
    tractor__child_cancel (child);
    return NULL;
  }
  if (child->boot_failure != NULL) {
    g_propagate_error (error, g_steal_pointer (&child->boot_failure));
    return NULL;
  }
  return tractor__child_portal_new (child);
}

gboolean
tractor_actor_nursery_prepare (TractorActorNursery *self,
                               guint n,
                               const TractorSpawnOptions *options,
                               GError **error)
{
  if (!tractor_error_check_given (self, "actor nursery", error))
    return FALSE;

  if (!tractor_checkpoint (error) || !may_start (self, error) ||
      (n > 0 && !tractor__newborn_prepare (self->runtime, options, error)) ||
      !may_start (self, error))
    return FALSE;
  return tractor__spares_prepare (self->spares, n, options, error);
}

void
tractor_actor_nursery_cancel (TractorActorNursery *self)
{
  g_return_if_fail (self != NULL);

  log_debug (LOG_SUPERVISE, "an actor nursery is cancelled; it has had %u actor%s",
             self->children->len, self->children->len == 1 ? "" : "s");
  self->is_cancelled = TRUE;
  tractor__spares_end (self->spares);
  for (guint i = 0; i < self->children->len; i++)
    tractor__child_cancel (self->children->pdata[i]);
}

void
tractor_actor_nursery_kill (TractorActorNursery *self)
{
  g_return_if_fail (self != NULL);

  self->is_cancelled = TRUE;
  tractor__spares_end (self->spares);
  for (guint i = 0; i < self->children->len; i++)
    tractor__child_kill (self->children->pdata[i]);
}

/* --- the outcome ------------------------------------------------------------------------------- */

static gboolean
is_same_failure (gconstpointer a, gconstpointer b)
{
  return tractor__remote_error_is_same (a, b);
}

/* Adds @error, or if it is a GROUP what stands behind it, unless it is there already. */
static void
add_failures (GPtrArray *failures, const GError *error)
{
  const GPtrArray *children = tractor_error_get_children (error);

  if (children == NULL) {
    if (!g_ptr_array_find_with_equal_func (failures, error, is_same_failure, NULL))
      g_ptr_array_add (failures, g_error_copy (error));
    return;
  }
  for (guint i = 0; i < children->len; i++)
    add_failures (failures, children->pdata[i]);
}

/* @error: (transfer full). Returns: (transfer full): one failure as it is, several as a GROUP. */
static GError *
collapse (GError *error)
{
  g_autoptr (GPtrArray) failures = g_ptr_array_new ();

  if (tractor_error_get_children (error) == NULL)
    return error;
  add_failures (failures, error);
  g_error_free (error);
  if (failures->len == 1)
    return failures->pdata[0];
  return tractor_error_new_group (g_steal_pointer (&failures));
}

gboolean
tractor_actor_nursery_join (TractorActorNursery *self, GError **error)
{
  g_return_val_if_fail (error != NULL, FALSE);
  if (!tractor_error_check_given (self, "actor nursery", error))
    return FALSE;

  if (!tractor_cancel_scope_close_inside (get_scope (self), error))
    return FALSE;
  self->is_joined = TRUE;
  tractor__spares_end (self->spares);
  tractor_nursery_join (self->nursery, error);
  if (*error != NULL)
    *error = collapse (g_steal_pointer (error));
  /* Whoever has failed does not wait for what others do in its runtime. */
  if (!self->is_left && self->close_runtime != NULL)
    self->runtime->waits_for_nurseries = *error == NULL;
  left (self);
  return *error == NULL;
}

static gboolean
fail_without_runtime (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME,
                       "The actor runtime that the nursery was opened in has been closed: open one "
                       "(tractor_runtime_open()) around all tasks that use it, and join them "
                       "before it is closed");
  return FALSE;
}

void
tractor__actor_nursery_fail (TractorActorNursery *self)
{
  if (!tractor_nursery_spawn (self->nursery, "runtime", fail_without_runtime, NULL, NULL, NULL))
    tractor_cancel_scope_cancel (get_scope (self), "the runtime is closed");
}

void
tractor_actor_nursery_close (TractorActorNursery *self)
{
  if (self == NULL || !tractor_cancel_scope_close_inside (get_scope (self), NULL))
    return;

  tractor_nursery_close (self->nursery);
  left (self);
  if (self->close_runtime != NULL)
    self->close_runtime (self->runtime);
  nursery_free (self);
}
