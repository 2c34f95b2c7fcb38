/* origins-protocol.h - what is asked of the library that notes where errors are made (tools/origins), which is loaded
 * before all others in debug mode. For both: it needs libc only. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A function of it, by this name: where @error, a GError, was made. At most @n_most return addresses, the innermost
 * first, go to @pcs. Returns: how many; 0 if it is not known any more. Any thread. */
#define ORIGINS_FIND_1 "tractor_origins_find_1"
typedef int (*OriginsFind) (const void *error, void **pcs, int n_most);

#define ORIGINS_MOST_FRAMES 20
