/* host-end.c - the host's side of a link: what its callbacks may say, and what they are told.
 *
 *    start() --started--> items both ways --finish, fail, cancelled--> over
 *
 * What the host says takes effect at once: items go into a channel, whose bound is the answer that
 * a callback gets in place of a wait; an end sets an event, and if it is a bad one cancels the scope
 * that the task is in. The other way goes by calls in the host's line (host-call.c), one at a time, each
 * of which says one thing: what was sent, in order, then that the task has left, or else that there is
 * room. So a task never waits for the host's attention, and the host is only ever called outside ticks.
 * If there is more to say the next call is in line before a callback is called, for that may run a nested
 * loop, in which the line goes on.
 *
 * The end is counted, for a callback that comes too late is to find out that it is. What it counts
 * for is a small thing: everything else is freed when both sides have ended.
 *
 * Not here: what becomes of it for the task (host-link.c). */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host-end.h"

#include "guest.h"
#include "outside.h"

static void
free_with (GDestroyNotify free_func, gpointer item)
{
  if (free_func != NULL && item != NULL)
    free_func (item);
}

static void
free_sent (TractorHostEnd *end)
{
  while (end->sent.length > 0)
    free_with (end->ops->sent_free, g_queue_pop_head (&end->sent));
}

static void
join_guest (TractorHostEnd *end, TractorGuest *guest)
{
  end->guest = guest;
  end->next_of_guest = guest->outside->host_ends;
  if (end->next_of_guest != NULL)
    end->next_of_guest->link_of_guest = &end->next_of_guest;
  end->link_of_guest = &guest->outside->host_ends;
  guest->outside->host_ends = end;
}

static void
leave_guest (TractorHostEnd *end)
{
  *end->link_of_guest = end->next_of_guest;
  if (end->next_of_guest != NULL)
    end->next_of_guest->link_of_guest = end->link_of_guest;
  end->guest = NULL;
}

void
tractor__host_ends_orphan (TractorGuest *guest)
{
  while (guest->outside->host_ends != NULL)
    leave_guest (guest->outside->host_ends);
}

TractorHostEnd *
tractor__host_end_new (const TractorHostLinkOps *ops, gpointer data, guint capacity)
{
  TractorHostEnd *end = g_new0 (TractorHostEnd, 1);

  end->n_refs = 1;
  join_guest (end, tractor_guest_get_current ());
  end->ops = ops;
  end->data = data;
  end->begun = tractor_event_new ();
  tractor_event_set_static_name (end->begun, "host");
  end->over = tractor_event_new ();
  tractor_event_set_static_name (end->over, "host");
  g_queue_init (&end->sent);
  tractor_channel_open (capacity, ops->item_free, &end->sender, &end->receiver);
  return end;
}

TractorHostEnd *
tractor_host_end_ref (TractorHostEnd *end)
{
  g_return_val_if_fail (end != NULL, NULL);

  end->n_refs++;
  return end;
}

void
tractor__host_end_drop_items (TractorHostEnd *end)
{
  g_clear_pointer (&end->receiver, tractor_receiver_close);
  free_with (end->ops->item_free, g_steal_pointer (&end->first));
  free_with (end->ops->item_free, g_steal_pointer (&end->result));
}

void
tractor_host_end_unref (TractorHostEnd *end)
{
  if (end == NULL || --end->n_refs > 0)
    return;

  if (end->guest != NULL)
    leave_guest (end);
  tractor__host_end_drop_items (end);
  g_clear_pointer (&end->sender, tractor_sender_close);
  free_sent (end);
  g_clear_error (&end->failure);
  g_clear_error (&end->told);
  tractor_event_free (end->begun);
  tractor_event_free (end->over);
  g_free (end);
}

/* --- calling the host ---------------------------------------------------------------------------- */

static void
deliver (TractorHostEnd *end)
{
  gpointer item = g_queue_pop_head (&end->sent);

  if (end->sent.length > 0 || end->is_left || end->wants_room)
    tractor__host_end_serve_soon (end);
  end->ops->receive (end, item, end->data);
}

static gboolean
has_room (TractorHostEnd *end)
{
  TractorChannelStatistics statistics;

  tractor_sender_get_statistics (end->sender, &statistics);
  return statistics.length < statistics.capacity;
}

