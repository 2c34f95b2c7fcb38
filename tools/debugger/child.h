/* child.h - what the broker needs for itself, and what its children do not get of it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* In the broker. Returns: how many descriptors it may have from now on, which are as many as it can have. */
int child_take_what_we_need (void);
/* In a child of it, first of all: it ends with the process @parent, also if that has ended already. */
void child_end_with (pid_t parent);
/* In a child of it, before it becomes something else: as the broker was started. */
void child_give_back (void);

/* In a child of it that becomes a debugger: as much memory as it may have, whatever the tree has. */
void child_take_memory (void);

/* The command `tractor`, to become that. Returns: false if it is not there, and @path is where it should be. */
bool child_find_command (char path[PATH_MAX]);
