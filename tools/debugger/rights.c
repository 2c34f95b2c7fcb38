/* rights.c - whether a process may be looked at, and what says that it may not: mostly, which of the kernel's rules.
 *
 * The kernel says EPERM, and no more. So its rules are asked one by one (ptrace(2), "Ptrace access mode checking"), the one
 * that leaves no doubt first. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The number behind @key in /proc/PID/status, or -1. */
static long long
read_status (pid_t pid, const char *key, int base)
{
  char path[64], line[256];
  long long number = -1;
  FILE *file;

  snprintf (path, sizeof path, "/proc/%d/status", (int) pid);
  file = fopen (path, "re");
  while (file != NULL && number < 0 && fgets (line, sizeof line, file) != NULL)
    if (strncmp (line, key, strlen (key)) == 0)
      number = strtoll (line + strlen (key), NULL, base);
  if (file != NULL)
    fclose (file);
  return number;
}

bool
rights_is_traced (pid_t pid)
{
  return read_status (pid, "TracerPid:", 10) > 0;
}

static int
read_ptrace_scope (void)
{
  FILE *file = fopen ("/proc/sys/kernel/yama/ptrace_scope", "re");
  int scope = 0;

  if (file != NULL) {
    if (fscanf (file, "%d", &scope) != 1)
      scope = 0;
    fclose (file);
  }
  return scope;
}

/* What the kernel has of such a process belongs to root. */
static bool
is_undumpable (pid_t pid)
{
  char path[64];
  struct stat status;

  snprintf (path, sizeof path, "/proc/%d/status", (int) pid);
  return stat (path, &status) == 0 && status.st_uid != geteuid ();
}

static bool
has_more_rights (pid_t pid)
{
  long long its = read_status (pid, "CapPrm:", 16);
  long long ours = read_status (getpid (), "CapPrm:", 16);

  return its > 0 && ours >= 0 && (its & ~ours) != 0;
}

const char *
rights_find_refusal (pid_t pid)
{
  if (is_undumpable (pid))
    return "it is not dumpable (PR_SET_DUMPABLE, or its program may not be read)";
  if (read_ptrace_scope () > 1)
    return "/proc/sys/kernel/yama/ptrace_scope is above 1";
  if (has_more_rights (pid))
    return "it has rights (capabilities) that who debugs it has not";
  if (read_status (pid, "Seccomp:", 10) > 0 || read_status (pid, "NoNewPrivs:", 10) > 0)
    return "this looks like a container without the right to (--cap-add=SYS_PTRACE)";
  return "the kernel says no (EPERM)";
}

const char *
rights_explain (DebugWord word, pid_t pid)
{
  static char text[256];

  if (word == DEBUG_WORD_NO_LIBRARY)
    return "its library has been replaced or removed since it was started, so that its tasks "
           "cannot be found: "
           "start the tree anew to debug it";
  if (word == DEBUG_WORD_GDB_KILLED)
    return "gdb was killed: if it has set breakpoints, they are still in the program, and end it "
           "by SIGTRAP when it comes there";
  if (word != DEBUG_WORD_NO_ATTACH)
    return NULL;
  snprintf (text, sizeof text, "gdb may not attach: %s",
            rights_is_traced (pid) ? RIGHTS_TRACED : rights_find_refusal (pid));
  return text;
}
