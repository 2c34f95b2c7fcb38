/* registry.c - who is where: the table that a registrar keeps.
 *
 * An entry is an actor with its addresses, newest first: names need not be unique, and who asks for
 * one wants the latest that took it. An actor may only register itself. An actor of this library
 * keeps the connection over which it registered, and its entry vanishes with that: so nobody finds
 * one that is dead. A Python actor registers over a connection that it closes at once; its entry
 * stays until it unregisters, or until somebody fails to connect and says so (delete_addr). */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "registry.h"

#include <string.h>

#include "bounds.h"
#include "tractor-sync.h"

typedef struct {
  ActorId id;
  GPtrArray *addresses; /* (element-type Address) */
  Link *link;           /* (nullable): not owned */
} Entry;

struct _Registry {
  GPtrArray *entries; /* (element-type Entry): the oldest first */
  TractorParkingLot *waiters;
};

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  actor_id_clear (&entry->id);
  g_ptr_array_unref (entry->addresses);
  g_free (entry);
}

Registry *
tractor__registry_new (void)
{
  Registry *registry = g_new (Registry, 1);

  registry->entries = g_ptr_array_new_with_free_func (entry_free);
  registry->waiters = tractor_parking_lot_new ();
  return registry;
}

void
tractor__registry_free (Registry *registry)
{
  if (registry == NULL)
    return;
  g_ptr_array_unref (registry->entries);
  tractor_parking_lot_break (registry->waiters); /* other tasks of this program */
  tractor_parking_lot_free (registry->waiters);
  g_free (registry);
}

/* --- the table --------------------------------------------------------------------------------------- */

static Entry *
find_by_id (Registry *registry, const ActorId *id)
{
  for (guint i = 0; i < registry->entries->len; i++) {
    Entry *entry = registry->entries->pdata[i];

    if (actor_id_equal (&entry->id, id))
      return entry;
  }
  return NULL;
}

/* @name: also a uuid. Returns: the newest. */
static Entry *
find_by_name (Registry *registry, const char *name)
{
  for (guint i = registry->entries->len; i-- > 0;) {
    Entry *entry = registry->entries->pdata[i];

    if (strcmp (entry->id.name, name) == 0 || strcmp (entry->id.uuid, name) == 0)
      return entry;
  }
  return NULL;
}

static gboolean
has_address (const Entry *entry, const Address *address, guint *ret_index)
{
  return g_ptr_array_find_with_equal_func (entry->addresses, address, tractor__address_equal,
                                           ret_index);
}

/* Takes @address away from whoever has it, but @keep. Returns: (nullable): whoever had it. */
static Entry *
evict_address (Registry *registry, const Address *address, const Entry *keep)
{
  for (guint i = 0; i < registry->entries->len; i++) {
    Entry *entry = registry->entries->pdata[i];
    guint at;

    if (entry == keep || !has_address (entry, address, &at))
      continue;
    g_ptr_array_remove_index (entry->addresses, at);
    return entry;
  }
  return NULL;
}

static void
drop_if_empty (Registry *registry, Entry *entry)
{
  if (entry != NULL && entry->addresses->len == 0)
    g_ptr_array_remove (registry->entries, entry);
}

static guint
count_of_link (Registry *registry, const Link *link)
{
  guint n = 0;

  for (guint i = 0; i < registry->entries->len; i++)
    n += ((Entry *) registry->entries->pdata[i])->link == link;
  return n;
}

static Entry *
add_entry (Registry *registry, const ActorId *id, Link *link, GError **error)
{
  Entry *entry;

  if (registry->entries->len >= LIMIT_REGISTRY_ENTRIES ||
      (link != NULL && count_of_link (registry, link) >= LIMIT_NAMES_OF_LINK)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT,
                         "The registrar has no room for more actors");
    return NULL;
  }
  entry = g_new0 (Entry, 1);
  actor_id_copy (id, &entry->id);
  entry->addresses = g_ptr_array_new_with_free_func (tractor__address_free);
  g_ptr_array_add (registry->entries, entry);
  return entry;
}

