/* visit.c - what is done among the actors of this user, as one of them.
 *
 * It is in no tree, so what the environment asks of actors is not meant for it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "visit.h"

#include "trace-files.h"
#include "tractor-actor.h"
#include "tractor-builtin.h"

typedef struct {
  gboolean (*func) (gpointer data, GError **error);
  gpointer data;
} Visit;

static gboolean
run_as_actor (gpointer data, GError **error)
{
  const Visit *visit = data;
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .name = "tractor", .without_address = TRUE }, error);

  return runtime != NULL && visit->func (visit->data, error);
}

gboolean
visit (gboolean (*func) (gpointer data, GError **error), gpointer data, GError **error)
{
  Visit visit = { func, data };

  g_unsetenv (TRACE_VARIABLE);
  return tractor_run (run_as_actor, &visit, error);
}
