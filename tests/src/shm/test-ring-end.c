/* test-ring-end.c - one end of a ring, with its task, step by step against another end that is played here.
 *
 * The file is compiled in, so that the test can do something between any two steps of an end, and be the kernel
 * that has no memory for a bell. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"
#include "ring.h"

#include <sys/socket.h>

static void set_sleeps_between (Ring *ring, RingSide side, gboolean sleeps);
static gssize send_or_not (int fd, const void *data, size_t length, int flags);

#define tractor__ring_set_sleeps set_sleeps_between
#define send                     send_or_not
#include "../../../src/shm/ring-end.c" // NOLINT: see above
#undef tractor__ring_set_sleeps
#undef send

/* The other end, which has no task. */
typedef struct {
  Ring ring;
  int socket;
  guint n_lost; /* bells that found no room */
} Other;

static void
other_ring (Other *other, gboolean is_wanted)
{
  if (is_wanted && send (other->socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
    other->n_lost++;
}

static void
other_write (Other *other)
{
  gpointer at;

  g_assert_cmpint (tractor__ring_reserve (&other->ring, 1, &at), ==, RING_OK);
  other_ring (other, tractor__ring_commit (&other->ring, 1));
}

static void
other_end (Other *other)
{
  other_ring (other, tractor__ring_end (&other->ring));
}

static void
other_read (Other *other)
{
  gconstpointer at;
  gsize length;

  while (tractor__ring_peek (&other->ring, &at, &length) == RING_OK)
    other_ring (other, tractor__ring_release (&other->ring));
}

/* Makes a ring, of which @other is the other end, and @ret_own is to be opened here. */
static void
make_ring (Other *other, TractorRing **ret_own)
{
  g_autoptr (GError) error = NULL;
  TractorRing *ring = tractor_ring_new (1, &error);

  g_assert_no_error (error);
  *other = (Other){ .socket = g_steal_fd (&ring->sockets[1]) };
  g_assert_true (tractor__ring_map (&other->ring, ring->memory, ring->capacity));
  *ret_own = ring;
}

static TractorRingReader *
open_reader (Other *other, GError **error)
{
  TractorRing *ring;

  make_ring (other, &ring);
  return tractor_ring_open_reader (ring, error);
}

static TractorRingWriter *
open_writer (Other *other, GError **error)
{
  TractorRing *ring;

  make_ring (other, &ring);
  return tractor_ring_open_writer (ring, error);
}

static void
other_close (Other *other)
{
  tractor__ring_unmap (&other->ring);
  close_fd (&other->socket);
}

/* --- between two steps ------------------------------------------------------------------------------- */

/* What the other end does when this one has done so much. */
static struct {
  void (*func) (Other *other);
  Other *other;
  gboolean is_before; /* this one says that it sleeps */
  guint n;            /* how often */
} meanwhile;

static void
do_meanwhile (gboolean is_before)
{
  if (meanwhile.n == 0 || meanwhile.is_before != is_before)
    return;
  meanwhile.n--;
  meanwhile.func (meanwhile.other);
}

static void
set_sleeps_between (Ring *ring, RingSide side, gboolean sleeps)
{
  if (sleeps)
    do_meanwhile (TRUE);
  tractor__ring_set_sleeps (ring, side, sleeps);
  if (sleeps)
    do_meanwhile (FALSE);
}

static void
have_meanwhile (void (*func) (Other *other), Other *other, gboolean is_before, guint n)
{
  meanwhile.func = func;
  meanwhile.other = other;
  meanwhile.is_before = is_before;
  meanwhile.n = n;
}

static gboolean
read_one (TractorRingReader *reader, GError **error)
{
  g_autoptr (GBytes) item = NULL;

  return tractor_ring_reader_receive (reader, &item, error);
}

static gboolean
test_item_meanwhile (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (guint is_before = 0; is_before < 2; is_before++) {
    Other other;
    TractorRingReader *reader = open_reader (&other, error);

    have_meanwhile (other_write, &other, is_before, 1);
    g_assert_true (read_one (reader, error));
    g_assert_cmpuint (meanwhile.n, ==, 0);
    tractor_ring_reader_close (reader);
    other_close (&other);
  }
  return TRUE;
}

static gboolean
test_end_meanwhile (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (guint is_before = 0; is_before < 2; is_before++) {
    Other other;
    TractorRingReader *reader = open_reader (&other, error);

    have_meanwhile (other_end, &other, is_before, 1);
    g_assert_false (read_one (reader, error));
    g_assert_no_error (*error);
    g_assert_cmpuint (meanwhile.n, ==, 0);
    tractor_ring_reader_close (reader);
    other_close (&other);
  }
  return TRUE;
}

static gboolean
send_largest (TractorRingWriter *writer, GError **error)
{
  return tractor_ring_writer_reserve (writer, writer->end.ring.capacity - RING_ITEM_HEAD, error) !=
             NULL &&
         tractor_ring_writer_commit (writer, 1, error);
}

static gboolean
test_room_meanwhile (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (guint is_before = 0; is_before < 2; is_before++) {
    Other other;
    TractorRingWriter *writer = open_writer (&other, error);

    g_assert_true (send_largest (writer, error));
    have_meanwhile (other_read, &other, is_before, 1);
    g_assert_true (send_largest (writer, error));
    g_assert_cmpuint (meanwhile.n, ==, 0);
    tractor_ring_writer_close (writer);
    other_close (&other);
  }
  return TRUE;
}

/* --- bells that nobody reads --------------------------------------------------------------------------- */

#define N_BELLS 1000 /* more than a socket has room for */

/* Each finds its item there when it has just said that it sleeps, and does not wait: nobody sees that bell. */
static void
find_items_meanwhile (Other *other, TractorRingReader *reader, guint n, GError **error)
{
  have_meanwhile (other_write, other, FALSE, n);
  for (guint i = 0; i < n; i++)
    g_assert_true (read_one (reader, error));
  g_assert_cmpuint (meanwhile.n, ==, 0);
  g_assert_cmpuint (other->n_lost, ==, 0);
}

static gboolean
test_bells_without_a_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  Other other;
  TractorRingReader *reader = open_reader (&other, error);

  find_items_meanwhile (&other, reader, N_BELLS, error);
  tractor_ring_reader_close (reader);
  other_close (&other);
  return TRUE;
}

static void
make_room_least (int fd)
{
  int least = 1; /* the kernel has its own idea of that */

  g_assert_cmpint (setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), ==, 0);
}

