/* host-call.h - functions that tasks want to have called on the host's own stack. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "tractor-host.h"

typedef struct _HostCall HostCall;

/* Calls all that wait, after a tick, and lets their tasks go on. */
G_GNUC_INTERNAL void tractor__host_calls_run (TractorGuest *guest);
