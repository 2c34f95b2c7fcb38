/* test-turns.c - who has the thread when: the loop's sources against tasks that never rest, wakeups in
 * system calls, and deadlines that come while the loop sleeps. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gio/gio.h>
#include <glib-unix.h>

#include "harness.h"
#include "loops.h"
#include "tractor-builtin.h"
#include "tractor-glib.h"
#include "tractor-thread.h"

#define MSEC G_GINT64_CONSTANT (1000)

/* The program's own write() comes before libc's: it counts the wakeups of an eventfd. */
static guint n_wakeups;

gssize
write (int fd, const void *buffer, gsize length)
{
  static gssize (*real) (int, const void *, gsize);

  if (real == NULL)
    real = (gssize (*) (int, const void *, gsize)) dlsym (RTLD_NEXT, "write");
  if (length == 8)
    __atomic_add_fetch (&n_wakeups, 1, __ATOMIC_SEQ_CST);
  return real (fd, buffer, length);
}

/* --- a guest on a loop ------------------------------------------------------------------------------ */

typedef struct {
  const Loop *kind;
  gpointer loop;
  TractorGuest *guest;
  TractorCancelScope *scope; /* the main task's */
  TractorEvent *event;
  gint64 asked_at;
  gint64 longest_wait;
  gint64 task_cpu;
  guint n_steps;
  guint n_calls;
  gint64 until;
} Show;

static void
on_done (const GError *error, gpointer data)
{
  Show *show = data;

  g_assert_no_error (error);
  show->kind->stop (show->loop);
}

static void
attach (Show *show, TractorTaskFunc main)
{
  g_autoptr (GError) error = NULL;

  show->guest = show->kind->attach (show->loop, main, show, on_done, show, &error);
  g_assert_no_error (error);
}

static void
on_each_loop (void (*play) (Show *show))
{
  for (const Loop *kind = loops; kind->name != NULL; kind++) {
    Show show = { .kind = kind, .loop = kind->new () };

    g_test_message ("on %s", kind->name);
    play (&show);
    kind->free (show.loop);
  }
}

/* --- turns ------------------------------------------------------------------------------------------- */

#define N_SPINNERS 1000

static gboolean
spin (gpointer data, GError **error)
{
  Show *show = data;

  while (g_get_monotonic_time () < show->until) {
    show->n_steps++;
    if (!tractor_checkpoint (error))
      return FALSE;
  }
  return TRUE;
}

/* Time is the loop's thread's: what others take of the processor meanwhile is not what is looked at. */
typedef struct {
  Show show;       /* first: what the main task is given */
  clockid_t clock; /* of that thread */
  gint64 began;
  gint64 ended;
  guint n_redraws;
  gint64 redraw_usec;
  gint64 longest_input;
  guint n_inputs;
  int input[2];
  GThread *typist;
} Screen;

static gint64
get_loop_usec (const Screen *screen)
{
  struct timespec used;

  clock_gettime (screen->clock, &used);
  return (gint64) used.tv_sec * G_USEC_PER_SEC + used.tv_nsec / 1000;
}

/* Sixty times a second, as a frame clock: a late frame does not put off the next one. The loop never
 * sleeps here, so it comes by often enough to look at another clock than its own. */
typedef struct {
  GSource source; /* first */
  Screen *screen;
  gint64 next;
} Redraws;

static gboolean
redraw_is_due (GSource *source)
{
  Redraws *redraws = (Redraws *) source;

  return get_loop_usec (redraws->screen) >= redraws->next;
}

static gboolean
redraw (GSource *source, G_GNUC_UNUSED GSourceFunc func, G_GNUC_UNUSED gpointer data)
{
  Redraws *redraws = (Redraws *) source;
  gint64 until = get_loop_usec (redraws->screen) + redraws->screen->redraw_usec;

  redraws->screen->n_redraws++;
  while (get_loop_usec (redraws->screen) < until)
    ;
  redraws->next += G_USEC_PER_SEC / 60;
  return G_SOURCE_CONTINUE;
}

