/* test-crowd.c - strangers who connect in crowds, slowly or for good, and who gets in all the same.
 *
 * The crowd is this process; who is honest is a child of it, and so another process. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "served.h"
#include "strangers.h"

/* --- what the actors serve --------------------------------------------------------------------------- */

/* Connects to the root anew. */
static gboolean
call_root (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorPortal) root = tractor_find_root (error);

  return root != NULL && tractor_portal_call (root, "test:echo", NULL, ret_result, error);
}

static Stranger slow;

/* Connects to "registry", and says nothing for now. */
static gboolean
begin_slowly (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  const char *registry = "";

  g_variant_lookup (kwargs, "registry", "&s", &registry);
  slow = stranger_connect (registry);
  return TRUE;
}

static gboolean
end_slowly (G_GNUC_UNUSED GVariant *kwargs,
            G_GNUC_UNUSED GVariant **ret_result,
            G_GNUC_UNUSED GError **error)
{
  stranger_introduce (&slow);
  stranger_call (&slow);
  shutdown (slow.fd, SHUT_WR);
  stranger_expect_end (&slow); /* it has been seen to go: strangers elsewhere have the same uuid */
  stranger_close (&slow);
  return TRUE;
}

static const TractorExport exports[] = {
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "call_root", TRACTOR_EXPORT_CALL, call_root },
  { "begin_slowly", TRACTOR_EXPORT_CALL, begin_slowly },
  { "end_slowly", TRACTOR_EXPORT_CALL, end_slowly },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- a root, and one who is honest ---------------------------------------------------------------------- */

typedef struct {
  char *registry;
  TractorRuntime *runtime;
  TractorActorNursery *nursery;
  TractorPortal *honest;
} Tree;

static Tree
open_tree (TractorLimits limits, GError **error)
{
  Tree tree = { .registry = make_free_address () };
  const char *registries[] = { tree.registry, NULL };

  tree.runtime = tractor_runtime_open (&(TractorRuntimeOptions){ .registry_addresses = registries,
                                                                 .modules = modules,
                                                                 .limits = &limits },
                                       error);
  g_assert_no_error (*error);
  tree.nursery = tractor_actor_nursery_open (error);
  tree.honest = tractor_actor_nursery_start (
      tree.nursery, "honest", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
  g_assert_no_error (*error);
  return tree;
}

static gboolean
close_tree (Tree *tree, GError **error)
{
  gboolean ok;

  tractor_portal_unref (tree->honest);
  tractor_actor_nursery_cancel (tree->nursery);
  ok = tractor_actor_nursery_join (tree->nursery, error);
  tractor_actor_nursery_close (tree->nursery);
  tractor_runtime_close (tree->runtime);
  g_free (tree->registry);
  return ok;
}

static void
let_honest (const Tree *tree, const char *function, GError **error)
{
  tractor_portal_call (tree->honest, function,
                       g_variant_new_parsed ("{'registry': <%s>}", tree->registry), NULL, error);
  g_assert_no_error (*error);
}

/* --- slow ones ----------------------------------------------------------------------------------------- */

#define N_SLOW 120 /* those that are not let in yet fit into the kernel's queue */

static guint n_turned_away;

/* Waits until it is turned away, and reads why. Returns: FALSE with CANCELLED */
static gboolean
wait_for_end (int fd, GByteArray *said, GError **error)
{
  guint8 bytes[4096];
  gssize n;

  while ((n = recv (fd, bytes, sizeof bytes, 0)) != 0) {
    if (n > 0)
      g_byte_array_append (said, bytes, (guint) n);
    else if (errno != EAGAIN)
      return TRUE;
    else if (!tractor_wait_fd (fd, G_IO_IN, NULL, error))
      return FALSE;
  }
  return TRUE;
}

/* Says a byte and no more, and comes back when it is turned away. */
static gboolean
be_slow (gpointer registry, GError **error)
{
  gboolean ok;

  do {
    Stranger stranger = stranger_connect (registry);

    g_assert_true (stranger_send (&stranger, "\x10", 1));
    ok = wait_for_end (stranger.fd, stranger.in, error);
    if (ok && memmem (stranger.in->data, stranger.in->len, "Too many others", 15) != NULL)
      n_turned_away++;
    stranger_close (&stranger);
  } while (ok && tractor_checkpoint (error));
  return FALSE;
}

static TractorNursery *
open_crowd (const Tree *tree, GError **error)
{
  TractorNursery *crowd = tractor_nursery_open ();

  n_turned_away = 0;
  for (int i = 0; i < N_SLOW; i++)
    tractor_nursery_spawn (crowd, "slow", be_slow, tree->registry, NULL, error);
  while (n_turned_away < N_SLOW) { /* it is full, and goes round */
    g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 50, error));
  }
  return crowd;
}

