/* test-cache.c - resources that are opened by the first user and closed by the last. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"
#include "tractor-cache.h"
#include "tractor-sync.h"

/* A resource, and what has become of it. */
typedef struct {
  TractorEvent *may_open;  /* (nullable) */
  TractorEvent *may_close; /* (nullable) */
  TractorCancelScope *scope;
  gboolean fails_to_open;
  gboolean fails_to_close;
  guint n_opened;
  guint n_open;
  guint n_freed;
} Thing;

static gboolean
set_no_space (GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return FALSE;
}

static void
wait_to_close (Thing *thing)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  if (thing->may_close != NULL)
    g_assert_true (tractor_event_wait (thing->may_close, NULL));
}

/* Its value is how many have been opened so far. */
static gboolean
serve_thing (TractorResource *resource, gpointer data, GError **error)
{
  Thing *thing = data;
  gboolean ok;

  thing->n_opened++;
  if (thing->may_open != NULL && !tractor_event_wait (thing->may_open, error))
    return FALSE;
  if (thing->fails_to_open)
    return set_no_space (error);

  thing->n_open++;
  ok = tractor_resource_share (resource, GUINT_TO_POINTER (thing->n_opened), error);
  wait_to_close (thing);
  thing->n_open--;
  return thing->fails_to_close ? set_no_space (error) : ok;
}

static void
count_free (gpointer data)
{
  ((Thing *) data)->n_freed++;
}

static TractorLease *
acquire (TractorCache *cache, Thing *thing, GError **error)
{
  return tractor_cache_acquire (cache, "thing", serve_thing, thing, count_free, error);
}

static guint
get_value (TractorLease *lease)
{
  return GPOINTER_TO_UINT (tractor_lease_get_value (lease));
}

/* --- users in tasks of their own ----------------------------------------------------------------- */

typedef struct {
  TractorCache *cache;
  Thing *thing;
  TractorResourceFunc func; /* NULL: serve_thing() */
  TractorEvent *may_leave;  /* (nullable) */
  TractorCancelScope *scope;
  guint value;
  gboolean was_hit;
  gboolean is_user;
  gboolean has_left;
  GError *failure; /* of acquiring or releasing */
} User;

static gboolean
be_user (gpointer data, G_GNUC_UNUSED GError **error)
{
  User *user = data;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorLease) lease = NULL;

  user->scope = scope;
  lease =
      tractor_cache_acquire (user->cache, "thing", user->func != NULL ? user->func : serve_thing,
                             user->thing, count_free, &user->failure);
  if (lease == NULL)
    return TRUE;
  user->is_user = TRUE;
  user->was_hit = tractor_lease_get_was_hit (lease);
  user->value = get_value (lease);
  if (user->may_leave != NULL)
    tractor_event_wait (user->may_leave, NULL);
  g_assert_cmpuint (user->thing->n_open, ==, 1);
  tractor_lease_release (lease, &user->failure);
  user->has_left = TRUE;
  return TRUE;
}

static void
spawn_user (TractorNursery *nursery, User *user)
{
  g_assert_true (tractor_nursery_spawn (nursery, "user", be_user, user, NULL, NULL));
}

static void
wait_until_blocked (void)
{
  g_assert_true (tractor_wait_all_tasks_blocked (0, NULL));
}

/* --- sharing ------------------------------------------------------------------------------------- */

static gboolean
test_ten_users_share_one (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorEvent) may_open = tractor_event_new ();
  g_autoptr (TractorEvent) may_leave = tractor_event_new ();
  Thing thing = { .may_open = may_open };
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();
  User users[10];
  guint n_hits = 0;

  for (guint i = 0; i < 10; i++) {
    users[i] = (User){ .cache = cache, .thing = &thing, .may_leave = may_leave };
    spawn_user (users_nursery, &users[i]);
  }
  wait_until_blocked ();
  g_assert_cmpuint (thing.n_open, ==, 0);
  tractor_event_set (may_open);
  wait_until_blocked ();
  for (guint i = 0; i < 10; i++) {
    g_assert_true (users[i].is_user);
    g_assert_cmpuint (users[i].value, ==, 1);
    n_hits += users[i].was_hit ? 1 : 0;
  }
  g_assert_cmpuint (thing.n_opened, ==, 1);
  g_assert_cmpuint (n_hits, ==, 9);
  g_assert_cmpuint (thing.n_freed, ==, 9); /* what was not needed */
  tractor_event_set (may_leave);
  g_assert_true (tractor_nursery_join (users_nursery, error));
  g_assert_cmpuint (thing.n_open, ==, 0);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (thing.n_freed, ==, 10);
  return TRUE;
}

