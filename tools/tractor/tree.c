/* tree.c - tractor tree: which actors there are, how far each is, and who does not answer. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <string.h>

#include "forest.h"
#include "proc.h"
#include "text.h"

static gboolean wants_json;

static const GOptionEntry options[] = {
  { "json", 0, 0, G_OPTION_ARG_NONE, &wants_json, "One JSON object in a line for each actor",
    NULL },
  { 0 },
};

/* --- for programs -------------------------------------------------------------------------------- */

/* (transfer full) (nullable): what a root was started as; the others are the same program, or their parent's matter. */
static char *
dup_command (const Actor *actor)
{
  return actor->parent == NULL ? proc_dup_command (actor->pid) : NULL;
}

static const Actor *
get_root (const Actor *actor)
{
  while (actor->parent != NULL)
    actor = actor->parent;
  return actor;
}

static void
add_process_state (GString *out, const Actor *actor)
{
  const char state[] = { actor->process_state, '\0' };

  json_add_text (out, "process", actor->process_state != 0 ? state : NULL);
}

static void
print_json (Actor *actor, G_GNUC_UNUSED gpointer data)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autofree char *command = dup_command (actor);

  json_open (out, NULL, '{');
  json_add_number (out, "tree", get_root (actor)->pid);
  json_add_number (out, "pid", actor->pid);
  if (actor->parent != NULL)
    json_add_number (out, "parent", actor->parent->pid);
  else
    json_add_null (out, "parent");
  json_add_number (out, "depth", actor_get_depth (actor));
  json_add_text (out, "name", actor->name);
  json_add_text (out, "uuid", actor->uuid);
  json_add_text (out, "state", actor_describe_state (actor));
  json_add_flag (out, "answers", actor_answers (actor));
  json_add_flag (out, "python", actor->view == TRACTOR_TREE_VIEW_PYTHON);
  json_add_text (out, "held", actor->hold != NULL ? actor->hold->why : NULL);
  if (actor->hold != NULL)
    json_add_number (out, "held_usec", actor->hold->usec);
  else
    json_add_null (out, "held_usec");
  json_add_flag (out, "waits_for_debugger", actor->waits_for_debugger);
  add_process_state (out, actor);
  json_add_number (out, "restarts", actor->n_restarts);
  json_add_text (out, "address", actor->address);
  json_add_text (out, "command", command);
  json_close (out, '}');
  json_print (out);
}

/* --- for people ---------------------------------------------------------------------------------- */

static gboolean
is_last (const Actor *actor)
{
  const GPtrArray *siblings = actor->parent->children;

  return siblings->pdata[siblings->len - 1] == actor;
}

/* What leads from the root to it. */
static void
append_branches (GString *out, const Actor *actor)
{
  const gboolean is_utf8 = text_is_utf8 ();

  if (actor->parent == NULL)
    return;
  if (actor->parent->parent != NULL) {
    g_autoptr (GString) before = g_string_new (NULL);

    for (const Actor *at = actor->parent; at->parent != NULL; at = at->parent)
      g_string_prepend (before, is_last (at) ? "  " : is_utf8 ? "│ " : "| ");
    g_string_append (out, before->str);
  }
  if (is_utf8)
    g_string_append (out, is_last (actor) ? "└ " : "├ ");
  else
    g_string_append (out, is_last (actor) ? "`-" : "|-");
}

/* (transfer full): the branches and the name */
static char *
draw (const Actor *actor)
{
  GString *out = g_string_new (NULL);
  g_autofree char *name = text_escape (actor->name != NULL ? actor->name : "?");

  append_branches (out, actor);
  g_string_append (out, name);
  return g_string_free (out, FALSE);
}

static void
append_state (GString *out, const Actor *actor)
{
  const char *state = actor_describe_state (actor);

  if (actor->process_state == 0) {
    text_append (out, COLOUR_BAD, "is gone");
  } else if (actor->hold != NULL) {
    g_autofree char *hold = hold_describe (actor->hold);

    text_append (out, COLOUR_CHANGING, "held by the debugger");
    g_string_append_printf (out, " (%s)", hold);
  } else if (actor->waits_for_debugger) {
    text_append (out, COLOUR_CHANGING, "waits for the debugger");
  } else if (actor_answers (actor) == 0) {
    if (actor->state != TRACTOR_ACTOR_RUNNING)
      g_string_append_printf (out, "%s, ", state);
    text_append (out, COLOUR_BAD, "does not answer");
    g_string_append_printf (out, " (%s)", proc_describe_state (actor->process_state));
  } else {
    text_append (out, actor->state == TRACTOR_ACTOR_RUNNING ? COLOUR_GOOD : COLOUR_CHANGING, state);
    if (actor->process_state == 'T' || actor->process_state == 't')
      text_append (out, COLOUR_BAD, ", stopped");
  }
  if (actor->view == TRACTOR_TREE_VIEW_PYTHON)
    text_append (out, COLOUR_ASIDE,
                 actor->children->len > 0 ? ", python" : ", python: what is below is not seen");
  if (actor->n_restarts > 0)
    g_string_append_printf (out, ", restarted %u time%s", actor->n_restarts,
                            actor->n_restarts == 1 ? "" : "s");
}

static void
widen (Actor *actor, gpointer width)
{
  g_autofree char *drawn = draw (actor);

  *(glong *) width = MAX (*(glong *) width, g_utf8_strlen (drawn, -1));
}

static void
print_line (Actor *actor, gpointer width)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autofree char *drawn = draw (actor);
  g_autofree char *command = dup_command (actor);

  g_string_append_printf (out, "%7d  %s%*s  ", actor->pid, drawn,
                          (int) (*(glong *) width - g_utf8_strlen (drawn, -1)), "");
  append_state (out, actor);
  if (command != NULL && *command != '\0') {
    g_string_append (out, "   ");
    text_append (out, COLOUR_ASIDE, command);
  }
  puts (out->str);
}

static void
print_tree (Actor *root)
{
  glong width = 0;

  forest_walk (root, widen, &width);
  forest_walk (root, print_line, &width);
}

static Status
run (gint pid, GError **error)
{
  Status status;
  g_autoptr (GPtrArray) roots = forest_find (pid, &status, error);

  for (guint i = 0; roots != NULL && i < roots->len; i++) {
    if (wants_json) {
      forest_walk (roots->pdata[i], print_json, NULL);
      continue;
    }
    if (i > 0)
      putchar ('\n');
    print_tree (roots->pdata[i]);
  }
  return status;
}

const Command command_tree = {
  "tree",
  "which actors there are, and how far each is",
  "Of all trees of this user, or of the one that process PID belongs to. An actor that does not\n"
  "answer within half a second is shown with what the kernel says of it.",
  MAY_TAKE_PID,
  options,
  run,
};
