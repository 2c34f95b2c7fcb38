/* root.c - the runtime of a root: what a program opens that nobody has spawned.
 *
 * It is lexical: whoever opens it closes it; what the same task has left open in it is closed first, and
 * actor nurseries of other tasks fail. A first actor nursery without one opens one for itself; in a
 * spawned actor, child.c has opened it. One that its task leaves open is ended by what is around it, as a
 * nursery is: then only its memory is left, until it is closed or the task ends. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "actor.h"

#include <stdlib.h>
#include <string.h>

#include "actor-nursery.h"
#include "broker.h"
#include "escape.h"
#include "exports.h"
#include "fork-server.h"
#include "listener.h"
#include "log.h"
#include "peer-limits.h"
#include "process.h"
#include "registration.h"
#include "registry.h"
#include "restart.h"
#include "runtime-dir.h"

#define TRANSPORT_VARIABLE "TRACTOR_TRANSPORT"

/* --- its place --------------------------------------------------------------------------------- */

/* At an address that is chosen, of the kind that was asked for. @kind: if none was. */
static gboolean
listen_anywhere (TractorRuntime *runtime, AddressKind kind, GError **error)
{
  const Address tcp = { .kind = ADDRESS_TCP, .host = (char *) "127.0.0.1" };
  const Address private = { .kind = ADDRESS_UNIX };

  if (runtime->transport != ADDRESS_NONE)
    kind = runtime->transport;
  if (kind == ADDRESS_UNIX) /* nobody above us takes away what is left there */
    tractor__runtime_dir_sweep ();
  return tractor__listen (runtime, kind == ADDRESS_TCP ? &tcp : &private, error);
}

static gboolean
listen_at_all (TractorRuntime *runtime, const GPtrArray *addresses, GError **error)
{
  for (guint i = 0; i < addresses->len; i++)
    if (!tractor__listen (runtime, addresses->pdata[i], error))
      return FALSE;
  return TRUE;
}

/* A tree of its own: nobody outside it is told where it is. */
static gboolean
be_private_registrar (TractorRuntime *runtime, GError **error)
{
  if (runtime->addresses->len == 0 && !listen_anywhere (runtime, ADDRESS_UNIX, error))
    return FALSE;
  runtime->registry = tractor__registry_new (runtime);
  return TRUE;
}

/* An actor that nobody is to connect to, and nobody is told of. Returns: FALSE with MISUSE */
static gboolean
have_no_place (TractorRuntime *runtime, const TractorRuntimeOptions *options, GError **error)
{
  if (options->registry_addresses != NULL || options->listen_addresses != NULL ||
      options->must_be_registrar) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "An actor without an address listens nowhere, and is in no registry "
                         "(TractorRuntimeOptions.without_address)");
    return FALSE;
  }
  runtime->is_without_address = TRUE;
  return TRUE;
}

static gboolean
find_place (TractorRuntime *runtime,
            const GPtrArray *registries,
            const GPtrArray *listen,
            const TractorRuntimeOptions *options,
            GError **error)
{
  if (registries->len == 0) {
    if (!listen_at_all (runtime, listen, error) || !be_private_registrar (runtime, error))
      return FALSE;
  } else {
    if (!tractor__registrars_elect (runtime, registries, options->must_be_registrar, error) ||
        !listen_at_all (runtime, listen, error))
      return FALSE;
    if (runtime->addresses->len == 0 &&
        !listen_anywhere (
            runtime, tractor__addresses_have_tcp (registries) ? ADDRESS_TCP : ADDRESS_UNIX, error))
      return FALSE;
  }
  if (runtime->registry == NULL)
    return tractor__registrars_join (runtime, error);
  for (guint i = 0; i < runtime->addresses->len; i++)
    tractor__registry_enter (runtime->registry, NULL, runtime->addresses->pdata[i], NULL);
  return TRUE;
}

