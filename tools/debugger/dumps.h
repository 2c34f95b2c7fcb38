/* dumps.h - has the tasks of an actor, and of all below it, shown. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#define MAX_DUMPS 8

/* Where they are kept: beside the files that begin with @prefix. Returns: false if there is no such place. */
bool dumps_set_log (const char *prefix, pid_t root);
/* @actor: what is shown begins with it. One that is being shown is shown once more. */
void dumps_start (pid_t actor);
/* @fds: room for MAX_DUMPS, which are filled. */
void dumps_get_fds (struct pollfd *fds);
/* Some of those may have something. */
void dumps_look (void);
