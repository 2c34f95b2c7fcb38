/* tractor-cache.h - what is opened by the first who needs it, and closed by the last.
 *
 * A resource is one function, which opens it, shares it, and closes it when everybody has left:
 *
 *     static gboolean
 *     serve_database (TractorResource *resource, gpointer data, GError **error)
 *     {
 *       g_autoptr (Database) database = database_open (data, error);
 *
 *       return database != NULL && tractor_resource_share (resource, database, error);
 *     }
 *
 * It runs in a task of its own, so whatever it opens, nurseries, contexts and actors too, may stay
 * open for as long as the resource is shared. Whoever needs it writes:
 *
 *     g_autoptr (TractorLease) lease =
 *         tractor_cache_acquire (cache, "orders", serve_database, "orders.db", NULL, error);
 *
 *     if (lease == NULL)
 *       return FALSE;
 *     use (tractor_lease_get_value (lease));
 *     return tractor_lease_release (lease, error); */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

typedef struct _TractorCache TractorCache;
typedef struct _TractorResource TractorResource;
typedef struct _TractorLease TractorLease;

/* --- resources --------------------------------------------------------------------------------- */

/**
 * TractorResourceFunc:
 * @resource: (transfer none): for tractor_resource_share(), which is to be called once
 * @error: never NULL
 *
 * Opens a resource, shares it, and closes it. Until it is shared, this runs under whoever wanted it
 * first, with the cancel scopes there: to that one goes a failure, and a cancel of that one reaches it
 * here. Afterwards it lives in the cache's nursery. Closing is done for the last user, who waits for
 * it and gets its failure.
 *
 * A resource that ends before its last user has left is a failure of the nursery.
 */
typedef gboolean (*TractorResourceFunc) (TractorResource *resource, gpointer data, GError **error);

/**
 * tractor_resource_share:
 * @value: what tractor_lease_get_value() gives
 *
 * Says that the resource is open, and waits until its last user has left. The resource does not see a
 * cancel of its nursery meanwhile, only cancels of scopes that its function has opened: nothing is
 * closed while somebody uses it.
 *
 * Returns: TRUE when it is time to close; or FALSE with @error set to CANCELLED, which is a reason to
 *   close too, or to MISUSE in another task or if it has been called before.
 * Suspends: yes, a checkpoint. Thread: guest, in the task of the resource's function.
 */
TRACTOR_API gboolean tractor_resource_share (TractorResource *resource,
                                             gpointer value,
                                             GError **error);

/* --- the cache --------------------------------------------------------------------------------- */

/**
 * tractor_cache_new:
 * @nursery: where resources live; it must outlive the cache
 *
 * Returns: (transfer full): a cache with nothing in it.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorCache *tractor_cache_new (TractorNursery *nursery);

/**
 * tractor_cache_acquire:
 * @key: which resource; users of one key are to mean the same by it
 * @func: how to open it, if nobody has
 * @data_free: (nullable): called once with @data: when the resource has ended, or before this returns
 *   if it was not needed
 *
 * Becomes a user of a resource: opens it, or waits until whoever came before has. If that one fails or
 * is cancelled, the next in line tries for itself. A resource that is being closed is waited for, and
 * then opened anew.
 *
 * The lease is to be released before the calling task ends, and before it joins the cache's nursery. One
 * that is not is released then, and MISUSE comes out beside the task's own error, as with a nursery that
 * is left open; it may still be closed.
 *
 * Returns: (transfer full): the lease; or NULL with @error set to CANCELLED; to what @func failed
 *   with, as it is; to MISUSE if it ended without sharing anything; or to CLOSED or LIMIT as by
 *   tractor_nursery_start().
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API TractorLease *tractor_cache_acquire (TractorCache *cache,
                                                 const char *key,
                                                 TractorResourceFunc func,
                                                 gpointer data,
                                                 GDestroyNotify data_free,
                                                 GError **error);

/**
 * tractor_cache_free:
 * @cache: (transfer full) (nullable): nobody may have a lease, or be waiting for one
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_cache_free (TractorCache *cache);

/* --- leases ------------------------------------------------------------------------------------ */

/**
 * tractor_lease_get_value:
 *
 * Returns: (transfer none) (nullable): what the resource shares; not to be used after the release.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gpointer tractor_lease_get_value (TractorLease *lease);

/**
 * tractor_lease_get_was_hit:
 *
 * Returns: whether the resource had been opened by somebody else.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_lease_get_was_hit (TractorLease *lease);

/**
 * tractor_lease_release:
 *
 * Leaves the resource. The last to do so waits until it is closed, also if cancelled.
 *
 * Returns: TRUE, also if it was released before; or FALSE with @error set to what closing failed with.
 *   That a cancel of the cache's nursery cut closing short is not reported here.
 * Suspends: the last user, but is no cancel point. Thread: guest, in any task, while that which acquired
 *   it lives.
 */
TRACTOR_API gboolean tractor_lease_release (TractorLease *lease, GError **error);

/**
 * tractor_lease_close:
 * @lease: (transfer full) (nullable)
 *
 * What g_autoptr does on an early return: releases the lease, if that has not been done, and frees it.
 * A failure to close the resource is not lost: it comes out of the tractor_cancel_scope_absorb() or
 * tractor_nursery_join() around it, or the calling task ends with it.
 *
 * Suspends: as tractor_lease_release(). Thread: guest, in any task.
 */
TRACTOR_API void tractor_lease_close (TractorLease *lease);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorCache, tractor_cache_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorLease, tractor_lease_close)

G_END_DECLS
