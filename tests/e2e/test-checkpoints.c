/* test-checkpoints.c - what every call of actors owes that is documented as a checkpoint: others have their
 * turn in it, also when what it waits for is there already.
 *
 * Turns are counted by a sibling of the task that makes the calls, in the process where it makes them. What
 * the primitives of one process owe is in guest/test-checkpoint.c. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "actors.h"

#include <sys/mman.h>

/* --- counting ------------------------------------------------------------------------------------------ */

static guint n_turns;

static gboolean
count_turns (G_GNUC_UNUSED gpointer data, GError **error)
{
  while (tractor_checkpoint (error))
    n_turns++;
  return FALSE;
}

/* A sibling that counts, as long as the nursery runs. */
static TractorNursery *
start_counting (GError **error)
{
  TractorNursery *nursery = tractor_nursery_open ();

  g_assert_true (tractor_nursery_spawn (nursery, "counter", count_turns, NULL, NULL, error));
  g_assert_true (tractor_checkpoint (error));
  return nursery;
}

static gboolean
stop_counting (TractorNursery *nursery, GError **error)
{
  gboolean ok;

  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "enough");
  ok = tractor_nursery_join (nursery, error);
  tractor_nursery_close (nursery);
  return ok;
}

/* How many turns others had in @n times of @call. */
#define TURNS_IN(n, call)                                                                          \
  ({                                                                                               \
    guint before_ = n_turns;                                                                       \
    for (guint i_ = 0; i_ < (n); i_++)                                                             \
      g_assert_true (call);                                                                        \
    n_turns - before_;                                                                             \
  })

/* --- what the actor serves ------------------------------------------------------------------------------- */

#define N_ITEMS 50

static gboolean has_sent_all;

static gboolean
send_packed (TractorStream *stream, GError **error)
{
  g_autoptr (GBytes) item = g_bytes_new_static ("\x05", 1);

  return tractor_stream_send_packed (stream, item, error);
}

/* The function's side; what is wrong in it ends the actor. */
static gboolean
send_all (TractorContext *context,
          G_GNUC_UNUSED GVariant *kwargs,
          G_GNUC_UNUSED GVariant **ret_result,
          GError **error)
{
  TractorNursery *nursery = start_counting (error);
  TractorStream *stream = NULL;

  g_assert_cmpuint (TURNS_IN (1, tractor_context_started (context, NULL, error)), >=, 1);
  g_assert_cmpuint (TURNS_IN (1, (stream = tractor_context_open_stream (context, error)) != NULL),
                    >=, 1);
  g_assert_cmpuint (
      TURNS_IN (N_ITEMS, tractor_stream_send (stream, g_variant_new_int32 (5), error)), >=,
      N_ITEMS);
  g_assert_cmpuint (TURNS_IN (N_ITEMS, send_packed (stream, error)), >=, N_ITEMS);
  has_sent_all = TRUE;
  return stop_counting (nursery, error);
}

static gboolean
say_whether_all_is_sent (G_GNUC_UNUSED GVariant *kwargs,
                         GVariant **ret_result,
                         G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_boolean (has_sent_all);
  return TRUE;
}

/* Memory that the test shares with the actor. */
typedef struct {
  int n_received;
  int n_sent;
  gboolean is_over;
} Shared;

static Shared *
take_shared (GVariant *kwargs, GError **error)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (kwargs, "memory", NULL);
  int fd = tractor_value_take_fd (value, error);
  Shared *shared;

  g_assert_cmpint (fd, >=, 0);
  shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  g_assert_true (shared != MAP_FAILED);
  close (fd);
  return shared;
}

static void
compute (gint64 usec)
{
  gint64 until = g_get_monotonic_time () + usec;

  while (g_get_monotonic_time () < until)
    ;
}

/* Computes, without a checkpoint of its own, until what it has sent has been received. */
static gboolean
send_and_compute (TractorStream *stream, GVariant *kwargs, GError **error)
{
  Shared *shared = take_shared (kwargs, error);
  gint64 give_up_at = g_get_monotonic_time () + 5 * SECOND * harness_get_patience ();
  gboolean ok = TRUE;

  for (guint i = 0; ok && i < 20; i++) {
    for (guint j = 0; ok && j <= i % 4; j++, shared->n_sent++)
      ok = tractor_stream_send (stream, g_variant_new_uint32 (i), error);
    compute (100);
    while (g_atomic_int_get (&shared->n_received) < shared->n_sent && !shared->is_over)
      shared->is_over = g_get_monotonic_time () > give_up_at;
  }
  munmap (shared, sizeof *shared);
  return ok;
}

