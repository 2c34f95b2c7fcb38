/* ring-end.c - the ends of a ring, and the tasks that wait at them.
 *
 * A ring is two descriptors: its memory, and an end of a pair of sockets, which is both its bell and how one
 * end learns of the other's death. A byte in it says: look again. Whoever rings does so only if the other end
 * has said that it sleeps, so as long as both have something to do nobody makes a system call.
 *
 * Why no eventfd, which rings a little faster: it has no end, so a peer that is killed would have to be learned
 * of from a second descriptor, and a task waits for one. And both ends of an eventfd are one open file: a peer
 * that fills it, and makes it one that blocks, holds up the thread of whoever rings. A socket is told with each
 * call not to block, whatever it was set to. What it has to say beyond its end is of no importance.
 *
 * The bytes are seldom read: the watch is edge-triggered, each one is an edge of its own. They are when a wake
 * had no reason in the ring, for then it may be the end of the socket; and now and then, for there is room for
 * some hundreds, and one that finds no room is no edge. Each time that an end says it sleeps brings one at most.
 * How many fit is for the system's administrator to say (net.core.wmem_default), so it is asked for.
 *
 * The kernel may have no memory for a bell. That is no end of the peer's; but whoever sleeps there has nobody else
 * to wake it, and the ringer may never come back to the ring. So an alarm rings again, until it has rung.
 *
 * Who has made a ring has both sockets until it opens its own end: then the other one has been sent, and is
 * closed here, or the death of the peer would not be its end. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memory.h"
#include "ring.h"
#include "stdio-fd.h"
#include "tractor-shm.h"
#include "tractor-task.h"
#include "tractor-value.h"

/* How often an end says that it sleeps before it empties its socket, at most; and what a bell that is unread takes of
 * the socket's room, at most: a byte, and what the kernel keeps with it. */
#define ANNOUNCED_UNREAD 32
#define BYTES_OF_BELL    2048
/* When a bell is rung again that the kernel had no memory for. */
#define SHORTAGE_USEC (G_USEC_PER_SEC / 100)
/* After so many bytes others have a turn; an item counts as some more than it has. */
#define BYTES_OF_TURN   (1024 * 1024)
#define BYTES_OF_WORK   1024
#define DRAINED_AT_ONCE 4

/* --- before it is open ------------------------------------------------------------------------------- */

struct _TractorRing {
  gsize capacity;
  int memory;
  int sockets[2]; /* its own, and the other actor's; -1: that has it */
  gboolean is_given;
};

void
tractor_ring_free (TractorRing *ring)
{
  if (ring == NULL)
    return;
  close_fd (&ring->memory);
  close_fd (&ring->sockets[0]);
  close_fd (&ring->sockets[1]);
  g_free (ring);
}

static TractorRing *
ring_new (void)
{
  TractorRing *ring = g_new (TractorRing, 1);

  *ring = (TractorRing){ .memory = -1, .sockets = { -1, -1 } };
  return ring;
}

static gboolean
make_sockets (int sockets[2], GError **error)
{
  return (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) == 0 &&
          keep_off_stdio (&sockets[0]) == 0 && keep_off_stdio (&sockets[1]) == 0) ||
         tractor__memory_set_errno_error ("Cannot make the sockets of a ring", error);
}

TractorRing *
tractor_ring_new (gsize capacity, GError **error)
{
  g_autoptr (TractorRing) ring = ring_new ();

  ring->capacity = tractor__ring_get_capacity (capacity);
  if (ring->capacity == 0) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT,
                 "A ring of %" G_GSIZE_FORMAT " bytes is larger than the largest, of %d", capacity,
                 RING_LARGEST);
    return NULL;
  }
  ring->memory =
      tractor__memory_make ("tractor-ring", tractor__ring_get_size (ring->capacity), error);
  if (ring->memory < 0 || !tractor__memory_seal (ring->memory, 0, error) ||
      !make_sockets (ring->sockets, error))
    return NULL;
  return g_steal_pointer (&ring);
}