static GSource *
redraws_new (Screen *screen)
{
  static GSourceFuncs funcs = { .check = redraw_is_due, .dispatch = redraw };
  GSource *source = g_source_new (&funcs, sizeof (Redraws));
  Redraws *redraws = (Redraws *) source;

  redraws->screen = screen;
  redraws->next = screen->began;
  g_source_set_priority (source, G_PRIORITY_HIGH_IDLE + 20); /* GDK_PRIORITY_REDRAW */
  return source;
}

static gboolean
on_input (G_GNUC_UNUSED int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
  Screen *screen = data;
  gint64 sent_at;

  g_assert_cmpint (read (screen->input[0], &sent_at, sizeof sent_at), ==, sizeof sent_at);
  screen->longest_input = MAX (screen->longest_input, get_loop_usec (screen) - sent_at);
  screen->n_inputs++;
  return G_SOURCE_CONTINUE;
}

static gpointer
type (gpointer data)
{
  Screen *screen = data;
  gint64 next = g_get_monotonic_time ();

  for (int i = 0; i < 40; i++) {
    struct timespec at;
    gint64 now;

    next += 20 * MSEC;
    at.tv_sec = next / G_USEC_PER_SEC;
    at.tv_nsec = next % G_USEC_PER_SEC * 1000;
    clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    now = get_loop_usec (screen);
    g_assert_cmpint (send (screen->input[1], &now, sizeof now, 0), ==, sizeof now);
  }
  return NULL;
}

/* Making a thousand tasks is work in one go: the screen comes to life once each has had a first turn. */
static gboolean
spin_behind_screen (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Screen *screen = data;
  GMainContext *context = g_main_loop_get_context (screen->show.loop);
  g_autoptr (GSource) redraws = NULL;
  g_autoptr (GSource) input = g_unix_fd_source_new (screen->input[0], G_IO_IN);

  screen->show.until = G_MAXINT64;
  for (int i = 0; i < N_SPINNERS; i++)
    tractor_nursery_spawn (nursery, "spinner", spin, &screen->show, NULL, error);
  while (screen->show.n_steps < N_SPINNERS)
    tractor_checkpoint (NULL);
  screen->began = get_loop_usec (screen);
  screen->show.until = g_get_monotonic_time () + G_USEC_PER_SEC;
  redraws = redraws_new (screen);
  g_source_attach (redraws, context);
  g_source_set_callback (input, G_SOURCE_FUNC (on_input), screen, NULL);
  g_source_attach (input, context);
  screen->typist = g_thread_new ("typist", type, screen);
  spin (&screen->show, NULL); /* as they do */
  screen->ended = get_loop_usec (screen);
  g_source_destroy (redraws);
  g_source_destroy (input);
  return tractor_nursery_join (nursery, error);
}

/* A thousand tasks that never rest, an animation at GTK's redraw priority, and somebody who types:
 * 55 of 60 redraws a second, at least half of the processor for the tasks, and every key within two
 * budgets (three milliseconds each) beside what a redraw takes. */
static void
test_redraws_and_input (void)
{
  Screen screen = { .redraw_usec = 2 * MSEC };
  GMainLoop *loop = loops[LOOP_GLIB].new();
  double seconds;
  double share;

  screen.show = (Show){ .kind = &loops[LOOP_GLIB], .loop = loop };
  g_assert_cmpint (pthread_getcpuclockid (pthread_self (), &screen.clock), ==, 0);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_DGRAM, 0, screen.input), ==, 0);
  attach (&screen.show, spin_behind_screen);
  g_main_loop_run (loop);
  seconds = (double) (screen.ended - screen.began) / G_USEC_PER_SEC;
  g_thread_join (screen.typist);

  share = 1 - (double) screen.n_redraws * (double) screen.redraw_usec / G_USEC_PER_SEC / seconds;
  g_test_message ("%.1f redraws a second, %.0f %% for tasks, input after %" G_GINT64_FORMAT
                  " us at most",
                  screen.n_redraws / seconds, share * 100, screen.longest_input);
  g_assert_cmpuint (screen.n_inputs, >=, 38);
  if (harness_get_slowness () == 1) { /* under a sanitizer a batch of a thousand takes longer */
    g_assert_cmpfloat (screen.n_redraws / seconds, >=, 55);
    g_assert_cmpfloat (share, >=, 0.5);
    g_assert_cmpint (screen.longest_input, <, 2 * 3 * MSEC + screen.redraw_usec + 4 * MSEC);
  }
  g_assert_cmpuint (screen.show.n_steps, >, N_SPINNERS);
  close (screen.input[0]);
  close (screen.input[1]);
  loops[LOOP_GLIB].free (loop);
}

