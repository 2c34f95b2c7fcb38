/* all-blocked.h - waiting until nothing else goes on. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "deadline.h"

typedef struct _TractorGuest TractorGuest;
typedef struct _BlockedWait BlockedWait;

typedef struct _AllBlocked AllBlocked;
struct _AllBlocked {
  BlockedWait *waits;
  gint64 since;      /* on the real clock: when the last task stopped running; 0: not known yet */
  Deadline deadline; /* wakes the guest when the shortest cushion may be over */
};

/* Called when no task is runnable. Returns: whether something is, or may be, now. */
G_GNUC_INTERNAL gboolean tractor__all_blocked_check (TractorGuest *guest);

/* To be said before tasks run. */
static inline void
all_blocked_forget (AllBlocked *all_blocked)
{
  all_blocked->since = 0;
}
