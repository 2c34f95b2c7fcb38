/* opener.c - a command, given by the user, that opens a terminal for whoever stops.
 *
 * It is given our own program, which lends that terminal to us (host.c). If none comes, there is the usual one. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "opener.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "line.h"

/* How long it may take to open a terminal. */
#define COMMAND_MSEC 30000

static const char *command; /* (nullable) */
static const char *socket_path;

void
opener_use (const char *use, const char *socket)
{
  command = use;
  socket_path = socket;
}

/* In the child: what the command is given lends the terminal that it opens. */
static _Noreturn void
become_command (pid_t actor)
{
  static const int usual[] = { SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTOU, SIGTTIN };
  static char self[4096];
  char script[4096], number[16];
  ssize_t n = readlink ("/proc/self/exe", self, sizeof self - 1);

  for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
    signal (usual[i], SIG_DFL);
  child_give_back ();
  setpgid (0, 0);
  snprintf (script, sizeof script, "%s \"$@\"", command);
  snprintf (number, sizeof number, "%d", (int) actor);
  if (n > 0)
    execl ("/bin/sh", "sh", "-c", script, "sh", self, "--host", number, socket_path, (char *) NULL);
  _exit (127);
}

static void
give_up (Asker *asker, const char *why)
{
  char text[256];

  asker->is_without = true;
  snprintf (text, sizeof text, ", and no terminal comes of \"%.100s\": %s", command, why);
  asker_say (asker, text);
}

bool
opener_is_waited_for (Asker *asker)
{
  if (command == NULL || asker->is_without)
    return false;
  if (asker->command == 0) {
    asker->command = fork ();
    if (asker->command == 0)
      become_command (asker->pid);
    asker_set_state (asker, LOOKED_AT);
  }
  if (asker_get_msec (asker) > COMMAND_MSEC)
    give_up (asker, "it takes too long");
  return !asker->is_without;
}

static void
on_ended (pid_t pid, int status)
{
  for (int i = 0; i < line_get_n (); i++) {
    Asker *asker = line_get (i);

    if (asker->command != pid)
      continue;
    asker->command = -1;
    if (status != 0)
      give_up (asker, "it has failed");
  }
}

/* One that has opened a terminal may last as long as that, or end at once. */
void
opener_reap (pid_t but)
{
  siginfo_t info = { 0 };
  int status;

  while (waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0 &&
         info.si_pid != but) {
    waitpid (info.si_pid, &status, 0);
    on_ended (info.si_pid, status);
    info.si_pid = 0;
  }
}
