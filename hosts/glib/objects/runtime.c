/* runtime.c - TractorGlibRuntime: the object that a program has of its tree (tree.c), and the list of its
 * children. Nothing is done here but told. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "actor.h"
#include "launcher.h"
#include "node.h"

struct _TractorGlibRuntime {
  GObject parent_instance;
  Tree *tree; /* (nullable): until it is disposed of */
  GPtrArray *children;
  TractorGlibNode *node; /* (nullable): until somebody has asked for it */
  GPtrArray *closers;    /* (element-type GTask): of close_async(), until it has closed */
};

enum {
  PROP_NAME = 1,
  PROP_REGISTRY_ADDRESSES,
  PROP_LISTEN_ADDRESSES,
  PROP_TRANSPORT,
  PROP_STATE
};

enum {
  CLOSED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_ENUM_TYPE (TractorGlibState,
                    tractor_glib_state,
                    G_DEFINE_ENUM_VALUE (TRACTOR_GLIB_STATE_OPENING, "opening"),
                    G_DEFINE_ENUM_VALUE (TRACTOR_GLIB_STATE_OPEN, "open"),
                    G_DEFINE_ENUM_VALUE (TRACTOR_GLIB_STATE_CLOSING, "closing"),
                    G_DEFINE_ENUM_VALUE (TRACTOR_GLIB_STATE_CLOSED, "closed"))

/* --- the list -------------------------------------------------------------------------------------------- */

static GType
get_item_type (G_GNUC_UNUSED GListModel *model)
{
  return TRACTOR_GLIB_TYPE_ACTOR;
}

static guint
get_n_items (GListModel *model)
{
  return TRACTOR_GLIB_RUNTIME (model)->children->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  TractorGlibRuntime *self = TRACTOR_GLIB_RUNTIME (model);

  return position < self->children->len ? g_object_ref (self->children->pdata[position]) : NULL;
}

static void
init_list (GListModelInterface *interface)
{
  interface->get_item_type = get_item_type;
  interface->get_n_items = get_n_items;
  interface->get_item = get_item;
}

G_DEFINE_TYPE_WITH_CODE (TractorGlibRuntime,
                         tractor_glib_runtime,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, init_list))

static void
child_added (gpointer object, TractorGlibActor *actor)
{
  TractorGlibRuntime *self = object;

  g_ptr_array_add (self->children, g_object_ref (actor));
  g_list_model_items_changed (object, self->children->len - 1, 0, 1);
}

static void
child_removed (gpointer object, TractorGlibActor *actor)
{
  TractorGlibRuntime *self = object;
  guint position;

  if (!g_ptr_array_find (self->children, actor, &position))
    return;
  g_ptr_array_remove_index (self->children, position);
  g_list_model_items_changed (object, position, 1, 0);
}

/* --- its state ------------------------------------------------------------------------------------------- */

static void
state_changed (gpointer object)
{
  g_object_notify (object, "state");
}

static void
answer_closer (GTask *task, const GError *error)
{
  if (error != NULL)
    g_task_return_error (task, g_error_copy (error));
  else
    g_task_return_boolean (task, TRUE);
}

static void
closed (gpointer object, const GError *error)
{
  g_autoptr (TractorGlibRuntime) self = g_object_ref (object);
  g_autoptr (GPtrArray) closers = g_steal_pointer (&self->closers);

  g_signal_emit (self, signals[CLOSED], 0, error);
  for (guint i = 0; i < closers->len; i++)
    answer_closer (closers->pdata[i], error);
}

static const TreeOps tree_ops = { state_changed, child_added, child_removed, closed };

/* --- the class ------------------------------------------------------------------------------------------- */

static void
tractor_glib_runtime_init (TractorGlibRuntime *self)
{
  self->children = g_ptr_array_new_with_free_func (g_object_unref);
  self->closers = g_ptr_array_new_with_free_func (g_object_unref);
  self->tree = tractor__tree_new (&tree_ops, self);
}

static void
constructed (GObject *object)
{
  TractorGlibRuntime *self = TRACTOR_GLIB_RUNTIME (object);

  G_OBJECT_CLASS (tractor_glib_runtime_parent_class)->constructed (object);
  if (self->tree->name == NULL)
    self->tree->name = g_strdup ("root");
  tractor__tree_open (self->tree);
}

static void
dispose (GObject *object)
{
  TractorGlibRuntime *self = TRACTOR_GLIB_RUNTIME (object);

  if (self->tree != NULL) {
    self->tree->object = NULL;
    tractor__tree_close (self->tree);
    g_clear_pointer (&self->tree, tractor__tree_unref);
  }
  g_ptr_array_set_size (self->children, 0);
  G_OBJECT_CLASS (tractor_glib_runtime_parent_class)->dispose (object);
}

