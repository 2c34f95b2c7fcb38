/* process.c - a child process: made by exec, watched by pidfd, reaped once.
 *
 * A clone shares our memory, while we wait, until it has called exec: that is what posix_spawn()
 * does too, and it costs the same however large the program is. We do it ourselves because three
 * things cannot be had from posix_spawn(): the pidfd from the same system call, so that no foreign
 * waitpid(-1) can come in between; the death signal, armed before exec, so that a parent that dies
 * meanwhile is not survived; and the error of exec, at once.
 *
 * Between clone and exec the child calls nothing but raw system calls: libc's wrappers belong to
 * the parent's threads, and to the sanitizers. It runs on a stack of its own. So everything that it
 * needs is worked out before, and lies in an Exec: above all one list of all its descriptors.
 *
 * Actors and other programs differ in little. An actor ends in order on SIGTERM, and sees to it
 * that it does, so that is its death signal. Nobody would be left to follow that up for another
 * program, so it gets SIGKILL. And an actor leaves SIGINT to its parent.
 *
 * The death signal is sent when the *thread* that made the clone ends. So a guest that spawns
 * must live in a thread that lives as long as its children are wanted. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stdio-fd.h"
#include "tractor-error.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define CLONE_STACK_BYTES (64 * 1024)
#define MAX_NICE          19

/* --- between clone and exec --------------------------------------------------------------------- */

/* What a clone was at when it failed. */
typedef enum {
  STEP_FDS,
  STEP_CWD,
  STEP_LIMITS,
  STEP_EXEC
} Step;

typedef struct {
  const char *path;
  char **argv;
  char **envp;
  const char *cwd; /* (nullable) */
  const TractorResourceLimit *limits;
  gsize n_limits;
  int nice;              /* what it is to have */
  TractorFdMapping *fds; /* all that it is to have, by their numbers there: 0, 1 and 2 first */
  gsize n_fds;
  gboolean is_actor;
  rlim_t max_fds;  /* to close by hand on a kernel without close_range */
  guint64 ignored; /* signals: if we do */
  int parent_pidfd;
  Step step; /* written by the child, read by us, as is what follows */
  int failed_errno;
} Exec;

#if defined(__clang__)
#define NO_SANITIZE __attribute__ ((no_sanitize ("address", "thread", "undefined")))
#else
#define NO_SANITIZE __attribute__ ((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))
#endif

/* The kernel's own layouts, for system calls that libc would wrap. */
typedef struct {
  void (*handler) (int);
  unsigned long flags;
  void (*restorer) (void);
  guint64 mask;
} KernelSigaction;

typedef struct {
  guint64 soft;
  guint64 hard;
} KernelLimit;

/* No handler of ours may run in the clone once signals are let in. An actor ignores SIGINT from the start. */
static NO_SANITIZE void
reset_signals (const Exec *exec)
{
  KernelSigaction action = { .handler = SIG_DFL };
  KernelSigaction ignore = { .handler = SIG_IGN };
  guint64 empty = 0;

  for (long signal_number = 1; signal_number <= N_SIGNALS; signal_number++) {
    KernelSigaction before = { .handler = SIG_DFL };

    syscall (SYS_rt_sigaction, signal_number, NULL, &before, sizeof empty);
    if (before.handler != SIG_IGN || (exec->ignored & SIGNAL_BIT (signal_number)) == 0)
      syscall (SYS_rt_sigaction, signal_number, &action, NULL, sizeof empty);
  }
  if (exec->is_actor)
    syscall (SYS_rt_sigaction, SIGINT, &ignore, NULL, sizeof empty);
  syscall (SYS_rt_sigprocmask, SIG_SETMASK, &empty, NULL, sizeof empty);
}

/* A parent has no number in another PID namespace; but its pidfd is one anywhere. */
static NO_SANITIZE gboolean
has_lost_parent (const Exec *exec)
{
  struct pollfd pollfd = { .fd = exec->parent_pidfd, .events = POLLIN };
  long at_once[2] = { 0, 0 }; /* the kernel's timespec */

  return syscall (SYS_ppoll, &pollfd, 1L, at_once, NULL, sizeof (guint64)) == 1;
}

static NO_SANITIZE gboolean
is_wanted_there (const Exec *exec, int fd)
{
  for (gsize i = 0; i < exec->n_fds; i++)
    if (exec->fds[i].there == fd)
      return TRUE;
  return FALSE;
}

