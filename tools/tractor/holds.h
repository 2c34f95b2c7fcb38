/* holds.h - which actors of this user are held by the debugger of debug mode, and which wait to be. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct {
  const char *why; /* "pause", "crash", "error" */
  gint64 usec;     /* for so long */
} Hold;

/* What is told from now on is as it is now. What was told before ends. */
void holds_look_again (void);
/* (transfer none) (nullable): of process @pid. */
const Hold *holds_find (gint pid);
/* (transfer full): "pause, 41 s" */
char *hold_describe (const Hold *hold);
/* Whether process @pid has asked for a debugger while another one of its tree is held: it waits for its turn. */
gboolean holds_is_awaited_by (gint pid);
