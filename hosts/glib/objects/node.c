/* node.c - TractorGlibNode: an actor in the live tree, and those below it.
 *
 * A watch (src/tree/tree.c) tells the whole tree, flat, each time something has changed. From it the nodes are
 * brought up to date on the host's stack. Who is looked at keeps its node, or a list would lose its place:
 * a node is that of the same uuid; or else, in the same place and of the same name, one whose uuid is not
 * there any more, which has been started again. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "node.h"

#include "host-stack.h"
#include "tractor.h"

struct _TractorGlibNode {
  GObject parent_instance;
  char *name;
  char *uuid;
  guint pid;
  guint state; /* a TractorGlibActorState */
  guint restarts;
  GPtrArray *below; /* (element-type TractorGlibNode) */
};

enum {
  PROP_NAME = 1,
  PROP_UUID,
  PROP_PID,
  PROP_STATE,
  PROP_RESTARTS,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

G_DEFINE_ENUM_TYPE (TractorGlibActorState,
                    tractor_glib_actor_state,
                    G_DEFINE_ENUM_VALUE (TRACTOR_GLIB_ACTOR_STATE_BOOTING, "booting"),
                    G_DEFINE_ENUM_VALUE (TRACTOR_GLIB_ACTOR_STATE_RUNNING, "running"),
                    G_DEFINE_ENUM_VALUE (TRACTOR_GLIB_ACTOR_STATE_RESTARTING, "restarting"),
                    G_DEFINE_ENUM_VALUE (TRACTOR_GLIB_ACTOR_STATE_ENDING, "ending"))

/* --- the list ------------------------------------------------------------------------------------------- */

static GType
get_item_type (G_GNUC_UNUSED GListModel *list)
{
  return TRACTOR_GLIB_TYPE_NODE;
}

static guint
get_n_items (GListModel *list)
{
  return TRACTOR_GLIB_NODE (list)->below->len;
}

static gpointer
get_item (GListModel *list, guint position)
{
  GPtrArray *below = TRACTOR_GLIB_NODE (list)->below;

  return position < below->len ? g_object_ref (below->pdata[position]) : NULL;
}

static void
init_list (GListModelInterface *interface)
{
  interface->get_item_type = get_item_type;
  interface->get_n_items = get_n_items;
  interface->get_item = get_item;
}

G_DEFINE_TYPE_WITH_CODE (TractorGlibNode,
                         tractor_glib_node,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, init_list))

/* --- bringing it up to date -------------------------------------------------------------------------------- */

typedef struct {
  TractorGlibNode *root;
  const TractorTreeEntry *entries;
  gsize n_entries;
  GHashTable *uuids; /* of them all */
} Update;

static void
set_string (TractorGlibNode *node, char **field, const char *value, guint prop)
{
  if (g_str_equal (*field, value))
    return;
  g_free (*field);
  *field = g_strdup (value);
  g_object_notify_by_pspec (G_OBJECT (node), props[prop]);
}

static void
set_number (TractorGlibNode *node, guint *field, guint value, guint prop)
{
  if (*field == value)
    return;
  *field = value;
  g_object_notify_by_pspec (G_OBJECT (node), props[prop]);
}

static void
set_own (TractorGlibNode *node, const TractorTreeEntry *entry)
{
  set_string (node, &node->name, entry->name, PROP_NAME);
  set_string (node, &node->uuid, entry->uuid, PROP_UUID);
  set_number (node, &node->pid, (guint) entry->pid, PROP_PID);
  set_number (node, &node->state, (guint) entry->state, PROP_STATE);
  set_number (node, &node->restarts, entry->n_restarts, PROP_RESTARTS);
}

static void
remove_below (TractorGlibNode *node, guint position, guint n)
{
  if (n == 0)
    return;
  g_ptr_array_remove_range (node->below, position, n);
  g_list_model_items_changed (G_LIST_MODEL (node), position, n, 0);
}

static gboolean
is_the_same (const Update *update, const TractorGlibNode *node, const TractorTreeEntry *entry)
{
  return g_str_equal (node->uuid, entry->uuid) ||
         (g_str_equal (node->name, entry->name) &&
          !g_hash_table_contains (update->uuids, node->uuid) && entry->n_restarts > node->restarts);
}

/* Those before the one that is @entry have left; if none is, it is new. */
static TractorGlibNode *
find_or_add (const Update *update,
             TractorGlibNode *node,
             guint position,
             const TractorTreeEntry *entry)
{
  TractorGlibNode *added;

  for (guint i = position; i < node->below->len; i++)
    if (is_the_same (update, node->below->pdata[i], entry)) {
      remove_below (node, position, i - position);
      return node->below->pdata[position];
    }
  added = tractor_glib_node_new ();
  set_own (added, entry); /* before anybody sees it */
  g_ptr_array_insert (node->below, (int) position, added);
  g_list_model_items_changed (G_LIST_MODEL (node), position, 0, 1);
  return added;
}

