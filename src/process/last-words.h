/* last-words.h - why an actor ends that nobody has asked to, for its parent. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* What an actor's process leaves with; of a program's own choice is any, but only ours come with words. */
#define STATUS_FAILED   1
#define STATUS_REFUSED  2  /* the parent did not say what it needs to */
#define STATUS_ORPHANED 70 /* EX_SOFTWARE: the connection to the parent is gone */

/* @fd: (transfer full): a file that the parent has open too, and its place with it. To be called once. */
G_GNUC_INTERNAL void tractor__last_words_go_to (int fd);
/* Returns: where they go, or -1 if nobody would read them. Async-signal-safe. */
G_GNUC_INTERNAL int tractor__last_words_get_fd (void);
/* Says @text there, if anywhere. Async-signal-safe. */
G_GNUC_INTERNAL void tractor__last_words_say (const char *text);
