/* fd-wait.h - tasks that wait for descriptors. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "poller.h"

/* Wakes whoever waits for @fd, if @serial is that of its registration still. */
G_GNUC_INTERNAL void
tractor__fd_wait_dispatch (Poller *poller, int fd, guint32 serial, guint32 events);
/* How many tasks wait. */
G_GNUC_INTERNAL guint tractor__fd_wait_count (const Poller *poller);
G_GNUC_INTERNAL void tractor__fd_wait_clear (Poller *poller);
