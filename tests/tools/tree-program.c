/* tree-program.c - a tree for others to look at: it says "ready" when all of it is there, and stays until it is ended.
 *
 *   tree-program [--daemon] [--tcp] [--width N] [--levels N] [--tasks N] [--python SCRIPT] [WHAT...]
 *
 * WHAT there is besides: the last actor that the root has started "spins", "blocks" or "streams" to it; in the root, a task
 * whose name "escapes", one that is "cancelled", and shielded, or one that waits for a lock that another "holds"; and the root may be "undumpable", or it "ends" at once. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tractor-builtin.h"
#include "tractor.h"

static gboolean is_daemon;
static gboolean is_tcp;
static gint width = 1;
static gint levels;
static gint n_tasks;
static char *python;
static char **rest;

static const GOptionEntry options[] = {
  { "daemon", 0, 0, G_OPTION_ARG_NONE, &is_daemon, NULL, NULL },
  { "tcp", 0, 0, G_OPTION_ARG_NONE, &is_tcp, NULL, NULL },
  { "width", 0, 0, G_OPTION_ARG_INT, &width, NULL, NULL },
  { "levels", 0, 0, G_OPTION_ARG_INT, &levels, NULL, NULL },
  { "tasks", 0, 0, G_OPTION_ARG_INT, &n_tasks, NULL, NULL },
  { "python", 0, 0, G_OPTION_ARG_FILENAME, &python, NULL, NULL },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &rest, NULL, NULL },
  { 0 },
};

static gboolean
is_wanted (const char *what)
{
  return rest != NULL && g_strv_contains ((const char *const *) rest, what);
}

/* --- in each actor ------------------------------------------------------------------------------- */

/* Named for what is to be found in its stack. */
static gboolean __attribute__ ((noinline))
sleep_for_ever (G_GNUC_UNUSED gpointer data, GError **error)
{
  gboolean ok = tractor_sleep_until (TRACTOR_NO_DEADLINE, error);

  return ok;
}

static volatile guint64 n_turns;

static gboolean __attribute__ ((noinline)) spin (void)
{
  for (;;)
    n_turns++;
  return TRUE;
}

static gboolean
spins (G_GNUC_UNUSED GVariant *kwargs,
       G_GNUC_UNUSED GVariant **ret_result,
       G_GNUC_UNUSED GError **error)
{
  return spin ();
}

static gboolean __attribute__ ((noinline)) block (void)
{
  char byte;
  int ends[2];

  return pipe (ends) == 0 && read (ends[0], &byte, 1) == 1;
}

static gboolean
blocks (G_GNUC_UNUSED GVariant *kwargs,
        G_GNUC_UNUSED GVariant **ret_result,
        G_GNUC_UNUSED GError **error)
{
  return block ();
}

static gboolean
streams (TractorStream *stream, G_GNUC_UNUSED GVariant *kwargs, GError **error)
{
  for (gint64 n = 0;; n++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (n), error) ||
        !tractor_sleep_until (tractor_now () + 1000, error))
      return FALSE;
}

/* --- growing ------------------------------------------------------------------------------------- */

/* An actor with so many levels below it, until it is cancelled. */
typedef struct {
  TractorPortal *portal;
  TractorContext *context;
} Branch;

static gboolean
start_branch (TractorActorNursery *actors,
              const char *name,
              gint n_levels,
              Branch *ret_branch,
              GError **error)
{
  ret_branch->portal = tractor_actor_nursery_start (actors, name, NULL, error);
  if (ret_branch->portal == NULL)
    return FALSE;
  if (n_levels > 1)
    ret_branch->context = tractor_portal_open_context (
        ret_branch->portal, "tree:grow",
        g_variant_new_parsed ("{'width': <%i>, 'levels': <%i>}", width, n_levels - 1), NULL, NULL,
        error);
  return *error == NULL;
}

static void
end_branch (Branch *branch)
{
  g_autoptr (GError) ignored = NULL;

  if (branch->context != NULL) {
    tractor_context_cancel (branch->context);
    tractor_context_join (branch->context, NULL, &ignored);
    tractor_context_close (branch->context);
  }
  tractor_portal_unref (branch->portal);
}

/* Branches, and then @when_grown, until cancelled. */
static gboolean
grow_here (gint n_levels,
           gboolean (*when_grown) (GPtrArray *portals, gpointer data, GError **error),
           gpointer data,
           GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autofree Branch *branches = g_new0 (Branch, (gsize) width);
  g_autoptr (GPtrArray) portals = g_ptr_array_new ();
  gboolean ok = actors != NULL;

  for (gint i = 0; ok && n_levels > 0 && i < width; i++) {
    g_autofree char *name = g_strdup_printf ("%s.%d", tractor_actor_get_name (), i + 1);

    ok = start_branch (actors, name, n_levels, &branches[i], error);
    g_ptr_array_add (portals, branches[i].portal);
  }
  if (ok && python != NULL) {
    TractorPortal *portal = tractor_actor_nursery_start (
        actors, "snake", &(TractorSpawnOptions){ .program = python, .is_python = TRUE }, error);

    ok = portal != NULL;
    tractor_portal_unref (portal);
  }
  if (ok && when_grown (portals, data, error))
    sleep_for_ever (NULL, error);
  if (actors != NULL)
    tractor_actor_nursery_cancel (
        actors); /* first, for one that is stuck does not end its context */
  for (gint i = 0; i < width; i++)
    end_branch (&branches[i]);
  return actors != NULL && tractor_actor_nursery_join (actors, error);
}

