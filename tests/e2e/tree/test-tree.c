/* test-tree.c - a tree of actors as it is watched: who is in it, how far each is, and that watching changes
 * nothing of how it ends. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>

#include "actors.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

/* Has a child called "name", which has "grandchild" if that is given, until it is told to go on. */
static gboolean
have_child (TractorContext *context,
            GVariant *kwargs,
            G_GNUC_UNUSED GVariant **ret_result,
            GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  const char *name = "";
  const char *grandchild = NULL;
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (TractorContext) below = NULL;
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;

  g_variant_lookup (kwargs, "name", "&s", &name);
  g_variant_lookup (kwargs, "grandchild", "&s", &grandchild);
  portal = tractor_actor_nursery_start (nursery, name, NULL, error);
  if (portal != NULL && grandchild != NULL)
    below = tractor_portal_open_context (portal, "test:have_child",
                                         g_variant_new_parsed ("{'name': <%s>}", grandchild), NULL,
                                         NULL, error);
  if (*error == NULL && tractor_context_started (context, NULL, error))
    stream = tractor_context_open_stream (context, error);
  while (stream != NULL && tractor_stream_receive (stream, &item, error))
    g_clear_pointer (&item, g_variant_unref);
  if (below != NULL) {
    tractor_context_cancel (below);
    tractor_context_join (below, NULL, error);
  }
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
never (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

typedef struct {
  const char *wanted;
  char *seen;
  gint pid; /* of the last entry */
} Picture;

/* "root a .b": a dot for each step down, and after each name what it is if it does not just run. */
static gboolean
is_as_wanted (const TractorTreeEntry *entries,
              gsize n_entries,
              gpointer data,
              G_GNUC_UNUSED GError **error)
{
  static const char *const states[] = { "?", "", "!", "-" };
  Picture *picture = data;
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < n_entries; i++) {
    if (i > 0)
      g_string_append_c (text, ' ');
    for (guint depth = 1; depth < entries[i].depth; depth++)
      g_string_append_c (text, '.');
    g_string_append_printf (text, "%s%s", entries[i].name, states[entries[i].state]);
    if (entries[i].n_restarts > 0)
      g_string_append_printf (text, "+%u", entries[i].n_restarts);
  }
  picture->pid = entries[n_entries - 1].pid;
  g_free (picture->seen);
  picture->seen = g_string_free (text, FALSE);
  return !g_str_equal (picture->seen, picture->wanted);
}

/* Waits until the tree looks like that. @portal: (nullable). Returns: the process of the last in it. */
static gint
wait_until_tree_is (TractorPortal *portal, const char *wanted)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + 10 * SECOND * harness_get_patience ());
  Picture picture = { .wanted = wanted };
  g_autoptr (GError) error = NULL;

  tractor_watch_tree (portal, is_as_wanted, &picture, &error);
  g_assert_cmpstr (picture.seen, ==, wanted);
  g_assert_no_error (error);
  g_free (picture.seen);
  return picture.pid;
}

static gboolean
see_roots_tree (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorPortal) root = tractor_find_root (error);
  const char *wanted = "";

  g_variant_lookup (kwargs, "wanted", "&s", &wanted);
  if (root == NULL)
    return FALSE;
  wait_until_tree_is (root, wanted);
  return TRUE;
}

static gboolean
count_tasks (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  TractorGuestStatistics statistics;

  tractor_guest_get_statistics (tractor_guest_get_current (), &statistics);
  *ret_result = g_variant_new_int64 (statistics.n_tasks);
  return TRUE;
}

