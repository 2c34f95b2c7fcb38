/* runtime.h - what this process is in the tree. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "actor-id.h"
#include "msg.h"
#include "process.h"
#include "tractor-actor.h"
#include "tractor-sync.h"

struct _TractorRuntime {
  ActorId id;
  guint depth; /* 0: the root */
  guint n_nurseries;
  gboolean is_lent; /* by the first nursery; closed with the last */
  guint n_children;
  const SpawnMethod *spawn_method;
  guint64 last_cid;
  Credit credit; /* what we give each stream that we receive; 0: we count nothing */

  /* Of a child. */
  const TractorModule *modules;
  char **enabled_modules; /* (nullable): all */
  TractorEvent *stop;     /* (nullable): somebody wants it to end */
  ActorId stopped_by;     /* who, if it was an actor */
  gint64 end_by;          /* when it will be killed, in usec, or 0 */
};

/* The one of this run, or NULL with NO_RUNTIME. */
G_GNUC_INTERNAL TractorRuntime *tractor__runtime_get (GError **error);
/* Makes @runtime the one of this run, or, NULL, makes it have none. */
G_GNUC_INTERNAL void tractor__runtime_set (TractorRuntime *runtime);
G_GNUC_INTERNAL void
tractor__runtime_init (TractorRuntime *runtime, const ActorId *id, guint depth);
G_GNUC_INTERNAL void tractor__runtime_clear (TractorRuntime *runtime);

/* (transfer none) (nullable): what a Start names here, if it is enabled. */
G_GNUC_INTERNAL const TractorExport *tractor__runtime_find_export (TractorRuntime *runtime,
                                                                   const Msg *start);
