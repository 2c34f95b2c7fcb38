/* context.h - one side of a dialog, and the stream in it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "bounds.h"
#include "request.h"
#include "tractor-stream.h"

/* An item that has come and has not been taken. */
typedef struct _StreamItem StreamItem;

struct _TractorStream {
  TractorContext *context;
  gboolean is_open;       /* by this side, now or once */
  gboolean is_given_back; /* the program has closed it */
  TractorHold *hold;      /* (nullable): of one that owns its context, on the task that opened it */
  guint n_inside;         /* tasks in a call with it: so long it is there */
  gboolean sent_stop;     /* this side has closed it */
  gboolean got_stop;      /* nothing more comes */
  gboolean has_broken;    /* a send has failed because of that */
  gboolean is_one_way;    /* it owns its context */
  gboolean is_discarding; /* what comes is thrown away */

  StreamItem *first;
  StreamItem *last;
  Credit held; /* items that have come and that the peer does not know to be taken */
  Credit owed; /* of those: taken */
  gboolean allow_overruns;
  guint64 n_dropped;
  GError *overrun; /* (nullable): an item was lost, behind the last of those that are held */
  TractorBroadcaster *broadcaster; /* (nullable): while it is shared */
  gboolean is_shared;
  TractorParkingLot *receivers;

  Credit room;          /* at the peer, if it counts */
  guint64 n_sent;       /* items, ever */
  guint64 n_came;       /* items of the peer, ever */
  gsize overhead_bytes; /* of each frame */
  TractorParkingLot *senders;
};

struct _TractorContext {
  Request request; /* an opener's */
  RpcTask *task;   /* (nullable): an endpoint's */
  Link *link;
  const char *cid;
  const char *function;      /* (nullable): an endpoint's, or while it is being opened */
  char *asked_function;      /* (nullable): an opener's */
  char *payload_spec;        /* (nullable): anything */
  TractorCancelScope *scope; /* around the body, or the endpoint's task */

  gboolean is_closed;  /* by the program, or with its function */
  gboolean is_cleared; /* then, and nobody is in a call any more */
  gboolean is_kept;    /* for its stream, which the program still has */
  gboolean is_started;
  guint64 started_at;     /* where an endpoint has said so, in what the link sends */
  gboolean is_final;      /* the other end has ended */
  gboolean is_joined;     /* an opener's */
  gboolean cancel_called; /* by the opener */
  gboolean is_withdrawn;  /* because the body ended without the other end */
  GVariant *first;        /* (nullable) */
  GVariant *result;       /* (nullable) */
  GError *failure;        /* (nullable): of the other end, or of the link */
  TractorParkingLot *progress;
  TractorParkingLot *gathering; /* (nullable): where whoever opens several waits for them */

  TractorStream stream;
};

/* --- context.c --- */

/* Of an opener's request. */
extern G_GNUC_INTERNAL const RequestClass tractor__context_class;

/* (transfer full): an opener's side, which has no link yet. */
G_GNUC_INTERNAL TractorContext *tractor__context_new (const char *payload_spec);
/* (transfer full): the endpoint's side of a dialog that @task serves. @cid, @function: the task's. */
G_GNUC_INTERNAL TractorContext *tractor__context_new_endpoint (
    RpcTask *task, Link *link, const char *cid, const char *function, const char *payload_spec);
G_GNUC_INTERNAL void tractor__context_free (TractorContext *context);
/* The program has not closed the stream, and may do so yet. */
G_GNUC_INTERNAL void tractor__context_keep_stream (TractorContext *context);
/* The stream, which has outlived @context, is closed. */
G_GNUC_INTERNAL void tractor__context_free_rest (TractorContext *context);
/* Frees what nobody has any more of it: a task was in a call with the stream of a closed context. */
G_GNUC_INTERNAL void tractor__context_release (TractorContext *context);
/* (transfer none) (nullable): of payloads, as the spec has it. */
G_GNUC_INTERNAL const GVariantType *
tractor__context_get_payload_type (const TractorContext *context);
/* @failure: (transfer full): of the other end: for whoever waits for it, or else the body. */
G_GNUC_INTERNAL void tractor__context_set_failure (TractorContext *context, GError *failure);
/* Whether @failure is the other end's answer to a cancel by this opener, and by nothing else. */
G_GNUC_INTERNAL gboolean tractor__context_is_own_cancel (const TractorContext *context,
                                                         const GError *failure);
/* The other end has failed, and nobody waits who would hear of it. */
G_GNUC_INTERNAL void tractor__context_interrupt_body (TractorContext *context);

/* --- context-end.c --- */

/* Its scope is left, or being left. If nobody has joined it, its failure goes to what is around. */
G_GNUC_INTERNAL void tractor__context_end (gpointer context);

/* --- streams: both files ------------------------------------------------------------------------------ */

#define OTHER_END_CLOSED "The other end of the stream is closed"

/* What an item takes of a stream's room. Descriptors are dear: a process has few. */
static inline gint64
stream_weigh (gsize length, guint n_fds)
{
  return (gint64) length + (gint64) n_fds * WEIGHT_OF_FD_BYTES;
}

/* --- stream.c --- */

G_GNUC_INTERNAL void tractor__stream_init (TractorStream *stream, TractorContext *context);
G_GNUC_INTERNAL void tractor__stream_clear (TractorStream *stream);
/* A Yield, Stop or Credit. Returns: FALSE with PROTOCOL. */
G_GNUC_INTERNAL gboolean tractor__stream_deliver (TractorStream *stream,
                                                  const Msg *msg,
                                                  GError **error);
/* Whether one more item, of a peer that does not count, would be lost. */
G_GNUC_INTERNAL gboolean tractor__stream_is_full (const TractorStream *stream);
/* Takes away what of *@error says that the other end has closed it, in groups too. Returns: whether there
 * was any. */
G_GNUC_INTERNAL gboolean tractor__stream_strip_end (const TractorStream *stream, GError **error);
/* Whether @stream is there, and its context. Returns: FALSE with MISUSE if not. */
G_GNUC_INTERNAL gboolean tractor__stream_check_given (const TractorStream *stream, GError **error);
/* Tells whoever waits at it that something has changed. */
G_GNUC_INTERNAL void tractor__stream_wake (TractorStream *stream);
/* What has come and still comes is thrown away: its room is given back. */
G_GNUC_INTERNAL void tractor__stream_discard (TractorStream *stream);
/* Between these two, around each call that waits, the stream is there, though it may be closed. */
G_GNUC_INTERNAL void tractor__stream_enter (TractorStream *stream);
G_GNUC_INTERNAL void tractor__stream_leave (TractorStream *stream);
/* The same at the end of a call that was @ok. Returns: FALSE with @error set, by the call, or to CLOSED if the
 * stream is not to be used any more. */
G_GNUC_INTERNAL gboolean tractor__stream_end_call (TractorStream *stream,
                                                   gboolean ok,
                                                   GError **error);
/* Ends what tractor_stream_share() began. */
G_GNUC_INTERNAL void tractor__stream_unshare (TractorStream *stream);
/* A one-way stream's opener does not want it any more: its function is cancelled, if it has not ended. */
G_GNUC_INTERNAL void tractor__stream_close_one_way (gpointer stream);
/* Closes this side: what has come and still comes is thrown away. */
G_GNUC_INTERNAL void tractor__stream_end (TractorStream *stream);
