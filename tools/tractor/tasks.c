/* tasks.c - the tasks of an actor, as text.
 *
 * Tasks that are the same but for their names and numbers are shown once, with how many there are: ten thousand that
 * wait for the same are a line and a stack. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tasks.h"

#include <string.h>

#include "text.h"

/* How many names of equal tasks are shown. */
#define N_SHOWN 3
/* How many ranges of their numbers. */
#define MAX_RANGES 8

/* --- tasks that are the same --------------------------------------------------------------------- */

static void
group_free (gpointer data)
{
  TaskGroup *group = data;

  g_ptr_array_unref (group->tasks);
  g_free (group);
}

static void
append_peer_to_key (GByteArray *key, const PeekPeer *peer)
{
  g_byte_array_append (key, (const guint8 *) peer->name, (guint) strlen (peer->name) + 1);
  g_byte_array_append (key, (const guint8 *) &peer->pid, sizeof peer->pid);
}

static void
append_peers_to_key (GByteArray *key, const PeekTask *task)
{
  for (guint i = 0; i < task->awaited->len; i++)
    append_peer_to_key (key, task->awaited->pdata[i]);
  if (task->serves != NULL) {
    g_byte_array_append (key, (const guint8 *) task->serves, (guint) strlen (task->serves) + 1);
    append_peer_to_key (key, task->served);
  }
}

/* (transfer full): equal for tasks that are shown together; deadlines differ by when each was started. */
static GBytes *
make_key (const PeekTask *task)
{
  GByteArray *key = g_byte_array_new ();
  const guint8 flags[] = { (guint8) task->state, task->is_cancelled != 0, task->is_cut != 0 };

  g_byte_array_append (key, flags, sizeof flags);
  g_byte_array_append (key, (const guint8 *) &task->holder_id, sizeof task->holder_id);
  if (task->waits_for != NULL)
    g_byte_array_append (key, (const guint8 *) task->waits_for,
                         (guint) strlen (task->waits_for) + 1);
  for (guint i = 0; i < task->scopes->len; i++) {
    const PeekScope *scope = task->scopes->pdata[i];
    const guint8 scope_flags[] = { scope->deadline != G_MAXINT64, scope->is_shielded != 0,
                                   scope->cancel_called != 0, (guint8) scope->source,
                                   scope->owner_id == task->id };

    g_byte_array_append (key, scope_flags, sizeof scope_flags);
    if (scope->owner_id != task->id)
      g_byte_array_append (key, (const guint8 *) &scope->owner_id, sizeof scope->owner_id);
    g_byte_array_append (key, (const guint8 *) scope->reason, (guint) strlen (scope->reason) + 1);
  }
  append_peers_to_key (key, task);
  g_byte_array_append (key, (const guint8 *) task->frames->data,
                       task->frames->len * (guint) sizeof (guint64));
  return g_byte_array_free_to_bytes (key);
}

/* What the library itself stands on. */
static gboolean
is_below_library (const char *module)
{
  static const char *const names[] = { "libc.so",       "libglib-2.0.so",    "libgobject-2.0.so",
                                       "libgio-2.0.so", "libgmodule-2.0.so", "libuv.so",
                                       "libmsgpack",    "ld-linux",          "libasan.so",
                                       "libubsan.so",   "libtsan.so" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_has_prefix (module, names[i]))
      return TRUE;
  return FALSE;
}

gboolean
tasks_is_programs (const PlaceInCode *place)
{
  return place->module != NULL && !place->is_librarys && !is_below_library (place->module);
}

/* A function that the program serves runs in a task that the library has started: that is the program's. */
static gboolean
is_librarys (Peek *peek, const PeekTask *task)
{
  PlaceInCode frame;

  peek_describe (peek, task->func, FALSE, &frame);
  if (!frame.is_librarys)
    return FALSE;
  for (guint i = 0; i < task->frames->len; i++) {
    peek_describe (peek, g_array_index (task->frames, guint64, i), i > 0, &frame);
    if (tasks_is_programs (&frame))
      return FALSE;
  }
  return TRUE;
}

