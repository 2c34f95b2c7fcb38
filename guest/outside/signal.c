/* signal.c - signals of the process, received by tasks.
 *
 * Signals belong to the process, so there is one registry for all guests: a handler for each signal
 * that some receiver wants, and a table of receivers that the handler reads without a lock. It notes
 * the signal in every receiver that wants it, and asks that receiver's guest for a call, by a token,
 * unless one has been asked for already. Then it calls whatever handler was there before.
 *
 * A receiver is taken out of the table before it goes, and then every handler that may have seen it
 * there is waited for. A call that is still on its way then frees it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "guest.h"
#include "outside.h"
#include "task.h"

#define N_SIGNALS     64
#define MAX_RECEIVERS 64

struct _TractorSignalReceiver {
  guint64 wanted; /* bit n - 1 for signal n */
  _Atomic (guint64) pending;
  _Atomic (gboolean) is_calling; /* on_pending() is on its way */
  gboolean is_left;              /* closed while a task waits, which frees it */
  gboolean is_closed;            /* on_pending() frees it */
  TractorToken *token;
  TractorHold *hold;
  Task *waiting;  /* from the wait's beginning until the task has run again */
  guint64 serial; /* of the opening */
  guint next;     /* the bit to look at first, so that each signal has its turn */
};

/* A handler that was there before ours. Kept for good, for another thread may be about to call it. */
typedef struct _Before Before;
struct _Before {
  struct sigaction action;
  Before *next; /* one that was there at another time */
};

/* One for each signal; the lock is for opening and closing. */
typedef struct {
  guint n_receivers;
  _Atomic (const Before *) before; /* not NULL once we have been installed */
  Before *all;
} Caught;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static guint64 last_serial;
static Caught caught[N_SIGNALS];
static _Atomic (TractorSignalReceiver *) receivers[MAX_RECEIVERS];
static _Atomic (guint) n_handling; /* handlers that read the tables now */
/* The signals whose handlers from before are being called. */
static _Thread_local volatile guint64 chaining __attribute__ ((tls_model ("initial-exec")));

static guint64
bit_of (int signal_number)
{
  return G_GUINT64_CONSTANT (1) << (signal_number - 1);
}

/* --- in the handler ------------------------------------------------------------------------------ */

static void
on_pending (gpointer data)
{
  TractorSignalReceiver *receiver = data;

  atomic_store (&receiver->is_calling, FALSE);
  if (receiver->is_closed) {
    tractor_token_unref (receiver->token);
    g_free (receiver);
  } else if (receiver->waiting != NULL && receiver->waiting->state == TASK_PARKED) {
    task_wake (receiver->waiting, WAKE_NORMAL);
  }
}

/* To one receiver, in a handler or with the lock. */
static void
note_signal (TractorSignalReceiver *receiver, int signal_number)
{
  atomic_fetch_or (&receiver->pending, bit_of (signal_number));
  if (!atomic_exchange (&receiver->is_calling, TRUE) &&
      !tractor_token_run_soon (receiver->token, on_pending, receiver))
    atomic_store (&receiver->is_calling, FALSE); /* the run has finished: nobody will be called */
}

static void
call_handler_before (const struct sigaction *before,
                     int signal_number,
                     siginfo_t *info,
                     void *context)
{
  if ((chaining & bit_of (signal_number)) != 0)
    return; /* whoever has come between calls us again */
  chaining |= bit_of (signal_number);
  if ((before->sa_flags & SA_SIGINFO) != 0)
    before->sa_sigaction (signal_number, info, context);
  else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
    before->sa_handler (signal_number);
  chaining &= ~bit_of (signal_number);
}

static void
on_signal (int signal_number, siginfo_t *info, void *context)
{
  int saved_errno = errno;
  const Before *before = atomic_load (&caught[signal_number - 1].before);

  atomic_fetch_add (&n_handling, 1);
  for (guint i = 0; i < MAX_RECEIVERS; i++) {
    TractorSignalReceiver *receiver = atomic_load (&receivers[i]);

    if (receiver != NULL && (receiver->wanted & bit_of (signal_number)) != 0)
      note_signal (receiver, signal_number);
  }
  atomic_fetch_sub (&n_handling, 1);

  call_handler_before (&before->action, signal_number, info, context);
  errno = saved_errno;
}

/* --- catching, and letting go ---------------------------------------------------------------------- */

static gboolean
is_ours (const struct sigaction *action)
{
  return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == on_signal;
}