/* The first leaves at once, before the others have run again: they are users already. */
static gboolean
test_waiting_users_are_not_overtaken (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorEvent) may_open = tractor_event_new ();
  Thing thing = { .may_open = may_open };
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();
  User users[3];

  for (guint i = 0; i < 3; i++) {
    users[i] = (User){ .cache = cache, .thing = &thing };
    spawn_user (users_nursery, &users[i]);
  }
  wait_until_blocked ();
  tractor_event_set (may_open);
  g_assert_true (tractor_nursery_join (users_nursery, error));
  g_assert_cmpuint (thing.n_opened, ==, 1);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_keys_are_independent (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  Thing one = { 0 };
  Thing other = { 0 };
  g_autoptr (TractorLease) first = acquire (cache, &one, error);
  g_autoptr (TractorLease) second =
      tractor_cache_acquire (cache, "other", serve_thing, &other, NULL, error);

  g_assert_false (tractor_lease_get_was_hit (first));
  g_assert_false (tractor_lease_get_was_hit (second));
  g_assert_true (tractor_lease_release (first, error));
  g_assert_cmpuint (one.n_open, ==, 0);
  g_assert_cmpuint (other.n_open, ==, 1);
  g_assert_true (tractor_lease_release (second, error));
  g_assert_true (tractor_lease_release (second, error)); /* harmless */
  return tractor_nursery_join (nursery, error);
}

/* --- the last user ------------------------------------------------------------------------------- */

static gboolean
test_last_user_gets_the_failure (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  Thing thing = { .fails_to_close = TRUE };
  g_autoptr (TractorLease) first = acquire (cache, &thing, error);
  g_autoptr (TractorLease) last = acquire (cache, &thing, error);

  g_assert_true (tractor_lease_get_was_hit (last));
  g_assert_true (tractor_lease_release (first, error));
  g_assert_cmpuint (thing.n_open, ==, 1);
  g_assert_false (tractor_lease_release (last, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC); /* as it is */
  g_assert_cmpuint (thing.n_open, ==, 0);
  return tractor_nursery_join (nursery, error); /* and not the nursery's */
}

static gboolean
test_last_user_waits_shielded (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorEvent) may_leave = tractor_event_new ();
  g_autoptr (TractorEvent) may_close = tractor_event_new ();
  Thing thing = { .may_close = may_close };
  User user = { .cache = cache, .thing = &thing, .may_leave = may_leave };
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();

  spawn_user (users_nursery, &user);
  wait_until_blocked ();
  tractor_cancel_scope_cancel (user.scope, NULL);
  wait_until_blocked ();
  g_assert_true (user.is_user);
  g_assert_false (user.has_left);
  tractor_event_set (may_close);
  g_assert_true (tractor_nursery_join (users_nursery, error));
  g_assert_true (user.has_left);
  g_assert_no_error (user.failure);
  return tractor_nursery_join (nursery, error);
}

static gboolean
return_early (gpointer data, GError **error)
{
  User *user = data;
  g_autoptr (TractorLease) lease = acquire (user->cache, user->thing, error);

  return lease != NULL; /* and no release */
}

