/* bench-shm.c - items through a ring in memory that two processes share.
 *
 * The floor is a ring with nothing around it: an index each, told of now and then, and no waiting but to give the processor
 * away. Who is there first is a matter of the scheduler, so what these rows take differs more than others'. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tractor-context.h"
#include "tractor-shm.h"

#define RING_BYTES (4 * 1024 * 1024)
/* How many small items a bare end goes on before it tells the other one. */
#define TOLD_EVERY 64

/* --- one way ------------------------------------------------------------------------------------- */

typedef struct {
  guint n_items;
  gsize n_bytes;
} Pour;

static const Pour of_small = { 10000000, 64 };
static const Pour of_large = { 4000, 1024 * 1024 };

static TractorRing *
take_ring (GVariant *kwargs, const char *name, GError **error)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (kwargs, name, NULL);

  return tractor_ring_take_value (value, error);
}

/* Copies each item in, as it is copied out. */
static gboolean
pour (TractorContext *context,
      GVariant *kwargs,
      G_GNUC_UNUSED GVariant **ret_result,
      GError **error)
{
  g_autoptr (TractorRingWriter) writer =
      tractor_ring_open_writer (take_ring (kwargs, "ring", error), error);
  g_autofree char *item = NULL;
  gint64 n_items;
  gint64 n_bytes;

  g_assert (g_variant_lookup (kwargs, "n_items", "x", &n_items) &&
            g_variant_lookup (kwargs, "n_bytes", "x", &n_bytes));
  item = g_malloc0 ((gsize) n_bytes);
  if (writer == NULL || !tractor_context_started (context, NULL, error))
    return FALSE;
  while (n_items-- > 0)
    if (!tractor_ring_writer_send (writer, item, (gsize) n_bytes, error))
      return FALSE;
  tractor_ring_writer_end (writer);
  return TRUE;
}

static guint
drink (TractorRingReader *reader, char *copy, GError **error)
{
  gconstpointer item;
  gsize length;
  guint n = 0;

  while (tractor_ring_reader_peek (reader, &item, &length, error)) {
    memcpy (copy, item, length);
    tractor_ring_reader_release (reader);
    n++;
  }
  return n;
}

typedef struct {
  const Pour *pour;
  double nsec;
} Pouring;

static gboolean
drink_all (TractorPortal *portal, Pouring *pouring, GError **error)
{
  const Pour *what = pouring->pour;
  guint n_items = bench_n (what->n_items);
  g_autofree char *copy = g_malloc0 (what->n_bytes);
  g_autoptr (TractorRing) ring = tractor_ring_new (RING_BYTES, error);
  g_autoptr (TractorContext) context = tractor_portal_open_context (
      portal, "rings:pour",
      g_variant_new_parsed ("{'ring': <%*>, 'n_items': <%x>, 'n_bytes': <%x>}",
                            tractor_ring_get_value (ring, error), (gint64) n_items,
                            (gint64) what->n_bytes),
      NULL, NULL, error);
  g_autoptr (TractorRingReader) reader = NULL;
  gint64 started = bench_now_nsec ();

  if (context == NULL)
    return FALSE;
  reader = tractor_ring_open_reader (g_steal_pointer (&ring), error);
  g_assert (reader == NULL || drink (reader, copy, error) == n_items);
  pouring->nsec = (double) (bench_now_nsec () - started) / n_items;
  return tractor_context_join (context, NULL, error);
}

