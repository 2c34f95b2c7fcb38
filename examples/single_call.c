/* single_call.c - the smallest useful program: one function, called in another process. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>
#include <unistd.h>

/* Runs in the actor. */
static gboolean
add (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  gint64 a;
  gint64 b;

  if (!g_variant_lookup (kwargs, "a", "x", &a) || !g_variant_lookup (kwargs, "b", "x", &b)) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "add() needs integers a and b");
    return FALSE;
  }
  *ret_result = g_variant_new_parsed ("{'sum': <%x>, 'pid': <%i>}", a + b, getpid ());
  return TRUE;
}

static const TractorExport math_exports[] = { { "add", TRACTOR_EXPORT_CALL, .call = add }, { 0 } };
static const TractorModule modules[] = { { "math", math_exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* Runs here. */
static gboolean
ask (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GVariant) result = NULL;
  g_autofree char *text = NULL;

  if (!tractor_run_in_actor (
          "adder", NULL, "math:add",
          g_variant_new_parsed ("{'a': <%x>, 'b': <%x>}", (gint64) 40, (gint64) 2), &result, error))
    return FALSE;
  text = g_variant_print (result, FALSE);
  g_print ("process %d got %s\n", getpid (), text);
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (!tractor_run (ask, NULL, &error)) {
    g_printerr ("%s\n", error->message);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
