/* test-limiter.c - limiters, parking lots, and wakers. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"
#include "tractor-sync.h"

/* --- limiters ---------------------------------------------------------------------------------- */

typedef struct {
  TractorLimiter *limiter;
  guint n_inside;
  guint most_inside;
  guint n_done;
  TractorEvent *go;
} Limited;

static gboolean
be_inside (gpointer data, GError **error)
{
  Limited *limited = data;

  if (!tractor_limiter_acquire (limited->limiter, NULL, error))
    return FALSE;
  limited->n_inside++;
  limited->most_inside = MAX (limited->most_inside, limited->n_inside);
  if (!tractor_event_wait (limited->go, error))
    return FALSE;
  limited->n_inside--;
  limited->n_done++;
  return tractor_limiter_release (limited->limiter, NULL, error);
}

static void
settle (void)
{
  for (int i = 0; i < 5; i++)
    g_assert_true (tractor_checkpoint (NULL));
}

static void
assert_statistics (TractorLimiter *limiter, guint total, guint n_borrowed, guint n_waiting)
{
  TractorLimiterStatistics now;

  tractor_limiter_get_statistics (limiter, &now);
  g_assert_cmpuint (now.total, ==, total);
  g_assert_cmpuint (now.n_borrowed, ==, n_borrowed);
  g_assert_cmpuint (now.n_waiting, ==, n_waiting);
}

static gboolean
test_limiter_holds_back (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) go = tractor_event_new ();
  g_autoptr (TractorLimiter) limiter = tractor_limiter_new (2);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Limited limited = { .limiter = limiter, .go = go };

  for (int i = 0; i < 7; i++)
    tractor_nursery_spawn (nursery, "borrower", be_inside, &limited, NULL, error);
  settle ();
  assert_statistics (limiter, 2, 2, 5);
  tractor_event_set (go);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (limited.n_done, ==, 7);
  g_assert_cmpuint (limited.most_inside, ==, 2);
  assert_statistics (limiter, 2, 0, 0);
  return TRUE;
}

static gboolean
test_limiter_changed_live (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) go = tractor_event_new ();
  g_autoptr (TractorLimiter) limiter = tractor_limiter_new (1);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Limited limited = { .limiter = limiter, .go = go };

  for (int i = 0; i < 6; i++)
    tractor_nursery_spawn (nursery, "borrower", be_inside, &limited, NULL, error);
  settle ();
  tractor_limiter_set_total (limiter, 4);
  settle ();
  g_assert_cmpuint (limited.n_inside, ==, 4); /* three more, not all */
  assert_statistics (limiter, 4, 4, 2);

  tractor_limiter_set_total (limiter, 1);
  assert_statistics (limiter, 1, 4, 2);
  tractor_event_set (go);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (limited.n_done, ==, 6);
  return TRUE;
}

static gboolean
test_limiter_misuse (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorLimiter) limiter = tractor_limiter_new (2);
  GError *error = NULL;
  int borrower;

  g_assert_true (tractor_limiter_acquire (limiter, NULL, NULL));
  g_assert_false (tractor_limiter_acquire (limiter, NULL, &error)); /* the task has one */
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_true (tractor_limiter_acquire_nowait (limiter, &borrower, NULL)); /* on behalf of it */
  g_assert_false (tractor_limiter_acquire_nowait (limiter, &borrower, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_limiter_acquire_nowait (limiter, &error, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK);

  g_assert_true (tractor_limiter_release (limiter, &borrower, NULL));
  g_assert_false (tractor_limiter_release (limiter, &borrower, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_true (tractor_limiter_release (limiter, NULL, NULL));
  return TRUE;
}

typedef struct {
  TractorLimiter *limiter;
  gpointer borrower;
  guint n_refused;
} SameBorrower;

static gboolean
borrow_for_same (gpointer data, G_GNUC_UNUSED GError **unused)
{
  SameBorrower *same = data;
  GError *error = NULL;

  if (!tractor_limiter_acquire (same->limiter, same->borrower, &error)) {
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
    same->n_refused++;
  }
  return TRUE;
}

/* Two tasks that wait for the same borrower: it gets one token, and neither waits for ever. */
static gboolean
test_limiter_same_borrower_waits_twice (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLimiter) limiter = tractor_limiter_new (1);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  SameBorrower same = { limiter, &same, 0 };

  g_assert_true (tractor_limiter_acquire (limiter, NULL, error));
  for (int i = 0; i < 2; i++)
    tractor_nursery_spawn (nursery, "waiter", borrow_for_same, &same, NULL, error);
  settle ();
  tractor_limiter_set_total (limiter, 3);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (same.n_refused, ==, 1);
  assert_statistics (limiter, 3, 2, 0);
  return TRUE;
}

static gboolean
test_limiter_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) go = tractor_event_new ();
  g_autoptr (TractorLimiter) limiter = tractor_limiter_new (1);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Limited limited = { .limiter = limiter, .go = go };

  g_assert_true (tractor_limiter_acquire (limiter, NULL, error));
  tractor_nursery_spawn (nursery, "borrower", be_inside, &limited, NULL, error);
  settle ();
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  assert_statistics (limiter, 1, 1, 0);
  return tractor_limiter_release (limiter, NULL, error);
}

