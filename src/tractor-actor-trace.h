/* tractor-actor-trace.h - what actors note in a trace, besides what tractor-trace.h says.
 *
 * An actor is traced from its beginning if TRACTOR_TRACE names a directory: it is made if it is missing, and each C actor of
 * the tree leaves a file there, of 24 MiB, in which the last million events of it are, however it has ended. `tractor trace`
 * makes one file of them that Perfetto shows, and turns traces on and off in actors that run. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-trace.h"

G_BEGIN_DECLS

/**
 * TractorTraceMessage:
 * @TRACTOR_TRACE_MESSAGE_START: a function is called, or a context or stream is opened
 * @TRACTOR_TRACE_MESSAGE_START_ACK: it begins
 * @TRACTOR_TRACE_MESSAGE_STARTED: a context is open
 * @TRACTOR_TRACE_MESSAGE_YIELD: an item of a stream
 * @TRACTOR_TRACE_MESSAGE_STOP: one end of a stream is closed
 * @TRACTOR_TRACE_MESSAGE_RETURN: the result
 * @TRACTOR_TRACE_MESSAGE_CANCEL_ACK: it was cancelled
 * @TRACTOR_TRACE_MESSAGE_ERROR: it has failed
 *
 * A message of the protocol.
 */
typedef enum {
  TRACTOR_TRACE_MESSAGE_START = 2,
  TRACTOR_TRACE_MESSAGE_START_ACK,
  TRACTOR_TRACE_MESSAGE_STARTED,
  TRACTOR_TRACE_MESSAGE_YIELD,
  TRACTOR_TRACE_MESSAGE_STOP,
  TRACTOR_TRACE_MESSAGE_RETURN,
  TRACTOR_TRACE_MESSAGE_CANCEL_ACK,
  TRACTOR_TRACE_MESSAGE_ERROR
} TractorTraceMessage;

/**
 * TractorActorTracePoint:
 * @TRACTOR_TRACE_SENT: @id: a message, by a number that its receiver has for it too; @arg: a #TractorTraceMessage; the
 *   function that it starts in the text
 * @TRACTOR_TRACE_RECEIVED: the same @id and @arg: it has come
 * @TRACTOR_TRACE_TAKEN: the same: the task that it is for has it
 * @TRACTOR_TRACE_ACTOR_STARTED: @id: the process of a new actor, its name in the text
 * @TRACTOR_TRACE_ACTOR_ENDED: @id: the process; how it has ended in the text
 * @TRACTOR_TRACE_PAUSED: it waits for the debugger
 * @TRACTOR_TRACE_RESUMED: that has let it go
 * @TRACTOR_TRACE_CRASHED: @id: a signal, by which the process ends
 *
 * Points in a #TractorTraceRecord.
 */
typedef enum {
  TRACTOR_TRACE_SENT = TRACTOR_TRACE_FIRST_OF_OTHERS,
  TRACTOR_TRACE_RECEIVED,
  TRACTOR_TRACE_TAKEN,
  TRACTOR_TRACE_ACTOR_STARTED,
  TRACTOR_TRACE_ACTOR_ENDED,
  TRACTOR_TRACE_PAUSED,
  TRACTOR_TRACE_RESUMED,
  TRACTOR_TRACE_CRASHED
} TractorActorTracePoint;

G_END_DECLS