/* The other way round: a source that is always ready leaves the guest its turns. */
static gboolean
take_fifty_steps (gpointer data, GError **error)
{
  Show *show = data;

  for (show->n_steps = 0; show->n_steps < 50; show->n_steps++)
    if (!tractor_sleep_until (tractor_now () + 100, error))
      return FALSE;
  return TRUE;
}

static void
be_always_ready (gpointer data)
{
  Show *show = data;

  show->n_calls++;
  if (show->n_steps < 50)
    /* A timer of 0 ms that starts another one starves the whole of a libuv loop. */
    show->kind->call_later (show->loop, show->kind == &loops[LOOP_UV] ? 1 : 0, be_always_ready,
                            show);
}

static void
check_guest_has_turns (Show *show)
{
  attach (show, take_fifty_steps);
  be_always_ready (show);
  show->kind->run (show->loop);
  g_assert_cmpuint (show->n_steps, ==, 50);
  g_assert_cmpuint (show->n_calls, >=, 5);
  show->n_steps = 50;
}

static void
test_guest_has_turns (void)
{
  on_each_loop (check_guest_has_turns);
}

/* --- deadlines that come late ------------------------------------------------------------------------- */

static void
move_deadline (gpointer data)
{
  Show *show = data;

  show->asked_at = g_get_monotonic_time () + 5 * MSEC;
  tractor_cancel_scope_set_deadline (show->scope, show->asked_at);
}

static gboolean
sleep_in_scope (gpointer data, GError **error)
{
  Show *show = data;
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + 60 * G_USEC_PER_SEC);

  show->scope = scope;
  /* From here: a loop that begins late would call it before there is a scope. */
  show->kind->call_later (show->loop, 5, move_deadline, show);
  tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  show->scope = NULL;
  return tractor_cancel_scope_absorb (scope, error);
}

/* The loop had computed how long to sleep before the deadline was moved: it wakes up all the same. */
static void
check_stale_timeout (Show *show)
{
  attach (show, sleep_in_scope);
  show->kind->run (show->loop);
  g_assert_cmpint (g_get_monotonic_time (), >=, show->asked_at);
  g_assert_cmpint (g_get_monotonic_time () - show->asked_at, <, G_USEC_PER_SEC);
}

static void
test_stale_timeout (void)
{
  on_each_loop (check_stale_timeout);
}

/* --- descriptors that the host closes ------------------------------------------------------------------ */

static void
close_it (gpointer data)
{
  Show *show = data;

  g_assert_null (tractor_guest_get_current ()); /* between ticks */
  tractor_guest_notify_closing (show->guest, (int) show->n_calls);
  close ((int) show->n_calls);
}

