/* feed.h - what a publisher has for one subscriber. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-topics.h"
#include "wanted-topics.h"

/* What each feed that wants it has in its queue. Counted. */
typedef struct {
  guint n_refs;
  GVariant *value; /* (topic, value) */
  GError *refusal; /* (nullable): why it cannot be sent */
  gboolean is_sent;
} FeedItem;

/* One subscriber. */
typedef struct {
  WantedTopics *wanted; /* of all feeds: its own are counted there until it is over */
  guint capacity;
  GList link;          /* in the publisher's feeds */
  GHashTable *topics;  /* a set */
  GQueue items;        /* (element-type FeedItem) */
  guint64 n_lost;      /* and not told yet */
  gboolean keeps_head; /* a gap before it has been told: what is lost now is behind it */
  guint n_in_turn;     /* sent without a turn of others */
  gboolean is_over;    /* nothing more will come: it is none of the publisher's feeds */
  GError *failure;     /* (nullable): why it is over */
  TractorParkingLot *news;
  TractorStream *stream;
  TractorCancelScope *scope; /* around its two tasks */
} Feed;

/* It waits longer than the caller keeps what is in it. @value: (transfer full): (topic, value) */
G_GNUC_INTERNAL FeedItem *tractor__feed_item_new (GVariant *value);
G_GNUC_INTERNAL void tractor__feed_item_unref (gpointer data);

/* @topics: (transfer full): a set. @capacity: how many items it may fall behind. */
G_GNUC_INTERNAL Feed *tractor__feed_new (WantedTopics *wanted, guint capacity, GHashTable *topics);
G_GNUC_INTERNAL void tractor__feed_free (Feed *feed);
/* Never waits: if it is full it loses its oldest item. */
G_GNUC_INTERNAL void tractor__feed_push (Feed *feed, FeedItem *item);
/* Nothing more will come: what is left is still sent. */
G_GNUC_INTERNAL void tractor__feed_end (Feed *feed);
/* Sends, and takes new lists of topics, until it is over or the subscriber has left. */
G_GNUC_INTERNAL gboolean tractor__feed_run (Feed *feed, TractorStream *stream, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (FeedItem, tractor__feed_item_unref)
