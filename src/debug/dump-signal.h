/* dump-signal.h - SIGUSR1 has all tasks shown. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* From now on, unless somebody else handles that signal. This process has a broker (debug-lock.h). */
G_GNUC_INTERNAL void tractor__dump_signal_take (void);
/* It does again what it did before. */
G_GNUC_INTERNAL void tractor__dump_signal_give_back (void);
