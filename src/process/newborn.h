/* newborn.h - a process that is about to be an actor, and does not know which. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "process.h"
#include "runtime.h"

/* What a process is asked for with, worked out of what somebody wants an actor to be started with. */
typedef struct {
  ProcessRequest process; /* it lacks a title, a link, and where its first words go */
  char *log;
  char *preload;
  const char **env;
} SpawnRequest;

typedef struct {
  Process process;
  int link_fd;            /* ours: the other end is the child's */
  int words_fd;           /* a file: its stderr, until it has booted */
  gboolean is_told_of_us; /* it has our introduction */
} Newborn;

/* (transfer full). @options: needed as long as what is made of them. */
G_GNUC_INTERNAL SpawnRequest tractor__spawn_request (const TractorSpawnOptions *options);
G_GNUC_INTERNAL void tractor__spawn_request_clear (SpawnRequest *self);

/* What is to be there before one is started with @options: (nullable). Returns: FALSE with CANCELLED. Suspends, if anything
 * has to be waited for. */
G_GNUC_INTERNAL gboolean tractor__newborn_prepare (TractorRuntime *runtime,
                                                   const TractorSpawnOptions *options,
                                                   GError **error);
/* Returns: FALSE as a SpawnMethod does, or with a G_FILE_ERROR or what tractor__socket_pair() says. */
G_GNUC_INTERNAL gboolean tractor__newborn_start (TractorRuntime *runtime,
                                                 const SpawnRequest *request,
                                                 const char *title,
                                                 Newborn *ret_newborn,
                                                 GError **error);
/* Says who we are, as all that can be said to it before it is known who it will be. Returns: FALSE if it does not listen. */
G_GNUC_INTERNAL gboolean tractor__newborn_introduce (Newborn *newborn, TractorRuntime *runtime);
/* Not its process. */
G_GNUC_INTERNAL void tractor__newborn_close_fds (Newborn *newborn);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SpawnRequest, tractor__spawn_request_clear)
