/* run-process.c - a program that is no actor, under the rules of tasks.
 *
 * The task that runs a program waits for its end by pidfd, and for nothing else. Each output that
 * somebody wants is a pipe with a task of its own, in a nursery around that wait. Its task reads
 * and cuts into lines; what is wanted of stderr besides is its end, for the error.
 *
 * Reading goes on when the task is cancelled, since a program that is told to end may have much to
 * say, and must not be stuck in a full pipe. So only the wait for the pipe is shielded, and the
 * functions that are given the lines are not. What bounds the wait is the end of the program: a
 * pipe that others hold open is listened to for a moment more. After that, what is in it is still
 * read, and then it is closed: nobody is left stuck in it.
 *
 * A line is kept in a buffer of a fixed size: one that does not fit comes in pieces.
 *
 * The end of a program that is cancelled: SIGTERM, a wait, SIGKILL, a wait, all shielded. Then it
 * has been reaped, or else the system cannot kill it, and that is reported. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bounds.h"
#include "escape.h"
#include "plain-words.h"
#include "process.h"
#include "runtime.h"
#include "stdio-fd.h"

/* What comes out of a program at one place. */
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
} Output;

typedef struct {
  char *name; /* as it was called */
  Process process;
  Output out;
  Output err;
} Program;

static void
close_output (Output *output)
{
  if (output->fd >= 0)
    close (output->fd);
  output->fd = -1;
}

static void
output_clear (Output *output)
{
  close_output (output);
  g_free (output->label);
  if (output->tail != NULL)
    g_string_free (output->tail, TRUE);
}

static void
program_free (Program *program)
{
  tractor__process_clear (&program->process);
  output_clear (&program->out);
  output_clear (&program->err);
  g_free (program->name);
  g_free (program);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Program, program_free)

/* --- its output -------------------------------------------------------------------------------- */

/* (transfer full): fit for a log and a terminal. */
static char *
dup_printable (const char *bytes, gsize length)
{
  g_autofree char *text = g_utf8_make_valid (bytes, (gssize) length);

  return tractor__escape (text);
}

/* @line: is followed by a byte that may be overwritten. */
static void
deliver (Output *output, char *line, gsize length)
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
deliver_end_of_line (Output *output, char *line, gsize length)
{
  if (length > 0 || !output->is_continued)
    deliver (output, line, length);
  output->is_continued = FALSE;
}

static void
cut_lines (Output *output, gsize n_new)
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

static void
keep_tail (GString *tail, const char *bytes, gsize length)
{
  g_string_append_len (tail, bytes, (gssize) length);
  if (tail->len > 4 * LIMIT_PROGRAM_TAIL_BYTES)
    g_string_erase (tail, 0, (gssize) (tail->len - LIMIT_PROGRAM_TAIL_BYTES));
}

/* Returns: how much it was, 0 at the end, or -1 if there is nothing now. */
static gssize
read_some (Output *output)
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
read_what_is_left (Output *output)
{
  int left = 0;
  gssize n;

  if (ioctl (output->fd, FIONREAD, &left) != 0)
    return;
  for (; left > 0 && (n = read_some (output)) > 0; left -= (int) n)
    ;
}

static gboolean
wait_for_output (Output *output)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (output->drain_by);
  gboolean is_ready;

  tractor_cancel_scope_set_shield (scope, TRUE);
  output->wait_scope = scope;
  is_ready = tractor_wait_fd (output->fd, G_IO_IN, NULL, NULL);
  output->wait_scope = NULL;
  return is_ready;
}

static gboolean
run_relay (gpointer data, G_GNUC_UNUSED GError **error)
{
  Output *output = data;

  while (wait_for_output (output) && read_some (output) != 0)
    ;
  read_what_is_left (output);
  if (output->n_used > 0)
    deliver (output, output->bytes, output->n_used);
  close_output (output);
  return TRUE;
}

static void
drain_until (Output *output, gint64 deadline)
{
  output->drain_by = deadline;
  if (output->wait_scope != NULL)
    tractor_cancel_scope_set_deadline (output->wait_scope, deadline);
}

/* --- starting it ------------------------------------------------------------------------------- */

static gboolean
set_misuse (GError **error, const char *message)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, message);
  return FALSE;
}

static gboolean
is_mapped (const TractorProcessOptions *options, int there)
{
  for (gsize i = 0; i < options->n_fds; i++)
    if (options->fds[i].there == there)
      return TRUE;
  return FALSE;
}

static gboolean
check (const char *const *argv, const TractorProcessOptions *options, GError **error)
{
  if (argv[0] == NULL || argv[0][0] == '\0')
    return set_misuse (error, "There is no program without a name");
  if ((options->on_stdout != NULL && is_mapped (options, STDOUT_FILENO)) ||
      (options->on_stderr != NULL && is_mapped (options, STDERR_FILENO)))
    return set_misuse (error, "A program's output goes to a function or to a descriptor, not both");
  return TRUE;
}

