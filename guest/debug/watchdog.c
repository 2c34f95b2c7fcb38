/* watchdog.c - noticing a task that does not let go of the thread.
 *
 * The guest counts steps: the count is odd while a task runs. A thread looks at the count from time
 * to time; if it is odd and the same as the last time, that step is too long. Only the guest's own
 * thread can say where it is, so it is interrupted by a signal, whose handler writes the task's name
 * and the stack that it finds itself on.
 *
 * When nothing has run for a while the thread goes to sleep until the next step wakes it: a guest
 * that waits uses no processor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "frames.h"
#include "guest.h"
#include "raw-text.h"
#include "task.h"

struct _Watchdog {
  gint64 max_step_usec;
  _Atomic (guint64) count; /* odd: a task runs */
  pthread_t guest_thread;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed; /* a step begins and the thread is asleep, or it is to end */
  _Atomic (gboolean) is_asleep;
  gboolean is_closing;
};

static pthread_mutex_t handler_lock = PTHREAD_MUTEX_INITIALIZER;
static guint n_watchdogs;
static struct sigaction before;
static _Thread_local volatile gboolean is_chaining __attribute__ ((tls_model ("initial-exec")));

/* --- in the thread that is watched ----------------------------------------------------------------- */

static void
call_handler_before (int signal_number, siginfo_t *info, void *context)
{
  if (is_chaining)
    return; /* whoever has come between calls us again */
  is_chaining = TRUE;
  if ((before.sa_flags & SA_SIGINFO) != 0)
    before.sa_sigaction (signal_number, info, context);
  else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
    before.sa_handler (signal_number);
  is_chaining = FALSE;
}

static void
on_signal (int signal_number, siginfo_t *info, void *context)
{
  TractorGuest *guest = tractor__current_guest;
  int saved_errno = errno;

  if (info->si_code != SI_TKILL || info->si_pid != getpid ()) { /* not ours */
    call_handler_before (signal_number, info, context);
  } else if (guest != NULL && guest->current != NULL) {
    put_text (STDERR_FILENO, "tractor: task '");
    put_text (STDERR_FILENO, guest->current->name);
    put_text (STDERR_FILENO, "' keeps the loop from everybody else. It is here:\n");
    tractor__put_interrupted_frames (STDERR_FILENO, context);
  }
  errno = saved_errno;
}

static void
wake_thread (Watchdog *watchdog)
{
  pthread_mutex_lock (&watchdog->lock);
  pthread_cond_signal (&watchdog->changed);
  pthread_mutex_unlock (&watchdog->lock);
}

gboolean
tractor__watchdog_step_begins (Watchdog *watchdog)
{
  gboolean is_nested;

  if (watchdog == NULL)
    return FALSE;
  is_nested = (atomic_load (&watchdog->count) & 1) != 0;
  atomic_fetch_add (&watchdog->count, is_nested ? 2 : 1);
  if (atomic_load (&watchdog->is_asleep))
    wake_thread (watchdog);
  return is_nested;
}

void
tractor__watchdog_step_ended (Watchdog *watchdog, gboolean is_nested)
{
  /* After a nested step the one around it goes on, and has its time anew. It was begun before the
   * watchdog was there if the count is even. */
  if (watchdog != NULL && (atomic_load (&watchdog->count) & 1) != 0)
    atomic_fetch_add (&watchdog->count, is_nested ? 2 : 1);
}

/* --- in the thread that watches -------------------------------------------------------------------- */

/* With the lock. */
static void
wait_a_while (Watchdog *watchdog)
{
  gint64 until = g_get_monotonic_time () + watchdog->max_step_usec;
  struct timespec at = { .tv_sec = until / G_USEC_PER_SEC,
                         .tv_nsec = until % G_USEC_PER_SEC * 1000 };

  while (!watchdog->is_closing &&
         pthread_cond_clockwait (&watchdog->changed, &watchdog->lock, CLOCK_MONOTONIC, &at) == 0)
    ;
}

