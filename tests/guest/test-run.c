/* test-run.c - how a run begins and ends, what a host may do meanwhile, and what costs nothing. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-channel.h"
#include "tractor-thread.h"

#define MSEC G_GINT64_CONSTANT (1000)

/* --- the end of a run ------------------------------------------------------------------------------- */

typedef struct {
  guint n_ended;
  guint n_called;
  TractorToken *token;
} Run;

static gboolean
end_late (gpointer data, GError **error)
{
  if (!tractor_sleep_until (tractor_now () + 2 * MSEC, error))
    return FALSE;
  ((Run *) data)->n_ended++;
  return TRUE;
}

static gboolean
start_two (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "one", end_late, data, NULL, error);
  tractor_nursery_spawn (nursery, "other", end_late, data, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static void
test_no_orphans (void)
{
  for (const HarnessHost *host = harness_hosts; host->name != NULL; host++) {
    Run run = { 0 };

    g_assert_true (host->run (start_two, &run, NULL));
    g_assert_cmpuint (run.n_ended, ==, 2);
  }
}

static void
count_call (gpointer data)
{
  ((Run *) data)->n_called++;
}

static gboolean
call_and_fail (gpointer data, GError **error)
{
  Run *run = data;

  run->token = tractor_token_get_current ();
  g_assert_true (tractor_token_run_soon (run->token, count_call, run));
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "main failed");
  return FALSE;
}

/* What was accepted is called, also if main has failed; what comes too late is refused. */
static void
test_calls_at_the_end (void)
{
  for (const HarnessHost *host = harness_hosts; host->name != NULL; host++) {
    GError *error = NULL;
    Run run = { 0 };

    g_assert_false (host->run (call_and_fail, &run, &error));
    harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    g_assert_cmpuint (run.n_called, ==, 1);
    g_assert_false (tractor_token_run_soon (run.token, count_call, &run));
    tractor_token_unref (run.token);
  }
}

/* --- who runs when ------------------------------------------------------------------------------------ */

typedef struct {
  TractorNursery *nursery;
  TractorCancelScope *scope;
  gboolean has_run;
  gboolean was_cancelled;
} Child;

static gboolean
note_run (gpointer data, G_GNUC_UNUSED GError **error)
{
  ((Child *) data)->has_run = TRUE;
  return TRUE;
}

static gboolean
test_spawn_runs_nothing (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Child child = { 0 };

  g_assert_true (tractor_nursery_spawn (nursery, "child", note_run, &child, NULL, error));
  g_assert_false (child.has_run);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (child.has_run);
  return TRUE;
}

static void
spawn_from_host (gpointer data)
{
  Child *child = data;

  g_assert_false (tractor_in_task ());
  g_assert_true (tractor_nursery_spawn (child->nursery, "child", note_run, child, NULL, NULL));
  g_assert_false (child->has_run);
}

static gboolean
test_spawn_from_host (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Child child = { .nursery = nursery };

  tractor_guest_run_soon (tractor_guest_get_current (), spawn_from_host, &child);
  g_assert_true (tractor_sleep_until (tractor_now () + MSEC, error));
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (child.has_run);
  return TRUE;
}

static gboolean
note_cancel (gpointer data, GError **error)
{
  Child *child = data;
  gboolean ok = tractor_sleep_until (TRACTOR_NO_DEADLINE, error);

  child->was_cancelled = TRUE;
  return ok;
}

