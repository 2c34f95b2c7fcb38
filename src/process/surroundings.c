/* surroundings.c - what a program that is started by exec would find around itself.
 *
 * A process hands down more to an exec than arguments: directories, masks, limits, priorities, identities, namespaces.
 * Whoever has a copy made of a process that was started a while ago (fork-server.c) has to know whether anything of that
 * has changed since. All of it goes into one number, for nobody asks what has changed.
 *
 * Most of it is in a few lines of one file of /proc, which is also the only place where the umask can be read without
 * setting it. It is the thread's, not the process's: a thread may have its own, and it is that thread which would call exec.
 *
 * Not looked at: what cannot be read (a Landlock domain, a session keyring), and what only a tool for just that changes in a
 * running process (its core filter, its personality). Those are as they were when the copied process was started. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "surroundings.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* FNV-1a. */
void
tractor__surroundings_add (guint64 *sum, gconstpointer bytes, gsize n_bytes)
{
  const guint8 *at = bytes;

  for (gsize i = 0; i < n_bytes; i++)
    *sum = (*sum ^ at[i]) * G_GUINT64_CONSTANT (0x100000001b3);
}

static void
add_number (guint64 *sum, guint64 number)
{
  tractor__surroundings_add (sum, &number, sizeof number);
}

/* --- of the process -------------------------------------------------------------------------------- */

static gboolean
add_file (guint64 *sum, const char *path)
{
  struct stat file;

  if (stat (path, &file) != 0)
    return FALSE;
  add_number (sum, file.st_dev);
  add_number (sum, file.st_ino);
  return TRUE;
}

static void
add_limits (guint64 *sum)
{
  for (int resource = 0; resource < (int) RLIM_NLIMITS; resource++) {
    struct rlimit limit = { 0 };

    getrlimit (resource, &limit);
    add_number (sum, limit.rlim_cur);
    add_number (sum, limit.rlim_max);
  }
}

static void
add_priority (guint64 *sum)
{
  struct sched_param param = { 0 };

  sched_getparam (0, &param);
  add_number (sum, (guint64) getpriority (PRIO_PROCESS, 0));
  add_number (sum, (guint64) sched_getscheduler (0));
  add_number (sum, (guint64) param.sched_priority);
}

static gboolean
add_namespaces (guint64 *sum)
{
  static const char *const optional[] = { "ns/net", "ns/mnt", "ns/user",
                                          "ns/ipc", "ns/uts", "ns/cgroup" };
  int dir = open ("/proc/thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct stat file;
  gboolean ok = dir >= 0 && fstatat (dir, "ns/pid_for_children", &file, 0) == 0;

  if (ok)
    add_number (sum, file.st_ino);
  for (guint i = 0; ok && i < G_N_ELEMENTS (optional); i++)
    add_number (sum, fstatat (dir, optional[i], &file, 0) == 0 ? file.st_ino : 0);
  if (dir >= 0)
    close (dir);
  return ok;
}

/* --- of the thread ---------------------------------------------------------------------------------- */

static gboolean
is_handed_down (const char *line)
{
  static const char *const names[] = { "Umask:",        "Uid:",         "Gid:",        "Groups:",
                                       "SigIgn:",       "Cap",          "NoNewPrivs:", "Seccomp",
                                       "Cpus_allowed:", "Mems_allowed:" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strncmp (line, names[i], strlen (names[i])) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
add_status (guint64 *sum)
{
  char text[8192];
  int fd = open ("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
  gssize n = fd >= 0 ? read (fd, text, sizeof text - 1) : -1;

  if (fd >= 0)
    close (fd);
  if (n <= 0 || n == sizeof text - 1) /* of the rest it is not known whether it has changed */
    return FALSE;
  text[n] = '\0';
  for (const char *line = text; *line != '\0';) {
    gsize length = strcspn (line, "\n");

    if (is_handed_down (line))
      tractor__surroundings_add (sum, line, length);
    line += length + (line[length] == '\n');
  }
  return TRUE;
}

/* What it reads as: a label of a security module, its control group. What cannot be read is nothing. */
static void
add_text (guint64 *sum, const char *path)
{
  char text[4096];
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gssize n = fd >= 0 ? read (fd, text, sizeof text) : -1;

  if (fd >= 0)
    close (fd);
  tractor__surroundings_add (sum, text, n > 0 ? (gsize) n : 0);
  add_number (sum, (guint64) n);
}

static void
add_texts (guint64 *sum)
{
  add_text (sum, "/proc/thread-self/attr/current");
  add_text (sum, "/proc/thread-self/attr/exec");
  add_text (sum, "/proc/thread-self/cgroup");
  add_text (sum, "/proc/self/oom_score_adj");
}

/* --- all of it --------------------------------------------------------------------------------------- */

gboolean
tractor__surroundings_sum (char *const *envp, guint64 *ret_sum)
{
  guint64 sum = G_GUINT64_CONSTANT (0xcbf29ce484222325);

  for (; *envp != NULL; envp++)
    tractor__surroundings_add (&sum, *envp, strlen (*envp) + 1);
  add_limits (&sum);
  add_priority (&sum);
  add_number (&sum, (guint64) getsid (0));
  add_number (&sum, (guint64) getpgrp ());
  add_texts (&sum);
  *ret_sum = sum;
  return add_file (ret_sum, ".") && add_file (ret_sum, "/") && add_namespaces (ret_sum) &&
         add_status (ret_sum);
}
