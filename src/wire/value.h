/* value.h - extension types, for the codec. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-value.h"

/* A value of a program's that was handed over, and has not been sent, or not yet: it may be nested deeper than the
 * stack is. For g_autoptr(); one that has been sent is no deeper than LIMIT_LEVELS, and costs less with
 * g_variant_unref(). */
typedef GVariant RefusedValue;

/* Like g_variant_unref(), which recurses, but needs no stack for what is inside. */
G_GNUC_INTERNAL void tractor__refused_value_unref (GVariant *value);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RefusedValue, tractor__refused_value_unref)

/* An extension as it is: its code and its bytes. */
#define EXTENSION_TYPE (G_VARIANT_TYPE ("(nay)"))

G_GNUC_INTERNAL GVariant *tractor__ext_new_raw (gint8 code, const guint8 *bytes, gsize length);
G_GNUC_INTERNAL gboolean tractor__ext_is_registered (gint8 code);
/* Returns: (transfer floating): what the function registered for @code makes of it, or the extension
 * as it is; NULL with MSG_TYPE if the function fails. */
G_GNUC_INTERNAL GVariant *
tractor__ext_unpack (gint8 code, const guint8 *bytes, gsize length, GError **error);
