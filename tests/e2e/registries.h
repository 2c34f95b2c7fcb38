/* registries.h - trees that find each other: a runtime at a registry of its own, and a second program that opens
 * one too. The second program is the test's own, started with --daemon. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "served.h"

static inline TractorRuntime *
open_at (const char *registry, const TractorModule *modules, GError **error)
{
  const char *registries[] = { registry, NULL };

  return tractor_runtime_open (
      &(TractorRuntimeOptions){ .registry_addresses = registries, .modules = modules }, error);
}

static inline guint
count_actors (const char *name, GError **error)
{
  g_autoptr (GPtrArray) infos = tractor_list_actors (name, error);

  g_assert_no_error (*error);
  return infos->len;
}

/* Served: calls whoami of the actor called "name", from there. */
static inline gboolean
ask_other (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  const char *name = "";
  g_autoptr (TractorPortal) portal = NULL;

  g_variant_lookup (kwargs, "name", "&s", &name);
  portal = tractor_wait_for_actor (name, tractor_now () + 10 * SECOND, error);
  return portal != NULL && tractor_portal_call (portal, "test:whoami", NULL, ret_result, error);
}

/* --- in the second program --------------------------------------------------------------------------- */

/* --daemon NAME REGISTRY: says "ready" once it can be found. */
typedef struct {
  const char *name;
  const char *registry;
  const TractorModule *modules;
  TractorTaskFunc body; /* (nullable): instead of what says that it can be found */
} DaemonArgs;

static inline gboolean
say_ready (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorPortal) self = NULL;

  while (self == NULL) {
    self = tractor_find_actor (data, error);
    g_clear_error (error); /* there is no runtime yet */
    if (!tractor_sleep_until (tractor_now () + SECOND / 500, error))
      return FALSE;
  }
  g_print ("ready\n");
  fflush (stdout);
  return TRUE;
}

static inline gboolean
run_daemon_program (gpointer data, GError **error)
{
  DaemonArgs *args = data;
  const char *registries[] = { args->registry, NULL };
  TractorRuntimeOptions options = { .name = args->name,
                                    .registry_addresses = registries,
                                    .modules = args->modules };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int signal_number = -1;

  if (args->body == NULL) {
    tractor_nursery_spawn (nursery, "ready", say_ready, (gpointer) args->name, NULL, error);
    tractor_run_daemon (&options, &signal_number, error);
  } else if (!tractor_run_daemon_with (&options, args->body, NULL, &signal_number, error)) {
    return FALSE;
  }
  g_print ("ended by %d\n", signal_number);
  return tractor_nursery_join (nursery, error);
}

static inline gboolean
is_daemon (int argc, char **argv)
{
  return argc == 4 && strcmp (argv[1], "--daemon") == 0;
}

static inline int
daemon_main (char **argv, const TractorModule *modules, TractorTaskFunc body)
{
  DaemonArgs args = { argv[2], argv[3], modules, body };
  g_autoptr (GError) error = NULL;

  if (tractor_run (run_daemon_program, &args, &error))
    return EXIT_SUCCESS;
  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}

/* --- in the first ------------------------------------------------------------------------------------ */

typedef struct {
  TractorEvent *ready;
  int signal_number;
  gint pid;
} Daemon;

static inline void
on_line (const char *line, G_GNUC_UNUSED gsize length, gpointer data)
{
  Daemon *daemon = data;

  if (strcmp (line, "ready") == 0)
    tractor_event_set (daemon->ready);
  sscanf (line, "ended by %d", &daemon->signal_number);
}

/* Starts it in @nursery, and returns when it can be found. */
static inline void
start_daemon (Daemon *daemon, TractorNursery *nursery, const char *name, const char *registry)
{
  const char *argv[] = { "/proc/self/exe", "--daemon", name, registry, NULL };
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  GError *error = NULL;

  argv[0] = self;
  *daemon = (Daemon){ .ready = tractor_event_new (), .signal_number = -1 };
  tractor_nursery_start_process (nursery, argv,
                                 &(TractorProcessOptions){ .on_stdout = on_line, .data = daemon },
                                 &daemon->pid, &error);
  g_assert_no_error (error);
  g_assert_true (tractor_event_wait (daemon->ready, NULL));
}
