/* value-fd.h - descriptors in values. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "passed-fds.h"
#include "tractor-value.h"

/* Whether an extension is a descriptor's. */
static inline gboolean
is_fd_extension (gint16 code, gsize length)
{
  return code == FD_EXT_CODE && length == FD_MARK_BYTES;
}

/* @mark: of a value of this process. Returns: the descriptor to be sent; -1: it has been received, or is
 * none. */
G_GNUC_INTERNAL int tractor__value_fd_get (const guint8 *mark);

/* In a process that is a copy of another: marks are no longer those of that one. */
G_GNUC_INTERNAL void tractor__value_fd_renew_secret (void);

/* Descriptors that a value under construction leads to. Zeroed memory is none. */
typedef struct {
  guint n;
  gint64 numbers[LIMIT_FDS_OF_MESSAGE];
} ValueFds;

/* (transfer floating): for what @mark, on the wire, stands for in @fds (nullable), or for nothing. NULL:
 * it was lost on the way. */
G_GNUC_INTERNAL GVariant *
tractor__value_fds_add (ValueFds *value_fds, PassedFds *fds, const guint8 *mark);
/* From now on they last as long as @value and what is taken out of it, unless they are taken.
 * @value: (transfer full). Returns: (transfer full): the same value. */
G_GNUC_INTERNAL GVariant *tractor__value_fds_attach (ValueFds *value_fds, GVariant *value);
/* Closes them: the value did not come about. */
G_GNUC_INTERNAL void tractor__value_fds_clear (ValueFds *value_fds);
