/* outside.h - what a guest keeps for whatever goes on outside it: descriptors, threads, signals, its host. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "fd-wait.h"
#include "held-up.h"
#include "host-call.h"
#include "thread-pool.h"
#include "token.h"

typedef struct _Outside Outside;
struct _Outside {
  FdTable fds;
  TractorToken *token;
  ThreadPool *threads;                 /* NULL until a task wants one */
  void (*on_pool_thread_begun) (void); /* in each thread of it, first of all */
  HostCall *host_calls;                /* the oldest first */
  struct _TractorHostEnd *host_ends;   /* linked by next_of_guest */
  HeldUp held_up;
};
