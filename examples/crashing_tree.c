/* crashing_tree.c - a tree of four actors, one of which crashes: something to debug (docs/debugging.md).
 *
 * A shop has a till and a printer. The printer has no tray for what it is given, and has not thought of that. What one sees without
 * looking is the error that arrives here: which actor died, by what, in which task. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>

/* --- in the actors ------------------------------------------------------------------------------- */

typedef struct {
  int sheets;
} Tray;

static const Tray *
find_tray (const char *paper)
{
  static const Tray a4 = { 500 };

  return g_strcmp0 (paper, "A4") == 0 ? &a4 : NULL;
}

static int
take_sheet (const char *paper)
{
  const Tray *tray = find_tray (paper);

  return tray->sheets - 1;
}

static gboolean
print_receipt (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  const char *paper = "A4";

  g_variant_lookup (kwargs, "paper", "&s", &paper);
  *ret_result = g_variant_new_int64 (take_sheet (paper));
  return TRUE;
}

static gboolean
open_shop (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) till = NULL;
  g_autoptr (TractorPortal) printer = NULL;

  if (actors == NULL)
    return FALSE;
  till = tractor_actor_nursery_start (actors, "till", NULL, error);
  printer = till != NULL ? tractor_actor_nursery_start (actors, "printer", NULL, error) : NULL;
  if (printer == NULL ||
      !tractor_portal_call (printer, "shop:print_receipt",
                            g_variant_new_parsed ("{'paper': <'roll'>}"), ret_result, error))
    return FALSE;
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

static const TractorExport shop_exports[] = { { "open", TRACTOR_EXPORT_CALL, .call = open_shop },
                                              { "print_receipt", TRACTOR_EXPORT_CALL,
                                                .call = print_receipt },
                                              { 0 } };
static const TractorModule modules[] = { { "shop", shop_exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* --- here ---------------------------------------------------------------------------------------- */

static gboolean
run (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GVariant) left = NULL;

  return tractor_run_in_actor ("shop", NULL, "shop:open", NULL, &left, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (tractor_run (run, NULL, &error))
    return 0;
  g_printerr ("%s\n", error->message);
  return 1;
}
