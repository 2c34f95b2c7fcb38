/* surroundings.h - what a program that is started by exec would find around itself. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* A sum of all of it: two that are the same were taken of the same surroundings. @envp: the environment that the program
 * would be given. Returns: FALSE if not all of it can be looked at. */
G_GNUC_INTERNAL gboolean tractor__surroundings_sum (char *const *envp, guint64 *ret_sum);
/* What else somebody wants to have in it. */
G_GNUC_INTERNAL void tractor__surroundings_add (guint64 *sum, gconstpointer bytes, gsize n_bytes);
