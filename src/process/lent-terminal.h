/* lent-terminal.h - the terminal of the tree, taken back from a debugger whose broker is no more. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

#include "debug-protocol.h"

/* The broker is no more, and its debugger ends with it: waits for that, and sees to whom it has left stopped. Before the terminal
 * is taken back. */
G_GNUC_INTERNAL void tractor__lent_terminal_end_debugger (DebugPage *page);
/* @loan: what the broker has left of it. Nothing is left of that then. Whoever has taken the terminal meanwhile keeps it. */
G_GNUC_INTERNAL void tractor__lent_terminal_take_back (DebugLoan *loan);
