/* gdb.h - gdb, with the commands for tasks. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Becomes it. @arguments: (array zero-terminated=1): what it is to look at. Returns: only if that fails, with a
 * G_FILE_ERROR. */
void gdb_become (const char *const *arguments, GError **error);
