/* memory.h - memory with a descriptor and a size that nobody can change. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-error.h"

/* @name: for /proc/PID/maps. Returns: (transfer full): of @size zeros, not sealed yet; or -1 with @error set. */
G_GNUC_INTERNAL int tractor__memory_make (const char *name, gsize size, GError **error);
/* Never again another size. Returns: FALSE with @error set. */
G_GNUC_INTERNAL gboolean tractor__memory_seal (int fd, int more_seals, GError **error);
/* Whether @fd is memory that a peer cannot take away under who reads it. Returns: FALSE with MSG_TYPE or a
 * G_FILE_ERROR. */
G_GNUC_INTERNAL gboolean tractor__memory_check (int fd, guint64 *ret_size, GError **error);
/* By errno. Returns: FALSE */
G_GNUC_INTERNAL gboolean tractor__memory_set_errno_error (const char *what, GError **error);
