/* builtin.c - the host of a program that has no loop of its own.
 *
 * There is nothing to poll but the guest, so it waits on the guest's own poller: one system call a
 * turn, no second descriptor, no timer. A tick that asks for another makes the next wait return at
 * once, so schedule() has nothing to do. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-builtin.h"

#include "tractor-host.h"

typedef struct {
  gboolean is_done;
  GError *error;
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

gboolean
tractor_run (TractorTaskFunc main, gpointer data, GError **error)
{
  Run run = { 0 };
  TractorGuest *guest = tractor_guest_new (&ops, NULL, main, data, on_done, &run, error);

  if (guest == NULL)
    return FALSE;

  tractor_guest_tick (guest);
  while (!run.is_done) {
    tractor_guest_wait (guest, TRACTOR_NO_DEADLINE);
    tractor_guest_tick (guest);
  }
  tractor_guest_free (guest);

  if (run.error == NULL)
    return TRUE;
  g_propagate_error (error, run.error);
  return FALSE;
}
