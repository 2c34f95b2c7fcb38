/* bench-actors.c - what an actor costs: a call, a life, and the demo's work. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tractor-builtin.h"
#include "tractor-glib.h"
#include "tractor-uv.h"
#include "tractor.h"

extern char **environ;

/* --- what the other process does ------------------------------------------------------------------ */

static gboolean
echo (G_GNUC_UNUSED GVariant *kwargs,
      G_GNUC_UNUSED GVariant **ret_result,
      G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
echo_number (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 number = 0;

  g_variant_lookup (kwargs, "n", "x", &number);
  *ret_result = g_variant_new_int64 (number);
  return TRUE;
}

static gboolean
echo_all (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_ref (kwargs);
  return TRUE;
}

static gboolean
echo_packed (GBytes *kwargs, GBytes **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_bytes_ref (kwargs);
  return TRUE;
}

static gboolean
refuse (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, BENCH_REFUSAL);
  return FALSE;
}

static gboolean
is_prime (guint64 number)
{
  if (number % 2 == 0)
    return FALSE;
  for (guint64 divisor = 3; divisor <= number / divisor; divisor += 2)
    if (number % divisor == 0)
      return FALSE;
  return TRUE;
}

static gboolean
check_prime (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 number = 0;

  g_variant_lookup (kwargs, "number", "x", &number);
  *ret_result = g_variant_new_boolean (is_prime ((guint64) number));
  return TRUE;
}

static const TractorExport exports[] = { { "echo", TRACTOR_EXPORT_CALL, echo },
                                         { "echo_number", TRACTOR_EXPORT_CALL, echo_number },
                                         { "echo_all", TRACTOR_EXPORT_CALL, echo_all },
                                         { "echo_packed", TRACTOR_EXPORT_CALL,
                                           .call_packed = echo_packed },
                                         { "refuse", TRACTOR_EXPORT_CALL, refuse },
                                         { "is_prime", TRACTOR_EXPORT_CALL, check_prime },
                                         { NULL } };
static const TractorModule modules[] = { { "bench", exports },
                                         { "streams", bench_stream_exports },
                                         { "rings", bench_shm_exports },
                                         { "ends", bench_end_exports },
                                         { "frames", bench_frame_exports },
                                         { NULL } };
static const TractorRunner runners[] = {
  { "builtin", tractor_run }, { "glib", tractor_glib_run }, { "uv", tractor_uv_run }, { NULL }
};

#define DO_NOTHING "--do-nothing"

gboolean
bench_actor_main (int argc, char **argv, int *ret_status)
{
  *ret_status = 0;
  if (argc == 2 && strcmp (argv[1], DO_NOTHING) == 0)
    return TRUE;
  if (argc == 2 && strcmp (argv[1], BENCH_WAIT) == 0) {
    g_assert (write (STDOUT_FILENO, "", 1) == 1);
    pause ();
    return TRUE;
  }
  return tractor_child_main (argc, argv, modules, runners, ret_status);
}

/* --- a call ----------------------------------------------------------------------------------------- */

#define N_CALLS 10000

/* A caller's first call also pays for its stack, and for that of the task which serves it. */
#define N_CALLS_LEAST 10

/* What is called, with what, and how many bytes the request and the answer have on the wire. */
typedef struct {
  const char *function;
  GVariant *(*new_kwargs) (gint64 n); /* (nullable) */
  gsize request_bytes;
  gsize answer_bytes;
  gboolean is_refused;
} Payload;
static const Payload a_refusal = { "bench:refuse", NULL, 135, 399, .is_refused = TRUE };

typedef struct {
  const char *host;
  guint n_in_flight;
  const Payload *payload;
  TractorPortal *portal;
  double nsec;
} Calls;

/* More than fits into one byte of msgpack. */
#define A_NUMBER G_GINT64_CONSTANT (0x123456789abc)

static GVariant *
new_number (gint64 n)
{
  GVariantBuilder kwargs;

  g_variant_builder_init (&kwargs, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&kwargs, "{sv}", "n", g_variant_new_int64 (A_NUMBER + n));
  return g_variant_builder_end (&kwargs);
}

static GVariant *
new_dictionary (gint64 n)
{
  static const char *const words[] = { "one", "two", "three", NULL };
  GVariantBuilder kwargs;

  g_variant_builder_init (&kwargs, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&kwargs, "{sv}", "n", g_variant_new_int64 (A_NUMBER + n));
  g_variant_builder_add (&kwargs, "{sv}", "name", g_variant_new_string ("a name of some length"));
  g_variant_builder_add (&kwargs, "{sv}", "ratio", g_variant_new_double (1.5));
  g_variant_builder_add (&kwargs, "{sv}", "words", g_variant_new_strv (words, -1));
  return g_variant_builder_end (&kwargs);
}

