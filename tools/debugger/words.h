/* words.h - what the broker says to people. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* A line, without its end, on the terminal if there is one; else on stderr. It waits for nobody. Returns: false if it
 * cannot be written now. */
bool words_say (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
/* The same, on stderr in any case, where the tree has its own words. */
bool words_report (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
