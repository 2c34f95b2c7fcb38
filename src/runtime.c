/* runtime.c - what this process is in the tree: who it is, and what it serves.
 *
 * There is one runtime in a run. It is lexical: whoever opens it closes it, after every actor
 * nursery in it. A first actor nursery without one opens one for itself; in a spawned actor,
 * child.c has opened it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "runtime.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"

static const char key; /* its address is the key in the run's locals */

TractorRuntime *
tractor__runtime_get (GError **error)
{
  TractorRuntime *runtime = tractor_run_local_get (&key);

  if (runtime == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME,
                         "No actor runtime is open here");
  return runtime;
}

void
tractor__runtime_set (TractorRuntime *runtime)
{
  tractor_run_local_set (&key, runtime);
}

void
tractor__runtime_init (TractorRuntime *runtime, const ActorId *id, guint depth)
{
  memset (runtime, 0, sizeof *runtime);
  actor_id_copy (id, &runtime->id);
  runtime->depth = depth;
  runtime->spawn_method = &tractor__spawn_by_exec;
  runtime->credit = (Credit){ LIMIT_STREAM_ITEMS, LIMIT_STREAM_BYTES };
}

void
tractor__runtime_clear (TractorRuntime *runtime)
{
  actor_id_clear (&runtime->id);
  actor_id_clear (&runtime->stopped_by);
  g_clear_pointer (&runtime->enabled_modules, g_strfreev);
  g_clear_pointer (&runtime->stop, tractor_event_free);
}

TractorRuntime *
tractor_runtime_open (const TractorRuntimeOptions *options, GError **error)
{
  g_autofree char *uuid = g_uuid_string_random ();
  const char *name = options != NULL && options->name != NULL ? options->name : "root";
  TractorRuntime *runtime;

  if (!tractor_in_task ()) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A runtime can only be opened inside a task");
    return NULL;
  }
  if (tractor__runtime_get (NULL) != NULL) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A runtime is already open in this run");
    return NULL;
  }
  if (secure_getenv (CHILD_VARIABLE) != NULL) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "This process was spawned as an actor, but its main() does not begin "
                         "with tractor_child_main()");
    return NULL;
  }

  runtime = g_new (TractorRuntime, 1);
  tractor__runtime_init (runtime, &(ActorId){ (char *) name, uuid }, 0);
  if (options != NULL && options->without_credit)
    runtime->credit = (Credit){ 0 };
  tractor__runtime_set (runtime);
  return runtime;
}

void
tractor_runtime_close (TractorRuntime *runtime)
{
  if (runtime == NULL)
    return;

  g_return_if_fail (runtime->n_nurseries == 0);
  tractor__runtime_set (NULL);
  tractor__runtime_clear (runtime);
  g_free (runtime);
}

const char *
tractor_actor_get_name (void)
{
  TractorRuntime *runtime = tractor__runtime_get (NULL);

  return runtime != NULL ? runtime->id.name : NULL;
}

const char *
tractor_actor_get_uuid (void)
{
  TractorRuntime *runtime = tractor__runtime_get (NULL);

  return runtime != NULL ? runtime->id.uuid : NULL;
}

const TractorExport *
tractor__runtime_find_export (TractorRuntime *runtime, const Msg *start)
{
  const TractorModule *module = runtime->modules;
  const TractorExport *entry;

  while (module != NULL && module->name != NULL &&
         !tractor__msg_string_equals (start, FIELD_NS, module->name))
    module++;
  if (module == NULL || module->name == NULL)
    return NULL;
  if (runtime->enabled_modules != NULL &&
      !g_strv_contains ((const char *const *) runtime->enabled_modules, module->name))
    return NULL;

  for (entry = module->exports; entry->name != NULL; entry++)
    if (tractor__msg_string_equals (start, FIELD_FUNC, entry->name))
      return entry;
  return NULL;
}
