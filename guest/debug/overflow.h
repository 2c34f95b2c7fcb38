/* overflow.h - saying which task has overflowed its stack. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>

/* tractor_report_stack_overflows(), unless somebody else sees to faults. For the thread of a new guest. */
G_GNUC_INTERNAL void tractor__overflow_report_by_default (void);
/* For a thread that runs what tasks give it: an overflow is reported there too, if somebody sees to faults. */
G_GNUC_INTERNAL void tractor__overflow_watch_pool_thread (void);
