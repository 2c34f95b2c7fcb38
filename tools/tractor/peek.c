/* peek.c - the tasks of an actor, read from its memory: nothing runs in it.
 *
 * The library exports one variable, tractor_debug_1, which says where the guests of a process are, and how guests,
 * scopes and tasks lie in memory (tractor-debug-layout.h). It is found by the table of symbols of the file that it is
 * in; all else follows by pointers. So an actor can be looked at that is stopped, stuck, or has no time.
 *
 * It is not stopped for that, unless it is already: what is read may change meanwhile. So nothing that is read is
 * believed as it is. A task is taken only where it lies in the scope that leads to it; lists, texts and stacks have an
 * end in any case; and an address that cannot be read ends the walk there. How memory is read is in memory.c, and how a
 * stack is walked in stack.c. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "peek.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "rights.h"
#include "stack.h"
#include "symbols.h"

G_DEFINE_QUARK (peek - error - quark, peek_error)

/* What a process may make us read. */
#define MAX_GUESTS   64
#define MAX_SCOPES   (1 << 20)
#define MAX_TASKS    (1 << 20)
#define MAX_CHILDREN 4096
#define MAX_OBJECT   (64 * 1024)

struct _Peek {
  Memory *memory;
  guint64 layout_at;
  TractorDebugLayout layout;
};

/* --- objects: read in one go, and then looked at ------------------------------------------------- */

static guint64
get_u64 (const guint8 *object, guint32 offset)
{
  guint64 value;

  memcpy (&value, object + offset, sizeof value);
  return value;
}

static guint32
get_u32 (const guint8 *object, guint32 offset)
{
  guint32 value;

  memcpy (&value, object + offset, sizeof value);
  return value;
}

/* (transfer full): a text that has a place of its own in it */
static char *
get_text (const guint8 *object, guint32 offset, guint32 length)
{
  return g_strndup ((const char *) object + offset, length);
}

/* Objects have to be read as far as their last field. */
static gsize
get_end (const guint32 *offsets, gsize n, gsize end)
{
  for (gsize i = 0; i < n; i++)
    end = MAX (end, (gsize) offsets[i] + sizeof (guint64));
  return end;
}

static gsize
get_scope_bytes (const TractorDebugLayout *layout)
{
  const guint32 offsets[] = {
    layout->scope_parent,     layout->scope_first_child, layout->scope_next_sibling,
    layout->scope_first_task, layout->scope_owner,       layout->scope_deadline,
    layout->scope_is_nursery, layout->scope_shield,      layout->scope_cancel_called,
    layout->scope_effective,  layout->scope_source,
  };

  return get_end (offsets, G_N_ELEMENTS (offsets),
                  (gsize) layout->scope_reason + layout->scope_reason_bytes);
}

static gsize
get_task_bytes (const TractorDebugLayout *layout)
{
  const guint32 offsets[] = {
    layout->task_sp,          layout->task_scope, layout->task_state,
    layout->task_waiting_for, layout->task_wait,  layout->task_next_in_scope,
    layout->task_nursery,     layout->task_func,  layout->task_stack,
    layout->task_id,
  };

  return get_end (offsets, G_N_ELEMENTS (offsets),
                  (gsize) layout->task_name + layout->task_name_bytes);
}

static gboolean
is_sane (const TractorDebugLayout *layout)
{
  const guint32 small[] = { layout->guest_next,    layout->guest_actor, layout->guest_root,
                            layout->guest_n_tasks, layout->stack_low,   layout->sleep_until };

  for (guint i = 0; i < G_N_ELEMENTS (small); i++)
    if (small[i] > MAX_OBJECT)
      return FALSE;
  return get_scope_bytes (layout) <= MAX_OBJECT && get_task_bytes (layout) <= MAX_OBJECT;
}

/* --- the layout ---------------------------------------------------------------------------------- */

