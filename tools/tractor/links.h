/* links.h - the connections of an actor, and what is open on them, read from its memory. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "memory.h"
#include "tractor-debug-layout.h"

/* Something that is open: by what a task is found that waits for it, or runs it. Each is an address, or 0. */
#define LINK_N_LINES 3
typedef struct {
  char *name;                  /* "module:function" */
  guint64 name_at;             /* a wait for it may have that name */
  guint64 lines[LINK_N_LINES]; /* (asked) which tasks wait in */
  guint64 scope;               /* (served) of the task that runs it */
} LinkOpen;

typedef struct {
  char *peer;       /* (nullable): its name */
  gint64 peer_pid;  /* 0: not known */
  GPtrArray *asked; /* (element-type LinkOpen): what it runs for us, in the order of the alphabet */
  GPtrArray *served; /* (element-type LinkOpen): that we run for it; likewise */
} ActorLink;

/* @actor: as the process has it; what is 0 it does not say. Returns: (transfer full) (element-type ActorLink): the oldest
 * first. */
GPtrArray *links_read (Memory *memory, const TractorDebugActor *actor);
