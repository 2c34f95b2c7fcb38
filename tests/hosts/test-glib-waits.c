/* test-glib-waits.c - each ready-made wait: that it returns what GIO has, fails as GIO does, and is
 * cancelled with its task. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gio/gunixinputstream.h>
#include <gio/gunixoutputstream.h>

#include "harness.h"
#include "tractor-builtin.h"
#include "tractor-glib-waits.h"

/* --- GIO's threads, held up ---------------------------------------------------------------------------- */

#define N_POOL_THREADS 10 /* GTask's; more come only later */

static GMutex pool_mutex; /* held by us: they wait for it */
static guint n_held;

static void
be_held (GTask *task,
         G_GNUC_UNUSED gpointer source,
         G_GNUC_UNUSED gpointer data,
         G_GNUC_UNUSED GCancellable *cancellable)
{
  g_mutex_lock (&pool_mutex);
  g_mutex_unlock (&pool_mutex);
  g_task_return_boolean (task, TRUE);
}

/* What is started from now on does not happen before it can be cancelled. */
static void
hold_pool (void)
{
  g_mutex_lock (&pool_mutex);
  for (n_held = 0; n_held < N_POOL_THREADS; n_held++) {
    g_autoptr (GTask) task = g_task_new (NULL, NULL, NULL, NULL);

    g_task_run_in_thread (task, be_held);
  }
}

static void
release_pool (void)
{
  if (n_held > 0)
    g_mutex_unlock (&pool_mutex);
  n_held = 0;
}

/* --- cancelling --------------------------------------------------------------------------------------- */

static gboolean
cancel (gpointer scope, G_GNUC_UNUSED GError **error)
{
  tractor_cancel_scope_cancel (scope, NULL);
  release_pool ();
  return TRUE;
}

/* Runs @wait until it is cancelled, which is as soon as it waits: it fails with CANCELLED, and its scope
 * absorbs that. */
static void
assert_cancelled (TractorTaskFunc wait, gpointer data)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  GError *error = NULL;

  g_assert_true (tractor_nursery_spawn (nursery, "canceller", cancel, scope, NULL, NULL));
  g_assert_false (wait (data, &error));
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_true (tractor_cancel_scope_absorb (scope, &error));
  g_assert_true (tractor_cancel_scope_get_cancelled_caught (scope));
}

static void
assert_refused (TractorTaskFunc wait, gpointer data)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  GError *error = NULL;

  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_false (wait (data, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
}

/* Cancelled when it is under way, it is done all the same. */
static void
assert_carried_through (TractorTaskFunc wait, gpointer data)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  GError *error = NULL;

  hold_pool ();
  g_assert_true (tractor_nursery_spawn (nursery, "canceller", cancel, scope, NULL, NULL));
  g_assert_true (wait (data, &error));
  g_assert_true (tractor_cancel_scope_get_cancel_called (scope));
  g_assert_true (tractor_cancel_scope_absorb (scope, &error));
}

/* --- streams ------------------------------------------------------------------------------------------ */

typedef struct {
  int fds[2];
  GInputStream *input;
  GOutputStream *output;
  gsize n_written;
} Pair;

static void
pair_open (Pair *pair)
{
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair->fds),
                   ==, 0);
  pair->input = g_unix_input_stream_new (pair->fds[0], TRUE);
  pair->output = g_unix_output_stream_new (pair->fds[1], TRUE);
}

static void
pair_clear (Pair *pair)
{
  g_clear_object (&pair->input);
  g_clear_object (&pair->output);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pair, pair_clear)

static gboolean
read_some (gpointer data, GError **error)
{
  g_autoptr (GBytes) bytes = tractor_glib_read_bytes (((Pair *) data)->input, 100, error);

  return bytes != NULL;
}

static gboolean
test_read (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_auto (Pair) pair = { 0 };
  g_autoptr (GBytes) bytes = NULL;
  GError *failure = NULL;

  pair_open (&pair);
  assert_cancelled (read_some, &pair);
  g_assert_true (tractor_glib_write_all (pair.output, "hello", 5, NULL, error));
  bytes = tractor_glib_read_bytes (pair.input, 100, error);
  g_assert_no_error (*error);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "hello", 5);
  g_bytes_unref (bytes);

  shutdown (pair.fds[1], SHUT_WR);
  bytes = tractor_glib_read_bytes (pair.input, 100, error);
  g_assert_no_error (*error);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 0);

  g_assert_true (g_input_stream_close (pair.input, NULL, NULL));
  g_assert_null (tractor_glib_read_bytes (pair.input, 100, &failure));
  harness_assert_error (failure, G_IO_ERROR, G_IO_ERROR_CLOSED);
  return TRUE;
}

