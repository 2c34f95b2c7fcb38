/* link.h - one connection to another actor: its bytes, and what is open on it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "actor-id.h"
#include "cid-table.h"
#include "codec.h"
#include "frame.h"
#include "handshake.h"
#include "msg-skim.h"
#include "msg.h"
#include "runtime.h"
#include "tractor-sync.h"

typedef struct _Link Link;
typedef struct _Request Request;
typedef struct _RpcTask RpcTask;

#define CID_BYTES 32

typedef void (*LinkFunc) (Link *link, gpointer data);

/* What is done with what the peer asks of us, by whoever runs it: a link only reads and writes. */
typedef struct {
  /* Answers a Start, or starts what will. Returns: FALSE with PROTOCOL. */
  gboolean (*start) (Link *link, const Msg *msg, GError **error);
  /* Another message of a dialog that @task serves. Returns: FALSE with PROTOCOL. */
  gboolean (*deliver) (RpcTask *task, const Msg *msg, GError **error);
  /* Whether an item for it, of a peer that does not count, would be lost. */
  gboolean (*is_full) (const RpcTask *task);
  /* Whether the keyword arguments of a Start are not to be unpacked. */
  gboolean (*takes_packed) (Link *link, const Msg *start);
  /* The peer asks for nothing more. */
  void (*end) (Link *link);
} LinkServer;

struct _Link {
  guint refs;
  Link *next;             /* of those of the runtime, while it runs */
  Link **link_in_runtime; /* what points at us there */
  TractorRuntime *runtime;
  const LinkServer *server;
  int fd;
  ActorId peer;       /* who it is to be, and has to say it is */
  Identity *identity; /* (nullable): that it is who it says, as far as that is */
  gboolean has_peer_aid;
  gint64 peer_pid;           /* as it says */
  gboolean is_to_ours;       /* the peer understands our extensions */
  gboolean is_to_registrar;  /* the peer is one */
  LinkFunc on_peer_aid;      /* the peer has introduced itself; closure: @data */
  GPtrArray *peer_addresses; /* (nullable) (element-type Address): where it says that it listens */
  LinkFunc on_ack;           /* it has acknowledged our wish that it end */
  LinkFunc on_cancelled;     /* it ends because another actor wanted that */
  LinkFunc on_lost;          /* the connection has ended, and not by tractor__link_close() */
  LinkFunc on_read_end; /* nothing more comes, however that is; what runs for the peer still does */
  gpointer data;

  Credit peer_credit;      /* what it gives each stream of ours, if it counts */
  WireBuffer *out;         /* frames that wait for the writer */
  WireBuffer *urgent;      /* frames that overtake those */
  guint64 taken_bytes;     /* of @out, by the writer, ever */
  guint64 sent_bytes;      /* of those */
  guint64 introduction_at; /* where in them our introduction ends: nothing overtakes that */
  TractorParkingLot *idle; /* the writer, while there are none */
  gint64 written_at;       /* the last time */
  guint n_quick_writes;    /* in a row, each soon after another */
  gboolean is_ending;      /* it writes those that there are, and no more */
  TractorEvent *room;      /* (nullable): senders that wait for @out to be taken */

  FrameReader reader;
  Skim *skim;                  /* (nullable): of a frame that is too large */
  FdInbox fds;                 /* descriptors that have come */
  guint64 n_fd_batches;        /* that have gone */
  gboolean is_unix;            /* it can carry them */
  gboolean takes_fds;          /* and the peer takes them */
  TractorFdWatch *watch;       /* while it runs */
  TractorNursery *nursery;     /* while it runs */
  TractorCancelScope *reading; /* while it reads */
  gboolean is_handling;        /* what it has read: it is flushed after that */
  gint64 untaken_bytes;        /* of all streams */
  TractorEvent *taken;         /* (nullable): while it does not read, for a stream is full */
  gboolean has_waited_in_vain; /* for that, since something was taken last */
  gboolean is_closing;         /* tractor__link_close() */
  gboolean is_to_parent;       /* who may end us */
  TractorEvent *ended;

