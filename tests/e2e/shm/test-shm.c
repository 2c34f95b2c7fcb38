/* test-shm.c - memory that two actors share: blocks of samples, and rings. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "actors.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define N_SAMPLES 1000000

static double
sample (guint i)
{
  return (double) i * 0.5 - 1000;
}

/* --- what the actor serves --------------------------------------------------------------------------- */

static TractorShm *
take_block (GVariant *kwargs, gsize size, TractorShmAccess access, GError **error)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (kwargs, "block", NULL);

  return tractor_shm_new_for_fd (tractor_value_take_fd (value, error), size, access, error);
}

/* Returns how many of the samples are as they were written. */
static gboolean
count_samples (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorShm) shm =
      take_block (kwargs, N_SAMPLES * sizeof (double), TRACTOR_SHM_READ_ONLY, error);
  guint n = 0;

  if (shm == NULL)
    return FALSE;
  g_assert_null (tractor_shm_get_writable_data (shm));
  for (guint i = 0; i < N_SAMPLES; i++)
    n += ((const double *) tractor_shm_get_data (shm))[i] == sample (i);
  *ret_result = g_variant_new_int64 (n);
  return TRUE;
}

/* Returns how many ways there are to write to the block. */
static gboolean
try_to_write (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (kwargs, "block", NULL);
  int fd = tractor_value_take_fd (value, error);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  int again = open (path, O_RDWR | O_CLOEXEC);
  g_autoptr (GError) failure = NULL;
  guint n = 0;

  g_assert_cmpint (again, >=, 0);
  n += mmap (NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED;
  n += mmap (NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) != MAP_FAILED;
  n += pwrite (fd, "x", 1, 0) == 1;
  n += pwrite (again, "x", 1, 0) == 1;
  n += ftruncate (again, 0) == 0;
  n += fallocate (again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1) == 0;
  close (again);
  g_assert_null (tractor_shm_new_for_fd (fd, 0, TRACTOR_SHM_READ_WRITE, &failure));
  g_assert_error (failure, G_FILE_ERROR, G_FILE_ERROR_PERM);
  *ret_result = g_variant_new_int64 (n);
  return TRUE;
}

static gboolean
write_answer (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorShm) shm = take_block (kwargs, 0, TRACTOR_SHM_READ_WRITE, error);

  if (shm == NULL)
    return FALSE;
  strcpy (tractor_shm_get_writable_data (shm), "from the actor");
  return TRUE;
}

static TractorRing *
take_ring (GVariant *kwargs, GError **error)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (kwargs, "ring", NULL);

  return tractor_ring_take_value (value, error);
}

static TractorRingReader *
take_reader (GVariant *kwargs, GError **error)
{
  return tractor_ring_open_reader (take_ring (kwargs, error), error);
}

static TractorRingWriter *
take_writer (GVariant *kwargs, GError **error)
{
  return tractor_ring_open_writer (take_ring (kwargs, error), error);
}

static guint64
mix (guint64 sum, const guint8 *bytes, gsize length)
{
  guint64 word = 0;

  for (; length >= sizeof word; bytes += sizeof word, length -= sizeof word) {
    memcpy (&word, bytes, sizeof word);
    sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
  }
  for (; length > 0; bytes++, length--)
    sum = (sum ^ *bytes) * 0x9e3779b97f4a7c15u;
  return sum;
}

static char *
describe_stream (guint64 n_bytes, guint64 sum)
{
  return g_strdup_printf ("%" G_GUINT64_FORMAT " bytes: %" G_GINT64_MODIFIER "x", n_bytes, sum);
}

/* Reads all there is; returns how much, and its sum. */
static gboolean
drink (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorRingReader) reader = take_reader (kwargs, error);
  guint64 sum = 0;
  guint64 n_bytes = 0;
  gconstpointer item;
  gsize length;

  if (reader == NULL || !tractor_context_started (context, NULL, error))
    return FALSE;
  while (tractor_ring_reader_peek (reader, &item, &length, error)) {
    sum = mix (sum, item, length);
    n_bytes += length;
    tractor_ring_reader_release (reader);
  }
  if (*error != NULL)
    return FALSE;
  *ret_result = g_variant_new_take_string (describe_stream (n_bytes, sum));
  return TRUE;
}

