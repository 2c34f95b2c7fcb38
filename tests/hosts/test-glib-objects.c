/* test-glib-objects.c - the GObject classes from C, in a program that is all callbacks: what each operation
 * reports, and what becomes of things that are dropped. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-glib-tree.h"
#include "tractor-glib-waits.h"
#include "tractor.h"

/* --- one operation after the other ------------------------------------------------------------------------ */

static void
on_ready (G_GNUC_UNUSED GObject *source, GAsyncResult *result, gpointer ret_result)
{
  g_assert_null (tractor_guest_get_current ()); /* no task below us */
  g_assert_null (*(GAsyncResult **) ret_result);
  *(GAsyncResult **) ret_result = g_object_ref (result);
}

static void
turn (void)
{
  g_main_context_iteration (NULL, TRUE);
}

/* To be given to _finish(). */
static GAsyncResult *
wait_for (GAsyncResult **result)
{
  while (*result == NULL)
    turn ();
  return *result;
}

static TractorGlibActor *
spawn (TractorGlibRuntime *runtime, const char *name)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  TractorGlibActor *actor;

  tractor_glib_runtime_spawn_async (runtime, name, NULL, OBJECTS_CHILD, NULL, on_ready, &result);
  actor = tractor_glib_runtime_spawn_finish (runtime, wait_for (&result), &error);
  g_assert_no_error (error);
  return actor;
}

static gint64
call_add (TractorGlibActor *actor, gint64 a, gint64 b, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GVariant) sum = NULL;

  tractor_glib_actor_call_async (actor, "test:add",
                                 g_variant_new_parsed ("{'a': <%x>, 'b': <%x>}", a, b), NULL,
                                 on_ready, &result);
  sum = tractor_glib_actor_call_finish (actor, wait_for (&result), error);
  return sum != NULL ? g_variant_get_int64 (sum) : -1;
}

static void
close_runtime (TractorGlibRuntime *runtime)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  tractor_glib_runtime_close_async (runtime, NULL, on_ready, &result);
  g_assert_true (tractor_glib_runtime_close_finish (runtime, wait_for (&result), &error));
  g_assert_no_error (error);
  g_assert_cmpint (tractor_glib_runtime_get_state (runtime), ==, TRACTOR_GLIB_STATE_CLOSED);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (runtime)), ==, 0);
}

static guint
count_descriptors (void)
{
  g_autoptr (GDir) directory = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (directory) != NULL)
    n++;
  return n;
}

static gboolean
is_there (int pid)
{
  return kill (pid, 0) == 0 || errno != ESRCH;
}

static TractorGlibContext *
open_context (TractorGlibActor *actor, const char *function, GVariant *kwargs)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  TractorGlibContext *context;

  tractor_glib_actor_open_context_async (actor, function, kwargs, NULL, on_ready, &result);
  context = tractor_glib_actor_open_context_finish (actor, wait_for (&result), &error);
  g_assert_no_error (error);
  return context;
}

static TractorGlibStream *
open_stream (TractorGlibContext *context)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  TractorGlibStream *stream;

  tractor_glib_context_open_stream_async (context, NULL, on_ready, &result);
  stream = tractor_glib_context_open_stream_finish (context, wait_for (&result), &error);
  g_assert_no_error (error);
  return stream;
}

static GVariant *
wait_for_context (TractorGlibContext *context, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  tractor_glib_context_wait_async (context, NULL, on_ready, &result);
  return tractor_glib_context_wait_finish (context, wait_for (&result), error);
}

/* --- actors ------------------------------------------------------------------------------------------------ */

static void
test_call (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  g_assert_cmpstr (tractor_glib_runtime_get_name (runtime), ==, "root");
  g_assert_cmpstr (tractor_glib_actor_get_name (actor), ==, "worker");
  g_assert_cmpint (call_add (actor, 17, 25, &error), ==, 42);
  g_assert_no_error (error);
  tractor_glib_actor_call_async (actor, "test:fail", NULL, NULL, on_ready, &result);
  g_assert_null (tractor_glib_actor_call_finish (actor, wait_for (&result), &error));
  g_assert_true (tractor_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_REMOTE);
  close_runtime (runtime);
  g_assert_cmpint (call_add (actor, 1, 1, &error), ==, -1);
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_CLOSED);
}

/* What an error was in the actor that it came from, of the error, of its copy, and of the result. */
static void
test_remote_error (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (TractorGlibRemoteError) remote = NULL;
  g_autoptr (TractorGlibRemoteError) again = NULL;
  g_autofree char *origin = g_strdup_printf ("worker@%s", tractor_glib_actor_get_uuid (actor));
  g_autofree char *description = NULL;
  GError *error = NULL;

  tractor_glib_actor_call_async (actor, "test:fail", NULL, NULL, on_ready, &result);
  g_assert_null (tractor_glib_get_remote_error_of_result (wait_for (&result)));
  g_assert_null (tractor_glib_actor_call_finish (actor, result, &error));
  again = tractor_glib_get_remote_error_of_result (result);
  g_assert_nonnull (again);
  tractor_glib_remote_error_free (g_steal_pointer (&again));
  again = tractor_glib_get_remote_error (error);
  remote = g_boxed_copy (TRACTOR_GLIB_TYPE_REMOTE_ERROR, again);
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_REMOTE);
  g_assert_cmpstr (tractor_glib_remote_error_get_domain (remote), ==,
                   g_quark_to_string (G_FILE_ERROR));
  g_assert_cmpint (tractor_glib_remote_error_get_code (remote), ==, G_FILE_ERROR_NOENT);
  g_assert_cmpstr (tractor_glib_remote_error_get_exception (remote), ==, "FileNotFoundError");
  g_assert_cmpstr (tractor_glib_remote_error_get_origin (remote), ==, origin);
  g_assert_cmpuint (g_strv_length ((char **) tractor_glib_remote_error_get_relays (remote)), ==, 1);
  description = tractor_glib_remote_error_describe (remote);
  g_assert_nonnull (strstr (description, "in fail()"));

  g_clear_object (&result);
  tractor_glib_actor_call_async (actor, "test:add", NULL, NULL, on_ready, &result);
  g_variant_unref (tractor_glib_actor_call_finish (actor, wait_for (&result), NULL));
  g_assert_null (tractor_glib_get_remote_error_of_result (result));
  close_runtime (runtime);
  g_assert_cmpint (call_add (actor, 1, 1, &error), ==, -1);
  g_assert_null (tractor_glib_get_remote_error (error)); /* ours */
  g_clear_error (&error);
}

/* The text of a list of nodes, and of those below them. */
static void
describe_below (GString *text, GListModel *list)
{
  for (guint i = 0; i < g_list_model_get_n_items (list); i++) {
    g_autoptr (TractorGlibNode) node = g_list_model_get_item (list, i);

    g_string_append_printf (text, "(%s", tractor_glib_node_get_name (node));
    describe_below (text, G_LIST_MODEL (node));
    g_string_append_c (text, ')');
  }
}

static void
wait_until_tree_is (TractorGlibNode *root, const char *wanted)
{
  for (gboolean is_as_wanted = FALSE; !is_as_wanted;) {
    g_autoptr (GString) text = g_string_new (tractor_glib_node_get_name (root));

    describe_below (text, G_LIST_MODEL (root));
    is_as_wanted = g_str_equal (text->str, wanted);
    if (!is_as_wanted)
      turn ();
  }
}

