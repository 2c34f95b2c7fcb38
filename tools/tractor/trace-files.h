/* trace-files.h - files that actors have left what they noted in, and the one that is made of them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* In the environment of a program: the directory where its actors are to leave them. */
#define TRACE_VARIABLE "TRACTOR_TRACE"

/* @paths: files, or directories of them. What is none is told of on stderr.
 * Returns: (transfer full) (element-type Ring): NULL with @error set. */
GPtrArray *trace_files_read (const char *const *paths, GError **error);
/* @rings: (element-type Ring). Returns: FALSE with @error set. */
gboolean trace_files_write (const char *path, const GPtrArray *rings, GError **error);

/* --- of a program --------------------------------------------------------------------------------- */

typedef struct _TraceFolder TraceFolder;

/* Where its actors are to leave them: where the user has said, or beside @output. Returns: (transfer full): NULL with @error
 * set. */
TraceFolder *trace_folder_open (const char *output, GError **error);
/* For TRACE_VARIABLE. */
const char *trace_folder_get_path (const TraceFolder *folder);
/* What was left there meanwhile. Returns: FALSE with @error set: then it is kept. */
gboolean trace_folder_write (TraceFolder *folder, const char *output, GError **error);
/* @folder: (transfer full). Says so if something is still in it that is not the user's. */
void trace_folder_close (TraceFolder *folder);
