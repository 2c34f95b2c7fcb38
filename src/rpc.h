/* rpc.h - what a peer asks of us. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "link.h"

/* Answers a Start, or starts a task that will. Returns: FALSE with PROTOCOL. */
G_GNUC_INTERNAL gboolean tractor__rpc_handle_start (Link *link, const Msg *msg, GError **error);
/* Another message of a dialog that @task serves. Returns: FALSE with PROTOCOL. */
G_GNUC_INTERNAL gboolean tractor__rpc_deliver (RpcTask *task, const Msg *msg, GError **error);
/* Whether an item for it, of a peer that does not count, would be lost. */
G_GNUC_INTERNAL gboolean tractor__rpc_is_full (const RpcTask *task);
/* Ends it, on the wish of @canceller; the first wish counts. */
G_GNUC_INTERNAL void tractor__rpc_task_cancel (RpcTask *task, const ActorId *canceller);
