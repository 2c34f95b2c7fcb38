/* dumps.c - has the tasks of an actor, and of all below it, shown.
 *
 * By the command `tractor dump`, which reads them from outside: it is told where to keep what it finds, and says it on
 * stderr, which is the tree's. Several may run, for several have been asked for, but the command sees to it that they
 * write one after another. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dumps.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "words.h"

/* What the command's process ends with if there is no command. */
#define STATUS_NO_COMMAND 127

typedef struct {
  pid_t pid; /* of the command; 0: none */
  int pidfd;
  pid_t actor;
  bool again; /* it was asked for once more */
} Dump;

static Dump dumps[MAX_DUMPS];
static char log_path[PATH_MAX];

bool
dumps_set_log (const char *prefix, pid_t root)
{
  const char *name = strrchr (prefix, '/');
  int n;

  if (name == NULL)
    return false;
  n = snprintf (log_path, sizeof log_path, "%.*s/tractor-dump-%d.log", (int) (name - prefix),
                prefix, (int) root);
  return n > 0 && (size_t) n < sizeof log_path;
}

static _Noreturn void
become_command (pid_t broker, pid_t actor)
{
  char path[PATH_MAX];
  char number[16];

  child_end_with (broker);
  child_give_back ();
  child_find_command (path);
  snprintf (number, sizeof number, "%d", (int) actor);
  execl (path, "tractor", "dump", "--on-signal", log_path, number, (char *) NULL);
  words_report ("tractor-debugger: SIGUSR1: cannot run %s: %s", path, strerror (errno));
  _exit (STATUS_NO_COMMAND);
}

static void
run (Dump *dump, pid_t actor)
{
  pid_t broker = getpid ();

  *dump = (Dump){ .actor = actor, .pid = fork () };
  if (dump->pid == 0)
    become_command (broker, actor);
  if (dump->pid > 0)
    dump->pidfd = (int) syscall (SYS_pidfd_open, dump->pid, 0);
  else
    *dump = (Dump){ 0 };
}

void
dumps_start (pid_t actor)
{
  Dump *free_one = NULL;

  for (int i = 0; i < MAX_DUMPS; i++) {
    if (dumps[i].pid == 0) {
      free_one = &dumps[i];
    } else if (dumps[i].actor == actor) {
      dumps[i].again = true;
      return;
    }
  }
  if (free_one != NULL)
    run (free_one, actor);
  else
    words_report ("tractor-debugger: SIGUSR1: too many dumps are being made already");
}

void
dumps_get_fds (struct pollfd *fds)
{
  for (int i = 0; i < MAX_DUMPS; i++)
    fds[i] = (struct pollfd){ .fd = dumps[i].pid != 0 ? dumps[i].pidfd : -1, .events = POLLIN };
}

void
dumps_look (void)
{
  for (int i = 0; i < MAX_DUMPS; i++) {
    Dump ended = dumps[i];

    /* Whoever reaps all that ends here may have come first. */
    if (ended.pid == 0 || waitpid (ended.pid, NULL, WNOHANG) == 0)
      continue;
    if (ended.pidfd >= 0)
      close (ended.pidfd);
    dumps[i] = (Dump){ 0 };
    if (ended.again)
      run (&dumps[i], ended.actor);
  }
}
