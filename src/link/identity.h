/* identity.h - who bears which name and uuid. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "actor-id.h"
#include "origin.h"

typedef struct {
  guint refs;
  GHashTable *table;
  ActorId id;
  Origin *origin;
  char *key; /* (nullable): a secret that it tells whom it connects to */
} Identity;

/* (transfer full): (element-type Identity): those that there are. */
G_GNUC_INTERNAL GHashTable *tractor__identities_new (void);
/* Whoever has connected from @origin says that it is @id. The first who says so holds it until that is
 * let go. @key: (nullable): what it has told besides. Returns: (transfer full): NULL with AUTH if it is
 * held by another. */
G_GNUC_INTERNAL Identity *tractor__identity_claim (
    GHashTable *identities, const ActorId *id, Origin *origin, const char *key, GError **error);
/* Whoever we have connected to, over @fd, says that it is @id. Returns: FALSE with AUTH if another process
 * holds that. */
G_GNUC_INTERNAL gboolean tractor__identity_check (
    GHashTable *identities, const ActorId *id, GHashTable *origins, int fd, GError **error);
G_GNUC_INTERNAL Identity *tractor__identity_ref (Identity *identity);
G_GNUC_INTERNAL void tractor__identity_unref (Identity *identity);

/* Whether nobody but its holder can claim it again. */
static inline gboolean
identity_is_proven (const Identity *identity)
{
  return identity->key != NULL || origin_is_process (identity->origin);
}

/* (transfer full): for tractor__identity_claim(): nobody can guess it. */
G_GNUC_INTERNAL char *tractor__identity_make_key (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Identity, tractor__identity_unref)
