/* turn.h - whose turn it is, and the debugger that looks at who has it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "asker.h"

/* At the beginning. @root: of the tree. */
void turn_use_root (pid_t root);

/* Sees to whoever is first in the line. */
void turn_serve (void);
/* How long to wait for anything until it is to be looked again, or -1. */
int turn_get_timeout (void);
/* That one is not to wait any more: it goes on. */
void turn_let_go (int i);
/* That one is gone, or has given up. */
void turn_withdraw (int i);
/* All go on, and nobody is looked at. */
void turn_end (void);
/* What is to be seen of it: in the page, and by who has made a terminal for us alone. */
void turn_show (void);

/* To be polled for reading; -1: nobody is looked at. */
int turn_get_fd (void);
void turn_on_readable (void);
/* The process that looks at somebody; 0: none. */
pid_t turn_get_debugger (void);
/* The Python root has something to say. */
void turn_on_python_root (void);
