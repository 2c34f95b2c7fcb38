/* rights.h - whether a process may be looked at. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "debug-protocol.h"

/* Whether another debugger, or strace, has it. */
bool rights_is_traced (pid_t pid);
#define RIGHTS_TRACED "another debugger (or strace) has it"

/* (transfer none): why a process that may not be looked at may not, for people. */
const char *rights_find_refusal (pid_t pid);

/* (transfer none) (nullable): why a debugger that has ended with @word did not look at it, for people; NULL: it did. */
const char *rights_explain (DebugWord word, pid_t pid);
