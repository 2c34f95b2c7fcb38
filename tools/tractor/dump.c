/* dump.c - tractor dump: every task of every actor from a process down, with its stack, and what it waits for.
 *
 * Nothing is asked of anybody: each actor's memory says which tasks it has, and which actors it has started, so one that
 * is stopped or stuck is shown as any other. Parents come before their children, and each whole. How tasks are written
 * is in tasks.c.
 *
 * It is also what an actor has done that gets SIGUSR1, in debug mode or with TRACTOR_DUMP=1 (src/debug/dump-signal.c): then
 * it is kept in a file, after what is there, and said on stderr in one piece; a Python actor, which is not to be read, gets
 * that signal too, if it does not die of it; and the last line says who is missing. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "dump-log.h"
#include "holds.h"
#include "output.h"
#include "peek.h"
#include "proc.h"
#include "tasks.h"
#include "text.h"

/* A tree is no deeper; who says otherwise is read while it changes. */
#define MAX_DEPTH 16

static gboolean wants_all;
static gboolean wants_each;
static gboolean wants_json;
static char *output;
static char *signal_log;

static const GOptionEntry options[] = {
  { "all", 0, 0, G_OPTION_ARG_NONE, &wants_all,
    "The library's own tasks and scopes, too, and its functions in stacks", NULL },
  { "each", 0, 0, G_OPTION_ARG_NONE, &wants_each, "Each task by itself, also if many are the same",
    NULL },
  { "json", 0, 0, G_OPTION_ARG_NONE, &wants_json, "One JSON object in a line for each actor",
    NULL },
  { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "Write to FILE, which nobody else may read",
    "FILE" },
  { "on-signal", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &signal_log, NULL, NULL },
  { 0 },
};

static TasksFlags
get_flags (void)
{
  return (wants_each ? TASKS_EACH : 0U) | (wants_all ? 0U : TASKS_WITHOUT_LIBRARYS);
}

/* --- for people ---------------------------------------------------------------------------------- */

/* (transfer none) */
static const char *
get_open_name (const GPtrArray *open, guint i)
{
  return ((const LinkOpen *) open->pdata[i])->name;
}

/* "tree:work × 3, tree:grow". @open: the same are side by side. */
static void
append_functions (GString *out, const GPtrArray *open)
{
  for (guint i = 0, n_same; i < open->len; i += n_same) {
    g_autofree char *name = text_escape (get_open_name (open, i));

    for (n_same = 1; i + n_same < open->len &&
                     g_str_equal (get_open_name (open, i + n_same), get_open_name (open, i));
         n_same++)
      ;
    g_string_append_printf (out, "%s%s", i > 0 ? ", " : "", name);
    if (n_same > 1)
      g_string_append_printf (out, " × %u", n_same);
  }
}

/* (transfer full): the actor at the other end */
static char *
describe_peer (const ActorLink *link)
{
  g_autofree char *name = text_escape (link->peer != NULL ? link->peer : "?");

  return link->peer_pid > 0
             ? g_strdup_printf ("'%s' (process %" G_GINT64_FORMAT ")", name, link->peer_pid)
             : g_strdup_printf ("'%s'", name);
}

/* "  serves tree:work for 'root'": a line whose subject is the actor of the heading. */
static void
append_link (GString *out,
             const char *verb,
             const GPtrArray *open,
             const char *preposition,
             const char *peer)
{
  g_string_append_printf (out, "  %s ", verb);
  append_functions (out, open);
  g_string_append_printf (out, " %s %s\n", preposition, peer);
}

static void
append_links (GString *out, const PeekActor *actor)
{
  for (guint i = 0; actor != NULL && i < actor->links->len; i++) {
    const ActorLink *link = actor->links->pdata[i];
    g_autofree char *peer = describe_peer (link);

    if (link->served->len > 0)
      append_link (out, "serves", link->served, "for", peer);
    if (link->asked->len > 0)
      append_link (out, "waits for", link->asked, "of", peer);
    if (link->served->len == 0 && link->asked->len == 0)
      g_string_append_printf (out, "  is connected to %s\n", peer);
  }
}

/* --- for programs -------------------------------------------------------------------------------- */

/* (nullable) */
static const char *
get_source_name (const PeekScope *scope)
{
  static const char *const names[] = { NULL, "call", "deadline", "nursery", "shutdown" };

  return scope->source < G_N_ELEMENTS (names) ? names[scope->source] : NULL;
}

