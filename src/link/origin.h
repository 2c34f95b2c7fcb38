/* origin.h - where a connection comes from: the process at its other end. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>
#include <sys/types.h>

/* One for each process, so that they are compared by pointer; and one for all that comes over TCP. */
typedef struct {
  guint refs;
  GHashTable *table;
  pid_t pid;           /* 0: not known, as over TCP, or from another pid namespace */
  guint64 serial;      /* which no other process ever has; 0: not known */
  guint n_connections; /* what it has of us: that it has made, */
  guint n_half_open;   /* of those, without having said who it is, */
  guint n_entries;     /* and of the registry */
} Origin;

/* (transfer full): (element-type Origin): those that there are. */
G_GNUC_INTERNAL GHashTable *tractor__origins_new (void);
/* (transfer full): of who is at the other end of a connected socket. */
G_GNUC_INTERNAL Origin *tractor__origin_of_socket (GHashTable *origins, int fd);
/* (transfer full): of a process that is known otherwise. */
G_GNUC_INTERNAL Origin *tractor__origin_of_process (GHashTable *origins, pid_t pid, int pidfd);
/* (transfer full): of this process. */
G_GNUC_INTERNAL Origin *tractor__origin_of_self (GHashTable *origins);
G_GNUC_INTERNAL Origin *tractor__origin_ref (Origin *origin);
G_GNUC_INTERNAL void tractor__origin_unref (Origin *origin);

/* Whether it is one process, and not just anybody on this machine. */
static inline gboolean
origin_is_process (const Origin *origin)
{
  return origin->pid != 0 || origin->serial != 0;
}

/* Whether the process has ended. Returns: FALSE if that cannot be known. */
G_GNUC_INTERNAL gboolean tractor__origin_is_dead (const Origin *origin);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Origin, tractor__origin_unref)