static gboolean
test_unreleased_failure_is_not_lost (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  Thing thing = { .fails_to_close = TRUE };
  User user = { .cache = cache, .thing = &thing };
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();

  tractor_nursery_spawn (users_nursery, "user", return_early, &user, NULL, error);
  g_assert_false (tractor_nursery_join (users_nursery, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_reentry_gets_a_fresh_one (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorEvent) may_leave = tractor_event_new ();
  g_autoptr (TractorEvent) may_close = tractor_event_new ();
  Thing thing = { .may_close = may_close };
  User first = { .cache = cache, .thing = &thing };
  User later[2];
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();

  spawn_user (users_nursery, &first);
  wait_until_blocked (); /* it is being closed */
  for (guint i = 0; i < 2; i++) {
    later[i] = (User){ .cache = cache, .thing = &thing, .may_leave = may_leave };
    spawn_user (users_nursery, &later[i]);
  }
  wait_until_blocked ();
  g_assert_cmpuint (thing.n_opened, ==, 1); /* they wait for that */
  tractor_event_set (may_close);
  wait_until_blocked ();
  g_assert_true (first.has_left);
  g_assert_cmpuint (later[0].value, ==, 2);
  g_assert_false (later[0].was_hit);
  g_assert_cmpuint (later[1].value, ==, 2);
  g_assert_true (later[1].was_hit);
  tractor_event_set (may_leave);
  g_assert_true (tractor_nursery_join (users_nursery, error));
  return tractor_nursery_join (nursery, error);
}

/* --- leases that are left open ------------------------------------------------------------------- */

/* What a task has left behind. */
typedef struct {
  TractorCache *cache;
  Thing *thing;
  TractorLease *lease;
  TractorLock *lock;       /* (nullable) */
  TractorEvent *may_leave; /* (nullable) */
} Leaver;

static void
assert_left_open (const GError *error, const Leaver *leaver)
{
  g_assert_true (tractor_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC)); /* its own */
  g_assert_true (tractor_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_assert_cmpuint (leaver->thing->n_opened, ==, 1);
  g_assert_cmpuint (leaver->thing->n_open, ==, 0);
  g_assert_cmpuint (leaver->thing->n_freed, ==, 1);
}

static gboolean
leave_lease (gpointer data, GError **error)
{
  Leaver *leaver = data;

  leaver->lease = acquire (leaver->cache, leaver->thing, error);
  g_assert_nonnull (leaver->lease);
  return set_no_space (error);
}

static gboolean
test_left_open_by_its_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();
  Thing thing = { 0 };
  Leaver leaver = { .cache = cache, .thing = &thing };

  tractor_nursery_spawn (users_nursery, "leaver", leave_lease, &leaver, NULL, error);
  g_assert_false (tractor_nursery_join (users_nursery, error));
  assert_left_open (*error, &leaver);
  g_clear_error (error);
  tractor_lease_close (leaver.lease); /* is late, and harmless */
  return tractor_nursery_join (nursery, error);
}

/* Leaves everything open. */
static gboolean
leave_all (gpointer data, GError **error)
{
  Leaver *leaver = data;

  leaver->cache = tractor_cache_new (tractor_nursery_open ());
  return leave_lease (data, error);
}

static gboolean
test_left_open_with_its_nursery (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();
  Thing thing = { 0 };
  Leaver leaver = { .thing = &thing };

  tractor_nursery_spawn (users_nursery, "leaver", leave_all, &leaver, NULL, error);
  g_assert_false (tractor_nursery_join (users_nursery, error));
  assert_left_open (*error, &leaver);
  g_clear_error (error);
  tractor_lease_close (leaver.lease);
  tractor_cache_free (leaver.cache);
  return TRUE;
}

static gboolean
test_left_open_at_join (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLease) lease = NULL;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  Thing thing = { 0 };
  Leaver leaver = { .thing = &thing };

  lease = acquire (cache, &thing, error);
  set_no_space (error);
  g_assert_false (tractor_nursery_join (nursery, error));
  assert_left_open (*error, &leaver);
  g_clear_error (error);
  return TRUE;
}

/* The lock is left too, and the resource needs it to close. */
static gboolean
serve_locked (TractorResource *resource, gpointer data, GError **error)
{
  Leaver *leaver = data;

  if (!tractor_resource_share (resource, NULL, error))
    return FALSE;
  if (tractor_lock_acquire (leaver->lock, error)) /* BROKEN */
    tractor_lock_release (leaver->lock);
  return *error == NULL;
}

