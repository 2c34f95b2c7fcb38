/* child.c - the other end of a spawn: a process that is an actor.
 *
 * It finds the socket to its parent at a number that one environment variable names, reads who it
 * is to be and what it may serve, picks the loop to run on, listens, and introduces itself: that
 * tells the parent that it answers. Until then its stderr is a file of the parent's, so that last
 * words before an early death reach whoever waited for it; afterwards it is what the parent's is.
 *
 * A Python parent says on the command line who the child is and where to connect to; from then on
 * all is the same.
 *
 * It ends when its parent asks, when the connection or the parent's process is gone, or on SIGTERM, which
 * the kernel also sends when the parent dies; or SIGURG, if nobody has asked for that signal yet, as a
 * Python parent does not. That one is looked into: it is sent when the *thread* ends that started us,
 * which a Python parent may well have made for just that. Then what runs for callers is cancelled, and the process leaves. If
 * it cannot, because a function does not let the loop go on, a timer ends it: an orphan is gone
 * within PATIENCE_ORPHAN_USEC. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "actor.h"
#include "bounds.h"
#include "crash.h"
#include "escape.h"
#include "exports.h"
#include "last-words.h"
#include "link.h"
#include "listener.h"
#include "log-level.h"
#include "peer-limits.h"
#include "process.h"
#include "python-argv.h"
#include "registration.h"
#include "remote-error.h"
#include "rpc.h"
#include "runtime-dir.h"
#include "sigpipe.h"
#include "socket.h"

typedef struct {
  const TractorModule *modules;
  gboolean is_of_python; /* its parent is a Python actor */
  int link_fd;
  Introduction parent;
  ActorId id;
  char *key; /* (nullable) */
  char **enabled_modules;
  char *host;
  char *log_level;
  TractorLimits limits;
  guint depth;
  GPtrArray *registrars; /* (element-type Address) */
  GPtrArray *listen;     /* (element-type Address): empty: anywhere */
  gboolean uses_tcp;
  gboolean is_registered; /* by its parent */
  Address root;
  gboolean is_orphaned;
} Boot;

/* --- what a signal handler needs ------------------------------------------------------------------ */

static int term_fd = -1;   /* an eventfd */
static int parent_fd = -1; /* a pidfd, if it can be had */
static volatile sig_atomic_t last_resort_is_armed;
/* A timer whose signal nobody can ignore, hold back or handle, neither a function nor who started us; and
 * that is not the one of alarm(), which a function may want for itself. */
static timer_t last_resort;
static gboolean has_last_resort;

static void
on_last_resort (G_GNUC_UNUSED int signal_number)
{
  _exit (STATUS_ORPHANED);
}

/* The first process of a PID namespace is spared its own SIGKILL: there it is a signal that nobody is likely to
 * have a use for. Where there is no such timer, it is that of alarm(). */
static void
make_last_resort (void)
{
  int number = getpid () == 1 ? SIGRTMAX - 1 : SIGKILL;
  struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
  struct sigaction action = { .sa_handler = on_last_resort };

  has_last_resort = timer_create (CLOCK_MONOTONIC, &event, &last_resort) == 0;
  if (!has_last_resort)
    number = SIGALRM;
  if (number != SIGKILL)
    sigaction (number, &action, NULL);
}

/* Once: a second reason to end is no reason to have longer for it. */
static void
arm_last_resort (void)
{
  const time_t sec = PATIENCE_ORPHAN_USEC / G_USEC_PER_SEC;
  const long usec = PATIENCE_ORPHAN_USEC % G_USEC_PER_SEC;
  struct itimerspec timer = { .it_value = { sec, usec * 1000 } };
  struct itimerval alarm = { .it_value = { sec, usec } };

  if (last_resort_is_armed)
    return;
  if (has_last_resort)
    timer_settime (last_resort, 0, &timer, NULL);
  else
    setitimer (ITIMER_REAL, &alarm, NULL);
  last_resort_is_armed = TRUE;
}

