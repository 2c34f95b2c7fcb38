/* link.h - one connection to another actor: its bytes, and the calls that are open on it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "actor-id.h"
#include "codec.h"
#include "frame.h"
#include "msg.h"
#include "runtime.h"
#include "tractor-channel.h"
#include "tractor-sync.h"

typedef struct _Link Link;
typedef struct _RpcTask RpcTask;

#define CID_BYTES 20

/* A call from here that waits for its outcome; on the caller's stack. */
typedef struct {
  char cid[CID_BYTES];
  TractorEvent *done;
  GVariant *result; /* (nullable) */
  GError *error;    /* (nullable) */
} Call;

typedef void (*LinkFunc) (Link *link, gpointer data);

struct _Link {
  guint refs;
  TractorRuntime *runtime;
  int fd;
  ActorId peer; /* who it is to be, and has to say it is */
  gboolean has_peer_aid;
  LinkFunc on_peer_aid; /* the peer has introduced itself; closure: @data */
  LinkFunc on_ack;      /* it has acknowledged our wish that it end */
  LinkFunc on_lost;     /* the connection has ended, and not by tractor__link_close() */
  gpointer data;

  WireBuffer *out;         /* frames that wait for the writer */
  TractorSender *doorbell; /* rung when there are any; NULL once closing */
  TractorReceiver *doorbell_out;
  TractorEvent *room; /* (nullable): senders that wait for @out to be taken */

  FrameReader reader;
  TractorFdWatch *watch;       /* while it runs */
  TractorNursery *nursery;     /* while it runs */
  TractorCancelScope *reading; /* while it reads */
  gboolean is_closing;         /* tractor__link_close() */
  gboolean is_to_parent;       /* who may end us */
  TractorEvent *ended;

  GHashTable *calls; /* cid -> Call */
  guint64 last_cid;
  char cancel_cid[CID_BYTES]; /* of our wish that the peer end, or empty */

  GHashTable *rpc_tasks;      /* cid -> RpcTask */
  TractorEvent *no_rpc_tasks; /* (nullable): somebody waits for that */
  char *stop_cid;             /* (nullable): of the peer's wish that we end */

  GError *read_failure; /* (nullable): why reading ended */
  GError *failure;      /* why it can be used no more; NULL while it can */
};

/* @fd: (transfer full): non-blocking. @peer: who is to be at the other end. */
G_GNUC_INTERNAL Link *tractor__link_new (TractorRuntime *runtime, int fd, const ActorId *peer);
G_GNUC_INTERNAL Link *tractor__link_ref (Link *link);
G_GNUC_INTERNAL void tractor__link_unref (Link *link);

/* A task's body (@data is the Link): reads, writes and serves until the connection ends. What is
 * open on it then stays open until tractor__link_fail(). */
G_GNUC_INTERNAL gboolean tractor__link_run (gpointer data, GError **error);
/* Ends a running link: what is queued is still written, within the patience for it. */
G_GNUC_INTERNAL void tractor__link_close (Link *link);
/* @failure: (transfer full): the outcome of every open and every future call. */
G_GNUC_INTERNAL void tractor__link_fail (Link *link, GError *failure);

/* After something has been appended to link->out. */
G_GNUC_INTERNAL void tractor__link_flush (Link *link);
/* Waits while too much is queued. */
G_GNUC_INTERNAL gboolean tractor__link_wait_for_room (Link *link, GError **error);
G_GNUC_INTERNAL void tractor__link_make_cid (Link *link, char cid[CID_BYTES]);
/* Asks the actor at the other end to end, and says how long it will be waited for. */
G_GNUC_INTERNAL void tractor__link_send_cancel (Link *link, gint64 patience_usec);

/* Cancels what runs here for the peer, on the wish of @canceller, and waits for its end. */
G_GNUC_INTERNAL void tractor__link_cancel_rpc_tasks (Link *link, const ActorId *canceller);
G_GNUC_INTERNAL gboolean tractor__link_wait_for_rpc_tasks (Link *link, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Link, tractor__link_unref)
