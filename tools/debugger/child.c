/* child.c - what the broker needs for itself, and what its children do not get of it.
 *
 * It has a descriptor for each actor that waits, which may be more than a process usually has; and whoever reads its words
 * may be gone, which is no reason to end. A debugger, what is started from its prompt, and the other programs are as they
 * would be without us: a limit that is raised breaks those that go by it (select), and one that is not told that its
 * pipe is closed writes on. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "beside.h"

static bool is_taken;
static struct rlimit limit_before;
static void (*on_broken_pipe_before) (int);

int
child_take_what_we_need (void)
{
  struct rlimit limit;

  on_broken_pipe_before = signal (SIGPIPE, SIG_IGN);
  if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return _POSIX_OPEN_MAX;
  limit_before = limit;
  is_taken = true;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit (RLIMIT_NOFILE, &limit) != 0)
    limit = limit_before;
  return limit.rlim_cur < INT_MAX ? (int) limit.rlim_cur : INT_MAX;
}

void
child_end_with (pid_t parent)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != parent)
    _exit (127);
}

/* A root may have less memory than gdb needs to read its symbols. */
void
child_take_memory (void)
{
  static const int kinds[] = { RLIMIT_AS, RLIMIT_DATA };

  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    struct rlimit limit;

    if (getrlimit (kinds[i], &limit) != 0)
      continue;
    limit.rlim_cur = limit.rlim_max;
    setrlimit (kinds[i], &limit);
  }
}

void
child_give_back (void)
{
  if (!is_taken)
    return;
  setrlimit (RLIMIT_NOFILE, &limit_before);
  signal (SIGPIPE, on_broken_pipe_before);
}

bool
child_find_command (char path[PATH_MAX])
{
  return beside_find ("../tractor/tractor", COMMAND_PATH, path);
}
