/* shared_memory.c - samples that two actors share, and a ring that results come back through.
 *
 * The root has a million samples and lets an actor read them, in place: they are not sent. The actor goes through them in
 * windows and writes how loud each is into a ring, in place again; the root reads that as it comes. Neither makes a
 * system call for an item, unless the other one waits. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>

#define N_SAMPLES 1000000
#define WINDOW    1000

/* What goes through the ring. */
typedef struct {
  guint32 first; /* sample of the window */
  float loudest;
} Level;

/* --- in the actor -------------------------------------------------------------------------------- */

static float
find_loudest (const float *samples, guint n)
{
  float loudest = 0;

  for (guint i = 0; i < n; i++)
    loudest = MAX (loudest, ABS (samples[i]));
  return loudest;
}

static gboolean
write_levels (const float *samples, TractorRingWriter *ring, GError **error)
{
  for (guint32 first = 0; first < N_SAMPLES; first += WINDOW) {
    /* Waits while the root is behind. */
    Level *level = tractor_ring_writer_reserve (ring, sizeof *level, error);

    if (level == NULL)
      return FALSE;
    *level = (Level){ first, find_loudest (samples + first, WINDOW) };
    if (!tractor_ring_writer_commit (ring, sizeof *level, error))
      return FALSE;
  }
  tractor_ring_writer_end (ring); /* without this the root would take it for a death */
  return TRUE;
}

static gboolean
meter (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (GVariant) samples = g_variant_lookup_value (kwargs, "samples", NULL);
  g_autoptr (GVariant) levels = g_variant_lookup_value (kwargs, "levels", NULL);
  g_autoptr (TractorShm) shm = NULL;
  g_autoptr (TractorRingWriter) ring = NULL;

  (void) ret_result;
  /* The size is checked: what is mapped is as large as what is read. */
  shm = tractor_shm_new_for_fd (tractor_value_take_fd (samples, error), N_SAMPLES * sizeof (float),
                                TRACTOR_SHM_READ_ONLY, error);
  if (shm == NULL)
    return FALSE;
  ring = tractor_ring_open_writer (tractor_ring_take_value (levels, error), error);
  return ring != NULL && tractor_context_started (context, NULL, error) &&
         write_levels (tractor_shm_get_data (shm), ring, error);
}

static const TractorExport exports[] = {
  { "meter", TRACTOR_EXPORT_CONTEXT, .context = meter },
  { 0 },
};
static const TractorModule modules[] = { { "sound", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* --- here ---------------------------------------------------------------------------------------- */

/* It becomes louder, and then silent. */
static TractorShm *
make_samples (GError **error)
{
  TractorShm *shm = tractor_shm_new (N_SAMPLES * sizeof (float), TRACTOR_SHM_READ_ONLY, error);
  float *samples = shm != NULL ? tractor_shm_get_writable_data (shm) : NULL;

  for (guint i = 0; samples != NULL && i < N_SAMPLES * 3 / 4; i++)
    samples[i] = (float) i * (i % 2 == 0 ? 1 : -1);
  return shm;
}

static gboolean
print_levels (TractorRingReader *ring, GError **error)
{
  guint n = 0;
  Level loudest = { 0 };
  gconstpointer item;
  gsize length;

  while (tractor_ring_reader_peek (ring, &item, &length, error)) {
    const Level *level = item;

    /* It is the actor's memory too: whoever does not trust it looks at a copy. */
    if (length == sizeof *level && level->loudest > loudest.loudest)
      loudest = *level;
    n++;
    tractor_ring_reader_release (ring);
  }
  if (*error != NULL)
    return FALSE;
  g_print ("%u windows, the loudest from sample %u\n", n, loudest.first);
  return TRUE;
}

static gboolean
use_meter (TractorPortal *portal, GError **error)
{
  g_autoptr (TractorShm) samples = make_samples (error);
  g_autoptr (TractorRing) ring = samples != NULL ? tractor_ring_new (16 * 1024, error) : NULL;
  g_autoptr (TractorContext) context = NULL;
  g_autoptr (TractorRingReader) reader = NULL;

  if (ring == NULL)
    return FALSE;
  context = tractor_portal_open_context (
      portal, "sound:meter",
      g_variant_new_parsed ("{'samples': <%*>, 'levels': <%*>}",
                            tractor_value_new_fd (tractor_shm_get_fd (samples)),
                            tractor_ring_get_value (ring, error)),
      NULL, NULL, error);
  if (context == NULL)
    return FALSE;
  /* The actor has its end: this one is opened after that. */
  reader = tractor_ring_open_reader (g_steal_pointer (&ring), error);
  if (reader != NULL)
    print_levels (reader, error);
  return tractor_context_join (context, NULL, error);
}

static gboolean
run (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (actors, "meter", NULL, error);

  (void) data;
  if (portal != NULL && use_meter (portal, error))
    tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (tractor_run (run, NULL, &error))
    return EXIT_SUCCESS;
  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}
