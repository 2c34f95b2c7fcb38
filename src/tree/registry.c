/* registry.c - who is where: the registrar.
 *
 * An entry is an actor with its addresses. Names need not be unique, and who asks for one gets the
 * latest that took it. Here is what actors ask of the registrar; the table is in registry-table.c, and
 * who is entered in it, and may speak for whom, in registry-enter.c.
 *
 * Who finds nobody at an address may say so (delete_addr), but that is tried before it is believed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "registry.h"

#include <string.h>

#include "bounds.h"
#include "exports.h"
#include "log.h"
#include "registry-enter.h"

/* --- what peers ask ---------------------------------------------------------------------------- */

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
  return (g_variant_lookup (kwargs, "name", "&s", ret_name) &&
          strlen (*ret_name) <= LIMIT_NAME_BYTES) ||
         set_kwargs_error (error, "name");
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

/* Returns: NULL with NOT_EXPOSED if another was quicker to be the registrar, after somebody had asked us. */
static Registry *
get_own (const TractorRuntime *runtime, GError **error)
{
  if (runtime->registry == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED,
                         "It is not the registrar after all");
  return runtime->registry;
}

static gboolean
register_actor (TractorRuntime *runtime,
                Link *link,
                GVariant *kwargs,
                G_GNUC_UNUSED GVariant **ret_result,
                GError **error)
{
  Registry *registry = get_own (runtime, error);
  g_auto (ActorId) id = { 0 };
  g_auto (Address) address = { 0 };

  return registry != NULL && lookup_id (kwargs, &id, error) && check_is_own (link, &id, error) &&
         lookup_address (kwargs, &address, error) &&
         tractor__registry_enter (registry, link, &address, error);
}

