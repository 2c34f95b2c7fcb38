/* identity.c - who bears which name and uuid.
 *
 * An actor says in its first message who it is. An identity is held by whoever was first to say so:
 * by this actor for itself, by a child from before it runs, by any other from its introduction on,
 * until its last connection and its entry in the registry are gone. While it is held, nobody else
 * bears it.
 *
 * Who is the same again, is known of a process by the kernel. Over TCP, which any process of this
 * machine can use, it is known by a key: one that the actor has made up, or its parent for it, and
 * tells in its first message only to those it connects to itself. It is as good as these are. An actor
 * of another make has no such key, and over TCP nothing tells it apart from whoever knows its name and
 * uuid: those are let in, for a Python actor makes a new connection for every question. What they may
 * change is said in registry-enter.c. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "identity.h"

#include <string.h>
#include <unistd.h>

#include "tractor-error.h"

GHashTable *
tractor__identities_new (void)
{
  return g_hash_table_new (g_str_hash, g_str_equal); /* by the uuid, which has no two */
}

Identity *
tractor__identity_ref (Identity *identity)
{
  identity->refs++;
  return identity;
}

void
tractor__identity_unref (Identity *identity)
{
  if (identity == NULL || --identity->refs > 0)
    return;
  g_hash_table_remove (identity->table, identity->id.uuid);
  g_hash_table_unref (identity->table);
  actor_id_clear (&identity->id);
  tractor__origin_unref (identity->origin);
  g_free (identity->key);
  g_free (identity);
}

/* In the same time, wherever they differ. */
static gboolean
is_same_key (const char *a, const char *b)
{
  gsize length = strlen (a);
  char difference = 0;

  if (strlen (b) != length)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    difference |= (char) (a[i] ^ b[i]);
  return difference == 0;
}

static gboolean
is_holder (const Identity *identity, const ActorId *id, const Origin *origin, const char *key)
{
  if (!actor_id_equal (&identity->id, id))
    return FALSE;
  if (origin_is_process (origin) && origin_is_process (identity->origin))
    return origin == identity->origin;
  if (identity->key != NULL)
    return key != NULL && is_same_key (key, identity->key);
  return origin == identity->origin; /* both over TCP */
}

static Identity *
identity_new (GHashTable *identities, const ActorId *id, Origin *origin, const char *key)
{
  Identity *identity = g_new0 (Identity, 1);

  identity->refs = 1;
  identity->table = g_hash_table_ref (identities);
  actor_id_copy (id, &identity->id);
  identity->origin = tractor__origin_ref (origin);
  identity->key = g_strdup (key);
  g_hash_table_insert (identities, identity->id.uuid, identity);
  return identity;
}

static gboolean
set_held_error (GError **error, const Identity *identity)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
               "Another process is the actor '%s' of this uuid", identity->id.name);
  return FALSE;
}

Identity *
tractor__identity_claim (
    GHashTable *identities, const ActorId *id, Origin *origin, const char *key, GError **error)
{
  Identity *identity = g_hash_table_lookup (identities, id->uuid);

  if (identity == NULL)
    return identity_new (identities, id, origin, key);
  if (!is_holder (identity, id, origin, key)) {
    set_held_error (error, identity);
    return NULL;
  }
  if (!origin_is_process (identity->origin)) { /* it has come over TCP before */
    tractor__origin_unref (identity->origin);
    identity->origin = tractor__origin_ref (origin);
  }
  return tractor__identity_ref (identity);
}

gboolean
tractor__identity_check (
    GHashTable *identities, const ActorId *id, GHashTable *origins, int fd, GError **error)
{
  const Identity *identity = g_hash_table_lookup (identities, id->uuid);
  g_autoptr (Origin) origin = NULL;

  if (identity == NULL || !origin_is_process (identity->origin))
    return TRUE;
  origin = tractor__origin_of_socket (origins, fd);
  /* Who listens on TCP proves nothing: it has not come to us. */
  return !origin_is_process (origin) || origin == identity->origin ||
         set_held_error (error, identity);
}

char *
tractor__identity_make_key (void)
{
  guint8 bytes[16];
  GString *key = g_string_new (NULL);

  if (getentropy (bytes, sizeof bytes) != 0)
    g_error ("the kernel has no random numbers");
  for (gsize i = 0; i < sizeof bytes; i++)
    g_string_append_printf (key, "%02x", bytes[i]);
  return g_string_free (key, FALSE);
}
