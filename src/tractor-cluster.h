/* tractor-cluster.h - several actors of one kind, started and ended together, and work for whichever
 * of them is idle. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-actor.h"

G_BEGIN_DECLS

typedef struct _TractorCluster TractorCluster;

/**
 * tractor_cluster_open:
 * @size: how many actors; 0: as many as there are processors for this process
 * @names: (nullable) (array zero-terminated=1): their names, @size of them; NULL: "NAME.worker_0" and
 *   so on, where NAME is this actor's
 * @options: (nullable): for each of them, as for tractor_actor_nursery_start()
 *
 * Starts actors, all at the same time, in an actor nursery of their own. What the calling task does
 * from now on, until it joins or closes the cluster, is that nursery's body: the first failure, of the
 * body or of an actor, cancels the rest.
 *
 * Returns: (transfer full): to be closed by the same task; or NULL with @error set to MISUSE if there
 *   are not @size names, before anything has been started; or as by tractor_actor_nursery_open() and
 *   tractor_actor_nursery_start(), and then no actor is left.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API TractorCluster *tractor_cluster_open (guint size,
                                                  const char *const *names,
                                                  const TractorSpawnOptions *options,
                                                  GError **error);

/**
 * tractor_cluster_get_size:
 *
 * Returns: how many actors were started.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API guint tractor_cluster_get_size (TractorCluster *cluster);

/**
 * tractor_cluster_get_portal:
 * @index: below the cluster's size, in the order of the names
 *
 * For what is to be done on one particular actor. tractor_cluster_call() knows nothing of that, and
 * may call the same actor meanwhile.
 *
 * Returns: (transfer none): the portal to an actor, valid until the cluster is closed.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorPortal *tractor_cluster_get_portal (TractorCluster *cluster, guint index);

/**
 * tractor_cluster_call:
 * @function: "module:function"
 * @kwargs: (nullable): an a{sv}; a floating one is consumed
 * @ret_result: (out) (optional) (transfer full) (nullable): what the function returned
 *
 * Calls a function on an actor that has no other call of this kind, waiting in line for one. An actor
 * that turns out to be gone gets no more of them, unless it is one that is started again
 * (TRACTOR_ON_DEATH_RESTART); the call is not tried again on another one, for it may have been executed.
 *
 * Returns: TRUE; or FALSE with @error set to CLOSED if no actor is left, or as by
 *   tractor_portal_call().
 * Suspends: yes, a checkpoint. Thread: guest, in any task.
 */
TRACTOR_API gboolean tractor_cluster_call (TractorCluster *cluster,
                                           const char *function,
                                           GVariant *kwargs,
                                           GVariant **ret_result,
                                           GError **error);

/**
 * tractor_cluster_map:
 * @function: "module:function"
 * @kwargs_list: an aa{sv}, the arguments of each call; a floating one is consumed
 * @ret_results: (out) (optional) (transfer full) (element-type GVariant): what the calls returned, in
 *   the order of @kwargs_list; NULL where the function returned nothing
 *
 * Makes many calls, as many at the same time as there are actors, each as by tractor_cluster_call().
 * The first failure cancels the others.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_cluster_call(), to MISUSE if @kwargs_list is
 *   of another type, or to a GROUP if several have failed.
 * Suspends: yes, a checkpoint. Thread: guest, in any task.
 */
TRACTOR_API gboolean tractor_cluster_map (TractorCluster *cluster,
                                          const char *function,
                                          GVariant *kwargs_list,
                                          GPtrArray **ret_results,
                                          GError **error);

/**
 * tractor_cluster_join:
 * @error: (inout): the body's own failure if it has one; afterwards all that failed. Never NULL.
 *
 * Ends the body, asks every actor to end, as tractor_actor_nursery_cancel() does, and waits until all
 * are gone.
 *
 * Returns: TRUE if nothing is left in *@error.
 * Suspends: yes, but is no cancel point. Thread: guest, the task that opened the cluster.
 */
TRACTOR_API gboolean tractor_cluster_join (TractorCluster *cluster, GError **error);

/**
 * tractor_cluster_close:
 * @cluster: (transfer full) (nullable): nobody may be calling
 *
 * What g_autoptr does on an early return: ends the actors, if that has not been done, and frees the
 * cluster. Failures that nobody joined are not lost: the calling task ends with them.
 *
 * Suspends: if the cluster was not joined. Thread: guest, the task that opened the cluster.
 */
TRACTOR_API void tractor_cluster_close (TractorCluster *cluster);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorCluster, tractor_cluster_close)

G_END_DECLS
