/* watchdog.h - noticing a task that does not let go of the thread. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "tractor-debug.h"

typedef struct _Watchdog Watchdog;

/* @watchdog: (nullable). Returns: whether another step is under way, of a task that runs a nested
 * loop of the host; to be passed on. */
G_GNUC_INTERNAL gboolean tractor__watchdog_step_begins (Watchdog *watchdog);
G_GNUC_INTERNAL void tractor__watchdog_step_ended (Watchdog *watchdog, gboolean is_nested);
G_GNUC_INTERNAL void tractor__watchdog_free (Watchdog *watchdog, gboolean is_forked);