/* @name: (nullable). Returns: FALSE with MISUSE */
static gboolean
choose_transport (TractorRuntime *runtime, const char *name, GError **error)
{
  const char *said_by = "TractorRuntimeOptions.transport";

  if (name == NULL) {
    name = g_getenv (TRANSPORT_VARIABLE);
    if (name != NULL && *name == '\0') /* as good as not set */
      return TRUE;
    said_by = "The environment variable " TRANSPORT_VARIABLE;
  }
  if (name == NULL)
    return TRUE;
  if (strcmp (name, "unix") == 0)
    runtime->transport = ADDRESS_UNIX;
  else if (strcmp (name, "tcp") == 0)
    runtime->transport = ADDRESS_TCP;
  if (runtime->transport != ADDRESS_NONE)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
               "%s must be \"unix\" or \"tcp\", not \"%s\"", said_by, name);
  return FALSE;
}

/* What else it says is read by every actor (actor.c). Returns: FALSE with MISUSE */
static gboolean
choose_fork_server (TractorRuntime *runtime, const TractorRuntimeOptions *options, GError **error)
{
  const char *text = g_getenv (FORK_SERVER_VARIABLE);

  if (options != NULL && options->fork_server)
    runtime->wants_fork_server = TRUE;
  if (text == NULL || *text == '\0' || strcmp (text, "0") == 0 || strcmp (text, "1") == 0)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
               "The environment variable " FORK_SERVER_VARIABLE " is 0 or 1, not \"%s\"", text);
  return FALSE;
}

static gboolean
start (TractorRuntime *runtime, const TractorRuntimeOptions *options, GError **error)
{
  g_autoptr (GPtrArray) registries =
      tractor__addresses_parse (options != NULL ? options->registry_addresses : NULL, error);
  g_autoptr (GPtrArray) listen = NULL;

  if (registries == NULL ||
      !choose_transport (runtime, options != NULL ? options->transport : NULL, error) ||
      !choose_fork_server (runtime, options, error))
    return FALSE;
  listen = tractor__addresses_parse (options != NULL ? options->listen_addresses : NULL, error);
  if (listen == NULL)
    return FALSE;
  if (options != NULL && options->without_address)
    return have_no_place (runtime, options, error);
  if (!find_place (runtime, registries, listen, options, error))
    return FALSE;
  if (runtime->addresses->len > 0)
    tractor__address_copy (runtime->addresses->pdata[0], &runtime->root);
  return TRUE;
}

/* --- its end ----------------------------------------------------------------------------------- */

/* Nurseries that other tasks have opened meanwhile are in it too. */
static void
wait_for_borrowers (TractorRuntime *runtime)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  tractor__runtime_wait_for_nurseries (runtime);
}

static void
end (gpointer data)
{
  TractorRuntime *runtime = data;

  if (runtime->waits_for_nurseries)
    wait_for_borrowers (runtime);
  runtime->state = RUNTIME_CLOSING;
  tractor__runtime_end_services (runtime);
}

/* Its nursery is left: only its memory is there. */
static void
left (gpointer data)
{
  TractorRuntime *runtime = data;

  tractor__runtime_forget_linked_registrars (runtime);
  tractor__runtime_set (NULL);
  tractor_parking_lot_unpark (runtime->changed, G_MAXUINT);
  runtime->has_ended = TRUE;
}

static void
root_free (gpointer data)
{
  TractorRuntime *runtime = data;

  g_clear_pointer (&runtime->end_services, tractor_event_free);
  tractor__runtime_free (runtime);
}

static const TractorScopeContent content = { "actor runtime", end, left, root_free };
static const TractorScopeContent implicit_content = { NULL, end, left, root_free };

void
tractor_runtime_close (TractorRuntime *runtime)
{
  if (runtime == NULL ||
      !tractor_cancel_scope_close_inside (tractor_nursery_get_scope (runtime->nursery), NULL))
    return;

  if (!runtime->has_ended)
    end (runtime);
  tractor_nursery_close (runtime->nursery);
  if (!runtime->has_ended)
    left (runtime);
  root_free (runtime);
}

/* --- its beginning ----------------------------------------------------------------------------- */

