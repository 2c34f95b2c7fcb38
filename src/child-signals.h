/* child-signals.h - what an actor that was spawned does about signals, and about the death of its parent. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* SIGTERM asks this actor to end, and SIGINT is its parent's affair. */
G_GNUC_INTERNAL void tractor__child_signals_install (void);
G_GNUC_INTERNAL void tractor__child_signals_forget (void);
/* So that no function of ours outlives the parent, whether it lets the loop go on or not. @parent_pid: as it says. */
G_GNUC_INTERNAL void tractor__child_signals_watch_parent (int link_fd, gint64 parent_pid);
/* Ends the process within PATIENCE_ORPHAN_USEC. Once: a second reason to end is no reason to have longer for
 * it. Async-signal-safe. */
G_GNUC_INTERNAL void tractor__child_signals_arm_last_resort (void);

/* Returns: readable when it has been asked to end by a signal. */
G_GNUC_INTERNAL int tractor__child_signals_get_term_fd (void);
/* Returns: a pidfd, or -1 if there is none. */
G_GNUC_INTERNAL int tractor__child_signals_get_parent_fd (void);
