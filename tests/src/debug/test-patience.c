/* test-patience.c - the clock of every wait on another actor, which stands still while a debugger holds one of the tree. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "patience.h"

#include "harness.h"
#include "tractor-virtual.h"

#define SECOND G_USEC_PER_SEC
#define HOUR   (G_GINT64_CONSTANT (3600) * SECOND)

/* What the broker writes. */
static DebugPage page;

static void
hold (void)
{
  page.held_since = tractor_now ();
  page.is_held = 1;
}

static void
let_go (void)
{
  page.held_usec += tractor_now () - page.held_since;
  page.is_held = 0;
}

static void
begin (void)
{
  page = (DebugPage){ .version = DEBUG_VERSION };
  tractor__patience_go_by (&page);
}

/* It runs out when it has been waited for so long while nobody was held, and not before, however long somebody is. */
static gboolean
test_stands_still (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;
  gint64 began = tractor_now ();

  begin ();
  scope = tractor__patience_open (3 * SECOND);
  g_assert_true (tractor_sleep_until (began + SECOND, error));
  hold ();
  g_assert_true (tractor_sleep_until (began + SECOND + HOUR, error));
  g_assert_false (tractor_cancel_scope_get_cancel_called (scope));
  let_go ();
  g_assert_cmpint (tractor__patience_get_held_usec (), ==, HOUR);
  g_assert_true (tractor_sleep_until (began + HOUR + 5 * SECOND / 2,
                                      error)); /* of two seconds that are left */
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_cmpint (tractor_now () - began, >=, HOUR + 3 * SECOND);
  g_assert_cmpint (tractor_now () - began, <, HOUR + 3 * SECOND + SECOND / 10);
  tractor__patience_go_by (NULL);
  return TRUE;
}

/* One that begins while somebody is held has all of its time left. */
static gboolean
test_begins_while_held (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;
  gint64 began;

  begin ();
  hold ();
  g_assert_true (tractor_sleep_until (tractor_now () + HOUR, error));
  scope = tractor__patience_open (SECOND);
  g_assert_true (tractor_sleep_until (tractor_now () + HOUR, error));
  let_go ();
  began = tractor_now ();
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_cmpint (tractor_now () - began, >=, SECOND - SECOND / 10);
  g_assert_cmpint (tractor_now () - began, <, SECOND + SECOND / 10);
  tractor__patience_go_by (NULL);
  return TRUE;
}

/* The second of two steps of a kill has not come nearer by what the first has stood still. */
static gboolean
test_deadlines_of_that_clock (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 kill_at;
  gint64 began;

  begin ();
  kill_at = tractor__patience_now () + 2 * SECOND;
  hold ();
  g_assert_true (tractor_sleep_until (tractor_now () + HOUR, error));
  let_go ();
  began = tractor_now ();
  {
    g_autoptr (TractorCancelScope) scope = tractor__patience_open_until (kill_at);

    g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  g_assert_cmpint (tractor_now () - began, ==, 2 * SECOND);
  tractor__patience_go_by (NULL);
  return TRUE;
}

/* Without debug mode it is the usual clock. */
static gboolean
test_without_a_page (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 began = tractor_now ();
  g_autoptr (TractorCancelScope) scope = tractor__patience_open (SECOND);

  g_assert_cmpint (tractor__patience_now (), ==, began);
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_cmpint (tractor_now () - began, ==, SECOND);
  return TRUE;
}

static void
run_stands_still (void)
{
  g_assert_true (tractor_virtual_run (test_stands_still, NULL, NULL));
}

static void
run_begins_while_held (void)
{
  g_assert_true (tractor_virtual_run (test_begins_while_held, NULL, NULL));
}

static void
run_deadlines_of_that_clock (void)
{
  g_assert_true (tractor_virtual_run (test_deadlines_of_that_clock, NULL, NULL));
}

static void
run_without_a_page (void)
{
  g_assert_true (tractor_virtual_run (test_without_a_page, NULL, NULL));
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/src/patience/G-03-an-hour-counts-as-nothing", run_stands_still);
  harness_add ("/src/patience/G-03-begins-while-held", run_begins_while_held);
  harness_add ("/src/patience/G-03-second-step-is-as-long", run_deadlines_of_that_clock);
  harness_add ("/src/patience/usual-clock-without-debug-mode", run_without_a_page);
  return harness_run ();
}
