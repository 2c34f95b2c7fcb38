/* tractor-debug-layout.h - what a debugger, or a tool that looks at a process from outside, has to know of the library
 * in it: where its guests are, and where in them their scopes and tasks. Nothing of it is for the program itself. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

/**
 * TractorDebugLinks:
 * @first: (nullable): where the pointer to the first one is
 * @link_next: (of a link, which is a connection to another actor) pointer to the next one
 * @link_peer_name: pointer to the name of the other actor
 * @link_peer_pid: 64 bits: its process, as it says; 0: it has not said so
 * @link_asked: a table: what is asked of it, calls and contexts
 * @link_served: a table: what is run here for it
 * @table_buckets: (of a table) pointer to pointers to the first entries
 * @table_n_buckets: 32 bits: how many
 * @entry_next: (of an entry) pointer to the next one
 * @entry_owner: pointer to what is asked, or run
 * @asked_function: (of what is asked) pointer to its text
 * @served_function: (of what is run) likewise
 *
 * What is 32 bits wide here is how many bytes from its beginning the field is.
 */
typedef struct {
  gconstpointer first;
  guint32 link_next;
  guint32 link_peer_name;
  guint32 link_peer_pid;
  guint32 link_asked;
  guint32 link_served;
  guint32 table_buckets;
  guint32 table_n_buckets;
  guint32 entry_next;
  guint32 entry_owner;
  guint32 asked_function;
  guint32 served_function;
} TractorDebugLinks;

/**
 * TractorDebugActor:
 * @name: of the actor that a guest's tasks are
 * @uuid: likewise
 * @parent_pid: 0: it has no parent that is an actor
 * @child_name: (of a child) where the pointer to its name is, in bytes from its beginning
 * @child_pid: (of a child) where its process's number is, in 32 bits
 * @children: pointers to those that it has started, and that have not gone
 * @links: its connections to others
 * @sent_bytes: over all of them so far
 * @received_bytes: likewise
 * @asked_done: (of what is asked) where the pointer to the event is that is set at its end; an event begins with the line
 *   that tasks stand in, see wait_lot
 * @asked_receivers: (of a context that is asked for) where the pointer to the line is in which tasks wait for its items
 * @asked_senders: (of a context that is asked for) likewise for room
 * @served_scope: (of what is run) where the pointer to a scope is that the task has opened which runs it, or %NULL
 */
typedef struct _TractorDebugActor {
  const char *name;
  const char *uuid;
  gint64 parent_pid;
  guint32 child_name;
  guint32 child_pid;
  const GPtrArray *children;
  TractorDebugLinks links;
  guint64 sent_bytes;
  guint64 received_bytes;
  guint32 asked_done;
  guint32 asked_receivers;
  guint32 asked_senders;
  guint32 served_scope;
} TractorDebugActor;

/**
 * TractorDebugSwitch:
 * @TRACTOR_DEBUG_SWITCH_UNKNOWN: what a suspended task has on its stack cannot be told
 * @TRACTOR_DEBUG_SWITCH_X86_64: from its stack pointer upwards: floating-point control words, r12, r13, r14, r15, rbx,
 *   rbp, and the address where it goes on
 * @TRACTOR_DEBUG_SWITCH_AARCH64: from its stack pointer upwards: x19 to x28, x29, x30 (at 88: where it goes on), d8 to
 *   d15, and the floating-point control word; 176 bytes in all
 */
typedef enum {
  TRACTOR_DEBUG_SWITCH_UNKNOWN,
  TRACTOR_DEBUG_SWITCH_X86_64,
  TRACTOR_DEBUG_SWITCH_AARCH64
} TractorDebugSwitch;

/**
 * TractorDebugStopKind:
 * @TRACTOR_DEBUG_STOP_NONE: no debugger is waited for
 * @TRACTOR_DEBUG_STOP_PAUSE: tractor_pause()
 * @TRACTOR_DEBUG_STOP_CRASH: a signal that the process will end by
 * @TRACTOR_DEBUG_STOP_ERROR: a task has failed
 */
