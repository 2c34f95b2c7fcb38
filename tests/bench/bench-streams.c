/* bench-streams.c - items and dialogs between two processes: what a stream carries, and what a
 * context costs. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tractor-stream.h"

/* Of a Yield, around its payload, when the call id is as short as here. */
#define FRAME_OVERHEAD 39
#define BATCH          64
#define SOCKET_BYTES   (4 * 1024 * 1024)

/* --- one way ------------------------------------------------------------------------------------- */

typedef struct {
  guint n_items;
  gsize n_bytes; /* of an item, as msgpack */
  gboolean is_packed;
} Pour;

static const Pour small_packed = { 400000, 64, TRUE };
static const Pour small_variants = { 200000, 64, FALSE };
static const Pour large_packed = { 1000, 1024 * 1024, TRUE };

#define BINARY_HEAD 5

static GBytes *
new_packed_item (gsize n_bytes)
{
  guint8 *bytes = g_malloc0 (n_bytes);
  guint32 length = GUINT32_TO_BE ((guint32) (n_bytes - BINARY_HEAD));

  bytes[0] = 0xc6;
  memcpy (bytes + 1, &length, sizeof length);
  return g_bytes_new_take (bytes, n_bytes);
}

static gboolean
pour (TractorStream *stream, GVariant *kwargs, GError **error)
{
  g_autoptr (GBytes) packed = NULL;
  g_autofree guint8 *content = NULL;
  gboolean is_packed;
  gint64 n_items;
  gint64 n_bytes;

  g_assert (g_variant_lookup (kwargs, "n_items", "x", &n_items) &&
            g_variant_lookup (kwargs, "n_bytes", "x", &n_bytes) &&
            g_variant_lookup (kwargs, "is_packed", "b", &is_packed));
  packed = new_packed_item ((gsize) n_bytes);
  content = g_malloc0 ((gsize) n_bytes);
  for (gint64 i = 0; i < n_items; i++)
    if (is_packed ? !tractor_stream_send_packed (stream, packed, error)
                  : !tractor_stream_send (stream,
                                          g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, content,
                                                                     (gsize) n_bytes - 2, 1),
                                          error))
      return FALSE;
  return TRUE;
}

static gboolean
receive_one (TractorStream *stream, gboolean is_packed, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GVariant) value = NULL;

  return is_packed ? tractor_stream_receive_packed (stream, &bytes, error)
                   : tractor_stream_receive (stream, &value, error);
}

typedef struct {
  const Pour *pour;
  double nsec;
} Pouring;

static gboolean
receive_all (TractorPortal *portal, Pouring *pouring, GError **error)
{
  const Pour *what = pouring->pour;
  g_autoptr (TractorStream) stream = tractor_portal_open_stream (
      portal, "streams:pour",
      g_variant_new_parsed ("{'n_items': <%x>, 'n_bytes': <%x>, 'is_packed': <%b>}",
                            (gint64) what->n_items, (gint64) what->n_bytes, what->is_packed),
      NULL, error);
  gint64 started = bench_now_nsec ();
  guint n = 0;

  while (stream != NULL && receive_one (stream, what->is_packed, error))
    n++;
  pouring->nsec = (double) (bench_now_nsec () - started) / what->n_items;
  return n == what->n_items;
}