static void
on_term_signal (G_GNUC_UNUSED int signal_number)
{
  guint64 one = 1;
  int saved_errno = errno;
  gssize n;

  if (!last_resort_is_armed)
    tractor__last_words_say ("it was told to end, by SIGTERM\n");
  arm_last_resort ();
  n = write (term_fd, &one, sizeof one);
  (void) n;
  errno = saved_errno;
}

/* A parent that dies is through with that at once. */
static gboolean
has_lost_parent (int patience_msec)
{
  struct pollfd pollfd = { .fd = parent_fd, .events = POLLIN };

  return parent_fd >= 0 && poll (&pollfd, 1, patience_msec) == 1;
}

static void
on_thread_of_parent_ended (int signal_number)
{
  int saved_errno = errno;

  if (has_lost_parent (PATIENCE_LOST_USEC / 1000))
    on_term_signal (signal_number);
  errno = saved_errno;
}

/* As it is in an actor that one of ours starts: another parent may have given us anything. */
static void
let_signals_in (void)
{
  struct sigaction action = { .sa_handler = SIG_DFL };
  struct sigaction before;
  sigset_t none;

  for (int number = 1; number <= N_SIGNALS; number++)
    if ((IGNORED_BY_ACTORS & SIGNAL_BIT (number)) == 0 && sigaction (number, NULL, &before) == 0 &&
        before.sa_handler == SIG_IGN)
      sigaction (number, &action, NULL);
  sigemptyset (&none);
  pthread_sigmask (SIG_SETMASK, &none, NULL);
}

static void
install_signals (void)
{
  struct sigaction action = { .sa_handler = on_term_signal, .sa_flags = SA_RESTART };

  let_signals_in ();
  make_last_resort ();
  term_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  sigaction (SIGTERM, &action, NULL);
  action.sa_handler = SIG_IGN;
  sigaction (SIGINT, &action, NULL);
}

static void
forget_signals (void)
{
  close (term_fd);
  if (parent_fd >= 0)
    close (parent_fd);
  if (has_last_resort && !last_resort_is_armed)
    timer_delete (last_resort);
  term_fd = parent_fd = -1;
}

