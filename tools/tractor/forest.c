/* forest.c - the trees of this user's actors, as they say and as the kernel says.
 *
 * Each actor knows its children, and a root's answer is its tree. So of all processes that listen, those are asked at
 * first that no other of them has started. Who appears in an answer need not be asked any more. What is left then is
 * asked in the same way: another tree, that an actor of the first one has started as a program; or what is below an
 * actor that does not answer, or that is Python's, which is put back to where it belongs by what the kernel says of
 * who has started whom.
 *
 * Who does not introduce itself within half a second is silent, and so is whom its parent calls that. Of a silent one
 * that nobody above tells of, name and children are read from its memory, if that may be done; else its name is that of
 * its command line, which is what its parent has called it.
 */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "forest.h"

#include "peek.h"
#include "places.h"
#include "proc.h"
#include "tractor-discovery.h"
#include "visit.h"

/* For an introduction, */
#define PATIENCE_ANSWER_USEC (G_USEC_PER_SEC / 2)
/* and until its tree is settled: half a second for each level whose actors are slow to answer. */
#define PATIENCE_TREE_USEC (3 * G_USEC_PER_SEC)

/* --- actors -------------------------------------------------------------------------------------- */

static void
actor_free (gpointer data)
{
  Actor *actor = data;

  g_ptr_array_unref (actor->children);
  g_free (actor->name);
  g_free (actor->uuid);
  g_free (actor->address);
  g_free (actor);
}

/* @parent: (nullable) */
static Actor *
actor_new (Actor *parent, gint pid, const char *name)
{
  Actor *actor = g_new0 (Actor, 1);
  Process process;

  actor->parent = parent;
  actor->children = g_ptr_array_new_with_free_func (actor_free);
  actor->pid = pid;
  actor->name = g_strdup (name);
  actor->state = TRACTOR_ACTOR_RUNNING;
  if (proc_read (pid, &process))
    actor->process_state = process.state;
  actor->hold = holds_find (pid);
  actor->waits_for_debugger = holds_is_awaited_by (pid);
  if (parent != NULL)
    g_ptr_array_add (parent->children, actor);
  return actor;
}

guint
actor_get_depth (const Actor *actor)
{
  guint depth = 0;

  for (; actor->parent != NULL; actor = actor->parent)
    depth++;
  return depth;
}

int
actor_answers (const Actor *actor)
{
  if (actor->view == TRACTOR_TREE_VIEW_NONE || actor->view == TRACTOR_TREE_VIEW_PYTHON)
    return -1;
  return actor->view == TRACTOR_TREE_VIEW_WHOLE;
}

const char *
actor_describe_state (const Actor *actor)
{
  static const char *const states[] = { "booting", "running", "restarting", "ending" };

  return states[actor->state];
}

void
forest_walk (Actor *actor, void (*func) (Actor *actor, gpointer data), gpointer data)
{
  func (actor, data);
  for (guint i = 0; i < actor->children->len; i++)
    forest_walk (actor->children->pdata[i], func, data);
}

Actor *
forest_find_actor (GPtrArray *roots, gint pid)
{
  for (guint i = 0; i < roots->len; i++) {
    Actor *actor = roots->pdata[i];
    Actor *below = actor->pid == pid ? actor : forest_find_actor (actor->children, pid);

    if (below != NULL)
      return below;
  }
  return NULL;
}

/* --- asking one ---------------------------------------------------------------------------------- */

typedef struct {
  const Place *place;
  Actor *root; /* (nullable): what it has said */
} Question;

/* @entries: the first is the one that was asked. */
static Actor *
make_tree (const Place *place, const TractorTreeEntry *entries, gsize n_entries)
{
  /* The last one of each depth is the parent of what comes. */
  g_autoptr (GPtrArray) last = g_ptr_array_new ();

  for (gsize i = 0; i < n_entries; i++) {
    guint depth = MIN (entries[i].depth, last->len);
    Actor *parent = depth > 0 ? last->pdata[depth - 1] : NULL;
    Actor *actor;

    if (i > 0 && parent == NULL)
      continue; /* one root is enough */
    actor = actor_new (parent, entries[i].pid, entries[i].name);
    actor->uuid = g_strdup (entries[i].uuid);
    actor->state = entries[i].state;
    actor->n_restarts = entries[i].n_restarts;
    actor->view = entries[i].view;
    g_ptr_array_set_size (last, (gint) depth);
    g_ptr_array_add (last, actor);
  }
  ((Actor *) last->pdata[0])->address = g_strdup (place->address);
  return last->pdata[0];
}

/* Who is stopped need not be waited for. */
static gboolean
is_settled (const TractorTreeEntry *entries, gsize n_entries)
{
  for (gsize i = 0; i < n_entries; i++)
    if (entries[i].view == TRACTOR_TREE_VIEW_AWAITED && !proc_is_stopped (entries[i].pid))
      return FALSE;
  return TRUE;
}

