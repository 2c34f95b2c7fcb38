/* virtual.c - a host for tests: cranked by hand, with a clock that only moves when told.
 *
 * A tick is due while the guest asked for one or its poller has something, which is found out by
 * polling the guest's descriptor without waiting. So a turn ends exactly when every task waits. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-virtual.h"

#include <poll.h>

struct _TractorVirtual {
  TractorGuest *guest;
  gint64 now;
  gboolean is_scheduled;
  gboolean is_done;
  GError *error;
};

/* Not zero, and unlike the real clock, so that mixing the two is noticed. */
#define START_USEC (G_GINT64_CONSTANT (1) << 50)

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

  return host->now;
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

  host->now = START_USEC;
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

static gboolean
poll_guest (TractorVirtual *host, int timeout_msec)
{
  struct pollfd pollfd = { .fd = tractor_guest_get_fd (host->guest), .events = POLLIN };

  return poll (&pollfd, 1, timeout_msec) > 0;
}

void
tractor_virtual_turn (TractorVirtual *host)
{
  g_return_if_fail (host != NULL);

  while (!host->is_done && (host->is_scheduled || poll_guest (host, 0))) {
    host->is_scheduled = FALSE;
    tractor_guest_tick (host->guest);
  }
}

static void
jump (TractorVirtual *host, gint64 to)
{
  host->now = MAX (host->now, to);
  host->is_scheduled = TRUE;
  tractor_virtual_turn (host);
}

void
tractor_virtual_advance (TractorVirtual *host, gint64 usec)
{
  gint64 end;
  gint64 next;

  g_return_if_fail (host != NULL && usec >= 0);

  end = host->now + usec;
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

gboolean
tractor_virtual_run (TractorTaskFunc main, gpointer data, GError **error)
{
  g_autoptr (TractorVirtual) host = tractor_virtual_new (main, data, error);

  if (host == NULL)
    return FALSE;

  tractor_virtual_turn (host);
  while (!host->is_done) {
    gint64 next = tractor_guest_get_deadline (host->guest);

    if (next != TRACTOR_NO_DEADLINE)
      jump (host, next);
    else if (poll_guest (host, -1))
      tractor_virtual_turn (host);
  }

  if (host->error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&host->error));
  return FALSE;
}