GVariant *
tractor_ring_get_value (TractorRing *ring, GError **error)
{
  if (!tractor_error_check_given (ring, "ring", error))
    return NULL;
  if (ring->sockets[1] < 0) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A ring from another actor has two ends already: it cannot be sent on");
    return NULL;
  }
  if (ring->is_given) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "This ring was given to an actor already: one end is that one's, and the "
                         "other is for the actor that has made it");
    return NULL;
  }
  ring->is_given = TRUE;
  return g_variant_new ("(vv)", tractor_value_new_fd (ring->memory),
                        tractor_value_new_fd (ring->sockets[1]));
}

/* --- from another actor -------------------------------------------------------------------------------- */

static int
take_fd (GVariant *value, gsize i, GError **error)
{
  g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

  while (g_variant_is_of_type (child, G_VARIANT_TYPE_VARIANT)) {
    g_autoptr (GVariant) box = g_steal_pointer (&child);

    child = g_variant_get_variant (box);
  }
  return tractor_value_take_fd (child, error);
}

/* Of another kind closing it might wait, or its end not be the peer's. */
static gboolean
check_socket (int fd, GError **error)
{
  int domain;
  int type;
  socklen_t length = sizeof domain;

  if (getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
      getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && domain == AF_UNIX &&
      type == SOCK_STREAM)
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                       "The second descriptor of a ring is not its socket");
  return FALSE;
}

static gboolean
check_ring (TractorRing *ring, GError **error)
{
  guint64 size;

  if (!tractor__memory_check (ring->memory, &size, error) ||
      !check_socket (ring->sockets[0], error))
    return FALSE;
  ring->capacity = tractor__ring_get_capacity_of (size);
  if (ring->capacity != 0)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
               "Memory of %" G_GUINT64_FORMAT " bytes is no ring's", size);
  return FALSE;
}

TractorRing *
tractor_ring_take_value (GVariant *value, GError **error)
{
  g_autoptr (TractorRing) ring = ring_new ();
  g_autoptr (GVariant) inner = value != NULL ? g_variant_ref (value) : NULL;

  while (inner != NULL && g_variant_is_of_type (inner, G_VARIANT_TYPE_VARIANT)) {
    g_autoptr (GVariant) box = g_steal_pointer (&inner);

    inner = g_variant_get_variant (box);
  }
  if (inner == NULL || !g_variant_is_container (inner) || g_variant_n_children (inner) != 2) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE, "A value of type '%s' is no ring",
                 inner != NULL ? g_variant_get_type_string (inner) : "nil");
    return NULL;
  }
  ring->memory = take_fd (inner, 0, error);
  if (ring->memory < 0)
    return NULL;
  ring->sockets[0] = take_fd (inner, 1, error);
  if (ring->sockets[0] < 0 || !check_ring (ring, error))
    return NULL;
  return g_steal_pointer (&ring);
}

/* --- an end ------------------------------------------------------------------------------------------- */

typedef struct {
  Ring ring;
  RingSide side;
  int socket;
  TractorFdWatch *watch; /* NULL: closed, and a task is in a call still */
  TractorHold *hold;
  TractorAlarm *alarm; /* rings once more */
  guint n_refs;
  guint n_bells_fit;    /* in the socket, as far as is needed */
  guint n_announced;    /* how often it has said that it sleeps since the socket was emptied */
  gsize reserved;       /* a writer's, for the item that it is at */
  gsize n_bytes;        /* since others have had a turn */
  gboolean owes_bell;   /* there was no memory for it: the alarm is set */
  gboolean is_gone;     /* the other end */
  gboolean is_damaged;  /* by the other end */
  gboolean is_finished; /* a writer's, by itself */
} End;

struct _TractorRingWriter {
  End end;
};

struct _TractorRingReader {
  End end;
};

static void
end_unref (End *end)
{
  if (--end->n_refs > 0)
    return;
  tractor__ring_unmap (&end->ring);
  g_free (end);
}

/* The other end finds an end of its socket. */
static void
end_close (End *end)
{
  if (end == NULL)
    return;
  g_clear_pointer (&end->alarm, tractor_alarm_free);
  g_clear_pointer (&end->watch, tractor_fd_watch_close);
  close_fd (&end->socket);
  g_clear_pointer (&end->hold, tractor_hold_release);
  end_unref (end);
}

