/* scope.c - the tree of cancel scopes.
 *
 * Every task is attached to its innermost scope, and every scope to the one around it, across
 * nurseries, so the tree holds every task of the guest. Being cancelled is a property of the tree:
 *
 *    effective = cancel_called OR (NOT shield AND parent.effective)
 *
 * It is kept in each scope and recomputed for a subtree when a cancel, a shield or a parent
 * changes, so that a checkpoint costs one load however deep it stands. The recomputation walks by
 * the links and does not recurse. A task that is waiting when its scope becomes effective is taken
 * out of its wait; one that is not finds out at its next checkpoint. That is all: cancellation is
 * a level, delivered when it changes and tested at each checkpoint, and never re-posted.
 *
 * At its end a scope takes CANCELLED away from the body's result if and only if it is effective
 * and its parent's cancellation is not visible to it at that moment; so of two cancelled scopes
 * the outermost absorbs, and a shield that changes on the way cannot make the wrong one do it.
 *
 * Not here: who waits for what (task.c), when a deadline comes (deadline.c). */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scope.h"

#include <string.h>

#include "cut-text.h"
#include "error.h"
#include "task.h"
#include "trace.h"

/* --- the tree ---------------------------------------------------------------------------------- */

void
tractor__scope_attach_task (Scope *scope, Task *task)
{
  task->scope = scope;
  task->next_in_scope = scope->first_task;
  task->link_in_scope = &scope->first_task;
  if (task->next_in_scope != NULL)
    task->next_in_scope->link_in_scope = &task->next_in_scope;
  scope->first_task = task;
}

void
tractor__scope_detach_task (Task *task)
{
  *task->link_in_scope = task->next_in_scope;
  if (task->next_in_scope != NULL)
    task->next_in_scope->link_in_scope = task->link_in_scope;
  task->scope = NULL;
}

static void
link_child (Scope *parent, Scope *child)
{
  child->parent = parent;
  child->previous_sibling = NULL;
  child->next_sibling = parent->first_child;
  if (child->next_sibling != NULL)
    child->next_sibling->previous_sibling = child;
  parent->first_child = child;
}

static void
unlink_child (Scope *child)
{
  if (child->previous_sibling != NULL)
    child->previous_sibling->next_sibling = child->next_sibling;
  else
    child->parent->first_child = child->next_sibling;
  if (child->next_sibling != NULL)
    child->next_sibling->previous_sibling = child->previous_sibling;
  child->parent = NULL;
}

static gboolean
sees_parents_cancel (const Scope *scope)
{
  return !scope->shield && scope->parent != NULL && scope->parent->effective;
}

/* Returns: whether it changed. */
static gboolean
recompute_one (Scope *scope)
{
  gboolean effective = scope->cancel_called || sees_parents_cancel (scope);

  if (effective == scope->effective)
    return FALSE;
  scope->effective = effective;
  if (effective)
    for (Task *task = scope->first_task; task != NULL; task = task->next_in_scope)
      tractor__task_abort_wait (task);
  return TRUE;
}

/* Where nothing changes, nothing below changes. */
static void
recompute (Scope *top)
{
  Scope *scope = top;

  for (;;) {
    if (recompute_one (scope) && scope->first_child != NULL) {
      scope = scope->first_child;
      continue;
    }
    while (scope != top && scope->next_sibling == NULL)
      scope = scope->parent;
    if (scope == top)
      return;
    scope = scope->next_sibling;
  }
}

/* --- deadlines --------------------------------------------------------------------------------- */

void
tractor__scope_cancel (Scope *scope, TractorCancelSource source, const char *reason)
{
  if (scope->cancel_called)
    return;

  scope->cancel_called = TRUE;
  scope->source = source;
  if (reason != NULL)
    cut_text_copy (scope->reason, reason, sizeof scope->reason);
  if (G_UNLIKELY (scope->guest->trace != NULL))
    tractor__trace_cancelled (scope->guest->trace, scope);
  tractor__deadline_disarm (&scope->guest->deadlines, &scope->deadline);
  if (!scope->is_left)
    recompute (scope);
}

/* While its clock stands still, a deadline is looked at again so much later, or later than that. */
#define LOOK_AGAIN_USEC (G_USEC_PER_SEC / 50)

/* Moves it by as much as its clock has stood still since the last look. Returns: whether it has stood. */
static gboolean
move_by_standstill (Scope *scope)
{
  gint64 before = scope->standstill_usec;

  if (G_LIKELY (scope->get_standstill == NULL))
    return FALSE;
  scope->standstill_usec = scope->get_standstill ();
  scope->deadline_at += scope->standstill_usec - before;
  return scope->standstill_usec != before;
}