/* Computes, and passes no checkpoint but those of sending. */
static gboolean
compute_and_send (TractorStream *stream, GVariant *kwargs, GError **error)
{
  Shared *shared = take_shared (kwargs, error);
  gboolean ok = TRUE;

  for (guint i = 0; ok && i < 2000; i++) {
    compute (2000);
    ok = tractor_stream_send (stream, g_variant_new_uint32 (i), error);
    shared->n_sent++;
  }
  shared->is_over = TRUE;
  munmap (shared, sizeof *shared);
  return ok;
}

static const TractorExport exports[] = {
  { "send_all", TRACTOR_EXPORT_CONTEXT, .context = send_all },
  { "say_whether_all_is_sent", TRACTOR_EXPORT_CALL, say_whether_all_is_sent },
  { "send_and_compute", TRACTOR_EXPORT_STREAM, .stream = send_and_compute },
  { "compute_and_send", TRACTOR_EXPORT_STREAM, .stream = compute_and_send },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- every call ------------------------------------------------------------------------------------------- */

static gboolean
is_all_sent (TractorPortal *portal, GError **error)
{
  g_autoptr (GVariant) answer = NULL;

  g_assert_true (
      tractor_portal_call (portal, "test:say_whether_all_is_sent", NULL, &answer, error));
  return g_variant_get_boolean (answer);
}

static gboolean
receive (TractorStream *stream, GError **error)
{
  g_autoptr (GVariant) item = NULL;

  return tractor_stream_receive (stream, &item, error);
}

static gboolean
receive_packed (TractorStream *stream, GError **error)
{
  g_autoptr (GBytes) item = NULL;

  return tractor_stream_receive_packed (stream, &item, error);
}

static gboolean
test_of_dialogs (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  TractorNursery *nursery = start_counting (error);
  g_autoptr (TractorContext) context =
      tractor_portal_open_context (peer.portal, "test:send_all", NULL, NULL, NULL, error);
  TractorStream *stream = NULL;

  while (!is_all_sent (peer.portal, error))
    ; /* and what comes over the same connection is here before the answer */
  g_assert_cmpuint (TURNS_IN (1, (stream = tractor_context_open_stream (context, error)) != NULL),
                    >=, 1);
  g_assert_cmpuint (TURNS_IN (N_ITEMS, receive (stream, error)), >=, N_ITEMS);
  g_assert_cmpuint (TURNS_IN (N_ITEMS, receive_packed (stream, error)), >=, N_ITEMS);

  g_assert_true (tractor_context_wait_result (context, NULL, error));
  g_assert_cmpuint (TURNS_IN (N_ITEMS, tractor_context_wait_result (context, NULL, error)), >=,
                    N_ITEMS);
  g_assert_cmpuint (TURNS_IN (1, tractor_context_join (context, NULL, error)), >=, 1);
  g_clear_pointer (&context, tractor_context_close);
  return stop_counting (nursery, error) && end_peer (&peer, error);
}

/* A stream that is at its end is received from as any other. */
static gboolean
test_of_an_ended_stream (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  TractorNursery *nursery = start_counting (error);
  g_autoptr (TractorContext) context =
      tractor_portal_open_context (peer.portal, "test:send_all", NULL, NULL, NULL, error);
  TractorStream *stream = tractor_context_open_stream (context, error);

  while (receive (stream, error))
    ;
  g_assert_no_error (*error);
  g_assert_cmpuint (TURNS_IN (N_ITEMS, !receive (stream, error) && *error == NULL), >=, N_ITEMS);
  g_clear_pointer (&context, tractor_context_close);
  return stop_counting (nursery, error) && end_peer (&peer, error);
}

static gboolean
find (GError **error)
{
  g_autoptr (TractorPortal) portal = tractor_find_actor ("peer", error);

  return portal != NULL;
}

static gboolean
find_all (GError **error)
{
  g_autoptr (GPtrArray) portals = tractor_find_actors ("peer", error);

  return portals != NULL;
}

static gboolean
wait_for (GError **error)
{
  g_autoptr (TractorPortal) portal =
      tractor_wait_for_actor ("peer", tractor_now () + 10 * SECOND, error);

  return portal != NULL;
}

static gboolean
list (GError **error)
{
  g_autoptr (GPtrArray) actors = tractor_list_actors (NULL, error);

  return actors != NULL;
}

static gboolean
start_another (TractorActorNursery *nursery, GError **error)
{
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (
      nursery, "another", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);

  return portal != NULL;
}

static gboolean
test_of_actors (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  TractorNursery *nursery = start_counting (error);
  guint n_restarts = 0;

  g_assert_cmpuint (TURNS_IN (3, list (error)), >=, 3);
  g_assert_cmpuint (TURNS_IN (3, find (error)), >=, 3);
  g_assert_cmpuint (TURNS_IN (3, find_all (error)), >=, 3);
  g_assert_cmpuint (TURNS_IN (3, wait_for (error)), >=, 3);
  g_assert_cmpuint (TURNS_IN (3, is_all_sent (peer.portal, error) || *error == NULL), >=, 3);
  g_assert_cmpuint (TURNS_IN (1, start_another (peer.nursery, error)), >=, 1);
  g_assert_cmpuint (
      TURNS_IN (1, tractor_portal_cancel_actor (peer.child, TRACTOR_NO_DEADLINE, error)), >=, 1);
  g_assert_cmpuint (
      TURNS_IN (3, tractor_portal_cancel_actor (peer.child, TRACTOR_NO_DEADLINE, error)), >=, 3);
  g_assert_cmpuint (TURNS_IN (3, tractor_portal_wait_until_gone (peer.child, error)), >=, 3);
  g_assert_cmpuint (
      TURNS_IN (1, !tractor_portal_wait_until_restarted (peer.child, &n_restarts, error)), >=, 1);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  return stop_counting (nursery, error) && end_peer (&peer, error);
}

static gboolean
test_of_nurseries (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  TractorNursery *nursery = start_counting (error);
  g_autoptr (TractorActorNursery) empty = tractor_actor_nursery_open (error);

  g_assert_cmpuint (TURNS_IN (1, tractor_actor_nursery_join (empty, error)), >=, 1);
  g_clear_pointer (&empty, tractor_actor_nursery_close);
  return stop_counting (nursery, error) && end_peer (&peer, error);
}

/* --- what follows from it -------------------------------------------------------------------------------- */

static Shared *
share (int *ret_fd)
{
  Shared *shared;

  *ret_fd = memfd_create ("shared", MFD_CLOEXEC);
  g_assert_cmpint (ftruncate (*ret_fd, sizeof *shared), ==, 0);
  shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd, 0);
  g_assert_true (shared != MAP_FAILED);
  return shared;
}