static gboolean
say_started (G_GNUC_UNUSED GPtrArray *portals, gpointer context, GError **error)
{
  return tractor_context_started (context, NULL, error);
}

static gboolean
grow (TractorContext *context,
      GVariant *kwargs,
      G_GNUC_UNUSED GVariant **ret_result,
      GError **error)
{
  gint64 given_width = 1;
  gint64 given_levels = 0;

  g_variant_lookup (kwargs, "width", "x", &given_width);
  g_variant_lookup (kwargs, "levels", "x", &given_levels);
  width = (gint) given_width;
  return grow_here ((gint) given_levels, say_started, context, error);
}

static const TractorExport exports[] = {
  { "grow", TRACTOR_EXPORT_CONTEXT, .context = grow },
  { "spins", TRACTOR_EXPORT_CALL, .call = spins },
  { "blocks", TRACTOR_EXPORT_CALL, .call = blocks },
  { "streams", TRACTOR_EXPORT_STREAM, .stream = streams },
  { 0 },
};
static const TractorModule modules[] = { { "tree", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* --- in the root --------------------------------------------------------------------------------- */

typedef struct {
  TractorNursery *nursery;
} Root;

typedef struct {
  TractorPortal *portal;
  const char *function;
} Stuck;

/* It does not come back. */
static gboolean
call_stuck (gpointer data, GError **error)
{
  Stuck *stuck = data;

  return tractor_portal_call (stuck->portal, stuck->function, NULL, NULL, error);
}

static gboolean
listen_to (gpointer portal, GError **error)
{
  g_autoptr (TractorStream) stream =
      tractor_portal_open_stream (portal, "tree:streams", NULL, NULL, error);
  GVariant *item;

  while (stream != NULL && tractor_stream_receive (stream, &item, error))
    g_variant_unref (item);
  return FALSE;
}

static gboolean
wait_in_scopes (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) outer =
      tractor_cancel_scope_open (tractor_now () + 1000 * G_USEC_PER_SEC);
  g_autoptr (TractorCancelScope) inner = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (inner, TRUE);
  tractor_cancel_scope_cancel (outer, "the paper is out");
  return sleep_for_ever (NULL, error);
}

static TractorLock *lock; /* for good */

static gboolean
hold_for_ever (G_GNUC_UNUSED gpointer data, GError **error)
{
  if (!tractor_lock_acquire (lock, error))
    return FALSE;
  sleep_for_ever (NULL, error);
  tractor_lock_release (lock);
  return FALSE;
}

static gboolean
fill (GPtrArray *portals, gpointer data, GError **error)
{
  Root *root = data;
  TractorPortal *last = portals->len > 0 ? portals->pdata[portals->len - 1] : NULL;

  for (gint i = 0; i < n_tasks; i++) {
    g_autofree char *name = g_strdup_printf ("sleeper-%d", i);

    tractor_nursery_spawn (root->nursery, name, sleep_for_ever, NULL, NULL, error);
  }
  if (is_wanted ("escapes"))
    tractor_nursery_spawn (root->nursery, "\033[31mred\"\xff", sleep_for_ever, NULL, NULL, error);
  if (is_wanted ("cancelled"))
    tractor_nursery_spawn (root->nursery, "printer", wait_in_scopes, NULL, NULL, error);
  if (is_wanted ("holds")) {
    lock = tractor_lock_new ();
    tractor_nursery_spawn (root->nursery, "first", hold_for_ever, NULL, NULL, error);
    tractor_nursery_spawn (root->nursery, "second", hold_for_ever, NULL, NULL, error);
  }
  if (last != NULL && is_wanted ("spins"))
    tractor_nursery_spawn (root->nursery, "caller", call_stuck,
                           g_memdup2 (&(Stuck){ last, "tree:spins" }, sizeof (Stuck)), g_free,
                           error);
  if (last != NULL && is_wanted ("blocks"))
    tractor_nursery_spawn (root->nursery, "caller", call_stuck,
                           g_memdup2 (&(Stuck){ last, "tree:blocks" }, sizeof (Stuck)), g_free,
                           error);
  if (last != NULL && is_wanted ("streams"))
    tractor_nursery_spawn (root->nursery, "listener", listen_to, last, NULL, error);
  if (is_wanted ("undumpable"))
    prctl (PR_SET_DUMPABLE, 0);
  if (*error != NULL || !tractor_wait_all_tasks_blocked (0, error))
    return FALSE;
  puts ("ready");
  fflush (stdout);
  return !is_wanted ("ends");
}

static gboolean
be_root (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Root root = { nursery };

  grow_here (levels, fill, &root, error);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error);
}

static gboolean
run (G_GNUC_UNUSED gpointer data, GError **error)
{
  const TractorRuntimeOptions runtime_options = { .transport = is_tcp ? "tcp" : NULL };
  g_autoptr (TractorRuntime) runtime = NULL;

  if (is_daemon)
    return tractor_run_daemon_with (&runtime_options, be_root, NULL, NULL, error);
  runtime = tractor_runtime_open (&runtime_options, error);
  return runtime != NULL && be_root (NULL, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  int status;

  /* Also where a kernel lets only who has started it read its memory. */
  prctl (PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  g_option_context_add_main_entries (context, options, NULL);
  if (g_option_context_parse (context, &argc, &argv, &error) && tractor_run (run, NULL, &error))
    return EXIT_SUCCESS;
  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}
