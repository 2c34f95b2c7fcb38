/* death.h - how a child actor ended, in words. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "supervise.h"

/* Its connection has ended for that. */
G_GNUC_INTERNAL gboolean tractor__child_has_broken_protocol (Child *child);
/* Whether it has said that it has failed, with an error. */
G_GNUC_INTERNAL gboolean tractor__child_has_failed (const Child *child);

/* (transfer full), all of them. It has ended: with the error that it said, or without one. */
G_GNUC_INTERNAL GError *tractor__child_describe_end (Child *child);
/* The same, when nobody had asked for it: or how it has broken the protocol. */
G_GNUC_INTERNAL GError *tractor__child_describe_own_end (Child *child);
/* "Actor 'a' (pid 7) ignored its cancel and SIGTERM, and was killed, after 2.1 s" */
G_GNUC_INTERNAL GError *
tractor__child_new_unresponsive_error (Child *child, gint64 since, const char *what);
G_GNUC_INTERNAL GError *tractor__child_new_boot_too_slow_error (Child *child);
/* It was cancelled: what is asked of it after that. */
G_GNUC_INTERNAL GError *tractor__child_new_ended_error (Child *child);
