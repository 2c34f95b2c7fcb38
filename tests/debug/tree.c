/* tree.c - a tree of actors that pause, crash, fail or stay: what debug mode and dumps are shown on.
 *
 * debug-tree [--host NAME] [--depth N] STORY: the root runs "work" in an actor, N more below that, and the last does what
 * STORY says. With --python PROGRAM the last one below the first actor is a Python actor: tests/interop/peer.py, or a
 * Python that has upstream's tractor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <tractor-builtin.h>
#include <tractor-glib.h>
#include <tractor-uv.h>
#include <tractor.h>
#include <unistd.h>

static const char *story;
static gint64 depth;
static const char *python; /* (nullable) */
static int n_actors = 1;
static gboolean ends_on_signal;
static gboolean has_own_signal;
static gboolean reads_lines;
static gboolean reads_at_end;
static gboolean reads_for_ever;
static TractorDebugMode root_mode;
static TractorDebugMode child_mode;

static gboolean
sleep_forever (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* --- stories ----------------------------------------------------------------------------------- */

static void
say (const char *text)
{
  puts (text);
  fflush (stdout);
}

/* What is to be found of a task: why its scope was cancelled, and that it stays all the same. */
static gboolean
stay (GError **error)
{
  g_autoptr (TractorCancelScope) cancelled =
      tractor_cancel_scope_open (tractor_now () + 600 * G_USEC_PER_SEC);
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  tractor_cancel_scope_cancel (cancelled, "the story says so");
  say ("stays");
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* Named for what is to be found in its stack. */
static void __attribute__ ((noinline)) go_round (void)
{
  static volatile guint64 n;

  for (;;)
    n++;
}

static void
on_own_signal (G_GNUC_UNUSED int number)
{
  static const char text[] = "the program's own\n";

  if (write (STDOUT_FILENO, text, sizeof text - 1) < 0)
    _exit (4);
}

/* Another has the signal that dumps are asked for by. */
static gboolean
receive_own (GError **error)
{
  g_autoptr (TractorSignalReceiver) receiver =
      tractor_signal_receiver_open (&(int){ SIGUSR1 }, 1, error);
  int number;

  if (receiver == NULL)
    return FALSE;
  say ("stays");
  while (tractor_signal_receiver_receive (receiver, &number, error))
    say ("the program's own");
  return FALSE;
}

static gboolean
pause_once (int *answer, GError **error)
{
  int local_answer = *answer;

  if (!tractor_pause (error))
    return FALSE;
  local_answer += 1;
  *answer = local_answer;
  return TRUE;
}

/* As what reports crashes does, to read symbols: such a part of a library lies below the library itself. */
static gboolean
map_library (void)
{
  Dl_info info;
  int fd = dladdr ((gpointer) tractor_pause, &info) != 0 ? open (info.dli_fname, O_RDONLY) : -1;
  gboolean ok = fd >= 0 && mmap (NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096) != MAP_FAILED;

  close (fd);
  return ok;
}

/* Named for where a breakpoint is set. */
static void __attribute__ ((noinline)) do_a_bit (void)
{
  __asm__ volatile("" ::: "memory");
}

/* Until there is a file of that name. */
static gboolean
work_on (const char *path, GError **error)
{
  say ("works");
  while (access (path, F_OK) != 0) {
    do_a_bit ();
    if (!tractor_sleep_until (tractor_now () + 1000, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
pause_and_work (GError **error)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "enough", NULL);

  if (!tractor_pause (error))
    return FALSE;
  return work_on (path, error);
}

static gboolean
pause_in_cancelled (gboolean is_shielded, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  GError *failure = NULL;
  gboolean ok;

  tractor_cancel_scope_cancel (scope, "the test says so");
  ok = is_shielded ? tractor_pause_shielded (&failure) : tractor_pause (&failure);
  printf ("paused: %s\n", ok ? "yes" : failure->message);
  fflush (stdout);
  g_clear_error (&failure);
  return tractor_cancel_scope_absorb (scope, error);
}

static gpointer
pause_in_thread (G_GNUC_UNUSED gpointer data)
{
  int in_thread = 5;

  tractor_pause (NULL);
  printf ("thread goes on %d\n", in_thread);
  fflush (stdout);
  return NULL;
}

static void
crash (const int *where)
{
  printf ("%d\n", *where);
}

/* @func: is none. */
static void
call_what_is_no_code (void (*func) (void))
{
  static volatile int n_calls;

  func ();
  n_calls++;
}

static void
say_fatal (const int *answer)
{
  g_error ("The answer is %d", *answer);
}

/* The file is shorter by then. */
static void
read_truncated (void)
{
  FILE *file = tmpfile ();
  const volatile char *at;

  if (file == NULL || ftruncate (fileno (file), 1) != 0)
    return;
  at = mmap (NULL, 1, PROT_READ, MAP_SHARED, fileno (file), 0);
  if (ftruncate (fileno (file), 0) == 0)
    printf ("%d\n", *at);
}

/* Deeper than any stack. */
static int
dig (int depth_left)
{
  volatile char here[512];

  here[0] = (char) depth_left;
  return depth_left > 0 ? dig (depth_left - 1) + here[0] : 0;
}

/* Neither of its registers says where its frames are, one of them not even where its stack is. */
static void
crash_without_stack (void)
{
#if defined(__x86_64__)
  __asm__ volatile("leaq -64(%%rsp), %%rbp\n\tmovq $-16, %%rsp\n\tpushq %%rax" ::: "memory");
#endif
}

static gpointer
crash_in_thread (G_GNUC_UNUSED gpointer data)
{
  crash ((const int *) 16);
  return NULL;
}

#define SOME_THREADS 8

static gpointer
crash_with_others (gpointer barrier)
{
  pthread_barrier_wait (barrier);
  crash ((const int *) 16);
  return NULL;
}

static G_NORETURN void
crash_in_threads (void)
{
  pthread_barrier_t barrier;

  pthread_barrier_init (&barrier, NULL, SOME_THREADS);
  for (int i = 1; i < SOME_THREADS; i++)
    g_thread_unref (g_thread_new ("story", crash_with_others, &barrier));
  crash_with_others (&barrier);
  abort ();
}

static void
on_alarm (G_GNUC_UNUSED int number)
{
}

/* The program has a timer, which sends what we wait by for a stack that cannot be read. */
static void
crash_with_timer (void)
{
  const struct itimerspec often = { { 0, 1000000 }, { 0, 1000000 } };
  timer_t timer;

  signal (SIGALRM, on_alarm);
  if (timer_create (CLOCK_MONOTONIC, NULL, &timer) == 0)
    timer_settime (timer, 0, &often, NULL);
  crash ((const int *) 16);
}

/* Over its end, and over what it was to return to. */
static void __attribute__ ((noinline, no_stack_protector)) smash (gsize bytes)
{
  char buffer[16];
  char *volatile at = buffer;

  memset (at, 'A', bytes);
}

static gboolean
run_thread (gpointer func, GError **error)
{
  GThread *thread = g_thread_new ("story", (GThreadFunc) func, NULL);

  g_thread_join (thread);
  return tractor_checkpoint (error);
}

static gboolean
fail (int answer, GError **error)
{
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no room for %d", answer);
  return FALSE;
}

/* The program sees to its failure itself. */
static gboolean
look_back (int answer)
{
  g_autoptr (GError) failure = NULL;

  fail (answer, &failure);
  tractor_post_mortem (failure);
  return TRUE;
}

static gboolean
wait_forever (gpointer event, GError **error)
{
  return tractor_event_wait (event, error);
}

/* Two kinds of tasks, one among the other: their numbers have holes. */
static gboolean
mix (GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  TractorEvent *event = tractor_event_new ();
  gboolean ok;

  for (const char *kind = "--+---+-"; *kind != '\0'; kind++)
    tractor_nursery_spawn (nursery, *kind == '+' ? "other" : "equal",
                           *kind == '+' ? wait_forever : sleep_forever, event, NULL, error);
  say ("stays");
  ok = tractor_nursery_join (nursery, error);
  tractor_event_free (event);
  return ok;
}

/* As an actor has it that does nothing with it. */
static GVariant *
keep_other_end (TractorRing *ring, GError **error)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (tractor_ring_get_value (ring, error));

  return tractor_value_hold_fds (value, error);
}

/* Until there is no room: nobody reads at the other end. */
static gboolean
fill_ring (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorRing *ring = tractor_ring_new (4096, error);
  g_autoptr (GVariant) other_end = keep_other_end (ring, error);
  g_autoptr (TractorRingWriter) writer = tractor_ring_open_writer (ring, error);
  static const char item[1000];

  while (tractor_ring_writer_send (writer, item, sizeof item, error))
    ;
  return FALSE;
}

static gboolean
read_ring (GError **error)
{
  TractorRing *ring = tractor_ring_new (4096, error);
  g_autoptr (GVariant) other_end = keep_other_end (ring, error);
  g_autoptr (TractorRingReader) reader = tractor_ring_open_reader (ring, error);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gconstpointer item;
  gsize length;

  tractor_nursery_spawn (nursery, "filler", fill_ring, NULL, NULL, error);
  if (!tractor_wait_all_tasks_blocked (0, error))
    return FALSE;
  say ("stays");
  return tractor_ring_reader_peek (reader, &item, &length, error);
}

/* Begins a dialog with an actor below, for which that has nothing to say: this waits for an item, or for its end. */
static gboolean
listen_to (TractorPortal *below, gboolean to_items, GError **error)
{
  g_autoptr (TractorContext) context =
      tractor_portal_open_context (below, "tree:talk", NULL, NULL, NULL, error);
  TractorStream *stream = context != NULL ? tractor_context_open_stream (context, error) : NULL;
  g_autoptr (GVariant) item = NULL;

  if (stream == NULL)
    return FALSE;
  say ("stays");
  return to_items ? tractor_stream_receive (stream, &item, error)
                  : tractor_context_join (context, NULL, error);
}

static gboolean
look_after (gboolean listens, gboolean to_items, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) below =
      nursery != NULL ? tractor_actor_nursery_start (
                            nursery, "below", &(TractorSpawnOptions){ .debug = child_mode }, error)
                      : NULL;

  if (below == NULL)
    return FALSE;
  if (listens)
    return listen_to (below, to_items, error);
  say ("stays");
  return tractor_actor_nursery_join (nursery, error);
}

static gboolean
tell (int *answer, GError **error)
{
  if (strcmp (story, "mix") == 0)
    return mix (error);
  if (strcmp (story, "ring") == 0)
    return read_ring (error);
  if (strcmp (story, "join") == 0)
    return look_after (FALSE, FALSE, error);
  if (strcmp (story, "listen") == 0)
    return look_after (TRUE, TRUE, error);
  if (strcmp (story, "dialog") == 0)
    return look_after (TRUE, FALSE, error);
  if (strcmp (story, "pause") == 0)
    return pause_once (answer, error);
  if (strcmp (story, "mapped-pause") == 0)
    return map_library () && pause_once (answer, error);
  if (strcmp (story, "pause-and-work") == 0)
    return pause_and_work (error);
  if (strcmp (story, "overflow") == 0)
    return dig (1000000) != 0;
  if (strcmp (story, "undumpable-pause") == 0)
    return prctl (PR_SET_DUMPABLE, 0) == 0 && pause_once (answer, error);
  if (strcmp (story, "pause-twice") == 0)
    return pause_once (answer, error) && pause_once (answer, error);
  if (strcmp (story, "cancelled-pause") == 0)
    return pause_in_cancelled (FALSE, error);
  if (strcmp (story, "shielded-pause") == 0)
    return pause_in_cancelled (TRUE, error);
  if (strcmp (story, "thread-pause") == 0)
    return run_thread (pause_in_thread, error);
  if (strcmp (story, "thread-crash") == 0)
    return run_thread (crash_in_thread, error);
  if (strcmp (story, "threads-crash") == 0)
    crash_in_threads ();
  if (strcmp (story, "timer-crash") == 0)
    crash_with_timer ();
  if (strcmp (story, "smash") == 0)
    smash (600);
  if (strcmp (story, "crash") == 0)
    crash ((const int *) 16);
  if (strcmp (story, "call-null") == 0)
    call_what_is_no_code (NULL);
  if (strcmp (story, "call-data") == 0)
    call_what_is_no_code ((void (*) (void)) (gsize) answer);
  if (strcmp (story, "fatal") == 0)
    say_fatal (answer);
  if (strcmp (story, "truncated") == 0)
    read_truncated ();
  if (strcmp (story, "crash-without-stack") == 0)
    crash_without_stack ();
  if (strcmp (story, "crash-together") == 0) {
    /* All are there before the first one goes, whose end ends the others. */
    if (!tractor_sleep_until (tractor_now () + G_USEC_PER_SEC, error))
      return FALSE;
    crash ((const int *) 16);
  }
  if (strcmp (story, "abort") == 0)
    abort ();
  if (strcmp (story, "fail") == 0)
    return fail (*answer, error);
  if (strcmp (story, "post-mortem") == 0)
    return look_back (*answer);
  if (strcmp (story, "stay") == 0)
    return stay (error);
  if (strcmp (story, "receive") == 0)
    return receive_own (error);
  if (strcmp (story, "compute") == 0) {
    say ("computes");
    go_round ();
  }
  if (strcmp (story, "is-on") == 0) {
    printf ("debug mode is %s\n", tractor_debug_is_on () ? "on" : "off");
    return fflush (stdout) == 0;
  }
  fprintf (stderr, "debug-tree: no story \"%s\"\n", story);
  exit (2);
}

/* --- the tree ---------------------------------------------------------------------------------- */

static gboolean
run_in_python (const char *name, const char *program, GVariant **ret_result, GError **error)
{
  const char *const for_upstream[] = { "cmod=" TESTS_DIR "/interop/upstream_child.py", NULL };
  const TractorSpawnOptions options = {
    .program = program, .is_python = TRUE, .modules = for_upstream, .debug = child_mode
  };

  return tractor_run_in_actor (name, &options, "cmod:tell",
                               g_variant_new_parsed ("{'story': <%s>}", story), ret_result, error);
}

static gboolean
run_below (
    const char *name, gint64 more, const char *program, GVariant **ret_result, GError **error)
{
  if (program != NULL && more == 0)
    return run_in_python (name, program, ret_result, error);
  return tractor_run_in_actor (
      name, &(TractorSpawnOptions){ .debug = child_mode }, "tree:work",
      g_variant_new_parsed ("{'story': <%s>, 'depth': <%x>, 'python': <%s>}", story, more,
                            program != NULL ? program : ""),
      ret_result, error);
}

static gboolean
work (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int answer = 42;
  gboolean ok;

  g_variant_lookup (kwargs, "story", "&s", &story);
  g_variant_lookup (kwargs, "depth", "x", &depth);
  if (g_variant_lookup (kwargs, "python", "&s", &python) && *python == '\0')
    python = NULL;
  tractor_nursery_spawn (nursery, "sleeper", sleep_forever, NULL, NULL, NULL);
  if (depth > 0) {
    g_autofree char *name = g_strdup_printf ("level%d", (int) depth - 1);

    ok = run_below (name, depth - 1, python, ret_result, error);
  } else {
    ok = tell (&answer, error);
    if (ok)
      *ret_result = g_variant_new_int64 (answer);
  }
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return ok;
}

static gboolean
talk (TractorContext *context,
      G_GNUC_UNUSED GVariant *kwargs,
      G_GNUC_UNUSED GVariant **ret_result,
      GError **error)
{
  return tractor_context_started (context, NULL, error) &&
         tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static const TractorExport exports[] = { { "work", TRACTOR_EXPORT_CALL, work },
                                         { "talk", TRACTOR_EXPORT_CONTEXT, .context = talk },
                                         { NULL } };
static const TractorModule modules[] = { { "tree", exports }, { NULL } };
static const TractorRunner runners[] = {
  { "builtin", tractor_run }, { "glib", tractor_glib_run }, { "uv", tractor_uv_run }, { NULL }
};

static gboolean
run_one (gpointer name, GError **error)
{
  g_autoptr (GVariant) result = NULL;
  gboolean is_first = strcmp (name, "kid0") == 0;
  gboolean ok = run_below (name, depth, is_first ? python : NULL, &result, error);

  if (ok) {
    printf ("%s: result %" G_GINT64_FORMAT "\n", (char *) name, g_variant_get_int64 (result));
    fflush (stdout);
  }
  return ok;
}

static gboolean
run_all (GError **error)
{
  g_autoptr (TractorRuntime) runtime =
      tractor_runtime_open (&(TractorRuntimeOptions){ .debug = root_mode }, error);
  g_autoptr (TractorNursery) nursery = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  if (runtime == NULL)
    return FALSE;
  nursery = tractor_nursery_open ();
  for (int i = 0; i < n_actors; i++) {
    g_ptr_array_add (names, g_strdup_printf ("kid%d", i));
    tractor_nursery_spawn (nursery, names->pdata[i], run_one, names->pdata[i], NULL, error);
  }
  return tractor_nursery_join (nursery, error);
}

static gboolean
cancel_on_signal (gpointer scope, GError **error)
{
  g_autoptr (TractorSignalReceiver) receiver =
      tractor_signal_receiver_open ((const int[]){ SIGUSR2 }, 1, error);
  int number;

  if (receiver == NULL || !tractor_signal_receiver_receive (receiver, &number, error))
    return FALSE;
  tractor_cancel_scope_cancel (scope, "by SIGUSR2");
  return TRUE;
}

static gboolean
run_until_signal (GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_nursery_spawn (nursery, "signal", cancel_on_signal, scope, NULL, error);
  if ((!run_all (error) || !tractor_sleep_until (TRACTOR_NO_DEADLINE, error)) &&
      !tractor_cancel_scope_absorb (scope, error))
    return FALSE;
  tractor_cancel_scope_close (g_steal_pointer (&scope));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error);
}

/* --- a root that people talk to ---------------------------------------------------------------- */

static gpointer
read_line (G_GNUC_UNUSED gpointer data)
{
  char line[100];
  gssize n = read (STDIN_FILENO, line, sizeof line);

  printf ("root has read: %.*s\n", (int) MAX (n - 1, 0), line);
  fflush (stdout);
  return NULL;
}

static gpointer
read_lines (gpointer data)
{
  for (;;)
    read_line (data);
  return NULL;
}

static gboolean
run_story (GError **error)
{
  if (has_own_signal)
    signal (SIGUSR1, on_own_signal);
  if (strncmp (story, "root-", 5) == 0) {
    g_autoptr (TractorRuntime) runtime = tractor_runtime_open (NULL, error);
    int answer = 42;

    story += 5;
    return runtime != NULL && tell (&answer, error);
  }
  return ends_on_signal ? run_until_signal (error) : run_all (error);
}

static gboolean
run_root (G_GNUC_UNUSED gpointer data, GError **error)
{
  gboolean ok = run_story (error);

  if (reads_at_end)
    read_line (NULL); /* at once */
  return ok;
}

static void
say_that_it_was_told (G_GNUC_UNUSED int number)
{
  static const char text[] = "root was told\n";

  if (write (STDOUT_FILENO, text, sizeof text - 1) < 0)
    _exit (4);
}

/* It reads a line, and waits for another one all the time that the tree is there. */
static gboolean
run_and_read (TractorRunFunc run, GError **error)
{
  GThread *reader;
  gboolean ok;

  signal (SIGUSR1, say_that_it_was_told);
  read_line (NULL);
  reader = g_thread_new ("reader", read_line, NULL);
  ok = run (run_root, NULL, error);
  g_thread_join (reader);
  return ok;
}

static TractorDebugMode
read_mode (const char *text)
{
  return strcmp (text, "on") == 0    ? TRACTOR_DEBUG_MODE_ON
         : strcmp (text, "off") == 0 ? TRACTOR_DEBUG_MODE_OFF
                                     : TRACTOR_DEBUG_MODE_INHERIT;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  TractorRunFunc run = tractor_run;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp (argv[i], "--depth") == 0)
      depth = atoi (argv[i + 1]);
    else if (strcmp (argv[i], "--actors") == 0)
      n_actors = atoi (argv[i + 1]);
    else if (strcmp (argv[i], "--python") == 0)
      python = argv[i + 1];
    else if (strcmp (argv[i], "--root") == 0)
      root_mode = read_mode (argv[i + 1]);
    else if (strcmp (argv[i], "--children") == 0)
      child_mode = read_mode (argv[i + 1]);
    else if (strcmp (argv[i], "--until") == 0)
      ends_on_signal = strcmp (argv[i + 1], "signal") == 0;
    else if (strcmp (argv[i], "--handles") == 0)
      has_own_signal = strcmp (argv[i + 1], "usr1") == 0;
    else if (strcmp (argv[i], "--reads") == 0)
      *(strcmp (argv[i + 1], "lines") == 0 ? &reads_lines
        : strcmp (argv[i + 1], "end") == 0 ? &reads_at_end
                                           : &reads_for_ever) = TRUE;
    else if (strcmp (argv[i], "--host") == 0)
      for (const TractorRunner *runner = runners; runner->name != NULL; runner++)
        run = strcmp (runner->name, argv[i + 1]) == 0 ? runner->run : run;
  }
  story = argv[argc - 1];
  if (reads_for_ever)
    g_thread_unref (g_thread_new ("reader", read_lines, NULL));
  if (reads_lines ? run_and_read (run, &error) : run (run_root, NULL, &error))
    return waitpid (-1, NULL, WNOHANG) < 0 ? 0 : 3; /* no process is left */
  fprintf (stderr, "FAILED: %s\n", error->message);
  return 1;
}