/* Which of the kernel's rules it was, and what can be done about it. */
static void
set_not_allowed (gint pid, GError **error)
{
  if (!proc_is_own (pid))
    g_set_error (error, PEEK_ERROR, PEEK_ERROR_NOT_ALLOWED,
                 "Process %d may not be read: it is another user's. Ask as that user, or as root",
                 pid);
  else
    g_set_error (error, PEEK_ERROR, PEEK_ERROR_NOT_ALLOWED, "Process %d may not be read: %s", pid,
                 rights_find_refusal (pid, 0));
}

static gboolean
set_no_actor (gint pid, GError **error)
{
  g_set_error (
      error, PEEK_ERROR, PEEK_ERROR_NO_ACTOR,
      proc_exists (pid) ? "Process %d is no actor of this library" : "There is no process %d", pid);
  return FALSE;
}

static gboolean
set_lost_library (gint pid, GError **error)
{
  g_set_error (error, PEEK_ERROR, PEEK_ERROR_UNREADABLE,
               "The library of process %d has been replaced or removed since it was started: its "
               "tasks cannot be found any more",
               pid);
  return FALSE;
}

static gboolean
read_layout (Peek *peek, GError **error)
{
  TractorDebugLayout *layout = &peek->layout;
  gint pid = memory_get_pid (peek->memory);
  guint64 address;
  guint32 length;

  if (!memory_find_variable (peek->memory, LAYOUT_SYMBOL, &address))
    return memory_has_lost_library (peek->memory) ? set_lost_library (pid, error)
                                                  : set_no_actor (pid, error);
  errno = 0;
  if (!memory_read (peek->memory, address, layout, offsetof (TractorDebugLayout, guests))) {
    if (errno == EPERM)
      set_not_allowed (pid, error);
    else
      set_no_actor (pid, error);
    return FALSE;
  }
  peek->layout_at = address;
  length = MIN (layout->layout_bytes, sizeof *layout);
  if (memcmp (layout->magic, "TRACTOR", 8) == 0 && layout->version == 1 &&
      memory_read (peek->memory, address, layout, length) && is_sane (layout))
    return TRUE;
  g_set_error (error, PEEK_ERROR, PEEK_ERROR_UNREADABLE,
               "Process %d has a library whose tasks this version of tractor cannot read", pid);
  return FALSE;
}

Peek *
peek_open (gint pid, GError **error)
{
  g_autoptr (Peek) peek = g_new0 (Peek, 1);

  peek->memory = memory_open (pid);
  if (peek->memory == NULL) {
    if (proc_exists (pid))
      set_not_allowed (pid, error);
    else
      set_no_actor (pid, error);
    return NULL;
  }
  return read_layout (peek, error) ? g_steal_pointer (&peek) : NULL;
}

void
peek_free (Peek *peek)
{
  if (peek == NULL)
    return;
  memory_free (peek->memory);
  g_free (peek);
}

gboolean
peek_knows_stacks (const Peek *peek)
{
  return peek->layout.switch_kind == TRACTOR_DEBUG_SWITCH_X86_64 ||
         peek->layout.switch_kind == TRACTOR_DEBUG_SWITCH_AARCH64;
}

/* --- who waits for a debugger --------------------------------------------------------------------- */

gboolean
peek_get_stop (Peek *peek, TractorDebugStop *ret_stop)
{
  *ret_stop = peek->layout.stop;
  return ret_stop->kind != TRACTOR_DEBUG_STOP_NONE;
}

/* (nullable): the registers of the thread that crashes; its task looks as if it ran. */
static const Registers *
get_crashed (Peek *peek, Registers *registers)
{
  const TractorDebugLayout *layout = &peek->layout;

  return layout->stop.kind == TRACTOR_DEBUG_STOP_CRASH &&
                 registers_read_context (peek->memory, (gsize) layout->crash_context, registers)
             ? registers
             : NULL;
}

void
peek_walk_stop (Peek *peek, GArray *frames)
{
  Registers crashed;

  stack_walk_thread (peek->memory, peek->layout.stop.tid, get_crashed (peek, &crashed), frames);
}

