/* spares.h - processes of an actor nursery that wait until somebody needs an actor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "newborn.h"

typedef struct _Spares Spares;

/* @nursery: which they are tasks' of; it is told when it is being left. */
G_GNUC_INTERNAL Spares *tractor__spares_new (TractorRuntime *runtime, TractorNursery *nursery);
/* After its nursery has been left. */
G_GNUC_INTERNAL void tractor__spares_free (Spares *self);

/* tractor_actor_nursery_prepare() */
G_GNUC_INTERNAL gboolean tractor__spares_prepare (Spares *self,
                                                  guint n,
                                                  const TractorSpawnOptions *options,
                                                  GError **error);
/* They are killed now, and there will be no others: the nursery has been joined, cancelled or closed. */
G_GNUC_INTERNAL void tractor__spares_end (Spares *self);

/* Whether a start may find one. */
G_GNUC_INTERNAL gboolean tractor__spares_wait (const Spares *self);
/* @ret_newborn: (out) (transfer full). Returns: FALSE if there is none that is what @request asks for. */
G_GNUC_INTERNAL gboolean tractor__spares_take (Spares *self,
                                               const ProcessRequest *request,
                                               Newborn *ret_newborn);
/* An actor of the nursery answers: those that are missing are made, when nothing else is to be done. */
G_GNUC_INTERNAL void tractor__spares_fill_up (Spares *self);
