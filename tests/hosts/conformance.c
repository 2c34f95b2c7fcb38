/* conformance.c - what a host owes its guest, and a guest its host.
 *
 * The first part needs a function that runs a main task to its end, so every host is put through
 * it, with the tests under tests/guest. The second part needs a loop with a life of its own, to
 * which a guest is attached: a new host of that kind adds a row to loops[] and is accepted when all
 * of it passes. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "loops.h"
#include "tractor-glib.h"
#include "tractor-sync.h"
#include "tractor-uv.h"
#include "tractor-virtual.h"

#define MSEC G_GINT64_CONSTANT (1000)

/* === any host ====================================================================================== */

typedef struct {
  TractorGuest *guest;
  TractorEvent *event;
  guint n;
  gboolean called;
} Story;

static void
set_event (gpointer data)
{
  Story *story = data;

  g_assert_false (tractor_in_task ());
  g_assert_null (tractor_task_get_name ());
  story->called = TRUE;
  tractor_event_set (story->event);
}

static gboolean
test_run_soon (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) event = tractor_event_new ();
  Story story = { .event = event };

  g_assert_true (tractor_guest_run_soon (tractor_guest_get_current (), set_event, &story));
  g_assert_false (story.called);
  g_assert_true (tractor_event_wait (event, error));
  g_assert_true (story.called);
  return TRUE;
}

static gpointer
run_soon_from_thread (gpointer data)
{
  Story *story = data;

  g_assert_false (tractor_in_task ());
  harness_wait_until_host_sleeps (); /* so that the wakeup has to end its poll */
  g_assert_true (tractor_guest_run_soon (story->guest, set_event, story));
  return NULL;
}

static gboolean
test_woken_by_a_thread (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) event = tractor_event_new ();
  Story story = { .guest = tractor_guest_get_current (), .event = event };
  GThread *thread = g_thread_new ("waker", run_soon_from_thread, &story);
  gboolean ok = tractor_event_wait (event, error);

  g_thread_join (thread);
  return ok;
}

#define N_THREADS    8
#define N_PER_THREAD 10000

typedef struct {
  TractorGuest *guest;
  TractorEvent *all;
  guint count;
  guint last[N_THREADS];
} Storm;

typedef struct {
  Storm *storm;
  guint thread;
  guint number;
} Drop;

static void
count_drop (gpointer data)
{
  Drop *drop = data;
  Storm *storm = drop->storm;

  g_assert_cmpuint (drop->number, ==, storm->last[drop->thread] + 1); /* in order, none missing */
  storm->last[drop->thread] = drop->number;
  if (++storm->count == N_THREADS * N_PER_THREAD)
    tractor_event_set (storm->all);
  g_free (drop);
}

typedef struct {
  Storm *storm;
  guint thread;
} Cloud;

static gpointer
rain (gpointer data)
{
  Cloud *cloud = data;

  for (guint i = 1; i <= N_PER_THREAD; i++) {
    Drop *drop = g_new (Drop, 1);

    *drop = (Drop){ cloud->storm, cloud->thread, i };
    g_assert_true (tractor_guest_run_soon (cloud->storm->guest, count_drop, drop));
  }
  return NULL;
}

static gboolean
test_wakeup_storm (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) all = tractor_event_new ();
  Storm storm = { .guest = tractor_guest_get_current (), .all = all };
  GThread *threads[N_THREADS];
  Cloud clouds[N_THREADS];
  gboolean ok;

  for (guint i = 0; i < N_THREADS; i++) {
    clouds[i] = (Cloud){ &storm, i };
    threads[i] = g_thread_new ("cloud", rain, &clouds[i]);
  }
  ok = tractor_event_wait (all, error);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  return ok;
}

static gboolean
sleep_forever (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static void
note_where (gpointer data)
{
  Story *story = data;
  guint8 deep[1024 * 1024]; /* more than a task's stack has */

  memset (deep, 1, sizeof deep);
  story->n += deep[story->n];
  story->called = !tractor_in_task () && tractor_task_get_name () == NULL &&
                  tractor_guest_get_current () == NULL;
}

static gboolean
call_host_twice (gpointer data, GError **error)
{
  return tractor_run_in_host (note_where, data, error) &&
         tractor_run_in_host (note_where, data, error);
}

static gboolean
test_run_in_host (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { 0 };

  for (int i = 0; i < 3; i++)
    tractor_nursery_spawn (nursery, "caller", call_host_twice, &story, NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (story.called);
  g_assert_cmpuint (story.n, ==, 6);
  return TRUE;
}

static gboolean
test_run_in_host_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Story story = { 0 };

  tractor_nursery_spawn (nursery, "caller", call_host_twice, &story, NULL, error);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_false (story.called);
  return TRUE;
}

static void
cancel_guest (gpointer data)
{
  tractor_guest_cancel (data, "the host wants it");
}

static gboolean
be_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorGuest *guest = tractor_guest_get_current ();

  tractor_guest_run_soon (guest, cancel_guest, guest);
  return sleep_forever (NULL, error);
}

