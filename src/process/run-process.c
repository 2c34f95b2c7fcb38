/* run-process.c - a program that is no actor, under the rules of tasks.
 *
 * The task that runs a program waits for its end by pidfd, and for nothing else. What the program
 * writes is read by tasks in a nursery around that wait (program-output.c), and a moment longer.
 *
 * The end of a program that is cancelled: SIGTERM, a wait, SIGKILL, a wait, all shielded. Then it
 * has been reaped, or else the system cannot kill it, and that is reported. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "patience.h"
#include "plain-words.h"
#include "process.h"
#include "program-output.h"
#include "remote-error.h"
#include "runtime.h"

typedef struct {
  char *name; /* as it was called */
  Process process;
  ProgramOutput out;
  ProgramOutput err;
} Program;

static void
program_free (Program *program)
{
  tractor__process_clear (&program->process);
  tractor__program_output_clear (&program->out);
  tractor__program_output_clear (&program->err);
  g_free (program->name);
  g_free (program);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Program, program_free)

/* --- starting it ------------------------------------------------------------------------------- */

static gboolean
set_misuse (GError **error, const char *message)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, message);
  return FALSE;
}

static gboolean
has_mapped (const TractorProcessOptions *options, int there)
{
  return fd_is_mapped (options->fds, options->n_fds, there);
}

static gboolean
check (const char *const *argv, const TractorProcessOptions *options, GError **error)
{
  if (argv[0] == NULL || argv[0][0] == '\0')
    return set_misuse (error, "There is no program without a name");
  if ((options->on_stdout != NULL && has_mapped (options, STDOUT_FILENO)) ||
      (options->on_stderr != NULL && has_mapped (options, STDERR_FILENO)))
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
  tractor__program_output_init (&program->out, "out", options->on_stdout, options);
  tractor__program_output_init (&program->err, "err", options->on_stderr, options);
  program->err.tail = g_string_new (NULL);
  return program;
}

/* @ret_stdio: what become the program's stdin, stdout and stderr; -1 is /dev/null */
static gboolean
open_outputs (Program *program,
              const TractorProcessOptions *options,
              int ret_stdio[3],
              GError **error)
{
  gboolean wants_out = (options->on_stdout != NULL || options->label != NULL) &&
                       !has_mapped (options, STDOUT_FILENO);
  gboolean wants_err =
      !has_mapped (options, STDERR_FILENO); /* for the error, if for nothing else */
  int saved_errno;

  ret_stdio[0] = -1;
  ret_stdio[1] = wants_out ? tractor__program_output_open (&program->out) : -1;
  ret_stdio[2] = wants_err && (!wants_out || ret_stdio[1] >= 0)
                     ? tractor__program_output_open (&program->err)
                     : -1;
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
  started = method->start (method, &request, &program->process, error);
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

/* Returns: how long it may take to end by itself: an actor that is being ended has less. */
static gint64
get_patience (void)
{
  TractorRuntime *runtime = tractor__runtime_get (NULL);

  if (runtime == NULL || runtime->end_by == 0)
    return PATIENCE_TERM_USEC;
  return CLAMP (runtime->end_by - tractor__patience_now () - PATIENCE_STEP_USEC,
                PATIENCE_LEAST_USEC, PATIENCE_TERM_USEC);
}

/* @failure: (inout): why it is to be ended */
static void
end_program (Program *program, GError **failure)
{
  tractor__process_signal (&program->process, SIGTERM);
  if (tractor__process_wait_until (&program->process, tractor__patience_now () + get_patience ()))
    return;
  tractor__process_signal (&program->process, SIGKILL);
  if (tractor__process_wait_until (&program->process,
                                   tractor__patience_now () + PATIENCE_KILL_USEC))
    return;
  g_clear_error (failure);
  g_set_error (failure, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED,
               "Program '%s' (pid %d) cannot be killed, and is left to the system", program->name,
               (int) program->process.pid);
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
  lines = tractor__program_output_dup_tail (&program->err);
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
start_relay (Program *program, ProgramOutput *output, TractorNursery *nursery, GError **error)
{
  g_autofree char *name = g_strdup_printf ("std%s of %s", output->stream, program->name);

  return output->fd < 0 ||
         tractor_nursery_spawn (nursery, name, tractor__program_output_relay, output, NULL, error);
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
  tractor__program_output_drain_until (&program->out, drain_by);
  tractor__program_output_drain_until (&program->err, drain_by);
  if (tractor_nursery_join (nursery, &failure))
    return check_end (program, error);
  g_propagate_error (error, tractor__collapse_group (failure));
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