static void
on_abandoned (gpointer data)
{
  End *end = data;

  end->hold = NULL;
  end_close (end);
}

static gboolean
set_misuse (const char *what, GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, what);
  return FALSE;
}

static gboolean
check_may_open (GError **error)
{
  return tractor_task_get_id () != 0 ||
         set_misuse ("An end of a ring is opened by a task: call this inside one", error);
}

static gboolean
claim (End *end, GError **error)
{
  if (tractor__ring_claim (&end->ring, end->side))
    return TRUE;
  return set_misuse (
      end->side == RING_WRITER
          ? "The ring has a writer already: one end opens a writer, the other a reader"
          : "The ring has a reader already: one end opens a writer, the other a reader",
      error);
}

static void ring_again (gpointer data);

/* Who has made the ring has not made room in either socket but what the system gives: both have the same. */
static guint
count_bells_that_fit (int socket)
{
  int room = 0;
  socklen_t length = sizeof room;

  getsockopt (socket, SOL_SOCKET, SO_SNDBUF, &room, &length);
  return CLAMP ((guint) room / BYTES_OF_BELL, 1, ANNOUNCED_UNREAD);
}

/* Of a @size whose first member is an End. @ring: (transfer full). Returns: (transfer full) (nullable). */
static gpointer
end_open (TractorRing *given, RingSide side, GError **error)
{
  g_autoptr (TractorRing) ring = given;
  End *end;

  if (!tractor_error_check_given (ring, "ring", error) || !check_may_open (error))
    return NULL;
  end = g_new0 (End, 1);
  *end = (End){ .side = side, .n_refs = 1, .socket = g_steal_fd (&ring->sockets[0]) };
  if (!tractor__ring_map (&end->ring, ring->memory, ring->capacity)) {
    tractor__memory_set_errno_error ("Cannot map a ring", error);
    end_close (end);
    return NULL;
  }
  end->watch = tractor_fd_watch_open (end->socket, error);
  if (end->watch == NULL || !claim (end, error)) {
    end_close (end);
    return NULL;
  }
  end->n_bells_fit = count_bells_that_fit (end->socket);
  end->alarm = tractor_alarm_new (ring_again, end);
  tractor_fd_watch_set_static_name (end->watch, side == RING_WRITER ? "ring write" : "ring read");
  end->hold = tractor_task_hold (side == RING_WRITER ? "a ring's writer" : "a ring's reader",
                                 on_abandoned, end);
  return end;
}

static gboolean
set_damaged (End *end, GError **error)
{
  end->is_damaged = TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                       "The other end has damaged the ring: what is in it cannot be");
  return FALSE;
}

/* --- the bell ------------------------------------------------------------------------------------------ */

/* Nobody is gone for that: there was no memory, or a signal. */
static gboolean
errno_is_passing (void)
{
  return errno == ENOBUFS || errno == ENOMEM || errno == EINTR;
}

static void
ring_bell (End *end)
{
  gboolean is_rung = send (end->socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;

  /* EAGAIN: the peer lets its bells lie, more of them than it is asleep for. */
  end->owes_bell = !is_rung && errno_is_passing ();
  if (!is_rung && !end->owes_bell && errno != EAGAIN)
    end->is_gone = TRUE;
  if (end->owes_bell)
    tractor_alarm_set (end->alarm, tractor_now () + SHORTAGE_USEC);
}

static void
ring_again (gpointer data)
{
  End *end = data;

  if (end->owes_bell) /* and it has not been rung for something else since */
    ring_bell (end);
}

/* Empties the socket, which has little in it, unless the peer has filled it on purpose. */
static void
take_bells (End *end)
{
  char bells[4096];
  gssize n = sizeof bells;

  end->n_announced = 0;
  for (guint i = 0; i < DRAINED_AT_ONCE && n > 0; i++)
    n = recv (end->socket, bells, sizeof bells, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && !errno_is_passing ()))
    end->is_gone = TRUE;
}

/* --- waiting ------------------------------------------------------------------------------------------- */

