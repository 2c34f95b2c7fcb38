/* test-identity.c - who is who: names, uuids and addresses that are others'.
 *
 * A thief is an actor of this tree, and so another process, that opens bare sockets and says over them
 * what it is told to. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "strangers.h"

/* --- what is said by hand ---------------------------------------------------------------------------- */

/* Says who it is: of another make, for it counts nothing. */
static void
say_who (Stranger *stranger, const char *name, const char *uuid)
{
  g_autofree char *text =
      g_strdup_printf ("{'msg_type': <'Aid'>, 'name': <'%s'>, 'uuid': <'%s'>}", name, uuid);

  stranger_say (stranger, text);
}

/* (transfer full): the text of what is heard: "ok", that of an Error, or "closed". */
static char *
hear_answer (Stranger *stranger)
{
  for (;;) {
    g_autoptr (GBytes) body = stranger_hear (stranger);
    g_autofree char *type = body != NULL ? bytes_find (body, "\xa8msg_type") : NULL;

    if (body == NULL)
      return g_strdup ("closed");
    if (strcmp (type, "Return") == 0)
      return g_strdup (bytes_contain (body, "pld\xc0") ? "ok" : "something");
    if (strcmp (type, "Error") == 0)
      return bytes_find (body, "\xa7message");
  }
}

/* Asks something of the registrar. @address: (nullable). (transfer full): as hear_answer() */
static char *
ask_registrar (Stranger *stranger,
               const char *function,
               const char *name,
               const char *uuid,
               const char *address)
{
  g_autofree char *addr = NULL;
  g_autofree char *text = NULL;

  if (address != NULL && g_str_has_prefix (address, "unix:")) {
    g_autofree char *dir = g_path_get_dirname (address + strlen ("unix:"));
    g_autofree char *file = g_path_get_basename (address + strlen ("unix:"));

    addr = g_strdup_printf (", 'addr': <('%s', '%s')>", dir, file);
  } else if (address != NULL) {
    addr = g_strdup_printf (", 'addr': <('127.0.0.1', %s)>", strrchr (address, ':') + 1);
  }
  text = g_strdup_printf ("{'msg_type': <'Start'>, 'cid': <'1'>, 'ns': <'self'>, 'func': <'%s'>,"
                          " 'kwargs': <{'uid': <('%s', '%s')>%s}>, 'uid': <('%s', '%s')>}",
                          function, name, uuid, addr != NULL ? addr : "", name, uuid);
  stranger_say (stranger, text); /* if it is refused, it has been told why */
  return hear_answer (stranger);
}

static Stranger
open_as (const char *registry, const char *name, const char *uuid)
{
  Stranger stranger = stranger_connect (registry);

  say_who (&stranger, name, uuid);
  stranger_expect (&stranger, "Aid", NULL);
  return stranger;
}

/* Registers over a connection of its own, as a Python actor does. (transfer full): as hear_answer() */
static char *
register_once (const char *registry, const char *name, const char *uuid, const char *address)
{
  Stranger stranger = open_as (registry, name, uuid);
  char *answer = ask_registrar (&stranger, "register_actor", name, uuid, address);

  stranger_close (&stranger);
  return answer;
}

/* --- what the actors serve --------------------------------------------------------------------------- */

#define MAX_CONNECTIONS 80

static Stranger kept[MAX_CONNECTIONS];
static guint n_kept;

/* Connects as it is told, asks what it is told, and returns the answer. */
static gboolean
ask_as (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  const char *registry = "", *function = "", *name = "", *uuid = "", *address = NULL;
  gboolean keep = FALSE;
  Stranger stranger;

  g_variant_lookup (kwargs, "registry", "&s", &registry);
  g_variant_lookup (kwargs, "function", "&s", &function);
  g_variant_lookup (kwargs, "name", "&s", &name);
  g_variant_lookup (kwargs, "uuid", "&s", &uuid);
  g_variant_lookup (kwargs, "address", "&s", &address);
  g_variant_lookup (kwargs, "keep", "b", &keep);
  stranger = stranger_connect (registry);
  say_who (&stranger, name, uuid);
  *ret_result =
      g_variant_new_take_string (ask_registrar (&stranger, function, name, uuid, address));
  if (keep)
    kept[n_kept++] = stranger;
  else
    stranger_close (&stranger);
  return TRUE;
}

