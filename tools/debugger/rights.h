/* rights.h - whether a process may be traced. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Whether another debugger, or strace, has it. */
bool rights_is_traced (pid_t pid);
/* (transfer none): why it may not be, for people. */
const char *rights_find_refusal (pid_t pid);