/* What was to be waited for: an item, or room for one. */
typedef struct {
  gsize length;
  gpointer data;
} Item;

static RingState
look (End *end, Item *item)
{
  gconstpointer data;
  RingState state;

  if (end->side == RING_WRITER)
    return tractor__ring_reserve (&end->ring, item->length, &item->data);
  state = tractor__ring_peek (&end->ring, &data, &item->length);
  if (state == RING_OK)
    item->data = (gpointer) data;
  return state;
}

/* Others had a turn, and another task may have closed the end: then it was there for this only. */
static gboolean
come_back (End *end, gboolean ok, GError **error)
{
  gboolean is_open = end->watch != NULL;

  end_unref (end);
  if (ok && !is_open)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                         "This end of the ring was closed by another task");
  return ok && is_open;
}

/* How a call begins that may wait. FALSE: the end may be no more. */
static gboolean
begin (End *end, GError **error)
{
  if (G_LIKELY (end->n_bytes < BYTES_OF_TURN))
    return tractor_checkpoint_if_cancelled (error);
  end->n_bytes = 0;
  end->n_refs++;
  return come_back (end, tractor_checkpoint (error), error);
}

/* FALSE: the end may be no more. */
static gboolean
wait (End *end, GError **error)
{
  end->n_bytes = 0;
  end->n_refs++;
  return come_back (end, tractor_fd_watch_wait (end->watch, G_IO_IN, error), error);
}

/* Whether no other task waits at this end, which would be refused if there was something to wait for. */
static gboolean
is_alone (const End *end)
{
  return end->n_refs == 1;
}

/* From now on whoever has something for it rings: once, so that so many bells at most are unread. A socket that is
 * full of them would not ring any more. */
static void
announce_sleep (End *end)
{
  if (is_alone (end) && ++end->n_announced >= end->n_bells_fit)
    take_bells (end);
  tractor__ring_set_sleeps (&end->ring, end->side, TRUE);
}

static gboolean
is_over (End *end)
{
  return end->is_gone || (end->side == RING_READER && tractor__ring_is_ended (&end->ring));
}

/* There was nothing. Returns: RING_NOTHING if nothing more comes; or RING_DAMAGED with @error set, to whatever it is:
 * then the end may be no more. */
static RingState
wait_for_item (End *end, Item *item, GError **error)
{
  RingState state = RING_NOTHING;

  while (state == RING_NOTHING) {
    gboolean was_over;

    announce_sleep (end); /* first: who ends the items or has one looks at that after it */
    was_over = is_over (end);
    state = look (end, item);
    if (state != RING_NOTHING || was_over)
      break;
    if (!wait (end, error))
      return RING_DAMAGED;
    state = look (end, item);
    if (state == RING_NOTHING)
      take_bells (
          end); /* nobody has rung, or it has been for what was there already: or it is the end */
  }
  if (is_alone (end)) /* it sleeps still, by another task */
    tractor__ring_set_sleeps (&end->ring, end->side, FALSE);
  if (state == RING_DAMAGED)
    set_damaged (end, error);
  return state;
}

static RingState
find_item (End *end, Item *item, GError **error)
{
  RingState state;

  if (!begin (end, error))
    return RING_DAMAGED;
  state = end->is_damaged ? RING_DAMAGED : look (end, item);
  if (G_UNLIKELY (state == RING_DAMAGED))
    set_damaged (end, error);
  return G_LIKELY (state != RING_NOTHING) ? state : wait_for_item (end, item, error);
}

/* --- a writer ------------------------------------------------------------------------------------------ */

TractorRingWriter *
tractor_ring_open_writer (TractorRing *ring, GError **error)
{
  return end_open (ring, RING_WRITER, error);
}

static gboolean
check_may_write (End *end, gsize length, GError **error)
{
  if (end->is_finished)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                         "Nothing is written to a ring after tractor_ring_writer_end()");
  else if (length > end->ring.capacity - RING_ITEM_HEAD)
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT,
                 "An item of %" G_GSIZE_FORMAT
                 " bytes never fits: in this ring one has %" G_GSIZE_FORMAT " at most",
                 length, end->ring.capacity - RING_ITEM_HEAD);
  else
    return TRUE;
  return FALSE;
}