/* Listens at "address", and says to whoever comes that it is "name" and "uuid". */
static gboolean
answer_as (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  const char *name = "", *uuid = "", *address = "";
  Stranger stranger = { .in = g_byte_array_new () };
  int listener;
  gboolean ok;

  g_variant_lookup (kwargs, "name", "&s", &name);
  g_variant_lookup (kwargs, "uuid", "&s", &uuid);
  g_variant_lookup (kwargs, "address", "&s", &address);
  listener = stranger_socket (address, TRUE);
  ok = tractor_wait_fd (listener, G_IO_IN, NULL, error);
  stranger.fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  say_who (&stranger, name, uuid);
  stranger_expect_end (&stranger);
  stranger_close (&stranger);
  close (listener);
  unlink (address + strlen ("unix:"));
  return ok;
}

static gboolean
let_go (G_GNUC_UNUSED GVariant *kwargs,
        G_GNUC_UNUSED GVariant **ret_result,
        G_GNUC_UNUSED GError **error)
{
  while (n_kept > 0)
    stranger_close (&kept[--n_kept]);
  return TRUE;
}

static gboolean
whoami (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_take_string (own_id ());
  return TRUE;
}

/* Connects to the root twice, under its own name. */
static gboolean
find_root_twice (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorPortal) one = tractor_find_root (error);
  g_autoptr (TractorPortal) two = one != NULL ? tractor_find_root (error) : NULL;

  return two != NULL && tractor_portal_call (one, "test:whoami", NULL, NULL, error) &&
         tractor_portal_call (two, "test:whoami", NULL, ret_result, error);
}

static const TractorExport exports[] = {
  { "ask_as", TRACTOR_EXPORT_CALL, ask_as },
  { "answer_as", TRACTOR_EXPORT_CALL, answer_as },
  { "let_go", TRACTOR_EXPORT_CALL, let_go },
  { "whoami", TRACTOR_EXPORT_CALL, whoami },
  { "find_root_twice", TRACTOR_EXPORT_CALL, find_root_twice },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- a registrar with actors --------------------------------------------------------------------------- */

typedef struct {
  char *registry;
  TractorRuntime *runtime;
  TractorActorNursery *nursery;
  TractorPortal *honest;
  TractorPortal *thief;
} Tree;

static Tree
open_tree (GError **error)
{
  Tree tree = { .registry = make_free_address () };
  const char *registries[] = { tree.registry, NULL };
  TractorSpawnOptions options = { .host = harness_get_host ()->name,
                                  .on_death = TRACTOR_ON_DEATH_IGNORE };

  tree.runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .registry_addresses = registries, .modules = modules }, error);
  g_assert_no_error (*error);
  tree.nursery = tractor_actor_nursery_open (error);
  tree.honest = tractor_actor_nursery_start (tree.nursery, "honest", &options, error);
  tree.thief = tractor_actor_nursery_start (tree.nursery, "thief", &options, error);
  g_assert_no_error (*error);
  return tree;
}

static gboolean
close_tree (Tree *tree, GError **error)
{
  gboolean ok;

  tractor_portal_unref (tree->honest);
  tractor_portal_unref (tree->thief);
  tractor_actor_nursery_cancel (tree->nursery);
  ok = tractor_actor_nursery_join (tree->nursery, error);
  tractor_actor_nursery_close (tree->nursery);
  tractor_runtime_close (tree->runtime);
  g_free (tree->registry);
  return ok;
}

