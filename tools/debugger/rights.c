/* rights.c - whether a process may be looked at, and what says that it may not: mostly, which of the kernel's rules.
 *
 * The kernel says EPERM, and no more. So its rules are asked one by one (ptrace(2), "Ptrace access mode checking"), the one
 * that leaves no doubt first; and with each goes what can be done about it.
 *
 * What a filter of system calls denies is ptrace() alone: the memory can be read by /proc all the same, and so there is more
 * to be seen without gdb than with it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rights.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of Yama's: actors let the broker, and what it starts, trace them (src/debug/debug-lock.c). */
#define SCOPE_OF_BROKER 1

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

static bool
has_our_name (pid_t pid)
{
  const pid_t pids[] = { pid, getpid () };
  char names[2][32] = { "", "" };

  for (int i = 0; i < 2; i++) {
    char path[64];
    FILE *file;

    snprintf (path, sizeof path, "/proc/%d/comm", (int) pids[i]);
    file = fopen (path, "re");
    if (file == NULL || fgets (names[i], sizeof names[i], file) == NULL)
      names[i][0] = '\0';
    if (file != NULL)
      fclose (file);
  }
  return names[0][0] != '\0' && strcmp (names[0], names[1]) == 0;
}

pid_t
rights_find_tree_of (pid_t debugger)
{
  pid_t broker = debugger > 0 ? (pid_t) read_status (debugger, "PPid:", 10) : 0;

  return broker > 1 && has_our_name (broker) ? (pid_t) read_status (broker, "PPid:", 10) : 0;
}

bool
rights_can_read (pid_t pid)
{
  char path[64];
  int fd;

  snprintf (path, sizeof path, "/proc/%d/mem", (int) pid);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0)
    close (fd);
  return fd >= 0;
}

/* In another namespace of processes, as `unshare --pid` makes one, its numbers are those of others. */
bool
rights_has_proc (void)
{
  char text[16];
  ssize_t n = readlink ("/proc/self", text, sizeof text - 1);

  text[n > 0 ? n : 0] = '\0';
  return atoi (text) == (int) getpid ();
}

int
rights_read_ptrace_scope (void)
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

/* It would not be asked for what the kernel's own rules say. */
static bool
may_trace_everything (void)
{
  long long ours = read_status (getpid (), "CapEff:", 16);

  return ours > 0 && (ours >> CAP_SYS_PTRACE & 1) != 0;
}

/* There is no process 0, which one hears only when the system call has been let through. */
static bool
is_ptrace_filtered (void)
{
  return ptrace (PTRACE_SEIZE, 0, NULL, NULL) != 0 && errno != ESRCH;
}

/* What the kernel has of such a process belongs to root; or is not shown at all (hidepid). */
static bool
is_undumpable (pid_t pid)
{
  char path[64];
  struct stat status;

  snprintf (path, sizeof path, "/proc/%d/status", (int) pid);
  return stat (path, &status) == 0 ? status.st_uid != geteuid () : kill (pid, 0) == 0;
}

static bool
has_more_rights (pid_t pid)
{
  long long its = read_status (pid, "CapPrm:", 16);
  long long ours = read_status (getpid (), "CapPrm:", 16);

  return its > 0 && ours >= 0 && (its & ~ours) != 0;
}

/* (transfer none) (nullable) */
static const char *
find_refusal_of_yama (int scope_that_would_do)
{
  static char text[256];
  int scope = rights_read_ptrace_scope ();

  if (scope >= 3)
    return "/proc/sys/kernel/yama/ptrace_scope is 3: nobody may look at a process until the "
           "machine is booted anew with less";
  if (scope <= scope_that_would_do || may_trace_everything ())
    return NULL;
  snprintf (
      text, sizeof text,
      "/proc/sys/kernel/yama/ptrace_scope is %d: set it to %d (sysctl "
      "kernel.yama.ptrace_scope=%d), or do this as root (in a container: --cap-add=SYS_PTRACE)",
      scope, scope_that_would_do, scope_that_would_do);
  return text;
}

const char *
rights_find_refusal (pid_t pid, int scope_that_would_do)
{
  const char *of_yama;

  if (!rights_has_proc ())
    return RIGHTS_NO_PROC;
  if (is_undumpable (pid))
    return "it is not dumpable (PR_SET_DUMPABLE, or its program may not be read): do this as root";
  of_yama = find_refusal_of_yama (scope_that_would_do);
  if (of_yama != NULL)
    return of_yama;
  if (has_more_rights (pid))
    return "it has rights (capabilities) that who debugs it has not: do this as root (in a "
           "container: --cap-add=SYS_PTRACE)";
  if (is_ptrace_filtered ())
    return "a seccomp filter denies ptrace: a container needs --cap-add=SYS_PTRACE, or "
           "--security-opt seccomp=unconfined";
  if (read_status (pid, "Seccomp:", 10) > 0 || read_status (pid, "NoNewPrivs:", 10) > 0)
    return "this looks like a container without the right to (--cap-add=SYS_PTRACE)";
  return "the kernel says no (EPERM)";
}

const char *
rights_find_why_no_gdb (DebugWord word, pid_t pid)
{
  static char text[320];

  if (word == DEBUG_WORD_NONE)
    return RIGHTS_GDB_FAILED;
  if (word != DEBUG_WORD_NO_ATTACH)
    return NULL;
  if (rights_is_traced (pid))
    return "gdb may not attach, for " RIGHTS_TRACED;
  if (!rights_can_read (pid))
    return NULL;
  snprintf (text, sizeof text, "gdb may not attach: %s",
            rights_find_refusal (pid, SCOPE_OF_BROKER));
  return text;
}

const char *
rights_explain (DebugWord word, pid_t pid)
{
  static char text[320];

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
            rights_is_traced (pid) ? RIGHTS_TRACED : rights_find_refusal (pid, SCOPE_OF_BROKER));
  return text;
}
