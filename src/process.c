/* process.c - a child process: made by exec, watched by pidfd, reaped once.
 *
 * A clone shares our memory, while we wait, until it has called exec: that is what posix_spawn()
 * does too, and it costs the same however large the program is. We do it ourselves because three
 * things cannot be had from posix_spawn(): the pidfd from the same system call, so that no foreign
 * waitpid(-1) can come in between; the death signal, armed before exec, so that a parent that dies
 * meanwhile is not survived; and the error of exec, at once.
 *
 * Between clone and exec the child calls nothing but raw system calls: libc's wrappers belong to
 * the parent's threads, and to the sanitizers. It runs on a stack of its own.
 *
 * The death signal is sent when the *thread* that made the clone ends. So a guest that spawns
 * must live in a thread that lives as long as its actors are wanted. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
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

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define CLONE_STACK_BYTES (64 * 1024)

extern char **environ;

/* --- between clone and exec --------------------------------------------------------------------- */

typedef struct {
  const char *path;
  char **argv;
  char **envp;
  int link_fd;
  int boot_stderr_fd;
  int null_fd;
  rlim_t max_fds; /* to close by hand on a kernel without close_range */
  pid_t parent_pid;
  int failed_errno; /* written by the child, read by us */
} Exec;

#if defined(__clang__)
#define NO_SANITIZE __attribute__ ((no_sanitize ("address", "thread", "undefined")))
#else
#define NO_SANITIZE __attribute__ ((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))
#endif

/* The kernel's own layout, for a system call that libc would wrap. */
typedef struct {
  void (*handler) (int);
  unsigned long flags;
  void (*restorer) (void);
  guint64 mask;
} KernelSigaction;

/* No handler of ours may run in the clone once signals are let in. What is ignored stays so, as
 * over any exec; and SIGINT is from the start, as it will be in the actor. */
static NO_SANITIZE void
reset_signals (void)
{
  KernelSigaction action = { .handler = SIG_DFL };
  KernelSigaction ignore = { .handler = SIG_IGN };
  guint64 empty = 0;

  for (long signal_number = 1; signal_number <= 64; signal_number++) {
    KernelSigaction before = { .handler = SIG_DFL };

    syscall (SYS_rt_sigaction, signal_number, NULL, &before, sizeof empty);
    if (before.handler != SIG_IGN)
      syscall (SYS_rt_sigaction, signal_number, &action, NULL, sizeof empty);
  }
  syscall (SYS_rt_sigaction, SIGINT, &ignore, NULL, sizeof empty);
  syscall (SYS_rt_sigprocmask, SIG_SETMASK, &empty, NULL, sizeof empty);
}

/* Returns: a duplicate that none of the numbers we are about to fill can hit. */
static NO_SANITIZE int
move_up (int fd)
{
  return (int) syscall (SYS_fcntl, fd, F_DUPFD_CLOEXEC, 10);
}

/* Returns: FALSE with errno set. */
static NO_SANITIZE gboolean
arrange_fds (const Exec *exec)
{
  int link = move_up (exec->link_fd);
  int boot_stderr = move_up (exec->boot_stderr_fd);
  int null = move_up (exec->null_fd);
  int real_stderr = move_up (2);

  if (link < 0 || boot_stderr < 0 || null < 0)
    return FALSE;
  /* What exec would close there is not the program's stdin or stdout, but landed there. */
  for (int fd = 0; fd <= 1; fd++) {
    long flags = syscall (SYS_fcntl, fd, F_GETFD);

    if (flags < 0 || (flags & FD_CLOEXEC) != 0)
      syscall (SYS_dup3, null, fd, 0);
  }
  syscall (SYS_dup3, real_stderr >= 0 ? real_stderr : null, CHILD_STDERR_FD, 0);
  syscall (SYS_dup3, boot_stderr, 2, 0);
  syscall (SYS_dup3, link, CHILD_LINK_FD, 0);
  if (syscall (SYS_close_range, CHILD_STDERR_FD + 1, ~0U, 0) != 0)
    for (rlim_t fd = CHILD_STDERR_FD + 1; fd < exec->max_fds; fd++)
      syscall (SYS_close, (int) fd);
  return TRUE;
}

