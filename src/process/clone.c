/* clone.c - a clone of this process, which becomes another program.
 *
 * A clone shares our memory, while we wait, until it has called exec: that is what posix_spawn()
 * does too, and it costs the same however large the program is. We do it ourselves because three
 * things cannot be had from posix_spawn(): the pidfd from the same system call, so that no foreign
 * waitpid(-1) can come in between; the death signal, armed before exec, so that a parent that dies
 * meanwhile is not survived; and the error of exec, at once.
 *
 * Between clone and exec the child calls nothing but raw system calls: libc's wrappers belong to
 * the parent's threads, and to the sanitizers. It runs on a stack of its own. So everything that it
 * needs is worked out before (exec.c), and lies in an Exec: above all one list of all its descriptors.
 *
 * The death signal is sent when the *thread* that made the clone ends. So a guest that spawns
 * must live in a thread that lives as long as its children are wanted. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "clone.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stdio-fd.h"

#define CLONE_STACK_BYTES (64 * 1024)

/* --- between clone and exec -------------------------------------------------------------------- */

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

NO_SANITIZE gboolean
tractor__clone_arrange_fds (Exec *exec)
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
  if (!tractor__clone_arrange_fds (exec))
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

/* --- what went wrong --------------------------------------------------------------------------- */

gboolean
tractor__set_spawn_error (GError **error, int errno_value, const char *what, const char *path)
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

  return tractor__set_spawn_error (error, exec->failed_errno, attempts[exec->step],
                                   exec->step == STEP_CWD ? exec->cwd : exec->path);
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
  tractor__set_spawn_error (error, errno_value, "make a process for", path);
  if (errno_value == ENOMEM && has_dead_namespace ())
    g_prefix_error (error, "The first process of the PID namespace for children of this one has "
                           "ended, and with it the namespace: ");
  return FALSE;
}

/* --- making it --------------------------------------------------------------------------------- */

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

gboolean
tractor__clone_and_exec (Exec *exec, Process *process, GError **error)
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
    return tractor__set_spawn_error (error, errno, "make a process for", exec->path);

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

    tractor__process_discard (process);
    return tractor__set_spawn_error (error, saved_errno, "make a process for", exec->path);
  }
  if (exec->failed_errno != 0) {
    tractor__process_discard (process);
    return set_step_error (error, exec);
  }
  return TRUE;
}
