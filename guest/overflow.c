/* overflow.c - saying which task has overflowed its stack.
 *
 * Below every stack is a guard, so an overflow is a fault at an address in it; but all that a core
 * dump shows is a fault. The handler runs on an alternate stack, for the task's is full, and looks
 * whether the address is in the guard of the task that runs. Whatever it finds, the fault then takes
 * the course that it would have taken. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "guest.h"
#include "raw-text.h"
#include "sigpipe.h"
#include "task.h"
#include "tractor-debug.h"

#define ALTERNATE_BYTES (64 * 1024)
#define MAX_FRAMES      16

static struct sigaction before;
static pthread_key_t alternate_key;

static void
get_registers (const ucontext_t *context, void **ret_pc, void ***ret_frame)
{
#if defined(__x86_64__)
  *ret_pc = (void *) context->uc_mcontext.gregs[REG_RIP];
  *ret_frame = (void **) context->uc_mcontext.gregs[REG_RBP];
#elif defined(__aarch64__)
  *ret_pc = (void *) context->uc_mcontext.pc;
  *ret_frame = (void **) context->uc_mcontext.regs[29];
#else
  (void) context;
  *ret_pc = NULL;
  *ret_frame = NULL;
#endif
}

/* Along the frame pointers, each checked against the stack's bounds. */
static void
put_frames (const Task *task, const ucontext_t *context)
{
  void *pcs[MAX_FRAMES];
  void **frame;
  int n = 0;

  get_registers (context, &pcs[n++], &frame);
  while (n < MAX_FRAMES && (char *) frame >= task->stack->low &&
         (const char *) (frame + 2) <= (const char *) task) {
    pcs[n++] = frame[1];
    if ((void **) frame[0] <= frame)
      break;
    frame = frame[0];
  }
  backtrace_symbols_fd (pcs, n, STDERR_FILENO);
}

static void
on_fault (int signal_number, siginfo_t *info, void *context)
{
  TractorGuest *guest = tractor__current_guest;
  Task *task = guest != NULL ? guest->current : NULL;
  const char *address = info->si_addr;
  gboolean holds_sigpipe;

  sigaction (SIGSEGV, &before, NULL);
  if (info->si_code <= 0) { /* sent by somebody: no instruction will fault again */
    raise (signal_number);  /* held back until this returns */
    return;
  }
  if (task == NULL || address >= task->stack->low || address < task->stack->low - STACK_GUARD_BYTES)
    return; /* the same instruction faults again, under the handler that was there before */

  holds_sigpipe = sigpipe_hold_back (); /* or that would be what has killed the process */
  put_text (STDERR_FILENO, "tractor: task '");
  put_text (STDERR_FILENO, task->name);
  put_text (STDERR_FILENO, "' has overflowed its stack of ");
  put_number (STDERR_FILENO, task->stack->size / 1024);
  put_text (
      STDERR_FILENO,
      " KiB: it needs tractor_nursery_spawn_with_stack(), or is to do this elsewhere. Here:\n");
  put_frames (task, context);
  if (holds_sigpipe)
    sigpipe_release ();
}

static void
free_alternate (void *memory)
{
  stack_t none = { .ss_flags = SS_DISABLE };

  sigaltstack (&none, NULL);
  munmap (memory, ALTERNATE_BYTES);
}

static void
give_thread_alternate (void)
{
  stack_t now;
  stack_t alternate = { .ss_size = ALTERNATE_BYTES };

  if (sigaltstack (NULL, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0)
    return;
  alternate.ss_sp =
      mmap (NULL, ALTERNATE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (alternate.ss_sp == MAP_FAILED)
    return;
  if (sigaltstack (&alternate, NULL) == 0)
    pthread_setspecific (alternate_key, alternate.ss_sp);
  else
    munmap (alternate.ss_sp, ALTERNATE_BYTES);
}

void
tractor_report_stack_overflows (void)
{
  static gsize is_installed;

  if (g_once_init_enter (&is_installed)) {
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

    action.sa_sigaction = on_fault;
    sigemptyset (&action.sa_mask);
    pthread_key_create (&alternate_key, free_alternate);
    sigaction (SIGSEGV, &action, &before);
    g_once_init_leave (&is_installed, 1);
  }
  give_thread_alternate ();
}