typedef enum {
  TRACTOR_DEBUG_STOP_NONE,
  TRACTOR_DEBUG_STOP_PAUSE,
  TRACTOR_DEBUG_STOP_CRASH,
  TRACTOR_DEBUG_STOP_ERROR
} TractorDebugStopKind;

/**
 * TractorDebugVerdict:
 * @TRACTOR_DEBUG_CONTINUE: it goes on
 * @TRACTOR_DEBUG_QUIT: what paused is cancelled; of what failed or crashed, nobody above is told by a debugger
 * @TRACTOR_DEBUG_ABANDON: the same, and the whole tree is ended
 */
typedef enum {
  TRACTOR_DEBUG_CONTINUE,
  TRACTOR_DEBUG_QUIT,
  TRACTOR_DEBUG_ABANDON
} TractorDebugVerdict;

/**
 * TractorDebugStop:
 * @kind: a #TractorDebugStopKind: of the thread that waits for a debugger
 * @tid: of that thread
 * @task_id: of the task that it runs, or 0
 * @signal_number: (CRASH) and
 * @signal_code: its si_code
 * @address: and si_addr
 * @text: (nullable): (ERROR) what the task has failed with
 * @verdict: a #TractorDebugVerdict, which the debugger sets
 * @go: which it sets if the thread is to go on while it stays attached
 * @error_at: (nullable): (PAUSE) where tractor_pause() was given to leave an error
 * @quit_error_at: (PAUSE) where there is one for that, which the debugger takes away if it uses it
 */
typedef struct {
  guint32 kind;
  gint32 tid;
  guint64 task_id;
  gint32 signal_number;
  gint32 signal_code;
  guint64 address;
  const char *text;
  guint32 verdict;
  guint32 go;
  GError **error_at;
  GError **quit_error_at;
} TractorDebugStop;

/**
 * TractorDebugLayout:
 * @magic: "TRACTOR"
 * @version: 1. What is here stays where it is as long as that is 1; what is new comes at the end
 * @layout_bytes: of this struct, as the process has it
 * @guests: (nullable): the newest guest of the process, and its first field that is looked at is @guest_next
 * @switch_kind: a #TractorDebugSwitch
 * @guest_next: (of a guest) pointer to the next older one
 * @guest_actor: (of a guest) pointer to a #TractorDebugActor, or %NULL if it has no actors
 * @guest_current: (of a guest) pointer to the task that has the processor, or %NULL
 * @guest_root: (of a guest) the scope around its main task, itself
 * @guest_n_tasks: (of a guest) 32 bits
 * @scope_parent: (of a scope) pointer
 * @scope_first_child: (of a scope) pointer
 * @scope_next_sibling: (of a scope) pointer
 * @scope_first_task: (of a scope) pointer to the first of the tasks whose innermost scope it is
 * @scope_owner: (of a scope) pointer to the task that has opened it; %NULL for the root scope
 * @scope_deadline: (of a scope) 64 bits: by CLOCK_MONOTONIC, in usec; the largest: none
 * @scope_is_nursery: (of a scope) 32 bits
 * @scope_shield: (of a scope) 32 bits
 * @scope_cancel_called: (of a scope) 32 bits
 * @scope_effective: (of a scope) 32 bits: what is in it is cancelled, by it or by one around it
 * @scope_reason: (of a scope) text: why its cancel was called
 * @scope_reason_bytes: and how long that may be
 * @task_sp: (of a task) its stack pointer while it does not run
 * @task_scope: (of a task) pointer to the innermost scope
 * @task_state: (of a task) 8 bits: 0 runnable, 1 running, 2 waiting, 3 ended
 * @task_waiting_for: (of a task) pointer to text, if it is waiting
 * @task_wait: (of a task) pointer to what it waits in, if it is waiting; for "sleep", see @sleep_until
 * @task_next_in_scope: (of a task) pointer
 * @task_nursery: (of a task) pointer to the nursery that it lives in, which begins with its scope; %NULL: the main task
 * @task_func: (of a task) its function
 * @task_stack: (of a task) pointer to a stack
 * @task_id: (of a task) 64 bits: counts from 1
 * @task_name: (of a task) text
 * @task_name_bytes: and how long that may be
 * @stack_low: (of a stack) pointer to its lowest usable byte
 * @stack_size: (of a stack) 64 bits: its usable bytes
 * @sleep_until: (of what a task waits in that sleeps) 64 bits, as @scope_deadline
 * @guest_tick: (of a guest) pointer to its innermost tick, or %NULL if it is in none
 * @guest_looked_at: (of a guest) 64 bits: when it last looked at its clock
 * @guest_ops: (of a guest) pointer to its host's functions
 * @ops_now: (of those) pointer to a clock that it has instead of CLOCK_MONOTONIC, or %NULL
 * @tick_outer: (of a tick) pointer to the one below it, or %NULL
 * @tick_interrupted: (of a tick) pointer to the task on whose stack it is, or %NULL: on the host's
 * @tick_sp: (of a tick) the stack pointer of what it is on, while a task of it runs; as @task_sp
 * @scope_source: (of a scope) 32 bits: a #TractorCancelSource
 * @stop: itself: who waits for a debugger, if anybody
 * @trap: (nullable): a function that is called when there is a new @stop while a debugger is attached
 * @crash_context: (nullable): (@stop is a CRASH) pointer to the ucontext_t of that thread as the signal found it
 * @actor_bytes: of a #TractorDebugActor, as the process has it
 * @origins: (nullable): (@stop is an ERROR) text: where what it has failed with was made, as far as that was noted
 * @guest_steps: (of a guest) 64 bits: how many steps its tasks have made, not counting the last few
 * @wait_lot: (of what a task waits in for "lock" or "condition") pointer to the line that it stands in
 * @lot_holder: (of such a line) pointer to the task that has the lock, or %NULL
 *
 * What is 32 bits wide here, of a guest, a scope, a task or a stack, is how many bytes from its beginning the field is.
 * All is readable without debug information, also in what is left of a process in a core file.
 */
