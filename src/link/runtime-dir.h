/* runtime-dir.h - the private directory that Unix sockets are kept in. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

typedef struct {
  char *path; /* absolute */
  int fd;     /* of that very directory, as it was when it was checked */
} RuntimeDir;

/* Makes it if it is not there. Returns: FALSE with AUTH if others could get at it, which says where,
 * whose it is, and what to do; or with a G_FILE_ERROR. */
G_GNUC_INTERNAL gboolean tractor__runtime_dir_open (RuntimeDir *ret_dir, GError **error);
/* The directory stays: others may be about to use it. */
G_GNUC_INTERNAL void tractor__runtime_dir_clear (RuntimeDir *dir);
/* (transfer full): the path in it that is the actor's of that uuid; it does not say whose it is. */
G_GNUC_INTERNAL char *tractor__runtime_dir_make_socket_path (const RuntimeDir *dir,
                                                             const char *uuid);
/* Takes away what actors that were killed have left in it; of others, only that. */
G_GNUC_INTERNAL void tractor__runtime_dir_sweep (void);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RuntimeDir, tractor__runtime_dir_clear)
