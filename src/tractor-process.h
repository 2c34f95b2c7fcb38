/* tractor-process.h - what a child process is given, and programs that are no actors.
 *
 * A program that knows nothing of us runs under the rules of tasks: whoever runs it waits for its
 * end, its failure is an error, a cancel ends it, and it is gone in any case. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/resource.h>

#include "tractor-task.h"

G_BEGIN_DECLS

/* --- what a child process is given ------------------------------------------------------------- */

/**
 * TractorFdMapping:
 * @here: a descriptor of ours; close-on-exec or not, it stays ours
 * @there: the number that the child has it under
 *
 * A descriptor for a child process. It is the same open file: its position and O_NONBLOCK are
 * shared. A child has its stdin, stdout and stderr, what is mapped, and nothing else of ours.
 */
typedef struct {
  int here;
  int there;
} TractorFdMapping;

/**
 * TractorResourceLimit:
 * @resource: one of RLIMIT_*
 *
 * A limit of a child process, as for setrlimit().
 */
typedef struct {
  int resource;
  rlim_t soft;
  rlim_t hard;
} TractorResourceLimit;

/* --- programs that are no actors --------------------------------------------------------------- */

/**
 * TractorOutputFunc:
 * @line: without its newline; bytes as they came, with a NUL after them
 * @length: in bytes; at most 64 KiB: a longer line comes in pieces
 * @data: that of the options
 *
 * Is given what a program writes, line by line. It runs in a task of its own and may suspend: the
 * program has to wait then, once the pipe is full. Its checkpoints are cancelled when whoever runs
 * the program is.
 */
typedef void (*TractorOutputFunc) (const char *line, gsize length, gpointer data);

/**
 * TractorProcessOptions:
 * @env: (nullable) (array zero-terminated=1): what differs from our environment: "NAME=value" sets,
 *   "NAME" alone unsets; of several for one name the last counts
 * @cwd: (nullable): its working directory; NULL is ours
 * @fds: (nullable) (array length=n_fds): descriptors for it; each @there once, none below 0. Its
 *   stdin, stdout or stderr may be among them, unless there is a function for it.
 * @limits: (nullable) (array length=n_limits): limits for it
 * @nice: how much less important than we it is to the scheduler of the system, from 0 to 19, as by nice(1)
 * @label: (nullable): what it writes, and has no function, is logged as messages of the domain
 *   "tractor": "[label:out] line" and "[label:err] line", with control characters escaped
 * @on_stdout: (nullable): is given what it writes to stdout
 * @on_stderr: (nullable): is given what it writes to stderr
 * @data: for both functions
 *
 * Zero what you do not set. All but @data is copied or no longer needed when the program has been
 * started.
 */
typedef struct {
  const char *const *env;
  const char *cwd;
  const TractorFdMapping *fds;
  gsize n_fds;
  const TractorResourceLimit *limits;
  gsize n_limits;
  const char *label;
  TractorOutputFunc on_stdout;
  TractorOutputFunc on_stderr;
  gpointer data;
  guint nice;
  gpointer padding[5];
} TractorProcessOptions;

/**
 * tractor_run_process:
 * @argv: (array zero-terminated=1): the program and its arguments. A program without "/" is looked
 *   up in our PATH; a relative path is one from its working directory.
 * @options: (nullable): NULL is all defaults
 *
 * Runs a program, and waits for its end. Its stdin is /dev/null, as is its stdout if nobody wants
 * it. Signals have their default actions in it; but those that shells and terminals have us ignore, SIGHUP,
 * SIGINT, SIGQUIT, SIGTSTP, SIGTTIN and SIGTTOU, stay so.
 *
 * It stays in our process group: Ctrl-C in a terminal reaches it, as from a shell. Job control is
 * for shells, and a group of its own could not read from the terminal. What it starts itself is its
 * own to end. If this process dies, the kernel kills it.
 *
 * When the calling task is cancelled, the program gets SIGTERM, and SIGKILL if it is not gone 1.6 s
 * later; in an actor that has less time left, sooner. What it still writes is read meanwhile, and
 * this returns when it is gone. What it wrote before its end is delivered to the last byte; but a
 * process that it left behind, and that holds its output open, is heard for half a second more.
 *
 * Returns: TRUE if it exited with status 0; or FALSE with @error set to
 *   - G_SPAWN_EXIT_ERROR, with the exit status for a code, or G_SPAWN_ERROR_FAILED if it was killed
 *     by a signal, or ended in a way that we could not find out. Either says which program, how it
 *     ended, and the last 16 KiB of its stderr, with control characters escaped
 *   - CANCELLED; if it was cancelled before it was started, nothing has run
 *   - MISUSE for bad @options, or outside a task; nothing has run
 *   - a G_FILE_ERROR if it cannot be run; it names the program or the directory
 *   - G_SPAWN_ERROR_FAILED if it cannot even be killed: then it is left to the system
 * Suspends: yes, a checkpoint. Thread: guest, in a task. The kernel kills the program too when this
 *   thread ends.
 */
TRACTOR_API gboolean tractor_run_process (const char *const *argv,
                                          const TractorProcessOptions *options,
                                          GError **error);

/**
 * tractor_nursery_start_process:
 * @argv: (array zero-terminated=1): as for tractor_run_process()
 * @options: (nullable): as for tractor_run_process()
 * @ret_pid: (out) (optional): its process id, for messages; signals are better left to the nursery
 *
 * Starts a program, and returns when it runs. A task of @nursery does the rest of what
 * tractor_run_process() does, and its failure is one of the nursery's.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_run_process() if it cannot be started, or
 *   as by tractor_nursery_start().
 * Suspends: yes, a checkpoint. Thread: guest, in any task.
 */
TRACTOR_API gboolean tractor_nursery_start_process (TractorNursery *nursery,
                                                    const char *const *argv,
                                                    const TractorProcessOptions *options,
                                                    gint *ret_pid,
                                                    GError **error);

G_END_DECLS