static const TractorExport exports[] = {
  { "count_tasks", TRACTOR_EXPORT_CALL, count_tasks },
  { "have_child", TRACTOR_EXPORT_CONTEXT, .context = have_child },
  { "see_roots_tree", TRACTOR_EXPORT_CALL, see_roots_tree },
  { "never", TRACTOR_EXPORT_CALL, never },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- helpers -------------------------------------------------------------------------------------- */

static TractorPortal *
start (TractorActorNursery *nursery, const char *name, TractorOnDeath on_death, GError **error)
{
  TractorPortal *portal = tractor_actor_nursery_start (
      nursery, name,
      &(TractorSpawnOptions){ .host = harness_get_host ()->name, .on_death = on_death }, error);

  g_assert_no_error (*error);
  return portal;
}

static TractorContext *
make_have_child (TractorPortal *portal, const char *kwargs, GError **error)
{
  TractorContext *context = tractor_portal_open_context (
      portal, "test:have_child", g_variant_new_parsed (kwargs), NULL, NULL, error);

  g_assert_no_error (*error);
  return context;
}

typedef struct {
  TractorPortal *portal;
  const char *kwargs;
} Holder;

/* A task that makes it have one, until it is cancelled or the actor is gone. */
static gboolean
hold_child (gpointer data, G_GNUC_UNUSED GError **unused)
{
  Holder *holder = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (TractorContext) context = make_have_child (holder->portal, holder->kwargs, &error);

  tractor_sleep_until (TRACTOR_NO_DEADLINE, &error);
  tractor_context_join (context, NULL, &error);
  return TRUE;
}

static gboolean
end (TractorActorNursery *nursery, GError **error)
{
  tractor_actor_nursery_cancel (nursery);
  tractor_actor_nursery_join (nursery, error);
  assert_no_child_process ();
  return *error == NULL;
}

/* --- tests ------------------------------------------------------------------------------------------ */

static gboolean
test_alone (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime =
      tractor_runtime_open (&(TractorRuntimeOptions){ .name = "alone" }, error);

  g_assert_cmpint (wait_until_tree_is (NULL, "alone"), ==, getpid ());
  return TRUE;
}

static gboolean
test_grows_and_shrinks (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (TractorPortal) b = NULL;
  g_autoptr (TractorContext) context = NULL;

  g_assert_cmpint (wait_until_tree_is (NULL, "root a"), ==, tractor_portal_get_pid (a));
  b = start (nursery, "b", TRACTOR_ON_DEATH_FAIL, error);
  wait_until_tree_is (NULL, "root a b");
  context = make_have_child (a, "{'name': <'c'>, 'grandchild': <'d'>}", error);
  wait_until_tree_is (NULL, "root a .c ..d b");
  tractor_context_cancel (context);
  tractor_context_join (context, NULL, error);
  wait_until_tree_is (NULL, "root a b");
  g_assert_true (tractor_portal_cancel_actor (a, tractor_now () + 5 * SECOND, error));
  wait_until_tree_is (NULL, "root b");
  return end (nursery, error);
}

static gboolean
see_first (const TractorTreeEntry *entries, gsize n_entries, gpointer data, GError **error)
{
  is_as_wanted (entries, n_entries, data, error);
  return FALSE;
}

static gboolean
test_first_report_is_whole (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (TractorContext) context =
      make_have_child (a, "{'name': <'c'>, 'grandchild': <'d'>}", error);

  for (int i = 0; i < 3; i++) { /* also when nobody has watched for a while */
    Picture picture = { .wanted = "root a .c ..d" };

    g_assert_true (tractor_watch_tree (NULL, see_first, &picture, error));
    g_assert_cmpstr (picture.seen, ==, picture.wanted);
    g_free (picture.seen);
  }
  tractor_context_cancel (context);
  tractor_context_join (context, NULL, error);
  return end (nursery, error);
}

/* An actor that nobody watches any more has nothing left of it. */
static void
wait_until_nobody_watches (gsize n_tasks)
{
  gint64 give_up_at = tractor_now () + 2 * SECOND * harness_get_patience ();
  TractorGuestStatistics statistics;
  g_autoptr (GError) error = NULL;

  do {
    g_assert_cmpint (tractor_now (), <, give_up_at);
    g_assert_true (tractor_checkpoint (&error));
    tractor_guest_get_statistics (tractor_guest_get_current (), &statistics);
  } while (statistics.n_tasks > n_tasks);
}

/* What is known of an earlier watch is not taken for an answer. */
static gboolean
test_first_report_of_a_later_watch_is_whole (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (TractorContext) context = make_have_child (a, "{'name': <'c'>}", error);
  TractorGuestStatistics before;

  tractor_guest_get_statistics (tractor_guest_get_current (), &before);
  for (int i = 0; i < 3; i++) {
    Picture picture = { .wanted = "root a .c" };

    g_assert_true (tractor_watch_tree (NULL, see_first, &picture, error));
    g_assert_cmpstr (picture.seen, ==, picture.wanted);
    g_free (picture.seen);
    wait_until_nobody_watches (before.n_tasks);
  }
  tractor_context_cancel (context);
  tractor_context_join (context, NULL, error);
  return end (nursery, error);
}

static gint64
ask_for_tasks (TractorPortal *portal, GError **error)
{
  g_autoptr (GVariant) n_tasks = NULL;

  g_assert_true (tractor_portal_call (portal, "test:count_tasks", NULL, &n_tasks, error));
  return g_variant_get_int64 (n_tasks);
}

/* Where nobody watches any more, nothing is left that sends what nobody looks at. */
static gboolean
test_costs_nothing_afterwards (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (TractorPortal) b = start (nursery, "b", TRACTOR_ON_DEATH_FAIL, error);
  gint64 give_up_at = tractor_now () + 2 * SECOND * harness_get_patience ();
  gint64 before[2] = { ask_for_tasks (a, error), ask_for_tasks (b, error) };

  wait_until_tree_is (NULL, "root a b");
  while (ask_for_tasks (a, error) > before[0] || ask_for_tasks (b, error) > before[1])
    g_assert_cmpint (tractor_now (), <, give_up_at);
  return end (nursery, error);
}

static gboolean
watch_in_task (gpointer wanted, G_GNUC_UNUSED GError **error)
{
  wait_until_tree_is (NULL, wanted);
  return TRUE;
}

/* One watch, by several tasks, sees what happens while it goes on. */
static gboolean
test_while_it_changes (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorNursery) holders = tractor_nursery_open ();
  g_autoptr (TractorNursery) watchers = tractor_nursery_open ();
  g_autoptr (TractorPortal) a = NULL;

  for (int i = 0; i < 3; i++)
    tractor_nursery_spawn (watchers, NULL, watch_in_task, (gpointer) "root a .c", NULL, error);
  a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  tractor_nursery_spawn (holders, NULL, hold_child, &(Holder){ a, "{'name': <'c'>}" }, NULL, error);
  wait_until_tree_is (NULL, "root a .c");
  /* Each looks when it has slept for a while, and sees only what is still so then. */
  g_assert_true (tractor_nursery_join (watchers, error));
  g_clear_pointer (&watchers, tractor_nursery_close);
  g_clear_pointer (&holders, tractor_nursery_close);
  return end (nursery, error);
}

