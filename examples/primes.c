/* primes.c - are these numbers prime? One actor per core finds out.
 *
 *    primes 112272535095293 17 x      numbers on the command line
 *    primes --file numbers.txt        or in a file, - for stdin
 *    primes                           or a few of 15 digits, built in
 *
 * Each worker actor has a task here that feeds it: it takes the next number, calls the worker, and
 * notes the answer. Answers are printed in the order of the numbers. A number that is none is
 * reported as bad, and costs nothing else. A worker that dies ends the program with what happened
 * to it. Ctrl-C cancels everything, and no process is left. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor-glib.h>
#include <tractor-uv.h>
#include <tractor.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* --- in the workers ----------------------------------------------------------------------------- */

/* Returns: the smallest divisor above 1; FALSE if the task was cancelled meanwhile. */
static gboolean
find_divisor (guint64 number, guint64 *ret_divisor, GError **error)
{
  *ret_divisor = 2;
  if (number % 2 == 0)
    return TRUE;
  for (guint64 divisor = 3; divisor <= number / divisor; divisor += 2) {
    /* Now and then, so that a cancel is heard. */
    if ((divisor & 0xfffff) == 1 && !tractor_checkpoint (error))
      return FALSE;
    if (number % divisor == 0) {
      *ret_divisor = divisor;
      return TRUE;
    }
  }
  *ret_divisor = number;
  return TRUE;
}

static gboolean
check (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  const char *text = "";
  guint64 number;
  guint64 divisor = 0;

  g_variant_lookup (kwargs, "number", "&s", &text);
  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT64, &number, error))
    return FALSE;
  if (number >= 2 && !find_divisor (number, &divisor, error))
    return FALSE;
  *ret_result = g_variant_new ("(tt)", number, divisor);
  return TRUE;
}

static const TractorExport primes_exports[] = { { "check", TRACTOR_EXPORT_CALL, .call = check },
                                                { 0 } };
static const TractorModule modules[] = { { "primes", primes_exports }, { 0 } };
static const TractorRunner runners[] = {
  { "builtin", tractor_run }, { "glib", tractor_glib_run }, { "uv", tractor_uv_run }, { 0 }
};

/* --- here --------------------------------------------------------------------------------------- */

typedef struct {
  char **numbers;
  guint n_numbers;
  guint n_workers;
  const char *host;
  int signal_fd;
  gboolean was_interrupted;

  char **answers; /* each NULL until it is known */
  guint next;     /* to be given to a worker */
  guint n_known;
  guint n_printed;
  gboolean any_bad;
} Job;

typedef struct {
  Job *job;
  TractorPortal *worker;
} Feeder;

static void
show_progress (Job *job)
{
  static gint64 shown_at;
  gint64 now = g_get_monotonic_time ();

  if (!isatty (STDERR_FILENO) || (now - shown_at < 50000 && job->n_known < job->n_numbers))
    return;
  shown_at = now;
  g_printerr ("\r\033[K");
  if (job->n_known < job->n_numbers)
    g_printerr ("%u of %u numbers, %u workers ", job->n_known, job->n_numbers, job->n_workers);
}

static void
print_known (Job *job)
{
  if (job->n_printed < job->n_numbers && job->answers[job->n_printed] != NULL &&
      isatty (STDERR_FILENO))
    g_printerr ("\r\033[K");
  for (; job->n_printed < job->n_numbers && job->answers[job->n_printed] != NULL; job->n_printed++)
    g_print ("%s\n", job->answers[job->n_printed]);
  show_progress (job);
}

