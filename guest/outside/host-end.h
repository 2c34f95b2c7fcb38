/* host-end.h - what the two sides of a link between a task and its host share. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "host-call.h"
#include "tractor-channel.h"
#include "tractor-host-link.h"
#include "tractor-sync.h"

struct _TractorHostEnd {
  guint n_refs;        /* of the link, of a call that is in line, of callers, of the host */
  TractorGuest *guest; /* (nullable): NULL: it was freed before its time */
  TractorHostEnd *next_of_guest;
  TractorHostEnd **link_of_guest; /* what points at us there */
  const TractorHostLinkOps *ops;
  gpointer data;
  TractorHostOutcome outcome;

  /* To the task. */
  TractorSender *sender;     /* NULL once the host's side is over */
  TractorReceiver *receiver; /* NULL once the task has left */
  gboolean wants_room;
  gboolean is_started;
  gpointer first;      /* until open has taken it */
  gpointer result;     /* until the task has left */
  GError *failure;     /* (nullable): of the host's side, or HOST_CANCELLED */
  GError *told;        /* (nullable): what calls of the task's side have returned of how it ended */
  TractorEvent *begun; /* started, or over */
  TractorEvent *over;
  TractorCancelScope *scope; /* (nullable): around what the task does inside the link */

  /* To the host. */
  GQueue sent;
  TractorHostStop reason;
  const GError *cause;     /* (nullable): borrowed from who leaves */
  gboolean is_left;        /* by the task, which may still wait for us */
  gboolean is_stop_called; /* and so @reason is known there */
  gboolean is_in_line;
  HostCall call;
};

/* Returns: (transfer full): one that is not started. */
G_GNUC_INTERNAL TractorHostEnd *
tractor__host_end_new (const TractorHostLinkOps *ops, gpointer data, guint capacity);
/* Has the host's callbacks called, after the tick, with what there is for them. */
G_GNUC_INTERNAL void tractor__host_end_serve_soon (TractorHostEnd *end);
/* The host's side has failed: so does what the task does inside the link, if it is. */
G_GNUC_INTERNAL void tractor__host_end_cancel_task (TractorHostEnd *end);
/* @guest is about to be freed: what its ends are told from now on is for nobody. */
G_GNUC_INTERNAL void tractor__host_ends_orphan (TractorGuest *guest);
/* Frees all that was for the task. */
G_GNUC_INTERNAL void tractor__host_end_drop_items (TractorHostEnd *end);

static inline gboolean
host_end_is_over (const TractorHostEnd *end)
{
  return tractor_event_is_set (end->over);
}