/* Returns: a duplicate that none of the numbers we are about to fill can hit; or -1. */
static NO_SANITIZE int
move_away (const Exec *exec, int fd)
{
  long from = STDERR_FILENO + 1;
  long copy;

  while ((copy = syscall (SYS_fcntl, fd, F_DUPFD_CLOEXEC, from)) >= 0 &&
         is_wanted_there (exec, (int) copy)) {
    syscall (SYS_close, copy);
    from = copy + 1;
  }
  return (int) copy;
}

static NO_SANITIZE void
close_range_of_fds (const Exec *exec, unsigned int first, unsigned int last)
{
  if (syscall (SYS_close_range, first, last, 0) == 0)
    return;
  for (rlim_t fd = first; fd <= last && fd < exec->max_fds; fd++)
    syscall (SYS_close, (int) fd);
}

/* Returns: FALSE with errno set. */
static NO_SANITIZE gboolean
arrange_fds (Exec *exec)
{
  unsigned int next = 0;

  for (gsize i = 0; i < exec->n_fds; i++) {
    exec->fds[i].here = move_away (exec, exec->fds[i].here);
    if (exec->fds[i].here < 0)
      return FALSE;
  }
  for (gsize i = 0; i < exec->n_fds; i++)
    if (syscall (SYS_dup3, exec->fds[i].here, exec->fds[i].there, 0) < 0)
      return FALSE;
  for (gsize i = 0; i < exec->n_fds; i++) {
    unsigned int there = (unsigned int) exec->fds[i].there;

    if (there > next)
      close_range_of_fds (exec, next, there - 1);
    next = there + 1;
  }
  close_range_of_fds (exec, next, ~0U);
  return TRUE;
}

/* Returns: FALSE with errno set. */
static NO_SANITIZE gboolean
set_limits (const Exec *exec)
{
  for (gsize i = 0; i < exec->n_limits; i++) {
    KernelLimit limit = { exec->limits[i].soft, exec->limits[i].hard };

    if (syscall (SYS_prlimit64, 0, exec->limits[i].resource, &limit, NULL) != 0)
      return FALSE;
  }
  return TRUE;
}

/* Returns: only if it failed, with errno and the step set. The limits come last, because they are
 * the program's: we might not get as far under them. */
static NO_SANITIZE void
prepare_and_exec (Exec *exec)
{
  exec->step = STEP_FDS;
  if (!arrange_fds (exec))
    return;
  exec->step = STEP_CWD;
  if (exec->cwd != NULL && syscall (SYS_chdir, exec->cwd) != 0)
    return;
  exec->step = STEP_LIMITS;
  if (syscall (SYS_setpriority, PRIO_PROCESS, 0, exec->nice) != 0 || !set_limits (exec))
    return;
  exec->step = STEP_EXEC;
  syscall (SYS_execve, exec->path, exec->argv, exec->envp);
}

/* The death signal first, and long before it is looked whether there is a parent: one that was about to die when
 * it was armed is gone by then. */
static NO_SANITIZE int
run_clone (void *data)
{
  Exec *exec = data;

  syscall (SYS_prctl, PR_SET_PDEATHSIG, exec->is_actor ? SIGTERM : SIGKILL, 0, 0, 0);
  reset_signals (exec);
  if (has_lost_parent (exec))
    syscall (SYS_exit_group, 70);
  prepare_and_exec (exec);
  exec->failed_errno = errno;
  syscall (SYS_exit_group, 127);
  return 127;
}

/* --- what is asked for ---------------------------------------------------------------------------- */

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
is_mapped (const TractorFdMapping *fds, gsize n_fds, int there)
{
  for (gsize i = 0; i < n_fds; i++)
    if (fds[i].there == there)
      return TRUE;
  return FALSE;
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
    if (is_mapped (request->fds, i, fd->there))
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

/* --- making one --------------------------------------------------------------------------------- */

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

/* (transfer full): ours with what differs; and the variable that tells an actor what it is, which
 * nobody else is to see. */
static char **
make_environment (const ProcessRequest *request)
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

/* (transfer full): all that the child is to have. */
static GArray *
list_fds (const ProcessRequest *request, int null_fd)
{
  GArray *fds = g_array_new (FALSE, FALSE, sizeof (TractorFdMapping));

  for (int there = STDIN_FILENO; there <= STDERR_FILENO; there++)
    if (!is_mapped (request->fds, request->n_fds, there))
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

static gboolean
set_spawn_error (GError **error, int errno_value, const char *what, const char *path)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno_value), "cannot %s '%s': %s",
               what, path, g_strerror (errno_value));
  return FALSE;
}

