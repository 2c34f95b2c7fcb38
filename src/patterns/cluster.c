/* cluster.c - several actors of one kind, and work for whichever of them is idle.
 *
 * A cluster is an actor nursery whose actors were started by as many tasks, so starting takes as long
 * as the slowest. Ending, failures and what becomes of the others then are the actor nursery's.
 *
 * Idle actors are the items of a channel: a call takes one out, in line with the others, and puts it
 * back. An actor that is gone is not put back; when the last is gone the channel ends, and so does
 * the wait of all who are in line.
 *
 * An actor that is started again when it dies is put back: the next call waits until it is up. Nothing
 * here tries a call on another actor. All of it is public API. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-cluster.h"

#include "tractor-channel.h"
#include "unwrap.h"
#include "value.h"

struct _TractorCluster {
  TractorActorNursery *nursery;
  guint size;
  gboolean is_restarted;   /* who dies comes back */
  guint n_gone;            /* as far as calls have told */
  TractorSender *returned; /* (nullable): NULL when all are gone */
  TractorReceiver *idle;   /* (element-type TractorPortal) */
  TractorPortal *portals[];
};

/* --- opening ----------------------------------------------------------------------------------- */

static TractorCluster *
cluster_new (TractorActorNursery *nursery, guint size)
{
  TractorCluster *cluster =
      g_malloc0 (sizeof (TractorCluster) + sizeof (TractorPortal *) * (gsize) size);

  cluster->nursery = nursery;
  cluster->size = size;
  tractor_channel_open (size, NULL, &cluster->returned, &cluster->idle);
  return cluster;
}

typedef struct {
  TractorCluster *cluster;
  const char *const *names; /* (nullable) */
  const TractorSpawnOptions *options;
  guint next;
} Opening;

static gboolean
start_next (gpointer data, GError **error)
{
  Opening *opening = data;
  TractorCluster *cluster = opening->cluster;
  guint i = opening->next++;
  g_autofree char *name = opening->names != NULL
                              ? g_strdup (opening->names[i])
                              : g_strdup_printf ("%s.worker_%u", tractor_actor_get_name (), i);

  cluster->portals[i] =
      tractor_actor_nursery_start (cluster->nursery, name, opening->options, error);
  return cluster->portals[i] != NULL;
}

static gboolean
start_all (Opening *opening, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  for (guint i = 0; i < opening->cluster->size && *error == NULL; i++)
    tractor_nursery_spawn (nursery, "start worker", start_next, opening, NULL, error);
  return tractor_nursery_join (nursery, error);
}

TractorCluster *
tractor_cluster_open (guint size,
                      const char *const *names,
                      const TractorSpawnOptions *options,
                      GError **error)
{
  g_autoptr (TractorCluster) cluster = NULL;
  TractorActorNursery *nursery;
  GError *failure = NULL;

  if (size == 0)
    size = g_get_num_processors ();
  if (names != NULL && g_strv_length ((char **) names) != size) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "%u names for a cluster of %u actors",
                 g_strv_length ((char **) names), size);
    return NULL;
  }
  nursery = tractor_actor_nursery_open (error);
  if (nursery == NULL)
    return NULL;

  cluster = cluster_new (nursery, size);
  cluster->is_restarted = options != NULL && options->on_death == TRACTOR_ON_DEATH_RESTART;
  if (!start_all (&(Opening){ cluster, names, options, 0 }, &failure)) {
    tractor_cluster_join (cluster, &failure);
    g_propagate_error (error, failure);
    return NULL;
  }
  for (guint i = 0; i < size; i++)
    tractor_sender_send_nowait (cluster->returned, cluster->portals[i], NULL);
  return g_steal_pointer (&cluster);
}

guint
tractor_cluster_get_size (TractorCluster *cluster)
{
  g_return_val_if_fail (cluster != NULL, 0);

  return cluster->size;
}

TractorPortal *
tractor_cluster_get_portal (TractorCluster *cluster, guint index)
{
  g_return_val_if_fail (cluster != NULL && index < cluster->size, NULL);

  return cluster->portals[index];
}

/* --- calling whoever is idle ------------------------------------------------------------------- */

