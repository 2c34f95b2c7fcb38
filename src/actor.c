/* actor.c - the life of a runtime: what this process is in the tree, opened and closed out of all the rooms.
 *
 * There is one runtime in a run. It is lexical: whoever opens it closes it; what the same task has left
 * open in it is closed first, and actor nurseries of other tasks fail. A first actor nursery without one
 * opens one for itself; in a spawned actor, child.c has opened it. One that its task leaves open is ended
 * by what is around it, as a nursery is: then only its memory is left, until it is closed or the task ends.
 *
 * What runs in the background, listeners and connections to peers, runs in a nursery of a task that
 * is shielded: it goes on while the program unwinds from a cancel, for whom it serves unwinds too,
 * and ends when the runtime is closed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "actor.h"

#include <stdlib.h>
#include <string.h>

#include "actor-nursery.h"
#include "escape.h"
#include "exports.h"
#include "link.h"
#include "listener.h"
#include "peer-limits.h"
#include "registration.h"
#include "registry.h"
#include "restart.h"
#include "rpc.h"
#include "runtime-dir.h"
#include "supervise.h"
#include "tree.h"

#define TRANSPORT_VARIABLE "TRACTOR_TRANSPORT"

typedef struct {
  TractorExitFunc func;
  gpointer data;
} ExitCallback;

/* --- life -------------------------------------------------------------------------------------- */

/* @known_by: (nullable): if our parent has said so */
static Identity *
claim_own_identity (TractorRuntime *runtime, const char *known_by)
{
  g_autoptr (Origin) origin = tractor__origin_of_self (runtime->origins);
  g_autofree char *made_up = known_by == NULL ? tractor__identity_make_key () : NULL;

  return tractor__identity_claim (runtime->identities, &runtime->id, origin,
                                  known_by != NULL ? known_by : made_up, NULL);
}

void
tractor__runtime_init (TractorRuntime *runtime,
                       const ActorId *id,
                       const char *known_by,
                       guint depth)
{
  memset (runtime, 0, sizeof *runtime);
  actor_id_copy (id, &runtime->id);
  runtime->depth = depth;
  runtime->spawn_method = &tractor__spawn_by_exec;
  tractor__limits_fill (NULL, &runtime->limits, NULL);
  tractor__runtime_set_limits (runtime, &runtime->limits);
  runtime->changed = tractor_parking_lot_new ();
  runtime->uses = g_ptr_array_new ();
  runtime->uses_ended = tractor_parking_lot_new ();
  runtime->nurseries = g_ptr_array_new ();
  runtime->nurseries_left = tractor_parking_lot_new ();
  runtime->children = g_ptr_array_new ();
  runtime->tree_changed = tractor_parking_lot_new ();
  runtime->links = g_hash_table_new (NULL, NULL);
  runtime->origins = tractor__origins_new ();
  runtime->identities = tractor__identities_new ();
  runtime->identity = claim_own_identity (runtime, known_by);
  runtime->exports = tractor__exports_new ();
  tractor__rpc_serve (runtime);
  tractor__tree_serve (runtime);
  runtime->listeners = g_ptr_array_new_with_free_func (tractor__listener_free);
  runtime->addresses = g_ptr_array_new_with_free_func (tractor__address_free);
  runtime->registrars = g_ptr_array_new_with_free_func (tractor__registrar_free);
  runtime->exit_callbacks = g_array_new (FALSE, FALSE, sizeof (ExitCallback));
}

void
tractor__runtime_clear (TractorRuntime *runtime)
{
  g_clear_pointer (&runtime->listeners, g_ptr_array_unref);
  g_clear_pointer (&runtime->addresses, g_ptr_array_unref);
  g_clear_pointer (&runtime->registrars, g_ptr_array_unref);
  g_clear_pointer (&runtime->registry, tractor__registry_free);
  g_clear_pointer (&runtime->children, g_ptr_array_unref);
  g_clear_pointer (&runtime->tree_changed, tractor_parking_lot_free);
  g_clear_pointer (&runtime->links, g_hash_table_unref);
  g_clear_pointer (&runtime->spare_room.bytes, g_free);
  g_clear_pointer (&runtime->identity, tractor__identity_unref);
  g_clear_pointer (&runtime->identities, g_hash_table_unref);
  g_clear_pointer (&runtime->origins, g_hash_table_unref);
  g_clear_pointer (&runtime->exit_callbacks, g_array_unref);
  g_clear_pointer (&runtime->changed, tractor_parking_lot_free);
  g_clear_pointer (&runtime->uses, g_ptr_array_unref);
  g_clear_pointer (&runtime->uses_ended, tractor_parking_lot_free);
  g_clear_pointer (&runtime->nurseries, g_ptr_array_unref);
  g_clear_pointer (&runtime->nurseries_left, tractor_parking_lot_free);
  tractor__address_clear (&runtime->root);
  actor_id_clear (&runtime->id);
  actor_id_clear (&runtime->stopped_by);
  g_clear_error (&runtime->failure);
  g_clear_pointer (&runtime->exports, g_hash_table_unref);
  g_clear_pointer (&runtime->stop, tractor_event_free);
}

