/* discovery.c - other actors, found by their names.
 *
 * A question goes to every registrar in turn: over the connection that this actor is registered by,
 * if there is one; into our own table, if we are one; else over a connection for just that. A registrar
 * that cannot be reached knows nobody. What is found is connected to, best address first; an address
 * where nobody is any more is reported back. That there is somebody who could not be connected to is an
 * error, and so is that this process could not ask. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-discovery.h"

#include <string.h>

#include "bounds.h"
#include "escape.h"
#include "peer.h"
#include "portal.h"
#include "registration.h"
#include "registry.h"

/* Before the registrar is asked again for one that did not answer. */
#define PAUSE_USEC (G_USEC_PER_SEC / 20)

/* --- asking ------------------------------------------------------------------------------------ */

/* (transfer full): a link to ask over. *@ret_is_own: to be closed afterwards. */
static Link *
get_link (Registrar *registrar, gboolean *ret_is_own, GError **error)
{
  *ret_is_own = registrar->link == NULL;
  if (registrar->link != NULL)
    return tractor__link_ref (registrar->link);
  return tractor__peer_dial (registrar->runtime, &registrar->address, error);
}

/* @registrar: NULL is this actor itself. */
static gboolean
ask (TractorRuntime *runtime,
     Registrar *registrar,
     const char *function,
     GVariant *kwargs,
     GVariant **ret_result,
     GError **error)
{
  g_autofree char *full_name = g_strconcat ("self:", function, NULL);
  g_autoptr (Link) link = NULL;
  gboolean is_own;
  gboolean ok;

  if (registrar == NULL)
    return tractor__registry_ask (runtime->registry, function, kwargs, ret_result, error);
  link = get_link (registrar, &is_own, error);
  if (link == NULL)
    return FALSE;
  ok = tractor__call (link, full_name, kwargs, ret_result, error);
  if (is_own)
    tractor__link_close (link);
  return ok;
}

/* Returns: how many there are to ask; (nullable) *@ret_registrar is number @i, NULL for ourselves. */
static guint
get_registrar (TractorRuntime *runtime, guint i, Registrar **ret_registrar)
{
  guint n_own = runtime->registry != NULL ? 1 : 0;

  *ret_registrar = i >= n_own && i - n_own < runtime->registrars->len
                       ? runtime->registrars->pdata[i - n_own]
                       : NULL;
  return n_own + runtime->registrars->len;
}

static gboolean
is_cancelled (const GError *error)
{
  return g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
}

/* Not the registrar's fault: no descriptor is free here, for example. */
static gboolean
is_local (const GError *error)
{
  return error != NULL && error->domain == G_FILE_ERROR;
}

static gboolean
set_unreachable_error (GError **error, const GError *problem)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY, "No registrar can be reached%s%s",
               problem != NULL ? ": " : "", problem != NULL ? problem->message : "");
  return FALSE;
}

/* --- connecting -------------------------------------------------------------------------------- */

static void
strike_off (TractorRuntime *runtime, Registrar *registrar, const Address *address)
{
  g_autoptr (GVariant) kwargs = NULL;
  g_autoptr (GVariant) struck = NULL;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "addr", tractor__address_to_variant (address));
  kwargs = g_variant_ref_sink (g_variant_builder_end (&builder));
  ask (runtime, registrar, "delete_addr", kwargs, &struck, NULL);
}

/* Tries @addresses, which it uses up, until one answers. Returns: (transfer full) (nullable): NULL
 * with @error unset if nobody is at any of them. */
static TractorPortal *
connect_to_any (TractorRuntime *runtime, Registrar *registrar, GPtrArray *addresses, GError **error)
{
  g_autoptr (GError) first_problem = NULL;
  const Address *address;

  while ((address = tractor__address_choose (addresses)) != NULL) {
    g_autoptr (GError) problem = NULL;
    Link *link = tractor__peer_dial (runtime, address, &problem);

    if (link != NULL)
      return tractor__portal_new_for_link (link, TRUE);
    if (is_cancelled (problem)) {
      g_propagate_error (error, g_steal_pointer (&problem));
      return NULL;
    }
    if (g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED))
      strike_off (runtime, registrar, address);
    else if (first_problem == NULL)
      first_problem = g_steal_pointer (&problem);
    g_ptr_array_remove (addresses, (gpointer) address);
  }
  if (first_problem != NULL)
    g_propagate_error (error, g_steal_pointer (&first_problem));
  return NULL;
}

/* Nobody can bear another, and it cannot be asked for. */
static gboolean
check_name (const char *name, GError **error)
{
  if (g_utf8_validate (name, -1, NULL))
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "An actor's name is UTF-8");
  return FALSE;
}

static GVariant *
new_name_kwargs (const char *name)
{
  return g_variant_ref_sink (g_variant_new_parsed ("{'name': <%s>}", name));
}

/* Asks one registrar, which may wait. *@ret_is_named: it has named somebody, and what fails is the
 * connection to that one. Returns: (transfer full) (nullable): NULL with @error unset if it knows nobody, or
 * who it knows is gone. */
