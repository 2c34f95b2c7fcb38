/* test-lock.c - locks, conditions and semaphores: who is next, and what a cancel leaves behind. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"
#include "tractor-sync.h"

#define MSEC G_GINT64_CONSTANT (1000)

typedef struct {
  TractorLock *lock;
  TractorCondition *condition;
  TractorSemaphore *semaphore;
  GString *order;
  guint n_inside;
  guint n_done;
  gboolean is_true;
} Story;

static gboolean
enter_and_wait (gpointer data, GError **error)
{
  Story *story = data;

  for (int i = 0; i < 3; i++) {
    if (!tractor_lock_acquire (story->lock, error))
      return FALSE;
    g_assert_cmpuint (++story->n_inside, ==, 1);
    if (!tractor_checkpoint (error))
      return FALSE;
    story->n_inside--;
    g_string_append (story->order, tractor_task_get_name ());
    tractor_lock_release (story->lock);
  }
  return TRUE;
}

static gboolean
test_one_at_a_time (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLock) lock = tractor_lock_new ();
  g_autoptr (GString) order = g_string_new (NULL);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { .lock = lock, .order = order };

  tractor_nursery_spawn (nursery, "a", enter_and_wait, &story, NULL, error);
  tractor_nursery_spawn (nursery, "b", enter_and_wait, &story, NULL, error);
  tractor_nursery_spawn (nursery, "c", enter_and_wait, &story, NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  /* Handed over: who releases it cannot take it again while others wait. */
  g_assert_cmpstr (order->str, ==, "abcabcabc");
  return TRUE;
}

