/* program-output.c - what comes out of a program at one place.
 *
 * Each output that somebody wants is a pipe with a task of its own, which reads and cuts into lines;
 * what is wanted of stderr besides is its end, for the error.
 *
 * Reading goes on when the task is cancelled, since a program that is told to end may have much to
 * say, and must not be stuck in a full pipe. So only the wait for the pipe is shielded, and the
 * functions that are given the lines are not. What bounds the wait is the end of the program: a
 * pipe that others hold open is listened to for a moment more. After that, what is in it is still
 * read, and then it is closed: nobody is left stuck in it.
 *
 * A line is kept in a buffer of a fixed size: one that does not fit comes in pieces. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "program-output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "escape.h"
#include "stdio-fd.h"

void
tractor__program_output_init (ProgramOutput *output,
                              const char *stream,
                              TractorOutputFunc func,
                              const TractorProcessOptions *options)
{
  output->stream = stream;
  output->fd = -1;
  output->func = func;
  output->data = options->data;
  output->label = g_strdup (options->label);
  output->drain_by = TRACTOR_NO_DEADLINE;
}

void
tractor__program_output_clear (ProgramOutput *output)
{
  close_fd (&output->fd);
  g_free (output->label);
  if (output->tail != NULL)
    g_string_free (output->tail, TRUE);
}

int
tractor__program_output_open (ProgramOutput *output)
{
  int ends[2];

  if (pipe2 (ends, O_CLOEXEC) != 0)
    return -1;
  output->fd = ends[0];
  if (keep_off_stdio (&output->fd) == 0 && keep_off_stdio (&ends[1]) == 0 &&
      fcntl (output->fd, F_SETFL, O_NONBLOCK) == 0)
    return ends[1];
  close (ends[1]);
  return -1;
}

/* --- lines ------------------------------------------------------------------------------------- */

/* (transfer full): fit for a log and a terminal. */
static char *
dup_printable (const char *bytes, gsize length)
{
  g_autofree char *text = g_utf8_make_valid (bytes, (gssize) length);

  return tractor__escape (text);
}

/* @line: is followed by a byte that may be overwritten. */
static void
deliver (ProgramOutput *output, char *line, gsize length)
{
  line[length] = '\0';
  if (output->func != NULL) {
    output->func (line, length, output->data);
  } else if (output->label != NULL) {
    g_autofree char *text = dup_printable (line, length);

    g_message ("[%s:%s] %s", output->label, output->stream, text);
  }
}

/* A newline that comes right after a piece only ends the line. */
static void
deliver_end_of_line (ProgramOutput *output, char *line, gsize length)
{
  if (length > 0 || !output->is_continued)
    deliver (output, line, length);
  output->is_continued = FALSE;
}

static void
cut_lines (ProgramOutput *output, gsize n_new)
{
  char *line = output->bytes;
  char *end = line + output->n_used + n_new;
  char *newline = memchr (line + output->n_used, '\n', n_new);

  while (newline != NULL) {
    deliver_end_of_line (output, line, (gsize) (newline - line));
    line = newline + 1;
    newline = memchr (line, '\n', (gsize) (end - line));
  }
  output->n_used = (gsize) (end - line);
  if (output->n_used == LIMIT_LINE_BYTES) {
    deliver (output, line, output->n_used);
    output->is_continued = TRUE;
    output->n_used = 0;
  }
  memmove (output->bytes, line, output->n_used);
}

/* --- reading ----------------------------------------------------------------------------------- */

static void
keep_tail (GString *tail, const char *bytes, gsize length)
{
  g_string_append_len (tail, bytes, (gssize) length);
  if (tail->len > 4 * LIMIT_PROGRAM_TAIL_BYTES)
    g_string_erase (tail, 0, (gssize) (tail->len - LIMIT_PROGRAM_TAIL_BYTES));
}

/* Returns: how much it was, 0 at the end, or -1 if there is nothing now. */
static gssize
read_some (ProgramOutput *output)
{
  char *at = output->bytes + output->n_used;
  gssize n = read (output->fd, at, LIMIT_LINE_BYTES - output->n_used);

  if (n < 0)
    return errno == EINTR || errno == EAGAIN ? -1 : 0;
  if (output->tail != NULL)
    keep_tail (output->tail, at, (gsize) n);
  cut_lines (output, (gsize) n);
  return n;
}

/* As much as there is now: others may write on for ever. */
static void
read_what_is_left (ProgramOutput *output)
{
  int left = 0;
  gssize n;

  if (ioctl (output->fd, FIONREAD, &left) != 0)
    return;
  for (; left > 0 && (n = read_some (output)) > 0; left -= (int) n)
    ;
}

static gboolean
wait_for_output (ProgramOutput *output)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (output->drain_by);
  gboolean is_ready;

  tractor_cancel_scope_set_shield (scope, TRUE);
  output->wait_scope = scope;
  is_ready = tractor_wait_fd (output->fd, G_IO_IN, NULL, NULL);
  output->wait_scope = NULL;
  return is_ready;
}

gboolean
tractor__program_output_relay (gpointer data, G_GNUC_UNUSED GError **error)
{
  ProgramOutput *output = data;

  while (wait_for_output (output) && read_some (output) != 0)
    ;
  read_what_is_left (output);
  if (output->n_used > 0)
    deliver (output, output->bytes, output->n_used);
  close_fd (&output->fd);
  return TRUE;
}

void
tractor__program_output_drain_until (ProgramOutput *output, gint64 deadline)
{
  output->drain_by = deadline;
  if (output->wait_scope != NULL)
    tractor_cancel_scope_set_deadline (output->wait_scope, deadline);
}

char *
tractor__program_output_dup_tail (const ProgramOutput *output)
{
  const GString *tail = output->tail;
  gsize length = MIN (tail->len, LIMIT_PROGRAM_TAIL_BYTES);

  return g_strchomp (dup_printable (tail->str + tail->len - length, length));
}
