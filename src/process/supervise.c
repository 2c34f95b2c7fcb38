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

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "escape.h"
#include "last-words.h"
#include "plain-words.h"
#include "restart.h"
#include "runtime-dir.h"
#include "socket.h"

/* --- how it ended ------------------------------------------------------------------------------ */

/* (transfer full): the last of what it wrote while booting; or of what it said of its crash; empty if
 * nothing. */
static char *
read_stderr_tail (Child *child)
{
  char bytes[LIMIT_STDERR_TAIL_BYTES];
  /* Its place in the file is ours too: as far as it has written. */
  off_t written = child->words_fd >= 0 ? lseek (child->words_fd, 0, SEEK_CUR) : 0;
  off_t start = MAX (written - (off_t) sizeof bytes, 0);
  g_autofree char *text = NULL;
  gssize n;

  if (written <= 0)
    return g_strdup ("");
  n = pread (child->words_fd, bytes, (gsize) (written - start), start);
  text = g_utf8_make_valid (bytes, MAX (n, 0));
  return g_strchomp (tractor__escape (text));
}

/* It has left of its own accord, and says why. */
static gboolean
has_explained_end (const Child *child, const char *words)
{
  return child->has_booted && words[0] != '\0' && child->process.end == PROCESS_EXITED &&
         (child->process.status == 0 || child->process.status == STATUS_FAILED ||
          child->process.status == STATUS_ORPHANED);
}

/* A program that is no actor ends as if it had nothing to do; one that says why is believed. */
static gboolean
may_be_no_actor (const Child *child, const char *words)
{
  return !child->has_booted && !child->connects_back && child->process.end == PROCESS_EXITED &&
         (child->process.status == 0 || words[0] == '\0');
}

static GError *
describe_death (Child *child)
{
  g_autofree char *end = tractor__process_describe_end (&child->process);
  g_autofree char *tail = read_stderr_tail (child);
  g_autofree char *plain = tractor__plain_words (tail);
  g_autofree char *words = tractor__join_lines (plain, LIMIT_MESSAGE_TAIL_BYTES);
  gboolean is_explained = has_explained_end (child, tail);
  gboolean is_doubtful = may_be_no_actor (child, tail);
  guint n_calls = child->link->requests.n_entries;
  GString *text = g_string_new (NULL);
  GError *error;

  if (n_calls > 0 && child->following != NULL)
    n_calls--; /* which is not the program's */
  g_string_printf (text, "Actor '%s' (pid %d) %s", child->id.name, (int) child->process.pid,
                   is_explained ? "has ended" : end);
  if (!child->has_booted)
    g_string_append (text, " before it had booted");
  else if (child->cancel_requested)
    g_string_append (text, " after it had been cancelled");
  else if (n_calls > 0)
    g_string_append_printf (text, ", with %u call%s open", n_calls, n_calls == 1 ? "" : "s");
  if (is_doubtful)
    g_string_append (text, ". Does its main() begin with tractor_child_main()?");
  /* Once it has booted the words are ours, and not the program's (last-words.c). */
  if (words[0] != '\0')
    g_string_append_printf (text, "%s%s",
                            child->has_booted ? ": "
                            : is_doubtful     ? " It wrote: "
                                              : "; it wrote: ",
                            words);
  error = tractor_error_new_traced (TRACTOR_ERROR_ACTOR_FAILURE,
                                    strcmp (words, tail) != 0 ? tail : NULL, text->str);
  g_string_free (text, TRUE);
  return error;
}

static gboolean
has_broken_protocol (Child *child)
{
  return g_error_matches (child->link->read_failure, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
}

/* Whether it has said that it has failed, with an error. */
static gboolean
has_failed (const Child *child)
{
  return child->link->last_words != NULL && child->process.end == PROCESS_EXITED &&
         child->process.status == STATUS_FAILED;
}

/* Which is found in the death that it is. */
static GError *
describe_failure (Child *child)
{
  const GError *failure = child->link->last_words;
  g_autofree char *text = g_strdup_printf ("Actor '%s' (pid %d) has failed: %s", child->id.name,
                                           (int) child->process.pid, failure->message);

  return tractor_error_new_remote (TRACTOR_ERROR_ACTOR_FAILURE, tractor_error_get_remote (failure),
                                   NULL, text);
}

/* Nobody had asked for it. */
static GError *
describe_own_end (Child *child)
{
  if (has_broken_protocol (child))
    return g_error_copy (child->link->read_failure);
  return has_failed (child) ? describe_failure (child) : describe_death (child);
}

static GError *
new_unresponsive_error (Child *child, gint64 since, const char *what)
{
  return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE,
                      "Actor '%s' (pid %d) %s, after %.1f s", child->id.name,
                      (int) child->process.pid, what,
                      (double) (tractor_now () - since) / G_USEC_PER_SEC);
}

