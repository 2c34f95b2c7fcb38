/* fork-server.c - a way to make actors: a copy of a process that has begun, instead of a new one.
 *
 * An actor of this program that is started by exec spends most of its start in the dynamic linker and in constructors,
 * and has the pages that these write to for itself. So a runtime that wants it starts one process more, by exec, that comes
 * as far as the beginning of tractor_child_main() and has copies made of itself from then on (fork-loop.c).
 *
 * A copy has what the server was started with. So what an exec would hand down is looked at for each actor
 * (surroundings.c): if it is not the same any more, that actor is started by exec, and there is another server for the
 * next. An actor that is given a program, arguments, an environment, a directory, limits or a priority is started by exec.
 * And so is every one for which there is no server, be it that it has been killed or that the program cannot have one. A
 * program sees no difference but in time.
 *
 * It is asked as the clone of an exec is waited for: at once, on the spot. Who is killed or stopped between making
 * a copy and saying so has made it all the same. The kernel has written its number into a page that we can read; without
 * that, nobody would reap it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fork-server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec.h"
#include "log.h"
#include "patience.h"
#include "process.h"
#include "socket.h"
#include "stdio-fd.h"
#include "surroundings.h"
#include "title.h"

/* The server has nothing else to do; and its end takes no longer than that of any process. */
#define PATIENCE_COPY_USEC G_USEC_PER_SEC

/* In a row, for other reasons than the program itself: then there is none any more. */
#define MAX_FAILED_SERVERS 3

struct _ForkServer {
  SpawnMethod method; /* first */
  guint refs;
  TractorRuntime *runtime;
  Process process;
  int fd;
  gint32 *page;
  guint64 surroundings; /* at its start */
  TractorEvent *settled;
  gboolean is_ready;
  gboolean is_stale; /* it is not what an exec would find, or does not answer */
};

/* --- its memory ---------------------------------------------------------------------------------------- */

static ForkServer *
server_ref (ForkServer *server)
{
  server->refs++;
  return server;
}

static void
server_unref (ForkServer *server)
{
  if (--server->refs > 0)
    return;
  close_fd (&server->fd);
  if (server->page != NULL)
    munmap (server->page, sizeof *server->page);
  tractor_event_free (server->settled);
  g_free (server);
}

/* It is in the middle of nothing; who watches it reaps it. */
static void
drop (ForkServer *server)
{
  TractorRuntime *runtime = server->runtime;

  if (runtime->fork_server != server)
    return;
  runtime->fork_server = NULL;
  runtime->spawn_method = &tractor__spawn_by_exec;
  tractor__process_signal (&server->process,
                           SIGKILL); /* it may be stopped, and a fork of ours have the connection */
  close_fd (&server->fd);
  server_unref (server);
}

/* --- asking it for a copy --------------------------------------------------------------------------------- */

static gboolean
wait_readable (int fd, gint64 usec)
{
  struct pollfd pollfd = { .fd = fd, .events = POLLIN };
  gint64 give_up_at = g_get_monotonic_time () + usec;
  int n;

  do
    n = poll (&pollfd, 1, (int) (MAX (give_up_at - g_get_monotonic_time (), 0) / 1000));
  while (n < 0 && errno == EINTR);
  return n == 1;
}

static gboolean
send_request (const ForkServer *server, const ProcessRequest *request, const GArray *fds)
{
  ForkRequest bytes = { .n_fds = (gint32) fds->len };
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE (FORK_MAX_FDS * sizeof (int))];
  } control = { .header = { .cmsg_len = CMSG_LEN (fds->len * sizeof (int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS } };
  struct iovec part = { &bytes, sizeof bytes };
  struct msghdr message = { .msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = CMSG_SPACE (fds->len * sizeof (int)) };

  for (guint i = 0; i < fds->len; i++) {
    TractorFdMapping fd = g_array_index (fds, TractorFdMapping, i);

    bytes.there[i] = fd.there;
    memcpy (CMSG_DATA (&control.header) + i * sizeof (int), &fd.here, sizeof (int));
  }
  g_strlcpy (bytes.title, request->title, sizeof bytes.title);
  return sendmsg (server->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (gssize) sizeof bytes;
}

/* Returns: FALSE if none has come. */
static gboolean
receive_answer (const ForkServer *server, ForkAnswer *ret_answer, int *ret_pidfd)
{
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE (sizeof (int))];
  } control;
  struct iovec part = { ret_answer, sizeof *ret_answer };
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
  };
  struct cmsghdr *header;

  if (!wait_readable (server->fd, PATIENCE_COPY_USEC) ||
      recvmsg (server->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
          (gssize) sizeof *ret_answer)
    return FALSE;
  header = CMSG_FIRSTHDR (&message);
  if (header != NULL && header->cmsg_type == SCM_RIGHTS)
    memcpy (ret_pidfd, CMSG_DATA (header), sizeof *ret_pidfd);
  return TRUE;
}