gboolean
peek_set_verdict (Peek *peek, TractorDebugVerdict verdict)
{
  const guint32 value = verdict;

  return memory_write (peek->memory, peek->layout_at + offsetof (TractorDebugLayout, stop.verdict),
                       &value, sizeof value);
}

/* --- memory -------------------------------------------------------------------------------------- */

gboolean
peek_read (Peek *peek, guint64 address, void *bytes, gsize length)
{
  return memory_read (peek->memory, address, bytes, length);
}

char *
peek_read_text (Peek *peek, guint64 address)
{
  return memory_read_text (peek->memory, address);
}

/* --- guests -------------------------------------------------------------------------------------- */

typedef void (*GuestFunc) (Peek *peek, guint64 guest, gpointer data);

static void
for_each_guest (Peek *peek, GuestFunc func, gpointer data)
{
  guint64 guest = (gsize) peek->layout.guests;

  for (guint i = 0; i < MAX_GUESTS && guest != 0; i++) {
    func (peek, guest, data);
    guest = memory_read_pointer (peek->memory, guest + peek->layout.guest_next);
  }
}

static void
count_tasks (Peek *peek, guint64 guest, gpointer data)
{
  guint32 n = 0;

  if (memory_read (peek->memory, guest + peek->layout.guest_n_tasks, &n, sizeof n))
    *(guint *) data += n;
}

guint
peek_count_tasks (Peek *peek)
{
  guint n = 0;

  for_each_guest (peek, count_tasks, &n);
  return n;
}

/* --- the actor ----------------------------------------------------------------------------------- */

static void
child_free (gpointer data)
{
  PeekChild *child = data;

  g_free (child->name);
  g_free (child);
}

void
peek_actor_free (PeekActor *actor)
{
  if (actor == NULL)
    return;
  g_ptr_array_unref (actor->children);
  g_ptr_array_unref (actor->links);
  g_free (actor->name);
  g_free (actor->uuid);
  g_free (actor);
}

static void
read_children (Peek *peek, const TractorDebugActor *there, GPtrArray *children)
{
  GPtrArray array;

  if (there->children == NULL ||
      !memory_read (peek->memory, (gsize) there->children, &array, sizeof array))
    return;
  for (guint i = 0; i < MIN (array.len, MAX_CHILDREN); i++) {
    guint64 address = memory_read_pointer (peek->memory, (gsize) (array.pdata + i));
    guint64 name =
        address != 0 ? memory_read_pointer (peek->memory, address + there->child_name) : 0;
    PeekChild *child;
    gint32 pid;

    if (address == 0 || !memory_read (peek->memory, address + there->child_pid, &pid, sizeof pid) ||
        pid <= 0)
      continue;
    child = g_new (PeekChild, 1);
    child->pid = pid;
    child->name = memory_read_text (peek->memory, name);
    g_ptr_array_add (children, child);
  }
}

/* Returns: FALSE if that guest is no actor's. */
static gboolean
read_debug_actor (Peek *peek, guint64 guest, TractorDebugActor *ret_there)
{
  guint64 address = memory_read_pointer (peek->memory, guest + peek->layout.guest_actor);
  guint32 length = peek->layout.actor_bytes; /* of an older library 0 */

  *ret_there = (TractorDebugActor){ 0 };
  length = length != 0 ? MIN (length, sizeof *ret_there) : offsetof (TractorDebugActor, links);
  return address != 0 && memory_read (peek->memory, address, ret_there, length);
}

static void
add_work (Peek *peek, guint64 guest, gpointer data)
{
  PeekWork *work = data;
  TractorDebugActor there;
  guint64 n;

  if (peek->layout.guest_steps != 0 &&
      memory_read (peek->memory, guest + peek->layout.guest_steps, &n, sizeof n))
    work->n_steps += n;
  if (read_debug_actor (peek, guest, &there)) {
    work->sent_bytes += there.sent_bytes;
    work->received_bytes += there.received_bytes;
  }
}

