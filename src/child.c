/* child.c - the other end of a spawn: a process that is an actor.
 *
 * It finds the socket to its parent at a number that one environment variable names, reads who it
 * is to be and what it may serve, picks the loop to run on, and introduces itself: that tells the
 * parent that it answers. Until then its stderr is a file of the parent's, so that last words
 * before an early death reach whoever waited for it; afterwards it is what the parent's is.
 *
 * It ends when its parent asks, when the connection is gone, or on SIGTERM, which the kernel also
 * sends when the parent dies: then what runs for callers is cancelled, and the process leaves. If
 * it cannot, because a function does not let the loop go on, an alarm ends it: an orphan is gone
 * within PATIENCE_ORPHAN_USEC. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "bounds.h"
#include "link.h"
#include "runtime.h"

#define STATUS_REFUSED  2  /* the parent did not say what it needs to */
#define STATUS_ORPHANED 70 /* EX_SOFTWARE: there is nobody left to tell */

typedef struct {
  const TractorModule *modules;
  int link_fd;
  FrameReader reader;
  ActorId id;
  ActorId parent;
  Credit parent_credit;
  char **enabled_modules;
  char *host;
  guint depth;
  gboolean is_orphaned;
} Boot;

/* --- what a signal handler needs ------------------------------------------------------------------ */

static int term_fd = -1; /* an eventfd */
static volatile sig_atomic_t last_resort_is_armed;

/* Once: a second reason to end is no reason to have longer for it. */
static void
arm_last_resort (void)
{
  struct itimerval timer = {
    .it_value = { PATIENCE_ORPHAN_USEC / G_USEC_PER_SEC, PATIENCE_ORPHAN_USEC % G_USEC_PER_SEC },
  };

  if (!last_resort_is_armed)
    setitimer (ITIMER_REAL, &timer, NULL); /* SIGALRM, which nobody handles */
  last_resort_is_armed = TRUE;
}

static void
on_term_signal (G_GNUC_UNUSED int signal_number)
{
  guint64 one = 1;
  int saved_errno = errno;
  gssize n;

  arm_last_resort ();
  n = write (term_fd, &one, sizeof one);
  (void) n;
  errno = saved_errno;
}

