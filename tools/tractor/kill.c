/* kill.c - tractor kill: ends a tree, gently at first.
 *
 * The root is asked, as another actor may ask it: a daemon ends in good order, and everybody below it with it. A root that
 * is a program of its own does not end because others say so; it gets SIGTERM, and what it does about that is its own
 * matter. Whoever loses its parent ends by itself. What is there after all that is killed.
 *
 * Each process of the tree is held by a descriptor from the beginning, so that nobody else is killed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "forest.h"
#include "proc.h"
#include "text.h"
#include "tractor-discovery.h"
#include "visit.h"

/* For an actor that was asked, as its own parent has for it; */
#define PATIENCE_ASKED_USEC (31 * G_USEC_PER_SEC / 10)
/* for those that lose their parent, or get SIGTERM; */
#define PATIENCE_TERM_USEC (3 * G_USEC_PER_SEC)
/* and for the kernel. */
#define PATIENCE_KILL_USEC G_USEC_PER_SEC

static gboolean is_now;
static gboolean wants_json;

static const GOptionEntry options[] = {
  { "now", 0, 0, G_OPTION_ARG_NONE, &is_now, "SIGKILL at once; nothing is cleaned up then", NULL },
  { "json", 0, 0, G_OPTION_ARG_NONE, &wants_json, "One JSON object in a line for each actor",
    NULL },
  { 0 },
};

/* One process of the tree. */
typedef struct {
  gint pid;
  char *name;
  int pidfd;
  const char *ended_by; /* (nullable): it is still there */
} Target;

static void
target_free (gpointer data)
{
  Target *target = data;

  if (target->pidfd >= 0)
    close (target->pidfd);
  g_free (target->name);
  g_free (target);
}

