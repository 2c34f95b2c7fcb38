/* rpc.h - what a peer asks of us. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "link.h"

/* For links. */
extern G_GNUC_INTERNAL const LinkServer tractor__rpc_server;

/* Lets peers end this actor, and what they have called. */
G_GNUC_INTERNAL void tractor__rpc_serve (TractorRuntime *runtime);

/* Ends it, on the wish of @canceller; the first wish counts. */
G_GNUC_INTERNAL void tractor__rpc_task_cancel (RpcTask *task, const ActorId *canceller);

/* Cancels what runs here for the peer, on the wish of @canceller, and waits for its end. */
G_GNUC_INTERNAL void tractor__link_cancel_rpc_tasks (Link *link, const ActorId *canceller);
G_GNUC_INTERNAL gboolean tractor__link_wait_for_rpc_tasks (Link *link, GError **error);
/* If the peer has asked us to end: what ran is over. */
G_GNUC_INTERNAL void tractor__link_acknowledge_stop (Link *link);