static gboolean
leave_lease_and_lock (gpointer data, GError **error)
{
  Leaver *leaver = data;

  g_assert_true (tractor_lock_acquire (leaver->lock, error));
  leaver->lease =
      tractor_cache_acquire (leaver->cache, "locked", serve_locked, leaver, NULL, error);
  return leaver->lease != NULL;
}

static gboolean
test_left_open_with_a_lock (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorLock) lock = tractor_lock_new ();
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();
  Leaver leaver = { .cache = cache, .lock = lock };

  tractor_nursery_spawn (users_nursery, "leaver", leave_lease_and_lock, &leaver, NULL, error);
  g_assert_false (tractor_nursery_join (users_nursery, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN));
  g_clear_error (error);
  tractor_lease_close (leaver.lease);
  return tractor_nursery_join (nursery, error);
}

static gboolean
acquire_and_wait (gpointer data, GError **error)
{
  Leaver *leaver = data;

  leaver->lease = acquire (leaver->cache, leaver->thing, error);
  return leaver->lease != NULL && tractor_event_wait (leaver->may_leave, error);
}

static gboolean
test_released_by_another_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorEvent) may_leave = tractor_event_new ();
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();
  Thing thing = { 0 };
  Leaver leaver = { .cache = cache, .thing = &thing, .may_leave = may_leave };

  tractor_nursery_spawn (users_nursery, "holder", acquire_and_wait, &leaver, NULL, error);
  wait_until_blocked ();
  g_assert_cmpuint (thing.n_open, ==, 1);
  tractor_lease_close (leaver.lease);
  g_assert_cmpuint (thing.n_open, ==, 0);
  tractor_event_set (may_leave);
  g_assert_true (tractor_nursery_join (users_nursery, error));
  return tractor_nursery_join (nursery, error);
}

/* --- opening that does not succeed --------------------------------------------------------------- */

