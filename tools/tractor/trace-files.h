/* trace-files.h - files that actors have left what they noted in, and the one that is made of them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* In the environment of a program: the directory where its actors are to leave them. */
#define TRACE_VARIABLE "TRACTOR_TRACE"

/* @output: beside what. Returns: (transfer full): NULL with @error set. */
char *trace_files_make_directory (const char *output, GError **error);
/* With all that is in it. */
void trace_files_remove (const char *directory);
/* @paths: files, or directories of them. Returns: (transfer full) (element-type Ring): NULL with @error set. */
GPtrArray *trace_files_read (const char *const *paths, GError **error);
/* @rings: (element-type Ring). Returns: FALSE with @error set. */
gboolean trace_files_write (const char *path, const GPtrArray *rings, GError **error);
