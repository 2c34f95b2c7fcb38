/* beside.h - where the other files are that are installed with the broker. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>
#include <stdbool.h>

/* The file @built, beside our own as in a build, or else @installed. Returns: false if there is none, and @path is the
 * second. */
bool beside_find (const char *built, const char *installed, char path[PATH_MAX]);
/* The command `tractor`. */
bool beside_find_command (char path[PATH_MAX]);
