/* dump.c - every task of a guest, with what it waits for and its stack, as text.
 *
 * For a process that hangs, so it may run in a signal handler: it only reads, writes with write(2),
 * and walks the frame pointers that the build keeps. A stack of code built without them ends
 * early; every step is checked against the stack's bounds, so nothing worse happens. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "frames.h"
#include "nursery.h"
#include "parking-lot.h"
#include "raw-text.h"
#include "sigpipe.h"
#include "task.h"

#define MAX_FRAMES 48

static guint
walk_frames (const Task *task, void **pcs)
{
  const char *low = task->stack->low;
  const char *high = (const char *) task;
  guint n = 0;
  void **frame;

  if (!context_get_frame (&task->context, &pcs[n++], &frame))
    return 0;
  while (n < MAX_FRAMES && (const char *) frame >= low && (const char *) (frame + 2) <= high) {
    void **outer = frame[0];

    pcs[n++] = frame[1];
    if (outer <= frame)
      break;
    frame = outer;
  }
  return n;
}

static void
dump_task (const Task *task, int fd)
{
  static const char *const states[] = { "runnable", "running", "waiting", "ended" };
  void *pcs[MAX_FRAMES];
  guint n_frames;

  put_text (fd, "  task '");
  put_text (fd, task->name);
  put_text (fd, "' ");
  put_text (fd, states[task->state]);
  if (task->state == TASK_PARKED) {
    const Task *holder = tractor__parking_lot_find_holder (task);

    put_text (fd, " for ");
    put_text (fd, task->waiting_for);
    if (holder != NULL) {
      put_text (fd, ", held by '");
      put_text (fd, holder->name);
      put_text (fd, "'");
    }
  }
  if (task->scope->effective)
    put_text (fd, ", cancelled");
  put_text (fd, "\n");
  if (task->state == TASK_RUNNING)
    return; /* its frames are on the processor, not where the last switch left them */

  n_frames = walk_frames (task, pcs);
  tractor__put_frames (fd, pcs, n_frames);
}

void
tractor_guest_dump (TractorGuest *guest, int fd)
{
  gboolean holds_sigpipe;

  g_return_if_fail (guest != NULL);

  holds_sigpipe = sigpipe_hold_back (); /* whoever wanted to see this may be gone */
  put_text (fd, "guest with ");
  put_number (fd, guest->n_tasks);
  put_text (fd, " tasks, ");
  put_number (fd, run_queue_get_length (&guest->run_queue));
  put_text (fd, " of them runnable, and ");
  put_number (fd, guest->deadlines.length);
  put_text (fd, " deadlines\n");
  for (const Scope *scope = &guest->root; scope != NULL; scope = scope_get_next (scope))
    for (const Task *task = scope->first_task; task != NULL; task = task->next_in_scope)
      dump_task (task, fd);
  if (holds_sigpipe)
    sigpipe_release ();
}
