/* tractor-discovery.h - other actors, found by their names.
 *
 * Every actor is known to the registrars of its tree by its name and where it listens, from before it
 * answers until it ends. Names need not be unique: asking for one gives the latest that took it.
 * Portals from here are connections of their own: dropping one closes it, and calls on it fail with
 * TRANSPORT_CLOSED when the other actor is gone. They own nobody: the actor lives in its own tree.
 *
 * What waits in one of these functions when the runtime is closed returns at once, with NO_RUNTIME. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-actor.h"

G_BEGIN_DECLS

/**
 * tractor_find_actor:
 * @name: a name or a uuid
 *
 * Connects to the actor of that name. An address where nobody is any more is struck off the registry.
 *
 * Returns: (transfer full) (nullable): the portal to it; NULL with @error unset if no registrar that
 *   can be reached knows it, or it is gone; or NULL with @error set to CANCELLED or NO_RUNTIME; to MISUSE
 *   if @name is not UTF-8; as by tractor_connect() if it is registered and could not be connected to; or to a
 *   G_FILE_ERROR if this process has no descriptor to ask with.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API TractorPortal *tractor_find_actor (const char *name, GError **error);

/**
 * tractor_find_actors:
 * @name: a name
 *
 * Connects to every actor of that name, known to any registrar.
 *
 * Returns: (transfer full) (element-type TractorPortal): the newest first; perhaps empty; frees its
 *   elements. NULL with @error set as by tractor_find_actor(), also if it is only one of them that could not
 *   be connected to.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API GPtrArray *tractor_find_actors (const char *name, GError **error);

/**
 * tractor_wait_for_actor:
 * @name: a name
 * @deadline: in usec: how long to wait for it; TRACTOR_NO_DEADLINE waits until cancelled
 *
 * Waits until an actor of that name is registered, and connects to it; also while no registrar can be
 * reached, for one may come back, and while who is registered cannot be connected to.
 *
 * Returns: (transfer full): the portal to it; or NULL with @error set to CANCELLED or NO_RUNTIME; to MISUSE
 *   if @name is not UTF-8; or, after @deadline, to ACTOR_TOO_SLOW, which says why it could not be connected to
 *   if it is registered, or to REGISTRY if no registrar could be reached then.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API TractorPortal *
tractor_wait_for_actor (const char *name, gint64 deadline, GError **error);

/**
 * TractorActorInfo:
 * @name: what it is called
 * @uuid: which one it is
 * @addresses: (array zero-terminated=1): where it listens, as tractor_connect() takes them
 */
typedef struct {
  char *name;
  char *uuid;
  char **addresses;
} TractorActorInfo;

/**
 * tractor_list_actors:
 * @name: (nullable): only those of this name; NULL: all
 *
 * What the registrars know, without connecting to anybody. An actor that several of them know is
 * listed once.
 *
 * Returns: (transfer full) (element-type TractorActorInfo): the oldest first; frees its elements. NULL
 *   with @error set to CANCELLED, REGISTRY if no registrar can be reached, NO_RUNTIME, or a G_FILE_ERROR if this
 *   process has no descriptor to ask with.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API GPtrArray *tractor_list_actors (const char *name, GError **error);

/**
 * tractor_connect:
 * @address: as for TractorRuntimeOptions.listen_addresses
 *
 * Connects to the actor that listens there.
 *
 * Returns: (transfer full): the portal to it; or NULL with @error set to CANCELLED, NO_RUNTIME,
 *   TRANSPORT_CLOSED if nobody is there, PROTOCOL if it is no actor, AUTH if it is not to be trusted, LIMIT
 *   if this process has its share of connections there (TractorLimits.connections), ACTOR_TOO_SLOW if it
 *   does not introduce itself within ten seconds, BUSY if too many others connect to it at once, MISUSE for a bad
 *   address, or a G_FILE_ERROR if this process has no descriptor for it.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API TractorPortal *tractor_connect (const char *address, GError **error);

/**
 * tractor_get_parent:
 *
 * Returns: (transfer full) (nullable): the portal to the actor that spawned this one; NULL in a root,
 *   and without a runtime.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorPortal *tractor_get_parent (void);

/**
 * tractor_find_root:
 *
 * Connects to the root of this actor's tree.
 *
 * Returns: (transfer full): the portal to it; or NULL with @error set as by tractor_connect(), or to
 *   REGISTRY if it is not known where the root is.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API TractorPortal *tractor_find_root (GError **error);

/* --- what is found without asking anybody -------------------------------------------------------- */

/**
 * tractor_dup_socket_directory:
 *
 * Where the actors of this user have their sockets that were not told where to listen: in XDG_RUNTIME_DIR, or in /tmp.
 *
 * Returns: (transfer full): its path; it need not be there.
 * Suspends: no. Thread: any.
 */
TRACTOR_API char *tractor_dup_socket_directory (void);

/**
 * tractor_socket_is_dead:
 * @path: (nullable): of a Unix socket
 *
 * Asks the kernel, and not whoever is behind it, who does not notice.
 *
 * Returns: whether it is a socket of this user, and nobody is behind it any more; in doubt there is somebody.
 * Suspends: no. Thread: any.
 */
TRACTOR_API gboolean tractor_socket_is_dead (const char *path);

/**
 * tractor_socket_remove_dead:
 * @path: of a Unix socket
 *
 * Takes away what an actor that was killed has left. The next root that starts does that for all in
 * tractor_dup_socket_directory(); this is for those who do not want to wait for one.
 *
 * Returns: TRUE; or FALSE with @error set to MISUSE if there is no such socket of this user, or somebody is behind it; to
 *   BUSY if other programs are just starting in its directory: try again in a moment; or to a G_FILE_ERROR.
 * Suspends: no. Thread: any.
 */
TRACTOR_API gboolean tractor_socket_remove_dead (const char *path, GError **error);

G_END_DECLS
