/* page.h - the page of memory by which the tree knows whether it is held. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "asker.h"

/* Returns: false with errno set. */
bool page_map (const char *path);
/* There is a broker. */
void page_begin (void);
/* @n_askers: who are held. @first: (nullable): of them. */
void page_update (int n_askers, const Asker *first);
/* The terminal has somebody else now, or, with a group of 0, nobody any more. Harmless if this is no broker. */
void page_set_loan (const DebugLoan *loan);
/* That process looks, and leads a group of its own; 0: none does. The same. */
void page_set_debugger (pid_t pid);
/* Nobody is to ask any more. */
void page_turn_off (void);
bool page_is_off (void);
/* Who fails by that is not looked at again. */
void page_show_no_more (uint64_t failure);
