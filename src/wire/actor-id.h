/* actor-id.h - who an actor is: a name, which need not be unique, and a uuid, which is. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

typedef struct {
  char *name;
  char *uuid;
} ActorId;

static inline void
actor_id_clear (ActorId *id)
{
  g_clear_pointer (&id->name, g_free);
  g_clear_pointer (&id->uuid, g_free);
}

static inline void
actor_id_copy (const ActorId *from, ActorId *to)
{
  to->name = g_strdup (from->name);
  to->uuid = g_strdup (from->uuid);
}

static inline gboolean
actor_id_equal (const ActorId *a, const ActorId *b)
{
  return g_strcmp0 (a->uuid, b->uuid) == 0 && g_strcmp0 (a->name, b->name) == 0;
}

/* (transfer full): "name@uuid" */
static inline char *
actor_id_to_string (const ActorId *id)
{
  return g_strdup_printf ("%s@%s", id->name, id->uuid);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ActorId, actor_id_clear)
