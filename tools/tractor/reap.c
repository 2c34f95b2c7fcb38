/* reap.c - tractor reap: what dead trees of this user have left.
 *
 * An actor takes its socket away when it ends, its parent when it was killed, and the next root of this user all that is
 * left: so what is here is there until then only. A socket is dead if the kernel knows of nobody behind it. Only names
 * that actors give are looked at: sixteen hexadecimal digits, or, of Python's, a name and the number of its process; and
 * those of debug mode, which the helper of a tree takes away itself unless it was killed.
 *
 * Dumps that SIGUSR1 has asked for stay when their tree ends, to be read. They are called after its root, and taken away
 * when that process is no more.
 *
 * An actor whose parent is gone ends within two seconds. One that does not is stopped or stuck: a stray. It is one
 * that another has started, and whose parent now is somebody else; where its memory cannot be read, whose parent is the
 * system. It is shown, and ended only on demand. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "debug-protocol.h"
#include "peek.h"
#include "places.h"
#include "proc.h"
#include "text.h"
#include "tractor-discovery.h"

#define PATIENCE_TERM_USEC (3 * G_USEC_PER_SEC)
#define PATIENCE_KILL_USEC G_USEC_PER_SEC

static gboolean is_dry_run;
static gboolean wants_kill;
static gboolean wants_json;

static const GOptionEntry options[] = {
  { "dry-run", 'n', 0, G_OPTION_ARG_NONE, &is_dry_run, "Only say what there is", NULL },
  { "kill", 0, 0, G_OPTION_ARG_NONE, &wants_kill,
    "End actors whose tree is gone: SIGTERM, and SIGKILL after 3 s", NULL },
  { "json", 0, 0, G_OPTION_ARG_NONE, &wants_json, "One JSON object in a line for each thing",
    NULL },
  { 0 },
};

typedef struct {
  guint n_found;
  Status status;
} Reaping;

/* --- sockets ------------------------------------------------------------------------------------- */

#define NAME_DIGITS 16
#define NAME_END    ".sock"
/* Of the broker of debug mode; what follows is whose (src/process/broker.c). */
#define DEBUG_FILES_BEGIN "debug-"

static gboolean
is_debuggers_name (const char *name, const char *ends_with)
{
  return g_str_has_prefix (name, DEBUG_FILES_BEGIN) && g_str_has_suffix (name, ends_with);
}

static gboolean
is_actors_name (const char *name)
{
  const char *at = strrchr (name, '@');

  if (is_debuggers_name (name, DEBUG_SOCKET_SUFFIX))
    return TRUE;
  if (strspn (name, "0123456789abcdef") == NAME_DIGITS)
    return strcmp (name + NAME_DIGITS, NAME_END) == 0;
  if (at == NULL || at == name)
    return FALSE;
  at++;
  return strspn (at, "0123456789") > 0 && strcmp (at + strspn (at, "0123456789"), NAME_END) == 0;
}

/* @action: what was done. @problem: (nullable): why it was not */
static void
tell_of_file (
    Reaping *reaping, const char *kind, const char *path, const char *action, const GError *problem)
{
  g_autoptr (GString) out = g_string_new (NULL);

  reaping->n_found++;
  if (problem != NULL)
    reaping->status = STATUS_FAILED;
  if (wants_json) {
    json_open (out, NULL, '{');
    json_add_text (out, "kind", kind);
    json_add_text (out, "path", path);
    json_add_text (out, "action", action);
    json_add_text (out, "problem", problem != NULL ? problem->message : NULL);
    json_close (out, '}');
    json_print (out);
  } else {
    g_autofree char *shown = text_escape (path);
    g_autofree char *why = text_escape (problem != NULL ? problem->message : "");

    printf ("%s %s: %s%s%s\n", kind, shown,
            problem != NULL ? "could not be removed"
            : is_dry_run    ? "nobody is behind it"
                            : "nobody was behind it, removed",
            problem != NULL ? ": " : "", why);
  }
}

/* Other programs may be just starting in the directory, which takes each a moment. */
static gboolean
remove_socket (const char *path, GError **error)
{
  for (int attempt = 0;; attempt++) {
    g_autoptr (GError) problem = NULL;

    if (tractor_socket_remove_dead (path, &problem))
      return TRUE;
    if (!g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_BUSY) || attempt == 100) {
      g_propagate_error (error, g_steal_pointer (&problem));
      return FALSE;
    }
    g_usleep (G_USEC_PER_SEC / 200);
  }
}

