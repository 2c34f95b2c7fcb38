/* host-call.h - what is to be called on the host's own stack. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "tractor-host.h"

typedef struct _HostCall HostCall;
typedef struct _Task Task;

struct _HostCall {
  HostCall *next;
  Task *task; /* (nullable): who waits until it has returned */
  TractorSoonFunc func;
  gpointer data;
};

/* Puts @call, which is the caller's and in no other place, in line. */
G_GNUC_INTERNAL void tractor__host_call_post (TractorGuest *guest, HostCall *call);
/* Calls all that wait, after a tick, and lets their tasks go on. */
G_GNUC_INTERNAL void tractor__host_calls_run (TractorGuest *guest);
