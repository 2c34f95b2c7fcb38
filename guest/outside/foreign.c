/* foreign.c - serving what brings its own descriptor and dispatching.
 *
 * The one rule is that a prepared object is always checked: to prepare may announce to other threads
 * that this one is going to read, and they would wait for it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-foreign.h"

/* Returns: FALSE with @error set if the wait failed, but for the deadline. */
static gboolean
wait_until_due (const TractorForeignOps *ops,
                gpointer object,
                gint64 deadline,
                gboolean *ret_is_ready,
                GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (deadline);
  GError *failure = NULL;

  *ret_is_ready = tractor_wait_fd (ops->get_fd (object), ops->get_events (object), NULL, &failure);
  if (tractor_cancel_scope_absorb (scope, &failure))
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

gboolean
tractor_dispatch_foreign (const TractorForeignOps *ops, gpointer object, GError **error)
{
  gint64 deadline = TRACTOR_NO_DEADLINE;
  gboolean is_ready = FALSE;
  gboolean ok;

  if (!tractor_error_check_given (ops, "foreign source", error))
    return FALSE;
  if (ops->prepare == NULL || ops->dispatch == NULL || ops->get_fd == NULL ||
      ops->get_events == NULL) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A foreign source has all its functions but check");
    return FALSE;
  }

  if (!tractor_checkpoint_if_cancelled (error))
    return FALSE;
  if (ops->prepare (object, &deadline))
    return tractor_checkpoint (error) && ops->dispatch (object, error);

  ok = wait_until_due (ops, object, deadline, &is_ready, error);
  if (ops->check != NULL)
    ops->check (object, is_ready);
  return ok && ops->dispatch (object, error);
}