static NO_SANITIZE int
run_clone (void *data)
{
  Exec *exec = data;

  reset_signals ();
  syscall (SYS_prctl, PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
  if (syscall (SYS_getppid) != exec->parent_pid)
    syscall (SYS_exit_group, 70); /* it died before the signal was armed */
  if (arrange_fds (exec))
    syscall (SYS_execve, exec->path, exec->argv, exec->envp);
  exec->failed_errno = errno;
  syscall (SYS_exit_group, 127);
  return 127;
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

/* (transfer container): our environment and the variable that tells a child what it is. */
static char **
make_environment (void)
{
  static char variable[] = CHILD_VARIABLE "=" G_STRINGIFY (3);
  guint n = g_strv_length (environ);
  char **envp = g_new (char *, n + 2);
  guint kept = 0;

  G_STATIC_ASSERT (CHILD_LINK_FD == 3);
  for (guint i = 0; i < n; i++)
    if (!g_str_has_prefix (environ[i], CHILD_VARIABLE "="))
      envp[kept++] = environ[i];
  envp[kept++] = variable;
  envp[kept] = NULL;
  return envp;
}

static gboolean
set_spawn_error (GError **error, int errno_value, const char *what, const char *path)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno_value), "cannot %s '%s': %s",
               what, path, g_strerror (errno_value));
  return FALSE;
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

static gboolean
clone_and_exec (Exec *exec, Process *process, GError **error)
{
  struct rlimit limit = { .rlim_cur = 65536 };
  int pidfd = -1;
  sigset_t all;
  sigset_t before;
  char *stack;

  exec->parent_pid = getpid ();
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
      return set_spawn_error (error, saved_errno, "make a process for", exec->path);
  }

  process->pidfd = pidfd;
  if (keep_off_stdio (&process->pidfd) != 0) {
    int saved_errno = errno;

    discard (process);
    return set_spawn_error (error, saved_errno, "make a process for", exec->path);
  }
  if (exec->failed_errno != 0) {
    discard (process);
    return set_spawn_error (error, exec->failed_errno, "run", exec->path);
  }
  return TRUE;
}

static gboolean
start_by_exec (const ProcessRequest *request, Process *ret_process, GError **error)
{
  g_autofree char *self = request->program == NULL ? find_self () : NULL;
  const char *path = self != NULL ? self : request->program;
  char *argv[] = { (char *) path, (char *) request->title, NULL };
  g_autofree char **envp = make_environment ();
  Process process = { .pidfd = -1 };
  Exec exec = {
    .path = path,
    .argv = argv,
    .envp = envp,
    .link_fd = request->link_fd,
    .boot_stderr_fd = request->boot_stderr_fd,
    .null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC),
  };
  gboolean ok = clone_and_exec (&exec, &process, error);

  if (exec.null_fd >= 0)
    close (exec.null_fd);
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

/* Somebody else reaped it: a loop over waitpid(-1), or SIGCHLD set to be ignored. */
static void
ask_kernel_for_end (Process *process)
{
  PidfdInfo info = { .mask = PIDFD_INFO_EXIT_BIT };

  if (ioctl (process->pidfd, PIDFD_GET_INFO_IOCTL, &info) == 0 &&
      (info.mask & PIDFD_INFO_EXIT_BIT) != 0)
    set_end (process, info.exit_code);
  else
    process->end = PROCESS_UNKNOWN;
}

gboolean
tractor__process_reap (Process *process)
{
  siginfo_t info = { 0 };

  if (process->pidfd < 0)
    return TRUE;

  if (waitid (P_PIDFD, (id_t) process->pidfd, &info, WEXITED | WNOHANG) != 0) {
    if (errno != ECHILD)
      return FALSE;
    ask_kernel_for_end (process);
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
