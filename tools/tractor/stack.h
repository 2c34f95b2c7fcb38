/* stack.h - what the calls on the stack of a task are. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "memory.h"

/* What a thread has on the processor. */
typedef struct {
  guint64 sp;
  guint64 pc;
  guint64 frame; /* 0: not known */
} Registers;

/* @context: address of the ucontext_t of a handler of a signal. Returns: whether it could be read. */
gboolean registers_read_context (Memory *memory, guint64 context, Registers *ret_registers);

/* These add to @frames (element-type guint64) where the calls are or return to, the innermost first; the stack is what is
 * from @low to @high, where the task lies. Returns: whether they lead to the beginning of the task, and all of them were
 * read. */

/* @sp: where the library's own switch has left it; @is_x86: what that saves is as on x86-64, else as on aarch64. */
gboolean stack_walk_suspended (
    Memory *memory, gboolean is_x86, guint64 low, guint64 high, guint64 sp, GArray *frames);
/* By the thread whose stack pointer is in it. @crashed: (nullable): as they were in one that is now in the handler of a
 * signal, on another stack. */
gboolean stack_walk_running (
    Memory *memory, guint64 low, guint64 high, const Registers *crashed, GArray *frames);
/* Of a thread that runs no task, and whose beginning is not known. @crashed: (nullable): likewise. */
void stack_walk_thread (Memory *memory, gint tid, const Registers *crashed, GArray *frames);
