/* lock.h - what becomes of the locks of a task that ends. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>

typedef struct _Task Task;

G_GNUC_INTERNAL void tractor__locks_break (Task *task);
