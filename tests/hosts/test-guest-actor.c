/* test-guest-actor.c - actors in a program that has a loop of its own: which goes on, quits, and is
 * interrupted. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <time.h>

#include "../e2e/actors.h"
#include "loops.h"
#include "tractor-host-link.h"

/* The program that is being played; what is called by name finds it here. */
typedef struct {
  const Loop *kind; /* NULL: the built-in host */
  gpointer loop;
  TractorGuest *guest;
  gboolean is_idle; /* as a daemon */
  guint n_done;
  GError *error; /* what the guest ended with */
  guint n_beats;
  gint64 beat_at; /* of this thread's time */
  gint64 longest;
  TractorHostEnd *end;
  gboolean is_over;
  guint n_exits;
} Show;

static Show *show;

static void
later (TractorSoonFunc func, gpointer data)
{
  if (show->kind != NULL)
    show->kind->call_later (show->loop, 1, func, data);
  else
    g_assert_true (tractor_guest_run_soon (show->guest, func, data));
}

static void
on_done (const GError *error, G_GNUC_UNUSED gpointer data)
{
  show->n_done++;
  show->error = error != NULL ? g_error_copy (error) : NULL;
  show->kind->stop (show->loop);
}

static void
begin (const Loop *kind, TractorTaskFunc main)
{
  g_test_message ("on %s", kind->name);
  show->kind = kind;
  show->loop = kind->new ();
  show->guest = kind->attach (show->loop, main, NULL, on_done, NULL, NULL);
  g_assert_nonnull (show->guest);
  harness_set_guest (show->guest);
}

static void
end (void)
{
  g_assert_cmpuint (show->n_done, ==, 1);
  g_clear_error (&show->error);
  show->kind->free (show->loop);
  assert_no_child_process ();
}

static TractorPortal *
start (TractorActorNursery *nursery, GError **error)
{
  gboolean is_runner = show->kind != NULL && g_strcmp0 (show->kind->name, "sd-event") != 0;
  const char *host = is_runner ? show->kind->name : "builtin";
  TractorPortal *portal =
      tractor_actor_nursery_start (nursery, "child", &(TractorSpawnOptions){ .host = host }, error);

  g_assert_no_error (*error);
  return portal;
}

/* --- the loop goes on ------------------------------------------------------------------------------- */

#define N_BEATS 50

static gboolean
count_letters (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  const char *text = "";

  g_variant_lookup (kwargs, "text", "&s", &text);
  *ret_result = g_variant_new_int64 ((gint64) strlen (text));
  return TRUE;
}

static gboolean
ask_child (TractorPortal *portal, GError **error)
{
  g_autoptr (GVariant) result = NULL;

  if (!tractor_portal_call (portal, "test:count_letters",
                            g_variant_new_parsed ("{'text': <'seven..'>}"), &result, error))
    return FALSE;
  g_assert_cmpint (g_variant_get_int64 (result), ==, 7);
  return TRUE;
}

/* Asks an actor as fast as it can, until the loop has had its beats. */
static gboolean
talk (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, error);

  while (show->n_beats < N_BEATS)
    if (!ask_child (portal, error))
      return FALSE;
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

