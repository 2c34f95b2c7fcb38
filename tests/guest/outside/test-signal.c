/* test-signal.c - signals of the process, received by tasks. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-signal.h"
#include "tractor-sync.h"

static _Atomic (int) n_handled; /* by a handler of the program's own */

static void
handle (G_GNUC_UNUSED int signal_number)
{
  n_handled++;
}

static void
install (int signal_number, void (*handler) (int))
{
  struct sigaction action = { .sa_handler = handler };

  g_assert_cmpint (sigaction (signal_number, &action, NULL), ==, 0);
}

static void
assert_installed (int signal_number, void (*handler) (int))
{
  struct sigaction now;

  g_assert_cmpint (sigaction (signal_number, NULL, &now), ==, 0);
  g_assert_true (now.sa_handler == handler);
}

static void
send (int signal_number)
{
  g_assert_cmpint (kill (getpid (), signal_number), ==, 0);
}

static const int user_signals[] = { SIGUSR1, SIGUSR2, SIGUSR1 }; /* one of them twice */

static TractorSignalReceiver *
open_user (void)
{
  TractorSignalReceiver *receiver =
      tractor_signal_receiver_open (user_signals, G_N_ELEMENTS (user_signals), NULL);

  g_assert_nonnull (receiver);
  return receiver;
}

static void
assert_receives (TractorSignalReceiver *receiver, int expected)
{
  int received = 0;

  g_assert_true (tractor_signal_receiver_receive (receiver, &received, NULL));
  g_assert_cmpint (received, ==, expected);
}

static gboolean
test_received (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (TractorSignalReceiver) receiver = open_user ();

  send (SIGUSR1);
  assert_receives (receiver, SIGUSR1);
  return TRUE;
}

typedef struct {
  TractorSignalReceiver *receiver;
  int received;
} Waiter;

static gboolean
wait_for_signal (gpointer data, GError **error)
{
  Waiter *waiter = data;

  return tractor_signal_receiver_receive (waiter->receiver, &waiter->received, error);
}

static gpointer
send_when_asleep (G_GNUC_UNUSED gpointer data)
{
  harness_wait_until_host_sleeps ();
  send (SIGUSR2);
  return NULL;
}

static gboolean
test_ends_a_poll (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorSignalReceiver) receiver = open_user ();
  Waiter waiter = { .receiver = receiver };
  GThread *thread = g_thread_new ("sender", send_when_asleep, NULL);
  gboolean ok = wait_for_signal (&waiter, error);

  g_thread_join (thread);
  g_assert_cmpint (waiter.received, ==, SIGUSR2);
  return ok;
}

static gboolean
test_repeated_is_one (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorSignalReceiver) receiver = open_user ();
  g_autoptr (TractorCancelScope) scope = NULL;
  Waiter waiter = { .receiver = receiver };

  for (int i = 0; i < 10; i++)
    send (SIGUSR1);
  assert_receives (receiver, SIGUSR1);
  scope = tractor_cancel_scope_open (tractor_now () + 5000);
  wait_for_signal (&waiter, error);
  g_assert_cmpint (waiter.received, ==, 0);
  return tractor_cancel_scope_absorb (scope, error);
}

static gboolean
test_rotates (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (TractorSignalReceiver) receiver = open_user ();

  send (SIGUSR1);
  send (SIGUSR2);
  assert_receives (receiver, SIGUSR1);
  send (SIGUSR1); /* keeps coming, and yet */
  assert_receives (receiver, SIGUSR2);
  assert_receives (receiver, SIGUSR1);
  return TRUE;
}

static gboolean
test_one_consumer (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorSignalReceiver) receiver = open_user ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Waiter waiter = { .receiver = receiver };
  GError *busy = NULL;
  int received;

  tractor_nursery_spawn (nursery, "waiter", wait_for_signal, &waiter, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  g_assert_true (tractor_checkpoint (error));
  g_assert_false (tractor_signal_receiver_receive (receiver, &received, &busy));
  harness_assert_error (busy, TRACTOR_ERROR, TRACTOR_ERROR_BUSY);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  send (SIGUSR1); /* the wait that was cancelled took none away */
  assert_receives (receiver, SIGUSR1);
  return TRUE;
}

