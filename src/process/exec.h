/* exec.h - what a process is to have, worked out from what was asked for. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "process.h"

/* Returns: FALSE with MISUSE: it cannot be right. */
G_GNUC_INTERNAL gboolean tractor__exec_check (const ProcessRequest *request, GError **error);
/* (transfer full): ours with what differs; and the variable that tells an actor what it is, which
 * nobody else is to see. */
G_GNUC_INTERNAL char **tractor__exec_make_environment (const ProcessRequest *request);
/* (transfer full) (element-type TractorFdMapping): all that it is to have, by their numbers there. */
G_GNUC_INTERNAL GArray *tractor__exec_list_fds (const ProcessRequest *request, int null_fd);
