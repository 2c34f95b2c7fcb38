/* exec.c - a child process is made by exec: what is asked for, checked and worked out.
 *
 * All that can be known to be wrong is found before anything is made. What is left is done by the clone
 * (clone.c), from an Exec.
 *
 * Actors and other programs differ in little. An actor ends in order on SIGTERM, and sees to it
 * that it does, so that is its death signal. Nobody would be left to follow that up for another
 * program, so it gets SIGKILL. And an actor leaves SIGINT to its parent. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clone.h"
#include "tractor-error.h"

#define MAX_NICE 19

/* --- what is asked for ------------------------------------------------------------------------- */

static G_GNUC_PRINTF (2, 3) gboolean set_misuse (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_propagate_error (error, g_error_new_valist (TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, format, args));
  va_end (args);
  return FALSE;
}

static gboolean
check_env (const ProcessRequest *request, GError **error)
{
  for (const char *const *at = request->env; at != NULL && *at != NULL; at++)
    if (**at == '\0' || **at == '=')
      return set_misuse (error, "\"%s\" names no environment variable", *at);
  return TRUE;
}

/* Returns: whether it is ours to fill: an actor's stderr is until it has booted. */
static gboolean
is_taken (const ProcessRequest *request, int there)
{
  return request->link_fd >= 0 &&
         (there == STDERR_FILENO || there == CHILD_LINK_FD || there == CHILD_STDERR_FD);
}

static gboolean
check_fds (const ProcessRequest *request, GError **error)
{
  struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

  getrlimit (RLIMIT_NOFILE, &limit);
  for (gsize i = 0; i < request->n_fds; i++) {
    const TractorFdMapping *fd = &request->fds[i];

    if (fcntl (fd->here, F_GETFD) < 0)
      return set_misuse (error, "Descriptor %d, to be %d in a child, is not open", fd->here,
                         fd->there);
    if (fd->there < 0 || (rlim_t) fd->there >= limit.rlim_cur)
      return set_misuse (error, "No child can have a descriptor %d", fd->there);
    if (is_taken (request, fd->there))
      return set_misuse (error, "Descriptor %d of an actor is taken", fd->there);
    if (fd_is_mapped (request->fds, i, fd->there))
      return set_misuse (error, "Descriptor %d of a child is given twice", fd->there);
  }
  return TRUE;
}

