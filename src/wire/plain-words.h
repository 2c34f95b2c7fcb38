/* plain-words.h - texts for people, without backtraces. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* Returns: (transfer full): @text without the tracebacks of Python and the frames of a crash that are in it; empty if
 * there is nothing else. */
G_GNUC_INTERNAL char *tractor__plain_words (const char *text);

/* Returns: (transfer full): the lines of @text that are not empty in one, with " | " between them; if that is more than
 * @max bytes, the end of it, behind "...". */
G_GNUC_INTERNAL char *tractor__join_lines (const char *text, gsize max);
