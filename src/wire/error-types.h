/* error-types.h - the names that errors have on the wire. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* (transfer none): what a Python actor is to know @error as. */
G_GNUC_INTERNAL const char *tractor__error_type_get_name (const GError *error);
/* What a name stands for here. Returns: FALSE if it is not known. */
G_GNUC_INTERNAL gboolean tractor__error_type_find (const char *name,
                                                   const char **ret_domain,
                                                   int *ret_code);
