/* patience.h - a clock for every wait on another actor, which stands still while a debugger holds one of the tree. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "debug-protocol.h"
#include "tractor-task.h"

/* Where it is said that somebody is held. @page: (nullable): nobody ever is. */
G_GNUC_INTERNAL void tractor__patience_go_by (const DebugPage *page);
/* For how long, in usec and all in all, somebody of the tree has been held. */
G_GNUC_INTERNAL gint64 tractor__patience_get_held_usec (void);
/* tractor_now() without that: what deadlines for others are reckoned by. */
G_GNUC_INTERNAL gint64 tractor__patience_now (void);
/* A scope whose deadline is @usec from now on that clock, or, the second, is @deadline. */
G_GNUC_INTERNAL TractorCancelScope *tractor__patience_open (gint64 usec);
G_GNUC_INTERNAL TractorCancelScope *tractor__patience_open_until (gint64 deadline);
/* Gives any scope such a deadline. */
G_GNUC_INTERNAL void tractor__patience_set (TractorCancelScope *scope, gint64 usec);
