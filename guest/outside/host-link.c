/* host-link.c - the task's side of a link with callbacks of its host, and what comes out of it.
 *
 * A link is a cancel scope with one child that is no task. As in a nursery, the failure of one side
 * ends the other, and nothing is left before both have ended:
 *
 *    the host's side fails     the scope is cancelled; every call here returns that failure
 *    it cancels itself         the same, with HOST_CANCELLED
 *    it finishes               calls return CLOSED once there are no more items
 *    the task leaves           stop() says why, and the task waits, shielded, for the end
 *
 * What came first is the outcome. What comes out is put together in settle(), and nowhere else: the
 * task's failure and the host's, or one of them if it is an echo of the other. An error is no object
 * that could be recognised, so an echo is what one side was told by the other, and looks the same. Two
 * failures of which neither side was told are two, however much they look alike.
 *
 * Not here: how the host's side is spoken to (host-end.c). */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "error.h"
#include "host-end.h"
#include "task.h"

struct _TractorHostLink {
  TractorHostEnd *end;
  TractorHostLinkFlags flags;
  TractorCancelScope *scope;
};

/* --- how the host's side ended ------------------------------------------------------------------- */

static void
remember_told (TractorHostEnd *end, const GError *error)
{
  if (end->told == NULL)
    end->told = g_error_copy (error);
}

/* Returns: FALSE with @error set to how the host's side has ended; TRUE if it has not. */
static gboolean
check_failure (TractorHostEnd *end, GError **error)
{
  if (end->failure == NULL)
    return TRUE;
  remember_told (end, end->failure);
  if (error != NULL)
    *error = g_error_copy (end->failure);
  return FALSE;
}

static gboolean
set_finished (TractorHostEnd *end, GError **error)
{
  GError *finished = g_error_new_literal (TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                                          "The host's side of the link has finished");

  remember_told (end, finished);
  g_propagate_error (error, finished);
  return FALSE;
}

static gboolean
set_left (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED, "The link has been left");
  return FALSE;
}

/* --- items --------------------------------------------------------------------------------------- */

gboolean
tractor_host_link_receive (TractorHostLink *link, gpointer *ret_item, GError **error)
{
  g_autoptr (TractorHostEnd) end = NULL; /* the link may be closed while we wait */
  g_autoptr (GError) failure = NULL;

  if (!tractor_error_check_given (link, "link", error) ||
      !tractor_error_check_given (ret_item, "place for the item", error))
    return FALSE;

  end = tractor_host_end_ref (link->end);
  if (end->receiver == NULL)
    return set_left (error);
  if (end->failure != NULL) { /* it does not wait behind items */
    tractor_cancel_shielded_checkpoint (NULL);
  } else if (tractor_receiver_receive (end->receiver, ret_item, &failure)) {
    if (end->wants_room)
      tractor__host_end_serve_soon (end);
    return TRUE;
  }

  if (!check_failure (end, error))
    return FALSE;
  if (failure == NULL)
    return set_finished (end, error);
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
tractor_host_link_send (TractorHostLink *link, gpointer item, GError **error)
{
  TractorHostEnd *end;

  if (!tractor_error_check_given (link, "link", error))
    return FALSE;
  if (link->end->ops->receive == NULL || !tractor_in_task ()) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A task sends over a link, to a host that receives");
    return FALSE;
  }

  end = link->end;
  if (end->is_left)
    return set_left (error);
  if (!check_failure (end, error))
    return FALSE;
  if (host_end_is_over (end))
    return set_finished (end, error);
  g_queue_push_tail (&end->sent, item);
  tractor__host_end_serve_soon (end);
  return TRUE;
}

gboolean
tractor_host_link_wait (TractorHostLink *link, gpointer *ret_result, GError **error)
{
  g_autoptr (TractorHostEnd) end = NULL;
  g_autoptr (GError) failure = NULL;
  gboolean ok;

  if (!tractor_error_check_given (link, "link", error))
    return FALSE;

  end = tractor_host_end_ref (link->end);
  if (end->is_left)
    return set_left (error);
  ok = end->failure != NULL ? tractor_cancel_shielded_checkpoint (NULL)
                            : tractor_event_wait (end->over, &failure);
  if (!check_failure (end, error))
    return FALSE;
  if (!ok) {
    g_propagate_error (error, g_steal_pointer (&failure));
    return FALSE;
  }
  if (end->is_left) /* meanwhile */
    return set_left (error);
  if (ret_result != NULL)
    *ret_result = end->result;
  return TRUE;
}

/* --- the end ------------------------------------------------------------------------------------- */

static gboolean
is_echo (TractorHostEnd *end, const GError *own)
{
  if (end->told != NULL && tractor__error_contains (own, end->failure))
    return TRUE;
  return end->is_stop_called && end->reason == TRACTOR_HOST_STOP_TASK_FAILED &&
         (tractor__error_contains (end->failure, own) ||
          tractor__error_contains (own, end->failure));
}

/* @own: (transfer full) (nullable). Returns: (transfer full) (nullable): all that failed. */
static GError *
settle (TractorHostEnd *end, GError *own)
{
  gboolean host_was_first = end->outcome < TRACTOR_HOST_OUTCOME_TASK_CANCELLED;
  GPtrArray *both;

  if (end->failure == NULL)
    return own;
  if (own == NULL)
    return g_error_copy (end->failure);
  if (is_echo (end, own))
    return own;

  both = g_ptr_array_new ();
  g_ptr_array_add (both, own);
  g_ptr_array_insert (both, host_was_first ? 0 : 1, g_error_copy (end->failure));
  return tractor_error_new_group (both);
}