/* Sends each item back by the other ring. */
static gboolean
echo (TractorContext *context,
      GVariant *kwargs,
      G_GNUC_UNUSED GVariant **ret_result,
      GError **error)
{
  g_autoptr (GVariant) back = g_variant_lookup_value (kwargs, "back", NULL);
  g_autoptr (TractorRingReader) reader = take_reader (kwargs, error);
  g_autoptr (TractorRingWriter) writer = NULL;
  g_autoptr (GBytes) item = NULL;

  if (reader == NULL)
    return FALSE;
  writer = tractor_ring_open_writer (tractor_ring_take_value (back, error), error);
  if (writer == NULL || !tractor_context_started (context, NULL, error))
    return FALSE;
  while (tractor_ring_reader_receive (reader, &item, error)) {
    gsize length;
    gconstpointer data = g_bytes_get_data (item, &length);

    if (!tractor_ring_writer_send (writer, data, length, error))
      return FALSE;
    g_clear_pointer (&item, g_bytes_unref);
  }
  if (*error != NULL)
    return FALSE;
  tractor_ring_writer_end (writer);
  return TRUE;
}

/* Opens the end that "side" says, does what "end" says, and then nothing until the context is cancelled. */
static gboolean
hold_end (TractorContext *context,
          GVariant *kwargs,
          G_GNUC_UNUSED GVariant **ret_result,
          GError **error)
{
  g_autoptr (TractorRingReader) reader = NULL;
  g_autoptr (TractorRingWriter) writer = NULL;
  const char *side;
  const char *end;

  g_assert_true (g_variant_lookup (kwargs, "side", "&s", &side));
  g_assert_true (g_variant_lookup (kwargs, "end", "&s", &end));
  if (strcmp (side, "reader") == 0)
    reader = take_reader (kwargs, error);
  else
    writer = take_writer (kwargs, error);
  if ((reader == NULL && writer == NULL) || !tractor_context_started (context, NULL, error))
    return FALSE;
  if (writer != NULL && !tractor_ring_writer_send (writer, "last", 4, error))
    return FALSE;
  if (strcmp (end, "killed") == 0)
    raise (SIGKILL);
  if (strcmp (end, "closed") == 0) {
    g_clear_pointer (&reader, tractor_ring_reader_close);
    g_clear_pointer (&writer, tractor_ring_writer_close);
  }
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* Gives the ring back as what the context starts with: so the opener has both ends. */
static gboolean
bounce (TractorContext *context,
        GVariant *kwargs,
        G_GNUC_UNUSED GVariant **ret_result,
        GError **error)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (kwargs, "ring", NULL);
  int fds[2];
  gboolean ok;

  for (gsize i = 0; i < 2; i++) {
    g_autoptr (GVariant) child = g_variant_get_child_value (value, i);
    g_autoptr (GVariant) mark = g_variant_get_variant (child);

    fds[i] = tractor_value_take_fd (mark, error);
    g_assert_no_error (*error);
  }
  ok = tractor_context_started (
      context, g_variant_new ("(vv)", tractor_value_new_fd (fds[0]), tractor_value_new_fd (fds[1])),
      error);
  close (fds[0]);
  close (fds[1]);
  return ok;
}

static guint64
next_word (guint64 *state)
{
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 33;
}

/* A peer that is none: writes anything all over the ring's memory, and rings its bell. */
static gboolean
scribble (TractorContext *context,
          GVariant *kwargs,
          G_GNUC_UNUSED GVariant **ret_result,
          GError **error)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (kwargs, "ring", NULL);
  g_autoptr (GVariant) first = g_variant_get_child_value (value, 0);
  g_autoptr (GVariant) second = g_variant_get_child_value (value, 1);
  g_autoptr (GVariant) memory = g_variant_get_variant (first);
  g_autoptr (GVariant) bell = g_variant_get_variant (second);
  int memory_fd = tractor_value_take_fd (memory, error);
  int bell_fd = tractor_value_take_fd (bell, error);
  gsize size = (gsize) lseek (memory_fd, 0, SEEK_END);
  guint64 *words = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
  gboolean ok = tractor_context_started (context, NULL, error);
  gint64 seed;

  g_assert_true (g_variant_lookup (kwargs, "seed", "x", &seed));
  g_assert_true (words != MAP_FAILED);
  for (guint64 state = (guint64) seed; ok;) {
    for (guint i = 0; i < 1000; i++) {
      guint64 word = next_word (&state);
      gsize at = next_word (&state) % (i % 2 == 0 ? 64 : size / sizeof *words);

      atomic_store_explicit ((_Atomic guint64 *) &words[at],
                             i % 3 == 0 ? word & 0xfff8 : word * word, memory_order_relaxed);
    }
    send (bell_fd, &state, sizeof state, MSG_DONTWAIT | MSG_NOSIGNAL);
    ok = tractor_checkpoint (error);
  }
  munmap (words, size);
  close (memory_fd);
  close (bell_fd);
  return FALSE;
}

