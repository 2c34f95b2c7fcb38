/* supervise.h - a child actor: its process, its link, and the task that watches over both. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "link.h"
#include "process.h"
#include "spawn-plan.h"

typedef struct _Child Child;

struct _Child {
  ActorId id; /* first: the runtime knows its children by it */
  guint refs;
  TractorRuntime *runtime;
  SpawnPlan *plan;
  TractorNursery *nursery;
  struct _Restarts *restarts;
  struct _Spares *spares; /* its nursery's: not owned */

  /* Of this life. */
  Process process;
  Link *link;
  gboolean connects_back;  /* it is to connect to us */
  TractorEvent *connected; /* (nullable): it has; or it will not any more */
  int words_fd;            /* a file: what it wrote while booting; then where it crashed */
  gint64 started_at;       /* by tractor__patience_now() */
  guint n_restarts;
  guint n_failed_starts; /* one after another */
  guint n_hung_starts;   /* among them */
  gboolean is_down;      /* between two lives */
  TractorParkingLot *up;

  /* Of its tree, while that is watched (tree.c). */
  TractorCancelScope *following; /* (nullable): of the task that does */
  gboolean is_followed;          /* in this life */
  gint64 asked_at;               /* if it is */
  gboolean is_known;             /* it has told of it, or will not */
  GVariant *below;               /* (nullable): as it was told last */

  TractorEvent *booted; /* or failed to: then @boot_failure is set */
  GError *boot_failure;
  TractorEvent *gone;

  TractorCancelScope *boot_scope; /* while it is waited for; its deadline is the boot's */
  TractorCancelScope *wait_scope; /* while it is watched; cancelling it ends the actor */
  TractorCancelScope *down_scope; /* while it waits to be started again */
  gboolean has_booted;
  gboolean cancel_requested;     /* its end is wanted, so it is no failure */
  gboolean is_killed;            /* it is not asked */
  gboolean has_acked;            /* it is at it */
  gboolean is_ended_for_restart; /* its end is wanted, but so is its next life */
  gboolean link_lost;            /* it closed its connection, or broke the protocol */
  gboolean has_resisted;         /* it was well when it was asked to end, and had to be made to */
};

/* --- spawn.c --- */

/* Starts the process. Returns: (transfer full): NULL with @error set. */
G_GNUC_INTERNAL Child *tractor__child_new (TractorRuntime *runtime,
                                           struct _Spares *spares,
                                           const char *name,
                                           const TractorSpawnOptions *options,
                                           GError **error);
/* What is to be there before @child is started again. Returns: FALSE with CANCELLED. Suspends, if anything has to be waited
 * for. */
G_GNUC_INTERNAL gboolean tractor__child_prepare_start_again (Child *child, GError **error);
/* Starts it, for the first time or after it has ended. */
G_GNUC_INTERNAL gboolean tractor__child_start (Child *child, GError **error);
G_GNUC_INTERNAL gboolean tractor__child_start_again (Child *child, GError **error);

/* (transfer none) (nullable): to the child of that name and uuid; NULL if it is none of ours. */
G_GNUC_INTERNAL Link *tractor__child_find_link (const TractorRuntime *runtime, const ActorId *id);

/* --- supervise.c --- */

/* Spawns the tasks that serve and watch it. */
G_GNUC_INTERNAL gboolean tractor__child_supervise (Child *child,
                                                   TractorNursery *nursery,
                                                   struct _Restarts *restarts,
                                                   GError **error);
G_GNUC_INTERNAL gboolean tractor__child_spawn_link (Child *child, GError **error);
/* Its connection is lost while it is watched. */
G_GNUC_INTERNAL void tractor__child_expect_end (Child *child);
/* Does not ask. */
G_GNUC_INTERNAL void tractor__child_kill (Child *child);
/* Ends it so that it can be started again. Returns: FALSE if it is not one of those. */
G_GNUC_INTERNAL gboolean tractor__child_end_for_restart (Child *child);
/* Asks it to end; the task that watches it sees to that. */
G_GNUC_INTERNAL void tractor__child_cancel (Child *child);

/* Somebody has connected: if it is a child that was to, it is given the connection, @fd: (transfer
 * full). Returns: whether it is. */
G_GNUC_INTERNAL gboolean tractor__child_adopt (TractorRuntime *runtime,
                                               int fd,
                                               Introduction *introduction);

/* They have been read. */
G_GNUC_INTERNAL void tractor__child_close_words (Child *child);
G_GNUC_INTERNAL Child *tractor__child_ref (Child *child);
G_GNUC_INTERNAL void tractor__child_unref (Child *child);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Child, tractor__child_unref)
