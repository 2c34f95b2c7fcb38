/* supervise.c - a child actor: its process, its link, and the task that watches over both.
 *
 * Two tasks of the actor nursery belong to each child. One runs the link, shielded: it goes on
 * while the child is being ended, and itself ends when the child's end of the socket is closed. The
 * other waits for the process to end. Cancelling that wait, whoever does it, means: end the child.
 * It asks, waits, signals, waits, kills, waits (end_child): each wait is for the end of the process
 * and has a deadline, and all children of a nursery are ended at the same time.
 *
 * When the process is gone, what it sent before is still read to the end; then every call that is
 * open to it gets its outcome, and the nursery hears of the failure if nobody had asked for the
 * end. A child that dies before it has booted is different only in who is told: whoever waits in
 * tractor_actor_nursery_start(), and not the nursery.
 *
 * A child that is to be restarted (restart.c) lives several lives in one Child: its portals stay, and
 * what is asked of it while it is down waits until it is up again. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "supervise.h"

#include <signal.h>
#include <unistd.h>

#include "actor-trace.h"
#include "bounds.h"
#include "death.h"
#include "last-words.h"
#include "log.h"
#include "patience.h"
#include "restart.h"
#include "runtime-dir.h"
#include "tractor-discovery.h"

/* --- ending it --------------------------------------------------------------------------------- */

static void
signal_child (Child *child, int signal_number, const char *why)
{
  log_info (LOG_SUPERVISE, "actor '%s' (pid %d) %s: it gets %s", child->id.name,
            (int) child->process.pid, why, signal_number == SIGKILL ? "SIGKILL" : "SIGTERM");
  tractor__process_signal (&child->process, signal_number);
}

void
tractor__child_kill (Child *child)
{
  child->is_killed = TRUE;
  signal_child (child, SIGKILL, "is killed by its nursery");
  tractor__child_cancel (child);
}

gboolean
tractor__child_end_for_restart (Child *child)
{
  if (child->plan->options.on_death != TRACTOR_ON_DEATH_RESTART || child->cancel_requested ||
      child->is_ended_for_restart || child->wait_scope == NULL)
    return FALSE;
  child->is_ended_for_restart = TRUE;
  tractor_cancel_scope_cancel (child->wait_scope, "another actor has died");
  return TRUE;
}

void
tractor__child_cancel (Child *child)
{
  if (tractor_event_is_set (child->gone))
    return; /* the runtime may be, too */
  child->cancel_requested = TRUE;
  tractor__runtime_tree_changed (child->runtime);
  if (child->wait_scope != NULL)
    tractor_cancel_scope_cancel (child->wait_scope, "the actor was cancelled");
  if (child->down_scope != NULL)
    tractor_cancel_scope_cancel (child->down_scope, "the actor was cancelled");
}

/* Returns: how long it may take us to end a child: less than our own parent gives us, if it does. */
static gint64
get_patience (const TractorRuntime *runtime)
{
  if (runtime->end_by == 0)
    return PATIENCE_TOTAL_USEC;
  return CLAMP (runtime->end_by - tractor__patience_now () - PATIENCE_STEP_USEC,
                PATIENCE_LEAST_USEC, PATIENCE_TOTAL_USEC);
}

/* Upstream's parents allow half a second too, and its actors take longer if they have children. */
static gint64
get_ack_patience (const Child *child)
{
  return child->connects_back ? PATIENCE_PYTHON_ACK_USEC : PATIENCE_ACK_USEC;
}

/* What it sent is read to the end; nobody else is to hold its end of the socket open. */
static void
wait_for_link (Child *child)
{
  g_autoptr (TractorCancelScope) scope = tractor__patience_open (PATIENCE_ACK_USEC);

  tractor_cancel_scope_set_shield (scope, TRUE);
  if (tractor_event_wait (child->link->ended, NULL))
    return;
  /* Who holds it open is not the child: what still comes of it is not the next life's, nor does the
   * link end before we are freed. */
  child->link->on_peer_aid = NULL;
  child->link->on_ack = NULL;
  child->link->on_cancelled = NULL;
  child->link->on_lost = NULL;
  tractor__link_close (child->link);
}

/* It was asked to end, and did by itself. Returns: (nullable): what is to be reported of that. */
static GError *
check_orderly_end (Child *child)
{
  if (child->process.end == PROCESS_UNKNOWN ||
      (child->process.end == PROCESS_EXITED && child->process.status == 0))
    return NULL;
  wait_for_link (child); /* it may have failed before that: the last thing that it says */
  return tractor__child_describe_end (child);
}

/* By a signal that is none of those it gets here: however long ago that was, for a core takes its time. */
static gboolean
has_crashed (const Child *child)
{
  return child->process.end == PROCESS_SIGNALLED && child->process.status != SIGTERM &&
         child->process.status != SIGKILL;
}

