/* peer-limits.c - the bounds that a program may set, for what peers do to an actor.
 *
 * The root has them from its options and hands them down: the actors of a tree agree, so that none
 * sends what another refuses. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "peer-limits.h"

#include <sys/resource.h>

#include "bounds.h"
#include "tractor-error.h"

typedef struct {
  const char *name;
  gsize offset; /* of a guint64 in TractorLimits */
  guint64 fallback;
  guint64 most;
} Limit;

#define LIMIT(member, fallback, most)                                                              \
  {                                                                                                \
#member, G_STRUCT_OFFSET(TractorLimits, member), fallback, most                                \
  }

static const Limit table[] = {
  LIMIT (frame_bytes, LIMIT_FRAME_BYTES, G_GUINT64_CONSTANT (1) << 30),
  LIMIT (stream_items, LIMIT_STREAM_ITEMS, 1 << 20),
  LIMIT (stream_bytes, LIMIT_STREAM_BYTES, G_GUINT64_CONSTANT (1) << 30),
  LIMIT (calls_per_peer, LIMIT_RPC_TASKS, 1 << 20),
  LIMIT (connections, 0, 65536), /* of the descriptors that the process may have */
  LIMIT (half_open, LIMIT_HALF_OPEN, 65536),
  LIMIT (children, LIMIT_CHILDREN, 65536),
  LIMIT (handshake_usec, PATIENCE_HANDSHAKE_USEC, 60 * G_USEC_PER_SEC),
};

static guint64 *
get_member (TractorLimits *limits, const Limit *limit)
{
  return G_STRUCT_MEMBER_P (limits, limit->offset);
}

/* Three quarters of the descriptors, so that a program has some left for itself. */
static guint64
get_default_connections (void)
{
  struct rlimit fds = { .rlim_cur = 1024 };

  getrlimit (RLIMIT_NOFILE, &fds);
  return MIN (1024, fds.rlim_cur / 4 * 3);
}

static guint64
get_default (const Limit *limit)
{
  return limit->fallback != 0 ? limit->fallback : get_default_connections ();
}

gboolean
tractor__limits_fill (const TractorLimits *given, TractorLimits *limits, GError **error)
{
  *limits = given != NULL ? *given : (TractorLimits){ 0 };
  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    guint64 *member = get_member (limits, &table[i]);

    if (*member == 0)
      *member = get_default (&table[i]);
    if (*member > table[i].most) {
      g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                   "The limit %s can be %" G_GUINT64_FORMAT " at most", table[i].name,
                   table[i].most);
      return FALSE;
    }
  }
  return TRUE;
}

void
tractor__limits_write (WireBuffer *buffer, const TractorLimits *limits)
{
  if (limits == NULL) {
    wire_write_nil (buffer);
    return;
  }
  tractor__wire_write_array (buffer, G_N_ELEMENTS (table));
  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    tractor__wire_write_integer (buffer,
                                 (gint64) *get_member ((TractorLimits *) limits, &table[i]));
}

void
tractor__limits_read (WireValue value, TractorLimits *limits)
{
  WireReader reader = wire_reader (value);
  WireItem array = { 0 };

  tractor__limits_fill (NULL, limits, NULL);
  if (value.bytes == NULL || !tractor__wire_read (&reader, &array) || array.type != WIRE_ARRAY)
    return;
  for (guint i = 0; i < MIN (array.length, G_N_ELEMENTS (table)); i++) {
    WireItem item;

    if (!tractor__wire_read (&reader, &item) || item.type != WIRE_INTEGER)
      return;
    if (item.integer > 0 && (guint64) item.integer <= table[i].most)
      *get_member (limits, &table[i]) = (guint64) item.integer;
  }
}