static void
finalize (GObject *object)
{
  TractorGlibRuntime *self = TRACTOR_GLIB_RUNTIME (object);

  g_ptr_array_unref (self->children);
  g_clear_pointer (&self->closers, g_ptr_array_unref);
  g_clear_object (&self->node);
  G_OBJECT_CLASS (tractor_glib_runtime_parent_class)->finalize (object);
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  Tree *tree = TRACTOR_GLIB_RUNTIME (object)->tree;

  if (id == PROP_NAME)
    tree->name = g_value_dup_string (value);
  else if (id == PROP_REGISTRY_ADDRESSES)
    tree->registry_addresses = g_value_dup_boxed (value);
  else if (id == PROP_LISTEN_ADDRESSES)
    tree->listen_addresses = g_value_dup_boxed (value);
  else if (id == PROP_TRANSPORT)
    tree->transport = g_value_dup_string (value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  TractorGlibRuntime *self = TRACTOR_GLIB_RUNTIME (object);

  if (id == PROP_NAME)
    g_value_set_string (value, tractor_glib_runtime_get_name (self));
  else if (id == PROP_STATE)
    g_value_set_enum (value, (int) tractor_glib_runtime_get_state (self));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
tractor_glib_runtime_class_init (TractorGlibRuntimeClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);

  const GParamFlags flags = G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  object_class->constructed = constructed;
  object_class->dispose = dispose;
  object_class->finalize = finalize;
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  g_object_class_install_property (
      object_class, PROP_NAME,
      g_param_spec_string ("name", NULL, NULL, NULL, G_PARAM_READABLE | G_PARAM_WRITABLE | flags));
  g_object_class_install_property (
      object_class, PROP_REGISTRY_ADDRESSES,
      g_param_spec_boxed ("registry-addresses", NULL, NULL, G_TYPE_STRV, G_PARAM_WRITABLE | flags));
  g_object_class_install_property (
      object_class, PROP_LISTEN_ADDRESSES,
      g_param_spec_boxed ("listen-addresses", NULL, NULL, G_TYPE_STRV, G_PARAM_WRITABLE | flags));
  g_object_class_install_property (
      object_class, PROP_TRANSPORT,
      g_param_spec_string ("transport", NULL, NULL, NULL, G_PARAM_WRITABLE | flags));
  g_object_class_install_property (
      object_class, PROP_STATE,
      g_param_spec_enum ("state", NULL, NULL, TRACTOR_GLIB_TYPE_STATE, TRACTOR_GLIB_STATE_OPENING,
                         G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY));
  signals[CLOSED] = g_signal_new ("closed", TRACTOR_GLIB_TYPE_RUNTIME, G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

/* --- public ---------------------------------------------------------------------------------------------- */

TractorGlibRuntime *
tractor_glib_runtime_new (const char *name)
{
  return g_object_new (TRACTOR_GLIB_TYPE_RUNTIME, "name", name, NULL);
}

const char *
tractor_glib_runtime_get_name (TractorGlibRuntime *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_RUNTIME (self), NULL);

  return self->tree != NULL ? self->tree->name : NULL;
}

TractorGlibState
tractor_glib_runtime_get_state (TractorGlibRuntime *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_RUNTIME (self), TRACTOR_GLIB_STATE_CLOSED);

  return self->tree != NULL ? self->tree->state : TRACTOR_GLIB_STATE_CLOSED;
}

void
tractor_glib_runtime_spawn_async (TractorGlibRuntime *self,
                                  const char *name,
                                  const char *const *modules,
                                  const char *program,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data)
{
  g_autoptr (TractorGlibLauncher) launcher = tractor_glib_launcher_new ();

  g_object_set (launcher, "modules", modules, "program", program, NULL);
  tractor_glib_runtime_launch_async (self, launcher, name, cancellable, callback, user_data);
}

void
tractor_glib_runtime_launch_async (TractorGlibRuntime *self,
                                   TractorGlibLauncher *launcher,
                                   const char *name,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data)
{
  ActorRequest *request;

  g_return_if_fail (TRACTOR_GLIB_IS_RUNTIME (self) && name != NULL);
  g_return_if_fail (TRACTOR_GLIB_IS_LAUNCHER (launcher));

  request = tractor__actor_request_new (self->tree, name);
  request->launcher = tractor__launcher_copy (launcher);
  tractor__tree_call (self->tree, tractor__request_new (self, callback, user_data),
                      tractor__actor_spawn, request, tractor__actor_request_free, g_object_unref,
                      cancellable);
}

TractorGlibActor *
tractor_glib_runtime_launch_finish (TractorGlibRuntime *self, GAsyncResult *result, GError **error)
{
  return tractor__request_finish (self, result, error);
}

TractorGlibActor *
tractor_glib_runtime_spawn_finish (TractorGlibRuntime *self, GAsyncResult *result, GError **error)
{
  return tractor__request_finish (self, result, error);
}

void
tractor_glib_runtime_find_async (TractorGlibRuntime *self,
                                 const char *name,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_return_if_fail (TRACTOR_GLIB_IS_RUNTIME (self) && name != NULL);

  tractor__tree_call (self->tree, tractor__request_new (self, callback, user_data),
                      tractor__actor_find, tractor__actor_request_new (self->tree, name),
                      tractor__actor_request_free, g_object_unref, cancellable);
}

TractorGlibActor *
tractor_glib_runtime_find_finish (TractorGlibRuntime *self, GAsyncResult *result, GError **error)
{
  return tractor__request_finish (self, result, error);
}

char **
tractor_glib_runtime_dup_addresses (TractorGlibRuntime *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_RUNTIME (self), NULL);

  return self->tree->addresses != NULL ? g_strdupv (self->tree->addresses) : g_new0 (char *, 1);
}

