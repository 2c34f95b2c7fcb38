/* default-context.h - private to hosts/glib: a task that iterates the default GMainContext. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "tractor-host.h"

/* For a guest on another context. Returns: (transfer full): to be destroyed before the guest is freed. */
G_GNUC_INTERNAL GSource *tractor__glib_watch_default_context (TractorGuest *guest);
/* @source: (nullable): a tick has ended, and with it whatever a task did on the stack. */
G_GNUC_INTERNAL void tractor__glib_watch_ticked (GSource *source);