static const Payload nothing = { "bench:echo", NULL, 133, 104 };
static const Payload a_number = { "bench:echo_number", new_number, 151, 112 };
static const Payload a_dictionary = { "bench:echo_all", new_dictionary, 211, 178 };

static guint
n_calls_each (const Calls *calls)
{
  return MAX (bench_n (N_CALLS) / calls->n_in_flight, N_CALLS_LEAST);
}

static gboolean
call_many (gpointer data, GError **error)
{
  Calls *calls = data;
  const Payload *payload = calls->payload;

  for (guint i = 0; i < n_calls_each (calls); i++) {
    g_autoptr (GVariant) result = NULL;
    g_autoptr (GError) refusal = NULL;

    if (!tractor_portal_call (calls->portal, payload->function,
                              payload->new_kwargs != NULL ? payload->new_kwargs (i) : NULL, &result,
                              payload->is_refused ? &refusal : error) &&
        (refusal == NULL || strstr (refusal->message, BENCH_REFUSAL) == NULL))
      return FALSE;
  }
  return TRUE;
}

static gboolean
time_calls (gpointer data, GError **error)
{
  Calls *calls = data;
  const TractorLimits limits = { .calls_per_peer = MAX (calls->n_in_flight, 16) };
  g_autoptr (TractorRuntime) runtime =
      tractor_runtime_open (&(TractorRuntimeOptions){ .limits = &limits }, error);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorNursery) callers = NULL;
  gint64 started;

  calls->portal = tractor_actor_nursery_start (
      actors, "echo", &(TractorSpawnOptions){ .host = calls->host }, error);
  if (calls->portal == NULL)
    return tractor_actor_nursery_join (actors, error);
  callers = tractor_nursery_open ();
  for (guint i = 0; i < calls->n_in_flight; i++)
    tractor_nursery_spawn (callers, "caller", call_many, calls, NULL, error);
  started = bench_now_nsec ();
  if (tractor_nursery_join (callers, error))
    tractor_actor_nursery_cancel (actors);
  calls->nsec = (double) (bench_now_nsec () - started) / n_calls_each (calls) / calls->n_in_flight;
  tractor_portal_unref (calls->portal);
  return tractor_actor_nursery_join (actors, error);
}

double
bench_measure_calls (gconstpointer data)
{
  Calls calls = { .host = data, .n_in_flight = 1, .payload = &nothing };

  bench_run (data, time_calls, &calls);
  return calls.nsec;
}

static double
measure_calls_with (gconstpointer data)
{
  Calls calls = { .host = "builtin", .n_in_flight = 1, .payload = data };

  bench_run (calls.host, time_calls, &calls);
  return calls.nsec;
}

/* {'n': A_NUMBER}, as a_number has it. */
static const char packed_number[] = "\x81\xa1n\xcf\x00\x00\x12\x34\x56\x78\x9a\xbc";
static const Payload a_packed_number = { NULL, NULL, 151, 115 };

static gboolean
time_packed_calls (gpointer data, GError **error)
{
  const guint n = bench_n (N_CALLS);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (GBytes) kwargs = g_bytes_new_static (packed_number, sizeof packed_number - 1);
  TractorPortal *portal = tractor_actor_nursery_start (actors, "echo", NULL, error);
  gboolean ok = portal != NULL;
  gint64 started = bench_now_nsec ();

  for (guint i = 0; ok && i < n; i++) {
    g_autoptr (GBytes) result = NULL;

    ok = tractor_portal_call_packed (portal, "bench:echo_packed", kwargs, &result, error);
  }
  *(double *) data = (double) (bench_now_nsec () - started) / n;
  if (ok)
    tractor_actor_nursery_cancel (actors);
  tractor_portal_unref (portal);
  return tractor_actor_nursery_join (actors, error);
}

static double
measure_packed_calls (G_GNUC_UNUSED gconstpointer data)
{
  double nsec;

  bench_run ("builtin", time_packed_calls, &nsec);
  return nsec;
}

static double
measure_calls_16 (gconstpointer data)
{
  Calls calls = { .host = data, .n_in_flight = 16, .payload = &nothing };

  bench_run (data, time_calls, &calls);
  return calls.nsec;
}