static const TractorExport exports[] = {
  { .name = "count_samples", .call = count_samples },
  { .name = "try_to_write", .call = try_to_write },
  { .name = "write_answer", .call = write_answer },
  { .name = "drink", .kind = TRACTOR_EXPORT_CONTEXT, .context = drink },
  { .name = "echo", .kind = TRACTOR_EXPORT_CONTEXT, .context = echo },
  { .name = "hold_end", .kind = TRACTOR_EXPORT_CONTEXT, .context = hold_end },
  { .name = "bounce", .kind = TRACTOR_EXPORT_CONTEXT, .context = bounce },
  { .name = "scribble", .kind = TRACTOR_EXPORT_CONTEXT, .context = scribble },
  { NULL },
};
static const TractorModule modules[] = { { "shm", exports }, { NULL } };

/* --- blocks ------------------------------------------------------------------------------------------- */

static GVariant *
with_block (TractorShm *shm)
{
  return g_variant_new_parsed ("{'block': <%*>}", tractor_value_new_fd (tractor_shm_get_fd (shm)));
}

static gint64
call_with_block (TractorPortal *portal, const char *function, TractorShm *shm, GError **error)
{
  g_autoptr (GVariant) result = NULL;

  g_assert_true (tractor_portal_call (portal, function, with_block (shm), &result, error));
  return g_variant_get_int64 (result);
}

/* How many mappings of shared memory this process has. */
static guint
count_mappings (void)
{
  g_autofree char *maps = NULL;
  g_auto (GStrv) parts = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  parts = g_strsplit (maps, "memfd:tractor-", -1);
  return g_strv_length (parts) - 1;
}

static gboolean
test_samples (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  TractorShm *shm = tractor_shm_new (N_SAMPLES * sizeof (double), TRACTOR_SHM_READ_ONLY, error);

  g_assert_no_error (*error);
  g_assert_cmpuint (tractor_shm_get_size (shm), ==, N_SAMPLES * sizeof (double));
  for (guint i = 0; i < N_SAMPLES; i++)
    ((double *) tractor_shm_get_writable_data (shm))[i] = sample (i);
  g_assert_cmpint (call_with_block (peer.portal, "shm:count_samples", shm, error), ==, N_SAMPLES);
  g_assert_cmpint (call_with_block (peer.portal, "shm:try_to_write", shm, error), ==, 0);
  /* It is still ours to write to. */
  ((double *) tractor_shm_get_writable_data (shm))[7] = 0;
  g_assert_cmpint (call_with_block (peer.portal, "shm:count_samples", shm, error), ==,
                   N_SAMPLES - 1);
  g_assert_cmpuint (count_mappings (), ==, 1);
  g_assert_true (tractor_shm_ref (shm) == shm);
  tractor_shm_unref (shm);
  tractor_shm_unref (shm);
  g_assert_cmpuint (count_mappings (), ==, 0);
  return end_peer (&peer, error);
}

static gboolean
test_written_there (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (TractorShm) shm = tractor_shm_new (100, TRACTOR_SHM_READ_WRITE, error);

  g_assert_true (
      tractor_portal_call (peer.portal, "shm:write_answer", with_block (shm), NULL, error));
  g_assert_cmpstr (tractor_shm_get_data (shm), ==, "from the actor");
  return end_peer (&peer, error);
}