/* So that no function of ours outlives the parent, whether it lets the loop go on or not. */
static void
watch_over_parent (const Boot *boot)
{
  struct sigaction action = { .sa_handler = on_thread_of_parent_ended, .sa_flags = SA_RESTART };
  int death_signal = 0;

  parent_fd = tractor__socket_open_peer_pidfd (boot->link_fd);
  /* A number alone is nobody's, unless two sources have the same. */
  if (parent_fd < 0 && boot->parent.pid == getppid ())
    parent_fd = tractor__open_pidfd (getppid ());
  prctl (PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
  if (parent_fd < 0 || death_signal != 0)
    return;
  sigaction (SIGURG, &action, NULL);
  prctl (PR_SET_PDEATHSIG, SIGURG, 0, 0, 0);
}

/* --- hearing from the parent ---------------------------------------------------------------------- */

static gboolean
receive_more (Boot *boot, gint64 deadline)
{
  struct pollfd pollfd = { .fd = boot->link_fd, .events = POLLIN };
  gint64 left = deadline - g_get_monotonic_time ();
  gsize room;
  guint8 *at;
  gssize n;

  if (left <= 0 || poll (&pollfd, 1, (int) (left / 1000) + 1) == 0)
    return FALSE;
  at = tractor__frame_reader_get_room (&boot->parent.reader, &room);
  if (at == NULL)
    return FALSE;
  n = recv (boot->link_fd, at, room, MSG_DONTWAIT);
  if (n > 0)
    tractor__frame_reader_received (&boot->parent.reader, (gsize) n);
  return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static gboolean
read_message (Boot *boot, MsgType type, Msg *msg, gint64 deadline)
{
  g_autoptr (GError) error = NULL;
  WireValue body;

  for (;;) {
    switch (tractor__frame_reader_next (&boot->parent.reader, &body, &error)) {
    case FRAME_COMPLETE:
      if (tractor__msg_read (body, msg, &error) && msg->type == type)
        return TRUE;
      g_printerr ("tractor: the parent's introduction is wrong: %s\n",
                  error != NULL ? error->message : "another message was due");
      return FALSE;
    case FRAME_INVALID:
    case FRAME_OVERSIZED: /* only after the introduction */
      g_printerr ("tractor: the parent's introduction is wrong: %s\n", error->message);
      return FALSE;
    case FRAME_INCOMPLETE:
      if (!receive_more (boot, deadline)) {
        g_printerr ("tractor: no introduction came from the parent\n");
        return FALSE;
      }
    }
  }
}

/* Returns: FALSE with a message on stderr. */
static gboolean
report (GError *error)
{
  g_printerr ("tractor: the parent's introduction is wrong: %s\n", error->message);
  g_error_free (error);
  return FALSE;
}

/* Where to listen and to register. */
static gboolean
read_addresses (Boot *boot, const Msg *spec)
{
  GError *error = NULL;
  WireValue value;
  WireReader reader;

  boot->registrars = tractor__address_read_list (spec->fields[FIELD_REG_ADDRS], &error);
  if (boot->registrars == NULL)
    return report (error);
  boot->listen = tractor__address_read_list (spec->fields[FIELD_BIND_ADDRS], &error);
  if (boot->listen == NULL)
    return report (error);
  boot->is_registered = tractor__msg_get_boolean (spec, FIELD_IS_REGISTERED);
  boot->uses_tcp = tractor__msg_find_in_map (spec, FIELD_RUNTIME_VARS, "_enable_tpts", &value) &&
                   value.length == 5 && memcmp (value.bytes, "\x91\xa3tcp", 5) == 0;
  if (!tractor__msg_find_in_map (spec, FIELD_RUNTIME_VARS, "_root_mailbox", &value))
    return TRUE;
  reader = wire_reader (value);
  return tractor__address_read (&reader, &boot->root, &error) || report (error);
}

static gboolean
read_spawn_spec (Boot *boot, const Msg *spec)
{
  boot->host = tractor__msg_dup_string (spec, FIELD_HOST);
  boot->key = tractor__msg_dup_string (spec, FIELD_KEY);
  if (boot->log_level == NULL)
    boot->log_level = tractor__msg_dup_string (spec, FIELD_LOG_LEVEL);
  boot->depth = (guint) CLAMP (tractor__msg_get_integer (spec, FIELD_DEPTH), 1, LIMIT_TREE_DEPTH);
  tractor__limits_read (spec->fields[FIELD_LIMITS], &boot->limits);
  boot->enabled_modules = tractor__msg_dup_keys (spec, FIELD_ENABLE_MODULES);
  /* A Python parent can only name modules that it could import itself. */
  if (boot->is_of_python || g_strv_contains ((const char *const *) boot->enabled_modules, "*"))
    g_clear_pointer (&boot->enabled_modules, g_strfreev);
  if (boot->id.uuid == NULL && !tractor__msg_get_id (spec, FIELD_UID, &boot->id)) {
    g_printerr ("tractor: the parent did not say who this actor is\n");
    return FALSE;
  }
  return read_addresses (boot, spec);
}

static gboolean
read_introduction (Boot *boot)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE_BOOT_USEC;
  GError *error = NULL;
  Msg msg;

  if (!read_message (boot, MSG_AID, &msg, deadline))
    return FALSE;
  if (!tractor__introduction_take (&boot->parent, &msg, &error))
    return report (error);
  return read_message (boot, MSG_SPAWN_SPEC, &msg, deadline) && read_spawn_spec (boot, &msg);
}

static void
boot_clear (Boot *boot)
{
  tractor__introduction_clear (&boot->parent);
  actor_id_clear (&boot->id);
  g_clear_pointer (&boot->key, g_free);
  g_clear_pointer (&boot->enabled_modules, g_strfreev);
  g_clear_pointer (&boot->host, g_free);
  g_clear_pointer (&boot->log_level, g_free);
  g_clear_pointer (&boot->registrars, g_ptr_array_unref);
  g_clear_pointer (&boot->listen, g_ptr_array_unref);
  tractor__address_clear (&boot->root);
}

static gboolean
check_modules (const Boot *boot)
{
  for (char **name = boot->enabled_modules; name != NULL && *name != NULL; name++) {
    const TractorModule *module = boot->modules;

    while (module->name != NULL && strcmp (module->name, *name) != 0)
      module++;
    if (module->name == NULL) {
      g_autofree char *shown = tractor__escape_name (*name);

      g_printerr ("tractor: this program has no module '%s'\n", shown);
      return FALSE;
    }
  }
  return TRUE;
}

static const TractorRunner *
find_runner (const TractorRunner *runners, const char *host)
{
  g_autofree char *shown = NULL;

  if (host == NULL)
    return runners;
  for (const TractorRunner *runner = runners; runner->name != NULL; runner++)
    if (strcmp (runner->name, host) == 0)
      return runner;
  shown = tractor__escape_name (host);
  g_printerr ("tractor: this program has no host '%s'\n", shown);
  return NULL;
}

/* --- being an actor --------------------------------------------------------------------------------- */

/* From now on stderr is what the parent's is; what was said before follows it there. The file is kept for
 * last words. */
static void
take_real_stderr (void)
{
  char bytes[LIMIT_STDERR_TAIL_BYTES];
  off_t written = lseek (STDERR_FILENO, 0, SEEK_CUR);
  off_t at = 0;
  gboolean holds_sigpipe;
  gssize n;
  int file;

  if (fcntl (CHILD_STDERR_FD, F_GETFD) < 0)
    return;
  holds_sigpipe = sigpipe_hold_back (); /* nobody may want to hear what our parent says */
  while (at < written &&
         (n = pread (STDERR_FILENO, bytes, MIN (sizeof bytes, (gsize) (written - at)), at)) > 0 &&
         write (CHILD_STDERR_FD, bytes, (gsize) n) == n)
    at += n;
  if (holds_sigpipe)
    sigpipe_release ();
  file = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  dup2 (CHILD_STDERR_FD, STDERR_FILENO);
  close (CHILD_STDERR_FD);
  if (file >= 0 && lseek (file, 0, SEEK_SET) == 0) /* its parent looks at its place, too */
    tractor__last_words_go_to (file);
}

/* Whatever is below us is to be gone before the last resort. */
static void
hasten_end (TractorRuntime *runtime)
{
  gint64 end_by = tractor_now () + PATIENCE_ORPHAN_USEC;

  runtime->end_by = runtime->end_by != 0 ? MIN (runtime->end_by, end_by) : end_by;
}

/* If the parent is there, it is to know why this actor is not. */
static void
say_parent_is_lost (const Boot *boot, const Link *link)
{
  g_autofree char *why = link->read_errno != 0
                             ? g_strdup_printf ("the connection to its parent broke (%s)\n",
                                                tractor__errno_get_name (link->read_errno))
                             : g_strdup_printf ("it has no connection to its parent: %s\n",
                                                link->read_failure->message);

  tractor__last_words_say (why);
  if (boot->is_of_python && link->read_errno != 0) /* which reads no last words */
    g_printerr ("tractor: actor '%s' ends: %s", boot->id.name, why);
}

static void
on_parent_lost (Link *link, gpointer data)
{
  Boot *boot = data;

  say_parent_is_lost (boot, link);
  boot->is_orphaned = TRUE;
  tractor__link_fail (link, g_error_copy (link->read_failure));
  hasten_end (link->runtime);
  arm_last_resort ();
  tractor_event_set (link->runtime->stop);
}

static gboolean
run_link_shielded (gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  return tractor__link_run (data, error);
}

static gboolean
watch_term_signal (gpointer data, GError **error)
{
  TractorRuntime *runtime = data;

  if (!tractor_wait_fd (term_fd, G_IO_IN, NULL, error))
    return FALSE;
  hasten_end (runtime);
  tractor_event_set (runtime->stop);
  return TRUE;
}

/* Its connection may be held open by others. */
static gboolean
watch_parent (gpointer data, GError **error)
{
  Boot *boot = data;
  TractorRuntime *runtime = tractor__runtime_get (NULL);

  if (parent_fd < 0)
    return TRUE;
  if (!tractor_wait_fd (parent_fd, G_IO_IN, NULL, error))
    return FALSE;
  boot->is_orphaned = TRUE;
  hasten_end (runtime);
  arm_last_resort ();
  tractor_event_set (runtime->stop);
  return TRUE;
}

/* Listens where it is told to, and registers, unless its parent does that for it. */
static gboolean
join_tree (const Boot *boot, Link *link, GError **error)
{
  TractorRuntime *runtime = link->runtime;
  const Address tcp = { .kind = ADDRESS_TCP, .host = (char *) "127.0.0.1" };
  const Address private = { .kind = ADDRESS_UNIX };

  if (boot->is_of_python) /* whose other children nobody takes the sockets of away */
    tractor__runtime_dir_sweep ();
  for (guint i = 0; i < boot->listen->len; i++)
    if (!tractor__listen (runtime, boot->listen->pdata[i], error))
      return FALSE;
  if (boot->listen->len == 0 && !tractor__listen (runtime, boot->uses_tcp ? &tcp : &private, error))
    return FALSE;
  for (guint i = 0; i < boot->registrars->len; i++)
    if (boot->is_registered)
      tractor__registrar_add_linked (runtime, boot->registrars->pdata[i], link);
    else
      tractor__registrar_add (runtime, boot->registrars->pdata[i]);
  return tractor__registrars_join (runtime, error);
}

/* The parent takes our end for a death of unknown cause unless it knows better. */
static void
tell_parent (const Boot *boot, Link *link)
{
  TractorRuntime *runtime = link->runtime;

  if (runtime->failure != NULL &&
      !boot->is_of_python) { /* which would give up the connection for that */
    tractor__remote_error_write (link, NULL, runtime->failure, NULL);
    tractor__link_flush (link);
    return;
  }
  if (runtime->stopped_by.uuid == NULL || link->stop_cid != NULL)
    return;
  tractor__remote_error_write_cancelled (link, link->out, NULL, &runtime->stopped_by);
  tractor__link_flush (link);
}

/* Everything that runs for callers is cancelled and has ended before those hear of it who wanted that.
 */
static void
end_rpc_tasks (TractorRuntime *runtime, const Boot *boot)
{
  /* A parent that is gone has cancelled us by that; a signal from outside is our own doing. */
  const ActorId *otherwise = boot->is_orphaned ? &boot->parent.id : &runtime->id;
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  tractor__runtime_end_rpc_tasks (runtime, runtime->stopped_by.uuid != NULL ? &runtime->stopped_by
                                                                            : otherwise);
}

static gboolean
is_tcp (int fd)
{
  int domain;
  socklen_t size = sizeof domain;

  return getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain != AF_UNIX;
}

static Link *
make_link (Boot *boot, TractorRuntime *runtime)
{
  Link *link = tractor__link_new (runtime, &tractor__rpc_server, boot->link_fd, &boot->parent.id);

  tractor__link_take_introduction (link, &boot->parent);
  tractor__link_claim_identity (link, boot->parent.key, NULL);
  link->is_to_parent = TRUE;
  link->on_lost = on_parent_lost;
  link->data = boot;
  runtime->parent = link;
  return link;
}

static gboolean
serve (Boot *boot, TractorRuntime *runtime, GError **error)
{
  g_autoptr (Link) link = make_link (boot, runtime);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  if (tractor__runtime_open_services (runtime, error) && join_tree (boot, link, error)) {
    if (!boot->is_of_python) {
      tractor__link_introduce (link);
      take_real_stderr ();
    }
    if (tractor_nursery_spawn (nursery, "link to parent", run_link_shielded, link, NULL, error) &&
        tractor_nursery_spawn (nursery, "SIGTERM", watch_term_signal, runtime, NULL, error) &&
        tractor_nursery_spawn (nursery, "the parent", watch_parent, boot, NULL, error)) {
      tractor_event_wait (runtime->stop, NULL);
      tell_parent (boot, link);
      end_rpc_tasks (runtime, boot);
    }
  }
  tractor__runtime_close_services (runtime);
  runtime->parent = NULL;
  tractor__link_close (link);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "the actor ends");
  tractor_nursery_join (nursery, error);
  if (*error == NULL)
    *error = g_steal_pointer (&runtime->failure);
  return *error == NULL;
}

