/* nursery.c - places for tasks to live in.
 *
 * A nursery is a cancel scope with children. The body, which is whatever its owner does between
 * open and join, and the children are inside the scope. The first that does not succeed cancels
 * the scope, so the others come home; join waits for all of them and hands over every failure in
 * one group. Then the scope absorbs the CANCELLED that it caused itself, by the same rule as any
 * other scope.
 *
 * The waiting owner is not cancelled: a cancel from outside reaches the children, because they are
 * in the scope too, and their end is what the owner waits for.
 *
 * A nursery stays open while a child lives, so children may spawn siblings while it is joined. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "nursery.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "task.h"

TractorNursery *
tractor_nursery_open (void)
{
  TractorGuest *guest = tractor__current_guest;
  TractorNursery *nursery;

  g_return_val_if_fail (task_get_suspendable (NULL) != NULL, NULL);

  nursery = guest->free_nurseries;
  if (nursery != NULL) {
    guest->free_nurseries = nursery->next_free;
    memset (nursery, 0, sizeof *nursery);
  } else {
    nursery = g_new0 (TractorNursery, 1);
  }
  nursery->scope.is_nursery = TRUE;
  tractor__scope_enter (&nursery->scope, guest, guest->current);
  return nursery;
}

TractorCancelScope *
tractor_nursery_get_scope (TractorNursery *nursery)
{
  g_return_val_if_fail (nursery != NULL, NULL);

  return &nursery->scope;
}

static void
spawn_fails (gpointer data, GDestroyNotify data_free)
{
  if (data_free != NULL)
    data_free (data);
}

Task *
tractor__nursery_add (TractorNursery *nursery,
                      const char *name,
                      gsize stack_bytes,
                      TractorTaskFunc func,
                      gpointer data,
                      GDestroyNotify data_free,
                      GError **error)
{
  Task *task;

  if (G_UNLIKELY (!guest_is_on_thread (nursery->scope.guest))) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_WRONG_THREAD,
                 "Cannot spawn task '%s' from another thread: use a token",
                 name != NULL ? name : "unnamed");
    spawn_fails (data, data_free);
    return NULL;
  }
  if (G_UNLIKELY (nursery->scope.is_left)) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                 "Cannot spawn task '%s': the nursery is closed", name != NULL ? name : "unnamed");
    spawn_fails (data, data_free);
    return NULL;
  }

  task = tractor__task_new (nursery->scope.guest, &nursery->scope, name, stack_bytes, func, data,
                            data_free);
  if (G_UNLIKELY (task == NULL)) {
    int saved_errno = errno;

    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT, "No stack for task '%s': %s",
                 name != NULL ? name : "unnamed", g_strerror (saved_errno));
    spawn_fails (data, data_free);
    return NULL;
  }

  task->nursery = nursery;
  nursery->n_children++;
  return task;
}

gboolean
tractor_nursery_spawn (TractorNursery *nursery,
                       const char *name,
                       TractorTaskFunc func,
                       gpointer data,
                       GDestroyNotify data_free,
                       GError **error)
{
  if (!tractor_error_check_given (nursery, "nursery", error) ||
      !tractor_error_check_given ((gconstpointer) func, "function", error)) {
    spawn_fails (data, data_free);
    return FALSE;
  }

  return tractor__nursery_add (nursery, name, 0, func, data, data_free, error) != NULL;
}

gboolean
tractor_nursery_spawn_with_stack (TractorNursery *nursery,
                                  const char *name,
                                  gsize stack_bytes,
                                  TractorTaskFunc func,
                                  gpointer data,
                                  GDestroyNotify data_free,
                                  GError **error)
{
  if (!tractor_error_check_given (nursery, "nursery", error) ||
      !tractor_error_check_given ((gconstpointer) func, "function", error)) {
    spawn_fails (data, data_free);
    return FALSE;
  }

  return tractor__nursery_add (nursery, name, MAX (stack_bytes, 1), func, data, data_free, error) !=
         NULL;
}

void
tractor__nursery_hold (TractorNursery *nursery)
{
  nursery->n_children++;
}

void
tractor__nursery_release (TractorNursery *nursery)
{
  nursery->n_children--;
  if (nursery->n_children == 0 && nursery->joiner != NULL)
    task_wake (g_steal_pointer (&nursery->joiner), WAKE_NORMAL);
}

void
tractor__nursery_move_child (TractorNursery *to, Task *child)
{
  TractorNursery *from = child->nursery;

  child->nursery = to;
  tractor__nursery_release (from); /* its place there is free; the one here was held */
}