/* Returns: (transfer full): what to print, or NULL with @error set if the worker failed. */
static char *
ask_worker (Feeder *feeder, const char *number, GError **error)
{
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) failure = NULL;
  gint64 divisor;

  if (!tractor_portal_call (feeder->worker, "primes:check",
                            g_variant_new_parsed ("{'number': <%s>}", number), &result, &failure)) {
    /* Domain and code of an error survive the way from the worker. */
    if (tractor_error_matches (failure, G_NUMBER_PARSER_ERROR, G_NUMBER_PARSER_ERROR_INVALID) ||
        tractor_error_matches (failure, G_NUMBER_PARSER_ERROR,
                               G_NUMBER_PARSER_ERROR_OUT_OF_BOUNDS)) {
      feeder->job->any_bad = TRUE;
      return g_strdup_printf ("%s: bad: %s", number, failure->message);
    }
    g_propagate_error (error, g_steal_pointer (&failure));
    return NULL;
  }

  /* Tuples arrive as arrays, integers as x, or t where they are too large for that. */
  {
    g_autoptr (GVariant) boxed = g_variant_get_child_value (result, 1);
    g_autoptr (GVariant) value = g_variant_get_variant (boxed);

    if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
      return g_strdup_printf ("%s is prime", number);
    divisor = g_variant_get_int64 (value);
  }
  if (divisor == 0)
    return g_strdup_printf ("%s is not prime", number);
  if ((guint64) divisor == g_ascii_strtoull (number, NULL, 10))
    return g_strdup_printf ("%s is prime", number);
  return g_strdup_printf ("%s is not prime: %" G_GINT64_FORMAT " divides it", number, divisor);
}

static gboolean
feed (gpointer data, GError **error)
{
  Feeder *feeder = data;
  Job *job = feeder->job;

  while (job->next < job->n_numbers) {
    guint mine = job->next++;

    job->answers[mine] = ask_worker (feeder, job->numbers[mine], error);
    if (job->answers[mine] == NULL)
      return FALSE;
    job->n_known++;
    print_known (job);
  }
  return TRUE;
}

static void
feeder_free (gpointer data)
{
  Feeder *feeder = data;

  tractor_portal_unref (feeder->worker);
  g_free (feeder);
}

static gboolean
start_worker (
    Job *job, guint number, TractorActorNursery *workers, TractorNursery *feeders, GError **error)
{
  g_autofree char *name = g_strdup_printf ("worker-%u", number);
  TractorPortal *worker = tractor_actor_nursery_start (
      workers, name, &(TractorSpawnOptions){ .host = job->host }, error);
  Feeder *feeder;

  if (worker == NULL)
    return FALSE;
  feeder = g_new (Feeder, 1);
  *feeder = (Feeder){ job, worker };
  return tractor_nursery_spawn (feeders, name, feed, feeder, feeder_free, error);
}

static gboolean
work (Job *job, GError **error)
{
  g_autoptr (TractorActorNursery) workers = tractor_actor_nursery_open (error);
  g_autoptr (TractorNursery) feeders = NULL;
  gboolean ok = TRUE;

  if (workers == NULL)
    return FALSE;
  feeders = tractor_nursery_open ();
  for (guint i = 1; ok && i <= job->n_workers; i++)
    ok = start_worker (job, i, workers, feeders, error);
  if (tractor_nursery_join (feeders, error))
    tractor_actor_nursery_cancel (workers);
  return tractor_actor_nursery_join (workers, error);
}

typedef struct {
  Job *job;
  TractorCancelScope *scope;
} Interrupt;

static gboolean
watch_signals (gpointer data, GError **error)
{
  Interrupt *interrupt = data;
  struct signalfd_siginfo info;

  if (!tractor_wait_fd (interrupt->job->signal_fd, G_IO_IN, NULL, error))
    return FALSE;
  if (read (interrupt->job->signal_fd, &info, sizeof info) == sizeof info) {
    interrupt->job->was_interrupted = TRUE;
    tractor_cancel_scope_cancel (interrupt->scope, "interrupted");
  }
  return TRUE;
}

static gboolean
run_job (gpointer data, GError **error)
{
  Job *job = data;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Interrupt interrupt = { job, scope };

  if (tractor_nursery_spawn (nursery, "signals", watch_signals, &interrupt, NULL, error) &&
      work (job, error))
    tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "done");
  tractor_nursery_join (nursery, error);
  return tractor_cancel_scope_absorb (scope, error);
}