static void
close_crowd (TractorNursery *crowd, GError **error)
{
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (crowd), NULL);
  tractor_nursery_join (crowd, error);
  g_assert_no_error (*error);
  tractor_nursery_close (crowd);
}

static gboolean
test_slow_strangers (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree ((TractorLimits){ 0 }, error);
  TractorNursery *crowd = open_crowd (&tree, error);
  gint64 started = tractor_now ();

  for (int i = 0; i < 5; i++)
    let_honest (&tree, "test:call_root", error);
  /* It was ten seconds and more. */
  g_assert_cmpint (tractor_now () - started, <, 3 * SECOND * harness_get_patience ());
  close_crowd (crowd, error);
  return close_tree (&tree, error);
}

/* The one process has 63 or so, the other one: that one keeps its place. */
static gboolean
test_the_crowd_gives_way (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree ((TractorLimits){ 0 }, error);
  TractorNursery *crowd;

  let_honest (&tree, "test:begin_slowly", error);
  crowd = open_crowd (&tree, error);
  let_honest (&tree, "test:end_slowly", error);
  close_crowd (crowd, error);
  return close_tree (&tree, error);
}

/* While there is room, whoever is slow is let alone. */
static gboolean
test_slow_without_a_crowd (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree ((TractorLimits){ .half_open = 4 }, error);
  Stranger others[3];

  let_honest (&tree, "test:begin_slowly", error);
  for (int i = 0; i < 3; i++)
    others[i] = stranger_connect (tree.registry);
  g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 5, error));
  let_honest (&tree, "test:end_slowly", error);
  for (int i = 0; i < 3; i++) {
    stranger_introduce (&others[i]);
    stranger_call (&others[i]);
    stranger_close (&others[i]);
  }
  return close_tree (&tree, error);
}

/* --- many ---------------------------------------------------------------------------------------------- */

#define N_CONNECTIONS 17 /* the link to the child is one of them */

/* Those who have said who they are, and stay. */
static gboolean
test_share_of_a_process (G_GNUC_UNUSED gpointer data, GError **error)
{
  Tree tree = open_tree ((TractorLimits){ .connections = N_CONNECTIONS }, error);
  Stranger strangers[N_CONNECTIONS / 2];

  for (guint i = 0; i < G_N_ELEMENTS (strangers); i++) {
    strangers[i] = stranger_open (tree.registry);
    stranger_call (&strangers[i]);
  }
  g_assert_null (tractor_connect (tree.registry, error));
  g_assert_nonnull (strstr ((*error)->message, "connections from this process"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  let_honest (&tree, "test:call_root", error);
  stranger_call (&strangers[0]);
  for (guint i = 0; i < G_N_ELEMENTS (strangers); i++)
    stranger_close (&strangers[i]);
  for (;;) { /* when it has seen that */
    g_autoptr (TractorPortal) portal = tractor_connect (tree.registry, error);

    if (portal != NULL)
      break;
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  }
  return close_tree (&tree, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);
  add_on_sockets ("/e2e/crowd/%s/R-10-slow-strangers", test_slow_strangers);
  harness_add_real_task ("/e2e/crowd/unix/R-10-the-crowd-gives-way", test_the_crowd_gives_way);
  add_on_sockets ("/e2e/crowd/%s/R-10-slow-without-a-crowd", test_slow_without_a_crowd);
  harness_add_real_task ("/e2e/crowd/unix/share-of-a-process", test_share_of_a_process);
  return harness_run ();
}
