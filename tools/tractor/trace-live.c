/* trace-live.c - actors that run are traced for a while.
 *
 * Each is asked for its trace over a connection of its own, and gives a descriptor of the memory that it writes it to. So what
 * an actor has noted is there at the end, also of one that has been killed meanwhile; and it notes nothing any more when the
 * connection ends, whatever this process ends by. Actors that are started meanwhile are asked as soon as they are seen. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "trace-live.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "forest.h"
#include "places.h"
#include "proc.h"
#include "ring.h"
#include "text.h"
#include "tractor-context.h"
#include "tractor-discovery.h"
#include "tractor-signal.h"
#include "tractor-value.h"
#include "visit.h"

/* Until an actor has begun. */
#define PATIENCE_ANSWER_USEC G_USEC_PER_SEC
/* How often it is looked who has been started meanwhile. */
#define LOOK_USEC (G_USEC_PER_SEC / 4)

typedef struct {
  gint pid;
  char *address;
  int fd; /* of its trace; -1: there is none */
  gboolean is_begun;
} Target;

typedef struct {
  gint root;
  gint64 deadline;
  GPtrArray *targets; /* (element-type Target) */
  TractorNursery *nursery;
} Tracing;

static void
target_free (gpointer data)
{
  Target *target = data;

  if (target->fd >= 0)
    close (target->fd);
  g_free (target->address);
  g_free (target);
}

static void
complain (gint pid, const char *why)
{
  g_autofree char *text = text_escape (why);

  fprintf (stderr, "tractor: process %d is not traced: %s\n", pid, text);
}

/* --- one actor ----------------------------------------------------------------------------------- */

/* Returns: (transfer full): NULL with @error set; else it is traced until this is closed. */
static TractorContext *
begin_trace (Target *target, TractorPortal *portal, GError **error)
{
  g_autoptr (GVariant) first = NULL;
  TractorContext *context =
      tractor_portal_open_context (portal, "self:trace", NULL, NULL, &first, error);

  if (context == NULL)
    return NULL;
  target->fd = tractor_value_take_fd (first, error);
  if (target->fd >= 0)
    return context;
  tractor_context_close (context);
  return NULL;
}

/* Until this task is cancelled, or the actor is gone. */
static gboolean
trace_while_wanted (Target *target, GError **error)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + PATIENCE_ANSWER_USEC);
  g_autoptr (TractorPortal) portal = tractor_connect (target->address, error);
  TractorContext *context = portal != NULL ? begin_trace (target, portal, error) : NULL;

  if (context != NULL) {
    tractor_cancel_scope_set_deadline (scope, TRACTOR_NO_DEADLINE);
    target->is_begun = TRUE;
    tractor_context_join (context, NULL, error);
    tractor_context_close (context);
  }
  return tractor_cancel_scope_absorb_or_fail (scope, error);
}

/* Whatever becomes of it, the others go on. */
static gboolean
trace_target (gpointer data, GError **error)
{
  Target *target = data;
  g_autoptr (GError) problem = NULL;

  trace_while_wanted (target, &problem);
  if (g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_TOO_SLOW)) {
    g_autofree char *why = g_strdup_printf ("it does not answer, for it computes, is stuck or is "
                                            "stopped: `tractor dump %d` shows where",
                                            target->pid);

    complain (target->pid, why);
    return tractor_checkpoint_if_cancelled (error);
  }
  if (!target->is_begun && problem != NULL && tractor_checkpoint_if_cancelled (NULL))
    complain (target->pid, tractor_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED)
                               ? "it is Python's, or has an older library"
                               : problem->message);
  return tractor_checkpoint_if_cancelled (error);
}

/* --- the tree ------------------------------------------------------------------------------------ */

static gboolean
is_known (const Tracing *tracing, gint pid)
{
  for (guint i = 0; i < tracing->targets->len; i++)
    if (((Target *) tracing->targets->pdata[i])->pid == pid)
      return TRUE;
  return FALSE;
}