static void
test_cancelled_by_host (void)
{
  for (const HarnessHost *host = harness_hosts; host->name != NULL; host++) {
    GError *error = NULL;

    g_assert_false (host->run (be_cancelled, NULL, &error));
    g_assert_nonnull (strstr (error->message, "the host wants it"));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  }
}

static gboolean
tick_inside (gpointer data, GError **error)
{
  tractor_guest_tick (tractor_guest_get_current ());
  *(gboolean *) data = TRUE;
  return tractor_checkpoint (error);
}

/* A tick inside a tick is put off, and nothing runs twice or is lost. */
static gboolean
test_tick_inside_tick (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gboolean ran[3] = { FALSE };

  for (int i = 0; i < 3; i++)
    tractor_nursery_spawn (nursery, "ticker", tick_inside, &ran[i], NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (ran[0] && ran[1] && ran[2]);
  return TRUE;
}

static gboolean
test_errno_around_tick (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  errno = 99; /* and the harness's host goes on unharmed */
  return TRUE;
}

static gboolean
spin (gpointer data, GError **error)
{
  gboolean *stop = data;

  while (!*stop)
    if (!tractor_checkpoint (error))
      return FALSE;
  return TRUE;
}

/* Tasks that are always runnable starve neither deadlines nor descriptors nor callbacks. */
static gboolean
test_spinning_starves_nobody (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorEvent) event = tractor_event_new ();
  Story story = { .event = event };
  gboolean stop = FALSE;
  int ends[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  for (int i = 0; i < 100; i++)
    tractor_nursery_spawn (nursery, "spinner", spin, &stop, NULL, error);
  if (harness_get_host ()->has_real_time) /* a virtual clock stands still while tasks run */
    g_assert_true (tractor_sleep_until (tractor_now () + 5 * MSEC, error));
  g_assert_cmpint (write (ends[1], "x", 1), ==, 1);
  g_assert_true (tractor_wait_fd (ends[0], G_IO_IN, NULL, error));
  tractor_guest_run_soon (tractor_guest_get_current (), set_event, &story);
  g_assert_true (tractor_event_wait (event, error));
  stop = TRUE;
  tractor_notify_closing (ends[0]);
  close (ends[0]);
  close (ends[1]);
  return tractor_nursery_join (nursery, error);
}

/* A timer of 200 usec is no millisecond, and never early. */
static gboolean
test_timer_precision (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 best = G_MAXINT64;

  for (int i = 0; i < 20; i++) {
    gint64 deadline = tractor_now () + 200;

    g_assert_true (tractor_sleep_until (deadline, error));
    g_assert_cmpint (tractor_now (), >=, deadline);
    best = MIN (best, tractor_now () - deadline);
  }
  g_assert_cmpint (best, <, 700); /* the best of twenty: a loaded machine is no failure */
  return TRUE;
}

static gboolean
test_idle_uses_no_processor (G_GNUC_UNUSED gpointer data, GError **error)
{
  gint64 before = harness_get_cpu_usec ();

  g_assert_true (tractor_sleep_until (tractor_now () + 300 * MSEC, error));
  g_assert_cmpint (harness_get_cpu_usec () - before, <, 10 * MSEC * harness_get_slowness ());
  return TRUE;
}

static gboolean
test_shuffle_is_repeatable_one (gpointer data, GError **error)
{
  GString *order = data;
  char letter[2] = { tractor_task_get_name ()[0], '\0' };

  for (int i = 0; i < 5; i++) {
    g_string_append (order, letter);
    if (!tractor_checkpoint (error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
spawn_letters (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  const char *names[] = { "a", "b", "c", "d" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    tractor_nursery_spawn (nursery, names[i], test_shuffle_is_repeatable_one, data, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static char *
run_shuffled (guint64 seed)
{
  g_autoptr (GString) order = g_string_new (NULL);

  harness_run_shuffled (spawn_letters, order, seed);
  return g_strdup (order->str);
}

static void
test_shuffle (void)
{
  g_autofree char *in_order = run_shuffled (0);
  g_autofree char *one = run_shuffled (1);
  g_autofree char *again = run_shuffled (1);
  g_autofree char *other = run_shuffled (2);

  g_assert_cmpstr (in_order, ==, "abcdabcdabcdabcdabcd");
  g_assert_cmpstr (one, ==, again);
  g_assert_cmpstr (one, !=, in_order);
  g_assert_cmpstr (one, !=, other);
}

static gboolean
sleep_an_hour (gpointer data, GError **error)
{
  gint64 *woke_at = data;
  gint64 started = tractor_now ();

  if (!tractor_sleep_until (started + G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC, error))
    return FALSE;
  *woke_at = tractor_now () - started;
  return TRUE;
}

static void
test_virtual_clock (void)
{
  gint64 woke_after = 0;
  g_autoptr (TractorVirtual) host = tractor_virtual_new (sleep_an_hour, &woke_after, NULL);

  tractor_virtual_turn (host);
  tractor_virtual_advance (host, G_GINT64_CONSTANT (3599) * G_USEC_PER_SEC);
  g_assert_false (tractor_virtual_is_done (host, NULL));
  tractor_virtual_advance (host, 2 * G_USEC_PER_SEC);
  g_assert_true (tractor_virtual_is_done (host, NULL));
  g_assert_cmpint (woke_after, ==, G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC);
}

/* === hosts with a loop of their own ================================================================== */

typedef struct {
  const Loop *kind;
  gpointer loop;
  TractorGuest *guest;
  guint n_done;
  GError *error;
  guint n_runs;
  gboolean may_stop;
  TractorEvent *event;
  guint n_beats;
  gboolean flag;
} Attached;

static void
on_done (const GError *error, gpointer data)
{
  Attached *attached = data;

  g_assert_false (tractor_in_task ());
  g_assert_null (tractor_guest_get_current ());
  attached->n_done++;
  g_clear_error (&attached->error);
  attached->error = error != NULL ? g_error_copy (error) : NULL;
  attached->kind->stop (attached->loop);
}

static void
attach (Attached *attached, TractorTaskFunc main)
{
  g_autoptr (GError) error = NULL;

  attached->guest =
      attached->kind->attach (attached->loop, main, attached, on_done, attached, &error);
  g_assert_no_error (error);
}

static void
with_loop (const Loop *kind, void (*test) (Attached *attached))
{
  Attached attached = { .kind = kind, .loop = kind->new () };

  g_test_message ("on %s", kind->name);
  test (&attached);
  g_clear_error (&attached.error);
  kind->free (attached.loop);
}

static void
with_each_loop (void (*test) (Attached *attached))
{
  for (const Loop *kind = loops; kind->name != NULL; kind++)
    with_loop (kind, test);
}

static gboolean
set_flag (gpointer data, G_GNUC_UNUSED GError **error)
{
  Attached *attached = data;

  attached->flag = TRUE;
  attached->n_runs++;
  return TRUE;
}

static void
check_nothing_runs_in_attach (Attached *attached)
{
  attach (attached, set_flag);
  g_assert_false (attached->flag);
  attached->kind->run (attached->loop);
  g_assert_true (attached->flag);
  g_assert_cmpuint (attached->n_done, ==, 1);
  g_assert_no_error (attached->error);
}

static void
test_nothing_runs_in_attach (void)
{
  with_each_loop (check_nothing_runs_in_attach);
}

static gboolean
fail (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "main failed");
  return FALSE;
}

static void
check_done_gets_the_error (Attached *attached)
{
  attach (attached, fail);
  attached->kind->run (attached->loop);
  g_assert_cmpuint (attached->n_done, ==, 1);
  g_assert_error (attached->error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
}

static void
test_done_gets_the_error (void)
{
  with_each_loop (check_done_gets_the_error);
}

static void
on_done_start_again (const GError *error, gpointer data)
{
  Attached *attached = data;

  if (attached->n_runs < 3)
    g_assert_nonnull (attached->kind->attach (attached->loop, set_flag, attached,
                                              on_done_start_again, attached, NULL));
  else
    on_done (error, data);
}

static void
check_started_again_from_done (Attached *attached)
{
  attached->kind->attach (attached->loop, set_flag, attached, on_done_start_again, attached, NULL);
  attached->kind->run (attached->loop);
  g_assert_cmpuint (attached->n_runs, ==, 3);
}

static void
test_started_again_from_done (void)
{
  with_each_loop (check_started_again_from_done);
}

static void
set_attached_event (gpointer data)
{
  Attached *attached = data;

  g_assert_false (tractor_in_task ());
  tractor_event_set (attached->event);
}

static gboolean
wait_for_attached_event (gpointer data, GError **error)
{
  Attached *attached = data;

  attached->kind->call_later (attached->loop, 5, set_attached_event, attached);
  return tractor_event_wait (attached->event, error);
}

/* The loop's own callback makes a task runnable: it runs although no descriptor says so. */
static void
check_host_callback_wakes (Attached *attached)
{
  attach (attached, wait_for_attached_event);
  attached->event = tractor_event_new ();
  attached->kind->run (attached->loop);
  g_assert_cmpuint (attached->n_done, ==, 1);
  tractor_event_free (attached->event);
}

static void
test_host_callback_wakes (void)
{
  with_each_loop (check_host_callback_wakes);
}

static void
stop_loop (gpointer data)
{
  Attached *attached = data;

  attached->kind->stop (attached->loop);
}

static gboolean
sleep_30_msec (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (tractor_now () + 30 * MSEC, error);
}

/* Stops the loop once it is asleep. */
static gboolean
sleep_until_flag (gpointer data, GError **error)
{
  Attached *attached = data;

  attached->kind->call_later (attached->loop, 5, stop_loop, attached);
  while (!attached->flag)
    if (!tractor_sleep_until (tractor_now () + MSEC, error))
      return FALSE;
  return TRUE;
}

/* The loop is stopped and run again: the guest goes on where it was. */
static void
check_resumed (Attached *attached)
{
  attach (attached, sleep_until_flag);
  attached->kind->run (attached->loop);
  g_assert_cmpuint (attached->n_done, ==, 0);
  attached->flag = TRUE;
  attached->kind->run (attached->loop);
  g_assert_cmpuint (attached->n_done, ==, 1);
}

static void
test_resumed (void)
{
  with_each_loop (check_resumed);
}

static gboolean
clean_up_when_cancelled (gpointer data, GError **error)
{
  Attached *attached = data;
  g_autoptr (TractorCancelScope) shield = NULL;

  attached->kind->call_later (attached->loop, 5, stop_loop, attached);
  g_assert_false (sleep_forever (NULL, error));
  shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_set_shield (shield, TRUE);
  attached->flag = tractor_sleep_until (tractor_now () + 5 * MSEC, NULL);
  return FALSE;
}

/* The loop has ended for good, and the guest is still there: it ends without it. */
static void
check_shutdown (Attached *attached)
{
  g_autoptr (GError) error = NULL;

  attach (attached, clean_up_when_cancelled);
  attached->kind->run (attached->loop);
  g_assert_true (
      tractor_guest_shutdown (attached->guest, g_get_monotonic_time () + G_USEC_PER_SEC, &error));
  g_assert_no_error (error);
  g_assert_true (attached->flag);
  if (attached->n_done == 0) /* libuv tells when its handles are closed */
    attached->kind->run (attached->loop);
  g_assert_cmpuint (attached->n_done, ==, 1);
  g_assert_error (attached->error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
}

static void
test_shutdown (void)
{
  with_each_loop (check_shutdown);
}

static gboolean
shield_until_flag (gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  return sleep_until_flag (data, error);
}

/* A shutdown that is not over in time says who is to blame, and can be gone on with. */
static void
check_slow_shutdown (Attached *attached)
{
  GError *error = NULL;

  attach (attached, shield_until_flag);
  attached->kind->run (attached->loop);
  g_assert_false (
      tractor_guest_shutdown (attached->guest, g_get_monotonic_time () + 20 * MSEC, &error));
  g_assert_nonnull (strstr (error->message, "'main' (sleep)"));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TOO_SLOW);
  attached->flag = TRUE;
  attached->kind->run (attached->loop);
  g_assert_cmpuint (attached->n_done, ==, 1);
}

static void
test_slow_shutdown (void)
{
  with_each_loop (check_slow_shutdown);
}

/* Several guests on one loop, each with tasks of its own. */
static void
check_two_guests (Attached *attached)
{
  Attached other = *attached;

  attach (attached, sleep_30_msec);
  attach (&other, set_flag);
  attached->kind->run (attached->loop); /* the shorter one ends first, and stops the loop */
  g_assert_cmpuint (other.n_done, ==, 1);
  attached->kind->run (attached->loop);
  g_assert_cmpuint (attached->n_done, ==, 1);
  g_clear_error (&other.error);
}

static void
test_two_guests (void)
{
  with_each_loop (check_two_guests);
}

static void
beat (gpointer data)
{
  Attached *attached = data;

  attached->n_beats++;
  if (!attached->may_stop)
    attached->kind->call_later (attached->loop, 1, beat, attached);
}

/* Of this thread's own time: on a loaded machine that is later than by the clock. */
static gint64
get_cpu_usec (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

static gboolean
spin_for_200_msec (gpointer data, GError **error)
{
  Attached *attached = data;
  gint64 end = get_cpu_usec () + 200 * MSEC;

  while (get_cpu_usec () < end) {
    attached->n_runs++;
    if (!tractor_checkpoint (error))
      return FALSE;
  }
  attached->may_stop = TRUE;
  return TRUE;
}

/* Tasks that are always runnable leave the loop its turns: a budget is three milliseconds. */
static void
check_loop_has_its_turns (Attached *attached)
{
  attach (attached, spin_for_200_msec);
  beat (attached);
  attached->kind->run (attached->loop);
  g_assert_cmpuint (attached->n_beats, >=, 20);
  g_assert_cmpuint (attached->n_runs, >=, 1000);
}

static void
test_loop_has_its_turns (void)
{
  with_each_loop (check_loop_has_its_turns);
}

static gboolean
try_to_attach (gpointer data, GError **error)
{
  Attached *attached = data;

  g_assert_null (
      attached->kind->attach (attached->loop, set_flag, attached, on_done, attached, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

static void
check_attach_inside_a_task (Attached *attached)
{
  attach (attached, try_to_attach);
  attached->kind->run (attached->loop);
  g_assert_cmpuint (attached->n_done, ==, 1);
}

static void
test_attach_inside_a_task (void)
{
  with_each_loop (check_attach_inside_a_task);
}

static gpointer
run_all_loops_in_thread (G_GNUC_UNUSED gpointer data)
{
  for (int i = 0; i < 20; i++)
    for (const Loop *kind = loops; kind->name != NULL; kind++) {
      /* libuv closes descriptors where ThreadSanitizer does not see it, which then takes a number
       * that another thread gets for a race. */
      if (kind != &loops[LOOP_UV] || !harness_has_tsan ())
        with_loop (kind, check_done_gets_the_error);
    }
  return NULL;
}

static void
test_loops_in_threads (void)
{
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("loops", run_all_loops_in_thread, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

/* === the contract itself ================================================================================= */

/* All that a host needs to do, by hand: poll one descriptor, and tick. */
typedef struct {
  gboolean is_scheduled;
  gboolean is_done;
} BareHost;

static void
bare_schedule (gpointer data, G_GNUC_UNUSED gboolean yielded)
{
  BareHost *host = data;

  host->is_scheduled = TRUE;
}

static void
bare_done (const GError *error, gpointer data)
{
  BareHost *host = data;

  g_assert_no_error (error);
  host->is_done = TRUE;
}

static gboolean
do_a_bit_of_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int ends[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  tractor_nursery_spawn (nursery, "sleeper", sleep_30_msec, NULL, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  g_assert_cmpint (write (ends[1], "x", 1), ==, 1);
  g_assert_true (tractor_wait_fd (ends[0], G_IO_IN, NULL, error));
  tractor_notify_closing (ends[0]);
  close (ends[0]);
  close (ends[1]);
  return tractor_nursery_join (nursery, error);
}

static void
test_bare_host (void)
{
  static const TractorHostOps ops = { .version = TRACTOR_HOST_VERSION, .schedule = bare_schedule };
  BareHost host = { 0 };
  g_autoptr (GError) error = NULL;
  TractorGuest *guest =
      tractor_guest_new (&ops, &host, do_a_bit_of_all, NULL, bare_done, &host, &error);
  struct pollfd pollfd = { .fd = tractor_guest_get_fd (guest), .events = POLLIN };

  g_assert_no_error (error);
  g_assert_true (host.is_scheduled); /* the first tick is asked for at once */
  g_assert_true (tractor_guest_is_due (guest));
  while (!host.is_done) {
    g_assert_cmpint (host.is_scheduled, ==, tractor_guest_is_due (guest));
    if (!host.is_scheduled)
      g_assert_cmpint (poll (&pollfd, 1, 5000), ==, 1);
    host.is_scheduled = FALSE;
    tractor_guest_tick (guest);
  }
  g_assert_cmpint (tractor_guest_get_deadline (guest), ==, TRACTOR_NO_DEADLINE);
  tractor_guest_tick (guest); /* one too many is harmless */
  tractor_guest_wait (guest, TRACTOR_NO_DEADLINE);
  tractor_guest_free (guest);
}

/* === GLib only ========================================================================================= */

static gboolean
redraw (gpointer data)
{
  ++*(guint *) data;
  return G_SOURCE_CONTINUE;
}

/* GLib serves strictly by priority; the guest lets lower ones have their turn all the same. */
static void
test_glib_lower_priorities_have_turns (void)
{
  Attached attached = { .kind = &loops[LOOP_GLIB], .loop = loops[LOOP_GLIB].new() };
  GSource *source = g_idle_source_new ();
  guint n_redraws = 0;

  g_source_set_callback (source, redraw, &n_redraws, NULL);
  g_source_attach (source, g_main_loop_get_context (attached.loop));
  attach (&attached, spin_for_200_msec);
  g_main_loop_run (attached.loop);
  g_assert_cmpuint (n_redraws, >=, 20 / harness_get_slowness ());
  g_source_destroy (source);
  g_source_unref (source);
  loops[LOOP_GLIB].free (attached.loop);
}

typedef struct {
  GMainContext *context;
  guint n_steps;
  gboolean refused;
  guint depth;
} Nested;

static gboolean
count_steps (gpointer data, GError **error)
{
  Nested *nested = data;

  for (int i = 0; i < 25; i++) {
    nested->n_steps++;
    if (!tractor_checkpoint (error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
wait_in_callback (gpointer data)
{
  Nested *nested = data;
  g_autoptr (GError) error = NULL;

  g_assert_false (tractor_in_task ());
  g_assert_false (tractor_checkpoint (&error));
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_NESTED_HOST_LOOP);
  nested->refused = TRUE;
  return G_SOURCE_REMOVE;
}

/* A task runs a nested loop, as a modal dialog does: the others go on, and a callback of that loop
 * may not wait. */
static gboolean
run_nested (gpointer data, GError **error)
{
  Nested *nested = data;
  GSource *source = g_idle_source_new ();

  g_source_set_callback (source, wait_in_callback, nested, NULL);
  g_source_attach (source, nested->context);
  g_source_unref (source);
  while (!nested->refused || nested->n_steps < 25)
    g_main_context_iteration (nested->context, TRUE);
  return tractor_checkpoint (error);
}

static gboolean
run_nested_and_others (gpointer data, GError **error)
{
  Nested *nested = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  nested->context = g_main_context_get_thread_default ();
  tractor_nursery_spawn (nursery, "dialog", run_nested, nested, NULL, error);
  tractor_nursery_spawn (nursery, "other", count_steps, nested, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static void
test_glib_nested_loop (void)
{
  Nested nested = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor_glib_run (run_nested_and_others, &nested, &error));
  g_assert_no_error (error);
  g_assert_true (nested.refused);
  g_assert_cmpuint (nested.n_steps, ==, 25);
}

static gboolean
run_two_levels (gpointer data, GError **error)
{
  Nested *nested = data;
  guint mine = ++nested->depth;

  if (mine < 2)
    while (nested->depth < 2)
      g_main_context_iteration (nested->context, TRUE); /* the second one starts in here */
  while (nested->n_steps < 25)
    g_main_context_iteration (nested->context, TRUE);
  return tractor_checkpoint (error);
}

static gboolean
run_two_nested_and_others (gpointer data, GError **error)
{
  Nested *nested = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  nested->context = g_main_context_get_thread_default ();
  tractor_nursery_spawn (nursery, "first", run_two_levels, nested, NULL, error);
  tractor_nursery_spawn (nursery, "second", run_two_levels, nested, NULL, error);
  tractor_nursery_spawn (nursery, "other", count_steps, nested, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static void
test_glib_nested_two_levels (void)
{
  Nested nested = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor_glib_run (run_two_nested_and_others, &nested, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (nested.n_steps, ==, 25);
}

static gboolean
quit_after_10_msec (gpointer data, GError **error)
{
  Nested *nested = data;

  if (!tractor_sleep_until (tractor_now () + 10 * MSEC, error))
    return FALSE;
  nested->refused = TRUE;
  return TRUE;
}

static gboolean
iterate_until_refused (gpointer data, GError **error)
{
  Nested *nested = data;

  while (!nested->refused)
    g_main_context_iteration (nested->context, TRUE);
  return tractor_checkpoint (error);
}

static gboolean
sleep_beside_nested_loop (gpointer data, GError **error)
{
  Nested *nested = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  nested->context = g_main_context_get_thread_default ();
  tractor_nursery_spawn (nursery, "sleeper", quit_after_10_msec, nested, NULL, error);
  tractor_nursery_spawn (nursery, "dialog", iterate_until_refused, nested, NULL, error);
  return tractor_nursery_join (nursery, error);
}

/* A deadline that was set in the very tick that is interrupted wakes the nested loop. */
static void
test_glib_nested_deadline (void)
{
  Nested nested = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor_glib_run (sleep_beside_nested_loop, &nested, &error));
  g_assert_no_error (error);
}

typedef struct {
  Nested nested;
  TractorNursery *nursery;
} NestedClose;

static gboolean
join_in_callback (gpointer data)
{
  NestedClose *story = data;
  GError *error = NULL;

  g_assert_false (tractor_nursery_join (story->nursery, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_NESTED_HOST_LOOP);
  story->nested.refused = TRUE;
  return G_SOURCE_REMOVE;
}

static gboolean
join_from_nested_loop (gpointer data, GError **error)
{
  NestedClose *story = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GSource *source = g_idle_source_new ();

  story->nested.context = g_main_context_get_thread_default ();
  story->nursery = nursery;
  tractor_nursery_spawn (nursery, "child", sleep_forever, NULL, NULL, error);
  g_source_set_callback (source, join_in_callback, story, NULL);
  g_source_attach (source, story->nested.context);
  g_source_unref (source);
  iterate_until_refused (&story->nested, error);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error);
}

/* A nursery cannot be waited for in there either, and is as before. */
static void
test_glib_nested_join (void)
{
  NestedClose story = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor_glib_run (join_from_nested_loop, &story, &error));
  g_assert_no_error (error);
}

static gboolean
do_nothing (G_GNUC_UNUSED gpointer data)
{
  return G_SOURCE_REMOVE;
}

static void
iterate_in_soon_callback (gpointer data)
{
  Nested *nested = data;
  gint64 cpu_before = harness_get_cpu_usec ();
  gint64 end = g_get_monotonic_time () + 50 * MSEC;
  GSource *source = g_timeout_source_new (50);

  g_source_set_callback (source, do_nothing, NULL, NULL);
  g_source_attach (source, nested->context);
  while (g_get_monotonic_time () < end)
    g_main_context_iteration (nested->context, TRUE);
  g_source_destroy (source);
  g_source_unref (source);
  g_assert_cmpint (harness_get_cpu_usec () - cpu_before, <, 20 * MSEC * harness_get_slowness ());
  g_assert_cmpuint (nested->n_steps, ==, 25); /* and tasks went on meanwhile */
  nested->refused = TRUE;
}

static gboolean
nest_in_soon_callback (gpointer data, GError **error)
{
  Nested *nested = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  nested->context = g_main_context_get_thread_default ();
  tractor_guest_run_soon (tractor_guest_get_current (), iterate_in_soon_callback, nested);
  tractor_nursery_spawn (nursery, "other", count_steps, nested, NULL, error);
  g_assert_true (tractor_nursery_join (nursery, error));
  while (!nested->refused)
    if (!tractor_sleep_until (tractor_now () + MSEC, error))
      return FALSE;
  return TRUE;
}

static void
test_glib_nested_in_soon_callback (void)
{
  Nested nested = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor_glib_run (nest_in_soon_callback, &nested, &error));
  g_assert_no_error (error);
}

static void
iterate_in_host_call (gpointer data)
{
  Nested *nested = data;

  while (nested->n_steps < 25)
    g_main_context_iteration (nested->context, TRUE);
  nested->refused = TRUE;
}

static gboolean
nest_in_host_call (gpointer data, GError **error)
{
  Nested *nested = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  nested->context = g_main_context_get_thread_default ();
  tractor_nursery_spawn (nursery, "other", count_steps, nested, NULL, error);
  g_assert_true (tractor_run_in_host (iterate_in_host_call, nested, error));
  g_assert_true (nested->refused);
  return tractor_nursery_join (nursery, error);
}

/* A dialog in its sanctioned place: all tasks go on meanwhile. */
static void
test_glib_nested_in_host_call (void)
{
  Nested nested = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor_glib_run (nest_in_host_call, &nested, &error));
  g_assert_no_error (error);
}

static void
iterate_until_ended (gpointer data)
{
  Nested *nested = data;

  while (!nested->refused)
    g_main_context_iteration (nested->context, TRUE);
}

static void
end_iteration (gpointer data)
{
  ((Nested *) data)->refused = TRUE;
}

static gboolean
end_by_host_call (gpointer data, GError **error)
{
  return tractor_run_in_host (end_iteration, data, error);
}

static gboolean
nest_before_another (gpointer data, GError **error)
{
  Nested *nested = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  nested->context = g_main_context_get_thread_default ();
  tractor_nursery_spawn (nursery, "other", end_by_host_call, nested, NULL, error);
  g_assert_true (tractor_run_in_host (iterate_until_ended, nested, error));
  return tractor_nursery_join (nursery, error);
}

/* And so does what other tasks have called in the host, in the same tick. */
static void
test_glib_nested_before_another_host_call (void)
{
  Nested nested = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor_glib_run (nest_before_another, &nested, &error));
  g_assert_no_error (error);
}

static void
test_glib_source_destroyed (void)
{
  GMainLoop *loop = loops[LOOP_GLIB].new();
  Attached attached = { .kind = &loops[LOOP_GLIB], .loop = loop };

  attach (&attached, sleep_forever);
  while (g_main_context_iteration (g_main_loop_get_context (loop), FALSE))
    ;
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*1 of its tasks*'main' (sleep)*");
  loops[LOOP_GLIB].free (
      loop); /* the context goes, and the guest with it: loudly, and without a crash */
  g_test_assert_expected_messages ();
  g_assert_cmpuint (attached.n_done, ==, 0);
}

/* === libuv only ======================================================================================== */

static void
test_uv_loop_close_while_alive (void)
{
  Attached attached = { .kind = &loops[LOOP_UV], .loop = loops[LOOP_UV].new() };

  attach (&attached, sleep_30_msec);
  g_assert_cmpint (uv_loop_close (attached.loop), ==, UV_EBUSY);
  uv_run (attached.loop, UV_RUN_DEFAULT);
  g_assert_cmpuint (attached.n_done, ==, 1);
  g_assert_cmpint (uv_loop_close (attached.loop), ==, 0); /* done came last, so at once */
  g_free (attached.loop);
}

static void
cancel_attached (uv_check_t *check)
{
  Attached *attached = check->data;

  if (attached->n_done == 0)
    tractor_guest_cancel (attached->guest, "late");
}

/* Between its last tick and the closing of its handles a guest may still be spoken to. */
static void
test_uv_cancelled_after_last_tick (void)
{
  Attached attached = { .kind = &loops[LOOP_UV], .loop = loops[LOOP_UV].new() };
  uv_check_t check = { .data = &attached };

  uv_check_init (attached.loop, &check);
  uv_check_start (&check, cancel_attached);
  attach (&attached, set_flag);
  uv_run (attached.loop, UV_RUN_DEFAULT);
  g_assert_cmpuint (attached.n_done, ==, 1);
  uv_close ((uv_handle_t *) &check, NULL);
  g_clear_error (&attached.error);
  loops[LOOP_UV].free (attached.loop);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/hosts/A100-run-soon", test_run_soon);
  harness_add_task ("/hosts/B40-woken-by-a-thread", test_woken_by_a_thread);
  harness_add_task ("/hosts/B40-wakeup-storm", test_wakeup_storm);
  harness_add ("/hosts/cancelled-by-host", test_cancelled_by_host);
  harness_add_task ("/hosts/B31-run-in-host", test_run_in_host);
  harness_add_task ("/hosts/B31-run-in-host-cancelled", test_run_in_host_cancelled);
  harness_add_task ("/hosts/B10-tick-inside-tick", test_tick_inside_tick);
  harness_add_task ("/hosts/B16-errno-around-tick", test_errno_around_tick);
  harness_add_task ("/hosts/A76-spinning-starves-nobody", test_spinning_starves_nobody);
  harness_add_real_task ("/hosts/B49-timer-precision", test_timer_precision);
  harness_add_real_task ("/hosts/B6-idle-uses-no-processor", test_idle_uses_no_processor);
  harness_add ("/hosts/A77-shuffle", test_shuffle);
  harness_add ("/hosts/A81-virtual-clock", test_virtual_clock);
  harness_add ("/hosts/B2-bare-host", test_bare_host);
  harness_add ("/hosts/B9-nothing-runs-in-attach", test_nothing_runs_in_attach);
  harness_add ("/hosts/B17-done-gets-the-error", test_done_gets_the_error);
  harness_add ("/hosts/B17-started-again-from-done", test_started_again_from_done);
  harness_add ("/hosts/B12-host-callback-wakes", test_host_callback_wakes);
  harness_add ("/hosts/B24-B25-resumed", test_resumed);
  harness_add ("/hosts/B22-shutdown", test_shutdown);
  harness_add ("/hosts/B26-slow-shutdown", test_slow_shutdown);
  harness_add ("/hosts/B35-two-guests", test_two_guests);
  harness_add ("/hosts/B44-loop-has-its-turns", test_loop_has_its_turns);
  harness_add ("/hosts/B8-attach-inside-a-task", test_attach_inside_a_task);
  harness_add ("/hosts/B36-loops-in-threads", test_loops_in_threads);
  harness_add ("/hosts/glib/B45-lower-priorities-have-turns",
               test_glib_lower_priorities_have_turns);
  harness_add ("/hosts/glib/B28-B30-nested-loop", test_glib_nested_loop);
  harness_add ("/hosts/glib/B30-nested-two-levels", test_glib_nested_two_levels);
  harness_add ("/hosts/glib/B30-nested-deadline", test_glib_nested_deadline);
  harness_add ("/hosts/glib/B28-nested-join", test_glib_nested_join);
  harness_add ("/hosts/glib/B6-nested-in-soon-callback", test_glib_nested_in_soon_callback);
  harness_add ("/hosts/uv/cancelled-after-the-last-tick", test_uv_cancelled_after_last_tick);
  harness_add ("/hosts/glib/B31-nested-in-host-call", test_glib_nested_in_host_call);
  harness_add ("/hosts/glib/B31-nested-before-another-host-call",
               test_glib_nested_before_another_host_call);
  harness_add ("/hosts/glib/B24-source-destroyed", test_glib_source_destroyed);
  harness_add ("/hosts/uv/B25-loop-close-while-alive", test_uv_loop_close_while_alive);
  return harness_run ();
}
