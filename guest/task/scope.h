/* scope.h - the tree of cancel scopes. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "deadline.h"
#include "tractor-task.h"

typedef struct _Task Task;
typedef struct _TractorGuest TractorGuest;
typedef TractorCancelScope Scope;

#define SCOPE_REASON_BYTES 64

struct _TractorCancelScope {
  /* The tree. A scope is in it from open until it is left. */
  Scope *parent;
  Scope *first_child;
  Scope *previous_sibling;
  Scope *next_sibling;
  Task *first_task; /* those whose innermost scope this is */

  TractorGuest *guest;
  Task *owner; /* who opened it; NULL for the root scope */

  Deadline deadline;   /* armed while entered, not cancelled, and finite */
  gint64 deadline_at;  /* what the caller asked for */
  gboolean is_left;    /* out of the tree: kept only for its getters */
  gboolean is_nursery; /* embedded in a TractorNursery */
  gboolean shield;
  gboolean cancel_called;
  gboolean cancelled_caught;
  gboolean effective;         /* cancel_called, or a parent's effective that no shield hides */
  TractorCancelSource source; /* of cancel_called */

  /* (nullable): for how long the clock of the deadline has stood still; and what of that is in @deadline_at. */
  TractorStandstillFunc get_standstill;
  gint64 standstill_usec;

  const TractorScopeContent *content; /* (nullable) */
  gpointer content_data;
  GPtrArray *lost_failures; /* (nullable): of nurseries inside that were closed without a join */
  char reason[SCOPE_REASON_BYTES]; /* of cancel_called */
};

/* (nullable): of all scopes, from the root one on, each before those inside it. */
static inline const Scope *
scope_get_next (const Scope *scope)
{
  if (scope->first_child != NULL)
    return scope->first_child;
  while (scope != NULL && scope->next_sibling == NULL)
    scope = scope->parent;
  return scope != NULL ? scope->next_sibling : NULL;
}

/* Memory for a scope, from the guest's store and back. */
G_GNUC_INTERNAL Scope *tractor__scope_new (TractorGuest *guest);
G_GNUC_INTERNAL void tractor__scope_free (Scope *scope);
/* Enters @scope (zeroed memory) below the running task's innermost one, or below nothing. */
G_GNUC_INTERNAL void tractor__scope_enter (Scope *scope, TractorGuest *guest, Task *owner);
/* Takes it out of the tree; its tasks and scopes go to the parent. The owner is back in it. */
G_GNUC_INTERNAL void tractor__scope_leave (Scope *scope);
/* Moves an entered scope, with all inside it, below another one. */
G_GNUC_INTERNAL void tractor__scope_move (Scope *scope, Scope *parent);
/* Whether a CANCELLED that arrives at the scope's end is its own, and may be taken away (A46). */
G_GNUC_INTERNAL gboolean tractor__scope_may_absorb (Scope *scope);

G_GNUC_INTERNAL void tractor__scope_attach_task (Scope *scope, Task *task);
G_GNUC_INTERNAL void tractor__scope_detach_task (Task *task);

/* @reason: (nullable) */
G_GNUC_INTERNAL void
tractor__scope_cancel (Scope *scope, TractorCancelSource source, const char *reason);
/* Which one an effective scope's cancel comes from: itself, or one around it. */
G_GNUC_INTERNAL const Scope *tractor__scope_get_origin (const Scope *scope);
/* "Cancelled: reason", for whoever is cancelled inside @scope. */
G_GNUC_INTERNAL void tractor__scope_set_error (Scope *scope, GError **error);
