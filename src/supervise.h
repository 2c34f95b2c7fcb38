/* supervise.h - a child actor: its process, its link, and the task that watches over both. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "link.h"
#include "process.h"

typedef struct _Child Child;

struct _Child {
  guint refs;
  TractorRuntime *runtime;
  ActorId id;
  Process process;
  Link *link;
  int boot_stderr_fd; /* a file with what it wrote while booting; -1 once booted */
  gint64 started_at;

  TractorEvent *booted; /* or failed to: then @boot_failure is set */
  GError *boot_failure;
  TractorEvent *gone;

  TractorCancelScope *boot_scope; /* while it is waited for; its deadline is the boot's */
  TractorCancelScope *wait_scope; /* while it is watched; cancelling it ends the actor */
  gboolean has_booted;
  gboolean cancel_requested; /* its end is wanted, so it is no failure */
  gboolean has_acked;        /* it is at it */
  gboolean link_lost;        /* it closed its connection, or broke the protocol */
};

/* Starts the process. Returns: (transfer full): NULL with @error set. */
G_GNUC_INTERNAL Child *tractor__child_new (TractorRuntime *runtime,
                                           const char *name,
                                           const TractorSpawnOptions *options,
                                           GError **error);
/* Spawns the tasks that serve and watch it. */
G_GNUC_INTERNAL gboolean tractor__child_supervise (Child *child,
                                                   TractorNursery *nursery,
                                                   GError **error);
/* Asks it to end; the task that watches it sees to that. */
G_GNUC_INTERNAL void tractor__child_cancel (Child *child);

/* Somebody has connected: if it is a child that was to, it is given the connection, @fd: (transfer
 * full). Returns: whether it is. */
G_GNUC_INTERNAL gboolean tractor__child_adopt (TractorRuntime *runtime,
                                               int fd,
                                               Introduction *introduction);

G_GNUC_INTERNAL Child *tractor__child_ref (Child *child);
G_GNUC_INTERNAL void tractor__child_unref (Child *child);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Child, tractor__child_unref)