static void
add_scopes_json (GString *out, const PeekTask *task)
{
  json_open (out, "scopes", '[');
  for (guint i = 0; i < task->scopes->len; i++) {
    const PeekScope *scope = task->scopes->pdata[i];

    if (!task_shows_scope (scope, get_flags ()))
      continue;
    json_open (out, NULL, '{');
    if (scope->owner_id != 0)
      json_add_number (out, "task", (gint64) scope->owner_id);
    else
      json_add_null (out, "task");
    if (scope->deadline != G_MAXINT64)
      json_add_number (out, "usec_left", scope->deadline - g_get_monotonic_time ());
    else
      json_add_null (out, "usec_left");
    json_add_flag (out, "shielded", scope->is_shielded);
    json_add_flag (out, "cancelled", scope->cancel_called);
    json_add_flag (out, "hidden", scope->is_hidden);
    json_add_text (out, "cancelled_by", get_source_name (scope));
    json_add_text (out, "reason", scope->cancel_called ? scope->reason : NULL);
    json_close (out, '}');
  }
  json_close (out, ']');
}

static void
add_frames_json (GString *out, Peek *peek, const PeekTask *task)
{
  json_open (out, "frames", '[');
  for (guint i = 0; i < task->frames->len; i++) {
    PlaceInCode frame;

    if (!task_describe_frame (peek, task, i, get_flags (), &frame))
      continue;
    json_open (out, NULL, '{');
    json_add_text (out, "function", frame.function);
    json_add_number (out, "offset", (gint64) frame.offset);
    json_add_text (out, "file", frame.module);
    json_close (out, '}');
  }
  json_close (out, ']');
  json_add_flag (out, "whole", !task->is_cut);
}

static void
add_peer_json (GString *out, const char *key, const PeekPeer *peer)
{
  json_open (out, key, '{');
  json_add_text (out, "name", peer->name);
  json_add_number (out, "pid", peer->pid);
  json_close (out, '}');
}

/* The actors that it has to do with. */
static void
add_peers_json (GString *out, const PeekTask *task)
{
  json_open (out, "waits_for_actors", '[');
  for (guint i = 0; i < task->awaited->len; i++)
    add_peer_json (out, NULL, task->awaited->pdata[i]);
  json_close (out, ']');
  json_add_text (out, "serves", task->serves);
  if (task->served != NULL)
    add_peer_json (out, "serves_actor", task->served);
  else
    json_add_null (out, "serves_actor");
}

static void
add_tasks_json (GString *out, Peek *peek)
{
  g_autoptr (GPtrArray) tasks = peek_list_tasks (peek);
  g_autoptr (GPtrArray) groups = tasks_group (peek, tasks, get_flags ());

  json_add_number (out, "tasks", tasks->len);
  json_add_number (out, "left_out", tasks->len - tasks_count (groups));
  json_open (out, "groups", '[');
  for (guint i = 0; i < groups->len; i++) {
    const TaskGroup *group = groups->pdata[i];
    const PeekTask *task = task_group_get_first (group);
    gint64 usec_left = task_group_get_usec_left (group);

    json_open (out, NULL, '{');
    json_add_number (out, "count", group->tasks->len);
    json_add_number (out, "task", (gint64) task->id);
    json_add_text (out, "name", task->name);
    json_add_text (out, "state", task_describe_state (task));
    json_add_text (out, "waits_for", task->waits_for);
    add_peers_json (out, task);
    if (task->holder_id != 0)
      json_add_number (out, "held_by", (gint64) task->holder_id);
    else
      json_add_null (out, "held_by");
    if (usec_left >= 0)
      json_add_number (out, "usec_left", usec_left);
    else
      json_add_null (out, "usec_left");
    json_add_flag (out, "cancelled", task->is_cancelled);
    add_scopes_json (out, task);
    add_frames_json (out, peek, task);
    json_close (out, '}');
  }
  json_close (out, ']');
}

static void
add_functions_json (GString *out, const char *key, const GPtrArray *open)
{
  json_open (out, key, '[');
  for (guint i = 0; i < open->len; i++)
    json_add_text (out, NULL, get_open_name (open, i));
  json_close (out, ']');
}

static void
add_links_json (GString *out, const PeekActor *actor)
{
  json_open (out, "links", '[');
  for (guint i = 0; actor != NULL && i < actor->links->len; i++) {
    const ActorLink *link = actor->links->pdata[i];

    json_open (out, NULL, '{');
    json_add_text (out, "peer", link->peer);
    json_add_number (out, "pid", link->peer_pid);
    add_functions_json (out, "asked", link->asked);
    add_functions_json (out, "served", link->served);
    json_close (out, '}');
  }
  json_close (out, ']');
}

