/* run-trace.c - a run is traced from outside: a file is mapped, and what the tasks do is noted there.
 *
 * Whoever gives the file can read it at any time, and when the process is gone. What is noted, and how, is in task/trace.c. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"
#include "trace.h"
#include "tractor-trace.h"

/* Fewer are no trace: the names of a few tasks. */
#define MIN_RECORDS 256

/* As many records as there is room for. Returns: 0 if that is none to speak of. */
static guint32
count_records (gint64 file_bytes)
{
  gint64 n = (file_bytes - TRACTOR_TRACE_HEADER_BYTES) / (gint64) sizeof (TractorTraceRecord);

  if (n < MIN_RECORDS)
    return 0;
  return 1u << MIN (g_bit_nth_msf ((gulong) n, -1), 30);
}

/* Returns: NULL with @error set. */
static gpointer
map_ring (int fd, guint32 *ret_n_records, GError **error)
{
  struct stat status;
  gpointer memory;

  if (fstat (fd, &status) != 0) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
                 "cannot look at the file for a trace: %s", g_strerror (errno));
    return NULL;
  }
  *ret_n_records = count_records (status.st_size);
  if (*ret_n_records == 0) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "The file for a trace is too small");
    return NULL;
  }
  memory = mmap (NULL, TRACTOR_TRACE_HEADER_BYTES + *ret_n_records * sizeof (TractorTraceRecord),
                 PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory != MAP_FAILED)
    return memory;
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
               "cannot map the file for a trace: %s", g_strerror (errno));
  return NULL;
}

static void
write_header (TractorTraceHeader *header, guint32 n_records, const char *title)
{
  *header = (TractorTraceHeader){ .version = TRACTOR_TRACE_VERSION,
                                  .n_records = n_records,
                                  .pid = (guint32) getpid () };
  g_strlcpy (header->title, title, sizeof header->title);
  memcpy (header->magic, TRACTOR_TRACE_MAGIC, sizeof TRACTOR_TRACE_MAGIC);
}

gboolean
tractor_run_start_trace (int fd, const char *title, GError **error)
{
  TractorGuest *guest = tractor__current_guest;
  guint32 n_records;
  gpointer memory;

  if (!tractor_error_check_given (guest, "run", error) ||
      !tractor_error_check_given (title, "title", error))
    return FALSE;
  if (guest->trace != NULL) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "It is traced already");
    return FALSE;
  }
  memory = map_ring (fd, &n_records, error);
  if (memory == NULL)
    return FALSE;
  write_header (memory, n_records, title);
  guest->trace = tractor__trace_begin (guest, memory, n_records);
  tractor__instruments_add_up (guest);
  return TRUE;
}

void
tractor_run_stop_trace (void)
{
  TractorGuest *guest = tractor__current_guest;

  g_return_if_fail (guest != NULL);

  if (guest->trace == NULL || guest_is_forked (guest))
    return;
  tractor__trace_end (g_steal_pointer (&guest->trace));
  tractor__instruments_add_up (guest);
}

void
tractor_run_trace (guint32 point, guint32 arg, guint64 id, const char *text)
{
  TractorGuest *guest = tractor__current_guest;

  if (guest == NULL || guest->trace == NULL || guest_is_forked (guest))
    return;
  trace_add (guest->trace, (TractorTracePoint) point, arg, id);
  if (text != NULL)
    tractor__trace_add_text (guest->trace, text);
}
