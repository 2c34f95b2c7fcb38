/* nursery.h - places for tasks to live in. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "scope.h"
#include "tractor-task.h"

struct _TractorNursery {
  Scope scope; /* first; around the body and the children */
  guint n_children;
  Task *joiner;        /* the owner, while it waits for the children */
  GPtrArray *failures; /* (nullable) (element-type GError): in order of arrival */
  gboolean cancelled;  /* a CANCELLED came from the body or a child */
  TractorNursery *next_free;
};

/* Puts a new task into the nursery. @stack_bytes: 0 is the usual. Returns: NULL, and then the
 * arguments are freed, with CLOSED, LIMIT or WRONG_THREAD. */
G_GNUC_INTERNAL Task *tractor__nursery_add (TractorNursery *nursery,
                                            const char *name,
                                            gsize stack_bytes,
                                            TractorTaskFunc func,
                                            gpointer data,
                                            GDestroyNotify data_free,
                                            GError **error);
/* Keeps the nursery open for a child that is to move in, until the other is called, or it has. */
G_GNUC_INTERNAL void tractor__nursery_hold (TractorNursery *nursery);
G_GNUC_INTERNAL void tractor__nursery_release (TractorNursery *nursery);
/* @to has been held for it. */
G_GNUC_INTERNAL void tractor__nursery_move_child (TractorNursery *to, Task *child);

/* @error: (transfer full) (nullable): what the child ended with. */
G_GNUC_INTERNAL void
tractor__nursery_child_ended (TractorNursery *nursery, Task *child, GError *error);
/* Cancels, waits and leaves; failures go to the owner. For one that was never joined. */
G_GNUC_INTERNAL void tractor__nursery_abandon (TractorNursery *nursery);
/* Frees one that has been left. */
G_GNUC_INTERNAL void tractor__nursery_free (TractorNursery *nursery);
