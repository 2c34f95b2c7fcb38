/* program-output.h - what comes out of a program at one place. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "bounds.h"
#include "tractor-process.h"

typedef struct {
  const char *stream; /* "out" or "err" */
  int fd;             /* where we read it; -1: we do not, or not any more */
  TractorOutputFunc func;
  gpointer data;
  char *label;
  GString *tail; /* (nullable): its last bytes, and some before them */
  gint64 drain_by;
  TractorCancelScope *wait_scope; /* while it waits; its deadline is @drain_by */
  gsize n_used;
  gboolean is_continued; /* @bytes goes on with a line of which pieces have been delivered */
  char bytes[LIMIT_LINE_BYTES + 1];
} ProgramOutput;

/* @stream: "out" or "err". @func: (nullable): of @options, for this one. */
G_GNUC_INTERNAL void tractor__program_output_init (ProgramOutput *output,
                                                   const char *stream,
                                                   TractorOutputFunc func,
                                                   const TractorProcessOptions *options);
G_GNUC_INTERNAL void tractor__program_output_clear (ProgramOutput *output);
/* Makes a pipe. Returns: the program's end, or -1 with errno set. */
G_GNUC_INTERNAL int tractor__program_output_open (ProgramOutput *output);
/* A task's body (@data is the output): delivers what comes until that has ended. It never fails. */
G_GNUC_INTERNAL gboolean tractor__program_output_relay (gpointer data, GError **error);
/* The program has ended: others who hold the pipe open are listened to for no longer. */
G_GNUC_INTERNAL void tractor__program_output_drain_until (ProgramOutput *output, gint64 deadline);
/* (transfer full): the last of what came, fit for an error. */
G_GNUC_INTERNAL char *tractor__program_output_dup_tail (const ProgramOutput *output);
