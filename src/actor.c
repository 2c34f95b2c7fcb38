/* actor.c - the life of a runtime: what this process is in the tree, opened and closed out of all the rooms.
 *
 * There is one runtime in a run: a root's (root.c), or a spawned actor's (child.c). What is the same for
 * both is here.
 *
 * What runs in the background, listeners and connections to peers, runs in a nursery of a task that
 * is shielded: it goes on while the program unwinds from a cancel, for whom it serves unwinds too,
 * and ends when the runtime is closed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "actor.h"

#include <stddef.h>
#include <string.h>

#include "actor-nursery.h"
#include "exports.h"
#include "fork-server.h"
#include "kept-types.h"
#include "link.h"
#include "listener.h"
#include "peer-limits.h"
#include "process.h"
#include "registration.h"
#include "registry.h"
#include "request.h"
#include "rpc.h"
#include "supervise.h"
#include "tracing.h"
#include "tree.h"

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

/* What debuggers see of it. */
static void
describe (TractorRuntime *runtime)
{
  runtime->debug_actor =
      (TractorDebugActor){ .name = runtime->id.name,
                           .uuid = runtime->id.uuid,
                           .child_name = offsetof (Child, id.name),
                           .child_pid = offsetof (Child, process.pid),
                           .children = runtime->children,
                           .links = { .first = &runtime->first_link,
                                      .link_next = offsetof (Link, next),
                                      .link_peer_name = offsetof (Link, peer.name),
                                      .link_peer_pid = offsetof (Link, peer_pid),
                                      .link_asked = offsetof (Link, requests),
                                      .link_served = offsetof (Link, rpc_tasks),
                                      .table_buckets = offsetof (CidTable, buckets),
                                      .table_n_buckets = offsetof (CidTable, n_buckets),
                                      .entry_next = offsetof (CidEntry, next),
                                      .entry_owner = offsetof (CidEntry, owner),
                                      .asked_function = offsetof (Request, function) },
                           .asked_done = offsetof (Request, done) };
}

TractorRuntime *
tractor__runtime_new (const ActorId *id, const char *known_by, guint depth)
{
  TractorRuntime *runtime = g_new0 (TractorRuntime, 1);

  tractor__keep_types ();
  runtime->refs = 1;
  actor_id_copy (id, &runtime->id);
  runtime->depth = depth;
  runtime->spawn_method = &tractor__spawn_by_exec;
  runtime->wants_fork_server = g_strcmp0 (g_getenv (FORK_SERVER_VARIABLE), "1") == 0;
  tractor__limits_fill (NULL, &runtime->limits, NULL);
  tractor__runtime_set_limits (runtime, &runtime->limits);
  runtime->changed = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (runtime->changed, "runtime");
  runtime->uses = g_ptr_array_new ();
  runtime->uses_ended = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (runtime->uses_ended, "users of runtime");
  runtime->nurseries = g_ptr_array_new ();
  runtime->nurseries_left = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (runtime->nurseries_left, "actor nurseries");
  runtime->children = g_ptr_array_new ();
  describe (runtime);
  runtime->tree_changed = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (runtime->tree_changed, "change of tree");
  runtime->origins = tractor__origins_new ();
  runtime->identities = tractor__identities_new ();
  runtime->identity = claim_own_identity (runtime, known_by);
  runtime->exports = tractor__exports_new ();
  tractor__rpc_serve (runtime);
  tractor__tree_serve (runtime);
  tractor__tracing_serve (runtime);
  runtime->listeners = g_ptr_array_new_with_free_func (tractor__listener_free);
  runtime->addresses = g_ptr_array_new_with_free_func (tractor__address_free);
  runtime->registrars = g_ptr_array_new_with_free_func (tractor__registrar_free);
  runtime->exit_callbacks = g_array_new (FALSE, FALSE, sizeof (ExitCallback));
  return runtime;
}

void
tractor__runtime_free (TractorRuntime *runtime)
{
  g_clear_pointer (&runtime->listeners, g_ptr_array_unref);
  g_clear_pointer (&runtime->addresses, g_ptr_array_unref);
  g_clear_pointer (&runtime->registrars, g_ptr_array_unref);
  g_clear_pointer (&runtime->registry, tractor__registry_free);
  g_clear_pointer (&runtime->children, g_ptr_array_unref);
  g_clear_pointer (&runtime->tree_changed, tractor_parking_lot_free);
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
  actor_id_clear (&runtime->stopped_by);
  g_clear_error (&runtime->failure);
  g_clear_pointer (&runtime->exports, g_hash_table_unref);
  g_clear_pointer (&runtime->stop, tractor_event_free);
  tractor__runtime_unref (runtime);
}

/* --- what runs in the background --------------------------------------------------------------- */

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
  tractor_event_set_static_name (runtime->end_services, "end of actor");
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

void
tractor__runtime_forget_linked_registrars (TractorRuntime *runtime)
{
  for (guint i = 0; i < runtime->registrars->len; i++) {
    Registrar *registrar = runtime->registrars->pdata[i];

    if (registrar->link != NULL && registrar->link == runtime->parent)
      g_clear_pointer (&registrar->link, tractor__link_unref);
  }
}

void
tractor__runtime_wait_for_nurseries (TractorRuntime *runtime)
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
  tractor__runtime_wait_for_nurseries (runtime);
}

void
tractor__runtime_end_services (TractorRuntime *runtime)
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
  tractor__runtime_end_services (runtime);
  g_clear_pointer (&runtime->nursery, tractor_nursery_close);
  g_clear_pointer (&runtime->end_services, tractor_event_free);
  tractor__runtime_forget_linked_registrars (runtime);
}

static GPtrArray *
list_links (TractorRuntime *runtime)
{
  GPtrArray *links = g_ptr_array_new_with_free_func ((GDestroyNotify) tractor__link_unref);

  for (Link *link = runtime->first_link; link != NULL; link = link->next)
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

/* --- its end, from inside ---------------------------------------------------------------------- */

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