/* @error: (transfer full). @who failed, for the reason of the cancel that follows. */
static void
add_failure (TractorNursery *nursery, GError *error, const char *who)
{
  gboolean is_cancelled = g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  char reason[SCOPE_REASON_BYTES];

  if (is_cancelled && nursery->scope.effective) {
    /* Not its failure, but a cancel from outside coming home. */
    const Scope *origin = tractor__scope_get_origin (&nursery->scope);

    tractor__scope_cancel (&nursery->scope, origin->source, origin->reason);
  } else if (!nursery->scope.cancel_called) {
    g_snprintf (reason, sizeof reason, "%s failed", who);
    tractor__scope_cancel (&nursery->scope, TRACTOR_CANCEL_NURSERY, reason);
  }

  if (is_cancelled) {
    nursery->cancelled = TRUE;
    g_error_free (error);
    return;
  }
  if (nursery->failures == NULL)
    nursery->failures = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);
  g_ptr_array_add (nursery->failures, error);
}

void
tractor__nursery_child_ended (TractorNursery *nursery, Task *child, GError *error)
{
  if (G_UNLIKELY (error != NULL))
    add_failure (nursery, error, child->name);
  tractor__nursery_release (nursery);
}

static void
wait_for_children (TractorNursery *nursery, Task *owner)
{
  if (nursery->n_children == 0)
    tractor__task_yield (owner);
  while (nursery->n_children > 0) {
    nursery->joiner = owner;
    tractor__task_park (owner, NULL, NULL, "nursery");
  }
}

/* Leaves the scope. Returns: (transfer full) (nullable): what remains of all that went wrong. */
static GError *
take_outcome (TractorNursery *nursery)
{
  gboolean may_absorb = tractor__scope_may_absorb (&nursery->scope);
  gboolean cancelled = nursery->cancelled;
  GPtrArray *failures = g_steal_pointer (&nursery->failures);
  GPtrArray *lost = g_steal_pointer (&nursery->scope.lost_failures);
  GError *cancel_error = NULL;
  GError *group;

  if (lost != NULL && failures != NULL)
    g_ptr_array_extend_and_steal (failures, lost);
  else if (lost != NULL)
    failures = lost;

  /* A CANCELLED that is not ours tells of the cancel around us: its words are made before we
   * leave, while it can still be seen. */
  if (cancelled && !may_absorb)
    tractor__scope_set_error (&nursery->scope, &cancel_error);
  tractor__scope_leave (&nursery->scope);
  if (cancelled && may_absorb)
    nursery->scope.cancelled_caught = TRUE;
  if (failures == NULL)
    return cancel_error;

  if (cancel_error != NULL)
    g_ptr_array_add (failures, cancel_error);
  group = tractor_error_new_group (failures);
  if (may_absorb && tractor__error_strip_cancelled (&group))
    nursery->scope.cancelled_caught = TRUE;
  return group;
}

gboolean
tractor_nursery_join (TractorNursery *nursery, GError **error)
{
  Task *owner;

  g_return_val_if_fail (error != NULL, FALSE);
  if (!tractor_error_check_given (nursery, "nursery", error))
    return FALSE;

  if (nursery->scope.is_left)
    return *error == NULL;
  owner = nursery->scope.owner;
  if (!tractor__task_close_inside (owner, &nursery->scope, error))
    return FALSE;

  if (*error != NULL)
    add_failure (nursery, g_steal_pointer (error), owner->name);
  if (G_UNLIKELY (owner->held != NULL))
    tractor__task_abandon_held (owner, nursery);
  wait_for_children (nursery, owner);
  *error = take_outcome (nursery);
  return *error == NULL;
}

void
tractor__nursery_abandon (TractorNursery *nursery)
{
  Task *owner = nursery->scope.owner;
  GError *outcome;

  tractor__scope_cancel (&nursery->scope, TRACTOR_CANCEL_NURSERY, "nursery closed");
  if (G_UNLIKELY (owner->held != NULL))
    tractor__task_abandon_held (owner, nursery);
  if (nursery->n_children > 0)
    wait_for_children (nursery, owner);
  outcome = take_outcome (nursery);
  /* A cancel from outside needs no telling: it is there at the next checkpoint, and if it is not
   * any more, it has been absorbed. */
  tractor__error_strip_cancelled (&outcome);
  if (outcome != NULL)
    tractor__task_lose_failure (owner, outcome);
}

void
tractor__nursery_free (TractorNursery *nursery)
{
  TractorGuest *guest = nursery->scope.guest;

  nursery->next_free = guest->free_nurseries;
  guest->free_nurseries = nursery;
}

void
tractor_nursery_close (TractorNursery *nursery)
{
  Task *owner;

  if (nursery == NULL)
    return;

  owner = nursery->scope.owner;
  if (nursery->scope.is_left) {
    tractor__task_forget_abandoned (owner, &nursery->scope);
  } else {
    if (!tractor__task_close_inside (owner, &nursery->scope, NULL))
      return;
    tractor__nursery_abandon (nursery);
  }
  tractor__nursery_free (nursery);
}