/* Whoever listens and is of the tree. */
static gboolean
trace_new_ones (Tracing *tracing, GError **error)
{
  g_autoptr (GPtrArray) places = places_find (error);

  if (places == NULL)
    return FALSE;
  for (guint i = 0; i < places->len; i++) {
    const Place *place = places->pdata[i];
    Target *target;

    if (!proc_is_below (place->pid, tracing->root) || is_known (tracing, place->pid))
      continue;
    target = g_new0 (Target, 1);
    *target = (Target){ place->pid, g_strdup (place->address), -1, FALSE };
    g_ptr_array_add (tracing->targets, target);
    if (!tractor_nursery_spawn (tracing->nursery, "trace", trace_target, target, NULL, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
look_until_deadline (gpointer data, GError **error)
{
  Tracing *tracing = data;

  while (tractor_now () < tracing->deadline && proc_exists (tracing->root))
    if (!trace_new_ones (tracing, error) ||
        !tractor_sleep_until (MIN (tractor_now () + LOOK_USEC, tracing->deadline), error))
      return FALSE;
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (tracing->nursery),
                               "it has been long enough");
  return TRUE;
}

static gboolean
wait_for_signal (gpointer data, GError **error)
{
  static const int signals[] = { SIGINT, SIGTERM };
  Tracing *tracing = data;
  g_autoptr (TractorSignalReceiver) receiver =
      tractor_signal_receiver_open (signals, G_N_ELEMENTS (signals), error);
  int number;

  if (receiver == NULL || !tractor_signal_receiver_receive (receiver, &number, error))
    return FALSE;
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (tracing->nursery), "interrupted");
  return TRUE;
}

static gboolean
trace_tree (gpointer data, GError **error)
{
  Tracing *tracing = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tracing->nursery = nursery;
  if (tracing->deadline != TRACTOR_NO_DEADLINE)
    tracing->deadline += tractor_now ();
  tractor_nursery_spawn (nursery, "look", look_until_deadline, tracing, NULL, error);
  tractor_nursery_spawn (nursery, "signals", wait_for_signal, tracing, NULL, error);
  return tractor_nursery_join (nursery, error);
}

/* --- what they have noted ------------------------------------------------------------------------ */

static GPtrArray *
read_rings (const Tracing *tracing, GError **error)
{
  g_autoptr (GPtrArray) rings = g_ptr_array_new_with_free_func (ring_free);

  for (guint i = 0; i < tracing->targets->len; i++) {
    const Target *target = tracing->targets->pdata[i];
    g_autoptr (GError) problem = NULL;
    Ring *ring = target->fd >= 0 ? ring_read (target->fd, target->address, &problem) : NULL;

    if (ring != NULL)
      g_ptr_array_add (rings, ring);
    else if (problem != NULL)
      complain (target->pid, problem->message);
  }
  if (rings->len > 0)
    return g_steal_pointer (&rings);
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "Nobody was traced");
  return NULL;
}

GPtrArray *
trace_live (gint pid, double seconds, Status *ret_status, GError **error)
{
  g_autoptr (GPtrArray) roots = forest_find (pid, ret_status, error);
  g_autoptr (GPtrArray) targets = g_ptr_array_new_with_free_func (target_free);
  Tracing tracing = { .targets = targets };
  GPtrArray *rings;

  if (roots == NULL)
    return NULL;
  tracing.root = ((Actor *) roots->pdata[0])->pid;
  tracing.deadline =
      seconds > 0 ? (gint64) (seconds * (double) G_USEC_PER_SEC) : TRACTOR_NO_DEADLINE;
  *ret_status = STATUS_FAILED;
  if (!visit (trace_tree, &tracing, error))
    return NULL;
  rings = read_rings (&tracing, error);
  if (rings != NULL)
    *ret_status = STATUS_OK;
  return rings;
}