void
peek_get_work (Peek *peek, PeekWork *ret_work)
{
  *ret_work = (PeekWork){ 0 };
  for_each_guest (peek, add_work, ret_work);
}

/* The first that is found: a process has one, but for tests. */
static void
read_actor (Peek *peek, guint64 guest, gpointer data)
{
  PeekActor **actor = data;
  TractorDebugActor there;

  if (*actor != NULL || !read_debug_actor (peek, guest, &there))
    return;
  *actor = g_new0 (PeekActor, 1);
  (*actor)->name = memory_read_text (peek->memory, (gsize) there.name);
  (*actor)->uuid = memory_read_text (peek->memory, (gsize) there.uuid);
  (*actor)->parent_pid = (gint) there.parent_pid;
  (*actor)->children = g_ptr_array_new_with_free_func (child_free);
  read_children (peek, &there, (*actor)->children);
  (*actor)->links = links_read (peek->memory, &there);
}

PeekActor *
peek_get_actor (Peek *peek)
{
  PeekActor *actor = NULL;

  for_each_guest (peek, read_actor, &actor);
  return actor;
}

/* --- tasks and scopes ---------------------------------------------------------------------------- */

static void
scope_free (gpointer data)
{
  PeekScope *scope = data;

  g_free (scope->reason);
  g_free (scope);
}

static PeekPeer *
peer_new (const char *name, gint64 pid)
{
  PeekPeer *peer = g_new (PeekPeer, 1);

  *peer = (PeekPeer){ g_strdup (name != NULL ? name : "?"), pid };
  return peer;
}

static void
peer_free (gpointer data)
{
  PeekPeer *peer = data;

  if (peer == NULL)
    return;
  g_free (peer->name);
  g_free (peer);
}

static void
task_free (gpointer data)
{
  PeekTask *task = data;

  g_ptr_array_unref (task->awaited);
  g_free (task->serves);
  peer_free (task->served);
  g_ptr_array_unref (task->scopes);
  g_array_unref (task->frames);
  g_free (task->name);
  g_free (task->waits_for);
  g_free (task->holder_name);
  g_free (task);
}

/* A task that is in a nursery. */
typedef struct {
  guint64 nursery;
  const PeekTask *task;
} Member;

typedef struct {
  GPtrArray *tasks;
  GHashTable *scopes; /* address: what was read there */
  GHashTable *owners; /* address of a task: its number */
  GHashTable *waits;  /* address: text; they are constants, and few */
  GHashTable *found;  /* address: the task that is there */
  GHashTable *
      waiting; /* address of the line that a task waits in, or of the text that says for what: an array of tasks */
  GHashTable *joining; /* address of a nursery: the task that waits for all in it */
  GArray *members;     /* (element-type Member): tasks that are in a nursery */
  gsize scope_bytes;
  gsize task_bytes;
} Listing;

/* (transfer none) (nullable) */
static const guint8 *
get_scope (Peek *peek, Listing *listing, guint64 address)
{
  guint8 *scope = g_hash_table_lookup (listing->scopes, GSIZE_TO_POINTER (address));

  if (scope != NULL || address == 0 || g_hash_table_size (listing->scopes) >= MAX_SCOPES)
    return scope;
  scope = g_malloc (listing->scope_bytes);
  if (!memory_read (peek->memory, address, scope, listing->scope_bytes)) {
    g_free (scope);
    return NULL;
  }
  g_hash_table_insert (listing->scopes, GSIZE_TO_POINTER (address), scope);
  return scope;
}

static guint64
get_owner_id (Peek *peek, Listing *listing, guint64 task)
{
  guint64 *known = g_hash_table_lookup (listing->owners, GSIZE_TO_POINTER (task));
  guint64 id = 0;

  if (known != NULL || task == 0)
    return known != NULL ? *known : 0;
  memory_read (peek->memory, task + peek->layout.task_id, &id, sizeof id);
  g_hash_table_insert (listing->owners, GSIZE_TO_POINTER (task), g_memdup2 (&id, sizeof id));
  return id;
}

