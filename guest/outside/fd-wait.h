/* fd-wait.h - tasks that wait for descriptors. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "poller.h"

typedef struct _Interest Interest;

/* All descriptors that the tasks of a guest have waited for. */
typedef struct {
  Poller *poller;
  Interest **pages; /* by descriptor, PAGE_LENGTH of them a page; pages are made when needed */
  guint n_pages;
  guint32 serial; /* of the last registration; tells a stale event from a good one */
} FdTable;

G_GNUC_INTERNAL void tractor__fd_table_init (FdTable *table, Poller *poller);
G_GNUC_INTERNAL void tractor__fd_table_clear (FdTable *table);
/* A PollerFunc: wakes whoever waits for @fd, if @serial is that of its registration still.
 * @data: an FdTable */
G_GNUC_INTERNAL void
tractor__fd_table_on_event (gpointer data, int fd, guint32 serial, guint32 events);
/* How many tasks wait. */
G_GNUC_INTERNAL guint tractor__fd_table_count_waits (const FdTable *table);
