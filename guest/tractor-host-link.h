/* tractor-host-link.h - a task and callbacks of its host that work on one thing, and end together.
 *
 * Much of what a program uses reports by callbacks of its loop: a GTask, a uv_work_t, a connection of
 * some library. A link makes of such callbacks one peer of a task. The task opens it, gets items,
 * sends some, and leaves; the host's side is a few callbacks and a handle, its end. Neither is left
 * alone: if the host's side fails, what the task does inside the link is cancelled and the failure
 * comes out; if the task leaves, for whatever reason, the host's side is told why, and waited for.
 *
 * All callbacks are called on the host's stack, outside any tick and any task, so they may do what any
 * callback of the host may. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-host.h"

G_BEGIN_DECLS

typedef struct _TractorHostLink TractorHostLink;
typedef struct _TractorHostEnd TractorHostEnd;

/**
 * TractorHostStop:
 * @TRACTOR_HOST_STOP_TASK_CANCELLED: a scope around the task was cancelled
 * @TRACTOR_HOST_STOP_TASK_EXITED: the task wants no more, or was left early without saying why
 * @TRACTOR_HOST_STOP_TASK_FAILED: the task has failed, and with what is told too
 *
 * Why the host's side is to stop.
 */
typedef enum {
  TRACTOR_HOST_STOP_TASK_CANCELLED,
  TRACTOR_HOST_STOP_TASK_EXITED,
  TRACTOR_HOST_STOP_TASK_FAILED
} TractorHostStop;

/**
 * TractorHostOutcome:
 * @TRACTOR_HOST_OUTCOME_OPEN: neither side has ended
 * @TRACTOR_HOST_OUTCOME_HOST_FAILED: tractor_host_end_fail()
 * @TRACTOR_HOST_OUTCOME_HOST_FINISHED: tractor_host_end_finish()
 * @TRACTOR_HOST_OUTCOME_HOST_CANCELLED: tractor_host_end_cancelled(), which nobody had asked for
 * @TRACTOR_HOST_OUTCOME_TASK_CANCELLED: the task left because it was cancelled
 * @TRACTOR_HOST_OUTCOME_TASK_EXITED: the task left first
 * @TRACTOR_HOST_OUTCOME_TASK_FAILED: the task left because it had failed
 *
 * What ended a link: whichever came first.
 */
typedef enum {
  TRACTOR_HOST_OUTCOME_OPEN,
  TRACTOR_HOST_OUTCOME_HOST_FAILED,
  TRACTOR_HOST_OUTCOME_HOST_FINISHED,
  TRACTOR_HOST_OUTCOME_HOST_CANCELLED,
  TRACTOR_HOST_OUTCOME_TASK_CANCELLED,
  TRACTOR_HOST_OUTCOME_TASK_EXITED,
  TRACTOR_HOST_OUTCOME_TASK_FAILED
} TractorHostOutcome;

/**
 * TractorHostLinkFlags:
 * @TRACTOR_HOST_LINK_DEFAULT: none of these
 * @TRACTOR_HOST_LINK_REPORT_END: a task that wanted more from a host's side that has finished has
 *   failed: tractor_host_link_leave() does not take its CLOSED away
 */
typedef enum {
  TRACTOR_HOST_LINK_DEFAULT = 0,
  TRACTOR_HOST_LINK_REPORT_END = 1 << 0
} TractorHostLinkFlags;

TRACTOR_DEFINE_FLAG_OPERATORS (TractorHostLinkFlags)

/**
 * TractorHostLinkOps:
 *
 * The host's side of one kind of link. All are called on the host's stack, with the data that the link
 * was opened with, and none after the end has been told.
 */
typedef struct {
  /* Begins the work. Some time, now or in a later callback, it calls tractor_host_end_started(), or
   * ends. @end: valid until the host's side has ended and the task has closed the link; a callback that
   * may come later than that holds a reference. */
  void (*start) (TractorHostEnd *end, gpointer data);
  /* (nullable): takes what the task has sent. @item: (transfer full) */
  void (*receive) (TractorHostEnd *end, gpointer item, gpointer data);
  /* (nullable): the task has left, after what it has sent: the work is to end soon, and to tell its end,
   * at once or later; all this time the task waits, whatever becomes of it. Called at most once. Without
   * it the work is waited for. If the loop is at its end (tractor_guest_shutdown()), no other callback may
   * come: who can, ends in here. @error: (transfer none) (nullable): the task's failure, with
   * TRACTOR_HOST_STOP_TASK_FAILED; valid until the end has been told */
  void (*stop) (TractorHostEnd *end, TractorHostStop reason, const GError *error, gpointer data);
  /* (nullable): there is room again, after tractor_host_end_send() said WOULD_BLOCK. */
  void (*room) (TractorHostEnd *end, gpointer data);
  /* (nullable): for first values, items and results that no task will get any more */
  GDestroyNotify item_free;
  /* (nullable): for what the task has sent, and receive() was not called with */
  GDestroyNotify sent_free;
} TractorHostLinkOps;

