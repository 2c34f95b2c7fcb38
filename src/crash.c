/* crash.c - the last words of an actor that crashes: in which task, and its frames.
 *
 * They go into the error of each call that the crash has ended (last-words.c): what a log on some terminal
 * says helps nobody who sees only that error. The signal then takes the course that it would have taken: the
 * same exit, the same core.
 *
 * The unwinder is loaded beforehand, for to load it in the handler would allocate. It takes a lock of the
 * dynamic loader's, which whoever crashed may hold: an alarm ends that. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "crash.h"

#include <execinfo.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "last-words.h"
#include "tractor-task.h"

#define MAX_FRAMES       32
#define N_OWN_FRAMES     2 /* the handler, and what calls it */
#define ALTERNATE_BYTES  (64 * 1024)
#define PATIENCE_SECONDS 2

static pid_t main_thread;

static void
let_it_kill (int number)
{
  struct sigaction action = { .sa_handler = SIG_DFL };

  sigaction (number, &action, NULL);
}

static void
on_crash (int number, siginfo_t *info, G_GNUC_UNUSED void *context)
{
  void *frames[MAX_FRAMES];
  const char *task = NULL;
  int n;

  let_it_kill (number);
  let_it_kill (SIGALRM);
  alarm (PATIENCE_SECONDS);
  if (gettid () == main_thread) /* another may have no memory yet for what is a thread's own */
    task = tractor_task_get_name ();
  if (task != NULL) {
    tractor__last_words_say ("in task '");
    tractor__last_words_say (task);
    tractor__last_words_say ("'\n");
  }
  n = backtrace (frames, MAX_FRAMES);
  if (n > N_OWN_FRAMES)
    backtrace_symbols_fd (frames + N_OWN_FRAMES, n - N_OWN_FRAMES, tractor__last_words_get_fd ());
  alarm (0);
  if (info->si_code <= 0) /* sent by somebody: no instruction will fault again */
    raise (number);       /* held back until this returns */
}

/* A task that has overflowed its stack has none left for the handler. */
static void
give_alternate_stack (void)
{
  stack_t now;
  stack_t alternate = { .ss_size = ALTERNATE_BYTES };

  if (sigaltstack (NULL, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0)
    return;
  alternate.ss_sp =
      mmap (NULL, ALTERNATE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (alternate.ss_sp != MAP_FAILED) /* as long as the process */
    sigaltstack (&alternate, NULL);
}

void
tractor__crash_report (void)
{
  static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
  struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };
  void *frame;

  main_thread = gettid ();
  backtrace (&frame, 1); /* loads the unwinder */
  give_alternate_stack ();
  sigemptyset (&action.sa_mask);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++) {
    struct sigaction before;

    if (sigaction (numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
      sigaction (numbers[i], &action, NULL);
  }
}
