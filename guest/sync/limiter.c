/* limiter.c - a number of tokens, and who has borrowed them.
 *
 * A token that comes back goes to whoever has waited longest, unless there are too many out: the
 * total may have been made smaller since. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "limiter.h"

#include <stdatomic.h>

#include "parking-lot.h"

struct _TractorLimiter {
  _Atomic (guint) n_refs; /* its maker's, and one for each thread that it is to count */
  guint total;
  GHashTable *borrowers; /* a set */
  ParkingLot waiting;    /* each with its borrower; only while no token is free */
};

TractorLimiter *
tractor_limiter_new (guint total)
{
  TractorLimiter *limiter = g_new0 (TractorLimiter, 1);

  atomic_init (&limiter->n_refs, 1);
  limiter->total = total;
  limiter->borrowers = g_hash_table_new (NULL, NULL);
  return limiter;
}

TractorLimiter *
tractor__limiter_ref (TractorLimiter *limiter)
{
  atomic_fetch_add_explicit (&limiter->n_refs, 1, memory_order_relaxed);
  return limiter;
}

void
tractor__limiter_unref (TractorLimiter *limiter)
{
  if (atomic_fetch_sub_explicit (&limiter->n_refs, 1, memory_order_acq_rel) > 1)
    return;
  g_hash_table_unref (limiter->borrowers);
  g_free (limiter);
}

void
tractor_limiter_free (TractorLimiter *limiter)
{
  if (limiter == NULL)
    return;

  g_return_if_fail (limiter->waiting.first == NULL);
  tractor__limiter_unref (limiter);
}

static gboolean
set_has_one (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                       "The borrower already has a token of this limiter");
  return FALSE;
}

static gboolean
has_token_left (TractorLimiter *limiter)
{
  return g_hash_table_size (limiter->borrowers) < limiter->total;
}

static gboolean
has_borrowed (TractorLimiter *limiter, gconstpointer borrower)
{
  return g_hash_table_contains (limiter->borrowers, borrower);
}

gboolean
tractor_limiter_acquire (TractorLimiter *limiter, gconstpointer borrower, GError **error)
{
  Task *task = task_begin (error);
  Parked parked = { 0 };

  if (!tractor_error_check_given (limiter, "limiter", error))
    return FALSE;

  if (task == NULL)
    return FALSE;
  parked.value = (gpointer) (borrower != NULL ? borrower : task);
  if (has_borrowed (limiter, parked.value))
    return set_has_one (error);
  if (has_token_left (limiter)) {
    g_hash_table_add (limiter->borrowers, parked.value);
    tractor__task_yield (task);
    return TRUE;
  }
  switch (tractor__parking_lot_park (&limiter->waiting, task, &parked, "limiter")) {
  case WAKE_NORMAL:
    return TRUE; /* the token is ours since */
  case WAKE_CANCELLED:
    tractor__task_set_cancelled (task, error);
    return FALSE;
  default:
    return set_has_one (error); /* another task got it one meanwhile */
  }
}

/* @borrower, or the running task; NULL with @error set if there is none. */
static gconstpointer
get_borrower (gconstpointer borrower, GError **error)
{
  return borrower != NULL ? borrower : task_get_suspendable (error);
}

gboolean
tractor_limiter_acquire_nowait (TractorLimiter *limiter, gconstpointer borrower, GError **error)
{
  if (!tractor_error_check_given (limiter, "limiter", error))
    return FALSE;

  borrower = get_borrower (borrower, error);
  if (borrower == NULL)
    return FALSE;
  if (has_borrowed (limiter, borrower))
    return set_has_one (error);
  if (!has_token_left (limiter)) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK,
                 "All %u tokens of the limiter are borrowed", limiter->total);
    return FALSE;
  }
  g_hash_table_add (limiter->borrowers, (gpointer) borrower);
  return TRUE;
}

/* Hands free tokens to those who wait. */
static void
hand_out (TractorLimiter *limiter)
{
  while (limiter->waiting.first != NULL && has_token_left (limiter)) {
    gpointer borrower = limiter->waiting.first->value;
    gboolean is_new = g_hash_table_add (limiter->borrowers, borrower);

    parking_lot_unpark (&limiter->waiting, is_new ? WAKE_NORMAL : WAKE_BROKEN);
  }
}

gboolean
tractor_limiter_release (TractorLimiter *limiter, gconstpointer borrower, GError **error)
{
  if (!tractor_error_check_given (limiter, "limiter", error))
    return FALSE;

  borrower = get_borrower (borrower, error);
  if (borrower == NULL)
    return FALSE;
  if (!g_hash_table_remove (limiter->borrowers, borrower)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "The borrower has no token of this limiter to give back");
    return FALSE;
  }
  hand_out (limiter);
  return TRUE;
}

void
tractor_limiter_set_total (TractorLimiter *limiter, guint total)
{
  g_return_if_fail (limiter != NULL);

  limiter->total = total;
  hand_out (limiter);
}

void
tractor_limiter_get_statistics (TractorLimiter *limiter, TractorLimiterStatistics *ret_statistics)
{
  g_return_if_fail (limiter != NULL && ret_statistics != NULL);

  *ret_statistics = (TractorLimiterStatistics){
    .total = limiter->total,
    .n_borrowed = g_hash_table_size (limiter->borrowers),
    .n_waiting = parking_lot_get_length (&limiter->waiting),
  };
}
