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