static gpointer
set_broken (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN,
                       "The reader of the ring has closed its end, or its process has ended");
  return NULL;
}

gpointer
tractor_ring_writer_reserve (TractorRingWriter *writer, gsize length, GError **error)
{
  Item item = { .length = length };

  if (!tractor_error_check_given (writer, "writer", error) ||
      !check_may_write (&writer->end, length, error))
    return NULL;
  if (G_UNLIKELY (writer->end.is_gone))
    return set_broken (error);
  switch (find_item (&writer->end, &item, error)) {
  case RING_OK:
    writer->end.reserved = length;
    return item.data;
  case RING_NOTHING:
    return set_broken (error);
  default:
    return NULL;
  }
}

static void
commit (End *end, gsize length)
{
  end->n_bytes += BYTES_OF_WORK + length;
  if (tractor__ring_commit (&end->ring, length))
    ring_bell (end);
}

gboolean
tractor_ring_writer_commit (TractorRingWriter *writer, gsize length, GError **error)
{
  if (!tractor_error_check_given (writer, "writer", error))
    return FALSE;
  if (writer->end.ring.item == 0 || length > writer->end.reserved)
    return set_misuse ("An item is committed that is longer than what was reserved, or nothing was",
                       error);
  commit (&writer->end, length);
  return TRUE;
}

gboolean
tractor_ring_writer_send (TractorRingWriter *writer,
                          gconstpointer data,
                          gsize length,
                          GError **error)
{
  gpointer place = tractor_ring_writer_reserve (writer, length, error);

  if (place == NULL)
    return FALSE;
  if (length > 0)
    memcpy (place, data, length);
  commit (&writer->end, length);
  return TRUE;
}

void
tractor_ring_writer_end (TractorRingWriter *writer)
{
  g_return_if_fail (writer != NULL);

  writer->end.is_finished = TRUE;
  writer->end.ring.item = 0; /* what was reserved is no item any more */
  if (tractor__ring_end (&writer->end.ring))
    ring_bell (&writer->end);
}

void
tractor_ring_writer_close (TractorRingWriter *writer)
{
  end_close ((End *) writer);
}

/* --- a reader ------------------------------------------------------------------------------------------ */

TractorRingReader *
tractor_ring_open_reader (TractorRing *ring, GError **error)
{
  return end_open (ring, RING_READER, error);
}

/* Returns: FALSE */
static gboolean
set_end (End *end, GError **error)
{
  if (!tractor__ring_is_ended (&end->ring))
    g_set_error_literal (
        error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN,
        "The writer of the ring is gone before the end of the items: it has closed its "
        "end without tractor_ring_writer_end(), or its process has ended");
  return FALSE;
}

gboolean
tractor_ring_reader_peek (TractorRingReader *reader,
                          gconstpointer *ret_data,
                          gsize *ret_length,
                          GError **error)
{
  Item item;

  if (!tractor_error_check_given (reader, "reader", error))
    return FALSE;
  switch (find_item (&reader->end, &item, error)) {
  case RING_OK:
    *ret_data = item.data;
    *ret_length = item.length;
    return TRUE;
  case RING_NOTHING:
    return set_end (&reader->end, error);
  default:
    return FALSE;
  }
}

void
tractor_ring_reader_release (TractorRingReader *reader)
{
  g_return_if_fail (reader != NULL);

  reader->end.n_bytes += BYTES_OF_WORK + reader->end.ring.item;
  if (tractor__ring_release (&reader->end.ring))
    ring_bell (&reader->end);
}

gboolean
tractor_ring_reader_receive (TractorRingReader *reader, GBytes **ret_item, GError **error)
{
  gconstpointer data;
  gsize length;

  if (!tractor_ring_reader_peek (reader, &data, &length, error))
    return FALSE;
  *ret_item = g_bytes_new (data, length);
  tractor_ring_reader_release (reader);
  return TRUE;
}

void
tractor_ring_reader_close (TractorRingReader *reader)
{
  end_close ((End *) reader);
}
