/* entry.h - the only door for other threads: functions to be called soon. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "tractor-host.h"

typedef struct _Entry Entry;

typedef struct {
  _Atomic (Entry *) head; /* newest first; a sentinel once closed */
} EntryQueue;

typedef enum {
  ENTRY_CLOSED,
  ENTRY_ADDED,
  ENTRY_ADDED_FIRST
} EntryResult;

/* Any thread. ADDED_FIRST: the queue was empty, so its reader may be asleep. */
G_GNUC_INTERNAL EntryResult tractor__entry_queue_push (EntryQueue *queue,
                                                       TractorSoonFunc func,
                                                       gpointer data);
/* Calls what was there when it began, oldest first. */
G_GNUC_INTERNAL void tractor__entry_queue_drain (EntryQueue *queue);
/* Calls all that is left and refuses whatever comes after. */
G_GNUC_INTERNAL void tractor__entry_queue_close (EntryQueue *queue);