static gboolean
test_lock_misuse (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLock) lock = tractor_lock_new ();

  g_assert_true (tractor_lock_acquire (lock, error));
  g_assert_false (tractor_lock_acquire (lock, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  tractor_lock_release (lock);
  return TRUE;
}

static gboolean
expect_would_block (gpointer data, GError **error)
{
  g_assert_false (tractor_lock_acquire_nowait (data, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK);
  return TRUE;
}

static gboolean
test_lock_nowait (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLock) lock = tractor_lock_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  g_assert_true (tractor_lock_acquire_nowait (lock, error));
  tractor_nursery_spawn (nursery, "other", expect_would_block, lock, NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_lock_release (lock);
  return TRUE;
}

static gboolean
acquire_and_end (gpointer data, GError **error)
{
  return tractor_lock_acquire (data, error);
}

static gboolean
expect_broken (gpointer data, GError **error)
{
  g_assert_false (tractor_lock_acquire (data, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  return TRUE;
}

static gboolean
test_owner_ends (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLock) lock = tractor_lock_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "owner", acquire_and_end, lock, NULL, error);
  tractor_nursery_spawn (nursery, "waiter", expect_broken, lock, NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  return expect_broken (lock, error);
}

static gboolean
test_cancelled_acquire (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLock) lock = tractor_lock_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  g_assert_true (tractor_lock_acquire (lock, error));
  tractor_nursery_spawn (nursery, "waiter", acquire_and_end, lock, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_lock_release (lock);
  g_assert_true (tractor_lock_acquire (lock, error)); /* nobody is in its line any more */
  tractor_lock_release (lock);
  return TRUE;
}

/* --- conditions --------------------------------------------------------------------------------- */

static gboolean
wait_until_true (gpointer data, GError **error)
{
  Story *story = data;
  gboolean ok = TRUE;

  if (!tractor_lock_acquire (story->lock, error))
    return FALSE;
  while (ok && !story->is_true)
    ok = tractor_condition_wait (story->condition, error);
  g_assert_cmpuint (++story->n_inside, ==, 1); /* with the lock, whatever the outcome */
  story->n_inside--;
  story->n_done++;
  tractor_lock_release (story->lock);
  return ok;
}

static gboolean
test_condition (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLock) lock = tractor_lock_new ();
  g_autoptr (TractorCondition) condition = tractor_condition_new (lock);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { .lock = lock, .condition = condition };

  for (int i = 0; i < 3; i++)
    tractor_nursery_spawn (nursery, "waiter", wait_until_true, &story, NULL, error);
  g_assert_true (tractor_sleep_until (tractor_now () + MSEC, error));
  g_assert_true (tractor_lock_acquire (lock, error));
  story.is_true = TRUE;
  tractor_condition_notify (condition, 2);
  g_assert_true (tractor_checkpoint (error));
  g_assert_cmpuint (story.n_done, ==, 0); /* not before the lock is free */
  tractor_lock_release (lock);
  g_assert_true (tractor_sleep_until (tractor_now () + MSEC, error));
  g_assert_cmpuint (story.n_done, ==, 2);
  g_assert_true (tractor_lock_acquire (lock, error));
  tractor_condition_notify (condition, G_MAXUINT);
  tractor_lock_release (lock);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_cancelled_condition (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLock) lock = tractor_lock_new ();
  g_autoptr (TractorCondition) condition = tractor_condition_new (lock);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { .lock = lock, .condition = condition };

  tractor_nursery_spawn (nursery, "waiter", wait_until_true, &story, NULL, error);
  g_assert_true (tractor_sleep_until (tractor_now () + MSEC, error));
  g_assert_true (tractor_lock_acquire (lock, error));
  story.n_inside++; /* the waiter has to wait for us, shielded */
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  tractor_checkpoint (NULL);
  story.n_inside--;
  tractor_lock_release (lock);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (story.n_done, ==, 1);
  return TRUE;
}

static gboolean
test_condition_without_lock (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLock) lock = tractor_lock_new ();
  g_autoptr (TractorCondition) condition = tractor_condition_new (lock);

  g_assert_false (tractor_condition_wait (condition, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

static gboolean
expect_broken_condition (gpointer data, GError **error)
{
  Story *story = data;

  g_assert_true (tractor_lock_acquire (story->lock, error));
  g_assert_false (tractor_condition_wait (story->condition, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  return TRUE;
}

/* Whoever waits to be notified is told too that there will be no lock any more. */
static gboolean
test_condition_of_broken_lock (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLock) lock = tractor_lock_new ();
  g_autoptr (TractorCondition) condition = tractor_condition_new (lock);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { .lock = lock, .condition = condition };

  tractor_nursery_spawn (nursery, "waiter", expect_broken_condition, &story, NULL, error);
  g_assert_true (tractor_sleep_until (tractor_now () + MSEC, error));
  tractor_nursery_spawn (nursery, "owner", acquire_and_end, lock, NULL, error);
  return tractor_nursery_join (nursery, error);
}

/* --- semaphores --------------------------------------------------------------------------------- */

static gboolean
take_a_place (gpointer data, GError **error)
{
  Story *story = data;

  if (!tractor_semaphore_acquire (story->semaphore, error))
    return FALSE;
  g_assert_cmpuint (++story->n_inside, <=, 2);
  if (!tractor_checkpoint (error))
    return FALSE;
  story->n_inside--;
  story->n_done++;
  return tractor_semaphore_release (story->semaphore, error);
}

static gboolean
test_semaphore (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorSemaphore) semaphore = tractor_semaphore_new (2, 2);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { .semaphore = semaphore };

  for (int i = 0; i < 7; i++)
    tractor_nursery_spawn (nursery, "user", take_a_place, &story, NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (story.n_done, ==, 7);
  g_assert_cmpuint (tractor_semaphore_get_value (semaphore), ==, 2);
  return TRUE;
}

static gboolean
test_semaphore_bounds (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorSemaphore) semaphore = tractor_semaphore_new (1, 1);

  g_assert_false (tractor_semaphore_release (semaphore, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_true (tractor_semaphore_acquire_nowait (semaphore, error));
  g_assert_false (tractor_semaphore_acquire_nowait (semaphore, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK);
  return tractor_semaphore_release (semaphore, error);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/lock/A86-one-at-a-time", test_one_at_a_time);
  harness_add_task ("/guest/lock/A86-not-recursive", test_lock_misuse);
  harness_add_task ("/guest/lock/nowait", test_lock_nowait);
  harness_add_task ("/guest/lock/A86-owner-ends", test_owner_ends);
  harness_add_task ("/guest/lock/cancelled-acquire", test_cancelled_acquire);
  harness_add_task ("/guest/condition/A87-notify", test_condition);
  harness_add_task ("/guest/condition/A87-cancelled", test_cancelled_condition);
  harness_add_task ("/guest/condition/A86-of-broken-lock", test_condition_of_broken_lock);
  harness_add_task ("/guest/condition/without-lock", test_condition_without_lock);
  harness_add_task ("/guest/semaphore/A88-places", test_semaphore);
  harness_add_task ("/guest/semaphore/A88-bounds", test_semaphore_bounds);
  return harness_run ();
}
