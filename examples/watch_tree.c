/* watch_tree.c - a tree of actors as it is now, and each time something has changed.
 *
 *   watch_tree [ADDRESS NAME]
 *
 * Without arguments it grows a small tree of its own, and ends when that is whole. With the address of a
 * registrar and the name of an actor, such as a daemon, it shows what that one has below it, until it ends. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>

#define N_LEVELS 2
#define N_ACTORS 7 /* in the whole tree */

/* How long to wait for an actor that is not there yet. */
#define PATIENCE (5 * G_USEC_PER_SEC)

/* --- growing: in this process and in the actors ---------------------------------------------------- */

typedef struct {
  TractorActorNursery *actors;
  const char *name;
  gint64 levels; /* below it */
} Branch;

/* A task: starts an actor, and has it grow on, which does not end. */
static gboolean
grow_branch (gpointer data, GError **error)
{
  Branch *branch = data;
  g_autoptr (TractorPortal) actor =
      tractor_actor_nursery_start (branch->actors, branch->name, NULL, error);

  return actor != NULL &&
         tractor_portal_call (actor, "tree:grow",
                              g_variant_new_parsed ("{'levels': <%x>}", branch->levels), NULL,
                              error);
}

static gboolean
grow_levels (gint64 levels, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  Branch left = { actors, "left", levels - 1 };
  Branch right = { actors, "right", levels - 1 };
  {
    g_autoptr (TractorNursery) branches = tractor_nursery_open ();

    if (actors != NULL && levels > 0) {
      tractor_nursery_spawn (branches, "left", grow_branch, &left, NULL, error);
      tractor_nursery_spawn (branches, "right", grow_branch, &right, NULL, error);
    }
    if (actors != NULL)
      tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
    tractor_nursery_join (branches, error);
  }
  return actors != NULL && tractor_actor_nursery_join (actors, error);
}

static gboolean
grow (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  gint64 levels = 0;

  g_variant_lookup (kwargs, "levels", "x", &levels);
  return grow_levels (levels, error);
}

static const TractorExport exports[] = { { "grow", TRACTOR_EXPORT_CALL, .call = grow }, { 0 } };
static const TractorModule modules[] = { { "tree", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* --- watching -------------------------------------------------------------------------------------- */

/* Returns: FALSE when there is no more to see. */
static gboolean
show (const TractorTreeEntry *entries,
      gsize n_entries,
      gpointer wants_all,
      G_GNUC_UNUSED GError **error)
{
  static const char *const states[] = { "boots", "runs", "starts again", "ends" };
  gboolean is_whole = n_entries == N_ACTORS;

  for (gsize i = 0; i < n_entries; i++) {
    g_print ("%*s%s, process %d, %s\n", (int) entries[i].depth * 2, "", entries[i].name,
             entries[i].pid, states[entries[i].state]);
    is_whole = is_whole && entries[i].state == TRACTOR_ACTOR_RUNNING;
  }
  g_print ("--\n");
  return wants_all != NULL || !is_whole;
}

static gboolean
grow_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  return grow_levels (N_LEVELS, error);
}

static gboolean
watch_own (GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (NULL, error);
  g_autoptr (TractorNursery) growth = NULL;

  if (runtime == NULL)
    return FALSE;
  growth = tractor_nursery_open ();
  tractor_nursery_spawn (growth, "growth", grow_all, NULL, NULL, error);
  tractor_watch_tree (NULL, show, NULL, error);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (growth), "it has been seen");
  return tractor_nursery_join (growth, error);
}

static gboolean
watch_other (const char *address, const char *name, GError **error)
{
  const TractorRuntimeOptions options = { .name = "watch_tree",
                                          .registry_addresses = (const char *[]){ address, NULL } };
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&options, error);
  g_autoptr (TractorPortal) actor = NULL;

  if (runtime == NULL)
    return FALSE;
  actor = tractor_wait_for_actor (name, tractor_now () + PATIENCE, error);
  return actor != NULL && tractor_watch_tree (actor, show, actor, error);
}

static gboolean
watch (gpointer data, GError **error)
{
  char **arguments = data;

  return arguments[0] == NULL ? watch_own (error) : watch_other (arguments[0], arguments[1], error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (argc != 1 && argc != 3) {
    g_printerr (
        "usage: watch_tree [ADDRESS NAME]\nADDRESS is where the registrar is: unix:/PATH or "
        "tcp://HOST:PORT.\n");
    return 2;
  }
  if (tractor_run (watch, argv + 1, &error))
    return EXIT_SUCCESS;
  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}