static gboolean
ignore (G_GNUC_UNUSED const TractorTreeEntry *entries,
        G_GNUC_UNUSED gsize n_entries,
        gpointer seen,
        G_GNUC_UNUSED GError **error)
{
  if (seen != NULL)
    tractor_event_set (seen);
  return TRUE;
}

static gboolean
watch_on (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_watch_tree (NULL, ignore, NULL, error);
}

static gboolean
test_restarted (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_RESTART, error);
  g_autoptr (TractorNursery) holders = tractor_nursery_open ();
  Holder holder = { a, "{'name': <'c'>}" };
  gint pid = wait_until_tree_is (NULL, "root a");

  tractor_nursery_spawn (holders, NULL, watch_on, NULL, NULL, error);
  kill (pid, SIGKILL);
  g_assert_cmpint (wait_until_tree_is (NULL, "root a+1"), !=, pid);
  /* And the new life is followed as the old one was. */
  tractor_nursery_spawn (holders, NULL, hold_child, &holder, NULL, error);
  wait_until_tree_is (NULL, "root a+1 .c");
  g_clear_pointer (&holders, tractor_nursery_close);
  return end (nursery, error);
}

/* It is told that it is ending, and then that it is gone. */
static gboolean
test_ending (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();

  wait_until_tree_is (NULL, "root a");
  tractor_nursery_spawn (tasks, NULL, watch_in_task, (gpointer) "root a-", NULL, error);
  kill (tractor_portal_get_pid (a), SIGSTOP); /* so that it takes its time */
  tractor_actor_nursery_cancel (nursery);
  g_assert_true (tractor_nursery_join (tasks, error));
  wait_until_tree_is (NULL, "root");
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE); /* had to be killed */
  return TRUE;
}

static gboolean
test_from_below (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);

  g_assert_true (tractor_portal_call (
      a, "test:see_roots_tree", g_variant_new_parsed ("{'wanted': <'root a'>}"), NULL, error));
  return end (nursery, error);
}

/* A grandchild that is stopped holds up neither the end of its parent nor that of the watch. */
static gboolean
test_stuck_below (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (TractorContext) context = make_have_child (a, "{'name': <'c'>}", error);
  gint pid = wait_until_tree_is (NULL, "root a .c");
  gint64 started;

  kill (pid, SIGSTOP);
  started = tractor_now ();
  wait_until_tree_is (NULL, "root a .c");
  wait_until_tree_is (a, "a c");
  g_assert_cmpint (tractor_now () - started, <, SECOND * harness_get_patience ());
  kill (pid, SIGCONT);
  tractor_context_cancel (context);
  tractor_context_join (context, NULL, error);
  return end (nursery, error);
}

