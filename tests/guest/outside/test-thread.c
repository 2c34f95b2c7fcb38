/* test-thread.c - work in threads, what threads ask of tasks, and calls from anywhere. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "harness.h"
#include "tractor-thread.h"

#define MSEC G_GINT64_CONSTANT (1000)

/* --- to a thread -------------------------------------------------------------------------------- */

typedef struct {
  GThread *host_thread;
  guint n_called;
  guint n_freed;
} Note;

static gboolean
note_thread (gpointer data, G_GNUC_UNUSED GError **error)
{
  Note *note = data;

  g_assert_true (g_thread_self () != note->host_thread);
  g_assert_false (tractor_in_task ());
  g_assert_null (tractor_guest_get_current ());
  note->n_called++;
  return TRUE;
}

static void
note_freed (gpointer data)
{
  ((Note *) data)->n_freed++;
}

static gboolean
test_runs_elsewhere (G_GNUC_UNUSED gpointer data, GError **error)
{
  Note note = { .host_thread = g_thread_self () };

  for (int i = 0; i < 20; i++) /* one after the other: one thread does */
    g_assert_true (
        tractor_to_thread (note_thread, &note, note_freed, TRACTOR_THREAD_WAIT, NULL, error));
  g_assert_cmpuint (note.n_called, ==, 20);
  g_assert_cmpuint (note.n_freed, ==, 20);
  return TRUE;
}

static gboolean
fail_in_thread (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "not there");
  return FALSE;
}

