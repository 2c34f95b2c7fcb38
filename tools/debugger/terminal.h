/* terminal.h - the terminal of the tree, lent to a debugger and taken back. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Finds the one that this process is on. Returns: false if there is none. */
bool terminal_open (void);
/* The broker's: the one that the tree is on, from a group of its own; or one that is there for it alone. */
void terminal_open_for_tree (void);
/* -1: none */
int terminal_get_fd (void);
/* To write there without waiting. */
int terminal_get_words_fd (void);
/* Whether whoever reads it is @group, or nobody is. */
bool terminal_is_of (pid_t group);
/* Nobody is at its other end any more, nor will be. */
bool terminal_is_gone (void);
/* (-1): nobody's */
pid_t terminal_find_group (void);
/* How it is now, for terminal_take_back(). Returns: false if it has become somebody's since terminal_is_of(). */
bool terminal_remember (void);
/* Makes it one that people type lines on, and gives it to @group. @has_keys: Ctrl-C and Ctrl-Z do what they usually do. */
void terminal_lend (pid_t group, bool has_keys);
/* (transfer none): what who has it needs to give it back itself: whose group it was, and as numbers what terminal_lend()
 * has changed of its settings. */
const char *terminal_describe (void);
/* As it was. Whoever has taken it from @group meanwhile keeps it, or was given it. */
void terminal_take_back (pid_t group);

/* To who has made a terminal for us alone, unless it was said. Returns: false if that is to be tried again. */
bool terminal_say_held (bool is_held);
