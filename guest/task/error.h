/* error.h - making and taking apart errors. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(TRACTOR_GUEST_BUILD)
#error "private to guest/"
#endif

#include "tractor-error.h"

/* @error: (transfer full) (nullable). @failures: (transfer full). Returns: a GROUP of them all. */
G_GNUC_INTERNAL GError *tractor__error_add_failures (GError *error, GPtrArray *failures);

/* Takes every CANCELLED away from *@error, in groups too; clears it if nothing is left. Returns:
 * whether there was one. */
G_GNUC_INTERNAL gboolean tractor__error_strip_cancelled (GError **error);

/* Whether @part is in @error, or in a member of it: domain and code are the same, and the words end
 * with those of @part, for something may have been put in front of them on the way. */
G_GNUC_INTERNAL gboolean tractor__error_contains (const GError *error, const GError *part);
/* Takes @part away wherever it is contained in *@error; clears it if nothing is left. Returns: whether
 * there was one. */
G_GNUC_INTERNAL gboolean tractor__error_strip (GError **error, const GError *part);