static double
measure_calls_10000 (gconstpointer data)
{
  Calls calls = { .host = data, .n_in_flight = 10000, .payload = &nothing };

  bench_run (data, time_calls, &calls);
  return calls.nsec;
}

#define MAX_BARE_BYTES 512

static void
answer_bare (int fd, gboolean is_asking, guint n_times, gsize request_bytes, gsize answer_bytes)
{
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  struct epoll_event event = { .events = EPOLLIN };
  char bytes[MAX_BARE_BYTES] = "";

  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, fd, &event);
  for (guint i = 0; i < n_times; i++) {
    if (is_asking)
      g_assert (send (fd, bytes, request_bytes, MSG_NOSIGNAL) == (gssize) request_bytes);
    g_assert (epoll_wait (epoll_fd, &event, 1, -1) == 1);
    g_assert (recv (fd, bytes, sizeof bytes, 0) > 0);
    if (!is_asking)
      g_assert (send (fd, bytes, answer_bytes, MSG_NOSIGNAL) == (gssize) answer_bytes);
  }
  close (epoll_fd);
}

double
bench_round_trip_bare (gsize request_bytes, gsize answer_bytes)
{
  int ends[2];
  gint64 started;
  guint n_times = bench_n (N_CALLS);
  pid_t pid;

  g_assert (request_bytes <= MAX_BARE_BYTES && answer_bytes <= MAX_BARE_BYTES);
  g_assert (socketpair (AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  pid = fork ();
  if (pid == 0) {
    answer_bare (ends[1], FALSE, n_times, request_bytes, answer_bytes);
    _exit (0);
  }
  started = bench_now_nsec ();
  answer_bare (ends[0], TRUE, n_times, request_bytes, answer_bytes);
  started = bench_now_nsec () - started;
  waitpid (pid, NULL, 0);
  close (ends[0]);
  close (ends[1]);
  return (double) started / n_times;
}

/* A request and an answer of as many bytes as ours have, over the same kind of socket. */
static double
measure_calls_bare (G_GNUC_UNUSED gconstpointer data)
{
  return bench_round_trip_bare (nothing.request_bytes, nothing.answer_bytes);
}

static double
measure_calls_with_bare (gconstpointer data)
{
  const Payload *payload = data;

  return bench_round_trip_bare (payload->request_bytes, payload->answer_bytes);
}

/* --- one call to each of many ------------------------------------------------------------------------ */

#define N_ACTORS 100
#define N_ROUNDS 50

static gboolean
call_once (gpointer data, GError **error)
{
  return tractor_portal_call (data, "bench:echo", NULL, NULL, error);
}

static gboolean
call_all (TractorPortal *const portals[N_ACTORS], GError **error)
{
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();

  for (guint i = 0; i < N_ACTORS; i++)
    tractor_nursery_spawn (callers, "caller", call_once, portals[i], NULL, error);
  return tractor_nursery_join (callers, error);
}

static gboolean
time_fan_out (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  TractorPortal *portals[N_ACTORS] = { NULL };
  gboolean ok = TRUE;
  gint64 started;

  for (guint i = 0; ok && i < N_ACTORS; i++)
    ok = (portals[i] = tractor_actor_nursery_start (actors, "one", NULL, error)) != NULL;
  started = bench_now_nsec ();
  for (guint i = 0; ok && i < N_ROUNDS; i++)
    ok = call_all (portals, error);
  *(double *) data = (double) (bench_now_nsec () - started) / N_ROUNDS;
  if (ok)
    tractor_actor_nursery_cancel (actors);
  for (guint i = 0; i < N_ACTORS; i++)
    tractor_portal_unref (portals[i]);
  return tractor_actor_nursery_join (actors, error);
}

static double
measure_fan_out (gconstpointer host)
{
  double nsec;

  bench_run (host, time_fan_out, &nsec);
  return nsec;
}

static void
ask_all (const int fds[N_ACTORS])
{
  char bytes[MAX_BARE_BYTES] = "";

  for (guint i = 0; i < N_ACTORS; i++)
    g_assert (send (fds[i], bytes, nothing.request_bytes, MSG_NOSIGNAL) ==
              (gssize) nothing.request_bytes);
  for (guint i = 0; i < N_ACTORS; i++)
    g_assert (recv (fds[i], bytes, sizeof bytes, 0) > 0);
}

/* As many processes that answer, over a socket each. */
static double
measure_fan_out_bare (G_GNUC_UNUSED gconstpointer data)
{
  int fds[N_ACTORS];
  gint64 started;

  for (guint i = 0; i < N_ACTORS; i++) {
    int ends[2];

    g_assert (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    fds[i] = ends[0];
    if (fork () == 0) {
      answer_bare (ends[1], FALSE, N_ROUNDS, nothing.request_bytes, nothing.answer_bytes);
      _exit (0);
    }
    close (ends[1]);
  }
  started = bench_now_nsec ();
  for (guint i = 0; i < N_ROUNDS; i++)
    ask_all (fds);
  started = bench_now_nsec () - started;
  for (guint i = 0; i < N_ACTORS; i++) {
    close (fds[i]);
    g_assert (wait (NULL) > 0);
  }
  return (double) started / N_ROUNDS;
}

/* --- a life ----------------------------------------------------------------------------------------- */

#define N_LIVES 30

static gboolean
time_lives (gpointer data, GError **error)
{
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < N_LIVES; i++)
    if (!tractor_run_in_actor ("mayfly", NULL, "bench:echo", NULL, NULL, error))
      return FALSE;
  *(double *) data = (double) (bench_now_nsec () - started) / N_LIVES;
  return TRUE;
}

static double
measure_lives (gconstpointer data)
{
  double nsec;

  bench_run (data, time_lives, &nsec);
  return nsec;
}

/* The first starts the server, too. */
static gboolean
time_lives_of_copies (gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime =
      tractor_runtime_open (&(TractorRuntimeOptions){ .fork_server = TRUE }, error);

  return runtime != NULL && tractor_run_in_actor ("first", NULL, "bench:echo", NULL, NULL, error) &&
         time_lives (data, error);
}

static double
measure_lives_of_copies (gconstpointer data)
{
  double nsec;

  bench_run (data, time_lives_of_copies, &nsec);
  return nsec;
}

/* Long enough for a process to be where it waits. */
#define READY_USEC 20000

static gboolean
live_as_spare (TractorActorNursery *actors, double *nsec, GError **error)
{
  g_autoptr (TractorPortal) portal = NULL;
  gint64 started = bench_now_nsec ();

  portal = tractor_actor_nursery_start (actors, "mayfly", NULL, error);
  if (portal == NULL || !tractor_portal_call (portal, "bench:echo", NULL, NULL, error) ||
      !tractor_portal_cancel_actor (portal, TRACTOR_NO_DEADLINE, error))
    return FALSE;
  *nsec += (double) (bench_now_nsec () - started) / N_LIVES;
  return TRUE;
}

/* That they are made is not in it: that is done when nobody waits. */
static gboolean
time_lives_of_spares (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  double nsec = 0;

  for (guint i = 0; actors != NULL && i < N_LIVES; i++)
    if (!tractor_actor_nursery_prepare (actors, 1, NULL, error) ||
        !tractor_sleep_until (tractor_now () + READY_USEC, error) ||
        !live_as_spare (actors, &nsec, error))
      return FALSE;
  *(double *) data = nsec;
  return actors != NULL && tractor_actor_nursery_join (actors, error);
}

static double
measure_lives_of_spares (gconstpointer data)
{
  double nsec;

  bench_run (data, time_lives_of_spares, &nsec);
  return nsec;
}

static double
measure_lives_bare (G_GNUC_UNUSED gconstpointer data)
{
  char *argv[] = { (char *) "bench", (char *) DO_NOTHING, NULL };
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < N_LIVES; i++) {
    pid_t pid;

    g_assert (posix_spawn (&pid, self, NULL, NULL, argv, environ) == 0);
    g_assert (waitpid (pid, NULL, 0) == pid);
  }
  return (double) (bench_now_nsec () - started) / N_LIVES;
}

/* --- the demo's work ---------------------------------------------------------------------------------- */

static const gint64 primes[] = {
  112272535095293, 112582705942171, 115280095190773,
  115797848077099, 117450548693743, 993960000099397,
};

typedef struct {
  TractorPortal *portals[2];
  guint next;
} Work;

typedef struct {
  Work *work;
  guint worker;
} Worker;

static gboolean
feed_worker (gpointer data, GError **error)
{
  Worker *worker = data;
  Work *work = worker->work;

  while (work->next < G_N_ELEMENTS (primes)) {
    gint64 number = primes[work->next++];
    g_autoptr (GVariant) result = NULL;

    if (!tractor_portal_call (work->portals[worker->worker], "bench:is_prime",
                              g_variant_new_parsed ("{'number': <%x>}", number), &result, error))
      return FALSE;
    g_assert (g_variant_get_boolean (result));
  }
  return TRUE;
}

static gboolean
check_on_two_workers (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorNursery) feeders = tractor_nursery_open ();
  Work work = { { NULL }, 0 };
  Worker workers[2] = { { &work, 0 }, { &work, 1 } };

  for (guint i = 0; i < 2; i++) {
    work.portals[i] = tractor_actor_nursery_start (actors, "worker", NULL, error);
    if (work.portals[i] == NULL)
      break;
    tractor_nursery_spawn (feeders, "feeder", feed_worker, &workers[i], NULL, error);
  }
  if (tractor_nursery_join (feeders, error))
    tractor_actor_nursery_cancel (actors);
  for (guint i = 0; i < 2; i++)
    tractor_portal_unref (work.portals[i]);
  return tractor_actor_nursery_join (actors, error);
}

