/* test-not-given.c - portals, scopes and the like that a caller does not have, and calls outside a task.
 *
 * Whoever does not look at what a start returned goes on with NULL. That is an error where there is one to
 * be had, and the first one stays. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <netinet/in.h>

#include "actors.h"
#include "tractor-debug.h"
#include "tractor-foreign.h"
#include "tractor-glib-objects.h"
#include "tractor-glib-tree.h"
#include "tractor-glib-waits.h"
#include "tractor-glib.h"
#include "tractor-host-link.h"
#include "tractor-uv-await.h"
#include "tractor-uv.h"
#include "tractor-virtual.h"

static const TractorModule modules[] = { { NULL } };

static void
count_free (gpointer data)
{
  ++*(guint *) data;
}

static gboolean
never_run (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_assert_not_reached ();
}

static gboolean
never_start (G_GNUC_UNUSED TractorTaskStatus *status,
             G_GNUC_UNUSED gpointer data,
             G_GNUC_UNUSED GError **error)
{
  g_assert_not_reached ();
}

static void
expect_misuse (gboolean ok, GError **error)
{
  g_assert_false (ok);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

/* --- NULL ------------------------------------------------------------------------------------------- */

/* tests/lint/check-not-given.py sees to it that every function which can set an error is called here. */

#define EXPECT_NOT_GIVEN(what, call)                                                               \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autoptr (GError) failure = NULL;                                                             \
    GError **error = &failure;                                                                     \
                                                                                                   \
    g_assert_false (call);                                                                         \
    g_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);                                 \
    g_assert_cmpstr (failure->message, ==, "There is no " what ": NULL was given");                \
  }                                                                                                \
  G_STMT_END

static TractorTaskFunc no_func;

static gboolean
never_share (G_GNUC_UNUSED TractorResource *resource,
             G_GNUC_UNUSED gpointer data,
             G_GNUC_UNUSED GError **error)
{
  g_assert_not_reached ();
}