/* Those that do something, from @address outwards. A shield hides what is beyond it; but that something is cancelled there
 * may be why the task is looked at. */
static void
add_scopes (Peek *peek, Listing *listing, guint64 address, PeekTask *task)
{
  const TractorDebugLayout *layout = &peek->layout;
  gboolean is_hidden = FALSE;
  const guint8 *scope;

  for (guint i = 0; i < 256 && (scope = get_scope (peek, listing, address)) != NULL; i++) {
    PeekScope found = { .deadline = (gint64) get_u64 (scope, layout->scope_deadline),
                        .is_shielded = get_u32 (scope, layout->scope_shield) != 0,
                        .cancel_called = get_u32 (scope, layout->scope_cancel_called) != 0,
                        .is_hidden = is_hidden };

    if (found.cancel_called ||
        (!is_hidden && (found.deadline != G_MAXINT64 || found.is_shielded))) {
      if (found.cancel_called && layout->scope_source != 0)
        found.source = get_u32 (scope, layout->scope_source);
      found.owner_at = get_u64 (scope, layout->scope_owner);
      found.owner_id = get_owner_id (peek, listing, found.owner_at);
      found.reason = get_text (scope, layout->scope_reason, layout->scope_reason_bytes);
      g_ptr_array_add (task->scopes, g_memdup2 (&found, sizeof found));
    }
    is_hidden = is_hidden || found.is_shielded;
    address = get_u64 (scope, layout->scope_parent);
  }
}

/* (transfer full) (nullable) */
static char *
get_wait (Peek *peek, Listing *listing, guint64 address)
{
  const char *text = g_hash_table_lookup (listing->waits, GSIZE_TO_POINTER (address));

  if (text == NULL && address != 0) {
    text = memory_read_text (peek->memory, address);
    if (text != NULL)
      g_hash_table_insert (listing->waits, GSIZE_TO_POINTER (address), (gpointer) text);
  }
  return g_strdup (text);
}

static void
read_task_stack (Peek *peek, guint64 address, const guint8 *object, PeekTask *task)
{
  const TractorDebugLayout *layout = &peek->layout;
  guint64 low =
      memory_read_pointer (peek->memory, get_u64 (object, layout->task_stack) + layout->stack_low);
  gboolean is_whole = FALSE;
  Registers crashed;

  if (low == 0 || low >= address || task->state == PEEK_ENDED)
    return;
  if (task->state == PEEK_RUNNING)
    is_whole =
        stack_walk_running (peek->memory, low, address, get_crashed (peek, &crashed), task->frames);
  else if (peek_knows_stacks (peek))
    is_whole =
        stack_walk_suspended (peek->memory, layout->switch_kind == TRACTOR_DEBUG_SWITCH_X86_64, low,
                              address, get_u64 (object, layout->task_sp), task->frames);
  task->is_cut = !is_whole;
}

/* Returns: where the task is that has the lock which is waited for; 0: it is no lock, or nobody has it. */
static guint64
find_holder (Peek *peek, const char *waits_for, guint64 wait)
{
  const TractorDebugLayout *layout = &peek->layout;
  guint64 lot;

  if (layout->lot_holder == 0 || /* an older library */
      (g_strcmp0 (waits_for, "lock") != 0 && g_strcmp0 (waits_for, "condition") != 0))
    return 0;
  lot = memory_read_pointer (peek->memory, wait + layout->wait_lot);
  return lot != 0 ? memory_read_pointer (peek->memory, lot + layout->lot_holder) : 0;
}