/* @failure: (nullable): what the call has ended with */
static void
give_back (TractorCluster *cluster, TractorPortal *worker, const GError *failure)
{
  gboolean has_died = g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  gboolean is_gone = g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED) ||
                     (has_died && !cluster->is_restarted);

  if (!is_gone)
    tractor_sender_send_nowait (cluster->returned, worker, NULL);
  else if (++cluster->n_gone == cluster->size)
    g_clear_pointer (&cluster->returned, tractor_sender_close);
}

gboolean
tractor_cluster_call (TractorCluster *cluster,
                      const char *function,
                      GVariant *kwargs,
                      GVariant **ret_result,
                      GError **error)
{
  g_autoptr (RefusedValue) owned = kwargs != NULL ? g_variant_ref_sink (kwargs) : NULL;
  GError *failure = NULL;
  gpointer worker;

  if (!tractor_error_check_given (cluster, "cluster", error) ||
      !tractor_error_check_given (function, "function", error))
    return FALSE;

  if (tractor_receiver_receive (cluster->idle, &worker, &failure)) {
    tractor_portal_call (worker, function, owned, ret_result, &failure);
    give_back (cluster, worker, failure);
  } else if (failure == NULL) {
    g_set_error_literal (&failure, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                         "No actor of the cluster is left");
  }
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

/* --- many calls -------------------------------------------------------------------------------- */

typedef struct {
  TractorCluster *cluster;
  const char *function;
  GVariant *kwargs_list;
  gsize n_calls;
  gsize next;
  GPtrArray *results;
} Map;

static gboolean
call_one_by_one (gpointer data, GError **error)
{
  Map *map = data;

  while (map->next < map->n_calls) {
    gsize i = map->next++;
    g_autoptr (GVariant) kwargs = g_variant_get_child_value (map->kwargs_list, i);
    GVariant *result = NULL;

    if (!tractor_cluster_call (map->cluster, map->function, kwargs, &result, error))
      return FALSE;
    map->results->pdata[i] = result;
  }
  return TRUE;
}

static gboolean
call_all (Map *map, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gsize n_tasks = MIN (map->n_calls, map->cluster->size);

  for (gsize i = 0; i < n_tasks && *error == NULL; i++)
    tractor_nursery_spawn (nursery, map->function, call_one_by_one, map, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static void
free_result (gpointer result)
{
  if (result != NULL) /* what returned nothing, or was not called any more */
    g_variant_unref (result);
}

gboolean
tractor_cluster_map (TractorCluster *cluster,
                     const char *function,
                     GVariant *kwargs_list,
                     GPtrArray **ret_results,
                     GError **error)
{
  g_autoptr (RefusedValue) owned = kwargs_list != NULL ? g_variant_ref_sink (kwargs_list) : NULL;
  g_autoptr (GPtrArray) results = g_ptr_array_new_with_free_func (free_result);
  Map map = { cluster, function };
  GError *failure = NULL;

  if (!tractor_error_check_given (cluster, "cluster", error) ||
      !tractor_error_check_given (function, "function", error) ||
      !tractor_error_check_given (kwargs_list, "list of arguments", error))
    return FALSE;

  if (!g_variant_is_of_type (owned, G_VARIANT_TYPE ("aa{sv}"))) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "A list of arguments is an aa{sv}, and no %s", g_variant_get_type_string (owned));
    return FALSE;
  }
  map.kwargs_list = owned;
  map.n_calls = g_variant_n_children (owned);
  map.results = results;
  g_ptr_array_set_size (results, (gint) map.n_calls);
  if (!call_all (&map, &failure)) {
    g_propagate_error (error, unwrap_group (failure));
    return FALSE;
  }
  if (ret_results != NULL)
    *ret_results = g_steal_pointer (&results);
  return TRUE;
}

/* --- the end ----------------------------------------------------------------------------------- */

gboolean
tractor_cluster_join (TractorCluster *cluster, GError **error)
{
  g_return_val_if_fail (error != NULL, FALSE);
  if (!tractor_error_check_given (cluster, "cluster", error))
    return FALSE;

  tractor_actor_nursery_cancel (cluster->nursery);
  return tractor_actor_nursery_join (cluster->nursery, error);
}

void
tractor_cluster_close (TractorCluster *cluster)
{
  if (cluster == NULL)
    return;

  tractor_actor_nursery_close (cluster->nursery);
  for (guint i = 0; i < cluster->size; i++)
    tractor_portal_unref (cluster->portals[i]);
  tractor_sender_close (cluster->returned);
  tractor_receiver_close (cluster->idle);
  g_free (cluster);
}