/* @i: the entry of @node. Returns: the first that is not below it. */
static gsize
set_node (const Update *update, TractorGlibNode *node, gsize i)
{
  guint depth = update->entries[i].depth;
  guint position = 0;

  g_object_ref (node);
  set_own (node, &update->entries[i++]);
  while (i < update->n_entries && update->entries[i].depth > depth)
    i = set_node (update, find_or_add (update, node, position++, &update->entries[i]), i);
  if (position < node->below->len)
    remove_below (node, position, node->below->len - position);
  g_object_unref (node);
  return i;
}

static void
apply (gpointer data)
{
  Update *update = data;

  update->uuids = g_hash_table_new (g_str_hash, g_str_equal);
  for (gsize i = 0; i < update->n_entries; i++)
    g_hash_table_add (update->uuids, (gpointer) update->entries[i].uuid);
  set_node (update, update->root, 0);
  g_hash_table_unref (update->uuids);
}

static void
clear (gpointer node)
{
  remove_below (node, 0, TRACTOR_GLIB_NODE (node)->below->len);
}

typedef struct {
  TractorGlibNode *node;
  GMainContext *context;
} Watcher;

static gboolean
tell (const TractorTreeEntry *entries, gsize n_entries, gpointer data, G_GNUC_UNUSED GError **error)
{
  Watcher *watcher = data;
  Update update = { .root = watcher->node, .entries = entries, .n_entries = n_entries };

  tractor__glib_call_on_host_stack (watcher->context, apply, &update);
  return TRUE;
}

gboolean
tractor__node_watch (TractorGlibNode *node, GMainContext *context, GError **error)
{
  Watcher watcher = { g_object_ref (node), context };
  gboolean ok = tractor_watch_tree (NULL, tell, &watcher, error);

  tractor__glib_call_on_host_stack (context, clear, node);
  g_object_unref (node);
  return ok;
}

/* --- the class ------------------------------------------------------------------------------------------- */

static void
tractor_glib_node_init (TractorGlibNode *self)
{
  self->name = g_strdup ("");
  self->uuid = g_strdup ("");
  self->below = g_ptr_array_new_with_free_func (g_object_unref);
}

static void
finalize (GObject *object)
{
  TractorGlibNode *self = TRACTOR_GLIB_NODE (object);

  g_ptr_array_unref (self->below);
  g_free (self->name);
  g_free (self->uuid);
  G_OBJECT_CLASS (tractor_glib_node_parent_class)->finalize (object);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  TractorGlibNode *self = TRACTOR_GLIB_NODE (object);

  switch (id) {
  case PROP_NAME:
    g_value_set_string (value, self->name);
    break;
  case PROP_UUID:
    g_value_set_string (value, self->uuid);
    break;
  case PROP_PID:
    g_value_set_int (value, (int) self->pid);
    break;
  case PROP_STATE:
    g_value_set_enum (value, (int) self->state);
    break;
  case PROP_RESTARTS:
    g_value_set_uint (value, self->restarts);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
  }
}

static void
tractor_glib_node_class_init (TractorGlibNodeClass *class)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GObjectClass *object_class = G_OBJECT_CLASS (class);

  object_class->finalize = finalize;
  object_class->get_property = get_property;
  props[PROP_NAME] = g_param_spec_string ("name", NULL, NULL, "", flags);
  props[PROP_UUID] = g_param_spec_string ("uuid", NULL, NULL, "", flags);
  props[PROP_PID] = g_param_spec_int ("pid", NULL, NULL, 0, G_MAXINT, 0, flags);
  props[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, TRACTOR_GLIB_TYPE_ACTOR_STATE,
                                         TRACTOR_GLIB_ACTOR_STATE_BOOTING, flags);
  props[PROP_RESTARTS] = g_param_spec_uint ("restarts", NULL, NULL, 0, G_MAXUINT, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

/* --- public ---------------------------------------------------------------------------------------------- */

TractorGlibNode *
tractor_glib_node_new (void)
{
  return g_object_new (TRACTOR_GLIB_TYPE_NODE, NULL);
}

gboolean
tractor_glib_node_watch (TractorGlibNode *node, GError **error)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  if (!tractor_error_check_given (node, "node", error))
    return FALSE;
  g_return_val_if_fail (TRACTOR_GLIB_IS_NODE (node), FALSE);

  return tractor__node_watch (node, context, error);
}

const char *
tractor_glib_node_get_name (TractorGlibNode *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_NODE (self), NULL);

  return self->name;
}

const char *
tractor_glib_node_get_uuid (TractorGlibNode *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_NODE (self), NULL);

  return self->uuid;
}

int
tractor_glib_node_get_pid (TractorGlibNode *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_NODE (self), 0);

  return (int) self->pid;
}

TractorGlibActorState
tractor_glib_node_get_state (TractorGlibNode *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_NODE (self), TRACTOR_GLIB_ACTOR_STATE_BOOTING);

  return (TractorGlibActorState) self->state;
}

guint
tractor_glib_node_get_restarts (TractorGlibNode *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_NODE (self), 0);

  return self->restarts;
}