static void
apply_deadline (Scope *scope)
{
  DeadlineHeap *heap = &scope->guest->deadlines;
  gint64 now;

  if (scope->cancel_called || scope->is_left)
    return;
  if (scope->deadline_at == TRACTOR_NO_DEADLINE) {
    tractor__deadline_disarm (heap, &scope->deadline);
    return;
  }
  now = guest_now (scope->guest);
  if (scope->deadline_at > now)
    tractor__deadline_arm (heap, &scope->deadline, scope->deadline_at);
  else if (move_by_standstill (scope) && scope->deadline_at > now)
    tractor__deadline_arm (heap, &scope->deadline, MAX (scope->deadline_at, now + LOOK_AGAIN_USEC));
  else
    tractor__scope_cancel (scope, TRACTOR_CANCEL_DEADLINE, "deadline");
}

static void
on_deadline (Deadline *deadline)
{
  Scope *scope = (Scope *) ((char *) deadline - G_STRUCT_OFFSET (Scope, deadline));

  if (G_UNLIKELY (scope->get_standstill != NULL))
    apply_deadline (scope);
  else
    tractor__scope_cancel (scope, TRACTOR_CANCEL_DEADLINE, "deadline");
}

/* --- entering and leaving ---------------------------------------------------------------------- */

Scope *
tractor__scope_new (TractorGuest *guest)
{
  Scope *scope = guest->free_scopes;

  if (scope == NULL)
    return g_new0 (Scope, 1);
  guest->free_scopes = scope->next_sibling;
  memset (scope, 0, sizeof *scope);
  return scope;
}

void
tractor__scope_free (Scope *scope)
{
  scope->next_sibling = scope->guest->free_scopes;
  scope->guest->free_scopes = scope;
}

void
tractor__scope_enter (Scope *scope, TractorGuest *guest, Task *owner)
{
  scope->guest = guest;
  scope->owner = owner;
  scope->deadline_at = TRACTOR_NO_DEADLINE;
  scope->deadline.expire = on_deadline;
  tractor__deadline_heap_reserve (&guest->deadlines);

  if (owner != NULL) {
    link_child (owner->scope, scope);
    scope->effective = owner->scope->effective;
    tractor__scope_detach_task (owner);
    tractor__scope_attach_task (scope, owner);
  }
}

void
tractor__scope_leave (Scope *scope)
{
  Scope *parent = scope->parent;

  g_assert (!scope->is_left && scope->first_child == NULL);
  tractor__deadline_disarm (&scope->guest->deadlines, &scope->deadline);
  deadline_heap_unreserve (&scope->guest->deadlines);
  scope->is_left = TRUE;
  if (parent == NULL)
    return;

  g_assert (scope->owner->scope == scope);
  tractor__scope_detach_task (scope->owner);
  g_assert (scope->first_task == NULL);
  unlink_child (scope);
  tractor__scope_attach_task (parent, scope->owner);
  if (G_UNLIKELY (scope->lost_failures != NULL))
    tractor__task_lose_failures (scope->owner, g_steal_pointer (&scope->lost_failures));
}

void
tractor__scope_move (Scope *scope, Scope *parent)
{
  /* First all links, then what follows from them: that may wake tasks. */
  unlink_child (scope);
  link_child (parent, scope);
  recompute (scope);
}

gboolean
tractor__scope_may_absorb (Scope *scope)
{
  return scope->effective && !sees_parents_cancel (scope);
}

const Scope *
tractor__scope_get_origin (const Scope *scope)
{
  while (!scope->cancel_called && scope->parent != NULL)
    scope = scope->parent;
  return scope;
}

void
tractor__scope_set_error (Scope *scope, GError **error)
{
  const char *reason;

  if (error == NULL)
    return;

  reason = tractor__scope_get_origin (scope)->reason;
  if (reason[0] != '\0')
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED, "Cancelled: %s", reason);
  else
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED, "Cancelled");
}

/* --- the public side --------------------------------------------------------------------------- */

TractorCancelScope *
tractor_cancel_scope_open (gint64 deadline)
{
  TractorGuest *guest = tractor__current_guest;
  Scope *scope;

  g_return_val_if_fail (task_get_suspendable (NULL) != NULL, NULL);

  scope = tractor__scope_new (guest);
  tractor__scope_enter (scope, guest, guest->current);
  if (deadline != TRACTOR_NO_DEADLINE)
    tractor_cancel_scope_set_deadline (scope, deadline);
  return scope;
}

void
tractor_cancel_scope_cancel (TractorCancelScope *scope, const char *reason)
{
  g_return_if_fail (scope != NULL);

  if (guest_check_thread (scope->guest))
    tractor__scope_cancel (scope, TRACTOR_CANCEL_EXPLICIT, reason);
}

void
tractor_cancel_scope_set_deadline (TractorCancelScope *scope, gint64 deadline)
{
  g_return_if_fail (scope != NULL);

  if (!guest_check_thread (scope->guest))
    return;
  if (scope->get_standstill != NULL)
    scope->standstill_usec = scope->get_standstill ();
  scope->deadline_at = deadline;
  apply_deadline (scope);
  guest_request_tick (scope->guest); /* between ticks: the host is to hear of it */
}