static gboolean
wait_for_closed (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Show *show = data;
  GError *error = NULL;

  show->kind->call_later (show->loop, 5, close_it, show); /* not before we wait */
  g_assert_false (tractor_wait_fd ((int) show->n_calls, G_IO_IN, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

static void
check_closed_by_host (Show *show)
{
  int fds[2];

  g_assert_cmpint (pipe (fds), ==, 0);
  show->n_calls = (guint) fds[0];
  attach (show, wait_for_closed);
  show->kind->run (show->loop);
  close (fds[1]);
}

static void
test_closed_by_host (void)
{
  on_each_loop (check_closed_by_host);
}

/* --- wakeups, in system calls --------------------------------------------------------------------------- */

#define N_THREADS    8
#define N_PER_THREAD 100000

typedef struct {
  TractorToken *token;
  TractorEvent *all;
  guint count;
  guint n_ticks;
} Storm;

static void
count_drop (gpointer data)
{
  Storm *storm = data;

  if (++storm->count == N_THREADS * N_PER_THREAD)
    tractor_event_set (storm->all);
}

static gpointer
rain (gpointer data)
{
  Storm *storm = data;

  for (guint i = 0; i < N_PER_THREAD; i++)
    g_assert_true (tractor_token_run_soon (storm->token, count_drop, storm));
  return NULL;
}

static void
count_tick (gpointer data)
{
  Storm *storm = data;

  storm->n_ticks++;
}

/* Eight threads, a hundred thousand calls each: none is lost, and many cost one write(). */
static gboolean
test_storm_in_system_calls (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorToken) token = tractor_token_get_current ();
  g_autoptr (TractorEvent) all = tractor_event_new ();
  Storm storm = { .token = token, .all = all };
  GThread *threads[N_THREADS];
  guint before = n_wakeups;
  gboolean ok;

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("cloud", rain, &storm);
  ok = tractor_event_wait (all, error);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  g_test_message ("%u calls by %u wakeups", storm.count, n_wakeups - before);
  g_assert_cmpuint (storm.count, ==, N_THREADS * N_PER_THREAD);
  g_assert_cmpuint (n_wakeups - before, <, N_THREADS * N_PER_THREAD / 2);
  return ok;
}

/* While the tick is busy elsewhere, a thousand calls are one write(), and one drain. */
static gboolean
test_thousand_calls_one_wakeup (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorToken) token = tractor_token_get_current ();
  Storm storm = { .token = token };
  guint before = n_wakeups;

  for (int i = 0; i < 1000; i++)
    g_assert_true (tractor_token_run_soon (token, count_tick, &storm));
  g_assert_cmpuint (n_wakeups - before, ==, 1);
  g_assert_true (tractor_checkpoint (error));
  g_assert_true (tractor_sleep_until (tractor_now () + MSEC, error));
  g_assert_cmpuint (storm.n_ticks, ==, 1000);
  g_assert_cmpuint (n_wakeups - before, ==, 1);
  return TRUE;
}

static void
set_event (gpointer data)
{
  Show *show = data;

  guint before = n_wakeups;

  for (int i = 0; i < 100; i++)
    tractor_event_set (show->event);
  g_assert_cmpuint (n_wakeups, ==, before);
}

static gboolean
wait_for_event (gpointer data, GError **error)
{
  Show *show = data;

  show->kind->call_later (show->loop, 5, set_event, show); /* not before we wait */
  return tractor_event_wait (show->event, error);
}

/* From the loop's own thread a wakeup costs no system call, and the task runs all the same. */
static void
check_own_thread (Show *show)
{
  g_autoptr (TractorEvent) event = tractor_event_new ();

  show->event = event;
  attach (show, wait_for_event);
  show->kind->run (show->loop);
}

static void
test_own_thread (void)
{
  on_each_loop (check_own_thread);
}

/* --- busy polling ------------------------------------------------------------------------------------------ */

static gboolean
answer (gpointer data, GError **error)
{
  int fd = *(int *) data;
  char byte;

  for (int i = 0; i < 200; i++) {
    if (!tractor_wait_fd (fd, G_IO_IN, NULL, error))
      return FALSE;
    g_assert_cmpint (recv (fd, &byte, 1, 0), ==, 1);
    g_assert_cmpint (send (fd, &byte, 1, 0), ==, 1);
  }
  return TRUE;
}

static gpointer
ask (gpointer data)
{
  int fd = *(int *) data;
  char byte = 'x';

  for (int i = 0; i < 200; i++) {
    g_assert_cmpint (send (fd, &byte, 1, 0), ==, 1);
    g_assert_cmpint (recv (fd, &byte, 1, 0), ==, 1);
  }
  return NULL;
}

static gboolean
answer_busily (gpointer data, GError **error)
{
  gint64 used;

  tractor_builtin_set_busy_poll (tractor_guest_get_current (), 50);
  if (!answer (data, error))
    return FALSE;
  /* And with nothing to come it rests. */
  g_assert_true (tractor_sleep_until (tractor_now () + 20 * MSEC, error));
  used = harness_get_cpu_usec ();
  g_assert_true (tractor_sleep_until (tractor_now () + 200 * MSEC, error));
  used = harness_get_cpu_usec () - used;
  g_assert_cmpint (used, <, 20 * MSEC * harness_get_slowness ());
  tractor_builtin_set_busy_poll (tractor_guest_get_current (), 0);
  return TRUE;
}

static void
test_busy_poll (void)
{
  int fds[2];
  GThread *thread;
  GError *error = NULL;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
  thread = g_thread_new ("asker", ask, &fds[1]);
  g_assert_true (tractor_run (answer_busily, &fds[0], &error));
  g_assert_no_error (error);
  g_thread_join (thread);
  close (fds[0]);
  close (fds[1]);
}

/* --- GLib's own ---------------------------------------------------------------------------------------------- */

static gboolean
end_wakeup (G_GNUC_UNUSED gpointer data)
{
  return G_SOURCE_REMOVE;
}

/* The guest has work, but not for this thread, which is not to be kept busy by that. */
static gpointer
iterate_elsewhere (gpointer data)
{
  GMainContext *context = data;
  gint64 used = harness_get_cpu_usec ();

  g_test_expect_message ("tractor", G_LOG_LEVEL_WARNING, "*thread other than that of its guest*");
  for (int i = 0; i < 3; i++) {
    GSource *wakeup = g_timeout_source_new (50);

    g_source_set_callback (wakeup, end_wakeup, NULL, NULL);
    g_source_attach (wakeup, context);
    g_main_context_iteration (context, TRUE);
    g_source_destroy (wakeup);
    g_source_unref (wakeup);
  }
  g_test_assert_expected_messages ();
  g_assert_cmpint (harness_get_cpu_usec () - used, <, 50 * MSEC * harness_get_slowness ());
  return NULL;
}

static gboolean
sleep_20_msec (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (tractor_now () + 20 * MSEC, error);
}

/* The tasks stand still while another thread has the context, and go on when it is back. */
static void
test_glib_other_thread (void)
{
  GMainLoop *loop = loops[LOOP_GLIB].new();
  GMainContext *context = g_main_loop_get_context (loop);
  Show show = { .kind = &loops[LOOP_GLIB], .loop = loop };

  attach (&show, sleep_20_msec);
  g_main_context_iteration (context, FALSE);
  g_thread_join (g_thread_new ("elsewhere", iterate_elsewhere, context));
  g_main_loop_run (loop);
  loops[LOOP_GLIB].free (loop);
}

static gboolean
push_and_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  gboolean ok;

  g_main_context_push_thread_default (context);
  ok = tractor_sleep_until (tractor_now () + MSEC, error);
  g_main_context_pop_thread_default (context);
  return ok;
}

