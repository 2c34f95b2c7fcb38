/* line.h - who waits for the debugger, in the order in which they came. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <poll.h>

#include "asker.h"

#define MAX_ASKERS 4096

/* At the beginning. @n_descriptors: that there may be of them, beside others. */
void line_make_room (int n_descriptors);
int line_get_n (void);
/* (transfer none): until somebody leaves the line. @i: the first has 0. */
Asker *line_get (int i);
/* Whether that process has asked. */
bool line_has (pid_t pid);

/* Somebody comes to that socket. @is_open: else nobody is let in. Who is not goes on. */
void line_take_in (int listening, bool is_open);
/* It leaves the line, and its connection stays. */
void line_remove (int i);

/* @fds: room for each of them, which is filled. */
void line_get_fds (struct pollfd *fds);
