/* glib-host.h - private to hosts/glib: which GMainContext a guest is on. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-glib.h"

/* Returns: (transfer none) (nullable): that of @guest; NULL if it is on another host. */
G_GNUC_INTERNAL GMainContext *tractor__glib_get_context (TractorGuest *guest);