static void
remember (Caught *it, const struct sigaction *action)
{
  Before *before = it->all;

  while (before != NULL && (before->action.sa_flags != action->sa_flags ||
                            before->action.sa_sigaction != action->sa_sigaction))
    before = before->next;
  if (before == NULL) {
    before = g_new (Before, 1);
    before->action = *action;
    before->next = it->all;
    it->all = before;
  }
  atomic_store (&it->before, before);
}

/* With the lock. Returns: FALSE with errno set. */
static gboolean
catch_one (int signal_number)
{
  Caught *it = &caught[signal_number - 1];
  struct sigaction action = { .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
  struct sigaction now;

  if (it->n_receivers == 0) {
    if (sigaction (signal_number, NULL, &now) != 0)
      return FALSE;
    if (!is_ours (&now)) /* else a chain of others has kept us */
      remember (it, &now);
    action.sa_sigaction = on_signal;
    sigemptyset (&action.sa_mask);
    if (sigaction (signal_number, &action, NULL) != 0)
      return FALSE;
  }
  it->n_receivers++;
  return TRUE;
}

static void
let_go (int signal_number)
{
  Caught *it = &caught[signal_number - 1];
  struct sigaction now;

  if (--it->n_receivers > 0)
    return;
  if (sigaction (signal_number, NULL, &now) == 0 && is_ours (&now))
    sigaction (signal_number, &atomic_load (&it->before)->action, NULL);
}

static void
let_go_of_all (guint64 signals)
{
  for (int signal_number = 1; signal_number <= N_SIGNALS; signal_number++)
    if ((signals & bit_of (signal_number)) != 0)
      let_go (signal_number);
}

static gboolean
set_cannot_catch (int signal_number, int saved_errno, GError **error)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved_errno),
               "Cannot receive signal %d: %s", signal_number, g_strerror (saved_errno));
  return FALSE;
}

/* With the lock. Returns: FALSE with @error set, and nothing is caught. */
static gboolean
catch_all (guint64 signals, GError **error)
{
  guint64 done = 0;

  for (int signal_number = 1; signal_number <= N_SIGNALS; signal_number++) {
    if ((signals & bit_of (signal_number)) == 0)
      continue;
    if (!catch_one (signal_number)) {
      set_cannot_catch (signal_number, errno, error);
      let_go_of_all (done);
      return FALSE;
    }
    done |= bit_of (signal_number);
  }
  return TRUE;
}

static _Atomic (TractorSignalReceiver *) *
find_place (TractorSignalReceiver *receiver)
{
  for (guint i = 0; i < MAX_RECEIVERS; i++)
    if (atomic_load (&receivers[i]) == receiver)
      return &receivers[i];
  return NULL;
}

/* With the lock. Nobody else has the receiver then, but on_pending() if it is on its way. */
static void
delist (TractorSignalReceiver *receiver)
{
  atomic_store (find_place (receiver), NULL);
  while (atomic_load (&n_handling) > 0)
    g_thread_yield ();
}

/* With the lock, after delist(). Whoever was there when a signal came has had it; whoever has come since
 * gets it now; and if there is nobody, it does what it would have done. */
static void
pass_on_pending (TractorSignalReceiver *receiver)
{
  guint64 pending = atomic_load (&receiver->pending);

  for (int signal_number = 1; signal_number <= N_SIGNALS; signal_number++) {
    if ((pending & bit_of (signal_number)) == 0)
      continue;
    if (caught[signal_number - 1].n_receivers == 0)
      kill (getpid (), signal_number);
    for (guint i = 0; i < MAX_RECEIVERS; i++) {
      TractorSignalReceiver *other = atomic_load (&receivers[i]);

      if (other != NULL && other->serial > receiver->serial &&
          (other->wanted & bit_of (signal_number)) != 0)
        note_signal (other, signal_number);
    }
  }
}

/* With the lock. In the table first: a signal may come as soon as it is caught. */
static gboolean
enlist (TractorSignalReceiver *receiver, GError **error)
{
  _Atomic (TractorSignalReceiver *) *place = find_place (NULL);

  if (place == NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT, "%d signal receivers are open already",
                 MAX_RECEIVERS);
    return FALSE;
  }
  receiver->serial = ++last_serial;
  atomic_store (place, receiver);
  if (catch_all (receiver->wanted, error))
    return TRUE;
  delist (receiver);
  pass_on_pending (receiver); /* what came while some were caught already */
  return FALSE;
}