/* --- actors -------------------------------------------------------------------------------------- */

typedef struct {
  FILE *out;
  gint first_pid;
  Status status;
  GError *error; /* (nullable): why that is not OK */
  guint n_shown;
  GString *missing; /* who is not */
} Dump;

static void
write_out (Dump *dump, GString *text)
{
  fwrite (text->str, 1, text->len, dump->out);
}

/* (transfer full) */
static char *
describe_process (gint pid)
{
  const Hold *hold = holds_find (pid);
  g_autofree char *text = hold != NULL ? hold_describe (hold) : NULL;
  Process process = { .state = '?' };

  if (text != NULL)
    return g_strconcat ("held by the debugger: ", text, NULL);
  if (holds_is_awaited_by (pid))
    return g_strdup ("waits for the debugger");
  proc_read (pid, &process);
  return g_strdup (proc_describe_state (process.state));
}

static void
write_text (Dump *dump, Peek *peek, const PeekActor *actor, gint pid)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autofree char *name = text_escape (actor != NULL && actor->name != NULL ? actor->name : "?");
  g_autoptr (GPtrArray) tasks = peek_list_tasks (peek);
  g_autoptr (GPtrArray) groups = tasks_group (peek, tasks, get_flags ());
  guint n_shown = tasks_count (groups);
  g_autofree char *n = text_from_number (n_shown);
  g_autofree char *state = describe_process (pid);

  g_string_append_printf (out, "%s%s '%s' (process %d, %s): %s task%s",
                          pid == dump->first_pid ? "" : "\n",
                          actor != NULL ? "actor" : "no actor, but tasks", name, pid, state, n,
                          n_shown == 1 ? "" : "s");
  if (n_shown < tasks->len)
    g_string_append_printf (out, ", and %u of the library's own", tasks->len - n_shown);
  g_string_append_c (out, '\n');
  append_links (out, actor);
  task_groups_append (out, peek, groups, get_flags ());
  write_out (dump, out);
}

static void
write_json (Dump *dump, Peek *peek, const PeekActor *actor, gint pid, guint depth)
{
  g_autoptr (GString) out = g_string_new (NULL);

  json_open (out, NULL, '{');
  json_add_number (out, "pid", pid);
  json_add_text (out, "name", actor != NULL ? actor->name : NULL);
  json_add_text (out, "uuid", actor != NULL ? actor->uuid : NULL);
  json_add_number (out, "parent", actor != NULL ? actor->parent_pid : 0);
  json_add_number (out, "depth", depth);
  json_add_flag (out, "readable", TRUE);
  add_links_json (out, actor);
  add_tasks_json (out, peek);
  json_close (out, '}');
  g_string_append_c (out, '\n');
  write_out (dump, out);
}

/* For the last line. @name is escaped. */
static void
add_missing (Dump *dump, gint pid, const char *name)
{
  g_string_append_printf (dump->missing, "%s'%s' (process %d)", dump->missing->len > 0 ? ", " : "",
                          name, pid);
}

/* It shows its tasks itself, elsewhere, if it handles that signal. Returns: whether it does. */
static gboolean
pass_signal_on (gint pid)
{
  int pidfd = proc_open (pid);
  gboolean ok =
      pidfd >= 0 && proc_handles_signal (pid, SIGUSR1) && proc_send_signal (pidfd, SIGUSR1);

  if (pidfd >= 0)
    close (pidfd);
  return ok;
}

/* @problem: why it is not shown. One that has just ended is none of those. */
static void
write_problem (Dump *dump, gint pid, const char *name, guint depth, const GError *problem)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autofree char *shown_name = text_escape (name != NULL ? name : "?");
  gboolean is_python = g_error_matches (problem, PEEK_ERROR, PEEK_ERROR_NO_ACTOR);

  if (is_python && !proc_exists (pid))
    return;
  if (wants_json) {
    json_open (out, NULL, '{');
    json_add_number (out, "pid", pid);
    json_add_text (out, "name", name);
    json_add_number (out, "depth", depth);
    json_add_flag (out, "readable", FALSE);
    json_add_text (out, "problem", problem->message);
    json_close (out, '}');
    g_string_append_c (out, '\n');
  } else if (is_python) {
    g_string_append_printf (out, "\nactor '%s' (process %d) is not of this library: ", shown_name,
                            pid);
    if (signal_log != NULL && pass_signal_on (pid))
      g_string_append (out, "it has got SIGUSR1 too\n");
    else
      g_string_append_printf (out, "for Python, `py-spy dump --pid %d` shows its stacks\n", pid);
  } else {
    g_autofree char *text = text_escape (problem->message);

    g_string_append_printf (out, "\nactor '%s' (process %d): %s\n", shown_name, pid, text);
  }
  add_missing (dump, pid, shown_name);
  write_out (dump, out);
}

