/* glib-call.h - private to hosts/glib: a function as a task, for a GTask that is there already. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-glib.h"

/* As tractor_glib_call_async(), with @task (transfer full), which was made without a GCancellable, for the
 * answer; @nursery may be NULL, and is closed then. */
G_GNUC_INTERNAL void tractor__glib_call (GTask *task,
                                         TractorNursery *nursery,
                                         TractorGlibFunc func,
                                         gpointer data,
                                         GDestroyNotify data_free,
                                         GDestroyNotify result_free,
                                         GCancellable *cancellable);
/* Answers @task (transfer full) with @error (transfer full), later, on the host's stack. */
G_GNUC_INTERNAL void tractor__glib_refuse (GTask *task, GError *error);