/* (transfer full): what the thief hears. @address: (nullable) */
static char *
let_thief_ask (const Tree *tree,
               const char *function,
               const char *name,
               const char *uuid,
               const char *address,
               gboolean keep)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer = NULL;
  GVariantDict kwargs;

  g_variant_dict_init (&kwargs, NULL);
  g_variant_dict_insert (&kwargs, "registry", "s", tree->registry);
  g_variant_dict_insert (&kwargs, "function", "s", function);
  g_variant_dict_insert (&kwargs, "name", "s", name);
  g_variant_dict_insert (&kwargs, "uuid", "s", uuid);
  g_variant_dict_insert (&kwargs, "keep", "b", keep);
  if (address != NULL)
    g_variant_dict_insert (&kwargs, "address", "s", address);
  tractor_portal_call (tree->thief, "test:ask_as", g_variant_dict_end (&kwargs), &answer, &error);
  g_assert_no_error (error);
  return g_variant_dup_string (answer, NULL);
}

static void
assert_thief_hears (const Tree *tree,
                    const char *function,
                    const char *name,
                    const char *uuid,
                    const char *address,
                    const char *answer)
{
  g_autofree char *heard = let_thief_ask (tree, function, name, uuid, address, FALSE);

  g_test_message ("%s, as %s: %s", function, name, heard);
  if (strstr (heard, answer) == NULL)
    g_assert_cmpstr (heard, ==, answer);
}

/* (transfer full): where an actor is that is called so, or NULL */
static char *
find_address (const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) infos = tractor_list_actors (name, &error);

  g_assert_no_error (error);
  return infos->len > 0 ? g_strdup (((TractorActorInfo *) infos->pdata[0])->addresses[0]) : NULL;
}

static void
assert_is_at (const char *name, const char *address)
{
  g_autofree char *found = find_address (name);

  g_assert_cmpstr (found, ==, address);
}

/* --- names ------------------------------------------------------------------------------------------- */

/* A child's, and the registrar's own. */
static gboolean
test_stolen_identity (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  const char *uuid = tractor_portal_get_uuid (tree.honest);
  g_autofree char *address = find_address ("honest");

  assert_thief_hears (&tree, "unregister_actor", "honest", uuid, NULL, "Another process is");
  assert_thief_hears (&tree, "unregister_actor", "nobody", uuid, NULL, "Another process is");
  assert_thief_hears (&tree, "register_actor", "root", tractor_actor_get_uuid (),
                      "unix:/tmp/x.sock", "Another process is");
  assert_is_at ("honest", address);
  assert_thief_hears (&tree, "unregister_actor", "new", "u-1", NULL, "ok");
  return close_tree (&tree, error);
}

typedef struct {
  const Tree *tree;
  const char *address;
} Answering;

static gboolean
let_thief_answer (gpointer data, GError **error)
{
  Answering *answering = data;

  return tractor_portal_call (
      answering->tree->thief, "test:answer_as",
      g_variant_new_parsed ("{'address': <%s>, 'name': <'honest'>, 'uuid': <%s>}",
                            answering->address, tractor_portal_get_uuid (answering->tree->honest)),
      NULL, error);
}

