/* virtual.c - a host for tests: cranked by hand, with a clock that only moves when told.
 *
 * The clock stands at some virtual time as of some real one, and goes on from there at a rate, which
 * is zero unless told. Whatever changes the rate or jumps sets both anew.
 *
 * A tick is due while the guest asked for one or its poller has something, which is found out by
 * polling the guest's descriptor without waiting. So a turn ends exactly when every task waits. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-virtual.h"

#include <poll.h>
#include <time.h>

struct _TractorVirtual {
  TractorGuest *guest;
  gint64 virtual_then; /* what the clock said */
  gint64 real_then;    /* at that time */
  double rate;
  gint64 autojump_threshold;
  gboolean is_scheduled;
  gboolean is_done;
  GError *error;
};

/* Not zero, and unlike the real clock, so that mixing the two is noticed. */
#define START_USEC (G_GINT64_CONSTANT (1) << 50)

/* Where the clock stops. */
#define END_USEC (TRACTOR_NO_DEADLINE - 1)

static void
schedule (gpointer data, G_GNUC_UNUSED gboolean yielded)
{
  TractorVirtual *host = data;

  host->is_scheduled = TRUE;
}

static gint64
now (gpointer data)
{
  TractorVirtual *host = data;

  double passed;

  if (host->rate == 0)
    return host->virtual_then;
  passed = (double) (g_get_monotonic_time () - host->real_then) * host->rate;
  return passed < (double) (END_USEC - host->virtual_then) ? host->virtual_then + (gint64) passed
                                                           : END_USEC;
}

static void
set_clock (TractorVirtual *host, gint64 to)
{
  host->virtual_then = to;
  host->real_then = g_get_monotonic_time ();
}

static const TractorHostOps ops = {
  .version = TRACTOR_HOST_VERSION,
  .schedule = schedule,
  .now = now,
};

static void
on_done (const GError *error, gpointer data)
{
  TractorVirtual *host = data;

  host->is_done = TRUE;
  host->error = error != NULL ? g_error_copy (error) : NULL;
}

TractorVirtual *
tractor_virtual_new (TractorTaskFunc main, gpointer data, GError **error)
{
  TractorVirtual *host = g_new0 (TractorVirtual, 1);

  set_clock (host, START_USEC);
  host->guest = tractor_guest_new (&ops, host, main, data, on_done, host, error);
  if (host->guest == NULL)
    g_clear_pointer (&host, g_free);
  return host;
}

TractorGuest *
tractor_virtual_get_guest (TractorVirtual *host)
{
  g_return_val_if_fail (host != NULL, NULL);

  return host->guest;
}

TractorVirtual *
tractor_virtual_get_current (void)
{
  TractorGuest *guest = tractor_guest_get_current ();

  return guest != NULL ? tractor_guest_get_host (guest, &ops) : NULL;
}

void
tractor_virtual_set_rate (TractorVirtual *host, double rate)
{
  g_return_if_fail (host != NULL && rate >= 0); /* a NaN is not */

  set_clock (host, now (host));
  host->rate =
      MIN (rate, G_MAXDOUBLE); /* of an infinite one nothing can be told at its first moment */
}

void
tractor_virtual_set_autojump_threshold (TractorVirtual *host, gint64 usec)
{
  g_return_if_fail (host != NULL && usec >= 0);

  host->autojump_threshold = usec;
}

/* Returns: above 0: there is something; 0: the time is over; below: a signal has come. */
static int
poll_guest (TractorVirtual *host, gint64 timeout_usec)
{
  struct pollfd pollfd = { .fd = tractor_guest_get_fd (host->guest), .events = POLLIN };
  struct timespec timeout = { .tv_sec = timeout_usec / G_USEC_PER_SEC,
                              .tv_nsec = timeout_usec % G_USEC_PER_SEC * 1000 };

  return ppoll (&pollfd, 1, timeout_usec == TRACTOR_NO_DEADLINE ? NULL : &timeout, NULL);
}

void
tractor_virtual_turn (TractorVirtual *host)
{
  g_return_if_fail (host != NULL);
  g_return_if_fail (tractor_guest_get_current () != host->guest); /* not from one of its tasks */

  while (!host->is_done && (host->is_scheduled || poll_guest (host, 0) > 0)) {
    host->is_scheduled = FALSE;
    tractor_guest_tick (host->guest);
  }
}

static void
jump (TractorVirtual *host, gint64 to)
{
  set_clock (host, MAX (now (host), to));
  host->is_scheduled = TRUE;
  tractor_virtual_turn (host);
}

void
tractor_virtual_advance (TractorVirtual *host, gint64 usec)
{
  gint64 end;
  gint64 next;

  g_return_if_fail (host != NULL && usec >= 0);
  g_return_if_fail (tractor_guest_get_current () != host->guest); /* not from one of its tasks */

  end = now (host);
  end = usec < END_USEC - end ? end + usec : END_USEC;
  tractor_virtual_turn (host);
  while (!host->is_done && (next = tractor_guest_get_deadline (host->guest)) <= end)
    jump (host, next);
  jump (host, end);
}

gboolean
tractor_virtual_is_done (TractorVirtual *host, const GError **ret_error)
{
  g_return_val_if_fail (host != NULL, FALSE);

  if (ret_error != NULL)
    *ret_error = host->error;
  return host->is_done;
}

void
tractor_virtual_free (TractorVirtual *host)
{
  if (host == NULL)
    return;

  tractor_guest_free (host->guest);
  g_clear_error (&host->error);
  g_free (host);
}

/* How long, in real time, until the clock says @next by itself. */
static gint64
real_time_until (TractorVirtual *host, gint64 next)
{
  double left = (double) (next - now (host)) / host->rate;

  return left < (double) G_GINT64_CONSTANT (1000000000000) ? MAX ((gint64) left + 1, 0)
                                                           : TRACTOR_NO_DEADLINE;
}

/* Everything waits: for something from outside, or until it is time to jump. */
static void
wait_or_jump (TractorVirtual *host)
{
  gint64 next = tractor_guest_get_deadline (host->guest);
  gint64 timeout = TRACTOR_NO_DEADLINE;
  int result;

  /* Whoever waits until all is quiet comes first, and is woken through the descriptor. */
  if (next != TRACTOR_NO_DEADLINE && !tractor_guest_is_settling (host->guest)) {
    timeout = host->autojump_threshold;
    if (host->rate > 0)
      timeout = MIN (timeout, real_time_until (host, next));
  }
  result = poll_guest (host, timeout);
  if (result > 0)
    tractor_virtual_turn (host);
  else if (result == 0)
    jump (host, next);
}

gboolean
tractor_virtual_run (TractorTaskFunc main, gpointer data, GError **error)
{
  g_autoptr (TractorVirtual) host = tractor_virtual_new (main, data, error);

  if (host == NULL)
    return FALSE;

  tractor_virtual_turn (host);
  while (!host->is_done)
    wait_or_jump (host);

  if (host->error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&host->error));
  return FALSE;
}
