/* launcher.h - private to hosts/glib/objects: what a child is started with. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-glib-objects.h"
#include "tractor.h"

/* (transfer full) */
G_GNUC_INTERNAL TractorGlibLauncher *tractor__launcher_copy (TractorGlibLauncher *self);
/* In a task: a nursery for one child, with as many restarts as the launcher says. */
G_GNUC_INTERNAL TractorActorNursery *tractor__launcher_open_nursery (TractorGlibLauncher *self,
                                                                     GError **error);
G_GNUC_INTERNAL TractorPortal *tractor__launcher_start (TractorGlibLauncher *self,
                                                        TractorActorNursery *nursery,
                                                        const char *name,
                                                        GError **error);
