/* link-read.h - what comes in over a link. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "link.h"

/* Ends only with an error: the peer's, or CANCELLED. */
G_GNUC_INTERNAL gboolean tractor__link_read_until_end (Link *link, GError **error);