/* @was_lost: it had lost its connection before it was asked, so that is how it died. */
static GError *
report_resistance (Child *child, gint64 started, gboolean was_lost, const char *what)
{
  child->has_resisted = !was_lost;
  return tractor__child_new_unresponsive_error (child, started, what);
}

/* It did not acknowledge that it was asked to end, and has ended since it got SIGTERM. Python leaves that
 * signal its default action. Returns: (nullable): what is to be reported of it. */
static GError *
check_end_by_term (Child *child, gint64 started, gboolean was_lost)
{
  if (child->process.end == PROCESS_EXITED) {
    child->has_resisted = !was_lost && child->process.status == STATUS_ORPHANED;
    return check_orderly_end (child);
  }
  if (has_crashed (child))
    return check_orderly_end (child);
  if (child->connects_back && child->process.end == PROCESS_SIGNALLED &&
      child->process.status == SIGTERM)
    return NULL;
  return report_resistance (child, started, was_lost, "ignored its cancel, and ended by a signal");
}

/* Returns: (nullable): what is to be reported of it: how it died, that it had to be killed, or that
 * it cannot be. */
static GError *
end_child (Child *child)
{
  gint64 started = tractor__patience_now ();
  gint64 patience = get_patience (child->runtime);
  gint64 ack_by = started + MIN (get_ack_patience (child), patience / 2);
  gint64 kill_at = started + patience; /* if it is at it */
  gboolean was_lost = child->link_lost;
  const char *ignored;

  log_info (LOG_SUPERVISE, "actor '%s' (pid %d) is cancelled, and has %d ms", child->id.name,
            (int) child->process.pid, (int) (patience / 1000));
  tractor__link_send_cancel (child->link, patience);
  if (tractor__process_wait_until (&child->process, ack_by))
    return check_orderly_end (child);

  if (child->has_acked) {
    /* It may have children that are not at it: those are killed by it in this time. */
    if (tractor__process_wait_until (&child->process, kill_at))
      return check_orderly_end (child);
    ignored = "acknowledged its cancel, but did not end, and was killed";
  } else {
    signal_child (child, SIGTERM, "does not acknowledge its cancel");
    if (tractor__process_wait_until (&child->process, MIN (ack_by + PATIENCE_TERM_USEC, kill_at)))
      return check_end_by_term (child, started, was_lost);
    ignored = "ignored its cancel and SIGTERM, and was killed";
  }

  signal_child (child, SIGKILL, "does not end");
  if (!tractor__process_wait_until (&child->process, tractor__patience_now () + PATIENCE_KILL_USEC))
    ignored = "cannot be killed, and is left to the system";
  else if (has_crashed (child))
    return check_orderly_end (child);
  return report_resistance (child, started, was_lost, ignored);
}

/* It is the child that says so: only what is in our directory, and nobody else's. */
static void
remove_told_sockets (const Child *child, const RuntimeDir *dir)
{
  const GPtrArray *addresses = child->link->peer_addresses;

  for (guint i = 0; addresses != NULL && i < addresses->len; i++) {
    const Address *address = addresses->pdata[i];
    const char *filename;
    g_autofree char *parent =
        address->kind == ADDRESS_UNIX ? tractor__address_split_path (address, &filename) : NULL;

    if (g_strcmp0 (parent, dir->path) == 0 && tractor_socket_is_dead (address->path))
      unlink (address->path);
  }
}

/* Where it was told to listen: another may do so since. */
static void
remove_given_sockets (const Child *child)
{
  for (guint i = 0; i < child->plan->listen->len; i++) {
    const Address *address = child->plan->listen->pdata[i];

    if (address->kind == ADDRESS_UNIX)
      tractor_socket_remove_dead (address->path, NULL);
  }
}

/* What it could not take away itself, or did not: also if it was killed before it told of it. */
static void
remove_sockets (Child *child)
{
  g_auto (RuntimeDir) dir = { NULL, -1 };
  g_autofree char *path = NULL;

  remove_given_sockets (child);
  if (tractor__runtime_uses_tcp (child->runtime) || !tractor__runtime_dir_open (&dir, NULL))
    return;
  remove_told_sockets (child, &dir);
  path = tractor__runtime_dir_make_socket_path (&dir, child->id.uuid);
  unlink (path);
}

/* Usually it is dying. If it broke the protocol it is ended at once. */
void
tractor__child_expect_end (Child *child)
{
  log_debug (LOG_SUPERVISE, "actor '%s' (pid %d) is not connected any more: it is to end",
             child->id.name, (int) child->process.pid);
  if (tractor__child_has_broken_protocol (child))
    tractor_cancel_scope_cancel (child->wait_scope, "the actor broke the protocol");
  else
    tractor__patience_set (child->wait_scope, PATIENCE_LOST_USEC);
}

