/* peek.h - the tasks of an actor, read from its memory: nothing runs in it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "links.h"
#include "memory.h"
#include "tractor-debug-layout.h"
#include "tractor-task.h"

/* Why a process cannot be read. */
#define PEEK_ERROR (peek_error_quark ())
typedef enum {
  PEEK_ERROR_NOT_ALLOWED, /* the message says by what, and what to do */
  PEEK_ERROR_NO_ACTOR,    /* there is no such process, or the library is not in it */
  PEEK_ERROR_UNREADABLE
} PeekError;
GQuark peek_error_quark (void);

typedef struct _Peek Peek;

/* Returns: (transfer full): NULL with a PEEK_ERROR. */
Peek *peek_open (gint pid, GError **error);
void peek_free (Peek *peek);

/* --- which actor it is ----------------------------------------------------------------------------- */

typedef struct {
  gint pid;
  char *name;
} PeekChild;

typedef struct {
  char *name;
  char *uuid;
  gint parent_pid;     /* 0: it has no parent that is an actor */
  GPtrArray *children; /* (element-type PeekChild) */
  GPtrArray *links;    /* (element-type ActorLink) */
} PeekActor;

/* Returns: (transfer full) (nullable): NULL if it has tasks and no actor's runtime. */
PeekActor *peek_get_actor (Peek *peek);
void peek_actor_free (PeekActor *actor);
/* Returns: how many tasks there are, of all its guests. */
guint peek_count_tasks (Peek *peek);

/* What it has done since it was started; of an older library all is 0. */
typedef struct {
  guint64 n_steps; /* of its tasks */
  guint64 sent_bytes;
  guint64 received_bytes;
} PeekWork;

void peek_get_work (Peek *peek, PeekWork *ret_work);

/* --- its tasks ------------------------------------------------------------------------------------- */

/* As the layout has it. */
typedef enum {
  PEEK_RUNNABLE,
  PEEK_RUNNING,
  PEEK_WAITING,
  PEEK_ENDED
} PeekTaskState;

/* What is around a task, if it is more than a block: it has a deadline, is shielded or was cancelled. */
typedef struct {
  guint64 owner_id; /* the task that has opened it; 0: it is around all */
  guint64 owner_at;
  gint64 deadline; /* G_MAXINT64: none */
  gboolean is_shielded;
  gboolean cancel_called;
  TractorCancelSource source; /* of that; NONE also if it is not known */
  gboolean is_hidden;         /* by a shield inside it: it does not reach the task */
  gboolean
      is_librarys; /* a task of the library has opened it for its own sake, and nothing has come of it */
  char *reason;
} PeekScope;

/* Another actor, as it is known here. */
typedef struct {
  char *name;
  gint64 pid; /* 0: not known */
} PeekPeer;

typedef struct {
  guint64 id;
  char *name;
  PeekTaskState state;
  gboolean is_cancelled;
  char *waits_for; /* (nullable) */
  guint64 holder_at;
  guint64
      holder_id; /* of the task that has the lock that it waits for; 0: none, or it is not known */
  char *holder_name;   /* (nullable) */
  gint64 sleeps_until; /* 0: it does not sleep */
  GPtrArray *scopes;   /* (element-type PeekScope): the innermost first */
  GArray *frames;      /* (element-type guint64): the innermost first */
  gboolean is_cut;     /* there are more frames, or they could not be read */
  guint64 func;
  GPtrArray
      *awaited; /* (element-type PeekPeer): the actors that it waits for, as far as that is known */
  char *serves; /* (nullable): the call of another actor that it runs */
  PeekPeer *served; /* (nullable): that one */
} PeekTask;

/* Returns: (transfer full) (element-type PeekTask): in the order of their numbers. */
GPtrArray *peek_list_tasks (Peek *peek);
/* Whether stacks of tasks that wait can be read. */
gboolean peek_knows_stacks (const Peek *peek);

/* --- who waits for a debugger ---------------------------------------------------------------------- */

/* What is in *@ret_stop is as it was when it was opened, and its pointers are addresses there. Returns: whether anybody
 * waits. */
gboolean peek_get_stop (Peek *peek, TractorDebugStop *ret_stop);
/* Adds the calls of that thread to @frames (element-type guint64), as of a task's; where it has begun is not known. */
void peek_walk_stop (Peek *peek, GArray *frames);
/* What is to become of it. Returns: FALSE if it cannot be written. */
gboolean peek_set_verdict (Peek *peek, TractorDebugVerdict verdict);

/* --- memory ---------------------------------------------------------------------------------------- */

gboolean peek_read (Peek *peek, guint64 address, void *bytes, gsize length);
/* Returns: (transfer full) (nullable): what is there up to a NUL. */
char *peek_read_text (Peek *peek, guint64 address);

/* --- names ----------------------------------------------------------------------------------------- */

/* @is_return: @address is where a call returns to. What is in *@ret_place lives as long as @peek. */
void peek_describe (Peek *peek, guint64 address, gboolean is_return, PlaceInCode *ret_place);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Peek, peek_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PeekActor, peek_actor_free)