  CidTable requests;          /* ours */
  char cancel_cid[CID_BYTES]; /* of our wish that the peer end, or empty */

  CidTable rpc_tasks;         /* the peer's */
  TractorEvent *no_rpc_tasks; /* (nullable): somebody waits for that */
  char *stop_cid;             /* (nullable): of the peer's wish that we end */

  guint n_given_up;     /* requests whose outcome is still to come */
  GError *last_words;   /* (nullable): of the peer, before it closes the connection */
  GError *read_failure; /* (nullable): why reading ended */
  int read_errno;       /* what the system said, or 0: the peer has ended it, or what it sent has */
  GError *failure;      /* why it can be used no more; NULL while it can */
};

/* Returns: "ECONNRESET" */
G_GNUC_INTERNAL const char *tractor__errno_get_name (int error_number);

/* @fd: (transfer full). @peer: who is to be at the other end. */
G_GNUC_INTERNAL Link *
tractor__link_new (TractorRuntime *runtime, const LinkServer *server, int fd, const ActorId *peer);
G_GNUC_INTERNAL Link *tractor__link_ref (Link *link);
G_GNUC_INTERNAL void tractor__link_unref (Link *link);

/* Whoever is at the other end is link->peer. @key: (nullable): what it has told besides. Returns: FALSE with
 * AUTH if that is another. */
G_GNUC_INTERNAL gboolean tractor__link_claim_identity (Link *link, const char *key, GError **error);
/* Who is at the other end is known already; what it sent after that is taken over. */
G_GNUC_INTERNAL void tractor__link_take_introduction (Link *link, Introduction *introduction);

/* A task's body (@data is the Link): reads, writes and serves until the connection ends. What is
 * open on it then stays open until tractor__link_fail(). */
G_GNUC_INTERNAL gboolean tractor__link_run (gpointer data, GError **error);
/* Ends a running link: what is queued is still written, within the patience for it. */
G_GNUC_INTERNAL void tractor__link_close (Link *link);
/* @failure: (transfer full): the outcome of every open and every future request. */
G_GNUC_INTERNAL void tractor__link_fail (Link *link, GError *failure);

/* After something has been appended to link->out or link->urgent. */
G_GNUC_INTERNAL void tractor__link_flush (Link *link);
/* Where in all that is ever sent on @link what is appended to link->out now will end. */
static inline guint64
link_get_position (const Link *link)
{
  return link->taken_bytes + link->out->len;
}
/* (transfer none): where to write what is not to wait behind data, but not to come before our
 * introduction, nor before what was written up to @after. */
static inline WireBuffer *
link_get_urgent (Link *link, guint64 after)
{
  return link->sent_bytes >= MAX (after, link->introduction_at) ? link->urgent : link->out;
}
/* Whether streams on it are counted: then a slow receiver holds its sender back. */
G_GNUC_INTERNAL gboolean tractor__link_has_credit (const Link *link);
/* Waits while too much is queued. */
G_GNUC_INTERNAL gboolean tractor__link_wait_for_room (Link *link, GError **error);
/* A stream from a peer that does not count may have room again. */
G_GNUC_INTERNAL void tractor__link_read_on (Link *link);
G_GNUC_INTERNAL void tractor__link_make_cid (Link *link, char cid[CID_BYTES]);
/* Writes who we are: the first frame. */
G_GNUC_INTERNAL void tractor__link_introduce (Link *link);
/* The same, to a socket that has no link yet. @addresses: (nullable) */
G_GNUC_INTERNAL void tractor__runtime_write_introduction (const TractorRuntime *runtime,
                                                          WireBuffer *buffer,
                                                          const GPtrArray *addresses);
/* Asks the actor at the other end to end, and says how long it will be waited for. */
G_GNUC_INTERNAL void tractor__link_send_cancel (Link *link, gint64 patience_usec);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Link, tractor__link_unref)
