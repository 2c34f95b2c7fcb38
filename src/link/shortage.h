/* shortage.h - the kernel has no room for what a socket is to do now.
 *
 * That is no fault of the connection's, and nothing is lost: it is tried again. No descriptor tells when
 * there is room, and one that is readable or writable all the while would be a busy loop. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <errno.h>

#include "tractor-task.h"

/* ETOOMANYREFS: as many descriptors of ours are on their way as may be. */
static inline gboolean
errno_is_shortage (int number)
{
  return number == ENOBUFS || number == ENOMEM || number == ETOOMANYREFS;
}

/* Returns: FALSE with CANCELLED */
static inline gboolean
wait_out_shortage (GError **error)
{
  return tractor_sleep_until (tractor_now () + G_USEC_PER_SEC / 100, error);
}