static void
on_items_changed (GListModel *list, guint position, guint removed, guint added, gpointer n_items)
{
  g_assert_null (tractor_guest_get_current ());
  *(guint *) n_items += added - removed;
  g_assert_cmpuint (g_list_model_get_n_items (list), ==, *(guint *) n_items);
  g_assert_cmpuint (position, <=, *(guint *) n_items);
}

static void
test_tree (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new ("app");
  g_autoptr (TractorGlibNode) root = g_object_ref (tractor_glib_runtime_get_tree (runtime));
  g_autoptr (TractorGlibActor) a = NULL;
  g_autoptr (TractorGlibActor) b = NULL;
  g_autoptr (TractorGlibNode) node = NULL;
  g_autoptr (TractorGlibNode) other = NULL;
  g_autoptr (TractorGlibContext) context = NULL;
  guint n_items = 0;

  g_signal_connect (root, "items-changed", G_CALLBACK (on_items_changed), &n_items);
  g_assert_cmpstr (tractor_glib_node_get_name (root), ==, "");
  wait_until_tree_is (root, "app");
  g_assert_cmpint (tractor_glib_node_get_pid (root), ==, getpid ());
  a = spawn (runtime, "a");
  b = spawn (runtime, "b");
  wait_until_tree_is (root, "app(a)(b)");
  node = g_list_model_get_item (G_LIST_MODEL (root), 0);
  g_assert_cmpstr (tractor_glib_node_get_uuid (node), ==, tractor_glib_actor_get_uuid (a));
  g_assert_cmpint (tractor_glib_node_get_pid (node), ==, tractor_glib_actor_get_pid (a));
  g_assert_cmpint (tractor_glib_node_get_state (node), ==, TRACTOR_GLIB_ACTOR_STATE_RUNNING);
  g_assert_cmpuint (tractor_glib_node_get_restarts (node), ==, 0);

  /* What is started below comes below; the node of its parent stays what it was. */
  context = open_context (a, "test:have_child", g_variant_new_parsed ("{'name': <'c'>}"));
  wait_until_tree_is (root, "app(a(c))(b)");
  other = g_list_model_get_item (G_LIST_MODEL (root), 0);
  g_assert_true (other == node);
  tractor_glib_context_cancel (context);
  g_clear_object (&context);
  wait_until_tree_is (root, "app(a)(b)");
  kill (tractor_glib_actor_get_pid (a), SIGKILL);
  wait_until_tree_is (root, "app(b)");
  close_runtime (runtime);
  wait_until_tree_is (root, "app");
  g_assert_cmpuint (n_items, ==, 0);
}

static gboolean
watch_node (gpointer node, GError **error)
{
  return tractor_glib_node_watch (node, error);
}

/* The same for a program with tasks of its own. */
static gboolean
test_node_in_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) actor = NULL;
  g_autoptr (TractorGlibNode) node = tractor_glib_node_new ();
  g_autoptr (TractorNursery) watch = tractor_nursery_open ();

  tractor_nursery_spawn (watch, "watch", watch_node, node, NULL, error);
  g_assert_true (tractor_glib_wait_signal (node, "notify::name", NULL, error));
  g_assert_cmpstr (tractor_glib_node_get_name (node), ==, "root");
  actor = tractor_actor_nursery_start (actors, "a",
                                       &(TractorSpawnOptions){ .program = OBJECTS_CHILD }, error);
  g_assert_no_error (*error);
  while (g_list_model_get_n_items (G_LIST_MODEL (node)) == 0)
    g_assert_true (tractor_glib_wait_signal (node, "items-changed", NULL, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (watch), NULL);
  g_assert_true (tractor_nursery_join (watch, error));
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (node)), ==, 0); /* nobody keeps it */
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

/* A runtime that is dropped closes, also while its tree is looked at. */
static void
test_tree_dropped (void)
{
  guint before = count_descriptors ();
  TractorGlibRuntime *runtime = tractor_glib_runtime_new ("app");
  g_autoptr (TractorGlibNode) root = g_object_ref (tractor_glib_runtime_get_tree (runtime));
  TractorGlibActor *a = spawn (runtime, "a");
  int pid = tractor_glib_actor_get_pid (a);

  wait_until_tree_is (root, "app(a)");
  g_object_unref (a);
  g_object_unref (runtime);
  wait_until_tree_is (root, "app");
  while (count_descriptors () > before)
    turn ();
  g_assert_false (is_there (pid));
}

static TractorGlibActor *
launch (TractorGlibRuntime *runtime, TractorGlibLauncher *launcher, const char *name)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  TractorGlibActor *actor;

  tractor_glib_runtime_launch_async (runtime, launcher, name, NULL, on_ready, &result);
  g_object_set (launcher, "cwd", "/nowhere", NULL); /* is for the next one */
  actor = tractor_glib_runtime_launch_finish (runtime, wait_for (&result), &error);
  g_assert_no_error (error);
  return actor;
}

static char *
ask_for_surroundings (TractorGlibActor *actor)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer = NULL;

  tractor_glib_actor_call_async (actor, "test:surroundings", NULL, NULL, on_ready, &result);
  answer = tractor_glib_actor_call_finish (actor, wait_for (&result), &error);
  g_assert_no_error (error);
  return g_variant_dup_string (answer, NULL);
}

/* Whatever is set can be read. */
static void
test_launcher_properties (void)
{
  static const char *const texts[] = { "a", "b", NULL };
  g_autoptr (TractorGlibLauncher) launcher = tractor_glib_launcher_new ();
  guint n_specs;
  g_autofree GParamSpec **specs =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (launcher), &n_specs);

  g_assert_cmpuint (n_specs, >, 0);
  for (guint i = 0; i < n_specs; i++) {
    g_auto (GValue) value = G_VALUE_INIT;
    g_auto (GValue) read = G_VALUE_INIT;
    g_autofree char *before = NULL;
    g_autofree char *set = NULL;
    g_autofree char *after = NULL;

    g_value_init (&value, specs[i]->value_type);
    g_object_get_property (G_OBJECT (launcher), specs[i]->name, &value);
    before = g_strdup_value_contents (&value);
    if (G_VALUE_HOLDS_STRING (&value))
      g_value_set_string (&value, specs[i]->name);
    else if (G_VALUE_HOLDS_BOOLEAN (&value))
      g_value_set_boolean (&value, !g_value_get_boolean (&value));
    else if (G_VALUE_HOLDS_UINT (&value))
      g_value_set_uint (&value, g_value_get_uint (&value) + 1);
    else
      g_value_set_boxed (&value, texts);
    g_object_set_property (G_OBJECT (launcher), specs[i]->name, &value);
    set = g_strdup_value_contents (&value);
    g_object_get_property (G_OBJECT (launcher), specs[i]->name, &read);
    after = g_strdup_value_contents (&read);
    g_assert_cmpstr (after, ==, set);
    g_assert_cmpstr (after, !=, before);
  }
}

static void
test_launch (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibLauncher) launcher = tractor_glib_launcher_new ();
  g_autoptr (TractorGlibActor) actor = NULL;
  g_autofree char *surroundings = NULL;
  g_autofree char *expected = NULL;
  int ends[2];

  g_assert_cmpint (pipe (ends), ==, 0);
  g_object_set (launcher, "program", OBJECTS_CHILD, "cwd", "/usr", "env",
                (const char *[]){ "COLOUR=green", NULL }, "argv",
                (const char *[]){ "one", "two", NULL }, "modules", (const char *[]){ "test", NULL },
                "nice", 3, NULL);
  tractor_glib_launcher_take_fd (launcher, ends[1], 7);
  tractor_glib_launcher_set_limit (launcher, RLIMIT_NOFILE, 99, 100);
  actor = launch (runtime, launcher, "launched");
  surroundings = ask_for_surroundings (actor);
  expected = g_strdup_printf ("/usr green two 99 %d", MIN (getpriority (PRIO_PROCESS, 0) + 3, 19));
  g_assert_cmpstr (surroundings, ==, expected);
  g_clear_object (&launcher);
  close_runtime (runtime);
  /* It has written there, and nobody has it open any more. */
  g_assert_cmpint (read (ends[0], surroundings, 3), ==, 2);
  g_assert_cmpint (read (ends[0], surroundings, 1), ==, 0);
  close (ends[0]);
}

