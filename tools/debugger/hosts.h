/* hosts.h - terminals that somebody lends for whoever stops. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <poll.h>

#include "asker.h"
#include "session.h"

#define MAX_HOSTS 16

int hosts_get_n (void);
/* @fds: room for each of them, which is filled. */
void hosts_get_fds (struct pollfd *fds);
/* @fds: which of those have something. They say nothing before they are asked: so they are gone. */
void hosts_look (const struct pollfd *fds, int n);

/* @fd: (transfer full): of @pid, which lends its terminal for the process @wanted, 0: whoever is next. Returns: false if
 * it has no use for that, and keeps @fd. */
bool hosts_add (int fd, pid_t pid, pid_t wanted);
/* Nobody needs to wait for that process any more. @wanted: 0: it is not known. */
void hosts_forget (pid_t wanted);
/* Returns: whether somebody may lend one for @asker, in whose @session that is then said. */
bool hosts_offer (Session *session, Asker *asker);
