/* test-time.c - the virtual clock, deadlines that are asked for, and why a scope was cancelled. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <math.h>
#include <string.h>

#include "harness.h"
#include "tractor-thread.h"
#include "tractor-virtual.h"

#define MSEC G_GINT64_CONSTANT (1000)
#define HOUR (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)

/* --- the virtual clock ---------------------------------------------------------------------------- */

static gboolean
sleep_an_hour (gpointer data, GError **error)
{
  gint64 started = tractor_now ();

  if (!tractor_sleep_until (started + HOUR, error))
    return FALSE;
  *(gint64 *) data = tractor_now () - started;
  return TRUE;
}

static void
test_jumps_exactly (void)
{
  gint64 started = g_get_monotonic_time ();
  gint64 slept = 0;

  g_assert_true (tractor_virtual_run (sleep_an_hour, &slept, NULL));
  g_assert_cmpint (slept, ==, HOUR);
  g_assert_cmpint (g_get_monotonic_time () - started, <, 10 * G_USEC_PER_SEC);
}

/* The clock is unlike the real one, so that mixing them is noticed. */
static gboolean
test_clock_is_another (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  gint64 difference = tractor_now () - g_get_monotonic_time ();

  if (harness_get_host ()->has_real_time)
    g_assert_cmpint (ABS (difference), <, G_USEC_PER_SEC);
  else
    g_assert_cmpint (ABS (difference), >, 24 * HOUR);
  return TRUE;
}

static gboolean
sleep_at_a_rate (gpointer data, GError **error)
{
  TractorVirtual *host = tractor_virtual_get_current ();
  gint64 real = g_get_monotonic_time ();
  gint64 slept = 0;

  (void) data;
  tractor_virtual_set_autojump_threshold (host, TRACTOR_NO_DEADLINE);
  tractor_virtual_set_rate (host, 100000); /* an hour in 36 ms */
  g_assert_true (sleep_an_hour (&slept, error));
  g_assert_cmpint (slept, >=, HOUR);
  g_assert_cmpint (g_get_monotonic_time () - real, >=, 36 * MSEC);

  tractor_virtual_set_rate (host, 0);
  real = tractor_now ();
  g_assert_cmpint (tractor_now (), ==, real); /* stands still again */
  tractor_virtual_set_autojump_threshold (host, 0);
  g_assert_true (sleep_an_hour (&slept, error));
  g_assert_cmpint (slept, ==, HOUR);

  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*rate >= 0*");
  tractor_virtual_set_rate (host, -1);
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*rate >= 0*");
  tractor_virtual_set_rate (host, NAN);
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*usec >= 0*");
  tractor_virtual_advance (host, -1);
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*get_current*");
  tractor_virtual_advance (host, 1); /* not from a task */
  g_test_assert_expected_messages ();
  return TRUE;
}

static void
test_rate (void)
{
  GError *error = NULL;

  g_assert_true (tractor_virtual_run (sleep_at_a_rate, NULL, &error));
  g_assert_no_error (error);
}

/* However fast it is, it stops at the end of time, and never goes back. */
static gboolean
sleep_at_no_rate_at_all (gpointer rate, GError **error)
{
  TractorVirtual *host = tractor_virtual_get_current ();
  gint64 started = tractor_now ();

  tractor_virtual_set_autojump_threshold (host, TRACTOR_NO_DEADLINE);
  tractor_virtual_set_rate (host, *(double *) rate);
  g_assert_true (tractor_sleep_until (started + HOUR, error));
  g_assert_cmpint (tractor_now (), >=, started + HOUR);
  g_assert_cmpint (tractor_now (), <, TRACTOR_NO_DEADLINE);
  return TRUE;
}

static void
test_extreme_rates (void)
{
  double rates[] = { 1e300, G_MAXDOUBLE, INFINITY };

  for (guint i = 0; i < G_N_ELEMENTS (rates); i++)
    g_assert_true (tractor_virtual_run (sleep_at_no_rate_at_all, &rates[i], NULL));
}

static void
test_advance_to_the_end (void)
{
  gint64 slept = 0;
  g_autoptr (TractorVirtual) host = tractor_virtual_new (sleep_an_hour, &slept, NULL);

  tractor_virtual_advance (host, G_MAXINT64);
  g_assert_true (tractor_virtual_is_done (host, NULL));
  g_assert_cmpint (slept, ==, HOUR);
}