static void
test_launch_fails (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibLauncher) launcher = tractor_glib_launcher_new ();
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  g_object_set (launcher, "program", OBJECTS_CHILD, "host", "nohost", NULL);
  tractor_glib_runtime_launch_async (runtime, launcher, "x", NULL, on_ready, &result);
  g_assert_null (tractor_glib_runtime_launch_finish (runtime, wait_for (&result), &error));
  g_assert_nonnull (strstr (error->message, "nohost"));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_ACTOR_FAILURE);
  close_runtime (runtime);
}

static void
count_restart (TractorGlibActor *actor, gpointer n)
{
  g_assert_null (tractor_guest_get_current ());
  g_assert_true (tractor_glib_actor_get_alive (actor));
  ++*(guint *) n;
}

static void
count_notify (G_GNUC_UNUSED GObject *object, G_GNUC_UNUSED GParamSpec *spec, gpointer n)
{
  ++*(guint *) n;
}

/* The object stays, and so does what shows it. */
static void
test_launch_restarted (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new ("app");
  g_autoptr (TractorGlibLauncher) launcher = tractor_glib_launcher_new ();
  TractorGlibNode *root = tractor_glib_runtime_get_tree (runtime);
  g_autoptr (TractorGlibNode) node = NULL;
  g_autoptr (TractorGlibActor) actor = NULL;
  g_autofree char *uuid = NULL;
  GError *error = NULL;
  guint n_restarts = 0;
  guint n_notified = 0;
  int pid;

  g_object_set (launcher, "program", OBJECTS_CHILD, "max-restarts", 2, NULL);
  actor = launch (runtime, launcher, "phoenix");
  wait_until_tree_is (root, "app(phoenix)");
  node = g_list_model_get_item (G_LIST_MODEL (root), 0);
  pid = tractor_glib_actor_get_pid (actor);
  uuid = g_strdup (tractor_glib_actor_get_uuid (actor));
  g_signal_connect (actor, "restarted", G_CALLBACK (count_restart), &n_restarts);
  g_signal_connect (actor, "notify::pid", G_CALLBACK (count_notify), &n_notified);
  g_signal_connect (actor, "notify::uuid", G_CALLBACK (count_notify), &n_notified);
  kill (pid, SIGKILL);
  while (n_restarts == 0 || tractor_glib_node_get_restarts (node) == 0 ||
         tractor_glib_node_get_state (node) != TRACTOR_GLIB_ACTOR_STATE_RUNNING)
    turn ();
  g_assert_cmpuint (n_restarts, ==, 1);
  g_assert_cmpuint (n_notified, ==, 2);
  g_assert_true (tractor_glib_actor_get_alive (actor));
  g_assert_cmpint (tractor_glib_actor_get_pid (actor), !=, pid);
  g_assert_cmpstr (tractor_glib_actor_get_uuid (actor), !=, uuid);
  g_assert_cmpstr (tractor_glib_actor_get_uuid (actor), ==, tractor_glib_node_get_uuid (node));
  g_assert_cmpint (call_add (actor, 1, 2, &error), ==, 3);

  /* It stays what it was last. */
  g_object_set (launcher, "max-restarts", 1, "cwd", "/", NULL);
  g_set_object (&actor, NULL);
  actor = launch (runtime, launcher, "mortal");
  n_restarts = 0;
  g_signal_connect (actor, "restarted", G_CALLBACK (count_restart), &n_restarts);
  kill (tractor_glib_actor_get_pid (actor), SIGKILL);
  while (n_restarts == 0)
    turn ();
  pid = tractor_glib_actor_get_pid (actor);
  g_free (uuid);
  uuid = g_strdup (tractor_glib_actor_get_uuid (actor));
  kill (pid, SIGKILL);
  while (tractor_glib_actor_get_alive (actor))
    turn ();
  g_assert_cmpint (tractor_glib_actor_get_pid (actor), ==, pid);
  g_assert_cmpstr (tractor_glib_actor_get_uuid (actor), ==, uuid);
  close_runtime (runtime);
}

static void
on_ended (G_GNUC_UNUSED TractorGlibActor *actor, const GError *error, gpointer ret_error)
{
  *(GError **) ret_error = error != NULL ? g_error_copy (error) : NULL;
}

/* --- calls that this program serves ------------------------------------------------------------------------ */

typedef struct {
  TractorGlibInvocation *held; /* (nullable) */
  gboolean is_destroyed;
} Server;

static void
serve_add (TractorGlibInvocation *invocation, gpointer data)
{
  GVariant *kwargs = tractor_glib_invocation_get_kwargs (invocation);
  gint64 a = 0;

  g_assert_false (((Server *) data)->is_destroyed);
  g_assert_null (tractor_guest_get_current ());
  g_assert_cmpstr (tractor_glib_invocation_get_function (invocation), ==, "app:add");
  g_variant_lookup (kwargs, "a", "x", &a);
  tractor_glib_invocation_return_value (invocation, g_variant_new_int64 (a + 1));
  tractor_glib_invocation_return_value (invocation, g_variant_new_int64 (0)); /* too late */
}

static void
serve_fail (TractorGlibInvocation *invocation, G_GNUC_UNUSED gpointer data)
{
  g_autoptr (GError) error =
      g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no paper in the window");

  tractor_glib_invocation_return_error (invocation, error);
}

static void
serve_never (G_GNUC_UNUSED TractorGlibInvocation *invocation, G_GNUC_UNUSED gpointer data)
{
}

static void
serve_later (TractorGlibInvocation *invocation, gpointer data)
{
  ((Server *) data)->held = g_object_ref (invocation);
}

static void
on_server_destroyed (gpointer data)
{
  ((Server *) data)->is_destroyed = TRUE;
}

/* Has the child call "function" of us. */
static void
begin_asking (TractorGlibActor *actor,
              const char *function,
              GCancellable *cancellable,
              GAsyncResult **result)
{
  g_clear_object (result);
  tractor_glib_actor_call_async (actor, "test:ask_parent",
                                 g_variant_new_parsed ("{'function': <%s>, 'a': <41>}", function),
                                 cancellable, on_ready, result);
}

