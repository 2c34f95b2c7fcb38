/* child-boot.h - what a process hears from its parent before it is an actor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "handshake.h"
#include "python-argv.h"
#include "tractor-actor.h"

typedef struct {
  const TractorModule *modules;
  gboolean is_of_python; /* its parent is a Python actor */
  int link_fd;
  gint64 patience_usec; /* with the parent, which is less each time that it is waited for */
  gboolean is_patient;  /* without end */
  Introduction parent;
  ActorId id;
  char *key; /* (nullable) */
  char **enabled_modules;
  char *host;
  char *log_level;
  char *debug;                 /* (nullable) */
  gboolean is_python_debugged; /* its Python parent is in debug mode */
  TractorLimits limits;
  guint depth;
  GPtrArray *registrars; /* (element-type Address) */
  GPtrArray *listen;     /* (element-type Address): empty: anywhere */
  gboolean uses_tcp;
  gboolean is_registered; /* by its parent */
  Address root;
  gboolean is_orphaned;
} Boot;

/* What fails here has said so on stderr. */

/* @value: of CHILD_VARIABLE. Returns: the socket to the parent, or -1. */
G_GNUC_INTERNAL int tractor__boot_take_link_fd (const char *value);
/* Connects to a Python parent. */
G_GNUC_INTERNAL gboolean tractor__boot_reach_python_parent (Boot *boot, PythonArgv *python);
/* Reads who the parent is. The time in which the parent is stopped does not count. */
G_GNUC_INTERNAL gboolean tractor__boot_read_introduction (Boot *boot);
/* Reads what this process is to be. One of our own parents is waited for as long as it lives; until SIGTERM, if that comes
 * first. */
G_GNUC_INTERNAL gboolean tractor__boot_read_spec (Boot *boot);
/* Whether this program has what it is to serve. */
G_GNUC_INTERNAL gboolean tractor__boot_check_modules (const Boot *boot);
/* @host: (nullable): the first. Returns: (nullable) */
G_GNUC_INTERNAL const TractorRunner *tractor__boot_find_runner (const TractorRunner *runners,
                                                                const char *host);
G_GNUC_INTERNAL void tractor__boot_clear (Boot *boot);