gboolean
tractor__registry_add (
    Registry *registry, const ActorId *id, const Address *address, Link *link, GError **error)
{
  Entry *entry = find_by_id (registry, id);

  if (entry == NULL)
    entry = add_entry (registry, id, link, error);
  if (entry == NULL)
    return FALSE;
  if (link != NULL)
    entry->link = link;
  drop_if_empty (registry, evict_address (registry, address, entry));
  if (!has_address (entry, address, NULL) && entry->addresses->len < LIMIT_ADDRESSES) {
    Address *copy = g_new (Address, 1);

    tractor__address_copy (address, copy);
    g_ptr_array_add (entry->addresses, copy);
  }
  tractor_parking_lot_unpark (registry->waiters, G_MAXUINT);
  return TRUE;
}

void
tractor__registry_forget_link (Registry *registry, Link *link)
{
  for (guint i = registry->entries->len; i-- > 0;) {
    Entry *entry = registry->entries->pdata[i];

    if (entry->link == link)
      g_ptr_array_remove_index (registry->entries, i);
  }
}

/* --- what peers ask ------------------------------------------------------------------------------------ */

static gboolean
set_kwargs_error (GError **error, const char *what)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE, "The registrar needs %s", what);
  return FALSE;
}

/* A [name, uuid] pair. */
static gboolean
lookup_id (GVariant *kwargs, ActorId *ret_id, GError **error)
{
  g_autoptr (GVariant) pair = g_variant_lookup_value (kwargs, "uid", G_VARIANT_TYPE ("av"));
  g_autoptr (GVariant) name = NULL;
  g_autoptr (GVariant) uuid = NULL;

  if (pair != NULL && g_variant_n_children (pair) == 2) {
    g_variant_get_child (pair, 0, "v", &name);
    g_variant_get_child (pair, 1, "v", &uuid);
  }
  if (name == NULL || !g_variant_is_of_type (name, G_VARIANT_TYPE_STRING) ||
      !g_variant_is_of_type (uuid, G_VARIANT_TYPE_STRING) ||
      g_variant_get_size (name) > LIMIT_NAME_BYTES || g_variant_get_size (uuid) > LIMIT_NAME_BYTES)
    return set_kwargs_error (error, "uid, a pair of a name and a uuid");
  ret_id->name = g_variant_dup_string (name, NULL);
  ret_id->uuid = g_variant_dup_string (uuid, NULL);
  return TRUE;
}

static gboolean
lookup_address (GVariant *kwargs, Address *ret_address, GError **error)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (kwargs, "addr", NULL);

  if (!tractor__address_from_variant (value, ret_address, error))
    return FALSE;
  return ret_address->kind != ADDRESS_NONE || set_kwargs_error (error, "addr, an address");
}

static gboolean
lookup_name (GVariant *kwargs, const char **ret_name, GError **error)
{
  return g_variant_lookup (kwargs, "name", "&s", ret_name) || set_kwargs_error (error, "name");
}

/* An actor speaks for itself only. */
static gboolean
check_is_own (Link *link, const ActorId *id, GError **error)
{
  if (actor_id_equal (id, &link->peer))
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
               "Actor '%s' can register and unregister only itself", link->peer.name);
  return FALSE;
}

static gboolean
register_actor (Registry *registry,
                Link *link,
                GVariant *kwargs,
                G_GNUC_UNUSED GVariant **ret_result,
                GError **error)
{
  g_auto (ActorId) id = { 0 };
  g_auto (Address) address = { 0 };
  gboolean is_bound = FALSE;

  g_variant_lookup (kwargs, "is_bound", "b", &is_bound);
  return lookup_id (kwargs, &id, error) && check_is_own (link, &id, error) &&
         lookup_address (kwargs, &address, error) &&
         tractor__registry_add (registry, &id, &address, is_bound ? link : NULL, error);
}

static gboolean
unregister_actor (Registry *registry,
                  Link *link,
                  GVariant *kwargs,
                  G_GNUC_UNUSED GVariant **ret_result,
                  GError **error)
{
  g_auto (ActorId) id = { 0 };

  if (!lookup_id (kwargs, &id, error) || !check_is_own (link, &id, error))
    return FALSE;
  g_ptr_array_remove (registry->entries, find_by_id (registry, &id));
  return TRUE;
}

