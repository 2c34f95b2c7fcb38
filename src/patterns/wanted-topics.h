/* wanted-topics.h - sets of topics, and how many subscribers want each. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-sync.h"

typedef struct {
  GHashTable *counts; /* topics, and how many feeds want each */
  TractorParkingLot *changed;
} WantedTopics;

G_GNUC_INTERNAL void tractor__wanted_topics_init (WantedTopics *wanted);
G_GNUC_INTERNAL void tractor__wanted_topics_clear (WantedTopics *wanted);
/* @by: 1 or -1, for each of @topics */
G_GNUC_INTERNAL void
tractor__wanted_topics_count (WantedTopics *wanted, GHashTable *topics, int by);
/* Returns: (transfer full): in order. */
G_GNUC_INTERNAL char **tractor__wanted_topics_list (const WantedTopics *wanted);

/* @list: (nullable): as a subscriber has sent it. Returns: (transfer full): a set; or NULL with
 * MSG_TYPE. */
G_GNUC_INTERNAL GHashTable *tractor__topics_read (GVariant *list, GError **error);