void
tractor_glib_runtime_export (TractorGlibRuntime *self,
                             const char *function,
                             TractorGlibServeFunc func,
                             gpointer user_data,
                             GDestroyNotify destroy)
{
  g_return_if_fail (TRACTOR_GLIB_IS_RUNTIME (self));
  g_return_if_fail (function != NULL && strchr (function, ':') != NULL);

  tractor__exports_set (self->tree->exports, function, func, user_data, destroy);
}

typedef struct {
  TractorGlibNode *node;
  GMainContext *context;
} Watch;

static void
watch_free (gpointer data)
{
  Watch *watch = data;

  g_object_unref (watch->node);
  g_main_context_unref (watch->context);
  g_free (watch);
}

static gpointer
watch_tree (gpointer data, GError **error)
{
  Watch *watch = data;

  tractor__node_watch (watch->node, watch->context, error);
  return NULL;
}

TractorGlibNode *
tractor_glib_runtime_get_tree (TractorGlibRuntime *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_RUNTIME (self), NULL);

  if (self->node == NULL) {
    Watch *watch = g_new (Watch, 1);

    self->node = tractor_glib_node_new ();
    *watch = (Watch){ g_object_ref (self->node), g_main_context_ref (self->tree->context) };
    /* Of the node, and not of us: dropping us is to close us. */
    tractor__tree_call (self->tree, tractor__request_new (self->node, NULL, NULL), watch_tree,
                        watch, watch_free, NULL, NULL);
  }
  return self->node;
}

/* What has closed already answers as it did then, from a later turn of the loop. */
static void
answer_late (gpointer data)
{
  g_autoptr (GTask) task = data;

  answer_closer (task, TRACTOR_GLIB_RUNTIME (g_task_get_source_object (task))->tree->error);
}

static void
stop_waiting (gpointer data)
{
  g_autoptr (GTask) task = data;
  TractorGlibRuntime *self = g_task_get_source_object (task);

  if (self->closers != NULL && g_ptr_array_remove (self->closers, task))
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Operation was cancelled");
}

/* Perhaps with a task below on the stack. */
static gboolean
on_wait_cancelled (G_GNUC_UNUSED GCancellable *cancellable, gpointer task)
{
  tractor__glib_post_to_host_stack (g_task_get_context (task), stop_waiting, g_object_ref (task));
  return G_SOURCE_REMOVE;
}

static void
destroy_source (gpointer source)
{
  g_source_destroy (source);
  g_source_unref (source);
}

static void
let_stop_waiting (GTask *task, GCancellable *cancellable)
{
  GSource *source = g_cancellable_source_new (cancellable);

  g_source_set_callback (source, G_SOURCE_FUNC (on_wait_cancelled), task, NULL);
  g_source_attach (source, g_task_get_context (task));
  g_task_set_task_data (task, source, destroy_source);
}

void
tractor_glib_runtime_close_async (TractorGlibRuntime *self,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data)
{
  GTask *task;

  g_return_if_fail (TRACTOR_GLIB_IS_RUNTIME (self));

  task = tractor__request_new (self, callback, user_data);
  if (self->closers == NULL) {
    tractor__glib_post_to_host_stack (g_task_get_context (task), answer_late, task);
    return;
  }
  g_ptr_array_add (self->closers, task);
  if (cancellable != NULL)
    let_stop_waiting (task, cancellable);
  tractor__tree_close (self->tree);
}

gboolean
tractor_glib_runtime_close_finish (TractorGlibRuntime *self, GAsyncResult *result, GError **error)
{
  if (!tractor_error_check_given (self, "runtime", error) ||
      !tractor_error_check_given (result, "result", error))
    return FALSE;
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