static gboolean
push_cancellable_and_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  gboolean ok;

  g_cancellable_push_current (cancellable);
  ok = tractor_sleep_until (tractor_now () + MSEC, error);
  g_cancellable_pop_current (cancellable);
  return ok;
}

static gboolean
push_and_end (gpointer data, G_GNUC_UNUSED GError **error)
{
  g_cancellable_push_current (data);
  return TRUE;
}

static void
test_glib_pushed_and_ended (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*GCancellable*pushed*");
  g_assert_true (tractor_glib_run (push_and_end, cancellable, NULL));
  g_test_assert_expected_messages ();
  g_cancellable_pop_current (cancellable);
}

/* It is told once, not with each turn. */
static void
test_glib_pushed_and_waited (void)
{
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*thread-default GMainContext*pushed*");
  g_assert_true (tractor_glib_run (push_and_wait, NULL, NULL));
  g_test_assert_expected_messages ();
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*GCancellable*pushed*");
  g_assert_true (tractor_glib_run (push_cancellable_and_wait, NULL, NULL));
  g_test_assert_expected_messages ();
}

typedef struct {
  GMainLoop *loop;
  guint n_before;
  guint n_called;
} Priority;

static gboolean
count_call (gpointer data)
{
  ((Priority *) data)->n_called++;
  return G_SOURCE_REMOVE;
}

