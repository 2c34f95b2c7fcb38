/* debug-lock.h - an actor stops for the debugger: it asks for its turn, and waits. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <signal.h>

#include "actor-id.h"
#include "tractor-debug-layout.h"

/* From now on this process may stop. @prefix: of the broker's files. @actor: who it is. Returns: FALSE with a
 * G_FILE_ERROR. */
G_GNUC_INTERNAL gboolean tractor__debug_join (const char *prefix,
                                              const ActorId *actor,
                                              GError **error);
/* (nullable): what children are to join. */
G_GNUC_INTERNAL const char *tractor__debug_get_prefix (void);
/* Nobody of this process stops any more. */
G_GNUC_INTERNAL void tractor__debug_leave (void);
/* Whether anything stops. */
G_GNUC_INTERNAL gboolean tractor__debug_is_on (void);
/* Has the tasks of this process, and of all below it, shown. Returns: FALSE if nobody will do that. Async-signal-safe. */
G_GNUC_INTERNAL gboolean tractor__debug_ask_for_dump (void);
/* Whether a Python actor is to stop, which has no more modes than that. */
G_GNUC_INTERNAL gboolean tractor__debug_is_on_in_python (void);

/* Asks. @failure: which one it is of all that fail, or 0. Returns: a descriptor that is readable when it is the turn of this thread, or -1. Async-signal-safe. */
G_GNUC_INTERNAL int tractor__debug_ask (TractorDebugStopKind kind, guint64 failure);
/* Waits for the turn if it has not come, and then for what the debugger decides. @fd: (transfer full). Blocks the
 * thread. Returns: FALSE if this process did not see in time that it was its turn: it may ask again. Async-signal-safe. */
G_GNUC_INTERNAL gboolean tractor__debug_stop (int fd,
                                              const TractorDebugStop *stop,
                                              TractorDebugVerdict *ret_verdict);

/* Whether a thread of this process has stopped, or waits for its turn where nothing else can be done. Async-signal-safe. */
G_GNUC_INTERNAL gboolean tractor__debug_is_stopped (void);
/* @func: (nullable): is called when one has stopped no more; async-signal-safe. */
G_GNUC_INTERNAL void tractor__debug_set_after_stop (void (*func) (void));

/* For another actor, which has a debugger of its own (dialog/python-lock.c): asks for a turn of it. @process: 0: not
 * known. Returns: (transfer full): a descriptor that is readable when it is its turn, or -1. */
G_GNUC_INTERNAL int tractor__debug_ask_for (const char *actor, const char *task, pid_t process);

typedef enum {
  TURN_TAKEN,
  TURN_MISSED,  /* this process did not see in time that it was there */
  TURN_REFUSED, /* and there will be none */
} DebugTurn;

/* @fd: is readable. The turn lasts until tractor__debug_end_turn_for(). @news_fd: where one hears from whom it is for. */
G_GNUC_INTERNAL DebugTurn tractor__debug_take_turn_for (int fd, int news_fd);
/* @fd: (transfer full) */
G_GNUC_INTERNAL void tractor__debug_end_turn_for (int fd);

/* A debugger lets this process run, and will have it back at a breakpoint. Async-signal-safe. */
G_GNUC_INTERNAL gboolean tractor__debug_has_lock (void);
/* Stops at one, since it has the lock. */
G_GNUC_INTERNAL TractorDebugVerdict tractor__debug_trap (const TractorDebugStop *stop);

/* The process crashes by that signal: it stops first. Async-signal-safe. */
G_GNUC_INTERNAL void
tractor__debug_stop_for_crash (int number, const siginfo_t *info, const void *context);
/* @death: what is told of the end of the child @pid. If who looked at its crash has quit, nobody above is shown that. */
G_GNUC_INTERNAL void tractor__debug_note_death (const GError *death, pid_t pid);
/* A task, the running one, is about to end with @failure, which is not what a cancel does: it stops first. May
 * suspend. */
G_GNUC_INTERNAL void tractor__debug_stop_for_error (const GError *failure);