static gboolean
take_tree (const TractorTreeEntry *entries,
           gsize n_entries,
           gpointer data,
           G_GNUC_UNUSED GError **error)
{
  Question *question = data;

  g_clear_pointer (&question->root, actor_free);
  question->root = make_tree (question->place, entries, n_entries);
  return !is_settled (entries, n_entries);
}

static gboolean
watch_until_settled (Question *question, TractorPortal *portal, GError **error)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + PATIENCE_TREE_USEC);

  tractor_watch_tree (portal, take_tree, question, error);
  return tractor_cancel_scope_absorb (scope, error);
}

static TractorPortal *
connect_to (const char *address, GError **error)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + PATIENCE_ANSWER_USEC);
  TractorPortal *portal = tractor_connect (address, error);

  tractor_cancel_scope_absorb (scope, error);
  return portal;
}

/* Whatever goes wrong is a silent actor. Returns: FALSE if we are to end. */
static gboolean
ask (gpointer data, GError **error)
{
  Question *question = data;
  g_autoptr (GError) problem = NULL;
  g_autoptr (TractorPortal) portal = connect_to (question->place->address, &problem);

  if (portal != NULL)
    watch_until_settled (question, portal, &problem);
  if (question->root == NULL && portal != NULL) {
    question->root = actor_new (NULL, question->place->pid, tractor_portal_get_name (portal));
    question->root->uuid = g_strdup (tractor_portal_get_uuid (portal));
    question->root->address = g_strdup (question->place->address);
    question->root->view = tractor_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED)
                               ? TRACTOR_TREE_VIEW_PYTHON
                               : TRACTOR_TREE_VIEW_SILENT;
  }
  return tractor_checkpoint_if_cancelled (error);
}

/* --- who does not answer ------------------------------------------------------------------------- */

/* What is below @actor, in its memory, and is not known yet. */
static void
add_peeked_children (Actor *actor, const PeekActor *peeked)
{
  for (guint i = 0; i < peeked->children->len; i++) {
    const PeekChild *child = peeked->children->pdata[i];
    Actor *added;

    if (forest_find_actor (actor->children, child->pid) != NULL)
      continue;
    added = actor_new (actor, child->pid, child->name);
    added->view = TRACTOR_TREE_VIEW_NONE;
  }
}

static void
look_into (Actor *actor, G_GNUC_UNUSED gpointer data)
{
  g_autoptr (Peek) peek = NULL;
  g_autoptr (PeekActor) peeked = NULL;

  if (actor_answers (actor) != 0)
    return;
  peek = peek_open (actor->pid, NULL);
  peeked = peek != NULL ? peek_get_actor (peek) : NULL;
  if (peeked == NULL) {
    if (actor->name == NULL)
      actor->name = proc_dup_actor_name (actor->pid);
    return;
  }
  if (actor->name == NULL)
    actor->name = g_strdup (peeked->name);
  if (actor->uuid == NULL)
    actor->uuid = g_strdup (peeked->uuid);
  add_peeked_children (actor, peeked);
}

/* (transfer full) */
static Actor *
make_silent (const Place *place)
{
  Actor *actor = actor_new (NULL, place->pid, NULL);

  actor->address = g_strdup (place->address);
  actor->view = TRACTOR_TREE_VIEW_SILENT;
  return actor;
}

/* --- asking all ---------------------------------------------------------------------------------- */

typedef struct {
  GPtrArray *places; /* (element-type Place): not asked yet */
  GPtrArray *roots;  /* (element-type Actor) */
} Forest;

/* Whether it was started by one of @pids, or by one that they have started. */
static gboolean
is_below_another (GHashTable *pids, gint pid)
{
  Process process;

  while (pid > 1 && proc_read (pid, &process)) {
    pid = process.parent_pid;
    if (g_hash_table_contains (pids, GINT_TO_POINTER (pid)))
      return TRUE;
  }
  return FALSE;
}

/* (transfer container) (element-type Place): those that no other has started. */
static GPtrArray *
list_topmost (const GPtrArray *places)
{
  g_autoptr (GHashTable) pids = g_hash_table_new (NULL, NULL);
  GPtrArray *topmost = g_ptr_array_new ();

  for (guint i = 0; i < places->len; i++)
    g_hash_table_add (pids, GINT_TO_POINTER (((Place *) places->pdata[i])->pid));
  for (guint i = 0; i < places->len; i++)
    if (!is_below_another (pids, ((Place *) places->pdata[i])->pid))
      g_ptr_array_add (topmost, places->pdata[i]);
  return topmost;
}