static void
receiver_free (TractorSignalReceiver *receiver)
{
  receiver->is_closed = TRUE;
  if (atomic_load (&receiver->is_calling))
    return; /* on_pending() will do it */
  tractor_token_unref (receiver->token);
  g_free (receiver);
}

static void
close_left_open (gpointer data)
{
  TractorSignalReceiver *receiver = data;

  pthread_mutex_lock (&lock);
  let_go_of_all (receiver->wanted);
  delist (receiver);
  pass_on_pending (receiver);
  pthread_mutex_unlock (&lock);
  receiver->is_left = receiver->waiting != NULL;
  if (!receiver->is_left)
    receiver_free (receiver);
  else if (receiver->waiting->state == TASK_PARKED)
    task_wake (receiver->waiting, WAKE_CLOSED);
}

TractorSignalReceiver *
tractor_signal_receiver_open (const int *signals, gsize n_signals, GError **error)
{
  Task *task = task_get_suspendable (error);
  TractorSignalReceiver *receiver;
  guint64 wanted = 0;
  gboolean ok;

  if (task == NULL)
    return NULL;
  if (n_signals == 0) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A receiver of no signals would wait for ever");
    return NULL;
  }

  if (!tractor_error_check_given (signals, "list of signals", error))
    return NULL;

  for (gsize i = 0; i < n_signals; i++) {
    if (signals[i] < 1 || signals[i] > N_SIGNALS) {
      set_cannot_catch (signals[i], EINVAL, error);
      return NULL;
    }
    wanted |= bit_of (signals[i]);
  }

  receiver = g_new0 (TractorSignalReceiver, 1);
  receiver->wanted = wanted;
  receiver->token = tractor_token_ref (task->guest->outside->token);
  pthread_mutex_lock (&lock);
  ok = enlist (receiver, error);
  pthread_mutex_unlock (&lock);
  if (ok)
    receiver->hold = tractor_task_hold ("a signal receiver", close_left_open, receiver);
  else
    receiver_free (g_steal_pointer (&receiver));
  return receiver;
}

/* --- receiving ------------------------------------------------------------------------------------ */

/* Returns: 0 if there is none. */
static int
take_pending (TractorSignalReceiver *receiver)
{
  guint64 pending = atomic_load (&receiver->pending);

  for (guint i = 0; pending != 0 && i < N_SIGNALS; i++) {
    guint place = (receiver->next + i) % N_SIGNALS;
    guint64 bit = G_GUINT64_CONSTANT (1) << place;

    if ((pending & bit) != 0) {
      atomic_fetch_and (&receiver->pending, ~bit);
      receiver->next = (place + 1) % N_SIGNALS;
      return (int) place + 1;
    }
  }
  return 0;
}

static gboolean
stop_waiting (G_GNUC_UNUSED Task *task, G_GNUC_UNUSED gpointer data)
{
  return TRUE;
}

/* Returns: FALSE with CLOSED if the receiver has been closed meanwhile. */
static gboolean
finish_wait (TractorSignalReceiver *receiver, GError **error)
{
  receiver->waiting = NULL;
  if (!receiver->is_left)
    return TRUE;
  receiver_free (receiver);
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                       "The signal receiver has been closed");
  return FALSE;
}

gboolean
tractor_signal_receiver_receive (TractorSignalReceiver *receiver, int *ret_signal, GError **error)
{
  Task *task = task_begin (error);
  gboolean has_waited = FALSE;
  int signal_number;

  if (!tractor_error_check_given (receiver, "signal receiver", error) ||
      !tractor_error_check_given (ret_signal, "place for the signal", error))
    return FALSE;

  if (task == NULL)
    return FALSE;
  if (receiver->waiting != NULL) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY,
                         "Another task is already waiting for these signals");
    return FALSE;
  }

  while ((signal_number = take_pending (receiver)) == 0) {
    TaskWake wake;

    has_waited = TRUE;
    receiver->waiting = task;
    wake = tractor__task_park (task, stop_waiting, receiver, "signal");
    if (!finish_wait (receiver, error))
      return FALSE;
    if (wake == WAKE_CANCELLED) {
      tractor__task_set_cancelled (task, error);
      return FALSE;
    }
  }
  if (!has_waited) {
    receiver->waiting = task;
    tractor__task_yield (task);
    if (!finish_wait (receiver, error))
      return FALSE;
  }
  *ret_signal = signal_number;
  return TRUE;
}

void
tractor_signal_receiver_close (TractorSignalReceiver *receiver)
{
  if (receiver == NULL)
    return;

  tractor_hold_release (receiver->hold);
  close_left_open (receiver);
}
