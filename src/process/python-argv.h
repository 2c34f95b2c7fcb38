/* python-argv.h - the command line by which the Python project tractor starts a child. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "actor-id.h"
#include "address.h"

typedef struct {
  ActorId id;
  Address parent;
  char *log_level; /* (nullable) */
  gboolean is_asyncio;
} PythonArgv;

G_GNUC_INTERNAL void tractor__python_argv_clear (PythonArgv *argv);
/* Returns: FALSE without @error if this is no such command line; FALSE with PROTOCOL if it is one,
 * and wrong: which argument, and where in it. */
G_GNUC_INTERNAL gboolean tractor__python_argv_parse (int argc,
                                                     char **argv,
                                                     PythonArgv *ret_argv,
                                                     GError **error);
/* (transfer full) (array zero-terminated=1): what starts a child with the interpreter @python. */
G_GNUC_INTERNAL char **tractor__python_argv_build (const char *python, const PythonArgv *argv);
/* (transfer full): ('first', 'second'); or, if @second is NULL, ('first', integer). Both UTF-8; what
 * comes out is ASCII. */
G_GNUC_INTERNAL char *
tractor__python_literal_tuple (const char *first, const char *second, gint64 integer);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PythonArgv, tractor__python_argv_clear)
