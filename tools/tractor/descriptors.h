/* descriptors.h - descriptors that who stands between two others is not to keep open. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Closes all but @kept; -1 among them is none. For stdin and stdout there is /dev/null then, and stderr stays. */
void descriptors_close_all_but (const int *kept, gsize n_kept);
