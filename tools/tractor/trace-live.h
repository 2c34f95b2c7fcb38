/* trace-live.h - actors that run are traced for a while. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "command.h"

/* Traces the tree that @pid belongs to, until Ctrl-C or for so long; @seconds: 0: no limit. What cannot be traced is told on
 * stderr. Returns: (transfer full) (element-type Ring): NULL with @error, and *@ret_status says what to end with. */
GPtrArray *trace_live (gint pid, double seconds, Status *ret_status, GError **error);