/* --- parking lots ------------------------------------------------------------------------------ */

typedef struct {
  TractorParkingLot *lot;
  guint order[8];
  guint n_woken;
  guint next;
} Parkers;

static gboolean
park (gpointer data, GError **error)
{
  Parkers *parkers = data;
  guint mine = parkers->next++;

  if (!tractor_parking_lot_park (parkers->lot, error))
    return FALSE;
  parkers->order[parkers->n_woken++] = mine;
  return TRUE;
}

static gboolean
test_parking_lot_order (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorParkingLot) lot = tractor_parking_lot_new ();
  g_autoptr (TractorParkingLot) other = tractor_parking_lot_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Parkers parkers = { .lot = lot };

  for (int i = 0; i < 5; i++)
    tractor_nursery_spawn (nursery, "parker", park, &parkers, NULL, error);
  settle ();
  g_assert_cmpuint (tractor_parking_lot_get_length (lot), ==, 5);
  g_assert_cmpuint (tractor_parking_lot_unpark (lot, 2), ==, 2);
  settle ();
  g_assert_cmpuint (parkers.n_woken, ==, 2);

  g_assert_cmpuint (tractor_parking_lot_repark (lot, other, 2), ==, 2);
  g_assert_cmpuint (tractor_parking_lot_unpark (lot, G_MAXUINT), ==, 1);
  settle ();
  g_assert_cmpuint (tractor_parking_lot_unpark (other, G_MAXUINT), ==, 2);
  g_assert_cmpuint (tractor_parking_lot_unpark (other, G_MAXUINT), ==, 0);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpmem (parkers.order, 5 * sizeof (guint), ((guint[]){ 0, 1, 4, 2, 3 }),
                   5 * sizeof (guint));
  return TRUE;
}

static gboolean
test_parking_lot_cancelled_after_repark (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorParkingLot) lot = tractor_parking_lot_new ();
  g_autoptr (TractorParkingLot) other = tractor_parking_lot_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Parkers parkers = { .lot = lot };

  for (int i = 0; i < 3; i++)
    tractor_nursery_spawn (nursery, "parker", park, &parkers, NULL, error);
  settle ();
  tractor_parking_lot_repark (lot, other, 2);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (parkers.n_woken, ==, 0);
  g_assert_cmpuint (tractor_parking_lot_get_length (lot), ==, 0);
  g_assert_cmpuint (tractor_parking_lot_get_length (other), ==, 0);
  return TRUE;
}

static gboolean
park_in_broken (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;

  g_assert_false (tractor_parking_lot_park (data, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  return TRUE;
}

static gboolean
test_parking_lot_broken (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorParkingLot) lot = tractor_parking_lot_new ();
  g_autoptr (TractorParkingLot) other = tractor_parking_lot_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "parked", park_in_broken, lot, NULL, error);
  tractor_nursery_spawn (nursery, "moved", park_in_broken, other, NULL, error);
  settle ();
  tractor_parking_lot_break (lot);
  tractor_nursery_spawn (nursery, "late", park_in_broken, lot, NULL, error);
  g_assert_cmpuint (tractor_parking_lot_repark (other, lot, G_MAXUINT), ==, 1);
  return tractor_nursery_join (nursery, error);
}

/* --- wakers ------------------------------------------------------------------------------------ */

typedef struct {
  TractorWaker *waker;
  gboolean agrees; /* to being aborted */
  gboolean wakes;  /* while being aborted */
  guint n_aborted;
  gboolean in_task;
} Operation;

static gboolean
on_abort (gpointer data)
{
  Operation *operation = data;

  operation->n_aborted++;
  operation->in_task = tractor_in_task ();
  if (operation->wakes)
    tractor_waker_wake (operation->waker, NULL);
  return operation->agrees;
}

static void
wake_now (gpointer data)
{
  g_assert_false (tractor_in_task ());
  tractor_waker_wake (data, NULL);
}

static gboolean
test_waker_from_host (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorWaker) waker = tractor_waker_new ();

  tractor_guest_run_soon (tractor_guest_get_current (), wake_now, waker);
  return tractor_waker_wait (waker, NULL, NULL, error);
}

