/* run.c - tractor run: a program whose tree is to be debugged, with a terminal of its own.
 *
 * Debug mode is asked for in its environment, as one would by hand. What one cannot do by hand is the terminal: a program
 * that reads its input takes what is typed for the debugger, as long as both have the same one (proxy.c).
 *
 * It ends as the program does, also by the same signal; so a script may have us in front of the program or not. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "parts.h"
#include "proxy.h"
#include "trace-files.h"
#include "trace-program.h"

/* As env(1) and the shells end, where the program does not begin. */
#define EXIT_NOT_THERE  127
#define EXIT_CANNOT_RUN 126

static char **program;
static char *stops;
static char *trace;

static gboolean
take_stops (G_GNUC_UNUSED const char *name,
            const char *value,
            G_GNUC_UNUSED gpointer data,
            G_GNUC_UNUSED GError **error)
{
  g_free (stops);
  stops = g_strdup (value[0] != '\0' ? value : "1");
  return TRUE;
}

static const GOptionEntry options[] = {
  { "debug", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK, (gpointer) take_stops,
    "Debug mode, of those of LIST (pause,crash,error,origins,all), or of all without it", "LIST" },
  { "trace", 0, 0, G_OPTION_ARG_FILENAME, &trace,
    "Write to FILE what its tree has done, as `tractor trace` does", "FILE" },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &program, NULL, NULL },
  { 0 },
};

/* What was meant for --debug: that takes a list only behind "=". */
static gboolean
is_list_of_stops (const char *word)
{
  static const char *const known[] = {
    "pause", "crash", "error", "origins", "all", "1", "0", NULL
  };
  g_auto (GStrv) names = g_strsplit (word, ",", -1);

  for (char **name = names; *name != NULL; name++)
    if (!g_strv_contains (known, *name))
      return FALSE;
  return TRUE;
}

static gboolean
are_errors_looked_at (void)
{
  static const char *const with_errors[] = { "1", "all", "error", "origins" };
  g_auto (GStrv) names = g_strsplit (stops, ",", -1);

  for (guint i = 0; i < G_N_ELEMENTS (with_errors); i++)
    if (g_strv_contains ((const char *const *) names, with_errors[i]))
      return TRUE;
  return FALSE;
}

/* In front of what is there. */
static void
prepend (const char *variable, const char *text)
{
  const char *others = g_getenv (variable);
  g_autofree char *all =
      others != NULL && others[0] != '\0' ? g_strconcat (text, ":", others, NULL) : g_strdup (text);

  g_setenv (variable, all, TRUE);
}

/* Where errors are made is noted by a library in front of all others, in the root, too, which cannot load it so itself.
 * AddressSanitizer would be the first, and need not. */
static void
have_origins_noted (void)
{
  g_autofree char *library = parts_dup_origins ();

  if (library == NULL)
    return;
  prepend ("LD_PRELOAD", library);
  prepend ("ASAN_OPTIONS", "verify_asan_link_order=0");
}

static void
turn_debug_mode_on (void)
{
  g_autofree char *debugger = parts_dup_debugger ();

  g_setenv ("TRACTOR_DEBUG", stops, TRUE);
  g_setenv ("TRACTOR_DEBUGGER", debugger, FALSE);
  if (are_errors_looked_at ())
    have_origins_noted ();
}

/* As the program has. @status: as wait() has it. */
static void G_GNUC_NORETURN
end_as (int status)
{
  if (WIFSIGNALED (status)) {
    sigset_t only;

    setrlimit (RLIMIT_CORE, &(struct rlimit){ 0, 0 }); /* it has left its own */
    signal (WTERMSIG (status), SIG_DFL);
    sigemptyset (&only);
    sigaddset (&only, WTERMSIG (status));
    raise (WTERMSIG (status));
    sigprocmask (SIG_UNBLOCK, &only, NULL);
    exit (128 + WTERMSIG (status));
  }
  exit (WEXITSTATUS (status));
}

/* What is wrong with it is said, and does not change what we end with. */
static void
write_trace (TraceFolder *folder)
{
  g_autoptr (GError) error = NULL;

  if (!trace_folder_write (folder, trace, &error))
    fprintf (stderr, "tractor: %s\n", error->message);
}

static gboolean
has_terminal (void)
{
  int fd = open ("/dev/tty", O_RDWR | O_CLOEXEC);

  if (fd >= 0)
    close (fd);
  return fd >= 0;
}

/* Returns: as proxy_run(); its tree's trace is written. */
static int
run_traced (int *ret_errno, GError **error)
{
  TraceFolder *folder = trace_folder_open (trace, error);
  int status;

  *ret_errno = 0;
  if (folder == NULL)
    return -1;
  if (has_terminal ()) {
    g_setenv (TRACE_VARIABLE, trace_folder_get_path (folder), TRUE);
    status = proxy_run (program, ret_errno, error);
  } else { /* where we would become the program */
    status = trace_program_run (program, trace_folder_get_path (folder), ret_errno, error);
  }
  if (status >= 0)
    write_trace (folder);
  trace_folder_close (folder);
  return status;
}

static Status
run (G_GNUC_UNUSED gint pid, GError **error)
{
  int failure, status;

  if (program == NULL) {
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "A program is missing");
    return STATUS_USAGE;
  }
  if (stops != NULL)
    turn_debug_mode_on ();
  status = trace != NULL ? run_traced (&failure, error) : proxy_run (program, &failure, error);
  if (status >= 0)
    end_as (status);
  if (failure == 0)
    return STATUS_FAILED;
  fprintf (stderr, "tractor: %s\n", (*error)->message);
  if (failure == ENOENT && stops != NULL && is_list_of_stops (program[0]))
    fprintf (stderr,
             "tractor: What is to stop is said with \"=\": tractor run --debug=%s PROGRAM\n",
             program[0]);
  exit (failure == ENOENT ? EXIT_NOT_THERE : EXIT_CANNOT_RUN);
}

const Command command_run = {
  "run",
  "a program, with a terminal of its own beside the debugger's",
  "Options behind PROGRAM are the program's. It ends as the program does; with 127 if there is no "
  "such program, and "
  "126 if it cannot be run.",
  TAKES_PROGRAM,
  options,
  run,
};