static gboolean
test_cancel_runs_nobody (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Child child = { 0 };

  tractor_nursery_spawn (nursery, "child", note_cancel, &child, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_false (child.was_cancelled);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (child.was_cancelled);
  return TRUE;
}

static gboolean
clean_up_shielded (gpointer data, GError **error)
{
  Child *child = data;
  g_autoptr (TractorCancelScope) cleanup = NULL;

  if (tractor_sleep_until (TRACTOR_NO_DEADLINE, error))
    return TRUE;
  cleanup = tractor_cancel_scope_open (tractor_now () + 60 * G_USEC_PER_SEC);
  tractor_cancel_scope_set_shield (cleanup, TRUE);
  child->has_run = tractor_sleep_until (tractor_now () + 2 * MSEC, NULL);
  return FALSE;
}

/* The parent that joins is not taken out of its wait: it goes on when the child is done. */
static gboolean
test_join_is_not_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + MSEC);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Child child = { 0 };

  tractor_nursery_spawn (nursery, "child", clean_up_shielded, &child, NULL, error);
  g_assert_false (tractor_nursery_join (nursery, error)); /* the CANCELLED is the scope's */
  g_assert_true (child.has_run);
  return tractor_cancel_scope_absorb (scope, error);
}

/* --- scopes -------------------------------------------------------------------------------------------- */

static gboolean
test_reading_fires_deadline (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + 60 * G_USEC_PER_SEC);

  tractor_cancel_scope_set_deadline (scope, tractor_now ());
  g_assert_true (tractor_cancel_scope_get_cancel_called (scope));
  tractor_cancel_scope_set_deadline (scope, TRACTOR_NO_DEADLINE);
  g_assert_true (tractor_cancel_scope_get_cancel_called (scope)); /* for good */
  return TRUE;
}

static gboolean
test_shield_over_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorCancelScope) inner = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_cancel (outer, NULL);
  g_assert_false (tractor_checkpoint (NULL));
  tractor_cancel_scope_set_shield (inner, TRUE);
  g_assert_true (tractor_checkpoint (error)); /* a level, and not an event */
  tractor_cancel_scope_set_shield (inner, FALSE);
  g_assert_false (tractor_checkpoint (NULL));
  return TRUE;
}

/* Cleanup that takes too long ends all the same. */
static gboolean
test_timed_shield (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  GError *failure = NULL;

  tractor_cancel_scope_cancel (outer, NULL);
  {
    g_autoptr (TractorCancelScope) cleanup = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

    tractor_cancel_scope_set_shield (cleanup, TRUE);
    g_assert_true (tractor_checkpoint (error));
    tractor_cancel_scope_set_deadline (cleanup, tractor_now () + MSEC);
    g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, &failure));
    g_assert_true (tractor_cancel_scope_absorb (cleanup, &failure)); /* its own */
  }
  g_assert_false (tractor_checkpoint (NULL));
  return TRUE;
}

static gint64
time_checkpoints (void)
{
  gint64 best = G_MAXINT64;

  for (int round = 0; round < 20; round++) {
    gint64 started = g_get_monotonic_time ();

    for (int i = 0; i < 2000; i++)
      g_assert_true (tractor_checkpoint (NULL));
    best = MIN (best, g_get_monotonic_time () - started);
  }
  return best;
}

static gint64
time_checkpoints_inside (guint n_scopes)
{
  g_autoptr (TractorCancelScope) scope = NULL;

  if (n_scopes == 0)
    return time_checkpoints ();
  scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  return time_checkpoints_inside (n_scopes - 1);
}

static gboolean
test_depth_costs_nothing (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  gint64 shallow = time_checkpoints_inside (1);
  gint64 deep = time_checkpoints_inside (1000);

  g_assert_cmpint (deep, <, 3 * shallow + 50); /* walking a thousand scopes would be 100 times */
  return TRUE;
}

/* --- items --------------------------------------------------------------------------------------------- */

static guint n_items_freed;

static void
free_item (gpointer item)
{
  n_items_freed++;
  g_free (item);
}

