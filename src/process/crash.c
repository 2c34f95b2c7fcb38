/* crash.c - the last words of an actor that crashes: in which task, and its frames.
 *
 * They go into the error of each call that the crash has ended (last-words.c): what a log on some terminal
 * says helps nobody who sees only that error. Where nobody would read them, as while it boots or under a Python
 * parent, they go to stderr. The signal then takes the course that it would have taken: the
 * same exit, the same core.
 *
 * The guests give their threads the stack that the handler needs when a task has none left (tractor-crash.h).
 *
 * The unwinder is loaded beforehand, for to load it in the handler would allocate. It takes a lock of the
 * dynamic loader's, which whoever crashed may hold, and it reads a stack that may be what the crash has spoilt: an alarm, or
 * its own crash, ends that, and what comes after the words comes all the same.
 *
 * A crash is one thread's. The others run on while it waits for the debugger: the signals stay ours until it has been
 * shown, so that a second thread that crashes waits for its own turn, and the program's alarms are its own again after the
 * words. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "crash.h"

#include <execinfo.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "actor-trace.h"
#include "debug-lock.h"
#include "last-words.h"
#include "tractor-crash.h"

#define PATIENCE_SECONDS 2

static pid_t own_pid;
static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };

static void
let_it_kill (int number)
{
  struct sigaction action = { .sa_handler = SIG_DFL };

  sigaction (number, &action, NULL);
}

/* Of this thread, until the handler returns. @before: (nullable) */
static void
set_mask (int how, int number, sigset_t *before)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, number);
  pthread_sigmask (how, &set, before);
}

/* Whether the instruction does it once more. Not one that is left behind, such as the breakpoint in g_error(),
 * and not if somebody has sent the signal. */
static gboolean
comes_again (int number, const siginfo_t *info)
{
  return info->si_code > 0 && number != SIGTRAP && number != SIGSYS;
}

/* --- the words --------------------------------------------------------------------------------- */

typedef enum {
  STAGE_NONE,
  STAGE_WORDS,
  STAGE_AFTER_WORDS
} Stage;

/* How far this thread is with its crash. */
static _Thread_local volatile Stage stage __attribute__ ((tls_model ("initial-exec")));

/* One thread at a time says its words, so that they can be read: this is its own. */
static gboolean is_saying;
static pid_t sayer;
static sigjmp_buf after_words;

/* The program may have timers that send this, too: the kernel itself sends what alarms do. It may come to any thread. */
static void
on_patience_end (int number, siginfo_t *info, G_GNUC_UNUSED void *context)
{
  if (info->si_code != SI_KERNEL && info->si_code != SI_TKILL)
    return;
  if (stage == STAGE_WORDS)
    siglongjmp (after_words, 1);
  if (info->si_code == SI_KERNEL)
    syscall (SYS_tgkill, getpid (), sayer, number);
}

static void
begin_saying (void)
{
  for (int msec = 0; __atomic_exchange_n (&is_saying, TRUE, __ATOMIC_ACQUIRE) &&
                     msec < 2 * PATIENCE_SECONDS * 1000;
       msec++)
    poll (NULL, 0, 1); /* in a handler of a signal there is nothing better to wait by */
  sayer = (pid_t) syscall (SYS_gettid);
}

static void
end_saying (void)
{
  __atomic_store_n (&is_saying, FALSE, __ATOMIC_RELEASE);
}

static void
say_words (const siginfo_t *info, const void *context)
{
  struct sigaction patience = { .sa_sigaction = on_patience_end,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK };
  struct itimerval own = { .it_value.tv_sec = PATIENCE_SECONDS };
  struct sigaction others_action;
  struct itimerval others;
  sigset_t mask;
  int words_fd = tractor__last_words_get_fd ();

  begin_saying ();
  sigaction (SIGALRM, &patience, &others_action);
  setitimer (ITIMER_REAL, &own, &others);
  set_mask (SIG_UNBLOCK, SIGALRM, &mask); /* or the words could last for ever */
  stage = STAGE_WORDS;
  if (sigsetjmp (after_words, TRUE) == 0)
    tractor_dump_crash (words_fd >= 0 ? words_fd : STDERR_FILENO, info, context);
  stage = STAGE_AFTER_WORDS;
  pthread_sigmask (SIG_SETMASK, &mask, NULL);
  setitimer (ITIMER_REAL, &others, NULL);
  sigaction (SIGALRM, &others_action, NULL);
  end_saying ();
}

/* --- the course of it -------------------------------------------------------------------------- */

/* So that it comes when the handler has returned, and a core shows where it was. */
static void
send_again (int number)
{
  set_mask (SIG_BLOCK, number, NULL);
  raise (number);
}

static void
on_crash (int number, siginfo_t *info, void *context)
{
  if (stage == STAGE_WORDS)
    siglongjmp (after_words, 1);
  if (stage == STAGE_NONE && getpid () == own_pid) { /* a copy's crash is not the actor's */
    say_words (info, context);
    trace_note (TRACTOR_TRACE_CRASHED, (guint64) number, NULL);
    tractor__debug_stop_for_crash (number, info, context);
  }
  let_it_kill (number);
  if (!comes_again (number, info))
    send_again (number);
}

/* --- from when on ------------------------------------------------------------------------------ */

static gboolean
is_nobodys (int number)
{
  struct sigaction before;

  return sigaction (number, NULL, &before) == 0 && before.sa_handler == SIG_DFL;
}

void
tractor__crash_load_unwinder (void)
{
  void *frame;

  backtrace (&frame, 1);
}

void
tractor__crash_report (void)
{
  struct sigaction action = { .sa_sigaction = on_crash,
                              .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

  own_pid = getpid ();
  tractor__crash_load_unwinder ();
  sigemptyset (&action.sa_mask);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (is_nobodys (numbers[i]))
      sigaction (numbers[i], &action, NULL);
}

/* Overflows are in what this reports, too. */
void
tractor__crash_report_in_root (void)
{
  if (tractor_is_reporting_stack_overflows ())
    let_it_kill (SIGSEGV);
  tractor__crash_report ();
}