/* --- ending it --------------------------------------------------------------------------------- */

static void
signal_child (Child *child, int signal_number, const char *why)
{
  g_debug ("actor '%s' (pid %d) %s: it gets %s", child->id.name, (int) child->process.pid, why,
           signal_number == SIGKILL ? "SIGKILL" : "SIGTERM");
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
}

/* Returns: whether the process has ended by @deadline. */
static gboolean
wait_for_end_until (Child *child, gint64 deadline)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (deadline);

  tractor_cancel_scope_set_shield (scope, TRUE);
  while (!tractor__process_reap (&child->process))
    if (!tractor_wait_fd (child->process.pidfd, G_IO_IN, NULL, NULL))
      return tractor__process_reap (&child->process);
  return TRUE;
}

/* Returns: how long it may take us to end a child: less than our own parent gives us, if it does. */
static gint64
get_patience (const TractorRuntime *runtime)
{
  if (runtime->end_by == 0)
    return PATIENCE_TOTAL_USEC;
  return CLAMP (runtime->end_by - tractor_now () - PATIENCE_STEP_USEC, PATIENCE_LEAST_USEC,
                PATIENCE_TOTAL_USEC);
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
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + PATIENCE_ACK_USEC);

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
  return has_failed (child) ? describe_failure (child) : describe_death (child);
}

/* It did not acknowledge that it was asked to end, and has ended since it got SIGTERM. Python leaves that
 * signal its default action. Returns: (nullable): what is to be reported of it. */
static GError *
check_end_by_term (Child *child, gint64 started)
{
  if (child->process.end == PROCESS_EXITED)
    return check_orderly_end (child);
  if (child->connects_back && child->process.end == PROCESS_SIGNALLED &&
      child->process.status == SIGTERM)
    return NULL;
  return new_unresponsive_error (child, started, "ignored its cancel, and ended by a signal");
}

/* Returns: (nullable): what is to be reported of it: how it died, that it had to be killed, or that
 * it cannot be. */
static GError *
end_child (Child *child)
{
  gint64 started = tractor_now ();
  gint64 patience = get_patience (child->runtime);
  gint64 ack_by = started + MIN (get_ack_patience (child), patience / 2);
  gint64 kill_at = started + patience; /* if it is at it */
  const char *ignored;

  g_debug ("actor '%s' (pid %d) is cancelled", child->id.name, (int) child->process.pid);
  tractor__link_send_cancel (child->link, patience);
  if (wait_for_end_until (child, ack_by))
    return check_orderly_end (child);

  if (child->has_acked) {
    /* It may have children that are not at it: those are killed by it in this time. */
    if (wait_for_end_until (child, kill_at))
      return check_orderly_end (child);
    ignored = "acknowledged its cancel, but did not end, and was killed";
  } else {
    signal_child (child, SIGTERM, "does not acknowledge its cancel");
    if (wait_for_end_until (child, MIN (ack_by + PATIENCE_TERM_USEC, kill_at)))
      return check_end_by_term (child, started);
    ignored = "ignored its cancel and SIGTERM, and was killed";
  }

  signal_child (child, SIGKILL, "does not end");
  if (wait_for_end_until (child, tractor_now () + PATIENCE_KILL_USEC))
    return new_unresponsive_error (child, started, ignored);
  return new_unresponsive_error (child, started, "cannot be killed, and is left to the system");
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

    if (g_strcmp0 (parent, dir->path) == 0 && tractor__unix_is_dead (address->path))
      unlink (address->path);
  }
}

