/* debug-terminal.h - what `tractor run` and the broker of debug mode (tools/debugger) agree on: a terminal that is the
 * debugger's alone. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* In the environment of the program, and so of the broker: the path of that terminal. */
#define DEBUG_TERMINAL_VARIABLE "TRACTOR_DEBUG_TERMINAL"

/* What the broker writes there, before and behind what a debugger shows: nobody else writes those, neither gdb nor what
 * terminals are told by. From the first one to the second, what is typed is for the debugger. */
#define DEBUG_TERMINAL_HELD '\x1c'
#define DEBUG_TERMINAL_FREE '\x1d'
