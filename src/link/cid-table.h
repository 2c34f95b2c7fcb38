/* cid-table.h - what is open on a link, found by call id. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

typedef struct _CidEntry CidEntry;

/* Part of what is found. Zeroed memory is in no table. */
struct _CidEntry {
  gpointer owner; /* what it is part of; NULL: it is in no table */
  const char *cid;
  gsize length;
  guint hash;
  CidEntry *next; /* in its bucket */
};

/* Zeroed memory is an empty one. */
typedef struct {
  CidEntry **buckets;
  guint n_buckets; /* a power of two, or 0 */
  guint n_entries;
} CidTable;

typedef void (*CidFunc) (gpointer owner, gpointer data);

/* @cid has to stay where it is while @entry is in the table, and must not be in it already. */
G_GNUC_INTERNAL void
tractor__cid_table_add (CidTable *table, CidEntry *entry, const char *cid, gpointer owner);
/* Harmless if it is not in it. */
G_GNUC_INTERNAL void tractor__cid_table_remove (CidTable *table, CidEntry *entry);
/* (nullable): the owner of an entry. */
G_GNUC_INTERNAL gpointer tractor__cid_table_find (const CidTable *table,
                                                  const char *cid,
                                                  gsize length);
/* @func may remove the entry that it is called for, and no other. */
G_GNUC_INTERNAL void tractor__cid_table_foreach (CidTable *table, CidFunc func, gpointer data);
/* It has to be empty. */
G_GNUC_INTERNAL void tractor__cid_table_clear (CidTable *table);
