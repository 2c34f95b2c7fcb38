/* inherited.h - what a process has of who started it, and how that is made another. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "served.h"

/* --- what an actor has ------------------------------------------------------------------------------- */

static inline void
add_lines_of_status (GString *text)
{
  static const char *const names[] = { "Umask", "SigBlk", "SigIgn",        "SigCgt",     "Threads",
                                       "Cap",   "Uid",    "Cpus_allowed:", "NoNewPrivs", "PPid" };
  g_autofree char *status = NULL;
  g_auto (GStrv) lines = NULL;

  g_file_get_contents ("/proc/self/status", &status, NULL, NULL);
  lines = g_strsplit (status, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    for (guint i = 0; i < G_N_ELEMENTS (names); i++)
      if (g_str_has_prefix (*line, names[i]))
        g_string_append_printf (text, "%s\n", *line);
}

/* What they lead to, without the numbers of what is the actor's own. */
static inline void
add_fds (GString *text)
{
  for (int fd = 0; fd < 256; fd++) {
    g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
    g_autofree char *target = g_file_read_link (path, NULL);
    char *number = target != NULL ? strchr (target, '[') : NULL;

    if (target == NULL)
      continue;
    if (number != NULL && fd > 2)
      *number = '\0';
    if (strstr (target, "/fd") == NULL)
      g_string_append_printf (text, "%d: %s %x\n", fd, target, fcntl (fd, F_GETFD));
  }
}

/* The end of the line is padded with NULs in a copy, for names that are longer. */
static inline void
add_command_line (GString *text)
{
  g_autofree char *line = NULL;
  gsize length = 0;

  g_file_get_contents ("/proc/self/cmdline", &line, &length, NULL);
  while (length > 0 && line[length - 1] == '\0')
    length--;
  for (gsize i = 0; i < length; i++)
    g_string_append_c (text, line[i] != '\0' ? line[i] : '|');
  g_string_append_c (text, '\n');
}

/* All that a process has of who started it. */
static inline gboolean
describe (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *cwd = g_get_current_dir ();
  g_auto (GStrv) env = g_listenv ();
  char name[16] = "";
  int death_signal = 0;

  add_lines_of_status (text);
  add_fds (text);
  add_command_line (text);
  prctl (PR_GET_NAME, name);
  prctl (PR_GET_PDEATHSIG, &death_signal);
  g_string_append_printf (text, "%s in %s, nice %d, session %d, group %d, death signal %d\n", name,
                          cwd, getpriority (PRIO_PROCESS, 0), getsid (0), getpgrp (), death_signal);
  for (int i = 0; i < (int) RLIM_NLIMITS; i++) {
    struct rlimit limit;

    getrlimit (i, &limit);
    g_string_append_printf (text, "%d: %lu %lu\n", i, limit.rlim_cur, limit.rlim_max);
  }
  for (char **variable = env; *variable != NULL; variable++)
    g_string_append_printf (text, "%s=%s\n", *variable, g_getenv (*variable));
  *ret_result = g_variant_new_string (text->str);
  return TRUE;
}

/* --- what it is given -------------------------------------------------------------------------------- */

/* A program that is not quite as it was started. Returns: a descriptor that no exec would close. */
static inline int
make_peculiar (void)
{
  struct rlimit limit;
  sigset_t set;

  umask (027);
  g_assert_cmpint (chdir ("/"), ==, 0);
  g_assert_cmpint (setpriority (PRIO_PROCESS, 0, getpriority (PRIO_PROCESS, 0) + 1), ==, 0);
  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 200;
  setrlimit (RLIMIT_NOFILE, &limit);
  g_setenv ("TEST_PECULIAR", "yes", TRUE);
  signal (SIGPIPE, SIG_IGN);
  signal (SIGHUP, SIG_IGN);
  signal (SIGUSR2, SIG_IGN);
  sigemptyset (&set);
  sigaddset (&set, SIGUSR1);
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  return open ("/dev/zero", O_RDONLY);
}

/* Each returns whether it was not so before: who runs the test may have had it so (nohup, a container). */

static inline gboolean
set_mask_of_files (void)
{
  return umask (077) != 077;
}

static inline gboolean
change_directory (void)
{
  g_autofree char *before = g_get_current_dir ();

  g_assert_cmpint (chdir ("/usr"), ==, 0);
  return !g_str_equal (before, "/usr");
}

static inline gboolean
set_variable (void)
{
  g_setenv ("TEST_VARIABLE", "changed", TRUE);
  return TRUE;
}

static inline gboolean
be_nicer (void)
{
  int before = getpriority (PRIO_PROCESS, 0);

  g_assert_cmpint (setpriority (PRIO_PROCESS, 0, before + 2), ==, 0);
  return getpriority (PRIO_PROCESS, 0) != before;
}

static inline gboolean
limit_files (void)
{
  struct rlimit limit;
  rlim_t before;

  getrlimit (RLIMIT_NOFILE, &limit);
  before = limit.rlim_cur;
  limit.rlim_cur = 180;
  setrlimit (RLIMIT_NOFILE, &limit);
  return before != 180;
}

static inline gboolean
ignore_hangup (void)
{
  return signal (SIGHUP, SIG_IGN) != SIG_IGN;
}

static inline gboolean
stay_on_one_processor (void)
{
  cpu_set_t before;
  cpu_set_t set;

  sched_getaffinity (0, sizeof before, &before);
  CPU_ZERO (&set);
  CPU_SET (sched_getcpu (), &set);
  sched_setaffinity (0, sizeof set, &set);
  return CPU_COUNT (&before) > 1;
}

static inline gboolean
get_no_privileges (void)
{
  gboolean has_none = prctl (PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;

  g_assert_cmpint (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
  return !has_none;
}

static inline gboolean
lead_a_group (void)
{
  pid_t before = getpgrp ();

  setpgid (0, 0);
  return getpgrp () != before;
}

static gboolean (*const changes[]) (void) = {
  set_mask_of_files, change_directory,      set_variable,      be_nicer,     limit_files,
  ignore_hangup,     stay_on_one_processor, get_no_privileges, lead_a_group,
};
