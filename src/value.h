/* value.h - extension types, for the codec. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-value.h"

/* An extension as it is: its code and its bytes. */
#define EXTENSION_TYPE (G_VARIANT_TYPE ("(nay)"))

G_GNUC_INTERNAL GVariant *tractor__ext_new_raw (gint8 code, const guint8 *bytes, gsize length);
G_GNUC_INTERNAL gboolean tractor__ext_is_registered (gint8 code);
/* Returns: (transfer floating): what the function registered for @code makes of it, or the extension
 * as it is; NULL with MSG_TYPE if the function fails. */
G_GNUC_INTERNAL GVariant *
tractor__ext_unpack (gint8 code, const guint8 *bytes, gsize length, GError **error);