static void
test_export (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GVariant) answer = NULL;
  Server server = { 0 };
  GError *error = NULL;

  tractor_glib_runtime_export (runtime, "app:add", serve_add, &server, on_server_destroyed);
  tractor_glib_runtime_export (runtime, "app:fail", serve_fail, NULL, NULL);
  tractor_glib_runtime_export (runtime, "app:never", serve_never, NULL, NULL);
  tractor_glib_runtime_export (runtime, "app:later", serve_later, &server, NULL);

  begin_asking (actor, "app:add", NULL, &result);
  answer = tractor_glib_actor_call_finish (actor, wait_for (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int64 (answer), ==, 42);
  g_clear_pointer (&answer, g_variant_unref);

  begin_asking (actor, "app:fail", NULL, &result);
  g_assert_null (tractor_glib_actor_call_finish (actor, wait_for (&result), &error));
  g_assert_true (tractor_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_assert_nonnull (strstr (error->message, "no paper in the window"));
  g_clear_error (&error);

  begin_asking (actor, "app:never", NULL, &result);
  g_assert_null (tractor_glib_actor_call_finish (actor, wait_for (&result), &error));
  g_assert_nonnull (strstr (error->message, "dropped without an answer"));
  g_clear_error (&error);

  /* Answered when the program pleases. */
  begin_asking (actor, "app:later", NULL, &result);
  while (server.held == NULL)
    turn ();
  g_assert_null (result);
  tractor_glib_invocation_return_value (server.held, g_variant_new_string ("at last"));
  g_clear_object (&server.held);
  answer = tractor_glib_actor_call_finish (actor, wait_for (&result), &error);
  g_assert_cmpstr (g_variant_get_string (answer, NULL), ==, "at last");

  /* The caller withdraws it: we are told, and an answer is for nothing. */
  begin_asking (actor, "app:later", cancellable, &result);
  while (server.held == NULL)
    turn ();
  g_cancellable_cancel (cancellable);
  g_assert_null (tractor_glib_actor_call_finish (actor, wait_for (&result), &error));
  harness_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_true (
      g_cancellable_is_cancelled (tractor_glib_invocation_get_cancellable (server.held)));
  tractor_glib_invocation_return_value (server.held, NULL);
  g_clear_object (&server.held);

  tractor_glib_runtime_export (runtime, "app:add", NULL, NULL, NULL);
  g_assert_true (server.is_destroyed);
  begin_asking (actor, "app:add", NULL, &result);
  g_assert_null (tractor_glib_actor_call_finish (actor, wait_for (&result), &error));
  g_assert_true (tractor_error_matches (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_NOT_EXPOSED));
  g_clear_error (&error);
  close_runtime (runtime);
}

/* What is still held when the runtime closes is withdrawn. */
static void
test_export_and_close (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (GAsyncResult) result = NULL;
  Server server = { 0 };

  tractor_glib_runtime_export (runtime, "app:later", serve_later, &server, on_server_destroyed);
  begin_asking (actor, "app:later", NULL, &result);
  while (server.held == NULL)
    turn ();
  close_runtime (runtime);
  g_assert_true (server.is_destroyed);
  g_assert_true (
      g_cancellable_is_cancelled (tractor_glib_invocation_get_cancellable (server.held)));
  tractor_glib_invocation_return_value (server.held, NULL);
  g_object_unref (server.held);
}

/* --- descriptors ------------------------------------------------------------------------------------------- */

/* A file in memory, with @text in it. */
static int
make_file (const char *text)
{
  int fd = memfd_create ("test", MFD_CLOEXEC);

  g_assert_cmpint (write (fd, text, strlen (text)), ==, (gssize) strlen (text));
  return fd;
}

/* Closes what was given away, and lets another file have its number. */
static void
replace_file (int *fd)
{
  int before = *fd;

  close (before);
  *fd = make_file ("another's");
  g_assert_cmpint (*fd, ==, before);
}

static GVariant *
new_file_kwargs (int fd)
{
  return g_variant_new_parsed ("{'file': <%@*>}", tractor_value_new_fd (fd));
}

static void
assert_text (GVariant *value, const char *text)
{
  g_assert_nonnull (value);
  g_assert_cmpstr (g_variant_get_string (value, NULL), ==, text);
  g_variant_unref (value);
}

static void
serve_file (TractorGlibInvocation *invocation, gpointer data)
{
  int *fd = data;

  *fd = make_file ("answered");
  tractor_glib_invocation_return_value (invocation, tractor_value_new_fd (*fd));
  replace_file (fd);
}

/* Each is closed as soon as it has been given away. */
static void
test_files_that_are_closed_at_once (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibContext) context = NULL;
  g_autoptr (TractorGlibStream) stream = NULL;
  g_autoptr (TractorGlibStream) one_way = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  GVariant *item = NULL;
  GError *error = NULL;
  int fd;

  fd = make_file ("called");
  tractor_glib_actor_call_async (actor, "test:read_file", new_file_kwargs (fd), NULL, on_ready,
                                 &result);
  replace_file (&fd);
  assert_text (tractor_glib_actor_call_finish (actor, wait_for (&result), &error), "called");
  g_clear_object (&result);
  close (fd);

  fd = make_file ("streamed");
  tractor_glib_actor_open_stream_async (actor, "test:stream_file", new_file_kwargs (fd), NULL,
                                        on_ready, &result);
  replace_file (&fd);
  one_way = tractor_glib_actor_open_stream_finish (actor, wait_for (&result), &error);
  g_assert_no_error (error);
  g_clear_object (&result);
  tractor_glib_stream_receive_async (one_way, NULL, on_ready, &result);
  g_assert_true (tractor_glib_stream_receive_finish (one_way, wait_for (&result), &item, &error));
  assert_text (item, "streamed");
  g_clear_object (&result);
  close (fd);

  fd = make_file ("opened");
  tractor_glib_actor_open_context_async (actor, "test:read_files", new_file_kwargs (fd), NULL,
                                         on_ready, &result);
  replace_file (&fd);
  context = tractor_glib_actor_open_context_finish (actor, wait_for (&result), &error);
  g_assert_no_error (error);
  g_clear_object (&result);
  assert_text (g_variant_ref (tractor_glib_context_get_started (context)), "opened");
  close (fd);

  stream = open_stream (context);
  for (int i = 0; i < 3; i++) {
    fd = make_file ("sent.");
    tractor_glib_stream_send_async (stream, tractor_value_new_fd (fd), NULL, NULL, NULL);
    close (fd);
  }
  fd = make_file ("another's");
  tractor_glib_stream_send_async (stream, tractor_value_new_fd (fd), NULL, on_ready, &result);
  g_assert_true (tractor_glib_stream_send_finish (stream, wait_for (&result), &error));
  g_clear_object (&result);
  close (fd);
  assert_text (wait_for_context (context, &error), "sent.sent.sent.another's");

  tractor_glib_runtime_export (runtime, "app:file", serve_file, &fd, NULL);
  tractor_glib_actor_call_async (actor, "test:read_file_of_parent",
                                 g_variant_new_parsed ("{'function': <'app:file'>}"), NULL,
                                 on_ready, &result);
  assert_text (tractor_glib_actor_call_finish (actor, wait_for (&result), &error), "answered");
  close (fd);
  close_runtime (runtime);
}

static void
serve_bad_file (TractorGlibInvocation *invocation, G_GNUC_UNUSED gpointer data)
{
  tractor_glib_invocation_return_value (invocation, tractor_value_new_fd (1 << 30));
}

/* Whoever was to be sent it is told. */
static void
test_files_that_cannot_be_kept (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibContext) context = open_context (actor, "test:double", NULL);
  g_autoptr (TractorGlibStream) stream = open_stream (context);
  g_autoptr (GAsyncResult) called = NULL;
  g_autoptr (GAsyncResult) sent = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  int fd = make_file ("kept");
  struct rlimit before;
  GError *error = NULL;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &(struct rlimit){ 4, before.rlim_max }), ==, 0);
  tractor_glib_actor_call_async (actor, "test:read_file", new_file_kwargs (fd), NULL, on_ready,
                                 &called);
  tractor_glib_stream_send_async (stream, tractor_value_new_fd (fd), NULL, on_ready, &sent);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_null (called);
  g_assert_null (tractor_glib_actor_call_finish (actor, wait_for (&called), &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_MFILE);
  g_assert_false (tractor_glib_stream_send_finish (stream, wait_for (&sent), &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_MFILE);
  close (fd);

  tractor_glib_runtime_export (runtime, "app:bad-file", serve_bad_file, NULL, NULL);
  tractor_glib_actor_call_async (actor, "test:read_file_of_parent",
                                 g_variant_new_parsed ("{'function': <'app:bad-file'>}"), NULL,
                                 on_ready, &result);
  g_assert_null (tractor_glib_actor_call_finish (actor, wait_for (&result), &error));
  g_assert_true (tractor_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_BADF));
  g_clear_error (&error);
  close_runtime (runtime);
}

