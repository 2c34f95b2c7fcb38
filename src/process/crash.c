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
 * dynamic loader's, which whoever crashed may hold: an alarm ends that. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "crash.h"

#include <execinfo.h>
#include <signal.h>
#include <unistd.h>

#include "actor-trace.h"
#include "debug-lock.h"
#include "last-words.h"
#include "tractor-crash.h"

#define PATIENCE_SECONDS 2

static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };

static void
let_it_kill (int number)
{
  struct sigaction action = { .sa_handler = SIG_DFL };

  sigaction (number, &action, NULL);
}

/* Whether the instruction does it once more. Not one that is left behind, such as the breakpoint in g_error(),
 * and not if somebody has sent the signal. */
static gboolean
comes_again (int number, const siginfo_t *info)
{
  return info->si_code > 0 && number != SIGTRAP && number != SIGSYS;
}

static void
on_crash (int number, siginfo_t *info, void *context)
{
  int words_fd = tractor__last_words_get_fd ();

  let_it_kill (number);
  let_it_kill (SIGALRM);
  alarm (PATIENCE_SECONDS);
  tractor_dump_crash (words_fd >= 0 ? words_fd : STDERR_FILENO, info, context);
  alarm (0);
  trace_note (TRACTOR_TRACE_CRASHED, (guint64) number, NULL);
  tractor__debug_stop_for_crash (number, info, context);
  if (!comes_again (number, info))
    raise (number); /* held back until this returns */
}

static gboolean
is_nobodys (int number)
{
  struct sigaction before;

  return sigaction (number, NULL, &before) == 0 && before.sa_handler == SIG_DFL;
}

void
tractor__crash_report (void)
{
  struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };
  void *frame;

  backtrace (&frame, 1); /* loads the unwinder */
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