/* Nor does he get calls that are another's, when he is called. */
static gboolean
test_stolen_identity_of_a_listener (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  g_autofree char *address = make_free_address ();
  TractorNursery *tasks = tractor_nursery_open ();
  Answering answering = { &tree, address };

  tractor_nursery_spawn (tasks, "thief", let_thief_answer, &answering, NULL, error);
  do { /* until he listens */
    g_clear_error (error);
    g_assert_null (tractor_connect (address, error));
  } while (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
  g_assert_true (tractor_nursery_join (tasks, error));
  tractor_nursery_close (tasks);
  return close_tree (&tree, error);
}

/* An actor has as many connections as it wants, under its own name. */
static gboolean
test_own_identity_again (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  g_autofree char *self = own_id ();
  g_autofree char *honest = portal_id (tree.honest);
  g_autoptr (GVariant) answer = NULL;

  g_assert_true (tractor_portal_call (tree.honest, "test:find_root_twice", NULL, &answer, error));
  g_assert_cmpstr (g_variant_get_string (answer, NULL), ==, self);
  for (int i = 0; i < 2; i++) {
    g_autoptr (TractorPortal) self_portal = tractor_connect (tree.registry, error);
    g_autoptr (TractorPortal) found = tractor_find_actor ("honest", error);
    g_autoptr (GVariant) id = NULL;

    g_assert_no_error (*error);
    g_assert_true (tractor_portal_call (self_portal, "test:whoami", NULL, NULL, error));
    g_assert_true (tractor_portal_call (found, "test:whoami", NULL, &id, error));
    g_assert_cmpstr (g_variant_get_string (id, NULL), ==, honest);
  }
  return close_tree (&tree, error);
}

/* One of another make, which is no child: its name is its process's, over whatever connection. */
static gboolean
test_first_process_holds (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  Stranger stranger = open_as (tree.registry, "python", "u-1");

  assert_thief_hears (&tree, "unregister_actor", "python", "u-1", NULL, "Another process is");
  {
    Stranger again = open_as (tree.registry, "python", "u-1");

    stranger_close (&again);
  }
  stranger_close (&stranger);
  for (;;) { /* once the registrar has seen that */
    g_autofree char *heard =
        let_thief_ask (&tree, "unregister_actor", "python", "u-1", NULL, FALSE);

    if (strcmp (heard, "ok") == 0)
      break;
  }
  return close_tree (&tree, error);
}

/* Over TCP nothing tells two connections of such an actor apart from a thief's; but while the one is there
 * over which it has registered, another does not speak for it. */
static gboolean
test_first_connection_holds (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  g_autofree char *address = make_free_address ();
  Stranger stranger = open_as (tree.registry, "python", "u-1");
  g_autofree char *answer = ask_registrar (&stranger, "register_actor", "python", "u-1", address);

  g_assert_cmpstr (answer, ==, "ok");
  assert_thief_hears (&tree, "register_actor", "python", "u-1", "tcp://127.0.0.1:9",
                      "another connection");
  assert_thief_hears (&tree, "unregister_actor", "python", "u-1", NULL, "another connection");
  assert_is_at ("python", address);
  stranger_close (&stranger);
  for (;;) {
    g_autofree char *heard =
        let_thief_ask (&tree, "unregister_actor", "python", "u-1", NULL, FALSE);

    if (strcmp (heard, "ok") == 0)
      break;
  }
  assert_is_at ("python", NULL);
  return close_tree (&tree, error);
}

/* Its listing would be another's. */
static gboolean
test_uuid_with_a_dot (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  g_autofree char *uuid = g_strdup_printf ("x.%s", tractor_portal_get_uuid (tree.honest));

  assert_thief_hears (&tree, "register_actor", "thief", uuid, "unix:/tmp/x.sock",
                      "its name or uuid");
  return close_tree (&tree, error);
}

/* --- addresses --------------------------------------------------------------------------------------- */

static gboolean
test_stolen_address (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  g_autofree char *address = find_address ("honest");

  assert_thief_hears (&tree, "register_actor", "new", "u-1", address, "is the address of");
  assert_thief_hears (&tree, "register_actor", "new", "u-1", tree.registry, "is the address of");
  assert_is_at ("honest", address);
  assert_is_at ("root", tree.registry);
  assert_is_at ("new", NULL);
  return close_tree (&tree, error);
}

/* Who has entered an address before its owner does not keep that out. */
static gboolean
test_squatted_address (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  g_autofree char *address = make_free_address ();
  g_autofree char *heard = let_thief_ask (&tree, "register_actor", "new", "u-1", address, TRUE);
  g_autofree char *answer = NULL;
  int listener;

  g_assert_cmpstr (heard, ==, "ok");
  assert_is_at ("new", address);
  listener = stranger_socket (address, TRUE);
  answer = register_once (tree.registry, "owner", "u-2", address);
  g_assert_cmpstr (answer, ==, "ok");
  assert_is_at ("owner", address);
  assert_is_at ("new", NULL);
  assert_thief_hears (&tree, "register_actor", "new", "u-1", address, "is the address of");
  close (listener);
  unlink (address + strlen ("unix:"));
  return close_tree (&tree, error);
}

/* Who says that nobody is there is believed if it is so. */
static gboolean
test_strikes_off_where_nobody_is (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  g_autofree char *address = make_free_address ();
  g_autofree char *honest_at = find_address ("honest");
  int listener = stranger_socket (address, TRUE);
  g_autofree char *answer = register_once (tree.registry, "python", "u-1", address);

  g_assert_cmpstr (answer, ==, "ok");
  assert_thief_hears (&tree, "delete_addr", "new", "u-2", honest_at, "ok");
  assert_thief_hears (&tree, "delete_addr", "new", "u-2", tree.registry, "ok");
  assert_thief_hears (&tree, "delete_addr", "new", "u-2", address, "ok");
  assert_is_at ("honest", honest_at);
  assert_is_at ("root", tree.registry);
  assert_is_at ("python", address);
  close (listener);
  remove_socket (address);
  assert_thief_hears (&tree, "delete_addr", "new", "u-2", address, "something"); /* its id */
  assert_is_at ("python", NULL);
  return close_tree (&tree, error);
}

/* --- how long ------------------------------------------------------------------------------------------ */

/* The entry of an actor of another make stays when its connection has ended, and goes with its process. */
static gboolean
test_entry_goes_with_its_process (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  g_autofree char *address = make_free_address ();

  assert_thief_hears (&tree, "register_actor", "python", "u-1", address, "ok");
  assert_is_at ("python", address);
  kill (tractor_portal_get_pid (tree.thief), SIGKILL);
  g_assert_true (tractor_portal_wait_until_gone (tree.thief, error));
  assert_is_at ("python", NULL);
  return close_tree (&tree, error);
}

/* How often this thread has begun to sleep. */
static glong
count_rests (void)
{
  struct rusage usage;

  getrusage (RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

/* Whether each is still there is looked at, and not waited for. */
static gboolean
test_the_living_are_not_waited_for (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  g_autoptr (GPtrArray) infos = NULL;
  glong n_rests;

  for (int i = 0; i < 50; i++) {
    g_autofree char *uuid = g_strdup_printf ("u-%d", i);
    g_autofree char *address = g_strdup_printf ("tcp://127.0.0.1:%d", 10 + i);
    g_autofree char *answer = register_once (tree.registry, "python", uuid, address);

    g_assert_cmpstr (answer, ==, "ok");
  }
  n_rests = count_rests ();
  infos = tractor_list_actors ("python", error);
  n_rests = count_rests () - n_rests;
  g_assert_cmpuint (infos->len, ==, 50);
  g_assert_cmpint (n_rests, <, 25);
  return close_tree (&tree, error);
}

/* --- how many ------------------------------------------------------------------------------------------ */

static gboolean
test_quota_of_a_process (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  g_autofree char *refused = NULL;

  for (int i = 0; i < 62; i++) { /* and the root itself is one */
    g_autofree char *uuid = g_strdup_printf ("u-%d", i);
    g_autofree char *address = g_strdup_printf ("tcp://127.0.0.1:%d", 10 + i);
    g_autofree char *answer = register_once (tree.registry, "python", uuid, address);

    g_assert_cmpstr (answer, ==, "ok");
  }
  {
    g_autofree char *last = register_once (tree.registry, "python", "last", "tcp://127.0.0.1:8");

    g_assert_cmpstr (last, ==, "ok");
  }
  refused = register_once (tree.registry, "python", "more", "tcp://127.0.0.1:9");
  g_assert_nonnull (strstr (refused, "no room"));
  assert_thief_hears (&tree, "register_actor", "new", "other", "tcp://127.0.0.1:9", "ok");
  return close_tree (&tree, error);
}

/* Nor do those who come over TCP, enter much, and close their connections: they are looked for when there
 * are too many. */
static gboolean
test_quota_of_the_unwatched (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  g_autofree char *address = make_free_address ();
  int listener = stranger_socket (address, TRUE);
  g_autofree char *first = register_once (tree.registry, "listening", "u-l", address);
  g_autofree char *answer = NULL;
  g_autoptr (GPtrArray) infos = NULL;

  g_assert_cmpstr (first, ==, "ok");
  for (int i = 0; i < 1023; i++) {
    g_autofree char *uuid = g_strdup_printf ("u-%d", i);
    g_autofree char *nowhere = g_strdup_printf ("tcp://127.0.0.1:%d", 1 + i);
    g_autofree char *entered = register_once (tree.registry, "python", uuid, nowhere);

    g_assert_cmpstr (entered, ==, "ok");
  }
  answer = register_once (tree.registry, "late", "u-late", "tcp://127.0.0.1:2000");
  g_assert_cmpstr (answer, ==, "ok");
  assert_is_at ("late", "tcp://127.0.0.1:2000");
  assert_is_at ("listening", address);
  infos = tractor_list_actors ("python", error);
  g_assert_cmpuint (infos->len, <, 1000); /* some of these ports may be somebody's */
  close (listener);
  return close_tree (&tree, error);
}

#define N_WAITERS 1000

/* Those who wait for others are not asked whenever somebody comes. */
static gboolean
test_many_who_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree (error);
  Stranger waiting = open_as (tree.registry, "waiting", "u-1");
  gint64 cpu_usec;

  for (int i = 0; i < N_WAITERS; i++) {
    g_autofree char *text = g_strdup_printf (
        "{'msg_type': <'Start'>, 'cid': <'%d'>, 'ns': <'self'>, 'func': <'wait_for_actor'>,"
        " 'kwargs': <{'name': <'nobody-%d'>}>, 'uid': <('waiting', 'u-1')>}",
        i, i);

    stranger_say (&waiting, text);
    stranger_expect (&waiting, "StartAck", NULL);
  }
  cpu_usec = harness_get_cpu_usec ();
  for (int i = 0; i < 30; i++) {
    g_autofree char *uuid = g_strdup_printf ("p-%d", i);
    g_autofree char *address = g_strdup_printf ("tcp://127.0.0.1:%d", 10 + i);
    g_autofree char *answer = register_once (tree.registry, "python", uuid, address);

    g_assert_cmpstr (answer, ==, "ok");
  }
  cpu_usec = harness_get_cpu_usec () - cpu_usec;
  g_test_message ("%.0f usec for each that is registered", (double) cpu_usec / 30);
  g_assert_cmpint (cpu_usec / 30, <, 5000 * harness_get_slowness ()); /* it was 200,000 */
  {
    g_autofree char *late = register_once (tree.registry, "nobody-7", "p-x", "tcp://127.0.0.1:9");

    g_assert_cmpstr (late, ==, "ok");
  }
  stranger_expect (&waiting, "Return",
                   "\xa1"
                   "7");
  stranger_close (&waiting);
  return close_tree (&tree, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  add_on_sockets ("/e2e/identity/%s/S17-D-06-stolen-identity", test_stolen_identity);
  harness_add_real_task ("/e2e/identity/unix/S17-stolen-identity-of-a-listener",
                         test_stolen_identity_of_a_listener);
  add_on_sockets ("/e2e/identity/%s/S17-own-identity-again", test_own_identity_again);
  harness_add_real_task ("/e2e/identity/unix/D-06-first-process-holds", test_first_process_holds);
  harness_add_real_task ("/e2e/identity/tcp/D-06-first-connection-holds",
                         test_first_connection_holds);
  harness_add_real_task ("/e2e/identity/unix/uuid-with-a-dot", test_uuid_with_a_dot);
  add_on_sockets ("/e2e/identity/%s/S16-D-08-stolen-address", test_stolen_address);
  harness_add_real_task ("/e2e/identity/unix/D-08-squatted-address", test_squatted_address);
  add_on_sockets ("/e2e/identity/%s/D-08-strikes-off-where-nobody-is",
                  test_strikes_off_where_nobody_is);
  harness_add_real_task ("/e2e/identity/unix/D-05-entry-goes-with-its-process",
                         test_entry_goes_with_its_process);
  harness_add_real_task ("/e2e/identity/unix/the-living-are-not-waited-for",
                         test_the_living_are_not_waited_for);
  harness_add_real_task ("/e2e/identity/unix/quota-of-a-process", test_quota_of_a_process);
  harness_add_real_task ("/e2e/identity/tcp/quota-of-the-unwatched", test_quota_of_the_unwatched);
  harness_add_real_task ("/e2e/identity/unix/many-who-wait", test_many_who_wait);
  return harness_run ();
}