static void
test_addresses (void)
{
  const char *const listen[] = { "tcp://127.0.0.1:0", NULL };
  g_autoptr (TractorGlibRuntime) runtime =
      g_object_new (TRACTOR_GLIB_TYPE_RUNTIME, "listen-addresses", listen, NULL);
  g_auto (GStrv) before = tractor_glib_runtime_dup_addresses (runtime);
  g_auto (GStrv) addresses = NULL;

  g_assert_cmpuint (g_strv_length (before), ==, 0);
  while (tractor_glib_runtime_get_state (runtime) == TRACTOR_GLIB_STATE_OPENING)
    turn ();
  addresses = tractor_glib_runtime_dup_addresses (runtime);
  g_assert_cmpuint (g_strv_length (addresses), ==, 1);
  g_assert_true (g_str_has_prefix (addresses[0], "tcp://127.0.0.1:"));
  g_assert_cmpstr (addresses[0], !=, "tcp://127.0.0.1:0");
  close_runtime (runtime);
}

typedef struct {
  GAsyncResult *answer;
  gboolean was_closed;
} Ending;

static void
expect_answer (G_GNUC_UNUSED TractorGlibRuntime *runtime,
               G_GNUC_UNUSED const GError *error,
               gpointer data)
{
  Ending *ending = data;

  g_assert_nonnull (ending->answer);
  ending->was_closed = TRUE;
}

/* Whoever quits the loop then has had all answers. */
static void
test_closed_comes_last (void)
{
  const char *const listen[] = { "carrier-pigeon://loft", NULL };
  g_autoptr (TractorGlibRuntime) runtime =
      g_object_new (TRACTOR_GLIB_TYPE_RUNTIME, "listen-addresses", listen, NULL);
  Ending ending = { 0 };

  g_signal_connect (runtime, "closed", G_CALLBACK (expect_answer), &ending);
  tractor_glib_runtime_find_async (runtime, "anybody", NULL, on_ready, &ending.answer);
  while (!ending.was_closed)
    g_main_context_iteration (NULL, TRUE);
  g_object_unref (ending.answer);
}

static void
test_bad_address (void)
{
  const char *const listen[] = { "carrier-pigeon://loft", NULL };
  g_autoptr (TractorGlibRuntime) runtime =
      g_object_new (TRACTOR_GLIB_TYPE_RUNTIME, "listen-addresses", listen, NULL);
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  tractor_glib_runtime_find_async (runtime, "anybody", NULL, on_ready, &result);
  g_assert_null (tractor_glib_runtime_find_finish (runtime, wait_for (&result), &error));
  g_assert_nonnull (strstr (error->message, "carrier-pigeon"));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_MISUSE);
  g_clear_object (&result);
  tractor_glib_runtime_close_async (runtime, NULL, on_ready, &result);
  g_assert_false (tractor_glib_runtime_close_finish (runtime, wait_for (&result), &error));
  g_assert_nonnull (strstr (error->message, "carrier-pigeon"));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_MISUSE);
}

/* Nothing has to be asked of it for that. */
static void
test_found_ends (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibActor) found = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  tractor_glib_runtime_find_async (runtime, "worker", NULL, on_ready, &result);
  found = tractor_glib_runtime_find_finish (runtime, wait_for (&result), &error);
  g_assert_no_error (error);
  g_signal_connect (found, "ended", G_CALLBACK (on_ended), &error);
  kill (tractor_glib_actor_get_pid (actor), SIGKILL);
  while (tractor_glib_actor_get_alive (found))
    turn ();
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_TRANSPORT_CLOSED);
  g_assert_cmpint (call_add (found, 1, 1, &error), ==, -1);
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_TRANSPORT_CLOSED);
  close_runtime (runtime);
}

/* Who waits for the end may stop waiting; it comes all the same. */
static void
test_close_cancelled (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  tractor_glib_runtime_close_async (runtime, cancellable, on_ready, &result);
  g_cancellable_cancel (cancellable);
  g_assert_false (tractor_glib_runtime_close_finish (runtime, wait_for (&result), &error));
  harness_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (tractor_glib_runtime_get_state (runtime), ==, TRACTOR_GLIB_STATE_CLOSING);
  close_runtime (runtime);
}

/* All are asked for before anything is open. */
static void
test_spawn_many (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new ("many");
  GAsyncResult *results[5] = { NULL };

  for (guint i = 0; i < G_N_ELEMENTS (results); i++)
    tractor_glib_runtime_spawn_async (runtime, "child", NULL, OBJECTS_CHILD, NULL, on_ready,
                                      &results[i]);
  for (guint i = 0; i < G_N_ELEMENTS (results); i++) {
    g_autoptr (TractorGlibActor) actor =
        tractor_glib_runtime_spawn_finish (runtime, wait_for (&results[i]), NULL);

    g_assert_cmpint (call_add (actor, i, 1, NULL), ==, i + 1);
    g_object_unref (results[i]);
  }
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (runtime)), ==, 5);
  close_runtime (runtime);
}

static void
test_spawn_cancelled (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  tractor_glib_runtime_spawn_async (runtime, "worker", NULL, OBJECTS_CHILD, cancellable, on_ready,
                                    &result);
  while (tractor_glib_runtime_get_state (runtime) == TRACTOR_GLIB_STATE_OPENING)
    turn ();
  g_cancellable_cancel (cancellable);
  g_assert_null (tractor_glib_runtime_spawn_finish (runtime, wait_for (&result), &error));
  harness_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (runtime)), ==, 0);
  close_runtime (runtime);
}

static void
test_killed (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) victim = spawn (runtime, "victim");
  g_autoptr (TractorGlibActor) other = spawn (runtime, "other");
  g_autoptr (GAsyncResult) result = NULL;
  GError *how = NULL;
  GError *error = NULL;

  g_signal_connect (victim, "ended", G_CALLBACK (on_ended), &how);
  tractor_glib_actor_call_async (victim, "test:die", NULL, NULL, on_ready, &result);
  g_assert_null (tractor_glib_actor_call_finish (victim, wait_for (&result), &error));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_ACTOR_FAILURE);
  while (how == NULL)
    turn ();
  harness_assert_error (how, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_ACTOR_FAILURE);
  g_assert_false (tractor_glib_actor_get_alive (victim));
  g_assert_cmpint (call_add (other, 1, 1, NULL), ==, 2);
  g_assert_cmpint (call_add (victim, 1, 1, &error), ==, -1); /* afterwards, too */
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_ACTOR_FAILURE);
  close_runtime (runtime);
}

/* A call says so, as in C. */
static void
test_call_of_one_cancelled (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "asked");
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  tractor_glib_actor_cancel_async (actor, NULL, on_ready, &result);
  g_assert_true (tractor_glib_actor_cancel_finish (actor, wait_for (&result), &error));
  g_assert_no_error (error);
  while (tractor_glib_actor_get_alive (actor))
    turn ();
  g_assert_cmpint (call_add (actor, 1, 1, &error), ==, -1);
  g_assert_nonnull (strstr (error->message, "Actor 'asked'"));
  g_assert_nonnull (strstr (error->message, "was cancelled, and has ended"));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_TRANSPORT_CLOSED);
  close_runtime (runtime);
}