static double
measure_primes (gconstpointer data)
{
  gint64 started = bench_now_nsec ();

  bench_run (data, check_on_two_workers, NULL);
  return (double) (bench_now_nsec () - started);
}

/* Two forks that take the next number from shared memory, as lively as it gets. */
static double
measure_primes_bare (G_GNUC_UNUSED gconstpointer data)
{
  gint64 started = bench_now_nsec ();
  int ends[2];
  guint8 i;

  g_assert (pipe (ends) == 0);
  for (i = 0; i < G_N_ELEMENTS (primes); i++)
    g_assert (write (ends[1], &i, 1) == 1);
  close (ends[1]);
  for (guint worker = 0; worker < 2; worker++)
    if (fork () == 0) {
      while (read (ends[0], &i, 1) == 1)
        g_assert (is_prime ((guint64) primes[i]));
      _exit (0);
    }
  close (ends[0]);
  for (guint worker = 0; worker < 2; worker++)
    g_assert (wait (NULL) > 0);
  return (double) (bench_now_nsec () - started);
}

const BenchRow bench_actor_rows[] = {
  { "call, there and back, builtin", BENCH_USEC, "bare epoll, Unix socket", 1.25, TRUE, 11,
    bench_measure_calls, measure_calls_bare, "builtin" },
  { "call, there and back, uv", BENCH_USEC, "bare epoll, Unix socket", 1.4, TRUE, 11,
    bench_measure_calls, measure_calls_bare, "uv" },
  { "call, there and back, glib", BENCH_USEC, "bare epoll, Unix socket", 1.5, TRUE, 11,
    bench_measure_calls, measure_calls_bare, "glib" },
  { "call, an int64 there and back, builtin", BENCH_USEC, "bare epoll, Unix socket", 2, TRUE, 11,
    measure_calls_with, measure_calls_with_bare, &a_number },
  { "call, four values there and back, builtin", BENCH_USEC, "bare epoll, Unix socket", 2.7, TRUE,
    11, measure_calls_with, measure_calls_with_bare, &a_dictionary },
  { "call, packed, there and back, builtin", BENCH_USEC, "bare epoll, Unix socket", 1.3, TRUE, 11,
    measure_packed_calls, measure_calls_with_bare, &a_packed_number },
  { "call that fails, builtin", BENCH_USEC, "bare epoll, Unix socket", 4, TRUE, 11,
    measure_calls_with, measure_calls_with_bare, &a_refusal },
  { "call, 16 in flight, each, builtin", BENCH_USEC, "bare epoll, Unix socket", 0.15, TRUE, 11,
    measure_calls_16, measure_calls_bare, "builtin" },
  { "call, 10,000 in flight, each, builtin", BENCH_USEC, "bare epoll, Unix socket", 0.15, TRUE, 7,
    measure_calls_10000, measure_calls_bare, "builtin" },
  { "call to each of 100 actors, builtin", BENCH_USEC, "bare, 100 processes", 2, TRUE, 5,
    measure_fan_out, measure_fan_out_bare, "builtin" },
  { "actor: spawn, answer, reaped, builtin", BENCH_USEC, "the same binary, bare", 1.4, TRUE, 11,
    measure_lives, measure_lives_bare, "builtin" },
  { "actor by fork server: spawn, answer, reaped", BENCH_USEC, "the same binary, bare", 0.5, TRUE,
    11, measure_lives_of_copies, measure_lives_bare, "builtin" },
  { "actor that was a spare: spawn, answer, reaped", BENCH_USEC, "the same binary, bare", 0.3, TRUE,
    11, measure_lives_of_spares, measure_lives_bare, "builtin" },
  { "six primes on two workers, builtin", BENCH_MSEC, "two forks", 1.15, FALSE, 11, measure_primes,
    measure_primes_bare, "builtin" },
  { NULL },
};
