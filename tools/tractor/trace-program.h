/* trace-program.h - a program whose actors are told where to leave what they note. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Runs it to its end. Returns: its status, as wait() has it; -1 with @error set if it could not be started, and
 * *@ret_errno says why. */
int trace_program_run (char **argv, const char *directory, int *ret_errno, GError **error);