/* (transfer floating) (nullable) */
static GVariant *
addresses_to_variant (const Entry *entry)
{
  GVariantBuilder builder;

  if (entry == NULL || entry->addresses->len == 0)
    return NULL;
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
  for (guint i = 0; i < entry->addresses->len; i++)
    g_variant_builder_add (&builder, "v", tractor__address_to_variant (entry->addresses->pdata[i]));
  return g_variant_builder_end (&builder);
}

static gboolean
find_actor (Registry *registry,
            G_GNUC_UNUSED Link *link,
            GVariant *kwargs,
            GVariant **ret_result,
            GError **error)
{
  const char *name;

  if (!lookup_name (kwargs, &name, error))
    return FALSE;
  *ret_result = addresses_to_variant (find_by_name (registry, name));
  return TRUE;
}

static gboolean
wait_for_actor (Registry *registry,
                G_GNUC_UNUSED Link *link,
                GVariant *kwargs,
                GVariant **ret_result,
                GError **error)
{
  const char *name;
  Entry *entry;

  if (!lookup_name (kwargs, &name, error))
    return FALSE;
  while ((entry = find_by_name (registry, name)) == NULL)
    if (!tractor_parking_lot_park (registry->waiters, error))
      return FALSE;
  *ret_result = addresses_to_variant (entry);
  return TRUE;
}

static gboolean
get_registry (Registry *registry,
              G_GNUC_UNUSED Link *link,
              G_GNUC_UNUSED GVariant *kwargs,
              GVariant **ret_result,
              G_GNUC_UNUSED GError **error)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (guint i = 0; i < registry->entries->len; i++) {
    Entry *entry = registry->entries->pdata[i];
    g_autofree char *key = g_strdup_printf ("%s.%s", entry->id.name, entry->id.uuid);

    g_variant_builder_add (&builder, "{sv}", key, addresses_to_variant (entry));
  }
  *ret_result = g_variant_builder_end (&builder);
  return TRUE;
}

/* Somebody could not connect there. */
static gboolean
delete_addr (
    Registry *registry, Link *link, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_auto (Address) address = { 0 };
  Entry *entry;

  if (!lookup_address (kwargs, &address, error))
    return FALSE;
  entry = link != NULL ? find_by_id (registry, &link->runtime->id) : NULL;
  if (entry != NULL && has_address (entry, &address, NULL))
    return TRUE; /* our own: whoever asks has reached us */
  entry = evict_address (registry, &address, NULL);
  if (entry != NULL)
    *ret_result = g_variant_new ("(ss)", entry->id.name, entry->id.uuid);
  drop_if_empty (registry, entry);
  return TRUE;
}

static const struct {
  const char *name;
  RegistryFunc func;
} funcs[] = {
  { "register_actor", register_actor }, { "unregister_actor", unregister_actor },
  { "find_actor", find_actor },         { "wait_for_actor", wait_for_actor },
  { "get_registry", get_registry },     { "delete_addr", delete_addr },
};

RegistryFunc
tractor__registry_find_func (const Msg *start)
{
  for (guint i = 0; i < G_N_ELEMENTS (funcs); i++)
    if (tractor__msg_string_equals (start, FIELD_FUNC, funcs[i].name))
      return funcs[i].func;
  return NULL;
}

gboolean
tractor__registry_ask (Registry *registry,
                       const char *function,
                       GVariant *kwargs,
                       GVariant **ret_result,
                       GError **error)
{
  g_autoptr (GVariant) result = NULL;
  g_autoptr (WireBuffer) packed = tractor__wire_buffer_new ();
  guint i = 0;

  while (strcmp (funcs[i].name, function) != 0)
    i++;
  if (!funcs[i].func (registry, NULL, kwargs, &result, error))
    return FALSE;
  if (result != NULL)
    result = g_variant_take_ref (result);
  /* In the form that it would have coming from another actor. */
  return tractor__codec_pack (packed, result, error) &&
         tractor__codec_unpack ((WireValue){ packed->data, packed->len }, ret_result, error);
}
