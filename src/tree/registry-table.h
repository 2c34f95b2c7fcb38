/* registry-table.h - the table that a registrar keeps: who is entered in it, and who waits for them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "registry.h"
#include "tractor-sync.h"

typedef struct {
  GList in_all;
  GList in_name;
  Identity *identity;
  Origin *origin;        /* whose share it is of */
  GPtrArray *addresses;  /* (element-type Address) */
  Link *link;            /* (nullable): not owned: it goes with that */
  Link *speaker;         /* (nullable): not owned: over which it was entered, while that is there */
  gboolean is_own;       /* of the registrar itself */
  gboolean is_unwatched; /* nobody would notice its end */
} Entry;

struct _Registry {
  TractorRuntime *runtime;
  GQueue entries;         /* (element-type Entry): the oldest first */
  GHashTable *by_uuid;    /* uuid -> Entry */
  GHashTable *by_name;    /* name -> GQueue of Entry, the oldest first */
  GHashTable *by_address; /* Address -> Entry */
  GHashTable *waiters;    /* name -> Waiters */
  guint n_unwatched;      /* entries whose end nobody would notice */
  gint64 struck_off_at;   /* when it was tried last whether they have ended */
};

static inline const ActorId *
entry_get_id (const Entry *entry)
{
  return &entry->identity->id;
}

G_GNUC_INTERNAL void tractor__registry_init (Registry *registry);
G_GNUC_INTERNAL void tractor__registry_clear (Registry *registry);

/* (transfer none): a copy of @entry, without addresses yet. */
G_GNUC_INTERNAL Entry *tractor__registry_insert (Registry *registry, const Entry *entry);
/* If nobody has it, and there is room for it. */
G_GNUC_INTERNAL void
tractor__registry_add_address (Registry *registry, Entry *entry, const Address *address);
/* With its last one an entry goes too. */
G_GNUC_INTERNAL void
tractor__registry_take_address_away (Registry *registry, Entry *entry, const Address *address);
G_GNUC_INTERNAL void tractor__registry_drop (Registry *registry, Entry *entry);
/* Those of actors that have ended. */
G_GNUC_INTERNAL void tractor__registry_drop_all_ended (Registry *registry);

/* (nullable), all of them: one that has ended is dropped, and not found. */
G_GNUC_INTERNAL Entry *tractor__registry_find_by_uuid (Registry *registry, const char *uuid);
/* @name: also a uuid. Returns: the newest. */
G_GNUC_INTERNAL Entry *tractor__registry_find_by_name (Registry *registry, const char *name);
G_GNUC_INTERNAL Entry *tractor__registry_find_by_address (Registry *registry,
                                                          const Address *address);

/* Returns: FALSE with CANCELLED, or CLOSED if there is no registrar any more. */
G_GNUC_INTERNAL gboolean tractor__registry_wait_for_name (Registry *registry,
                                                          const char *name,
                                                          GError **error);
G_GNUC_INTERNAL void tractor__registry_tell_waiters (Registry *registry, const char *name);
