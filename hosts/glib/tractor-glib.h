/* tractor-glib.h - tasks on a GMainContext, so that GLib and GTK programs get actors.
 *
 * The program keeps its loop: attach a guest to it, and its tasks run in between the loop's own
 * sources, on the loop's thread. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-host.h"

G_BEGIN_DECLS

/**
 * tractor_glib_attach:
 * @context: (nullable): NULL is the thread-default one
 * @main: the main task
 * @done: called in @context when @main and all that it started have ended
 *
 * Runs @main as a task on @context, which goes on to belong to the program: it is never run,
 * quit or blocked from here. The guest is freed by itself, after @done.
 *
 * Returns: (transfer none): the guest, for cancelling it; or NULL with @error set as by
 *   tractor_guest_new(). Then @done is not called.
 * Suspends: no. Thread: the one that runs @context.
 */
TRACTOR_API TractorGuest *tractor_glib_attach (GMainContext *context,
                                               TractorTaskFunc main,
                                               gpointer data,
                                               TractorDoneFunc done,
                                               gpointer done_data,
                                               GError **error);

/**
 * tractor_glib_set_priority:
 * @guest: from tractor_glib_attach()
 * @priority: of its source; G_PRIORITY_DEFAULT unless told
 *
 * Whatever the priority, after a tick that has used up its time all sources below have a turn; but
 * sources above come first, always. A toolkit redraws below the default priority.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_glib_set_priority (TractorGuest *guest, int priority);

/**
 * tractor_glib_run:
 * @main: the main task
 *
 * Runs @main on a main loop of its own, with a fresh GMainContext that is the thread-default one
 * meanwhile, so that GIO operations started by tasks report there.
 *
 * Returns: as tractor_run().
 * Suspends: no, it blocks the thread. Thread: any.
 */
TRACTOR_API gboolean tractor_glib_run (TractorTaskFunc main, gpointer data, GError **error);

G_END_DECLS
