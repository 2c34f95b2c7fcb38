/* service_discovery.c - a program that serves, and others that find it by its name.
 *
 *   service_discovery serve ADDRESS      serves as "greeter" until Ctrl-C or SIGTERM
 *   service_discovery ask ADDRESS NAME   waits for an actor of that name, and asks it who it is
 *
 * ADDRESS is where the registrar is: unix:/tmp/registry.sock, tcp://127.0.0.1:1616. Nobody starts a
 * registrar: whichever program comes first is it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long to wait for an actor that is not there yet. */
#define PATIENCE (5 * G_USEC_PER_SEC)

typedef struct {
  const char *registries[2];
  const char *name;  /* that is asked for */
  int signal_number; /* that ended us, or 0 */
} Arguments;

/* Runs in the program that serves. */
static gboolean
introduce (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_printf ("process %d, called '%s', %s registrar", (int) getpid (),
                                      tractor_actor_get_name (),
                                      tractor_actor_is_registrar () ? "the" : "not the");
  return TRUE;
}

static const TractorExport exports[] = { { "introduce", TRACTOR_EXPORT_CALL, .call = introduce },
                                         { 0 } };
static const TractorModule modules[] = { { "greeter", exports }, { 0 } };

static gboolean
serve (gpointer data, GError **error)
{
  Arguments *arguments = data;
  TractorRuntimeOptions options = {
    .name = "greeter",
    .registry_addresses = arguments->registries,
    .modules = modules,
  };

  return tractor_run_daemon (&options, &arguments->signal_number, error);
}

static gboolean
ask (gpointer data, GError **error)
{
  Arguments *arguments = data;
  TractorRuntimeOptions options = {
    .name = "asker",
    .registry_addresses = arguments->registries,
  };
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&options, error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (GVariant) answer = NULL;

  if (runtime == NULL)
    return FALSE;
  portal = tractor_wait_for_actor (arguments->name, tractor_now () + PATIENCE, error);
  if (portal == NULL || !tractor_portal_call (portal, "greeter:introduce", NULL, &answer, error))
    return FALSE;
  g_print ("%s answers: %s\n", tractor_portal_get_name (portal),
           g_variant_get_string (answer, NULL));
  return TRUE;
}

int
main (int argc, char **argv)
{
  Arguments arguments = { { argc > 2 ? argv[2] : NULL, NULL }, argc > 3 ? argv[3] : NULL, 0 };
  gboolean is_serve = argc == 3 && strcmp (argv[1], "serve") == 0;
  gboolean is_ask = argc == 4 && strcmp (argv[1], "ask") == 0;
  g_autoptr (GError) error = NULL;

  if (!is_serve && !is_ask) {
    g_printerr ("usage: %s serve ADDRESS | ask ADDRESS NAME\n", argv[0]);
    return 2;
  }
  if (!tractor_run (is_serve ? serve : ask, &arguments, &error)) {
    g_printerr ("%s\n", error->message);
    return EXIT_FAILURE;
  }
  return arguments.signal_number == 0 ? EXIT_SUCCESS : 128 + arguments.signal_number;
}