#define MANY 10000000

static gboolean
write_much (gpointer data, GError **error)
{
  g_autofree char *zeros = g_malloc0 (MANY);
  Pair *pair = data;

  return tractor_glib_write_all (pair->output, zeros, MANY, &pair->n_written, error);
}

static gboolean
read_much (gpointer data, GError **error)
{
  Pair *pair = data;

  for (gsize n = 0; n < MANY;) {
    g_autoptr (GBytes) bytes = tractor_glib_read_bytes (pair->input, 65536, error);

    if (bytes == NULL)
      return FALSE;
    n += g_bytes_get_size (bytes);
  }
  return TRUE;
}

static gboolean
test_write (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = NULL;
  g_auto (Pair) full = { 0 };
  g_auto (Pair) pair = { 0 };
  GError *failure = NULL;

  pair_open (&full);
  assert_cancelled (write_much, &full);
  g_assert_cmpuint (full.n_written, <, MANY);

  pair_open (&pair);
  nursery = tractor_nursery_open ();
  g_assert_true (tractor_nursery_spawn (nursery, "reader", read_much, &pair, NULL, error));
  g_assert_true (write_much (&pair, error));
  g_assert_cmpuint (pair.n_written, ==, MANY);
  g_assert_true (tractor_nursery_join (nursery, error));

  g_assert_true (g_output_stream_close (pair.output, NULL, NULL));
  g_assert_false (tractor_glib_write_all (pair.output, "x", 1, NULL, &failure));
  harness_assert_error (failure, G_IO_ERROR, G_IO_ERROR_CLOSED);
  return TRUE;
}

static gboolean
read_and_hang_up (gpointer data, GError **error)
{
  return read_some (data, error) && g_input_stream_close (((Pair *) data)->input, NULL, NULL);
}

static void
assert_sigpipe_as_before (void)
{
  struct sigaction action;
  sigset_t blocked;

  sigaction (SIGPIPE, NULL, &action);
  g_assert_true (action.sa_handler == SIG_DFL);
  pthread_sigmask (SIG_BLOCK, NULL, &blocked);
  g_assert_false (sigismember (&blocked, SIGPIPE));
}

/* At once, and after it has waited for room. */
static gboolean
test_write_to_nobody (G_GNUC_UNUSED gpointer data, GError **error)
{
  GError *failure = NULL;

  signal (SIGPIPE, SIG_DFL);
  for (gsize n = 1; n <= MANY; n *= MANY) {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    g_auto (Pair) pair = { 0 };
    g_autofree char *zeros = g_malloc0 (n);

    pair_open (&pair);
    if (n == 1)
      g_input_stream_close (pair.input, NULL, NULL);
    else
      g_assert_true (
          tractor_nursery_spawn (nursery, "hangs up", read_and_hang_up, &pair, NULL, error));
    g_assert_false (tractor_glib_write_all (pair.output, zeros, n, NULL, &failure));
    harness_assert_error (failure, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
    g_assert_true (tractor_nursery_join (nursery, error));
    assert_sigpipe_as_before ();
  }
  return TRUE;
}

/* --- files -------------------------------------------------------------------------------------------- */

static gboolean
load (gpointer file, GError **error)
{
  g_autofree char *contents = NULL;

  return tractor_glib_load_contents (file, &contents, NULL, error);
}

static gboolean
test_load (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "file", NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autofree char *contents = NULL;
  GError *failure = NULL;
  gsize length;

  g_assert_false (load (file, &failure));
  harness_assert_error (failure, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);

  g_assert_true (g_file_set_contents (path, "hello", -1, error));
  g_assert_true (tractor_glib_load_contents (file, &contents, &length, error));
  g_assert_cmpmem (contents, length + 1, "hello", 6);
  hold_pool ();
  assert_cancelled (load, file);
  g_assert_cmpint (unlink (path), ==, 0);
  return TRUE;
}

static gboolean
replace (gpointer file, GError **error)
{
  return tractor_glib_replace_contents (file, "new", 3, G_FILE_CREATE_NONE, error);
}

static gboolean
test_replace (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "file", NULL);
  g_autoptr (GFile) nowhere = g_file_new_for_path ("/no/such/directory/file");
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autofree char *old = NULL;
  g_autofree char *new = NULL;
  GError *failure = NULL;

  g_assert_true (g_file_set_contents (path, "old", -1, error));
  assert_refused (replace, file);
  g_assert_true (g_file_get_contents (path, &old, NULL, error));
  g_assert_cmpstr (old, ==, "old");

  assert_carried_through (replace, file);
  g_assert_true (g_file_get_contents (path, &new, NULL, error));
  g_assert_cmpstr (new, ==, "new");
  g_assert_cmpint (unlink (path), ==, 0);

  g_assert_false (replace (nowhere, &failure));
  harness_assert_error (failure, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  return TRUE;
}

/* --- subprocesses -------------------------------------------------------------------------------------- */

static GSubprocess *
run_cat (GError **error)
{
  GSubprocess *cat = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, error, "cat", NULL);

  g_assert_no_error (*error);
  return cat;
}