/* Where it was told to listen: another may do so since. */
static void
remove_given_sockets (const Child *child)
{
  const char *const *text = child->plan->options.listen_addresses;

  for (; text != NULL && *text != NULL; text++) {
    g_auto (Address) address = { 0 };

    if (tractor__address_parse (*text, &address, NULL) && address.kind == ADDRESS_UNIX)
      tractor__unix_remove_dead (address.path);
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
  if (has_broken_protocol (child))
    tractor_cancel_scope_cancel (child->wait_scope, "the actor broke the protocol");
  else
    tractor_cancel_scope_set_deadline (child->wait_scope, tractor_now () + PATIENCE_LOST_USEC);
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
  boot = tractor_cancel_scope_open (child->has_booted ? TRACTOR_NO_DEADLINE
                                                      : child->started_at + PATIENCE_BOOT_USEC);
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

static GError *
new_boot_too_slow_error (Child *child)
{
  g_autofree char *tail = read_stderr_tail (child);

  return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW,
                      "Actor '%s' (pid %d) did not boot in %d s. Does its main() begin with "
                      "tractor_child_main()?%s%s",
                      child->id.name, (int) child->process.pid,
                      (int) (PATIENCE_BOOT_USEC / G_USEC_PER_SEC),
                      tail[0] != '\0' ? " It wrote:\n" : "", tail);
}

static GError *
new_ended_error (Child *child)
{
  return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
                      "Actor '%s' (pid %d) was cancelled, and has ended", child->id.name,
                      (int) child->process.pid);
}

/* Sees to it that the process ends. Returns: (transfer full) (nullable): what is to be reported. */
static GError *
watch_to_the_end (Child *child)
{
  gboolean boot_timed_out;
  g_autoptr (GError) report = NULL;
  GError *failure = NULL;

  if (wait_for_process (child, &boot_timed_out, &failure) || child->is_killed) {
    g_clear_error (&failure);
    wait_for_end_until (child, tractor_now () + PATIENCE_KILL_USEC);
    if (child->is_killed)
      return NULL;         /* as asked for */
    wait_for_link (child); /* its last word may be that it was cancelled */
    return child->cancel_requested ? check_orderly_end (child) : describe_own_end (child);
  }

  if (!boot_timed_out && !child->link_lost && failure == NULL && !child->is_ended_for_restart)
    child->cancel_requested = TRUE;
  tractor__runtime_tree_changed (child->runtime);
  report = end_child (child);
  if (failure != NULL) /* it could not be watched any more */
    return failure;
  if (boot_timed_out)
    return new_boot_too_slow_error (child);
  if (child->cancel_requested || child->is_ended_for_restart)
    return g_steal_pointer (&report);
  if (report != NULL && !has_broken_protocol (child) && !has_failed (child)) {
    if (child->link->read_failure != NULL)
      g_prefix_error (&report, "%s. ", child->link->read_failure->message);
    return g_steal_pointer (&report);
  }
  return describe_own_end (child);
}

static void
log_end (const Child *child)
{
  g_autofree char *end = tractor__process_describe_end (&child->process);

  g_debug ("actor '%s' (pid %d) %s", child->id.name, (int) child->process.pid, end);
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
  log_end (child);
  child->is_down = TRUE;
  tractor__runtime_tree_changed (child->runtime);
  tractor__link_fail (child->link,
                      failure != NULL ? g_error_copy (failure) : new_ended_error (child));
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
  wait_for_end_until (child, tractor_now () + PATIENCE_KILL_USEC);
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

/* Returns: (transfer full) (nullable): the failure of its last life. */
static GError *
live_again_and_again (Child *child)
{
  GError *failure = live (child);

  while (is_to_restart (child, &failure)) {
    GError *cancel = NULL;

    if (failure != NULL)
      g_message ("%s; it is started again", failure->message);
    else
      g_debug ("actor '%s' is started again", child->id.name);
    g_clear_error (&failure);
    if (!tractor__restarts_wait (child->restarts, child, &cancel))
      child->cancel_requested = TRUE;
    g_clear_error (&cancel);
    if (child->cancel_requested) /* while it was down */
      break;
    failure = start_again (child);
  }
  tractor__restarts_leave (child->restarts, child);
  return failure;
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
    child->boot_failure = failure != NULL ? failure : new_ended_error (child);
    tractor_event_set (child->booted);
    return TRUE;
  }
  if (failure != NULL && child->plan->options.on_death == TRACTOR_ON_DEATH_IGNORE &&
      (!child->cancel_requested || has_failed (child))) {
    g_message ("%s", failure->message);
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
    wait_for_end_until (child, tractor_now () + PATIENCE_KILL_USEC);
    return FALSE;
  }
  if (!tractor__child_spawn_link (child, error)) {
    tractor__child_cancel (child);
    return FALSE;
  }
  return TRUE;
}
