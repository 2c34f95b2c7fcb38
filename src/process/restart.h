/* restart.h - which actors of a nursery are started again when one dies, and how often. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "supervise.h"
#include "tractor-sync.h"

typedef struct _Restarts Restarts;

/* @options: (nullable). Returns: FALSE with MISUSE if they make no sense. */
G_GNUC_INTERNAL gboolean tractor__restarts_check (const TractorRestartOptions *options,
                                                  GError **error);
/* @options: (nullable): the defaults. @children: (element-type Child): in the order of their start;
 * not owned. */
G_GNUC_INTERNAL Restarts *tractor__restarts_new (const TractorRestartOptions *options,
                                                 GPtrArray *children);
G_GNUC_INTERNAL void tractor__restarts_free (Restarts *restarts);
/* @child has died. Decides who is started again with it, and ends those that live. @failure: (inout):
 * if it has died too often, says so. Returns: whether it is started again. */
G_GNUC_INTERNAL gboolean tractor__restarts_begin (Restarts *restarts,
                                                  Child *child,
                                                  GError **failure);
/* @child is gone for good, though others may wait for it to be started again with them. */
G_GNUC_INTERNAL void tractor__restarts_leave (Restarts *restarts, Child *child);
/* @child is gone, and waits until all are that are started again together. Returns: FALSE with
 * CANCELLED. */
G_GNUC_INTERNAL gboolean tractor__restarts_wait (Restarts *restarts, Child *child, GError **error);