static gboolean
test_bells_in_little_room (G_GNUC_UNUSED gpointer data, GError **error)
{
  Other other;
  TractorRing *ring;
  TractorRingReader *reader;

  make_ring (&other, &ring);
  make_room_least (other.socket);
  make_room_least (ring->sockets[0]);
  reader = tractor_ring_open_reader (ring, error);
  find_items_meanwhile (&other, reader, N_BELLS, error);
  tractor_ring_reader_close (reader);
  other_close (&other);
  return TRUE;
}

/* --- short of memory ----------------------------------------------------------------------------------- */

static int shortage;      /* an errno */
static guint n_shortages; /* how often */

static gssize
send_or_not (int fd, const void *data, size_t length, int flags)
{
  if (n_shortages == 0)
    return send (fd, data, length, flags);
  n_shortages--;
  errno = shortage;
  return -1;
}

static gboolean
has_bell (Other *other)
{
  char bell;

  return recv (other->socket, &bell, 1, MSG_DONTWAIT) == 1;
}

/* The other end sleeps, and this one does nothing more with the ring than it has done. */
static gboolean
expect_bell (Other *other, GError **error)
{
  g_assert_false (has_bell (other));
  if (!tractor_wait_fd (other->socket, G_IO_IN, NULL, error))
    return FALSE;
  g_assert_true (has_bell (other));
  g_assert_cmpuint (n_shortages, ==, 0);
  return TRUE;
}

static void
be_short (int number)
{
  shortage = number;
  n_shortages = 3;
}

static const int shortages[] = { ENOBUFS, ENOMEM, EINTR };

static gboolean
test_writer_is_short (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (shortages); i++) {
    Other other;
    TractorRingWriter *writer = open_writer (&other, error);

    be_short (shortages[i]);
    tractor__ring_set_sleeps (&other.ring, RING_READER, TRUE);
    g_assert_true (tractor_ring_writer_send (writer, "x", 1, error));
    g_assert_true (expect_bell (&other, error));
    g_assert_true (tractor_ring_writer_send (writer, "x", 1, error)); /* nobody is gone */
    be_short (shortages[i]);
    tractor__ring_set_sleeps (&other.ring, RING_READER, TRUE);
    tractor_ring_writer_end (writer);
    g_assert_true (expect_bell (&other, error));
    g_assert_false (has_bell (&other));
    tractor_ring_writer_close (writer);
    other_close (&other);
  }
  return TRUE;
}

static gboolean
test_reader_is_short (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (shortages); i++) {
    Other other;
    TractorRingReader *reader = open_reader (&other, error);

    other_write (&other);
    be_short (shortages[i]);
    tractor__ring_set_sleeps (&other.ring, RING_WRITER, TRUE);
    g_assert_true (read_one (reader, error));
    g_assert_true (expect_bell (&other, error));
    have_meanwhile (other_write, &other, FALSE, 1);
    g_assert_true (read_one (reader, error)); /* nobody is gone */
    tractor_ring_reader_close (reader);
    other_close (&other);
  }
  return TRUE;
}

/* One that is closed while it owes a bell: the other hears of the end. */
static gboolean
test_closed_short (G_GNUC_UNUSED gpointer data, GError **error)
{
  Other other;
  TractorRingWriter *writer = open_writer (&other, error);

  be_short (ENOBUFS);
  tractor__ring_set_sleeps (&other.ring, RING_READER, TRUE);
  g_assert_true (tractor_ring_writer_send (writer, "x", 1, error));
  tractor_ring_writer_close (writer);
  n_shortages = 0;
  g_assert_true (tractor_wait_fd (other.socket, G_IO_IN, NULL, error));
  other_close (&other);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);

  harness_add_real_task ("/ring-end/meanwhile/item", test_item_meanwhile);
  harness_add_real_task ("/ring-end/meanwhile/end", test_end_meanwhile);
  harness_add_real_task ("/ring-end/meanwhile/room", test_room_meanwhile);
  harness_add_real_task ("/ring-end/bells/without-a-wait", test_bells_without_a_wait);
  harness_add_real_task ("/ring-end/bells/in-little-room", test_bells_in_little_room);
  harness_add_real_task ("/ring-end/short/writer", test_writer_is_short);
  harness_add_real_task ("/ring-end/short/reader", test_reader_is_short);
  harness_add_real_task ("/ring-end/short/closed", test_closed_short);
  return harness_run ();
}
