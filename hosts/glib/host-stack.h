/* host-stack.h - private to hosts/glib: functions that are called on the host's own stack. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "tractor-host.h"

/* Whether no task is below this call on the thread's stack: not even by way of a nested loop. */
G_GNUC_INTERNAL gboolean tractor__glib_is_on_host_stack (void);

/* In a task: waits until @context has called @func. No cancel ends that wait. */
G_GNUC_INTERNAL void
tractor__glib_call_on_host_stack (GMainContext *context, TractorSoonFunc func, gpointer data);

/* From anywhere on the thread of @context: has it call @func later, and does not wait. */
G_GNUC_INTERNAL void
tractor__glib_post_to_host_stack (GMainContext *context, TractorSoonFunc func, gpointer data);
