/* tractor-builtin.h - the host of a program that has no loop of its own. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-host.h"

G_BEGIN_DECLS

/**
 * tractor_run:
 * @main: the main task
 *
 * Runs @main and all that it starts, and returns when the last of it has ended.
 *
 * Returns: TRUE; or FALSE with @error set to what @main failed with, to MISUSE inside a task, or
 *   to a G_FILE_ERROR if the kernel has no descriptor to spare.
 * Suspends: no, it blocks the thread. Thread: any; several may run at the same time.
 */
TRACTOR_API gboolean tractor_run (TractorTaskFunc main, gpointer data, GError **error);

/**
 * tractor_builtin_set_busy_poll:
 * @guest: tractor_guest_get_current() in a task of tractor_run()
 * @usec: 0, which it is at first: the thread sleeps as soon as there is nothing to do
 *
 * Has the loop look for something to do for up to @usec before it sleeps. What comes meanwhile, such
 * as the answer of a process on another core, is then served without a wakeup, which costs tens of
 * microseconds; and the processor is kept busy. It looks for less long, or not at all, where that
 * turns out to be in vain, where there is one processor only, or where others want this one.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_builtin_set_busy_poll (TractorGuest *guest, gint64 usec);

G_END_DECLS
