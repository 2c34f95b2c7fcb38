/* uv-wait.h - private to hosts/uv: a task that waits for a callback of libuv's. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-sync.h"
#include "tractor-uv.h"

/* On the task's stack, or first in what outlives that. */
typedef struct {
  TractorWaker *waker; /* (nullable): nobody waits any more */
  int status;
  void *request; /* (nullable): that uv_cancel() takes */
} UvWait;

static inline void
uv_wait_wake (UvWait *wait, int status)
{
  wait->status = status;
  tractor_waker_wake (wait->waker, NULL);
}

/* @what: "cannot WHAT". Returns: FALSE. */
G_GNUC_INTERNAL gboolean tractor__uv_set_error (GError **error, const char *what, int status);
/* (nullable): with MISUSE, of a task on another host. */
G_GNUC_INTERNAL uv_loop_t *tractor__uv_get_loop (GError **error);
/* In a task: all waits of its loop's tasks for handles. */
G_GNUC_INTERNAL GQueue *tractor__uv_get_handle_waits (void);
