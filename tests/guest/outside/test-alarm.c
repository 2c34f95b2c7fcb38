/* test-alarm.c - functions that are called at a time. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"

typedef struct {
  TractorAlarm *alarm;
  TractorEvent *event;
  guint n_calls;
  guint n_again;
  gint64 called_at;
} Rung;

static void
ring (gpointer data)
{
  Rung *rung = data;

  g_assert_false (tractor_in_task ());
  rung->n_calls++;
  rung->called_at = tractor_now ();
  if (rung->n_again > 0) {
    rung->n_again--;
    tractor_alarm_set (rung->alarm, tractor_now () + 1000);
  } else {
    tractor_event_set (rung->event);
  }
}

static gboolean
test_is_called (G_GNUC_UNUSED gpointer data, GError **error)
{
  Rung rung = { .event = tractor_event_new (), .n_again = 2 };
  gint64 when = tractor_now () + 5000;

  rung.alarm = tractor_alarm_new (ring, &rung);
  tractor_alarm_set (rung.alarm, TRACTOR_NO_DEADLINE - 1);
  tractor_alarm_set (rung.alarm, when); /* in the place of that */
  g_assert_true (tractor_event_wait (rung.event, error));
  g_assert_cmpuint (rung.n_calls, ==, 3);
  g_assert_cmpint (rung.called_at, >=, when + 2000);
  tractor_alarm_free (rung.alarm);
  tractor_event_free (rung.event);
  return TRUE;
}

static gboolean
test_is_not_called (G_GNUC_UNUSED gpointer data, GError **error)
{
  Rung rung = { .event = tractor_event_new () };
  gint64 when = tractor_now () + 1000;

  rung.alarm = tractor_alarm_new (ring, &rung);
  tractor_alarm_set (rung.alarm, when);
  tractor_alarm_set (rung.alarm, TRACTOR_NO_DEADLINE);
  g_assert_true (tractor_sleep_until (when + 1000, error));
  tractor_alarm_set (rung.alarm, when);
  tractor_alarm_free (rung.alarm);
  g_assert_true (tractor_sleep_until (when + 2000, error));
  g_assert_cmpuint (rung.n_calls, ==, 0);
  tractor_event_free (rung.event);
  return TRUE;
}

static void
ring_and_free (gpointer data)
{
  Rung *rung = data;

  g_clear_pointer (&rung->alarm, tractor_alarm_free);
  tractor_event_set (rung->event);
}

static gboolean
test_frees_itself (G_GNUC_UNUSED gpointer data, GError **error)
{
  Rung rung = { .event = tractor_event_new () };

  rung.alarm = tractor_alarm_new (ring_and_free, &rung);
  tractor_alarm_set (rung.alarm, tractor_now ());
  g_assert_true (tractor_event_wait (rung.event, error));
  g_assert_null (rung.alarm);
  tractor_event_free (rung.event);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);

  harness_add_task ("/alarm/is-called", test_is_called);
  harness_add_task ("/alarm/is-not-called", test_is_not_called);
  harness_add_task ("/alarm/frees-itself", test_frees_itself);
  return harness_run ();
}
