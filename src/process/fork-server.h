/* fork-server.h - a process that has copies of itself made, each of which is an actor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "bounds.h"
#include "runtime.h"

/* --- fork-server.c: in who asks --- */

/* Whether every actor wants one. */
#define FORK_SERVER_VARIABLE "TRACTOR_FORK_SERVER"

/* Whether another one should be started before the next actor is. */
G_GNUC_INTERNAL gboolean tractor__fork_server_is_wanted (const TractorRuntime *runtime);
/* Starts it, and waits until it serves, or does not: then all is as without it. @env: what differs from our environment in
 * an actor that nobody has given any. Returns: FALSE with CANCELLED. Suspends */
G_GNUC_INTERNAL gboolean tractor__fork_server_provide (TractorRuntime *runtime,
                                                       const char *const *env,
                                                       GError **error);

/* --- fork-loop.c: in the server --- */

/* Serves, and ends with who asks. Returns: in each copy, which is what an actor is that has just been started by exec. */
G_GNUC_INTERNAL void tractor__fork_loop (void);

/* --- what they say to each other, over CHILD_LINK_FD --- */

/* In the server's environment, beside CHILD_VARIABLE: which of the two kinds of children it is. */
#define IS_FORK_SERVER_VARIABLE "TRACTOR_IS_FORK_SERVER"
/* A page that both have: the number of the last copy, written by the kernel as it is made. */
#define FORK_PAGE_FD 5

/* The first thing that the server says: that it serves, or why it cannot. */
#define FORK_MAX_OBSTACLE_BYTES 128

/* Descriptors of an actor: SCM_RIGHTS has room for some more. */
#define FORK_MAX_FDS 64

typedef struct {
  gint32 n_fds;
  gint32 there[FORK_MAX_FDS]; /* of the descriptors that come with it */
  char title[LIMIT_NAME_BYTES + 1];
} ForkRequest;

/* With it comes a pidfd. */
typedef struct {
  gint32 pid; /* or -1 */
  gint32 failed_errno;
} ForkAnswer;