static gboolean
run_actor (gpointer data, GError **error)
{
  Boot *boot = data;
  TractorRuntime runtime;
  gboolean ok;

  tractor__runtime_init (&runtime, &boot->id, boot->key, boot->depth);
  tractor__runtime_set_limits (&runtime, &boot->limits);
  tractor__exports_add_modules (runtime.exports, boot->modules,
                                (const char *const *) boot->enabled_modules);
  runtime.stop = tractor_event_new ();
  /* As its parent does; Python has nothing else, so that says nothing. */
  if (!boot->is_of_python && is_tcp (boot->link_fd))
    runtime.transport = ADDRESS_TCP;
  tractor__address_copy (&boot->root, &runtime.root);
  tractor__runtime_set (&runtime);
  ok = serve (boot, &runtime, error);
  tractor__runtime_set (NULL);
  tractor__runtime_clear (&runtime);
  return ok;
}

static int
boot_and_run (Boot *boot, const TractorRunner *runners)
{
  g_autoptr (GError) error = NULL;
  const TractorRunner *runner;

  if (!read_introduction (boot) || !check_modules (boot))
    return STATUS_REFUSED;
  watch_over_parent (boot);
  tractor__log_level_apply (boot->log_level);
  runner = find_runner (runners, boot->host);
  if (runner == NULL)
    return STATUS_REFUSED;

  tractor__crash_report (); /* before a guest, which would see to overflows by itself */
  if (!runner->run (run_actor, boot, &error)) {
    g_autofree char *description = tractor_error_describe (error);

    g_printerr ("tractor: actor '%s' failed: %s\n", boot->id.name, description);
    tractor__last_words_say (description);
    return STATUS_FAILED;
  }
  return boot->is_orphaned ? STATUS_ORPHANED : 0;
}

