/* test-checkpoint.c - what every operation owes that may wait: it lets others have their turn, and it
 * reports a cancel, also when what it waits for is there already. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-broadcast.h"
#include "tractor-channel.h"
#include "tractor-thread.h"

/* --- operations that are ready ------------------------------------------------------------------- */

/* What they work on; made anew for each. */
typedef struct {
  TractorEvent *event;
  TractorLock *lock;
  TractorSemaphore *semaphore;
  TractorLimiter *limiter;
  TractorSender *sender;
  TractorReceiver *receiver;
  TractorReceiver *ended;
  TractorBroadcaster *broadcaster;
  TractorSubscriber *subscriber;
  TractorSubscriber *lagged;
  TractorFdWatch *watch;
  int fds[2];
  int file;
} Things;

typedef gboolean (*Operation) (Things *things, GError **error);

static gboolean
do_checkpoint (G_GNUC_UNUSED Things *things, GError **error)
{
  return tractor_checkpoint (error);
}

static gboolean
do_sleep_until_past (G_GNUC_UNUSED Things *things, GError **error)
{
  return tractor_sleep_until (0, error);
}

static gboolean
do_wait_for_set_event (Things *things, GError **error)
{
  return tractor_event_wait (things->event, error);
}

static gboolean
do_acquire_lock (Things *things, GError **error)
{
  if (!tractor_lock_acquire (things->lock, error))
    return FALSE;
  tractor_lock_release (things->lock);
  return TRUE;
}

static gboolean
do_acquire_semaphore (Things *things, GError **error)
{
  return tractor_semaphore_acquire (things->semaphore, error) &&
         tractor_semaphore_release (things->semaphore, error);
}

static gboolean
do_acquire_limiter (Things *things, GError **error)
{
  return tractor_limiter_acquire (things->limiter, NULL, error) &&
         tractor_limiter_release (things->limiter, NULL, error);
}

static gboolean
do_send (Things *things, GError **error)
{
  return tractor_sender_send (things->sender, things, error);
}

static gboolean
do_receive (Things *things, GError **error)
{
  gpointer item;

  return tractor_receiver_receive (things->receiver, &item, error);
}

static gboolean
do_receive_end (Things *things, GError **error)
{
  GError *failure = NULL;
  gpointer item;

  g_assert_false (tractor_receiver_receive (things->ended, &item, &failure));
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

static gboolean
do_receive_broadcast (Things *things, GError **error)
{
  gpointer item;

  return tractor_subscriber_receive (things->subscriber, &item, error);
}

static gboolean
do_receive_lagged (Things *things, GError **error)
{
  GError *failure = NULL;
  gpointer item;

  g_assert_false (tractor_subscriber_receive (things->lagged, &item, &failure));
  if (g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_LAGGED)) {
    g_error_free (failure);
    return TRUE;
  }
  g_propagate_error (error, failure);
  return FALSE;
}

static gboolean
do_wait_fd (Things *things, GError **error)
{
  return tractor_wait_fd (things->fds[0], G_IO_OUT, NULL, error);
}

static gboolean
do_wait_regular_file (Things *things, GError **error)
{
  return tractor_wait_fd (things->file, G_IO_IN, NULL, error);
}

static gboolean
do_wait_watch (Things *things, GError **error)
{
  return tractor_fd_watch_wait (things->watch, G_IO_OUT, error);
}