static gboolean
test_cancelled_open_passes_to_the_next (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorEvent) may_open = tractor_event_new ();
  Thing thing = { .may_open = may_open };
  User first = { .cache = cache, .thing = &thing };
  User cancelled = { .cache = cache, .thing = &thing };
  User next = { .cache = cache, .thing = &thing };
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();

  spawn_user (users_nursery, &first);
  wait_until_blocked ();
  spawn_user (users_nursery, &cancelled);
  wait_until_blocked ();
  spawn_user (users_nursery, &next);
  wait_until_blocked ();
  g_assert_cmpuint (thing.n_opened, ==, 1);
  tractor_cancel_scope_cancel (cancelled.scope, NULL); /* in line */
  tractor_cancel_scope_cancel (first.scope, NULL);     /* while it opens */
  wait_until_blocked ();
  harness_assert_error (first.failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  harness_assert_error (cancelled.failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_cmpuint (thing.n_opened, ==, 2);
  tractor_event_set (may_open);
  g_assert_true (tractor_nursery_join (users_nursery, error));
  g_assert_true (next.is_user);
  g_assert_false (next.was_hit);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (thing.n_freed, ==, 3);
  return TRUE;
}

/* Hides the cancel of whoever opens it from itself. */
static gboolean
serve_shielded (TractorResource *resource, gpointer data, GError **error)
{
  Thing *thing = data;
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  g_assert_true (tractor_event_wait (thing->may_open, error));
  thing->n_opened++;
  return tractor_resource_share (resource, NULL, error);
}

static gboolean
test_cancelled_open_is_not_shared (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorEvent) may_open = tractor_event_new ();
  Thing thing = { .may_open = may_open };
  User user = { .cache = cache, .thing = &thing, .func = serve_shielded };
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();

  spawn_user (users_nursery, &user);
  wait_until_blocked ();
  tractor_cancel_scope_cancel (user.scope, NULL);
  wait_until_blocked ();
  g_assert_no_error (user.failure); /* it waits for what it has begun */
  tractor_event_set (may_open);
  g_assert_true (tractor_nursery_join (users_nursery, error));
  g_assert_cmpuint (thing.n_opened, ==, 1);
  g_assert_false (user.is_user);
  harness_assert_error (user.failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_failed_open (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorEvent) may_open = tractor_event_new ();
  Thing thing = { .may_open = may_open, .fails_to_open = TRUE };
  User users[2];
  g_autoptr (TractorNursery) users_nursery = tractor_nursery_open ();

  for (guint i = 0; i < 2; i++) {
    users[i] = (User){ .cache = cache, .thing = &thing };
    spawn_user (users_nursery, &users[i]);
  }
  wait_until_blocked ();
  tractor_event_set (may_open);
  g_assert_true (tractor_nursery_join (users_nursery, error));
  g_assert_cmpuint (thing.n_opened, ==, 2); /* each for itself */
  for (guint i = 0; i < 2; i++)
    harness_assert_error (users[i].failure, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (thing.n_freed, ==, 2);
  return TRUE;
}

static gboolean
share_nothing (G_GNUC_UNUSED TractorResource *resource,
               G_GNUC_UNUSED gpointer data,
               G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
share_twice (TractorResource *resource, G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_resource_share (resource, NULL, error) &&
         tractor_resource_share (resource, NULL, error);
}

static gboolean
test_misuse (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorLease) lease = NULL;

  g_assert_null (tractor_cache_acquire (cache, "nothing", share_nothing, NULL, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  lease = tractor_cache_acquire (cache, "twice", share_twice, NULL, NULL, error);
  g_assert_false (tractor_lease_release (lease, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_closed_nursery (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  Thing thing = { 0 };

  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_null (acquire (cache, &thing, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  g_assert_cmpuint (thing.n_freed, ==, 1);
  return TRUE;
}

/* --- what a resource holds open ------------------------------------------------------------------ */

static gboolean
set_flag_when_told (gpointer data, GError **error)
{
  User *user = data;

  if (!tractor_event_wait (user->may_leave, error))
    return FALSE;
  user->has_left = TRUE;
  return TRUE;
}

/* Shares a task of its own nursery. */
static gboolean
serve_with_family (TractorResource *resource, gpointer data, GError **error)
{
  User *user = data;
  g_autoptr (TractorNursery) family = tractor_nursery_open ();

  if (tractor_nursery_spawn (family, "child", set_flag_when_told, user, NULL, error))
    tractor_resource_share (resource, user, error);
  return tractor_nursery_join (family, error);
}

static gboolean
test_resource_with_a_nursery (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorEvent) event = tractor_event_new ();
  User user = { .may_leave = event };
  g_autoptr (TractorLease) lease = NULL;

  {
    /* Whoever opens it may go: it lives in the nursery. */
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

    lease = tractor_cache_acquire (cache, "family", serve_with_family, &user, NULL, error);
    g_assert_nonnull (lease);
    tractor_cancel_scope_cancel (scope, NULL);
  }
  wait_until_blocked ();
  g_assert_false (user.has_left);
  tractor_event_set (event);
  wait_until_blocked ();
  g_assert_true (user.has_left);
  g_assert_true (tractor_lease_release (lease, error));
  return tractor_nursery_join (nursery, error);
}

/* --- cancels and failures while it is shared ----------------------------------------------------- */

static gboolean
wait_for_cancel (gpointer data, GError **error)
{
  User *user = data;
  g_autoptr (TractorLease) lease = acquire (user->cache, user->thing, error);

  g_assert_nonnull (lease);
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
  g_assert_cmpuint (user->thing->n_open, ==, 1); /* still good for cleaning up */
  user->has_left = TRUE;
  return FALSE;
}

static gboolean
test_cancel_reaches_the_users_first (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  Thing thing = { 0 };
  User user = { .cache = cache, .thing = &thing };

  tractor_nursery_spawn (nursery, "user", wait_for_cancel, &user, NULL, error);
  wait_until_blocked ();
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (user.has_left);
  g_assert_cmpuint (thing.n_opened, ==, 1);
  g_assert_cmpuint (thing.n_open, ==, 0);
  return TRUE;
}

/* Can be broken by its scope. */
static gboolean
serve_brittle (TractorResource *resource, gpointer data, GError **error)
{
  Thing *thing = data;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  thing->scope = scope;
  tractor_resource_share (resource, GUINT_TO_POINTER (++thing->n_opened), error);
  wait_to_close (thing);
  if (!tractor_cancel_scope_absorb (scope, error))
    return FALSE;
  return tractor_cancel_scope_get_cancelled_caught (scope) && thing->fails_to_close
             ? set_no_space (error)
             : TRUE;
}

/* Breaks one that is in use. Returns: what its nursery says to that. */
static GError *
break_one (gboolean fails)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  g_autoptr (TractorEvent) may_close = tractor_event_new ();
  Thing thing = { .may_close = may_close, .fails_to_close = fails };
  g_autoptr (TractorLease) old =
      tractor_cache_acquire (cache, "thing", serve_brittle, &thing, NULL, NULL);
  g_autoptr (TractorLease) fresh = NULL;
  GError *failure = NULL;

  tractor_cancel_scope_cancel (thing.scope, NULL);
  wait_until_blocked ();
  fresh = tractor_cache_acquire (cache, "thing", serve_brittle, &thing, NULL, NULL);
  g_assert_false (tractor_lease_get_was_hit (fresh));
  g_assert_cmpuint (get_value (old), ==, 1);
  g_assert_cmpuint (get_value (fresh), ==, 2);
  tractor_event_set (may_close);
  g_assert_true (tractor_lease_release (old, NULL));
  g_assert_true (tractor_lease_release (fresh, NULL));
  tractor_nursery_join (nursery, &failure);
  return failure;
}

static gboolean
test_broken_in_use (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GError) failure = break_one (TRUE);
  g_autoptr (GError) no_failure = break_one (FALSE);

  g_assert_true (tractor_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_assert_true (tractor_error_matches (no_failure, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN));
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/cache/row-109-ten-users-share-one", test_ten_users_share_one);
  harness_add_task ("/guest/cache/row-109-waiting-users-are-not-overtaken",
                    test_waiting_users_are_not_overtaken);
  harness_add_task ("/guest/cache/row-109-last-user-gets-the-failure",
                    test_last_user_gets_the_failure);
  harness_add_task ("/guest/cache/row-109-last-user-waits-shielded", test_last_user_waits_shielded);
  harness_add_task ("/guest/cache/row-109-reentry-gets-a-fresh-one", test_reentry_gets_a_fresh_one);
  harness_add_task ("/guest/cache/row-109-cancelled-open-passes-to-the-next",
                    test_cancelled_open_passes_to_the_next);
  harness_add_task ("/guest/cache/row-109-cancelled-open-is-not-shared",
                    test_cancelled_open_is_not_shared);
  harness_add_task ("/guest/cache/row-109-failed-open", test_failed_open);
  harness_add_task ("/guest/cache/unreleased-failure-is-not-lost",
                    test_unreleased_failure_is_not_lost);
  harness_add_task ("/guest/cache/left-open-by-its-task", test_left_open_by_its_task);
  harness_add_task ("/guest/cache/left-open-with-its-nursery", test_left_open_with_its_nursery);
  harness_add_task ("/guest/cache/left-open-at-join", test_left_open_at_join);
  harness_add_task ("/guest/cache/left-open-with-a-lock", test_left_open_with_a_lock);
  harness_add_task ("/guest/cache/released-by-another-task", test_released_by_another_task);
  harness_add_task ("/guest/cache/keys-are-independent", test_keys_are_independent);
  harness_add_task ("/guest/cache/misuse", test_misuse);
  harness_add_task ("/guest/cache/closed-nursery", test_closed_nursery);
  harness_add_task ("/guest/cache/resource-with-a-nursery", test_resource_with_a_nursery);
  harness_add_task ("/guest/cache/cancel-reaches-the-users-first",
                    test_cancel_reaches_the_users_first);
  harness_add_task ("/guest/cache/broken-in-use", test_broken_in_use);
  return harness_run ();
}