GPtrArray *
tasks_group (Peek *peek, const GPtrArray *tasks, TasksFlags flags)
{
  GPtrArray *groups = g_ptr_array_new_with_free_func (group_free);
  g_autoptr (GHashTable) by_key =
      g_hash_table_new_full (g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);

  for (guint i = 0; i < tasks->len; i++) {
    PeekTask *task = tasks->pdata[i];
    g_autoptr (GBytes) key = NULL;
    TaskGroup *group = NULL;

    if ((flags & TASKS_WITHOUT_LIBRARYS) != 0 && is_librarys (peek, task))
      continue;
    key = make_key (task);
    if ((flags & TASKS_EACH) == 0)
      group = g_hash_table_lookup (by_key, key);
    if (group == NULL) {
      group = g_new (TaskGroup, 1);
      group->tasks = g_ptr_array_new ();
      g_ptr_array_add (groups, group);
      g_hash_table_replace (by_key, g_steal_pointer (&key), group);
    }
    g_ptr_array_add (group->tasks, task);
  }
  return groups;
}

guint
tasks_count (const GPtrArray *groups)
{
  guint n = 0;

  for (guint i = 0; i < groups->len; i++)
    n += ((const TaskGroup *) groups->pdata[i])->tasks->len;
  return n;
}

const PeekTask *
task_group_get_first (const TaskGroup *group)
{
  return group->tasks->pdata[0];
}

gint64
task_group_get_usec_left (const TaskGroup *group)
{
  gint64 earliest = G_MAXINT64;

  for (guint i = 0; i < group->tasks->len; i++) {
    const PeekTask *task = group->tasks->pdata[i];

    if (task->sleeps_until > 0)
      earliest = MIN (earliest, task->sleeps_until);
  }
  return earliest != G_MAXINT64 ? MAX (earliest - g_get_monotonic_time (), 0) : -1;
}

const char *
task_describe_state (const PeekTask *task)
{
  static const char *const states[] = { "runnable", "running", "waiting", "ended" };

  return states[task->state];
}

/* --- for people ---------------------------------------------------------------------------------- */

/* "10, 11, 13 to 15": those that are meant, and no other. They are in order. */
static void
append_numbers (GString *out, const TaskGroup *group)
{
  const GPtrArray *tasks = group->tasks;
  guint n_ranges = 0;

  for (guint i = 0, n; i < tasks->len; i += n) {
    const guint64 first = ((const PeekTask *) tasks->pdata[i])->id;

    for (n = 1; i + n < tasks->len && ((const PeekTask *) tasks->pdata[i + n])->id == first + n;
         n++)
      ;
    if (n_ranges++ == MAX_RANGES) {
      g_string_append (out, ", …");
      return;
    }
    g_string_append_printf (out, "%s%" G_GUINT64_FORMAT, i > 0 ? ", " : "", first);
    if (n > 1)
      g_string_append_printf (out, " to %" G_GUINT64_FORMAT, first + n - 1);
  }
}

static void
append_names (GString *out, const TaskGroup *group)
{
  guint n_shown = 0;
  const char *last = NULL;

  for (guint i = 0; i < group->tasks->len && n_shown <= N_SHOWN; i++) {
    const PeekTask *task = group->tasks->pdata[i];
    g_autofree char *name = text_escape (task->name);

    if (last != NULL && strcmp (last, task->name) == 0)
      continue;
    last = task->name;
    if (n_shown == N_SHOWN)
      g_string_append (out, ", …");
    else
      g_string_append_printf (out, "%s'%s'", n_shown > 0 ? ", " : "", name);
    n_shown++;
  }
}

static void
append_peer (GString *out, const PeekPeer *peer)
{
  g_autofree char *name = text_escape (peer->name);

  g_string_append_printf (out, "'%s'", name);
  if (peer->pid > 0)
    g_string_append_printf (out, " (process %" G_GINT64_FORMAT ")", peer->pid);
}

/* " of 'till' (process 104)" */
static void
append_awaited (GString *out, const PeekTask *task)
{
  for (guint i = 0; i < MIN (task->awaited->len, N_SHOWN); i++) {
    g_string_append (out, i > 0 ? ", " : " of ");
    append_peer (out, task->awaited->pdata[i]);
  }
  if (task->awaited->len > N_SHOWN)
    g_string_append_printf (out, " and %u more actors", task->awaited->len - N_SHOWN);
}

