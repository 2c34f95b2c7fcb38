/* fork-loop.c - a fork server, from inside: a process that is about to be an actor, and has copies of itself made instead.
 *
 * It is this program, started by exec as an actor is, and it has come as far as an actor comes by itself: to the
 * beginning of tractor_child_main(). What takes most of an actor's start is behind it then: libraries are linked, types
 * registered. There it stays, with one thread and nothing open, so that a copy of it is what an exec would have made: the
 * handlers, buffers and memory are those of a program that begins. What a copy may not have of it is put right by the
 * copy (be_an_actor), and that is all that it does before it goes on as any actor.
 *
 * The copies are children of who asks, not of the server (CLONE_PARENT): that one watches and reaps them, as all others.
 * So clone3() is called without libc, which is not told. What libc's own fork() would do for a process of one thread is done
 * here: the number of the thread is written where libc has it, and its list of robust locks is told to the kernel again.
 * There is nobody who could hold any other lock. A program that cannot be copied like that, for it has threads or
 * descriptors by now, is one that has no fork server.
 *
 * It holds back every signal: a terminal's are not for it. It dies with who has started it, by the end of their
 * connection or by the kernel's signal. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fork-server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clone.h"
#include "crash.h"
#include "process.h"
#include "title.h"
#include "value-fd.h"

#define STATUS_ORPHANED_COPY 70

/* What the copies need to know of the server. */
typedef struct {
  sigset_t mask; /* as it was */
  pid_t parent;
  gint32 *page;
  pid_t *libc_tid; /* (nullable): then there are none */
  void *robust_list;
  gsize robust_bytes;
} Loop;

/* --- whether it can be copied -------------------------------------------------------------------------- */

/* Returns: (nullable) */
static const char *
find_thread (void)
{
  struct stat tasks;

  if (stat ("/proc/self/task", &tasks) != 0)
    return "there is no /proc";
  return tasks.st_nlink > 3 ? "the program has threads before tractor_child_main()" : NULL;
}

/* What it was given itself is 0 to 5. Returns: (nullable) */
static const char *
find_descriptor (void)
{
  const char *obstacle = NULL;
  DIR *dir = opendir ("/proc/self/fd");
  const struct dirent *entry;

  while (dir != NULL && (entry = readdir (dir)) != NULL) {
    int fd = atoi (entry->d_name); /* 0 of "." and ".." */

    if (fd > FORK_PAGE_FD && fd != dirfd (dir))
      obstacle = "the program has opened descriptors before tractor_child_main()";
  }
  if (dir != NULL)
    closedir (dir);
  return obstacle;
}

/* All copies would have it in common. Returns: (nullable) */
static const char *
find_shared_memory (void)
{
  const char *obstacle = NULL;
  FILE *maps = fopen ("/proc/self/maps", "re");
  char line[512];
  char mode[5];

  while (maps != NULL && fgets (line, sizeof line, maps) != NULL)
    if (sscanf (line, "%*x-%*x %4s", mode) == 1 && mode[1] == 'w' && mode[3] == 's')
      obstacle = "the program has shared memory before tractor_child_main()";
  if (maps != NULL)
    fclose (maps);
  return obstacle;
}

/* --- in a copy ------------------------------------------------------------------------------------------- */

/* Whoever draws random numbers before tractor_child_main() has GLib seed itself. */
static void
draw_other_numbers (void)
{
  guint32 seed;

  if (getentropy (&seed, sizeof seed) != 0)
    g_error ("the kernel has no random numbers");
  g_random_set_seed (seed);
  tractor__value_fd_renew_secret ();
}

static gboolean
arrange_fds (const ForkRequest *request, const int *fds)
{
  TractorFdMapping mappings[FORK_MAX_FDS];
  Exec exec = { .fds = mappings, .n_fds = (gsize) request->n_fds, .max_fds = 65536 };

  for (gint32 i = 0; i < request->n_fds; i++)
    mappings[i] = (TractorFdMapping){ fds[i], request->there[i] };
  return tractor__clone_arrange_fds (&exec);
}

/* The death signal first, as in clone.c. The mask last: no signal finds it half made. */
static void
be_an_actor (const Loop *loop, const ForkRequest *request, const int *fds)
{
  prctl (PR_SET_PDEATHSIG, SIGTERM);
  if (getppid () != loop->parent)
    _exit (STATUS_ORPHANED_COPY);
  syscall (SYS_set_robust_list, loop->robust_list, loop->robust_bytes);
  if (!arrange_fds (request, fds))
    _exit (127);
  tractor__title_set (request->title);
  draw_other_numbers ();
  sigprocmask (SIG_SETMASK, &loop->mask, NULL);
}

/* --- in the server --------------------------------------------------------------------------------------- */

