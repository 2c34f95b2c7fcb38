/* actor-id.h - who an actor is: a name, which need not be unique, and a uuid, which is. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>
#include <unistd.h>

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

/* (transfer full): of the kernel's random numbers: GLib's may be those of another process, of which we are a copy. */
static inline char *
actor_id_new_uuid (void)
{
  guint8 b[16];

  if (getentropy (b, sizeof b) != 0)
    g_error ("the kernel has no random numbers");
  b[6] = (guint8) ((b[6] & 0x0f) | 0x40); /* RFC 4122, version 4 */
  b[8] = (guint8) ((b[8] & 0x3f) | 0x80);
  return g_strdup_printf ("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                          b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
                          b[12], b[13], b[14], b[15]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ActorId, actor_id_clear)