static gboolean
wait_for_end (gpointer subprocess, GError **error)
{
  return tractor_glib_subprocess_wait (subprocess, error);
}

static gboolean
test_subprocess_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GSubprocess) cat = run_cat (error);

  assert_cancelled (wait_for_end, cat);
  g_assert_nonnull (g_subprocess_get_identifier (cat)); /* it runs on */
  g_subprocess_force_exit (cat);
  g_assert_true (wait_for_end (cat, error));
  g_assert_true (g_subprocess_get_if_signaled (cat));
  return TRUE;
}

static gboolean
communicate (gpointer subprocess, GError **error)
{
  g_autoptr (GBytes) output = NULL;

  return tractor_glib_subprocess_communicate (subprocess, NULL, &output, NULL, error);
}

static GSubprocess *
run_sleep (GError **error)
{
  GSubprocess *sleeper =
      g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, error, "sleep", "1000", NULL);

  g_assert_no_error (*error);
  return sleeper;
}

static gboolean
end (GSubprocess *subprocess, GError **error)
{
  g_subprocess_force_exit (subprocess);
  return wait_for_end (subprocess, error);
}

static gboolean
test_subprocess_communicate (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GSubprocess) cat = run_cat (error);
  g_autoptr (GSubprocess) sleeper = run_sleep (error);
  g_autoptr (GSubprocess) mute = run_sleep (error);
  g_autoptr (GBytes) input = g_bytes_new_static ("hello", 5);
  g_autoptr (GBytes) output = NULL;
  GError *failure = NULL;

  g_assert_true (tractor_glib_subprocess_communicate (cat, input, &output, NULL, error));
  g_assert_cmpmem (g_bytes_get_data (output, NULL), g_bytes_get_size (output), "hello", 5);
  g_assert_true (g_subprocess_get_successful (cat));

  assert_cancelled (communicate, sleeper);
  g_input_stream_close (g_subprocess_get_stdout_pipe (mute), NULL, NULL);
  g_assert_false (communicate (mute, &failure));
  harness_assert_error (failure, G_IO_ERROR, G_IO_ERROR_CLOSED);
  return end (sleeper, error) && end (mute, error);
}

/* It has what it wants before all is written. */
static gboolean
test_subprocess_reads_less (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GSubprocess) head =
      g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, error,
                        "head", "-c", "2", NULL);
  g_autoptr (GBytes) input = g_bytes_new_take (g_malloc0 (MANY), MANY);
  GError *failure = NULL;

  signal (SIGPIPE, SIG_DFL);
  g_assert_false (tractor_glib_subprocess_communicate (head, input, NULL, NULL, &failure));
  harness_assert_error (failure, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  assert_sigpipe_as_before ();
  return wait_for_end (head, error);
}

/* --- D-Bus -------------------------------------------------------------------------------------------- */

#define BUS_PATH      "/echo"
#define BUS_INTERFACE "org.example.Echo"

static const char introspection[] = "<node><interface name='" BUS_INTERFACE "'>"
                                    "<method name='Echo'><arg type='s' direction='in'/>"
                                    "<arg type='s' direction='out'/></method>"
                                    "<method name='Keep'/></interface></node>";

