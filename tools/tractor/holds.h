/* holds.h - which actors of this user are held by the debugger of debug mode. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct {
  const char *why; /* "pause", "crash", "error" */
  gint64 usec;     /* for so long */
} Hold;

/* (transfer none) (nullable): of process @pid; as it was when this was asked for the first time. */
const Hold *holds_find (gint pid);
/* (transfer full): "pause, 41 s" */
char *hold_describe (const Hold *hold);