static void
on_ready_and_gone (GObject *actor, GAsyncResult *result, gpointer ret_result)
{
  g_assert_false (tractor_glib_actor_get_alive (TRACTOR_GLIB_ACTOR (actor)));
  on_ready (actor, result, ret_result);
}

static void
on_ready_and_unlisted (GObject *actor, GAsyncResult *result, gpointer ret_result)
{
  GListModel *runtime = g_object_get_data (actor, "runtime");

  g_assert_cmpuint (g_list_model_get_n_items (runtime), ==, 0);
  on_ready_and_gone (actor, result, ret_result);
}

static void
cancel (TractorGlibActor *actor, GAsyncReadyCallback callback)
{
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  tractor_glib_actor_cancel_async (actor, NULL, callback, &result);
  g_assert_true (tractor_glib_actor_cancel_finish (actor, wait_for (&result), &error));
  g_assert_no_error (error);
}

/* What is called when it is gone sees that it is. */
static void
test_gone_when_cancelled (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) child = spawn (runtime, "child");
  g_autoptr (TractorGlibActor) other = spawn (runtime, "other");
  g_autoptr (TractorGlibActor) found = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  tractor_glib_runtime_find_async (runtime, "other", NULL, on_ready, &result);
  found = tractor_glib_runtime_find_finish (runtime, wait_for (&result), &error);
  g_assert_no_error (error);
  cancel (found, on_ready_and_gone);
  while (tractor_glib_actor_get_alive (other))
    turn ();
  g_object_set_data (G_OBJECT (child), "runtime", runtime);
  cancel (child, on_ready_and_unlisted);
  close_runtime (runtime);
}

/* --- contexts ---------------------------------------------------------------------------------------------- */

static void
test_context_fails (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibContext) context = open_context (actor, "test:fail_later", NULL);
  GError *error = NULL;

  g_assert_null (wait_for_context (context, &error));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_REMOTE);
  g_assert_null (wait_for_context (context, &error)); /* again, the same */
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_REMOTE);
  close_runtime (runtime);
}

static void
wait_until_counted (TractorGlibActor *actor, const char *function)
{
  gint64 n = 0;

  while (n == 0) {
    g_autoptr (GAsyncResult) result = NULL;
    g_autoptr (GVariant) count = NULL;

    tractor_glib_actor_call_async (actor, function, NULL, NULL, on_ready, &result);
    count = tractor_glib_actor_call_finish (actor, wait_for (&result), NULL);
    n = g_variant_get_int64 (count);
  }
}

/* It has failed, and we have heard of it. */
static void
wait_until_failed (TractorGlibActor *actor)
{
  wait_until_counted (actor, "test:failures");
  g_assert_cmpint (call_add (actor, 1, 2, NULL), ==, 3);
}

static void
assert_paper_is_out (GError **error)
{
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
  harness_assert_error (*error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_REMOTE);
}

/* Nobody has waited for it just then: so the body is over. */
static void
test_open_stream_says_how_it_failed (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibContext) context = open_context (actor, "test:fail_later", NULL);
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  wait_until_failed (actor);
  tractor_glib_context_open_stream_async (context, NULL, on_ready, &result);
  g_assert_null (tractor_glib_context_open_stream_finish (context, wait_for (&result), &error));
  assert_paper_is_out (&error);
  g_assert_null (wait_for_context (context, &error));
  assert_paper_is_out (&error);
  g_clear_object (&result);
  tractor_glib_context_open_stream_async (context, NULL, on_ready, &result);
  g_assert_null (tractor_glib_context_open_stream_finish (context, wait_for (&result), &error));
  assert_paper_is_out (&error);
  close_runtime (runtime);
}

/* Who asks for one item after the other gets all that came, and then how it failed; so does who sends. */
static void
test_stream_says_how_it_failed (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibContext) context =
      open_context (actor, "test:fail_later", g_variant_new_parsed ("{'n': <int64 3>}"));
  g_autoptr (TractorGlibStream) stream = open_stream (context);
  GError *error = NULL;

  tractor_glib_stream_send_async (stream, NULL, NULL, NULL, NULL);
  wait_until_failed (actor);
  for (int i = 0; i < 4; i++) {
    g_autoptr (GAsyncResult) result = NULL;
    g_autoptr (GVariant) item = NULL;
    gboolean is_item;

    tractor_glib_stream_receive_async (stream, NULL, on_ready, &result);
    is_item = tractor_glib_stream_receive_finish (stream, wait_for (&result), &item, &error);
    g_assert_cmpint (is_item, ==, i < 3);
    if (i < 3)
      g_assert_cmpint (g_variant_get_int64 (item), ==, i);
  }
  assert_paper_is_out (&error);
  {
    g_autoptr (GAsyncResult) result = NULL;

    tractor_glib_stream_send_async (stream, NULL, NULL, on_ready, &result);
    g_assert_false (tractor_glib_stream_send_finish (stream, wait_for (&result), &error));
    assert_paper_is_out (&error);
  }
  close_runtime (runtime);
}

typedef struct {
  gint64 n;
  GError *error;
  gboolean is_finished;
} LateFlow;

static void
on_late_message (G_GNUC_UNUSED TractorGlibStream *stream, GVariant *item, gpointer data)
{
  g_assert_cmpint (g_variant_get_int64 (item), ==, ((LateFlow *) data)->n++);
}

static void
on_late_finished (G_GNUC_UNUSED TractorGlibStream *stream, const GError *error, gpointer data)
{
  ((LateFlow *) data)->error = error != NULL ? g_error_copy (error) : NULL;
  ((LateFlow *) data)->is_finished = TRUE;
}

/* The same of a stream that is set flowing then. */
static void
test_flow_says_how_it_failed (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibContext) context =
      open_context (actor, "test:fail_later", g_variant_new_parsed ("{'n': <int64 3>}"));
  g_autoptr (TractorGlibStream) stream = open_stream (context);
  LateFlow flow = { 0 };

  g_signal_connect (stream, "message", G_CALLBACK (on_late_message), &flow);
  g_signal_connect (stream, "finished", G_CALLBACK (on_late_finished), &flow);
  tractor_glib_stream_send_async (stream, NULL, NULL, NULL, NULL);
  wait_until_failed (actor);
  tractor_glib_stream_set_flowing (stream, TRUE);
  while (!flow.is_finished)
    turn ();
  g_assert_cmpint (flow.n, ==, 3);
  assert_paper_is_out (&flow.error);
  close_runtime (runtime);
}

/* --- streams that go one way --------------------------------------------------------------------------------- */

static TractorGlibStream *
open_one_way (TractorGlibActor *actor, GVariant *kwargs)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  TractorGlibStream *stream;

  tractor_glib_actor_open_stream_async (actor, "test:generate", kwargs, NULL, on_ready, &result);
  stream = tractor_glib_actor_open_stream_finish (actor, wait_for (&result), &error);
  g_assert_no_error (error);
  return stream;
}

/* Returns: the number that has come; -1 at the end, or with @error set. */
static gint64
receive_number (TractorGlibStream *stream, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GVariant) item = NULL;

  tractor_glib_stream_receive_async (stream, NULL, on_ready, &result);
  if (!tractor_glib_stream_receive_finish (stream, wait_for (&result), &item, error))
    return -1;
  return g_variant_get_int64 (item);
}

