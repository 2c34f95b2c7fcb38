/* broker.h - the process that has the debugger's lock and the terminal for a whole tree. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "runtime.h"

/* For @runtime, a root's whose services run: starts it if debug mode is wanted and it is not there yet; and has this run
 * end it. Returns: FALSE with MISUSE if what is asked for cannot be understood; or with a G_FILE_ERROR or
 * ACTOR_FAILURE if it cannot be had. */
G_GNUC_INTERNAL gboolean tractor__broker_provide (TractorRuntime *runtime,
                                                  TractorDebugMode mode,
                                                  GError **error);
/* The same for an actor, @id, below a Python root in debug mode, @root, which gives the turns; before there is a runtime.
 * To be ended by tractor__broker_end(). */
G_GNUC_INTERNAL gboolean tractor__broker_provide_below_python (const ActorId *id,
                                                               const Address *root,
                                                               GError **error);
/* @runtime: that of this actor, whose services run. Harmless if there is no broker of its own. */
G_GNUC_INTERNAL gboolean tractor__broker_watch (TractorRuntime *runtime, GError **error);
G_GNUC_INTERNAL void tractor__broker_end (void);