/* It is made sure that it makes no more. Returns: of the copy that it has made all the same; 0: there is none. */
static pid_t
find_unannounced (ForkServer *server)
{
  server->is_stale = TRUE;
  tractor__process_signal (&server->process, SIGKILL);
  if (server->process.pidfd >= 0 && !wait_readable (server->process.pidfd, PATIENCE_COPY_USEC))
    return 0;
  return __atomic_load_n (server->page, __ATOMIC_ACQUIRE);
}

/* What is not a lack of something will be so each time. */
static void
take_failure (ForkServer *server, int errno_value)
{
  log_message (LOG_SUPERVISE,
               "the fork server (pid %d) cannot make a process: %s. It is started by exec",
               (int) server->process.pid, g_strerror (errno_value));
  if (errno_value == EAGAIN || errno_value == ENOMEM || errno_value == EMFILE)
    return;
  server->runtime->has_no_fork_server = TRUE;
  drop (server);
}

/* A copy for which there is no descriptor here: it cannot be watched. */
static void
reap_at_once (pid_t pid)
{
  siginfo_t info = { 0 };

  if (waitid (P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    return; /* it is no child of ours, by now */
  kill (pid, SIGKILL);
  while (waitid (P_PID, (id_t) pid, &info, WEXITED) != 0 && errno == EINTR)
    ;
}

/* Returns: FALSE if there is no copy. */
static gboolean
make_copy (ForkServer *server, const ProcessRequest *request, const GArray *fds, Process *process)
{
  ForkAnswer answer = { .pid = -1 };

  __atomic_store_n (server->page, 0, __ATOMIC_RELEASE);
  if (!send_request (server, request, fds))
    return FALSE;
  if (!receive_answer (server, &answer, &process->pidfd))
    answer.pid = find_unannounced (server);
  else if (answer.pid < 0)
    take_failure (server, answer.failed_errno);
  if (answer.pid <= 0)
    return FALSE;
  process->pid = answer.pid;
  if (process->pidfd < 0) /* nobody else reaps it, unless somebody waits for all */
    process->pidfd = tractor__open_pidfd (answer.pid);
  if (process->pidfd >= 0 && keep_off_stdio (&process->pidfd) == 0)
    return TRUE;
  close_fd (&process->pidfd);
  reap_at_once (answer.pid);
  return FALSE;
}

/* Whether it is what the server was started with, and nothing else. */
static gboolean
is_plain (const ProcessRequest *request)
{
  return request->program == NULL && request->called == NULL && request->link_fd >= 0 &&
         (request->argv == NULL || request->argv[0] == NULL) && request->cwd == NULL &&
         request->n_limits == 0 && request->nice == 0 && request->n_fds + 5 <= FORK_MAX_FDS;
}

/* Another environment is another program's business, and not the server's: it is there for those that have none of their
 * own. */
static gboolean
can_copy (ForkServer *server, const ProcessRequest *request)
{
  g_auto (GStrv) envp = NULL;
  guint64 sum;

  if (!server->is_ready || server->is_stale || !is_plain (request))
    return FALSE;
  envp = tractor__exec_make_environment (request);
  if (tractor__surroundings_sum (envp, &sum) && sum == server->surroundings)
    return TRUE;
  server->is_stale = !request->has_own_env;
  return FALSE;
}

static gboolean
start_by_copy (const SpawnMethod *self,
               const ProcessRequest *request,
               Process *ret_process,
               GError **error)
{
  ForkServer *server = (ForkServer *) self;
  Process process = { .pidfd = -1 };
  g_autoptr (GArray) fds = NULL;
  gboolean is_made;
  int null_fd;

  if (!tractor__exec_check (request, error))
    return FALSE;
  null_fd = can_copy (server, request) ? open ("/dev/null", O_RDWR | O_CLOEXEC) : -1;
  if (null_fd < 0)
    return tractor__spawn_by_exec.start (&tractor__spawn_by_exec, request, ret_process, error);
  fds = tractor__exec_list_fds (request, null_fd);
  is_made = make_copy (server, request, fds, &process);
  close (null_fd);
  if (!is_made)
    return tractor__spawn_by_exec.start (&tractor__spawn_by_exec, request, ret_process, error);
  *ret_process = process;
  return TRUE;
}

/* --- watching it ------------------------------------------------------------------------------------------- */

/* Returns: (transfer full): why it does not serve; NULL if it does. *@ret_is_for_ever: that of another one is not to be
 * expected either. */
static char *
wait_until_it_serves (ForkServer *server, gboolean *ret_is_for_ever)
{
  g_autoptr (TractorCancelScope) scope = tractor__patience_open (PATIENCE_BOOT_USEC);
  char words[FORK_MAX_OBSTACLE_BYTES];

  *ret_is_for_ever = ++server->runtime->n_failed_fork_servers >= MAX_FAILED_SERVERS;
  if (!tractor_wait_fd (server->fd, G_IO_IN, NULL, NULL))
    return g_strdup ("it does not answer");
  if (recv (server->fd, words, sizeof words, MSG_DONTWAIT) != (gssize) sizeof words)
    return g_strdup ("it has ended");
  server->runtime->n_failed_fork_servers = 0;
  *ret_is_for_ever = TRUE; /* so is the program */
  return words[0] != '\0' ? g_strndup (words, sizeof words) : NULL;
}

static void
wait_for_its_end (ForkServer *server)
{
  gboolean has_ended_by_itself;

  while (!(has_ended_by_itself = tractor__process_reap (&server->process)))
    if (!tractor_wait_fd (server->process.pidfd, G_IO_IN, NULL, NULL))
      break; /* the runtime is closed */
  if (has_ended_by_itself && server->runtime->fork_server == server) {
    g_autofree char *end = tractor__process_describe_end (&server->process);

    log_message (LOG_SUPERVISE, "the fork server (pid %d) %s; there will be another",
                 (int) server->process.pid, end);
  }
}

/* In the runtime's background. */
static gboolean
watch (gpointer data, G_GNUC_UNUSED GError **error)
{
  ForkServer *server = data;
  gboolean is_for_ever;
  g_autofree char *obstacle = wait_until_it_serves (server, &is_for_ever);

  if (obstacle != NULL && tractor_checkpoint_if_cancelled (NULL)) {
    log_message (LOG_SUPERVISE, "there is no fork server (pid %d): %s. %s started by exec",
                 (int) server->process.pid, obstacle,
                 is_for_ever ? "Actors are" : "The next actor is");
    server->runtime->has_no_fork_server = is_for_ever;
  }
  server->is_ready = obstacle == NULL;
  tractor_event_set (server->settled);
  if (server->is_ready)
    wait_for_its_end (server);
  if (server->process.pidfd >= 0)
    tractor__process_discard (&server->process);
  drop (server);
  return TRUE;
}

/* --- starting it ------------------------------------------------------------------------------------------- */

/* What the server says of a copy is its number in the server's PID namespace. */
static gboolean
children_share_pid_namespace (void)
{
  struct stat own;
  struct stat of_children;

  return stat ("/proc/thread-self/ns/pid", &own) == 0 &&
         stat ("/proc/thread-self/ns/pid_for_children", &of_children) == 0 &&
         own.st_ino == of_children.st_ino;
}

/* A file that is larger than any may be would be the end of us, by SIGXFSZ. */
static gboolean
may_have_page (void)
{
  struct rlimit limit;

  return getrlimit (RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur >= sizeof (gint32);
}

static gboolean
make_page (ForkServer *server, int *ret_fd)
{
  int fd = may_have_page () ? memfd_create ("tractor-fork-server", MFD_CLOEXEC) : -1;
  void *at = MAP_FAILED;

  if (fd >= 0 && keep_off_stdio (&fd) == 0 && ftruncate (fd, sizeof *server->page) == 0)
    at = mmap (NULL, sizeof *server->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  *ret_fd = fd;
  if (at == MAP_FAILED)
    return FALSE;
  server->page = at;
  return TRUE;
}

static gboolean
start_process (ForkServer *server, const char *const *env, GError **error)
{
  g_autofree char *title = tractor__title_make ("fork server");
  g_autoptr (GPtrArray) all_env = g_ptr_array_new ();
  TractorFdMapping page = { -1, FORK_PAGE_FD };
  ProcessRequest request = { .title = title,
                             .env = env,
                             .fds = &page,
                             .n_fds = 1,
                             .stdio = { -1, STDOUT_FILENO, STDERR_FILENO } };
  g_auto (GStrv) envp_of_actors = NULL;
  int ends[2];
  gboolean ok;

  if (!children_share_pid_namespace () || !make_page (server, &page.here) ||
      socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE,
                         "the system has nothing to make it of");
    close_fd (&page.here);
    return FALSE;
  }
  server->fd = ends[0];
  request.link_fd = ends[1];
  envp_of_actors = tractor__exec_make_environment (&request);
  for (; env != NULL && *env != NULL; env++)
    g_ptr_array_add (all_env, (char *) *env);
  g_ptr_array_add (all_env, (char *) IS_FORK_SERVER_VARIABLE "=1");
  g_ptr_array_add (all_env, NULL);
  request.env = (const char *const *) all_env->pdata;
  ok = keep_off_stdio (&server->fd) == 0 && keep_off_stdio (&request.link_fd) == 0 &&
       tractor__surroundings_sum (envp_of_actors, &server->surroundings) &&
       tractor__spawn_by_exec.start (&tractor__spawn_by_exec, &request, &server->process, error);
  if (!ok && error != NULL && *error == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE, "there is no /proc");
  close (request.link_fd);
  close (page.here);
  return ok;
}

static void
start (TractorRuntime *runtime, const char *const *env)
{
  ForkServer *server = g_new0 (ForkServer, 1);
  g_autoptr (GError) error = NULL;

  *server = (ForkServer){ .method = { "fork server", start_by_copy },
                          .refs = 1,
                          .runtime = runtime,
                          .process = { .pidfd = -1 },
                          .fd = -1,
                          .settled = tractor_event_new () };
  tractor_event_set_static_name (server->settled, "start of fork server");
  if (start_process (server, env, &error)) {
    runtime->fork_server = server;
    runtime->spawn_method = &server->method;
    if (tractor_nursery_spawn (runtime->services, "fork server", watch, server_ref (server),
                               (GDestroyNotify) server_unref, &error))
      return;
    tractor__process_discard (&server->process);
    drop (server);
  } else {
    server_unref (server);
  }
  runtime->has_no_fork_server = ++runtime->n_failed_fork_servers >= MAX_FAILED_SERVERS;
  log_message (LOG_SUPERVISE, "there is no fork server: %s. %s started by exec", error->message,
               runtime->has_no_fork_server ? "Actors are" : "The next actor is");
}

gboolean
tractor__fork_server_is_wanted (const TractorRuntime *runtime)
{
  return runtime->wants_fork_server && !runtime->has_no_fork_server && runtime->services != NULL &&
         (runtime->fork_server == NULL || runtime->fork_server->is_stale ||
          !runtime->fork_server->is_ready);
}

gboolean
tractor__fork_server_provide (TractorRuntime *runtime, const char *const *env, GError **error)
{
  ForkServer *server;
  gboolean ok;

  if (runtime->fork_server != NULL && runtime->fork_server->is_stale)
    drop (runtime->fork_server);
  if (runtime->fork_server == NULL)
    start (runtime, env);
  if (runtime->fork_server == NULL)
    return TRUE;
  server = server_ref (runtime->fork_server);
  ok = tractor_event_wait (server->settled, error);
  server_unref (server);
  return ok;
}
