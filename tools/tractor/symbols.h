/* symbols.h - the symbols of a program or a library, read from its file. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Where a process that has the library says how its tasks are found (tractor-debug-layout.h). */
#define LAYOUT_SYMBOL "tractor_debug_1"

typedef struct _Symbols Symbols;

/* Returns: (transfer full) (nullable): NULL if it cannot be read, or is no such file of this machine. */
Symbols *symbols_open (const char *path);
void symbols_free (Symbols *symbols);
/* The inode of the file that was opened. */
guint64 symbols_get_inode (const Symbols *symbols);
/* @ret_address: as the file has it; symbols_get_bias() is to be added. Returns: whether it has @name. */
gboolean symbols_lookup (Symbols *symbols, const char *name, guint64 *ret_address);
/* (transfer none) (nullable): the function that @address, as the file has it, is in. */
const char *symbols_find_function (Symbols *symbols, guint64 address, guint64 *ret_start);
/* What is added to the addresses of the file where its lowest part is mapped at @start. */
guint64 symbols_get_bias (const Symbols *symbols, guint64 start);