static gboolean
note_calls_before (gpointer data, G_GNUC_UNUSED GError **error)
{
  Priority *priority = data;

  priority->n_before = priority->n_called;
  return TRUE;
}

static void
quit_loop (G_GNUC_UNUSED const GError *error, gpointer data)
{
  g_main_loop_quit (((Priority *) data)->loop);
}

static guint
count_calls_before_first_step (int guest_priority)
{
  GMainLoop *loop = loops[LOOP_GLIB].new();
  GMainContext *context = g_main_loop_get_context (loop);
  Priority priority = { .loop = loop };
  TractorGuest *guest =
      tractor_glib_attach (context, note_calls_before, &priority, quit_loop, &priority, NULL);

  tractor_glib_set_priority (guest, guest_priority);
  for (int i = 0; i < 3; i++) {
    GSource *source = g_idle_source_new ();

    g_source_set_priority (source, G_PRIORITY_DEFAULT);
    g_source_set_callback (source, count_call, &priority, NULL);
    g_source_attach (source, context);
    g_source_unref (source);
  }
  g_main_loop_run (loop);
  loops[LOOP_GLIB].free (loop);
  return priority.n_before;
}

static void
test_glib_priority (void)
{
  g_assert_cmpuint (count_calls_before_first_step (G_PRIORITY_HIGH), ==, 0);
  g_assert_cmpuint (count_calls_before_first_step (G_PRIORITY_LOW), ==, 3);
}

/* --- sd_event's own ------------------------------------------------------------------------------------------- */

#ifdef HAVE_SD_EVENT

#include "sd_event_host.h"

static gboolean
wait_to_be_shut_down (gpointer data, GError **error)
{
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
  *(gboolean *) data = TRUE;
  return FALSE;
}

static void
note_done (const GError *error, gpointer data)
{
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  *(gboolean *) data = TRUE;
}

static int
exit_loop (sd_event_source *source, G_GNUC_UNUSED guint64 usec, gpointer event)
{
  (void) source;
  return sd_event_exit (event, 7);
}

/* The loop exits, and takes the guest along in order. */
static void
test_sd_event_exit (void)
{
  gboolean was_cancelled = FALSE;
  gboolean is_done = FALSE;
  sd_event *event;

  g_assert_cmpint (sd_event_new (&event), >=, 0);
  g_assert_nonnull (tractor_sd_event_attach (event, wait_to_be_shut_down, &was_cancelled, note_done,
                                             &is_done, NULL));
  g_assert_cmpint (
      sd_event_add_time_relative (event, NULL, CLOCK_MONOTONIC, 5000, 1, exit_loop, event), >=, 0);
  g_assert_cmpint (sd_event_loop (event), ==, 7);
  g_assert_true (was_cancelled && is_done);
  sd_event_unref (event);
}

#endif

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/hosts/glib/B45-redraws-and-input", test_redraws_and_input);
  harness_add ("/hosts/B48-guest-has-turns", test_guest_has_turns);
  harness_add ("/hosts/B50-stale-timeout", test_stale_timeout);
  harness_add ("/hosts/A98-closed-by-host", test_closed_by_host);
  harness_add_real_task ("/hosts/B39-B40-storm-in-system-calls", test_storm_in_system_calls);
  harness_add_task ("/hosts/B39-B43-thousand-calls-one-wakeup", test_thousand_calls_one_wakeup);
  harness_add ("/hosts/B41-own-thread", test_own_thread);
  harness_add ("/hosts/builtin/busy-poll", test_busy_poll);
  harness_add ("/hosts/glib/B37-other-thread", test_glib_other_thread);
  harness_add ("/hosts/glib/A117-pushed-and-waited", test_glib_pushed_and_waited);
  harness_add ("/hosts/glib/A117-pushed-and-ended", test_glib_pushed_and_ended);
  harness_add ("/hosts/glib/B47-priority", test_glib_priority);
#ifdef HAVE_SD_EVENT
  harness_add ("/hosts/sd-event/B22-exit", test_sd_event_exit);
#endif
  return harness_run ();
}
