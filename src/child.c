/* child.c - the other end of a spawn: a process that is an actor.
 *
 * It reads who it is to be and what it may serve (child-boot.c), which may be long after its parent has introduced itself,
 * if it is a spare (spares.c). Then it picks the loop to run on, listens, and
 * introduces itself: that tells the parent that it answers. Until then its stderr is a file of the
 * parent's, so that last words before an early death reach whoever waited for it; afterwards it is what
 * the parent's is.
 *
 * It ends when its parent asks, when the connection or the parent's process is gone, or on a signal
 * (child-signals.c). Then what runs for callers is cancelled, and the process leaves. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actor.h"
#include "bounds.h"
#include "broker.h"
#include "child-boot.h"
#include "child-signals.h"
#include "crash.h"
#include "debug-lock.h"
#include "dump-signal.h"
#include "exports.h"
#include "fork-server.h"
#include "last-words.h"
#include "link.h"
#include "listener.h"
#include "log-level.h"
#include "log.h"
#include "patience.h"
#include "process.h"
#include "registration.h"
#include "remote-error.h"
#include "rpc.h"
#include "runtime-dir.h"
#include "sigpipe.h"
#include "title.h"

/* --- being an actor ---------------------------------------------------------------------------- */

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
  gint64 end_by = tractor__patience_now () + PATIENCE_ORPHAN_USEC;

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
  log_info (LOG_SUPERVISE, "it ends, for it has lost its parent: %s", link->read_failure->message);
  boot->is_orphaned = TRUE;
  tractor__link_fail (link, g_error_copy (link->read_failure));
  hasten_end (link->runtime);
  tractor__child_signals_arm_last_resort ();
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

  if (!tractor_wait_fd (tractor__child_signals_get_term_fd (), G_IO_IN, NULL, error))
    return FALSE;
  log_info (LOG_SUPERVISE, "it ends, for it got SIGTERM");
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
  int parent_fd = tractor__child_signals_get_parent_fd ();

  if (parent_fd < 0)
    return TRUE;
  if (!tractor_wait_fd (parent_fd, G_IO_IN, NULL, error))
    return FALSE;
  log_info (LOG_SUPERVISE, "it ends, for its parent has");
  boot->is_orphaned = TRUE;
  hasten_end (runtime);
  tractor__child_signals_arm_last_resort ();
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

  if (tractor__runtime_open_services (runtime, error) && tractor__broker_watch (runtime, error) &&
      join_tree (boot, link, error)) {
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
  TractorRuntime *runtime = tractor__runtime_new (&boot->id, boot->key, boot->depth);
  gboolean ok;

  tractor__runtime_set_limits (runtime, &boot->limits);
  tractor__exports_add_modules (runtime->exports, boot->modules,
                                (const char *const *) boot->enabled_modules);
  runtime->debug_actor.parent_pid = boot->parent.pid;
  runtime->stop = tractor_event_new ();
  tractor_event_set_static_name (runtime->stop, "end of actor");
  /* As its parent does; Python has nothing else, so that says nothing. */
  if (!boot->is_of_python && is_tcp (boot->link_fd))
    runtime->transport = ADDRESS_TCP;
  tractor__address_copy (&boot->root, &runtime->root);
  tractor__runtime_set (runtime);
  log_debug (LOG_SUPERVISE, "it begins, as a child of actor '%s', at depth %u",
             boot->parent.id.name, boot->depth);
  ok = serve (boot, runtime, error);
  tractor__runtime_set (NULL);
  tractor__runtime_free (runtime);
  return ok;
}

/* --- becoming one ------------------------------------------------------------------------------ */

static void
enter_debug_mode (const Boot *boot)
{
  g_autoptr (GError) error = NULL;

  if ((boot->debug == NULL || tractor__debug_join (boot->debug, &boot->id, &error)) &&
      (!boot->is_python_debugged ||
       tractor__broker_provide_below_python (&boot->id, &boot->root, &error))) {
    if (boot->debug != NULL)
      tractor__dump_signal_take ();
    return;
  }
  g_printerr ("tractor: actor '%s' is started without debug mode: %s\n", boot->id.name,
              error->message);
}

static int
boot_and_run (Boot *boot, const TractorRunner *runners)
{
  g_autoptr (GError) error = NULL;
  const TractorRunner *runner;

  if (!tractor__boot_read_introduction (boot))
    return STATUS_REFUSED;
  tractor__child_signals_watch_parent (boot->link_fd, boot->parent.pid);
  if (!tractor__boot_read_spec (boot) || !tractor__boot_check_modules (boot))
    return STATUS_REFUSED;
  if (!boot->is_of_python)
    tractor__title_set (boot->id.name);
  tractor__log_begin ();
  tractor__log_level_apply (boot->log_level);
  enter_debug_mode (boot);
  runner = tractor__boot_find_runner (runners, boot->host);
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
  if (!tractor__boot_reach_python_parent (boot, &python))
    return TRUE;
  tractor__child_signals_install ();
  *ret_status = boot_and_run (boot, runners);
  tractor__broker_end ();
  tractor__child_signals_forget ();
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
  Boot boot = { .modules = modules, .patience_usec = PATIENCE_BOOT_USEC };
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
    tractor__boot_clear (&boot);
    return is_child;
  }

  *ret_status = STATUS_REFUSED;
  tractor__title_find (argc, argv);
  if (g_getenv (IS_FORK_SERVER_VARIABLE) != NULL) {
    g_unsetenv (IS_FORK_SERVER_VARIABLE);
    tractor__fork_loop (); /* which comes back in each copy */
  }
  boot.link_fd = tractor__boot_take_link_fd (value);
  g_unsetenv (CHILD_VARIABLE);
  if (boot.link_fd < 0)
    return TRUE;
  tractor__child_signals_install ();
  *ret_status = boot_and_run (&boot, runners);
  tractor__boot_clear (&boot);
  tractor__child_signals_forget ();
  return TRUE;
}