/* --- what runs in the background ------------------------------------------------------------------- */

static gboolean
run_services (TractorTaskStatus *status, gpointer data, GError **error)
{
  TractorRuntime *runtime = data;
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorNursery) services = tractor_nursery_open ();

  tractor_cancel_scope_set_shield (shield, TRUE);
  runtime->services = services;
  tractor_task_started (status, NULL, NULL);
  tractor_event_wait (runtime->end_services, NULL);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (services), "the runtime is closed");
  tractor_nursery_join (services, error);
  runtime->services = NULL;
  return *error == NULL;
}

/* Shielded: a cancel before they are ready would leave them, who do not hear it, where nobody ends them. */
gboolean
tractor__runtime_open_services (TractorRuntime *runtime, GError **error)
{
  g_autoptr (TractorCancelScope) shield = NULL;

  runtime->nursery = tractor_nursery_open ();
  runtime->end_services = tractor_event_new ();
  shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_shield (shield, TRUE);
  return tractor_nursery_start (runtime->nursery, "services", run_services, runtime, NULL, NULL,
                                error);
}

/* The last that was added first: it may rest on those before. */
static void
run_exit_callbacks (TractorRuntime *runtime)
{
  while (runtime->exit_callbacks->len > 0) {
    ExitCallback callback =
        g_array_index (runtime->exit_callbacks, ExitCallback, runtime->exit_callbacks->len - 1);

    g_array_set_size (runtime->exit_callbacks, runtime->exit_callbacks->len - 1);
    callback.func (callback.data);
  }
}

/* A registrar that is reached over the link to the parent lets go of it. */
static void
forget_linked_registrars (TractorRuntime *runtime)
{
  for (guint i = 0; i < runtime->registrars->len; i++) {
    Registrar *registrar = runtime->registrars->pdata[i];

    if (registrar->link != NULL && registrar->link == runtime->parent)
      g_clear_pointer (&registrar->link, tractor__link_unref);
  }
}

static void
wait_for_nurseries (TractorRuntime *runtime)
{
  while (runtime->nurseries->len > 0)
    tractor_parking_lot_park (runtime->nurseries_left, NULL);
}

/* Ends what has been left to others: what it runs for them, of which they are told, and then what other
 * tasks have open in it. */
static void
end_shielded (TractorRuntime *runtime)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  if (!runtime->is_ending)
    tractor__runtime_end_rpc_tasks (runtime, &runtime->id);
  for (guint i = 0; i < runtime->nurseries->len; i++)
    tractor__actor_nursery_fail (runtime->nurseries->pdata[i]);
  wait_for_nurseries (runtime);
}

static void
end_services (TractorRuntime *runtime)
{
  tractor__stop_listening (runtime);
  end_shielded (runtime);
  run_exit_callbacks (runtime);
  if (runtime->services != NULL)
    tractor__registrars_leave (runtime);
  tractor__runtime_end_uses (runtime);
  tractor_event_set (runtime->end_services);
}

void
tractor__runtime_close_services (TractorRuntime *runtime)
{
  end_services (runtime);
  g_clear_pointer (&runtime->nursery, tractor_nursery_close);
  g_clear_pointer (&runtime->end_services, tractor_event_free);
  forget_linked_registrars (runtime);
}

static GPtrArray *
list_links (TractorRuntime *runtime)
{
  GPtrArray *links = g_ptr_array_new_with_free_func ((GDestroyNotify) tractor__link_unref);
  GHashTableIter iter;
  gpointer link;

  g_hash_table_iter_init (&iter, runtime->links);
  while (g_hash_table_iter_next (&iter, &link, NULL))
    g_ptr_array_add (links, tractor__link_ref (link));
  return links;
}

void
tractor__runtime_end_rpc_tasks (TractorRuntime *runtime, const ActorId *canceller)
{
  g_autoptr (GPtrArray) links = list_links (runtime);

  runtime->is_ending = TRUE;
  for (guint i = 0; i < links->len; i++)
    tractor__link_cancel_rpc_tasks (links->pdata[i], canceller);
  for (guint i = 0; i < links->len; i++)
    tractor__link_wait_for_rpc_tasks (links->pdata[i], NULL);
  for (guint i = 0; i < links->len; i++)
    tractor__link_acknowledge_stop (links->pdata[i]);
}

/* --- the root ---------------------------------------------------------------------------------- */

/* @texts: (nullable). Returns: (transfer full) (element-type Address): NULL with MISUSE. */
static GPtrArray *
parse_addresses (const char *const *texts, GError **error)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (tractor__address_free);

  for (; texts != NULL && *texts != NULL; texts++) {
    Address *address = g_new0 (Address, 1);

    g_ptr_array_add (addresses, address);
    if (!tractor__address_parse (*texts, address, error))
      return NULL;
  }
  return g_steal_pointer (&addresses);
}

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

