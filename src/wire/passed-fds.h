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

/* @code: where an extension's code is, behind its head. @length: from there on. A mark has the one head that we
 * write, fixext 16: whoever looks for marks in bytes need look for no other. */
static inline gboolean
fd_mark_is_at (const guint8 *code, gsize length)
{
  return length == 1 + FD_MARK_BYTES && (gint8) code[0] == FD_EXT_CODE && code[-1] == 0xd8;
}

/* --- sending ------------------------------------------------------------------------------------- */

/* Appends a mark, and a duplicate of @fd that is to be sent with the frame it is in. Returns: FALSE with
 * MSG_TYPE or a G_FILE_ERROR. */
G_GNUC_INTERNAL gboolean tractor__fds_append (WireBuffer *buffer, int fd, GError **error);
/* As sendmsg() of @parts, of which the one with @frames has what is in @buffer from @sent on: it is
 * shortened where a frame begins that cannot go along. *@n_batches counts those that have gone over the
 * connection. */
G_GNUC_INTERNAL gssize tractor__fds_send (int fd,
                                          guint64 *n_batches,
                                          WireBuffer *buffer,
                                          gsize sent,
                                          struct iovec *parts,
                                          int n_parts,
                                          struct iovec *frames);

/* --- receiving ----------------------------------------------------------------------------------- */

typedef struct _FdBatch FdBatch;

/* What has come over one connection and is no message's yet. Zeroed memory is an empty one. */
typedef struct {
  guint64 n_batches;
  FdBatch *batches[2]; /* (nullable): the last two; one is in the place of the last but two */
} FdInbox;

/* As recv(), without waiting, and takes what comes along. Returns: -1 with errno set; EBADMSG: more came
 * than may: then all of them are closed. */
G_GNUC_INTERNAL gssize tractor__fds_receive (FdInbox *inbox, int fd, guint8 *at, gsize room);
G_GNUC_INTERNAL void tractor__fd_inbox_clear (FdInbox *inbox);
static inline gboolean
fd_inbox_is_empty (const FdInbox *inbox)
{
  return inbox->batches[0] == NULL && inbox->batches[1] == NULL;
}

/* Whether a value has marks, as only tractor__fds_append() may write them. */
G_GNUC_INTERNAL gboolean tractor__fds_are_marked (WireValue value);

/* What came with one message. Counted; what is left in it is closed with it. */
typedef struct _PassedFds PassedFds;

/* @body: a whole message. Returns: (transfer full) (nullable): what it has marks for. */
G_GNUC_INTERNAL PassedFds *tractor__fds_claim (FdInbox *inbox, WireValue body);
G_GNUC_INTERNAL PassedFds *tractor__passed_fds_ref (PassedFds *fds);
G_GNUC_INTERNAL void tractor__passed_fds_unref (PassedFds *fds);
/* @fds: (nullable). Returns: how many it was sent with. */
G_GNUC_INTERNAL guint tractor__passed_fds_get_n (const PassedFds *fds);

#define FD_IS_LOST    (-1) /* it was sent, and there was no room for it here */
#define FD_IS_UNKNOWN (-2) /* nothing came, or it has been taken */

/* @fds: (nullable). Returns: (transfer full): what @mark stands for; or one of the two. */
G_GNUC_INTERNAL int tractor__passed_fds_take (PassedFds *fds, const guint8 *mark);

/* One that came is the program's from now on: it no longer counts. */
G_GNUC_INTERNAL void tractor__fd_let_go (void);
/* One that came is not wanted. */
G_GNUC_INTERNAL void tractor__fd_close (int fd);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PassedFds, tractor__passed_fds_unref)