static void
serve (gpointer data)
{
  g_autoptr (TractorHostEnd) end = data;

  end->is_in_line = FALSE;
  if (host_end_is_over (end))
    return;

  if (end->sent.length > 0) {
    deliver (end);
  } else if (end->is_left && !end->is_stop_called && end->ops->stop != NULL) {
    end->is_stop_called = TRUE;
    end->ops->stop (end, end->reason, end->cause, end->data);
  } else if (end->wants_room && !end->is_left && has_room (end)) {
    end->wants_room = FALSE;
    if (end->ops->room != NULL)
      end->ops->room (end, end->data);
  }
}

void
tractor__host_end_serve_soon (TractorHostEnd *end)
{
  if (end->is_in_line)
    return;

  end->is_in_line = TRUE;
  end->call = (HostCall){ .func = serve, .data = tractor_host_end_ref (end) };
  tractor__host_call_post (end->guest, &end->call);
}

/* --- called by the host -------------------------------------------------------------------------- */

/* Returns: FALSE if it is a mistake, which has been told. */
static gboolean
may_say (TractorHostEnd *end, const char *what)
{
  if (end->guest == NULL) {
    g_critical ("The host's side of a link says '%s', but its guest was freed", what);
    return FALSE;
  }
  if (host_end_is_over (end)) {
    g_critical ("The host's side of a link says '%s' after its end", what);
    return FALSE;
  }
  if (tractor_in_task ()) {
    g_critical ("A task says '%s' for the host's side of a link: that is for callbacks of the host",
                what);
    return FALSE;
  }
  return guest_check_thread (end->guest);
}

void
tractor_host_end_started (TractorHostEnd *end, gpointer value)
{
  g_return_if_fail (end != NULL);

  if (!may_say (end, "started")) {
    free_with (end->ops->item_free, value);
    return;
  }
  if (end->is_started) {
    g_critical ("The host's side of a link says 'started' a second time");
    free_with (end->ops->item_free, value);
    return;
  }
  end->is_started = TRUE;
  if (end->is_left)
    free_with (end->ops->item_free, value);
  else
    end->first = value;
  tractor_event_set (end->begun);
}

gboolean
tractor_host_end_send (TractorHostEnd *end, gpointer item, GError **error)
{
  if (!tractor_error_check_given (end, "end", error))
    return FALSE;

  if (!may_say (end, "send")) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "The host's side of a link cannot send now");
    return FALSE;
  }
  if (end->is_left) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN, "The task has left the link");
    return FALSE;
  }
  if (tractor_sender_send_nowait (end->sender, item, error))
    return TRUE;
  end->wants_room = TRUE;
  return FALSE;
}

void
tractor__host_end_cancel_task (TractorHostEnd *end)
{
  if (end->scope != NULL)
    tractor_cancel_scope_cancel (end->scope, "the host's side of the link failed");
}

static void
set_over (TractorHostEnd *end, TractorHostOutcome outcome)
{
  if (end->outcome == TRACTOR_HOST_OUTCOME_OPEN)
    end->outcome = outcome;
  tractor_event_set (end->over);
  tractor_event_set (end->begun);
  g_clear_pointer (&end->sender, tractor_sender_close);
  if (end->failure != NULL)
    tractor__host_end_cancel_task (end);
  free_sent (end);
}

void
tractor_host_end_finish (TractorHostEnd *end, gpointer result)
{
  g_return_if_fail (end != NULL);

  if (!may_say (end, "finish")) {
    free_with (end->ops->item_free, result);
    return;
  }
  end->result = result;
  set_over (end, TRACTOR_HOST_OUTCOME_HOST_FINISHED);
}

void
tractor_host_end_fail (TractorHostEnd *end, GError *error)
{
  g_return_if_fail (end != NULL && error != NULL);

  if (!may_say (end, "fail")) {
    g_error_free (error);
    return;
  }
  end->failure = error;
  set_over (end, TRACTOR_HOST_OUTCOME_HOST_FAILED);
}

void
tractor_host_end_cancelled (TractorHostEnd *end)
{
  g_return_if_fail (end != NULL);

  if (!may_say (end, "cancelled"))
    return;
  if (!end->is_stop_called)
    end->failure = g_error_new_literal (TRACTOR_ERROR, TRACTOR_ERROR_HOST_CANCELLED,
                                        "The host's side of the link has cancelled itself");
  set_over (end, TRACTOR_HOST_OUTCOME_HOST_CANCELLED);
}