/* (transfer full): NULL with @error set. */
static char *
find_program (const char *name, GError **error)
{
  char *path = strchr (name, '/') != NULL ? g_strdup (name) : g_find_program_in_path (name);

  if (path == NULL)
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "cannot run '%s': it is not in PATH",
                 name);
  return path;
}

static Program *
program_new (const char *name, const TractorProcessOptions *options)
{
  Program *program = g_new0 (Program, 1);

  program->name = g_strdup (name);
  program->process.pidfd = -1;
  program->out.stream = "out";
  program->out.func = options->on_stdout;
  program->err.stream = "err";
  program->err.func = options->on_stderr;
  program->err.tail = g_string_new (NULL);
  for (int i = 0; i < 2; i++) {
    Output *output = i == 0 ? &program->out : &program->err;

    output->fd = -1;
    output->data = options->data;
    output->label = g_strdup (options->label);
    output->drain_by = TRACTOR_NO_DEADLINE;
  }
  return program;
}

/* Returns: the program's end, or -1 with errno set. */
static int
open_output (Output *output)
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

/* @ret_stdio: what become the program's stdin, stdout and stderr; -1 is /dev/null */
static gboolean
open_outputs (Program *program,
              const TractorProcessOptions *options,
              int ret_stdio[3],
              GError **error)
{
  gboolean wants_out =
      (options->on_stdout != NULL || options->label != NULL) && !is_mapped (options, STDOUT_FILENO);
  gboolean wants_err = !is_mapped (options, STDERR_FILENO); /* for the error, if for nothing else */
  int saved_errno;

  ret_stdio[0] = -1;
  ret_stdio[1] = wants_out ? open_output (&program->out) : -1;
  ret_stdio[2] = wants_err && (!wants_out || ret_stdio[1] >= 0) ? open_output (&program->err) : -1;
  if ((ret_stdio[1] >= 0) == wants_out && (ret_stdio[2] >= 0) == wants_err)
    return TRUE;

  saved_errno = errno;
  if (ret_stdio[1] >= 0)
    close (ret_stdio[1]);
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved_errno),
               "cannot make a pipe for '%s': %s", program->name, g_strerror (saved_errno));
  return FALSE;
}

/* Returns: (transfer full): it runs; or NULL with @error set. */
static Program *
program_start (const char *const *argv, const TractorProcessOptions *options, GError **error)
{
  TractorRuntime *runtime = tractor__runtime_get (NULL);
  const SpawnMethod *method = runtime != NULL ? runtime->spawn_method : &tractor__spawn_by_exec;
  g_autoptr (Program) program = program_new (argv[0], options);
  g_autofree char *path = find_program (argv[0], error);
  ProcessRequest request = {
    .program = path,
    .called = argv[0],
    .argv = argv + 1,
    .env = options->env,
    .cwd = options->cwd,
    .fds = options->fds,
    .n_fds = options->n_fds,
    .limits = options->limits,
    .n_limits = options->n_limits,
    .nice = options->nice,
    .link_fd = -1,
  };
  gboolean started;

  if (path == NULL || !open_outputs (program, options, request.stdio, error))
    return NULL;
  started = method->start (&request, &program->process, error);
  for (int i = 1; i < 3; i++)
    if (request.stdio[i] >= 0)
      close (request.stdio[i]);
  return started ? g_steal_pointer (&program) : NULL;
}

/* --- its end ----------------------------------------------------------------------------------- */

/* Returns: FALSE with @error set if it is to be ended. */
static gboolean
wait_for_end (Program *program, GError **error)
{
  while (!tractor__process_reap (&program->process))
    if (!tractor_wait_fd (program->process.pidfd, G_IO_IN, NULL, error)) {
      if (!tractor__process_reap (&program->process))
        return FALSE;
      g_clear_error (error); /* too late: it had ended already, and that is the news */
    }
  return TRUE;
}

/* Returns: whether it has ended by @deadline. */
static gboolean
wait_for_end_until (Program *program, gint64 deadline)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (deadline);

  tractor_cancel_scope_set_shield (scope, TRUE);
  return wait_for_end (program, NULL);
}

/* Returns: how long it may take to end by itself: an actor that is being ended has less. */
static gint64
get_patience (void)
{
  TractorRuntime *runtime = tractor__runtime_get (NULL);

  if (runtime == NULL || runtime->end_by == 0)
    return PATIENCE_TERM_USEC;
  return CLAMP (runtime->end_by - tractor_now () - PATIENCE_STEP_USEC, PATIENCE_LEAST_USEC,
                PATIENCE_TERM_USEC);
}

