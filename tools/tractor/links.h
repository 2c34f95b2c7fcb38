/* links.h - the connections of an actor, and what is open on them, read from its memory. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "memory.h"
#include "tractor-debug-layout.h"

typedef struct {
  char *peer;      /* (nullable): its name */
  gint64 peer_pid; /* 0: not known */
  GPtrArray *
      asked; /* (element-type utf8): "module:function" that it runs for us, in the order of the alphabet */
  GPtrArray *served; /* (element-type utf8): that we run for it; likewise */
} ActorLink;

/* @layout: as the process has it; all 0: it does not say. Returns: (transfer full) (element-type ActorLink): the oldest
 * first. */
GPtrArray *links_read (Memory *memory, const TractorDebugLinks *layout);
