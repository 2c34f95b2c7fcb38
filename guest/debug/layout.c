/* layout.c - what a debugger has to know to find every task of a process, without debug information.
 *
 * One exported variable, in initialized data: it survives strip, is in every core, and needs no relocation but that of
 * one pointer. Whoever reads it does so while the process is stopped, or is ready for what changes meanwhile; the
 * process itself only keeps the list of its guests, under a lock that is taken when one comes or goes, never by readers.
 * A copy of the process (fork) has the list as it was, as it has the guests. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "layout.h"

#include <pthread.h>
#include <stddef.h>

#include "guest.h"
#include "parking-lot.h"
#include "task.h"

#if defined(TRACTOR_SWITCH_ASM) && defined(__x86_64__)
#define SWITCH_KIND TRACTOR_DEBUG_SWITCH_X86_64
#elif defined(TRACTOR_SWITCH_ASM) && defined(__aarch64__)
#define SWITCH_KIND TRACTOR_DEBUG_SWITCH_AARCH64
#else
#define SWITCH_KIND TRACTOR_DEBUG_SWITCH_UNKNOWN
#endif

TractorDebugLayout tractor_debug_1 = {
  .magic = "TRACTOR",
  .version = 1,
  .layout_bytes = sizeof (TractorDebugLayout),
  .switch_kind = SWITCH_KIND,

  .guest_next = offsetof (TractorGuest, next_older),
  .guest_actor = offsetof (TractorGuest, debug_actor),
  .guest_current = offsetof (TractorGuest, current),
  .guest_root = offsetof (TractorGuest, root),
  .guest_n_tasks = offsetof (TractorGuest, n_tasks),

  .scope_parent = offsetof (Scope, parent),
  .scope_first_child = offsetof (Scope, first_child),
  .scope_next_sibling = offsetof (Scope, next_sibling),
  .scope_first_task = offsetof (Scope, first_task),
  .scope_owner = offsetof (Scope, owner),
  .scope_deadline = offsetof (Scope, deadline_at),
  .scope_is_nursery = offsetof (Scope, is_nursery),
  .scope_shield = offsetof (Scope, shield),
  .scope_cancel_called = offsetof (Scope, cancel_called),
  .scope_effective = offsetof (Scope, effective),
  .scope_reason = offsetof (Scope, reason),
  .scope_reason_bytes = SCOPE_REASON_BYTES,

  .task_sp = offsetof (Task, context.sp),
  .task_scope = offsetof (Task, scope),
  .task_state = offsetof (Task, state),
  .task_waiting_for = offsetof (Task, waiting_for),
  .task_wait = offsetof (Task, abort_data),
  .task_next_in_scope = offsetof (Task, next_in_scope),
  .task_nursery = offsetof (Task, nursery),
  .task_func = offsetof (Task, func),
  .task_stack = offsetof (Task, stack),
  .task_id = offsetof (Task, id),
  .task_name = offsetof (Task, name),
  .task_name_bytes = TASK_NAME_BYTES,

  .stack_low = offsetof (Stack, low),
  .stack_size = offsetof (Stack, size),

  .sleep_until = offsetof (Deadline, when), /* a Sleep begins with it */

  .guest_tick = offsetof (TractorGuest, tick),
  .guest_looked_at = offsetof (TractorGuest, looked_at),
  .guest_ops = offsetof (TractorGuest, ops),
  .ops_now = offsetof (TractorHostOps, now),
  .tick_outer = offsetof (Tick, outer),
  .tick_interrupted = offsetof (Tick, interrupted),
  .tick_sp = offsetof (Tick, context.sp),
  .scope_source = offsetof (Scope, source),

  .actor_bytes = sizeof (TractorDebugActor),
  .guest_steps = offsetof (TractorGuest, n_steps),
  .wait_lot = offsetof (Parked, lot),
  .lot_holder = offsetof (ParkingLot, holder),
};

/* What a debugger writes to, and tools/debugger/session.py knows by its place. */
G_STATIC_ASSERT (offsetof (TractorDebugLayout, stop) == 192);
G_STATIC_ASSERT (sizeof (TractorDebugStop) == 64);
G_STATIC_ASSERT (offsetof (TractorDebugLayout, trap) == 256);
G_STATIC_ASSERT (offsetof (TractorDebugLayout, origins) == 280);
G_STATIC_ASSERT (offsetof (TractorDebugLayout, wait_lot) == 292); /* and tools/gdb/tractor-gdb.py */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A copy must not begin with a lock that a thread has which it does not have. */
static void
take_lock (void)
{
  pthread_mutex_lock (&lock);
}

static void
give_lock (void)
{
  pthread_mutex_unlock (&lock);
}

static void
watch_forks (void)
{
  pthread_atfork (take_lock, give_lock, give_lock);
}

void
tractor__debug_layout_add (TractorGuest *guest)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, watch_forks);
  pthread_mutex_lock (&lock);
  guest->next_older = tractor_debug_1.guests;
  tractor_debug_1.guests = guest;
  pthread_mutex_unlock (&lock);
}

void
tractor__debug_layout_remove (TractorGuest *guest)
{
  TractorGuest **link = &tractor_debug_1.guests;

  pthread_mutex_lock (&lock);
  while (*link != NULL && *link != guest)
    link = &(*link)->next_older;
  if (*link != NULL)
    *link = guest->next_older;
  pthread_mutex_unlock (&lock);
}

void
tractor_run_set_debug_actor (const TractorDebugActor *actor)
{
  g_return_if_fail (tractor__current_guest != NULL);

  tractor__current_guest->debug_actor = actor;
}