static gboolean
test_extreme_cushions (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const gint64 long_ones[] = { G_MAXINT64, G_MAXINT64 - 1 };

  for (guint i = 0; i < G_N_ELEMENTS (long_ones); i++) {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + MSEC);

    g_assert_false (tractor_wait_all_tasks_blocked (long_ones[i], error));
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  return TRUE;
}

static gboolean
work_for_a_while (gpointer data, G_GNUC_UNUSED GError **error)
{
  gint64 until = g_get_monotonic_time () + 20 * MSEC;

  while (g_get_monotonic_time () < until)
    ;
  *(gboolean *) data = TRUE;
  return TRUE;
}

/* While a thread works, time does not jump if it is told to wait for it. */
static gboolean
work_with_threshold (gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;
  gboolean is_done = FALSE;

  tractor_virtual_set_autojump_threshold (tractor_virtual_get_current (), *(gint64 *) data);
  scope = tractor_cancel_scope_open (tractor_now () + HOUR);
  g_assert_true (
      tractor_to_thread (work_for_a_while, &is_done, NULL, TRACTOR_THREAD_WAIT, NULL, error));
  g_assert_true (is_done);
  *(gint64 *) data = tractor_cancel_scope_get_cancel_called (scope);
  return TRUE;
}

static void
test_threshold (void)
{
  gint64 wait = G_USEC_PER_SEC;
  gint64 jump = 0;

  g_assert_true (tractor_virtual_run (work_with_threshold, &wait, NULL));
  g_assert_false (wait);
  g_assert_true (tractor_virtual_run (work_with_threshold, &jump, NULL));
  g_assert_true (jump); /* the hour was over before the thread was */
}

typedef struct {
  gboolean was_blocked;
  gint64 cushion;
} Order;

static gboolean
wait_until_blocked (gpointer data, GError **error)
{
  Order *order = data;

  if (!tractor_wait_all_tasks_blocked (order->cushion, error))
    return FALSE;
  order->was_blocked = TRUE;
  return TRUE;
}

/* Whoever waits until all is quiet comes before the jump. */
static gboolean
sleep_and_wait_until_blocked (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Order *order = data;

  tractor_nursery_spawn (nursery, "watcher", wait_until_blocked, order, NULL, error);
  g_assert_true (tractor_sleep_until (tractor_now () + HOUR, error));
  g_assert_true (order->was_blocked);
  return tractor_nursery_join (nursery, error);
}

static void
test_blocked_before_jump (void)
{
  Order at_once = { FALSE, 0 };
  Order later = { FALSE, 10 * MSEC };

  g_assert_true (tractor_virtual_run (sleep_and_wait_until_blocked, &at_once, NULL));
  g_assert_true (tractor_virtual_run (sleep_and_wait_until_blocked, &later, NULL));
}

typedef struct {
  gint64 woke_at[2];
  guint n;
} Sleepers;

static gboolean
note_when_slept (gpointer data, GError **error)
{
  Sleepers *sleepers = data;
  guint mine = sleepers->n++;

  if (!tractor_sleep_until (tractor_now () + (mine + 1) * MSEC, error))
    return FALSE;
  sleepers->woke_at[mine] = tractor_now ();
  return TRUE;
}

