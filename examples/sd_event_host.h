/* sd_event_host.h - tasks on systemd's sd_event loop. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>
#include <tractor-host.h>

/**
 * tractor_sd_event_attach:
 * @event: stays the program's: it is never run or exited from here
 * @done: called in @event when @main and all that it started have ended
 *
 * Runs @main as a task on @event. When the loop exits first, what is left is cancelled and seen to its
 * end. The guest is freed by itself, after @done.
 *
 * Returns: (transfer none): the guest; or NULL with @error set.
 */
TractorGuest *tractor_sd_event_attach (sd_event *event,
                                       TractorTaskFunc main,
                                       gpointer data,
                                       TractorDoneFunc done,
                                       gpointer done_data,
                                       GError **error);