static const char *const resource_names[RLIM_NLIMITS] = {
  [RLIMIT_CPU] = "RLIMIT_CPU",           [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
  [RLIMIT_DATA] = "RLIMIT_DATA",         [RLIMIT_STACK] = "RLIMIT_STACK",
  [RLIMIT_CORE] = "RLIMIT_CORE",         [RLIMIT_RSS] = "RLIMIT_RSS",
  [RLIMIT_NPROC] = "RLIMIT_NPROC",       [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
  [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",   [RLIMIT_AS] = "RLIMIT_AS",
  [RLIMIT_LOCKS] = "RLIMIT_LOCKS",       [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
  [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE", [RLIMIT_NICE] = "RLIMIT_NICE",
  [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",     [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
};

static gboolean
check_limits (const ProcessRequest *request, GError **error)
{
  for (gsize i = 0; i < request->n_limits; i++) {
    const TractorResourceLimit *limit = &request->limits[i];

    if (limit->resource < 0 || limit->resource >= (int) RLIM_NLIMITS)
      return set_misuse (error, "There is no resource %d to limit", limit->resource);
    if (limit->soft > limit->hard)
      return set_misuse (error, "The soft limit of %s is above its hard one",
                         resource_names[limit->resource]);
  }
  return TRUE;
}

static gboolean
check_nice (const ProcessRequest *request, GError **error)
{
  return request->nice <= MAX_NICE
             ? TRUE
             : set_misuse (error, "A process can be nice by %d at most, not by %u", MAX_NICE,
                           request->nice);
}

gboolean
tractor__exec_check (const ProcessRequest *request, GError **error)
{
  return check_env (request, error) && check_fds (request, error) &&
         check_limits (request, error) && check_nice (request, error);
}

/* --- what it is to have ------------------------------------------------------------------------ */

/* (transfer full): our own program. Its path, so that it can be found again by debuggers; if it
 * has been replaced since, what is really running, so that parent and child are of one make. */
static char *
find_self (void)
{
  g_autofree char *path = g_file_read_link ("/proc/self/exe", NULL);

  if (path != NULL && g_str_has_suffix (path, " (deleted)"))
    return g_strdup ("/proc/self/exe");
  if (path != NULL)
    return g_steal_pointer (&path);
  return g_strdup ((const char *) getauxval (AT_EXECFN)); /* no /proc */
}

/* (transfer container) */
static char **
make_arguments (const ProcessRequest *request, const char *path)
{
  GPtrArray *argv = g_ptr_array_new ();

  g_ptr_array_add (argv, (char *) (request->called != NULL ? request->called : path));
  if (request->title != NULL)
    g_ptr_array_add (argv, (char *) request->title);
  for (const char *const *at = request->argv; at != NULL && *at != NULL; at++)
    g_ptr_array_add (argv, (char *) *at);
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (argv, FALSE);
}

char **
tractor__exec_make_environment (const ProcessRequest *request)
{
  char **envp = g_environ_unsetenv (g_get_environ (), CHILD_VARIABLE);

  for (const char *const *at = request->env; at != NULL && *at != NULL; at++) {
    const char *value = strchr (*at, '=');
    g_autofree char *name = value != NULL ? g_strndup (*at, (gsize) (value - *at)) : NULL;

    if (value != NULL)
      envp = g_environ_setenv (envp, name, value + 1, TRUE);
    else
      envp = g_environ_unsetenv (envp, *at);
  }
  G_STATIC_ASSERT (CHILD_LINK_FD == 3);
  if (request->link_fd >= 0)
    envp = g_environ_setenv (envp, CHILD_VARIABLE, G_STRINGIFY (3), TRUE);
  return envp;
}

/* What exec would close among the first three is not stdin, stdout or stderr, but landed there. */
static int
or_null (int fd, int null_fd)
{
  int flags = fd >= 0 ? fcntl (fd, F_GETFD) : -1;

  return flags < 0 || (fd <= STDERR_FILENO && (flags & FD_CLOEXEC) != 0) ? null_fd : fd;
}

static void
add_fd (GArray *fds, int here, int there)
{
  TractorFdMapping fd = { here, there };

  g_array_append_val (fds, fd);
}

static gint
compare_there (gconstpointer a, gconstpointer b)
{
  const TractorFdMapping *one = a;
  const TractorFdMapping *other = b;

  return one->there < other->there ? -1 : one->there > other->there;
}

GArray *
tractor__exec_list_fds (const ProcessRequest *request, int null_fd)
{
  GArray *fds = g_array_new (FALSE, FALSE, sizeof (TractorFdMapping));

  for (int there = STDIN_FILENO; there <= STDERR_FILENO; there++)
    if (!fd_is_mapped (request->fds, request->n_fds, there))
      add_fd (fds, or_null (request->stdio[there], null_fd), there);
  if (request->link_fd >= 0) {
    add_fd (fds, request->link_fd, CHILD_LINK_FD);
    add_fd (fds, or_null (STDERR_FILENO, null_fd), CHILD_STDERR_FD);
  }
  for (gsize i = 0; i < request->n_fds; i++)
    add_fd (fds, request->fds[i].here, request->fds[i].there);
  g_array_sort (fds, compare_there);
  return fds;
}

/* --- making it --------------------------------------------------------------------------------- */

static gboolean
start_by_exec (G_GNUC_UNUSED const SpawnMethod *method,
               const ProcessRequest *request,
               Process *ret_process,
               GError **error)
{
  g_autofree char *self = request->program == NULL ? find_self () : NULL;
  const char *path = self != NULL ? self : request->program;
  g_autofree char **argv = make_arguments (request, path);
  g_auto (GStrv) envp = NULL;
  g_autoptr (GArray) fds = NULL;
  Process process = { .pidfd = -1 };
  Exec exec = { .path = path, .argv = argv, .cwd = request->cwd };
  int null_fd;
  gboolean ok;

  if (!tractor__exec_check (request, error))
    return FALSE;
  null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_fd < 0)
    return tractor__set_spawn_error (error, errno, "make a process for", path);

  exec.envp = envp = tractor__exec_make_environment (request);
  fds = tractor__exec_list_fds (request, null_fd);
  exec.fds = (TractorFdMapping *) (gpointer) fds->data;
  exec.n_fds = fds->len;
  exec.limits = request->limits;
  exec.n_limits = request->n_limits;
  exec.nice = MIN (getpriority (PRIO_PROCESS, 0) + (int) request->nice, MAX_NICE);
  exec.is_actor = request->link_fd >= 0;
  exec.ignored = exec.is_actor ? IGNORED_BY_ACTORS : IGNORED_BY_PROGRAMS;
  exec.parent_pidfd = (int) syscall (SYS_pidfd_open, getpid (), 0);
  ok = exec.parent_pidfd >= 0 ? tractor__clone_and_exec (&exec, &process, error)
                              : tractor__set_spawn_error (error, errno, "make a process for", path);
  if (exec.parent_pidfd >= 0)
    close (exec.parent_pidfd);
  close (null_fd);
  if (ok)
    *ret_process = process;
  return ok;
}

const SpawnMethod tractor__spawn_by_exec = { "exec", start_by_exec };