static int
make_memory (gsize size, int seals)
{
  int fd = memfd_create ("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, seals), ==, 0);
  return fd;
}

static void
expect_refused (int fd, gsize size, GQuark domain, int code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (tractor_shm_new_for_fd (fd, size, TRACTOR_SHM_READ_ONLY, &error));
  g_assert_error (error, domain, code);
}

/* Its descriptor was opened to be read. */
static void
expect_refused_to_write (void)
{
  int fd = make_memory (4096, F_SEAL_SHRINK | F_SEAL_GROW);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autoptr (GError) error = NULL;
  int again = open (path, O_RDONLY | O_CLOEXEC);

  close (fd);
  g_assert_null (tractor_shm_new_for_fd (again, 0, TRACTOR_SHM_READ_WRITE, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_PERM);
}

static void
test_refused (void)
{
  g_autoptr (GError) error = NULL;
  int sockets[2];
  int huge;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
  expect_refused (make_memory (4096, 0), 4096, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  expect_refused (make_memory (4096, F_SEAL_GROW), 4096, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  expect_refused (make_memory (4096, F_SEAL_SHRINK), 4097, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  expect_refused (make_memory (4096, F_SEAL_SHRINK), 1, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  expect_refused (make_memory (0, F_SEAL_SHRINK), 0, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  expect_refused (open ("/proc/self/exe", O_RDONLY | O_CLOEXEC), 0, TRACTOR_ERROR,
                  TRACTOR_ERROR_MSG_TYPE);
  expect_refused (open ("/dev/null", O_RDONLY | O_CLOEXEC), 0, TRACTOR_ERROR,
                  TRACTOR_ERROR_MSG_TYPE);
  expect_refused (sockets[0], 0, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  expect_refused (-1, 0, G_FILE_ERROR, G_FILE_ERROR_BADF);
  expect_refused (12345, 0, G_FILE_ERROR, G_FILE_ERROR_BADF);
  close (sockets[1]);
  expect_refused_to_write ();
  /* Has seals, but its pages may be none. */
  huge = memfd_create ("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
  if (huge >= 0) {
    g_assert_cmpint (ftruncate (huge, 1024 * 1024 * 1024), ==, 0);
    g_assert_cmpint (fcntl (huge, F_ADD_SEALS, F_SEAL_SHRINK), ==, 0);
    expect_refused (huge, 0, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  }

  g_assert_null (tractor_shm_new (0, TRACTOR_SHM_READ_WRITE, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  g_assert_null (tractor_shm_new (G_MAXSIZE, TRACTOR_SHM_READ_WRITE, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  /* An error that is there already says more. */
  g_assert_null (tractor_shm_new_for_fd (tractor_value_take_fd (NULL, &error), 0,
                                         TRACTOR_SHM_READ_ONLY, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
}

/* --- a ring ------------------------------------------------------------------------------------------- */

static TractorContext *
open_with_ring (TractorPortal *portal, const char *function, TractorRing *ring, GError **error)
{
  return tractor_portal_open_context (
      portal, function,
      g_variant_new_parsed ("{'ring': <%*>}", tractor_ring_get_value (ring, error)), NULL, NULL,
      error);
}

static gboolean
pour (TractorRingWriter *writer, guint64 n_bytes, guint64 *sum, GError **error)
{
  guint64 left = n_bytes;

  for (guint i = 0; left > 0; i++) {
    gsize length = (gsize) MIN (left, i % 7 == 0 ? 9000 : 1 + i * 2654435761u % 5000);
    guint8 *item = tractor_ring_writer_reserve (writer, length, error);

    if (item == NULL)
      return FALSE;
    memset (item, (int) i, length);
    *sum = mix (*sum, item, length);
    if (!tractor_ring_writer_commit (writer, length, error))
      return FALSE;
    left -= length;
  }
  return TRUE;
}

/* As large a stream as the row has it, where it does not take too long, and a ring of 10 KiB, which is rounded up. */
static gboolean
test_stream (G_GNUC_UNUSED gpointer data, GError **error)
{
  guint64 n_bytes = G_GUINT64_CONSTANT (1000000000) / (harness_get_slowness () > 1 ? 20 : 1);
  Peer peer = start_peer (error);
  g_autoptr (TractorRing) ring = tractor_ring_new (10 * 1024, error);
  TractorContext *context = open_with_ring (peer.portal, "shm:drink", ring, error);
  TractorRingWriter *writer;
  g_autoptr (GVariant) result = NULL;
  guint64 sum = 0;
  g_autofree char *expected = NULL;

  g_assert_no_error (*error);
  writer = tractor_ring_open_writer (g_steal_pointer (&ring), error);
  g_assert_no_error (*error);
  g_assert_true (pour (writer, n_bytes, &sum, error));
  tractor_ring_writer_end (writer);
  g_assert_null (tractor_ring_writer_reserve (writer, 1, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  g_assert_true (tractor_context_join (context, &result, error));
  tractor_context_close (context);
  expected = describe_stream (n_bytes, sum);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, expected);
  tractor_ring_writer_close (writer);
  return end_peer (&peer, error);
}

static gboolean
test_there_and_back (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (TractorRing) there = tractor_ring_new (1, error);
  g_autoptr (TractorRing) back = tractor_ring_new (1, error);
  TractorContext *context = tractor_portal_open_context (
      peer.portal, "shm:echo",
      g_variant_new_parsed ("{'ring': <%*>, 'back': <%*>}", tractor_ring_get_value (there, error),
                            tractor_ring_get_value (back, error)),
      NULL, NULL, error);
  TractorRingWriter *writer = tractor_ring_open_writer (g_steal_pointer (&there), error);
  TractorRingReader *reader = tractor_ring_open_reader (g_steal_pointer (&back), error);
  gconstpointer none;
  gsize length;

  g_assert_no_error (*error);
  for (guint i = 0; i < 2000; i++) {
    g_autoptr (GBytes) item = NULL;

    g_assert_true (tractor_ring_writer_send (writer, &i, i % 2 == 0 ? sizeof i : 0, error));
    g_assert_true (tractor_ring_reader_receive (reader, &item, error));
    g_assert_cmpuint (g_bytes_get_size (item), ==, i % 2 == 0 ? sizeof i : 0);
    if (i % 2 == 0)
      g_assert_cmpint (memcmp (g_bytes_get_data (item, NULL), &i, sizeof i), ==, 0);
  }
  tractor_ring_writer_end (writer);
  g_assert_false (tractor_ring_reader_peek (reader, &none, &length, error));
  g_assert_no_error (*error);
  tractor_ring_writer_close (writer);
  tractor_ring_reader_close (reader);
  g_assert_true (tractor_context_join (context, NULL, error));
  tractor_context_close (context);
  return end_peer (&peer, error);
}

/* --- ends --------------------------------------------------------------------------------------------- */

typedef struct {
  const char *side; /* the actor's */
  const char *end;
} EndRow;

static const EndRow end_rows[] = {
  { "reader", "closed" },
  { "reader", "killed" },
  { "writer", "closed" },
  { "writer", "killed" },
};

/* Waits outside the context's scope, so that what ends the wait is the ring. */
static gboolean
use_until_it_ends (const EndRow *row, TractorRing *given, GError **error)
{
  g_autoptr (TractorRingReader) reader = NULL;
  g_autoptr (TractorRingWriter) writer = NULL;
  gconstpointer item;
  gsize length;

  if (strcmp (row->side, "reader") == 0) {
    writer = tractor_ring_open_writer (given, error);
    while (tractor_ring_writer_send (writer, "item", 4, error))
      ;
    return FALSE;
  }
  reader = tractor_ring_open_reader (given, error);
  g_assert_true (tractor_ring_reader_peek (reader, &item, &length, error));
  g_assert_cmpmem (item, length, "last", 4);
  tractor_ring_reader_release (reader);
  return tractor_ring_reader_peek (reader, &item, &length, error);
}

typedef struct {
  TractorPortal *portal;
  const EndRow *row;
  TractorRing *ring;
} Opening;

static gboolean
keep_context (TractorTaskStatus *status, gpointer data, GError **error)
{
  Opening *opening = data;
  TractorContext *context = tractor_portal_open_context (
      opening->portal, "shm:hold_end",
      g_variant_new_parsed ("{'ring': <%*>, 'side': <%s>, 'end': <%s>}",
                            tractor_ring_get_value (opening->ring, error), opening->row->side,
                            opening->row->end),
      NULL, NULL, error);
  g_autoptr (GError) failure = NULL;

  g_assert_no_error (*error);
  tractor_task_started (status, NULL, NULL);
  tractor_context_join (context, NULL, &failure);
  tractor_context_close (context);
  return TRUE;
}

static gboolean
test_other_end (gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (TractorRing) ring = tractor_ring_new (1, error);
  Opening opening = { peer.portal, data, ring };
  TractorNursery *nursery = tractor_nursery_open ();

  g_assert_true (
      tractor_nursery_start (nursery, "keep", keep_context, &opening, NULL, NULL, error));
  g_assert_false (use_until_it_ends (data, g_steal_pointer (&ring), error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "seen");
  tractor_nursery_join (nursery, error);
  g_assert_no_error (*error);
  tractor_nursery_close (nursery);
  end_peer (&peer, error);
  g_clear_error (error); /* it may have been killed */
  return TRUE;
}

/* One that is never opened over there. */
static gboolean
test_nobody_there (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRing) ring = tractor_ring_new (1, error);
  g_autoptr (TractorRingReader) reader = tractor_ring_open_reader (g_steal_pointer (&ring), error);
  gconstpointer item;
  gsize length;

  g_assert_false (tractor_ring_reader_peek (reader, &item, &length, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  return TRUE;
}

/* --- both ends here ------------------------------------------------------------------------------------ */

typedef struct {
  Peer peer;
  TractorRing *own;
  TractorRing *other;
} Both;

static Both
start_both (GError **error)
{
  Both both = { .peer = start_peer (error), .own = tractor_ring_new (1, error) };
  g_autoptr (GVariant) first = NULL;
  TractorContext *context = tractor_portal_open_context (
      both.peer.portal, "shm:bounce",
      g_variant_new_parsed ("{'ring': <%*>}", tractor_ring_get_value (both.own, error)), NULL,
      &first, error);

  g_assert_no_error (*error);
  both.other = tractor_ring_take_value (first, error);
  g_assert_no_error (*error);
  g_assert_null (tractor_ring_take_value (first, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  g_assert_null (tractor_ring_get_value (both.own, error)); /* it has been given */
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_null (tractor_ring_get_value (both.other, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_true (tractor_context_join (context, NULL, error));
  tractor_context_close (context);
  return both;
}

static gboolean
fill (TractorRingWriter *writer, GError **error)
{
  while (tractor_ring_writer_send (writer, "item", 4, error))
    ;
  return FALSE;
}

static gboolean
read_one (TractorRingReader *reader, GError **error)
{
  g_autoptr (GBytes) item = NULL;

  return tractor_ring_reader_receive (reader, &item, error);
}

/* One of the two. */
typedef struct {
  TractorRingWriter *writer;
  TractorRingReader *reader;
} End;

static gboolean
wait_at (gpointer data, GError **error)
{
  End *end = data;

  return end->writer != NULL ? fill (end->writer, error) : read_one (end->reader, error);
}

/* @func: what is done to @end while a task waits there. Returns: what that task failed with. */
static GError *
wait_while (End *end, void (*func) (End *end, TractorNursery *nursery))
{
  TractorNursery *nursery = tractor_nursery_open ();
  GError *error = NULL;

  g_assert_true (tractor_nursery_spawn (nursery, "waits", wait_at, end, NULL, &error));
  g_assert_true (tractor_wait_all_tasks_blocked (0, &error));
  func (end, nursery);
  tractor_nursery_join (nursery, &error);
  tractor_nursery_close (nursery);
  return error;
}

static void
cancel (G_GNUC_UNUSED End *end, TractorNursery *nursery)
{
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "enough");
}

static void
wait_as_well (End *end, TractorNursery *nursery)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (wait_at (end, &error));
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY);
  cancel (end, nursery);
}

static void
close_it (End *end, G_GNUC_UNUSED TractorNursery *nursery)
{
  g_clear_pointer (&end->writer, tractor_ring_writer_close);
  g_clear_pointer (&end->reader, tractor_ring_reader_close);
}

static gboolean
test_waits_end (G_GNUC_UNUSED gpointer data, GError **error)
{
  Both both = start_both (error);
  End writer = { .writer = tractor_ring_open_writer (both.own, error) };
  End reader = { .reader = tractor_ring_open_reader (both.other, error) };
  g_autoptr (GError) failure = NULL;

  g_assert_no_error (*error);
  g_assert_no_error (wait_while (&reader, cancel));
  g_assert_no_error (wait_while (&reader, wait_as_well));
  g_assert_no_error (wait_while (&writer, cancel));
  g_assert_no_error (wait_while (&writer, wait_as_well));
  /* Nothing is lost by it. */
  g_assert_true (read_one (reader.reader, error));
  failure = wait_while (&writer, close_it);
  g_assert_true (tractor_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED));
  g_clear_error (&failure);
  while (read_one (reader.reader, error))
    ;
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  close_it (&reader, NULL);
  return end_peer (&both.peer, error);
}

static gboolean
test_reader_closed_while_it_waits (G_GNUC_UNUSED gpointer data, GError **error)
{
  Both both = start_both (error);
  End writer = { .writer = tractor_ring_open_writer (both.own, error) };
  End reader = { .reader = tractor_ring_open_reader (both.other, error) };
  g_autoptr (GError) failure = wait_while (&reader, close_it);

  g_assert_true (tractor_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED));
  g_assert_false (fill (writer.writer, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  close_it (&writer, NULL);
  return end_peer (&both.peer, error);
}

/* Cancelled before the call: it does nothing, even if it could. */
static gboolean
test_reports_a_cancel (G_GNUC_UNUSED gpointer data, GError **error)
{
  Both both = start_both (error);
  End writer = { .writer = tractor_ring_open_writer (both.own, error) };
  End reader = { .reader = tractor_ring_open_reader (both.other, error) };
  TractorCancelScope *scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  g_assert_true (tractor_ring_writer_send (writer.writer, "item", 4, error));
  tractor_cancel_scope_cancel (scope, "enough");
  g_assert_false (tractor_ring_writer_send (writer.writer, "item", 4, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_false (read_one (reader.reader, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  tractor_cancel_scope_close (scope);
  g_assert_true (read_one (reader.reader, error));
  close_it (&writer, NULL);
  close_it (&reader, NULL);
  return end_peer (&both.peer, error);
}

static gboolean
count_turns (gpointer data, GError **error)
{
  guint *n_turns = data;

  while (tractor_checkpoint (error))
    ++*n_turns;
  return FALSE;
}

/* Neither ever waits. */
static gboolean
test_gives_turns (G_GNUC_UNUSED gpointer data, GError **error)
{
  Both both = start_both (error);
  End writer = { .writer = tractor_ring_open_writer (both.own, error) };
  End reader = { .reader = tractor_ring_open_reader (both.other, error) };
  TractorNursery *nursery = tractor_nursery_open ();
  guint n_turns = 0;

  g_assert_true (tractor_nursery_spawn (nursery, "turns", count_turns, &n_turns, NULL, error));
  for (guint i = 0; i < 10000; i++)
    g_assert_true (tractor_ring_writer_send (writer.writer, "item", 4, error) &&
                   read_one (reader.reader, error));
  g_assert_cmpuint (n_turns, >, 10);
  cancel (NULL, nursery);
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_nursery_close (nursery);
  close_it (&writer, NULL);
  close_it (&reader, NULL);
  return end_peer (&both.peer, error);
}

static gboolean
test_limits (G_GNUC_UNUSED gpointer data, GError **error)
{
  Both both = start_both (error);
  End writer = { .writer = tractor_ring_open_writer (both.own, error) };
  gsize largest = (gsize) sysconf (_SC_PAGESIZE) - 8;

  g_assert_null (tractor_ring_open_writer (both.other, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_ring_writer_commit (writer.writer, 0, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_null (tractor_ring_writer_reserve (writer.writer, largest + 1, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  g_assert_null (tractor_ring_writer_reserve (writer.writer, G_MAXSIZE, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  g_assert_nonnull (tractor_ring_writer_reserve (writer.writer, 5, error));
  g_assert_false (
      tractor_ring_writer_commit (writer.writer, 6, error)); /* though there is room for 8 */
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_nonnull (tractor_ring_writer_reserve (writer.writer, largest, error));
  g_assert_false (tractor_ring_writer_commit (writer.writer, largest + 1, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_true (tractor_ring_writer_commit (writer.writer, largest, error));
  g_assert_null (tractor_ring_new ((gsize) 2 * 1024 * 1024 * 1024, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  g_assert_null (tractor_ring_take_value (NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  tractor_ring_writer_end (writer.writer);
  g_assert_false (tractor_ring_writer_commit (writer.writer, 0, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  close_it (&writer, NULL);
  return end_peer (&both.peer, error);
}

static gboolean
leave_open (gpointer data, GError **error)
{
  Both *both = data;

  return tractor_ring_open_writer (g_steal_pointer (&both->own), error) != NULL;
}

static gboolean
test_left_open (G_GNUC_UNUSED gpointer data, GError **error)
{
  Both both = start_both (error);
  End reader = { .reader = tractor_ring_open_reader (both.other, error) };
  TractorNursery *nursery = tractor_nursery_open ();

  g_assert_true (tractor_nursery_spawn (nursery, "leaves", leave_open, &both, NULL, error));
  g_assert_false (tractor_nursery_join (nursery, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE));
  g_clear_error (error);
  tractor_nursery_close (nursery);
  g_assert_false (read_one (reader.reader, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  close_it (&reader, NULL);
  return end_peer (&both.peer, error);
}

/* --- a peer that is none -------------------------------------------------------------------------------- */

/* @fds: stay the caller's. Takes what a peer may send in place of a ring. */
static void
expect_no_ring (TractorPortal *portal, int memory, int bell, GError **error)
{
  g_autoptr (TractorContext) context = tractor_portal_open_context (
      portal, "shm:drink",
      g_variant_new_parsed ("{'ring': <(%*, %*)>}", tractor_value_new_fd (memory),
                            tractor_value_new_fd (bell)),
      NULL, NULL, error);

  g_assert_null (context);
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  g_clear_error (error);
}

static gboolean
test_no_rings (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  int unsealed = make_memory (2 * page, 0);
  int odd = make_memory (4 * page, F_SEAL_SHRINK);
  int small = make_memory (page, F_SEAL_SHRINK);
  int good = make_memory (2 * page, F_SEAL_SHRINK);
  int sockets[2];
  int tcp = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
  expect_no_ring (peer.portal, unsealed, sockets[0], error);
  expect_no_ring (peer.portal, odd, sockets[0], error);
  expect_no_ring (peer.portal, small, sockets[0], error);
  expect_no_ring (peer.portal, sockets[1], sockets[0], error);
  expect_no_ring (peer.portal, good, good, error);
  expect_no_ring (peer.portal, good, tcp, error);
  g_assert_false (tractor_portal_call (
      peer.portal, "shm:write_answer",
      g_variant_new_parsed ("{'block': <%*>}", tractor_value_new_fd (unsealed)), NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  g_clear_error (error);
  for (guint i = 0; i < 2; i++)
    close (sockets[i]);
  close (unsealed);
  close (odd);
  close (small);
  close (good);
  close (tcp);
  return end_peer (&peer, error);
}

/* Uses it for as long as it is taken for whole, and no longer than some time. */
static void
use_reader_for_a_while (TractorRingReader *reader)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 50);
  g_autoptr (GError) error = NULL;
  gconstpointer item;
  gsize length;
  guint64 sum = 0;

  while (tractor_ring_reader_peek (reader, &item, &length, &error)) {
    sum = mix (sum, item, length);
    tractor_ring_reader_release (reader);
  }
  g_assert_true (error == NULL || g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL) ||
                 g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED));
  if (g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL)) {
    g_clear_error (&error);
    g_assert_false (tractor_ring_reader_peek (reader, &item, &length, &error));
  }
  tractor_cancel_scope_absorb (scope, &error);
}

static void
use_writer_for_a_while (TractorRingWriter *writer)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + SECOND / 50);
  g_autoptr (GError) error = NULL;
  guint64 sum = 0;

  pour (writer, G_MAXUINT64, &sum, &error);
  g_assert_true (g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL) ||
                 g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED));
  tractor_cancel_scope_absorb (scope, &error);
}

static gboolean
test_scribbled (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  for (guint i = 0; i < 20; i++) {
    g_autoptr (TractorRing) ring = tractor_ring_new (16 * 1024, error);
    TractorContext *context = tractor_portal_open_context (
        peer.portal, "shm:scribble",
        g_variant_new_parsed ("{'ring': <%*>, 'seed': <%x>}", tractor_ring_get_value (ring, error),
                              (gint64) g_test_rand_int ()),
        NULL, NULL, error);

    g_assert_no_error (*error);
    if (i % 2 == 0) {
      g_autoptr (TractorRingReader) reader =
          tractor_ring_open_reader (g_steal_pointer (&ring), error);

      if (reader != NULL)
        use_reader_for_a_while (reader);
    } else {
      g_autoptr (TractorRingWriter) writer =
          tractor_ring_open_writer (g_steal_pointer (&ring), error);

      if (writer != NULL)
        use_writer_for_a_while (writer);
    }
    g_clear_error (error); /* the peer has said that there was one */
    tractor_context_cancel (context);
    tractor_context_join (context, NULL, error);
    g_assert_no_error (*error);
    tractor_context_close (context);
  }
  return end_peer (&peer, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  harness_add_real_task ("/e2e/shm/row-100-samples", test_samples);
  harness_add_real_task ("/e2e/shm/written-there", test_written_there);
  harness_add ("/e2e/shm/row-100-refused", test_refused);
  harness_add_real_task ("/e2e/ring/row-101-stream", test_stream);
  harness_add_real_task ("/e2e/ring/there-and-back", test_there_and_back);
  for (guint i = 0; i < G_N_ELEMENTS (end_rows); i++) {
    g_autofree char *path =
        g_strdup_printf ("/e2e/ring/other-end/%s-%s", end_rows[i].side, end_rows[i].end);

    harness_add_real_row (path, test_other_end, &end_rows[i]);
  }
  harness_add_real_task ("/e2e/ring/nobody-there", test_nobody_there);
  harness_add_real_task ("/e2e/ring/row-101-waits-end", test_waits_end);
  harness_add_real_task ("/e2e/ring/closed-while-it-waits", test_reader_closed_while_it_waits);
  harness_add_real_task ("/e2e/ring/reports-a-cancel", test_reports_a_cancel);
  harness_add_real_task ("/e2e/ring/gives-turns", test_gives_turns);
  harness_add_real_task ("/e2e/ring/limits", test_limits);
  harness_add_real_task ("/e2e/ring/left-open", test_left_open);
  harness_add_real_task ("/e2e/ring/no-rings", test_no_rings);
  harness_add_real_task ("/e2e/ring/scribbled", test_scribbled);
  return harness_run ();
}
