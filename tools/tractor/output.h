/* output.h - a file that a command writes, which nobody else may read. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdio.h>

typedef struct _Output Output;

/* @path: what is there stays until all is written. Returns: (transfer full): NULL with @error set. */
Output *output_open (const char *path, GError **error);
/* (transfer none) */
FILE *output_get_file (const Output *output);
/* @output: (transfer full): as if it had not been opened. */
void output_discard (Output *output);
/* Puts it where it belongs. @output: (transfer full). Returns: FALSE with @error set: what was there is as it was. */
gboolean output_close (Output *output, GError **error);