static gboolean
succeed (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
do_to_thread (G_GNUC_UNUSED Things *things, GError **error)
{
  return tractor_to_thread (succeed, NULL, NULL, TRACTOR_THREAD_WAIT, NULL, error);
}

static void
do_nothing (G_GNUC_UNUSED gpointer data)
{
}

static gboolean
do_run_in_host (G_GNUC_UNUSED Things *things, GError **error)
{
  return tractor_run_in_host (do_nothing, NULL, error);
}

static gboolean
be_started (TractorTaskStatus *status, G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_checkpoint (error) && tractor_task_started (status, NULL, error);
}

static gboolean
do_start (G_GNUC_UNUSED Things *things, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_start (nursery, "started", be_started, NULL, NULL, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static const struct {
  const char *name;
  Operation operation;
} operations[] = {
  { "checkpoint", do_checkpoint },
  { "sleep_until, in the past", do_sleep_until_past },
  { "event_wait, set", do_wait_for_set_event },
  { "lock_acquire, free", do_acquire_lock },
  { "semaphore_acquire, free", do_acquire_semaphore },
  { "limiter_acquire, free", do_acquire_limiter },
  { "send, with room", do_send },
  { "receive, with an item", do_receive },
  { "receive, at the end", do_receive_end },
  { "subscriber_receive, with an item", do_receive_broadcast },
  { "subscriber_receive, lagged", do_receive_lagged },
  { "wait_fd, ready", do_wait_fd },
  { "wait_fd, regular file", do_wait_regular_file },
  { "fd_watch_wait, ready", do_wait_watch },
  { "to_thread", do_to_thread },
  { "run_in_host", do_run_in_host },
  { "nursery_start", do_start },
};

static void
things_init (Things *things)
{
  g_autofree char *path = NULL;
  TractorSender *sender;

  memset (things, 0, sizeof *things);
  things->event = tractor_event_new ();
  tractor_event_set (things->event);
  things->lock = tractor_lock_new ();
  things->semaphore = tractor_semaphore_new (1, 1);
  things->limiter = tractor_limiter_new (1);
  tractor_channel_open (2, NULL, &things->sender, &things->receiver);
  g_assert_true (tractor_sender_send_nowait (things->sender, things, NULL));
  tractor_channel_open (1, NULL, &sender, &things->ended);
  tractor_sender_close (sender);
  things->broadcaster = tractor_broadcaster_new (1, NULL, NULL);
  things->lagged = tractor_broadcaster_subscribe (things->broadcaster);
  tractor_broadcaster_send (things->broadcaster, things);
  things->subscriber = tractor_broadcaster_subscribe (things->broadcaster);
  tractor_broadcaster_send (things->broadcaster, things);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, things->fds), ==, 0);
  things->watch = tractor_fd_watch_open (things->fds[1], NULL);
  things->file = g_file_open_tmp (NULL, &path, NULL);
  unlink (path);
}

static void
things_clear (Things *things)
{
  tractor_fd_watch_close (things->watch);
  close (things->fds[0]);
  close (things->fds[1]);
  close (things->file);
  tractor_subscriber_close (things->subscriber);
  tractor_subscriber_close (things->lagged);
  tractor_broadcaster_close (things->broadcaster);
  tractor_receiver_close (things->ended);
  tractor_receiver_close (things->receiver);
  tractor_sender_close (things->sender);
  tractor_limiter_free (things->limiter);
  tractor_semaphore_free (things->semaphore);
  tractor_lock_free (things->lock);
  tractor_event_free (things->event);
}

typedef struct {
  gboolean stop;
  guint n_turns;
} Sibling;

static gboolean
take_turns (gpointer data, GError **error)
{
  Sibling *sibling = data;

  for (; !sibling->stop; sibling->n_turns++)
    if (!tractor_checkpoint (error))
      return FALSE;
  return TRUE;
}

static gboolean
test_schedules_when_ready (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Sibling sibling = { 0 };

  tractor_nursery_spawn (nursery, "sibling", take_turns, &sibling, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  for (guint i = 0; i < G_N_ELEMENTS (operations); i++) {
    Things things;
    guint n_turns;

    things_init (&things);
    n_turns = sibling.n_turns;
    if (!operations[i].operation (&things, error))
      g_error ("%s: %s", operations[i].name, (*error)->message);
    if (sibling.n_turns == n_turns)
      g_error ("%s did not let others have their turn", operations[i].name);
    things_clear (&things);
  }
  sibling.stop = TRUE;
  return tractor_nursery_join (nursery, error);
}

/* It fails, and it has not happened: the same thing can be done right after. */
static gboolean
test_cancelled_when_ready (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (operations); i++) {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
    GError *failure = NULL;
    Things things;

    things_init (&things);
    tractor_cancel_scope_cancel (scope, NULL);
    if (operations[i].operation (&things, &failure))
      g_error ("%s did not report the cancel", operations[i].name);
    if (!tractor_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
      g_error ("%s failed otherwise: %s", operations[i].name, failure->message);
    g_assert_true (tractor_cancel_scope_absorb (scope, &failure));
    if (!operations[i].operation (&things, error))
      g_error ("%s, done after all: %s", operations[i].name, (*error)->message);
    things_clear (&things);
  }
  return TRUE;
}

static gboolean
test_half_points (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCancelScope) scope = NULL;
  Sibling sibling = { 0 };
  GError *failure = NULL;
  guint n_turns;

  tractor_nursery_spawn (nursery, "sibling", take_turns, &sibling, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  n_turns = sibling.n_turns;
  g_assert_true (tractor_checkpoint_if_cancelled (error));
  g_assert_cmpuint (sibling.n_turns, ==, n_turns);

  scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_true (tractor_cancel_shielded_checkpoint (error));
  g_assert_cmpuint (sibling.n_turns, >, n_turns);
  g_assert_false (tractor_checkpoint_if_cancelled (&failure));
  g_assert_true (tractor_cancel_scope_absorb (scope, &failure));
  sibling.stop = TRUE;
  return tractor_nursery_join (nursery, error);
}

/* A task whose operations are always ready does not keep the others from theirs. */
static gboolean
send_and_receive (gpointer data, GError **error)
{
  Sibling *sibling = data;
  TractorSender *sender;
  TractorReceiver *receiver;
  gpointer item;
  gboolean ok = TRUE;

  tractor_channel_open (1, NULL, &sender, &receiver);
  while (ok && !sibling->stop)
    ok = tractor_sender_send (sender, NULL, error) &&
         tractor_receiver_receive (receiver, &item, error);
  tractor_sender_close (sender);
  tractor_receiver_close (receiver);
  return ok;
}

static gboolean
test_always_ready (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Sibling busy = { 0 };

  for (int i = 0; i < 10; i++)
    tractor_nursery_spawn (nursery, "busy", send_and_receive, &busy, NULL, error);
  for (int i = 0; i < 1000; i++)
    g_assert_true (tractor_checkpoint (error));
  busy.stop = TRUE;
  return tractor_nursery_join (nursery, error);
}

/* --- waiting until all others do ------------------------------------------------------------------- */

typedef struct {
  guint n_steps;
  TractorEvent *go;
  int fds[2];
} Work;

static gboolean
work_then_wait (gpointer data, GError **error)
{
  Work *work = data;
  char byte;

  for (int i = 0; i < 20; i++, work->n_steps++)
    if (!tractor_checkpoint (error))
      return FALSE;
  g_assert_cmpint (write (work->fds[1], "x", 1), ==, 1); /* what is ready counts as not blocked */
  if (!tractor_wait_fd (work->fds[0], G_IO_IN, NULL, error))
    return FALSE;
  g_assert_cmpint (read (work->fds[0], &byte, 1), ==, 1);
  work->n_steps++;
  return tractor_event_wait (work->go, error);
}

static gboolean
test_all_blocked (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) go = tractor_event_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Work work = { .go = go };

  g_assert_cmpint (pipe (work.fds), ==, 0);
  tractor_nursery_spawn (nursery, "worker", work_then_wait, &work, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  g_assert_cmpuint (work.n_steps, ==, 21);
  tractor_event_set (go);
  g_assert_true (tractor_nursery_join (nursery, error));
  close (work.fds[0]);
  close (work.fds[1]);
  return TRUE;
}

typedef struct {
  gint64 cushion;
  guint place;
} Cushion;

static guint next_place;

static gboolean
wait_on_cushion (gpointer data, GError **error)
{
  Cushion *cushion = data;

  if (!tractor_wait_all_tasks_blocked (cushion->cushion, error))
    return FALSE;
  cushion->place = ++next_place;
  return TRUE;
}

/* The shortest first, equal ones together; and each wakeup starts the others anew, in real time. */
static gboolean
test_all_blocked_cushions (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Cushion cushions[] = { { 20000, 0 }, { 10000, 0 }, { 10000, 0 }, { 0, 0 } };
  gint64 started = g_get_monotonic_time ();

  for (guint i = 0; i < G_N_ELEMENTS (cushions); i++)
    tractor_nursery_spawn (nursery, "waiter", wait_on_cushion, &cushions[i], NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (cushions[3].place, ==, 1);
  g_assert_cmpuint (cushions[1].place + cushions[2].place, ==, 2 + 3);
  g_assert_cmpuint (cushions[0].place, ==, 4);
  g_assert_cmpint (g_get_monotonic_time () - started, >=, 30000);
  return TRUE;
}

static gpointer
poke (gpointer data)
{
  TractorToken *token = data;

  for (int i = 0; i < 5; i++) {
    harness_wait_until_host_sleeps ();
    tractor_token_run_soon (token, do_nothing, NULL);
  }
  return NULL;
}

/* A wakeup that makes nothing runnable is neither the end of the wait nor a new beginning. */
static gboolean
test_all_blocked_poked (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorToken) token = tractor_token_get_current ();
  GThread *thread = g_thread_new ("poker", poke, token);
  gint64 started = g_get_monotonic_time ();

  g_assert_true (tractor_wait_all_tasks_blocked (10000, error));
  g_assert_cmpint (g_get_monotonic_time () - started, >=, 10000);
  g_thread_join (thread);
  return TRUE;
}

/* Takes longer than a tick may, and then waits. */
static gboolean
compute_and_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 until = g_get_monotonic_time () + 10000;

  while (g_get_monotonic_time () < until)
    ;
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
test_all_blocked_late (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "computing", compute_and_wait, NULL, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_all_blocked_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Cushion cushion = { 60 * G_USEC_PER_SEC, 0 };

  tractor_nursery_spawn (nursery, "waiter", wait_on_cushion, &cushion, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (cushion.place, ==, 0);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_real_task ("/guest/checkpoint/A66-A68-schedules-when-ready",
                         test_schedules_when_ready);
  harness_add_real_task ("/guest/checkpoint/A44-A69-cancelled-when-ready",
                         test_cancelled_when_ready);
  harness_add_task ("/guest/checkpoint/A67-half-points", test_half_points);
  harness_add_task ("/guest/checkpoint/A66-always-ready", test_always_ready);
  harness_add_task ("/guest/all-blocked/A83-work-first", test_all_blocked);
  harness_add_task ("/guest/all-blocked/A83-cushions", test_all_blocked_cushions);
  harness_add_task ("/guest/all-blocked/A83-poked", test_all_blocked_poked);
  harness_add_task ("/guest/all-blocked/A83-cancelled", test_all_blocked_cancelled);
  harness_add_task ("/guest/all-blocked/A83-after-a-long-step", test_all_blocked_late);
  return harness_run ();
}
