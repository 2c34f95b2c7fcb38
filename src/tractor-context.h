/* tractor-context.h - dialogs: a task here linked to a task in another actor.
 *
 * A context is opened by a task here, and runs a function there. Each is the other's: if one fails,
 * the other is cancelled; if one is cancelled, so is the other; and neither is left behind. What the
 * opening task does between tractor_portal_open_context() and tractor_context_join() is the
 * context's body, and it is a cancel scope: a failure there interrupts it wherever it waits. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-actor.h"

G_BEGIN_DECLS

/**
 * TractorDialogOptions:
 * @payload_spec: (nullable): a GVariant type string that every payload from the other end must
 *   match, and is converted to; NULL: what the other end says its payloads are, or anything
 * @allow_overruns: only toward peers that do not count what they send, such as Python actors: if a stream
 *   is full, drop the oldest item, instead of holding the peer up and failing with OVERRUN
 *
 * Zero what you do not set.
 */
typedef struct {
  const char *payload_spec;
  gboolean allow_overruns;
  gpointer padding[6];
} TractorDialogOptions;

/**
 * tractor_portal_open_context:
 * @function: "module:function", exported as TRACTOR_EXPORT_CONTEXT
 * @kwargs: (nullable): an a{sv}; a floating one is consumed
 * @options: (nullable): NULL is all defaults
 * @ret_first: (out) (optional) (transfer full) (nullable): what the function said with
 *   tractor_context_started()
 *
 * Starts a function of the actor, and waits until it says that it has started.
 *
 * Returns: (transfer full): to be joined or closed by the same task; or NULL with @error set to
 *   CANCELLED; REMOTE, around what the function failed with before it had started;
 *   CONTEXT_CANCELLED if it was cancelled before; NOT_EXPOSED, boxed likewise; MSG_TYPE; MISUSE if it
 *   is no context; ACTOR_FAILURE or TRANSPORT_CLOSED. In all these cases nothing is left running.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API TractorContext *tractor_portal_open_context (TractorPortal *portal,
                                                         const char *function,
                                                         GVariant *kwargs,
                                                         const TractorDialogOptions *options,
                                                         GVariant **ret_first,
                                                         GError **error);

/**
 * TractorContextRequest:
 * @portal: where to open it
 * @function: as for tractor_portal_open_context()
 * @kwargs: (nullable): as there
 * @options: (nullable): as there
 *
 * One of several contexts to open.
 */
typedef struct {
  TractorPortal *portal;
  const char *function;
  GVariant *kwargs;
  const TractorDialogOptions *options;
} TractorContextRequest;

/**
 * tractor_open_contexts:
 * @requests: (array length=n_requests): at least one
 * @ret_contexts: (array length=n_requests) (out caller-allocates) (transfer full): the contexts, in the
 *   order of @requests; to be joined or closed by the same task, the last first
 * @ret_firsts: (nullable) (array length=n_requests) (out caller-allocates) (transfer full): what each
 *   function said with tractor_context_started()
 *
 * Opens several contexts at the same time, and waits until all have started: that takes as long as the
 * slowest. If one fails, the others are cancelled, and none is left.
 *
 * Returns: TRUE; or FALSE with @error set to the first failure, as by tractor_portal_open_context(), or
 *   to MISUSE if @n_requests is 0.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_open_contexts (const TractorContextRequest *requests,
                                            gsize n_requests,
                                            TractorContext **ret_contexts,
                                            GVariant **ret_firsts,
                                            GError **error);

/**
 * tractor_context_started:
 * @first: (nullable): for whoever opened the context; a floating one is consumed
 *
 * Says that the function is ready. To be called once, before streaming.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; to MISUSE if it has been called before, or
 *   by the opener; or to MSG_TYPE if @first cannot be sent or is not of the export's payload_spec.
 * Suspends: yes, a checkpoint. Thread: guest, in a task of the function.
 */
TRACTOR_API gboolean tractor_context_started (TractorContext *context,
                                              GVariant *first,
                                              GError **error);