static void
use_no_nursery (void)
{
  guint n_freed = 0;

  EXPECT_NOT_GIVEN ("nursery",
                    tractor_nursery_spawn (NULL, "x", never_run, &n_freed, count_free, error));
  EXPECT_NOT_GIVEN ("nursery", tractor_nursery_spawn_with_stack (NULL, "x", 1, never_run, &n_freed,
                                                                 count_free, error));
  EXPECT_NOT_GIVEN (
      "nursery", tractor_nursery_start (NULL, "x", never_start, &n_freed, count_free, NULL, error));
  g_assert_cmpuint (n_freed, ==, 3);
  EXPECT_NOT_GIVEN ("nursery", tractor_nursery_start_process (
                                   NULL, (const char *const[]){ "true", NULL }, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("nursery", tractor_nursery_join (NULL, error));
  EXPECT_NOT_GIVEN ("cancel scope", tractor_cancel_scope_absorb (NULL, error));
  EXPECT_NOT_GIVEN ("cancel scope", tractor_cancel_scope_absorb_or_fail (NULL, error));
  EXPECT_NOT_GIVEN ("cancel scope", tractor_cancel_scope_close_inside (NULL, error));
  EXPECT_NOT_GIVEN ("cancel scope", tractor_cancel_scope_take_failures (NULL, error));
  EXPECT_NOT_GIVEN ("watch", tractor_fd_watch_wait (NULL, G_IO_IN, error));
}

/* Nor of what is to be run. */
static gboolean
run_nothing (G_GNUC_UNUSED gpointer data, GError **outer)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCache) cache = tractor_cache_new (nursery);
  guint n_freed = 0;

  EXPECT_NOT_GIVEN ("function",
                    tractor_nursery_spawn (nursery, "x", NULL, &n_freed, count_free, error));
  EXPECT_NOT_GIVEN ("function", tractor_nursery_spawn_with_stack (nursery, "x", 1, NULL, &n_freed,
                                                                  count_free, error));
  EXPECT_NOT_GIVEN ("function",
                    tractor_nursery_start (nursery, "x", NULL, &n_freed, count_free, NULL, error));
  EXPECT_NOT_GIVEN (
      "function", tractor_to_thread (NULL, &n_freed, count_free, TRACTOR_THREAD_WAIT, NULL, error));
  EXPECT_NOT_GIVEN ("function",
                    tractor_cache_acquire (cache, "x", NULL, &n_freed, count_free, error));
  EXPECT_NOT_GIVEN ("key",
                    tractor_cache_acquire (cache, NULL, never_share, &n_freed, count_free, error));
  EXPECT_NOT_GIVEN ("cache",
                    tractor_cache_acquire (NULL, "x", never_share, &n_freed, count_free, error));
  g_assert_cmpuint (n_freed, ==, 7);
  EXPECT_NOT_GIVEN ("function", tractor_from_thread (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("function", tractor_run_in_host (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("function", tractor_watch_tree (NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("function", tractor_actor_at_exit (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("function", tractor_run_in_actor ("x", NULL, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("name", tractor_run_in_actor (NULL, NULL, "m:f", NULL, NULL, error));
  EXPECT_NOT_GIVEN ("failure", tractor_actor_fail (NULL, error));
  EXPECT_NOT_GIVEN ("argv", tractor_run_process (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("argv", tractor_nursery_start_process (nursery, NULL, NULL, NULL, error));
  return tractor_nursery_join (nursery, outer);
}

static void
use_no_portal (void)
{
  TractorContext *context;

  EXPECT_NOT_GIVEN (
      "portal", tractor_portal_call (NULL, "m:f", g_variant_new_parsed ("@a{sv} {}"), NULL, error));
  EXPECT_NOT_GIVEN ("portal", tractor_portal_call_packed (NULL, "m:f", NULL, NULL, error));
  EXPECT_NOT_GIVEN ("portal", tractor_portal_open_context (NULL, "m:f", NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("portal", tractor_portal_open_stream (NULL, "m:f", NULL, NULL, error));
  EXPECT_NOT_GIVEN ("portal", tractor_open_contexts (&(TractorContextRequest){ NULL, "m:f" }, 1,
                                                     &context, NULL, error));
  EXPECT_NOT_GIVEN ("list of requests", tractor_open_contexts (NULL, 1, &context, NULL, error));
  EXPECT_NOT_GIVEN ("portal", tractor_portal_cancel_actor (NULL, TRACTOR_NO_DEADLINE, error));
  EXPECT_NOT_GIVEN ("portal", tractor_portal_wait_until_gone (NULL, error));
  EXPECT_NOT_GIVEN ("portal", tractor_portal_wait_until_restarted (NULL, &(guint){ 0 }, error));
  EXPECT_NOT_GIVEN ("portal",
                    tractor_subscription_open (NULL, "m:f", (const char *const[]){ NULL }, error));
  EXPECT_NOT_GIVEN ("name", tractor_find_actor (NULL, error));
  EXPECT_NOT_GIVEN ("name", tractor_find_actors (NULL, error));
  EXPECT_NOT_GIVEN ("name", tractor_wait_for_actor (NULL, TRACTOR_NO_DEADLINE, error));
  EXPECT_NOT_GIVEN ("address", tractor_connect (NULL, error));
  EXPECT_NOT_GIVEN ("path", tractor_socket_remove_dead (NULL, error));
}

/* There is a portal, and nothing to say to it. */
static void
ask_nothing (TractorPortal *portal)
{
  TractorContext *context;

  EXPECT_NOT_GIVEN ("function", tractor_portal_call (portal, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("function", tractor_portal_call_packed (portal, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("function",
                    tractor_portal_open_context (portal, NULL, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("function", tractor_portal_open_stream (portal, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("function", tractor_open_contexts (&(TractorContextRequest){ portal, NULL }, 1,
                                                       &context, NULL, error));
  EXPECT_NOT_GIVEN (
      "place for the contexts",
      tractor_open_contexts (&(TractorContextRequest){ portal, "m:f" }, 1, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("count of restarts", tractor_portal_wait_until_restarted (portal, NULL, error));
  EXPECT_NOT_GIVEN ("function",
                    tractor_subscription_open (portal, NULL, (const char *const[]){ NULL }, error));
  EXPECT_NOT_GIVEN ("list of topics", tractor_subscription_open (portal, "m:f", NULL, error));
}

static void
use_no_ring (void)
{
  gconstpointer data;
  gsize length;
  GBytes *bytes;

  EXPECT_NOT_GIVEN ("ring", tractor_ring_get_value (NULL, error));
  EXPECT_NOT_GIVEN ("ring", tractor_ring_open_writer (NULL, error));
  EXPECT_NOT_GIVEN ("ring", tractor_ring_open_reader (NULL, error));
  EXPECT_NOT_GIVEN ("writer", tractor_ring_writer_reserve (NULL, 1, error));
  EXPECT_NOT_GIVEN ("writer", tractor_ring_writer_commit (NULL, 1, error));
  EXPECT_NOT_GIVEN ("writer", tractor_ring_writer_send (NULL, "", 1, error));
  EXPECT_NOT_GIVEN ("reader", tractor_ring_reader_peek (NULL, &data, &length, error));
  EXPECT_NOT_GIVEN ("reader", tractor_ring_reader_receive (NULL, &bytes, error));
  tractor_ring_writer_close (NULL);
  tractor_ring_reader_close (NULL);
  tractor_ring_free (NULL);
  tractor_shm_unref (NULL);
}

static void
use_no_context (void)
{
  TractorPublisher *publisher = tractor_publisher_open (1, NULL, NULL, NULL);
  GVariant *item;
  GBytes *bytes;
  gpointer pointer;
  char *topic;
  char **topics = NULL;

  EXPECT_NOT_GIVEN ("context", tractor_context_started (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("context", tractor_context_wait_result (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("context", tractor_context_join (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("context", tractor_context_open_stream (NULL, error));
  EXPECT_NOT_GIVEN ("stream", tractor_stream_send (NULL, g_variant_new_int32 (1), error));
  EXPECT_NOT_GIVEN ("stream", tractor_stream_send_packed (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("stream", tractor_stream_receive (NULL, &item, error));
  EXPECT_NOT_GIVEN ("stream", tractor_stream_receive_nowait (NULL, &item, error));
  EXPECT_NOT_GIVEN ("stream", tractor_stream_send_nowait (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("stream", tractor_stream_receive_packed (NULL, &bytes, error));
  EXPECT_NOT_GIVEN ("stream", tractor_stream_share (NULL, NULL, 1, error));
  EXPECT_NOT_GIVEN ("stream", tractor_stream_subscribe (NULL, error));
  EXPECT_NOT_GIVEN ("subscriber", tractor_subscriber_receive (NULL, &pointer, error));

  EXPECT_NOT_GIVEN ("publisher", tractor_publisher_serve (NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("context", tractor_publisher_serve (publisher, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("publisher", tractor_publisher_wait_topics (NULL, &topics, error));
  EXPECT_NOT_GIVEN ("place for the topics", tractor_publisher_wait_topics (publisher, NULL, error));
  EXPECT_NOT_GIVEN ("subscription", tractor_subscription_receive (NULL, &topic, &item, error));
  EXPECT_NOT_GIVEN ("subscription", tractor_subscription_set_topics (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("subscription", tractor_subscription_join (NULL, error));
  EXPECT_NOT_GIVEN ("content", tractor_value_new_ext (1, NULL, error));
  EXPECT_NOT_GIVEN ("value", tractor_value_hold_fds (NULL, error));
  tractor_publisher_close (publisher);
}

static void
use_no_primitive (void)
{
  g_autoptr (TractorReceiver) receiver = NULL;
  g_autoptr (TractorSender) sender = NULL;
  gpointer item;
  int signal_number;

  tractor_channel_open (1, NULL, &sender, &receiver);
  EXPECT_NOT_GIVEN ("sender", tractor_sender_send (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("sender", tractor_sender_send_nowait (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("receiver", tractor_receiver_receive (NULL, &item, error));
  EXPECT_NOT_GIVEN ("receiver", tractor_receiver_receive_nowait (NULL, &item, error));
  EXPECT_NOT_GIVEN ("place for the item", tractor_receiver_receive (receiver, NULL, error));
  EXPECT_NOT_GIVEN ("place for the item", tractor_receiver_receive_nowait (receiver, NULL, error));
  EXPECT_NOT_GIVEN ("event", tractor_event_wait (NULL, error));
  EXPECT_NOT_GIVEN ("lock", tractor_lock_acquire (NULL, error));
  EXPECT_NOT_GIVEN ("lock", tractor_lock_acquire_nowait (NULL, error));
  EXPECT_NOT_GIVEN ("condition", tractor_condition_wait (NULL, error));
  EXPECT_NOT_GIVEN ("semaphore", tractor_semaphore_acquire (NULL, error));
  EXPECT_NOT_GIVEN ("semaphore", tractor_semaphore_acquire_nowait (NULL, error));
  EXPECT_NOT_GIVEN ("semaphore", tractor_semaphore_release (NULL, error));
  EXPECT_NOT_GIVEN ("limiter", tractor_limiter_acquire (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("limiter", tractor_limiter_acquire_nowait (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("limiter", tractor_limiter_release (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("lot", tractor_parking_lot_park (NULL, error));
  EXPECT_NOT_GIVEN ("waker", tractor_waker_wait (NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("resource", tractor_resource_share (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("lease", tractor_lease_release (NULL, error));
  EXPECT_NOT_GIVEN ("list of signals", tractor_signal_receiver_open (NULL, 1, error));
  EXPECT_NOT_GIVEN ("signal receiver",
                    tractor_signal_receiver_receive (NULL, &signal_number, error));
}

static void
use_no_host (void)
{
  static const TractorHostOps ops = { .version = TRACTOR_HOST_VERSION };
  gpointer item;

  EXPECT_NOT_GIVEN ("host", tractor_guest_new (NULL, NULL, never_run, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("main function",
                    tractor_guest_new (&ops, NULL, no_func, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("done function",
                    tractor_guest_new (&ops, NULL, never_run, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("guest", tractor_guest_shutdown (NULL, 0, error));
  EXPECT_NOT_GIVEN ("guest", tractor_guest_remove_instrument (NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("foreign source", tractor_dispatch_foreign (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("host's side",
                    tractor_host_link_open (NULL, NULL, 1, TRACTOR_HOST_LINK_DEFAULT, NULL, error));
  EXPECT_NOT_GIVEN ("link", tractor_host_link_receive (NULL, &item, error));
  EXPECT_NOT_GIVEN ("link", tractor_host_link_send (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("link", tractor_host_link_wait (NULL, &item, error));
  EXPECT_NOT_GIVEN ("link", tractor_host_link_leave (NULL, error));
  EXPECT_NOT_GIVEN ("end", tractor_host_end_send (NULL, NULL, error));
}

/* None of these gets as far as a run of its own. */
static void
test_null_main (void)
{
  EXPECT_NOT_GIVEN ("main function", tractor_run (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("main function", tractor_glib_run (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("main function", tractor_uv_run (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("main function", tractor_virtual_run (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("main function", tractor_virtual_new (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("main function", tractor_glib_attach (NULL, no_func, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("done function",
                    tractor_glib_attach (NULL, never_run, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("application",
                    tractor_glib_attach_to_application (NULL, never_run, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("loop", tractor_uv_attach (NULL, never_run, NULL, NULL, NULL, error));
}

static gboolean
test_null (G_GNUC_UNUSED gpointer data, GError **outer)
{
  GPtrArray *results;

  use_no_nursery ();
  use_no_portal ();
  use_no_context ();
  use_no_ring ();
  use_no_primitive ();
  use_no_host ();
  EXPECT_NOT_GIVEN ("actor nursery", tractor_actor_nursery_start (NULL, "x", NULL, error));
  EXPECT_NOT_GIVEN ("actor nursery", tractor_actor_nursery_prepare (NULL, 1, NULL, error));
  EXPECT_NOT_GIVEN ("actor nursery", tractor_actor_nursery_join (NULL, error));
  EXPECT_NOT_GIVEN ("cluster", tractor_cluster_call (NULL, "m:f", NULL, NULL, error));
  EXPECT_NOT_GIVEN (
      "cluster",
      tractor_cluster_map (NULL, "m:f", g_variant_new_parsed ("@aa{sv} []"), &results, error));
  EXPECT_NOT_GIVEN ("cluster", tractor_cluster_join (NULL, error));
  return run_nothing (NULL, outer);
}

static gboolean
test_null_to_an_actor (G_GNUC_UNUSED gpointer data, GError **outer)
{
  const TractorSpawnOptions options = { .host = harness_get_host ()->name };
  g_autoptr (TractorCluster) cluster = tractor_cluster_open (1, NULL, &options, outer);

  g_assert_nonnull (cluster);
  ask_nothing (tractor_cluster_get_portal (cluster, 0));
  EXPECT_NOT_GIVEN ("function", tractor_cluster_call (cluster, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("list of arguments", tractor_cluster_map (cluster, "m:f", NULL, NULL, error));
  return tractor_cluster_join (cluster, outer);
}

/* --- NULL for what only one loop has ----------------------------------------------------------------- */

static void
finish_nothing (void)
{
  GVariant *item;

  EXPECT_NOT_GIVEN ("object", tractor_glib_runtime_spawn_finish (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("object", tractor_glib_runtime_launch_finish (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("object", tractor_glib_runtime_find_finish (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("runtime", tractor_glib_runtime_close_finish (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("object", tractor_glib_actor_call_finish (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("object", tractor_glib_actor_open_context_finish (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("object", tractor_glib_actor_open_stream_finish (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("object", tractor_glib_actor_cancel_finish (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("object", tractor_glib_context_open_stream_finish (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("object", tractor_glib_context_wait_finish (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("object", tractor_glib_stream_send_finish (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("object", tractor_glib_stream_receive_finish (NULL, NULL, &item, error));
  EXPECT_NOT_GIVEN ("node", tractor_glib_node_watch (NULL, error));
  EXPECT_NOT_GIVEN ("result", tractor_glib_call_finish (NULL, error));
}

static gboolean
test_null_glib (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **outer)
{
  g_autoptr (GFile) file = g_file_new_for_path ("/dev/null");
  g_autoptr (GObject) object = g_object_new (G_TYPE_OBJECT, NULL);
  char *contents;

  EXPECT_NOT_GIVEN ("stream", tractor_glib_read_bytes (NULL, 1, error));
  EXPECT_NOT_GIVEN ("stream", tractor_glib_write_all (NULL, "", 1, NULL, error));
  EXPECT_NOT_GIVEN ("file", tractor_glib_load_contents (NULL, &contents, NULL, error));
  EXPECT_NOT_GIVEN ("place for the contents", tractor_glib_load_contents (file, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("file", tractor_glib_replace_contents (NULL, "", 1, 0, error));
  EXPECT_NOT_GIVEN ("subprocess", tractor_glib_subprocess_wait (NULL, error));
  EXPECT_NOT_GIVEN ("subprocess",
                    tractor_glib_subprocess_communicate (NULL, NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("connection",
                    tractor_glib_dbus_call (NULL, "x.y", "/", "x.y", "m", NULL, NULL, error));
  EXPECT_NOT_GIVEN ("object", tractor_glib_wait_signal (NULL, "notify", NULL, error));
  EXPECT_NOT_GIVEN ("signal", tractor_glib_wait_signal (object, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("function", tractor_glib_await (NULL, NULL, error));
  finish_nothing ();
  return TRUE;
}

static gboolean
test_null_uv (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **outer)
{
  const struct sockaddr_in address = { .sin_family = AF_INET };
  char bytes[1];
  gsize length;
  uv_fs_t request;
  uv_stream_t stream;

  EXPECT_NOT_GIVEN ("function", tractor_uv_fs (NULL, NULL, &request, error));
  EXPECT_NOT_GIVEN ("place for the addresses",
                    tractor_uv_getaddrinfo ("localhost", NULL, NULL, NULL, error));
  EXPECT_NOT_GIVEN ("function", tractor_uv_work (NULL, NULL, error));
  EXPECT_NOT_GIVEN ("stream", tractor_uv_read (NULL, bytes, 1, &length, error));
  EXPECT_NOT_GIVEN ("room for bytes", tractor_uv_read (&stream, NULL, 1, &length, error));
  EXPECT_NOT_GIVEN ("stream", tractor_uv_write (NULL, "", 1, error));
  EXPECT_NOT_GIVEN ("bytes", tractor_uv_write (&stream, NULL, 1, error));
  EXPECT_NOT_GIVEN ("server", tractor_uv_listen (NULL, 1, error));
  EXPECT_NOT_GIVEN ("server", tractor_uv_accept (NULL, &stream, error));
  EXPECT_NOT_GIVEN ("client", tractor_uv_accept (&stream, NULL, error));
  EXPECT_NOT_GIVEN ("udp", tractor_uv_receive (NULL, bytes, 1, &length, NULL, error));
  EXPECT_NOT_GIVEN ("udp", tractor_uv_send (NULL, "", 1, NULL, error));
  EXPECT_NOT_GIVEN ("tcp", tractor_uv_connect (NULL, (const struct sockaddr *) &address, error));
  return TRUE;
}

/* --- NULL, and somebody who waits for an answer -------------------------------------------------------- */

typedef struct {
  guint n_freed;
  guint n_done;
} Unanswered;

static void
note_misuse (const GError *error, gpointer data)
{
  Unanswered *waiting = data;

  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  waiting->n_done++;
}

static void
spawn_nowhere (gpointer data)
{
  Unanswered *waiting = data;

  tractor_spawn_from_host (NULL, "x", never_run, &waiting->n_freed, count_free, note_misuse,
                           waiting);
}

static gboolean
test_spawn_nowhere (G_GNUC_UNUSED gpointer data, GError **error)
{
  Unanswered waiting = { 0 };

  g_assert_true (tractor_run_in_host (spawn_nowhere, &waiting, error));
  g_assert_cmpuint (waiting.n_freed, ==, 1);
  g_assert_cmpuint (waiting.n_done, ==, 1);
  return TRUE;
}

typedef struct {
  guint n_freed;
  TractorEvent *done;
} UnansweredCall;

static gpointer
never_called (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_assert_not_reached ();
}

static void
note_call_misuse (G_GNUC_UNUSED GObject *source, GAsyncResult *result, gpointer data)
{
  UnansweredCall *call = data;

  EXPECT_NOT_GIVEN ("nursery", tractor_glib_call_finish (result, error));
  g_assert_false (tractor_event_is_set (call->done));
  tractor_event_set (call->done);
}

static gboolean
test_call_nowhere (G_GNUC_UNUSED gpointer data, GError **error)
{
  UnansweredCall call = { 0, tractor_event_new () };
  gboolean ok;

  tractor_glib_call_async (NULL, never_called, &call.n_freed, count_free, NULL, NULL,
                           note_call_misuse, &call);
  g_assert_cmpuint (call.n_freed, ==, 1);
  ok = tractor_event_wait (call.done, error);
  tractor_event_free (call.done);
  return ok;
}

/* As in a program that does not look. */
static gboolean
go_on_regardless (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal =
      tractor_actor_nursery_start (nursery, "a/bad/name", NULL, error);
  g_autoptr (TractorContext) context =
      tractor_portal_open_context (portal, "m:f", NULL, NULL, NULL, error);
  g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);

  tractor_stream_send (stream, NULL, error);
  return tractor_context_join (context, NULL, error);
}

static gboolean
test_first_error_stays (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GError) failure = NULL;

  tractor_nursery_spawn (nursery, "careless", go_on_regardless, NULL, NULL, &failure);
  g_assert_false (tractor_nursery_join (nursery, &failure));
  g_assert_nonnull (strstr (failure->message, "name"));
  g_assert_null (strstr (failure->message, "NULL was given"));
  return TRUE;
}

static gboolean
test_without_an_error (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "There is no portal*");
  g_assert_false (tractor_portal_wait_until_gone (NULL, NULL));
  g_test_assert_expected_messages ();
  return TRUE;
}

/* --- outside a task ---------------------------------------------------------------------------------- */

static TractorPortal *kept; /* (nullable) */

/* On the host's stack. */
static void
use_all_outside (G_GNUC_UNUSED gpointer data)
{
  GError *error = NULL;

  expect_misuse (tractor_actor_nursery_open (&error) != NULL, &error);
  expect_misuse (tractor_runtime_open (NULL, &error) != NULL, &error);
  expect_misuse (tractor_portal_call (kept, "m:f", NULL, NULL, &error), &error);
  expect_misuse (tractor_portal_open_context (kept, "m:f", NULL, NULL, NULL, &error) != NULL,
                 &error);
  expect_misuse (tractor_portal_open_stream (kept, "m:f", NULL, NULL, &error) != NULL, &error);
  expect_misuse (tractor_portal_cancel_actor (kept, TRACTOR_NO_DEADLINE, &error), &error);
  expect_misuse (tractor_portal_wait_until_gone (kept, &error), &error);
  expect_misuse (tractor_find_actor ("x", &error) != NULL, &error);
  expect_misuse (tractor_wait_for_actor ("x", TRACTOR_NO_DEADLINE, &error) != NULL, &error);
  expect_misuse (tractor_run_in_actor ("x", NULL, "m:f", NULL, NULL, &error), &error);
  expect_misuse (tractor_cluster_open (1, NULL, NULL, &error) != NULL, &error);
  expect_misuse (tractor_fd_watch_open (0, &error) != NULL, &error);
  expect_misuse (tractor_run_process ((const char *const[]){ "true", NULL }, NULL, &error), &error);

  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "tractor_cancel_scope_open:*");
  expect_misuse (tractor_cancel_scope_absorb (tractor_cancel_scope_open (0), &error), &error);
  g_test_expect_message ("tractor", G_LOG_LEVEL_CRITICAL, "tractor_nursery_open:*");
  expect_misuse (tractor_nursery_join (tractor_nursery_open (), &error), &error);
  g_test_assert_expected_messages ();
}

static gboolean
test_outside_a_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (
      nursery, "child", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);

  kept = portal;
  g_assert_true (tractor_run_in_host (use_all_outside, NULL, error));
  g_assert_false (tractor_actor_nursery_get_cancel_called (nursery));
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static void
start_worker_of_gio (void)
{
  g_type_ensure (G_TYPE_TASK);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  harness_set_prepare (start_worker_of_gio);
  harness_add_real_task ("/e2e/not-given/null-is-an-error", test_null);
  harness_add_real_task ("/e2e/not-given/null-to-an-actor-is-an-error", test_null_to_an_actor);
  harness_add ("/e2e/not-given/no-main-is-an-error", test_null_main);
  harness_add_glib_task ("/e2e/not-given/null-to-gio-is-an-error", test_null_glib);
  harness_add_uv_task ("/e2e/not-given/null-to-libuv-is-an-error", test_null_uv);
  harness_add_real_task ("/e2e/not-given/spawn-without-a-nursery-is-answered", test_spawn_nowhere);
  harness_add_glib_task ("/e2e/not-given/call-without-a-nursery-is-answered", test_call_nowhere);
  harness_add_real_task ("/e2e/not-given/first-error-stays", test_first_error_stays);
  harness_add_real_task ("/e2e/not-given/without-an-error-it-is-told", test_without_an_error);
  harness_add_real_task ("/e2e/not-given/outside-a-task", test_outside_a_task);
  return harness_run ();
}