static TractorStream *
open_stream_with (Peer *peer, const char *function, int fd, GError **error)
{
  TractorStream *stream = tractor_portal_open_stream (
      peer->portal, function, g_variant_new_parsed ("{'memory': <%@*>}", tractor_value_new_fd (fd)),
      NULL, error);

  g_assert_no_error (*error);
  close (fd);
  return stream;
}

/* One to four at a time: each is there while the function still computes. */
static gboolean
test_progress_is_seen (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  int fd;
  Shared *shared = share (&fd);
  g_autoptr (TractorStream) stream = open_stream_with (&peer, "test:send_and_compute", fd, error);

  while (receive (stream, error))
    g_atomic_int_inc (&shared->n_received);
  g_assert_no_error (*error);
  g_assert_false (shared->is_over);
  g_assert_cmpint (shared->n_received, ==, 50);
  munmap (shared, sizeof *shared);
  g_clear_pointer (&stream, tractor_stream_close);
  return end_peer (&peer, error);
}

/* Of a function that computes for four seconds. */
static gboolean
test_cancel_is_seen (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  int fd;
  Shared *shared = share (&fd);
  g_autoptr (TractorStream) stream = open_stream_with (&peer, "test:compute_and_send", fd, error);

  g_assert_true (receive (stream, error));
  g_clear_pointer (&stream, tractor_stream_close); /* waits for its end, for half a second */
  while (!g_atomic_int_get (&shared->is_over))
    g_assert_true (tractor_checkpoint (error));
  g_assert_cmpint (shared->n_sent, <, 1000);
  munmap (shared, sizeof *shared);
  return end_peer (&peer, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  harness_add_real_task ("/e2e/checkpoint/unix/A66-dialogs", test_of_dialogs);
  harness_add_real_task ("/e2e/checkpoint/unix/A66-ended-stream", test_of_an_ended_stream);
  harness_add_real_task ("/e2e/checkpoint/unix/A66-actors", test_of_actors);
  harness_add_real_task ("/e2e/checkpoint/unix/A66-nurseries", test_of_nurseries);
  harness_add_real_task ("/e2e/checkpoint/pair/progress-is-seen", test_progress_is_seen);
  harness_add_real_task ("/e2e/checkpoint/pair/cancel-is-seen", test_cancel_is_seen);
  return harness_run ();
}