/* So that who waits is found from what is waited for. */
static void
note_wait (Listing *listing, guint64 address, PeekTask *task)
{
  GPtrArray *tasks = g_hash_table_lookup (listing->waiting, GSIZE_TO_POINTER (address));

  if (address == 0)
    return;
  if (tasks == NULL) {
    tasks = g_ptr_array_new ();
    g_hash_table_insert (listing->waiting, GSIZE_TO_POINTER (address), tasks);
  }
  g_ptr_array_add (tasks, task);
}

static void
note_waits (
    Peek *peek, Listing *listing, guint64 scope_address, const guint8 *object, PeekTask *task)
{
  const TractorDebugLayout *layout = &peek->layout;
  guint64 wait = get_u64 (object, layout->task_wait);

  note_wait (listing, get_u64 (object, layout->task_waiting_for), task);
  if (wait != 0 && layout->lot_holder != 0) /* not an older library */
    note_wait (listing, memory_read_pointer (peek->memory, wait + layout->wait_lot), task);
  if (g_strcmp0 (task->waits_for, "nursery") == 0)
    g_hash_table_insert (listing->joining, GSIZE_TO_POINTER (scope_address), task);
}

static void
add_awaited (Listing *listing, guint64 address, const ActorLink *link)
{
  GPtrArray *tasks =
      address != 0 ? g_hash_table_lookup (listing->waiting, GSIZE_TO_POINTER (address)) : NULL;

  for (guint i = 0; tasks != NULL && i < tasks->len; i++) {
    PeekTask *task = tasks->pdata[i];

    if (task->awaited->len == 0)
      g_ptr_array_add (task->awaited, peer_new (link->peer, link->peer_pid));
  }
}

/* The name is the wait's where a context is asked for. Of a call it is the program's own text, which many may have. */
static void
add_asked (Listing *listing, const ActorLink *link, GHashTable *n_named)
{
  for (guint i = 0; i < link->asked->len; i++) {
    const LinkOpen *open = link->asked->pdata[i];

    for (guint line = 0; line < LINK_N_LINES; line++)
      add_awaited (listing, open->lines[line], link);
    if (GPOINTER_TO_UINT (g_hash_table_lookup (n_named, GSIZE_TO_POINTER (open->name_at))) == 1)
      add_awaited (listing, open->name_at, link);
  }
}

/* (transfer full): how many things that are asked have that text. */
static GHashTable *
count_names (const GPtrArray *links)
{
  GHashTable *n_named = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < links->len; i++) {
    const ActorLink *link = links->pdata[i];

    for (guint j = 0; j < link->asked->len; j++) {
      gpointer name = GSIZE_TO_POINTER (((const LinkOpen *) link->asked->pdata[j])->name_at);

      g_hash_table_insert (
          n_named, name,
          GUINT_TO_POINTER (GPOINTER_TO_UINT (g_hash_table_lookup (n_named, name)) + 1));
    }
  }
  return n_named;
}

static void
add_served (Peek *peek, Listing *listing, const ActorLink *link)
{
  for (guint i = 0; i < link->served->len; i++) {
    const LinkOpen *open = link->served->pdata[i];
    const guint8 *scope = open->scope != 0 ? get_scope (peek, listing, open->scope) : NULL;
    PeekTask *task =
        scope != NULL
            ? g_hash_table_lookup (listing->found,
                                   GSIZE_TO_POINTER (get_u64 (scope, peek->layout.scope_owner)))
            : NULL;

    if (task == NULL || task->serves != NULL)
      continue;
    task->serves = g_strdup (open->name);
    task->served = peer_new (link->peer, link->peer_pid);
  }
}

/* Whether it was begun with a function of the library; one that serves a call has that of the program. */
static gboolean
runs_library (Peek *peek, const PeekTask *task)
{
  PlaceInCode place;

  peek_describe (peek, task->func, FALSE, &place);
  return place.is_librarys;
}

