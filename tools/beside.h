/* beside.h - where the other files are that a program of tools/ is installed with. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>
#include <stdbool.h>

/* The file @built, named from the folder of our own program, as in a build; or else @installed. Returns: false if there is
 * none, and @path is the second. */
bool beside_find (const char *built, const char *installed, char path[PATH_MAX]);
