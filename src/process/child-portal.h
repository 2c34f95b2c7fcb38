/* child-portal.h - portals to children. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "portal.h"
#include "supervise.h"

/* (transfer full) */
G_GNUC_INTERNAL TractorPortal *tractor__child_portal_new (Child *child);