static void
reap_sockets (Reaping *reaping)
{
  g_autofree char *directory = tractor_dup_socket_directory ();
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (directory, name, NULL);
    g_autoptr (GError) problem = NULL;

    if (!is_actors_name (name) || !tractor_socket_is_dead (path))
      continue;
    if (is_dry_run)
      tell_of_file (reaping, "socket", path, "none", NULL);
    else if (remove_socket (path, &problem))
      tell_of_file (reaping, "socket", path, "removed", NULL);
    else if (tractor_socket_is_dead (path)) /* else another has, or it is in use again */
      tell_of_file (reaping, "socket", path, "failed", problem);
  }
}

/* --- files --------------------------------------------------------------------------------------- */

/* A number may be another's by now: it is left alone then, unless it is another user's. */
static gboolean
is_gone (gint pid)
{
  Process process;

  return !proc_read (pid, &process) || process.state == 'Z' || !proc_is_own (pid);
}

/* Returns: the root whose dumps are in it; 0: it is no such file. */
static gint
find_root_in_name (const char *name)
{
  int pid;
  int length = 0;

  return sscanf (name, "tractor-dump-%d.log%n", &pid, &length) == 1 && length > 0 &&
                 name[length] == '\0'
             ? MAX (pid, 0)
             : 0;
}

/* Returns: the broker that writes it; 0: there is none yet, or it is no such file. */
static gint
find_broker_in_page (const char *name, const char *path)
{
  g_autofree char *content = NULL;
  gsize length;

  if (!is_debuggers_name (name, DEBUG_PAGE_SUFFIX) ||
      !g_file_get_contents (path, &content, &length, NULL) || length != sizeof (DebugPage))
    return 0;
  return ((const DebugPage *) (gpointer) content)->broker;
}

static gboolean
is_own_file (const char *path)
{
  struct stat status;

  return lstat (path, &status) == 0 && S_ISREG (status.st_mode) && status.st_uid == geteuid ();
}

static void
reap_file (Reaping *reaping, const char *kind, const char *path)
{
  g_autoptr (GError) problem = NULL;

  if (is_dry_run) {
    tell_of_file (reaping, kind, path, "none", NULL);
    return;
  }
  if (unlink (path) != 0) {
    int saved = errno;

    if (saved == ENOENT)
      return; /* another has */
    g_set_error_literal (&problem, G_FILE_ERROR, g_file_error_from_errno (saved),
                         g_strerror (saved));
  }
  tell_of_file (reaping, kind, path, problem == NULL ? "removed" : "failed", problem);
}

static void
reap_files (Reaping *reaping)
{
  g_autofree char *directory = tractor_dup_socket_directory ();
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (directory, name, NULL);
    gint root = find_root_in_name (name);
    gint broker;

    if (!is_own_file (path))
      continue;
    broker = find_broker_in_page (name, path);
    if (root > 0 && is_gone (root))
      reap_file (reaping, "dump", path);
    else if (broker > 0 && is_gone (broker))
      reap_file (reaping, "page", path);
  }
}

/* --- strays -------------------------------------------------------------------------------------- */

typedef struct {
  gint pid;
  int pidfd;
  char *name; /* (nullable) */
  char process_state;
  const char *action;
} Stray;

static void
stray_free (gpointer data)
{
  Stray *stray = data;

  close (stray->pidfd);
  g_free (stray->name);
  g_free (stray);
}

/* The first process, or another that takes orphans in, unless it can be somebody who starts actors itself. */
static gboolean
is_of_the_system (gint pid)
{
  g_auto (GStrv) arguments = proc_dup_arguments (pid);
  const char *program = arguments[0] != NULL ? arguments[0] : "";

  return (pid == 1 || g_str_has_suffix (program, "/systemd")) &&
         strstr (program, "python") == NULL && !proc_has_library (pid);
}

/* @process: of @pid. *@ret_name: (transfer full) (nullable) */
static gboolean
is_stray (gint pid, const Process *process, char **ret_name)
{
  g_autoptr (Peek) peek = NULL;
  g_autoptr (PeekActor) actor = NULL;

  if (process->state == 'Z' || !proc_is_spawned_actor (pid))
    return FALSE;
  peek = peek_open (pid, NULL);
  actor = peek != NULL ? peek_get_actor (peek) : NULL;
  if (actor == NULL || actor->parent_pid == 0) {
    if (!is_of_the_system (process->parent_pid))
      return FALSE;
  } else if (actor->parent_pid == process->parent_pid) {
    return FALSE;
  }
  *ret_name = actor != NULL ? g_steal_pointer (&actor->name) : NULL;
  return TRUE;
}

