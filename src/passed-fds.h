/* passed-fds.h - descriptors that travel with messages. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <sys/types.h>
#include <sys/uio.h>

#include "bounds.h"
#include "wire.h"

/* What stands for one in a payload: an extension of this code, with as many bytes. */
#define FD_EXT_CODE   (-100)
#define FD_MARK_BYTES 16

typedef struct {
  guint8 mark[FD_MARK_BYTES];
  int fd;
} PassedFd;

/* What has come over one connection and nobody has taken yet. Zeroed memory is an empty one. */
typedef struct {
  int arrived[2 * LIMIT_FDS_OF_MESSAGE]; /* their messages are not whole yet */
  guint n_arrived;
  GArray *waiting; /* (nullable) (element-type PassedFd): the oldest first */
} FdInbox;

/* As recv(), without waiting, and takes what comes along. Returns: -1 with errno set; EBADMSG: too many
 * came, or not all of them: then all of them are closed. */
G_GNUC_INTERNAL gssize tractor__fds_receive (FdInbox *inbox, int fd, guint8 *at, gsize room);
/* @body: a whole message: what it has marks for has arrived, and waits from now on. Returns: FALSE with
 * PROTOCOL if it has a mark twice. */
G_GNUC_INTERNAL gboolean tractor__fds_claim (FdInbox *inbox, WireValue body, GError **error);
/* Returns: (transfer full): the one that @mark stands for; -1 */
G_GNUC_INTERNAL int tractor__fds_take (FdInbox *inbox, const guint8 *mark);
/* Closes all. */
G_GNUC_INTERNAL void tractor__fds_clear (FdInbox *inbox);

/* Appends a mark, and a duplicate of @fd that is to be sent before it. Returns: FALSE with MSG_TYPE or a
 * G_FILE_ERROR. */
G_GNUC_INTERNAL gboolean tractor__fds_append (WireBuffer *buffer, int fd, GError **error);
/* As sendmsg() of @parts, of which the one with @frames has what is in @buffer from @sent on: it is
 * shortened if more of them belong to it than may go along. */
G_GNUC_INTERNAL gssize tractor__fds_send (
    int fd, WireBuffer *buffer, gsize sent, struct iovec *parts, int n_parts, struct iovec *frames);

G_GNUC_INTERNAL void tractor__fd_mark_make (int fd, guint8 mark[FD_MARK_BYTES]);
/* Returns: the descriptor that @mark, of a value of this process's, stands for; -1 */
G_GNUC_INTERNAL int tractor__fd_mark_get (const guint8 *mark);
