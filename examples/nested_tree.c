/* nested_tree.c - a tree of actors that prints itself, and fails on request.
 *
 * Each actor starts its children, asks each for its own branch, and returns the whole as text. With
 * --fail, the last leaf fails: its error travels up through every actor in between, and the whole
 * tree is gone when it arrives. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH   3 /* generations below the root */
#define BREADTH 2 /* children of each actor */

static gboolean
ask_child (TractorActorNursery *nursery,
           const char *name,
           gint64 depth,
           gboolean fail,
           GString *text,
           GError **error)
{
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (nursery, name, NULL, error);
  g_autoptr (GVariant) branch = NULL;

  if (portal == NULL ||
      !tractor_portal_call (portal, "tree:branch",
                            g_variant_new_parsed ("{'depth': <%x>, 'fail': <%b>}", depth, fail),
                            &branch, error))
    return FALSE;
  g_string_append (text, g_variant_get_string (branch, NULL));
  return TRUE;
}

/* Appends a line for each actor below this one. */
static gboolean
grow (gint64 depth, gboolean fail, GString *text, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  gboolean ok = TRUE;

  if (nursery == NULL)
    return FALSE;
  for (int i = 1; ok && i <= BREADTH; i++) {
    g_autofree char *name = g_strdup_printf ("%s.%d", tractor_actor_get_name (), i);

    ok = ask_child (nursery, name, depth - 1, fail && i == BREADTH, text, error);
  }
  if (ok)
    tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

/* Runs in every actor but the root. */
static gboolean
branch (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gint64 depth = 0;
  gboolean fail = FALSE;

  g_variant_lookup (kwargs, "depth", "x", &depth);
  g_variant_lookup (kwargs, "fail", "b", &fail);
  if (depth == 0 && fail) {
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "this leaf was told to fail");
    return FALSE;
  }
  g_string_printf (text, "%*s%s, process %d\n", (int) strlen (tractor_actor_get_name ()) - 4, "",
                   tractor_actor_get_name (), getpid ());
  if (depth > 0 && !grow (depth, fail, text, error))
    return FALSE;
  *ret_result = g_variant_new_string (text->str);
  return TRUE;
}

static const TractorExport tree_exports[] = { { "branch", TRACTOR_EXPORT_CALL, .call = branch },
                                              { 0 } };
static const TractorModule modules[] = { { "tree", tree_exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

static gboolean
grow_and_print (gpointer data, GError **error)
{
  const gboolean *fail = data;
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (NULL, error);
  g_autoptr (GString) text = g_string_new (NULL);

  if (runtime == NULL)
    return FALSE;
  g_string_printf (text, "root, process %d\n", getpid ());
  if (!grow (DEPTH, *fail, text, error))
    return FALSE;
  g_print ("%s", text->str);
  return TRUE;
}

int
main (int argc, char **argv)
{
  gboolean fail = argc == 2 && strcmp (argv[1], "--fail") == 0;
  g_autoptr (GError) error = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (argc > 1 && !fail) {
    g_printerr ("Usage: nested_tree [--fail]\n");
    return 2;
  }
  if (!tractor_run (grow_and_print, &fail, &error)) {
    g_autofree char *description = tractor_error_describe (error);

    g_printerr ("%s\n", description);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
