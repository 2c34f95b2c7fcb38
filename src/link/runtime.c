/* runtime.c - what this process is in the tree.
 *
 * The runtime is a plain struct, in which each room keeps what it knows: the links, the children, what peers may
 * call, where this actor listens. actor.c, which is on top, opens and closes it, and with it all of these. Here is
 * who finds it, and who uses it while it may be closed. There is one in a run. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "runtime.h"

#include "actor-trace.h"
#include "log.h"

static const char key; /* its address is the key in the run's locals */
/* Of the runs of this thread: for callbacks of its host, which belong to no run. */
static _Thread_local GSList *open_here;

static void
set_closed_error (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME,
                       "The actor runtime has been closed meanwhile: open one "
                       "(tractor_runtime_open()) around all tasks that use it");
}

/* In a callback of the host: the runtime of the thread, if it has only one. */
static TractorRuntime *
get_in_callback (void)
{
  if (tractor_task_get_name () != NULL || open_here == NULL || open_here->next != NULL)
    return NULL;
  return open_here->data;
}

TractorRuntime *
tractor__runtime_ref (TractorRuntime *runtime)
{
  runtime->refs++;
  return runtime;
}

void
tractor__runtime_unref (TractorRuntime *runtime)
{
  if (--runtime->refs > 0)
    return;

  actor_id_clear (&runtime->id);
  g_free (runtime);
}

TractorRuntime *
tractor__runtime_get (GError **error)
{
  TractorRuntime *runtime = tractor_run_local_get (&key);

  if (runtime == NULL)
    runtime = get_in_callback ();
  if (runtime == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME,
                         "No actor runtime is open here");
  return runtime;
}

gboolean
tractor__runtime_wait_for_change (GError **error)
{
  TractorRuntime *runtime;

  while ((runtime = tractor__runtime_get (NULL)) != NULL && runtime->state != RUNTIME_OPEN)
    if (!tractor_parking_lot_park (runtime->changed, error))
      return FALSE;
  return TRUE;
}

/* For what is logged. */
static void
find_who (const char **ret_name, const char **ret_uuid)
{
  *ret_name = tractor_actor_get_name ();
  *ret_uuid = tractor_actor_get_uuid ();
}

void
tractor__runtime_set (TractorRuntime *runtime)
{
  TractorRuntime *before = tractor_run_local_get (&key);

  tractor__log_set_who (find_who);

  tractor_run_local_set (&key, runtime);
  tractor_run_set_debug_actor (runtime != NULL ? &runtime->debug_actor : NULL);
  if (runtime != NULL)
    tractor__trace_actor (runtime->id.name, runtime->id.uuid);
  else
    tractor__trace_actor_end ();
  open_here = g_slist_remove (open_here, before);
  if (runtime != NULL)
    open_here = g_slist_prepend (open_here, runtime);
}

/* --- what is in it ----------------------------------------------------------------------------- */

void
tractor__runtime_set_limits (TractorRuntime *runtime, const TractorLimits *limits)
{
  runtime->limits = *limits;
  runtime->credit = (Credit){ (gint64) limits->stream_items, (gint64) limits->stream_bytes };
}

void
tractor__runtime_tree_changed (TractorRuntime *runtime)
{
  runtime->tree_version++;
  tractor_parking_lot_unpark (runtime->tree_changed, G_MAXUINT);
}

gboolean
tractor__runtime_has_child (const TractorRuntime *runtime, const ActorId *id)
{
  for (guint i = 0; i < runtime->children->len; i++)
    if (actor_id_equal (runtime->children->pdata[i], id))
      return TRUE;
  return FALSE;
}

gboolean
tractor__runtime_uses_tcp (const TractorRuntime *runtime)
{
  return tractor__addresses_have_tcp (runtime->addresses);
}

/* --- use --------------------------------------------------------------------------------------- */

TractorRuntime *
tractor__runtime_enter (RuntimeUse *use, GError **error)
{
  TractorRuntime *runtime;

  use->runtime = NULL;
  if (!tractor_checkpoint (error)) /* a registrar knows much without asking anybody */
    return NULL;
  while ((runtime = tractor__runtime_get (error)) != NULL && runtime->state == RUNTIME_OPENING)
    if (!tractor_parking_lot_park (runtime->changed, error))
      return NULL;
  if (runtime != NULL && runtime->state == RUNTIME_CLOSED) {
    set_closed_error (error);
    return NULL;
  }
  if (runtime == NULL)
    return NULL;
  use->runtime = runtime;
  use->scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_ptr_array_add (runtime->uses, use);
  return runtime;
}

void
tractor__runtime_leave (RuntimeUse *use, GError *failure, GError **error)
{
  TractorRuntime *runtime = use->runtime;

  if (runtime != NULL) {
    g_ptr_array_remove_fast (runtime->uses, use);
    if (runtime->uses->len == 0)
      tractor_parking_lot_unpark (runtime->uses_ended, G_MAXUINT);
    if (tractor_cancel_scope_get_cancel_called (use->scope) && failure != NULL &&
        tractor_cancel_scope_absorb (use->scope, &failure))
      set_closed_error (&failure);
    tractor_cancel_scope_close (use->scope);
  }
  if (failure != NULL)
    g_propagate_error (error, failure);
}

void
tractor__runtime_end_uses (TractorRuntime *runtime)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  runtime->state = RUNTIME_CLOSED;
  for (guint i = 0; i < runtime->uses->len; i++)
    tractor_cancel_scope_cancel (((RuntimeUse *) runtime->uses->pdata[i])->scope,
                                 "the runtime is closed");
  while (runtime->uses->len > 0)
    tractor_parking_lot_park (runtime->uses_ended, NULL);
}

/* --- what is known of it ---------------------------------------------------------------------------- */

gboolean
tractor_actor_is_registrar (void)
{
  TractorRuntime *runtime = tractor__runtime_get (NULL);

  return runtime != NULL && runtime->registry != NULL;
}

gboolean
tractor_actor_is_root (void)
{
  TractorRuntime *runtime = tractor__runtime_get (NULL);

  return runtime != NULL && runtime->depth == 0;
}

char **
tractor_actor_dup_addresses (void)
{
  TractorRuntime *runtime = tractor__runtime_get (NULL);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (guint i = 0; runtime != NULL && i < runtime->addresses->len; i++) {
    g_autofree char *text = tractor__address_to_string (runtime->addresses->pdata[i]);

    g_strv_builder_add (builder, text);
  }
  return g_strv_builder_end (builder);
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
