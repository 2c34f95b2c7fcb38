/* cache.c - what is opened by the first who needs it, and closed by the last.
 *
 * A resource is a task, started by whoever needs it first and moved into the cache's nursery when it
 * shares what it has opened (start.c). Those who come meanwhile wait in line at it. Sharing makes all
 * of them users at once, so that none can be overtaken by the release of another. The last user to
 * leave tells the task to close, and waits for its end; those who come now wait in line again.
 *
 * A resource is in the cache's table from the moment that somebody wants it until its task has ended,
 * so there is never more than one for a key. When it leaves the table everybody in line is sent to
 * look again: the first finds nothing, opens anew, and the others wait for that one. This is all that
 * a failure or a cancel of whoever opens needs.
 *
 * While there are users, the scope around the task is shielded: a cancel of the nursery reaches the
 * users that live in it, they leave, and then the resource is closed. A scope that the resource's own
 * function has opened can still be cancelled, as that of a context whose other end fails. Then the
 * resource breaks under its users: the nursery gets its failure, new users a new one, and the last
 * user of the old waits for its end as usual.
 *
 * A lease is in the hands of the task that acquired it. If that task ends so, or joins the nursery that
 * the resource lives in, nobody would ever leave the resource: then the lease is released for it, and
 * the task is told. The lease itself stays, for whoever closes it late.
 *
 * Nothing stays open here for whoever might come soon: no resource is kept without users. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "error.h"
#include "parking-lot.h"
#include "tractor-cache.h"

typedef enum {
  RESOURCE_OPENING,
  RESOURCE_SHARED,
  RESOURCE_CLOSING, /* its last user waits for that */
  RESOURCE_BROKEN,  /* it closes though it has users */
} ResourceState;

struct _TractorCache {
  TractorNursery *nursery;
  GHashTable *resources; /* (element-type utf8 TractorResource): by their own keys */
};

struct _TractorResource {
  guint n_refs; /* the table's, the task's, and one for each user */
  TractorCache *cache;
  char *key;
  TractorResourceFunc func;
  gpointer data;
  GDestroyNotify data_free;

  ResourceState state;
  TractorTaskStatus *status; /* of the task */
  Scope *scope;              /* around all that the task does */
  gpointer value;
  guint n_users;
  ParkingLot waiting; /* for it to be shared, or to be gone */
  TractorEvent *left; /* by the last user */
  TractorEvent *ended;
  GError *failure; /* (nullable): of closing it, for the last user */
};

struct _TractorLease {
  Held held; /* first: by the task that acquired it, until it is released */
  Task *holder;
  TractorResource *resource; /* NULL once released */
  gboolean was_hit;
};

/* --- life -------------------------------------------------------------------------------------- */

/* Returns: (transfer full): one that nobody has begun to open. */
static TractorResource *
resource_new (TractorCache *cache,
              const char *key,
              TractorResourceFunc func,
              gpointer data,
              GDestroyNotify data_free)
{
  TractorResource *resource = g_new0 (TractorResource, 1);

  resource->n_refs = 1;
  resource->cache = cache;
  resource->key = g_strdup (key);
  resource->func = func;
  resource->data = data;
  resource->data_free = data_free;
  resource->left = tractor_event_new ();
  tractor_event_set_static_name (resource->left, "users of resource");
  resource->ended = tractor_event_new ();
  tractor_event_set_static_name (resource->ended, "resource");
  return resource;
}

static TractorResource *
resource_ref (TractorResource *resource)
{
  resource->n_refs++;
  return resource;
}

static void
resource_unref (TractorResource *resource)
{
  if (--resource->n_refs > 0)
    return;

  tractor_event_free (resource->left);
  tractor_event_free (resource->ended);
  g_clear_error (&resource->failure);
  g_free (resource->key);
  g_free (resource);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorResource, resource_unref)

TractorCache *
tractor_cache_new (TractorNursery *nursery)
{
  TractorCache *cache;

  g_return_val_if_fail (nursery != NULL, NULL);

  cache = g_new (TractorCache, 1);
  cache->nursery = nursery;
  cache->resources = g_hash_table_new (g_str_hash, g_str_equal);
  return cache;
}

void
tractor_cache_free (TractorCache *cache)
{
  if (cache == NULL)
    return;

  g_return_if_fail (g_hash_table_size (cache->resources) == 0);
  g_hash_table_unref (cache->resources);
  g_free (cache);
}

