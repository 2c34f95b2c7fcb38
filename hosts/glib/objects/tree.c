/* tree.c - the guest behind a TractorGlibRuntime.
 *
 * The main task opens the actor runtime and a nursery in which every request of the program is a task, and
 * waits until it is cancelled. What is asked before the nursery is open waits in a queue. Closing cancels
 * the main task's scope, and so everything: the nursery waits for all tasks, each task of a child for its
 * process, and each request's task for its callback. So when the guest is done, nothing is left, and all
 * have been told.
 *
 * Tasks never hold the runtime object, or dropping it would do nothing: they hold this, and it knows the
 * object until that is dropped. The guest holds one reference. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tree.h"

Tree *
tractor__tree_ref (Tree *tree)
{
  tree->refs++;
  return tree;
}

void
tractor__tree_unref (Tree *tree)
{
  if (--tree->refs > 0)
    return;
  g_queue_free (tree->requests);
  g_main_context_unref (tree->context);
  g_clear_error (&tree->error);
  tractor__exports_free (tree->exports);
  g_free (tree->name);
  g_strfreev (tree->registry_addresses);
  g_strfreev (tree->listen_addresses);
  g_free (tree->transport);
  g_free (tree);
}

static void
announce_state (Tree *tree)
{
  if (tree->object != NULL)
    tree->ops->state_changed (tree->object);
}

/* --- requests ------------------------------------------------------------------------------------------ */

typedef struct {
  GTask *task;
  TractorGlibFunc func;
  gpointer data;
  GDestroyNotify data_free;
  GDestroyNotify result_free;
  GCancellable *cancellable; /* (transfer full) (nullable) */
} Request;

GTask *
tractor__request_new (gpointer source, GAsyncReadyCallback callback, gpointer user_data)
{
  return g_task_new (source, NULL, callback, user_data);
}

/* What the tree has failed with is what its requests fail with. */
static void
refuse (Tree *tree, Request *request)
{
  if (request->data_free != NULL)
    request->data_free (request->data);
  tractor__glib_refuse (request->task, g_error_copy (tree->error));
}

/* Those that waited, in their order; with no nursery they fail. */
static void
call_waiting (Tree *tree)
{
  Request *request;

  while ((request = g_queue_pop_head (tree->requests)) != NULL) {
    if (tree->nursery == NULL && tree->error != NULL)
      refuse (tree, request);
    else
      tractor__glib_call (request->task, tree->nursery, request->func, request->data,
                          request->data_free, request->result_free, request->cancellable);
    g_clear_object (&request->cancellable);
    g_free (request);
  }
}

GVariant *
tractor__request_hold (GVariant *value, GError **error)
{
  return value != NULL ? tractor_value_hold_fds (value, error) : NULL;
}

void
tractor__tree_call (Tree *tree,
                    GTask *task,
                    TractorGlibFunc func,
                    gpointer data,
                    GDestroyNotify data_free,
                    GDestroyNotify result_free,
                    GCancellable *cancellable)
{
  Request *request = g_new0 (Request, 1);

  *request = (Request){
    .task = task, .func = func, .data = data, .data_free = data_free, .result_free = result_free
  };
  g_set_object (&request->cancellable, cancellable);
  g_queue_push_tail (tree->requests, request);
  if (tree->state != TRACTOR_GLIB_STATE_OPENING)
    call_waiting (tree);
}

gpointer
tractor__request_finish (gpointer source, GAsyncResult *result, GError **error)
{
  GError *failure = NULL;
  gpointer answer;

  if (!tractor_error_check_given (source, "object", error) ||
      !tractor_error_check_given (result, "result", error))
    return NULL;
  g_return_val_if_fail (g_task_is_valid (result, source), NULL);

  answer = g_task_propagate_pointer (G_TASK (result), &failure);
  if (failure == NULL)
    return answer;
  tractor__request_keep_failure (result, failure);
  g_propagate_error (error, failure);
  return NULL;
}