/* @failure: (inout): why it is to be ended */
static void
end_program (Program *program, GError **failure)
{
  tractor__process_signal (&program->process, SIGTERM);
  if (wait_for_end_until (program, tractor_now () + get_patience ()))
    return;
  tractor__process_signal (&program->process, SIGKILL);
  if (wait_for_end_until (program, tractor_now () + PATIENCE_KILL_USEC))
    return;
  g_clear_error (failure);
  g_set_error (failure, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED,
               "Program '%s' (pid %d) cannot be killed, and is left to the system", program->name,
               (int) program->process.pid);
}

/* (transfer full): the last of what it wrote to stderr. */
static char *
dup_tail (const Program *program)
{
  const GString *tail = program->err.tail;
  gsize length = MIN (tail->len, LIMIT_PROGRAM_TAIL_BYTES);

  return g_strchomp (dup_printable (tail->str + tail->len - length, length));
}

static gboolean
check_end (const Program *program, GError **error)
{
  const Process *process = &program->process;
  g_autofree char *end = NULL;
  g_autofree char *lines = NULL;
  g_autofree char *tail = NULL;
  g_autofree char *message = NULL;

  if (process->end == PROCESS_EXITED && process->status == 0)
    return TRUE;

  end = tractor__process_describe_end (process);
  lines = dup_tail (program);
  tail = tractor__join_lines (lines, LIMIT_PROGRAM_TAIL_BYTES);
  message = g_strdup_printf ("Program '%s' (pid %d) %s%s%s", program->name, (int) process->pid, end,
                             tail[0] != '\0' ? "; it wrote: " : "", tail);
  if (process->end == PROCESS_EXITED)
    g_set_error_literal (error, G_SPAWN_EXIT_ERROR, process->status, message);
  else
    g_set_error_literal (error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, message);
  return FALSE;
}

/* --- running it -------------------------------------------------------------------------------- */

static gboolean
start_relay (Program *program, Output *output, TractorNursery *nursery, GError **error)
{
  g_autofree char *name = g_strdup_printf ("std%s of %s", output->stream, program->name);

  return output->fd < 0 || tractor_nursery_spawn (nursery, name, run_relay, output, NULL, error);
}

/* @failure: (transfer full). Returns: (transfer full): the one that a GROUP of one stands for. */
static GError *
unwrap (GError *failure)
{
  const GPtrArray *failures = tractor_error_get_children (failure);
  GError *only;

  if (failures == NULL || failures->len != 1)
    return failure;
  only = g_error_copy (failures->pdata[0]);
  g_error_free (failure);
  return only;
}

/* Sees to it that the program ends, and that what it wrote has been delivered. */
static gboolean
supervise (Program *program, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *failure = NULL;
  gint64 drain_by;

  if (!start_relay (program, &program->out, nursery, &failure) ||
      !start_relay (program, &program->err, nursery, &failure) || !wait_for_end (program, &failure))
    end_program (program, &failure);

  drain_by = tractor_now () + PATIENCE_DRAIN_USEC;
  drain_until (&program->out, drain_by);
  drain_until (&program->err, drain_by);
  if (tractor_nursery_join (nursery, &failure))
    return check_end (program, error);
  g_propagate_error (error, unwrap (failure));
  return FALSE;
}

typedef struct {
  const char *const *argv;
  const TractorProcessOptions *options;
} Order;

static gboolean
run_process (TractorTaskStatus *status, gpointer data, GError **error)
{
  static const TractorProcessOptions defaults;
  const Order *order = data; /* until it has been started */
  const TractorProcessOptions *options = order->options != NULL ? order->options : &defaults;
  g_autoptr (Program) program = NULL;

  if (!tractor_checkpoint_if_cancelled (error) || !check (order->argv, options, error))
    return FALSE;
  program = program_start (order->argv, options, error);
  if (program == NULL)
    return FALSE;
  tractor_task_started (status, GINT_TO_POINTER (program->process.pid), NULL);
  return supervise (program, error);
}

gboolean
tractor_run_process (const char *const *argv, const TractorProcessOptions *options, GError **error)
{
  if (!tractor_error_check_given (argv, "argv", error))
    return FALSE;

  return run_process (NULL, &(Order){ argv, options }, error);
}

gboolean
tractor_nursery_start_process (TractorNursery *nursery,
                               const char *const *argv,
                               const TractorProcessOptions *options,
                               gint *ret_pid,
                               GError **error)
{
  gpointer pid;

  if (!tractor_error_check_given (nursery, "nursery", error) ||
      !tractor_error_check_given (argv, "argv", error))
    return FALSE;

  if (!tractor_nursery_start (nursery, argv[0], run_process, &(Order){ argv, options }, NULL, &pid,
                              error))
    return FALSE;
  if (ret_pid != NULL)
    *ret_pid = GPOINTER_TO_INT (pid);
  return TRUE;
}