/* --- watching it ------------------------------------------------------------------------------- */

/* Returns: TRUE if the process ended by itself; FALSE if it is to be ended, because of *@ret_failure
 * if that is set. */
static gboolean
wait_for_process (Child *child, gboolean *ret_boot_timed_out, GError **ret_failure)
{
  g_autoptr (TractorCancelScope) wait = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorCancelScope) boot = NULL;
  gboolean ended = FALSE;

  child->wait_scope = wait;
  if (child->cancel_requested)
    tractor_cancel_scope_cancel (wait, NULL);
  if (child->link_lost)
    tractor__child_expect_end (child);
  boot = child->has_booted ? tractor_cancel_scope_open (TRACTOR_NO_DEADLINE)
                           : tractor__patience_open_until (child->started_at + PATIENCE_BOOT_USEC);
  child->boot_scope = boot;
  while (!(ended = tractor__process_reap (&child->process)))
    if (!tractor_wait_fd (child->process.pidfd, G_IO_IN, NULL, ret_failure))
      break;
  /* Cancelled, but too late: it had ended already, and that is the news. */
  ended = ended || (!child->cancel_requested && tractor__process_reap (&child->process));
  if (g_error_matches (*ret_failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    g_clear_error (ret_failure);
  child->boot_scope = NULL;
  child->wait_scope = NULL;
  *ret_boot_timed_out = !ended && tractor_cancel_scope_get_cancel_called (boot);
  return ended;
}

/* Sees to it that the process ends. Returns: (transfer full) (nullable): what is to be reported. */
static GError *
watch_to_the_end (Child *child)
{
  gboolean boot_timed_out;
  g_autoptr (GError) report = NULL;
  GError *failure = NULL;

  child->has_resisted = FALSE;
  if (wait_for_process (child, &boot_timed_out, &failure) || child->is_killed) {
    g_clear_error (&failure);
    tractor__process_wait_until (&child->process, tractor__patience_now () + PATIENCE_KILL_USEC);
    if (child->is_killed)
      return NULL;         /* as asked for */
    wait_for_link (child); /* its last word may be that it was cancelled */
    return child->cancel_requested ? check_orderly_end (child)
                                   : tractor__child_describe_own_end (child);
  }

  if (!boot_timed_out && !child->link_lost && failure == NULL && !child->is_ended_for_restart)
    child->cancel_requested = TRUE;
  tractor__runtime_tree_changed (child->runtime);
  report = end_child (child);
  if (failure != NULL) /* it could not be watched any more */
    return failure;
  if (boot_timed_out)
    return tractor__child_new_boot_too_slow_error (child);
  if (child->cancel_requested || child->is_ended_for_restart)
    return g_steal_pointer (&report);
  if (report != NULL && !tractor__child_has_broken_protocol (child) &&
      !tractor__child_has_failed (child)) {
    if (child->link->read_failure != NULL)
      g_prefix_error (&report, "%s. ", child->link->read_failure->message);
    return g_steal_pointer (&report);
  }
  return tractor__child_describe_own_end (child);
}

static void
tell_end (const Child *child)
{
  g_autofree char *end = NULL;

  if (!log_is_wanted (LOG_SUPERVISE, G_LOG_LEVEL_INFO) && !trace_is_on ())
    return;
  end = tractor__process_describe_end (&child->process);
  trace_note (TRACTOR_TRACE_ACTOR_ENDED, (guint64) child->process.pid, end);
  log_info (LOG_SUPERVISE, "actor '%s' (pid %d) %s", child->id.name, (int) child->process.pid, end);
}

/* One life of the child, to its end. Returns: (transfer full) (nullable): what is to be reported. */
static GError *
live (Child *child)
{
  GError *failure = watch_to_the_end (child);

  if (child->connected != NULL)
    tractor_event_set (child->connected); /* it will not come any more */
  wait_for_link (child);
  remove_sockets (child);
  tell_end (child);
  child->is_down = TRUE;
  tractor__runtime_tree_changed (child->runtime);
  tractor__link_fail (child->link, failure != NULL ? g_error_copy (failure)
                                                   : tractor__child_new_ended_error (child));
  return failure;
}

/* A failed start counts as a death. Returns: (transfer full) (nullable): what is to be reported. */
static GError *
start_again (Child *child)
{
  GError *failure = NULL;

  if (!tractor__child_start_again (child, &failure))
    return failure;
  if (tractor__child_spawn_link (child, &failure))
    return live (child);
  tractor__process_signal (&child->process, SIGKILL); /* nobody could talk to it */
  tractor__process_wait_until (&child->process, tractor__patience_now () + PATIENCE_KILL_USEC);
  tractor__link_fail (child->link, g_error_copy (failure));
  return failure;
}

static gboolean
is_to_restart (Child *child, GError **failure)
{
  return child->plan->options.on_death == TRACTOR_ON_DEATH_RESTART && !child->cancel_requested &&
         (child->n_restarts > 0 || child->has_booted) &&
         tractor__restarts_begin (child->restarts, child, failure);
}

/* While it is down: for others that are started again with it, and for what its start needs. It may be cancelled
 * meanwhile. */
static void
wait_for_next_life (Child *child)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  child->down_scope = scope;
  if (!tractor__restarts_wait (child->restarts, child, NULL) ||
      !tractor__child_prepare_start_again (child, NULL))
    child->cancel_requested = TRUE;
  child->down_scope = NULL;
}