static void
test_one_way (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibStream) stream =
      open_one_way (actor, g_variant_new_parsed ("{'n': <int64 2>}"));
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  tractor_glib_stream_send_async (stream, NULL, NULL, on_ready, &result);
  g_assert_false (tractor_glib_stream_send_finish (stream, wait_for (&result), &error));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_MISUSE);
  g_assert_cmpint (receive_number (stream, &error), ==, 0);
  g_assert_cmpint (receive_number (stream, &error), ==, 1);
  for (int i = 0; i < 2; i++) { /* the end stays */
    g_assert_cmpint (receive_number (stream, &error), ==, -1);
    g_assert_no_error (error);
  }
  close_runtime (runtime);
}

static void
test_one_way_fails (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibStream) stream =
      open_one_way (actor, g_variant_new_parsed ("{'n': <int64 1>, 'then': <'fail'>}"));
  GError *error = NULL;

  g_assert_cmpint (call_add (actor, 1, 2, NULL), ==, 3); /* meanwhile it has */
  g_assert_cmpint (receive_number (stream, &error), ==, 0);
  g_assert_cmpint (receive_number (stream, &error), ==, -1);
  assert_paper_is_out (&error);
  close_runtime (runtime);
}

static void
test_one_way_refused (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  tractor_glib_actor_open_stream_async (actor, "test:count", NULL, NULL, on_ready, &result);
  g_assert_null (tractor_glib_actor_open_stream_finish (actor, wait_for (&result), &error));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_MISUSE);
  close_runtime (runtime);
}

/* Closed, or dropped, it cancels its function. */
static void
test_one_way_closed (void)
{
  for (int is_dropped = 0; is_dropped < 2; is_dropped++) {
    g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
    g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
    TractorGlibStream *stream =
        open_one_way (actor, g_variant_new_parsed ("{'n': <int64 1>, 'then': <'wait'>}"));
    GError *error = NULL;

    if (is_dropped) {
      g_object_unref (stream);
      wait_until_counted (actor, "test:cancelled");
    } else {
      tractor_glib_stream_close (stream);
      wait_until_counted (actor, "test:cancelled");
      g_assert_cmpint (receive_number (stream, &error), ==, -1);
      harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_CLOSED);
      g_object_unref (stream);
    }
    close_runtime (runtime);
  }
}

/* With one that is open. */
static void
test_one_way_and_close (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibStream) stream =
      open_one_way (actor, g_variant_new_parsed ("{'then': <'wait'>}"));
  g_autoptr (GAsyncResult) result = NULL;
  GVariant *item = NULL;
  GError *error = NULL;

  tractor_glib_stream_receive_async (stream, NULL, on_ready, &result);
  close_runtime (runtime);
  g_assert_false (tractor_glib_stream_receive_finish (stream, wait_for (&result), &item, &error));
  harness_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* What nobody asks for any more goes with the object. */
static void
test_rest_dropped (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  TractorGlibContext *context =
      open_context (actor, "test:fail_later", g_variant_new_parsed ("{'n': <int64 3>}"));
  TractorGlibStream *stream = open_stream (context);
  g_autoptr (GAsyncResult) result = NULL;
  GVariant *item = NULL;
  GError *error = NULL;

  tractor_glib_stream_send_async (stream, NULL, NULL, NULL, NULL);
  wait_until_failed (actor);
  tractor_glib_stream_close (stream);
  tractor_glib_stream_receive_async (stream, NULL, on_ready, &result);
  g_assert_false (tractor_glib_stream_receive_finish (stream, wait_for (&result), &item, &error));
  g_assert_null (item);
  assert_paper_is_out (&error);
  g_clear_object (&result); /* which holds the stream */
  g_object_add_weak_pointer (G_OBJECT (context), (gpointer *) &context);
  g_object_unref (context);
  g_object_unref (stream);
  g_assert_null (context);
  close_runtime (runtime);
}

static void
test_receive_ends (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibContext) context = open_context (actor, "test:count", NULL);
  g_autoptr (TractorGlibStream) stream = open_stream (context);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GVariant) last = NULL;
  GVariant *item = NULL;
  GError *error = NULL;

  tractor_glib_stream_receive_async (stream, NULL, on_ready, &result);
  g_assert_false (tractor_glib_stream_receive_finish (stream, wait_for (&result), &item, &error));
  g_assert_no_error (error);
  g_clear_object (&result);
  last = wait_for_context (context, &error);
  g_assert_cmpstr (g_variant_get_string (last, NULL), ==, "counted");
  tractor_glib_stream_send_async (stream, NULL, NULL, on_ready, &result);
  g_assert_false (tractor_glib_stream_send_finish (stream, wait_for (&result), &error));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_CLOSED);
  close_runtime (runtime);
}

static void
test_receive_cancelled (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibContext) context = open_context (actor, "test:double", NULL);
  g_autoptr (TractorGlibStream) stream = open_stream (context);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GAsyncResult) other = NULL;
  GVariant *item = NULL;
  GError *error = NULL;

  tractor_glib_stream_receive_async (stream, cancellable, on_ready, &result);
  turn ();
  g_cancellable_cancel (cancellable);
  g_assert_false (tractor_glib_stream_receive_finish (stream, wait_for (&result), &item, &error));
  harness_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

  tractor_glib_stream_receive_async (stream, NULL, on_ready, &other);
  tractor_glib_context_cancel (context);
  g_assert_false (tractor_glib_stream_receive_finish (stream, wait_for (&other), &item, &error));
  harness_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (wait_for_context (context, &error));
  g_assert_no_error (error);
  close_runtime (runtime);
}

typedef struct {
  gint64 n;
  gboolean is_finished;
} Flow;

static void
on_message (TractorGlibStream *stream, GVariant *item, gpointer data)
{
  Flow *flow = data;

  g_assert_null (tractor_guest_get_current ());
  g_assert_cmpint (g_variant_get_int64 (item), ==, flow->n++);
  if (flow->n == 10)
    tractor_glib_stream_set_flowing (stream, FALSE);
}

static void
on_finished (G_GNUC_UNUSED TractorGlibStream *stream, const GError *error, gpointer data)
{
  g_assert_no_error (error);
  ((Flow *) data)->is_finished = TRUE;
}

/* Stopped in between, no item is lost; and while it flows nobody need hold it. */
static void
test_flow (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  TractorGlibContext *context =
      open_context (actor, "test:count", g_variant_new_parsed ("{'n': <int64 100>}"));
  TractorGlibStream *stream = open_stream (context);
  Flow flow = { 0 };

  g_signal_connect (stream, "message", G_CALLBACK (on_message), &flow);
  g_signal_connect (stream, "finished", G_CALLBACK (on_finished), &flow);
  tractor_glib_stream_set_flowing (stream, TRUE);
  while (flow.n < 10)
    turn ();
  g_assert_cmpint (call_add (actor, 1, 1, NULL), ==, 2); /* turns enough for more */
  g_assert_cmpint (flow.n, ==, 10);
  tractor_glib_stream_set_flowing (stream, TRUE);
  g_object_unref (stream);
  g_object_unref (context);
  while (!flow.is_finished)
    turn ();
  g_assert_cmpint (flow.n, ==, 100);
  close_runtime (runtime);
}

/* --- what is dropped ---------------------------------------------------------------------------------------- */

static void
test_drop_child (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  TractorGlibActor *actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibActor) again = NULL;

  g_object_unref (actor);
  again = g_list_model_get_item (G_LIST_MODEL (runtime), 0);
  g_assert_true (again == actor);
  g_assert_cmpint (call_add (again, 1, 1, NULL), ==, 2);
  close_runtime (runtime);
}

