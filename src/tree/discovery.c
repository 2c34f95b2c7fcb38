/* discovery.c - another actor, found by its name.
 *
 * A question goes to every registrar in turn (ask-registrars.c), and who waits asks all at once. A
 * registrar that cannot be reached knows nobody. That there is somebody who could not be connected to is an
 * error, and so is that this process could not ask. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-discovery.h"

#include "ask-registrars.h"
#include "log.h"
#include "peer.h"
#include "portal.h"

/* Before the registrar is asked again for one that did not answer. */
#define PAUSE_USEC (G_USEC_PER_SEC / 20)

/* --- finding ----------------------------------------------------------------------------------- */

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
  if (!tractor__registrars_ask (runtime, registrar, function, kwargs, &result, error))
    return NULL;
  addresses = tractor__address_list_from_variant (result, error);
  *ret_is_named = addresses != NULL && addresses->len > 0;
  return addresses != NULL ? tractor__registrars_connect (runtime, registrar, addresses, error)
                           : NULL;
}

static TractorPortal *
find_anywhere (TractorRuntime *runtime, const char *name, GError **error)
{
  g_autoptr (GError) failure = NULL;
  Registrar *registrar;

  for (guint i = 0; i < tractor__registrars_get (runtime, i, &registrar); i++) {
    g_autoptr (GError) problem = NULL;
    gboolean is_named;
    TractorPortal *portal = find_at (runtime, registrar, "find_actor", name, &is_named, &problem);

    if (portal != NULL)
      return portal;
    if (error_is_cancelled (problem)) {
      g_propagate_error (error, g_steal_pointer (&problem));
      return NULL;
    }
    if (problem != NULL)
      log_debug (LOG_REGISTRY, "'%s' could not be %s: %s", name,
                 is_named ? "connected to" : "asked for at a registrar", problem->message);
    if (failure == NULL && (is_named || error_is_local (problem)))
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

  if (tractor__registrars_enter (&use, name, &failure))
    portal = find_anywhere (use.runtime, name, &failure);
  log_debug (LOG_REGISTRY, "'%s' was looked for: %s", name,
             portal != NULL    ? "it is connected"
             : failure != NULL ? failure->message
                               : "no registrar knows it");
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

  if (error_is_cancelled (problem)) {
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
  for (guint i = 0; i < tractor__registrars_get (wait->runtime, i, &registrar) && failure == NULL;
       i++) {
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
    tractor__registrars_set_unreachable (error, wait->problem);
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

  if (tractor__registrars_enter (&use, name, &failure))
    portal = wait_until (use.runtime, name, deadline, &failure);
  tractor__runtime_leave (&use, failure, error);
  return portal;
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