static gboolean
set_step_error (GError **error, const Exec *exec)
{
  static const char *const attempts[] = {
    [STEP_FDS] = "hand descriptors to",
    [STEP_CWD] = "enter directory",
    [STEP_LIMITS] = "limit the resources of",
    [STEP_EXEC] = "run",
  };

  return set_spawn_error (error, exec->failed_errno, attempts[exec->step],
                          exec->step == STEP_CWD ? exec->cwd : exec->path);
}

/* ThreadSanitizer takes every clone() for a fork, which this one is not. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
int __clone (int (*func) (void *), void *stack, int flags, void *data, ...);
#define clone __clone
#endif
#elif defined(__SANITIZE_THREAD__)
int __clone (int (*func) (void *), void *stack, int flags, void *data, ...);
#define clone __clone
#endif

/* It runs nothing of ours, or nothing that we could watch: no wait to speak of. */
static void
discard (Process *process)
{
  tractor__process_signal (process, SIGKILL);
  while (waitid (P_PIDFD, (id_t) process->pidfd, &(siginfo_t){ 0 }, WEXITED) != 0 && errno == EINTR)
    ;
  tractor__process_clear (process);
}

/* What the kernel calls a lack of memory. */
static gboolean
has_dead_namespace (void)
{
  g_autofree char *own = g_file_read_link ("/proc/self/ns/pid", NULL);
  g_autofree char *of_children = g_file_read_link ("/proc/self/ns/pid_for_children", NULL);

  return own != NULL && g_strcmp0 (own, of_children) != 0;
}

static gboolean
set_clone_error (GError **error, int errno_value, const char *path)
{
  set_spawn_error (error, errno_value, "make a process for", path);
  if (errno_value == ENOMEM && has_dead_namespace ())
    g_prefix_error (error, "The first process of the PID namespace for children of this one has "
                           "ended, and with it the namespace: ");
  return FALSE;
}