/**
 * tractor_context_wait_result:
 * @ret_result: (out) (optional) (transfer full) (nullable): what the function returned
 *
 * Waits for the function to end, and throws away what it still sends. tractor_context_join() does
 * that too; this is for looking at the result before.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, MISUSE on the function's own side, or as
 *   tractor_context_join() says.
 * Suspends: yes, a checkpoint. Thread: guest, in a task of the opener.
 */
TRACTOR_API gboolean tractor_context_wait_result (TractorContext *context,
                                                  GVariant **ret_result,
                                                  GError **error);

/**
 * tractor_context_cancel:
 *
 * Ends the dialog. By the opener: asks the other end to cancel the function; the body goes on, and
 * tractor_context_join() does not report what comes of it. By the function: cancels its own task, and
 * the opener hears of that. Asking twice is harmless.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_context_cancel (TractorContext *context);

/**
 * tractor_context_join:
 * @ret_result: (out) (optional) (transfer full) (nullable): what the function returned; set only if
 *   nothing failed, and NULL if the context was cancelled by tractor_context_cancel() or by its scope
 * @error: (inout): the body's own failure if it has one, which cancels the function; afterwards all
 *   that failed. Never NULL.
 *
 * Ends the body, closes the stream if one is open, and waits for the function to end. A body that
 * fails or is cancelled does not wait longer than half a second for that; one that could not send, for the
 * other end had closed its stream, half a second more, before it cancels the function. What comes out:
 *
 * - the body's failure, and no trace of the cancel that it caused there;
 * - REMOTE, around what the function failed with, also if that interrupted the body; and in place of a
 *   BROKEN that the body got by sending to this context's stream;
 * - CONTEXT_CANCELLED if something else than this context's opener cancelled the function: another
 *   actor, the function itself, or tractor_portal_cancel_actor(); tractor_error_get_canceller() says
 *   who;
 * - MSG_TYPE for a result that breaks the payload spec;
 * - ACTOR_FAILURE or TRANSPORT_CLOSED if the other end is gone;
 * - a GROUP, if both ends failed on their own.
 *
 * Returns: TRUE if nothing is left in *@error.
 * Suspends: yes; a cancel from outside is passed on to the function. Thread: guest, the task that
 *   opened the context.
 */
TRACTOR_API gboolean tractor_context_join (TractorContext *context,
                                           GVariant **ret_result,
                                           GError **error);

/**
 * tractor_context_close:
 * @context: (transfer full) (nullable)
 *
 * What g_autoptr does on an early return: cancels the function, waits for its end, for half a second
 * at most, and frees the context. A failure there that nobody joined is not lost: it comes out of
 * the tractor_cancel_scope_absorb() or tractor_nursery_join() around it, or the calling task ends
 * with it.
 *
 * Suspends: if the context was not joined. Thread: guest, the task that opened the context.
 */
TRACTOR_API void tractor_context_close (TractorContext *context);

/**
 * tractor_context_get_outcome:
 *
 * Returns: (transfer none) (nullable): how the other end failed or was cancelled, also where
 *   tractor_context_join() does not report it; NULL if it did not, or has not yet. Borrowed from
 *   @context.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API const GError *tractor_context_get_outcome (TractorContext *context);

/**
 * tractor_context_get_scope:
 *
 * For a deadline of the body, say, and of the join, which waits in it. A body that this scope cancels
 * cancels the function as well, and tractor_context_join() absorbs that: it succeeds, without a result, and
 * tractor_cancel_scope_get_cancelled_caught() tells it from one that came to its end.
 *
 * Returns: (transfer none): the cancel scope around the body, or around the function's task.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API TractorCancelScope *tractor_context_get_scope (TractorContext *context);

/**
 * tractor_context_get_peer_name:
 *
 * Returns: (transfer none): the name of the actor at the other end.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API const char *tractor_context_get_peer_name (TractorContext *context);

/**
 * tractor_context_get_peer_uuid:
 *
 * Returns: (transfer none): the uuid of the actor at the other end.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API const char *tractor_context_get_peer_uuid (TractorContext *context);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorContext, tractor_context_close)

G_END_DECLS
