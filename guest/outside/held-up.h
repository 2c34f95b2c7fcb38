/* held-up.h - noticing a task whose nested loop waits for what must wait for the loop. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "deadline.h"

typedef struct _TractorGuest TractorGuest;

typedef struct {
  Deadline deadline; /* first; armed while something is held up and it has not been said */
  TractorGuest *guest;
  guint64 task_id; /* whose nested loop that was about; 0: nothing is held up */
} HeldUp;

/* For a tick that is refused, because a task is below it: says it, if it is time. */
G_GNUC_INTERNAL void tractor__held_up_check (TractorGuest *guest);
/* No task runs a nested loop any more. */
G_GNUC_INTERNAL void tractor__held_up_forget (TractorGuest *guest);
