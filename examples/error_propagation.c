/* error_propagation.c - one of three actors fails, and what is left of that.
 *
 * Two actors watch something, for ever. The third has an actor of its own, which fails. That error
 * goes up through both, ends the siblings, and arrives here as one GError that still knows its code,
 * where it began and which way it came. When it is printed, all four processes are gone. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>

/* --- in the actors ------------------------------------------------------------------------------- */

static gboolean
watch (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
read_block (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_IO, "block 17 cannot be read");
  return FALSE;
}

/* An error of another actor is passed on like any other. */
static gboolean
inspect (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  return tractor_run_in_actor ("disk", NULL, "lab:read_block", NULL, ret_result, error);
}

static const TractorExport lab_exports[] = { { "watch", TRACTOR_EXPORT_CALL, .call = watch },
                                             { "read_block", TRACTOR_EXPORT_CALL,
                                               .call = read_block },
                                             { "inspect", TRACTOR_EXPORT_CALL, .call = inspect },
                                             { 0 } };
static const TractorModule modules[] = { { "lab", lab_exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* --- here ---------------------------------------------------------------------------------------- */

typedef struct {
  const char *actor;
  const char *function;
  TractorActorNursery *actors;
} Job;

/* A task for each actor. */
static gboolean
run_job (gpointer data, GError **error)
{
  Job *job = data;
  g_autoptr (TractorPortal) portal =
      tractor_actor_nursery_start (job->actors, job->actor, NULL, error);
  gboolean ok = portal != NULL && tractor_portal_call (portal, job->function, NULL, NULL, error);

  if (!ok && g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    g_print ("%s was cancelled\n", job->actor);
  return ok;
}

static gboolean
run_jobs (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorNursery) tasks = NULL;
  Job jobs[] = { { "watcher-1", "lab:watch", actors },
                 { "watcher-2", "lab:watch", actors },
                 { "inspector", "lab:inspect", actors } };

  if (actors == NULL)
    return FALSE;
  tasks = tractor_nursery_open ();
  for (guint i = 0; i < G_N_ELEMENTS (jobs); i++)
    if (!tractor_nursery_spawn (tasks, jobs[i].actor, run_job, &jobs[i], NULL, error))
      return FALSE;
  tractor_nursery_join (tasks, error);
  return tractor_actor_nursery_join (actors, error);
}

/* Groups have members, which may be groups. */
static void
print_remote (const GError *error)
{
  const GPtrArray *members = tractor_error_get_children (error);
  const TractorRemoteError *remote = tractor_error_get_remote (error);

  for (guint i = 0; members != NULL && i < members->len; i++)
    print_remote (members->pdata[i]);
  if (remote == NULL)
    return;
  g_print ("text:   %s\norigin: %s\n", error->message, remote->origin);
  for (const char *const *relay = remote->relays; *relay != NULL; relay++)
    g_print ("relay:  %s\n", *relay);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (tractor_run (run_jobs, NULL, &error))
    return EXIT_SUCCESS;
  print_remote (error);
  if (tractor_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_IO))
    g_print ("so it is the disk, two processes away\n");
  return EXIT_FAILURE;
}
