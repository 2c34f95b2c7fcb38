/* overflow.c - saying which task, or thread of ours, has crashed, and whether by an overflow of its stack.
 *
 * Below every stack is a guard, so an overflow is a fault at an address in it; but all that a core
 * dump shows is a fault. The handler runs on an alternate stack, for the task's is full, and looks
 * whether the address is in the guard of the task that runs, or, where a frame was large enough to
 * jump over it, below. Whatever it finds, the fault then takes the course that it would have taken.
 *
 * Where no task runs, nobody knows where the stack ends: there a fault near the stack pointer is taken for an overflow.
 *
 * A guest has that by default, unless somebody else handles SIGSEGV: then it is left to them, who may
 * call tractor_dump_crash(), as the handler of an actor does. Whose handler asks for an alternate
 * stack, and has none in the guest's thread, gets one: without it, it could not run. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "overflow.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "frames.h"
#include "guest.h"
#include "raw-text.h"
#include "sigpipe.h"
#include "task.h"
#include "tractor-crash.h"

#define ALTERNATE_BYTES (64 * 1024)
/* How far below its stack a task is looked for that has jumped over the guard. */
#define MAX_JUMP_BYTES (16 * 1024 * 1024)
/* How far from the stack pointer a fault is taken for one of a stack whose end is not known. What is so near is there,
 * unless the stack ends. */
#define MAX_NEAR_BYTES (64 * 1024)

static struct sigaction before;
static pthread_key_t alternate_key;
static _Thread_local gboolean is_of_pool;

static const char *
get_stack_pointer (const ucontext_t *context)
{
#if defined(__x86_64__)
  return (const char *) context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
  return (const char *) context->uc_mcontext.sp;
#else
  (void) context;
  return NULL;
#endif
}

static gboolean
is_below (const Stack *stack, const char *address, gsize at_most)
{
  return address < stack->low && (gsize) (stack->low - address) <= at_most;
}

static gboolean
is_overflow (const Task *task, const siginfo_t *info, const ucontext_t *context)
{
  if (task == NULL || info->si_signo != SIGSEGV || info->si_code <= 0)
    return FALSE;
  return is_below (task->stack, info->si_addr, STACK_GUARD_BYTES) ||
         (is_below (task->stack, info->si_addr, MAX_JUMP_BYTES) &&
          is_below (task->stack, get_stack_pointer (context), MAX_JUMP_BYTES));
}

/* Outside any task. */
static gboolean
is_overflow_of_thread (const Task *task, const siginfo_t *info, const ucontext_t *context)
{
  gsize top = (gsize) get_stack_pointer (context);
  gsize address = (gsize) info->si_addr;

  if (task != NULL || top == 0 || info->si_signo != SIGSEGV || info->si_code <= 0)
    return FALSE;
  return address <= top ? top - address <= MAX_NEAR_BYTES : address - top < STACK_GUARD_BYTES;
}

static const Task *
get_running_task (void)
{
  TractorGuest *guest = tractor__current_guest;

  return guest != NULL ? guest->current : NULL;
}

void
tractor_dump_crash (int fd, const siginfo_t *info, const void *context)
{
  const Task *task = get_running_task ();
  gboolean holds_sigpipe = sigpipe_hold_back ();

  if (is_overflow (task, info, context)) {
    put_text (fd, "task '");
    put_text (fd, task->name);
    put_text (fd, "' has overflowed its stack of ");
    put_number (fd, task->stack->bytes / 1024);
    put_text (fd, " KiB: it needs tractor_nursery_spawn_with_stack() or "
                  "tractor_set_default_stack_size(), or is to do this elsewhere\n");
  } else if (task != NULL) {
    put_text (fd, "in task '");
    put_text (fd, task->name);
    put_text (fd, "'\n");
  } else if (is_overflow_of_thread (task, info, context)) {
    put_text (fd, is_of_pool ? "a thread of tractor_to_thread() has overflowed its stack\n"
                             : "outside any task, a thread has overflowed its stack\n");
  }
  tractor__put_interrupted_frames (fd, context);
  if (holds_sigpipe)
    sigpipe_release ();
}

static void
on_fault (int signal_number, siginfo_t *info, void *context)
{
  sigaction (SIGSEGV, &before, NULL);
  if (info->si_code <= 0) { /* sent by somebody: no instruction will fault again */
    raise (signal_number);  /* held back until this returns */
    return;
  }
  if (is_overflow (get_running_task (), info, context) ||
      is_overflow_of_thread (get_running_task (), info, context)) {
    gboolean holds_sigpipe =
        sigpipe_hold_back (); /* or that would be what has killed the process */

    put_text (STDERR_FILENO, "tractor: ");
    tractor_dump_crash (STDERR_FILENO, info, context);
    if (holds_sigpipe)
      sigpipe_release ();
  }
  /* The same instruction faults again, under the handler that was there before. */
}

/* --- on ----------------------------------------------------------------------------------------- */

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
  static gsize has_key;
  stack_t now;
  stack_t alternate = { .ss_size = ALTERNATE_BYTES };

  if (g_once_init_enter (&has_key)) {
    pthread_key_create (&alternate_key, free_alternate);
    g_once_init_leave (&has_key, 1);
  }

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

static void
install_handler (void)
{
  static gsize is_installed;

  if (g_once_init_enter (&is_installed)) {
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

    action.sa_sigaction = on_fault;
    sigemptyset (&action.sa_mask);
    tractor__load_unwinder ();
    sigaction (SIGSEGV, &action, &before);
    g_once_init_leave (&is_installed, 1);
  }
}

void
tractor_report_stack_overflows (void)
{
  install_handler ();
  give_thread_alternate ();
}

gboolean
tractor_is_reporting_stack_overflows (void)
{
  struct sigaction now;

  return sigaction (SIGSEGV, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
         now.sa_sigaction == on_fault && (before.sa_flags & SA_SIGINFO) == 0 &&
         before.sa_handler == SIG_DFL;
}

void
tractor__overflow_report_by_default (void)
{
  struct sigaction now;

  if (sigaction (SIGSEGV, NULL, &now) != 0)
    return;
  if (now.sa_handler == SIG_DFL)
    tractor_report_stack_overflows ();
  else if ((now.sa_flags & SA_ONSTACK) != 0)
    give_thread_alternate ();
}

void
tractor__overflow_watch_pool_thread (void)
{
  struct sigaction now;

  is_of_pool = TRUE;
  if (sigaction (SIGSEGV, NULL, &now) == 0 && (now.sa_flags & SA_ONSTACK) != 0)
    give_thread_alternate ();
}