static gboolean
test_bad_signals (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  const int uncatchable[] = { SIGUSR1, SIGKILL };
  const int too_high[] = { SIGUSR1, 1000 };
  GError *error = NULL;

  install (SIGUSR1, handle);
  g_assert_null (tractor_signal_receiver_open (NULL, 0, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_null (tractor_signal_receiver_open (uncatchable, 2, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL);
  assert_installed (SIGUSR1, handle);
  g_assert_null (tractor_signal_receiver_open (too_high, 2, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL);
  assert_installed (SIGUSR1, handle);
  return TRUE;
}

/* The handler that was there is called, and is back afterwards. */
static gboolean
test_chained_and_restored (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (TractorSignalReceiver) receiver = NULL;

  install (SIGUSR1, handle);
  receiver = open_user ();
  send (SIGUSR1);
  g_assert_cmpint (n_handled, ==, 1);
  assert_receives (receiver, SIGUSR1);
  tractor_signal_receiver_close (g_steal_pointer (&receiver));
  assert_installed (SIGUSR1, handle);
  assert_installed (SIGUSR2, SIG_DFL);
  return TRUE;
}

/* Somebody has put a handler over ours: it stays. */
static gboolean
test_replaced_stays (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  TractorSignalReceiver *receiver = open_user ();

  install (SIGUSR1, handle);
  tractor_signal_receiver_close (receiver);
  assert_installed (SIGUSR1, handle);
  assert_installed (SIGUSR2, SIG_DFL);
  return TRUE;
}

/* The first signal that there is, and the last, as well. */
static gboolean
test_pending_is_raised_again (G_GNUC_UNUSED gpointer data, GError **error)
{
  const int signals[] = { SIGHUP, SIGUSR1, SIGRTMAX };

  for (guint i = 0; i < G_N_ELEMENTS (signals); i++) {
    TractorSignalReceiver *receiver;

    n_handled = 0;
    install (signals[i], handle);
    receiver = tractor_signal_receiver_open (&signals[i], 1, error);
    send (signals[i]);
    g_assert_cmpint (n_handled, ==, 1); /* chained */
    tractor_signal_receiver_close (receiver);
    g_assert_cmpint (n_handled, ==, 2);
  }
  return tractor_checkpoint (error); /* the call that was on its way finds it closed */
}

static gboolean
test_each_receiver_its_own (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (TractorSignalReceiver) one = open_user ();
  g_autoptr (TractorSignalReceiver) other = open_user ();

  send (SIGUSR1);
  assert_receives (one, SIGUSR1);
  tractor_signal_receiver_close (g_steal_pointer (&one));
  assert_receives (other, SIGUSR1);
  send (SIGUSR2);
  assert_receives (other, SIGUSR2);
  return TRUE;
}

static gboolean
receive_or_busy (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Waiter *waiter = data;
  GError *error = NULL;

  if (!tractor_signal_receiver_receive (waiter->receiver, &waiter->received, &error))
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY);
  return TRUE;
}

/* A task that has been woken and has not run yet is still the one consumer. */
static gboolean
test_woken_is_still_the_consumer (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorSignalReceiver) receiver = open_user ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Waiter waiters[3] = { { receiver, 0 }, { receiver, 0 }, { receiver, 0 } };

  tractor_nursery_spawn (nursery, "first", receive_or_busy, &waiters[0], NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  send (SIGUSR1);
  tractor_nursery_spawn (nursery, "second", receive_or_busy, &waiters[1], NULL, error);
  tractor_nursery_spawn (nursery, "third", receive_or_busy, &waiters[2], NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error)); /* nobody is left waiting */
  g_assert_cmpint (waiters[0].received, ==, SIGUSR1);
  g_assert_cmpint (waiters[1].received + waiters[2].received, ==, 0);
  return TRUE;
}

/* A signal does not move a virtual clock. */
static gboolean
test_virtual_clock_stands (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorSignalReceiver) receiver = open_user ();
  Waiter waiter = { .receiver = receiver };
  gint64 before = tractor_now ();
  GThread *thread = g_thread_new ("sender", send_when_asleep, NULL);

  g_assert_true (wait_for_signal (&waiter, error));
  g_thread_join (thread);
  g_assert_cmpint (tractor_now () - before, <, 60 * G_USEC_PER_SEC);
  return TRUE;
}

static void
handle_by_raising (G_GNUC_UNUSED int signal_number)
{
  raise (SIGUSR2);
}

/* The handler of one signal raises another, whose handler is called too. */
static gboolean
test_chained_from_a_handler (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (TractorSignalReceiver) receiver = NULL;

  install (SIGUSR1, handle_by_raising);
  install (SIGUSR2, handle);
  receiver = open_user ();
  send (SIGUSR1);
  g_assert_cmpint (n_handled, ==, 1);
  assert_receives (receiver, SIGUSR1);
  assert_receives (receiver, SIGUSR2);
  return TRUE;
}

/* One receiver is closed with a signal that nobody has received; another has come since. */
static gboolean
test_pending_goes_to_the_next (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  TractorSignalReceiver *old = open_user ();
  g_autoptr (TractorSignalReceiver) new = NULL;

  send (SIGUSR1);
  new = open_user ();
  tractor_signal_receiver_close (old);
  assert_receives (new, SIGUSR1);
  return TRUE;
}

static gpointer
send_often (gpointer data)
{
  while (!__atomic_load_n ((gboolean *) data, __ATOMIC_SEQ_CST))
    raise (SIGUSR1);
  return NULL;
}

/* Opening fails at the second signal while the first one rains from another thread. */
static gboolean
test_fails_while_signals_come (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  const int uncatchable[] = { SIGUSR1, SIGSTOP };
  gboolean stop = FALSE;
  GThread *thread;
  GError *error = NULL;

  install (SIGUSR1, handle);
  thread = g_thread_new ("rain", send_often, &stop);
  for (int i = 0; i < 2000; i++) {
    g_assert_null (tractor_signal_receiver_open (uncatchable, 2, &error));
    harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL);
    if (i % 100 == 0)
      g_assert_true (tractor_checkpoint (NULL));
  }
  __atomic_store_n (&stop, TRUE, __ATOMIC_SEQ_CST);
  g_thread_join (thread);
  return tractor_checkpoint (NULL);
}

