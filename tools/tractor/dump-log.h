/* dump-log.h - a file that dumps are added to, one after another, and said on stderr. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdio.h>

typedef struct _DumpLog DumpLog;

/* Waits for others to be done with it. Returns: (transfer full): NULL with a G_FILE_ERROR. */
DumpLog *dump_log_open (const char *path, GError **error);
/* (transfer none): what is added now. */
FILE *dump_log_get_file (DumpLog *log);
/* @log: (transfer full). Says on stderr, in one piece, what has been added. Returns: FALSE with a G_FILE_ERROR. */
gboolean dump_log_close (DumpLog *log, GError **error);