/* Whoever wants the key from now on has to open it. */
static void
forget (TractorResource *resource)
{
  GHashTable *resources = resource->cache->resources;

  if (g_hash_table_lookup (resources, resource->key) != resource)
    return;
  g_hash_table_remove (resources, resource->key);
  parking_lot_unpark_all (&resource->waiting, WAKE_CLOSED);
  resource_unref (resource);
}

/* --- the resource's task ----------------------------------------------------------------------- */

static void
add_user (TractorResource *resource)
{
  resource_ref (resource);
  resource->n_users++;
}

static void
admit_all (TractorResource *resource)
{
  resource->state = RESOURCE_SHARED;
  add_user (resource); /* whoever has opened it */
  while (parking_lot_unpark (&resource->waiting, WAKE_NORMAL) != NULL)
    add_user (resource);
}

static gboolean
wait_for_last_user (TractorResource *resource, GError **error)
{
  gboolean ok;

  tractor_cancel_scope_set_shield (resource->scope, TRUE);
  ok = tractor_event_wait (resource->left, error);
  tractor_cancel_scope_set_shield (resource->scope, FALSE);
  if (!ok && resource->state == RESOURCE_SHARED) {
    resource->state = RESOURCE_BROKEN;
    forget (resource);
  }
  return ok;
}

gboolean
tractor_resource_share (TractorResource *resource, gpointer value, GError **error)
{
  Task *task = task_begin (error);

  if (!tractor_error_check_given (resource, "resource", error))
    return FALSE;

  if (task == NULL)
    return FALSE;
  if (task != resource->scope->owner || resource->state != RESOURCE_OPENING) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "Resource '%s' is shared once, by its own function", resource->key);
    return FALSE;
  }
  /* Whoever opens it is cancelled: the task would not move. A shield of the function's own may have
   * hidden that from it. */
  if (resource->scope->effective) {
    tractor__scope_set_error (resource->scope, error);
    return FALSE;
  }

  tractor_task_started (resource->status, NULL, NULL);
  resource->value = value;
  admit_all (resource);
  return wait_for_last_user (resource, error);
}

/* @failure: (transfer full) (nullable). Returns: what the task ends with. */
static gboolean
settle (TractorResource *resource, GError *failure, GError **error)
{
  if (resource->state == RESOURCE_CLOSING) {
    /* The last user gets what went wrong; but not the nursery's cancel, which is none of its. */
    gboolean was_cancelled = tractor__error_strip_cancelled (&failure);

    resource->failure = failure;
    return !was_cancelled || tractor_checkpoint_if_cancelled (error);
  }
  if (resource->state == RESOURCE_BROKEN && failure == NULL)
    g_set_error (&failure, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN,
                 "Resource '%s' has ended while it was in use", resource->key);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

static gboolean
run_resource (TractorTaskStatus *status, gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  TractorResource *resource = data;
  GError *failure = NULL;
  gboolean ok;

  resource->status = status;
  resource->scope = scope;
  if (!resource->func (resource, resource->data, &failure) && failure == NULL)
    g_set_error (&failure, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "Resource '%s' returned FALSE without an error", resource->key);
  /* With the failures of nurseries that the function left unjoined. */
  tractor_cancel_scope_absorb (scope, &failure);
  ok = settle (resource, failure, error);
  forget (resource);
  tractor_event_set (resource->ended);
  return ok;
}

static void
on_task_gone (gpointer data)
{
  TractorResource *resource = data;

  if (resource->data_free != NULL)
    resource->data_free (resource->data);
  resource_unref (resource);
}

/* --- users ------------------------------------------------------------------------------------- */

/* Returns: WAKE_NORMAL if the task is a user now; WAKE_CANCELLED; or WAKE_CLOSED if the resource is
 * gone. */
static TaskWake
join_users (TractorResource *resource, Task *task)
{
  Parked parked = { 0 };

  if (resource->state != RESOURCE_SHARED)
    return tractor__parking_lot_park (&resource->waiting, task, &parked, "resource");
  add_user (resource);
  tractor__task_yield (task);
  return WAKE_NORMAL;
}

/* Returns: whether the running task is a user now. */
static gboolean
open_resource (TractorResource *resource, GError **error)
{
  TractorCache *cache = resource->cache;

  g_hash_table_insert (cache->resources, resource->key, resource_ref (resource));
  if (tractor_nursery_start (cache->nursery, resource->key, run_resource, resource_ref (resource),
                             on_task_gone, NULL, error))
    return TRUE;
  forget (resource); /* if it did not come to run */
  return FALSE;
}

static void
abandon_lease (Held *held)
{
  TractorLease *lease = (TractorLease *) held; /* its first member */
  Task *task = lease->holder;
  GError *failure = NULL;

  tractor__task_lose_failure (task,
                              g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                                           "Task '%s' has left its lease of resource '%s' open",
                                           task->name, lease->resource->key));
  if (!tractor_lease_release (lease, &failure))
    tractor__task_lose_failure (task, failure);
}

