/* entry.h - the only door for other threads: functions to be called soon. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "tractor-host.h"

typedef struct _Entry Entry;

typedef struct {
  _Atomic (Entry *) head;   /* newest first; a sentinel once closed */
  _Atomic (guint) n_inside; /* threads between enter and leave */
} EntryQueue;

typedef enum {
  ENTRY_CLOSED,
  ENTRY_ADDED,
  ENTRY_ADDED_FIRST
} EntryResult;

/* Around a push and what follows it: what was pushed may run, and end everything, before the pusher
 * has done the rest. */
G_GNUC_INTERNAL void tractor__entry_queue_enter (EntryQueue *queue);
G_GNUC_INTERNAL void tractor__entry_queue_leave (EntryQueue *queue);
/* Before what the queue belongs to is freed. */
G_GNUC_INTERNAL void tractor__entry_queue_wait_for_leavers (EntryQueue *queue);

/* Any thread. ADDED_FIRST: the queue was empty, so its reader may be asleep. */
G_GNUC_INTERNAL EntryResult tractor__entry_queue_push (EntryQueue *queue,
                                                       TractorSoonFunc func,
                                                       gpointer data);
/* Calls what was there when it began, oldest first. */
G_GNUC_INTERNAL void tractor__entry_queue_drain (EntryQueue *queue);
/* Calls all that is left and refuses whatever comes after. */
G_GNUC_INTERNAL void tractor__entry_queue_close (EntryQueue *queue);