/* --- who has answered ------------------------------------------------------------------------------- */

typedef struct {
  const char *wanted;
  char *seen;
} Views;

/* "wws": how much is known below each, in the order of the tree. */
static gboolean
has_wanted_views (const TractorTreeEntry *entries,
                  gsize n_entries,
                  gpointer data,
                  G_GNUC_UNUSED GError **error)
{
  Views *views = data;
  gboolean is_settled = TRUE;

  g_free (views->seen);
  views->seen = g_new0 (char, n_entries + 1);
  for (gsize i = 0; i < n_entries; i++) {
    g_assert_cmpint (entries[i].view, <=, TRACTOR_TREE_VIEW_PYTHON);
    views->seen[i] = "wasnp"[entries[i].view];
    is_settled = is_settled && entries[i].view != TRACTOR_TREE_VIEW_AWAITED;
  }
  return views->wanted != NULL ? !g_str_equal (views->seen, views->wanted) : !is_settled;
}

/* @wanted: NULL: as they are once the tree is settled. */
static void
assert_views (const char *wanted, const char *settled)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + 10 * SECOND * harness_get_patience ());
  Views views = { .wanted = wanted };
  g_autoptr (GError) error = NULL;

  tractor_watch_tree (NULL, has_wanted_views, &views, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (views.seen, ==, wanted != NULL ? wanted : settled);
  g_free (views.seen);
}

/* A tree comes to be settled, whoever is stuck in it, and says who that is; and who answers at last is no longer
 * silent. */
static gboolean
test_settled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (TractorPortal) b = start (nursery, "b", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (TractorContext) context =
      make_have_child (a, "{'name': <'c'>, 'grandchild': <'d'>}", error);
  gint pid = wait_until_tree_is (a, "a c .d");
  gint64 started;

  g_assert_no_error (*error);
  assert_views (NULL, "wwwww");
  kill (pid, SIGSTOP);
  started = tractor_now ();
  assert_views (NULL, "wwwsw");
  g_assert_cmpint (tractor_now () - started, <, 2 * SECOND * harness_get_patience ());
  kill (pid, SIGCONT);
  assert_views ("wwwww", NULL);
  tractor_context_cancel (context);
  tractor_context_join (context, NULL, error);
  return end (nursery, error);
}

/* Who watches on sees one that was silent come back. */
static gboolean
test_silent_one_comes_back (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (TractorNursery) watchers = tractor_nursery_open ();

  kill (tractor_portal_get_pid (a), SIGSTOP);
  tractor_nursery_spawn (watchers, NULL, watch_on, NULL, NULL, error);
  assert_views ("ws", NULL);
  assert_views (NULL, "ws"); /* and another that comes later need not wait again */
  kill (tractor_portal_get_pid (a), SIGCONT);
  assert_views ("ww", NULL);
  g_clear_pointer (&watchers, tractor_nursery_close);
  return end (nursery, error);
}

/* Before there were views, peers asked for less, and get that. */
static gboolean
test_without_views (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (TractorStream) stream = tractor_portal_open_stream (a, "self:tree", NULL, NULL, error);
  g_autoptr (GVariant) rows = NULL;
  const char *name;
  gint64 pid;

  g_assert_no_error (*error);
  g_assert_true (tractor_stream_receive (stream, &rows, error));
  g_assert_cmpstr (g_variant_get_type_string (rows), ==, "a(xssxxx)");
  g_variant_get_child (rows, 0, "(x&ssxxx)", NULL, &name, NULL, &pid, NULL, NULL);
  g_assert_cmpstr (name, ==, "a");
  g_assert_cmpint (pid, ==, tractor_portal_get_pid (a));
  g_clear_pointer (&stream, tractor_stream_close);
  return end (nursery, error);
}

/* --- whoever watches -------------------------------------------------------------------------------- */

typedef struct {
  TractorActorNursery *nursery;
  TractorPortal *child;
  guint n_calls;
} Slow;