/* With the lock. */
static void
sleep_until_a_step (Watchdog *watchdog, guint64 count)
{
  atomic_store (&watchdog->is_asleep, TRUE);
  while (!watchdog->is_closing && atomic_load (&watchdog->count) == count)
    pthread_cond_wait (&watchdog->changed, &watchdog->lock);
  atomic_store (&watchdog->is_asleep, FALSE);
}

static void *
watch (void *data)
{
  Watchdog *watchdog = data;
  guint64 reported = 0;

  pthread_mutex_lock (&watchdog->lock);
  while (!watchdog->is_closing) {
    guint64 count = atomic_load (&watchdog->count);

    wait_a_while (watchdog);
    if (atomic_load (&watchdog->count) != count)
      continue;
    if ((count & 1) == 0) {
      sleep_until_a_step (watchdog, count);
    } else if (count != reported) {
      reported = count;
      pthread_kill (watchdog->guest_thread, SIGURG);
    }
  }
  pthread_mutex_unlock (&watchdog->lock);
  return NULL;
}

/* --- on and off --------------------------------------------------------------------------------- */

static void
install_handler (void)
{
  struct sigaction action = { .sa_flags = SA_SIGINFO | SA_RESTART };

  tractor__load_unwinder ();
  pthread_mutex_lock (&handler_lock);
  if (n_watchdogs++ == 0) {
    action.sa_sigaction = on_signal;
    sigemptyset (&action.sa_mask);
    sigaction (SIGURG, &action, &before);
  }
  pthread_mutex_unlock (&handler_lock);
}

static void
remove_handler (void)
{
  struct sigaction now;

  pthread_mutex_lock (&handler_lock);
  if (--n_watchdogs == 0 && sigaction (SIGURG, NULL, &now) == 0 && now.sa_sigaction == on_signal)
    sigaction (SIGURG, &before, NULL);
  pthread_mutex_unlock (&handler_lock);
}

static Watchdog *
watchdog_new (gint64 max_step_usec)
{
  Watchdog *watchdog = g_new0 (Watchdog, 1);
  sigset_t all;
  sigset_t mask_before;
  int result;

  watchdog->max_step_usec = max_step_usec;
  watchdog->guest_thread = pthread_self ();
  pthread_mutex_init (&watchdog->lock, NULL);
  pthread_cond_init (&watchdog->changed, NULL);
  install_handler ();
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &mask_before);
  result = pthread_create (&watchdog->thread, NULL, watch, watchdog);
  pthread_sigmask (SIG_SETMASK, &mask_before, NULL);
  if (result == 0)
    return watchdog;

  g_warning ("Cannot start the watchdog's thread: %s", g_strerror (result));
  remove_handler ();
  g_free (watchdog);
  return NULL;
}

void
tractor__watchdog_free (Watchdog *watchdog, gboolean is_forked)
{
  if (watchdog == NULL)
    return;

  if (!is_forked) { /* a copy has no such thread */
    pthread_mutex_lock (&watchdog->lock);
    watchdog->is_closing = TRUE;
    pthread_cond_signal (&watchdog->changed);
    pthread_mutex_unlock (&watchdog->lock);
    pthread_join (watchdog->thread, NULL);
    pthread_cond_destroy (&watchdog->changed);
    pthread_mutex_destroy (&watchdog->lock);
  }
  remove_handler ();
  g_free (watchdog);
}

void
tractor_guest_set_watchdog (TractorGuest *guest, gint64 max_step_usec)
{
  g_return_if_fail (guest != NULL && max_step_usec >= 0);
  g_return_if_fail (guest_check_thread (guest));

  tractor__watchdog_free (g_steal_pointer (&guest->watchdog), FALSE);
  if (max_step_usec > 0)
    guest->watchdog = watchdog_new (max_step_usec);
  guest->steps_left = 0; /* from now on step by step, or not any more */
}
