/* memory.h - the memory of another process, and what its code is called. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct _Memory Memory;

/* Returns: (transfer full) (nullable): NULL if there is no such process, or it may not be looked at. */
Memory *memory_open (gint pid);
void memory_free (Memory *memory);
gint memory_get_pid (const Memory *memory);

/* --- what is in it --------------------------------------------------------------------------------- */

/* Returns: whether all of it was read. errno says why not: EPERM if it is not allowed. */
gboolean memory_read (Memory *memory, guint64 address, void *bytes, gsize length);
/* Returns: 0 if it cannot be read. */
guint64 memory_read_pointer (Memory *memory, guint64 address);
/* Returns: (transfer full) (nullable): what is there up to a NUL. */
char *memory_read_text (Memory *memory, guint64 address);
gboolean memory_is_code (const Memory *memory, guint64 address);
/* Returns: where the memory ends that is mapped there; 0: none is. */
guint64 memory_get_end (const Memory *memory, guint64 address);
/* Returns: whether all of it was written. */
gboolean memory_write (Memory *memory, guint64 address, const void *bytes, gsize length);

/* --- names ----------------------------------------------------------------------------------------- */

typedef struct {
  const char *function; /* (nullable): unknown */
  guint64 offset;       /* in it, or in the module */
  const char *module;   /* (nullable): the file that it is in */
  gboolean is_librarys; /* the library's own, if that is a file of its own */
} PlaceInCode;

/* @is_return: @address is where a call returns to. What is in *@ret_place lives as long as @memory. */
void memory_describe (Memory *memory, guint64 address, gboolean is_return, PlaceInCode *ret_place);
/* A variable of the library; of the program, if the library is part of it. */
gboolean memory_find_variable (Memory *memory, const char *variable, guint64 *ret_address);
/* Whether the library's file is another one by now, or is gone: after an update, for example. */
gboolean memory_has_lost_library (Memory *memory);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Memory, memory_free)
