/* tractor-sync.h - tasks that wait for one another. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

typedef struct _TractorEvent TractorEvent;

/**
 * tractor_event_new:
 *
 * Something that happens once. It cannot be cleared: a new happening is a new event.
 *
 * Returns: (transfer full): the event.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API TractorEvent *tractor_event_new (void);

/**
 * tractor_event_set:
 *
 * Wakes all that wait, and lets all that come later pass.
 *
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API void tractor_event_set (TractorEvent *event);

/**
 * tractor_event_is_set:
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_event_is_set (TractorEvent *event);

/**
 * tractor_event_wait:
 *
 * Waits until the event is set.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_checkpoint().
 * Suspends: yes, a checkpoint, also if the event is set. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_event_wait (TractorEvent *event, GError **error);

/**
 * tractor_event_free:
 * @event: (transfer full) (nullable): nobody may be waiting for it
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_event_free (TractorEvent *event);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorEvent, tractor_event_free)

G_END_DECLS