static gboolean
look_slowly (G_GNUC_UNUSED const TractorTreeEntry *entries,
             gsize n_entries,
             gpointer data,
             GError **error)
{
  Slow *slow = data;

  slow->n_calls++;
  if (n_entries == 2)
    return FALSE;
  g_assert_null (slow->child);
  slow->child = start (slow->nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  return TRUE;
}

/* What has changed while the function was at it is told after that; states between are not. */
static gboolean
test_slow_watcher (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  Slow slow = { .nursery = nursery };

  g_assert_true (tractor_watch_tree (NULL, look_slowly, &slow, error));
  g_assert_cmpuint (slow.n_calls, ==, 2);
  tractor_portal_unref (slow.child);
  return end (nursery, error);
}

static gboolean
fail (G_GNUC_UNUSED const TractorTreeEntry *entries,
      G_GNUC_UNUSED gsize n_entries,
      G_GNUC_UNUSED gpointer data,
      GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no paper");
  return FALSE;
}

static gboolean
test_watcher_fails (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);

  g_assert_false (tractor_watch_tree (NULL, fail, NULL, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_false (tractor_watch_tree (a, fail, NULL, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  return end (nursery, error);
}

static gboolean
test_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_FAIL, error);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 10);

  g_assert_false (tractor_watch_tree (NULL, ignore, NULL, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_clear_pointer (&scope, tractor_cancel_scope_close);
  scope = tractor_cancel_scope_open (tractor_now () + SECOND / 10);
  g_assert_false (tractor_watch_tree (a, ignore, NULL, error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  return end (nursery, error);
}

static gboolean
watch_until_closed (gpointer seen, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (tractor_watch_tree (NULL, ignore, seen, &error));
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  return TRUE;
}

static gboolean
test_runtime_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();
  g_autoptr (TractorEvent) seen = tractor_event_new ();
  TractorRuntime *runtime = tractor_runtime_open (NULL, error);

  tractor_nursery_spawn (tasks, NULL, watch_until_closed, seen, NULL, error);
  g_assert_true (tractor_event_wait (seen, error));
  tractor_runtime_close (runtime);
  g_assert_true (tractor_nursery_join (tasks, error));
  g_assert_false (tractor_watch_tree (NULL, ignore, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  return TRUE;
}

/* The watch itself is no call of the program's. */
static gboolean
test_death_counts_the_programs_calls (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) a = start (nursery, "a", TRACTOR_ON_DEATH_IGNORE, error);
  g_autoptr (TractorNursery) watchers = tractor_nursery_open ();

  tractor_nursery_spawn (watchers, NULL, watch_on, NULL, NULL, error);
  wait_until_tree_is (NULL, "root a");
  kill (tractor_portal_get_pid (a), SIGKILL);
  g_assert_false (tractor_portal_call (a, "test:never", NULL, NULL, error));
  g_assert_nonnull (strstr ((*error)->message, ", with 1 call open"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_clear_pointer (&watchers, tractor_nursery_close);
  return end (nursery, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  harness_add_real_task ("/e2e/tree/alone", test_alone);
  harness_add_real_task ("/e2e/tree/grows-and-shrinks", test_grows_and_shrinks);
  harness_add_real_task ("/e2e/tree/first-report-is-whole", test_first_report_is_whole);
  harness_add_real_task ("/e2e/tree/first-report-of-a-later-watch-is-whole",
                         test_first_report_of_a_later_watch_is_whole);
  harness_add_real_task ("/e2e/tree/costs-nothing-afterwards", test_costs_nothing_afterwards);
  harness_add_real_task ("/e2e/tree/while-it-changes", test_while_it_changes);
  harness_add_real_task ("/e2e/tree/restarted", test_restarted);
  harness_add_real_task ("/e2e/tree/ending", test_ending);
  harness_add_real_task ("/e2e/tree/from-below", test_from_below);
  harness_add_real_task ("/e2e/tree/stuck-below", test_stuck_below);
  harness_add_real_task ("/e2e/tree/settled", test_settled);
  harness_add_real_task ("/e2e/tree/silent-one-comes-back", test_silent_one_comes_back);
  harness_add_real_task ("/e2e/tree/without-views", test_without_views);
  harness_add_real_task ("/e2e/tree/slow-watcher", test_slow_watcher);
  harness_add_real_task ("/e2e/tree/watcher-fails", test_watcher_fails);
  harness_add_real_task ("/e2e/tree/cancelled", test_cancelled);
  harness_add_real_task ("/e2e/tree/runtime-closed", test_runtime_closed);
  harness_add_real_task ("/e2e/tree/death-counts-the-programs-calls",
                         test_death_counts_the_programs_calls);
  return harness_run ();
}