void
task_group_append_heading (GString *out, const TaskGroup *group)
{
  const PeekTask *task = task_group_get_first (group);
  gint64 usec_left = task_group_get_usec_left (group);

  if (group->tasks->len > 1) {
    g_autofree char *n = text_from_number (group->tasks->len);

    g_string_append_printf (out, "  × %s tasks, ", n);
    append_numbers (out, group);
    g_string_append (out, ", ");
  } else {
    g_string_append_printf (out, "  task %" G_GUINT64_FORMAT " ", task->id);
  }
  append_names (out, group);
  g_string_append_printf (out, " %s", task_describe_state (task));
  if (task->waits_for != NULL) {
    g_autofree char *waits_for = text_escape (task->waits_for);

    g_string_append_printf (out, " for %s", waits_for);
    append_awaited (out, task);
  }
  if (task->holder_id != 0) {
    g_autofree char *holder = text_escape (task->holder_name);

    g_string_append_printf (out, ", held by task %" G_GUINT64_FORMAT " '%s'", task->holder_id,
                            holder);
  }
  if (usec_left >= 0 && usec_left < G_MAXINT64 / 2) {
    g_autofree char *left = text_from_usec (usec_left);

    g_string_append_printf (out, ", %s left", left);
  }
  if (task->is_cancelled)
    g_string_append (out, ", cancelled");
  g_string_append_c (out, '\n');
  if (task->serves != NULL) {
    g_autofree char *serves = text_escape (task->serves);

    g_string_append_printf (out, "      serves %s for ", serves);
    append_peer (out, task->served);
    g_string_append_c (out, '\n');
  }
}

gboolean
task_shows_scope (const PeekScope *scope, TasksFlags flags)
{
  return (flags & TASKS_WITHOUT_LIBRARYS) == 0 || !scope->is_librarys;
}

void
task_append_scopes (GString *out, const PeekTask *task, TasksFlags flags)
{
  for (guint i = 0; i < task->scopes->len; i++) {
    const PeekScope *scope = task->scopes->pdata[i];

    if (!task_shows_scope (scope, flags))
      continue;
    g_string_append (out, "      scope");
    if (scope->owner_id == 0)
      g_string_append (out, " around all");
    else if (scope->owner_id != task->id)
      g_string_append_printf (out, " of task %" G_GUINT64_FORMAT, scope->owner_id);
    if (scope->deadline != G_MAXINT64) {
      gint64 left = scope->deadline - g_get_monotonic_time ();
      g_autofree char *text = text_from_usec (ABS (left));

      g_string_append_printf (out, ", deadline %s %s", left >= 0 ? "in" : "passed by", text);
    }
    if (scope->is_shielded)
      g_string_append (out, ", shielded");
    if (scope->cancel_called) {
      g_autofree char *reason = text_escape (scope->reason);

      /* A deadline and the end of the loop are their own reasons. */
      g_string_append_printf (out, ", cancelled%s%s%s%s", scope->is_hidden ? " beyond that" : "",
                              scope->source == TRACTOR_CANCEL_NURSERY ? " by its nursery" : "",
                              *reason != '\0' ? ": " : "", reason);
    }
    g_string_append_c (out, '\n');
  }
}

gboolean
task_describe_frame (
    Peek *peek, const PeekTask *task, guint i, TasksFlags flags, PlaceInCode *ret_frame)
{
  peek_describe (peek, g_array_index (task->frames, guint64, i), i > 0, ret_frame);
  return (flags & TASKS_WITHOUT_LIBRARYS) == 0 || !ret_frame->is_librarys;
}

void
task_append_frames (GString *out, Peek *peek, const PeekTask *task, TasksFlags flags)
{
  for (guint i = 0; i < task->frames->len; i++) {
    PlaceInCode frame;
    g_autofree char *function = NULL;
    g_autofree char *module = NULL;

    if (!task_describe_frame (peek, task, i, flags, &frame))
      continue;
    function = text_escape (frame.function != NULL ? frame.function : "?");
    module = text_escape (frame.module != NULL ? frame.module : "no file");
    g_string_append_printf (out, "      %s+0x%" G_GINT64_MODIFIER "x (%s)\n", function,
                            frame.offset, module);
  }
  if (task->is_cut)
    g_string_append (out, task->frames->len > 0 ? "      … the rest of its stack cannot be read\n"
                                                : "      its stack cannot be read\n");
}

void
task_groups_append (GString *out, Peek *peek, const GPtrArray *groups, TasksFlags flags)
{
  for (guint i = 0; i < groups->len; i++) {
    const PeekTask *task = task_group_get_first (groups->pdata[i]);

    task_group_append_heading (out, groups->pdata[i]);
    task_append_scopes (out, task, flags);
    task_append_frames (out, peek, task, flags);
  }
}

void
tasks_append (GString *out, Peek *peek, const GPtrArray *tasks, TasksFlags flags)
{
  g_autoptr (GPtrArray) groups = tasks_group (peek, tasks, flags);

  task_groups_append (out, peek, groups, flags);
}