/* What could not be sent is still the sender's; what was, is the channel's to free. */
static gboolean
test_item_has_one_owner (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (TractorCancelScope) scope = NULL;
  TractorSender *sender;
  TractorReceiver *receiver;
  GError *error = NULL;
  gpointer mine = g_malloc (1);

  tractor_channel_open (1, free_item, &sender, &receiver);
  g_assert_true (tractor_sender_send_nowait (sender, g_malloc (1), NULL));
  g_assert_false (tractor_sender_send_nowait (sender, mine, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK);
  scope = tractor_cancel_scope_open (tractor_now () + MSEC);
  g_assert_false (tractor_sender_send (sender, mine, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  tractor_cancel_scope_close (g_steal_pointer (&scope));
  tractor_receiver_close (receiver);
  g_assert_cmpuint (n_items_freed, ==, 1);
  g_assert_false (tractor_sender_send (sender, mine, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  g_assert_cmpuint (n_items_freed, ==, 1);
  g_free (mine);
  tractor_sender_close (sender);
  return TRUE;
}

/* --- a host that counts ---------------------------------------------------------------------------------- */

typedef struct {
  TractorGuest *guest;
  guint n_scheduled;
  guint n_done;
  guint n_freed;
  gboolean frees_in_done;
  TractorEvent *event;
  gboolean has_run;
  gpointer token;
} Bare;

static void
schedule (gpointer data, G_GNUC_UNUSED gboolean yielded)
{
  ((Bare *) data)->n_scheduled++;
}

static const TractorHostOps ops = { .version = TRACTOR_HOST_VERSION, .schedule = schedule };

static void
on_done (G_GNUC_UNUSED const GError *error, gpointer data)
{
  Bare *bare = data;

  bare->n_done++;
  if (bare->frees_in_done)
    tractor_guest_free (g_steal_pointer (&bare->guest));
}

static void
bare_begin (Bare *bare, TractorTaskFunc main)
{
  bare->guest = tractor_guest_new (&ops, bare, main, bare, on_done, bare, NULL);
  g_assert_nonnull (bare->guest);
}

static gboolean
wait_for_event (gpointer data, GError **error)
{
  Bare *bare = data;

  bare->has_run = TRUE;
  return tractor_event_wait (bare->event, error);
}

static void
mark_called (gpointer data)
{
  ((Bare *) data)->token = data;
}

/* One tick does it, unless the machine makes it longer than a tick may be. */
static void
tick_until_all_wait (Bare *bare)
{
  do
    tractor_guest_tick (bare->guest);
  while (bare->n_done == 0 && tractor_guest_is_due (bare->guest));
}

/* All of it can be used before the first tick, and nothing has run. */
static void
test_ready_when_new (void)
{
  Bare bare = { .event = tractor_event_new () };

  bare_begin (&bare, wait_for_event);
  g_assert_false (bare.has_run);
  g_assert_true (tractor_guest_run_soon (bare.guest, mark_called, &bare));
  tractor_guest_cancel (bare.guest, "before it began");
  g_assert_cmpuint (bare.n_scheduled, ==, 1);
  g_assert_cmpuint (bare.n_done, ==, 0);
  tick_until_all_wait (&bare);
  g_assert_true (bare.token == &bare);
  g_assert_true (bare.has_run); /* it starts, to take what it was given, and is cancelled then */
  g_assert_cmpuint (bare.n_done, ==, 1);
  tractor_guest_free (bare.guest);
  tractor_event_free (bare.event);
}

static void
test_spurious_ticks (void)
{
  Bare bare = { .event = tractor_event_new () };

  bare_begin (&bare, wait_for_event);
  for (int i = 0; i < 1000; i++)
    tractor_guest_tick (bare.guest);
  g_assert_cmpuint (bare.n_scheduled, ==, 1); /* none of them asks for another */
  g_assert_cmpuint (bare.n_done, ==, 0);
  tractor_event_set (bare.event); /* between ticks: this does */
  tractor_event_set (bare.event);
  g_assert_cmpuint (bare.n_scheduled, ==, 2);
  tick_until_all_wait (&bare);
  g_assert_cmpuint (bare.n_done, ==, 1);
  tractor_guest_free (bare.guest);
  tractor_event_free (bare.event);
}

static gboolean
use_all_in_a_tick (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorEvent) event = tractor_event_new ();

  tractor_nursery_spawn (nursery, "child", note_run, &(Child){ 0 }, NULL, error);
  tractor_event_set (event);
  tractor_cancel_scope_set_deadline (tractor_nursery_get_scope (nursery),
                                     tractor_now () + 60 * G_USEC_PER_SEC);
  return tractor_event_wait (event, error) && tractor_nursery_join (nursery, error);
}

static void
test_nothing_asked_inside_a_tick (void)
{
  Bare bare = { .frees_in_done = TRUE };
  guint n_ticks = 0;

  bare_begin (&bare, use_all_in_a_tick);
  while (bare.n_done == 0) { /* one, unless the machine makes it longer than a tick may be */
    tractor_guest_tick (bare.guest);
    n_ticks++;
  }
  g_assert_cmpuint (bare.n_scheduled, ==, n_ticks);
  g_assert_cmpuint (bare.n_done, ==, 1);
  g_assert_null (bare.guest); /* freed from done(), which was the last thing */
}

static void
note_freed (gpointer data)
{
  ((Bare *) data)->n_freed++;
}

static gboolean
leave_a_child (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "left behind", wait_for_event, data, note_freed, error);
  return tractor_nursery_join (nursery, error);
}

/* A guest that is freed alive is reported, its arguments are freed, and another may follow. */
static void
test_freed_alive (void)
{
  Bare bare = { .event = tractor_event_new () };
  TractorToken *token;

  bare_begin (&bare, leave_a_child);
  tick_until_all_wait (&bare);
  token = tractor_guest_get_token (bare.guest);
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL,
                         "*2 of its tasks are alive*'left behind' (event)*");
  tractor_guest_free (bare.guest);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (bare.n_freed, ==, 1);
  g_assert_cmpuint (bare.n_done, ==, 0);
  g_assert_false (tractor_token_run_soon (token, mark_called, &bare));
  tractor_token_unref (token);

  bare.frees_in_done = TRUE;
  bare_begin (&bare, use_all_in_a_tick);
  while (bare.n_done == 0)
    tractor_guest_tick (bare.guest);
  g_assert_cmpuint (bare.n_done, ==, 1);
  /* The nursery and the event's line were on the stack of a task that is no more. */
  g_free (bare.event);
}

static guint n_errors;

static void
counted_init (G_GNUC_UNUSED GError *error)
{
  n_errors++;
}

static void
counted_copy (G_GNUC_UNUSED const GError *source, G_GNUC_UNUSED GError *copy)
{
}

static void
counted_clear (G_GNUC_UNUSED GError *error)
{
  n_errors--;
}

static gboolean
fail_counted (G_GNUC_UNUSED gpointer data, GError **error)
{
  static GQuark domain;

  if (domain == 0)
    domain = g_error_domain_register_static ("counted", sizeof (gpointer), counted_init,
                                             counted_copy, counted_clear);
  g_set_error_literal (error, domain, 0, "counted");
  return FALSE;
}

/* What failed here would come out of the task at its end. */
static gboolean
lose_a_failure (gpointer data, GError **error)
{
  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    tractor_nursery_spawn (nursery, "child", fail_counted, NULL, NULL, error);
    tractor_checkpoint (NULL);
  }
  return wait_for_event (data, error);
}

static void
test_freed_alive_with_failures (void)
{
  Bare bare = { .event = tractor_event_new () };

  bare_begin (&bare, lose_a_failure);
  while (!bare.has_run)
    tractor_guest_tick (bare.guest);
  g_assert_cmpuint (n_errors, ==, 1);
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*1 of its tasks are alive*");
  tractor_guest_free (bare.guest);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (n_errors, ==, 0);
  g_free (bare.event); /* its line was on the stack of a task that is no more */
}

static gboolean
shut_down_from_task (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Bare *bare = data;
  GError *error = NULL;

  g_assert_false (tractor_guest_shutdown (bare->guest, 0, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

static void
test_shutdown_inside_a_tick (void)
{
  Bare bare = { .frees_in_done = TRUE };

  bare_begin (&bare, shut_down_from_task);
  tractor_guest_tick (bare.guest);
  g_assert_cmpuint (bare.n_done, ==, 1);
}

/* --- what a process that is started would inherit ----------------------------------------------------------- */

static gboolean
test_descriptors_close_on_exec (G_GNUC_UNUSED gpointer data, GError **error)
{
  DIR *directory;
  struct dirent *entry;
  guint n = 0;

  g_assert_true (tractor_sleep_until (tractor_now () + MSEC, error)); /* the timer is there too */
  directory = opendir ("/proc/self/fd");
  while ((entry = readdir (directory)) != NULL) {
    g_autofree char *path = g_build_filename ("/proc/self/fd", entry->d_name, NULL);
    char target[64] = "";

    if (readlinkat (AT_FDCWD, path, target, sizeof target - 1) < 0 ||
        strncmp (target, "anon_inode:[", 12) != 0)
      continue;
    n++;
    g_assert_cmpint (fcntl (atoi (entry->d_name), F_GETFD) & FD_CLOEXEC, !=, 0);
  }
  closedir (directory);
  g_assert_cmpuint (n, >=, 2);
  return TRUE;
}

/* What a task sets and sets back is its own business. Who waits with it is told, once, and others do not have it. */
static gboolean
test_locale (G_GNUC_UNUSED gpointer data, GError **error)
{
  locale_t own = newlocale (LC_ALL_MASK, "C", (locale_t) 0);
  locale_t before = uselocale (own);

  uselocale (before);
  g_assert_true (tractor_sleep_until (tractor_now () + MSEC, error));
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "*uselocale()*");
  for (int i = 0; i < 2; i++) {
    uselocale (own);
    g_assert_true (tractor_sleep_until (tractor_now () + MSEC, error));
    g_test_assert_expected_messages ();
    g_assert_true (uselocale ((locale_t) 0) == before);
  }
  freelocale (own);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/guest/run/A2-no-orphans", test_no_orphans);
  harness_add ("/guest/run/A5-A7-calls-at-the-end", test_calls_at_the_end);
  harness_add_task ("/guest/nursery/A8-spawn-runs-nothing", test_spawn_runs_nothing);
  harness_add_task ("/guest/nursery/A12-spawn-from-host", test_spawn_from_host);
  harness_add_task ("/guest/nursery/A17-join-is-not-cancelled", test_join_is_not_cancelled);
  harness_add_task ("/guest/scope/A36-cancel-runs-nobody", test_cancel_runs_nobody);
  harness_add_task ("/guest/scope/A39-depth-costs-nothing", test_depth_costs_nothing);
  harness_add_task ("/guest/scope/A42-reading-fires-deadline", test_reading_fires_deadline);
  harness_add_task ("/guest/scope/A55-shield-over-cancelled", test_shield_over_cancelled);
  harness_add_task ("/guest/run/locale-is-set-back", test_locale);
  harness_add_task ("/guest/scope/A56-timed-shield", test_timed_shield);
  harness_add_task ("/guest/channel/A96-item-has-one-owner", test_item_has_one_owner);
  harness_add ("/hosts/B7-B10-ready-when-new", test_ready_when_new);
  harness_add ("/hosts/B5-B14-spurious-ticks", test_spurious_ticks);
  harness_add ("/hosts/B13-B19-B20-nothing-asked-inside-a-tick", test_nothing_asked_inside_a_tick);
  harness_add ("/hosts/B23-freed-alive", test_freed_alive);
  harness_add ("/hosts/B23-freed-alive-with-failures", test_freed_alive_with_failures);
  harness_add ("/hosts/B33-shutdown-inside-a-tick", test_shutdown_inside_a_tick);
  harness_add_task ("/hosts/B53-descriptors-close-on-exec", test_descriptors_close_on_exec);
  return harness_run ();
}