gboolean
tractor__request_finish_boolean (gpointer source, GAsyncResult *result, GError **error)
{
  GError *failure = NULL;

  tractor__request_finish (source, result, &failure);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

/* --- the main task --------------------------------------------------------------------------------------- */

static void
on_open (gpointer data)
{
  Tree *tree = data;

  if (tree->state == TRACTOR_GLIB_STATE_OPENING) {
    tree->state = TRACTOR_GLIB_STATE_OPEN;
    announce_state (tree);
  }
  call_waiting (tree);
}

static void
serve_requests (Tree *tree, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tree->nursery = nursery;
  tractor__glib_call_on_host_stack (tree->context, on_open, tree);
  tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  tree->nursery = NULL;
  tractor_nursery_join (nursery, error);
}

static void
run_root (Tree *tree, GError **error)
{
  const TractorRuntimeOptions options = {
    .name = tree->name,
    .registry_addresses = (const char *const *) tree->registry_addresses,
    .listen_addresses = (const char *const *) tree->listen_addresses,
    .transport = tree->transport,
    .dispatch = tractor__exports_dispatch,
    .dispatch_data = tree->exports,
  };
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (&options, error);

  if (runtime == NULL)
    return;
  tree->addresses = tractor_actor_dup_addresses ();
  serve_requests (tree, error);
  g_clear_pointer (&tree->addresses, g_strfreev);
}

static gboolean
serve (gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  Tree *tree = data;

  tree->scope = scope;
  if (tree->state == TRACTOR_GLIB_STATE_CLOSING)
    tractor_cancel_scope_cancel (scope, "closed");
  run_root (tree, error);
  tree->scope = NULL;
  return tractor_cancel_scope_absorb (scope, error);
}

/* --- its end --------------------------------------------------------------------------------------------- */

static void
announce_end (gpointer data)
{
  Tree *tree = data;

  tractor__exports_clear (tree->exports); /* which may hold the object */
  announce_state (tree);
  if (tree->object != NULL)
    tree->ops->closed (tree->object, tree->error);
  tractor__tree_unref (tree); /* the guest's */
}

static void
on_closed (gpointer data)
{
  Tree *tree = data;

  tree->state = TRACTOR_GLIB_STATE_CLOSED;
  call_waiting (tree);
  /* Behind the answers, which GTask gives in a later turn: whoever hears of the end may quit the loop. */
  tractor__glib_post_to_host_stack (tree->context, announce_end, tree);
}

static void
on_done (const GError *error, gpointer data)
{
  Tree *tree = data;

  tree->guest = NULL;
  tree->error = error != NULL ? g_error_copy (error) : NULL;
  tractor__glib_post_to_host_stack (tree->context, on_closed, tree);
}

static void
on_closing (gpointer data)
{
  announce_state (data);
  tractor__tree_unref (data);
}

void
tractor__tree_close (Tree *tree)
{
  if (tree->state >= TRACTOR_GLIB_STATE_CLOSING)
    return;
  tree->state = TRACTOR_GLIB_STATE_CLOSING;
  tractor__glib_post_to_host_stack (tree->context, on_closing, tractor__tree_ref (tree));
  if (tree->scope != NULL)
    tractor_cancel_scope_cancel (tree->scope, "closed");
}

Tree *
tractor__tree_new (const TreeOps *ops, gpointer object)
{
  Tree *tree = g_new0 (Tree, 1);

  tree->refs = 2; /* the caller's, and the guest's */
  tree->ops = ops;
  tree->object = object;
  tree->context = g_main_context_ref_thread_default ();
  tree->requests = g_queue_new ();
  tree->exports = tractor__exports_new (tree->context);
  return tree;
}

void
tractor__tree_open (Tree *tree)
{
  tree->guest = tractor_glib_attach (tree->context, serve, tree, on_done, tree, &tree->error);
  if (tree->guest == NULL)
    tractor__glib_post_to_host_stack (tree->context, on_closed, tree);
}
