/* tractor-virtual.h - a host for tests: cranked by hand, with a clock that only moves when told.
 *
 * Hours pass in microseconds, nothing depends on how fast the machine is, and with a seed the
 * order of tasks can be shuffled and replayed. Descriptors are real. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-host.h"

G_BEGIN_DECLS

typedef struct _TractorVirtual TractorVirtual;

/**
 * tractor_virtual_new:
 * @main: the main task
 *
 * Makes a host whose clock stands still. Nothing runs before the first turn.
 *
 * Returns: (transfer full): the host, or NULL with @error set as by tractor_guest_new().
 * Suspends: no. Thread: any, from then on the host's.
 */
TRACTOR_API TractorVirtual *
tractor_virtual_new (TractorTaskFunc main, gpointer data, GError **error);

/**
 * tractor_virtual_get_guest:
 *
 * Returns: (transfer none): what it hosts, for run_soon, cancel and shuffle.
 * Suspends: no. Thread: host.
 */
TRACTOR_API TractorGuest *tractor_virtual_get_guest (TractorVirtual *host);

/**
 * tractor_virtual_get_current:
 *
 * Returns: (transfer none) (nullable): the host of the running task, if it is a virtual one, such as
 *   in tractor_virtual_run().
 * Suspends: no. Thread: host, in a task or a callback during a turn.
 */
TRACTOR_API TractorVirtual *tractor_virtual_get_current (void);

/**
 * tractor_virtual_set_rate:
 * @rate: virtual seconds in a real one, not negative; 0, which it is at first: only when told
 *
 * Lets the clock go by itself.
 *
 * Suspends: no. Thread: host.
 */
TRACTOR_API void tractor_virtual_set_rate (TractorVirtual *host, double rate);

/**
 * tractor_virtual_set_autojump_threshold:
 * @usec: on the real clock: how long tractor_virtual_run() waits for something from outside, such as a
 *   thread or another process, before it jumps to the next deadline; 0, which it is at first: not at
 *   all; TRACTOR_NO_DEADLINE: it never jumps
 *
 * Suspends: no. Thread: host.
 */
TRACTOR_API void tractor_virtual_set_autojump_threshold (TractorVirtual *host, gint64 usec);

/**
 * tractor_virtual_turn:
 *
 * Ticks until every task waits for time to pass, for a descriptor, or for a call from outside.
 *
 * Suspends: no. Thread: host, outside any of its tasks.
 */
TRACTOR_API void tractor_virtual_turn (TractorVirtual *host);

/**
 * tractor_virtual_advance:
 * @usec: not negative
 *
 * Moves the clock to each deadline on the way, in order, with a turn at each, and then to the end.
 *
 * Suspends: no. Thread: host, outside any of its tasks.
 */
TRACTOR_API void tractor_virtual_advance (TractorVirtual *host, gint64 usec);

/**
 * tractor_virtual_is_done:
 * @ret_error: (out) (optional) (transfer none) (nullable): what the main task failed with
 *
 * Suspends: no. Thread: host.
 */
TRACTOR_API gboolean tractor_virtual_is_done (TractorVirtual *host, const GError **ret_error);

/**
 * tractor_virtual_free:
 * @host: (transfer full) (nullable)
 *
 * Suspends: no. Thread: host.
 */
TRACTOR_API void tractor_virtual_free (TractorVirtual *host);

/**
 * tractor_virtual_run:
 * @main: the main task
 *
 * Runs @main to its end. Whenever nothing is runnable and no descriptor is ready, the clock jumps
 * to the next deadline; without a deadline it waits for a descriptor or a call from outside. A task
 * changes that by tractor_virtual_set_autojump_threshold() and tractor_virtual_set_rate().
 *
 * Returns: as tractor_run().
 * Suspends: no, it blocks the thread. Thread: any.
 */
TRACTOR_API gboolean tractor_virtual_run (TractorTaskFunc main, gpointer data, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorVirtual, tractor_virtual_free)

G_END_DECLS
