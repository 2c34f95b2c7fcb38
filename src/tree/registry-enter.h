/* registry-enter.h - who may be entered in the table, and speak for whom. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "registry-table.h"

/* @speaker: (nullable): who says that it is the actor of @entry. Is it, as far as anybody can know? Returns:
 * FALSE with AUTH. */
G_GNUC_INTERNAL gboolean tractor__registry_check_may_speak (const Entry *entry,
                                                            const Link *speaker,
                                                            GError **error);
/* In doubt there is. */
G_GNUC_INTERNAL gboolean tractor__registry_is_somebody_at (const Address *address);