/* Returns: the socket to the parent, or -1 with a message on stderr. */
static int
take_link_fd (const char *value)
{
  gint64 fd = 0;
  struct stat stat;

  if (!g_ascii_string_to_signed (value, 10, 3, G_MAXINT, &fd, NULL) ||
      fstat ((int) fd, &stat) != 0 || !S_ISSOCK (stat.st_mode)) {
    g_printerr ("tractor: %s is \"%s\", which is no socket. It is set by a parent actor for its "
                "child, not by hand.\n",
                CHILD_VARIABLE, value);
    return -1;
  }
  fcntl ((int) fd, F_SETFD, FD_CLOEXEC);
  fcntl (CHILD_STDERR_FD, F_SETFD, FD_CLOEXEC);
  return (int) fd;
}

/* --- the child of a Python parent ------------------------------------------------------------------- */

static gboolean
connect_to_parent (const PythonArgv *python, int *ret_fd, GError **error)
{
  struct pollfd pollfd = { .events = POLLOUT };
  gboolean in_progress;

  if (!tractor__socket_begin_connect (&python->parent, ret_fd, &in_progress, error))
    return FALSE;
  pollfd.fd = *ret_fd;
  if (!in_progress || (poll (&pollfd, 1, PATIENCE_BOOT_USEC / 1000) == 1 &&
                       tractor__socket_finish_connect (*ret_fd, &python->parent, error)))
    return TRUE;
  close (*ret_fd);
  if (error != NULL && *error == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW,
                         "The parent does not take the connection");
  return FALSE;
}