static gboolean
time_pouring (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (actors, "source", NULL, error);

  if (portal != NULL && drink_all (portal, data, error))
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

/* --- a bare ring --------------------------------------------------------------------------------- */

typedef struct {
  _Alignas(64) _Atomic guint64 written;
  _Alignas(64) _Atomic guint64 read;
  _Alignas(64) char data[RING_BYTES];
} BareRing;

static void
pour_bare (BareRing *ring, const char *item, gsize n_bytes, guint n_items)
{
  guint64 written = 0;

  for (guint i = 1; i <= n_items; i++) {
    while (written + n_bytes - atomic_load_explicit (&ring->read, memory_order_acquire) >
           RING_BYTES) {
      atomic_store_explicit (&ring->written, written, memory_order_release);
      sched_yield ();
    }
    memcpy (ring->data + written % RING_BYTES, item, n_bytes);
    written += n_bytes;
    if (n_bytes > 4096 || i % TOLD_EVERY == 0 || i == n_items)
      atomic_store_explicit (&ring->written, written, memory_order_release);
  }
}

static void
drink_bare (BareRing *ring, char *copy, gsize n_bytes, guint n_items)
{
  guint64 read = 0;
  guint64 written = 0;

  for (guint i = 1; i <= n_items; i++) {
    while (written == read) {
      atomic_store_explicit (&ring->read, read, memory_order_release);
      written = atomic_load_explicit (&ring->written, memory_order_acquire);
      if (written == read)
        sched_yield ();
    }
    memcpy (copy, ring->data + read % RING_BYTES, n_bytes);
    read += n_bytes;
    if (n_bytes > 4096 || i % TOLD_EVERY == 0)
      atomic_store_explicit (&ring->read, read, memory_order_release);
  }
}

static double
measure_pouring_bare (gconstpointer data)
{
  const Pour *what = data;
  guint n_items = bench_n (what->n_items);
  g_autofree char *item = g_malloc0 (what->n_bytes);
  BareRing *ring =
      mmap (NULL, sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  gint64 started = bench_now_nsec ();
  pid_t pid = fork ();

  if (pid == 0) {
    pour_bare (ring, item, what->n_bytes, n_items);
    _exit (0);
  }
  drink_bare (ring, item, what->n_bytes, n_items);
  started = bench_now_nsec () - started;
  waitpid (pid, NULL, 0);
  munmap (ring, sizeof *ring);
  return (double) started / n_items;
}

/* --- there and back -------------------------------------------------------------------------------- */

#define N_ROUND_TRIPS bench_n (20000)
#define TRIP_BYTES    64

static gboolean
send_back (TractorContext *context,
           GVariant *kwargs,
           G_GNUC_UNUSED GVariant **ret_result,
           GError **error)
{
  g_autoptr (TractorRingReader) reader =
      tractor_ring_open_reader (take_ring (kwargs, "there", error), error);
  g_autoptr (TractorRingWriter) writer =
      reader != NULL ? tractor_ring_open_writer (take_ring (kwargs, "back", error), error) : NULL;
  gconstpointer item;
  gsize length;

  if (writer == NULL || !tractor_context_started (context, NULL, error))
    return FALSE;
  while (tractor_ring_reader_peek (reader, &item, &length, error)) {
    if (!tractor_ring_writer_send (writer, item, length, error))
      return FALSE;
    tractor_ring_reader_release (reader);
  }
  return *error == NULL;
}

static gboolean
go_there_and_back (TractorRingWriter *writer, TractorRingReader *reader, GError **error)
{
  char item[TRIP_BYTES] = "";

  for (guint i = 0; i < N_ROUND_TRIPS; i++) {
    gconstpointer answer;
    gsize length;

    if (!tractor_ring_writer_send (writer, item, sizeof item, error) ||
        !tractor_ring_reader_peek (reader, &answer, &length, error))
      return FALSE;
    memcpy (item, answer, MIN (length, sizeof item));
    tractor_ring_reader_release (reader);
  }
  tractor_ring_writer_end (writer);
  return TRUE;
}

static gboolean
time_trips_with (TractorPortal *portal, double *nsec, GError **error)
{
  g_autoptr (TractorRing) there = tractor_ring_new (4096, error);
  g_autoptr (TractorRing) back = tractor_ring_new (4096, error);
  g_autoptr (TractorContext) context = tractor_portal_open_context (
      portal, "rings:send_back",
      g_variant_new_parsed ("{'there': <%*>, 'back': <%*>}", tractor_ring_get_value (there, error),
                            tractor_ring_get_value (back, error)),
      NULL, NULL, error);
  g_autoptr (TractorRingWriter) writer = NULL;
  g_autoptr (TractorRingReader) reader = NULL;
  gint64 started;

  if (context == NULL)
    return FALSE;
  writer = tractor_ring_open_writer (g_steal_pointer (&there), error);
  reader = tractor_ring_open_reader (g_steal_pointer (&back), error);
  started = bench_now_nsec ();
  if (writer != NULL && reader != NULL)
    go_there_and_back (writer, reader, error);
  *nsec = (double) (bench_now_nsec () - started) / N_ROUND_TRIPS;
  return tractor_context_join (context, NULL, error);
}

static gboolean
time_trips (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (actors, "wall", NULL, error);

  if (portal != NULL && time_trips_with (portal, data, error))
    tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

static double
measure_trips (G_GNUC_UNUSED gconstpointer data)
{
  double nsec = 0;

  bench_run ("builtin", time_trips, &nsec);
  return nsec;
}

static double
measure_trips_bare (G_GNUC_UNUSED gconstpointer data)
{
  return bench_round_trip_bare (TRIP_BYTES, TRIP_BYTES);
}

const TractorExport bench_shm_exports[] = {
  { "pour", TRACTOR_EXPORT_CONTEXT, .context = pour },
  { "send_back", TRACTOR_EXPORT_CONTEXT, .context = send_back },
  { NULL },
};

const BenchRow bench_shm_rows[] = {
  { "ring, 64-byte item", BENCH_NSEC, "bare ring, told every 64", 4, FALSE, 7, measure_pouring,
    measure_pouring_bare, &of_small, .is_uncountable = TRUE },
  { "ring, 1-MiB item", BENCH_USEC, "bare ring", 1.2, FALSE, 7, measure_pouring,
    measure_pouring_bare, &of_large, .is_uncountable = TRUE },
  { "ring, there and back", BENCH_USEC, "bare Unix socket", 0.7, TRUE, 7, measure_trips,
    measure_trips_bare, NULL },
  { NULL },
};
