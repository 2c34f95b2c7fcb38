/* limiter.h - limiters that are held by something other than their maker too. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "tractor-sync.h"

/* Another hold on it, beside its maker's. Any thread. */
G_GNUC_INTERNAL TractorLimiter *tractor__limiter_ref (TractorLimiter *limiter);
G_GNUC_INTERNAL void tractor__limiter_unref (TractorLimiter *limiter);
