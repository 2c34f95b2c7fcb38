/* restart.c - which actors of a nursery are started again when one dies, and how often.
 *
 * The strategies are Erlang's: the one that died, all of the nursery, or those that were started
 * after it. Those that live and are to be started again are ended first, in good order, and nobody is
 * started before all are gone. If there are more restarts than allowed in a time, the last death is
 * the nursery's failure, which ends all of it. Starts that fail in a row count however long ago they
 * are, or a program that hangs while it boots would be started again for ever: one that did not answer in
 * time, which has cost ten seconds, counts twice. Only actors that were started with
 * TRACTOR_ON_DEATH_RESTART take part. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "restart.h"

struct _Restarts {
  TractorRestartOptions options;
  GPtrArray *children; /* (element-type Child): not owned */
  GArray *times;       /* (element-type gint64): of the last restarts */
  guint n_ending;      /* that are not gone yet */
  TractorParkingLot *all_gone;
};

gboolean
tractor__restarts_check (const TractorRestartOptions *options, GError **error)
{
  if (options == NULL || (options->period_usec >= 0 && options->strategy <= TRACTOR_RESTART_REST))
    return TRUE;
  if (options->period_usec < 0)
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "Restarts cannot be counted over %" G_GINT64_FORMAT " microseconds",
                 options->period_usec);
  else
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "There is no restart strategy %d",
                 (int) options->strategy);
  return FALSE;
}

Restarts *
tractor__restarts_new (const TractorRestartOptions *options, GPtrArray *children)
{
  Restarts *restarts = g_new0 (Restarts, 1);

  if (options != NULL)
    restarts->options = *options;
  if (restarts->options.max_restarts == 0)
    restarts->options.max_restarts = 3;
  if (restarts->options.period_usec == 0)
    restarts->options.period_usec = 5 * G_USEC_PER_SEC;
  restarts->children = children;
  restarts->times = g_array_new (FALSE, FALSE, sizeof (gint64));
  restarts->all_gone = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (restarts->all_gone, "end of actors");
  return restarts;
}

void
tractor__restarts_free (Restarts *restarts)
{
  g_array_unref (restarts->times);
  tractor_parking_lot_free (restarts->all_gone);
  g_free (restarts);
}

/* Returns: whether one more is allowed now; then it is counted. */
static gboolean
count_restart (Restarts *restarts)
{
  gint64 now = tractor_now ();
  guint n_old = 0;

  while (n_old < restarts->times->len &&
         g_array_index (restarts->times, gint64, n_old) <= now - restarts->options.period_usec)
    n_old++;
  g_array_remove_range (restarts->times, 0, n_old);
  if (restarts->times->len >= restarts->options.max_restarts)
    return FALSE;
  g_array_append_val (restarts->times, now);
  return TRUE;
}

/* Of starts that failed since the last that did not. Returns: FALSE if there are too many. */
static gboolean
count_failed_start (const Restarts *restarts, Child *child, const GError *failure)
{
  if (child->has_booted) {
    child->n_failed_starts = child->n_hung_starts = 0;
    return TRUE;
  }
  child->n_failed_starts++;
  child->n_hung_starts +=
      g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW) ? 1 : 0;
  return child->n_failed_starts + child->n_hung_starts < restarts->options.max_restarts;
}

static gboolean
is_affected (const Restarts *restarts, guint of_dead, guint i)
{
  switch (restarts->options.strategy) {
  case TRACTOR_RESTART_ALL:
    return i != of_dead;
  case TRACTOR_RESTART_REST:
    return i > of_dead;
  case TRACTOR_RESTART_ONE:
  default:
    return FALSE;
  }
}

static void
end_others (Restarts *restarts, Child *dead)
{
  guint of_dead = 0;

  if (!g_ptr_array_find (restarts->children, dead, &of_dead))
    return;
  for (guint i = 0; i < restarts->children->len; i++) {
    Child *child = restarts->children->pdata[i];

    if (is_affected (restarts, of_dead, i) && tractor__child_end_for_restart (child))
      restarts->n_ending++;
  }
}

gboolean
tractor__restarts_begin (Restarts *restarts, Child *child, GError **failure)
{
  if (child->is_ended_for_restart)
    return TRUE; /* it has been counted by the one that died */
  if (!count_failed_start (restarts, child, *failure)) {
    g_prefix_error (failure, "After %u failed start%s in a row: ", child->n_failed_starts,
                    child->n_failed_starts == 1 ? "" : "s");
    return FALSE;
  }
  if (!count_restart (restarts)) {
    g_prefix_error (failure, "After %u restart%s in %.1f s: ", restarts->options.max_restarts,
                    restarts->options.max_restarts == 1 ? "" : "s",
                    (double) restarts->options.period_usec / G_USEC_PER_SEC);
    return FALSE;
  }
  restarts->n_ending++;
  end_others (restarts, child);
  return TRUE;
}

static void
count_gone (Restarts *restarts, Child *child)
{
  child->is_ended_for_restart = FALSE;
  if (--restarts->n_ending == 0)
    tractor_parking_lot_unpark (restarts->all_gone, G_MAXUINT);
}

void
tractor__restarts_leave (Restarts *restarts, Child *child)
{
  if (child->is_ended_for_restart)
    count_gone (restarts, child);
}

gboolean
tractor__restarts_wait (Restarts *restarts, Child *child, GError **error)
{
  count_gone (restarts, child);
  while (restarts->n_ending > 0)
    if (!tractor_parking_lot_park (restarts->all_gone, error))
      return FALSE;
  return tractor_checkpoint_if_cancelled (error);
}