static TractorHostStop
get_reason (const GError *own)
{
  g_autoptr (GError) rest = NULL;

  if (own == NULL)
    return TRACTOR_HOST_STOP_TASK_EXITED;
  rest = g_error_copy (own);
  tractor__error_strip_cancelled (&rest);
  return rest == NULL ? TRACTOR_HOST_STOP_TASK_CANCELLED : TRACTOR_HOST_STOP_TASK_FAILED;
}

static void
wait_until_over (TractorHostEnd *end)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  tractor_event_wait (end->over, NULL);
}

/* The task leaves: if the host's side is not over, it is told why, and waited for. */
static void
end_host (TractorHostEnd *end, TractorHostStop reason, const GError *own)
{
  static const TractorHostOutcome outcomes[] = {
    [TRACTOR_HOST_STOP_TASK_CANCELLED] = TRACTOR_HOST_OUTCOME_TASK_CANCELLED,
    [TRACTOR_HOST_STOP_TASK_EXITED] = TRACTOR_HOST_OUTCOME_TASK_EXITED,
    [TRACTOR_HOST_STOP_TASK_FAILED] = TRACTOR_HOST_OUTCOME_TASK_FAILED,
  };

  end->is_left = TRUE;
  end->scope = NULL;
  if (!host_end_is_over (end)) {
    end->outcome = outcomes[reason];
    end->reason = reason;
    end->cause = reason == TRACTOR_HOST_STOP_TASK_FAILED ? own : NULL;
    tractor__host_end_serve_soon (end);
    wait_until_over (end);
    end->cause = NULL;
  }
  tractor__host_end_drop_items (end);
}

gboolean
tractor_host_link_leave (TractorHostLink *link, GError **error)
{
  TractorHostEnd *end;

  g_return_val_if_fail (error != NULL, FALSE);
  if (!tractor_error_check_given (link, "link", error))
    return FALSE;

  end = link->end;
  if (end->is_left)
    return *error == NULL;
  if (!tractor__task_close_inside (link->scope->owner, link->scope, error))
    return FALSE;

  if (end->told != NULL && end->failure == NULL && !(link->flags & TRACTOR_HOST_LINK_REPORT_END))
    tractor__error_strip (error, end->told); /* a CLOSED */
  end_host (end, get_reason (*error), *error);
  tractor_cancel_scope_absorb (link->scope, error);
  *error = settle (end, *error);
  return *error == NULL;
}

/* As leave, for a task of which nobody knows how it fared. The scope stays. */
static void
abandon (gpointer data)
{
  TractorHostLink *link = data;
  TractorHostEnd *end = link->end;

  end_host (end,
            link->scope->effective ? TRACTOR_HOST_STOP_TASK_CANCELLED
                                   : TRACTOR_HOST_STOP_TASK_EXITED,
            NULL);
  if (end->failure != NULL && end->told == NULL)
    tractor__task_lose_failure (link->scope->owner, g_error_copy (end->failure));
}

static void
link_free (gpointer data)
{
  TractorHostLink *link = data;

  tractor_host_end_unref (link->end);
  g_free (link);
}

void
tractor_host_link_close (TractorHostLink *link)
{
  if (link == NULL)
    return;

  if (!link->end->is_left) {
    if (!tractor__task_close_inside (link->scope->owner, link->scope, NULL))
      return;
    abandon (link);
  }
  tractor_cancel_scope_close (link->scope);
  link_free (link);
}

TractorHostOutcome
tractor_host_link_get_outcome (TractorHostLink *link)
{
  g_return_val_if_fail (link != NULL, TRACTOR_HOST_OUTCOME_OPEN);

  return link->end->outcome;
}

/* --- the beginning ------------------------------------------------------------------------------- */

static void
start (gpointer data)
{
  TractorHostEnd *end = data;

  end->ops->start (end, end->data);
}

static TractorHostLink *
link_new (TractorHostEnd *end, TractorHostLinkFlags flags)
{
  static const TractorScopeContent content = { "link", abandon, NULL, link_free };
  TractorHostLink *link = g_new0 (TractorHostLink, 1);

  link->end = end;
  link->flags = flags;
  link->scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_content (link->scope, &content, link);
  end->scope = link->scope;
  if (end->failure != NULL) /* since it has started */
    tractor__host_end_cancel_task (end);
  return link;
}

/* @own: (transfer full) (nullable): CANCELLED, if that is why. Returns: (transfer full): why it was not
 * opened. */
static GError *
fail_to_start (TractorHostEnd *end, GError *own)
{
  if (own == NULL && end->failure == NULL)
    own = g_error_new_literal (TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                               "The host's side of the link has finished without having started");
  end_host (end, TRACTOR_HOST_STOP_TASK_CANCELLED, own);
  return settle (end, own);
}

TractorHostLink *
tractor_host_link_open (const TractorHostLinkOps *ops,
                        gpointer data,
                        guint capacity,
                        TractorHostLinkFlags flags,
                        gpointer *ret_first,
                        GError **error)
{
  g_autoptr (TractorHostEnd) end = NULL;
  GError *failure = NULL;

  if (!tractor_error_check_given (ops, "host's side", error))
    return NULL;
  if (ops->start == NULL || capacity == 0) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A link is one that can start, with room for one item at least");
    return NULL;
  }

  if (!tractor_checkpoint_if_cancelled (error))
    return NULL;
  end = tractor__host_end_new (ops, data, capacity);
  if (!tractor_run_in_host (start, end, error))
    return NULL;
  if (!tractor_event_wait (end->begun, &failure) || !end->is_started) {
    g_propagate_error (error, fail_to_start (end, failure));
    return NULL;
  }
  if (ret_first != NULL)
    *ret_first = g_steal_pointer (&end->first);
  return link_new (g_steal_pointer (&end), flags);
}