static gboolean
ask_round (GPtrArray *places, Forest *forest, GError **error)
{
  g_autofree Question *questions = g_new0 (Question, places->len);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  for (guint i = 0; i < places->len; i++) {
    questions[i].place = places->pdata[i];
    tractor_nursery_spawn (nursery, "question", ask, &questions[i], NULL, error);
  }
  tractor_nursery_join (nursery, error);
  for (guint i = 0; i < places->len; i++)
    g_ptr_array_add (forest->roots, questions[i].root != NULL ? questions[i].root
                                                              : make_silent (places->pdata[i]));
  return *error == NULL;
}

static void
forget_seen (Forest *forest)
{
  for (guint i = forest->places->len; i-- > 0;) {
    const Place *place = forest->places->pdata[i];

    if (forest_find_actor (forest->roots, place->pid) != NULL)
      g_ptr_array_remove_index (forest->places, i);
  }
}

static gboolean
ask_all (gpointer data, GError **error)
{
  Forest *forest = data;

  while (forest->places->len > 0) {
    g_autoptr (GPtrArray) topmost = list_topmost (forest->places);

    if (!ask_round (topmost, forest, error))
      return FALSE;
    forget_seen (forest);
  }
  return TRUE;
}

/* --- putting it together ------------------------------------------------------------------------- */

/* (transfer none) (nullable): the nearest of those that have started @root, in the other trees. */
static Actor *
find_starter (GPtrArray *roots, const Actor *root)
{
  Process process;

  for (gint pid = root->pid; pid > 1 && proc_read (pid, &process); pid = process.parent_pid) {
    Actor *actor = forest_find_actor (roots, process.parent_pid);

    if (actor != NULL)
      return actor;
  }
  return NULL;
}

/* @root: (transfer full). Where its parent has told of it, it is that one; what it says of itself is better. */
static void
graft (Actor *root, Actor *parent)
{
  for (guint i = 0; i < parent->children->len; i++) {
    Actor *known = parent->children->pdata[i];

    if (known->pid == root->pid) {
      g_ptr_array_remove_index (parent->children, i);
      break;
    }
  }
  root->parent = parent;
  g_ptr_array_add (parent->children, root);
}

/* Below one that answers there is another tree, which its parent has started as a program. */
static void
graft_all (GPtrArray *roots)
{
  for (guint i = roots->len; i-- > 0;) {
    Actor *root = roots->pdata[i];
    Actor *starter = find_starter (roots, root);

    if (starter != NULL && actor_answers (starter) != 1 && proc_is_spawned_actor (root->pid))
      graft (g_ptr_array_steal_index (roots, i), starter);
  }
}

/* --- of one process ------------------------------------------------------------------------------ */

/* Leaves those places alone that have nothing to do with the tree that @pid belongs to. */
static void
keep_related (GPtrArray *places, gint pid)
{
  g_autoptr (GPtrArray) topmost = list_topmost (places);
  gint top = 0;

  for (guint i = 0; i < topmost->len; i++) {
    const Place *place = topmost->pdata[i];

    if (proc_is_below (pid, place->pid))
      top = place->pid;
  }
  for (guint i = places->len; i-- > 0;) {
    const Place *place = places->pdata[i];

    if (top == 0 || !proc_is_below (place->pid, top))
      g_ptr_array_remove_index (places, i);
  }
}

static void
keep_tree_of (GPtrArray *roots, gint pid)
{
  for (guint i = roots->len; i-- > 0;) {
    Actor *root = roots->pdata[i];

    if (root->pid != pid && forest_find_actor (root->children, pid) == NULL)
      g_ptr_array_remove_index (roots, i);
  }
}

static int
compare_pids (gconstpointer a, gconstpointer b)
{
  const Actor *const *one = a;
  const Actor *const *other = b;

  return (*one)->pid - (*other)->pid;
}

static void
set_nothing_found (gint pid, GError **error)
{
  if (pid == 0)
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                         "There is no tree of actors of this user");
  else
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                 "Process %d is no actor in a tree of this user", pid);
}

GPtrArray *
forest_find (gint pid, Status *ret_status, GError **error)
{
  g_autoptr (GPtrArray) places = places_find (error);
  g_autoptr (GPtrArray) roots = g_ptr_array_new_with_free_func (actor_free);
  Forest forest = { places, roots };

  holds_look_again ();
  *ret_status = STATUS_NOT_ALLOWED;
  if (places == NULL)
    return NULL;
  if (pid != 0)
    keep_related (places, pid);
  *ret_status = STATUS_FAILED;
  if (places->len > 0 && !visit (ask_all, &forest, error))
    return NULL;
  for (guint i = 0; i < roots->len; i++)
    forest_walk (roots->pdata[i], look_into, NULL);
  graft_all (roots);
  if (pid != 0)
    keep_tree_of (roots, pid);
  *ret_status = STATUS_NO_TREE;
  if (roots->len == 0) {
    set_nothing_found (pid, error);
    return NULL;
  }
  g_ptr_array_sort (roots, compare_pids);
  *ret_status = STATUS_OK;
  return g_steal_pointer (&roots);
}