typedef struct {
  char magic[8];
  guint32 version;
  guint32 layout_bytes;
  struct _TractorGuest *guests;
  guint32 switch_kind;

  guint32 guest_next;
  guint32 guest_actor;
  guint32 guest_current;
  guint32 guest_root;
  guint32 guest_n_tasks;

  guint32 scope_parent;
  guint32 scope_first_child;
  guint32 scope_next_sibling;
  guint32 scope_first_task;
  guint32 scope_owner;
  guint32 scope_deadline;
  guint32 scope_is_nursery;
  guint32 scope_shield;
  guint32 scope_cancel_called;
  guint32 scope_effective;
  guint32 scope_reason;
  guint32 scope_reason_bytes;

  guint32 task_sp;
  guint32 task_scope;
  guint32 task_state;
  guint32 task_waiting_for;
  guint32 task_wait;
  guint32 task_next_in_scope;
  guint32 task_nursery;
  guint32 task_func;
  guint32 task_stack;
  guint32 task_id;
  guint32 task_name;
  guint32 task_name_bytes;

  guint32 stack_low;
  guint32 stack_size;

  guint32 sleep_until;

  guint32 guest_tick;
  guint32 guest_looked_at;
  guint32 guest_ops;
  guint32 ops_now;
  guint32 tick_outer;
  guint32 tick_interrupted;
  guint32 tick_sp;
  guint32 scope_source;

  TractorDebugStop stop;
  gpointer trap;
  gconstpointer crash_context;
  guint32 actor_bytes;
  const char *origins;
  guint32 guest_steps;
  guint32 wait_lot;
  guint32 lot_holder;
} TractorDebugLayout;

/**
 * tractor_debug_1: (skip)
 *
 * The layout of the library in this process, by a name that a debugger finds in a stripped one.
 */
TRACTOR_API TractorDebugLayout tractor_debug_1;

/**
 * tractor_run_set_debug_actor: (skip)
 * @actor: (nullable) (transfer none): what the tasks of this run are; it stays the caller's, who may change it, and calls
 *   this with %NULL before it is freed
 *
 * Has whoever looks at the process see that a run is an actor's. The library does this itself for a runtime.
 *
 * Suspends: no. Thread: guest, in a task or on the host's stack during a tick.
 */
TRACTOR_API void tractor_run_set_debug_actor (const TractorDebugActor *actor);

G_END_DECLS