/* Returns: how many descriptors there are in @fds; -1 if who asks is gone. */
static int
receive (ForkRequest *request, int *fds)
{
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE (FORK_MAX_FDS * sizeof (int))];
  } control;
  struct iovec part = { request, sizeof *request };
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
  };
  struct cmsghdr *header;
  gsize n_bytes;

  if (recvmsg (CHILD_LINK_FD, &message, MSG_CMSG_CLOEXEC) != (gssize) sizeof *request)
    return -1;
  header = CMSG_FIRSTHDR (&message);
  if (header == NULL || header->cmsg_type != SCM_RIGHTS)
    return 0;
  n_bytes = header->cmsg_len - CMSG_LEN (0);
  memcpy (fds, CMSG_DATA (header), n_bytes);
  return (int) (n_bytes / sizeof (int));
}

static void
answer (const ForkAnswer *answer, int pidfd)
{
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE (sizeof (int))];
  } control = { .header = { .cmsg_len = CMSG_LEN (sizeof (int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS } };
  struct iovec part = { (void *) answer, sizeof *answer };
  struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

  if (pidfd >= 0) {
    memcpy (CMSG_DATA (&control.header), &pidfd, sizeof pidfd);
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
  }
  if (sendmsg (CHILD_LINK_FD, &message, MSG_NOSIGNAL) < 0)
    _exit (0);
}

/* Returns: 0 in the copy */
static pid_t
make_copy (const Loop *loop, int *ret_pidfd)
{
  struct clone_args args = {
    .flags = CLONE_PARENT | CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID |
             CLONE_CHILD_CLEARTID,
    .pidfd = (guint64) (guintptr) ret_pidfd,
    .parent_tid = (guint64) (guintptr) loop->page,
    .child_tid = (guint64) (guintptr) loop->libc_tid,
  };

  return (pid_t) syscall (SYS_clone3, &args, sizeof args);
}

/* Returns: in a copy: TRUE; in the server when it has been served. */
static gboolean
serve_one (const Loop *loop)
{
  ForkRequest request;
  ForkAnswer made = { .pid = -1 };
  int fds[FORK_MAX_FDS];
  int n_fds = receive (&request, fds);
  int pidfd = -1;

  if (n_fds < 0)
    _exit (0);
  if (n_fds == request.n_fds)
    made.pid = make_copy (loop, &pidfd);
  else
    errno = EMFILE; /* they had no room here */
  if (made.pid == 0) {
    be_an_actor (loop, &request, fds);
    return TRUE;
  }
  made.failed_errno = errno;
  for (int i = 0; i < n_fds; i++)
    close (fds[i]);
  answer (&made, pidfd);
  if (pidfd >= 0)
    close (pidfd);
  return FALSE;
}

/* --- its beginning --------------------------------------------------------------------------------------- */

/* glibc has told the kernel where it keeps the number of its thread; others have told it something else. */
static pid_t *
find_libc_tid (void)
{
  pid_t *at = NULL;

  return prctl (PR_GET_TID_ADDRESS, &at) == 0 && at != NULL && *at == (pid_t) syscall (SYS_gettid)
             ? at
             : NULL;
}

/* From now on it holds nothing that somebody could wait for the end of. */
static void
let_go (Loop *loop)
{
  int null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);

  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    dup2 (null_fd, fd);
  close (null_fd);
  close (CHILD_STDERR_FD);
  loop->page = mmap (NULL, sizeof *loop->page, PROT_READ | PROT_WRITE, MAP_SHARED, FORK_PAGE_FD, 0);
  close (FORK_PAGE_FD);
  if (loop->page != MAP_FAILED)
    madvise (loop->page, sizeof *loop->page, MADV_DONTFORK);
}

static void
begin (Loop *loop)
{
  sigset_t all;

  fcntl (CHILD_LINK_FD, F_SETFD, FD_CLOEXEC);
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  loop->parent = getppid ();
  sigfillset (&all);
  sigprocmask (SIG_SETMASK, &all, &loop->mask);
  tractor__title_set ("fork server");
  syscall (SYS_get_robust_list, 0, &loop->robust_list, &loop->robust_bytes);
  loop->libc_tid = find_libc_tid ();
  tractor__crash_load_unwinder ();
  fflush (NULL);
}

void
tractor__fork_loop (void)
{
  Loop loop = { 0 };
  const char *obstacle = find_thread ();
  char words[FORK_MAX_OBSTACLE_BYTES] = "";

  if (obstacle == NULL)
    obstacle = find_descriptor ();
  if (obstacle == NULL)
    obstacle = find_shared_memory ();
  begin (&loop);
  let_go (&loop);
  if (obstacle == NULL && loop.libc_tid == NULL)
    obstacle = "libc does not say where it keeps the number of its thread";
  if (obstacle == NULL && loop.page == MAP_FAILED)
    obstacle = "it has no memory";
  if (obstacle != NULL)
    g_strlcpy (words, obstacle, sizeof words);
  if (send (CHILD_LINK_FD, words, sizeof words, MSG_NOSIGNAL) < 0 || obstacle != NULL)
    _exit (0);
  while (!serve_one (&loop))
    ;
}