static void
fail (Dump *dump, GError *problem)
{
  if (dump->error != NULL) {
    g_error_free (problem);
    return;
  }
  dump->status = g_error_matches (problem, PEEK_ERROR, PEEK_ERROR_NOT_ALLOWED) ? STATUS_NOT_ALLOWED
                 : g_error_matches (problem, PEEK_ERROR, PEEK_ERROR_NO_ACTOR)  ? STATUS_NO_TREE
                                                                               : STATUS_FAILED;
  dump->error = problem;
}

/* @name: (nullable): as its parent calls it. */
static void
dump_actor (Dump *dump, gint pid, const char *name, guint depth)
{
  GError *problem = NULL;
  g_autoptr (Peek) peek = peek_open (pid, &problem);
  g_autoptr (PeekActor) actor = NULL;

  if (peek == NULL) {
    gboolean is_failure = depth == 0 || !g_error_matches (problem, PEEK_ERROR, PEEK_ERROR_NO_ACTOR);

    if (depth > 0 || signal_log != NULL)
      write_problem (dump, pid, name, depth, problem);
    if (is_failure)
      fail (dump, problem);
    else
      g_error_free (problem);
    return;
  }
  actor = peek_get_actor (peek);
  dump->n_shown++;
  if (wants_json)
    write_json (dump, peek, actor, pid, depth);
  else
    write_text (dump, peek, actor, pid);
  for (guint i = 0; actor != NULL && i < actor->children->len && depth < MAX_DEPTH; i++) {
    const PeekChild *child = actor->children->pdata[i];

    dump_actor (dump, child->pid, child->name, depth + 1);
  }
}

/* --- where it goes -------------------------------------------------------------------------------- */

static gboolean
dump_to_output (Dump *dump, GError **error)
{
  Output *file = output != NULL ? output_open (output, error) : NULL;

  if (output != NULL && file == NULL)
    return FALSE;
  if (file != NULL)
    dump->out = output_get_file (file);
  dump_actor (dump, dump->first_pid, NULL, 0);
  if (file == NULL)
    return TRUE;
  if (dump->n_shown > 0)
    return output_close (file, error);
  output_discard (file); /* why is told */
  return TRUE;
}

static gboolean
dump_to_log (Dump *dump, GError **error)
{
  DumpLog *log = dump_log_open (signal_log, error);
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%d %H:%M:%S");

  if (log == NULL)
    return FALSE;
  wants_all = g_strcmp0 (g_getenv ("TRACTOR_DUMP"), "all") == 0; /* as the tree was started */
  dump->out = dump_log_get_file (log);
  fprintf (dump->out, "tractor: all tasks of process %d and of the actors below it, %s\n\n",
           dump->first_pid, time);
  dump_actor (dump, dump->first_pid, NULL, 0);
  fprintf (dump->out, "\ntractor: %u actor%s shown%s%s\n", dump->n_shown,
           dump->n_shown == 1 ? " is" : "s are", dump->missing->len > 0 ? "; missing: " : "",
           dump->missing->str);
  return dump_log_close (log, error);
}

static Status
run (gint pid, GError **error)
{
  g_autoptr (GString) missing = g_string_new (NULL);
  Dump dump = { .out = stdout, .first_pid = pid, .status = STATUS_OK, .missing = missing };
  g_autoptr (GError) failure = NULL;

  if (!(signal_log != NULL ? dump_to_log (&dump, &failure) : dump_to_output (&dump, &failure))) {
    dump.status = STATUS_FAILED;
    g_clear_error (&dump.error);
    dump.error = g_steal_pointer (&failure);
  }
  if (dump.error != NULL)
    g_propagate_error (error, dump.error);
  return dump.status;
}

const Command command_dump = {
  "dump",
  "every task from a process down: its stack, and what it waits for",
  "It is read from outside, from the memory of process PID and of the actors below it, also if "
  "they\n"
  "are stuck or stopped: nothing runs in them. That needs the right to debug them.",
  NEEDS_PID,
  options,
  run,
};
