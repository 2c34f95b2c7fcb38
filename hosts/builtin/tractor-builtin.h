/* tractor-builtin.h - the host of a program that has no loop of its own. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

/**
 * tractor_run:
 * @main: the main task
 *
 * Runs @main and all that it starts, and returns when the last of it has ended.
 *
 * Returns: TRUE; or FALSE with @error set to what @main failed with, to MISUSE inside a task, or
 *   to a G_FILE_ERROR if the kernel has no descriptor to spare.
 * Suspends: no, it blocks the thread. Thread: any; several may run at the same time.
 */
TRACTOR_API gboolean tractor_run (TractorTaskFunc main, gpointer data, GError **error);

G_END_DECLS