static gboolean
check_may_open (GError **error)
{
  const char *problem = NULL;

  if (!tractor_in_task ())
    problem = "A runtime can only be opened inside a task";
  else if (tractor__runtime_get (NULL) != NULL)
    problem = "A runtime is already open in this run";
  else if (secure_getenv (CHILD_VARIABLE) != NULL)
    problem = "This process was spawned as an actor, but its main() does not begin with "
              "tractor_child_main()";
  if (problem == NULL)
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, problem);
  return FALSE;
}

/* @is_implicit: for the actor nursery that is opened next, whose part it is. */
static TractorRuntime *
open_root (const TractorRuntimeOptions *options, gboolean is_implicit, GError **error)
{
  g_autofree char *uuid = actor_id_new_uuid ();
  const char *name = options != NULL && options->name != NULL ? options->name : "root";
  TractorRuntime *runtime;
  TractorLimits limits;
  GError *failure = NULL;

  if (!check_may_open (error) || !tractor_checkpoint_if_cancelled (error) ||
      !tractor__check_actor_name (name, error) ||
      !tractor__modules_check (options != NULL ? options->modules : NULL, error) ||
      !tractor__limits_fill (options != NULL ? options->limits : NULL, &limits, error))
    return NULL;

  tractor__log_begin ();
  runtime = tractor__runtime_new (&(ActorId){ (char *) name, uuid }, NULL, 0);
  tractor__runtime_set_limits (runtime, &limits);
  if (options != NULL) {
    tractor__exports_add_modules (runtime->exports, options->modules, NULL);
    runtime->dispatch = options->dispatch;
    runtime->dispatch_data = options->dispatch_data;
    if (options->without_credit)
      runtime->credit = (Credit){ 0 };
  }
  runtime->state = RUNTIME_OPENING;
  tractor__runtime_set (runtime);
  if (tractor__runtime_open_services (runtime, &failure) &&
      tractor__broker_provide (
          runtime, options != NULL ? options->debug : TRACTOR_DEBUG_MODE_INHERIT, &failure) &&
      start (runtime, options, &failure)) {
    tractor_cancel_scope_set_content (tractor_nursery_get_scope (runtime->nursery),
                                      is_implicit ? &implicit_content : &content, runtime);
    runtime->state = RUNTIME_OPEN;
    tractor_parking_lot_unpark (runtime->changed, G_MAXUINT);
    return runtime;
  }
  tractor_runtime_close (runtime);
  g_propagate_error (error, failure);
  return NULL;
}

TractorRuntime *
tractor_runtime_open (const TractorRuntimeOptions *options, GError **error)
{
  return open_root (options, FALSE, error);
}

/* --- a place for actors, which opens one if there is none -------------------------------------- */

/* It is where those below it find each other. Returns: FALSE with MISUSE */
static gboolean
check_has_address (const TractorRuntime *runtime, GError **error)
{
  if (!runtime->is_without_address)
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                       "An actor without an address can have no actors of its own "
                       "(TractorRuntimeOptions.without_address)");
  return FALSE;
}

TractorActorNursery *
tractor_actor_nursery_open (GError **error)
{
  return tractor_actor_nursery_open_with_restarts (NULL, error);
}

TractorActorNursery *
tractor_actor_nursery_open_with_restarts (const TractorRestartOptions *restart_options,
                                          GError **error)
{
  TractorRuntime *runtime;
  gboolean is_its_own;

  if (!tractor_in_task () && !tractor_checkpoint_if_cancelled (error)) /* which says why */
    return NULL;
  if (!tractor__restarts_check (restart_options, error))
    return NULL;
  if (!tractor__runtime_wait_for_change (error))
    return NULL;
  runtime = tractor__runtime_get (NULL);
  is_its_own = runtime == NULL;
  if (is_its_own)
    runtime = open_root (NULL, TRUE, error);
  if (runtime == NULL || !check_has_address (runtime, error))
    return NULL;
  return tractor__actor_nursery_new (runtime, restart_options,
                                     is_its_own ? tractor_runtime_close : NULL);
}
