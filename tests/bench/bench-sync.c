/* bench-sync.c - what it costs to hand over a value, to open a scope, and to cancel. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <uv.h>

#include "bench.h"
#include "floor.h"
#include "tractor-channel.h"

/* --- a channel ------------------------------------------------------------------------------------ */

#define N_ROUND_TRIPS bench_n (500000)

typedef struct {
  TractorSender *sender;
  TractorReceiver *receiver;
} End;

static gboolean
answer (gpointer data, GError **error)
{
  End *end = data;
  gpointer item;

  while (tractor_receiver_receive (end->receiver, &item, error))
    if (!tractor_sender_send (end->sender, item, error))
      return FALSE;
  return *error == NULL;
}

static gboolean
time_channel (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  End here;
  End there;
  gint64 started;
  gpointer item;

  tractor_channel_open (1, NULL, &here.sender, &there.receiver);
  tractor_channel_open (1, NULL, &there.sender, &here.receiver);
  tractor_nursery_spawn (nursery, "answerer", answer, &there, NULL, error);
  started = bench_now_nsec ();
  for (guint i = 0; i < N_ROUND_TRIPS; i++)
    if (!tractor_sender_send (here.sender, data, error) ||
        !tractor_receiver_receive (here.receiver, &item, error))
      return FALSE;
  *(double *) data = (double) (bench_now_nsec () - started) / N_ROUND_TRIPS;
  tractor_sender_close (here.sender);
  if (!tractor_nursery_join (nursery, error))
    return FALSE;
  tractor_receiver_close (here.receiver);
  tractor_sender_close (there.sender);
  tractor_receiver_close (there.receiver);
  return TRUE;
}

static double
measure_channel (G_GNUC_UNUSED gconstpointer data)
{
  double nsec;

  bench_run ("builtin", time_channel, &nsec);
  return nsec;
}

static double
measure_channel_floor (G_GNUC_UNUSED gconstpointer data)
{
  return floor_channel_there_and_back (N_ROUND_TRIPS);
}

/* --- a scope with a deadline ------------------------------------------------------------------------ */

#define N_SCOPES bench_n (2000000)

static gboolean
time_scopes (gpointer data, G_GNUC_UNUSED GError **error)
{
  gint64 deadline = tractor_now () + G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC;
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < N_SCOPES; i++)
    tractor_cancel_scope_close (tractor_cancel_scope_open (deadline));
  *(double *) data = (double) (bench_now_nsec () - started) / N_SCOPES;
  return TRUE;
}

static double
measure_scopes (G_GNUC_UNUSED gconstpointer data)
{
  double nsec;

  bench_run ("builtin", time_scopes, &nsec);
  return nsec;
}

static void
on_timer (G_GNUC_UNUSED uv_timer_t *timer)
{
}

/* libuv's loop reads the clock once a turn, and a scope once it is opened; so does this. */
static double
measure_uv_timers (G_GNUC_UNUSED gconstpointer data)
{
  uv_loop_t loop;
  uv_timer_t timer;
  gint64 started;

  uv_loop_init (&loop);
  uv_timer_init (&loop, &timer);
  started = bench_now_nsec ();
  for (guint i = 0; i < N_SCOPES; i++) {
    uv_update_time (&loop);
    uv_timer_start (&timer, on_timer, 3600 * 1000, 0);
    uv_timer_stop (&timer);
  }
  started = bench_now_nsec () - started;
  uv_close ((uv_handle_t *) &timer, NULL);
  uv_run (&loop, UV_RUN_DEFAULT);
  uv_loop_close (&loop);
  return (double) started / N_SCOPES;
}

/* --- a cancel ---------------------------------------------------------------------------------------- */

#define N_SLEEPERS 1000
#define N_CANCELS  200

static gboolean
sleep_an_hour (gpointer data, G_GNUC_UNUSED GError **error)
{
  /* Asks for no error: the bare CANCELLED, which costs no allocation. */
  tractor_sleep_until (*(gint64 *) data, NULL);
  return TRUE;
}

static gboolean
time_cancels (gpointer data, GError **error)
{
  gint64 deadline = tractor_now () + G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC;
  gint64 nsec = 0;

  for (guint i = 0; i < N_CANCELS; i++) {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    for (guint j = 0; j < N_SLEEPERS; j++)
      if (!tractor_nursery_spawn (nursery, "sleeper", sleep_an_hour, &deadline, NULL, error))
        return FALSE;
    if (!tractor_wait_all_tasks_blocked (0, error))
      return FALSE;
    nsec -= bench_now_nsec ();
    tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
    if (!tractor_nursery_join (nursery, error))
      return FALSE;
    nsec += bench_now_nsec ();
  }
  *(double *) data = (double) nsec / N_CANCELS / N_SLEEPERS;
  return TRUE;
}

static double
measure_cancels (G_GNUC_UNUSED gconstpointer data)
{
  double nsec;

  bench_run ("builtin", time_cancels, &nsec);
  return nsec;
}

static double
measure_switch (G_GNUC_UNUSED gconstpointer data)
{
  return floor_switch_there_and_back (2000000);
}

const BenchRow bench_sync_rows[] = {
  { "channel, there and back", BENCH_NSEC, "slot, ring and switch", 3, TRUE, 11, measure_channel,
    measure_channel_floor, NULL },
  { "deadline scope, entered and left", BENCH_NSEC, "libuv: clock, timer", 1.5, TRUE, 11,
    measure_scopes, measure_uv_timers, NULL },
  { "cancel of 1,000 sleepers, each", BENCH_NSEC, "switch there and back", 16, TRUE, 11,
    measure_cancels, measure_switch, NULL },
  { NULL },
};