static gboolean
clone_and_exec (Exec *exec, Process *process, GError **error)
{
  struct rlimit limit = { .rlim_cur = 65536 };
  int pidfd = -1;
  sigset_t all;
  sigset_t before;
  char *stack;

  getrlimit (RLIMIT_NOFILE, &limit);
  exec->max_fds = MIN (limit.rlim_cur, 65536);
  stack = mmap (NULL, CLONE_STACK_BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED)
    return set_spawn_error (error, errno, "make a process for", exec->path);

  /* No handler of ours may run in the clone, on our memory. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  process->pid = clone (run_clone, stack + CLONE_STACK_BYTES,
                        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, exec, &pidfd);
  {
    int saved_errno = errno;

    pthread_sigmask (SIG_SETMASK, &before, NULL);
    munmap (stack, CLONE_STACK_BYTES);
    if (process->pid < 0)
      return set_clone_error (error, saved_errno, exec->path);
  }

  process->pidfd = pidfd;
  if (keep_off_stdio (&process->pidfd) != 0) {
    int saved_errno = errno;

    discard (process);
    return set_spawn_error (error, saved_errno, "make a process for", exec->path);
  }
  if (exec->failed_errno != 0) {
    discard (process);
    return set_step_error (error, exec);
  }
  return TRUE;
}

static gboolean
start_by_exec (const ProcessRequest *request, Process *ret_process, GError **error)
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

  if (!check_env (request, error) || !check_fds (request, error) ||
      !check_limits (request, error) || !check_nice (request, error))
    return FALSE;
  null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_fd < 0)
    return set_spawn_error (error, errno, "make a process for", path);

  exec.envp = envp = make_environment (request);
  fds = list_fds (request, null_fd);
  exec.fds = (TractorFdMapping *) (gpointer) fds->data;
  exec.n_fds = fds->len;
  exec.limits = request->limits;
  exec.n_limits = request->n_limits;
  exec.nice = MIN (getpriority (PRIO_PROCESS, 0) + (int) request->nice, MAX_NICE);
  exec.is_actor = request->link_fd >= 0;
  exec.ignored = exec.is_actor ? IGNORED_BY_ACTORS : IGNORED_BY_PROGRAMS;
  exec.parent_pidfd = (int) syscall (SYS_pidfd_open, getpid (), 0);
  ok = exec.parent_pidfd >= 0 ? clone_and_exec (&exec, &process, error)
                              : set_spawn_error (error, errno, "make a process for", path);
  if (exec.parent_pidfd >= 0)
    close (exec.parent_pidfd);
  close (null_fd);
  if (ok)
    *ret_process = process;
  return ok;
}

const SpawnMethod tractor__spawn_by_exec = { "exec", start_by_exec };

/* --- its end ------------------------------------------------------------------------------------ */

/* linux/pidfd.h of 6.15, which our headers need not have. */
typedef struct {
  guint64 mask;
  guint64 cgroup_id;
  guint32 ids[11];
  gint32 exit_code;
  guint32 coredump[2];
} PidfdInfo;

#define PIDFD_GET_INFO_IOCTL _IOWR (0xFF, 11, PidfdInfo)
#define PIDFD_INFO_EXIT_BIT  (1u << 3)

static void
set_end (Process *process, int wait_status)
{
  if (WIFEXITED (wait_status)) {
    process->end = PROCESS_EXITED;
    process->status = WEXITSTATUS (wait_status);
  } else {
    process->end = PROCESS_SIGNALLED;
    process->status = WTERMSIG (wait_status);
    process->dumped_core = WCOREDUMP (wait_status) != 0;
  }
}

/* Whether it has been reaped, and not only ended. */
static gboolean
is_gone (const Process *process)
{
  struct pollfd pidfd = { .fd = process->pidfd, .events = POLLIN };

  return poll (&pidfd, 1, 0) == 1 && (pidfd.revents & POLLHUP) != 0;
}

/* Somebody else reaped it: a loop over waitpid(-1), or SIGCHLD set to be ignored. Returns: FALSE if the kernel,
 * which writes down how a process has ended as it reaps it, is about to: we have heard of the end before that. */
static gboolean
ask_kernel_for_end (Process *process)
{
  PidfdInfo info = { .mask = PIDFD_INFO_EXIT_BIT };
  gboolean was_gone = is_gone (process); /* before we ask, so that the answer is there */

  if (ioctl (process->pidfd, PIDFD_GET_INFO_IOCTL, &info) != 0) {
    process->end = PROCESS_UNKNOWN;
    return TRUE;
  }
  if ((info.mask & PIDFD_INFO_EXIT_BIT) != 0)
    set_end (process, info.exit_code);
  else if (was_gone)
    process->end = PROCESS_UNKNOWN;
  else
    return FALSE;
  return TRUE;
}

gboolean
tractor__process_reap (Process *process)
{
  siginfo_t info = { 0 };

  if (process->pidfd < 0)
    return TRUE;

  if (waitid (P_PIDFD, (id_t) process->pidfd, &info, WEXITED | WNOHANG) != 0) {
    if (errno != ECHILD || !ask_kernel_for_end (process))
      return FALSE;
  } else if (info.si_pid == 0) {
    return FALSE;
  } else if (info.si_code == CLD_EXITED) {
    process->end = PROCESS_EXITED;
    process->status = info.si_status;
  } else {
    process->end = PROCESS_SIGNALLED;
    process->status = info.si_status;
    process->dumped_core = info.si_code == CLD_DUMPED;
  }
  tractor__process_clear (process);
  return TRUE;
}

void
tractor__process_signal (Process *process, int signal_number)
{
  if (process->pidfd >= 0)
    syscall (SYS_pidfd_send_signal, process->pidfd, signal_number, NULL, 0);
}

void
tractor__process_clear (Process *process)
{
  if (process->pidfd >= 0)
    close (process->pidfd);
  process->pidfd = -1;
}

char *
tractor__process_describe_end (const Process *process)
{
  switch (process->end) {
  case PROCESS_EXITED:
    return g_strdup_printf ("exited with status %d", process->status);
  case PROCESS_SIGNALLED:
    return g_strdup_printf ("was killed by signal %d (%s)%s", process->status,
                            g_strsignal (process->status),
                            process->dumped_core ? ", and dumped core" : "");
  case PROCESS_UNKNOWN:
  default:
    return g_strdup ("ended; another part of this process reaped it, so its status is unknown");
  }
}
