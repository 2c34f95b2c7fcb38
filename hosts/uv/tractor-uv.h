/* tractor-uv.h - tasks on a uv_loop_t, so that libuv servers get actors.
 *
 * The program keeps its loop: attach a guest to it, and its tasks run in between the loop's own
 * callbacks, on the loop's thread. <uv.h> needs POSIX visibility: compile with -D_GNU_SOURCE or
 * -std=gnu11. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <uv.h>

#include "tractor-host.h"

G_BEGIN_DECLS

/**
 * tractor_uv_attach:
 * @loop: stays the program's: it is never run or stopped from here
 * @main: the main task
 * @done: called in @loop when @main and all that it started have ended and the guest's handles are
 *   closed, so that uv_loop_close() may follow
 *
 * Runs @main as a task on @loop. While it lives, uv_run() does not return by itself. The guest is
 * freed by itself, before @done.
 *
 * Returns: (transfer none): the guest, for cancelling it; or NULL with @error set as by
 *   tractor_guest_new(). Then @done is not called.
 * Suspends: no. Thread: the one that runs @loop.
 */
TRACTOR_API TractorGuest *tractor_uv_attach (uv_loop_t *loop,
                                             TractorTaskFunc main,
                                             gpointer data,
                                             TractorDoneFunc done,
                                             gpointer done_data,
                                             GError **error);

/**
 * tractor_uv_run:
 * @main: the main task
 *
 * Runs @main on a loop of its own.
 *
 * Returns: as tractor_run().
 * Suspends: no, it blocks the thread. Thread: any.
 */
TRACTOR_API gboolean tractor_uv_run (TractorTaskFunc main, gpointer data, GError **error);

G_END_DECLS
