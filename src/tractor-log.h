/* tractor-log.h - what the library tells of its actors, and how much of it.
 *
 * The environment variable TRACTOR_LOG says how much, in pieces between commas: a level for all parts, or
 * "part:level" for one, as in "info,link:debug". The levels are those of GLib: error, critical, warning, message,
 * info and debug. The parts:
 *
 *   link       connections to other actors: made, refused, ended, and what comes over them that nobody wants
 *   call       calls, contexts and streams, at both ends: begun, cancelled and by whom, ended and how
 *   supervise  the lives of actors: started, answering, told to end and by whom, signalled, ended, started again
 *   registry   where this actor listens, who is registered, and who was looked for
 *
 * Of each part that is told which is named there; else what tractor_log_set_spec() has said; else what is as
 * important as the log_level that this actor was started with; else everything if G_MESSAGES_DEBUG has "tractor"
 * or "all"; else "message" and what is more important. The actors that this one starts are told the
 * same. What is wrong in the variable is told on stderr, once; the rest of it counts.
 *
 * Each line is a structured message of the domain "tractor" (g_log_structured()), for the log writer of the
 * program, with the fields TRACTOR_PART, TRACTOR_PID, TRACTOR_ACTOR and TRACTOR_ACTOR_UUID, its name and uuid,
 * TRACTOR_TASK and TRACTOR_TASK_ID, the name and number of the running task, and GLib's own. Its text begins with
 * "[ACTOR PID TASK#NUMBER] PART: ", without PID where GLib's writers put that before the text (G_MESSAGES_PREFIXED).
 * Handlers of g_log_set_handler() do not see it. Where
 * g_log_writer_default_would_drop() says that GLib's writer drops it, it is also written to stderr, or
 * to the journal if stderr is that: so it is seen without G_MESSAGES_DEBUG. A program with a log writer that
 * shows "info" and "debug" by itself says so with g_log_set_debug_enabled (TRUE), and has them there alone.
 *
 * What else the library tells, of mistakes in calls to it and of what a program writes that is no actor, are
 * messages of the same domain by g_log(), with no such fields. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

/**
 * tractor_log_set_spec:
 * @spec: (nullable): as TRACTOR_LOG, which has the last word where it says something; NULL or "": nothing is said
 *
 * Says how much is to be told, in place of what was said here before: from now on in this process, and in the
 * actors that are started from now on, and below them. Those that run go on as they are.
 *
 * Returns: TRUE; or FALSE with @error set to MISUSE if a piece of it is not understood, and then nothing is changed.
 * Suspends: no. Thread: any.
 */
TRACTOR_API gboolean tractor_log_set_spec (const char *spec, GError **error);

G_END_DECLS
