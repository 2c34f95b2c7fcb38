/* daemon.c - a process that only serves.
 *
 * A daemon is a root actor whose body waits to be told to end: by another actor, by SIGINT or by
 * SIGTERM; or by one of its functions, which may say that it has failed. It ends as a spawned actor
 * does: what runs for others is cancelled first, then whoever asked is told, and then it leaves the
 * registry.
 *
 * What it does besides, such as running actors of its own, is a task that is cancelled, and has ended,
 * before all that: so nothing of it sees the runtime go.
 *
 * Who started the program may have blocked these signals, and a mask is inherited: a daemon that did not
 * hear them would have to be killed. So they are let through while it serves. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>

#include "actor.h"
#include "tractor-signal.h"

typedef struct {
  TractorTaskFunc body; /* (nullable) */
  gpointer body_data;
  TractorRuntime *runtime;
  TractorSignalReceiver *receiver;
  int signal_number; /* that ended it, or 0 */
} Daemon;

static gboolean
wait_for_signal (gpointer data, GError **error)
{
  Daemon *daemon = data;

  if (!tractor_signal_receiver_receive (daemon->receiver, &daemon->signal_number, error))
    return FALSE;
  tractor_event_set (daemon->runtime->stop);
  return TRUE;
}

static gboolean
serve (Daemon *daemon, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  TractorRuntime *runtime = daemon->runtime;

  if (tractor_nursery_spawn (nursery, "signals", wait_for_signal, daemon, NULL, error) &&
      (daemon->body == NULL ||
       tractor_nursery_spawn (nursery, "body", daemon->body, daemon->body_data, NULL, error)) &&
      tractor_event_wait (runtime->stop, error))
    tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "the daemon ends");
  return tractor_nursery_join (nursery, error);
}

/* Shielded: whoever cancels us waits for that too. */
static void
end_rpc_tasks (TractorRuntime *runtime)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  tractor__runtime_end_rpc_tasks (runtime, runtime->stopped_by.uuid != NULL ? &runtime->stopped_by
                                                                            : &runtime->id);
}

static const int signals[] = { SIGINT, SIGTERM };

static gboolean
run_with_signals (Daemon *daemon, const TractorRuntimeOptions *options, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (options, error);
  GError *failure = NULL;

  if (runtime == NULL)
    return FALSE;
  daemon->runtime = runtime;
  runtime->stop = tractor_event_new ();
  tractor_event_set_static_name (runtime->stop, "end of daemon");
  serve (daemon, &failure);
  tractor_event_set (runtime->stop);
  end_rpc_tasks (runtime);
  if (failure == NULL)
    failure = g_steal_pointer (&runtime->failure);
  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  return TRUE;
}

gboolean
tractor_run_daemon (const TractorRuntimeOptions *options, int *ret_signal, GError **error)
{
  return tractor_run_daemon_with (options, NULL, NULL, ret_signal, error);
}

gboolean
tractor_run_daemon_with (const TractorRuntimeOptions *options,
                         TractorTaskFunc body,
                         gpointer data,
                         int *ret_signal,
                         GError **error)
{
  /* First: others can find us, and want us to end, before the runtime is quite open. */
  g_autoptr (TractorSignalReceiver) receiver =
      tractor_signal_receiver_open (signals, G_N_ELEMENTS (signals), error);
  Daemon daemon = { body, data, NULL, receiver, 0 };
  sigset_t before;
  sigset_t blocked;
  gboolean ok;

  if (receiver == NULL)
    return FALSE;
  pthread_sigmask (SIG_BLOCK, NULL, &before);
  sigemptyset (&blocked);
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    if (sigismember (&before, signals[i]))
      sigaddset (&blocked, signals[i]);
  pthread_sigmask (SIG_UNBLOCK, &blocked, NULL);
  ok = run_with_signals (&daemon, options, error);
  pthread_sigmask (SIG_BLOCK, &blocked, NULL);
  if (ok && ret_signal != NULL)
    *ret_signal = daemon.signal_number;
  return ok;
}
