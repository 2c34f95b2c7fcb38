/* runtime.h - what this process is in the tree. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "actor-id.h"
#include "address.h"
#include "frame.h"
#include "identity.h"
#include "msg.h"
#include "tractor-actor.h"
#include "tractor-debug-layout.h"
#include "tractor-sync.h"

typedef struct _Link Link;
typedef struct _Registry Registry;
typedef struct _ForkServer ForkServer;

/* One that knows this actor (registration.c). */
typedef struct {
  TractorRuntime *runtime;
  Address address;
  Link *link;             /* (nullable): while it is connected */
  gboolean is_registered; /* and has to be taken out by hand */
  TractorEvent *tried;    /* set when the first attempt is over */
} Registrar;

/* Opening and closing suspend. */
typedef enum {
  RUNTIME_OPEN,
  RUNTIME_OPENING,
  RUNTIME_CLOSING, /* what it runs for others may still use it */
  RUNTIME_CLOSED   /* nothing may */
} RuntimeState;

/* Counted: a link looks at it as long as somebody has a dialog over that, though it may be closed. */
struct _TractorRuntime {
  guint refs;
  ActorId id;
  guint depth; /* 0: the root */
  RuntimeState state;
  TractorParkingLot *changed;
  GPtrArray *uses; /* (element-type RuntimeUse): not owned */
  TractorParkingLot *uses_ended;
  GPtrArray *nurseries; /* (element-type TractorActorNursery): those that are open; not owned */
  TractorParkingLot *nurseries_left;
  gboolean
      waits_for_nurseries; /* it was lent to those of other tasks, and whoever lent it is done */
  GPtrArray *children;  /* (element-type Child), each of which begins with its ActorId: not owned */
  guint64 tree_version; /* counts what happens to them, and below */
  TractorParkingLot *tree_changed;
  guint n_watches; /* of the tree */
  const struct _SpawnMethod *spawn_method;
  ForkServer *fork_server; /* (nullable): while there is one, it is the @spawn_method */
  gboolean wants_fork_server;
  gboolean has_no_fork_server; /* the program cannot have one */
  guint n_failed_fork_servers; /* in a row */
  guint64 last_cid;
  SpareRoom spare_room; /* of its links */
  TractorLimits limits;
  Credit credit; /* what we give each stream that we receive; 0: we count nothing */

  TractorNursery *nursery; /* of the task that has @services */
  TractorEvent *end_services;
  gboolean has_ended;       /* a root's; only its memory is there */
  TractorNursery *services; /* listeners, connections to peers, registrations */
  Link *first_link;         /* of those that run; not owned */
  guint n_links;
  guint n_half_open;      /* connections that have not introduced themselves */
  GHashTable *origins;    /* (element-type Origin): where they come from */
  GHashTable *identities; /* (element-type Identity): who is known here */
  Identity *identity;     /* our own */
  GPtrArray *listeners;
  GPtrArray *addresses;        /* (element-type Address): where it listens */
  gboolean is_without_address; /* by its own wish */
  Registry *registry;          /* (nullable): if it is a registrar */
  /* (nullable): what the registry does when a child answers, and when a link has ended. */
  void (*child_answers) (TractorRuntime *runtime, Link *link);
  void (*link_ended) (TractorRuntime *runtime, Link *link);
  GPtrArray *registrars; /* (element-type Registrar): others that know it */
  AddressKind transport; /* that was asked for; NONE: what suits */
  Address root;          /* where the root listens, if that is known */
  GArray *exit_callbacks;

  GHashTable *exports;          /* what peers may call here (exports.h) */
  TractorDispatchFunc dispatch; /* (nullable): for what is not there */
  gpointer dispatch_data;
  gboolean is_ending; /* nothing more is run for others */
  TractorEvent *stop; /* (nullable): set when it is to end; NULL: nobody outside says so */
  ActorId stopped_by; /* who, if it was an actor */
  GError *failure;    /* (nullable): why, if it has failed */

  TractorDebugActor debug_actor; /* what debuggers see of it */

  /* Of a child. */
  Link *parent;  /* (nullable): not owned */
  gint64 end_by; /* when it will be killed, by tractor__patience_now(), or 0 */
};

G_GNUC_INTERNAL TractorRuntime *tractor__runtime_ref (TractorRuntime *runtime);
/* All that it had is gone by then (actor.h). */
G_GNUC_INTERNAL void tractor__runtime_unref (TractorRuntime *runtime);

/* While a task is in one of the runtime's functions that wait: closing the runtime ends that. */
typedef struct {
  TractorRuntime *runtime; /* (nullable) */
  TractorCancelScope *scope;
} RuntimeUse;

/* Begins one, in a task that it has to be ended in. Returns: the runtime; NULL with NO_RUNTIME or CANCELLED,
 * and then it has to be ended too. */
G_GNUC_INTERNAL TractorRuntime *tractor__runtime_enter (RuntimeUse *use, GError **error);
/* @failure: (transfer full) (nullable): goes to @error; but if it was the closing, that says so */
G_GNUC_INTERNAL void tractor__runtime_leave (RuntimeUse *use, GError *failure, GError **error);

/* Ends all of them. */
G_GNUC_INTERNAL void tractor__runtime_end_uses (TractorRuntime *runtime);

/* The one of this run, or NULL with NO_RUNTIME. */
G_GNUC_INTERNAL TractorRuntime *tractor__runtime_get (GError **error);
/* Waits while another task opens or closes one. Returns: FALSE with CANCELLED. */
G_GNUC_INTERNAL gboolean tractor__runtime_wait_for_change (GError **error);
/* Makes @runtime the one of this run, or, NULL, makes it have none. */
G_GNUC_INTERNAL void tractor__runtime_set (TractorRuntime *runtime);
G_GNUC_INTERNAL void tractor__runtime_set_limits (TractorRuntime *runtime,
                                                  const TractorLimits *limits);
/* Something has happened to a child, or below it. */
G_GNUC_INTERNAL void tractor__runtime_tree_changed (TractorRuntime *runtime);
/* Whether it is the name and uuid of one. */
G_GNUC_INTERNAL gboolean tractor__runtime_has_child (const TractorRuntime *runtime,
                                                     const ActorId *id);
/* Whether what it starts is to be reachable over TCP too. */
G_GNUC_INTERNAL gboolean tractor__runtime_uses_tcp (const TractorRuntime *runtime);
