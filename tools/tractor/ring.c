/* ring.c - what an actor has noted in a trace, read from the file that it was written to.
 *
 * It is copied, and not mapped: it may be any file, and another may make it shorter. What is written over meanwhile is left
 * out: how many there had been is looked at before and after. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ring.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Above that it is none that the library has made. */
#define MAX_RECORDS (1u << 26)

/* --- reading ------------------------------------------------------------------------------------- */

/* Returns: FALSE with @error set; also if there is less. */
static gboolean
read_at (int fd, gpointer bytes, gsize length, guint64 offset, const char *name, GError **error)
{
  for (gsize done = 0; done < length;) {
    gssize n = pread (fd, (char *) bytes + done, length - done, (off_t) (offset + done));

    if (n > 0) {
      done += (gsize) n;
    } else if (n == 0) {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                   "'%s' is no trace of an actor, or cut off", name);
      return FALSE;
    } else if (errno != EINTR) {
      g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "cannot read '%s': %s",
                   name, g_strerror (errno));
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
read_header (int fd, TractorTraceHeader *header, const char *name, GError **error)
{
  guint32 n;

  if (!read_at (fd, header, sizeof *header, 0, name, error))
    return FALSE;
  n = header->n_records;
  if (memcmp (header->magic, TRACTOR_TRACE_MAGIC, sizeof TRACTOR_TRACE_MAGIC) != 0 ||
      header->version != TRACTOR_TRACE_VERSION || n == 0 || n > MAX_RECORDS || (n & (n - 1)) != 0) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "'%s' is no trace of an actor", name);
    return FALSE;
  }
  header->title[sizeof header->title - 1] = '\0';
  return TRUE;
}

/* Those from @begin to @end, of all that were ever written. */
static gboolean
read_records (
    int fd, Ring *ring, guint32 size, guint64 begin, guint64 end, const char *name, GError **error)
{
  g_array_set_size (ring->records, (guint) (end - begin));
  for (guint64 at = begin; at < end;) {
    guint64 place = at & (size - 1);
    gsize n = (gsize) MIN (end - at, size - place);

    if (!read_at (fd, &g_array_index (ring->records, TractorTraceRecord, at - begin),
                  n * sizeof (TractorTraceRecord),
                  TRACTOR_TRACE_HEADER_BYTES + place * sizeof (TractorTraceRecord), name, error))
      return FALSE;
    at += n;
  }
  return TRUE;
}

static guint64
get_oldest (const TractorTraceHeader *header)
{
  /* One more than is counted may be written at this moment. */
  return header->n_written >= header->n_records ? header->n_written - header->n_records + 1 : 0;
}

Ring *
ring_read (int fd, const char *name, GError **error)
{
  TractorTraceHeader header;
  TractorTraceHeader after;
  guint64 begin;
  Ring *ring;

  if (!read_header (fd, &header, name, error))
    return NULL;
  begin = get_oldest (&header);
  ring = g_new0 (Ring, 1);
  ring->pid = (gint) header.pid;
  ring->title = g_strdup (header.title);
  ring->records = g_array_new (FALSE, FALSE, sizeof (TractorTraceRecord));
  if (!read_records (fd, ring, header.n_records, begin, header.n_written, name, error) ||
      !read_header (fd, &after, name, error)) {
    ring_free (ring);
    return NULL;
  }
  if (get_oldest (&after) > begin)
    g_array_remove_range (ring->records, 0,
                          (guint) MIN (get_oldest (&after) - begin, ring->records->len));
  ring->is_whole = get_oldest (&after) == 0;
  return ring;
}

void
ring_free (gpointer data)
{
  Ring *ring = data;

  g_array_unref (ring->records);
  g_free (ring->title);
  g_free (ring);
}

gboolean
ring_next (const Ring *ring, guint *at, TractorTraceRecord *ret_record, GString *text)
{
  const TractorTraceRecord *records = (const TractorTraceRecord *) (gpointer) ring->records->data;
  guint n = ring->records->len;

  while (*at < n && records[*at].point == TRACTOR_TRACE_TEXT) /* of what is written over */
    ++*at;
  if (*at >= n)
    return FALSE;
  *ret_record = records[(*at)++];
  g_string_truncate (text, 0);
  for (; *at < n && records[*at].point == TRACTOR_TRACE_TEXT; ++*at) {
    const char *bytes = (const char *) &records[*at] + sizeof records->point;

    g_string_append_len (text, bytes, (gssize) strnlen (bytes, TRACTOR_TRACE_TEXT_BYTES));
  }
  return TRUE;
}

/* --- time ---------------------------------------------------------------------------------------- */

/* The first and the last that is known: what is between them is straight, and the longest is the most exact. */
void
ring_clock_init (RingClock *clock, const GPtrArray *rings)
{
  TractorTraceRecord first = { 0 };
  TractorTraceRecord last = { 0 };

  for (guint i = 0; i < rings->len; i++) {
    const Ring *ring = rings->pdata[i];

    for (guint j = 0; j < ring->records->len; j++) {
      TractorTraceRecord record = g_array_index (ring->records, TractorTraceRecord, j);

      if (record.point != TRACTOR_TRACE_CLOCK)
        continue;
      if (first.point == 0 || record.ticks < first.ticks)
        first = record;
      if (last.point == 0 || record.ticks > last.ticks)
        last = record;
    }
  }
  *clock = (RingClock){ first.ticks, (gint64) first.id, 1 };
  if (last.ticks > first.ticks && last.id > first.id)
    clock->nsec_a_tick = (double) (last.id - first.id) / (double) (last.ticks - first.ticks);
}

gint64
ring_clock_get_nsec (const RingClock *clock, guint64 ticks)
{
  return clock->nsec + (gint64) ((double) (gint64) (ticks - clock->ticks) * clock->nsec_a_tick);
}
