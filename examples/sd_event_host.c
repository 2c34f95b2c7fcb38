/* sd_event_host.c - a host for a loop that tractor does not ship: systemd's sd_event.
 *
 * A host ticks its guest when the guest's descriptor is readable (an io source), and soon after the
 * guest asks for it (a timer that is due at once). docs/write-your-own-host.md walks through this. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sd_event_host.h"

#include <sys/epoll.h>

typedef struct {
  sd_event_source *io, *turn, *exit;
  TractorGuest *guest;
  TractorDoneFunc done;
  gpointer done_data;
} SdEventHost;

static int
on_turn (sd_event_source *source, uint64_t usec, void *host)
{
  (void) source, (void) usec;
  tractor_guest_tick (((SdEventHost *) host)->guest); /* the last one frees the host */
  return 0;
}

static int
on_readable (sd_event_source *source, int fd, uint32_t events, void *host)
{
  (void) fd, (void) events;
  return on_turn (source, 0, host);
}

static int
on_exit_of_loop (G_GNUC_UNUSED sd_event_source *source, void *host)
{
  gint64 give_up_at = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;
  g_autoptr (GError) error = NULL;

  if (!tractor_guest_shutdown (((SdEventHost *) host)->guest, give_up_at, &error))
    g_warning ("%s", error->message);
  return 0;
}

/* A defer source would starve timers of the same priority; among timers the oldest comes first. */
static void
schedule (gpointer host, G_GNUC_UNUSED gboolean yielded)
{
  sd_event_source_set_time_relative (((SdEventHost *) host)->turn, 0);
  sd_event_source_set_enabled (((SdEventHost *) host)->turn, SD_EVENT_ONESHOT);
}

static const TractorHostOps ops = { .version = TRACTOR_HOST_VERSION, .schedule = schedule };

static void
host_free (SdEventHost *host)
{
  sd_event_source_disable_unref (host->exit);
  sd_event_source_disable_unref (host->io);
  sd_event_source_disable_unref (host->turn);
  tractor_guest_free (host->guest);
  g_free (host);
}

static void
on_done (const GError *error, gpointer data)
{
  SdEventHost host = *(SdEventHost *) data;

  host_free (data); /* first: the program may start another from done() */
  host.done (error, host.done_data);
}

TractorGuest *
tractor_sd_event_attach (sd_event *event,
                         TractorTaskFunc main,
                         gpointer data,
                         TractorDoneFunc done,
                         gpointer done_data,
                         GError **error)
{
  SdEventHost *host = g_new0 (SdEventHost, 1);
  int result = sd_event_add_time (event, &host->turn, CLOCK_MONOTONIC, 0, 1, on_turn, host);

  host->done = done;
  host->done_data = done_data;
  if (result >= 0)
    result = sd_event_add_exit (event, &host->exit, on_exit_of_loop, host);
  if (result >= 0)
    host->guest = tractor_guest_new (&ops, host, main, data, on_done, host, error);
  if (host->guest != NULL)
    result = sd_event_add_io (event, &host->io, tractor_guest_get_fd (host->guest), EPOLLIN,
                              on_readable, host);
  if (result >= 0 && host->guest != NULL)
    return host->guest;
  if (result < 0)
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (-result), "sd_event failed");
  host_free (host);
  return NULL;
}