/* Both sides introduce themselves at once; a few bytes to a fresh socket do not have to wait. */
static gboolean
introduce_to_parent (const Boot *boot)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();

  tractor__msg_write_aid (
      buffer, &(AidMsg){ .id = &boot->id, .credit = { LIMIT_STREAM_ITEMS, LIMIT_STREAM_BYTES } });
  return send (boot->link_fd, buffer->data, buffer->len, MSG_NOSIGNAL) == (gssize) buffer->len;
}

/* Returns: FALSE with a message on stderr if it is one, but cannot reach its parent. */
static gboolean
reach_python_parent (Boot *boot, PythonArgv *python)
{
  g_autoptr (GError) error = NULL;

  boot->is_of_python = TRUE;
  actor_id_copy (&python->id, &boot->id);
  if (python->log_level != NULL)
    boot->log_level = g_strdup (tractor__log_level_from_python (python->log_level));
  if (!connect_to_parent (python, &boot->link_fd, &error)) {
    g_printerr ("tractor: cannot reach the parent: %s\n", error->message);
    return FALSE;
  }
  if (!introduce_to_parent (boot)) {
    g_printerr ("tractor: the parent does not listen to an introduction\n");
    return FALSE;
  }
  return TRUE;
}

/* Returns: whether this process was started by a Python parent; then *@ret_status is set. */
static gboolean
python_child_main (int argc, char **argv, Boot *boot, const TractorRunner *runners, int *ret_status)
{
  g_auto (PythonArgv) python = { 0 };
  g_autoptr (GError) error = NULL;

  if (!tractor__python_argv_parse (argc, argv, &python, &error)) {
    if (error == NULL)
      return FALSE;
    *ret_status = STATUS_REFUSED;
    g_printerr ("tractor: %s\n", error->message);
    return TRUE;
  }
  *ret_status = STATUS_REFUSED;
  if (!reach_python_parent (boot, &python))
    return TRUE;
  install_signals ();
  *ret_status = boot_and_run (boot, runners);
  forget_signals ();
  return TRUE;
}

gboolean
tractor_child_main (int argc,
                    char **argv,
                    const TractorModule *modules,
                    const TractorRunner *runners,
                    int *ret_status)
{
  const char *value = secure_getenv (CHILD_VARIABLE);
  Boot boot = { .modules = modules };
  g_autoptr (GError) error = NULL;
  gboolean is_child;

  g_return_val_if_fail (modules != NULL && ret_status != NULL, FALSE);
  g_return_val_if_fail (runners != NULL && runners[0].name != NULL, FALSE);

  if (!tractor__modules_check (modules,
                               &error)) { /* a mistake of the program's, in every process */
    g_printerr ("tractor: %s\n", error->message);
    *ret_status = STATUS_REFUSED;
    return TRUE;
  }
  if (value == NULL) {
    is_child = python_child_main (argc, argv, &boot, runners, ret_status);
    boot_clear (&boot);
    return is_child;
  }

  *ret_status = STATUS_REFUSED;
  boot.link_fd = take_link_fd (value);
  g_unsetenv (CHILD_VARIABLE);
  if (boot.link_fd < 0)
    return TRUE;
  install_signals ();
  *ret_status = boot_and_run (&boot, runners);
  boot_clear (&boot);
  forget_signals ();
  return TRUE;
}