/* --- the command line ---------------------------------------------------------------------------- */

static const char *const default_numbers[] = {
  "112272535095293",
  "112582705942171",
  "115280095190773",
  "115797848077099",
  "117450548693743",
  "993960000099397",
  NULL,
};

/* (transfer full): the words of a file, without comments; NULL with @error set. */
static char **
read_numbers (const char *path, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GStrvBuilder) numbers = g_strv_builder_new ();
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (strcmp (path, "-") == 0 ? "/dev/stdin" : path, &text, NULL, error))
    return NULL;
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    g_auto (GStrv) words = NULL;

    (*line)[strcspn (*line, "#")] = '\0';
    words = g_strsplit_set (*line, " \t\r,", -1);
    for (char **word = words; *word != NULL; word++)
      if ((*word)[0] != '\0')
        g_strv_builder_add (numbers, *word);
  }
  return g_strv_builder_end (numbers);
}

static const TractorRunner *
find_host (const char *name)
{
  for (const TractorRunner *runner = runners; runner->name != NULL; runner++)
    if (strcmp (runner->name, name) == 0)
      return runner;
  return NULL;
}

/* From now on these signals are read from a descriptor, by a task. */
static int
open_signal_fd (void)
{
  sigset_t signals;

  sigemptyset (&signals);
  sigaddset (&signals, SIGINT);
  sigaddset (&signals, SIGTERM);
  sigprocmask (SIG_BLOCK, &signals, NULL);
  return signalfd (-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
run_and_report (Job *job, const TractorRunner *host)
{
  g_autoptr (GError) error = NULL;
  gboolean ok;

  job->n_numbers = g_strv_length (job->numbers);
  job->n_workers = CLAMP (job->n_workers, 1, MAX (job->n_numbers, 1));
  job->answers = g_new0 (char *, job->n_numbers + 1);
  job->signal_fd = open_signal_fd ();
  ok = host->run (run_job, job, &error);
  close (job->signal_fd);
  for (guint i = 0; i < job->n_numbers; i++)
    g_free (job->answers[i]);
  g_free (job->answers);

  if (job->was_interrupted) {
    g_printerr ("\ninterrupted after %u of %u numbers\n", job->n_known, job->n_numbers);
    return 130;
  }
  if (!ok) {
    g_autofree char *description = tractor_error_describe (error);

    g_printerr ("%s\n", description);
  }
  return ok && !job->any_bad ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main (int argc, char **argv)
{
  g_autofree char *file = NULL;
  g_autofree char *host_name = NULL;
  g_auto (GStrv) arguments = NULL;
  g_auto (GStrv) from_file = NULL;
  int n_workers = (int) g_get_num_processors ();
  const GOptionEntry entries[] = {
    { "file", 'f', 0, G_OPTION_ARG_FILENAME, &file, "Read numbers from FILE, - for stdin", "FILE" },
    { "host", 0, 0, G_OPTION_ARG_STRING, &host_name, "Run on builtin, glib or uv", "HOST" },
    { "workers", 'w', 0, G_OPTION_ARG_INT, &n_workers, "Actors; default: one per core", "N" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &arguments, NULL, "[NUMBER...]" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = NULL;
  g_autoptr (GError) error = NULL;
  const TractorRunner *host;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;

  context = g_option_context_new ("- check numbers for primality, one actor per core");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) ||
      (file != NULL && (from_file = read_numbers (file, &error)) == NULL)) {
    g_printerr ("%s\n", error->message);
    return 2;
  }
  host = find_host (host_name != NULL ? host_name : "builtin");
  if (host == NULL || n_workers < 1 || n_workers > 64) {
    g_printerr ("--host is builtin, glib or uv, and --workers is 1 to 64\n");
    return 2;
  }

  {
    Job job = {
      .numbers = from_file != NULL   ? from_file
                 : arguments != NULL ? arguments
                                     : (char **) default_numbers,
      .n_workers = (guint) n_workers,
      .host = host->name,
    };

    return run_and_report (&job, host);
  }
}