static gboolean
start (TractorRuntime *runtime, const TractorRuntimeOptions *options, GError **error)
{
  g_autoptr (GPtrArray) registries =
      parse_addresses (options != NULL ? options->registry_addresses : NULL, error);
  g_autoptr (GPtrArray) listen = NULL;

  if (registries == NULL ||
      !choose_transport (runtime, options != NULL ? options->transport : NULL, error))
    return FALSE;
  listen = parse_addresses (options != NULL ? options->listen_addresses : NULL, error);
  if (listen == NULL || !find_place (runtime, registries, listen, options, error))
    return FALSE;
  if (runtime->addresses->len > 0)
    tractor__address_copy (runtime->addresses->pdata[0], &runtime->root);
  return TRUE;
}

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

/* --- the end of a root ------------------------------------------------------------------------------ */

/* Nurseries that other tasks have opened meanwhile are in it too. */
static void
wait_for_borrowers (TractorRuntime *runtime)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  wait_for_nurseries (runtime);
}

static void
end (gpointer data)
{
  TractorRuntime *runtime = data;

  if (runtime->waits_for_nurseries)
    wait_for_borrowers (runtime);
  runtime->state = RUNTIME_CLOSING;
  end_services (runtime);
}

/* Its nursery is left: only its memory is there. */
static void
left (gpointer data)
{
  TractorRuntime *runtime = data;

  forget_linked_registrars (runtime);
  tractor__runtime_set (NULL);
  tractor_parking_lot_unpark (runtime->changed, G_MAXUINT);
  runtime->has_ended = TRUE;
}

static void
root_free (gpointer data)
{
  TractorRuntime *runtime = data;

  g_clear_pointer (&runtime->end_services, tractor_event_free);
  tractor__runtime_clear (runtime);
  g_free (runtime);
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

/* --- its beginning ---------------------------------------------------------------------------------- */

/* @is_implicit: for the actor nursery that is opened next, whose part it is. */
static TractorRuntime *
open_root (const TractorRuntimeOptions *options, gboolean is_implicit, GError **error)
{
  g_autofree char *uuid = g_uuid_string_random ();
  const char *name = options != NULL && options->name != NULL ? options->name : "root";
  TractorRuntime *runtime;
  TractorLimits limits;
  GError *failure = NULL;

  if (!check_may_open (error) || !tractor_checkpoint_if_cancelled (error) ||
      !tractor__check_actor_name (name, error) ||
      !tractor__modules_check (options != NULL ? options->modules : NULL, error) ||
      !tractor__limits_fill (options != NULL ? options->limits : NULL, &limits, error))
    return NULL;

  runtime = g_new (TractorRuntime, 1);
  tractor__runtime_init (runtime, &(ActorId){ (char *) name, uuid }, NULL, 0);
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
  if (tractor__runtime_open_services (runtime, &failure) && start (runtime, options, &failure)) {
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

/* --- a place for actors, which opens one if there is none ----------------------------------------------- */

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
  if (runtime == NULL)
    return NULL;
  return tractor__actor_nursery_new (runtime, restart_options,
                                     is_its_own ? tractor_runtime_close : NULL);
}

/* --- its end, from inside ------------------------------------------------------------------------------- */

gboolean
tractor_actor_at_exit (TractorExitFunc func, gpointer data, GError **error)
{
  ExitCallback callback = { func, data };
  TractorRuntime *runtime;

  if (!tractor_error_check_given ((gconstpointer) func, "function", error))
    return FALSE;

  runtime = tractor__runtime_get (error);
  if (runtime == NULL)
    return FALSE;
  g_array_append_val (runtime->exit_callbacks, callback);
  return TRUE;
}

/* Returns: (nullable): the runtime, if it can be ended from inside; NULL with NO_RUNTIME or MISUSE. */
static TractorRuntime *
get_endable (GError **error)
{
  TractorRuntime *runtime = tractor__runtime_get (error);

  if (runtime == NULL || runtime->stop != NULL)
    return runtime;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                       "A root actor ends when its body does");
  return NULL;
}

gboolean
tractor_actor_stop (GError **error)
{
  TractorRuntime *runtime = get_endable (error);

  if (runtime == NULL)
    return FALSE;
  if (runtime->stopped_by.uuid == NULL)
    actor_id_copy (&runtime->id, &runtime->stopped_by);
  tractor_event_set (runtime->stop);
  return TRUE;
}

gboolean
tractor_actor_fail (const GError *failure, GError **error)
{
  TractorRuntime *runtime;

  if (!tractor_error_check_given (failure, "failure", error))
    return FALSE;

  runtime = get_endable (error);
  if (runtime == NULL)
    return FALSE;
  if (g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED) ||
      g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "To be cancelled is no failure of an actor");
    return FALSE;
  }
  /* The first reason to end is the reason. */
  if (!tractor_event_is_set (runtime->stop))
    runtime->failure = g_error_copy (failure);
  tractor_event_set (runtime->stop);
  return TRUE;
}