static void
test_drop_runtime (void)
{
  guint before = count_descriptors ();
  TractorGlibRuntime *runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");

  g_object_unref (runtime);
  while (count_descriptors () > before)
    turn ();
  g_assert_false (tractor_glib_actor_get_alive (actor));
  g_assert_false (is_there (tractor_glib_actor_get_pid (actor)));
}

static void
test_drop_at_once (void)
{
  guint before = count_descriptors ();

  g_object_unref (tractor_glib_runtime_new (NULL));
  while (count_descriptors () > before)
    turn ();
}

static void
test_drop_context (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  TractorGlibContext *context = open_context (actor, "test:double", NULL);
  TractorGlibStream *stream = open_stream (context);

  g_object_unref (context); /* which the stream holds */
  g_assert_cmpint (call_add (actor, 1, 1, NULL), ==, 2);
  g_object_unref (stream);
  g_assert_cmpint (call_add (actor, 1, 2, NULL), ==, 3);
  close_runtime (runtime);
}

/* The other end sees that nothing will come any more, before the context is left. */
static void
test_drop_stream (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibContext) context = open_context (actor, "test:double", NULL);

  g_object_unref (open_stream (context));
  wait_until_counted (actor, "test:doubled");
  close_runtime (runtime);
}

/* What is in line goes first, and all of it, however much the other end sends meanwhile. */
static void
test_closed_behind_sends (void)
{
  const gint64 n = 10000; /* more than there is room for, there and back */
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (TractorGlibContext) context = open_context (actor, "test:count_items", NULL);
  g_autoptr (TractorGlibStream) stream = open_stream (context);
  g_autoptr (GAsyncResult) received = NULL;
  g_autoptr (GAsyncResult) last = NULL;
  g_autoptr (GAsyncResult) late = NULL;
  g_autoptr (GVariant) count = NULL;
  GVariant *item = NULL;
  GError *error = NULL;

  tractor_glib_stream_receive_async (stream, NULL, on_ready, &received);
  for (gint64 i = 0; i < n; i++)
    tractor_glib_stream_send_async (stream, g_variant_new_int64 (i), NULL,
                                    i == n - 1 ? on_ready : NULL, i == n - 1 ? &last : NULL);
  tractor_glib_stream_close (stream);
  tractor_glib_stream_send_async (stream, NULL, NULL, on_ready, &late);
  count = wait_for_context (context, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int64 (count), ==, n);
  g_assert_true (tractor_glib_stream_send_finish (stream, wait_for (&last), &error));
  g_assert_no_error (error);
  g_assert_false (tractor_glib_stream_receive_finish (stream, wait_for (&received), &item, &error));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_CLOSED);
  g_assert_false (tractor_glib_stream_send_finish (stream, wait_for (&late), &error));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_CLOSED);
  close_runtime (runtime);
}

static void
test_drop_found (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (TractorGlibActor) actor = spawn (runtime, "worker");
  g_autoptr (GAsyncResult) result = NULL;
  TractorGlibActor *found;

  tractor_glib_runtime_find_async (runtime, "worker", NULL, on_ready, &result);
  found = tractor_glib_runtime_find_finish (runtime, wait_for (&result), NULL);
  g_assert_cmpint (call_add (found, 1, 1, NULL), ==, 2);
  g_clear_object (&result);
  g_object_unref (found);
  g_assert_cmpint (call_add (actor, 1, 2, NULL), ==, 3);
  close_runtime (runtime);
}

/* Refused before anything has run. */
static void
test_spawn_bad_name (void)
{
  g_autoptr (TractorGlibRuntime) runtime = tractor_glib_runtime_new (NULL);
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;

  tractor_glib_runtime_spawn_async (runtime, "a/b", NULL, OBJECTS_CHILD, NULL, on_ready, &result);
  g_assert_null (tractor_glib_runtime_spawn_finish (runtime, wait_for (&result), &error));
  harness_assert_error (error, TRACTOR_GLIB_ERROR, TRACTOR_GLIB_ERROR_MISUSE);
  close_runtime (runtime);
}

static void
start_worker_of_gio (void)
{
  g_type_ensure (G_TYPE_TASK);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_set_prepare (start_worker_of_gio);

  harness_add ("/objects/call", test_call);
  harness_add ("/objects/remote-error", test_remote_error);
  harness_add ("/objects/tree", test_tree);
  harness_add_glib_task ("/objects/node-in-a-task", test_node_in_task);
  harness_add ("/objects/tree-of-one-that-is-dropped", test_tree_dropped);
  harness_add ("/objects/launcher-properties", test_launcher_properties);
  harness_add ("/objects/launch", test_launch);
  harness_add ("/objects/launch-fails", test_launch_fails);
  harness_add ("/objects/launch-with-restarts", test_launch_restarted);
  harness_add ("/objects/export", test_export);
  harness_add ("/objects/export-and-close", test_export_and_close);
  harness_add ("/objects/files-that-are-closed-at-once", test_files_that_are_closed_at_once);
  harness_add ("/objects/files-that-cannot-be-kept", test_files_that_cannot_be_kept);
  harness_add ("/objects/addresses", test_addresses);
  harness_add ("/objects/bad-address", test_bad_address);
  harness_add ("/objects/closed-comes-last", test_closed_comes_last);
  harness_add ("/objects/found-ends", test_found_ends);
  harness_add ("/objects/close-cancelled", test_close_cancelled);
  harness_add ("/objects/spawn-many", test_spawn_many);
  harness_add ("/objects/spawn-cancelled", test_spawn_cancelled);
  harness_add ("/objects/spawn-bad-name", test_spawn_bad_name);
  harness_add ("/objects/child-dies-and-the-others-live", test_killed);
  harness_add ("/objects/call-of-one-that-was-cancelled", test_call_of_one_cancelled);
  harness_add ("/objects/gone-when-its-cancel-is-answered", test_gone_when_cancelled);
  harness_add ("/objects/context-fails", test_context_fails);
  harness_add ("/objects/open-stream-says-how-it-failed", test_open_stream_says_how_it_failed);
  harness_add ("/objects/stream-says-how-it-failed", test_stream_says_how_it_failed);
  harness_add ("/objects/flow-says-how-it-failed", test_flow_says_how_it_failed);
  harness_add ("/objects/one-way", test_one_way);
  harness_add ("/objects/one-way-fails", test_one_way_fails);
  harness_add ("/objects/one-way-refused", test_one_way_refused);
  harness_add ("/objects/one-way-closed", test_one_way_closed);
  harness_add ("/objects/one-way-and-runtime-closed", test_one_way_and_close);
  harness_add ("/objects/dropped-with-items-left", test_rest_dropped);
  harness_add ("/objects/stream-ends", test_receive_ends);
  harness_add ("/objects/receive-cancelled", test_receive_cancelled);
  harness_add ("/objects/flow-stopped-and-held", test_flow);
  harness_add ("/objects/dropped-child-lives", test_drop_child);
  harness_add ("/objects/dropped-runtime-ends-all", test_drop_runtime);
  harness_add ("/objects/dropped-at-once", test_drop_at_once);
  harness_add ("/objects/dropped-context-ends", test_drop_context);
  harness_add ("/objects/dropped-stream-is-closed", test_drop_stream);
  harness_add ("/objects/closed-behind-sends", test_closed_behind_sends);
  harness_add ("/objects/dropped-found-is-disconnected", test_drop_found);

  return harness_run ();
}