static TractorPortal *
find_at (TractorRuntime *runtime,
         Registrar *registrar,
         const char *function,
         const char *name,
         gboolean *ret_is_named,
         GError **error)
{
  g_autoptr (GVariant) kwargs = new_name_kwargs (name);
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GPtrArray) addresses = NULL;

  *ret_is_named = FALSE;
  if (!ask (runtime, registrar, function, kwargs, &result, error))
    return NULL;
  addresses = tractor__address_list_from_variant (result, error);
  *ret_is_named = addresses != NULL && addresses->len > 0;
  return addresses != NULL ? connect_to_any (runtime, registrar, addresses, error) : NULL;
}

static TractorPortal *
find_anywhere (TractorRuntime *runtime, const char *name, GError **error)
{
  g_autoptr (GError) failure = NULL;
  Registrar *registrar;

  for (guint i = 0; i < get_registrar (runtime, i, &registrar); i++) {
    g_autoptr (GError) problem = NULL;
    gboolean is_named;
    TractorPortal *portal = find_at (runtime, registrar, "find_actor", name, &is_named, &problem);

    if (portal != NULL)
      return portal;
    if (is_cancelled (problem)) {
      g_propagate_error (error, g_steal_pointer (&problem));
      return NULL;
    }
    if (problem != NULL)
      g_debug ("'%s' could not be %s: %s", name,
               is_named ? "connected to" : "asked for at a registrar", problem->message);
    if (failure == NULL && (is_named || is_local (problem)))
      failure = g_steal_pointer (&problem);
  }
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

TractorPortal *
tractor_find_actor (const char *name, GError **error)
{
  RuntimeUse use;
  TractorPortal *portal = NULL;
  GError *failure = NULL;

  if (!tractor_error_check_given (name, "name", error))
    return NULL;

  if (tractor__runtime_enter (&use, &failure) != NULL && check_name (name, &failure))
    portal = find_anywhere (use.runtime, name, &failure);
  tractor__runtime_leave (&use, failure, error);
  return portal;
}

/* --- waiting ----------------------------------------------------------------------------------- */

/* By all registrars at once. */
typedef struct {
  TractorRuntime *runtime;
  const char *name;
  TractorNursery *nursery;
  TractorPortal *found;
  guint n_reachable;      /* registrars */
  GError *problem;        /* (nullable): of the last that could not be asked */
  gboolean is_connecting; /* to somebody that has been named */
  GError *failure;        /* (nullable): why the last of those could not be connected to */
} Wait;

typedef struct {
  Wait *wait;
  Registrar *registrar;
  gboolean is_reachable;
} WaitAtOne;

static void
set_reachable (WaitAtOne *at, gboolean is_reachable)
{
  at->wait->n_reachable += (guint) is_reachable - (guint) at->is_reachable;
  at->is_reachable = is_reachable;
}

/* @problem: (transfer full) (nullable) */
static void
keep_problem (GError **kept, GError *problem)
{
  g_clear_error (kept);
  *kept = problem;
}

/* Asks once; one that was away is not waited at before it has answered. Returns: (transfer full)
 * (nullable): NULL with @error unset if it is to be asked again. */
static TractorPortal *
ask_to_wait (WaitAtOne *at, GError **error)
{
  const char *function = at->is_reachable ? "wait_for_actor" : "find_actor";
  GError *problem = NULL;
  gboolean is_named;
  TractorPortal *portal =
      find_at (at->wait->runtime, at->registrar, function, at->wait->name, &is_named, &problem);

  if (is_cancelled (problem)) {
    at->wait->is_connecting |= is_named;
    g_propagate_error (error, problem);
    return NULL;
  }
  set_reachable (at, is_named || problem == NULL);
  if (is_named) /* it is there, or it is not */
    keep_problem (&at->wait->failure, problem);
  else if (problem != NULL)
    keep_problem (&at->wait->problem, problem);
  return portal;
}

/* Until it answers: what the registrar names may be dead, or somebody else; and the registrar itself may
 * be away for a while. */
static gboolean
wait_at (gpointer data, GError **error)
{
  WaitAtOne *at = data;
  TractorPortal *portal;

  while ((portal = ask_to_wait (at, error)) == NULL)
    if (*error != NULL || !tractor_sleep_until (tractor_now () + PAUSE_USEC, error))
      return FALSE;
  if (at->wait->found == NULL) {
    at->wait->found = g_steal_pointer (&portal);
    tractor_cancel_scope_cancel (tractor_nursery_get_scope (at->wait->nursery), "found");
  }
  tractor_portal_unref (portal);
  return TRUE;
}

/* Who is first has it. */
static void
wait_at_all (Wait *wait, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *failure = NULL;
  Registrar *registrar;

  wait->nursery = nursery;
  for (guint i = 0; i < get_registrar (wait->runtime, i, &registrar) && failure == NULL; i++) {
    WaitAtOne *at = g_new0 (WaitAtOne, 1);

    *at = (WaitAtOne){ wait, registrar, FALSE };
    set_reachable (at, TRUE);
    tractor_nursery_spawn (nursery, "waiting for an actor", wait_at, at, g_free, &failure);
  }
  tractor_nursery_join (nursery, &failure);
  if (wait->found != NULL)
    g_clear_error (&failure);
  else
    g_propagate_error (error, failure);
}

static void
set_too_slow_error (const Wait *wait, GError **error)
{
  if (wait->failure != NULL)
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW,
                 "No actor '%s' could be connected to in time; it was registered, and: %s",
                 wait->name, wait->failure->message);
  else if (wait->is_connecting)
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW,
                 "Actor '%s' is registered, and did not answer in time", wait->name);
  else if (wait->n_reachable > 0)
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW,
                 "No actor '%s' has registered in time", wait->name);
  else
    set_unreachable_error (error, wait->problem);
}

