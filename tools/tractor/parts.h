/* parts.h - where the files are that belong to the command, of which it can do without any. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* (transfer full): the program of the debugger's broker, which lends terminals, too; or where it should be. */
char *parts_dup_debugger (void);
/* (transfer full) (nullable): gdb's commands for tasks. */
char *parts_dup_gdb_script (void);
/* (transfer full) (nullable): the library that notes where errors are made. */
char *parts_dup_origins (void);
