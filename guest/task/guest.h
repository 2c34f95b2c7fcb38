/* guest.h - one guest: what a run of tasks hangs on. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "deadline.h"
#include "exceptions.h"
#include "fork.h"
#include "instrument.h"
#include "poller.h"
#include "run-queue.h"
#include "scope.h"
#include "stack.h"
#include "switch.h"
#include "tractor-host.h"

/* One call of tractor_guest_tick(), on the host's stack or on that of a task whose own call runs
 * a nested loop of the host: what its tasks return to. */
typedef struct _Tick Tick;
struct _Tick {
  Tick *outer;       /* the one below, that a task of it is running us in, or NULL */
  Task *interrupted; /* the task on whose stack we are, or NULL */
  Context context;   /* where to go back to */
  guint depth;       /* of the host's dispatching */
};

struct _TractorGuest {
  /* What every switch touches. */
  Task *current; /* on the processor; NULL on the host's stack */
#ifdef TRACTOR_ASAN
  Context *left; /* what the last switch came from */
#endif
  int *errno_location;    /* on the thread that it belongs to: asking for it is a call */
  Exceptions *exceptions; /* (nullable): the same, of C++ */
  Tick *tick;             /* the innermost, or NULL between ticks */
  gint steps_left;        /* until somebody looks at the clock */
  RunQueue run_queue;
  DeadlineHeap deadlines;
  StackPool stacks;
  guint n_tasks;
  guint64 last_task_id;

  Poller poller;

  const TractorHostOps *ops;
  gpointer host;
  gpointer thread_mark; /* the address of tractor__current_guest in the thread that it belongs to */
  gboolean tick_requested; /* the host knows that it is to tick */
  gboolean was_misused;    /* and it has been said */
  gboolean tick_again;     /* a tick was put off until this one ends */
  gint steps_per_look;     /* how many steps fit between two looks at the clock */
  gint64 looked_at;        /* when somebody last looked at the clock */
  gint64 polled_at;        /* and at the kernel */

  Instruments instruments;
  struct _Trace *trace; /* (nullable) */
  Scope root;           /* around the main task */
  GHashTable *locals;
  Scope *free_scopes;             /* linked by next_sibling */
  TractorNursery *free_nurseries; /* linked by next_free */

  TractorTaskFunc main;
  gpointer main_data;
  TractorRunEndedFunc ended; /* (nullable) */
  gboolean is_waiting;       /* as instruments know it */
  gboolean has_complained_of_locale;
  gboolean has_ticked; /* until then nothing has run that could be lost */
  gboolean main_ended;
  gboolean finished;
  gboolean *ret_finished; /* (nullable): where tractor_guest_shutdown() reads the same */
  GError *error;          /* of the main task */
  TractorDoneFunc done;
  gpointer done_data;

  /* Of the rooms above, whose headers say what is in it. */
  struct _AllBlocked *all_blocked;
  struct _Outside *outside;
  struct _Watchdog *watchdog; /* (nullable) */

  /* For debuggers (debug/layout.c). */
  TractorGuest *next_older;
  guint64 n_steps; /* that tasks have made; counted as often as somebody looks at the clock */
  const struct _TractorDebugActor *debug_actor; /* (nullable) */
};

/* Around each switch, for AddressSanitizer, which wants to know where it came from. */
static inline void
context_note_leaving (G_GNUC_UNUSED TractorGuest *guest, G_GNUC_UNUSED Context *from)
{
#ifdef TRACTOR_ASAN
  guest->left = from;
#endif
}

/* The first thing on a stack that was switched to. */
static inline __attribute__ ((always_inline)) void
context_arrived (G_GNUC_UNUSED Context *self, G_GNUC_UNUSED TractorGuest *guest)
{
#ifdef TRACTOR_ASAN
  __sanitizer_finish_switch_fiber (self->fake_stack, &guest->left->low, &guest->left->size);
#endif
}

/* A guest that is in a tick or a wait on this thread. A task never changes threads, so a compiler
 * that keeps this variable's address across a switch does no harm. */
extern _Thread_local TractorGuest *tractor__current_guest
    __attribute__ ((tls_model ("initial-exec"), visibility ("hidden")));

static inline gint64
guest_now (TractorGuest *guest)
{
  return G_UNLIKELY (guest->ops->now != NULL) ? guest->ops->now (guest->host)
                                              : g_get_monotonic_time ();
}

/* Whether we are in a copy of the process that it belongs to. */
static inline gboolean
guest_is_forked (const TractorGuest *guest)
{
  return G_UNLIKELY (guest->poller.fork_generation != tractor__fork_generation);
}

/* A thread-local variable has another address in each thread, and that is cheap to look at. */
static inline gboolean
guest_is_on_thread (const TractorGuest *guest)
{
  return guest->thread_mark == &tractor__current_guest;
}

/* For calls that cannot fail: complains, and says not to go on. */
static inline gboolean
guest_check_thread (const TractorGuest *guest)
{
  if (G_LIKELY (guest_is_on_thread (guest)))
    return TRUE;
  g_critical ("A guest is used from a thread that is not its own: use a token");
  return FALSE;
}

/* @error: (transfer full) (nullable): what the main task ended with. */
static inline void
guest_note_main_ended (TractorGuest *guest, GError *error)
{
  guest->main_ended = TRUE;
  guest->error = error;
}

/* Its main task has ended, or it is freed before. */
static inline void
guest_set_finished (TractorGuest *guest)
{
  guest->finished = TRUE;
  if (!guest_is_forked (guest))
    tractor__n_living_guests--;
}

/* Asks the host for a tick, unless it knows or one is running. */
static inline void
guest_request_tick (TractorGuest *guest)
{
  if (guest->tick != NULL || guest->tick_requested || guest->finished)
    return;
  guest->tick_requested = TRUE;
  guest->ops->schedule (guest->host, FALSE);
}