void
tractor_cancel_scope_set_standstill (TractorCancelScope *scope, TractorStandstillFunc func)
{
  g_return_if_fail (scope != NULL);

  if (!guest_check_thread (scope->guest))
    return;
  scope->get_standstill = func;
  scope->standstill_usec = func != NULL ? func () : 0;
}

void
tractor_cancel_scope_set_shield (TractorCancelScope *scope, gboolean shield)
{
  g_return_if_fail (scope != NULL);

  if (!guest_check_thread (scope->guest))
    return;
  scope->shield = shield != FALSE;
  if (!scope->is_left)
    recompute (scope);
}

gboolean
tractor_cancel_scope_get_cancel_called (TractorCancelScope *scope)
{
  g_return_val_if_fail (scope != NULL, FALSE);

  if (!scope->cancel_called && scope->deadline_at != TRACTOR_NO_DEADLINE)
    apply_deadline (scope);
  return scope->cancel_called;
}

TractorCancelSource
tractor_cancel_scope_get_source (TractorCancelScope *scope, const char **ret_reason)
{
  const Scope *origin;

  g_return_val_if_fail (scope != NULL, TRACTOR_CANCEL_NONE);

  if (ret_reason != NULL)
    *ret_reason = NULL;
  if (!tractor_cancel_scope_get_cancel_called (scope) && (scope->is_left || !scope->effective))
    return TRACTOR_CANCEL_NONE;
  origin = tractor__scope_get_origin (scope);
  if (ret_reason != NULL && origin->reason[0] != '\0')
    *ret_reason = origin->reason;
  return origin->source;
}

gint64
tractor_current_effective_deadline (void)
{
  TractorGuest *guest = tractor__current_guest;
  gint64 earliest = TRACTOR_NO_DEADLINE;

  if (guest == NULL || guest->current == NULL)
    return TRACTOR_NO_DEADLINE;
  for (Scope *scope = guest->current->scope; scope != NULL; scope = scope->parent) {
    if (tractor_cancel_scope_get_cancel_called (scope))
      return G_MININT64;
    earliest = MIN (earliest, scope->deadline_at);
    if (scope->shield)
      break;
  }
  return earliest;
}

gboolean
tractor_cancel_scope_get_cancelled_caught (TractorCancelScope *scope)
{
  g_return_val_if_fail (scope != NULL, FALSE);

  return scope->cancelled_caught;
}

static void
take_failures (Scope *scope, GError **error)
{
  if (G_UNLIKELY (scope->lost_failures != NULL))
    *error = tractor__error_add_failures (*error, g_steal_pointer (&scope->lost_failures));
}

gboolean
tractor_cancel_scope_absorb (TractorCancelScope *scope, GError **error)
{
  g_return_val_if_fail (error != NULL, FALSE);
  if (!tractor_error_check_given (scope, "cancel scope", error))
    return FALSE;
  if (scope->is_nursery) {
    if (*error == NULL)
      g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                           "The scope of a nursery is left by joining the nursery");
    return FALSE;
  }

  if (!scope->is_left) {
    gboolean may_absorb;

    if (!tractor__task_close_inside (scope->owner, scope, error))
      return FALSE;
    may_absorb = tractor__scope_may_absorb (scope);
    take_failures (scope, error);
    tractor__scope_leave (scope);
    if (may_absorb && tractor__error_strip_cancelled (error))
      scope->cancelled_caught = TRUE;
  }
  return *error == NULL;
}

gboolean
tractor_cancel_scope_absorb_or_fail (TractorCancelScope *scope, GError **error)
{
  if (!tractor_cancel_scope_absorb (scope, error))
    return FALSE;
  if (!scope->cancelled_caught)
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_TOO_SLOW,
                       scope->source == TRACTOR_CANCEL_DEADLINE ? "The time was up"
                                                                : "Cancelled before it was done");
  return FALSE;
}

void
tractor_cancel_scope_close (TractorCancelScope *scope)
{
  if (scope == NULL)
    return;

  g_return_if_fail (!scope->is_nursery);
  if (!scope->is_left) {
    if (!tractor__task_close_inside (scope->owner, scope, NULL))
      return;
    tractor__scope_leave (scope);
  } else {
    tractor__task_forget_abandoned (scope->owner, scope);
  }
  tractor__scope_free (scope);
}

/* --- what is more than a scope ----------------------------------------------------------------- */

void
tractor_cancel_scope_set_content (TractorCancelScope *scope,
                                  const TractorScopeContent *content,
                                  gpointer data)
{
  g_return_if_fail (scope != NULL && content != NULL && content->free != NULL);

  scope->content = content;
  scope->content_data = data;
}

gboolean
tractor_cancel_scope_close_inside (TractorCancelScope *scope, GError **error)
{
  if (!tractor_error_check_given (scope, "cancel scope", error))
    return FALSE;

  return scope->is_left || tractor__task_close_inside (scope->owner, scope, error);
}

gboolean
tractor_cancel_scope_take_failures (TractorCancelScope *scope, GError **error)
{
  if (!tractor_error_check_given (scope, "cancel scope", error))
    return FALSE;

  take_failures (scope, error);
  return *error == NULL;
}