static gboolean
test_failure_comes_back (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;

  g_assert_false (
      tractor_to_thread (fail_in_thread, NULL, NULL, TRACTOR_THREAD_WAIT, NULL, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  return TRUE;
}

static gboolean
test_not_started_when_cancelled (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  Note note = { 0 };
  GError *error = NULL;

  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_false (
      tractor_to_thread (note_thread, &note, note_freed, TRACTOR_THREAD_ABANDON, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_cmpuint (note.n_called, ==, 0);
  g_assert_cmpuint (note.n_freed, ==, 1);
  return TRUE;
}

/* What a thread waits for without the guest's help. */
typedef struct {
  sem_t begun;
  sem_t may_end;
  sem_t ended;
  guint n_inside;
  guint most_inside;
  pthread_mutex_t lock;
} Gate;

static void
gate_init (Gate *gate)
{
  memset (gate, 0, sizeof *gate);
  pthread_mutex_init (&gate->lock, NULL);
  sem_init (&gate->begun, 0, 0);
  sem_init (&gate->may_end, 0, 0);
  sem_init (&gate->ended, 0, 0);
}

static gboolean
stand_in_gate (gpointer data, G_GNUC_UNUSED GError **error)
{
  Gate *gate = data;

  pthread_mutex_lock (&gate->lock);
  gate->n_inside++;
  gate->most_inside = MAX (gate->most_inside, gate->n_inside);
  pthread_mutex_unlock (&gate->lock);
  sem_post (&gate->begun);
  sem_wait (&gate->may_end);
  pthread_mutex_lock (&gate->lock);
  gate->n_inside--;
  pthread_mutex_unlock (&gate->lock);
  sem_post (&gate->ended);
  return TRUE;
}

typedef struct {
  Gate *gate;
  TractorThreadFlags flags;
  TractorLimiter *limiter;
} Errand;

static gboolean
send_to_gate (gpointer data, GError **error)
{
  Errand *errand = data;

  return tractor_to_thread (stand_in_gate, errand->gate, NULL, errand->flags, errand->limiter,
                            error);
}

/* Not abandonable: a cancel waits for the thread. */
static gboolean
test_cancel_waits (G_GNUC_UNUSED gpointer data, GError **error)
{
  Gate *gate = g_new (Gate, 1);
  Errand errand = { .gate = gate };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  gate_init (gate);
  tractor_nursery_spawn (nursery, "sender", send_to_gate, &errand, NULL, error);
  while (sem_trywait (&gate->begun) != 0)
    g_assert_true (tractor_checkpoint (error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  for (int i = 0; i < 10; i++)
    g_assert_false (tractor_checkpoint (NULL));
  g_assert_cmpuint (gate->n_inside, ==, 1);
  sem_post (&gate->may_end);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (gate->n_inside, ==, 0);
  g_free (gate);
  return TRUE;
}

/* Abandonable: the task goes on, and the token comes back when the thread really ends. */
static gboolean
test_abandoned (G_GNUC_UNUSED gpointer data, GError **error)
{
  Gate *gate = g_new (Gate, 1);
  g_autoptr (TractorLimiter) limiter = tractor_limiter_new (1);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Errand errand = { gate, TRACTOR_THREAD_ABANDON, limiter };
  TractorLimiterStatistics now;

  gate_init (gate);
  tractor_nursery_spawn (nursery, "sender", send_to_gate, &errand, NULL, error);
  while (sem_trywait (&gate->begun) != 0)
    g_assert_true (tractor_checkpoint (error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_limiter_get_statistics (limiter, &now);
  g_assert_cmpuint (now.n_borrowed, ==, 1);

  sem_post (&gate->may_end);
  while (now.n_borrowed > 0) {
    g_assert_true (tractor_checkpoint (error));
    tractor_limiter_get_statistics (limiter, &now);
  }
  g_free (gate);
  return TRUE;
}

/* Cancels what sends @errand once its thread has begun, which is not waited for then. */
static gboolean
abandon_errand (Errand *errand, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "sender", send_to_gate, errand, NULL, error);
  while (sem_trywait (&errand->gate->begun) != 0)
    g_assert_true (tractor_checkpoint (error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error);
}

static gboolean
abandon_one (gpointer gate, GError **error)
{
  return abandon_errand (&(Errand){ gate, TRACTOR_THREAD_ABANDON, NULL }, error);
}

/* The run may end first; the late result is dropped. */
static void
test_run_ends_first (void)
{
  Gate gate;

  gate_init (&gate);
  for (const HarnessHost *host = harness_hosts; host->has_real_time; host++) {
    GError *error = NULL;

    g_assert_true (host->run (abandon_one, &gate, &error));
    g_assert_no_error (error);
    g_assert_cmpint (sem_trywait (&gate.ended), !=, 0);
    sem_post (&gate.may_end);
    sem_wait (&gate.ended);
  }
}

typedef struct {
  Gate *gate;
  TractorLimiter *limiter;
} Kept;

static gboolean
abandon_with_limiter (gpointer data, GError **error)
{
  Kept *kept = data;

  return abandon_errand (&(Errand){ kept->gate, TRACTOR_THREAD_ABANDON, kept->limiter }, error);
}

static gboolean
use_limiter_again (gpointer data, GError **error)
{
  Note note = { 0 };

  return tractor_to_thread (note_thread, &note, NULL, TRACTOR_THREAD_WAIT, ((Kept *) data)->limiter,
                            error);
}

/* A limiter that outlives the run has its token back. */
static void
test_limiter_outlives_the_run (void)
{
  Gate gate;
  g_autoptr (TractorLimiter) limiter = tractor_limiter_new (1);
  Kept kept = { &gate, limiter };

  gate_init (&gate);
  g_assert_true (harness_hosts[0].run (abandon_with_limiter, &kept, NULL));
  g_assert_true (harness_hosts[0].run (use_limiter_again, &kept, NULL));
  sem_post (&gate.may_end);
  sem_wait (&gate.ended);
}

static gboolean
check_no_signal_blocked (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  sigset_t mask;

  pthread_sigmask (SIG_SETMASK, NULL, &mask);
  g_assert_false (sigismember (&mask, SIGTERM)); /* what is started from here would inherit it */
  return TRUE;
}

static gboolean
test_signal_mask (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_to_thread (check_no_signal_blocked, NULL, NULL, TRACTOR_THREAD_WAIT, NULL, error);
}

static gboolean
test_limited (G_GNUC_UNUSED gpointer data, GError **error)
{
  Gate *gate = g_new (Gate, 1);
  g_autoptr (TractorLimiter) limiter = tractor_limiter_new (3);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Errand errand = { gate, TRACTOR_THREAD_WAIT, limiter };

  gate_init (gate);
  for (int i = 0; i < 12; i++) {
    tractor_nursery_spawn (nursery, "sender", send_to_gate, &errand, NULL, error);
    sem_post (&gate->may_end);
  }
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (gate->most_inside, <=, 3);
  g_free (gate);
  return TRUE;
}

static gboolean
test_forty_by_default (G_GNUC_UNUSED gpointer data, GError **error)
{
  Gate *gate = g_new (Gate, 1);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Errand errand = { .gate = gate };

  gate_init (gate);
  for (int i = 0; i < 50; i++)
    tractor_nursery_spawn (nursery, "sender", send_to_gate, &errand, NULL, error);
  for (int i = 0; i < 40; i++)
    while (sem_trywait (&gate->begun) != 0)
      g_assert_true (tractor_checkpoint (error));
  for (int i = 0; i < 10; i++)
    g_assert_true (tractor_checkpoint (error));
  g_assert_cmpint (sem_trywait (&gate->begun), !=, 0);
  for (int i = 0; i < 50; i++)
    sem_post (&gate->may_end);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpuint (gate->most_inside, ==, 40);
  g_free (gate);
  return TRUE;
}

/* --- and back ----------------------------------------------------------------------------------- */

typedef struct {
  GThread *host_thread;
  const char *task_name;
  guint depth;
  guint n_called;
} Visit;

static gboolean
visit_host (gpointer data, GError **error)
{
  Visit *visit = data;

  g_assert_true (g_thread_self () == visit->host_thread);
  g_assert_cmpstr (tractor_task_get_name (), ==, visit->task_name); /* the task that waits */
  visit->n_called++;
  return tractor_sleep_until (tractor_now () + MSEC, error);
}

static gboolean
visit_twice (gpointer data, GError **error)
{
  return tractor_from_thread (visit_host, data, error) &&
         tractor_from_thread (visit_host, data, error);
}

static gboolean
test_from_thread (G_GNUC_UNUSED gpointer data, GError **error)
{
  Visit visit = { .host_thread = g_thread_self (), .task_name = tractor_task_get_name () };

  g_assert_true (tractor_to_thread (visit_twice, &visit, NULL, TRACTOR_THREAD_WAIT, NULL, error));
  g_assert_cmpuint (visit.n_called, ==, 2);
  return TRUE;
}

static gboolean descend (gpointer data, GError **error);

static gboolean
ascend (gpointer data, GError **error)
{
  Visit *visit = data;

  g_assert_true (g_thread_self () == visit->host_thread);
  if (--visit->depth == 0)
    return fail_in_thread (NULL, error);
  return tractor_to_thread (descend, visit, NULL, TRACTOR_THREAD_WAIT, NULL, error);
}

static gboolean
descend (gpointer data, GError **error)
{
  return tractor_from_thread (ascend, data, error);
}

/* To and fro, each time by another thread; and the failure comes all the way. */
static gboolean
test_recursive (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  Visit visit = { .host_thread = g_thread_self (), .depth = 5 };
  GError *error = NULL;

  g_assert_false (tractor_to_thread (descend, &visit, NULL, TRACTOR_THREAD_WAIT, NULL, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_cmpuint (visit.depth, ==, 0);
  return TRUE;
}

static gboolean
succeed (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
ask_for_another (gpointer limiter, GError **error)
{
  return tractor_to_thread (succeed, NULL, NULL, TRACTOR_THREAD_WAIT, limiter, error);
}

static gboolean
ask_by_task (gpointer limiter, GError **error)
{
  return tractor_from_thread (ask_for_another, limiter, error);
}

/* A nested thread of a limiter of one waits for the thread that waits for it, and a cancel ends that; with a
 * limiter for each level it does not wait at all. */
static gboolean
test_nested_in_one_limiter (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorLimiter) outer = tractor_limiter_new (1);
  g_autoptr (TractorLimiter) inner = tractor_limiter_new (1);
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + 50 * MSEC);

    g_assert_false (
        tractor_to_thread (ask_by_task, outer, NULL, TRACTOR_THREAD_WAIT, outer, error));
    g_assert_true (tractor_cancel_scope_absorb (scope, error));
  }
  return tractor_to_thread (ask_by_task, inner, NULL, TRACTOR_THREAD_WAIT, outer, error);
}

static gboolean
test_from_own_thread (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;

  g_assert_false (tractor_from_thread (succeed, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_from_thread_check_cancelled (&error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

static gboolean
compute_until_cancelled (gpointer data, GError **error)
{
  sem_post (data);
  while (tractor_from_thread_check_cancelled (error))
    g_thread_yield ();
  return FALSE;
}

static gboolean
send_to_compute (gpointer data, GError **error)
{
  return tractor_to_thread (compute_until_cancelled, data, NULL, TRACTOR_THREAD_WAIT, NULL, error);
}

static gboolean
test_thread_hears_of_cancel (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  sem_t begun;

  sem_init (&begun, 0, 0);
  tractor_nursery_spawn (nursery, "sender", send_to_compute, &begun, NULL, error);
  while (sem_trywait (&begun) != 0)
    g_assert_true (tractor_checkpoint (error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error);
}

/* What a thread asks of its task while the task is cancelled, and after that. */
typedef struct {
  TractorCancelScope *scope; /* of the task */
  gboolean waits_for_abandon;
  sem_t begun;
  sem_t is_abandoned;
  sem_t over;
  TractorError code;
} Asking;

static void
asking_init (Asking *asking, gboolean waits_for_abandon)
{
  memset (asking, 0, sizeof *asking);
  asking->waits_for_abandon = waits_for_abandon;
  sem_init (&asking->begun, 0, 0);
  sem_init (&asking->is_abandoned, 0, 0);
  sem_init (&asking->over, 0, 0);
}

/* In the task, if it is still there. */
static gboolean
be_cancelled (gpointer data, GError **error)
{
  Asking *asking = data;

  tractor_cancel_scope_cancel (asking->scope, NULL);
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
ask_when_nobody_waits (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Asking *asking = data;
  GError *error = NULL;

  sem_post (&asking->begun);
  if (asking->waits_for_abandon)
    sem_wait (&asking->is_abandoned);
  g_assert_false (tractor_from_thread (be_cancelled, asking, &error));
  g_assert_true (error->domain == TRACTOR_ERROR);
  asking->code = error->code;
  g_error_free (error);
  sem_post (&asking->over);
  return TRUE;
}

static gboolean
send_asking (gpointer data, GError **error)
{
  Asking *asking = data;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  asking->scope = scope;
  tractor_to_thread (ask_when_nobody_waits, data, NULL, TRACTOR_THREAD_ABANDON, NULL, error);
  return tractor_cancel_scope_absorb (scope, error);
}

/* Cancels the task once the thread has begun. */
static gboolean
abandon_asking (gpointer data, GError **error)
{
  Asking *asking = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "sender", send_asking, asking, NULL, error);
  while (sem_trywait (&asking->begun) != 0)
    g_assert_true (tractor_checkpoint (error));
  tractor_cancel_scope_cancel (asking->scope, NULL);
  return tractor_nursery_join (nursery, error);
}

/* What a thread asks of its task runs inside the task's scopes: a cancel ends it. */
static gboolean
test_asking_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  Asking *asking = g_new (Asking, 1);

  asking_init (asking, FALSE);
  g_assert_true (send_asking (asking, error));
  while (sem_trywait (&asking->over) != 0)
    g_assert_true (tractor_checkpoint (error));
  g_assert_cmpint (asking->code, ==, TRACTOR_ERROR_CANCELLED);
  g_free (asking);
  return TRUE;
}

static gboolean
test_asking_after_abandon (G_GNUC_UNUSED gpointer data, GError **error)
{
  Asking *asking = g_new (Asking, 1);

  asking_init (asking, TRUE);
  g_assert_true (abandon_asking (asking, error));
  sem_post (&asking->is_abandoned);
  while (sem_trywait (&asking->over) != 0)
    g_assert_true (tractor_checkpoint (error));
  g_assert_cmpint (asking->code, ==, TRACTOR_ERROR_CANCELLED);
  g_free (asking);
  return TRUE;
}

static void
test_asking_after_the_run (void)
{
  Asking asking;
  GError *error = NULL;

  asking_init (&asking, TRUE);
  g_assert_true (harness_hosts[0].run (abandon_asking, &asking, &error));
  sem_post (&asking.is_abandoned);
  sem_wait (&asking.over);
  g_assert_cmpint (asking.code, ==, TRACTOR_ERROR_RUN_FINISHED);
}

/* --- tokens ------------------------------------------------------------------------------------- */

typedef struct {
  TractorToken *token;
  guint n_called;
  guint calls_more;
  TractorEvent *enough;
  guint wanted;
} Calls;

static void
count_call (gpointer data)
{
  Calls *calls = data;

  if (++calls->n_called == calls->wanted)
    tractor_event_set (calls->enough);
  if (calls->calls_more > 0) {
    calls->calls_more--;
    g_assert_true (tractor_token_run_soon_once (calls->token, count_call, calls));
  }
}

static gboolean
test_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorToken) token = tractor_token_get_current ();
  g_autoptr (TractorEvent) enough = tractor_event_new ();
  Calls one = { .token = token, .enough = enough, .wanted = 2, .calls_more = 1 };
  Calls other = { .token = token };

  for (int i = 0; i < 100; i++) {
    g_assert_true (tractor_token_run_soon_once (token, count_call, &one));
    g_assert_true (tractor_token_run_soon_once (token, count_call, &other));
  }
  g_assert_true (tractor_event_wait (enough, error));
  g_assert_true (tractor_checkpoint (error));
  g_assert_cmpuint (one.n_called, ==, 2); /* all of them as one, and the one from inside the call */
  g_assert_cmpuint (other.n_called, ==, 1);
  return TRUE;
}

static Calls in_signal;

static void
on_signal (G_GNUC_UNUSED int signal_number)
{
  tractor_token_run_soon (in_signal.token, count_call, &in_signal);
}

/* Thousands of signals, into the middle of whatever the thread does: also of run_soon itself. */
static gboolean
test_in_signal_handler (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorToken) token = tractor_token_get_current ();
  g_autoptr (TractorEvent) enough = tractor_event_new ();
  struct sigaction action = { .sa_handler = on_signal };
  struct sigaction before;
  struct itimerval often = { { 0, 50 }, { 0, 50 } };
  struct itimerval never = { { 0, 0 }, { 0, 0 } };
  Calls here = { .token = token };
  guint n_here = 0;

  in_signal = (Calls){ .token = token, .enough = enough, .wanted = 500 };
  sigaction (SIGALRM, &action, &before);
  setitimer (ITIMER_REAL, &often, NULL);
  while (!tractor_event_is_set (enough)) {
    for (int i = 0; i < 100; i++, n_here++)
      g_assert_true (tractor_token_run_soon (token, count_call, &here));
    g_assert_true (tractor_checkpoint (error));
  }
  setitimer (ITIMER_REAL, &never, NULL);
  sigaction (SIGALRM, &before, NULL);
  g_assert_true (tractor_checkpoint (error));
  g_assert_true (tractor_checkpoint (error));
  g_assert_cmpuint (here.n_called, ==, n_here);
  return TRUE;
}

static gboolean
take_token (gpointer data, G_GNUC_UNUSED GError **error)
{
  *(TractorToken **) data = tractor_token_get_current ();
  return TRUE;
}

static void
test_token_outlives_guest (void)
{
  for (const HarnessHost *host = harness_hosts; host->name != NULL; host++) {
    g_autoptr (TractorToken) token = NULL;

    g_assert_true (host->run (take_token, &token, NULL));
    tractor_token_unref (tractor_token_ref (token));
    g_assert_false (tractor_token_run_soon (token, count_call, NULL));
    g_assert_false (tractor_token_run_soon_once (token, count_call, NULL));
  }
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_real_task ("/guest/thread/A101-runs-elsewhere", test_runs_elsewhere);
  harness_add_real_task ("/guest/thread/A101-failure-comes-back", test_failure_comes_back);
  harness_add_real_task ("/guest/thread/A101-not-started-when-cancelled",
                         test_not_started_when_cancelled);
  harness_add_real_task ("/guest/thread/A101-cancel-waits", test_cancel_waits);
  harness_add_real_task ("/guest/thread/A101-abandoned", test_abandoned);
  harness_add ("/guest/thread/A101-run-ends-first", test_run_ends_first);
  harness_add ("/guest/thread/A101-limiter-outlives-the-run", test_limiter_outlives_the_run);
  harness_add_real_task ("/guest/thread/signal-mask", test_signal_mask);
  harness_add_real_task ("/guest/thread/A101-limited", test_limited);
  harness_add_real_task ("/guest/thread/A101-forty-by-default", test_forty_by_default);
  harness_add_real_task ("/guest/thread/A102-in-the-same-task", test_from_thread);
  harness_add_real_task ("/guest/thread/A103-recursive", test_recursive);
  harness_add_real_task ("/guest/thread/A103-nested-in-one-limiter", test_nested_in_one_limiter);
  harness_add_real_task ("/guest/thread/A102-from-own-thread", test_from_own_thread);
  harness_add_real_task ("/guest/thread/A102-check-cancelled", test_thread_hears_of_cancel);
  harness_add_real_task ("/guest/thread/A102-asking-is-cancelled", test_asking_is_cancelled);
  harness_add_real_task ("/guest/thread/A102-asking-after-abandon", test_asking_after_abandon);
  harness_add ("/guest/thread/A102-asking-after-the-run", test_asking_after_the_run);
  harness_add_task ("/guest/token/A100-once", test_once);
  harness_add_real_task ("/guest/token/A100-B42-in-signal-handler", test_in_signal_handler);
  harness_add ("/guest/token/B42-outlives-guest", test_token_outlives_guest);
  return harness_run ();
}
