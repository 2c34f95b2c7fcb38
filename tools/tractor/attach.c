/* attach.c - tractor attach: gdb at an actor, with the commands for tasks.
 *
 * In debug mode an actor may wait for just that: then this terminal is lent to the debugger's broker, which runs a session
 * on it (tools/debugger/host.c), for that actor or for whoever stops next, also of a tree that is started later. Else it becomes gdb, or a shell of few words
 * (shell.c). */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "gdb.h"
#include "parts.h"
#include "places.h"
#include "proc.h"
#include "shell.h"
#include "tractor-discovery.h"

/* What the debugger's broker has a socket called, in the directory of sockets. */
#define BROKER_BEGINS "debug-"
#define BROKER_ENDS   ".sock"

static gboolean wants_mi;
static gboolean wants_shell;
static gboolean wants_next;

static const GOptionEntry options[] = {
  { "mi", 0, 0, G_OPTION_ARG_NONE, &wants_mi, "gdb's machine interface on stdio, for an editor",
    NULL },
  { "shell", 0, 0, G_OPTION_ARG_NONE, &wants_shell,
    "Without gdb: stacks and tasks, read from outside; \"help\" there lists its words", NULL },
  { "next", 0, 0, G_OPTION_ARG_NONE, &wants_next,
    "This terminal is for the next actor that stops in debug mode, of any tree, also of one that "
    "is started later",
    NULL },
  { 0 },
};

/* --- a session of debug mode --------------------------------------------------------------------- */

/* (transfer full) (element-type utf8) (nullable): NULL with @error if they may not be looked for */
static GPtrArray *
find_brokers (GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);
  GError *problem = NULL;
  int fd = places_open_directory (&problem);
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autofree char *path = fd >= 0 ? g_file_read_link (link, NULL) : NULL;
  g_autoptr (GDir) dir = path != NULL ? g_dir_open (path, 0, NULL) : NULL;
  const char *name;

  if (fd >= 0)
    close (fd);
  if (problem != NULL) {
    g_propagate_error (error, problem);
    return NULL;
  }
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, BROKER_BEGINS) && g_str_has_suffix (name, BROKER_ENDS))
      g_ptr_array_add (found, g_build_filename (path, name, NULL));
  return g_steal_pointer (&found);
}

/* In the child: it is a part of us, and whoever ends us ends that. */
static void
end_with_parent (gpointer parent)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != GPOINTER_TO_INT (parent))
    _exit (STATUS_FAILED);
}

/* @arguments: (element-type utf8): of the part that lends it. Returns: what that has ended with, having said why;
 * STATUS_NO_TREE if nobody has use for this terminal; or STATUS_FAILED with @error. */
static Status
lend_terminal (GPtrArray *arguments, GError **error)
{
  int status = 0;

  g_ptr_array_insert (arguments, 0, parts_dup_debugger ());
  g_ptr_array_add (arguments, NULL);
  if (!g_spawn_sync (NULL, (char **) arguments->pdata, NULL, G_SPAWN_CHILD_INHERITS_STDIN,
                     end_with_parent, GINT_TO_POINTER (getpid ()), NULL, NULL, &status, error)) {
    g_prefix_error (error, "The debugger's broker cannot be started (install tractor-debugger, or "
                           "set TRACTOR_DEBUGGER to where it is): ");
    return STATUS_FAILED;
  }
  if (WIFEXITED (status))
    return (Status) WEXITSTATUS (status);
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
               "What has lent this terminal was killed by signal %d", WTERMSIG (status));
  return STATUS_FAILED;
}

/* As lend_terminal(), or STATUS_NOT_ALLOWED with @error. */
static Status
lend_to (gint pid, GError **error)
{
  g_autoptr (GPtrArray) arguments = find_brokers (error);

  if (arguments == NULL)
    return STATUS_NOT_ALLOWED;
  if (arguments->len == 0)
    return STATUS_NO_TREE;
  g_ptr_array_insert (arguments, 0, g_strdup ("--host"));
  g_ptr_array_insert (arguments, 1, g_strdup_printf ("%d", pid));
  return lend_terminal (arguments, error);
}

static Status
lend_to_next (GError **error)
{
  g_autoptr (GPtrArray) arguments = g_ptr_array_new_with_free_func (g_free);
  GError *problem = NULL;
  int fd = places_open_directory (&problem);

  if (problem != NULL) {
    g_propagate_error (error, problem);
    return STATUS_NOT_ALLOWED;
  }
  if (fd >= 0)
    close (fd);
  g_ptr_array_add (arguments, g_strdup ("--next"));
  g_ptr_array_add (arguments, tractor_dup_socket_directory ());
  return lend_terminal (arguments, error);
}

/* --- gdb by itself ------------------------------------------------------------------------------- */

/* Returns: only if it fails. */
static Status
become_gdb (gint pid, GError **error)
{
  g_autofree char *number = g_strdup_printf ("%d", pid);
  g_autoptr (GError) problem = NULL;
  const char *const arguments[] = { "-p", number, wants_mi ? "--interpreter=mi" : NULL, NULL };

  gdb_become (arguments, &problem);
  g_set_error (error, problem->domain, problem->code, "%s `tractor attach --shell %d` needs none",
               problem->message, pid);
  return STATUS_FAILED;
}

/* Returns: STATUS_OK if it is one. */
static Status
check_process (gint pid, GError **error)
{
  if (!proc_exists (pid)) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "There is no process %d", pid);
    return STATUS_NO_TREE;
  }
  if (!proc_is_own (pid)) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_PERM, "Process %d is another user's", pid);
    return STATUS_NOT_ALLOWED;
  }
  if (!proc_has_library (pid)) {
    g_set_error (
        error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
        "Process %d has not this library in it, or is a Python actor: \"gdb -p %d\" shows the rest",
        pid, pid);
    return STATUS_NO_TREE;
  }
  return STATUS_OK;
}

static gboolean
check_usage (gint pid, GError **error)
{
  if ((pid != 0) != wants_next && wants_next + wants_mi + wants_shell <= 1)
    return TRUE;
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                       pid == 0
                           ? "The number of a process is missing, or --next"
                           : "--next, --mi and --shell exclude each other, and --next a process");
  return FALSE;
}

/* A session, if it waits for one; or gdb by itself. */
static Status
attach (gint pid, GError **error)
{
  g_autoptr (GError) problem = NULL;
  Status status = lend_to (pid, &problem);

  if (status == STATUS_NO_TREE || status == STATUS_NOT_ALLOWED)
    return become_gdb (pid, error);
  if (problem != NULL)
    g_propagate_error (error, g_steal_pointer (&problem));
  return status;
}

static Status
run (gint pid, GError **error)
{
  Status status;

  if (!check_usage (pid, error))
    return STATUS_USAGE;
  if (wants_next)
    return lend_to_next (error);
  status = check_process (pid, error);
  if (status != STATUS_OK)
    return status;
  if (wants_shell)
    return shell_run (pid, error);
  return wants_mi ? become_gdb (pid, error) : attach (pid, error);
}

const Command command_attach = {
  "attach",
  "gdb at a process, with the commands for its tasks",
  "\"help tractor\" there lists them. The process is stopped while gdb looks, and goes on when "
  "gdb ends.\n"
  "If it waits in debug mode to be looked at, that is done here, as on the terminal of its tree.",
  MAY_TAKE_PID,
  options,
  run,
};