static gboolean
sleep_while_one_settles (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  static Order order = { FALSE, G_USEC_PER_SEC };

  tractor_nursery_spawn (nursery, "one", note_when_slept, data, NULL, error);
  tractor_nursery_spawn (nursery, "other", note_when_slept, data, NULL, error);
  tractor_nursery_spawn (nursery, "settler", wait_until_blocked, &order, NULL, error);
  g_assert_true (tractor_sleep_until (tractor_now () + 3 * MSEC, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error);
}

/* By hand the clock goes to each deadline, also while somebody waits for quiet. */
static void
test_advance_while_settling (void)
{
  Sleepers sleepers = { { 0 }, 0 };
  g_autoptr (TractorVirtual) host = tractor_virtual_new (sleep_while_one_settles, &sleepers, NULL);

  tractor_virtual_advance (host, G_USEC_PER_SEC);
  g_assert_true (tractor_virtual_is_done (host, NULL));
  g_assert_cmpint (sleepers.woke_at[1] - sleepers.woke_at[0], ==, MSEC);
}

/* --- many, huge and past deadlines ------------------------------------------------------------------ */

static gboolean
sleep_until_common (gpointer data, GError **error)
{
  return tractor_sleep_until (*(gint64 *) data, error);
}

static gboolean
test_equal_deadlines (G_GNUC_UNUSED gpointer data, GError **error)
{
  const guint n = harness_get_slowness () > 1 ? 5000 : 100000;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gint64 deadline = tractor_now () + 100 * MSEC;
  gint64 started;

  tractor_guest_set_stack_size (tractor_guest_get_current (), 1);
  for (guint i = 0; i < n; i++)
    if (!tractor_nursery_spawn (nursery, "sleeper", sleep_until_common, &deadline, NULL, error))
      return FALSE;
  started = harness_get_cpu_usec ();
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (harness_get_cpu_usec () - started, <, 10 * G_USEC_PER_SEC);
  return tractor_sleep_until (tractor_now () + MSEC,
                              error); /* the stacks go at the end of a tick */
}

static gboolean
test_extreme_deadlines (G_GNUC_UNUSED gpointer data, GError **error)
{
  const gint64 past[] = { G_MININT64, -1, 0, 1 };
  const gint64 future[] = { G_MAXINT64 - 1, G_MAXINT64 / 2, tractor_now () + 24 * 400 * HOUR };

  for (guint i = 0; i < G_N_ELEMENTS (past); i++)
    g_assert_true (tractor_sleep_until (past[i], error));
  for (guint i = 0; harness_get_host ()->has_real_time && i < G_N_ELEMENTS (future); i++) {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + 2 * MSEC);
    GError *failure = NULL;

    g_assert_false (tractor_sleep_until (future[i], &failure));
    g_assert_true (tractor_cancel_scope_absorb (scope, &failure));
  }
  return TRUE;
}

/* --- a clock that stands still ------------------------------------------------------------------------ */

static gint64 stood_usec;

static gint64
get_stood (void)
{
  return stood_usec;
}

/* Its deadline is still to come: on a machine that stood still meanwhile, there is another one, with twice the time. */
static TractorCancelScope *
open_with_standstill (gint64 *ret_deadline)
{
  for (gint64 msec = 5;; msec *= 2) {
    TractorCancelScope *scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

    *ret_deadline = tractor_now () + msec * MSEC;
    tractor_cancel_scope_set_standstill (scope, get_stood);
    tractor_cancel_scope_set_deadline (scope, *ret_deadline);
    if (tractor_now () < *ret_deadline)
      return scope;
    tractor_cancel_scope_close (scope);
  }
}

/* The deadline comes as much later as its clock has stood still, and is not taken for one that has passed until then. */
static gboolean
test_standstill (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;
  gint64 deadline;

  stood_usec = HOUR; /* what was before does not count */
  scope = open_with_standstill (&deadline);
  stood_usec += 400 * MSEC;
  g_assert_true (tractor_sleep_until (deadline + 15 * MSEC,
                                      error)); /* longer than it, and not as long as both */
  g_assert_false (tractor_cancel_scope_get_cancel_called (scope));
  stood_usec += 30 * MSEC; /* and again */
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
  g_assert_cmpint (tractor_now (), >=, deadline + 430 * MSEC);
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  return TRUE;
}

/* Nor does it stay for good: who has been patient is so for as long as was left. */
static gboolean
test_standstill_ends (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_standstill (scope, get_stood);
  tractor_cancel_scope_set_deadline (scope, tractor_now () + MSEC);
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_true (tractor_cancel_scope_get_cancel_called (scope));
  return TRUE;
}

/* --- scopes that are asked --------------------------------------------------------------------------- */

static gboolean
test_effective_deadline (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  gint64 now = tractor_now ();
  g_autoptr (TractorCancelScope) outer = NULL;
  g_autoptr (TractorCancelScope) middle = NULL;
  g_autoptr (TractorCancelScope) inner = NULL;

  g_assert_cmpint (tractor_current_effective_deadline (), ==, TRACTOR_NO_DEADLINE);
  outer = tractor_cancel_scope_open (now + HOUR);
  middle = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_assert_cmpint (tractor_current_effective_deadline (), ==, now + HOUR);
  inner = tractor_cancel_scope_open (now + 2 * HOUR);
  g_assert_cmpint (tractor_current_effective_deadline (), ==, now + HOUR);
  tractor_cancel_scope_set_shield (middle, TRUE);
  g_assert_cmpint (tractor_current_effective_deadline (), ==, now + 2 * HOUR);
  tractor_cancel_scope_cancel (outer, NULL);
  g_assert_cmpint (tractor_current_effective_deadline (), ==, now + 2 * HOUR);
  tractor_cancel_scope_set_shield (middle, FALSE);
  g_assert_cmpint (tractor_current_effective_deadline (), ==, G_MININT64);
  return TRUE;
}

