/* proxy.h - a terminal for a program, and one for the debugger, in place of ours. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Runs @argv so until its end; the environment tells the broker of debug mode of its terminal. Without a terminal of ours
 * it becomes the program.
 * Returns: its status as wait() has it; or -1 with @error set: *@ret_errno says why it could not be started, if it was
 * that. */
int proxy_run (char *const *argv, int *ret_errno, GError **error);