/* --- guests in several threads -------------------------------------------------------------------- */

#define N_GUESTS 4
#define N_ROUNDS 200

typedef struct {
  guint n_ready;
  guint n_received;
} Crowd;

static gboolean
receive_rounds (gpointer data, GError **error)
{
  Crowd *crowd = data;
  g_autoptr (TractorSignalReceiver) receiver = open_user ();

  for (guint i = 0; i < N_ROUNDS; i++) {
    int received;

    __atomic_add_fetch (&crowd->n_ready, 1, __ATOMIC_SEQ_CST);
    if (!tractor_signal_receiver_receive (receiver, &received, error))
      return FALSE;
    __atomic_add_fetch (&crowd->n_received, 1, __ATOMIC_SEQ_CST);
  }
  return TRUE;
}

static gpointer
run_receiver (gpointer data)
{
  g_assert_true (harness_hosts[0].run (receive_rounds, data, NULL));
  return NULL;
}

/* Each guest in each thread gets each signal. */
static void
test_guests_in_threads (void)
{
  Crowd crowd = { 0 };
  GThread *threads[N_GUESTS];

  for (guint i = 0; i < N_GUESTS; i++)
    threads[i] = g_thread_new ("guest", run_receiver, &crowd);
  for (guint round = 1; round <= N_ROUNDS; round++) {
    while (__atomic_load_n (&crowd.n_ready, __ATOMIC_SEQ_CST) < round * N_GUESTS)
      g_thread_yield ();
    send (SIGUSR1);
    while (__atomic_load_n (&crowd.n_received, __ATOMIC_SEQ_CST) < round * N_GUESTS)
      g_thread_yield ();
  }
  for (guint i = 0; i < N_GUESTS; i++)
    g_thread_join (threads[i]);
  assert_installed (SIGUSR1, SIG_DFL);
}

/* --- left open, and closed under a task that waits ------------------------------------------------------ */

static gboolean
leave_receiver_open (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  open_user ();
  return TRUE;
}

static gboolean
test_left_open (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "offender", leave_receiver_open, NULL, NULL, error);
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_nonnull (strstr ((*error)->message, "a signal receiver that it opened inside"));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_clear_error (error);
  assert_installed (SIGUSR1, SIG_DFL);
  return TRUE;
}

static gboolean
receive_until_closed (gpointer receiver, GError **error)
{
  GError *failure = NULL;
  int signal_number;

  g_assert_false (tractor_signal_receiver_receive (receiver, &signal_number, &failure));
  harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return tractor_checkpoint (error);
}

static gboolean
test_closed_while_a_task_waits (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  TractorSignalReceiver *receiver = open_user ();

  tractor_nursery_spawn (nursery, "waits", receive_until_closed, receiver, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  tractor_signal_receiver_close (receiver);
  g_assert_true (tractor_nursery_join (nursery, error));
  assert_installed (SIGUSR1, SIG_DFL);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/signal/A104-received", test_received);
  harness_add_real_task ("/guest/signal/A104-ends-a-poll", test_ends_a_poll);
  harness_add_task ("/guest/signal/A104-repeated-is-one", test_repeated_is_one);
  harness_add_task ("/guest/signal/A104-rotates", test_rotates);
  harness_add_task ("/guest/signal/A104-one-consumer", test_one_consumer);
  harness_add_task ("/guest/signal/A104-bad-signals", test_bad_signals);
  harness_add_task ("/guest/signal/B58-chained-and-restored", test_chained_and_restored);
  harness_add_task ("/guest/signal/B58-replaced-stays", test_replaced_stays);
  harness_add_task ("/guest/signal/A104-pending-is-raised-again", test_pending_is_raised_again);
  harness_add_task ("/guest/signal/B59-each-receiver-its-own", test_each_receiver_its_own);
  harness_add_task ("/guest/signal/A104-woken-is-still-the-consumer",
                    test_woken_is_still_the_consumer);
  harness_add_task ("/guest/signal/A82-virtual-clock-stands", test_virtual_clock_stands);
  harness_add_task ("/guest/signal/B58-chained-from-a-handler", test_chained_from_a_handler);
  harness_add_task ("/guest/signal/A104-pending-goes-to-the-next", test_pending_goes_to_the_next);
  harness_add_real_task ("/guest/signal/A104-fails-while-signals-come",
                         test_fails_while_signals_come);
  harness_add ("/guest/signal/B59-guests-in-threads", test_guests_in_threads);
  harness_add_task ("/guest/signal/left-open", test_left_open);
  harness_add_task ("/guest/signal/closed-while-a-task-waits", test_closed_while_a_task_waits);
  return harness_run ();
}
