/* tractor-foreign.h - objects that bring a descriptor and want to be dispatched.
 *
 * A connection to a display, a bus or a database, or a whole loop of another kind: what has a
 * descriptor to poll, perhaps a time to be served at, and a function that does what is due. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

/**
 * TractorForeignOps:
 *
 * How to serve one kind of object, in the order in which they are called.
 */
typedef struct {
  /* Returns: TRUE if dispatch() is due at once; else the object is ready to be polled, and *@ret_deadline
   * (in usec, TRACTOR_NO_DEADLINE before the call) may be set to when dispatch() is due at the latest. */
  gboolean (*prepare) (gpointer object, gint64 *ret_deadline);
  /* What to poll now. */
  int (*get_fd) (gpointer object);
  GIOCondition (*get_events) (gpointer object);
  /* (nullable): called once after each prepare() that returned FALSE, whatever the wait ended with,
   * before anything else is done: reads what is there, or takes back the intent to read.
   * @is_ready: the descriptor is */
  void (*check) (gpointer object, gboolean is_ready);
  /* Does what is due. Returns: TRUE; or FALSE with @error set. */
  gboolean (*dispatch) (gpointer object, GError **error);
} TractorForeignOps;

/**
 * tractor_dispatch_foreign:
 *
 * Serves @object once: waits in the calling task, while others go on, until something is due, and does
 * it. To be called in a loop.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_wait_fd(), or by dispatch().
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_dispatch_foreign (const TractorForeignOps *ops,
                                               gpointer object,
                                               GError **error);

G_END_DECLS