/* On a loaded machine time passes that is not ours. */
static gint64
get_cpu_usec (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

static void
beat (G_GNUC_UNUSED gpointer data)
{
  gint64 now = get_cpu_usec ();

  if (show->n_beats > 0)
    show->longest = MAX (show->longest, now - show->beat_at);
  show->beat_at = now;
  if (++show->n_beats < N_BEATS)
    later (beat, NULL);
}

static gboolean
talk_and_beat (gpointer data, GError **error)
{
  show->guest = tractor_guest_get_current ();
  later (beat, NULL);
  return talk (data, error);
}

/* A beat is late by a few budgets at most, of three milliseconds each. */
static void
test_loop_goes_on (void)
{
  GError *error = NULL;

  for (const Loop *kind = loops; kind->name != NULL; kind++) {
    show = &(Show){ 0 };
    begin (kind, talk_and_beat);
    show->kind->run (show->loop);
    g_assert_no_error (show->error);
    g_test_message ("the longest beat took %" G_GINT64_FORMAT " us", show->longest);
    g_assert_cmpint (show->longest, <, 20 * 1000 * harness_get_slowness ());
    end ();
  }
  show = &(Show){ 0 };
  g_assert_true (tractor_run (talk_and_beat, NULL, &error));
  assert_no_child_process ();
}

/* --- the host quits --------------------------------------------------------------------------------- */

static gboolean
sleep_forever (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static void
quit (G_GNUC_UNUSED gpointer data)
{
  if (show->kind != NULL)
    show->kind->stop (show->loop);
  else
    tractor_guest_cancel (show->guest, "the program quits");
}

static gboolean
wait_in_child (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = start (nursery, error);

  show->guest = tractor_guest_get_current ();
  later (quit, NULL);
  g_assert_false (tractor_portal_call (portal, "test:sleep_forever", NULL, NULL, error));
  return tractor_actor_nursery_join (nursery, error);
}

static void
quit_loop (const Loop *kind)
{
  g_autoptr (GError) error = NULL;

  begin (kind, wait_in_child);
  show->kind->run (show->loop);
  g_assert_cmpuint (show->n_done, ==, 0);
  g_assert_true (
      tractor_guest_shutdown (show->guest, g_get_monotonic_time () + 20 * SECOND, &error));
  g_assert_no_error (error);
  assert_no_child_process (); /* by now, and not some time later */
  if (show->n_done == 0)      /* libuv tells when its handles are closed */
    show->kind->run (show->loop);
  g_assert_error (show->error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  end ();
}

static void
test_host_quits (void)
{
  GError *error = NULL;

  for (const Loop *kind = loops; kind->name != NULL; kind++) {
    show = &(Show){ 0 };
    quit_loop (kind);
  }
  show = &(Show){ 0 };
  g_assert_false (tractor_run (wait_in_child, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  assert_no_child_process ();
}

/* --- it is interrupted ------------------------------------------------------------------------------ */

static void
interrupt (G_GNUC_UNUSED gpointer data)
{
  kill (getpid (), SIGINT);
}

static void
host_starts (G_GNUC_UNUSED gpointer data)
{
  tractor_host_end_started (show->end, NULL);
  later (interrupt, NULL);
}

static void
host_ends (G_GNUC_UNUSED gpointer data)
{
  show->is_over = TRUE;
  tractor_host_end_cancelled (show->end);
}

static void
start_in_host (TractorHostEnd *host_end, G_GNUC_UNUSED gpointer data)
{
  show->end = host_end;
  later (host_starts, NULL);
}

static void
stop_in_host (G_GNUC_UNUSED TractorHostEnd *host_end,
              TractorHostStop reason,
              G_GNUC_UNUSED const GError *error,
              G_GNUC_UNUSED gpointer data)
{
  g_assert_cmpint (reason, ==, TRACTOR_HOST_STOP_TASK_CANCELLED);
  later (host_ends, NULL);
}

/* What the daemon does for others: something that its host does. */
static gboolean
work_in_host (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  static const TractorHostLinkOps ops = { .start = start_in_host, .stop = stop_in_host };
  g_autoptr (TractorHostLink) link =
      tractor_host_link_open (&ops, NULL, 1, TRACTOR_HOST_LINK_DEFAULT, NULL, error);

  if (link == NULL)
    return FALSE;
  tractor_host_link_wait (link, NULL, error);
  return tractor_host_link_leave (link, error);
}

static void
note_exit (G_GNUC_UNUSED gpointer data)
{
  g_assert_true (show->is_over || show->is_idle); /* what it ran for others has ended */
  show->n_exits++;
}

static gboolean
use_daemon (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorPortal) portal = NULL;

  while ((portal = tractor_find_actor ("daemon", error)) == NULL) {
    g_clear_error (error); /* there is no runtime yet */
    if (!tractor_checkpoint (error))
      return FALSE;
  }
  g_assert_true (tractor_actor_at_exit (note_exit, NULL, error));
  if (show->is_idle) {
    later (interrupt, NULL);
    return TRUE;
  }
  g_assert_false (tractor_portal_call (portal, "test:work_in_host", NULL, NULL, error));
  g_clear_error (error);
  return TRUE;
}

static const TractorExport exports[] = {
  { "count_letters", TRACTOR_EXPORT_CALL, count_letters },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "work_in_host", TRACTOR_EXPORT_CALL, work_in_host },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

static gboolean
be_daemon (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  const char *registries[] = { registry, NULL };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int signal_number = 0;

  show->guest = tractor_guest_get_current ();
  tractor_nursery_spawn (nursery, "user", use_daemon, NULL, NULL, error);
  tractor_run_daemon (&(TractorRuntimeOptions){ .name = "daemon",
                                                .registry_addresses = registries,
                                                .modules = modules },
                      &signal_number, error);
  g_assert_no_error (*error);
  g_assert_cmpint (signal_number, ==, SIGINT);
  g_assert_cmpuint (show->n_exits, ==, 1);
  return tractor_nursery_join (nursery, error);
}

static void
interrupt_each (gboolean is_idle)
{
  for (const Loop *kind = loops; kind->name != NULL; kind++) {
    show = &(Show){ .is_idle = is_idle };
    begin (kind, be_daemon);
    show->kind->run (show->loop);
    g_assert_no_error (show->error);
    end ();
  }
  show = &(Show){ .is_idle = is_idle };
  g_assert_true (tractor_run (be_daemon, NULL, NULL));
}

/* Both when it does nothing, and when its host is at work for it. */
static void
test_interrupted (void)
{
  interrupt_each (TRUE);
  interrupt_each (FALSE);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  harness_add ("/hosts/actors/row-15-loop-goes-on", test_loop_goes_on);
  harness_add ("/hosts/actors/row-16-host-quits", test_host_quits);
  harness_add ("/hosts/actors/row-107-interrupted", test_interrupted);
  return harness_run ();
}
