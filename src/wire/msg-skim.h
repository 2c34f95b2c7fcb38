/* msg-skim.h - what is small of a message that is too large. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "msg.h"

typedef struct _Skim Skim;

/* @n_bytes: of the message, where @limit are allowed. */
G_GNUC_INTERNAL Skim *tractor__skim_new (gsize n_bytes, gsize limit);
G_GNUC_INTERNAL void tractor__skim_free (Skim *skim);
/* @part: what has come of the message since the last time, and what was left then. *@ret_n_taken: how
 * much of it is not needed any more. Returns: FALSE with PROTOCOL. */
G_GNUC_INTERNAL gboolean tractor__skim_feed (Skim *skim,
                                             WireValue part,
                                             gsize *ret_n_taken,
                                             GError **error);
/* Whether all has been fed. */
G_GNUC_INTERNAL gboolean tractor__skim_is_done (const Skim *skim);
/* The message, whose fields live as long as @skim does. Returns: FALSE with PROTOCOL. */
G_GNUC_INTERNAL gboolean tractor__skim_read (Skim *skim, Msg *ret_msg, GError **error);
/* With the marks of all descriptors that belong to it: for tractor__fds_claim(), when it has been read. */
G_GNUC_INTERNAL WireValue tractor__skim_get_marked (const Skim *skim);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Skim, tractor__skim_free)
