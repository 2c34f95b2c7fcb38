/* proc.c - what the kernel says of processes.
 *
 * The number of a process that has ended may become another's: who is going to do something to one holds a descriptor
 * of it, and looks at it anew after that. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "symbols.h"

/* What a parent says to the C actor that it starts; and a Python actor is started as this module. */
#define SPAWNED_VARIABLE "TRACTOR_PARENT_FD="
#define PYTHON_MODULE    "tractor._child"

/* (transfer full) (nullable) */
static char *
read_file (gint pid, const char *name, gsize *ret_length)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, name);
  char *text = NULL;

  return g_file_get_contents (path, &text, ret_length, NULL) ? text : NULL;
}

gboolean
proc_read (gint pid, Process *ret_process)
{
  g_autofree char *text = read_file (pid, "stat", NULL);
  /* The name of the program is in parentheses, and may have some. */
  const char *rest = text != NULL ? strrchr (text, ')') : NULL;
  unsigned long user_ticks;
  unsigned long system_ticks;
  unsigned long long started_at;
  long rss_pages;

  if (rest == NULL ||
      sscanf (rest + 1,
              " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %llu "
              "%*u %ld",
              &ret_process->state, &ret_process->parent_pid, &user_ticks, &system_ticks,
              &started_at, &rss_pages) != 6)
    return FALSE;
  ret_process->cpu_ticks = (guint64) user_ticks + system_ticks;
  ret_process->started_at = started_at;
  ret_process->rss_bytes = (guint64) rss_pages * (guint64) sysconf (_SC_PAGESIZE);
  return TRUE;
}

gboolean
proc_exists (gint pid)
{
  Process process;

  return proc_read (pid, &process);
}

gboolean
proc_is_own (gint pid)
{
  g_autofree char *text = read_file (pid, "status", NULL);
  const char *line = text != NULL ? strstr (text, "\nUid:") : NULL;
  unsigned int uid;
  unsigned int effective_uid;

  return line != NULL && sscanf (line, "\nUid: %u %u", &uid, &effective_uid) == 2 &&
         effective_uid == geteuid ();
}

gboolean
proc_is_stopped (gint pid)
{
  Process process;

  return proc_read (pid, &process) && (process.state == 'T' || process.state == 't');
}

gboolean
proc_handles_signal (gint pid, int number)
{
  g_autofree char *text = read_file (pid, "status", NULL);
  const char *line = text != NULL ? strstr (text, "\nSigCgt:") : NULL;
  unsigned long long caught;

  return line != NULL && sscanf (line, "\nSigCgt: %llx", &caught) == 1 &&
         (caught >> (number - 1) & 1) != 0;
}

const char *
proc_describe_state (char state)
{
  switch (state) {
  case 'R':
    return "computes";
  case 'S':
    return "sleeps";
  case 'D':
    return "in the kernel, D state";
  case 'T':
    return "stopped";
  case 't':
    return "stopped by a debugger";
  case 'Z':
    return "has ended";
  default:
    return "?";
  }
}

char **
proc_dup_arguments (gint pid)
{
  gsize length = 0;
  g_autofree char *text = read_file (pid, "cmdline", &length);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (gsize at = 0; at < length; at += strlen (text + at) + 1)
    g_strv_builder_add (builder, text + at);
  return g_strv_builder_end (builder);
}

char *
proc_dup_command (gint pid)
{
  g_auto (GStrv) arguments = proc_dup_arguments (pid);

  return g_strjoinv (" ", arguments);
}

static gboolean
has_variable (gint pid, const char *begins_with)
{
  gsize length = 0;
  g_autofree char *text = read_file (pid, "environ", &length);

  for (gsize at = 0; at < length; at += strlen (text + at) + 1)
    if (g_str_has_prefix (text + at, begins_with))
      return TRUE;
  return FALSE;
}

gboolean
proc_is_spawned_actor (gint pid)
{
  g_auto (GStrv) arguments = NULL;

  if (has_variable (pid, SPAWNED_VARIABLE))
    return TRUE;
  arguments = proc_dup_arguments (pid);
  for (char **argument = arguments; *argument != NULL; argument++)
    if (strcmp (*argument, "-m") == 0 && g_strcmp0 (argument[1], PYTHON_MODULE) == 0)
      return TRUE;
  return FALSE;
}

char *
proc_dup_actor_name (gint pid)
{
  g_auto (GStrv) arguments = NULL;

  if (!has_variable (pid, SPAWNED_VARIABLE))
    return NULL;
  arguments = proc_dup_arguments (pid);
  return arguments[0] != NULL ? g_strdup (arguments[1]) : NULL;
}

gboolean
proc_has_library (gint pid)
{
  g_autofree char *text = read_file (pid, "maps", NULL);
  g_autofree char *program = g_strdup_printf ("/proc/%d/exe", pid);
  Symbols *symbols;
  guint64 address;
  gboolean has_symbol;

  if (text == NULL || strstr (text, "/libtractor-1.so") != NULL)
    return text != NULL;
  symbols = symbols_open (program);
  has_symbol = symbols != NULL && symbols_lookup (symbols, LAYOUT_SYMBOL, &address);
  symbols_free (symbols);
  return has_symbol;
}

GArray *
proc_list_own (void)
{
  GArray *pids = g_array_new (FALSE, FALSE, sizeof (gint));
  g_autoptr (GDir) dir = g_dir_open ("/proc", 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    gint pid = g_ascii_isdigit (*name) ? atoi (name) : 0;

    if (pid > 0 && pid != getpid () && proc_is_own (pid))
      g_array_append_val (pids, pid);
  }
  return pids;
}

gboolean
proc_is_below (gint pid, gint ancestor)
{
  Process process;

  while (pid != ancestor)
    if (pid <= 1 || !proc_read (pid, &process))
      return FALSE;
    else
      pid = process.parent_pid;
  return TRUE;
}

/* --- doing something to one ---------------------------------------------------------------------- */

int
proc_open (gint pid)
{
  return (int) syscall (SYS_pidfd_open, pid, 0);
}

gboolean
proc_is_gone (int pidfd, gint64 patience_usec)
{
  struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };
  gint64 deadline = g_get_monotonic_time () + patience_usec;
  gint64 left;
  int n;

  do {
    left = MAX (deadline - g_get_monotonic_time (), 0);
    n = poll (&pollfd, 1, (int) ((left + 999) / 1000));
  } while (n < 0 && errno == EINTR);
  return n > 0;
}

gboolean
proc_send_signal (int pidfd, int number)
{
  return syscall (SYS_pidfd_send_signal, pidfd, number, NULL, 0) == 0;
}
