/* context.h - one side of a dialog, and the stream in it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "request.h"
#include "tractor-stream.h"

/* An item that has come and has not been taken. */
typedef struct _StreamItem StreamItem;

struct _TractorStream {
  TractorContext *context; /* NULL once that is closed, of a stream that the program still has */
  gboolean is_open;        /* by this side, now or once */
  gboolean is_given_back;  /* the program has closed it */
  gboolean sent_stop;      /* this side has closed it */
  gboolean got_stop;       /* nothing more comes */
  gboolean has_broken;     /* a send has failed because of that */
  gboolean is_one_way;     /* it owns its context */
  gboolean is_discarding;  /* what comes is thrown away */

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
  gsize overhead_bytes; /* of each frame */
  TractorParkingLot *senders;
};

struct _TractorContext {
  Request request; /* an opener's */
  RpcTask *task;   /* (nullable): an endpoint's */
  Link *link;
  const char *cid;
  const char *function;      /* (nullable): an opener's, while it is being opened */
  char *payload_spec;        /* (nullable): anything */
  TractorCancelScope *scope; /* around the body, or the endpoint's task */

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

/* (transfer full): the endpoint's side of a dialog that @task serves. */
G_GNUC_INTERNAL TractorContext *tractor__context_new_endpoint (RpcTask *task,
                                                               Link *link,
                                                               const char *cid,
                                                               const char *payload_spec);
G_GNUC_INTERNAL void tractor__context_free (TractorContext *context);
/* The stream, which has outlived @context, is closed. */
G_GNUC_INTERNAL void tractor__context_free_rest (TractorContext *context);
/* (transfer none) (nullable): of payloads, as the spec has it. */
G_GNUC_INTERNAL const GVariantType *
tractor__context_get_payload_type (const TractorContext *context);
/* @failure: (transfer full): of the other end: for whoever waits for it, or else the body. */
G_GNUC_INTERNAL void tractor__context_set_failure (TractorContext *context, GError *failure);
/* Starts the opener's side, and waits for the acknowledgement, or for Started if @is_one_way is not
 * set. Returns: (transfer full). */
G_GNUC_INTERNAL TractorContext *tractor__context_open (Link *link,
                                                       const char *function,
                                                       GVariant *kwargs,
                                                       const TractorDialogOptions *options,
                                                       gboolean is_one_way,
                                                       GError **error);

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
/* Ends what tractor_stream_share() began. */
G_GNUC_INTERNAL void tractor__stream_unshare (TractorStream *stream);
/* Closes this side: what has come and still comes is thrown away. */
G_GNUC_INTERNAL void tractor__stream_end (TractorStream *stream);