/* --- the task's side ----------------------------------------------------------------------------- */

/**
 * tractor_host_link_open:
 * @ops: must stay valid as long as the link, and references to its end
 * @data: for the callbacks
 * @capacity: how many items may wait for the task, at least 1
 * @ret_first: (out) (optional) (transfer full): what tractor_host_end_started() was given
 *
 * Has the host's side started, and waits until it says that it is. From then on, until the link is left,
 * what the calling task does is inside it, as inside a cancel scope: it is cancelled if the host's side
 * fails or cancels itself.
 *
 * Returns: (transfer full): to be closed by the same task; or NULL with @error set to what the host's side
 *   failed with before it had started; to HOST_CANCELLED if it cancelled itself until then; to MISUSE if it
 *   finished without having started, or @capacity is 0, or as by tractor_checkpoint(); or to CANCELLED, and then it has been told
 *   to stop, and has ended, if it was started at all. If it failed while it stopped, that and CANCELLED are in a GROUP.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API TractorHostLink *tractor_host_link_open (const TractorHostLinkOps *ops,
                                                     gpointer data,
                                                     guint capacity,
                                                     TractorHostLinkFlags flags,
                                                     gpointer *ret_first,
                                                     GError **error);

/**
 * tractor_host_link_receive:
 * @ret_item: (out) (transfer full): the oldest item
 *
 * Takes an item, waiting while there is none. A failure does not wait behind items.
 *
 * Returns: TRUE; or FALSE with @error set to what the host's side failed with; to HOST_CANCELLED if it
 *   cancelled itself; to CLOSED if it has finished and there are no more items, or the link has been
 *   left; or to CANCELLED.
 * Suspends: yes, a checkpoint. Thread: guest, in the task that opened the link, or one inside it.
 */
TRACTOR_API gboolean tractor_host_link_receive (TractorHostLink *link,
                                                gpointer *ret_item,
                                                GError **error);

/**
 * tractor_host_link_send:
 * @item: (transfer full): the link's on success, still the caller's on failure
 *
 * Has the host's receive() called with @item, after what was sent before, as soon as the host has its
 * turn. There is no bound on how much may be sent until then: whoever sends much passes checkpoints.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_host_link_receive(), but for CANCELLED.
 * Suspends: no. Thread: guest, in the task that opened the link, or one inside it.
 */
TRACTOR_API gboolean tractor_host_link_send (TractorHostLink *link, gpointer item, GError **error);

/**
 * tractor_host_link_wait:
 * @ret_result: (out) (optional) (transfer none) (nullable): what tractor_host_end_finish() was given; valid
 *   until the link is left
 *
 * Waits until the host's side has ended. Items that are left can still be received.
 *
 * Returns: TRUE if it has finished; or FALSE with @error set to what it failed with; to HOST_CANCELLED if
 *   it cancelled itself; to CLOSED if the link has been left; or to CANCELLED.
 * Suspends: yes, a checkpoint. Thread: guest, in the task that opened the link, or one inside it.
 */
TRACTOR_API gboolean tractor_host_link_wait (TractorHostLink *link,
                                             gpointer *ret_result,
                                             GError **error);

/**
 * tractor_host_link_leave:
 * @error: (inout): how the task has fared inside: NULL, or its own failure; afterwards all that failed.
 *   Never NULL.
 *
 * Leaves the link. If the host's side has not ended it is told to stop, and why: @error says it; and then
 * it is waited for, however long that takes. Items that are left are freed.
 *
 * Afterwards *@error is what the host's side failed with, or HOST_CANCELLED; or the task's own failure; or
 * a GROUP of both, the first first, if they have nothing to do with each other. They have if the task got
 * its failure from this link, or the host's side got its own by stop(): then it is one, which is known by
 * its domain, its code and the end of its words. CANCELLED that the link caused itself is absorbed, and so
 * is its CLOSED, unless the link was opened with TRACTOR_HOST_LINK_REPORT_END.
 *
 * Returns: TRUE if nothing is left in *@error.
 * Suspends: yes, but is no cancel point. Thread: guest, the task that opened the link.
 */
TRACTOR_API gboolean tractor_host_link_leave (TractorHostLink *link, GError **error);

