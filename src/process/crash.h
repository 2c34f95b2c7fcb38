/* crash.h - the last words of an actor that crashes. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* Beforehand, so that no copy of this process has to. */
G_GNUC_INTERNAL void tractor__crash_load_unwinder (void);
/* From now on a crash of this process is described in its last words or on its stderr, before it takes its course. Signals
 * that somebody handles already are left to them. To be called once. */
G_GNUC_INTERNAL void tractor__crash_report (void);
/* The same of a root in debug mode, on its stderr: also of a signal that the guest itself sees to. */
G_GNUC_INTERNAL void tractor__crash_report_in_root (void);