/* That the connection is served to its end, shielded, is what the library does for every call. */
static void
mark_librarys_scopes (Peek *peek, const Listing *listing)
{
  for (guint i = 0; i < listing->tasks->len; i++) {
    const PeekTask *task = listing->tasks->pdata[i];

    for (guint j = 0; j < task->scopes->len; j++) {
      PeekScope *scope = task->scopes->pdata[j];
      const PeekTask *owner =
          g_hash_table_lookup (listing->found, GSIZE_TO_POINTER (scope->owner_at));

      scope->is_librarys = owner != NULL && owner != task && !scope->cancel_called &&
                           scope->deadline == G_MAXINT64 && runs_library (peek, owner);
    }
  }
}

/* The task that watches over an actor, in the nursery of that, has its name: and so may have one of the program. */
static void
add_children (Peek *peek, Listing *listing, const GPtrArray *children)
{
  g_autoptr (GHashTable) pids = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < children->len; i++) {
    const PeekChild *child = children->pdata[i];

    if (child->name != NULL)
      g_hash_table_insert (pids, child->name, GINT_TO_POINTER (child->pid));
  }
  for (guint i = 0; i < listing->members->len; i++) {
    const Member *member = &g_array_index (listing->members, Member, i);
    PeekTask *joiner = g_hash_table_lookup (listing->joining, GSIZE_TO_POINTER (member->nursery));
    gpointer pid;

    if (joiner != NULL && g_hash_table_lookup_extended (pids, member->task->name, NULL, &pid) &&
        runs_library (peek, member->task))
      g_ptr_array_add (joiner->awaited, peer_new (member->task->name, GPOINTER_TO_INT (pid)));
  }
}

/* When all tasks are known. */
static void
name_actors (Peek *peek, Listing *listing)
{
  g_autoptr (PeekActor) actor = peek_get_actor (peek);
  g_autoptr (GHashTable) n_named = NULL;

  if (actor == NULL)
    return;
  n_named = count_names (actor->links);
  for (guint i = 0; i < actor->links->len; i++) {
    add_asked (listing, actor->links->pdata[i], n_named);
    add_served (peek, listing, actor->links->pdata[i]);
  }
  add_children (peek, listing, actor->children);
}

/* When all tasks are known: what is no task is no holder. */
static void
name_holders (const Listing *listing)
{
  for (guint i = 0; i < listing->tasks->len; i++) {
    PeekTask *task = listing->tasks->pdata[i];
    const PeekTask *holder =
        g_hash_table_lookup (listing->found, GSIZE_TO_POINTER (task->holder_at));

    if (holder == NULL)
      continue;
    task->holder_id = holder->id;
    task->holder_name = g_strdup (holder->name);
  }
}

static void
add_task (
    Peek *peek, Listing *listing, guint64 address, guint64 scope_address, const guint8 *object)
{
  const TractorDebugLayout *layout = &peek->layout;
  PeekTask *task = g_new0 (PeekTask, 1);
  const guint8 *scope = get_scope (peek, listing, scope_address);
  Member member;

  task->id = get_u64 (object, layout->task_id);
  task->name = get_text (object, layout->task_name, layout->task_name_bytes);
  task->state = (PeekTaskState) object[layout->task_state];
  task->func = get_u64 (object, layout->task_func);
  task->is_cancelled = scope != NULL && get_u32 (scope, layout->scope_effective) != 0;
  task->scopes = g_ptr_array_new_with_free_func (scope_free);
  task->frames = g_array_new (FALSE, FALSE, sizeof (guint64));
  task->awaited = g_ptr_array_new_with_free_func (peer_free);
  member = (Member){ get_u64 (object, layout->task_nursery), task };
  g_array_append_val (listing->members, member);
  g_hash_table_insert (listing->found, GSIZE_TO_POINTER (address), task);
  if (task->state == PEEK_WAITING) {
    task->waits_for = get_wait (peek, listing, get_u64 (object, layout->task_waiting_for));
    if (g_strcmp0 (task->waits_for, "sleep") == 0)
      memory_read (peek->memory, get_u64 (object, layout->task_wait) + layout->sleep_until,
                   &task->sleeps_until, sizeof task->sleeps_until);
    note_waits (peek, listing, scope_address, object, task);
    task->holder_at = find_holder (peek, task->waits_for, get_u64 (object, layout->task_wait));
  }
  add_scopes (peek, listing, scope_address, task);
  read_task_stack (peek, address, object, task);
  g_ptr_array_add (listing->tasks, task);
}