static gboolean
unregister_actor (TractorRuntime *runtime,
                  Link *link,
                  GVariant *kwargs,
                  G_GNUC_UNUSED GVariant **ret_result,
                  GError **error)
{
  Registry *registry = get_own (runtime, error);
  g_auto (ActorId) id = { 0 };
  Entry *entry;

  if (registry == NULL || !lookup_id (kwargs, &id, error) || !check_is_own (link, &id, error) ||
      !tractor__link_claim_identity (link, NULL, error))
    return FALSE;
  entry = tractor__registry_find_by_uuid (registry, id.uuid);
  if (entry != NULL && !tractor__registry_check_may_speak (entry, link, error))
    return FALSE;
  if (entry != NULL)
    tractor__registry_drop (registry, entry);
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
find_actor (TractorRuntime *runtime,
            G_GNUC_UNUSED Link *link,
            GVariant *kwargs,
            GVariant **ret_result,
            GError **error)
{
  Registry *registry = get_own (runtime, error);
  const char *name;

  if (registry == NULL || !lookup_name (kwargs, &name, error))
    return FALSE;
  *ret_result = addresses_to_variant (tractor__registry_find_by_name (registry, name));
  return TRUE;
}

static gboolean
wait_for_actor (TractorRuntime *runtime,
                G_GNUC_UNUSED Link *link,
                GVariant *kwargs,
                GVariant **ret_result,
                GError **error)
{
  Registry *registry = get_own (runtime, error);
  const char *name;
  Entry *entry;

  if (registry == NULL || !lookup_name (kwargs, &name, error))
    return FALSE;
  while ((entry = tractor__registry_find_by_name (registry, name)) == NULL)
    if (!tractor__registry_wait_for_name (registry, name, error))
      return FALSE;
  *ret_result = addresses_to_variant (entry);
  return TRUE;
}

static gboolean
get_registry (TractorRuntime *runtime,
              G_GNUC_UNUSED Link *link,
              G_GNUC_UNUSED GVariant *kwargs,
              GVariant **ret_result,
              GError **error)
{
  Registry *registry = get_own (runtime, error);
  GVariantBuilder builder;

  if (registry == NULL)
    return FALSE;
  tractor__registry_drop_all_ended (registry);
  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (GList *at = registry->entries.head; at != NULL; at = at->next) {
    const Entry *entry = at->data;
    g_autofree char *key =
        g_strdup_printf ("%s.%s", entry_get_id (entry)->name, entry_get_id (entry)->uuid);

    g_variant_builder_add (&builder, "{sv}", key, addresses_to_variant (entry));
  }
  *ret_result = g_variant_builder_end (&builder);
  return TRUE;
}

/* Of an entry that goes with a connection nothing need be struck off. */
static gboolean
may_be_struck_off (const Entry *entry)
{
  return entry != NULL && !entry->is_own && entry->link == NULL;
}

/* On another machine whoever says so knows better. */
static gboolean
is_nobody_at (const Address *address)
{
  return (address->kind == ADDRESS_TCP && !tractor__address_is_loopback (address)) ||
         !tractor__registry_is_somebody_at (address);
}

/* Somebody could not connect there. */
static gboolean
delete_addr (TractorRuntime *runtime,
             G_GNUC_UNUSED Link *link,
             GVariant *kwargs,
             GVariant **ret_result,
             GError **error)
{
  Registry *registry = get_own (runtime, error);
  g_auto (Address) address = { 0 };
  Entry *entry;

  if (registry == NULL || !lookup_address (kwargs, &address, error))
    return FALSE;
  entry = tractor__registry_find_by_address (registry, &address);
  if (may_be_struck_off (entry) && is_nobody_at (&address)) {
    *ret_result = g_variant_new ("(ss)", entry_get_id (entry)->name, entry_get_id (entry)->uuid);
    tractor__registry_take_address_away (registry, entry, &address);
  }
  return TRUE;
}

#define SERVED(function)                                                                           \
  {                                                                                                \
    .entry = &(const TractorExport){ #function, TRACTOR_EXPORT_CALL }, .func = function            \
  }

static const Served served[] = {
  SERVED (register_actor), SERVED (unregister_actor), SERVED (find_actor),
  SERVED (wait_for_actor), SERVED (get_registry),     SERVED (delete_addr),
};

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

  while (strcmp (served[i].entry->name, function) != 0)
    i++;
  if (!served[i].func (registry->runtime, NULL, kwargs, &result, error))
    return FALSE;
  if (result != NULL)
    result = g_variant_take_ref (result);
  /* In the form that it would have coming from another actor. */
  return tractor__codec_pack (packed, result, PACK_AT_ONCE, error) &&
         tractor__codec_unpack ((WireValue){ packed->data, packed->len }, ret_result, error);
}

/* --- life -------------------------------------------------------------------------------------- */

static void
enter_child (TractorRuntime *runtime, Link *link)
{
  const GPtrArray *addresses = link->peer_addresses;

  for (guint i = 0; addresses != NULL && i < addresses->len; i++) {
    g_autoptr (GError) problem = NULL;

    if (!tractor__registry_enter (runtime->registry, link, addresses->pdata[i], &problem))
      log_info (LOG_REGISTRY, "actor '%s' is not registered: %s", link->peer.name,
                problem->message);
  }
}

static void
forget_link (TractorRuntime *runtime, Link *link)
{
  Registry *registry = runtime->registry;
  Entry *entry = g_hash_table_lookup (registry->by_uuid, link->peer.uuid);

  if (entry != NULL && entry->speaker == link)
    entry->speaker = NULL;
  if (entry != NULL && entry->link == link)
    tractor__registry_drop (registry, entry);
}

static void
serve (Registry *registry)
{
  for (guint i = 0; i < G_N_ELEMENTS (served); i++)
    tractor__exports_add (registry->runtime->exports, NAMESPACE_SELF, &served[i]);
}

static void
stop_serving (Registry *registry)
{
  for (guint i = 0; i < G_N_ELEMENTS (served); i++)
    tractor__exports_remove (registry->runtime->exports, NAMESPACE_SELF, served[i].entry->name);
}

Registry *
tractor__registry_new (TractorRuntime *runtime)
{
  Registry *registry = g_new0 (Registry, 1);

  registry->runtime = runtime;
  tractor__registry_init (registry);
  runtime->child_answers = enter_child;
  runtime->link_ended = forget_link;
  serve (registry);
  return registry;
}

void
tractor__registry_free (Registry *registry)
{
  if (registry == NULL)
    return;
  registry->runtime->child_answers = NULL;
  registry->runtime->link_ended = NULL;
  stop_serving (registry);
  tractor__registry_clear (registry);
  g_free (registry);
}
