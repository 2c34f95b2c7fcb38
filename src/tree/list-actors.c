/* list-actors.c - all actors, or all of a name: what the registrars say, put together.
 *
 * An actor that two registrars know is listed once. Who is gone meanwhile is left out of those that are
 * found; that no registrar can be reached is an error of a list, and nobody found. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-discovery.h"

#include <string.h>

#include "ask-registrars.h"
#include "escape.h"

/* --- listing ----------------------------------------------------------------------------------- */

static void
actor_info_free (gpointer data)
{
  TractorActorInfo *info = data;

  g_free (info->name);
  g_free (info->uuid);
  g_strfreev (info->addresses);
  g_free (info);
}

static char **
addresses_to_texts (GVariant *value)
{
  g_autoptr (GPtrArray) addresses = tractor__address_list_from_variant (value, NULL);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (guint i = 0; addresses != NULL && i < addresses->len; i++) {
    g_autofree char *text = tractor__address_to_string (addresses->pdata[i]);

    g_strv_builder_add (builder, text);
  }
  return g_strv_builder_end (builder);
}

/* What the registrars say, put together. */
typedef struct {
  const char *wanted_name; /* (nullable): all */
  GPtrArray *infos;        /* (element-type TractorActorInfo) */
  GHashTable *uuids;       /* of those */
} Listing;

/* @key: "name.uuid"; a uuid has no dot in it. What could not be the name of an actor is left out. */
static void
add_info (Listing *listing, const char *key, GVariant *value)
{
  const char *dot = strrchr (key, '.');
  g_autofree char *name = dot != NULL ? g_strndup (key, (gsize) (dot - key)) : NULL;
  TractorActorInfo *info;

  if (name == NULL || g_hash_table_contains (listing->uuids, dot + 1) || !tractor__is_name (name) ||
      !tractor__is_name (dot + 1) ||
      (listing->wanted_name != NULL && strcmp (listing->wanted_name, name) != 0))
    return;
  info = g_new (TractorActorInfo, 1);
  info->name = g_steal_pointer (&name);
  info->uuid = g_strdup (dot + 1);
  info->addresses = addresses_to_texts (value);
  g_ptr_array_add (listing->infos, info);
  g_hash_table_add (listing->uuids, info->uuid);
}

static gboolean
list_at (TractorRuntime *runtime, Registrar *registrar, Listing *listing, GError **error)
{
  g_autoptr (GVariant) result = NULL;
  GVariantIter iter;
  const char *key;
  GVariant *value;

  if (!tractor__registrars_ask (runtime, registrar, "get_registry", NULL, &result, error))
    return FALSE;
  if (result == NULL || !g_variant_is_of_type (result, G_VARIANT_TYPE_VARDICT)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                         "The registrar's answer is no map");
    return FALSE;
  }
  g_variant_iter_init (&iter, result);
  while (g_variant_iter_next (&iter, "{&sv}", &key, &value)) {
    add_info (listing, key, value);
    g_variant_unref (value);
  }
  return TRUE;
}

static GPtrArray *
list_anywhere (TractorRuntime *runtime, const char *name, GError **error)
{
  g_autoptr (GPtrArray) infos = g_ptr_array_new_with_free_func (actor_info_free);
  g_autoptr (GHashTable) uuids = g_hash_table_new (g_str_hash, g_str_equal);
  Listing listing = { name, infos, uuids };
  g_autoptr (GError) problem = NULL;
  gboolean is_answered = FALSE;
  Registrar *registrar;

  for (guint i = 0; i < tractor__registrars_get (runtime, i, &registrar); i++) {
    g_clear_error (&problem);
    if (list_at (runtime, registrar, &listing, &problem)) {
      is_answered = TRUE;
    } else if (error_is_cancelled (problem) || error_is_local (problem)) {
      g_propagate_error (error, g_steal_pointer (&problem));
      return NULL;
    }
  }
  if (!is_answered) {
    tractor__registrars_set_unreachable (error, problem);
    return NULL;
  }
  return g_steal_pointer (&infos);
}

GPtrArray *
tractor_list_actors (const char *name, GError **error)
{
  RuntimeUse use;
  GPtrArray *infos = NULL;
  GError *failure = NULL;

  if (tractor__runtime_enter (&use, &failure) != NULL)
    infos = list_anywhere (use.runtime, name, &failure);
  tractor__runtime_leave (&use, failure, error);
  return infos;
}

/* --- finding all ------------------------------------------------------------------------------- */

/* (transfer full) (nullable): NULL with @error unset if it is gone. */
static TractorPortal *
connect_to_info (TractorRuntime *runtime, const TractorActorInfo *info, GError **error)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (tractor__address_free);
  Registrar *registrar;

  for (char **text = info->addresses; *text != NULL; text++) {
    Address *address = g_new0 (Address, 1);

    if (tractor__address_parse (*text, address, NULL))
      g_ptr_array_add (addresses, address);
    else
      g_free (address);
  }
  tractor__registrars_get (runtime, 0, &registrar);
  return tractor__registrars_connect (runtime, registrar, addresses, error);
}

static GPtrArray *
find_all (TractorRuntime *runtime, const char *name, GError **error)
{
  g_autoptr (GPtrArray) portals =
      g_ptr_array_new_with_free_func ((GDestroyNotify) tractor_portal_unref);
  g_autoptr (GPtrArray) infos = NULL;
  GError *problem = NULL;

  infos = list_anywhere (runtime, name, &problem);
  if (infos == NULL && (error_is_cancelled (problem) || error_is_local (problem))) {
    g_propagate_error (error, problem);
    return NULL;
  }
  g_clear_error (&problem);
  for (guint i = infos != NULL ? infos->len : 0; i-- > 0;) {
    TractorPortal *portal = connect_to_info (runtime, infos->pdata[i], &problem);

    if (problem != NULL) {
      g_propagate_error (error, problem);
      return NULL;
    }
    if (portal != NULL)
      g_ptr_array_add (portals, portal);
  }
  return g_steal_pointer (&portals);
}

GPtrArray *
tractor_find_actors (const char *name, GError **error)
{
  RuntimeUse use;
  GPtrArray *portals = NULL;
  GError *failure = NULL;

  if (!tractor_error_check_given (name, "name", error))
    return NULL;

  if (tractor__registrars_enter (&use, name, &failure))
    portals = find_all (use.runtime, name, &failure);
  tractor__runtime_leave (&use, failure, error);
  return portals;
}