static TractorLease *
lease_new (TractorResource *resource, Task *task, gboolean was_hit)
{
  TractorLease *lease = g_new0 (TractorLease, 1);

  lease->held.abandoned = abandon_lease;
  lease->held.nursery = resource->cache->nursery;
  lease->holder = task;
  task_hold (task, &lease->held);
  lease->resource = resource;
  lease->was_hit = was_hit;
  return lease;
}

TractorLease *
tractor_cache_acquire (TractorCache *cache,
                       const char *key,
                       TractorResourceFunc func,
                       gpointer data,
                       GDestroyNotify data_free,
                       GError **error)
{
  Task *task = task_begin (error);
  g_autoptr (TractorResource) mine = NULL;
  TaskWake wake = task != NULL ? WAKE_CLOSED : WAKE_CANCELLED;
  TractorResource *resource;

  if (!tractor_error_check_given (cache, "cache", error) ||
      !tractor_error_check_given (key, "key", error) ||
      !tractor_error_check_given ((gconstpointer) func, "function", error)) {
    if (data_free != NULL)
      data_free (data);
    return NULL;
  }

  while (wake == WAKE_CLOSED && (resource = g_hash_table_lookup (cache->resources, key)) != NULL)
    wake = join_users (resource, task);
  if (wake == WAKE_CLOSED) {
    mine = resource_new (cache, key, func, data, data_free);
    return open_resource (mine, error) ? lease_new (mine, task, FALSE) : NULL;
  }

  if (data_free != NULL)
    data_free (data);
  if (wake == WAKE_NORMAL)
    return lease_new (resource, task, TRUE);
  if (task != NULL)
    tractor__task_set_cancelled (task, error);
  return NULL;
}

/* --- leases ------------------------------------------------------------------------------------ */

gpointer
tractor_lease_get_value (TractorLease *lease)
{
  g_return_val_if_fail (lease != NULL && lease->resource != NULL, NULL);

  return lease->resource->value;
}

gboolean
tractor_lease_get_was_hit (TractorLease *lease)
{
  g_return_val_if_fail (lease != NULL, FALSE);

  return lease->was_hit;
}

static gboolean
wait_for_end (TractorResource *resource, GError **error)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  if (!tractor_event_wait (resource->ended, error))
    return FALSE; /* not from here */
  if (resource->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&resource->failure));
  return FALSE;
}

gboolean
tractor_lease_release (TractorLease *lease, GError **error)
{
  g_autoptr (TractorResource) resource = NULL;

  if (!tractor_error_check_given (lease, "lease", error))
    return FALSE;

  resource = g_steal_pointer (&lease->resource);
  if (resource == NULL)
    return TRUE;
  task_unhold (lease->holder, &lease->held);
  lease->holder = NULL;
  if (--resource->n_users > 0)
    return TRUE;
  if (resource->state == RESOURCE_SHARED) {
    resource->state = RESOURCE_CLOSING;
    tractor_event_set (resource->left);
  }
  return wait_for_end (resource, error);
}

void
tractor_lease_close (TractorLease *lease)
{
  TractorGuest *guest = tractor__current_guest;
  GError *failure = NULL;

  if (lease == NULL)
    return;

  if (!tractor_lease_release (lease, &failure)) {
    if (guest != NULL && guest->current != NULL) {
      tractor__task_lose_failure (guest->current, failure);
    } else {
      g_critical ("%s", failure->message);
      g_error_free (failure);
    }
  }
  g_free (lease);
}
