/* builtin.c - the host of a program that has no loop of its own.
 *
 * There is nothing to poll but the guest, so it waits on the guest's own poller: one system call a
 * turn, and no second descriptor. A tick that asks for another makes the next wait return at once, so
 * schedule() has nothing to do.
 *
 * Busy polling looks without sleeping, for a window of time. A window in which nothing came is
 * halved; when little is left of it, a number of waits go without, and then it is tried again. If
 * the clock makes a leap between two looks, another process wanted the processor: then it gets it,
 * and the window is closed at once. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-builtin.h"

#include <sched.h>

/* A look takes a fraction of a microsecond. */
#define LEAP_USEC       50
#define MIN_WINDOW_USEC 4
#define MAX_PAUSE       1024

typedef struct {
  gint64 usec;   /* as asked for; 0: off */
  gint64 window; /* now */
  guint pause;   /* waits to go without */
  guint next_pause;
} BusyPoll;

typedef struct {
  gboolean is_done;
  GError *error;
  BusyPoll busy_poll;
} Run;

static void
schedule (G_GNUC_UNUSED gpointer host, G_GNUC_UNUSED gboolean yielded)
{
}

static const TractorHostOps ops = {
  .version = TRACTOR_HOST_VERSION,
  .schedule = schedule,
};

static void
on_done (const GError *error, gpointer data)
{
  Run *run = data;

  run->is_done = TRUE;
  run->error = error != NULL ? g_error_copy (error) : NULL;
}

/* --- busy polling -------------------------------------------------------------------------------- */

static gboolean
has_several_processors (void)
{
  cpu_set_t processors;

  return sched_getaffinity (0, sizeof processors, &processors) == 0 && CPU_COUNT (&processors) > 1;
}

void
tractor_builtin_set_busy_poll (TractorGuest *guest, gint64 usec)
{
  Run *run;

  g_return_if_fail (guest != NULL && usec >= 0);

  run = tractor_guest_get_host (guest, &ops);
  g_return_if_fail (run != NULL);
  run->busy_poll = (BusyPoll){ .next_pause = 1 };
  if (has_several_processors ())
    run->busy_poll.usec = run->busy_poll.window = usec;
}

static void
close_window (BusyPoll *busy)
{
  busy->window = busy->usec;
  busy->pause = busy->next_pause;
  busy->next_pause = MIN (busy->next_pause * 2, MAX_PAUSE);
}

/* Returns: whether something came. */
static gboolean
look_without_sleeping (TractorGuest *guest, BusyPoll *busy)
{
  gint64 started = g_get_monotonic_time ();
  gint64 before = started;

  if (busy->pause > 0) {
    busy->pause--;
    return FALSE;
  }
  for (;;) {
    gint64 now;

    if (tractor_guest_wait (guest, 0)) {
      busy->window = busy->usec;
      busy->next_pause = 1;
      return TRUE;
    }
    now = g_get_monotonic_time ();
    if (now - before > LEAP_USEC) {
      close_window (busy);
      return FALSE;
    }
    if (now - started >= busy->window)
      break;
    before = now;
  }
  busy->window /= 2;
  if (busy->window < MIN_WINDOW_USEC)
    close_window (busy);
  return FALSE;
}

/* --- the loop ------------------------------------------------------------------------------------- */

gboolean
tractor_run (TractorTaskFunc main, gpointer data, GError **error)
{
  Run run = { 0 };
  TractorGuest *guest = tractor_guest_new (&ops, &run, main, data, on_done, &run, error);

  if (guest == NULL)
    return FALSE;

  tractor_guest_tick (guest);
  while (!run.is_done) {
    if (run.busy_poll.usec == 0 || !look_without_sleeping (guest, &run.busy_poll))
      tractor_guest_wait (guest, TRACTOR_NO_DEADLINE);
    tractor_guest_tick (guest);
  }
  tractor_guest_free (guest);

  if (run.error == NULL)
    return TRUE;
  g_propagate_error (error, run.error);
  return FALSE;
}
