/* floor.h - the least that could do the work of a row: what our figures are divided by. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Each returns nanoseconds for one operation. Negative: this machine has no floor for it. */
double floor_switch_there_and_back (guint n);
double floor_yield (guint n_tasks, guint n_rounds);
/* Two tasks whose code is not the same. */
double floor_yield_unlike (guint n_rounds);
double floor_spawn_and_join (guint n);
double floor_channel_there_and_back (guint n);