static TractorPortal *
wait_until (TractorRuntime *runtime, const char *name, gint64 deadline, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (deadline);
  Wait wait = { .runtime = runtime, .name = name };

  wait_at_all (&wait, error);
  if (wait.found == NULL && tractor_cancel_scope_absorb (scope, error))
    set_too_slow_error (&wait, error);
  g_clear_error (&wait.problem);
  g_clear_error (&wait.failure);
  return wait.found;
}

TractorPortal *
tractor_wait_for_actor (const char *name, gint64 deadline, GError **error)
{
  RuntimeUse use;
  TractorPortal *portal = NULL;
  GError *failure = NULL;

  if (!tractor_error_check_given (name, "name", error))
    return NULL;

  if (tractor__runtime_enter (&use, &failure) != NULL && check_name (name, &failure))
    portal = wait_until (use.runtime, name, deadline, &failure);
  tractor__runtime_leave (&use, failure, error);
  return portal;
}

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

  if (!ask (runtime, registrar, "get_registry", NULL, &result, error))
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

  for (guint i = 0; i < get_registrar (runtime, i, &registrar); i++) {
    g_clear_error (&problem);
    if (list_at (runtime, registrar, &listing, &problem)) {
      is_answered = TRUE;
    } else if (is_cancelled (problem) || is_local (problem)) {
      g_propagate_error (error, g_steal_pointer (&problem));
      return NULL;
    }
  }
  if (!is_answered) {
    set_unreachable_error (error, problem);
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
  get_registrar (runtime, 0, &registrar);
  return connect_to_any (runtime, registrar, addresses, error);
}

static GPtrArray *
find_all (TractorRuntime *runtime, const char *name, GError **error)
{
  g_autoptr (GPtrArray) portals =
      g_ptr_array_new_with_free_func ((GDestroyNotify) tractor_portal_unref);
  g_autoptr (GPtrArray) infos = NULL;
  GError *problem = NULL;

  infos = list_anywhere (runtime, name, &problem);
  if (infos == NULL && (is_cancelled (problem) || is_local (problem))) {
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

  if (tractor__runtime_enter (&use, &failure) != NULL && check_name (name, &failure))
    portals = find_all (use.runtime, name, &failure);
  tractor__runtime_leave (&use, failure, error);
  return portals;
}

/* --- without a name ---------------------------------------------------------------------------- */

static TractorPortal *
dial (TractorRuntime *runtime, const Address *address, GError **error)
{
  Link *link = tractor__peer_dial (runtime, address, error);

  return link != NULL ? tractor__portal_new_for_link (link, TRUE) : NULL;
}

static TractorPortal *
dial_root (TractorRuntime *runtime, GError **error)
{
  if (runtime->root.kind != ADDRESS_NONE)
    return dial (runtime, &runtime->root, error);
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY,
                       "It is not known where the root of this tree is");
  return NULL;
}

TractorPortal *
tractor_connect (const char *address, GError **error)
{
  RuntimeUse use;
  g_auto (Address) parsed = { 0 };
  TractorPortal *portal = NULL;
  GError *failure = NULL;

  if (!tractor_error_check_given (address, "address", error))
    return NULL;

  if (tractor__runtime_enter (&use, &failure) != NULL &&
      tractor__address_parse (address, &parsed, &failure))
    portal = dial (use.runtime, &parsed, &failure);
  tractor__runtime_leave (&use, failure, error);
  return portal;
}

TractorPortal *
tractor_get_parent (void)
{
  TractorRuntime *runtime = tractor__runtime_get (NULL);

  if (runtime == NULL || runtime->parent == NULL)
    return NULL;
  return tractor__portal_new_for_link (tractor__link_ref (runtime->parent), FALSE);
}

TractorPortal *
tractor_find_root (GError **error)
{
  RuntimeUse use;
  TractorPortal *portal = NULL;
  GError *failure = NULL;

  if (tractor__runtime_enter (&use, &failure) != NULL)
    portal = dial_root (use.runtime, &failure);
  tractor__runtime_leave (&use, failure, error);
  return portal;
}
