/* tractor-glib.h - tasks on a GMainContext, so that GLib and GTK programs get actors.
 *
 * The program keeps its loop: attach a guest to it, and its tasks run in between the loop's own
 * sources, on the loop's thread. From a task to GIO and back there is tractor_glib_await(), from a
 * callback to a task and back tractor_glib_call_async(). */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

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
 * tractor_glib_attach_to_application:
 * @application: one that runs, such as a GtkApplication in its "activate"
 * @main: the main task
 * @done: (nullable): called when @main and all that it started have ended
 *
 * As tractor_glib_attach() on the default main context, for as long as the application lives. It is held
 * (g_application_hold()) until @main has ended. @main is cancelled when the last window of a GtkApplication
 * has been closed, and by g_application_quit(): g_application_run() returns only when all has ended, so no
 * process is left when main() returns. The widgets of that window are gone by then: what a task touches after a
 * wait it keeps by a reference, or by g_set_weak_pointer().
 *
 * If @main ends by itself, windows that are open keep the application running.
 *
 * Returns: (transfer none): the guest, until @done; or NULL with @error set as by tractor_guest_new(). Then
 *   @done is not called.
 * Suspends: no. Thread: the main one.
 */
TRACTOR_API TractorGuest *tractor_glib_attach_to_application (GApplication *application,
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

/* --- from a task to GIO --------------------------------------------------------------------------- */

/**
 * TractorGlibStart:
 * @cancellable: for the operation
 * @callback: to be called once, from the context that is the thread-default one now
 * @callback_data: for @callback
 *
 * Starts an operation of GIO, in the task. Must not suspend.
 */
typedef void (*TractorGlibStart) (GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer callback_data,
                                  gpointer data);

/**
 * tractor_glib_await:
 * @start: called at once, with the guest's GMainContext as the thread-default one
 *
 * Starts an operation and waits for its callback. A cancel of the task cancels @cancellable, and the
 * callback is waited for all the same: what it reports is returned, also if the operation was faster.
 * tractor-glib-waits.h has the common operations ready-made.
 *
 * Returns: (transfer full): for the operation's finish function; or NULL with @error set to CANCELLED,
 *   NESTED_HOST_LOOP, or MISUSE outside a task or on another host: then it has not been started.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API GAsyncResult *
tractor_glib_await (TractorGlibStart start, gpointer data, GError **error);

/**
 * tractor_glib_await_finish:
 * @is_ok: what the operation's finish function has returned
 * @error: (inout) (optional): what it was given
 *
 * To be called after the finish function, in the same task: a G_IO_ERROR_CANCELLED that comes of a cancel
 * of the task becomes TRACTOR_ERROR_CANCELLED, which scopes absorb. One of somebody else's stays.
 *
 * Returns: @is_ok.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_glib_await_finish (gboolean is_ok, GError **error);

/* --- from a callback to a task ---------------------------------------------------------------------- */

/**
 * TractorGlibFunc:
 * @error: never NULL
 *
 * Runs in a task. Returns: (transfer full) (nullable): the result; meaningless with *@error set.
 */
typedef gpointer (*TractorGlibFunc) (gpointer data, GError **error);

/**
 * tractor_glib_call_async:
 * @nursery: (transfer none): where the task lives
 * @func: what it runs
 * @data_free: (nullable): called once with @data: when @func has returned, or is not called
 * @result_free: (nullable): for a result that nobody fetches
 * @cancellable: (nullable): cancels a scope around @func; may be cancelled in any thread
 * @callback: (nullable): called once, whatever happens, from the context that is the thread-default one
 *   now; never on a task's stack, so it waits for the end of a loop that a task runs; and a loop in a task
 *   that waits for it waits for ever
 *
 * Runs a function as a task, for a program that lives in callbacks. @nursery is not left before
 * @callback has returned, and never fails because of @func: all failures go to @callback.
 *
 * Suspends: no. Thread: guest, in any task or in a callback of its host.
 */
TRACTOR_API void tractor_glib_call_async (TractorNursery *nursery,
                                          TractorGlibFunc func,
                                          gpointer data,
                                          GDestroyNotify data_free,
                                          GDestroyNotify result_free,
                                          GCancellable *cancellable,
                                          GAsyncReadyCallback callback,
                                          gpointer user_data);

/**
 * tractor_glib_call_finish:
 * @result: of tractor_glib_call_async()
 *
 * Returns: (transfer full) (nullable): what the function returned; or NULL with @error set to what it
 *   failed with; to G_IO_ERROR_CANCELLED if it was cancelled, by its GCancellable or with its nursery; or
 *   to CLOSED or LIMIT as by tractor_nursery_spawn().
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gpointer tractor_glib_call_finish (GAsyncResult *result, GError **error);

/**
 * tractor_glib_register_errors:
 *
 * Has TRACTOR_ERROR cross D-Bus: from now on a method of a GDBus service that fails with one is known by its caller, if
 * that has called this too, by domain and code. Its name there is "org.tractor.Error.TooSlow" for TOO_SLOW, and so on.
 * What an error has besides, such as the members of a GROUP, stays here.
 *
 * A guest on GLib's loop does this by itself, and so does TRACTOR_GLIB_ERROR. Twice is harmless.
 *
 * Suspends: no. Thread: any.
 */
TRACTOR_API void tractor_glib_register_errors (void);

G_END_DECLS