static void
add_tasks_of_scope (Peek *peek, Listing *listing, guint64 scope_address, guint64 address)
{
  const TractorDebugLayout *layout = &peek->layout;
  g_autofree guint8 *object = g_malloc (listing->task_bytes);

  while (address != 0 && listing->tasks->len < MAX_TASKS &&
         memory_read (peek->memory, address, object, listing->task_bytes) &&
         get_u64 (object, layout->task_scope) == scope_address &&
         object[layout->task_state] <= PEEK_ENDED) {
    add_task (peek, listing, address, scope_address, object);
    address = get_u64 (object, layout->task_next_in_scope);
  }
}

/* The tree of scopes leads to every task. */
static void
list_tasks (Peek *peek, guint64 guest, gpointer data)
{
  const TractorDebugLayout *layout = &peek->layout;
  Listing *listing = data;
  g_autoptr (GArray) left = g_array_new (FALSE, FALSE, sizeof (guint64));
  g_autoptr (GHashTable) visited = g_hash_table_new (NULL, NULL);
  guint64 address = guest + layout->guest_root;

  g_array_append_val (left, address);
  while (left->len > 0) {
    const guint8 *scope;
    guint64 next;

    address = g_array_index (left, guint64, left->len - 1);
    g_array_set_size (left, left->len - 1);
    scope = get_scope (peek, listing, address);
    if (scope == NULL || !g_hash_table_add (visited, GSIZE_TO_POINTER (address)))
      continue;
    add_tasks_of_scope (peek, listing, address, get_u64 (scope, layout->scope_first_task));
    next = get_u64 (scope, layout->scope_next_sibling);
    g_array_append_val (left, next);
    next = get_u64 (scope, layout->scope_first_child);
    g_array_append_val (left, next);
  }
}

static int
compare_ids (gconstpointer a, gconstpointer b)
{
  const PeekTask *const *one = a;
  const PeekTask *const *other = b;

  if ((*one)->id != (*other)->id)
    return (*one)->id < (*other)->id ? -1 : 1;
  return 0;
}

GPtrArray *
peek_list_tasks (Peek *peek)
{
  g_autoptr (GHashTable) scopes = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_autoptr (GHashTable) owners = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_autoptr (GHashTable) waits = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_autoptr (GHashTable) found = g_hash_table_new (NULL, NULL);
  g_autoptr (GHashTable) waiting =
      g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_ptr_array_unref);
  g_autoptr (GHashTable) joining = g_hash_table_new (NULL, NULL);
  g_autoptr (GArray) members = g_array_new (FALSE, FALSE, sizeof (Member));
  Listing listing = { .tasks = g_ptr_array_new_with_free_func (task_free),
                      .scopes = scopes,
                      .owners = owners,
                      .waits = waits,
                      .found = found,
                      .waiting = waiting,
                      .joining = joining,
                      .members = members,
                      .scope_bytes = get_scope_bytes (&peek->layout),
                      .task_bytes = get_task_bytes (&peek->layout) };

  for_each_guest (peek, list_tasks, &listing);
  name_holders (&listing);
  name_actors (peek, &listing);
  mark_librarys_scopes (peek, &listing);
  g_ptr_array_sort (listing.tasks, compare_ids);
  return listing.tasks;
}

/* --- names --------------------------------------------------------------------------------------- */

void
peek_describe (Peek *peek, guint64 address, gboolean is_return, PlaceInCode *ret_place)
{
  memory_describe (peek->memory, address, is_return, ret_place);
}
