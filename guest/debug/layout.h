/* layout.h - which guests there are, for debuggers. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "tractor-debug-layout.h"
#include "tractor-host.h"

G_GNUC_INTERNAL void tractor__debug_layout_add (TractorGuest *guest);
G_GNUC_INTERNAL void tractor__debug_layout_remove (TractorGuest *guest);
