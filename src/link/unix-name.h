/* unix-name.h - the names of Unix sockets: listening at one, and taking it away. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* Only its owner can connect. A socket that a dead program has left at @path is replaced.
 * Returns: FALSE with REGISTRY if another program or something else is there; BUSY if other programs
 * are just starting in that directory: try again in a moment; MISUSE for a path that no socket can
 * have; or a G_FILE_ERROR. */
G_GNUC_INTERNAL gboolean tractor__unix_listen (const char *path, int *ret_fd, GError **error);
/* Takes the name away and closes the socket, in the order that leaves nothing for others to find. */
G_GNUC_INTERNAL void tractor__unix_close (const char *path, int fd);