/* (transfer full) (nullable) */
static Stray *
look_at (gint pid)
{
  Process process;
  int pidfd = proc_open (pid);
  char *name = NULL;
  Stray *stray;

  if (pidfd < 0)
    return NULL;
  if (!proc_read (pid, &process) || !is_stray (pid, &process, &name)) {
    close (pidfd);
    return NULL;
  }
  stray = g_new0 (Stray, 1);
  *stray = (Stray){ pid, pidfd, name, process.state, "none" };
  return stray;
}

/* All at once, so that it takes no longer for many. */
static void
end_strays (GPtrArray *strays)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE_TERM_USEC;

  for (guint i = 0; i < strays->len; i++) {
    Stray *stray = strays->pdata[i];

    proc_send_signal (stray->pidfd, SIGTERM);
    proc_send_signal (stray->pidfd, SIGCONT); /* or it does not hear of it */
  }
  for (guint i = 0; i < strays->len; i++) {
    Stray *stray = strays->pdata[i];

    stray->action = "ended";
    if (proc_is_gone (stray->pidfd, MAX (deadline - g_get_monotonic_time (), 0)))
      continue;
    proc_send_signal (stray->pidfd, SIGKILL);
    stray->action = proc_is_gone (stray->pidfd, PATIENCE_KILL_USEC) ? "killed" : "failed";
  }
}

static const char *
describe_action (const char *action)
{
  if (strcmp (action, "ended") == 0)
    return "ended by SIGTERM";
  if (strcmp (action, "killed") == 0)
    return "ended by SIGKILL";
  if (strcmp (action, "failed") == 0)
    return "is still there after SIGKILL";
  return "its tree is gone (--kill ends it)";
}

static void
tell_of_stray (Reaping *reaping, const Stray *stray)
{
  const char state[] = { stray->process_state, '\0' };
  g_autoptr (GString) out = g_string_new (NULL);

  reaping->n_found++;
  if (strcmp (stray->action, "failed") == 0)
    reaping->status = STATUS_FAILED;
  if (wants_json) {
    json_open (out, NULL, '{');
    json_add_text (out, "kind", "actor");
    json_add_number (out, "pid", stray->pid);
    json_add_text (out, "name", stray->name);
    json_add_text (out, "process", state);
    json_add_text (out, "action", stray->action);
    json_close (out, '}');
    json_print (out);
  } else {
    g_autofree char *name = text_escape (stray->name != NULL ? stray->name : "?");

    printf ("actor %s, process %d (%s): %s\n", name, stray->pid,
            proc_describe_state (stray->process_state), describe_action (stray->action));
  }
}

static void
reap_strays (Reaping *reaping)
{
  g_autoptr (GArray) pids = proc_list_own ();
  g_autoptr (GPtrArray) strays = g_ptr_array_new_with_free_func (stray_free);

  for (guint i = 0; i < pids->len; i++) {
    Stray *stray = look_at (g_array_index (pids, gint, i));

    if (stray != NULL)
      g_ptr_array_add (strays, stray);
  }
  if (wants_kill && !is_dry_run)
    end_strays (strays);
  for (guint i = 0; i < strays->len; i++)
    tell_of_stray (reaping, strays->pdata[i]);
}

/* --- all ----------------------------------------------------------------------------------------- */

static Status
run (G_GNUC_UNUSED gint pid, GError **error)
{
  Reaping reaping = { 0, STATUS_OK };
  GError *problem = NULL;
  int fd = places_open_directory (&problem);

  if (problem != NULL) {
    g_propagate_error (error, problem);
    return STATUS_NOT_ALLOWED;
  }
  reap_strays (&reaping); /* whose sockets are dead after that */
  if (fd >= 0) {
    reap_sockets (&reaping);
    reap_files (&reaping);
    close (fd);
  }
  if (reaping.n_found == 0 && !wants_json)
    puts ("Nothing is left of dead trees");
  return reaping.status;
}

const Command command_reap = {
  "reap",
  "takes away what dead trees have left",
  "Sockets that nobody is behind any more are removed, and dumps and files of debug mode whose "
  "tree "
  "is gone. Actors whose tree is gone are shown, and "
  "with\n"
  "--kill ended. What is a living tree's, or another user's, is left alone.",
  TAKES_NO_PID,
  options,
  run,
};