/* One for each process. */
static void
raise_limit_of_descriptors (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

static void
add_target (Actor *actor, gpointer data)
{
  GPtrArray *targets = data;
  Target *target = g_new (Target, 1);

  *target = (Target){ actor->pid, g_strdup (actor->name), proc_open (actor->pid), NULL };
  if (target->pidfd < 0 && errno == ESRCH)
    target->ended_by = "itself";
  g_ptr_array_add (targets, target);
}

/* --- asking -------------------------------------------------------------------------------------- */

typedef struct {
  const char *address;
  GError *problem; /* (nullable): why it does not end for that */
} Asking;

static gboolean
ask_root (gpointer data, G_GNUC_UNUSED GError **error)
{
  Asking *asking = data;
  gint64 deadline = tractor_now () + PATIENCE_ASKED_USEC;
  g_autoptr (TractorCancelScope) scope = NULL;
  g_autoptr (TractorPortal) portal = NULL;

  scope = tractor_cancel_scope_open (deadline);
  portal = tractor_connect (asking->address, &asking->problem);
  if (portal != NULL)
    tractor_portal_cancel_actor (portal, deadline, &asking->problem);
  tractor_cancel_scope_absorb (scope, &asking->problem);
  return TRUE;
}

/* (transfer full) (nullable): why that was in vain; NULL: it is at it, or is gone. */
static char *
ask_to_end (const Actor *root)
{
  Asking asking = { .address = root->address };
  g_autoptr (GError) error = NULL;
  char *text;

  if (root->address == NULL || actor_answers (root) == 0)
    return g_strdup ("it does not answer");
  if (!visit (ask_root, &asking, &error))
    return g_strdup (error->message);
  if (asking.problem == NULL)
    return NULL;
  text = g_strdup (asking.problem->message);
  g_error_free (asking.problem);
  return text;
}

/* --- signals ------------------------------------------------------------------------------------- */

/* Waits for all that are left. @ended_by: what has been done to the root; what the others have ended by is their parents,
 * or that they have lost them. Returns: whether nobody is left. */
static gboolean
wait_for_end (GPtrArray *targets, gint64 patience_usec, const char *ended_by)
{
  gboolean is_done_to_all = strcmp (ended_by, "SIGKILL") == 0;
  gint64 deadline = g_get_monotonic_time () + patience_usec;
  gboolean are_gone = TRUE;

  for (guint i = 0; i < targets->len; i++) {
    Target *target = targets->pdata[i];

    if (target->ended_by != NULL)
      continue;
    if (proc_is_gone (target->pidfd, MAX (deadline - g_get_monotonic_time (), 0)))
      target->ended_by = i == 0 || is_done_to_all ? ended_by : "parent";
    else
      are_gone = FALSE;
  }
  return are_gone;
}

/* @only_first: those below it are its own matter, as long as it is there. */
static void
send_to_all (GPtrArray *targets, int number, gboolean only_first)
{
  for (guint i = 0; i < targets->len; i++) {
    Target *target = targets->pdata[i];

    if (target->ended_by != NULL)
      continue;
    proc_send_signal (target->pidfd, number);
    if (number == SIGTERM)
      proc_send_signal (target->pidfd, SIGCONT); /* who is stopped does not hear of it */
    if (only_first)
      return;
  }
}

static void
end_by_signals (GPtrArray *targets)
{
  send_to_all (targets, SIGTERM, TRUE);
  if (wait_for_end (targets, PATIENCE_TERM_USEC, "SIGTERM"))
    return;
  send_to_all (targets, SIGKILL, FALSE);
  wait_for_end (targets, PATIENCE_KILL_USEC, "SIGKILL");
}

/* --- what has happened --------------------------------------------------------------------------- */

static const char *
describe_end (const char *ended_by)
{
  if (ended_by == NULL)
    return "is still there";
  if (strcmp (ended_by, "asked") == 0)
    return "ended when asked";
  if (strcmp (ended_by, "parent") == 0)
    return "ended with its parent";
  if (strcmp (ended_by, "itself") == 0)
    return "had ended";
  return strcmp (ended_by, "SIGTERM") == 0 ? "ended by SIGTERM" : "ended by SIGKILL";
}

static void
tell_of (const Target *target)
{
  g_autoptr (GString) out = g_string_new (NULL);

  if (wants_json) {
    json_open (out, NULL, '{');
    json_add_number (out, "pid", target->pid);
    json_add_text (out, "name", target->name);
    json_add_text (out, "ended_by", target->ended_by);
    json_close (out, '}');
    json_print (out);
  } else {
    g_autofree char *name = text_escape (target->name != NULL ? target->name : "?");

    printf ("%7d  %s: %s\n", target->pid, name, describe_end (target->ended_by));
  }
}

/* Before it is ended otherwise. */
static void
tell_refusal (const Actor *root, const char *why)
{
  g_autofree char *name = text_escape (root->name != NULL ? root->name : "?");
  g_autofree char *prefix = g_strdup_printf ("actor '%s': ", name);
  g_autofree char *shown = text_escape (why);

  printf ("'%s' was asked to end and does not (%s): it gets SIGTERM\n", name,
          g_str_has_prefix (shown, prefix) ? shown + strlen (prefix) : shown);
  fflush (stdout);
}

/* A root that was killed has nobody above it who would do that. */
static void
remove_socket (const Actor *root)
{
  const char *address = root->address != NULL ? root->address : "";

  if (g_str_has_prefix (address, "unix:"))
    tractor_socket_remove_dead (address + strlen ("unix:"), NULL);
}

static Status
run (gint pid, GError **error)
{
  g_autoptr (GPtrArray) targets = g_ptr_array_new_with_free_func (target_free);
  g_autofree char *in_vain = NULL;
  Status status;
  g_autoptr (GPtrArray) roots = forest_find (pid, &status, error);

  if (roots == NULL)
    return status;
  raise_limit_of_descriptors ();
  forest_walk (roots->pdata[0], add_target, targets);
  if (is_now) {
    send_to_all (targets, SIGKILL, FALSE);
    wait_for_end (targets, PATIENCE_KILL_USEC, "SIGKILL");
  } else {
    in_vain = ask_to_end (roots->pdata[0]);
    if (in_vain != NULL && !wants_json)
      tell_refusal (roots->pdata[0], in_vain);
    if (in_vain != NULL || !wait_for_end (targets, PATIENCE_ASKED_USEC, "asked"))
      end_by_signals (targets);
  }
  remove_socket (roots->pdata[0]);
  for (guint i = 0; i < targets->len; i++) {
    const Target *target = targets->pdata[i];

    tell_of (target);
    if (target->ended_by == NULL)
      status = STATUS_FAILED;
  }
  return status;
}

const Command command_kill = {
  "kill",
  "ends the tree that a process belongs to",
  "Its root is asked to end; if it does not, it gets SIGTERM, and after 3 s all that is left "
  "SIGKILL.",
  NEEDS_PID,
  options,
  run,
};