static void
install_signals (void)
{
  struct sigaction action = { .sa_handler = on_term_signal, .sa_flags = SA_RESTART };

  term_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  sigaction (SIGTERM, &action, NULL);
  action.sa_handler = SIG_IGN;
  sigaction (SIGINT, &action, NULL);
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
  at = tractor__frame_reader_get_room (&boot->reader, &room);
  if (at == NULL)
    return FALSE;
  n = recv (boot->link_fd, at, room, MSG_DONTWAIT);
  if (n > 0)
    tractor__frame_reader_received (&boot->reader, (gsize) n);
  return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static gboolean
read_message (Boot *boot, MsgType type, Msg *msg, gint64 deadline)
{
  g_autoptr (GError) error = NULL;
  WireValue body;

  for (;;) {
    switch (tractor__frame_reader_next (&boot->reader, &body, &error)) {
    case FRAME_COMPLETE:
      if (tractor__msg_read (body, msg, &error) && msg->type == type)
        return TRUE;
      g_printerr ("tractor: the parent's introduction is wrong: %s\n",
                  error != NULL ? error->message : "another message was due");
      return FALSE;
    case FRAME_INVALID:
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

static gboolean
read_introduction (Boot *boot)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE_BOOT_USEC;
  Msg msg;

  if (!read_message (boot, MSG_AID, &msg, deadline))
    return FALSE;
  boot->parent.name = tractor__msg_dup_string (&msg, FIELD_NAME);
  boot->parent.uuid = tractor__msg_dup_string (&msg, FIELD_UUID);
  boot->parent_credit = tractor__msg_get_credit (&msg);

  if (!read_message (boot, MSG_SPAWN_SPEC, &msg, deadline))
    return FALSE;
  if (!tractor__msg_get_id (&msg, FIELD_UID, &boot->id)) {
    g_printerr ("tractor: the parent did not say who this actor is\n");
    return FALSE;
  }
  boot->host = tractor__msg_dup_string (&msg, FIELD_HOST);
  boot->depth = (guint) CLAMP (tractor__msg_get_integer (&msg, FIELD_DEPTH), 1, LIMIT_TREE_DEPTH);
  boot->enabled_modules = tractor__msg_dup_keys (&msg, FIELD_ENABLE_MODULES);
  if (g_strv_contains ((const char *const *) boot->enabled_modules, "*"))
    g_clear_pointer (&boot->enabled_modules, g_strfreev);
  return TRUE;
}

static void
boot_clear (Boot *boot)
{
  tractor__frame_reader_clear (&boot->reader);
  actor_id_clear (&boot->id);
  actor_id_clear (&boot->parent);
  g_clear_pointer (&boot->enabled_modules, g_strfreev);
  g_clear_pointer (&boot->host, g_free);
}

static gboolean
check_modules (const Boot *boot)
{
  for (char **name = boot->enabled_modules; name != NULL && *name != NULL; name++) {
    const TractorModule *module = boot->modules;

    while (module->name != NULL && strcmp (module->name, *name) != 0)
      module++;
    if (module->name == NULL) {
      g_printerr ("tractor: this program has no module '%s'\n", *name);
      return FALSE;
    }
  }
  return TRUE;
}

static const TractorRunner *
find_runner (const TractorRunner *runners, const char *host)
{
  if (host == NULL)
    return runners;
  for (const TractorRunner *runner = runners; runner->name != NULL; runner++)
    if (strcmp (runner->name, host) == 0)
      return runner;
  g_printerr ("tractor: this program has no host '%s'\n", host);
  return NULL;
}

/* --- being an actor --------------------------------------------------------------------------------- */

/* From now on stderr is what the parent's is; what was said before follows it there. */
static void
take_real_stderr (void)
{
  char bytes[LIMIT_STDERR_TAIL_BYTES];
  off_t written = lseek (STDERR_FILENO, 0, SEEK_CUR);
  off_t at = 0;
  gssize n;

  if (fcntl (CHILD_STDERR_FD, F_GETFD) < 0)
    return;
  while (at < written &&
         (n = pread (STDERR_FILENO, bytes, MIN (sizeof bytes, (gsize) (written - at)), at)) > 0 &&
         write (CHILD_STDERR_FD, bytes, (gsize) n) == n)
    at += n;
  dup2 (CHILD_STDERR_FD, STDERR_FILENO);
  close (CHILD_STDERR_FD);
}

static void
on_parent_lost (Link *link, gpointer data)
{
  Boot *boot = data;

  boot->is_orphaned = TRUE;
  link->runtime->end_by = tractor_now () + PATIENCE_ORPHAN_USEC;
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
  tractor_event_set (runtime->stop);
  return TRUE;
}

/* Everything that runs for callers is cancelled and has ended before the parent hears of it. */
static void
end_in_order (Link *link, const Boot *boot)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  TractorRuntime *runtime = link->runtime;

  tractor_cancel_scope_set_shield (shield, TRUE);
  tractor__link_cancel_rpc_tasks (link, runtime->stopped_by.uuid != NULL ? &runtime->stopped_by
                                                                         : &boot->parent);
  tractor__link_wait_for_rpc_tasks (link, NULL);
  if (link->stop_cid != NULL) {
    tractor__msg_write_cancel_ack (link->out, link->stop_cid);
    tractor__link_flush (link);
  }
  tractor__link_close (link);
}

static gboolean
serve (Boot *boot, TractorRuntime *runtime, GError **error)
{
  g_autoptr (Link) link = tractor__link_new (runtime, boot->link_fd, &boot->parent);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  link->reader = boot->reader;
  boot->reader = (FrameReader){ 0 };
  link->has_peer_aid = TRUE;
  link->is_to_parent = TRUE;
  link->on_lost = on_parent_lost;
  link->data = boot;
  link->peer_credit = boot->parent_credit;
  tractor__link_introduce (link);
  take_real_stderr ();

  if (tractor_nursery_spawn (nursery, "link to parent", run_link_shielded, link, NULL, error) &&
      tractor_nursery_spawn (nursery, "SIGTERM", watch_term_signal, runtime, NULL, error)) {
    tractor_event_wait (runtime->stop, NULL);
    end_in_order (link, boot);
    tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "the actor ends");
  }
  return tractor_nursery_join (nursery, error);
}

static gboolean
run_actor (gpointer data, GError **error)
{
  Boot *boot = data;
  TractorRuntime runtime;
  gboolean ok;

  tractor__runtime_init (&runtime, &boot->id, boot->depth);
  runtime.modules = boot->modules;
  runtime.enabled_modules = g_steal_pointer (&boot->enabled_modules);
  runtime.stop = tractor_event_new ();
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
  runner = find_runner (runners, boot->host);
  if (runner == NULL)
    return STATUS_REFUSED;

  if (!runner->run (run_actor, boot, &error)) {
    g_autofree char *description = tractor_error_describe (error);

    g_printerr ("tractor: actor '%s' failed: %s\n", boot->id.name, description);
    return 1;
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

gboolean
tractor_child_main (G_GNUC_UNUSED int argc,
                    G_GNUC_UNUSED char **argv,
                    const TractorModule *modules,
                    const TractorRunner *runners,
                    int *ret_status)
{
  const char *value = secure_getenv (CHILD_VARIABLE);
  Boot boot = { .modules = modules };

  g_return_val_if_fail (modules != NULL && ret_status != NULL, FALSE);
  g_return_val_if_fail (runners != NULL && runners[0].name != NULL, FALSE);

  if (value == NULL)
    return FALSE;

  *ret_status = STATUS_REFUSED;
  boot.link_fd = take_link_fd (value);
  g_unsetenv (CHILD_VARIABLE);
  if (boot.link_fd < 0)
    return TRUE;
  install_signals ();
  *ret_status = boot_and_run (&boot, runners);
  boot_clear (&boot);
  close (term_fd);
  term_fd = -1;
  return TRUE;
}