typedef struct {
  GSocketConnection *stream;
  const char *guid; /* (nullable) of a server */
  GDBusConnection *connection;
  GDBusMethodInvocation *kept;
  TractorEvent *keeps;
} BusEnd;

/* Not to be answered for now. */
static void
keep (BusEnd *server, GDBusMethodInvocation *invocation)
{
  server->kept = invocation;
  tractor_event_set (server->keeps);
}

static void
on_method (G_GNUC_UNUSED GDBusConnection *connection,
           G_GNUC_UNUSED const char *sender,
           G_GNUC_UNUSED const char *path,
           G_GNUC_UNUSED const char *interface,
           const char *method,
           GVariant *parameters,
           GDBusMethodInvocation *invocation,
           gpointer data)
{
  if (g_str_equal (method, "Echo"))
    g_dbus_method_invocation_return_value (invocation, parameters);
  else
    keep (data, invocation);
}

static void
start_bus_end (GCancellable *cancellable,
               GAsyncReadyCallback callback,
               gpointer callback_data,
               gpointer data)
{
  BusEnd *end = data;

  g_dbus_connection_new (G_IO_STREAM (end->stream), end->guid,
                         end->guid != NULL ? G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER
                                           : G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT,
                         NULL, cancellable, callback, callback_data);
}

static gboolean
bus_end_open (gpointer data, GError **error)
{
  BusEnd *end = data;
  g_autoptr (GAsyncResult) result = tractor_glib_await (start_bus_end, end, error);

  if (result != NULL)
    end->connection = g_dbus_connection_new_finish (result, error);
  return tractor_glib_await_finish (end->connection != NULL, error);
}

static void
start_bus_close (GCancellable *cancellable,
                 GAsyncReadyCallback callback,
                 gpointer callback_data,
                 gpointer connection)
{
  g_dbus_connection_close (connection, cancellable, callback, callback_data);
}

static void
bus_end_close (BusEnd *end)
{
  g_autoptr (GAsyncResult) result = tractor_glib_await (start_bus_close, end->connection, NULL);

  g_dbus_connection_close_finish (end->connection, result, NULL);
  g_clear_object (&end->connection);
  g_clear_object (&end->stream);
}

static GSocketConnection *
wrap_socket (int fd)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, NULL);

  return g_socket_connection_factory_create_connection (socket);
}

static gboolean
call_keep (gpointer connection, GError **error)
{
  g_autoptr (GVariant) reply =
      tractor_glib_dbus_call (connection, NULL, BUS_PATH, BUS_INTERFACE, "Keep", NULL, NULL, error);

  return reply != NULL;
}

static void
check_bus_calls (GDBusConnection *client, BusEnd *server, GError **error)
{
  g_autoptr (GVariant) reply =
      tractor_glib_dbus_call (client, NULL, BUS_PATH, BUS_INTERFACE, "Echo",
                              g_variant_new ("(s)", "hello"), G_VARIANT_TYPE ("(s)"), error);
  const char *text;
  GError *failure = NULL;

  g_assert_no_error (*error);
  g_variant_get (reply, "(&s)", &text);
  g_assert_cmpstr (text, ==, "hello");
  g_assert_null (tractor_glib_dbus_call (client, NULL, BUS_PATH, BUS_INTERFACE, "NoSuch", NULL,
                                         NULL, &failure));
  harness_assert_error (failure, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD);
  assert_cancelled (call_keep, client);
  if (!tractor_event_wait (server->keeps, error))
    return;
  g_dbus_method_invocation_return_value (server->kept, NULL); /* for which nobody waits any more */
}

static gboolean
test_dbus (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const GDBusInterfaceVTable vtable = { .method_call = on_method };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (introspection, error);
  g_autoptr (TractorEvent) keeps = tractor_event_new ();
  g_autofree char *guid = g_dbus_generate_guid ();
  BusEnd server = { .guid = guid, .keeps = keeps };
  BusEnd client = { 0 };
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  server.stream = wrap_socket (fds[0]);
  client.stream = wrap_socket (fds[1]);
  tractor_nursery_spawn (nursery, "server", bus_end_open, &server, NULL, error);
  tractor_nursery_spawn (nursery, "client", bus_end_open, &client, NULL, error);
  if (!tractor_nursery_join (nursery, error))
    return FALSE;
  g_assert_cmpuint (g_dbus_connection_register_object (server.connection, BUS_PATH,
                                                       node->interfaces[0], &vtable, &server, NULL,
                                                       error),
                    >, 0);
  check_bus_calls (client.connection, &server, error);
  bus_end_close (&client);
  bus_end_close (&server);
  return TRUE;
}