/* Returns: (transfer full) (nullable): the failure of its last life. */
static GError *
live_again_and_again (Child *child)
{
  GError *failure = live (child);

  while (is_to_restart (child, &failure)) {
    if (failure != NULL)
      log_message (LOG_SUPERVISE, "%s; it is started again", failure->message);
    else
      log_info (LOG_SUPERVISE, "actor '%s' is started again", child->id.name);
    g_clear_error (&failure);
    wait_for_next_life (child);
    if (child->cancel_requested) /* while it was down */
      break;
    failure = start_again (child);
  }
  tractor__restarts_leave (child->restarts, child);
  return failure;
}

/* A death that the nursery is not to hear of: also one that falls together with its cancel, since nobody can say
 * which was first. One that would have been answered by a restart has none to wait for. That an actor which was well
 * had to be made to end is no death of its own. */
static gboolean
is_death_to_ignore (const Child *child)
{
  switch (child->plan->options.on_death) {
  case TRACTOR_ON_DEATH_IGNORE:
    return !child->has_resisted;
  case TRACTOR_ON_DEATH_RESTART:
    return child->cancel_requested && !child->has_resisted;
  case TRACTOR_ON_DEATH_FAIL:
  default:
    return FALSE;
  }
}

static gboolean
run_monitor (gpointer data, GError **error)
{
  Child *child = data;
  GError *failure = live_again_and_again (child);

  g_ptr_array_remove (child->runtime->children, child);
  tractor__child_close_words (child); /* its portals may be kept for long */
  child->is_down = FALSE;
  tractor__runtime_tree_changed (child->runtime);
  tractor_event_set (child->gone);
  tractor_parking_lot_unpark (child->up, G_MAXUINT);

  if (!child->has_booted && child->n_restarts == 0) {
    /* Whoever waits for the boot is told, and not the nursery. */
    child->boot_failure = failure != NULL ? failure : tractor__child_new_ended_error (child);
    tractor_event_set (child->booted);
    return TRUE;
  }
  if (failure != NULL && is_death_to_ignore (child)) {
    log_message (LOG_SUPERVISE, "%s", failure->message);
    g_clear_error (&failure);
  }
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

static gboolean
run_link_shielded (gpointer data, GError **error)
{
  Link *link = data;
  Child *child = link->data;
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  if (child->connected != NULL)
    tractor_event_wait (child->connected, NULL);
  if (link->fd < 0) { /* it never connected */
    tractor_event_set (link->ended);
    return TRUE;
  }
  return tractor__link_run (link, error);
}

gboolean
tractor__child_spawn_link (Child *child, GError **error)
{
  g_autofree char *link_name = g_strdup_printf ("link to %s", child->id.name);

  if (tractor_nursery_spawn (child->nursery, link_name, run_link_shielded,
                             tractor__link_ref (child->link), (GDestroyNotify) tractor__link_unref,
                             error))
    return TRUE;
  tractor_event_set (child->link->ended);
  return FALSE;
}

gboolean
tractor__child_supervise (Child *child, TractorNursery *nursery, Restarts *restarts, GError **error)
{
  child->nursery = nursery;
  child->restarts = restarts;
  /* The watching task first: without it nobody would end the process. */
  g_ptr_array_add (child->runtime->children, child);
  tractor__runtime_tree_changed (child->runtime);
  if (!tractor_nursery_spawn (nursery, child->id.name, run_monitor, tractor__child_ref (child),
                              (GDestroyNotify) tractor__child_unref, error)) {
    g_ptr_array_remove (child->runtime->children, child);
    tractor__process_signal (&child->process, SIGKILL);
    tractor__process_wait_until (&child->process, tractor__patience_now () + PATIENCE_KILL_USEC);
    return FALSE;
  }
  if (!tractor__child_spawn_link (child, error)) {
    tractor__child_cancel (child);
    return FALSE;
  }
  return TRUE;
}
