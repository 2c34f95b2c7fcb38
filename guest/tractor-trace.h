/* tractor-trace.h - a ring of memory in which a run notes what its tasks do, for who looks at it from outside. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

/* --- what is in a ring --------------------------------------------------------------------------- */

#define TRACTOR_TRACE_MAGIC   "TRTRACE"
#define TRACTOR_TRACE_VERSION 1
/* Bytes before the first record. */
#define TRACTOR_TRACE_HEADER_BYTES 4096

/**
 * TractorTraceHeader:
 * @magic: #TRACTOR_TRACE_MAGIC
 * @version: #TRACTOR_TRACE_VERSION
 * @n_records: how many there is room for: a power of two
 * @pid: of the process that writes
 * @n_written: records that have been written, ever: the newest is at (@n_written - 1) modulo @n_records
 * @title: what is traced, in the words of who traces it
 *
 * What a ring begins with. @n_written grows behind a record: what it counts is there, also of a process that was killed.
 */
typedef struct {
  char magic[8];
  guint32 version;
  guint32 n_records;
  guint32 pid;
  guint32 reserved;
  guint64 n_written;
  char title[256];
} TractorTraceHeader;

/**
 * TractorTraceRecord:
 * @point: a #TractorTracePoint
 * @arg: depends on @point
 * @id: depends on @point
 * @ticks: when: by a clock that all processes of a machine have in common, and that #TRACTOR_TRACE_CLOCK explains
 */
typedef struct {
  guint32 point;
  guint32 arg;
  guint64 id;
  guint64 ticks;
} TractorTraceRecord;

/* What a record of #TRACTOR_TRACE_TEXT has behind its point: of a text the next so many bytes, the rest of them 0. */
#define TRACTOR_TRACE_TEXT_BYTES (sizeof (TractorTraceRecord) - sizeof (guint32))

/**
 * TractorTracePoint:
 * @TRACTOR_TRACE_TEXT: no event, but more of the last one: text
 * @TRACTOR_TRACE_CLOCK: @id: CLOCK_MONOTONIC in nanoseconds, at these ticks
 * @TRACTOR_TRACE_STEP: @id: the task that has the processor from now on; 0: none
 * @TRACTOR_TRACE_TASK: @id: a task that is there, its name in the text
 * @TRACTOR_TRACE_TASK_SPAWNED: @id: a new one, its name in the text; @arg: the one that owns the nursery
 * @TRACTOR_TRACE_TASK_EXITED: @id: the task that ends
 * @TRACTOR_TRACE_CANCELLED: a scope is; @id: of the task that has opened it; 0: the one around all; @arg: a
 *   #TractorCancelSource, the reason in the text
 * @TRACTOR_TRACE_FIRST_OF_OTHERS: from here on, what they mean is the matter of who calls tractor_run_trace()
 */
typedef enum {
  TRACTOR_TRACE_TEXT = 1,
  TRACTOR_TRACE_CLOCK,
  TRACTOR_TRACE_STEP,
  TRACTOR_TRACE_TASK,
  TRACTOR_TRACE_TASK_SPAWNED,
  TRACTOR_TRACE_TASK_EXITED,
  TRACTOR_TRACE_CANCELLED,
  TRACTOR_TRACE_FIRST_OF_OTHERS = 64
} TractorTracePoint;

/* --- writing it ---------------------------------------------------------------------------------- */

/**
 * tractor_run_start_trace: (skip)
 * @fd: a file of so many bytes that it has room for a #TractorTraceHeader and some records; it stays the caller's, and need
 *   not stay open. Nobody may make it shorter as long as it is written to
 * @title: what @fd is to say that this is
 * @error: return location for an error
 *
 * Has what the tasks of this run do noted in @fd, from now on: over and over, so that the last of it is there, and as it
 * happens, so that it is there when the process has been killed. A step of a task is one record.
 *
 * Returns: TRUE; or FALSE with @error set to MISUSE if the run is traced already or @fd has no room, or to a #GFileError.
 * Suspends: no. Thread: guest, in a task or on the host's stack during a tick.
 */
TRACTOR_API gboolean tractor_run_start_trace (int fd, const char *title, GError **error);

/**
 * tractor_run_stop_trace: (skip)
 *
 * Ends that; harmless if there is none. What has been noted stays.
 *
 * Suspends: no. Thread: guest, in a task or on the host's stack during a tick.
 */
TRACTOR_API void tractor_run_stop_trace (void);

/**
 * tractor_run_trace: (skip)
 * @point: from #TRACTOR_TRACE_FIRST_OF_OTHERS on
 * @arg: goes with it
 * @id: likewise
 * @text: (nullable): likewise, if it is not too long; else the beginning of it
 *
 * Notes something between the steps; nothing, if no run of this thread is traced.
 *
 * Suspends: no. Thread: any. Signal handlers: yes.
 */
TRACTOR_API void tractor_run_trace (guint32 point, guint32 arg, guint64 id, const char *text);

G_END_DECLS