/* --- signals ------------------------------------------------------------------------------------------ */

static gboolean
activate (gpointer action, G_GNUC_UNUSED GError **error)
{
  g_action_activate (action, g_variant_new_int32 (17));
  g_action_activate (action, g_variant_new_int32 (18)); /* when nobody listens any more */
  return TRUE;
}

static gboolean
toggle (gpointer action, G_GNUC_UNUSED GError **error)
{
  g_object_notify (action, "state");
  g_simple_action_set_enabled (action, FALSE);
  return TRUE;
}

static gboolean
wait_for_activate (gpointer action, GError **error)
{
  return tractor_glib_wait_signal (action, "activate", NULL, error);
}

static gboolean
is_listened_to (gpointer action, const char *name)
{
  return g_signal_has_handler_pending (action, g_signal_lookup (name, G_OBJECT_TYPE (action)), 0,
                                       TRUE);
}

static gboolean
test_signal (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GSimpleAction) action = g_simple_action_new ("act", G_VARIANT_TYPE_INT32);
  g_autoptr (GArray) values = NULL;
  GError *failure = NULL;

  tractor_nursery_spawn (nursery, "user", activate, action, NULL, error);
  g_assert_true (tractor_glib_wait_signal (action, "activate", &values, error));
  g_assert_cmpuint (values->len, ==, 1);
  g_assert_cmpint (g_variant_get_int32 (g_value_get_variant (&g_array_index (values, GValue, 0))),
                   ==, 17);

  tractor_nursery_spawn (nursery, "user", toggle, action, NULL, error);
  g_assert_true (tractor_glib_wait_signal (action, "notify::enabled", NULL, error));
  g_assert_false (g_action_get_enabled (G_ACTION (action))); /* not at the notify::state before */

  g_assert_false (tractor_glib_wait_signal (action, "no-such", NULL, &failure));
  harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  assert_cancelled (wait_for_activate, action);
  g_assert_false (is_listened_to (action, "activate"));
  g_assert_false (is_listened_to (action, "notify"));
  return tractor_nursery_join (nursery, error);
}

/* --- */

static GDBusConnection *connection_of_start;

static void
on_opened (G_GNUC_UNUSED GObject *source, GAsyncResult *result, G_GNUC_UNUSED gpointer data)
{
  connection_of_start = g_dbus_connection_new_finish (result, NULL);
}

/* Threads of GIO's own, with their descriptors: the worker, and GDBus's. What starts them stays open, for
 * they would close it whenever they come to it. */
static void
start_workers_of_gio (void)
{
  g_autoptr (GSocketConnection) stream = NULL;
  int fds[2];

  g_type_ensure (G_TYPE_TASK);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  stream = wrap_socket (fds[0]);
  g_dbus_connection_new (G_IO_STREAM (stream), NULL, G_DBUS_CONNECTION_FLAGS_NONE, NULL, NULL,
                         on_opened, NULL);
  while (connection_of_start == NULL)
    g_main_context_iteration (NULL, TRUE);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_set_prepare (start_workers_of_gio);

  harness_add_glib_task ("/waits/read", test_read);
  harness_add_glib_task ("/waits/write", test_write);
  harness_add_glib_task ("/waits/write-to-nobody", test_write_to_nobody);
  harness_add_glib_task ("/waits/load", test_load);
  harness_add_glib_task ("/waits/replace", test_replace);
  harness_add_glib_task ("/waits/process-wait", test_subprocess_wait);
  harness_add_glib_task ("/waits/process-communicate", test_subprocess_communicate);
  harness_add_glib_task ("/waits/process-reads-less", test_subprocess_reads_less);
  harness_add_glib_task ("/waits/dbus-call", test_dbus);
  harness_add_real_task ("/waits/signal-on-every-host", test_signal);

  return harness_run ();
}
