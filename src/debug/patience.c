/* patience.c - a clock for every wait on another actor, which stands still while a debugger holds one of the tree.
 *
 * Somebody who is looked at by a debugger acknowledges nothing, boots no further and does not end; and who is above has
 * to leave the terminal to whoever looks. So no actor of the tree counts that time against another: the whole tree's
 * patience stands, not only that of the branch, which is simpler, never wrong, and what one expects who looks around.
 * The program's own deadlines are not touched.
 *
 * How long that has been stands in a page of memory that the debugger's broker writes. Reading it costs no system call
 * but for the clock's. Without debug mode there is no page, and this is the usual clock. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "patience.h"

/* (nullable). What it leads to stays: another thread may be reading it. */
static const DebugPage *current_page;

static const DebugPage *
get_page (void)
{
  return __atomic_load_n (&current_page, __ATOMIC_ACQUIRE);
}

void
tractor__patience_go_by (const DebugPage *of)
{
  __atomic_store_n (&current_page, of, __ATOMIC_RELEASE);
}

/* A broker that is killed while it writes leaves the sequence odd: it is not waited for. */
#define MAX_LOOKS 1000

gint64
tractor__patience_get_held_usec (void)
{
  const DebugPage *page = get_page ();
  DebugPage seen = { 0 };
  guint32 sequence;
  guint n_looks = 0;

  if (G_LIKELY (page == NULL))
    return 0;
  do {
    sequence = __atomic_load_n (&page->sequence, __ATOMIC_ACQUIRE);
    seen.is_held = __atomic_load_n (&page->is_held, __ATOMIC_RELAXED);
    seen.held_usec = __atomic_load_n (&page->held_usec, __ATOMIC_RELAXED);
    seen.held_since = __atomic_load_n (&page->held_since, __ATOMIC_RELAXED);
    __atomic_thread_fence (__ATOMIC_ACQUIRE);
  } while (
      ((sequence & 1) != 0 || __atomic_load_n (&page->sequence, __ATOMIC_RELAXED) != sequence) &&
      ++n_looks < MAX_LOOKS);
  return seen.held_usec + (seen.is_held ? MAX (tractor_now () - seen.held_since, 0) : 0);
}

gint64
tractor__patience_now (void)
{
  return tractor_now () - tractor__patience_get_held_usec ();
}

void
tractor__patience_set (TractorCancelScope *scope, gint64 usec)
{
  if (G_UNLIKELY (get_page () != NULL))
    tractor_cancel_scope_set_standstill (scope, tractor__patience_get_held_usec);
  tractor_cancel_scope_set_deadline (scope, tractor_now () + usec);
}

TractorCancelScope *
tractor__patience_open (gint64 usec)
{
  TractorCancelScope *scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor__patience_set (scope, usec);
  return scope;
}

TractorCancelScope *
tractor__patience_open_until (gint64 deadline)
{
  return tractor__patience_open (deadline - tractor__patience_now ());
}