static gboolean
test_absorb_or_fail (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorCancelScope) late = tractor_cancel_scope_open (tractor_now () + MSEC);
  g_autoptr (TractorCancelScope) fast = NULL;
  g_autoptr (TractorCancelScope) failing = NULL;
  GError *error = NULL;

  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, &error));
  g_assert_false (tractor_cancel_scope_absorb_or_fail (late, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TOO_SLOW);

  fast = tractor_cancel_scope_open (tractor_now () + HOUR);
  g_assert_true (tractor_checkpoint (&error));
  g_assert_true (tractor_cancel_scope_absorb_or_fail (fast, &error));

  failing = tractor_cancel_scope_open (tractor_now ());
  g_set_error_literal (&error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "none");
  g_assert_false (tractor_cancel_scope_absorb_or_fail (failing, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT); /* that says more */
  return TRUE;
}

static void
assert_source (TractorCancelScope *scope, TractorCancelSource source, const char *reason)
{
  const char *found;

  g_assert_cmpint (tractor_cancel_scope_get_source (scope, &found), ==, source);
  g_assert_cmpstr (found, ==, reason);
}

static gboolean
fail_at_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "none");
  return FALSE;
}

static gboolean
test_sources (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) explicit = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorCancelScope) inner = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorCancelScope) timed = NULL;
  g_autoptr (TractorNursery) nursery = NULL;

  assert_source (explicit, TRACTOR_CANCEL_NONE, NULL);
  tractor_cancel_scope_cancel (explicit, "enough");
  assert_source (explicit, TRACTOR_CANCEL_EXPLICIT, "enough");
  assert_source (inner, TRACTOR_CANCEL_EXPLICIT, "enough"); /* inherited */
  tractor_cancel_scope_set_shield (inner, TRUE);
  assert_source (inner, TRACTOR_CANCEL_NONE, NULL);

  timed = tractor_cancel_scope_open (tractor_now ());
  assert_source (timed, TRACTOR_CANCEL_DEADLINE, "deadline");
  tractor_cancel_scope_cancel (timed, "too late to say so");
  assert_source (timed, TRACTOR_CANCEL_DEADLINE, "deadline");
  g_assert_true (tractor_cancel_scope_absorb (timed, error));

  nursery = tractor_nursery_open ();
  tractor_nursery_spawn (nursery, "child", fail_at_once, NULL, NULL, NULL);
  g_assert_false (tractor_nursery_join (nursery, error));
  assert_source (tractor_nursery_get_scope (nursery), TRACTOR_CANCEL_NURSERY, "child failed");
  g_clear_error (error);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/guest/time/A82-jumps-exactly", test_jumps_exactly);
  harness_add_task ("/guest/time/A80-clock-is-another", test_clock_is_another);
  harness_add ("/guest/time/A81-rate", test_rate);
  harness_add ("/guest/time/extreme-rates", test_extreme_rates);
  harness_add ("/guest/time/advance-to-the-end", test_advance_to_the_end);
  harness_add_real_task ("/guest/time/extreme-cushions", test_extreme_cushions);
  harness_add ("/guest/time/A82-threshold", test_threshold);
  harness_add ("/guest/time/A83-blocked-before-jump", test_blocked_before_jump);
  harness_add ("/guest/time/A81-A83-advance-while-settling", test_advance_while_settling);
  harness_add_task ("/guest/time/B52-equal-deadlines", test_equal_deadlines);
  harness_add_task ("/guest/time/A65-B52-extreme-deadlines", test_extreme_deadlines);
  harness_add_task ("/guest/scope/A63-effective-deadline", test_effective_deadline);
  harness_add_task ("/guest/scope/A49-absorb-or-fail", test_absorb_or_fail);
  harness_add_task ("/guest/scope/A43-sources", test_sources);
  harness_add_task ("/guest/time/standstill-puts-a-deadline-off", test_standstill);
  harness_add_task ("/guest/time/standstill-ends", test_standstill_ends);
  return harness_run ();
}