static gboolean
time_pouring (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (actors, "source", NULL, error);

  if (portal != NULL && receive_all (portal, data, error))
    tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

static double
measure_pouring (gconstpointer data)
{
  Pouring pouring = { .pour = data };

  bench_run ("builtin", time_pouring, &pouring);
  return pouring.nsec;
}

static void
write_bare (int fd, const char *bytes, gsize n_bytes, guint n_times)
{
  while (n_times-- > 0)
    for (gsize sent = 0; sent < n_bytes;) {
      gssize n = send (fd, bytes + sent, n_bytes - sent, MSG_NOSIGNAL);

      g_assert (n > 0);
      sent += (gsize) n;
    }
}

/* Frames of as many bytes as ours have; small ones many at a time, large ones with much room. */
static double
measure_pouring_bare (gconstpointer data)
{
  const Pour *what = data;
  gboolean is_small = what->n_bytes < 1024;
  gsize n_bytes = (what->n_bytes + FRAME_OVERHEAD) * (is_small ? BATCH : 1);
  gsize room = is_small ? 64 * 1024 : 1024 * 1024;
  g_autofree char *bytes = g_malloc0 (MAX (n_bytes, room));
  guint n_times = what->n_items / (is_small ? BATCH : 1);
  int socket_bytes = SOCKET_BYTES;
  gint64 started;
  int ends[2];
  pid_t pid;

  g_assert (socketpair (AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  if (!is_small)
    setsockopt (ends[1], SOL_SOCKET, SO_SNDBUF, &socket_bytes, sizeof socket_bytes);
  started = bench_now_nsec ();
  pid = fork ();
  if (pid == 0) {
    write_bare (ends[1], bytes, n_bytes, n_times);
    _exit (0);
  }
  close (ends[1]);
  while (recv (ends[0], bytes, room, 0) > 0)
    ;
  started = bench_now_nsec () - started;
  waitpid (pid, NULL, 0);
  close (ends[0]);
  return (double) started / what->n_items;
}

/* --- there and back on an open stream -------------------------------------------------------------- */

#define N_ROUND_TRIPS bench_n (10000)

static gboolean
send_back (TractorContext *context,
           G_GNUC_UNUSED GVariant *kwargs,
           G_GNUC_UNUSED GVariant **ret_result,
           GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;

  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (stream != NULL && tractor_stream_receive (stream, &item, error)) {
    g_autoptr (GVariant) owned = item;

    if (!tractor_stream_send (stream, item, error))
      return FALSE;
  }
  return *error == NULL;
}

static gboolean
send_packed_back (TractorContext *context,
                  G_GNUC_UNUSED GVariant *kwargs,
                  G_GNUC_UNUSED GVariant **ret_result,
                  GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  GBytes *item;

  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (stream != NULL && tractor_stream_receive_packed (stream, &item, error)) {
    g_autoptr (GBytes) owned = item;

    if (!tractor_stream_send_packed (stream, item, error))
      return FALSE;
  }
  return *error == NULL;
}

static gboolean
exchange_values (TractorStream *stream, guint n_items, GError **error)
{
  for (guint i = 0; i < n_items; i++) {
    g_autoptr (GVariant) item = NULL;

    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error) ||
        !tractor_stream_receive (stream, &item, error))
      return FALSE;
  }
  return TRUE;
}

#define PACKED_NUMBER "\xd3\0\0\x12\x34\x56\x78\x9a\xbc"

static gboolean
exchange_packed (TractorStream *stream, guint n_items, GError **error)
{
  g_autoptr (GBytes) number = g_bytes_new_static (PACKED_NUMBER, sizeof PACKED_NUMBER - 1);

  for (guint i = 0; i < n_items; i++) {
    g_autoptr (GBytes) item = NULL;

    if (!tractor_stream_send_packed (stream, number, error) ||
        !tractor_stream_receive_packed (stream, &item, error))
      return FALSE;
  }
  return TRUE;
}

typedef struct {
  const char *function;
  gboolean (*exchange) (TractorStream *stream, guint n_items, GError **error);
  gsize n_bytes; /* of an item on the wire */
} Dialog;

static const Dialog of_values = { "streams:send_back", exchange_values, 3 };
static const Dialog of_packed = { "streams:send_packed_back", exchange_packed, 9 };

/* One dialog: so many items there and back. */
static gboolean
hold_dialog (
    TractorPortal *portal, const Dialog *dialog, guint n_items, gint64 *ret_nsec, GError **error)
{
  g_autoptr (TractorContext) context =
      tractor_portal_open_context (portal, dialog->function, NULL, NULL, NULL, error);
  g_autoptr (TractorStream) stream = NULL;

  if (context == NULL)
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  *ret_nsec = bench_now_nsec ();
  if (stream != NULL)
    dialog->exchange (stream, n_items, error);
  *ret_nsec = bench_now_nsec () - *ret_nsec;
  g_clear_pointer (&stream, tractor_stream_close);
  return tractor_context_join (context, NULL, error);
}

typedef struct {
  const Dialog *dialog;
  double nsec;
} RoundTrips;

static gboolean
time_round_trips (gpointer data, GError **error)
{
  RoundTrips *trips = data;
  guint n = N_ROUND_TRIPS;
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (actors, "wall", NULL, error);
  gint64 nsec = 0;

  if (portal != NULL && hold_dialog (portal, trips->dialog, n, &nsec, error))
    tractor_actor_nursery_cancel (actors);
  trips->nsec = (double) nsec / n;
  return tractor_actor_nursery_join (actors, error);
}

static double
measure_round_trips (gconstpointer data)
{
  RoundTrips trips = { .dialog = data };

  bench_run ("builtin", time_round_trips, &trips);
  return trips.nsec;
}

static double
measure_round_trips_bare (gconstpointer data)
{
  const Dialog *dialog = data;

  return bench_round_trip_bare (FRAME_OVERHEAD + dialog->n_bytes, FRAME_OVERHEAD + dialog->n_bytes);
}

/* --- many dialogs on one connection ---------------------------------------------------------------- */

#define N_CONTEXTS 1000

static gboolean
run_dialog (gpointer data, GError **error)
{
  gint64 nsec = 0;

  return hold_dialog (data, &of_values, 1, &nsec, error);
}

static gboolean
run_dialogs (TractorPortal *portal, GError **error)
{
  g_autoptr (TractorNursery) openers = tractor_nursery_open ();

  for (guint i = 0; i < N_CONTEXTS; i++)
    tractor_nursery_spawn (openers, "opener", run_dialog, portal, NULL, error);
  return tractor_nursery_join (openers, error);
}

static gboolean
time_contexts (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (actors, "wall", NULL, error);
  gint64 started = bench_now_nsec ();

  /* Twice: the stacks of the first are there for the second. */
  if (portal != NULL && run_dialogs (portal, error)) {
    started = bench_now_nsec ();
    if (run_dialogs (portal, error))
      tractor_actor_nursery_cancel (actors);
  }
  *(double *) data = (double) (bench_now_nsec () - started) / N_CONTEXTS;
  return tractor_actor_nursery_join (actors, error);
}

static double
measure_contexts (G_GNUC_UNUSED gconstpointer data)
{
  double nsec;

  bench_run ("builtin", time_contexts, &nsec);
  return nsec;
}

static double
measure_four_round_trips_bare (G_GNUC_UNUSED gconstpointer data)
{
  return 4 * measure_round_trips_bare (&of_values);
}

const TractorExport bench_stream_exports[] = {
  { "pour", TRACTOR_EXPORT_STREAM, .stream = pour },
  { "send_back", TRACTOR_EXPORT_CONTEXT, .context = send_back },
  { "send_packed_back", TRACTOR_EXPORT_CONTEXT, .context = send_packed_back },
  { NULL },
};

const BenchRow bench_stream_rows[] = {
  { "stream, 64-byte item, packed", BENCH_NSEC, "bare Unix socket, 64 a write", 7, FALSE, 7,
    measure_pouring, measure_pouring_bare, &small_packed },
  { "stream, 64-byte item, GVariant", BENCH_NSEC, "bare Unix socket, 64 a write", 23, FALSE, 7,
    measure_pouring, measure_pouring_bare, &small_variants },
  { "stream, 1-MiB item, packed", BENCH_USEC, "bare Unix socket, large", 1 / 0.7, FALSE, 7,
    measure_pouring, measure_pouring_bare, &large_packed },
  { "stream, there and back", BENCH_USEC, "bare epoll, Unix socket", 1.2, TRUE, 11,
    measure_round_trips, measure_round_trips_bare, &of_values },
  { "stream, there and back, packed", BENCH_USEC, "bare epoll, Unix socket", 1.2, TRUE, 11,
    measure_round_trips, measure_round_trips_bare, &of_packed },
  { "context, 1,000 at once, each", BENCH_USEC, "four bare round trips", 0.25, TRUE, 7,
    measure_contexts, measure_four_round_trips_bare, NULL },
  { NULL },
};