/**
 * tractor_host_link_get_outcome:
 *
 * Returns: what ended the link, or TRACTOR_HOST_OUTCOME_OPEN; also after it was left.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorHostOutcome tractor_host_link_get_outcome (TractorHostLink *link);

/**
 * tractor_host_link_close:
 * @link: (transfer full) (nullable)
 *
 * What g_autoptr does on an early return: leaves the link, if tractor_host_link_leave() has not, and
 * frees it. The host's side is told TASK_CANCELLED if the task is cancelled, and else TASK_EXITED. A
 * failure of the host's side that no call here has returned is not lost: it comes out as those of a
 * nursery that nobody joined do.
 *
 * Suspends: if the link was not left. Thread: guest, the task that opened the link.
 */
TRACTOR_API void tractor_host_link_close (TractorHostLink *link);

/* --- the host's side ----------------------------------------------------------------------------- */

/* In callbacks of the host only, not in tasks. What comes after the end has been told is a mistake: it is
 * reported with g_critical() and does nothing, but that what it was given is freed. */

/**
 * tractor_host_end_started:
 * @value: (transfer full) (nullable): for whoever waits in tractor_host_link_open()
 *
 * Says that the work has begun. A second time is a mistake, too.
 *
 * Suspends: no. Thread: guest, in a callback of its host.
 */
TRACTOR_API void tractor_host_end_started (TractorHostEnd *end, gpointer value);

/**
 * tractor_host_end_send:
 * @item: (transfer full): the link's on success, still the caller's on failure
 *
 * Gives the task an item.
 *
 * Returns: TRUE; or FALSE with @error set to WOULD_BLOCK if as many wait as may, and then room() is called
 *   once when there is room; to BROKEN if the task has left; or to MISUSE after the end.
 * Suspends: no. Thread: guest, in a callback of its host.
 */
TRACTOR_API gboolean tractor_host_end_send (TractorHostEnd *end, gpointer item, GError **error);

/**
 * tractor_host_end_finish:
 * @result: (transfer full) (nullable): for tractor_host_link_wait()
 *
 * Tells the end: the work is done. The task still gets the items that it has not received. It is no
 * failure also after stop().
 *
 * Suspends: no. Thread: guest, in a callback of its host.
 */
TRACTOR_API void tractor_host_end_finish (TractorHostEnd *end, gpointer result);

/**
 * tractor_host_end_fail:
 * @error: (transfer full)
 *
 * Tells the end: the work has failed.
 *
 * Suspends: no. Thread: guest, in a callback of its host.
 */
TRACTOR_API void tractor_host_end_fail (TractorHostEnd *end, GError *error);

/**
 * tractor_host_end_cancelled:
 *
 * Tells the end: the work was cancelled. After stop() that is what was asked for; before, the task gets
 * HOST_CANCELLED, which no cancel scope takes away.
 *
 * Suspends: no. Thread: guest, in a callback of its host.
 */
TRACTOR_API void tractor_host_end_cancelled (TractorHostEnd *end);

/**
 * tractor_host_end_ref:
 *
 * Keeps the handle, for a callback that may come when all is over. Keeps nothing else.
 *
 * Returns: (transfer full): @end.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorHostEnd *tractor_host_end_ref (TractorHostEnd *end);

/**
 * tractor_host_end_unref:
 * @end: (transfer full) (nullable)
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_host_end_unref (TractorHostEnd *end);

/* --- the other way round ------------------------------------------------------------------------- */

/**
 * tractor_spawn_from_host:
 * @name: (nullable): as for tractor_nursery_spawn()
 * @data_free: (nullable): called once with @data: when the task ends, or at once if there is none
 * @on_done: called exactly once, with what @func failed with, or NULL; with CANCELLED if the nursery was
 *   cancelled and @func says so; or, before this returns, with CLOSED, LIMIT or MISUSE if there is no task, as
 *   by tractor_nursery_spawn()
 *
 * Starts a task for a callback of the host, which cannot wait for it, and calls another when it has ended:
 * on the host's stack, after @data was freed, and before the nursery can be left. A failure belongs to
 * @on_done, and does not cancel the nursery.
 *
 * Suspends: no. Thread: guest, in a callback of its host.
 */
TRACTOR_API void tractor_spawn_from_host (TractorNursery *nursery,
                                          const char *name,
                                          TractorTaskFunc func,
                                          gpointer data,
                                          GDestroyNotify data_free,
                                          TractorDoneFunc on_done,
                                          gpointer done_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorHostLink, tractor_host_link_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorHostEnd, tractor_host_end_unref)

G_END_DECLS
