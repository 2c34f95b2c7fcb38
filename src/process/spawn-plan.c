/* spawn-plan.c - a copy of what somebody wants an actor to be started with.
 *
 * An actor may be started again long after whoever started it first has returned, so everything is
 * copied; descriptors too, if it is to be started again: the caller's may be closed by then. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "spawn-plan.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "address.h"
#include "log-level.h"

static char **
copy_strings (const char *const *strings)
{
  return g_strdupv ((char **) strings);
}

static gboolean
copy_fds (SpawnPlan *plan, GError **error)
{
  TractorSpawnOptions *options = &plan->options;
  TractorFdMapping *fds;

  fds = g_memdup2 (options->fds, options->n_fds * sizeof *options->fds);
  options->fds = fds;
  if (options->on_death != TRACTOR_ON_DEATH_RESTART)
    return TRUE;
  for (gsize i = 0; i < options->n_fds; i++) {
    int fd = fcntl (fds[i].here, F_DUPFD_CLOEXEC, 3);

    if (fd < 0) {
      g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
                   "cannot keep descriptor %d for an actor: %s", fds[i].here, g_strerror (errno));
      options->n_fds = i; /* those before are ours */
      return FALSE;
    }
    fds[i].here = fd;
  }
  return TRUE;
}

/* What is sent to the actor, and would not be read there. */
static gboolean
check_text (const char *what, const char *text, GError **error)
{
  g_autofree char *valid = NULL;

  if (text == NULL || g_utf8_validate (text, -1, NULL))
    return TRUE;
  valid = g_utf8_make_valid (text, -1);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "The %s \"%s\" is not UTF-8", what,
               valid);
  return FALSE;
}

static gboolean
check_modules (const char *const *modules, GError **error)
{
  for (; modules != NULL && *modules != NULL; modules++)
    if (!check_text ("module", *modules, error))
      return FALSE;
  return TRUE;
}

static gboolean
check (const TractorSpawnOptions *options, GError **error)
{
  if (options->is_python && options->program == NULL) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A Python actor needs a program: the interpreter");
    return FALSE;
  }
  return check_modules (options->modules, error) && check_text ("host", options->host, error) &&
         check_text ("log level", options->log_level, error) &&
         tractor__log_level_check (options->log_level, error);
}

SpawnPlan *
tractor__spawn_plan_new (const TractorSpawnOptions *given, GError **error)
{
  static const TractorSpawnOptions defaults;
  g_autoptr (SpawnPlan) plan = NULL;
  g_autoptr (GPtrArray) listen = NULL;
  TractorSpawnOptions *options;

  if (given == NULL)
    given = &defaults;
  listen = tractor__addresses_parse (given->listen_addresses, error);
  if (listen == NULL || !check (given, error))
    return NULL;
  plan = g_new (SpawnPlan, 1);
  plan->listen = g_steal_pointer (&listen);
  options = &plan->options;
  *options = *given;
  options->modules = (const char *const *) copy_strings (given->modules);
  options->host = g_strdup (given->host);
  options->program = g_strdup (given->program);
  options->argv = (const char *const *) copy_strings (given->argv);
  options->env = (const char *const *) copy_strings (given->env);
  options->cwd = g_strdup (given->cwd);
  options->listen_addresses = NULL; /* they are read */
  options->log_level = g_strdup (given->log_level);
  options->limits = g_memdup2 (given->limits, given->n_limits * sizeof *given->limits);
  return copy_fds (plan, error) ? g_steal_pointer (&plan) : NULL;
}

void
tractor__spawn_plan_free (SpawnPlan *plan)
{
  TractorSpawnOptions *options;

  if (plan == NULL)
    return;
  options = &plan->options;
  if (options->on_death == TRACTOR_ON_DEATH_RESTART)
    for (gsize i = 0; i < options->n_fds; i++)
      close (options->fds[i].here);
  g_strfreev ((char **) options->modules);
  g_strfreev ((char **) options->argv);
  g_strfreev ((char **) options->env);
  g_ptr_array_unref (plan->listen);
  g_free ((char *) options->host);
  g_free ((char *) options->program);
  g_free ((char *) options->cwd);
  g_free ((char *) options->log_level);
  g_free ((gpointer) options->fds);
  g_free ((gpointer) options->limits);
  g_free (plan);
}
