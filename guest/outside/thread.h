/* thread.h - the threads that tasks have sent work to. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "tractor-thread.h"

typedef struct _ThreadPool ThreadPool;

/* @pool: (nullable). Waits for idle threads, and for those that a task waits for; whoever is abandoned
 * ends by itself. In a forked copy of the process there are no threads to wait for. */
G_GNUC_INTERNAL void tractor__thread_pool_free (ThreadPool *pool, gboolean is_forked);