static gboolean
test_waker_before_wait (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorWaker) good = tractor_waker_new ();
  g_autoptr (TractorWaker) bad = tractor_waker_new ();
  GError *error = NULL;

  tractor_waker_wake (good, NULL);
  tractor_waker_wake (bad, g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOENT, "none"));
  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_true (tractor_waker_wait (good, NULL, NULL, NULL)); /* it has happened */
  g_assert_false (tractor_waker_wait (bad, NULL, NULL, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_false (tractor_waker_wait (good, NULL, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

static gboolean
wait_for_operation (gpointer data, GError **error)
{
  Operation *operation = data;

  return tractor_waker_wait (operation->waker, on_abort, operation, error);
}

/* Abort agrees: CANCELLED at once, and the abort is called once, where in-task queries are valid. */
static gboolean
test_waker_aborted (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorWaker) waker = tractor_waker_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Operation operation = { .waker = waker, .agrees = TRUE };

  tractor_nursery_spawn (nursery, "waiter", wait_for_operation, &operation, NULL, error);
  settle ();
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_cmpuint (operation.n_aborted, ==, 1);
  g_assert_true (operation.in_task);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (operation.n_aborted, ==, 1);

  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*although its wait was aborted*");
  tractor_waker_wake (waker, NULL);
  g_test_assert_expected_messages ();
  return TRUE;
}

/* Abort refuses: the wait goes on, and ends as the operation does. */
static gboolean
test_waker_abort_refused (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorWaker) waker = tractor_waker_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Operation operation = { .waker = waker };

  tractor_nursery_spawn (nursery, "waiter", wait_for_operation, &operation, NULL, error);
  settle ();
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  tractor_cancel_scope_set_shield (tractor_nursery_get_scope (nursery), TRUE); /* changes nothing */
  g_assert_cmpuint (operation.n_aborted, ==, 1);
  tractor_waker_wake (waker,
                      g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED, "Cancelled, but late"));
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (tractor_cancel_scope_get_cancelled_caught (tractor_nursery_get_scope (nursery)));
  return TRUE;
}

static gboolean
test_waker_wait_while_cancelled (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorWaker) waker = tractor_waker_new ();
  g_autoptr (TractorWaker) another = tractor_waker_new ();
  Operation operation = { .waker = waker, .agrees = TRUE };
  Operation wakes = { .waker = another, .agrees = TRUE, .wakes = TRUE };
  GError *error = NULL;

  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_false (tractor_waker_wait (waker, on_abort, &operation, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_cmpuint (operation.n_aborted, ==, 1);
  g_assert_true (
      tractor_waker_wait (another, on_abort, &wakes, NULL)); /* it was woken, after all */
  return TRUE;
}

static gboolean
test_waker_woken_twice (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorWaker) waker = tractor_waker_new ();

  tractor_waker_wake (waker, NULL);
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*a second time*");
  tractor_waker_wake (waker, g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOENT, "none"));
  g_test_assert_expected_messages ();
  g_assert_true (tractor_waker_wait (waker, NULL, NULL, error));
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*a second time*");
  tractor_waker_wake (waker, NULL);
  g_test_assert_expected_messages ();
  return TRUE;
}

static gpointer
wake_from_thread (gpointer data)
{
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*from a thread that is not its own*");
  tractor_waker_wake (data, NULL);
  g_test_assert_expected_messages ();
  return NULL;
}

/* A wake from another thread is told, and changes nothing. */
static gboolean
test_waker_wrong_thread (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorWaker) waker = tractor_waker_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Operation operation = { .waker = waker };

  tractor_nursery_spawn (nursery, "waiter", wait_for_operation, &operation, NULL, error);
  settle ();
  g_thread_join (g_thread_new ("other", wake_from_thread, waker));
  settle ();
  tractor_waker_wake (waker, NULL);
  return tractor_nursery_join (nursery, error);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/limiter/A88-holds-back", test_limiter_holds_back);
  harness_add_task ("/guest/limiter/A88-changed-live", test_limiter_changed_live);
  harness_add_task ("/guest/limiter/A88-double-borrow", test_limiter_misuse);
  harness_add_task ("/guest/limiter/A88-same-borrower-waits-twice",
                    test_limiter_same_borrower_waits_twice);
  harness_add_task ("/guest/limiter/cancelled", test_limiter_cancelled);
  harness_add_task ("/guest/parking-lot/A84-A78-order", test_parking_lot_order);
  harness_add_task ("/guest/parking-lot/A84-cancelled-after-repark",
                    test_parking_lot_cancelled_after_repark);
  harness_add_task ("/guest/parking-lot/A84-broken", test_parking_lot_broken);
  harness_add_task ("/guest/waker/A70-woken-by-host", test_waker_from_host);
  harness_add_task ("/guest/waker/woken-before-wait", test_waker_before_wait);
  harness_add_task ("/guest/waker/A70-A71-aborted", test_waker_aborted);
  harness_add_task ("/guest/waker/A54-A71-abort-refused", test_waker_abort_refused);
  harness_add_task ("/guest/waker/A73-wait-while-cancelled", test_waker_wait_while_cancelled);
  harness_add_task ("/guest/waker/A74-woken-twice", test_waker_woken_twice);
  harness_add_task ("/guest/waker/A74-B37-wrong-thread", test_waker_wrong_thread);
  return harness_run ();
}
