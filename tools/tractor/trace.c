/* trace.c - tractor trace: what a tree does, as a file that Perfetto shows.
 *
 * Of a tree that runs (trace-live.c); of a program that is started for it, whose actors are told by TRACTOR_TRACE where to
 * leave what they note; or of what actors that were told so have left. What is left in a directory of our own is taken away. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>

#include "command.h"
#include "trace-files.h"
#include "trace-live.h"
#include "trace-program.h"

static char *output;
static double seconds; /* 0: until interrupted */
static gboolean is_merge;
static char **rest;

/* More than anybody waits: thirty years. */
#define MOST_SECONDS 1e9

static gboolean
take_seconds (G_GNUC_UNUSED const char *name,
              const char *value,
              G_GNUC_UNUSED gpointer data,
              GError **error)
{
  char *end;

  seconds = g_ascii_strtod (value, &end);
  if (end != value && *end == '\0' && seconds > 0 && seconds <= MOST_SECONDS)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               "'%s' is no time to trace for: SECONDS are more than 0, and not more than %.0f",
               value, MOST_SECONDS);
  return FALSE;
}

static const GOptionEntry options[] = {
  { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "Write to FILE, which nobody else may read",
    "FILE" },
  { "time", 't', 0, G_OPTION_ARG_CALLBACK, (gpointer) take_seconds,
    "End after SECONDS, and not when interrupted", "SECONDS" },
  { "merge", 0, 0, G_OPTION_ARG_NONE, &is_merge,
    "Of what actors have left that " TRACE_VARIABLE " named a directory to", NULL },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL,
    "PID | PROGRAM... | --merge RING..." },
  { 0 },
};

/* --- a program ----------------------------------------------------------------------------------- */

/* How it has ended is told, and is no failure of ours. */
static gboolean
run_program (const char *directory, GError **error)
{
  g_autoptr (GError) end = NULL;
  int failure;
  int status = trace_program_run (rest, directory, &failure, error);

  if (status >= 0 && !g_spawn_check_wait_status (status, &end))
    fprintf (stderr, "tractor: %s: %s\n", rest[0], end->message);
  return status >= 0;
}

static gboolean
trace_program (GError **error)
{
  TraceFolder *folder = trace_folder_open (output, error);
  gboolean ok;

  if (folder == NULL)
    return FALSE;
  ok = run_program (trace_folder_get_path (folder), error) &&
       trace_folder_write (folder, output, error);
  trace_folder_close (folder);
  return ok;
}

/* --- the whole ----------------------------------------------------------------------------------- */

static gboolean
is_pid (const char *text, gint *ret_pid)
{
  guint64 number = 0;
  gboolean ok = g_ascii_string_to_unsigned (text, 10, 1, G_MAXINT, &number, NULL);

  *ret_pid = (gint) number;
  return ok;
}

static gboolean
check_usage (GError **error)
{
  const char *problem = NULL;

  if (output == NULL)
    problem = "The file to write to is missing (-o FILE)";
  else if (rest == NULL)
    problem = "The number of a process is missing, or a program, or what is to be merged";
  if (problem != NULL)
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, problem);
  return problem == NULL;
}

static Status
run (G_GNUC_UNUSED gint pid, GError **error)
{
  g_autoptr (GPtrArray) rings = NULL;
  Status status = STATUS_FAILED;
  gint traced;

  if (!check_usage (error))
    return STATUS_USAGE;
  if (is_merge)
    rings = trace_files_read ((const char *const *) rest, error);
  else if (rest[1] == NULL && is_pid (rest[0], &traced))
    rings = trace_live (traced, seconds, &status, error);
  else
    return trace_program (error) ? STATUS_OK : STATUS_FAILED;
  if (rings == NULL)
    return status;
  return trace_files_write (output, rings, error) ? STATUS_OK : STATUS_FAILED;
}

const Command command_trace = {
  "trace",
  "what a tree does, as a file that Perfetto shows",
  "Of the tree that process PID belongs to, from now on, until Ctrl-C; of PROGRAM, which is "
  "started, from its beginning; or of "
  "files that actors have left (TRACTOR_TRACE). https://ui.perfetto.dev opens it.",
  TAKES_NO_PID,
  options,
  run,
};
